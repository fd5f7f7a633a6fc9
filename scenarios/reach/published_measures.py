"""The measures of Rostami et al. 2024 (Nat Commun 15:6304), with the selections their code makes.

They differ from the measures of `reach_courses` and `reach_trials`, which use all excitatory neurons and
all trials, in three ways: rates, Fano factors and CV2 are means over pairs of a unit and a direction with
at least 5 Hz; Fano factors and CV2 are of units that can be measured in every condition; and the threshold of
the decision maximizes a mean precision. Source: the authors' code ClusteredNetwork_pub at 6e7a107
(analyse_model.py, "AM" below; reaction_times_functions.py, "RT"; fig5.py and fig6.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ethospike.agents.reacher import BIN_MS, ClusterRace, ReacherConfig, first_crossing
from ethospike.envs.delayed_reach import ReachConfig
from ethospike.scenarios.analysis import spike_statistics
from ethospike.scenarios.analysis.group_statistics import mean
from ethospike.scenarios.analysis.sampling import mean_over_neurons
from ethospike.scenarios.analysis.spike_statistics import (
    MIN_RATE_HZ,
    MIN_TRIALS,
    WINDOW_MS,
    balanced_accuracy,
)
from ethospike.scenarios.reach.courses import CUT_MS, CutTrials

ANALYSIS_MS = (-500.0, 1500.0)
"""Limits around the preparatory signal: windows and the 5 Hz criterion (AM: `tlim`)."""
STEP_MS = 10.0
"""Step by which windows of 400 ms move (authors: 1 ms; neighbors of 400 ms share 99.75 % of their spikes)."""
BASELINE_END_MS = -281.0
"""The change of the Fano factor is that from the mean over the windows centered up to here; the first is
centered at −300 ms (fig5.py: `mean_ffs[:220]`)."""
BEFORE_MS = -200.0
"""Center of the last window before the preparatory signal, for rate and CV2."""
PREPARED_MS = 500.0
"""Center of the window at which conditions are compared (fig5.py: `sig_time` 1000)."""
KERNEL_MS = 122
"""Half the base of the triangular kernel of rates: 50 ms · √6, rounded (AM; spiketools.py)."""
FOLDS, SHUFFLES = 5, 10
"""Folds and repeated shuffles of the cross-validated decoding (AM)."""
GO_MS = 999.0
"""The race starts in the bin around 999.5 ms, the nearest to the response signal (RT)."""
IN_TIME_MS = 500.0
"""Longest reaction time that is shown (fig6.py: bins from 0 to 500 ms)."""
THRESHOLDS = np.round(np.arange(0.0, 1.0, 0.01), 2)
"""Thresholds from which the best is chosen (RT: `threshold_resolution` 0.01)."""
UNDECIDED = -1


class SelectedTrials:
    """The trials of one condition and the units that the authors' criteria keep in them.

    A pair of a unit and a direction counts with at least 10 trials and 5 Hz over the 2 s of the analysis. A
    trial without a spike counts as a trial with a single spike there: the authors' code marks it by a spike
    without a time.

    Parameters
    ----------
    cut : CutTrials
    condition : int
        Number of cued targets.

    Attributes
    ----------
    target : ndarray of int64, shape (trials,)
    """

    def __init__(self, cut: CutTrials, condition: int) -> None:
        self._members = cut.trials.condition == condition
        self.target = cut.trials.target[self._members]
        self._cut = cut
        self._directions = ReachConfig().n_targets

    @cached_property
    def _counts(self) -> NDArray[np.uint16]:
        """Spikes, shape (trials, units, bins of `STEP_MS`)."""
        cut = self._cut
        kept = self._members[cut.spikes.trial]
        row = np.cumsum(self._members) - 1
        spikes = spike_statistics.AlignedSpikes(
            cut.spikes.time_ms[kept], row[cut.spikes.trial[kept]], cut.spikes.neuron[kept]
        )
        return spike_statistics.bin_counts(spikes, len(self.target), cut.n_neurons, ANALYSIS_MS, STEP_MS)

    @cached_property
    def pairs(self) -> NDArray[np.bool_]:
        """The pairs that count, shape (directions, units)."""
        counting = np.zeros((self._directions, self._cut.n_neurons), dtype=bool)
        spikes = np.maximum(self._counts.sum(axis=2), 1)
        least = MIN_RATE_HZ * (ANALYSIS_MS[1] - ANALYSIS_MS[0]) / 1000.0
        for direction in range(self._directions):
            trials = self.target == direction
            if trials.sum() >= MIN_TRIALS:
                counting[direction] = spikes[trials].mean(axis=0) >= least
        return counting

    @property
    def time_ms(self) -> NDArray[np.float64]:
        """Centers of the windows of 400 ms, from the preparatory signal."""
        return spike_statistics.window_centers(ANALYSIS_MS, STEP_MS, WINDOW_MS)

    def rate_hz(self) -> NDArray[np.float64]:
        """Return the mean rate in each millisecond of the analysis, shape (milliseconds,).

        The mean is over the directions of a unit that count, and over the units with such directions. It is
        NaN where the kernel reaches beyond the analysis.
        """
        n_ms = round(ANALYSIS_MS[1] - ANALYSIS_MS[0])
        trials = np.bincount(self.target, minlength=self._directions)
        course, n_pairs = np.full(n_ms, np.nan), self.pairs.sum(axis=0)
        if not n_pairs.any():
            return course
        # Of the spikes of a pair, each adds this to the mean over trials, directions and units.
        per_spike = self.pairs / np.maximum(1, trials)[:, None] / np.maximum(1, n_pairs) / (n_pairs > 0).sum()
        spikes = self._cut.spikes
        place = np.floor(spikes.time_ms - ANALYSIS_MS[0]).astype(np.int64)
        kept = self._members[spikes.trial] & (place >= 0) & (place < n_ms)
        target = self._cut.trials.target[spikes.trial[kept]]
        per_ms = np.bincount(place[kept], per_spike[target, spikes.neuron[kept]], n_ms)
        kernel = 1.0 - np.abs(np.arange(-KERNEL_MS, KERNEL_MS + 1)) / KERNEL_MS
        course[KERNEL_MS:-KERNEL_MS] = np.convolve(per_ms, kernel / kernel.sum(), mode="valid") * 1000.0
        return course

    @cached_property
    def fano(self) -> NDArray[np.float64]:
        """Fano factor of each unit, the mean over its directions that count, shape (units, windows).

        NaN where no direction counts.
        """
        width = round(WINDOW_MS / STEP_MS)
        shape = (self._directions, self._cut.n_neurons, len(self.time_ms))
        factors = np.full(shape, np.nan)
        for direction, units in enumerate(self.pairs):
            if units.any():
                counts = self._counts[self.target == direction][:, units]
                factors[direction, units] = spike_statistics.fano_factor(
                    spike_statistics.sliding_sum(counts, width)
                )
        return mean_over_neurons(factors)

    @cached_property
    def cv2(self) -> NDArray[np.float64]:
        """CV2 of each unit, the mean over its directions that count, shape (units, windows)."""
        cut, spikes = self._cut, self._cut.spikes
        of_pairs = np.full((self._directions, cut.n_neurons, len(self.time_ms)), np.nan)
        for direction, units in enumerate(self.pairs):
            if units.any():
                trials = self._members & (cut.trials.target == direction)
                mine = trials[spikes.trial] & units[spikes.neuron]
                chosen = spike_statistics.AlignedSpikes(*(column[mine] for column in spikes))
                group = np.where(trials, 0, -1)
                cv2 = spike_statistics.cv2_over_time(
                    chosen,
                    cut.n_neurons,
                    group,
                    ANALYSIS_MS,
                    STEP_MS,
                    least=spike_statistics.Least(rate_hz=0.0),
                )
                of_pairs[direction, units] = cv2[units]
        return mean_over_neurons(of_pairs)

    @property
    def decoded_units(self) -> NDArray[np.int64]:
        """The units that count in all directions: those that are decoded from (AM)."""
        return np.flatnonzero(self.pairs.all(axis=0))

    def decoding(self, centers_ms: Sequence[float], *, seed: int = 0) -> NDArray[np.float64]:
        """Return the balanced accuracy with which the direction is read from the counts of 400 ms.

        Parameters
        ----------
        centers_ms : sequence of float
            Centers of windows, out of `time_ms`.
        seed : int
            Of the shuffles of trials.

        Returns
        -------
        ndarray of float64, shape (centers,)
            NaN where no unit counts in all directions.
        """
        units = self.decoded_units
        if not len(units):
            return np.full(len(centers_ms), np.nan)
        rng = np.random.default_rng(seed)
        windows = spike_statistics.sliding_sum(self._counts[:, units], round(WINDOW_MS / STEP_MS))
        with threadpool_limits(1, "blas"):  # matrices of a hundred trials: threads would wait for each other
            accuracy = [
                spike_statistics.decoding_accuracy(
                    windows[:, :, index_of(self.time_ms, center)],
                    self.target,
                    rng,
                    folds=FOLDS,
                    repeats=SHUFFLES,
                )
                for center in centers_ms
            ]
        return np.array(accuracy)


def index_of(time_ms: NDArray[np.float64], center_ms: float) -> int:
    """Return the index of the nearest time."""
    return int(np.argmin(np.abs(time_ms - center_ms)))


def courses_of_common_units(
    values: Mapping[int, NDArray[np.float64]], time_ms: NDArray[np.float64]
) -> dict[int, NDArray[np.float64]]:
    """Return the mean course by condition of the units that have a value at 500 ms in all conditions.

    Parameters
    ----------
    values : mapping of int to ndarray of float64, shape (units, windows)
        `SelectedTrials.fano` or `.cv2` of each condition.
    time_ms : ndarray of float64, shape (windows,)

    Returns
    -------
    dict of int to ndarray of float64, shape (windows,)
        NaN where there is no such unit.
    """
    index = index_of(time_ms, PREPARED_MS)
    common = np.all([np.isfinite(courses[:, index]) for courses in values.values()], axis=0)
    return {condition: mean_over_neurons(courses[common]) for condition, courses in values.items()}


def from_baseline(fano: NDArray[np.float64], time_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a course of the Fano factor as its change from the baseline (ΔFF)."""
    return np.asarray(fano - mean(fano[time_ms <= BASELINE_END_MS]))


