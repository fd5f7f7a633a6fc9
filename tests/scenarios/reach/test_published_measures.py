"""The authors' measures on spikes whose values follow from a formula."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.scenarios.analysis.spike_statistics import AlignedSpikes
from ethospike.scenarios.reach import published_measures as published
from ethospike.scenarios.reach.courses import CUT_MS, CutTrials
from ethospike.scenarios.reach.published_measures import Decisions, SelectedTrials
from ethospike.scenarios.reach.trials import Trials

UNDECIDED = published.UNDECIDED


def trials_of(target: list[int] | np.ndarray, condition: int | np.ndarray = 1) -> Trials:
    target = np.asarray(target)
    n, nothing = len(target), np.zeros(len(target))
    zeros = np.zeros(n, dtype=np.int64)
    times = (nothing, nothing + 1000.0, nothing, nothing)
    return Trials(zeros, zeros + condition, zeros, target, zeros, *times, target, nothing)


def cut_of(
    trials: Trials, trains: dict[tuple[int, int], np.ndarray], n_neurons: int, clusters: int
) -> CutTrials:
    """Return a cut with the given spike times (ms) of (trial, neuron)."""
    rows = [(t, trial, neuron) for (trial, neuron), train in sorted(trains.items()) for t in np.sort(train)]
    time, trial, neuron = (np.array(column) for column in zip(*rows, strict=True))
    return CutTrials(trials, AlignedSpikes(time.astype(float), trial, neuron), n_neurons, clusters)


def regular(n: int) -> np.ndarray:
    """Return the times of n spikes, evenly over the 2 s of the analysis."""
    return -500.0 + 2000.0 * (np.arange(n) + 0.5) / n


def test_pairs_count_from_five_hertz_and_ten_trials_on() -> None:
    # 5 Hz over 2 s are ten spikes a trial. A trial without a spike counts as one with a single spike.
    trials = trials_of([0] * 10 + [1] * 9)
    trains = {(trial, 0): regular(10) for trial in range(19)}
    trains |= {(trial, 1): regular(9) for trial in range(19)}
    trains |= {(trial, 2): regular(19) for trial in range(5)}  # (5 · 19 + 5 · 1)/10 = 10
    trains |= {(trial, 3): regular(18) for trial in range(5)}  # (5 · 18 + 5 · 1)/10 = 9.5
    late = np.linspace(1501.0, 1999.0, 40)  # after the analysis: does not count
    trains |= {(trial, 4): late for trial in range(19)}
    pairs = SelectedTrials(cut_of(trials, trains, 6, 6), 1).pairs
    assert pairs.shape == (6, 6)
    assert pairs[0].tolist() == [True, False, True, False, False, False]
    assert not pairs[1:].any()  # nine trials of direction 1, none of the others


def test_the_rate_is_the_mean_over_directions_of_a_unit_and_then_over_units() -> None:
    rng = np.random.default_rng(0)
    trials = trials_of(np.arange(600) % 2)
    rates_hz = {
        (0, 0): 20.0,
        (0, 1): 40.0,
        (1, 0): 10.0,
        (1, 1): 1.0,
    }  # (unit, direction); the last is not selected
    trains = {
        (trial, unit): rng.uniform(*CUT_MS, rng.poisson(rates_hz[unit, target] * 2.5))
        for trial, target in enumerate(trials.target)
        for unit in range(2)
    }
    selected = SelectedTrials(cut_of(trials, trains, 2, 2), 1)
    assert selected.pairs[:2].tolist() == [[True, True], [True, False]]
    rate_hz = selected.rate_hz()
    assert published.mean_around(rate_hz, 500.0) == pytest.approx(((20.0 + 40.0) / 2 + 10.0) / 2, rel=0.02)
    assert np.isfinite(rate_hz).sum() == 2000 - 2 * published.KERNEL_MS
    # A kernel of area 1: the rate of a train that begins at 0 ms is half of it there.
    begun = {(trial, 0): np.arange(0.25 + 0.5 * trial, 1500.0, 10.0) for trial in range(20)}
    course = SelectedTrials(cut_of(trials_of([0] * 20), begun, 2, 2), 1).rate_hz()
    assert course[1000] == pytest.approx(100.0, rel=0.01)
    assert course[500] == pytest.approx(50.0, rel=0.05)
    assert course[300] == 0.0


def test_fano_factors_are_those_of_counts_in_selected_pairs() -> None:
    rng = np.random.default_rng(1)
    trials = trials_of(np.arange(40) % 2)
    trains = {}
    for trial, target in enumerate(trials.target):
        # Poisson counts in direction 0; in direction 1 always the same times: a Fano factor of 0.
        trains[trial, 0] = rng.uniform(-500.0, 1500.0, rng.poisson(60)) if target == 0 else regular(40)
        trains[trial, 1] = regular(4)
    selected = SelectedTrials(cut_of(trials, trains, 2, 2), 1)
    window = published.index_of(selected.time_ms, 500.0)
    counts = np.array([((t >= 300) & (t < 700)).sum() for (trial, unit), t in trains.items()
                       if unit == 0 and trial % 2 == 0])  # fmt: skip
    assert counts.min() > 3
    assert selected.fano[0, window] == pytest.approx((counts.var() / counts.mean() + 0.0) / 2, rel=1e-12)
    assert np.isnan(selected.fano[1]).all()
    pairs = []
    for trial in range(0, 40, 2):
        inside = np.sort(trains[trial, 0])
        intervals = np.diff(inside[(inside >= 300.0) & (inside < 700.0)])
        pairs += (2 * np.abs(np.diff(intervals)) / (intervals[1:] + intervals[:-1])).tolist()
    assert len(pairs) > 100
    assert selected.cv2[0, window] == pytest.approx((np.mean(pairs) + 0.0) / 2, rel=1e-9)
    assert np.isnan(selected.cv2[1]).all()
    # The change is that from the mean of the windows centered at −300 and −290 ms.
    mean = np.nanmean(selected.fano, axis=0)
    change = published.from_baseline(mean, selected.time_ms)
    assert change[window] == pytest.approx(mean[window] - mean[:2].mean(), rel=1e-12)
    assert selected.time_ms[:2].tolist() == [-300.0, -290.0]


def test_units_that_one_condition_cannot_measure_are_left_out_of_all() -> None:
    time_ms = np.array([-300.0, 500.0])
    values = {1: np.array([[1.0, 2.0], [5.0, 7.0]]), 2: np.array([[3.0, 4.0], [1.0, np.nan]])}
    common = published.courses_of_common_units(values, time_ms)
    assert common[1].tolist() == [1.0, 2.0]
    assert common[2].tolist() == [3.0, 4.0]


def test_only_units_that_count_in_all_directions_are_decoded() -> None:
    rng = np.random.default_rng(2)
    target = np.arange(120) % 6
    trains = {}
    for trial, direction in enumerate(target):
        for unit in range(6):  # a rate of its own in its own direction: the direction can be read
            rate = 120 if unit == direction else 20
            trains[trial, unit] = rng.uniform(-500.0, 1500.0, rng.poisson(rate))
        trains[trial, 6] = rng.uniform(-500.0, 1500.0, 400 if direction == 0 else 2)
    selected = SelectedTrials(cut_of(trials_of(target), trains, 12, 6), 1)
    assert selected.decoded_units.tolist() == [0, 1, 2, 3, 4, 5]
    assert selected.decoding([500.0])[0] > 0.95
    silent = {(trial, 7): regular(3) for trial in range(120)}
    assert np.isnan(SelectedTrials(cut_of(trials_of(target), silent, 12, 6), 1).decoding([500.0])).all()


def test_mean_precision_counts_undecided_as_a_label() -> None:
    target = np.array([0, 0, 1, 1, 2, 2])
    # Label 0: right 2 of 3; label 1: 1 of 1; undecided: 0; label 2 is never predicted.
    winner = np.array([0, 0, 0, 1, UNDECIDED, UNDECIDED])
    assert published.mean_precision(target, winner) == pytest.approx((2 / 3 + 1 + 0) / 3)
    # Its maximum with six directions and a single undecided trial.
    every = np.arange(7) % 6
    assert published.mean_precision(every, np.where(np.arange(7) == 6, UNDECIDED, every)) == pytest.approx(
        6 / 7
    )


def test_decisions_are_the_authors_race_from_the_bin_before_the_response_signal() -> None:
    rng = np.random.default_rng(3)
    trials = trials_of([3, 0, 5])
    clusters = np.array([2, 4, 1, 3, 5, 0])[:, None]
    trains = {
        (trial, unit): rng.uniform(*CUT_MS, rng.poisson(40)) for trial in range(3) for unit in range(12)
    }
    for trial, target in enumerate(trials.target):  # the target's cluster alone fires from 1100 ms on
        for unit in range(12):
            mine = unit // 2 == clusters[target, 0]
            fast = np.arange(1100.0, 2000.0, 5.0)
            trains[trial, unit] = np.append(
                trains[trial, unit][trains[trial, unit] < 1100.0], fast if mine else []
            )
    cut = cut_of(trials, trains, 12, 6)
    decided = published.decisions(cut, clusters)
    for trial in range(3):
        # reaction_times_functions.py: counts in bins of 1 ms from −500 ms, I(t + 1) = I(t) − I(t)/50 + c(t),
        # shares over clusters, and the first time above the threshold from the bin around 999.5 ms on.
        integral, shares = np.zeros(6), []
        for ms in range(-500, 2000):
            shares.append(integral / max(integral.sum(), 1e-10))
            here = [((trains[trial, u] >= ms) & (trains[trial, u] < ms + 1)).sum() for u in range(12)]
            count = [here[2 * c] + here[2 * c + 1] for c in clusters[:, 0]]
            integral = integral - integral / 50.0 + np.array(count) / 2.0
        race = np.array(shares)[1499:]
        for threshold in (0.5, 0.87):
            crossed = np.flatnonzero(race.max(axis=1) > threshold)
            row = published.index_of(published.THRESHOLDS, threshold)
            assert len(crossed)
            assert decided.time_ms[row, trial] == crossed[0]
            assert decided.winner[row, trial] == race[crossed[0]].argmax()
    row = published.index_of(published.THRESHOLDS, 0.87)
    assert decided.winner[row].tolist() == [3, 0, 5]
    assert (decided.time_ms[row] > 50.0).all()


def test_outcomes_count_all_trials_once() -> None:
    n = len(published.THRESHOLDS)
    winner = np.tile([0, 0, 1, UNDECIDED, 0], (n, 1))
    time_ms = np.tile([500.0, 501.0, 10.0, np.nan, 20.0], (n, 1))
    decided = Decisions(winner, time_ms, np.array([1, 1, 1, 1, 2]), np.zeros(5, dtype=np.int64))
    trials, correct, late, wrong, undecided, times = decided.outcomes(1, 0.87)
    assert (trials, correct, late, wrong, undecided, times.tolist()) == (4, 1, 1, 1, 1, [500.0])
    joined = Decisions.joined([decided, decided])
    assert joined.outcomes(2, 0.87).correct == 2
    assert joined.recall()[0] == pytest.approx(6 / 10)


def test_the_leading_cluster_and_the_first_trials() -> None:
    trials = trials_of([0, 1, 2, 3], np.array([1, 2, 1, 1]))
    trains = {(trial, 0): regular(100) for trial in range(4)} | {(3, 1): np.repeat(regular(100), 2)}
    cut = cut_of(trials, trains, 2, 2)
    shares = published.leading_shares(cut)
    # 20 of 25 bins have spikes; in the others the first of equals counts. In trial 3 the other cluster leads.
    assert shares.tolist() == pytest.approx([1.0 - 20 / 100, 20 / 100])
    few = published.first_trials(cut, 2)
    assert few.trials.target.tolist() == [0, 1, 2]
    assert few.spikes.trial.max() == 2
    assert len(few.spikes.time_ms) == 300
