"""Neurons that relax in the engine of rows: the spikes of single steps, whatever the windows and threads."""

from __future__ import annotations

import numpy as np
import pytest
from spike_blocks import assert_same

from ethospike.brains.circuits.connectome.fly import fly_network
from ethospike.brains.circuits.connectome.synthetic import FLY, synthetic_connectome
from ethospike.brains.conformance.specimens import poisson_spikes
from ethospike.brains.network import (
    CurrentInput,
    Explicit,
    FixedIndegree,
    Network,
    Normal,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.numba.lists.engine import ListsEngine
from ethospike.brains.numba.rows import engine as rows
from ethospike.brains.numba.rows import relaxing
from ethospike.brains.numba.rows.engine import RowsEngine
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("numba")
MODEL = "iaf_shiu_2024"


@pytest.fixture(autouse=True)
def _many_parts(monkeypatch):
    """Have small networks use threads and parts as large ones do."""
    monkeypatch.setattr(rows, "THREADS_FROM", 0)


def open_engine(network, engine=RowsEngine, threads=1, precision="double", **given):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ethospike.brains.numba.simulator.choose_engine", lambda network: engine)
        settings = SimulatorSettings("numba", threads=threads, precision=precision)
        return open_simulator(network, settings, seed=1, **given)


def brain(neurons=600, driven=12):
    connectome, signs = synthetic_connectome(FLY.scaled(neurons), seed=1)
    return fly_network(connectome, signs, np.arange(driven))


def varied():
    """Neurons that differ in constants, with currents, refractory periods and drawn delays."""
    own = {"t_ref": Uniform(0.5, 4.0), "V_m": Uniform(-52.0, -46.0)}
    own["t_ref"] = np.random.default_rng(1).integers(0, 40, 100) * 0.1
    populations = [
        Population("A", 100, MODEL, own),
        Population("B", 37, MODEL, {"tau_m": Uniform(10.0, 30.0)}),
        Population("C", 20, MODEL, {"tau_m": 8.0, "tau_syn": 8.0, "V_reset": -50.0}),
        Population("D", 20, MODEL, {"I_e": Uniform(0.0, 800.0)}),
        Population("E", 40, "iaf_psc_exp", {"I_e": 380.0}),
    ]
    names = [p.name for p in populations]
    projections = [
        Projection(f"{a}>{b}", a, b, FixedIndegree(8), Normal(8.0, 12.0), Uniform(0.6, 5.0))
        for a in names
        for b in names[:4]
    ]
    inputs = [SpikeInput("in", "A", 60.0, delay_ms=0.4)]
    return Network(populations, projections, inputs, [CurrentInput("current", "B", channels=1)])


@pytest.mark.parametrize("make", [brain, varied])
def test_rows_fire_the_spikes_of_single_steps(make):
    network = make()
    n_steps = 3000
    stimulus = poisson_spikes(n_steps, range(network.n_spike_channels), 0.01)
    blocks = {}
    for engine in (ListsEngine, RowsEngine):
        with open_engine(network, engine) as simulator:
            blocks[engine] = simulator.run(n_steps, stimulus)
    assert len(np.unique(blocks[RowsEngine].neuron)) > network.n_spike_channels
    assert_same(blocks[ListsEngine], blocks[RowsEngine])


@pytest.mark.parametrize("precision", ["single", "double"])
def test_threads_windows_and_resuming_change_nothing(precision):
    network, n_steps = brain(), 1500
    stimulus = poisson_spikes(n_steps, range(network.n_spike_channels), 0.01)

    def cut(first, n):
        begin, end = np.searchsorted(stimulus.step, [first, first + n])
        return Stimulus(stimulus.step[begin:end], stimulus.animal[begin:end], stimulus.channel[begin:end])

    with open_engine(network, precision=precision) as simulator:
        whole, state = simulator.run(n_steps, stimulus), simulator.state()
    assert len(whole) > 150
    for threads, windows in ((2, [n_steps]), (3, [1, 2, 17, 480, 1000])):
        saved, steps, neurons = None, [], []
        for n in windows:  # each window in a simulator of its own, which continues from the state
            with open_engine(network, threads=threads, precision=precision) as simulator:
                if saved is not None:
                    simulator.set_state(saved)
                block = simulator.run(n, cut(simulator.step + 1, n))
                saved = simulator.state()
            steps.append(block.step)
            neurons.append(block.neuron)
        assert (np.concatenate(steps) == whole.step).all()
        assert (np.concatenate(neurons) == whole.neuron).all()
        for name, values in state.items():
            assert np.array_equal(saved[name], values), name


def test_watching_neurons_shows_single_steps_and_changes_nothing():
    network = brain(500, 30)
    watched = [0, 30, 77, 499]
    stimulus = poisson_spikes(800, range(30), 0.01)
    voltages, blocks = {}, {}
    for engine in (ListsEngine, RowsEngine):
        with open_engine(network, engine) as simulator:
            simulator.watch(np.array(watched))
            blocks[engine] = simulator.run(800, stimulus)
            voltages[engine] = simulator.voltages()
    assert np.ptp(voltages[RowsEngine], axis=0).min() > 0.1
    np.testing.assert_allclose(voltages[RowsEngine], voltages[ListsEngine], atol=1e-9)
    with open_engine(network) as simulator:
        assert_same(simulator.run(800, stimulus), blocks[RowsEngine])


def test_long_waits_leave_the_tables():
    made = relaxing._tables(np.array([0]), np.array([[0.99, 0.97, 0.004]]), np.dtype(float), 1)
    for n in (1, 7, made.table.shape[2], 3000):
        leak, decay, gain = relaxing.constants_of_steps.py_func(made, 0, n)
        v, g = 3.0, 5.0
        for _ in range(n):
            v, g = v * 0.99 + g * 0.004, g * 0.97
        assert (3.0 * leak + 5.0 * gain, 5.0 * decay) == (pytest.approx(v), pytest.approx(g))
        if n < made.table.shape[2]:
            assert made.table[0, :, n] == pytest.approx([leak, decay, gain])


def test_a_neuron_that_waits_for_longer_than_the_table_goes_on_as_in_single_steps():
    network = Network([Population("A", 1, MODEL)], (), [SpikeInput("in", "A", 20.0)])
    step, zero = np.array([1, 6000]), np.zeros(2, dtype=np.int32)
    voltages = {}
    for engine in (ListsEngine, RowsEngine):
        with open_engine(network, engine) as simulator:
            simulator.watch(np.array([0]))
            simulator.run(6500, Stimulus(step, zero, zero))
            voltages[engine] = simulator.voltages()[:, 0, 0]
    assert voltages[RowsEngine].max() > -49.0
    np.testing.assert_allclose(voltages[RowsEngine], voltages[ListsEngine], atol=1e-9)


def test_neurons_without_arrivals_are_not_advanced():
    pairs = np.array([[0, 40]])
    network = Network(
        [Population("A", 64, MODEL)],
        [Projection("A>A", "A", "A", Explicit(pairs), 5.0, 1.8)],
        [SpikeInput("in", "A", 1e5, stop=1)],
    )
    with open_engine(network) as simulator:
        simulator.run(2000, poisson_spikes(20, [0], 0.5))
        last = simulator._engine._brains[0].relaxing.when[:, -2]
    assert -60 < last[0] < 60
    assert last[0] != 0
    assert 20 < last[40] < 80
    assert set(np.delete(last, [0, 40])) == {0}


@pytest.mark.parametrize("tau_syn", [0.3, 5.0, 20.0, 60.0])
def test_the_step_of_the_next_spike_is_that_of_single_steps(tau_syn):
    """Potentials above and below rest, that cross the threshold early, late, barely or not at all."""
    params = {"tau_syn": tau_syn, "V_m": -52.0 + np.repeat([-30.0, -3.0, 0.0, 3.0, 6.9, 7.5], 40)}
    weight = np.tile(np.geomspace(1.0, 500.0, 40), 6)
    pairs = np.column_stack([np.zeros(240, dtype=int), np.arange(240)])
    network = Network(
        [Population("A", 240, MODEL, params), Population("B", 1, MODEL)],
        [Projection("B>A", "B", "A", Explicit(pairs), weight, 0.5)],
        [SpikeInput("in", "B", 1e5)],
    )
    stimulus = Stimulus(np.array([1]), np.zeros(1, np.int32), np.zeros(1, np.int32))
    blocks = {}
    for engine in (ListsEngine, RowsEngine):
        with open_engine(network, engine) as simulator:
            blocks[engine] = simulator.run(1200, stimulus)
    fired = np.unique(blocks[RowsEngine].neuron)
    assert 40 < len(fired) < 200
    assert len(np.unique(blocks[RowsEngine].step)) > 5
    assert_same(blocks[ListsEngine], blocks[RowsEngine], at_least=40)


@pytest.mark.parametrize("make", [brain, varied])
def test_silenced_neurons_fire_as_in_single_steps(make):
    network = make()
    stimulus = poisson_spikes(1500, range(network.n_spike_channels), 0.01)
    blocks, suppressed = {}, {}
    for engine in (ListsEngine, RowsEngine):
        with open_engine(network, engine) as simulator:
            simulator.silence(np.arange(0, 100, 2))
            blocks[engine] = simulator.run(1500, stimulus)
            suppressed[engine] = simulator.suppressed_spikes()
    assert np.sum(suppressed[RowsEngine]) > 20
    assert not np.isin(blocks[RowsEngine].neuron, np.arange(0, 100, 2)).any()
    assert np.array_equal(suppressed[ListsEngine], suppressed[RowsEngine])
    assert_same(blocks[ListsEngine], blocks[RowsEngine], at_least=30)


def test_spikes_under_way_keep_the_weights_of_their_start():
    """Weights change at a moment when spikes have left, and have not arrived."""
    network = Network(
        [Population("A", 20, MODEL)],
        [Projection("A>A", "A", "A", Explicit(np.array([[0, 1], [0, 2], [3, 1]])), 30.0, 1.8)],
        [SpikeInput("in", "A", 1e5, delay_ms=0.1, stop=1)],
    )
    zero = np.zeros(2, dtype=np.int32)
    voltages = {}
    for engine in (ListsEngine, RowsEngine):
        with open_engine(network, engine, threads=2) as simulator:
            simulator.watch(np.arange(3))
            first = simulator.run(10, Stimulus(np.array([1, 4]), zero, zero))
            before = simulator.voltages()[:, 0]
            simulator.set_weights("A>A", np.array([[5.0, 60.0, 1.0]]))
            simulator.run(100)
            voltages[engine] = np.concatenate([before, simulator.voltages()[:, 0]])
    assert len(first) > 0
    assert (first.step <= 10).all()
    assert np.ptp(voltages[RowsEngine][:, 1]) > 1.0
    np.testing.assert_allclose(voltages[RowsEngine], voltages[ListsEngine], atol=1e-9)


def test_spikes_that_arrive_while_a_neuron_is_refractory_are_lost():
    """As in Brian2: a spike at step s with 2.2 ms of refractoriness takes input again from s + 22 on."""
    spikes, late = [], {}
    for after in (21, 22):
        network = Network([Population("A", 1, MODEL)], (), [SpikeInput("in", "A", 1e5, delay_ms=0.1)])
        step = np.array([10, 12 + after - 1])
        zero = np.zeros(2, dtype=np.int32)
        for engine in (ListsEngine, RowsEngine):
            with open_engine(network, engine) as simulator:
                late[engine] = simulator.run(100, Stimulus(step, zero, zero)).step.tolist()
        assert late[ListsEngine] == late[RowsEngine]
        spikes.append(late[RowsEngine])
    # The input of step 10 arrives at 11, and the neuron fires at 12.
    assert spikes == [[12], [12, 12 + 22 + 1]]


def test_the_model_is_refused_where_it_cannot_run():
    from ethospike.brains.numba.choice import choose

    assert choose(Network([Population("A", 30_000, MODEL)])).engine == "rows"
    assert choose(Network([Population("A", 300, MODEL)])).engine == "lists"
    with pytest.raises(BrainError, match="V_reset: expected values below V_th"):
        open_engine(Network([Population("A", 3, MODEL, {"V_reset": -40.0})]))