MEASURES = (
    "pairs",
    "decoded_units",
    "rate_hz_before",
    "rate_hz_prepared",
    "cv2_before",
    "cv2_prepared",
    "fano_change",
    "decoding_prepared",
)
"""Names of the measures that `measure` returns."""


def measure(selected: Mapping[int, SelectedTrials]) -> dict[int, dict[str, float]]:
    """Return the measures of one animal's trials by condition; NaN where too few trials or units are left.

    Parameters
    ----------
    selected : mapping of int to SelectedTrials
        By condition, from the same cut: `select`.

    Returns
    -------
    dict of int to dict of str to float
        `rate_hz`, `cv2` (each `_before` and `_prepared`: windows centered 200 ms before and 500 ms after the
        preparatory signal), `fano_change` and `decoding_prepared`; `pairs` and `decoded_units` are the
        numbers of pairs and units that the selections keep.
    """
    time_ms = spike_statistics.window_centers(ANALYSIS_MS, STEP_MS, WINDOW_MS)
    fano = courses_of_common_units({c: trials.fano for c, trials in selected.items()}, time_ms)
    cv2 = courses_of_common_units({c: trials.cv2 for c, trials in selected.items()}, time_ms)
    before, prepared = index_of(time_ms, BEFORE_MS), index_of(time_ms, PREPARED_MS)
    measured = {}
    for condition, trials in selected.items():
        rate_hz = trials.rate_hz()
        measured[condition] = {
            "pairs": float(trials.pairs.sum()),
            "decoded_units": float(len(trials.decoded_units)),
            "rate_hz_before": mean_around(rate_hz, BEFORE_MS),
            "rate_hz_prepared": mean_around(rate_hz, PREPARED_MS),
            "cv2_before": float(cv2[condition][before]),
            "cv2_prepared": float(cv2[condition][prepared]),
            "fano_change": float(from_baseline(fano[condition], time_ms)[prepared]),
            "decoding_prepared": float(trials.decoding([PREPARED_MS])[0]),
        }
    return measured


