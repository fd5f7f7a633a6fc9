"""Filtered rates of output neurons, and the preference between two of them, in compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled

SILENCE_HZ = 1e-9
"""Filtered rate that counts as none: a filter that only fades would end in denormal numbers."""

_Array = NDArray[Any]


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
def preferences(rate_hz: _Array, least_hz: float) -> _Array:
    """Return (first − second) / (first + second) of the first two places, shape (animals,).

    It is 0 where their sum is below `least_hz`, or 0: too few spikes to tell.
    """
    preference = np.zeros(len(rate_hz))
    for row in range(len(rate_hz)):
        approach, avoid = rate_hz[row, 0], rate_hz[row, 1]
        total = approach + avoid
        if total > 0.0 and total >= least_hz:
            preference[row] = (approach - avoid) / total
    return preference
