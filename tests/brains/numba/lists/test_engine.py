"""Numba's engine of lists: spikes of NEST, weights of the reference, and what must not matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from spike_blocks import assert_same

from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig, mushroom_body
from ethospike.brains.conformance import small_deterministic_network
from ethospike.brains.conformance.specimens import LEAKY, poisson_spikes, window
from ethospike.brains.network import (
    AllToAll,
    CurrentInput,
    DopamineGated,
    Network,
    OneToOne,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.numba.lists import engine as lists_engine
from ethospike.brains.numba.lists import entry, spike_order
from ethospike.brains.simulator import (
    Simulator,
    SimulatorSettings,
    Stimulus,
    open_simulator,
    plastic_events,
)
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("numba")

CHANNELS = 23
"""Of the mushroom body: 21 ORNs, reward, punishment."""


def numba_simulator(
    network: Network, *, seed: int = 1, animals: int = 1, precision: str = "double", threads: int = 1
) -> Simulator:
    settings = SimulatorSettings("numba", precision=precision, threads=threads)
    return open_simulator(network, settings, seed=seed, animals=animals)


def odor_and_reward(n_steps: int, animals: int = 1) -> Stimulus:
    """Return spikes that drive every population of the mushroom body: 400 Hz an ORN, 1.5 kHz to the DANs."""
    rng = np.random.default_rng(3)
    probability = np.repeat([0.04, 0.15], [21, 2])
    step, animal, channel = np.nonzero(rng.random((n_steps, animals, CHANNELS)) < probability)
    return Stimulus(step + 1, animal.astype(np.int32), channel.astype(np.int32))


def test_an_input_may_have_the_name_and_a_shorter_delay_of_a_projection() -> None:
    """The ring of arriving spikes once had the input's length, and spikes of 5 ms arrived 4.8 ms early."""
    cells = [Population(name, 1, "iaf_psc_exp") for name in "AB"]
    projection = Projection("same", "A", "B", OneToOne(), 3000.0, delay_ms=5.0)
    first = {}
    for name in ("same", "other"):
        network = Network(cells, [projection], [SpikeInput(name, "A", 20_000.0, delay_ms=0.1)])
        with numba_simulator(network) as simulator:
            block = simulator.run(200, Stimulus(np.array([1]), np.zeros(1, np.int32), np.zeros(1, np.int32)))
        first[name] = [int(block.step[block.neuron == neuron][0]) for neuron in (0, 1)]
    assert first["same"] == first["other"]
    assert first["same"][1] > first["same"][0] + 50


# -- other implementations ----------------------------------------------------------------------------


@pytest.mark.simulator("nest")
@pytest.mark.parametrize("model", LEAKY)
def test_spikes_are_those_of_nest_step_by_step(model: str) -> None:
    network, n_steps = small_deterministic_network(model), 10_000
    stimulus = poisson_spikes(n_steps, range(30), 0.001)
    with open_simulator(network, SimulatorSettings("nest"), seed=7) as nest:
        expected = nest.run(n_steps, stimulus)
    with numba_simulator(network, seed=7) as simulator:
        assert_same(simulator.run(n_steps, stimulus), expected)


@pytest.mark.simulator("nest")
def test_the_mushroom_body_spikes_as_on_nest() -> None:
    """The whole circuit for half a second; without plasticity, which NEST applies only now and then."""
    whole, n_steps = mushroom_body(MushroomBodyConfig()), 5000
    fixed = [dataclasses.replace(projection, plasticity=None) for projection in whole.projections]
    network = dataclasses.replace(whole, projections=fixed)
    stimulus = odor_and_reward(n_steps)
    with open_simulator(network, SimulatorSettings("nest"), seed=2) as nest:
        expected = nest.run(n_steps, stimulus)
    with numba_simulator(network, seed=2) as simulator:
        assert_same(simulator.run(n_steps, stimulus), expected)


