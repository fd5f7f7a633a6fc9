"""What is GeNN's own: compiled code and its cache, wiring drawn by GeNN, plasticity inside GeNN.

The conformance suite (test_conformance.py) covers the rest of the contract.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys

import numpy as np
import pytest
from places import EXAMPLES
from spike_blocks import assert_same

from ethospike.brains.circuits.mushroom_body import PRESETS, mushroom_body
from ethospike.brains.conformance.specimens import (
    ADAPTING,
    CURRENT_BASED,
    FIRE,
    LEAKY,
    cell,
    poisson_spikes,
    spikes,
    window,
)
from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    DopamineGated,
    Explicit,
    FixedIndegree,
    FixedOutdegree,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    RandomIndegree,
    SpikeInput,
    Uniform,
)
from ethospike.brains.network import network as network_module
from ethospike.brains.simulator import (
    SimulatorSettings,
    SpikeBlock,
    Stimulus,
    open_simulator,
    plastic_events,
)
from ethospike.errors import BrainError, SimulatorNotInstalled, SimulatorUnavailable
from ethospike.recorders.recording import open_recording

pytestmark = pytest.mark.simulator("genn")

GENN = SimulatorSettings("genn", genn_backend="cpu")
GENN_DOUBLE = SimulatorSettings("genn", genn_backend="cpu", precision="double")


def relay(weight=FIRE[CURRENT_BASED], **deviations):
    """Twelve cells that a spike makes fire, and their targets; one structure for many tests."""
    return Network(
        (cell("source", 12, CURRENT_BASED, t_ref=20.0), cell("target", 12, CURRENT_BASED, **deviations)),
        (Projection("source>target", "source", "target", PairwiseBernoulli(0.3), weight, 0.3),),
        (SpikeInput("fire", "source", FIRE[CURRENT_BASED]),),
    )


# -- compiled code --------------------------------------------------------------------------------------


def compiled_models(folder):
    return [path for path in (folder / "genn").glob("*/librunner.so")]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ETHOSPIKE_CACHE", str(tmp_path))
    return tmp_path


def test_values_seeds_and_new_wiring_compile_nothing(cache):
    """Each of these changed GeNN's own hash: parameters, currents, weights, wiring, row lengths."""
    others = [relay(C_m=200.0, tau_syn_ex=3.0), relay(I_e=20.0, V_th=-50.0), relay()]
    for seed, network in enumerate([relay(), relay(weight=10.0), *others]):
        with open_simulator(network, GENN, seed=seed) as simulator:
            assert len(simulator.run(100, spikes(5, np.arange(12)))) >= 12
    (library,) = compiled_models(cache)
    assert sorted(p.name for p in library.parent.parent.iterdir()) == sorted(
        [library.parent.name, f"{library.parent.name}.lock"]
    ), "folders of open models must not stay"


