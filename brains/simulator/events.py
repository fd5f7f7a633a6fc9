"""Spikes and modulation of a window as plasticity rules see them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Events, ModulationChannel, Network, TDError
from ethospike.brains.simulator.window import SpikeBlock
from ethospike.errors import BrainError, nearest

ModulationForms = dict[str, tuple[tuple[int, ...], bool, bool]]
"""By channel of the modulation: the shape; True if it may have a value a step; True if it may be NaN."""


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


def modulation_forms(network: Network, animals: int) -> ModulationForms:
    """Return the forms that the modulation of a network may have."""
    modulators, plastic = network.modulators, network.plastic_projections
    windows = {m.name for m in modulators if isinstance(m, ModulationChannel)}
    rewards = {m.reward for m in modulators if isinstance(m, TDError)}
    gates = {p.plasticity.gate for p in plastic if p.plasticity is not None}
    return {
        name: ((animals, n) if name in gates else (animals,), name in windows, name in rewards)
        for name, n in network.modulation_channels.items()
    }


def check_modulation(
    forms: ModulationForms, name: str, values: NDArray[np.float64], by_step: tuple[int, int]
) -> None:
    """Raise `BrainError` unless a channel exists, and its values fit it and the window.

    Parameters
    ----------
    forms : dict
        The result of `modulation_forms`.
    name : str
    values : ndarray
    by_step : (int, int)
        The shape of values for each step of the window: animals, steps.
    """
    if name not in forms:
        raise BrainError(f"stimulus.modulation: no rule reads {name!r}; {nearest(name, forms)}")
    expected, is_by_step, may_be_nan = forms[name]
    if values.shape != expected and not (is_by_step and values.shape == by_step):
        wanted = f"{expected} or {by_step}" if is_by_step else f"{expected}"
        raise BrainError(f"stimulus.modulation[{name!r}]: expected shape {wanted}, got {values.shape}")
    if not np.isfinite(values).all() and not (may_be_nan and not np.isinf(values).any()):
        raise BrainError(f"stimulus.modulation[{name!r}]: expected finite numbers, got {values}")