@pytest.mark.parametrize(("precision", "tolerance_mv"), [("double", 1e-6), ("single", 1e-4)])
def test_voltage_follows_the_differential_equation(precision: str, tolerance_mv: float) -> None:
    """Against classical Runge–Kutta with steps ten times smaller."""
    params = {
        **{"C_m": 250.0, "g_L": 25.0, "E_L": -70.0, "V_m": -65.0, "V_th": 0.0, "V_reset": -80.0},
        **{"tau_syn_ex": 2.0, "tau_syn_in": 3.0, "E_ex": 0.0, "E_in": -85.0, "I_e": 300.0},
    }
    network = Network(
        [Population("A", 1, "iaf_cond_exp", params)],
        (),
        [SpikeInput("excite", "A", 5.0), SpikeInput("inhibit", "A", -8.0)],
    )
    n_steps = 3000
    stimulus = poisson_spikes(n_steps, range(2), 0.15)
    with numba_simulator(network, precision=precision) as simulator:
        simulator.watch(np.array([0]))
        assert len(simulator.run(n_steps, stimulus)) == 0
        got = simulator.voltages()[:, 0, 0]

    arriving = np.zeros((n_steps + 2, 2))
    np.add.at(arriving, (stimulus.step + 1, stimulus.channel), np.array([5.0, 8.0])[stimulus.channel])
    expected = _runge_kutta(arriving[1:-1], substeps=10)
    assert np.ptp(expected) > 10
    np.testing.assert_allclose(got, expected, atol=tolerance_mv)


def _runge_kutta(arriving: NDArray[np.float64], substeps: int) -> NDArray[np.float64]:
    """Solve C dV/dt = g_L(E_L−V) + g_ex(E_ex−V) + g_in(E_in−V) + I of the test above."""

    def slope(v: float, t: float, g: NDArray[np.float64]) -> float:
        ex, inh = g * np.exp([-t / 2.0, -t / 3.0])
        return (25.0 * (-70.0 - v) + ex * (0.0 - v) + inh * (-85.0 - v) + 300.0) / 250.0

    v, g, h, trace = -65.0, np.zeros(2), 0.1 / substeps, []
    for spikes in arriving:
        for i in range(substeps):
            t = i * h
            k1 = slope(v, t, g)
            k2 = slope(v + h / 2 * k1, t + h / 2, g)
            k3 = slope(v + h / 2 * k2, t + h / 2, g)
            k4 = slope(v + h * k3, t + h, g)
            v += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        g = g * np.exp([-0.1 / 2.0, -0.1 / 3.0]) + spikes
        trace.append(v)
    return np.array(trace)


def test_weights_are_those_of_the_reference_rule() -> None:
    """Two plastic projections with unlike rules; spikes as simulated, weights as the reference makes them."""
    config = MushroomBodyConfig()
    network = mushroom_body(config)
    n_steps = 20_000
    with numba_simulator(network, animals=2, precision="single") as simulator:
        spikes = simulator.run(n_steps, odor_and_reward(n_steps, animals=2))
        got = {p.name: simulator.weights(p.name) for p in network.plastic_projections}
    assert set(got) == {"KC>MBONp", "KC>MBONn"}
    for projection in network.plastic_projections:
        for animal in range(2):
            events = plastic_events(network, projection.name, spikes, animal, first_step=1, n_steps=n_steps)
            assert min(len(part[0]) for part in (events.source, events.target, events.modulator)) > 5
            expected = network.reference(projection.name, 1, animal, dt_ms=0.1).apply(events)
            assert np.ptp(expected) > 1.0
            np.testing.assert_allclose(got[projection.name][animal], expected, rtol=1e-12)


def test_source_modulator_and_target_in_one_step_and_the_floor() -> None:
    """Weight 5 nS, one source spike, then modulator spikes that would take 4 nS each: 1 nS, then 0."""
    rule = DopamineGated("M", tau_eligibility_ms=1e9, learning_rate=4.0, homeostasis=0.25)
    cells = {"t_ref": 1.0, "tau_syn_ex": 0.1}
    network = Network(
        [Population(name, 1, "iaf_psc_exp", cells) for name in "SMT"],
        [Projection("S>T", "S", "T", OneToOne(), 5.0, 0.1, rule)],
        [SpikeInput(f"to {name}", name, 1e6) for name in "SMT"],
    )
    steps = np.array([10, 10, 10, 100])
    stimulus = Stimulus(steps, np.zeros(4, np.int32), np.array([0, 1, 2, 1], np.int32))
    with numba_simulator(network) as simulator:
        first = simulator.run(50, window(stimulus, 1, 50))
        assert first.step.tolist() == [12, 12, 12]
        # S makes the synapse eligible, M takes 4, T gives back a quarter of the 4 that are missing.
        np.testing.assert_allclose(simulator.weights("S>T"), 1.0 + 0.25 * 4.0, rtol=1e-6)
        simulator.run(100, window(stimulus, 51, 100))
        assert simulator.weights("S>T")[0, 0] == 0.0


