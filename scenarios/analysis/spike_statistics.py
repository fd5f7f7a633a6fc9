"""Statistics of spike trains over trials: rates, Fano factor, CV2, decoding, dominance of clusters.

The definitions are those of Rostami et al. 2024 (Nat Commun 15:6304; authors' code analyse_model.py and
spiketools.py, "CN" below), written for all neurons at once, because Elephant's objects, each for a
single train, are too slow for a thousand neurons times hundreds of trials; tests compare single trains with
Elephant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.clock import whole_number

WINDOW_MS = 400.0
"""Width of the windows of the Fano factor, of CV2 and of decoding (CN)."""
MIN_TRIALS = 10
"""Trials that a group needs for a Fano factor or a CV2 (CN)."""
MIN_RATE_HZ = 5.0
"""Mean rate that a neuron needs in a group to count (CN, fig5.py)."""
MIN_PAIRS = 10
"""Pairs of intervals that a window needs for a CV2 (CN)."""
MIN_SPIKES = 5
"""Spikes of a neuron in a whole run that its variability needs: three pairs of intervals."""


class Least(NamedTuple):
    """Data that a CV2 needs: trials of a group, rate of a neuron (Hz), pairs of intervals of a window."""

    trials: int = MIN_TRIALS
    rate_hz: float = MIN_RATE_HZ
    pairs: int = MIN_PAIRS


LEAST = Least()


class AlignedSpikes(NamedTuple):
    """Spikes around events, sorted by (trial, neuron, time).

    `time_ms`: float64, relative to the event; `trial`: int64, the event's index; `neuron`: int64.
    """

    time_ms: NDArray[np.float64]
    trial: NDArray[np.int64]
    neuron: NDArray[np.int64]


def align(
    time_ms: ArrayLike, neuron: ArrayLike, event_ms: ArrayLike, window_ms: tuple[float, float]
) -> AlignedSpikes:
    """Cut spikes around events; windows of neighboring events may overlap.

    Parameters
    ----------
    time_ms, neuron : array-like, shape (spikes,)
        Sorted by time.
    event_ms : array-like, shape (trials,)
        Times to align to.
    window_ms : (float, float)
        Spikes in [event + window_ms[0], event + window_ms[1]) are taken.

    Raises
    ------
    ValueError
        When the spikes are not sorted by time.
    """
    times, neurons = np.asarray(time_ms, dtype=np.float64), np.asarray(neuron, dtype=np.int64)
    events = np.asarray(event_ms, dtype=np.float64)
    if (np.diff(times) < 0).any():
        raise ValueError("time_ms: expected spikes sorted by time")
    first = np.searchsorted(times, events + window_ms[0], side="left")
    count = np.searchsorted(times, events + window_ms[1], side="left") - first
    trial = np.repeat(np.arange(len(events)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    taken = first[trial] + within
    relative = times[taken] - events[trial]
    order = np.lexsort((relative, neurons[taken], trial))
    return AlignedSpikes(relative[order], trial[order], neurons[taken][order])


def bin_counts(
    spikes: AlignedSpikes, n_trials: int, n_neurons: int, window_ms: tuple[float, float], bin_ms: float
) -> NDArray[np.uint16]:
    """Return spike counts, shape (trials, neurons, bins); the first bin begins at `window_ms[0]`.

    Raises
    ------
    ValueError
        When the window is not a whole number of bins.
    """
    n_bins = _whole(window_ms[1] - window_ms[0], bin_ms)
    place = ((spikes.time_ms - window_ms[0]) / bin_ms).astype(np.int64)
    inside = (place >= 0) & (place < n_bins)
    counts = np.zeros((n_trials, n_neurons, n_bins), dtype=np.uint16)
    np.add.at(counts, (spikes.trial[inside], spikes.neuron[inside], place[inside]), 1)
    return counts


def sliding_sum(counts: NDArray[np.integer], width_bins: int) -> NDArray[np.int32]:
    """Return the counts of windows of `width_bins` bins that move by one bin, along the last axis."""
    if not 1 <= width_bins <= counts.shape[-1]:
        raise ValueError(f"width_bins: expected 1 … {counts.shape[-1]} bins, got {width_bins}")
    total = np.cumsum(counts, axis=-1, dtype=np.int32)
    later = total[..., width_bins - 1 :].copy()
    later[..., 1:] -= total[..., :-width_bins]
    return later


def window_centers(window_ms: tuple[float, float], bin_ms: float, width_ms: float) -> NDArray[np.float64]:
    """Return the centers in ms of the windows of `sliding_sum`."""
    n_windows = _whole(window_ms[1] - window_ms[0], bin_ms) - _whole(width_ms, bin_ms) + 1
    return np.asarray(window_ms[0] + width_ms / 2 + bin_ms * np.arange(n_windows), dtype=np.float64)


# ---------------------------------------------------------------------------------------------------
# Variability


def fano_factor(counts: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Return variance over mean of counts across trials.

    Parameters
    ----------
    counts : ndarray of int or float, shape (trials, …)
        Spikes, e.g. (trials, neurons, windows).

    Returns
    -------
    ndarray of float64, shape (…)
        Without unit; NaN where no trial has a spike.
    """
    mean, variance = counts.mean(axis=0), counts.var(axis=0)
    return np.asarray(np.divide(variance, mean, out=np.full(mean.shape, np.nan), where=mean > 0))


