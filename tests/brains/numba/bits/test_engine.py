"""Numba's engine of bits: spikes of a dense matrix model and of NEST, and what must not matter."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.linalg import expm
from spike_blocks import assert_same

from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex, parameter_set
from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    CurrentInput,
    DopamineGated,
    FixedIndegree,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.numba import team as thread_team
from ethospike.brains.numba.bits import engine as numba_dense
from ethospike.brains.numba.bits import kernels
from ethospike.brains.numba.bits.engine import BitsEngine
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.errors import BrainError, SimulatorUnavailable, StateError

pytestmark = pytest.mark.simulator("numba")

DT_MS = 0.1


def engine(network, *, seed=1, animals=1, precision="double", threads=1, **others):
    return BitsEngine(
        network, seed=seed, animals=animals, dt_ms=DT_MS, precision=precision, threads=threads, **others
    )


def mixed_network(delay_ms=0.1, heterogeneous=False, excitation=15.0, p=0.2):
    """Return two populations in three clusters (80 + 25 neurons: padded words), with all rules and inputs."""
    params = {
        "tau_m": 12.0,
        "t_ref": 1.5,
        "tau_syn_ex": 3.0,
        "tau_syn_in": 2.0,
        "V_m": Uniform(-70.0, -52.0),  # some start above threshold
        "I_e": 330.0,
    }
    if heterogeneous:
        params |= {
            "tau_syn_ex": Uniform(2.0, 4.0),
            "V_th": Uniform(-56.0, -54.0),
            "I_e": Uniform(300.0, 360.0),
            "C_m": Uniform(230.0, 270.0),
            "t_ref": np.resize([1.0, 1.5, 3.0], 240),
        }
    e = Population("E", 240, "iaf_psc_exp", params, 3)
    # The model's own threshold is 15 mV above rest, the one of I 12.
    i = Population("I", 75, "iaf_psc_exp", {"tau_m": 8.0, "V_th": -58.0, "I_e": 300.0}, 3)
    x = excitation
    return Network(
        (e, i),
        (
            Projection("E>E", "E", "E", PairwiseBernoulli(p), ClusteredWeight(2 * x, 0.5 * x), delay_ms),
            Projection("E>I", "E", "I", ClusteredIndegree(20), ClusteredWeight(0.5 * x, 2 * x), delay_ms),
            Projection("I>E", "I", "E", FixedIndegree(30), -2 * x, delay_ms),
            Projection("I>I", "I", "I", AllToAll(), ClusteredWeight(0.0, -x), delay_ms),
        ),
        (
            SpikeInput("kick", "E", 400.0, channels=4, start=40, stop=200, delay_ms=0.3),
            SpikeInput("hold", "I", -300.0, channels=None, start=5, stop=10, delay_ms=0.1),
        ),
        (CurrentInput("cue", "E", channels=3), CurrentInput("push", "I", channels=None, start=3, stop=6)),
    )


def random_windows(network, lengths, seed=3, animals=1):
    """Return a stimulus of spikes and currents for each window of the given numbers of steps."""
    rng = np.random.default_rng(seed)
    windows, first = [], 1
    for n_steps in lengths:
        hit = rng.random((n_steps, animals, network.n_spike_channels)) < 0.02
        step, animal, channel = np.nonzero(hit)
        current = rng.uniform(-50, 150, (animals, network.n_current_channels))
        windows.append(
            Stimulus(first + step, animal.astype(np.int32), channel.astype(np.int32), current_pa=current)
        )
        first += n_steps
    return windows


def run_windows(simulated, windows, lengths, first=1):
    """Run windows one after the other and return all spikes, and all voltages."""
    blocks, voltages = [], []
    for stimulus, n_steps in zip(windows, lengths, strict=True):
        blocks.append(simulated.run(first, n_steps, stimulus))
        voltages.append(simulated.voltages())
        first += n_steps
    return SpikeBlock.joined(blocks), np.concatenate(voltages)


def matrix_model(network, windows, lengths, seed=1, animal=0):
    """Simulate with matrices of weights, as the equations of iaf_psc_exp read: the reference, slow and plain.

    Returns the spikes (step, neuron) and V_m after every step.
    """
    n = network.n_neurons

    def all_of(key):
        return np.concatenate([network.parameter(p.name, key, seed, animal) for p in network.populations])

    v, threshold, reset, rest = all_of("V_m"), all_of("V_th"), all_of("V_reset"), all_of("E_L")
    refractory_steps = np.round(all_of("t_ref") / DT_MS).astype(int)
    keys = ("tau_m", "tau_syn_ex", "tau_syn_in", "C_m")
    # State: i_ex, i_in, v − E_L, constant current.
    propagate = np.empty((n, 4, 4))
    for neuron, (tau_m, tau_ex, tau_in, c_m) in enumerate(zip(*map(all_of, keys), strict=True)):
        equations = np.diag([-1 / tau_ex, -1 / tau_in, -1 / tau_m, 0.0])
        equations[2, [0, 1, 3]] = 1 / c_m
        propagate[neuron] = expm(equations * DT_MS)
    excite, inhibit = np.zeros((n, n)), np.zeros((n, n))
    delay = round(network.projections[0].delay_ms / DT_MS)
    for projection in network.projections:
        synapses = network.wire(projection.name, seed, animal)
        source = network.offset(projection.source) + synapses.source
        target = network.offset(projection.target) + synapses.target
        np.add.at(excite, (target, source), np.maximum(synapses.weight, 0))
        np.add.at(inhibit, (target, source), np.minimum(synapses.weight, 0))
    n_steps = sum(lengths)
    due_ex, due_in = np.zeros((n_steps + 100, n)), np.zeros((n_steps + 100, n))
    channels = [(one, cells) for one in network.spike_inputs for cells in network.channel_neurons(one)]
    current_cells = [cells for one in network.current_inputs for cells in network.channel_neurons(one)]
    external = np.zeros((n_steps + 100, n))
    first = 1
    for stimulus, length in zip(windows, lengths, strict=True):
        mine = stimulus.animal == animal
        for step, channel in zip(stimulus.step[mine], stimulus.channel[mine], strict=True):
            one, cells = channels[channel]
            due = due_ex if one.weight > 0 else due_in
            due[step + round(one.delay_ms / DT_MS), cells] += one.weight
        if stimulus.current_pa is not None:
            for cells, amplitude in zip(current_cells, stimulus.current_pa[animal], strict=True):
                # Given for the window that begins at step `first`, it first moves V_m two steps later.
                external[first + 2 : first + 2 + length, cells] += amplitude
        first += length
    state = np.zeros((n, 4))
    state[:, 2] = v - rest
    left = np.zeros(n, int)
    constant = all_of("I_e")
    spikes, voltages = [], []
    for step in range(1, n_steps + 1):
        state[:, 3] = constant + external[step]
        moved = np.einsum("nij,nj->ni", propagate, state)
        moved[:, 2] = np.where(left > 0, state[:, 2], moved[:, 2])
        left = np.maximum(left - 1, 0)
        state = moved
        state[:, 0] += due_ex[step]
        state[:, 1] += due_in[step]
        fired = np.flatnonzero(state[:, 2] >= threshold - rest)
        state[fired, 2] = (reset - rest)[fired]
        left[fired] = refractory_steps[fired]
        spikes += [(step, neuron) for neuron in fired]
        due_ex[step + delay] += excite[:, fired].sum(axis=1)
        due_in[step + delay] += inhibit[:, fired].sum(axis=1)
        voltages.append(state[:, 2] + rest)
    return np.array(spikes), np.array(voltages)


LENGTHS = [1, 1, 2, 1, 3, 50, 1, 2, 100, 140]


@pytest.mark.parametrize("heterogeneous", [False, True])
@pytest.mark.parametrize("delay_ms", [0.1, 0.7])
def test_spikes_and_voltages_are_those_of_the_matrix_model(heterogeneous, delay_ms):
    network = mixed_network(delay_ms, heterogeneous)
    windows = random_windows(network, LENGTHS)
    expected, expected_voltages = matrix_model(network, windows, LENGTHS)
    simulated = engine(network)
    simulated.watch(np.arange(network.n_neurons))
    spikes, voltages = run_windows(simulated, windows, LENGTHS)
    assert len(expected) > 300
    assert len(np.unique(expected[:, 1])) > 200
    np.testing.assert_array_equal(spikes.step, expected[:, 0])
    np.testing.assert_array_equal(spikes.neuron, expected[:, 1])
    np.testing.assert_allclose(voltages[:, 0], expected_voltages, rtol=0, atol=1e-9)


def test_single_precision_follows_the_matrix_model():
    network = mixed_network()
    windows = random_windows(network, [150])
    expected, expected_voltages = matrix_model(network, windows, [150])
    simulated = engine(network, precision="single")
    simulated.watch(np.arange(network.n_neurons))
    spikes, voltages = run_windows(simulated, windows, [150])
    before = expected[:, 0] <= 40  # later on, rounding decides about single spikes
    assert before.sum() > 50
    same = spikes.step <= 40
    np.testing.assert_array_equal(spikes.neuron[same], expected[before, 1])
    np.testing.assert_allclose(voltages[:40, 0], expected_voltages[:40], rtol=0, atol=1e-3)
    assert len(spikes) == pytest.approx(len(expected), rel=0.05)


def test_more_spikes_a_step_than_a_counter_can_hold():
    """All 600 neurons of a population fire at once: each target must receive 600 weights."""
    together = {"I_e": 1000.0, "V_m": -70.0, "t_ref": 50.0}
    network = Network(
        (Population("E", 600, "iaf_psc_exp", together), Population("target", 3, "iaf_psc_exp")),
        (Projection("E>target", "E", "target", AllToAll(), 0.01),),
    )
    simulated = engine(network)
    simulated.watch(np.arange(600, 603))
    spikes, voltages = run_windows(simulated, [Stimulus.none()], [60])
    assert (spikes.step == spikes.step[0]).all()
    assert len(spikes) == 600
    moved = voltages[spikes.step[0] + 1, 0] + 70.0  # one step after they have arrived
    assert moved == pytest.approx(600 * 0.01 * DT_MS / 250.0, rel=0.06)
    _, expected = matrix_model(network, [Stimulus.none()], [60])
    np.testing.assert_allclose(voltages[:, 0], expected[:, 600:], rtol=0, atol=1e-10)


# -- what must not matter -----------------------------------------------------------------------------


def test_its_threads_are_those_of_all_brains():
    """Pools of its own and of its wiring's once stood beside the shared one, with as many threads again."""
    before = set(threading.enumerate())
    two = engine(mixed_network(), animals=2, threads=2)
    assert len(two.run(1, 500, Stimulus.none())) > 0
    started = {thread.name for thread in set(threading.enumerate()) - before}
    assert all(name.startswith("ethospike-helper") for name in started)
    assert any(thread.name.startswith("ethospike-helper") for thread in threading.enumerate())


