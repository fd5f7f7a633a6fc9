"""What is NEST's alone; the contract is tested in test_conformance.py."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from spike_blocks import assert_same

from ethospike.brains.conformance import small_deterministic_network
from ethospike.brains.conformance.expectations import resident_bytes
from ethospike.brains.conformance.specimens import (
    ADAPTING,
    CURRENT_BASED,
    drive,
    lessons,
    probe,
    spikes,
    trained,
    window,
)
from ethospike.brains.nest.denormals import FLUSHES
from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    CurrentInput,
    Explicit,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    RandomIndegree,
    SpikeInput,
    Uniform,
)
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.threads import cores
from ethospike.errors import BrainError, SimulatorUnavailable

pytestmark = pytest.mark.simulator("nest")


def open_nest(network, *, seed=1, animals=1, **settings):
    return open_simulator(network, SimulatorSettings(name="nest", **settings), seed=seed, animals=animals)


def test_a_second_simulator_is_refused_until_the_first_is_closed():
    first = open_nest(probe(CURRENT_BASED))
    with pytest.raises(SimulatorUnavailable, match="close it first"):
        open_nest(probe(CURRENT_BASED))
    assert len(first.run(100, spikes(5, 0))) == 1  # and the first one is unharmed
    first.close()
    with open_nest(probe(CURRENT_BASED)) as second:
        assert len(second.run(100, spikes(5, 0))) == 1


def test_a_simulator_that_could_not_be_built_leaves_the_kernel_free():
    broken = Network(
        (Population("E", 2, CURRENT_BASED),), (Projection("p", "E", "E", AllToAll(), 1.0, 0.25),)
    )
    with pytest.raises(BrainError, match=r"0\.25"):
        open_nest(broken)
    open_nest(probe(CURRENT_BASED)).close()


def test_a_forgotten_simulator_does_not_hold_the_kernel():
    open_nest(probe(CURRENT_BASED))
    open_nest(probe(CURRENT_BASED)).close()


def test_importing_prints_nothing():
    code = "import ethospike.brains.nest.simulator as n; n.nest.verbosity"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_memory_does_not_grow_with_simulated_time():
    """However few the windows are; `check_memory` has many short ones.

    NEST's log of buffer sizes took 24 bytes for each step without a spike: 24 MB in a million steps.
    """
    # A synapse, since without one NEST exchanges no spikes; cells that fire now and then.
    pair = Population("E", 2, CURRENT_BASED, {"I_e": 400.0})
    network = Network((pair,), (Projection("p", "E", "E", AllToAll(), 1.0, delay_ms=0.1),))
    n_spikes, second = 0, 10_000
    with open_nest(network) as simulator:
        for k in range(105):
            if k == 5:
                at_start = resident_bytes()
            n_spikes += len(simulator.run(second))
        grown = resident_bytes() - at_start
    assert 100 < n_spikes < 10_000
    assert grown < 4_000_000


SILENCE = """
from ethospike.brains.nest.kernel import nest
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.threads import cores
from ethospike.brains.conformance.specimens import ADAPTING, probe, spikes

settings = SimulatorSettings(name="nest", threads={threads})
with open_simulator(probe(ADAPTING), settings, seed=1) as simulator:
    cells = nest.NodeCollection([1, 2, 3])
    simulator.run(100, spikes([5, 5, 5], [0, 1, 2]))
    print(*cells.get("g_ex"))
    simulator.run(10_000)
    print(*cells.get("g_ex"))