def fano_over_time(
    counts: NDArray[np.integer],
    group: ArrayLike,
    bin_ms: float,
    width_ms: float = WINDOW_MS,
    *,
    min_trials: int = MIN_TRIALS,
    min_rate_hz: float = MIN_RATE_HZ,
) -> NDArray[np.float64]:
    """Return the Fano factor of each neuron in sliding windows, averaged over groups of equal trials.

    Trials of one movement direction form a group, so that tuning to direction is not taken for variability.
    A group with fewer than `min_trials` trials, or in which a neuron fires less than `min_rate_hz` over all
    bins, does not count for it (CN, `_calc_fanos`).

    Parameters
    ----------
    counts : ndarray of int, shape (trials, neurons, bins)
        Trials of one condition.
    group : array-like of int, shape (trials,)

    Returns
    -------
    ndarray of float64, shape (neurons, windows)
        NaN for neurons that do not count in any group.
    """
    duration_s = counts.shape[2] * bin_ms / 1000.0
    width = _whole(width_ms, bin_ms)
    courses = []
    for trials in _groups(group, min_trials):
        fano = fano_factor(sliding_sum(counts[trials], width))
        rate = counts[trials].sum(axis=2).mean(axis=0) / duration_s
        fano[rate < min_rate_hz] = np.nan
        courses.append(fano)
    shape = (counts.shape[1], counts.shape[2] - width + 1)
    return _nanmean(np.stack(courses)) if courses else np.full(shape, np.nan)


def cv2_over_time(
    spikes: AlignedSpikes,
    n_neurons: int,
    group: ArrayLike,
    window_ms: tuple[float, float],
    bin_ms: float,
    width_ms: float = WINDOW_MS,
    least: Least = LEAST,
) -> NDArray[np.float64]:
    """Return CV2 of each neuron in sliding windows, averaged over groups of equal trials.

    CV2 is the mean of `2 |I₁ − I₂| / (I₁ + I₂)` over neighboring intervals (Holt et al. 1996, J Neurophysiol
    75:1806); a pair counts if its three spikes lie in the window, and pairs are pooled over the trials of a
    group (CN, `time_resolved_cv_two`).

    Parameters
    ----------
    spikes : AlignedSpikes
    n_neurons : int
    group : array-like of int, shape (trials,)
        A negative group leaves the trial out.
    window_ms : (float, float)
        The cut of `spikes`; windows of `width_ms` move through it by `bin_ms`.
    least : Least
        A group of fewer trials does not count, nor a neuron of a lower rate in it (as in `fano_over_time`); a
        window with fewer pairs in a group has no CV2.

    Returns
    -------
    ndarray of float64, shape (neurons, windows)
    """
    centers = window_centers(window_ms, bin_ms, width_ms)
    duration_s = (window_ms[1] - window_ms[0]) / 1000.0
    time, train = spikes.time_ms, spikes.trial * n_neurons + spikes.neuron
    triple = np.flatnonzero(train[2:] == train[:-2]) if len(time) > 2 else np.empty(0, dtype=np.int64)
    before, after = time[triple + 1] - time[triple], time[triple + 2] - time[triple + 1]
    value = 2.0 * np.abs(before - after) / (before + after)
    # A window [c − w/2, c + w/2) holds the triple if time[last] < c + w/2 and c − w/2 ≤ time[first].
    begin = np.searchsorted(centers + width_ms / 2, time[triple + 2], side="right")
    end = np.searchsorted(centers - width_ms / 2, time[triple], side="right")
    held = end > begin
    triple, value, begin, end = triple[held], value[held], begin[held], end[held]
    neuron = spikes.neuron[triple]
    courses = []
    for trials in _groups(group, least.trials):
        mine = trials[spikes.trial[triple]]
        sums = np.zeros((2, n_neurons, len(centers) + 1))
        for row, weight in enumerate((value[mine], np.ones(mine.sum()))):
            np.add.at(sums[row], (neuron[mine], begin[mine]), weight)
            np.add.at(sums[row], (neuron[mine], end[mine]), -weight)
        total, pairs = sums.cumsum(axis=2)[:, :, :-1]
        pairs = np.round(pairs)
        cv2 = np.divide(total, pairs, out=np.full(total.shape, np.nan), where=pairs >= max(1, least.pairs))
        spike_count = np.bincount(spikes.neuron[trials[spikes.trial]], minlength=n_neurons)
        cv2[spike_count < least.rate_hz * duration_s * trials.sum()] = np.nan
        courses.append(cv2)
    return _nanmean(np.stack(courses)) if courses else np.full((n_neurons, len(centers)), np.nan)


