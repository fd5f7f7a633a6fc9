"""Senses to rates of receptors, and spikes of output neurons to a preference, in compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled, kernel

SILENCE_HZ = 1e-9
"""Filtered rate that counts as none: a filter that only fades would end in denormal numbers."""

REFERENCE_INTERVAL_S = 0.1
"""larvaworld's time step, by which its olfactor weights relative changes of concentration."""

_Array = NDArray[Any]


class Senses(NamedTuple):
    """Effect of each sense (odors, reward, punishment) on the rates of the input channels."""

    unit: _Array  # (senses,) of the observation
    highest: _Array  # (senses,) most that counts, in units
    hz: _Array  # (senses, channels) added by one unit
    baseline_hz: _Array  # (channels,)


class Readout(NamedTuple):
    """Arrays that are handed out after a window; nothing changes them later."""

    gain: _Array  # (animals, 1) preference times the gain at preference 1
    preference: _Array  # (animals,)
    mbon_hz: _Array  # (animals, 2)
    dan_hz: _Array  # (animals, 2)


@kernel
def encode(observed: _Array, odors: int, senses: Senses, rate_hz: _Array, smell_um: _Array) -> None:
    """Set the rates of the input channels, shape (animals, channels), from senses, (animals, senses).

    `smell_um`, shape (animals, 1), is set to the sum of the first senses, which are odors.
    """
    for animal in range(rate_hz.shape[0]):
        smell_um[animal, 0] = 0.0
        for odor in range(odors):
            smell_um[animal, 0] += observed[animal, odor]
        rate_hz[animal] = 0.0
        for sense in range(len(senses.unit)):
            strength = observed[animal, sense] / senses.unit[sense]
            strength = min(strength, senses.highest[sense])
            for channel in range(rate_hz.shape[1]):
                rate_hz[animal, channel] += strength * senses.hz[sense, channel]
        for channel in range(rate_hz.shape[1]):
            rate_hz[animal, channel] += senses.baseline_hz[channel]


@compiled
def read_out(
    animal: _Array,
    neuron: _Array,
    place_of_neuron: _Array,
    sizes: _Array,
    numbers: tuple[float, float, float, float],
    rate_hz: _Array,
    out: Readout,
) -> None:
    """Filter the rates of populations by the spikes of a window, and take the preference from the first two.

    Parameters
    ----------
    animal, neuron, place_of_neuron
        As of `filter_rates`.
    sizes : ndarray, shape (places,)
        Neurons of each population that is read.
    numbers : (keep, rate_per_spike, least_hz, gain)
        The first as of `filter_rates` and `preferences`; gain at preference 1.
    rate_hz : ndarray, shape (animals, places)
        Filtered rates of whole populations; change.
    out : Readout
        Is written.
    """
    keep, rate_per_spike, least_hz, gain = numbers
    filter_rates(animal, neuron, place_of_neuron, keep, rate_per_spike, rate_hz)
    rates = rate_hz / sizes
    preferences(rates, least_hz, out.gain[:, 0])
    for row in range(len(rates)):
        out.preference[row] = out.gain[row, 0]
        out.gain[row, 0] *= gain
        for place in range(2):
            out.mbon_hz[row, place] = rates[row, place]
            out.dan_hz[row, place] = rates[row, 2 + place]


@compiled
def filter_rates(
    animal: _Array,
    neuron: _Array,
    place_of_neuron: _Array,
    keep: float,
    rate_per_spike: float,
    rate_hz: _Array,
) -> None:
    """Let rates fade and add the spikes of a window; exact for a constant rate, at any length of the window.

    Parameters
    ----------
    animal, neuron : ndarray, shape (spikes,)
    place_of_neuron : ndarray, shape (neurons,)
        Column of `rate_hz` in which a neuron is read, −1 for none.
    keep : float
        Factor of a rate from window to window.
    rate_per_spike : float
        Rate of one spike (Hz).
    rate_hz : ndarray, shape (animals, places)
        Changes.
    """
    count = np.zeros(rate_hz.shape, dtype=np.int64)
    for spike in range(len(neuron)):
        place = place_of_neuron[neuron[spike]]
        if place >= 0:
            count[animal[spike], place] += 1
    for row in range(rate_hz.shape[0]):
        for place in range(rate_hz.shape[1]):
            rate = rate_hz[row, place] * keep + count[row, place] * rate_per_spike
            rate_hz[row, place] = rate if rate > SILENCE_HZ else 0.0


@compiled
def preferences(rate_hz: _Array, least_hz: float, preference: _Array) -> None:
    """Set preferences to (first − second) / (first + second) of the first two places, shape (animals,).

    It is 0 where their sum is below `least_hz`, or 0: too few spikes to tell.
    """
    for row in range(len(rate_hz)):
        approach, avoid = rate_hz[row, 0], rate_hz[row, 1]
        total = approach + avoid
        is_told = total > 0.0 and total >= least_hz
        preference[row] = (approach - avoid) / total if is_told else 0.0


@kernel
def update_drive(
    log_now: _Array, log_before: _Array, log_floor: float, gain: _Array, keep: float, drive: _Array
) -> None:
    """Advance the olfactory drive by a control step; parameters as in `olfaction.OlfactoryDrive`.

    `log_now`, `log_before` and `gain` are of shape (animals, smells), `drive`, which changes, (animals,).
    """
    for animal in range(len(drive)):
        total = 0.0
        for smell in range(log_now.shape[1]):
            now, before = log_now[animal, smell], log_before[animal, smell]
            # At the floor nothing is smelled, and the change from or to nothing is undefined.
            if min(now, before) > log_floor:
                total += (now - before) * gain[animal, smell]
        drive[animal] = min(max(drive[animal] * keep + total * REFERENCE_INTERVAL_S, -1.0), 1.0)
