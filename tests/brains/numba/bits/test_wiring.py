"""Wiring as bits: the synapses that the rules ask for, whatever draws them."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    Explicit,
    FixedIndegree,
    Network,
    PairwiseBernoulli,
    Population,
    Projection,
)
from ethospike.brains.numba.bits import wiring as bit_wiring
from ethospike.brains.numba.bits.wiring import BitLayout, draw_wiring
from ethospike.errors import BrainError

CLUSTERS = 3
SIZES = {"E": 450, "I": 210}


def network_with(rule, clusters=CLUSTERS):
    """Return a network of 150 + 70 neurons a cluster, so that lanes are padded, with one rule throughout."""
    populations = tuple(Population(name, size, "iaf_psc_exp", {}, clusters) for name, size in SIZES.items())
    pairs = [(source, target) for source in SIZES for target in SIZES]
    return Network(populations, tuple(Projection(f"{s}>{t}", s, t, rule, 1.0) for s, t in pairs))


@pytest.fixture
def large(monkeypatch):
    """Let every network count as too large for NumPy."""
    monkeypatch.setattr("ethospike.brains.network.network.NUMPY_WIRING_LIMIT", -1)


def matrix(network, wiring, name, animal=0):
    projection = network.projection(name)
    source, target = wiring.synapses(network, projection, animal)
    connected = np.zeros((SIZES[projection.source], SIZES[projection.target]), dtype=int)
    np.add.at(connected, (source, target), 1)
    return connected


def test_lanes_are_clusters_padded_to_words():
    layout = BitLayout(network_with(AllToAll()))
    assert [block.first_lane for block in layout.blocks] == [0, 192, 384, 576, 704, 832]
    assert layout.lanes == 960
    assert layout.lane_of_neuron[150] == 192
    assert (layout.neuron_of_lane[layout.lane_of_neuron] == np.arange(660)).all()
    assert (layout.neuron_of_lane[150:192] == -1).all()
    assert layout.row_words == 24  # 15 words are 2 cache lines; 3 is the next odd number


@pytest.mark.parametrize(
    "rule", [PairwiseBernoulli(0.3), ClusteredIndegree(7), FixedIndegree(11), AllToAll()]
)
def test_small_networks_have_the_synapses_of_numpy(rule):
    network = network_with(rule)
    wiring = draw_wiring(network, seed=5, animals=2, threads=1)
    for animal in range(2):
        for projection in network.projections:
            expected = network.wire(projection.name, seed=5, animal=animal)
            source, target = wiring.synapses(network, projection, animal)
            assert len(source) > 100
            np.testing.assert_array_equal(source, expected.source)
            np.testing.assert_array_equal(target, expected.target)


@pytest.mark.usefixtures("large")
def test_drawn_clustered_in_degrees_are_exact():
    network = network_with(ClusteredIndegree(40))
    wiring = draw_wiring(network, seed=5, animals=1, threads=2)
    for name in ("E>E", "E>I", "I>E", "I>I"):
        connected = matrix(network, wiring, name)
        in_degree = connected.reshape(CLUSTERS, -1, connected.shape[1]).sum(axis=1)
        assert (in_degree == 40).all()
        if name in ("E>E", "I>I"):
            assert np.trace(connected) == 0


@pytest.mark.usefixtures("large")
def test_drawn_fixed_in_degrees_are_exact():
    network = network_with(FixedIndegree(33))
    connected = matrix(network, draw_wiring(network, seed=5, animals=1, threads=1), "E>E")
    assert (connected.sum(axis=0) == 33).all()
    assert np.trace(connected) == 0


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("rule", [ClusteredIndegree(50), FixedIndegree(150)])
def test_drawn_sources_are_equally_likely(rule):
    connected = matrix(
        network_with(rule), draw_wiring(network_with(rule), seed=6, animals=1, threads=1), "E>I"
    )
    # A source's out-degree is binomial: 210 targets, probability 1/3.
    z = (connected.sum(axis=1) - 70.0) / np.sqrt(210 * 2 / 9)
    assert np.mean(z**2) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 450))
    # Two targets share sources as independent draws do: 450/9 on average.
    shared = connected.T @ connected
    assert shared[np.triu_indices(210, 1)].mean() == pytest.approx(50.0, abs=0.3)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.7310586, 1.0])
def test_drawn_bernoulli_synapses_have_their_probability(p):
    network = network_with(PairwiseBernoulli(p))
    wiring = draw_wiring(network, seed=5, animals=1, threads=2)
    for name in ("E>E", "I>E"):
        connected = matrix(network, wiring, name)
        pairs = connected.size - (450 if name == "E>E" else 0)
        assert connected.max(initial=0) <= 1
        assert connected.sum() == pytest.approx(p * pairs, abs=4 * np.sqrt(p * (1 - p) * pairs) + 1e-9)
        if 0 < p < 1:
            z = (connected.sum(axis=0) - p * pairs / 450) / np.sqrt(p * (1 - p) * pairs / 450)
            assert np.mean(z**2) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 450))
        if name == "E>E":
            assert np.trace(connected) == 0


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("rule", [PairwiseBernoulli(0.3), ClusteredIndegree(20)])
def test_drawn_wiring_depends_on_the_seed_and_not_on_threads(rule):
    network = network_with(rule)
    drawn = {
        (seed, threads): draw_wiring(network, seed=seed, animals=1, threads=threads).bits[0]
        for seed, threads in ((5, 1), (5, 2), (5, 5), (6, 1))
    }
    assert drawn[5, 1].any()
    np.testing.assert_array_equal(drawn[5, 1], drawn[5, 2])
    np.testing.assert_array_equal(drawn[5, 1], drawn[5, 5])
    assert (drawn[5, 1] != drawn[6, 1]).any()


@pytest.mark.usefixtures("large")
def test_projections_are_drawn_independently():
    network = network_with(PairwiseBernoulli(0.5))
    wiring = draw_wiring(network, seed=5, animals=1, threads=1)
    to_e, to_i = matrix(network, wiring, "E>E")[:, :210], matrix(network, wiring, "E>I")
    from_i = matrix(network, wiring, "I>E")[:, :210]
    assert np.mean(to_e == to_i) == pytest.approx(0.5, abs=0.01)
    assert np.mean(to_e[:210] == from_i) == pytest.approx(0.5, abs=0.02)


@pytest.mark.usefixtures("large")
def test_each_animal_of_a_large_network_has_synapses_of_its_own():
    network = network_with(PairwiseBernoulli(0.5))
    wiring = draw_wiring(network, seed=1, animals=2, threads=1)
    first, second = (matrix(network, wiring, "E>I", animal) for animal in range(2))
    assert np.mean(first == second) == pytest.approx(0.5, abs=0.01)
    alone = draw_wiring(network, seed=1, animals=1, threads=2)
    np.testing.assert_array_equal(matrix(network, alone, "E>I"), first)


def test_bits_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr("ethospike.brains.memory.free_bytes", lambda: 1e5)
    with pytest.raises(BrainError, match=r"2 animals with .* synapses each would take about"):
        draw_wiring(network_with(AllToAll()), seed=1, animals=2, threads=1)


def test_what_bits_cannot_hold_is_named():
    listed = network_with(Explicit(np.array([[0, 1]])))
    assert "Explicit" in str(bit_wiring.refusal(listed))
    network = network_with(AllToAll())
    twice = Projection("again", "E", "I", AllToAll(), -1.0)
    doubled = Network(network.populations, (*network.projections, twice))
    assert "more than one projection" in str(bit_wiring.refusal(doubled))
    assert bit_wiring.refusal(network) is None


def test_networks_share_a_wiring_inside_the_context():
    network = network_with(PairwiseBernoulli(0.3))

    def draw(network=network, seed=1):
        return draw_wiring(network, seed=seed, animals=1, threads=1)

    assert draw() is not draw()
    with bit_wiring.shared_wiring([]):
        first = draw()
        assert draw(network_with(PairwiseBernoulli(0.3))) is first
        assert draw(seed=2) is not first
        again = draw()
        assert again is not first  # only the last one is kept
        assert (again.bits[0] == first.bits[0]).all()
        assert draw(network_with(PairwiseBernoulli(0.4))) is not again
    assert draw() is not draw()