def test_two_processes_start_the_same_scenario_at_once(cache, tmp_path):
    """Both find no compiled model; one compiles it, the other waits for it, and both are the same run."""
    example = EXAMPLES / "vehicle.py"
    words = ["--duration-s", "0.3", "--simulator", "genn", "--genn-backend", "cpu", "--quiet"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "ethospike.scenarios", "run", example, *words, "--out", tmp_path / name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    said = [process.communicate(timeout=240) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert len(compiled_models(cache)) == 1
    backend = f"genn {importlib.metadata.version('pygenn')}, cpu backend, single precision"
    recordings = []
    for name, (out, err) in zip(("one", "other"), said, strict=True):
        assert err == ""
        assert out.startswith("complete: "), "expected the program's own output and nothing else"
        assert backend in out
        assert json.loads((tmp_path / name / "run.json").read_text())["backend"] == backend
        recordings.append(open_recording(tmp_path / name))
    one, other = (recording.spikes() for recording in recordings)
    assert_same(one, other, at_least=10)


def test_equal_models_in_one_process_do_not_touch_each_other():
    """The system loads a library once; two models that shared one would share their state."""
    fire = [spikes(np.arange(3, 900, 50), channel) for channel in (0, 7)]
    alone = []
    for stimulus in fire:
        with open_simulator(relay(), GENN, seed=1) as simulator:
            alone.append(simulator.run(1000, stimulus))
    with open_simulator(relay(), GENN, seed=1) as one, open_simulator(relay(), GENN, seed=1) as other:
        together = [[], []]
        for begin in range(0, 1000, 100):
            for simulator, stimulus, blocks in zip((one, other), fire, together, strict=True):
                blocks.append(simulator.run(100, window(stimulus, begin + 1, 100)))
    assert len(alone[0]) > 4
    for expected, blocks in zip(alone, together, strict=True):
        assert_same(expected, SpikeBlock.joined(blocks), at_least=20)


def test_a_compiler_that_fails_is_reported_with_its_output(cache, monkeypatch):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(SimulatorUnavailable, match=r"not compiled.*failed-build\.log.*CXX=/no/such/compiler"):
        open_simulator(relay(), GENN, seed=1)
    assert "/no/such/compiler" in (cache / "genn" / "failed-build.log").read_text()


def test_a_cache_that_cannot_be_written_is_replaced(tmp_path, monkeypatch, capfd):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ETHOSPIKE_CACHE", str(tmp_path / "file"))
    with open_simulator(relay(), GENN, seed=1) as simulator:
        simulator.run(10)
    assert str(tmp_path / "file") in capfd.readouterr().err


@pytest.mark.parametrize(("version", "message"), [("4.9.0", "found 4.9.0"), (None, "absent")])
def test_another_or_no_version_is_refused_in_one_message(monkeypatch, version, message):
    from ethospike.brains.genn import library as genn_library

    def found(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", found)
    with pytest.raises(SimulatorNotInstalled, match=rf"{message}.*docs/simulators\.md"):
        genn_library._import_genn()


def test_the_backend_is_chosen_explicitly_and_named():
    from ethospike.brains.genn.simulator import backends

    assert backends()[-1] == "cpu"
    with open_simulator(relay(), GENN, seed=1) as simulator:
        version = importlib.metadata.version("pygenn")
        assert simulator.backend == f"genn {version}, cpu backend, single precision"
    for absent in {"cuda", "hip"} - set(backends()):
        with pytest.raises(SimulatorUnavailable, match=f"'{absent}' is not available.*has: .*cpu"):
            open_simulator(relay(), SimulatorSettings("genn", genn_backend=absent), seed=1)


def test_watching_changes_no_spike_and_other_quantities_are_refused():
    network, fire = relay(weight=1000.0), spikes(np.arange(3, 300, 50), np.arange(6))
    with open_simulator(network, GENN, seed=1) as one, open_simulator(network, GENN, seed=1) as other:
        one.watch(np.arange(12, 24))
        assert_same(one.run(300, fire), other.run(300, fire), at_least=6)
        assert one.voltages().shape == (300, 1, 12)
        assert np.ptp(one.voltages()[:, 0], axis=0).max() > 1.0
        with pytest.raises(BrainError, match="genn records V_m, got 'g_ex'; NEST records others"):
            one.watch(np.array([0]), "g_ex")


@pytest.mark.parametrize("model", LEAKY)
def test_a_state_that_is_not_finite_is_an_error_that_names_the_neuron(model):
    """A conductance that overflows once silenced its neuron without a word."""
    network = Network(
        [Population("quiet", 3, model), Population("loud", 2, model)],
        (),
        [SpikeInput("spikes", "loud", 1e38, channels=2)],
    )
    volley = Stimulus(np.full(9, 1201), np.ones(9, np.int32), np.ones(9, np.int32))
    with open_simulator(network, GENN, seed=1, animals=2) as simulator:
        for first in range(1, 2001, 100):
            assert simulator.step == first - 1
            simulator.run(100, volley if first == 1201 else None)
        with pytest.raises(BrainError, match=r"neuron 1 of 'loud' in animal 1.*after step 2100"):
            simulator.run(100)  # 1000 steps after step 1100, which is 1000 after the first window


def test_weights_beyond_the_precision_are_refused():
    cells = Population("E", 20, CURRENT_BASED)
    listed = Projection("p", "E", "E", PairwiseBernoulli(0.5), -1e39)
    for network, message in (
        (Network([cells], [listed]), "Projection 'p'.weight: .*3.4e.38.*single precision, got 1e.39"),
        (Network([cells], (), [SpikeInput("i", "E", 1e39)]), "SpikeInput 'i'.weight"),
    ):
        with pytest.raises(BrainError, match=message):
            open_simulator(network, GENN, seed=1)
    with (
        open_simulator(relay(), GENN, seed=1) as simulator,
        pytest.raises(BrainError, match="single precision"),
    ):
        simulator.set_weights("source>target", 1e36 * simulator.weights("source>target"))


# -- plasticity -----------------------------------------------------------------------------------------


def two_lessons(delays_ms):
    """Two plastic projections from one source onto one target, each with its modulator, and a long delay
    from the same source, so that GeNN keeps its spikes and variables in queues."""
    rules = [
        DopamineGated(name, tau_eligibility_ms=tau, learning_rate=2.0, homeostasis=0.02)
        for name, tau in (("bad", 100.0), ("good", 400.0))
    ]
    return Network(
        (
            cell("source", 8, ADAPTING, t_ref=3.0),
            cell("bad", 2, ADAPTING, t_ref=1.0),
            cell("good", 1, ADAPTING, t_ref=1.0),
            cell("target", 3, ADAPTING, tau_syn_ex=3.0),
            cell("other", 2, ADAPTING),
        ),
        (
            Projection("A", "source", "target", FixedIndegree(5), 60.0, delays_ms[0], rules[0]),
            Projection("B", "source", "target", AllToAll(), 60.0, delays_ms[1], rules[1]),
            Projection("far", "source", "other", AllToAll(), 5.0, 1.7),
        ),
        tuple(SpikeInput(f"to {name}", name, FIRE[ADAPTING]) for name in ("source", "bad", "good")),
    )


@pytest.mark.parametrize("delays_ms", [(0.1, 0.3), (0.2, 0.1)])
def test_weights_follow_the_reference_rule(delays_ms):
    network, animals, n_steps = two_lessons(delays_ms), 2, 4000
    stimulus = poisson_spikes(n_steps, range(11), 0.004, animals)
    with open_simulator(network, GENN, seed=5, animals=animals) as simulator:
        blocks, seen = [], []
        for n in (1500, 1, 1, 2, 3, 993, 1500):  # weights are asked for while events are under way
            blocks.append(simulator.run(n, window(stimulus, simulator.step + 1, n)))
            seen.append((simulator.step, {name: simulator.weights(name) for name in ("A", "B")}))
    block = SpikeBlock.joined(blocks)
    assert len(block) > 300
    for animal in range(animals):
        for name in ("A", "B"):

            def after(step, name=name, animal=animal):
                events = plastic_events(network, name, block, animal, first_step=1, n_steps=step)
                return network.reference(name, 5, animal, 0.1).apply(events)

            assert np.ptp(after(n_steps)) > 1.0
            for step, weights in seen:
                np.testing.assert_allclose(weights[name][animal], after(step), rtol=0, atol=1e-9)


@pytest.mark.parametrize("delay_ms", [0.1, 0.2, 0.5])
def test_a_plastic_spike_carries_the_weight_of_its_own_step_and_arrives_in_time(delay_ms):
    """Source and modulator fire together: nothing is left to be sent. The source alone: the full weight."""
    rule = DopamineGated("teacher", learning_rate=3000.0, homeostasis=0.0)
    network = Network(
        (
            cell("source", 2, ADAPTING, t_ref=50.0),
            cell("teacher", 1, ADAPTING, t_ref=50.0),
            cell("target", 1, ADAPTING, t_ref=50.0),
        ),
        (Projection("learn", "source", "target", AllToAll(), FIRE[ADAPTING], delay_ms, rule),),
        (
            SpikeInput("fire", "source", FIRE[ADAPTING], delay_ms=0.1),
            SpikeInput("teach", "teacher", FIRE[ADAPTING], delay_ms=0.1),
        ),
    )
    with open_simulator(network, GENN, seed=1) as simulator:
        first = simulator.run(500, spikes([10], [0]))
        second = simulator.run(1000, spikes([1000, 1000], [0, 2]))
        np.testing.assert_allclose(simulator.weights("learn"), [[0.0, FIRE[ADAPTING]]])
    assert first.neuron.tolist() == [0, 3]
    assert first.step.tolist() == [12, 12 + round(delay_ms / 0.1) + 1]
    assert second.neuron.tolist() == [0, 2]


def test_replaced_weights_forget_events_under_way():
    network = two_lessons((0.1, 0.3))
    with open_simulator(network, GENN, seed=5) as simulator:
        assert len(simulator.run(500, spikes([400, 498], [0, 10]))) >= 2  # the teacher fires in step 500
        assert simulator.weights("B").min() < 59.0
        simulator.set_weights("B", np.full((1, 24), 7.0))
        np.testing.assert_array_equal(simulator.weights("B"), 7.0)
        assert len(simulator.run(5)) == 0
        np.testing.assert_array_equal(simulator.weights("B"), 7.0)


def test_replaced_weights_keep_their_sources_eligible():
    """A source fires in the last step before weights are set, a teacher after it; asked for at once, and
    again when GeNN has brought the event in, the weights are the same."""
    network = two_lessons((0.1, 0.3))
    teacher = network.neurons("good").start
    with open_simulator(network, GENN_DOUBLE, seed=5) as simulator:
        first = simulator.run(500, spikes([498, 500], [0, 10]))
        assert (first.step[first.neuron == 0] == 500).all()
        simulator.set_weights("B", np.full((1, 24), 50.0))
        second = simulator.run(2)
        assert second.step[second.neuron == teacher].tolist() == [502]
        at_once = simulator.weights("B")
        simulator.run(2)
        np.testing.assert_allclose(simulator.weights("B"), at_once, rtol=1e-9)
    assert (at_once < 49.0).sum() == 3  # those of source 0


@pytest.mark.simulator("numba")
def test_a_training_larva_is_the_same_larva_as_on_numba():
    """The whole mushroom body of two animals, with plasticity, spike by spike, for half a second."""
    network = mushroom_body(PRESETS["calibrated"])
    rng = np.random.default_rng(1)
    drawn = rng.random((5000, 2, 23)) < np.r_[np.full(21, 0.03), 0.1, 0.0]
    step, animal, channel = np.nonzero(drawn)
    stimulus = Stimulus(step + 1, animal.astype(np.int32), channel.astype(np.int32))
    runs = []
    for settings in (GENN_DOUBLE, SimulatorSettings("numba", precision="double")):
        with open_simulator(network, settings, seed=3, animals=2) as simulator:
            block = SpikeBlock.joined(
                [simulator.run(100, window(stimulus, k + 1, 100)) for k in range(0, 5000, 100)]
            )
            runs.append((block, simulator.weights("KC>MBONn")))
    (one, weights), (other, expected) = runs
    for part in ("KC", "MBONn", "DANp"):
        neurons = network.neurons(part)
        assert ((one.neuron >= neurons.start) & (one.neuron < neurons.stop)).sum() > 10
    assert_same(one, other)
    assert weights.min() < 79.0
    np.testing.assert_allclose(weights, expected, rtol=1e-9)


# -- synapses that GeNN draws ---------------------------------------------------------------------------


@pytest.fixture
def drawn_by_genn(monkeypatch):
    monkeypatch.setattr(network_module, "NUMPY_WIRING_LIMIT", 0)


def drawn_network(rule_ee, rule_ei, **given):
    cells = [
        Population("E", 60, CURRENT_BASED, {"V_m": -54.0}, clusters=4),
        Population("I", 20, CURRENT_BASED, clusters=4),
    ]
    weight, delay_ms = given.get("weight", ClusteredWeight(3000.0, 1000.0)), given.get("delay_ms", 0.1)
    return Network(
        cells,
        [
            Projection("E>E", "E", "E", rule_ee, weight, delay_ms),
            Projection("E>I", "E", "I", rule_ei, weight, delay_ms),
        ],
    )


def synapses(simulator, index):
    group = list(simulator._model.synapse_populations.values())[index]
    group.pull_connectivity_from_device()
    return np.stack([group.get_sparse_pre_inds(), group.get_sparse_post_inds()])


def test_drawn_weights_beyond_the_precision_are_refused(drawn_by_genn):
    rule = ClusteredIndegree(5)
    with pytest.raises(BrainError, match=r"'E>E'.weight.*got 1e\+39"):
        open_simulator(drawn_network(rule, rule, weight=ClusteredWeight(1.0, 1e39)), GENN, seed=1)


def test_clustered_indegree_is_exact_without_autapses_and_multapses(drawn_by_genn):
    found = []
    for seed in (1, 2, 1):
        network = drawn_network(ClusteredIndegree(5), ClusteredIndegree(6))
        with open_simulator(network, GENN, seed=seed) as simulator:
            found.append([synapses(simulator, index) for index in (0, 1)])
    for (source, target), k, n_target in zip(found[0], (5, 6), (60, 20), strict=True):
        pairs = np.zeros((60, n_target), int)
        np.add.at(pairs, (source, target), 1)
        assert pairs.max() == 1, "a multapse"
        assert (pairs.reshape(4, 15, n_target).sum(axis=1) == k).all()
    assert not (found[0][0][0] == found[0][0][1]).any(), "an autapse"
    for index in (0, 1):
        np.testing.assert_array_equal(found[0][index], found[2][index])
        assert not np.array_equal(found[0][index], found[1][index])


def test_drawn_pairs_are_equally_probable(drawn_by_genn):
    """Chi-square of out-degrees, and of the distances between source and target: n ± sqrt(2 n)."""
    n, k = 400, 40
    network = Network([Population("E", n, CURRENT_BASED)], [Projection("E", "E", "E", FixedIndegree(k), 1.0)])
    with open_simulator(network, GENN, seed=1) as simulator:
        source, target = synapses(simulator, 0)
    assert len(source) == n * k
    p = k / (n - 1)
    for found, bins in ((source, n), ((target - source) % n - 1, n - 1)):
        count = np.bincount(found, minlength=bins)
        statistic = ((count - n * k / bins) ** 2).sum() / (n * p * (1 - p))
        assert abs(statistic - bins) < 4 * np.sqrt(2 * bins)


def test_other_rules_are_drawn_as_described(drawn_by_genn):
    network = drawn_network(RandomIndegree(3, 9), PairwiseBernoulli(0.25))
    with open_simulator(network, GENN, seed=1) as simulator:
        indegree = np.bincount(synapses(simulator, 0)[1], minlength=60)
        n_pairs = synapses(simulator, 1).shape[1]
    assert set(indegree) == set(range(3, 10))
    assert abs(n_pairs - 300) < 5 * np.sqrt(1200 * 0.25 * 0.75)
    pairs = np.array([[0, 1], [59, 3], [7, 19]])
    with open_simulator(drawn_network(AllToAll(), Explicit(pairs)), GENN, seed=1) as simulator:
        source, target = synapses(simulator, 0)
        assert len(source) == 60 * 59
        assert not (source == target).any()
        np.testing.assert_array_equal(synapses(simulator, 1).T, pairs[np.argsort(pairs[:, 0])])


def test_drawn_networks_have_the_weights_of_their_clusters(drawn_by_genn, monkeypatch):
    """The same pairs, given one by one to a network that NumPy wires, give the same spikes."""
    network = drawn_network(ClusteredIndegree(5), ClusteredIndegree(6))
    with open_simulator(network, GENN_DOUBLE, seed=1) as simulator:
        pairs = [synapses(simulator, index).T for index in (0, 1)]
        drawn = simulator.run(1000)
    monkeypatch.undo()
    with open_simulator(drawn_network(*map(Explicit, pairs)), GENN_DOUBLE, seed=1) as simulator:
        wired = simulator.run(1000)
    assert len(drawn) > 200
    assert set(np.unique(drawn.neuron)) == set(range(80))
    assert_same(drawn, wired)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"animals": 2}, "animals: expected 1, got 2"),
        ({"weight": Uniform(1.0, 2.0)}, "'E>E'.weight.*gives them one weight"),
        ({"delay_ms": Uniform(1.0, 2.0)}, "'E>E'.delay_ms.*gives them one delay"),
        ({"rule": FixedOutdegree(2)}, "cannot draw the rule FixedOutdegree"),
        ({"rule": FixedIndegree(2, multapses=True)}, "cannot draw multapses"),
        ({"weight": ClusteredWeight(1.0, -1.0)}, "one sign"),
    ],
)
def test_what_a_drawn_network_cannot_have_is_refused(drawn_by_genn, change, message):
    rule = change.get("rule", FixedIndegree(2))
    network = drawn_network(rule, rule, **change)
    with pytest.raises(BrainError, match=message):
        open_simulator(network, GENN, seed=1, animals=change.get("animals", 1))


def test_one_to_one_can_be_drawn(drawn_by_genn):
    network = Network([Population("E", 40, CURRENT_BASED)], [Projection("E>E", "E", "E", OneToOne(), 1.0)])
    with open_simulator(network, GENN, seed=1) as simulator:
        np.testing.assert_array_equal(synapses(simulator, 0), np.tile(np.arange(40), (2, 1)))