"""


@pytest.mark.skipif(not FLUSHES, reason="only glibc on x86-64")
@pytest.mark.parametrize("threads", [1, 2])
def test_in_silence_conductances_do_not_become_denormal(threads):
    """Numbers below 2.2e-308 made a silent mushroom body take twice the time of an active one.

    In a process of its own, as NEST's threads stay what they were when this one first started them.
    """
    command = [sys.executable, "-c", SILENCE.format(threads=threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = ([float(word) for word in line.split()] for line in done.stdout.splitlines())
    # exp(-t / tau) leaves the normal numbers after 710 tau, here 0.36 s; flushed, the decay stops there.
    assert len(after) == 3
    assert min(before) > 1e-10
    assert all(left == 0.0 or 2.2e-308 < left < 1e-300 for left in after)


def test_running_prints_nothing(capfd):
    with open_nest(small_deterministic_network(CURRENT_BASED)) as simulator:
        assert len(simulator.run(500, drive(500)))
    assert capfd.readouterr() == ("", "")


def test_threads_are_chosen_and_give_the_same_spikes():
    network, stimulus = small_deterministic_network(ADAPTING), drive(2_000)
    runs = []
    for threads in (1, 2):
        with open_nest(network, threads=threads) as simulator:
            assert f"{threads} thread" in simulator.backend
            runs.append(simulator.run(2_000, stimulus))
    assert len(runs[0]) > 40
    np.testing.assert_array_equal(runs[0].step, runs[1].step)
    np.testing.assert_array_equal(runs[0].neuron, runs[1].neuron)


def test_few_neurons_run_on_one_thread():
    with open_nest(probe(CURRENT_BASED)) as simulator:
        assert simulator.backend.endswith("1 thread")


@pytest.mark.parametrize("interval_ms", [0.1, 1.0, 10.0, 100.0])
def test_updates_of_weights_do_not_depend_on_windows(interval_ms):
    network, stimulus = trained(), lessons(3_000)
    results = []
    for lengths in ((3_000,), (1, 499, 1_500, 1_000)):
        with open_nest(network, plasticity_interval_ms=interval_ms) as simulator:
            blocks = [simulator.run(n, window(stimulus, simulator.step + 1, n)) for n in lengths]
            results.append((np.concatenate([b.step for b in blocks]), simulator.weights("source>target")))
    assert results[0][1].min() < 50
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_an_interval_that_is_no_number_of_steps_is_refused():
    with pytest.raises(BrainError, match=r"plasticity_interval_ms: 0\.25 ms .* steps of 0\.1 ms"):
        open_nest(trained(), plasticity_interval_ms=0.25)


@pytest.mark.parametrize("dt_ms", [0.1, 0.3, 0.7, 2.0])
def test_without_plastic_weights_and_delays_any_step_will_do(dt_ms):
    """The interval between updates of weights that do not exist was once "a delay of 100.0 ms"."""
    alone = Network((Population("E", 2, CURRENT_BASED, {"I_e": 500.0, "t_ref": 2 * dt_ms}),))
    with open_simulator(alone, SimulatorSettings(name="nest"), seed=1, dt_ms=dt_ms) as simulator:
        assert len(simulator.run(1_000)) > 2


def test_updates_at_every_step_are_exact():
    """At one update a step NEST transmits what the rule's exact order would, but for the step itself."""
    network = trained(learning_rate=1000.0, homeostasis=0.0)
    targets = network.neurons("target")
    with open_nest(network, plasticity_interval_ms=0.1) as simulator:
        simulator.run(1_000, spikes([10, 10], [0, 12]))
        after = simulator.run(1_000, spikes(1_100, 0))
    assert len(after) == 1
    assert not (after.neuron >= targets.start).any()


def test_a_weight_that_was_set_is_depressed_to_the_value_that_was_last_transmitted():
    """NEST kept the weight that was set, as the update compared with the weight before it."""
    network = trained(learning_rate=1000.0, homeostasis=0.0)
    targets, everyone = network.neurons("target"), np.arange(13)
    with open_nest(network, plasticity_interval_ms=100.0) as simulator:
        initial = simulator.weights("source>target")
        for begin in (0, 2_000):
            simulator.set_weights("source>target", initial)
            simulator.run(1_000, spikes(np.full(13, begin + 10), everyone))
            assert (simulator.weights("source>target") == 0.0).all()
            after = simulator.run(1_000, spikes(np.full(12, begin + 1_100), everyone[:12]))
            assert len(after) == 12
            assert not (after.neuron >= targets.start).any()


def test_the_weight_of_a_single_synapse_can_be_set():
    cells = [Population(name, 1, CURRENT_BASED) for name in "AB"]
    network = Network(
        cells, [Projection("p", "A", "B", AllToAll(), 3000.0)], [SpikeInput("i", "A", 20_000.0)]
    )
    with open_nest(network) as simulator:
        assert 1 in simulator.run(100, spikes(5, 0)).neuron
        simulator.set_weights("p", np.zeros((1, 1)))
        after = simulator.run(100, spikes(105, 0))
    assert 0 in after.neuron
    assert 1 not in after.neuron


# -- networks that NEST wires itself ------------------------------------------------------------------


@pytest.fixture
def drawn_by_nest(monkeypatch):
    """Let NEST draw even small networks, where the result can be looked at."""
    monkeypatch.setattr("ethospike.brains.network.network.NUMPY_WIRING_LIMIT", 10)
    # NEST aborts the process when it is asked for connections that it did not have to remember.
    monkeypatch.setattr("ethospike.brains.nest.simulator.NestSimulator._looks_up_synapses", lambda self: True)


