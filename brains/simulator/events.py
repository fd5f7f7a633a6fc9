"""The events of a window as plasticity rules see them, for one projection in one animal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Events, Network
from ethospike.brains.simulator.window import SpikeBlock


def plastic_events(
    network: Network,
    projection: str,
    spikes: SpikeBlock,
    animal: int,
    *,
    first_step: int,
    n_steps: int,
    modulation: Mapping[str, NDArray[np.float64]] | None = None,
    window: tuple[int, int] | None = None,
) -> Events:
    """Return the spikes of source, target and modulator of a projection, and its modulation.

    Parameters
    ----------
    network : Network
    projection : str
        A plastic projection.
    spikes : SpikeBlock
        Of all animals; those outside first_step … first_step + n_steps − 1 are left out.
    animal : int
    first_step, n_steps : int
    modulation : mapping of str to ndarray, or None
        `Stimulus.modulation` of the window.
    window : (int, int) or None
        First step and steps of the window that the modulation was given for, if these steps are a part of it.
    """
    described = network.projection(projection)
    heard = None if described.plasticity is None else described.plasticity.modulator_population
    begin, end = np.searchsorted(spikes.step, [first_step, first_step + n_steps])
    step, neuron = spikes.step[begin:end], spikes.neuron[begin:end]
    mine = spikes.animal[begin:end] == animal
    step, neuron = step[mine], neuron[mine]

    def of(population: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        part = network.neurons(population)
        inside = (neuron >= part.start) & (neuron < part.stop)
        return step[inside], neuron[inside].astype(np.int64) - part.start

    none = np.empty(0, np.int64)
    return Events(
        first_step,
        n_steps,
        source=of(described.source),
        target=of(described.target),
        modulator=(none, none) if heard is None else of(heard),
        modulation={name: np.asarray(values)[animal] for name, values in (modulation or {}).items()},
        window=window,
    )
