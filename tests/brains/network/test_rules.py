"""Wiring rules draw from the distributions that they name, in memory linear in the synapses."""

from __future__ import annotations

import tracemalloc
from itertools import combinations
from math import comb

import numpy as np
import pytest

from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    Ends,
    Explicit,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    LogNormal,
    Network,
    Normal,
    PairwiseBernoulli,
    Population,
    Projection,
    RandomIndegree,
    Uniform,
    steps_of_delay,
)
from ethospike.errors import BrainError

FEEDFORWARD = Ends(5, 8_000)


def subsets(rule, ends, rng=0):
    """Return for each target its set of sources."""
    source, target = rule.draw(ends, np.random.default_rng(rng))
    sets = [set() for _ in range(ends.n_target)]
    for s, t in zip(source.tolist(), target.tolist(), strict=True):
        sets[t].add(s)
    return sets


def expect_frequencies(counts, expected):
    """Pearson's chi-square; for more than 5 classes its 99.99 % quantile lies below df + 5 sqrt(2 df) + 5."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    assert expected.min() > 20
    chi_square, df = ((counts - expected) ** 2 / expected).sum(), len(counts) - 1
    assert chi_square < df + 5 * np.sqrt(2 * df) + 5


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_each_set_of_sources_is_equally_likely(k):
    drawn = subsets(FixedIndegree(k), FEEDFORWARD)
    counts = [drawn.count(set(chosen)) for chosen in combinations(range(5), k)]
    assert sum(counts) == 8_000
    expect_frequencies(counts, np.full(comb(5, k), 8_000 / comb(5, k)))


@pytest.mark.parametrize("k", [2, 3])
def test_each_set_of_other_neurons_is_equally_likely(k):
    ends = Ends(6, 6, recurrent=True)
    drawn = [chosen for seed in range(1_500) for chosen in [subsets(FixedIndegree(k), ends, seed)[4]]]
    counts = [drawn.count(set(chosen)) for chosen in combinations([0, 1, 2, 3, 5], k)]
    assert sum(counts) == 1_500
    expect_frequencies(counts, np.full(10, 150.0))


def test_clusters_are_drawn_independently():
    ends = Ends(8, 6_000, source_clusters=2)
    drawn = subsets(ClusteredIndegree(1), ends)
    counts = [drawn.count({a, b}) for a in range(4) for b in range(4, 8)]
    assert sum(counts) == 6_000
    expect_frequencies(counts, np.full(16, 6_000 / 16))


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_pairs_of_bernoulli_are_independent(p):
    drawn = subsets(PairwiseBernoulli(p), Ends(4, 12_000))
    patterns = [set(chosen) for k in range(5) for chosen in combinations(range(4), k)]
    expected = [12_000 * p ** len(chosen) * (1 - p) ** (4 - len(chosen)) for chosen in patterns]
    keep = np.array(expected) > 20
    counts = np.array([drawn.count(chosen) for chosen in patterns])
    expect_frequencies(counts[keep], np.array(expected)[keep])


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certain_probabilities(p):
    source, _ = PairwiseBernoulli(p).draw(Ends(7, 7, recurrent=True), np.random.default_rng(0))
    assert len(source) == p * 42


def test_random_indegrees_are_uniform():
    drawn = subsets(RandomIndegree(0, 5), FEEDFORWARD)
    expect_frequencies(np.bincount([len(chosen) for chosen in drawn], minlength=6), np.full(6, 8_000 / 6))


@pytest.mark.parametrize("n", [2, 4])
def test_each_set_of_pairs_is_equally_likely(n):
    ends = Ends(3, 2)
    draws = [FixedTotalNumber(n).draw(ends, np.random.default_rng(seed)) for seed in range(1_500)]
    drawn = [frozenset(zip(*(end.tolist() for end in pairs), strict=True)) for pairs in draws]
    pairs = [(s, t) for s in range(3) for t in range(2)]
    counts = [drawn.count(frozenset(chosen)) for chosen in combinations(pairs, n)]
    assert sum(counts) == 1_500
    expect_frequencies(counts, np.full(15, 100.0))


def test_out_degrees():
    for recurrent in (True, False):
        source, target = FixedOutdegree(6).draw(Ends(40, 40, recurrent=recurrent), np.random.default_rng(1))
        assert (np.bincount(source) == 6).all()
        assert len(set(zip(source.tolist(), target.tolist(), strict=True))) == 240
        assert not recurrent or (source != target).all()


@pytest.mark.parametrize(
    "rule", [FixedIndegree(30, True), FixedOutdegree(30, True), FixedTotalNumber(600, True)]
)
def test_multapses_are_drawn_with_replacement(rule):
    ends = Ends(20, 20, recurrent=True)
    assert rule.may_repeat_pairs
    rule.check("p", ends)
    source, target = rule.draw(ends, np.random.default_rng(1))
    assert len(source) == 600
    assert (source != target).all()
    # 380 pairs, of which each is missed with probability (1 - 1/380)^600 = 0.206 (0.205 for rows of 30 of 19)
    distinct = len(set(zip(source.tolist(), target.tolist(), strict=True)))
    assert abs(distinct - 380 * (1 - 0.205)) < 35


def test_pieces_do_not_show(monkeypatch):
    """Wirings that are drawn in pieces keep their distribution: in-degrees, no repetitions, no autapses."""
    for module in ("rules", "sampling"):
        monkeypatch.setattr(f"ethospike.brains.network.{module}.PIECE", 50)
    ends = Ends(40, 40, recurrent=True)
    for rule in (FixedIndegree(7), FixedIndegree(33), PairwiseBernoulli(0.5), FixedTotalNumber(700)):
        source, target = rule.draw(ends, np.random.default_rng(1))
        pairs = set(zip(source.tolist(), target.tolist(), strict=True))
        assert len(pairs) == len(source)
        assert (source != target).all()
        assert abs(len(pairs) - rule.expected(ends)) <= (0 if rule.fixed_number(ends) else 5 * np.sqrt(390))
        assert set(target.tolist()) == set(range(40))


def test_wiring_takes_memory_linear_in_its_synapses():
    """10,000 neurons with 50 synapses each: a matrix of pairs alone would take 100 MB for a bit a byte."""
    network = Network(
        (Population("E", 10_000, "iaf_psc_exp"),), (Projection("p", "E", "E", FixedIndegree(50), 1.0),)
    )
    tracemalloc.start()
    try:
        wired = network.wire("p", 1, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(wired.source) == 500_000
    assert peak < 80e6


# -- weights and delays -------------------------------------------------------------------------------


def described(rule, weight=1.0, delay_ms=0.1, size=40):
    cells = Population("E", size, "iaf_psc_exp")
    return Network((cells,), (Projection("p", "E", "E", rule, weight, delay_ms),))


def test_listed_weights_and_delays_stay_with_their_pairs():
    pairs = np.array([[2, 0], [0, 1], [2, 0], [1, 2]])
    weights, delays = np.array([-7.0, 1.0, 3.0, 2.0]), np.array([0.4, 0.1, 0.2, 0.3])
    wired = described(Explicit(pairs), weights, delays).wire("p", 1, 0)
    assert list(zip(*wired, strict=True)) == [
        (0, 1, 1.0, 0.1),
        (1, 2, 2.0, 0.3),
        (2, 0, -7.0, 0.4),
        (2, 0, 3.0, 0.2),
    ]


def test_arrays_have_the_order_of_wire_where_pairs_are_drawn():
    weights, delays = np.arange(280.0), np.arange(1, 281) * 0.1
    wired = described(FixedIndegree(7), weights, delays).wire("p", 1, 0)
    np.testing.assert_array_equal(wired.weight, weights)
    np.testing.assert_array_equal(wired.delay_ms, delays)


def test_drawn_weights_and_delays_have_streams_of_their_own():
    plain = described(FixedIndegree(7)).wire("p", 1, 0)
    drawn = described(FixedIndegree(7), Uniform(1.0, 2.0), Normal(1.5, 0.75, low=0.1)).wire("p", 1, 0)
    other = described(FixedIndegree(7), LogNormal(-3.0, 1.0), Normal(1.5, 0.75, low=0.1)).wire("p", 1, 0)
    for name in ("source", "target"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(drawn, name))
    np.testing.assert_array_equal(drawn.delay_ms, other.delay_ms)
    assert ((drawn.weight >= 1) & (drawn.weight < 2)).all()
    assert len(set(drawn.weight)) == len(set(drawn.delay_ms)) == 280
    assert (other.weight < 0).all()
    again = described(FixedIndegree(7), Uniform(1.0, 2.0)).wire("p", 1, 1)
    assert not np.array_equal(again.weight, drawn.weight)


@pytest.mark.parametrize(
    ("drawn", "mean", "sd"),
    [
        (Uniform(1.0, 3.0), 2.0, 2 / np.sqrt(12)),
        (Normal(1.5, 0.5), 1.5, 0.5),
        # Cut at the mean: a half-normal distribution.
        (Normal(2.0, 0.5, low=2.0), 2.0 + 0.5 * np.sqrt(2 / np.pi), 0.5 * np.sqrt(1 - 2 / np.pi)),
        (LogNormal(3.0, 1.5), 3.0, 1.5),
        (LogNormal(-3.0, 1.5), -3.0, 1.5),
    ],
)
def test_moments_of_distributions(drawn, mean, sd):
    values = drawn.draw(np.random.default_rng(1), 200_000)
    assert values.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(200_000))
    assert values.std() == pytest.approx(sd, rel=0.02)


def test_impossible_draws_are_refused():
    with pytest.raises(BrainError, match=r"'p'.delay_ms: expected delays above 0 ms, drew -.*low=0.1"):
        described(AllToAll(), 1.0, Normal(0.5, 1.0)).wire("p", 1, 0)
    with pytest.raises(BrainError, match="hardly any value"):
        Normal(0.0, 1.0, low=50.0).draw(np.random.default_rng(1), 10)


def test_delays_become_whole_steps():
    given = np.array([0.1, 1.5, 0.04, 0.26])
    np.testing.assert_array_equal(steps_of_delay(given, 0.1), [1, 15, 1, 3])
    assert steps_of_delay(np.broadcast_to(0.8, 5), 0.1).tolist() == [8] * 5
    assert steps_of_delay(np.broadcast_to(0.8, 0), 0.1).tolist() == []