def connections(simulator):
    """Return the (source, target) pairs and the weights between neurons, counted from 0."""
    from ethospike.brains.nest.kernel import nest

    everyone = nest.NodeCollection(range(1, simulator.animals * simulator.network.n_neurons + 1))
    found = nest.GetConnections(everyone, everyone).get(["source", "target", "synapse_model"])
    pairs = np.column_stack([found["source"], found["target"]]) - 1
    # Homogeneous weights belong to the synapse model (its name ends with the weight), others to the synapse.
    if not any(" " in model for model in found["synapse_model"]):
        return pairs, np.array(nest.GetConnections(everyone, everyone).get("weight"))
    weight = {model: nest.GetDefaults(model)["weight"] for model in set(found["synapse_model"])}
    return pairs, np.array([weight[model] for model in found["synapse_model"]])


class Constant:
    """A distribution that no simulator knows."""

    def draw(self, rng, size):
        return np.ones(size)


def clustered(rule, weight, recurrent, delay_ms=1.0):
    populations = [Population("E", 40, CURRENT_BASED, clusters=4)]
    if not recurrent:
        populations.append(Population("I", 20, CURRENT_BASED, clusters=4))
    projection = Projection("p", "E", "E" if recurrent else "I", rule, weight, delay_ms)
    return Network(tuple(populations), (projection,))


@pytest.mark.parametrize("recurrent", [True, False], ids=["recurrent", "feedforward"])
@pytest.mark.parametrize("weight", [2.0, ClusteredWeight(3.0, -1.0)], ids=["uniform", "clustered"])
@pytest.mark.parametrize(
    "rule", [AllToAll(), PairwiseBernoulli(0.4), ClusteredIndegree(3)], ids=lambda r: type(r).__name__
)
@pytest.mark.usefixtures("drawn_by_nest")
def test_nest_draws_the_rules(rule, weight, recurrent):
    network = clustered(rule, weight, recurrent)
    assert not network.is_wired_by_numpy
    with open_nest(network) as simulator:
        pairs, weights = connections(simulator)
    source, target = pairs[:, 0], pairs[:, 1] - (0 if recurrent else 40)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert not recurrent or (source != target).all()
    n_target = 40 if recurrent else 20
    possible = 40 * n_target - (40 if recurrent else 0)
    match rule:
        case AllToAll():
            assert len(pairs) == possible
        case PairwiseBernoulli(p):
            assert abs(len(pairs) - p * possible) < 5 * np.sqrt(possible * p * (1 - p))
        case ClusteredIndegree(k):
            of_pair = np.zeros((4, n_target), int)
            np.add.at(of_pair, (source // 10, target), 1)
            assert (of_pair == k).all()
    if isinstance(weight, ClusteredWeight):
        same = source // 10 == target // (n_target // 4)
        np.testing.assert_array_equal(weights, np.where(same, 3.0, -1.0))
    else:
        assert (weights == 2.0).all()


@pytest.mark.parametrize("recurrent", [True, False], ids=["recurrent", "feedforward"])
@pytest.mark.usefixtures("drawn_by_nest")
def test_nest_draws_a_fixed_indegree_through_clusters_of_two_weights(recurrent):
    """In-degrees of 12 from 40 sources, of whom the target's own cluster has 10."""
    with open_nest(clustered(FixedIndegree(12), ClusteredWeight(3.0, -1.0), recurrent)) as simulator:
        pairs, weights = connections(simulator)
    n_target = 40 if recurrent else 20
    source, target = pairs[:, 0], pairs[:, 1] - (0 if recurrent else 40)
    assert (np.bincount(target, minlength=n_target) == 12).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert not recurrent or (source != target).all()
    same = source // 10 == target // (n_target // 4)
    np.testing.assert_array_equal(weights, np.where(same, 3.0, -1.0))
    # Hypergeometric: 12 draws from `own` in the cluster and 30 in the others, independent for each target.
    own = 9 if recurrent else 10
    share, left = own / (own + 30), (own + 30 - 12) / (own + 29)
    mean, variance = n_target * 12 * share, n_target * 12 * share * (1 - share) * left
    assert abs(same.sum() - mean) < 4 * np.sqrt(variance)
    assert len(np.unique(np.bincount(target[same], minlength=n_target))) > 2


@pytest.mark.usefixtures("drawn_by_nest")
def test_one_to_one_with_clustered_weights_lies_within_clusters():
    populations = [Population(name, 40, CURRENT_BASED, clusters=4) for name in "EI"]
    network = Network(populations, [Projection("p", "E", "I", OneToOne(), ClusteredWeight(3.0, -1.0))])
    with open_nest(network) as simulator:
        pairs, weights = connections(simulator)
    assert sorted(map(tuple, pairs.tolist())) == [(i, i + 40) for i in range(40)]
    assert (weights == 3.0).all()


@pytest.mark.usefixtures("drawn_by_nest")
def test_nest_draws_a_fixed_indegree_and_takes_listed_pairs():
    with open_nest(clustered(FixedIndegree(5), 1.0, True)) as simulator:
        pairs, _ = connections(simulator)
    assert (np.bincount(pairs[:, 1]) == 5).all()
    listed = np.column_stack([np.arange(20), np.arange(20) + 1])
    with open_nest(clustered(Explicit(listed), np.arange(1.0, 21.0), True)) as simulator:
        pairs, weights = connections(simulator)
    order = np.argsort(pairs[:, 0])
    np.testing.assert_array_equal(pairs[order], listed)
    np.testing.assert_array_equal(weights[order], np.arange(1.0, 21.0))


@pytest.mark.usefixtures("drawn_by_nest")
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (clustered(FixedTotalNumber(20), 1.0, True), "FixedTotalNumber.*multapses=True"),
        (clustered(FixedOutdegree(5), ClusteredWeight(1.0, 2.0), True), "within and across clusters"),
        (clustered(AllToAll(), np.ones(1560), True), "one weight a synapse needs the rule Explicit"),
        (clustered(AllToAll(), 1.0, True, np.ones(1560)), "one delay a synapse needs the rule Explicit"),
        (clustered(AllToAll(), Constant(), True), r"weight: NEST .* has no .*it has Uniform, Normal"),
        (trained(), "plastic"),
    ],
    ids=["rule", "clustered", "weights", "delays", "distribution", "plastic"],
)
def test_what_nest_cannot_draw_is_refused(network, message):
    with pytest.raises(BrainError, match=message):
        open_nest(network)


