"""Procedural wiring: the statistics of independent draws, and the same synapses every time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats
from spike_blocks import assert_same

from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex
from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    DopamineGated,
    FixedIndegree,
    Network,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
)
from ethospike.brains.numba.bits import pools
from ethospike.brains.numba.bits.engine import BitsEngine
from ethospike.brains.numba.bits.row_counts import POOL_BYTES, SEGMENT, WORD
from ethospike.brains.numba.bits.wiring import draw_wiring, wiring_key
from ethospike.brains.numba.choice import choose
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("numba")

IN_SEGMENT = SEGMENT * WORD


def network_with(p, source=3000, target=IN_SEGMENT, recurrent=False):
    """Return a network of one projection; by default onto the targets of one segment."""
    populations = [Population("S", source, "iaf_psc_exp")]
    if recurrent:
        return Network(populations, [Projection("S>S", "S", "S", PairwiseBernoulli(p), 1.0)], procedural=True)
    populations.insert(0, Population("T", target, "iaf_psc_exp"))
    return Network(populations, [Projection("S>T", "S", "T", PairwiseBernoulli(p), 1.0)], procedural=True)


def matrix(network, seed=1, animal=0):
    """Return the synapses of the network's projection, shape (sources, targets)."""
    wiring = draw_wiring(network, seed=seed, animals=animal + 1, threads=1)
    assert all(bits.size == 0 for bits in wiring.bits)
    (projection,) = network.projections
    source, target = wiring.synapses(network, projection, animal)
    shape = network.population(projection.source).size, network.population(projection.target).size
    connected = np.zeros(shape, dtype=bool)
    connected[source, target] = True
    assert connected.any()
    return connected


def z_scores(counts, n, p):
    """Return binomial counts as standard normal numbers."""
    return (counts - n * p) / np.sqrt(n * p * (1 - p))


def assert_like_independent(z):
    """Check mean and variance of standard normal numbers within four standard errors."""
    n = len(z)
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / n)
    assert np.abs(z).max() < np.sqrt(2 * np.log(n)) + 2.5  # Gumbel: five of its scales above its place


# -- statistics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.003, 0.05, 0.2, 0.5])
def test_pools_have_the_probability(p):
    a, b = pools.ones_in_pools(p)
    bits = 8 * POOL_BYTES
    assert 0 < a <= bits
    assert 0 < b <= bits
    assert a * b / bits**2 == pytest.approx(p, rel=1e-7)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.8])
def test_degrees_are_binomial(p):
    """Three segments, the last one in part; in-degrees of each target, out-degrees of each source."""
    connected = matrix(network_with(p, source=4000, target=2 * IN_SEGMENT + 500))
    n_source, n_target = connected.shape
    assert_like_independent(z_scores(connected.sum(axis=0), n_source, p))
    assert_like_independent(z_scores(connected.sum(axis=1), n_target, p))
    assert abs(z_scores(connected.sum(), n_source * n_target, p)) < 4


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_rows_and_columns_are_uncorrelated(p):
    """All pairs of two targets of a segment, and of two sources: correlations as of independent draws.

    The mean of the pairs' squared correlations times the number of samples is 1 for independent draws. The
    finite pools add 3000 × 0.0012² and less, and correlate 2 × 9 pairs of sources in 2^22 strongly.
    """
    connected = matrix(network_with(p)).astype(np.float32)
    rng = np.random.default_rng(3)
    independent = (rng.random(connected.shape) < p).astype(np.float32)
    for axis, agreeing in ((0, 0.0), (1, 2 * 9 / 2**22)):
        excess = []
        for bits, outliers in ((connected, agreeing), (independent, 0.0)):
            centered = (bits - p) / np.sqrt(p * (1 - p))
            n = bits.shape[axis]
            products = centered.T @ centered if axis == 0 else centered @ centered.T
            z = products[np.triu_indices(len(products), 1)] / np.sqrt(n)
            assert len(z) > 2e6
            assert (np.abs(z) > 6.5).sum() <= scipy.stats.poisson.ppf(0.9999, outliers * len(z))
            assert abs(z.mean()) < 0.01
            excess.append(z.var() - 1)
        assert abs(excess[1]) < 0.01  # the test's own resolution
        assert abs(excess[0]) < 0.02


