"""Constants that advance the neurons of a population by one step, for Numba's engines and GeNN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network
from ethospike.errors import BrainError


def parameters(
    network: Network, population: str, *, seed: int, animal: int
) -> dict[str, NDArray[np.float64]]:
    """Return all parameters of a population in one animal, shape (size,) each, in NEST's units."""
    names = network.population(population).parameter_names
    return {key: network.parameter(population, key, seed, animal) for key in names}


def propagators(
    network: Network, population: str, *, seed: int, animal: int, dt_ms: float
) -> dict[str, NDArray[Any]]:
    """Return constants and initial state of a population in one animal, shape (size,) each.

    The names are those of the population's `NeuronModel`.

    Raises
    ------
    BrainError
        When the parameters do not fit together, or a refractory period is not a whole number of steps.
    """
    model = network.population(population).neuron_model
    params = parameters(network, population, seed=seed, animal=animal)
    try:
        constants = model.constants(params, dt_ms)
    except BrainError as error:
        raise BrainError(f"Population {population!r}.{error}") from error
    start = model.start(params)
    size = network.population(population).size
    return constants | {name: start.get(name, np.zeros(size)) for name in model.state}
