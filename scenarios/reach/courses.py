"""The cortex in trials of a recorded delayed reach: rates, variability and decoding over time.

The functions return arrays over time from the preparatory signal. The definitions are those of
`spike_statistics`; this file selects the spikes and trials to which they are applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ethospike.errors import NotRecorded
from ethospike.scenarios.analysis import spike_statistics
from ethospike.scenarios.analysis.sampling import mean_over_neurons, sample_of, sampled_spikes
from ethospike.scenarios.analysis.spike_statistics import WINDOW_MS, AlignedSpikes
from ethospike.scenarios.reach.trials import Trials

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

POPULATION = "E"
"""The analyzed neurons: the excitatory population, as published."""
CUT_MS = (-500.0, 2000.0)
"""Window around the preparatory signal (authors' code ClusteredNetwork_pub, analyse_model.py)."""
STEP_MS = 50.0
"""Step by which windows of 400 ms move: an eighth of their width."""
BASELINE_MS = -200.0
"""Center of the last window before the preparatory signal."""
PREPARED_MS = 500.0
"""Center of the window in the middle of the preparatory signal, where conditions are compared."""
MIN_FOLD_TRIALS = 5
"""Trials of each direction that decoding needs: a trial for each of the five folds (authors' code)."""


@dataclass(frozen=True)
class CutTrials:
    """The completely recorded trials of an animal, and the spikes of sampled neurons in them.

    Attributes
    ----------
    trials : Trials
    spikes : AlignedSpikes
        Times in ms from the preparatory signal; `neuron` counts sampled neurons, which form `clusters` equal,
        contiguous groups.
    n_neurons, clusters : int
    """

    trials: Trials
    spikes: AlignedSpikes
    n_neurons: int
    clusters: int

    @cached_property
    def counts(self) -> NDArray[np.uint16]:
        """Spikes, shape (trials, neurons, bins of `STEP_MS`)."""
        return spike_statistics.bin_counts(self.spikes, len(self.trials), self.n_neurons, CUT_MS, STEP_MS)

    @property
    def time_ms(self) -> NDArray[np.float64]:
        """Centers of the windows of 400 ms, from the preparatory signal."""
        return spike_statistics.window_centers(CUT_MS, STEP_MS, WINDOW_MS)

    def group(self, condition: int) -> NDArray[np.int64]:
        """Return the target of each trial of a condition, −1 for trials of other conditions."""
        return np.where(self.trials.condition == condition, self.trials.target, -1)

    def rate_hz(self, condition: int) -> NDArray[np.float64]:
        """Return the mean rate of all neurons over time, shape (windows,)."""
        members = self.trials.condition == condition
        counts = self.counts[members].sum(axis=(0, 1)) / max(1, members.sum() * self.n_neurons)
        width = round(WINDOW_MS / STEP_MS)
        return np.convolve(counts, np.ones(width), mode="valid") * (1000.0 / WINDOW_MS)

    def fano(self, condition: int) -> NDArray[np.float64]:
        """Return the Fano factor over time, the mean over neurons, shape (windows,)."""
        members = self.trials.condition == condition
        return fano_course(self.counts[members], self.trials.target[members], STEP_MS)

    def cv2(self, condition: int) -> NDArray[np.float64]:
        """Return CV2 over time, the mean over neurons, shape (windows,)."""
        group = self.group(condition)
        cv2 = spike_statistics.cv2_over_time(self.spikes, self.n_neurons, group, CUT_MS, STEP_MS)
        return mean_over_neurons(cv2)

    def decoding(
        self, condition: int, centers_ms: NDArray[np.float64], *, seed: int = 0
    ) -> NDArray[np.float64]:
        """Return the accuracy of decoding the direction from the counts of 400 ms.

        It is NaN with a single direction or too few trials of a direction.

        Parameters
        ----------
        centers_ms : ndarray
            Centers of windows, out of `time_ms`.
        """
        rng = np.random.default_rng(seed)
        members = self.trials.condition == condition
        target = self.trials.target[members]
        sizes = np.unique(target, return_counts=True)[1]
        if len(sizes) < 2 or sizes.min() < MIN_FOLD_TRIALS:
            return np.full(len(centers_ms), np.nan)
        windows = spike_statistics.sliding_sum(self.counts[members], round(WINDOW_MS / STEP_MS))
        places = [int(np.argmin(np.abs(self.time_ms - center))) for center in centers_ms]
        # Matrices of a hundred trials: with several threads, most of the time goes into waiting for them.
        with threadpool_limits(1, "blas"):
            accuracy = [
                spike_statistics.decoding_accuracy(windows[:, :, place], target, rng) for place in places
            ]
        return np.array(accuracy)

    def value_at(self, course: NDArray[np.float64], center_ms: float) -> float:
        """Return the value of a course in the window around a moment."""
        return float(course[int(np.argmin(np.abs(self.time_ms - center_ms)))])


def fano_course(
    counts: NDArray[np.integer], target: NDArray[np.integer], step_ms: float
) -> NDArray[np.float64]:
    """Return the Fano factor over time of the trials of a condition, the mean over neurons.

    Parameters
    ----------
    counts : ndarray of int, shape (trials, neurons, bins)
        Spikes in bins of `step_ms`.
    target : ndarray of int, shape (trials,)
        Trials of the same target form a group, as in `spike_statistics.fano_over_time`.
    step_ms : float
        Width of the bins, by which the windows of 400 ms move (ms).

    Returns
    -------
    ndarray of float64, shape (windows,)
        Without unit; NaN where no neuron has a value.

    Raises
    ------
    ValueError
        When 400 ms are not a whole number of bins.
    """
    return mean_over_neurons(spike_statistics.fano_over_time(counts, target, step_ms))


def cut_trials(recording: Recording, trials: Trials) -> list[CutTrials]:
    """Return the cut trials of each animal with listed spikes; an empty result for an agent without neurons.

    Raises
    ------
    NotRecorded
        When the spikes of the population were not listed.
    """
    population = next((p for p in recording.layout.populations if p.name == POPULATION), None)
    if population is None:
        return []
    new_index, n_neurons = sample_of(population)
    event_ms = trials.preparatory_ms
    whole = (event_ms + CUT_MS[0] >= 0) & (event_ms + CUT_MS[1] <= recording.duration_s * 1000.0)
    cut = []
    for animal, (time_ms, neuron) in sampled_spikes(recording, POPULATION, new_index).items():
        mine = trials.where(whole & (trials.animal == animal))
        spikes = spike_statistics.align(time_ms, neuron, mine.preparatory_ms, CUT_MS)
        cut.append(CutTrials(mine, spikes, n_neurons, population.clusters))
    return [part for part in cut if len(part.trials)]


def cluster_roles(recording: Recording, trials: Trials) -> NDArray[np.int64]:
    """Return the role of each cluster in each trial: 2 target, 1 another cued target, 0 otherwise.

    The roles are read from the currents that the agent sent.

    Returns
    -------
    ndarray of int64, shape (trials, clusters)

    Raises
    ------
    NotRecorded
        When the currents were not recorded.
    """
    if "current_pa" not in recording.stimulus:
        raise NotRecorded("the stimulus was not recorded (recorder.stimulus)")
    interval_ms = recording.layout.control_interval_ms
    current = recording.stimulus["current_pa"]
    roles = np.zeros((len(trials), current.shape[-1]), dtype=np.int64)
    for role, onset_ms in ((1, trials.preparatory_ms), (2, trials.response_ms)):
        known = np.isfinite(onset_ms)
        # Row k begins at k control steps, so its signal is the one that came on there.
        row = np.where(known, onset_ms / interval_ms, 0).round().astype(int)
        known &= row < recording.n_steps
        on = current.values[row * known, trials.animal] != 0.0
        roles[on & known[:, None]] = role
    return roles