def select(cut: CutTrials) -> dict[int, SelectedTrials]:
    """Return the trials of each condition with the authors' selections."""
    return {condition: SelectedTrials(cut, condition) for condition in cut.trials.conditions}


def mean_around(rate_hz: NDArray[np.float64], center_ms: float) -> float:
    """Return the mean of a course of `SelectedTrials.rate_hz` over the 400 ms around a moment.

    Milliseconds that the kernel does not reach (up to −378 ms) do not count.
    """
    first = round(center_ms - WINDOW_MS / 2 - ANALYSIS_MS[0])
    return float(mean(rate_hz[first : first + round(WINDOW_MS)]))


# -- decisions ------------------------------------------------------------------------------------------


class Decisions(NamedTuple):
    """The decisions of trials at each of `THRESHOLDS`.

    `winner`: int64, shape (thresholds, trials), direction or `UNDECIDED`; `time_ms`: float64, the same shape,
    from the response signal, NaN where undecided; `condition`, `target`: int64, shape (trials,).
    """

    winner: NDArray[np.int64]
    time_ms: NDArray[np.float64]
    condition: NDArray[np.int64]
    target: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[Decisions]) -> Decisions:
        """Concatenate the trials of several runs (at least one)."""
        return cls(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))

    def precision(self) -> NDArray[np.float64]:
        """Return the authors' criterion of each threshold, shape (thresholds,); see `mean_precision`."""
        return np.array([mean_precision(self.target, winner) for winner in self.winner])

    def recall(self) -> NDArray[np.float64]:
        """Return the mean recall (balanced accuracy) of each threshold, shape (thresholds,)."""
        return np.array([balanced_accuracy(self.target, winner) for winner in self.winner])

    def outcomes(self, condition: int, threshold: float) -> Outcomes:
        """Return the outcomes of a condition's trials at the threshold nearest to `threshold`."""
        row, mine = index_of(THRESHOLDS, threshold), self.condition == condition
        winner, time_ms, target = self.winner[row, mine], self.time_ms[row, mine], self.target[mine]
        right = winner == target
        in_time = right & (time_ms <= IN_TIME_MS)
        undecided = winner == UNDECIDED
        return Outcomes(
            int(mine.sum()),
            int(in_time.sum()),
            int((right & ~in_time).sum()),
            int((~right & ~undecided).sum()),
            int(undecided.sum()),
            np.sort(time_ms[in_time]),
        )


