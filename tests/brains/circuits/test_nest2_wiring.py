import numpy as np
import pytest

from ethospike.agents.reacher import PUBLISHED_DIRECTIONS
from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex, parameter_set
from ethospike.brains.circuits.nest2_wiring import LONG_LAG, MODULUS, lagged_fibonacci, nest2_bernoulli
from ethospike.errors import BrainError

PROBABILITY = {"E>E": 0.2, "I>E": 0.5, "E>I": 0.5, "I>I": 0.5}


def test_the_generator_passes_knuths_self_test():
    # After `ran_start(310952)`, the first number of the 2010th call of `ran_array(a, 1009)` (Knuth, rng.c).
    numbers = lagged_fibonacci([310952], 2009 * LONG_LAG + 1)
    assert numbers[0, -1] * MODULUS == 995235265


def test_streams_do_not_depend_on_each_other_or_on_their_length():
    together = lagged_fibonacci([8723, 0, MODULUS - 3], 250)
    assert len(np.unique(together)) == together.size
    for seed, stream in zip((8723, 0, MODULUS - 3), together, strict=True):
        assert np.array_equal(lagged_fibonacci([seed], 101)[0], stream[:101])
    assert together.min() >= 0.0
    assert together.max() < 1.0


# Numbers of synapses and first targets in the two networks of Rostami et al. 2024, from another
# implementation of NEST 2.20's streams, whose networks gave the published rates and spike counts.
@pytest.mark.parametrize(
    ("name", "seed", "synapses", "first_targets"),
    [
        ("reach-fig5", 8721, [287035, 179482, 179694, 44814], [1, 5, 11, 27, 28, 32]),
        ("reach-fig6", 7745, [287817, 180125, 180281, 44888], [10, 12, 17, 25, 33, 38]),
    ],
)
def test_the_published_networks_have_the_known_synapses(name, seed, synapses, first_targets):
    network = clustered_cortex(parameter_set(name))
    assert parameter_set(name).nest2_seed == seed
    wired = [network.wire(projection, 1, 0) for projection in PROBABILITY]
    assert [len(one.source) for one in wired] == synapses
    assert sum(synapses) == {8721: 691_025, 7745: 693_111}[seed]
    assert wired[0].target[wired[0].source == 0][:6].tolist() == first_targets
    for projection, one in zip(PROBABILITY, wired, strict=True):
        pairs = np.stack([one.source, one.target], axis=1)
        assert len(np.unique(pairs, axis=0)) == len(pairs)  # no multapses
        if projection in ("E>E", "I>I"):
            assert (one.source != one.target).all()  # no autapses
        other = network.wire(projection, 7, 3)  # the same for every seed and animal
        assert np.array_equal(one.source, other.source)
        assert np.array_equal(one.target, other.target)


def test_the_published_networks_have_the_weights_of_the_published_rule():
    drawn, rule = (clustered_cortex(parameter_set(name)) for name in ("reach-fig5", "reach-published"))
    for projection in rule.projections:
        assert drawn.projection(projection.name).weight == projection.weight
    synapses, weight = drawn.wire("E>E", 1, 0), drawn.projection("E>E").weight
    within = synapses.source // 200 == synapses.target // 200
    assert np.array_equal(synapses.weight, np.where(within, weight.within, weight.across))
    assert within.mean() == pytest.approx(1 / 6, abs=0.01)


def test_a_small_network_follows_the_order_and_the_threads_of_nest_2():
    # Eight excitatory and four inhibitory neurons, two clusters, p = 1/2, drawn by the letter: a number for
    # each pair but a neuron's own, from the stream of the target's thread.
    sizes, seed = {"E": 8, "I": 4}, 5
    streams = [list(stream) for stream in lagged_fibonacci(range(seed + 2, seed + 14), 50)]
    first = {"E": 1, "I": 9}
    drawn = nest2_bernoulli(seed, sizes, 2, dict.fromkeys(PROBABILITY, 0.5))
    for name in PROBABILITY:
        source, target = name.split(">")
        expected = set()
        for q in range(2):
            for r in range(2):
                for post in range(r * sizes[target] // 2, (r + 1) * sizes[target] // 2):
                    for pre in range(q * sizes[source] // 2, (q + 1) * sizes[source] // 2):
                        if (source, pre) == (target, post):
                            continue
                        if streams[(first[target] + post) % 12].pop(0) < 0.5:
                            expected.add((pre, post))
        assert expected
        assert set(map(tuple, drawn[name].tolist())) == expected


@pytest.mark.parametrize(("name", "seed", "trials"), [("reach-fig5", 8721, 150), ("reach-fig6", 7745, 2000)])
def test_the_clusters_of_the_directions_are_those_of_the_authors_draw(name, seed, trials):
    # The draw of the authors' simulate_experiment.py: cue sets and targets of all trials, then clusters.
    rng = np.random.RandomState(seed)

    def random_pick(values):
        indices = np.arange(len(values))
        rng.shuffle(indices)
        return values[indices[0]]

    sets = {1: [[d] for d in range(6)], 2: [[0, 1], [2, 3], [4, 5]], 3: [[5, 0, 1], [2, 3, 4]]}
    for condition in sets:
        for _ in range(trials):
            random_pick(random_pick(sets[condition]))
    clusters, directions = np.arange(6), []
    for _ in range(6):
        rng.shuffle(clusters)
        directions.append(int(clusters[0]))
        clusters = clusters[1:]
    assert PUBLISHED_DIRECTIONS[name] == tuple(directions)


def test_a_seed_that_the_generator_does_not_take_is_refused():
    with pytest.raises(BrainError, match=r"nest2_seed: expected 0 … 1073741808, got -1"):
        CortexConfig(wiring="bernoulli_nest2", nest2_seed=-1)
    with pytest.raises(ValueError, match="expected 0 … 1073741808, got 1073741809"):
        nest2_bernoulli(1073741809, {"E": 8, "I": 4}, 2, PROBABILITY)