def test_animals_do_not_depend_on_each_other_or_on_threads():
    network, lengths = mixed_network(), [50, 51]
    windows = random_windows(network, lengths, animals=3)
    spikes, _ = run_windows(engine(network, animals=3), windows, lengths)
    again, _ = run_windows(engine(network, animals=3, threads=2), windows, lengths)
    assert_same(spikes, again)
    order = np.lexsort((spikes.neuron, spikes.animal, spikes.step))
    np.testing.assert_array_equal(order, np.arange(len(spikes)))
    for animal in range(3):
        expected, _ = matrix_model(network, windows, lengths, animal=animal)
        mine = spikes.animal == animal
        np.testing.assert_array_equal(spikes.step[mine], expected[:, 0])
        np.testing.assert_array_equal(spikes.neuron[mine], expected[:, 1])


@pytest.mark.parametrize("precision", ["single", "double"])
def test_one_animal_is_the_same_on_any_number_of_threads(precision, monkeypatch):
    """Several segments a population, spikes of all kinds, and helpers that come at any time."""
    monkeypatch.setattr("ethospike.brains.numba.bits.engine.LANES_A_THREAD", 64)
    monkeypatch.setattr(thread_team, "MOST_WAITING", 1.0)  # never rest: helpers are to take part
    pool = ThreadPoolExecutor(3)
    monkeypatch.setattr(thread_team, "helpers", lambda: pool)
    network = clustered_cortex(CortexConfig(n_e=4_800, n_i=1_200, clusters=3, j_plus=2.0))
    windows, lengths = [Stimulus.none()] * 4, [1, 300, 1, 2]
    seen = {}
    for threads in (1, 2, 4):
        for _ in range(200):  # on a busy machine, helpers may come after the last window
            simulated = engine(network, precision=precision, threads=threads)
            assert len(simulated._layout.segment_word) >= 4
            assert f"{threads} thread" in simulated.backend
            simulated.watch(np.array([7, 4_900]))
            seen[threads] = *run_windows(simulated, windows, lengths), simulated.state()
            helped = len(simulated._scratches) > 1
            if helped or threads == 1:
                break
        assert helped == (threads > 1)
    assert len(seen[1][0]) > 1000
    for threads in (2, 4):
        assert_same(seen[threads][0], seen[1][0])
        np.testing.assert_array_equal(seen[threads][1], seen[1][1])
        for name, array in seen[1][2].items():
            np.testing.assert_array_equal(seen[threads][2][name], array, err_msg=name)
    pool.shutdown()