class Outcomes(NamedTuple):
    """Numbers of trials by outcome: `correct` within 500 ms, `late` (correct after that), `wrong` and
    `undecided`; `time_ms` holds the reaction times of the correct ones in ascending order.
    """

    trials: int
    correct: int
    late: int
    wrong: int
    undecided: int
    time_ms: NDArray[np.float64]


def mean_precision(target: NDArray[np.integer], predicted: NDArray[np.integer]) -> float:
    """Return the mean over predicted labels of the share of correct predictions of each label.

    "Undecided" is such a label, and its precision is 0; a direction that is never predicted does not count.
    This is the criterion by which the authors' threshold was chosen: their function of the balanced accuracy
    (AM, `balanced_accuray`) gets predictions and targets in exchanged places (RT, `_calc_thresh_scores`).
    """
    return balanced_accuracy(predicted, target)


def decisions(cut: CutTrials, direction_clusters: NDArray[np.integer]) -> Decisions:
    """Return the decisions of all trials at all thresholds, from the recorded spikes.

    The hand waits for the response signal, so a decision changes no spike and can be computed again.

    Parameters
    ----------
    cut : CutTrials
    direction_clusters : ndarray of int, shape (directions, clusters_per_direction)
        `ReacherAgent.direction_clusters` of the animal.
    """
    share = decision_variable(cut, direction_clusters, GO_MS)
    crossings = [first_crossing(share, float(threshold)) for threshold in THRESHOLDS]
    winner = np.stack([winner for winner, _ in crossings])
    time_ms = np.asarray(np.stack([time for _, time in crossings]) * BIN_MS, dtype=np.float64)
    time_ms[winner == UNDECIDED] = np.nan
    return Decisions(winner, time_ms, cut.trials.condition, cut.trials.target)


