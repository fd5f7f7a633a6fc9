"""Samples of neurons for statistics of spikes, and means over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ethospike.recorders.recorder import PopulationLayout
from ethospike.scenarios.analysis.group_statistics import mean

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

MAX_NEURONS = 1200
"""Number of neurons for statistics: all of `reach`, and as many of a larger network, evenly over its
clusters."""
PIECE_S = 60.0
"""Number of spikes read at a time: 9 million of 25,000 neurons at 6 Hz."""


def sample_of(population: PopulationLayout) -> tuple[NDArray[np.int64], int]:
    """Return the place of each neuron of an animal in the sample (−1: not in it), and the sample's size."""
    size = population.size // population.clusters
    kept = min(size, max(1, MAX_NEURONS // population.clusters))
    index = np.full(population.start + population.size, -1, dtype=np.int64)
    for cluster in range(population.clusters):
        # Neurons of a cluster are alike, so the first of each are as good as any.
        first = population.start + cluster * size
        index[first : first + kept] = cluster * kept + np.arange(kept)
    return index, kept * population.clusters


def sampled_spikes(
    recording: Recording, population: str, new_index: NDArray[np.int64]
) -> dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Return times in ms and places in the sample of the spikes of each listed animal, sorted by time.

    Raises
    ------
    NotRecorded
        When the spikes of the population were not listed.
    """
    pieces: dict[int, list[tuple[NDArray[np.float64], NDArray[np.int64]]]]
    pieces = {animal: [] for animal in recording.listed_animals}
    for start_s in np.arange(0.0, recording.duration_s, PIECE_S):
        stop_s = min(start_s + PIECE_S, recording.duration_s)
        table = recording.spikes(population, None, float(start_s), stop_s)
        neuron = new_index[table.neuron]
        # Step s is the interval (s − 1, s]: its middle is on the right side of every signal.
        time_ms = (table.step - 0.5) * table.dt_ms
        for animal, mine in pieces.items():
            kept = (table.animal == animal) & (neuron >= 0)
            mine.append((time_ms[kept], neuron[kept]))
    return {
        animal: (np.concatenate([t for t, _ in of_animal]), np.concatenate([n for _, n in of_animal]))
        for animal, of_animal in pieces.items()
    }


def mean_over_neurons(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over neurons without NaN.

    Parameters
    ----------
    values : ndarray of float64, shape (neurons, …)

    Returns
    -------
    ndarray of float64, shape (…)
        In the unit of `values`; NaN where all values are NaN.
    """
    return mean(np.moveaxis(values, 0, -1))