def test_a_small_network_stays_on_one_thread():
    assert "bits, 1 thread," in engine(mixed_network(), threads=8).backend
    two = engine(mixed_network(), animals=2, threads=8)
    assert "bits, 2 threads," in two.backend


def test_a_window_whose_spikes_do_not_fit_is_run_in_pieces(monkeypatch):
    network = mixed_network()
    windows = random_windows(network, [200])
    whole, _ = run_windows(engine(network), windows, [200])
    monkeypatch.setattr(numba_dense, "SPIKES_HELD", 5)
    pieces, _ = run_windows(engine(network), windows, [200])
    assert_same(whole, pieces)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_run_continues_from_its_state(precision):
    network, lengths = mixed_network(0.5, heterogeneous=True), [41, 1, 100]
    windows = random_windows(network, lengths, animals=2)
    straight = engine(network, animals=2, precision=precision)
    straight.watch(np.array([3, 250]))
    run_windows(straight, windows[:2], lengths[:2])
    saved = straight.state()
    expected, expected_voltages = run_windows(straight, windows[2:], lengths[2:], first=43)
    other = engine(network, animals=2, precision=precision)
    other.watch(np.array([3, 250]))
    other.run(1, 200, Stimulus.none())
    other.set_state(saved)
    spikes, voltages = run_windows(other, windows[2:], lengths[2:], first=43)
    assert_same(spikes, expected)
    np.testing.assert_array_equal(voltages, expected_voltages)