def mean_cv2(step: NDArray[np.integer], neuron: NDArray[np.integer], n_neurons: int) -> NDArray[np.float64]:
    """Return CV2 of each neuron over the whole time, shape (n_neurons,); NaN below three pairs of intervals.

    It equals `cv2_over_time` with a single trial and window. CV2 has no unit, so that time may be in steps.
    """
    order = np.lexsort((step, neuron))
    of_neuron = neuron[order].astype(np.int64)
    spikes = AlignedSpikes(step[order].astype(np.float64), np.zeros_like(of_neuron), of_neuron)
    end = float(step.max(initial=0)) + 1.0
    cv2 = cv2_over_time(spikes, n_neurons, [0], (0.0, end), end, end, Least(trials=1, rate_hz=0.0, pairs=3))
    return cv2[:, 0]


def mean_fano(
    step: NDArray[np.integer], neuron: NDArray[np.integer], n_neurons: int, width: int
) -> NDArray[np.float64]:
    """Return the Fano factor over the whole time of the counts of each neuron in windows of `width` steps.

    Returns
    -------
    ndarray of float64, shape (n_neurons,)
        NaN for neurons with fewer than `MIN_SPIKES` spikes; an incomplete last window is left out.
    """
    n_windows = int(step.max(initial=0)) // width
    window = (step - 1) // width  # steps count from 1
    whole = window < n_windows
    counts = np.zeros((n_windows, n_neurons), dtype=np.uint16)
    np.add.at(counts, (window[whole], neuron[whole]), 1)
    fano = fano_factor(counts)
    fano[counts.sum(axis=0) < MIN_SPIKES] = np.nan
    return fano


# ---------------------------------------------------------------------------------------------------
# Decoding


