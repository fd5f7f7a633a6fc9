"""Any model of NEST by its name, against NEST itself, and the errors that take its place."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.network import (
    FixedIndegree,
    NestModel,
    Network,
    OneToOne,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("nest")
NEST = SimulatorSettings("nest")


def run(network: Network, n_steps: int, stimulus: Stimulus | None = None):
    with open_simulator(network, NEST, seed=1) as simulator:
        return simulator.run(n_steps, stimulus)


def native_spikes(model: str, n_ms: float, **params):
    """The same cells in NEST alone."""
    from ethospike.brains.nest.kernel import nest

    nest.ResetKernel()
    nest.set(resolution=0.1)
    cells = nest.Create(model, 3, params)
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(cells, recorder)
    nest.Simulate(n_ms)
    events = recorder.get("events")
    nest.ResetKernel()
    order = np.lexsort((events["senders"], events["times"]))
    return events["times"][order], events["senders"][order] - 1


@pytest.mark.parametrize(
    ("model", "params"),
    [("hh_psc_alpha", {"I_e": [650.0, 700.0, 900.0]}), ("iaf_cond_alpha", {"I_e": [300.0, 400.0, 600.0]})],
)
def test_a_model_of_nest_spikes_as_in_nest_alone(model, params):
    network = Network((Population("E", 3, NestModel(model), {k: np.array(v) for k, v in params.items()}),))
    block = run(network, 5000)
    steps, neurons = native_spikes(model, 500.0, **params)
    assert len(steps) > 20
    assert block.step.tolist() == steps.tolist()
    assert block.neuron.tolist() == neurons.tolist()


def test_parameters_come_from_model_and_population_and_lists_stay_lists():
    model = NestModel(
        "gif_psc_exp", {"I_e": 400.0, "tau_sfa": [30.0, 200.0], "q_sfa": [5.0, 2.0], "lambda_0": 10.0}
    )
    low, high = Population("low", 20, model), Population("high", 20, model, {"I_e": 800.0})
    block = run(Network((low, high)), 10_000)
    few, many = (block.neuron < 20).sum(), (block.neuron >= 20).sum()
    assert few > 20
    assert many > 1.3 * few


def test_precise_spikes_are_reported_at_the_end_of_their_step():
    network = Network((Population("E", 1, NestModel("iaf_psc_exp_ps", {"I_e": 500.0})),))
    grid = Network((Population("E", 1, "iaf_psc_exp", {"I_e": 500.0}),))
    first, on_grid = run(network, 200).step[0], run(grid, 200).step[0]
    # V reaches 15 of 20 mV after tau ln 4 = 13.863 ms, within step 139.
    assert first == on_grid == 139


@pytest.mark.parametrize(("receptor", "fires"), [(1, True), (2, False)])
def test_a_receptor_port_is_reached(receptor, fires):
    """Port 1 has a strong and slow, port 2 a weak synapse (its reversal potential is at rest)."""
    model = NestModel(
        "aeif_cond_beta_multisynapse",
        {"E_rev": [0.0, -70.6], "tau_rise": [0.2, 0.2], "tau_decay": [5.0, 5.0]},
    )
    relay = Population("relay", 1, "iaf_psc_delta")
    network = Network(
        (relay, Population("E", 1, model)),
        (Projection("relay>E", "relay", "E", OneToOne(), 200.0, 1.0, receptor=receptor),),
        (SpikeInput("in", "relay", 30.0),),
    )
    stimulus = Stimulus(np.array([10]), np.zeros(1, np.int32), np.zeros(1, np.int32))
    block = run(network, 500, stimulus)
    assert 0 in block.neuron
    assert (1 in block.neuron) == fires


def test_a_receptor_has_a_name_where_nest_names_it():
    network = Network(
        (Population("E", 1, NestModel("ht_neuron")),),
        (),
        (SpikeInput("in", "E", 50.0, receptor="AMPA"),),
    )
    stimulus = Stimulus(np.full(1, 10), np.zeros(1, np.int32), np.zeros(1, np.int32))
    assert len(run(network, 500, stimulus)) > 0
    wrong = Network(network.populations, (), (SpikeInput("in", "E", 50.0, receptor="AMPPA"),))
    with pytest.raises(BrainError, match=r"SpikeInput 'in'\.receptor: .*did you mean 'AMPA'"):
        run(wrong, 10)


@pytest.mark.parametrize(
    ("population", "message"),
    [
        (
            Population("E", 1, NestModel("hh_psc_alfa")),
            "NEST has no 'hh_psc_alfa'; did you mean 'hh_psc_alpha'",
        ),
        (Population("E", 1, NestModel("hh_psc_alpha", {"g_NA": 1.0})), "has no 'g_NA'; did you mean 'g_Na'"),
        (Population("E", 1, NestModel("hh_psc_alpha"), {"g_NA": 1.0}), "has no 'g_NA'; did you mean 'g_Na'"),
        (Population("E", 1, NestModel("hh_psc_alpha", {"C_m": -1.0})), "NEST refuses the parameters"),
        (Population("E", 1, NestModel("poisson_generator")), "is no neuron on NEST"),
        (Population("E", 1, NestModel("lin_rate_ipn")), "has no spikes"),
        (Population("E", 1, NestModel("my_nestml", module="no_such_module")), "cannot load 'no_such_module'"),
    ],
    ids=["model", "parameter of the model", "of the population", "value", "device", "rates", "module"],
)
def test_a_refusal_names_the_reason(population, message):
    with pytest.raises(BrainError, match=message) as refused:
        run(Network((population,)), 10)
    assert "\n" not in str(refused.value)
    assert len(run(Network((Population("E", 1, "iaf_psc_exp", {"I_e": 500.0}),)), 200)) > 0


def test_other_simulators_name_nest():
    network = Network((Population("E", 1, NestModel("hh_psc_alpha")),))
    with pytest.raises(BrainError, match="numba lacks the model hh_psc_alpha; simulators that have it: nest"):
        open_simulator(network, SimulatorSettings("numba"), seed=1)


def test_a_receptor_of_a_model_that_chooses_by_the_sign_is_refused():
    cells = Population("E", 10, "iaf_psc_exp")
    with pytest.raises(BrainError, match="the sign of a weight chooses the receptor of iaf_psc_exp; got 1"):
        Network((cells,), (Projection("p", "E", "E", FixedIndegree(2), 1.0, receptor=1),))


def test_potentials_are_those_of_numba_and_watching_changes_nothing():
    """Cells of two models in two animals, one of them twice; windows of any length."""
    cells = [
        Population("A", 3, "iaf_psc_exp", {"I_e": 500.0}),
        Population("B", 2, "iaf_psc_delta", {"I_e": 700.0}),
    ]
    network = Network(cells, [Projection("A>B", "A", "B", FixedIndegree(2), 2.0, 1.0)])
    seen, spikes = {}, {}
    for name, precision in (("nest", {}), ("numba", {"precision": "double"})):
        with open_simulator(network, SimulatorSettings(name, **precision), seed=3, animals=2) as simulator:
            simulator.watch(np.array([4, 0, 4]))
            blocks, traces = [], []
            for n_steps in (300, 1, 99):
                blocks.append(simulator.run(n_steps))
                traces.append(simulator.voltages())
            seen[name], spikes[name] = np.concatenate(traces), blocks
            simulator.watch(np.array([], dtype=int))
            simulator.run(100)
            assert simulator.voltages().shape[2] == 0
    assert sum(len(block) for block in spikes["nest"]) > 10
    assert np.ptp(seen["nest"]) > 10.0
    np.testing.assert_allclose(seen["nest"], seen["numba"], atol=1e-9)
    with open_simulator(network, SimulatorSettings("nest"), seed=3, animals=2) as unwatched:
        for n_steps, block in zip((300, 1, 99), spikes["nest"], strict=True):
            np.testing.assert_array_equal(unwatched.run(n_steps).step, block.step)


def test_any_number_of_a_status_can_be_watched():
    network = Network((Population("E", 1, "aeif_cond_exp", {"I_e": 1000.0}),))
    with open_simulator(network, SimulatorSettings("nest"), seed=1) as simulator:
        simulator.watch(np.array([0]), "w")
        block = simulator.run(2000)
        adaptation = simulator.voltages()[:, 0, 0]
        with pytest.raises(BrainError, match="aeif_cond_exp has no number 'V_n'; did you mean 'V_m'"):
            simulator.watch(np.array([0]), "V_n")
    assert len(block) > 1
    jumps = np.diff(adaptation)[block.step[0] - 2]
    assert jumps == pytest.approx(80.5, rel=0.02)  # NEST's default b, in pA
