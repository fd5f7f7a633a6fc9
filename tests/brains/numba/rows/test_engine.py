"""Numba's engine of rows: conforms, agrees with the lists, and depends on no threads, parts or windows."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from reference_simulator import open_reference
from spike_blocks import assert_same

from ethospike.brains.conformance import CHECKS, check_parity
from ethospike.brains.conformance.expectations import run_once
from ethospike.brains.conformance.specimens import (
    CURRENT_BASED,
    busy,
    cell,
    drive,
    poisson_spikes,
    small_deterministic_network,
    spikes,
    trained,
)
from ethospike.brains.network import (
    NEURON_MODELS,
    AllToAll,
    Explicit,
    FixedIndegree,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.numba.lists.engine import ListsEngine
from ethospike.brains.numba.rows import engine as rows
from ethospike.brains.numba.rows import wiring as rows_wiring
from ethospike.brains.numba.rows.engine import RowsEngine
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.brains.simulator.synapses import DrawnSynapses
from ethospike.errors import BrainError, NotFiniteError, StateError

pytestmark = pytest.mark.simulator("numba")


@pytest.fixture(autouse=True)
def _many_parts(monkeypatch):
    """Have small networks use threads and parts as large ones do."""
    monkeypatch.setattr(rows, "THREADS_FROM", 0)


def open_engine(network, *, engine=RowsEngine, threads=1, precision="double", **given):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ethospike.brains.numba.simulator.choose_engine", lambda network: engine)
        settings = SimulatorSettings("numba", threads=threads, precision=precision)
        return open_simulator(network, settings, **given)


OF_LISTS = (
    "check_rules",
    "check_state_of_rules",
    "check_learned_weights_act",
    "check_bad_modulation_is_refused",
)
"""Checks of rules that the engine of rows does not run: networks with them get the lists."""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "check", [c for c in CHECKS if c.__name__ not in OF_LISTS], ids=lambda check: check.__name__
)
def test_row_engine_conforms(check, threads):
    check(partial(open_engine, threads=threads, precision="single"))


VECTORIZED = [name for name, model in NEURON_MODELS.items() if model.kernel is not None]


@pytest.mark.parametrize("model", VECTORIZED)
def test_row_engine_agrees_with_the_reference(model):
    check_parity(open_engine, open_reference, model, tolerance_steps=0)


STEPPED = [name for name, m in NEURON_MODELS.items() if m.kernel is None and m.rows_kernel is None]


@pytest.mark.parametrize("model", STEPPED)
def test_row_engine_refuses_models_without_a_vectorized_kernel(model):
    assert len(VECTORIZED) >= 3
    with pytest.raises(BrainError, match=f"this engine lacks {model}"):
        open_engine(Network([Population("E", 3, model)]), seed=1)


def heterogeneous(size=200):
    """Return a network whose synapses differ in sign, weight and delay, and repeat pairs."""
    cells = {"I_e": Uniform(300.0, 420.0), "V_m": Uniform(-70.0, -55.0), "t_ref": 2.0}
    pairs = np.random.default_rng(3).integers(0, size, (3 * size, 2))
    weights = np.random.default_rng(4).normal(0.0, 100.0, len(pairs))
    return Network(
        [Population("E", size, CURRENT_BASED, cells), Population("A", size, "iaf_cond_exp", {"I_e": 350.0})],
        [
            Projection("drawn", "E", "E", FixedIndegree(10), Normal(30.0, 10.0), Normal(1.5, 0.5, low=0.1)),
            Projection("plain", "E", "E", PairwiseBernoulli(0.05), -40.0, 0.8),
            Projection("E>A", "E", "A", FixedIndegree(5, multapses=True), 1.0, 0.3),
            Projection("A>E", "A", "E", FixedIndegree(5), Uniform(10.0, 60.0), 2.0),
            Projection(
                "listed", "E", "E", Explicit(pairs), weights, np.arange(1, len(pairs) + 1) % 30 * 0.1 + 0.1
            ),
        ],
        [SpikeInput("in", "E", 150.0, delay_ms=0.2)],
    )


def random_input(n_steps, size=200):
    return poisson_spikes(n_steps, range(size), 0.001)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_threads_parts_and_windows_change_nothing(precision, monkeypatch):
    network, stimulus = heterogeneous(), random_input(1000)
    monkeypatch.setattr(rows, "SPIKES_HELD", 0)  # lists that are full now and then
    blocks, states = [], []
    for threads, windows in ((1, [1000]), (2, [1000]), (3, [1, 2, 3, 94, 400, 500])):
        with open_engine(network, threads=threads, precision=precision, seed=1) as simulator:
            parts = []
            for n in windows:
                begin, end = np.searchsorted(stimulus.step, [simulator.step + 1, simulator.step + n + 1])
                part = slice(begin, end)
                parts.append(
                    simulator.run(
                        n, Stimulus(stimulus.step[part], stimulus.animal[part], stimulus.channel[part])
                    )
                )
            blocks.append(type(parts[0]).joined(parts))
            states.append(simulator.state())
    for block, state in zip(blocks[1:], states[1:], strict=True):
        assert_same(blocks[0], block, at_least=1000)
        for name, array in states[0].items():
            np.testing.assert_array_equal(array, state[name])


def test_row_engine_and_lists_give_the_same_spikes():
    network, stimulus = heterogeneous(), random_input(2000)
    got = [
        run_once(partial(open_engine, engine=engine), network, 2000, stimulus)
        for engine in (RowsEngine, ListsEngine)
    ]
    assert_same(*got, at_least=2000)


@pytest.mark.parametrize("index", range(3))
def test_spikes_weights_and_voltages_of_busy_networks(index):
    network, stimulus = busy(3000, animals=2)[index]
    results = []
    for engine, threads in ((ListsEngine, 1), (RowsEngine, 2)):
        with open_engine(network, engine=engine, threads=threads, seed=2, animals=2) as simulator:
            simulator.watch(np.array([5, 0, 12]))
            block = simulator.run(3000, stimulus)
            weights = [simulator.weights(p.name) for p in network.plastic_projections]
            results.append((block, simulator.voltages(), weights))
    assert_same(results[0][0], results[1][0])
    np.testing.assert_allclose(results[1][1], results[0][1], atol=1e-9)
    for ours, theirs in zip(results[0][2], results[1][2], strict=True):
        assert np.ptp(ours) > 1.0
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)


# -- rest -----------------------------------------------------------------------------------------------


def asleep(simulator):
    return simulator._engine._brains[0].neurons.asleep


def test_neurons_at_rest_are_skipped_and_wake_up():
    """64 cells of which one is kicked: after 500 ms of rest all sleep, and answer as if they had not."""
    cells = cell("E", 64, CURRENT_BASED, t_ref=20.0)
    network = Network(
        [cells],
        [Projection("p", "E", "E", Explicit(np.array([[0, 40], [40, 20]])), 150e3, 1.0)],
        [SpikeInput("in", "E", 150e3, channels=None)],
    )
    kicks = spikes([5, 6005, 6005], [0, 0, 60])
    with open_engine(network, precision="single", seed=1) as simulator:
        first = simulator.run(6000, spikes(5, 0))
        assert asleep(simulator).all()
        second = simulator.run(200, spikes([6005, 6005], [0, 60]))
        assert not asleep(simulator).all()
    expected = run_once(open_reference, network, 6200, kicks)
    assert_same(type(first).joined([first, second]), expected, at_least=7)


def test_rest_under_a_constant_current_is_rest_too_until_the_current_changes():
    from ethospike.brains.network import CurrentInput

    cells = cell("E", 20, CURRENT_BASED)
    network = Network([cells], current_inputs=[CurrentInput("c", "E")])
    with open_engine(network, seed=1) as simulator:
        simulator.watch(np.array([3]))
        for _ in range(4):
            simulator.run(2000, Stimulus.currents(np.array([[300.0]])))
        assert asleep(simulator).all()
        assert simulator.voltages()[-1, 0, 0] == pytest.approx(-70.0 + 300.0 * 0.04, abs=1e-9)
        assert len(simulator.run(2000, Stimulus.currents(np.array([[450.0]])))) > 20
        assert not asleep(simulator).any()


# -- weights and states -----------------------------------------------------------------------------------


def test_weights_of_a_projection_with_one_weight_can_be_set_and_restored():
    """One number stands for all weights until they are set; a state holds only those that were."""
    cells = cell("E", 30, CURRENT_BASED, I_e=Uniform(400.0, 450.0))
    network = Network([cells], [Projection("p", "E", "E", FixedIndegree(3), 50.0, 1.0)])
    with open_engine(network, seed=1) as simulator:
        described = simulator.weights("p")
        assert (described == 50.0).all()
        early = simulator.state()
        changed = described * np.linspace(0.0, 3.0, described.size)
        simulator.set_weights("p", changed)
        np.testing.assert_allclose(simulator.weights("p"), changed)
        simulator.run(500)
        late = simulator.state()
        expected = simulator.run(1000)
        simulator.set_state(early)
        np.testing.assert_array_equal(simulator.weights("p"), described)
    assert sum(a.nbytes for a in late.values()) - sum(a.nbytes for a in early.values()) == described.size * 8
    with open_engine(network, threads=2, seed=1) as other:
        other.set_state(late)
        np.testing.assert_allclose(other.weights("p"), changed)
        assert_same(other.run(1000), expected)


def test_a_foreign_state_is_refused_and_changes_nothing():
    network = trained()
    with open_engine(network, seed=1) as simulator:
        simulator.run(10)
        before = simulator.state()
        for bad in (
            {k: v for k, v in before.items() if "ring" not in k},
            before | {"1/cells": before["0/cells"]},
            before | {"0/effect": before["0/effect"][:-1]},
        ):
            with pytest.raises(StateError):
                simulator.set_state(bad)
        for name, array in simulator.state().items():
            np.testing.assert_array_equal(array, before[name])


# -- limits ---------------------------------------------------------------------------------------------


def test_a_network_that_does_not_fit_into_memory_is_refused_with_the_numbers(monkeypatch):
    monkeypatch.setattr("ethospike.brains.memory.free_bytes", lambda: 6e5)
    network = Network([Population("E", 100, CURRENT_BASED)], [Projection("p", "E", "E", AllToAll(), 1.0)])
    message = r"3 animals with 9,900 synapses each would take about .* GB .* are free; 1 animals fit"
    with pytest.raises(BrainError, match=message):
        open_engine(network, seed=1, animals=3)


def test_infinite_potentials_are_reported():
    network = Network([Population("E", 20, CURRENT_BASED)], (), [SpikeInput("in", "E", 1e38)])
    with (
        open_engine(network, precision="single", seed=1) as simulator,
        pytest.raises(NotFiniteError, match="'E'"),
    ):
        simulator.run(100, spikes(np.arange(1, 100), 3))


def test_long_delays_that_differ_are_refused():
    pairs = np.array([[0, 1], [1, 2]])
    delays = np.array([0.1, 7_000.0])
    network = Network(
        [Population("E", 3, CURRENT_BASED)], [Projection("p", "E", "E", Explicit(pairs), 1.0, delays)]
    )
    with pytest.raises(BrainError, match=r"'p'.delay_ms: expected at most 65535 steps .* got 70000"):
        open_engine(network, seed=1)


def test_memory_of_many_listed_edges_is_a_few_bytes_each():
    """300,000 edges with weights of their own: 8 bytes each and bounds, not the 30 of a list."""
    rng = np.random.default_rng(1)
    pairs, weights = rng.integers(0, 5_000, (300_000, 2)), rng.normal(0.0, 1.0, 300_000)
    network = Network(
        [Population("E", 5_000, CURRENT_BASED)], [Projection("p", "E", "E", Explicit(pairs), weights, 1.0)]
    )
    draw = DrawnSynapses(network, 1).draw
    animal = rows_wiring.RowsAnimal(
        network, draw, seed=1, animal=0, dt_ms=0.1, real=np.dtype(np.float32), parts=4
    )
    arrays = [array for array in animal.rows if isinstance(array, np.ndarray)]
    assert sum(array.nbytes for array in arrays) < 9 * 300_000
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    np.testing.assert_allclose(animal.weights("p"), weights[order], rtol=1e-6)


def test_one_to_one_between_kinds_of_neurons_keeps_to_its_targets():
    """Blocks hold one kind each: slots of the second population do not follow those of the first."""
    network = Network(
        [cell("E", 20, CURRENT_BASED, t_ref=20.0), cell("A", 20, "iaf_cond_exp", t_ref=20.0)],
        [Projection("p", "E", "A", OneToOne(), 2e3, 0.5)],
        [SpikeInput("in", "E", 150e3)],
    )
    block = run_once(open_engine, network, 100, spikes([10, 30], [3, 19]))
    assert block.neuron.tolist() == [3, 23, 19, 39]
    drive_block = run_once(open_engine, small_deterministic_network(CURRENT_BASED), 2000, drive(2000))
    assert len(drive_block) > 100