@pytest.mark.usefixtures("drawn_by_nest")
@pytest.mark.parametrize(
    ("rule", "ends", "degrees"),
    [
        (FixedOutdegree(5), 0, {5}),
        (FixedOutdegree(45, multapses=True), 0, {45}),
        (FixedIndegree(45, multapses=True), 1, {45}),
        (RandomIndegree(2, 6), 1, {2, 3, 4, 5, 6}),
    ],
)
def test_nest_draws_degrees(rule, ends, degrees):
    with open_nest(clustered(rule, 1.0, True)) as simulator:
        pairs, _ = connections(simulator)
    assert set(np.bincount(pairs[:, ends], minlength=40)) == degrees
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert (len(np.unique(pairs, axis=0)) == len(pairs)) == (not rule.may_repeat_pairs)


@pytest.mark.usefixtures("drawn_by_nest")
def test_nest_draws_a_total_number():
    with open_nest(clustered(FixedTotalNumber(2_000, multapses=True), 1.0, True)) as simulator:
        pairs, _ = connections(simulator)
    assert len(pairs) == 2_000


@pytest.mark.usefixtures("drawn_by_nest")
@pytest.mark.parametrize(
    "drawn",
    [Uniform(1.0, 3.0), Normal(2.0, 0.5, low=1.0), LogNormal(2.0, 1.0), LogNormal(-2.0, 1.0)],
    ids=repr,
)
def test_nest_draws_weights_and_delays(drawn):
    """Mean and standard deviation are those of the same distribution drawn by NumPy."""
    from ethospike.brains.nest.kernel import nest

    with open_nest(clustered(FixedIndegree(30), drawn, True, Normal(3.0, 1.0, low=0.1))) as simulator:
        everyone = nest.NodeCollection(range(1, simulator.network.n_neurons + 1))
        got = nest.GetConnections(everyone, everyone).get(["weight", "delay"])
    weight, delay = np.array(got["weight"]), np.array(got["delay"])
    expected = drawn.draw(np.random.default_rng(0), 200_000)
    assert len(weight) == 1_200
    assert abs(weight.mean() - expected.mean()) < 5 * expected.std() / np.sqrt(1_200)
    assert weight.std() == pytest.approx(expected.std(), rel=0.25)
    assert 2.8 < delay.mean() < 3.2
    np.testing.assert_allclose(delay, np.round(delay, 1), atol=1e-9)