def test_a_state_that_does_not_fit_changes_nothing():
    simulated = engine(mixed_network())
    before = simulated.state()
    with pytest.raises(StateError, match=r"state\['v'\]"):
        simulated.set_state({**before, "v": before["v"][:, :10]})
    with pytest.raises(StateError, match="expected the entries"):
        simulated.set_state({"v": before["v"]})
    after = simulated.state()
    assert all((before[name] == after[name]).all() for name in before)


def test_other_networks_compile_nothing_again():
    run_windows(engine(mixed_network(), precision="single"), [Stimulus.none()], [5])
    before = len(kernels.advance.signatures)
    others = [
        mixed_network(0.7, heterogeneous=True),
        mixed_network(p=0.3),
        clustered_cortex(CortexConfig(n_e=240, n_i=60)),
        Network((Population("alone", 5, "iaf_psc_exp", {"I_e": 500.0}),)),
    ]
    for seed, network in enumerate(others):
        run_windows(engine(network, seed=seed, precision="single"), [Stimulus.none()], [5])
    assert len(kernels.advance.signatures) == before


def test_wiring_can_be_shared_by_other_weights_and_thresholds():
    first = mixed_network()
    made = engine(first)
    other = mixed_network(excitation=18.0)
    shared, _ = run_windows(engine(other, wiring=made.wiring), [Stimulus.none()], [200])
    own, _ = run_windows(engine(other), [Stimulus.none()], [200])
    assert_same(shared, own)
    assert len(shared) != len(run_windows(made, [Stimulus.none()], [200])[0])
    with pytest.raises(BrainError, match="wiring"):
        engine(mixed_network(p=0.3), wiring=made.wiring)
    with pytest.raises(BrainError, match="wiring"):
        engine(first, seed=2, wiring=made.wiring)


