"""Neurons in the layout of `sparse_kernels.py`: padded blocks of rows, filled from a network's parameters.

A slot is a neuron's place among the padded blocks. Both engines that list synapses use this layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network, Population
from ethospike.brains.numba.sparse_kernels import LANES, ROWS
from ethospike.brains.simulator.exact_integration import current_to_potential, mean_decay, refractory_steps
from ethospike.errors import NotFiniteError

CACHE_LINE = 64
"""Bytes; also the size of the largest registers."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def slots_of(network: Network) -> tuple[_Ints, NDArray[np.bool_]]:
    """Return the slot of each neuron, and for each block whether its neurons are conductance-based.

    Slots follow the order of the neurons; a block holds one kind only.
    """
    sizes = [population.size for population in network.populations]
    kind = np.repeat([population.model != "iaf_psc_exp" for population in network.populations], sizes)
    slot, blocks = np.empty(network.n_neurons, dtype=np.int64), list[bool]()
    for neurons in np.split(np.arange(len(kind)), np.flatnonzero(np.diff(kind)) + 1):
        slot[neurons] = len(blocks) * LANES + np.arange(len(neurons))
        blocks += [bool(kind[neurons[0]])] * -(-len(neurons) // LANES)
    return slot, np.array(blocks)


def neuron_blocks(
    network: Network, seed: int, animal: int, dt_ms: float, slot: _Ints, n_slots: int
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
        slots = slot[network.neurons(population.name)]
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

    def parameter(key: str) -> _Floats:
        return network.parameter(population.name, key, seed, animal)

    h, e_l, c_m, v_th, v_reset = dt_ms, *map(parameter, ("E_L", "C_m", "V_th", "V_reset"))
    tau_ex, tau_in = parameter("tau_syn_ex"), parameter("tau_syn_in")
    rows = {
        "v": parameter("V_m") - e_l,
        "decay_ex": np.exp(-h / tau_ex),
        "decay_in": np.exp(-h / tau_in),
        "v_th": v_th - e_l,
        "v_reset": v_reset - e_l,
        "t_ref": refractory_steps(population.name, parameter("t_ref"), v_reset, v_th, h),
        "i_e": parameter("I_e"),
        "e_l": e_l,
    }
    if population.model == "iaf_psc_exp":
        tau_m = parameter("tau_m")
        rows |= {
            "leak": np.exp(-h / tau_m),
            "per_pa": tau_m / c_m * (1.0 - np.exp(-h / tau_m)),
            "from_ex": current_to_potential(h, tau_ex, tau_m, c_m),
            "from_in": current_to_potential(h, tau_in, tau_m, c_m),
        }
        rows["drive"] = rows["i_e"] * rows["per_pa"]
        return rows, 1.0, 1.0
    per_pa = h / c_m
    scale_ex, scale_in = per_pa * mean_decay(h, tau_ex), per_pa * mean_decay(h, tau_in)
    rows |= {
        "leak": per_pa * parameter("g_L"),
        "per_pa": per_pa,
        "drive": per_pa * parameter("I_e"),
        "from_ex": parameter("E_ex") - e_l,
        "from_in": parameter("E_in") - e_l,
        "slope_ex": -h / tau_ex / 12.0,
        "slope_in": -h / tau_in / 12.0,
    }
    if population.model == "iaf_cond_exp_sfa_rr":
        tau_sfa = parameter("tau_sfa")
        rows |= {
            "from_sfa": parameter("E_sfa") - e_l,
            "decay_sfa": np.exp(-h / tau_sfa),
            "slope_sfa": -h / tau_sfa / 12.0,
            "q_sfa": parameter("q_sfa") * per_pa * mean_decay(h, tau_sfa),
        }
    return rows, scale_ex, -scale_in  # inhibitory weights are negative, conductances are not


def _blocks(rows: Mapping[str, _Floats]) -> _Floats:
    """Return one number a slot for each row as blocks, shape (blocks, rows, LANES)."""
    return np.stack([rows[name].reshape(-1, LANES) for name in ROWS], axis=1)


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that begins at a cache line, so that no register is filled from two of them."""
    room = np.empty(int(np.prod(shape)) * dtype.itemsize + CACHE_LINE, dtype=np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + room.size - CACHE_LINE].view(dtype).reshape(shape)


def plain(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array of the kind that the code was compiled for: contiguous and not read-only."""
    array = np.ascontiguousarray(array, dtype=dtype)
    return array if array.flags.writeable else array.copy()


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
