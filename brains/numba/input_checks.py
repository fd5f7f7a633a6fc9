"""Compiled checks of the input spikes of a window, in one pass over them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.simulator.window import Trains

Array = NDArray[Any]


@kernel
def spikes_fit(
    window: tuple[int, int, int], animals: int, step: Array, animal: Array, channel: Array
) -> bool:
    """Return whether spikes are sorted by step, inside a window, and of existing animals and channels.

    `window` is its first and its last step, and the number of channels of an animal.
    """
    before, last, channels = window
    for spike in range(len(step)):
        if not before <= step[spike] <= last:
            return False
        if not (0 <= animal[spike] < animals and 0 <= channel[spike] < channels):
            return False
        before = step[spike]
    return True


@kernel
def trains_fit(window: tuple[int, int, int], trains: Trains) -> bool:
    """Return whether spikes by animal are sorted by step, inside a window, and of existing channels."""
    first, last, channels = window
    animals, spikes = len(trains.last), min(len(trains.step), len(trains.channel))
    if len(trains.first) != animals + 1:
        return False
    for animal in range(animals):
        before = first
        if not 0 <= trains.first[animal] <= trains.last[animal] <= min(trains.first[animal + 1], spikes):
            return False
        for spike in range(trains.first[animal], trains.last[animal]):
            if not before <= trains.step[spike] <= last or not 0 <= trains.channel[spike] < channels:
                return False
            before = trains.step[spike]
    return True
