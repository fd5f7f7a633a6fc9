"""Statistics of spike trains: against Elephant, against closed formulas, and against slow loops."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ethospike.scenarios.analysis import spike_statistics as stats

WINDOW = (-500.0, 1000.0)


@pytest.fixture(autouse=True)
def one_thread():
    """On a busy machine, threads that wait for each other over matrices this small cost 40 times the work."""
    with threadpool_limits(1):
        yield


def poisson_trials(rng, rate_hz, n_trials, n_neurons):
    """Return event times and the spikes of Poisson neurons over trials of 2 s."""
    event_ms = 1000.0 + 2000.0 * np.arange(n_trials)
    n = rng.poisson(rate_hz * 2.0 * n_trials * n_neurons)
    time_ms = np.sort(rng.uniform(0, 2000.0 * n_trials, n))
    return event_ms, time_ms, rng.integers(0, n_neurons, n)


# -- cutting and counting ---------------------------------------------------------------------------


def test_align_equals_a_loop_and_allows_overlap():
    rng = np.random.default_rng(0)
    time_ms, neuron = np.sort(rng.uniform(0, 5000, 400)), rng.integers(0, 7, 400)
    events = np.array([800.0, 1000.0, 4900.0])
    spikes = stats.align(time_ms, neuron, events, (-300.0, 700.0))
    expected = sorted(
        (trial, int(n), t - event)
        for trial, event in enumerate(events)
        for t, n in zip(time_ms, neuron, strict=True)
        if -300.0 <= t - event < 700.0
    )
    found = list(zip(spikes.trial.tolist(), spikes.neuron.tolist(), spikes.time_ms, strict=True))
    assert len(found) > 100
    assert found == expected
    with pytest.raises(ValueError, match="sorted"):
        stats.align(time_ms[::-1], neuron, events, (-300.0, 700.0))


def test_counts_and_sliding_sums_count_every_spike():
    rng = np.random.default_rng(1)
    event_ms, time_ms, neuron = poisson_trials(rng, 20.0, 5, 3)
    spikes = stats.align(time_ms, neuron, event_ms, WINDOW)
    counts = stats.bin_counts(spikes, 5, 3, WINDOW, 10.0)
    assert counts.shape == (5, 3, 150)
    assert counts.sum() == len(spikes.time_ms) > 0
    slow = np.stack([counts[..., i : i + 40].sum(axis=-1) for i in range(111)], axis=-1)
    assert np.array_equal(stats.sliding_sum(counts, 40), slow)
    centers = stats.window_centers(WINDOW, 10.0, 400.0)
    assert len(centers) == 111
    assert (centers[0], centers[-1]) == (-300.0, 800.0)
    with pytest.raises(ValueError, match="whole number of bins"):
        stats.bin_counts(spikes, 5, 3, WINDOW, 7.0)


# -- variability ------------------------------------------------------------------------------------


def test_fano_factor_and_cv2_equal_elephant():
    elephant = pytest.importorskip(
        "elephant.statistics", reason="elephant (extra 'analysis') is not installed"
    )
    rng = np.random.default_rng(2)
    event_ms, time_ms, neuron = poisson_trials(rng, 30.0, 12, 4)
    spikes = stats.align(time_ms, neuron, event_ms, WINDOW)
    counts = stats.bin_counts(spikes, 12, 4, WINDOW, 10.0)
    width, center = 400.0, 40
    fano = stats.fano_factor(stats.sliding_sum(counts, 40))
    cv2 = stats.cv2_over_time(spikes, 4, np.zeros(12), WINDOW, 10.0, width, stats.Least(pairs=1))
    begin = WINDOW[0] + 10.0 * center
    for unit in range(4):
        trains = [
            spikes.time_ms[
                (spikes.neuron == unit)
                & (spikes.trial == trial)
                & (spikes.time_ms >= begin)
                & (spikes.time_ms < begin + width)
            ]
            for trial in range(12)
        ]
        assert fano[unit, center] == pytest.approx(_elephant_fano(elephant, trains))
        pairs = [(elephant.cv2(np.diff(train)), len(train) - 2) for train in trains if len(train) > 2]
        pooled = np.average([one for one, _ in pairs], weights=[n for _, n in pairs])
        assert cv2[unit, center] == pytest.approx(pooled)


def _elephant_fano(elephant, trains):
    neo, units = pytest.importorskip("neo"), pytest.importorskip("quantities")
    made = [neo.SpikeTrain(train, units=units.ms, t_start=-500, t_stop=1000) for train in trains]
    return elephant.fanofactor(made)


def test_poisson_trains_have_fano_factor_and_cv2_of_one():
    # For a Poisson process both are 1 (Holt et al. 1996: E[CV2] = 1). The sample variance over n trials
    # without Bessel's correction has the mean (n − 1)/n. A window that must hold all three spikes cuts the
    # longest intervals off, which lowers CV2 a little at 40 spikes a window.
    rng = np.random.default_rng(3)
    event_ms, time_ms, neuron = poisson_trials(rng, 100.0, 50, 20)
    spikes = stats.align(time_ms, neuron, event_ms, WINDOW)
    counts = stats.bin_counts(spikes, 50, 20, WINDOW, 10.0)
    fano = stats.fano_over_time(counts, np.repeat([0, 1], 25), 10.0)
    cv2 = stats.cv2_over_time(spikes, 20, np.repeat([0, 1], 25), WINDOW, 10.0)
    assert fano.shape == cv2.shape == (20, 111)
    assert fano.mean() == pytest.approx(24 / 25, abs=0.05)
    assert cv2.mean() == pytest.approx(1.0, abs=0.03)


def test_equal_intervals_have_cv2_zero_and_alternating_ones_their_formula():
    # Intervals 10 and 30 in turn: CV2 = 2 · 20/40 = 1; equal intervals: 0.
    regular = np.arange(0, 1000, 10.0)
    alternating = np.cumsum(np.tile([10.0, 30.0], 25))
    time = np.concatenate([regular, alternating])
    neuron = np.repeat([0, 1], [len(regular), len(alternating)])
    order = np.argsort(time, kind="stable")
    spikes = stats.align(time[order], neuron[order], [0.0], (0.0, 1000.0))
    cv2 = stats.cv2_over_time(spikes, 2, [0], (0.0, 1000.0), 10.0, least=stats.Least(trials=1))
    assert cv2[0] == pytest.approx(0.0)
    assert cv2[1] == pytest.approx(1.0)


def test_groups_neurons_and_windows_that_cannot_tell_are_left_out():
    rng = np.random.default_rng(4)
    event_ms, time_ms, neuron = poisson_trials(rng, 20.0, 24, 3)
    keep = (neuron != 1) | (rng.random(len(neuron)) < 0.05)  # neuron 1 falls to 1 Hz
    spikes = stats.align(time_ms[keep], neuron[keep], event_ms, WINDOW)
    counts = stats.bin_counts(spikes, 24, 3, WINDOW, 10.0)
    group = np.repeat([0, 1, -1], [12, 4, 8])
    fano = stats.fano_over_time(counts, group, 10.0)
    cv2 = stats.cv2_over_time(spikes, 3, group, WINDOW, 10.0)
    assert np.isnan(fano[1]).all()
    assert np.isnan(cv2[1]).all()
    assert fano[0] == pytest.approx(stats.fano_factor(stats.sliding_sum(counts[:12], 40))[0])
    assert np.isfinite(cv2[[0, 2]]).all()
    nothing = stats.fano_over_time(counts, group, 10.0, min_trials=13)
    assert np.isnan(nothing).all()
    assert np.isnan(stats.cv2_over_time(spikes, 3, group, WINDOW, 10.0, least=stats.Least(trials=13))).all()
    assert np.isnan(
        stats.cv2_over_time(spikes, 3, group, WINDOW, 10.0, least=stats.Least(pairs=10_000))
    ).all()


def test_tuning_is_not_taken_for_variability():
    # Two groups with different, constant counts: no variance within a group, much across.
    counts = np.zeros((20, 1, 10), dtype=np.uint16)
    counts[:10] = 1
    counts[10:] = 5
    assert stats.fano_over_time(counts, np.repeat([0, 1], 10), 10.0, 100.0) == pytest.approx(0.0)
    assert stats.fano_over_time(counts, np.zeros(20), 10.0, 100.0) == pytest.approx(20.0**2 / 30.0)


# -- decoding ---------------------------------------------------------------------------------------


def test_balanced_accuracy_is_the_mean_recall():
    assert stats.balanced_accuracy([0, 0, 0, 1], [0, 0, 1, 1]) == pytest.approx((2 / 3 + 1) / 2)


def test_logistic_regression_is_at_its_optimum():
    # At the optimum of a convex loss all slopes vanish; slopes by finite differences of the loss itself.
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 60)
    data = rng.normal(size=(60, 4)) + 0.5 * np.eye(3, 4)[labels]

    def loss(flat):
        weights = flat.reshape(5, 3)
        score = data @ weights[:-1] + weights[-1]
        log_p = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
        return -log_p[np.arange(60), labels].sum() + 0.35 * (weights[:-1] ** 2).sum()

    best = stats.fit_logistic(data, labels, 3, penalty=0.7).ravel()
    assert np.abs(best).max() > 0.1
    for i in range(len(best)):
        step = np.zeros_like(best)
        step[i] = 1e-5
        assert (loss(best + step) - loss(best - step)) / 2e-5 == pytest.approx(0.0, abs=2e-3)


def test_decoding_of_known_separability():
    rng = np.random.default_rng(6)
    target = np.tile(np.arange(6), 25)
    noise = rng.poisson(4.0, (150, 200))
    assert stats.decoding_accuracy(noise, target, rng) == pytest.approx(1 / 6, abs=0.1)
    clear = noise.copy()
    clear[:, :6] += 60 * np.eye(6, dtype=int)[target]
    assert stats.decoding_accuracy(clear, target, rng) == 1.0
    # Which pair of targets, but not which of both: one half.
    pairs = noise.copy()
    pairs[:, :3] += 60 * np.eye(3, dtype=int)[target // 2]
    assert stats.decoding_accuracy(pairs, target, rng, repeats=3) == pytest.approx(0.5, abs=0.1)


def test_decoding_does_not_see_the_held_out_labels():
    # More features than trials let any training set be learnt by heart; chance must remain.
    rng = np.random.default_rng(7)
    target = rng.permutation(np.tile(np.arange(2), 40))
    data = rng.normal(size=(80, 500))
    assert stats.decoding_accuracy(data, target, rng, repeats=5) == pytest.approx(0.5, abs=0.15)


def test_decoding_in_trial_space_equals_decoding_in_feature_space():
    rng = np.random.default_rng(8)
    labels = np.tile(np.arange(3), 8)
    wide = rng.normal(size=(24, 40)) + np.eye(3, 40)[labels]
    narrow = np.linalg.qr(wide.T)[1].T
    held = np.arange(24) % 4 == 0
    scores = []
    for data in (wide, narrow):
        weights = stats.fit_logistic(data[~held], labels[~held], 3)
        scores.append(data[held] @ weights[:-1] + weights[-1])
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_decoding_refuses_too_few_trials():
    with pytest.raises(ValueError, match="3 trials for 5 folds"):
        stats.decoding_accuracy(np.zeros((13, 2)), [0] * 10 + [1] * 3, np.random.default_rng(0))


# -- dominance --------------------------------------------------------------------------------------


def test_dominance_and_dwell_times():
    rate = np.full((10, 4), 1.0)
    rate[2:5, 1] = 30.0
    rate[5:7, 3] = 30.0
    rate[9, 1] = 30.0
    dominant = stats.dominant_cluster(rate)
    assert dominant.tolist() == [-1, -1, 1, 1, 1, 3, 3, -1, -1, 1]
    cluster, length = stats.dwell_times(dominant)
    assert cluster.tolist() == [1, 3, 1]
    assert length.tolist() == [3, 2, 1]
    assert (stats.dominant_cluster(np.ones((5, 4))) == -1).all()
    assert [len(one) for one in stats.dwell_times(np.full(5, -1))] == [0, 0]
    assert [len(one) for one in stats.dwell_times(np.empty(0, int))] == [0, 0]


# -- whole runs --------------------------------------------------------------------------------------


def test_cv2_of_trains_that_are_known():
    # Neuron 0 has intervals 10, 30, 10, 30, so that each pair gives 2 · 20 / 40 = 1; neuron 1 is regular,
    # neuron 2 has too few spikes.
    step = np.array([0, 10, 40, 50, 80, 0, 7, 14, 21, 28, 5, 9])
    neuron = np.array([0] * 5 + [1] * 5 + [2] * 2)
    assert stats.mean_cv2(step, neuron, 3)[:2] == pytest.approx([1.0, 0.0])
    assert np.isnan(stats.mean_cv2(step, neuron, 3)[2])
    assert np.isnan(stats.mean_cv2(step[:0], neuron[:0], 3)).all()


def test_fano_factor_of_trains_that_are_known():
    # Windows of 10 steps, the first of steps 1 … 10. Neuron 0 has 4 and 2 spikes there: variance 1, mean 3.
    # Neuron 1 has too few; steps 21 … 25 are no whole window.
    step = np.array([1, 2, 9, 10, 11, 20, 22, 3, 13, 25])
    neuron = np.array([0] * 7 + [1] * 3)
    fano = stats.mean_fano(step, neuron, 3, width=10)
    assert fano[0] == pytest.approx(1 / 3)
    assert np.isnan(fano[1:]).all()


def test_fano_factor_of_a_poisson_run_is_one():
    rng = np.random.default_rng(1)
    step, neuron = np.sort(rng.integers(1, 600_001, 60_000)), rng.integers(0, 100, 60_000)
    assert stats.mean_fano(step, neuron, 100, width=2000).mean() == pytest.approx(1.0, abs=0.03)