def decision_variable(
    cut: CutTrials, direction_clusters: NDArray[np.integer], start_ms: float
) -> NDArray[np.float64]:
    """Return the decision variable in each millisecond from `start_ms` after the preparatory signal on.

    Parameters
    ----------
    cut : CutTrials
    direction_clusters : ndarray of int, shape (directions, clusters_per_direction)
    start_ms : float
        Start of the race; spikes are integrated from ten time constants before it.

    Returns
    -------
    ndarray of float64, shape (trials, directions, times)
        Up to the last millisecond of the cut.
    """
    directions, per_direction = direction_clusters.shape
    direction = np.full(cut.clusters, -1)
    direction[direction_clusters.ravel()] = np.repeat(np.arange(directions), per_direction)
    tau_ms = ReacherConfig().tau_ms
    begin_ms = start_ms - 10.0 * tau_ms
    cluster_size = cut.n_neurons // cut.clusters
    bins = round((CUT_MS[1] - begin_ms) / BIN_MS)
    place = np.floor((cut.spikes.time_ms - begin_ms) / BIN_MS).astype(np.int64)
    chosen = direction[cut.spikes.neuron // cluster_size]
    kept = (place >= 0) & (place < bins) & (chosen >= 0)
    flat = (cut.spikes.trial[kept] * directions + chosen[kept]) * bins + place[kept]
    shape = (len(cut.trials), directions, bins)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    race = ClusterRace(len(cut.trials), directions, bins, tau_ms)
    share = race.advance(counts / (cluster_size * per_direction))
    # Without the end of the last bin: the agent decides in a control step that ends before it.
    return share[:, :, round((start_ms - begin_ms) / BIN_MS) : -1]


def leading_shares(cut: CutTrials, bin_ms: float = 100.0) -> NDArray[np.float64]:
    """Return the share of the bins of all cut trials in which each cluster has the most spikes.

    Returns
    -------
    ndarray of float64, shape (clusters,)
    """
    counts = spike_statistics.bin_counts(cut.spikes, len(cut.trials), cut.n_neurons, CUT_MS, bin_ms)
    of_cluster = counts.reshape(len(cut.trials), cut.clusters, -1, counts.shape[-1]).sum(axis=2)
    leader = of_cluster.argmax(axis=1).ravel()
    return np.asarray(np.bincount(leader, minlength=cut.clusters) / leader.size)


def first_trials(cut: CutTrials, n: int) -> CutTrials:
    """Return the first `n` trials of each condition, or all of them if there are fewer."""
    rank = np.zeros(len(cut.trials), dtype=np.int64)
    for condition in cut.trials.conditions:
        mine = cut.trials.condition == condition
        rank[mine] = np.arange(mine.sum())
    kept = rank < n
    row, spikes = np.cumsum(kept) - 1, cut.spikes
    mine = kept[spikes.trial]
    chosen = spike_statistics.AlignedSpikes(
        spikes.time_ms[mine], row[spikes.trial[mine]], spikes.neuron[mine]
    )
    return CutTrials(cut.trials.where(kept), chosen, cut.n_neurons, cut.clusters)