def test_a_row_does_not_repeat():
    """Segments of a row are independent of each other, and of those of other rows; no word comes twice."""
    p, segments = 0.2, 6
    connected = matrix(network_with(p, source=300, target=segments * IN_SEGMENT))
    parts = connected.reshape(300 * segments, IN_SEGMENT)
    packed = np.packbits(parts, axis=1)
    assert len(np.unique(packed, axis=0)) == len(packed)
    words = np.ascontiguousarray(packed).view(np.uint64)
    # Words of 64 bits with p = 0.2 are equal by chance with probability (p² + (1 − p)²)^64 = 2e-11.
    assert len(np.unique(words)) == words.size
    centered = (parts - p) / np.sqrt(p * (1 - p))
    first, second = np.triu_indices(len(parts), 1)
    z = (centered @ centered.T)[first, second] / np.sqrt(IN_SEGMENT)
    assert abs(z.var() - 1) < 0.02
    assert_like_independent(z[first // segments == second // segments])


@pytest.mark.parametrize("p", [0.2, 0.9])
def test_no_neuron_projects_to_itself(p):
    connected = matrix(network_with(p, source=2500, recurrent=True))
    assert not connected.diagonal().any()
    n = len(connected)
    assert_like_independent(z_scores(connected.sum(axis=1), n - 1, p))
    beside = np.concatenate([connected.diagonal(1), connected.diagonal(-1), connected.diagonal(64)])
    assert abs(z_scores(beside.sum(), len(beside), p)) < 4  # the row of a second try is as any other


def test_seeds_animals_and_projections_have_synapses_of_their_own():
    p = 0.2
    network = network_with(p, source=500)
    first = matrix(network)
    np.testing.assert_array_equal(first, matrix(network))
    both = Network(
        network.populations,
        [*network.projections, Projection("S>S", "S", "S", PairwiseBernoulli(p), 1.0)],
        procedural=True,
    )
    wiring = draw_wiring(both, seed=1, animals=1, threads=1)
    source, target = wiring.synapses(both, both.projections[0], 0)
    assert first[source, target].all()  # a projection that is added changes no other one
    assert len(source) == first.sum()
    recurrent = np.zeros((500, 500), dtype=bool)
    recurrent[wiring.synapses(both, both.projections[1], 0)] = True
    for other in (matrix(network, seed=2), matrix(network, animal=1), recurrent):
        size = other.shape[1]
        agree = (first[:, :size] & other).sum()
        assert abs(z_scores(agree, other.size, p * p)) < 4


# -- simulation ---------------------------------------------------------------------------------------


def cortex(**changes):
    config = CortexConfig(
        n_e=4_000, n_i=1_000, clusters=20, V_th=20.0, j_plus=6.0, wiring="bernoulli", start="lognormal"
    )
    return clustered_cortex(dataclasses.replace(config, **changes))


@pytest.mark.parametrize("precision", ["single", "double"])
def test_spikes_are_those_of_the_same_synapses_stored(precision, monkeypatch):
    """Clusters with padded words, segments shared by two populations, more spikes than a counter holds."""
    monkeypatch.setattr("ethospike.brains.numba.bits.engine.LANES_A_THREAD", 64)
    made, kept = cortex(procedural=True), cortex()
    options = {"seed": 4, "animals": 1, "dt_ms": 0.1, "precision": precision}
    simulated = BitsEngine(made, threads=1, **options)
    stored = dataclasses.replace(simulated.wiring.stored(made), key=wiring_key(kept, 4, 1))
    reference = BitsEngine(kept, threads=1, wiring=stored, **options)
    threads = BitsEngine(made, threads=3, **options)
    for engine in (simulated, reference, threads):
        neurons = engine._brains[0].v
        neurons[:600] = np.where(
            np.isfinite(neurons[:600]), 25.0, neurons[:600]
        )  # all fire in the first step
    expected = reference.run(1, 1500, Stimulus.none())
    assert (expected.step == 1).sum() > 255
    assert len(expected) > 1500
    assert_same(simulated.run(1, 1500, Stimulus.none()), expected)
    assert_same(threads.run(1, 1500, Stimulus.none()), expected)


def test_it_stores_no_synapses():
    made = cortex(procedural=True, n_e=40_000, n_i=10_000)
    wiring = draw_wiring(made, seed=1, animals=1, threads=1)
    held = sum(array.nbytes for array in (*wiring.bits, *wiring.generated[0]))
    assert held < 2 * 2 * 1.1 * POOL_BYTES
    assert sum(made.expected_synapses(p) for p in made.projections) > 6e8


def test_a_simulator_opens_and_repeats_it():
    spikes = []
    for _ in range(2):
        with open_simulator(cortex(procedural=True), SimulatorSettings("numba"), seed=2) as simulator:
            spikes.append(simulator.run(500))
            with pytest.raises(BrainError, match="procedural"):
                simulator.weights("E>E")
    assert len(spikes[0]) > 200
    assert_same(*spikes)


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.simulator(n)) for n in ("nest", "genn")])
def test_other_simulators_refuse_it(name):
    with pytest.raises(BrainError, match=r"procedural: .* stores every synapse.*Numba"):
        open_simulator(network_with(0.1), SimulatorSettings(name), seed=1)


def test_numba_runs_it_with_the_engine_of_bits_or_not_at_all():
    small = network_with(0.1, source=10, target=10)
    assert choose(small).engine == "bits"
    assert choose(dataclasses.replace(small, procedural=False)).engine == "lists"
    other = dataclasses.replace(small, populations=(*small.populations, Population("A", 3, "iaf_cond_exp")))
    with pytest.raises(BrainError, match=r"cannot be procedural: 'A' is iaf_cond_exp"):
        choose(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": FixedIndegree(3)}, "expected the rule PairwiseBernoulli, got FixedIndegree"),
        ({"rule": ClusteredIndegree(3)}, "expected the rule PairwiseBernoulli, got ClusteredIndegree"),
        ({"rule": AllToAll()}, "expected the rule PairwiseBernoulli, got AllToAll"),
        ({"weight": Uniform(0.0, 1.0)}, r"weight: expected one number"),
        ({"delay_ms": Uniform(0.1, 1.0)}, r"delay_ms: expected one number"),
        ({"plasticity": DopamineGated("S")}, "expected no plasticity"),
    ],
)
def test_networks_that_cannot_be_procedural_are_refused(changes, message):
    network = network_with(0.1)
    projection = dataclasses.replace(network.projections[0], **changes)
    with pytest.raises(BrainError, match=message):
        dataclasses.replace(network, projections=(projection,))
    clustered = dataclasses.replace(network.projections[0], weight=ClusteredWeight(2.0, 1.0))
    dataclasses.replace(network, projections=(clustered,))


def test_certain_synapses_are_refused():
    assert "up to 0.99" in pools.refusal(network_with(1.0))
    with pytest.raises(BrainError, match=r"up to 0\.99"):
        BitsEngine(network_with(1.0), seed=1, animals=1, dt_ms=0.1, precision="single", threads=1)


def test_a_cortex_with_fixed_indegrees_is_not_procedural():
    with pytest.raises(BrainError, match=r"CortexConfig.procedural: expected wiring='bernoulli'"):
        CortexConfig(procedural=True)