# -- what must not matter -----------------------------------------------------------------------------


def test_threads_do_not_matter() -> None:
    network, stimulus = mushroom_body(MushroomBodyConfig()), odor_and_reward(3000, animals=5)
    blocks, weights = [], []
    for threads in (1, 2, 3, 8):  # more than there are animals, and than most machines of tests have cores
        with numba_simulator(network, animals=5, precision="single", threads=threads) as simulator:
            blocks.append(simulator.run(3000, stimulus))
            weights.append({p.name: simulator.weights(p.name) for p in network.plastic_projections})
    for block, learned in zip(blocks[1:], weights[1:], strict=True):
        assert_same(blocks[0], block)
        for name, expected in weights[0].items():
            assert np.ptp(expected) > 0.1, f"{name} learned nothing"
            np.testing.assert_array_equal(learned[name], expected)


def test_long_windows_run_in_pieces_that_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_deterministic_network("iaf_psc_exp")
    spikes = poisson_spikes(2000, range(30), 0.002)
    stimulus = Stimulus(spikes.step, spikes.animal, spikes.channel, np.array([[50.0]]))
    results = []
    for held in (2**23, 48 * 7):
        monkeypatch.setattr(lists_engine, "SPIKES_HELD", held)
        with numba_simulator(network) as simulator:
            simulator.watch(np.array([3, 0]))
            results.append((simulator.run(2000, stimulus), simulator.voltages()))
    assert_same(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("t_ref", [0.0, 0.1, 2.0])
def test_the_list_of_spikes_holds_neurons_that_fire_as_often_as_they_can(t_ref: float) -> None:
    network = Network([Population("E", 32, "iaf_psc_exp", {"I_e": 1e6, "t_ref": t_ref})])
    with numba_simulator(network) as simulator:
        whole = simulator.run(1000)
    with numba_simulator(network) as simulator:
        single = [simulator.run(1) for _ in range(1000)]
    interval = round(t_ref / 0.1) + 1
    assert len(whole) == 32 * -(-1000 // interval)
    assert np.unique(np.diff(whole.step[whole.neuron == 7])).tolist() == [interval]
    np.testing.assert_array_equal(whole.step, np.concatenate([block.step for block in single]))


def test_windows_of_one_step_change_nothing_even_to_currents() -> None:
    network = small_deterministic_network("iaf_cond_exp")
    amplitude = np.where(np.arange(300) // 50 % 2, 200.0, -100.0)
    results = []
    for length in (1, 2, 50):
        with numba_simulator(network) as simulator:
            simulator.watch(np.arange(40))
            parts = []
            for first in range(0, 300, length):
                simulator.run(length, Stimulus.currents(np.array([[amplitude[first]]])))
                parts.append(simulator.voltages())
            results.append(np.concatenate(parts))
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[2])


def test_models_may_be_mixed_in_any_order() -> None:
    """Uncoupled populations fire as they do alone, whatever stands before them."""
    populations = [
        Population("A", 5, "iaf_cond_exp", {"I_e": Uniform(500.0, 600.0)}),
        Population("B", 20, "iaf_psc_exp", {"I_e": 500.0, "C_m": np.linspace(200.0, 260.0, 20)}),
        Population("C", 3, "iaf_cond_exp_sfa_rr", {"I_e": 900.0, "t_ref": 3.0}),
    ]
    with numba_simulator(Network(populations)) as simulator:
        together = simulator.run(5000)
    assert (np.lexsort((together.neuron, together.animal, together.step)) == np.arange(len(together))).all()
    for population, start in zip(populations[1:], (5, 25), strict=True):
        with numba_simulator(Network([population])) as simulator:
            alone = simulator.run(5000)
        chosen = (together.neuron >= start) & (together.neuron < start + population.size)
        assert len(alone) > 20
        np.testing.assert_array_equal(together.step[chosen], alone.step)
        np.testing.assert_array_equal(together.neuron[chosen] - start, alone.neuron)


def test_nothing_is_compiled_for_another_network_seed_or_window() -> None:
    compiled = (entry.run_animals, spike_order.by_step, spike_order.by_animal)
    with numba_simulator(mushroom_body(MushroomBodyConfig()), animals=2, precision="single") as simulator:
        simulator.run(100, odor_and_reward(100, animals=2))
    before = [len(function.signatures) for function in compiled]
    assert min(before) >= 1

    read_only = odor_and_reward(50)
    for array in (read_only.step, read_only.animal, read_only.channel):
        array.setflags(write=False)
    with numba_simulator(mushroom_body(MushroomBodyConfig()), seed=9, precision="single") as simulator:
        simulator.run(50, read_only)
    other = Network(
        [Population("A", 30, "iaf_psc_exp"), Population("B", 7, "iaf_cond_exp")],
        [Projection("A>B", "A", "B", AllToAll(), 1.0, 3.7)],
        [SpikeInput("spikes", "B", -2.0, channels=1)],
        [CurrentInput("current", "A")],
    )
    with numba_simulator(other, animals=3, precision="single") as simulator:
        simulator.watch(np.array([1, 36]))
        simulator.run(10, Stimulus.currents(np.full((3, 1), 800.0)))
        simulator.run(10)
    assert [len(function.signatures) for function in compiled] == before


# -- numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("model", ["iaf_psc_exp", "iaf_cond_exp_sfa_rr"])
def test_a_silent_network_makes_no_denormal_numbers(model: str, precision: str) -> None:
    """Everything decays by e^−1500 and more, and must become 0 before a product of two becomes denormal."""
    network = small_deterministic_network(model)
    still = {"I_e": 0.0, "tau_sfa": 10.0} if model == "iaf_cond_exp_sfa_rr" else {"I_e": 0.0}
    quiet = [Population(p.name, p.size, p.model, {**p.params, **still}) for p in network.populations]
    network = Network(quiet, network.projections, network.spike_inputs, network.current_inputs)
    with numba_simulator(network, precision=precision) as simulator:
        assert len(simulator.run(300, poisson_spikes(300, range(30), 0.05))) > 10
        for n_steps in (1, *[1000] * 150):
            simulator.run(n_steps)
            cells = simulator.state()["cells"]
            assert not ((cells != 0) & (cells * cells < np.finfo(cells.dtype).tiny)).any()
            assert n_steps > 1 or (cells != 0).any()
        assert (cells == 0).all()


def test_single_precision_gives_the_same_rates() -> None:
    """Chaos separates the spikes after a while; the populations fire as often."""
    network, stimulus = mushroom_body(MushroomBodyConfig()), odor_and_reward(20_000, animals=4)
    counts = []
    for precision in ("single", "double"):
        with numba_simulator(network, animals=4, precision=precision) as simulator:
            spikes = simulator.run(20_000, stimulus)
        edges = [network.offset(p.name) for p in network.populations] + [network.n_neurons]
        counts.append(np.histogram(spikes.neuron, edges)[0])
    busy = counts[1] > 400
    assert busy.sum() >= 3
    np.testing.assert_allclose(counts[0][busy], counts[1][busy], rtol=0.1)


def test_a_voltage_that_is_not_finite_is_an_error_that_names_the_neuron() -> None:
    network = Network(
        [Population("quiet", 3, "iaf_psc_exp"), Population("loud", 2, "iaf_psc_exp", {"V_th": 1e37})],
        (),
        [SpikeInput("spikes", "loud", 1e38, channels=2)],
    )
    spikes = Stimulus(np.full(9, 1), np.zeros(9, np.int32), np.ones(9, np.int32))
    with (
        numba_simulator(network, precision="single") as simulator,
        pytest.raises(BrainError, match=r"neuron 1 of 'loud' in animal 0.*steps 1 … 50"),
    ):
        simulator.run(50, spikes)


def test_a_voltage_that_is_no_number_is_found_however_much_later_the_window_ends() -> None:
    """Products of conductances overflow at the spike; tiny numbers once became 0 and it with them."""
    cell = Population("cell", 1, "iaf_cond_exp")
    network = Network([cell], (), [SpikeInput("spikes", "cell", 1e30)])
    spike = Stimulus(np.array([3]), np.zeros(1, np.int32), np.zeros(1, np.int32))
    with numba_simulator(network, precision="single") as simulator, pytest.raises(BrainError, match="finite"):
        simulator.run(500, spike)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"t_ref": 2.05}, "whole numbers of steps of 0.1 ms"), ({"V_reset": -50.0}, "V_reset.*below V_th")],
)
def test_parameters_that_would_be_run_wrongly_are_refused(params: dict[str, float], message: str) -> None:
    with pytest.raises(BrainError, match=message):
        numba_simulator(Network([Population("A", 2, "iaf_psc_exp", params)]))
