"""Compiled code that sorts the spikes of a window: input by animal, output by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled
from ethospike.brains.numba.lists.layout import Output

Array = NDArray[Any]


@compiled
def by_animal(step: Array, animal: Array, channel: Array, animals: int) -> tuple[Array, Array, Array]:
    """Sort input spikes by (animal, step): return step, channel, and the first spike of each animal."""
    first = np.zeros(animals + 1, dtype=np.int64)
    for number in animal:
        first[number + 1] += 1
    for number in range(animals):
        first[number + 1] += first[number]
    place = first.copy()
    sorted_step, sorted_channel = np.empty_like(step), np.empty_like(channel)
    for spike in range(len(step)):
        to = place[animal[spike]]
        place[animal[spike]] += 1
        sorted_step[to], sorted_channel[to] = step[spike], channel[spike]
    return sorted_step, sorted_channel, first


@compiled
def by_step(
    first_step: int, n_steps: int, out: Output, neuron_of_slot: Array
) -> tuple[bool, tuple[Array, Array, Array]]:
    """Sort output spikes by (step, animal, neuron).

    Returns
    -------
    bool
        Whether all animals are finite.
    step, animal, neuron : ndarray, shape (spikes,)
    """
    place = np.zeros(n_steps + 1, dtype=np.int64)
    finite = True
    for animal in range(len(out.spikes)):
        finite &= out.finite[animal]
        for spike in range(out.spikes[animal]):
            place[out.step[animal, spike] - first_step + 1] += 1
    for k in range(n_steps):
        place[k + 1] += place[k]
    total = place[n_steps]
    step, owner = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int32)
    neuron = np.empty(total, dtype=np.int32)
    for animal in range(len(out.spikes)):
        for spike in range(out.spikes[animal]):
            k = out.step[animal, spike] - first_step
            to = place[k]
            place[k] += 1
            step[to], owner[to] = out.step[animal, spike], animal
            neuron[to] = neuron_of_slot[out.slot[animal, spike]]
    return finite, (step, owner, neuron)
