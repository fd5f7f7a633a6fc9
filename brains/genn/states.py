"""The state of neurons on the device: potentials, and a look at whether all numbers are finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network
from ethospike.errors import NotFiniteError


def potentials(
    network: Network,
    populations: Mapping[str, Any],
    rest: Mapping[str, NDArray[np.float64]],
    watched: NDArray[np.int64],
    animals: int,
) -> NDArray[np.float64]:
    """Return V_m of the watched neurons now, shape (animals, watched).

    Parameters
    ----------
    network : Network
    populations : mapping of str to pygenn.NeuronGroup
    rest : mapping of str to ndarray
        E_L of the neurons of all animals, to which GeNN's `v` is relative.
    watched : ndarray
        Neurons, counted through an animal.
    animals : int
    """
    values = np.empty((animals, len(watched)))
    for population in network.populations:
        inside = network.neurons(population.name)
        columns = np.flatnonzero((watched >= inside.start) & (watched < inside.stop))
        if len(columns):
            members = watched[columns] - inside.start
            v = populations[population.name].vars["v"]
            v.pull_from_device()
            above = np.asarray(v.view, dtype=np.float64).reshape(animals, -1)[:, members]
            values[:, columns] = above + rest[population.name].reshape(animals, -1)[:, members]
    return values


def check_finite(network: Network, populations: Mapping[str, Any], step: int) -> None:
    """Raise `NotFiniteError` if a potential or a synaptic input is not finite after `step`."""
    for population in network.populations:
        state = populations[population.name].vars
        for name in population.neuron_model.state:
            state[name].pull_from_device()
            finite = np.isfinite(state[name].view)
            if not finite.all():
                animal, neuron = divmod(int(np.argmin(finite)), population.size)
                raise NotFiniteError(
                    f"{name} of neuron {neuron} of {population.name!r} in animal {animal} is no longer "
                    f"finite after step {step}; look for weights or currents that are too large"
                )