@pytest.mark.usefixtures("drawn_by_nest")
def test_nest_draws_each_animal_for_itself():
    with open_nest(clustered(FixedIndegree(5), 1.0, True), animals=2) as simulator:
        pairs, _ = connections(simulator)
    first, second = (np.sort(pairs[pairs[:, 1] // 40 == a] - 40 * a, axis=0) for a in range(2))
    assert len(first) == len(second) == 200
    assert first.min() == second.min() == 0
    assert first.max() == second.max() == 39
    assert not np.array_equal(first, second)


@pytest.mark.usefixtures("drawn_by_nest")
def test_seeds_of_wiring_by_nest():
    found = []
    for seed in (1, 1, 2):
        with open_nest(clustered(PairwiseBernoulli(0.4), 1.0, True), seed=seed) as simulator:
            found.append(connections(simulator)[0].tolist())
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.usefixtures("drawn_by_nest")
def test_weights_of_synapses_that_nest_drew_are_refused():
    with (
        open_nest(clustered(PairwiseBernoulli(0.4), 1.0, True)) as simulator,
        pytest.raises(BrainError, match="simulator draws"),
    ):
        simulator.weights("p")


def test_one_to_one_between_populations_of_equal_size():
    network = Network(
        (Population("E", 5, CURRENT_BASED), Population("I", 5, CURRENT_BASED)),
        (Projection("p", "E", "I", OneToOne(), 1.0),),
    )
    with open_nest(network) as simulator:
        pairs, weights = connections(simulator)
    assert (weights == 1.0).all()
    assert sorted(map(tuple, pairs.tolist())) == [(i, i + 5) for i in range(5)]


@pytest.mark.parametrize(("in_degree", "threads"), [(400, 1), (600, cores())])
def test_threads_are_used_where_there_is_work_for_them(in_degree, threads):
    """Threads meet after every shortest delay, which costs more than they save where synapses are few."""
    projection = Projection("E>E", "E", "E", FixedIndegree(in_degree), 1.0, 1.0)
    network = Network([Population("E", 1_000, CURRENT_BASED)], [projection])
    with open_nest(network) as simulator:
        assert f" {threads} thread" in simulator.backend


def test_inputs_do_not_shorten_the_interval_in_which_nest_exchanges_spikes():
    from ethospike.brains.nest.kernel import nest

    cells = Population("E", 10, CURRENT_BASED)
    projections = [Projection("p", "E", "E", AllToAll(), 1.0, delay_ms=d) for d in (1.5,)]
    for inputs, shortest in (
        ([SpikeInput("i", "E", 1.0)], 1.5),
        ([SpikeInput("i", "E", 1.0, delay_ms=0.2)], 0.2),
    ):
        with open_nest(Network([cells], projections, inputs)):
            assert nest.min_delay == pytest.approx(shortest)


def test_what_does_not_fit_into_memory_is_refused_with_the_numbers(monkeypatch):
    monkeypatch.setattr("ethospike.brains.memory.free_bytes", lambda: 1e6)
    with pytest.raises(BrainError, match=r"nest: 2 animals with 9,900 synapses each would take about"):
        open_nest(
            Network([Population("E", 100, CURRENT_BASED)], [Projection("p", "E", "E", AllToAll(), 1.0)]),
            animals=2,
        )


@pytest.mark.parametrize("windows", [[200], [1] * 7 + [193], [2, 1, 50, 147]])
def test_currents_flow_as_through_generators_where_delays_are_long(windows):
    """With a delay of 1 ms through I_e, with one of 0.1 ms through generators: the same spikes."""
    from ethospike.brains.nest.kernel import nest

    cells = Population("E", 12, CURRENT_BASED, {"I_e": np.linspace(0.0, 400.0, 12), "t_ref": 0.5})
    inputs = (CurrentInput("a", "E", channels=3), CurrentInput("b", "E", channels=2, start=2, stop=10))
    blocks = []
    for delay_ms in (1.0, 0.1):
        silent = Projection("p", "E", "E", AllToAll(), 0.0, delay_ms)
        with open_nest(Network([cells], [silent], current_inputs=inputs), animals=2) as simulator:
            assert nest.min_delay == pytest.approx(delay_ms)
            rng, parts = np.random.default_rng(1), []
            for index, n in enumerate(windows):
                current_pa = rng.choice([0.0, 2e4], (2, 5)) if index % 3 != 2 else None
                stimulus = None if current_pa is None else Stimulus.currents(current_pa)
                parts.append(simulator.run(n, stimulus))
            parts.append(simulator.run(50))
        blocks.append(SpikeBlock.joined(parts))
    assert_same(*blocks, at_least=50)