def test_silence_leaves_no_denormal_numbers():
    """All inputs stop; numbers that small make the processor slow."""
    quiet = Population("E", 70, "iaf_psc_exp", {"V_m": Uniform(-70.0, -56.0)})
    network = Network(
        (quiet,),
        (Projection("E>E", "E", "E", PairwiseBernoulli(0.5), 10.0),),
        (SpikeInput("kick", "E", 9000.0, channels=1),),
    )
    simulated = engine(network, precision="single")
    kick = Stimulus(np.array([1]), np.array([0], np.int32), np.array([0], np.int32))
    assert len(simulated.run(1, 100, kick)) > 0
    simulated.run(101, 20_000, Stimulus.none())
    state = simulated.state()
    for name in ("v", "i_ex", "i_in"):
        numbers = np.abs(state[name][np.isfinite(state[name])])
        assert numbers.max() < 1e-25
        assert numbers[numbers > 0].min(initial=1.0) > np.finfo(np.float32).tiny


# -- weights ------------------------------------------------------------------------------------------


def test_weights_are_those_of_the_network_and_can_be_replaced():
    network = mixed_network()
    simulated = engine(network)
    for projection in network.projections:
        expected = network.wire(projection.name, seed=1, animal=0).weight
        np.testing.assert_allclose(simulated.weights(projection.name)[0], expected, rtol=1e-12)
    stronger = simulated.weights("E>E") * 1.2
    simulated.set_weights("E>E", stronger)
    simulated.set_weights("I>E", simulated.weights("I>E") * 1.2)
    np.testing.assert_allclose(simulated.weights("E>E"), stronger, rtol=1e-12)
    spikes, _ = run_windows(simulated, [Stimulus.none()], [200])
    changed = [
        dataclasses.replace(p, weight=ClusteredWeight(36.0, 9.0))
        if p.name == "E>E"
        else dataclasses.replace(p, weight=-36.0)
        if p.name == "I>E"
        else p
        for p in network.projections
    ]
    described = Network(network.populations, tuple(changed), network.spike_inputs, network.current_inputs)
    expected, _ = run_windows(engine(described), [Stimulus.none()], [200])
    assert_same(spikes, expected)


def test_weights_that_differ_within_a_block_are_refused():
    simulated = engine(mixed_network())
    weights = simulated.weights("E>E")
    weights[0, 7] *= 2
    with pytest.raises(SimulatorUnavailable, match="one weight within and one across"):
        simulated.set_weights("E>E", weights)


# -- refusals -----------------------------------------------------------------------------------------


