"""Neurons in the layout of `blocks.py`: padded blocks of rows, filled from a network's parameters.

A slot is a neuron's place among the padded blocks. Both engines that list synapses use this layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network, Population
from ethospike.brains.numba.blocks import LANES, ROWS
from ethospike.brains.simulator.propagators import propagators
from ethospike.errors import BrainError, NotFiniteError

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def slots_of(network: Network) -> tuple[_Ints, NDArray[np.bool_]]:
    """Return the slot of each neuron, and for each block whether its neurons are conductance-based.

    Slots follow the order of the neurons; a block holds one kind of kernel only.
    """
    sizes = [population.size for population in network.populations]
    models = [population.neuron_model for population in network.populations]
    kinds = [model.kernel or model.rows_kernel or "" for model in models]
    kind = np.repeat([sorted(set(kinds)).index(name) for name in kinds], sizes)
    conductance = np.repeat([name == "conductance" for name in kinds], sizes)
    slot, blocks = np.empty(network.n_neurons, dtype=np.int64), list[bool]()
    for neurons in np.split(np.arange(len(kind)), np.flatnonzero(np.diff(kind)) + 1):
        slot[neurons] = len(blocks) * LANES + np.arange(len(neurons))
        blocks += [bool(conductance[neurons[0]])] * -(-len(neurons) // LANES)
    return slot, np.array(blocks)


def neuron_blocks(
    network: Network,
    seed: int,
    animal: int,
    dt_ms: float,
    slot: _Ints,
    n_slots: int,
    *,
    runs_steps: bool = False,
) -> tuple[_Floats, _Floats]:
    """Return an animal's blocks, and in the same places of the inboxes the effect of a unit of weight.

    Parameters
    ----------
    network : Network
    seed, animal : int
        Keys of drawn parameters.
    dt_ms : float
    slot : ndarray of int64, shape (neurons,)
    n_slots : int
        Slots, padding included.
    runs_steps : bool
        The engine also runs models that have a step of their own (`lists/stepped_models.py`).

    Returns
    -------
    blocks, scale : ndarray of float64, each of shape (blocks, rows, LANES)

    Raises
    ------
    BrainError
        When a refractory period is not a whole number of steps, or V_reset is not below V_th.
    """
    by_row = dict.fromkeys(ROWS, 0.0) | {"v_th": np.inf, "decay_ex": 1.0}  # padding: at rest for ever
    rows = {name: np.full(n_slots, value) for name, value in by_row.items()}
    scale = {name: np.ones(n_slots) for name in ROWS}
    for population in network.populations:
        model = population.neuron_model
        is_stepped = model.kernel is None and (runs_steps or model.rows_kernel is None)
        if is_stepped and not runs_steps:
            raise BrainError(f"Population {population.name!r}: this engine lacks {model.name}")
        slots = slot[network.neurons(population.name)]
        if is_stepped:  # its state is elsewhere; here it receives and is seen
            rows["per_pa"][slots] = 1.0
            continue
        constants, scale["inbox_ex"][slots], scale["inbox_in"][slots] = _constants(
            network, population, seed, animal, dt_ms
        )
        for name, values in constants.items():
            rows[name][slots] = values
    return _blocks(rows), _blocks(scale)


def _constants(
    network: Network, population: Population, seed: int, animal: int, dt_ms: float
) -> tuple[dict[str, Any], Any, Any]:
    """Return the rows of a population, and the effect of a unit of weight at both receptors."""
    made = propagators(network, population.name, seed=seed, animal=animal, dt_ms=dt_ms)
    rows = {name: values for name, values in made.items() if name in ROWS}
    rows["drive"] = made["i_e"] * made["per_pa"]
    if population.neuron_model.kernel != "conductance":
        return rows, 1.0, 1.0
    per_pa = made["per_pa"]
    if "q_sfa" in made:
        rows["q_sfa"] = made["q_sfa"] * per_pa * made["mean_sfa"]
    # Inhibitory weights are negative, conductances are not.
    return rows, per_pa * made["mean_ex"], -(per_pa * made["mean_in"])


def _blocks(rows: Mapping[str, _Floats]) -> _Floats:
    """Return one number a slot for each row as blocks, shape (blocks, rows, LANES)."""
    return np.stack([rows[name].reshape(-1, LANES) for name in ROWS], axis=1)


def not_finite_error(
    network: Network, finite: NDArray[np.bool_], first_step: int, n_steps: int
) -> NotFiniteError:
    """Return the error that names the first neuron that is no longer finite.

    Parameters
    ----------
    network : Network
    finite : ndarray of bool, shape (animals, neurons)
    first_step, n_steps : int
        The window.
    """
    animal, neuron = np.argwhere(~finite)[0]
    for population in network.populations:
        inside = network.neurons(population.name)
        if inside.start <= neuron < inside.stop:
            break
    return NotFiniteError(
        f"V_m or the synaptic input of neuron {neuron - inside.start} of {population.name!r} in animal "
        f"{animal} is no longer finite after the steps {first_step} … {first_step + n_steps - 1}; look for "
        f"weights or currents that are too large"
    )
