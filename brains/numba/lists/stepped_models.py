"""Neuron models that have no vectorized kernel: their step compiled, their state and constants as arrays.

The step of a model (`NeuronModel.step`) is compiled to machine code of a fixed interface, and the kernels of
`stepped_kernels.py` call it by its address; so these are compiled once for all models. State is in double
precision.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from ethospike.brains.compiling import c_function
from ethospike.brains.network import Network, NeuronModel
from ethospike.brains.numba.blocks import LANES
from ethospike.brains.numba.lists.stepped_kernels import Stepped
from ethospike.brains.simulator.propagators import propagators
from ethospike.errors import BrainError, nearest
from ethospike.randomness import Role, random_stream


def is_stepped_model(model: NeuronModel) -> bool:
    """Return whether a model runs by its own step."""
    return model.kernel is None


@functools.cache
def _machine_code(step: Any, state: tuple[str, ...], constants: tuple[str, ...]) -> Any:
    """Return a model's step as machine code; it is kept on disk where its source is a file."""
    records = [
        numba.from_dtype(np.dtype([(name, np.float64) for name in names])) for names in (state, constants)
    ]
    signature = types.int64(*records, *[types.float64] * 4)
    return c_function(signature, step)


def compiled_step(model: NeuronModel, constants: Sequence[str]) -> Any:
    """Return a model's compiled step; the kernels call its attribute `address`.

    Raises
    ------
    BrainError
        When Numba cannot compile it.
    """
    try:
        return _machine_code(model.step, (*model.state, "refractory"), tuple(constants))
    except KeyError as error:
        name = str(error.args[0])
        hint = nearest(name, (*model.state, "refractory", *constants))
        raise BrainError(
            f"{model.name}: Numba cannot compile the model's step: {name!r} is neither a state nor a "
            f"constant; {hint}"
        ) from error
    except numba.core.errors.NumbaError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise BrainError(
            f"{model.name}: Numba cannot compile the model's step ({' '.join(lines[:3])}); it may use "
            f"numbers, `math`, and the names of the model's state and constants"
        ) from error


class SteppedNeurons(NamedTuple):
    """The neurons of a network that run by their own step."""

    arrays: Stepped
    code: list[Any]
    """The compiled steps, which must live as long as their addresses are used."""
    e_l: NDArray[np.float64]
    """Potential to which `v` is relative, shape (animals, slots)."""


def stepped_neurons(
    network: Network, seed: int, animals: int, dt_ms: float, slot: NDArray[np.int64], n_slots: int
) -> SteppedNeurons:
    """Return state and constants of the neurons that run by their own step.

    Parameters
    ----------
    network : Network
    seed, animals : int
    dt_ms : float
    slot : ndarray of int64, shape (neurons,)
        Places of the neurons among the padded blocks.
    n_slots : int
        Slots, padding included.
    """
    places = {name: np.full(n_slots, -1, np.int64) for name in ("x", "k", "random")}
    step, code, e_l = np.zeros(n_slots, np.int64), [], np.zeros((animals, n_slots))
    x: list[list[NDArray[Any]]] = [[] for _ in range(animals)]
    k: list[list[NDArray[Any]]] = [[] for _ in range(animals)]
    random: list[list[NDArray[Any]]] = [[] for _ in range(animals)]
    n_x = n_k = n_random = 0
    for index, population in enumerate(network.populations):
        model, size = population.neuron_model, population.size
        if not is_stepped_model(model):
            continue
        slots = slot[network.neurons(population.name)]
        for animal in range(animals):
            made = propagators(network, population.name, seed=seed, animal=animal, dt_ms=dt_ms)
            names = tuple(name for name in made if name not in model.state)
            x[animal].append(np.stack([*(made[name] for name in model.state), np.zeros(size)], axis=1))
            k[animal].append(np.stack([made[name] for name in names], axis=1))
            e_l[animal, slots] = made["e_l"]
            if model.is_stochastic:
                stream = random_stream(seed, animal, Role.SPIKES, index)
                random[animal].append(stream.integers(2**64, size=size, dtype=np.uint64))
        code.append(compiled_step(model, names))
        step[slots] = code[-1].address
        places["x"][slots] = n_x + np.arange(size) * (len(model.state) + 1)
        places["k"][slots] = n_k + np.arange(size) * len(names)
        n_x, n_k = n_x + size * (len(model.state) + 1), n_k + size * len(names)
        if model.is_stochastic:
            places["random"][slots] = n_random + np.arange(size)
            n_random += size
    return SteppedNeurons(
        Stepped(
            block=np.asarray((step.reshape(-1, LANES) != 0).any(axis=1)),
            step=step,
            x_at=places["x"],
            k_at=places["k"],
            random_at=places["random"],
            x=_joined(x, np.float64),
            k=_joined(k, np.float64),
            random=_joined(random, np.uint64),
        ),
        code,
        e_l,
    )


def _joined(parts: list[list[NDArray[Any]]], dtype: type[np.generic]) -> NDArray[Any]:
    """Return the numbers of each animal side by side, shape (animals, numbers)."""
    return np.stack(
        [np.concatenate([np.empty(0, dtype), *(part.ravel() for part in of_animal)]) for of_animal in parts]
    )
