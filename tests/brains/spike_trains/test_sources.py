"""Gamma and Poisson trains: their statistics, and that neither cuts nor company change them."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from ethospike.brains.spike_trains import sources as spike_sources
from ethospike.brains.spike_trains.sources import GammaSource, PoissonSource, Trains
from ethospike.errors import BrainError, StateError

SECOND = 10_000
"""Steps of 0.1 ms in a second."""


def joined(windows: Sequence[Trains]) -> Trains:
    step, animal, channel = (np.concatenate(column) for column in zip(*windows, strict=True))
    return step, animal, channel


def assert_same(one: Trains, other: Trains) -> None:
    assert len(one[0]) > 0
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0, 10.0])
def test_rate_and_regularity_are_those_of_a_gamma_process(shape: float) -> None:
    rate, seconds, channels = 80.0, 50, 20
    source = GammaSource(channels, shape, seed=1, dt_ms=0.01)
    step, _, channel = source.window(1, seconds * 100_000, np.full((1, channels), rate))
    # The count of a renewal process has the variance mean / shape.
    mean = rate * seconds * channels
    assert abs(len(step) - mean) < 4 * np.sqrt(mean / shape) + 0.002 * mean
    intervals = np.concatenate([np.diff(step[channel == c]) for c in range(channels)])
    # Steps of 0.01 ms merge few of the very short intervals of shape 0.5.
    assert intervals.std() / intervals.mean() == pytest.approx(1 / np.sqrt(shape), rel=0.02)


def test_trains_are_stationary_from_the_first_step() -> None:
    # An ordinary renewal process of shape 3 fires only 0.08 times in its first 5 ms at 100 Hz; in
    # equilibrium the expectation is 0.5.
    n = 4000
    source = GammaSource(n, 3.0, seed=2)
    step, _, _ = source.window(1, 50, np.full((1, n), 100.0))
    assert abs(len(step) / n - 0.5) < 4 * np.sqrt(0.5 / n)


def test_poisson_counts_have_poisson_variance_and_keep_coincident_spikes() -> None:
    channels, rate = 50, 5000.0
    source = PoissonSource(channels, seed=3)
    counts = np.zeros((200, channels))
    for k in range(200):
        _, _, channel = source.window(1 + 100 * k, 100, np.full((1, channels), rate))
        counts[k] = np.bincount(channel, minlength=channels)
    assert counts.mean() == pytest.approx(50.0, abs=4 * np.sqrt(50 / counts.size))
    # The variance of a variance: about 2 / n relative.
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / counts.size))


def test_gamma_trains_merge_coincident_spikes() -> None:
    rates = np.full((1, 10), 3000.0)
    merged = GammaSource(10, 3.0, seed=4).window(1, SECOND, rates)
    kept = GammaSource(10, 3.0, seed=4, keep_coincident=True).window(1, SECOND, rates)
    pairs = np.column_stack([kept[0], kept[2]])
    unique = np.unique(pairs, axis=0)
    assert len(unique) < len(pairs)
    np.testing.assert_array_equal(np.column_stack([merged[0], merged[2]]), unique)
    # The share that the docstring states.
    assert 1 - len(unique) / len(pairs) == pytest.approx(0.018, abs=0.002)


@pytest.mark.parametrize("cut", [1, 7, 100, 1000, 60_000])
def test_trains_do_not_depend_on_how_time_is_cut(cut: int) -> None:
    # Rates change at steps that every cut has in common, one channel is off, and one is driven so hard
    # that it draws several blocks.
    borders = [0, 4200, 60_000]
    rates = [np.array([[140.0, 0.0, 2880.0], [10.0, 333.3, 1e-4]])]
    rates.append(rates[0][::-1] * 1.7)

    def trains(cut: int) -> Trains:
        source = GammaSource(3, 3.0, seed=5, animals=2)
        windows = []
        for start, stop, rate in zip(borders, borders[1:], rates, strict=False):
            for first in range(start, stop, cut):
                windows.append(source.window(first + 1, min(cut, stop - first), rate))
        return joined(windows)

    whole = trains(60_000)
    assert len(whole[0]) > 10_000
    assert_same(trains(cut), whole)


@pytest.mark.parametrize("block", [1, 37])
def test_trains_do_not_depend_on_how_many_events_are_drawn_at_a_time(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks this small, a window needs several, and longer lists than there was room for."""
    rates = np.array([[140.0, 0.0, 2880.0], [10.0, 333.3, 1e-4]])
    whole = GammaSource(3, 3.0, seed=5, animals=2).window(1, SECOND, rates)
    monkeypatch.setattr(spike_sources, "BLOCK", block)
    source = GammaSource(3, 3.0, seed=5, animals=2)
    parts = [source.window(first + 1, SECOND // 4, rates) for first in range(0, SECOND, SECOND // 4)]
    assert len(whole[0]) > 2 * 37
    assert source.state()["events"].shape[1] > 2 * block
    assert_same(joined(parts), whole)


def test_trains_that_are_drawn_ahead_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another thread, in windows that are cut, with rates that change, and a state saved between."""
    monkeypatch.setattr(spike_sources, "AHEAD_FROM", 1)
    drawing_threads = set()

    class Watched(GammaSource):
        def _draw(self, rows: np.ndarray) -> None:
            drawing_threads.add(threading.current_thread())
            super()._draw(rows)

    rates = np.array([[140.0, 0.0, 2880.0], [10.0, 333.3, 1e-4]])
    results = []
    for source in (GammaSource(3, 3.0, seed=5, animals=2), Watched(3, 3.0, seed=5, animals=2, ahead=True)):
        windows = []
        for k in range(40):
            if k == 20:
                source.set_state(source.state())
            windows.append(source.window(1 + 2000 * k, 2000, rates if k % 7 else rates[::-1] * 1.7))
        results.append(joined(windows))
    assert_same(*results)
    assert drawing_threads - {threading.main_thread()}


def test_spikes_are_sorted_and_inside_their_window() -> None:
    source = GammaSource(4, 3.0, seed=6, animals=3)
    source.window(1, 500, np.full((3, 4), 200.0))
    step, animal, channel = source.window(501, 500, np.full((3, 4), 200.0))
    assert len(step) > 50
    assert step.min() > 500
    assert step.max() <= 1000
    order = np.lexsort((channel, animal, step))
    np.testing.assert_array_equal(order, np.arange(len(step)))
    assert (step.dtype, animal.dtype, channel.dtype) == (np.int64, np.int32, np.int32)
    assert set(animal.tolist()) == {0, 1, 2}
    assert set(channel.tolist()) == {0, 1, 2, 3}


def test_animal_three_of_five_is_animal_three_of_eight() -> None:
    def of_animal_three(animals: int) -> tuple[np.ndarray, np.ndarray]:
        rates = np.full((animals, 2), 100.0)
        step, animal, channel = GammaSource(2, 3.0, seed=7, animals=animals).window(1, SECOND, rates)
        return step[animal == 3], channel[animal == 3]

    five, eight = of_animal_three(5), of_animal_three(8)
    assert len(five[0]) > 100
    np.testing.assert_array_equal(five, eight)


def test_channels_and_animals_are_independent() -> None:
    source = GammaSource(2, 3.0, seed=8, animals=2)
    step, animal, channel = source.window(1, 10 * SECOND, np.full((2, 2), 100.0))
    trains = [set(step[(animal == a) & (channel == c)].tolist()) for a in range(2) for c in range(2)]
    for i, one in enumerate(trains):
        for other in trains[:i]:
            # About 1000 spikes on 100,000 steps coincide about 10 times by chance.
            assert len(one & other) < 30


def test_a_change_of_rate_acts_in_its_window() -> None:
    source = PoissonSource(100, seed=9)
    low = source.window(1, 1000, np.full((1, 100), 10.0))
    high = source.window(1001, 1000, np.full((1, 100), 1000.0))
    off = source.window(2001, 1000, np.zeros((1, 100)))
    assert len(low[0]) == pytest.approx(100, abs=40)
    assert len(high[0]) == pytest.approx(10_000, abs=400)
    assert len(off[0]) == 0


def test_a_run_continues_from_its_state_bit_identically() -> None:
    rates = np.array([[300.0, 5.0], [0.0, 2500.0]])
    source = GammaSource(2, 3.0, seed=10, animals=2)
    source.window(1, 12_345, rates)
    saved = source.state()
    expected = [source.window(12_346 + 100 * k, 100, rates) for k in range(300)]
    other = GammaSource(2, 3.0, seed=99, animals=2)
    other.set_state(saved)
    assert_same(joined([other.window(12_346 + 100 * k, 100, rates) for k in range(300)]), joined(expected))


def test_long_clocks_stay_exact() -> None:
    # Half an hour at 3 kHz: 5.4 million units of operational time, far more than one block.
    source = GammaSource(1, 3.0, seed=11)
    n, total = 18_000_000, 0
    for first in range(1, n, 1_800_000):
        step, _, _ = source.window(first, 1_800_000, np.array([[3000.0]]))
        total += len(step)
    assert total == pytest.approx(3000 * 1800 * (1 - 0.018), rel=0.002)


@pytest.mark.parametrize(
    "rates", [np.array([[-1.0, 0.0]]), np.array([[np.nan, 0.0]]), np.array([[np.inf, 0.0]])]
)
def test_bad_rates_are_refused(rates: np.ndarray) -> None:
    with pytest.raises(BrainError, match="expected rates from 0"):
        GammaSource(2, 3.0, seed=1).window(1, 10, rates)


def test_misuse_is_refused() -> None:
    source = GammaSource(2, 3.0, seed=1)
    with pytest.raises(BrainError, match=r"shape \(1, 2\)"):
        source.window(1, 10, np.zeros((1, 3)))
    with pytest.raises(BrainError, match="window from step 1"):
        source.window(2, 10, np.zeros((1, 2)))
    with pytest.raises(BrainError, match="at least 1 step"):
        source.window(1, 0, np.zeros((1, 2)))
    with pytest.raises(BrainError, match="shape between"):
        GammaSource(2, 0.0, seed=1)
    with pytest.raises(BrainError, match="at least 1 channel"):
        GammaSource(0, 3.0, seed=1)
    with pytest.raises(BrainError, match="dt_ms"):
        GammaSource(1, 3.0, seed=1, dt_ms=0.0)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    source = GammaSource(2, 3.0, seed=1)
    source.window(1, 100, np.full((1, 2), 500.0))
    before = source.state()
    for bad, message in (
        (GammaSource(3, 3.0, seed=1).state(), r"shape \(2, \d+\), got int64 of shape \(3, \d+\)"),
        ({}, r"expected the entries \['begin', .*got \[\]"),
        (before | {"generators": before["generators"][:1]}, r"'generators'.*\(2, 6\).*\(1, 6\)"),
        (before | {"clock": before["clock"] + 0.5}, "'clock'.*int64.*float64"),
        (before | {"events": before["events"][0]}, "'events'"),
        (before | {"events": before["events"][:, :1]}, "end before their next event"),
    ):
        with pytest.raises((BrainError, StateError), match=message):
            source.set_state(bad)
    for name, array in source.state().items():
        np.testing.assert_array_equal(array, before[name])
