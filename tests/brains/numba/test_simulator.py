"""The Numba simulator as a whole: which engine runs what, states, and messages."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig, mushroom_body
from ethospike.brains.conformance import small_deterministic_network
from ethospike.brains.network import FixedIndegree, Network, PairwiseBernoulli, Population, Projection
from ethospike.brains.numba import simulator as numba_simulator
from ethospike.brains.numba.choice import choose
from ethospike.brains.numba.lists.engine import ListsEngine
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError, StateError

pytestmark = pytest.mark.simulator("numba")


def dense_network(size: int, model: str = "iaf_psc_exp") -> Network:
    cells = Population("E", size, model)
    return Network([cells], [Projection("E>E", "E", "E", PairwiseBernoulli(0.5), 1.0)])


def test_the_engine_is_chosen_by_model_and_size() -> None:
    from ethospike.brains.numba.bits.engine import BitsEngine
    from ethospike.brains.numba.rows.engine import RowsEngine

    choose = numba_simulator.choose_engine
    assert choose(mushroom_body(MushroomBodyConfig())) is ListsEngine
    assert choose(dense_network(100)) is ListsEngine
    assert choose(dense_network(3000)) is BitsEngine
    assert choose(dense_network(1900, "iaf_cond_exp")) is RowsEngine
    assert choose(dense_network(900, "iaf_cond_exp")) is ListsEngine
    assert choose(Network([Population("E", 30_000, "iaf_psc_exp")])) is RowsEngine
    assert choose(Network([Population("E", 30_000, "iaf_psc_delta")])) is ListsEngine


def test_other_quantities_than_potentials_are_refused() -> None:
    with open_simulator(dense_network(3), SimulatorSettings("numba"), seed=1) as simulator:
        simulator.watch(np.array([0]))
        with pytest.raises(BrainError, match="numba records V_m, got 'I_syn'; NEST records others"):
            simulator.watch(np.array([0]), "I_syn")


def test_a_choice_gives_the_reason_against_each_other_engine() -> None:
    network = dense_network(3000, "iaf_cond_exp")
    chosen = choose(network)
    assert chosen.engine == "rows"
    assert "3,000 neurons with 4,498,500 synapses" in chosen.because
    assert "fewer than 1,000,000 synapses" in chosen.instead["lists"]
    assert "iaf_cond_exp; it runs iaf_psc_exp" in chosen.instead["bits"]
    sparse = Network(
        [Population("E", 30_000, "iaf_psc_exp")], [Projection("E>E", "E", "E", FixedIndegree(100), 1.0)]
    )
    assert "0.33% of the pairs" in choose(sparse).instead["bits"]
    assert set(choose(dense_network(3000)).instead) == {"lists", "rows"}
    assert set(choose(dense_network(10)).instead) == {"bits", "rows"}


def test_the_backend_says_what_runs() -> None:
    with open_simulator(dense_network(10), SimulatorSettings("numba", threads=1), seed=1) as simulator:
        assert simulator.backend == f"numba {numba.__version__}, lists, 1 thread, single precision"


def test_a_state_continues_bit_identically_in_another_simulator() -> None:
    """Plasticity, currents on their way and two animals; saved in the middle, cut otherwise afterwards."""
    network = mushroom_body(MushroomBodyConfig())
    rng = np.random.default_rng(5)
    step, animal, channel = np.nonzero(rng.random((4000, 2, 23)) < np.repeat([0.04, 0.15], [21, 2]))

    def part(first: int, last: int) -> Stimulus:
        inside = (step + 1 >= first) & (step + 1 <= last)
        return Stimulus(step[inside] + 1, animal[inside].astype(np.int32), channel[inside].astype(np.int32))

    settings = SimulatorSettings("numba", threads=1)
    with open_simulator(network, settings, seed=1, animals=2) as simulator:
        simulator.run(2000, part(1, 2000))
        saved = simulator.state()
        expected = simulator.run(2000, part(2001, 4000))
        weights = simulator.weights("KC>MBONn")
    with open_simulator(network, settings, seed=1, animals=2) as simulator:
        simulator.run(10)
        simulator.set_state(saved)
        assert simulator.step == 2000
        blocks = [simulator.run(n, part(a, a + n - 1)) for a, n in ((2001, 1), (2002, 999), (3001, 1000))]
        np.testing.assert_array_equal(simulator.weights("KC>MBONn"), weights)
    assert len(expected) > 500
    for name in ("step", "animal", "neuron"):
        got = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_array_equal(got, getattr(expected, name))


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    network = small_deterministic_network("iaf_psc_exp")
    with open_simulator(network, SimulatorSettings("numba"), seed=1, animals=2) as other:
        foreign = other.state()
    with open_simulator(network, SimulatorSettings("numba"), seed=1) as simulator:
        simulator.run(500)
        before = simulator.state()
        for bad in (
            {},
            {"step": np.array(3)},
            foreign,
            before | {"surplus": np.zeros(1)},
            before | {"step": np.array(3.5)},
        ):
            with pytest.raises(StateError, match="state"):
                simulator.set_state(bad)
        for name, array in simulator.state().items():
            np.testing.assert_array_equal(array, before[name])


def test_only_neurons_that_exist_can_be_watched() -> None:
    with (
        open_simulator(dense_network(10), SimulatorSettings("numba"), seed=1) as simulator,
        pytest.raises(BrainError, match="0 … 9"),
    ):
        simulator.watch(np.array([10]))


def test_wiring_is_that_of_the_network() -> None:
    """Each source alone makes exactly its targets move, by its weights."""
    cells = Population("E", 12, "iaf_psc_exp", {"V_m": -70.0})
    network = Network([cells], [Projection("E>E", "E", "E", FixedIndegree(3), -40.0)])
    wired = network.wire("E>E", 4, 0)
    for source in (0, 7):
        kick = np.full(12, -70.0)
        kick[source] = -54.0  # above V_th after the first step
        population = Population("E", 12, "iaf_psc_exp", {"V_m": kick})
        kicked = Network([population], network.projections)
        with open_simulator(kicked, SimulatorSettings("numba"), seed=4) as simulator:
            simulator.watch(np.arange(12))
            assert simulator.run(5).neuron.tolist() == [source]
            moved = np.flatnonzero(simulator.voltages()[-1, 0] < -70.0)
        np.testing.assert_array_equal(moved, wired.target[wired.source == source])