def _refused():
    base = mixed_network()
    first, *rest = base.projections

    def with_projection(**changes):
        return Network(base.populations, (dataclasses.replace(first, **changes), *rest))

    adapting = Population("A", 3, "iaf_cond_exp_sfa_rr")
    plastic = dataclasses.replace(first, weight=1.0, plasticity=DopamineGated("I"))
    return {
        "iaf_cond_exp_sfa_rr; it runs iaf_psc_exp": Network((adapting,)),
        "'E>E' is plastic": Network(base.populations, (plastic,)),
        "'E>E' has a weight for each synapse": with_projection(rule=OneToOne(), weight=[1.0] * 240),
        "'E>E' has a delay for each synapse": with_projection(delay_ms=Uniform(0.1, 0.3)),
        r"delays \[0.1, 0.2\] ms": with_projection(delay_ms=0.2),
        "FixedIndegree, which may repeat pairs": with_projection(rule=FixedIndegree(3, multapses=True)),
        "rule of 'E>E' is OneToOne": with_projection(rule=OneToOne()),
    }


@pytest.mark.parametrize("reason", list(_refused()))
def test_what_it_cannot_run_is_refused_with_the_reason(reason):
    network = _refused()[reason]
    assert numba_dense.refusal(network) is not None
    with pytest.raises(BrainError, match=reason):
        engine(network)


def test_too_long_a_refractory_period_is_refused():
    with pytest.raises(BrainError, match="at most 32767 steps"):
        engine(Network((Population("E", 3, "iaf_psc_exp", {"t_ref": 4000.0}),)))


def test_weights_that_are_too_large_are_reported():
    network = mixed_network(excitation=1e37)
    with pytest.raises(BrainError, match="no longer finite"):
        run_windows(engine(network, precision="single"), [Stimulus.none()], [200])


# -- NEST ---------------------------------------------------------------------------------------------


def _spikes_of(name, network, n_steps, **settings):
    with open_simulator(network, SimulatorSettings(name, **settings), seed=4) as simulator:
        return simulator.run(n_steps)


@pytest.mark.simulator("nest")
def test_nest_fires_in_the_same_steps():
    """A second of a small network without randomness: hundreds of spikes, the same steps exactly."""
    cells = {
        "I_e": Uniform(440.0, 520.0),
        "V_m": Uniform(-70.0, -58.0),
        "t_ref": np.resize([2.0, 2.5, 3.0, 5.0], 30),
        "tau_syn_ex": Uniform(1.5, 2.5),
        "V_th": Uniform(-56.0, -54.0),
    }
    inhibitory = Population("I", 12, "iaf_psc_exp", {"I_e": Uniform(440.0, 520.0)}, 3)
    network = Network(
        (Population("E", 30, "iaf_psc_exp", cells, 3), inhibitory),
        (
            Projection("E>E", "E", "E", ClusteredIndegree(2), ClusteredWeight(60.0, 20.0), 0.5),
            Projection("E>I", "E", "I", PairwiseBernoulli(0.2), 60.0, 0.5),
            Projection("I>E", "I", "E", FixedIndegree(3), -90.0, 0.5),
            Projection("I>I", "I", "I", FixedIndegree(2), -90.0, 0.5),
        ),
    )
    expected = _spikes_of("nest", network, 10_000)
    spikes = engine(network, seed=4).run(1, 10_000, Stimulus.none())
    assert len(expected) > 500
    assert_same(spikes, expected)


@pytest.mark.simulator("nest")
def test_nest_agrees_on_the_cortex():
    """Rates of the unclustered, asynchronous network, 2 s: without attractors, these hardly vary."""
    network = clustered_cortex(dataclasses.replace(parameter_set("reach"), j_plus=1.0, start="lognormal"))
    expected = _spikes_of("nest", network, 20_000, threads=1)
    spikes = _spikes_of("numba", network, 20_000)
    for population in ("E", "I"):
        cells = network.neurons(population)
        rates = [
            np.sum((s.neuron >= cells.start) & (s.neuron < cells.stop) & (s.step > 1000))
            / (1.9 * (cells.stop - cells.start))
            for s in (spikes, expected)
        ]
        assert rates[1] > 1.0
        assert rates[0] == pytest.approx(rates[1], rel=0.05)