def balanced_accuracy(target: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean over classes of the fraction of a class's trials that are predicted right.

    Parameters
    ----------
    target, predicted : array-like, shape (trials,)
        Class of each trial, and the predicted class; labels of any type that can be compared.

    Returns
    -------
    float
        0 … 1. Classes are those of `target`.
    """
    target, predicted = np.asarray(target), np.asarray(predicted)
    return float(np.mean([(predicted[target == label] == label).mean() for label in np.unique(target)]))


def decoding_accuracy(
    features: NDArray[np.generic],
    target: ArrayLike,
    rng: np.random.Generator,
    *,
    folds: int = 5,
    repeats: int = 1,
    penalty: float = 1.0,
) -> float:
    """Return the balanced accuracy of a cross-validated logistic regression.

    Multinomial logistic regression with a quadratic penalty and free intercepts, stratified folds, balanced
    accuracy, averaged over repeated shuffles, as CN has it with scikit-learn's defaults.

    Parameters
    ----------
    features : ndarray, shape (trials, features)
        Spike counts.
    target : array-like of int, shape (trials,)
    folds, repeats : int
        CN: 5 and 10.
    penalty : float
        Minimized is Σ log loss + penalty/2 · Σ W² (scikit-learn: 1/C).

    Raises
    ------
    ValueError
        When a class has fewer trials than folds.
    """
    target = np.asarray(target)
    classes, labels, sizes = np.unique(target, return_inverse=True, return_counts=True)
    if sizes.min() < folds:
        raise ValueError(
            f"target: class {classes[sizes.argmin()]} has {sizes.min()} trials for {folds} folds; "
            f"record more trials or choose fewer folds"
        )
    # The weights are combinations of the trials, so coordinates in the space of the trials are enough.
    data = np.asarray(features, dtype=np.float64)
    if data.shape[1] > data.shape[0]:
        data = np.linalg.qr(data.T)[1].T
    scores = []
    for _ in range(repeats):
        fold = _stratified_folds(labels, folds, rng)
        predicted = np.empty_like(labels)
        for number in range(folds):
            held = fold == number
            weights = fit_logistic(data[~held], labels[~held], len(classes), penalty)
            predicted[held] = (data[held] @ weights[:-1] + weights[-1]).argmax(axis=1)
        scores.append(balanced_accuracy(labels, predicted))
    return float(np.mean(scores))


def fit_logistic(
    features: NDArray[np.float64], labels: NDArray[np.integer], n_classes: int, penalty: float = 1.0
) -> NDArray[np.float64]:
    """Return the weights of a multinomial logistic regression, shape (features + 1, classes).

    The last row holds the intercepts, which are not penalized.
    """
    n = len(features)
    target = np.eye(n_classes)[labels]
    # The search is in coordinates in which the curvature is about 1 everywhere at the start: without it,
    # counts of neurons that fire together take it ten times as many steps.
    mean = features.mean(axis=0)
    left, size, right = np.linalg.svd(features - mean, full_matrices=False)
    scale = 1.0 / np.sqrt(size**2 * (n_classes - 1) / n_classes**2 + penalty)
    data, penalties = left * (size * scale), (penalty * scale**2)[:, None]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(-1, n_classes)
        score = data @ weights[:-1] + weights[-1]
        score -= score.max(axis=1, keepdims=True)
        exponential = np.exp(score)
        total = exponential.sum(axis=1, keepdims=True)
        error = exponential / total - target
        slope = np.vstack([data.T @ error + penalties * weights[:-1], error.sum(axis=0)])
        value = (np.log(total[:, 0]) - score[np.arange(n), labels]).sum()
        return float(value + (penalties * weights[:-1] ** 2).sum() / 2), slope.ravel()

    start = np.zeros((len(size) + 1) * n_classes)
    from scipy.optimize import minimize  # takes half a second to import; only decoding needs it

    result = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-4})
    weights = np.asarray(result.x).reshape(-1, n_classes)
    in_features = right.T @ (scale[:, None] * weights[:-1])
    return np.vstack([in_features, weights[-1] - mean @ in_features])


def _stratified_folds(labels: NDArray[np.integer], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a fold for each trial, with each class spread evenly over the folds."""
    fold = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        trials = rng.permutation(np.flatnonzero(labels == label))
        fold[trials] = (np.arange(len(trials)) + rng.integers(folds)) % folds
    return fold


# ---------------------------------------------------------------------------------------------------
# Dominance of clusters


def dominant_cluster(rate_hz: NDArray[np.float64], factor: float = 3.0) -> NDArray[np.int64]:
    """Return the cluster that dominates each time bin, or −1.

    A cluster dominates if it has the highest rate and more than `factor` times the mean over all bins and
    clusters; an unclustered network never reaches three times the mean in 50 ms.

    Parameters
    ----------
    rate_hz : ndarray, shape (bins, clusters)
    """
    best = rate_hz.argmax(axis=1)
    return np.where(rate_hz.max(axis=1) > factor * rate_hz.mean(), best, -1)


def dwell_times(dominant: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cluster and the length in bins of every uninterrupted dominance, in order of time.

    Dominances cut by the recording's beginning or end have their recorded length.

    Parameters
    ----------
    dominant : ndarray of int, shape (bins,)
        Result of `dominant_cluster`: the cluster, or −1 without a dominant cluster.

    Returns
    -------
    cluster, length : ndarray of int64, shape (dominances,)
    """
    if not len(dominant):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    begin = np.flatnonzero(np.diff(dominant, prepend=dominant[0] - 1))
    length = np.diff(begin, append=len(dominant))
    held = dominant[begin] >= 0
    return dominant[begin][held].astype(np.int64), length[held].astype(np.int64)


# ---------------------------------------------------------------------------------------------------


def _whole(duration_ms: float, bin_ms: float) -> int:
    count = whole_number(duration_ms, bin_ms)
    if count is None:
        raise ValueError(f"{duration_ms:g} ms is not a whole number of bins of {bin_ms:g} ms")
    return count


def _groups(group: ArrayLike, min_trials: int) -> list[NDArray[np.bool_]]:
    """Return the trials of each group that has enough of them; groups below 0 are left out."""
    labels = np.asarray(group, dtype=np.int64)
    groups = [labels == label for label in np.unique(labels[labels >= 0])]
    return [trials for trials in groups if trials.sum() >= min_trials]


def _nanmean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis without NaN, NaN where all values are NaN."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
