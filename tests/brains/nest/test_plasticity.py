"""Rules of plasticity on NEST: its own synapse models against our references, and the three-factor rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ethospike.brains.conformance.expectations import expect_same
from ethospike.brains.conformance.specimens import poisson_spikes, window
from ethospike.brains.network import (
    AllToAll,
    DopamineSTDP,
    FilteredSpikes,
    FixedIndegree,
    NestSynapse,
    Network,
    PairSTDP,
    Population,
    Projection,
    SpikeInput,
    TDError,
    ThreeFactor,
    Uniform,
)
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, open_simulator, plastic_events
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("nest")

DOPAMINE = FilteredSpikes("DA", tau_n=60.0, b=0.004)
RULES = {
    "additive": PairSTDP(lambda_=0.02, alpha=0.9, mu_plus=0.0, mu_minus=0.0, tau_minus=30.0, Wmax=60.0),
    "multiplicative": PairSTDP(lambda_=0.05, tau_plus=15.0, Wmax=60.0),
    "power law": PairSTDP(lambda_=0.05, mu_plus=0.3, mu_minus=0.6, Wmax=60.0),
    "dopamine": DopamineSTDP(DOPAMINE, A_plus=1.0, A_minus=1.2, tau_c=150.0, Wmax=80.0),
}
SIZES = (("S", 10), ("T", 6), ("DA", 2))


def stdp(rule, delay_ms, weight=30.0):
    """Sources and targets that are driven at random, joined by plastic synapses, and dopaminergic neurons."""
    return Network(
        [Population(name, size, "iaf_psc_exp", {"t_ref": 1.0}) for name, size in SIZES],
        (
            Projection("S>T", "S", "T", FixedIndegree(5), weight, delay_ms, rule),
            Projection("T>T", "T", "T", FixedIndegree(3), weight, delay_ms, rule),
        ),
        [SpikeInput(f"to {name}", name, 1e5, delay_ms=0.1) for name, _ in SIZES],
    )


def drive(n_steps, animals=1):
    return poisson_spikes(n_steps, range(18), [0.004] * 10 + [0.003] * 6 + [0.002] * 2, animals)


def learned(name, network, stimulus, lengths, modulate=None, animals=1, dt_ms=0.1):
    """Return the spikes of some windows, and the weights after each."""
    settings = SimulatorSettings(name, **({} if name == "nest" else {"precision": "double"}))
    blocks, seen = [], []
    on_grid = [p.name for p in network.plastic_projections if p.plasticity.grid_ms is not None]
    with open_simulator(network, settings, seed=5, animals=animals, dt_ms=dt_ms) as simulator:
        for k, n_steps in enumerate(lengths):
            part = window(stimulus, simulator.step + 1, n_steps)
            given = None if modulate is None else modulate(k, animals)
            blocks.append(simulator.run(n_steps, replace(part, modulation=given)))
            seen.append({p.name: simulator.weights(p.name) for p in network.plastic_projections})
            seen[-1] |= {f"modulator of {name}": simulator.modulator_values(name) for name in on_grid}
    return SpikeBlock.joined(blocks), seen


@pytest.mark.parametrize("delay_ms", [0.1, 1.5, Uniform(0.2, 3.0)], ids=["step", "one", "drawn"])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_synapse_models_of_nest_are_our_rules(rule, delay_ms):
    """NEST's weights after every window, for its own spikes; and the spikes and weights of Numba."""
    network, lengths = stdp(rule, delay_ms), [700, 1, 2, 797, 1500]
    spikes, seen = learned("nest", network, drive(3000, 2), lengths, animals=2)
    assert len(spikes) > 150
    for name in seen[0]:
        assert np.ptp(seen[-1][name]) > 0.5
        for animal in range(2):
            reference, step = network.reference(name, 5, animal, 0.1), 0
            for n_steps, weights in zip(lengths, seen, strict=True):
                events = plastic_events(network, name, spikes, animal, first_step=step + 1, n_steps=n_steps)
                reference.apply(events)
                step += n_steps
                expected = reference.weights_after(step)
                np.testing.assert_allclose(weights[name][animal], expected, rtol=1e-10, atol=1e-10)
    same, other = learned("numba", network, drive(3000, 2), lengths, animals=2)
    expect_same(spikes, same, "Numba fires other spikes than NEST")
    for name, weights in seen[-1].items():
        np.testing.assert_allclose(other[-1][name], weights, rtol=1e-10, atol=1e-10)


def test_inhibitory_stdp_has_a_negative_bound():
    rule = PairSTDP(lambda_=0.05, Wmax=-60.0)
    network = stdp(rule, 1.5, weight=-30.0)
    spikes, seen = learned("nest", network, drive(3000), [3000])
    same, other = learned("numba", network, drive(3000), [3000])
    assert seen[-1]["S>T"].max() < 0 < np.ptp(seen[-1]["S>T"])
    expect_same(spikes, same, "Numba fires other spikes than NEST")
    np.testing.assert_allclose(other[-1]["S>T"], seen[-1]["S>T"], rtol=1e-10)


TD = TDError("critic", value_per_hz=0.002, value_at_rest=-0.05)
CRITIC = ThreeFactor(TD, 0.1, A_plus=0.05, Wmin=-np.inf)
ACTOR = ThreeFactor(TD, 0.2, A_plus=0.05, A_minus=0.01, tau_filter_ms=40.0, gate="action", Wmin=-np.inf)


def learner(delay_ms=1.0):
    cell = {"E_L": -65.0, "V_reset": -65.0, "V_th": -52.0, "tau_m": 100.0, "t_ref": 0.0, "V_m": -65.0}
    return Network(
        (
            Population("code", 12, "iaf_psc_delta", cell),
            Population("critic", 6, "iaf_psc_delta", cell),
            Population("actor", 6, "iaf_psc_delta", cell, clusters=2),
        ),
        (
            Projection("code>critic", "code", "critic", AllToAll(), Uniform(0.5, 4.0), delay_ms, CRITIC),
            Projection("code>actor", "code", "actor", AllToAll(), Uniform(0.5, 4.0), delay_ms, ACTOR),
        ),
        (SpikeInput("in", "code", 30.0, delay_ms=delay_ms),),
    )


def lesson(k, animals):
    rng = np.random.default_rng(k)
    return {
        "reward": np.where(rng.random(animals) < 0.8, rng.normal(0.0, 1.0, animals), np.nan),
        "terminal": (rng.random(animals) < 0.3).astype(float),
        "action": rng.uniform(-1.0, 1.0, (animals, 2)),
    }


@pytest.mark.parametrize(("dt_ms", "lengths"), [(1.0, [20] * 8 + [7, 33]), (0.1, [200] * 3 + [73, 127])])
def test_three_factor_learning_is_that_of_numba(dt_ms, lengths):
    """Weights change at grid points only, where NEST stops: spikes and weights are the same, bit by bit."""
    network, stimulus = learner(), poisson_spikes(sum(lengths), range(12), 0.2 * dt_ms, animals=2)
    spikes, seen = learned("nest", network, stimulus, lengths, lesson, animals=2, dt_ms=dt_ms)
    same, other = learned("numba", network, stimulus, lengths, lesson, animals=2, dt_ms=dt_ms)
    assert (spikes.neuron >= 12).sum() > 100
    expect_same(spikes, same, "Numba fires other spikes than NEST")
    for of_nest, of_numba in zip(seen, other, strict=True):
        for name, weights in of_nest.items():
            np.testing.assert_array_equal(of_numba[name], weights)
    assert np.ptp(seen[-1]["code>actor"] - seen[0]["code>actor"]) > 0.01
    ends = np.cumsum([0, *lengths])
    points = np.diff(np.floor(ends * dt_ms + 1e-9)).astype(int)  # whole milliseconds in each window
    assert [of_window["modulator of code>actor"].shape for of_window in seen] == [(2, n) for n in points]
    assert np.ptp(np.concatenate([of_window["modulator of code>actor"] for of_window in seen], axis=1)) > 0


def test_any_synapse_model_of_nest():
    """Short-term depression: later spikes of a burst move the target less than with a constant weight."""
    cells = [Population(name, 1, "iaf_psc_exp", {"t_ref": 1.0}) for name in "ST"]

    def answers(plasticity):
        network = Network(
            cells,
            [Projection("S>T", "S", "T", AllToAll(), 6000.0, 1.0, plasticity)],
            [SpikeInput("in", "S", 1e5, delay_ms=0.1)],
        )
        spikes, seen = learned("nest", network, poisson_spikes(2000, [0], 0.03), [2000])
        return (spikes.neuron == 1).sum(), seen[-1] if plasticity else None

    fixed, _ = answers(None)
    depressing, weights = answers(NestSynapse("tsodyks2_synapse", {"U": 0.5, "tau_rec": 500.0}))
    assert fixed > depressing > 0
    assert weights["S>T"][0, 0] == 6000.0


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (
            NestSynapse("tsodyk2_synapse"),
            "no synapse model 'tsodyk2_synapse'; did you mean 'tsodyks2_synapse'",
        ),
        (NestSynapse("tsodyks2_synapse", {"u0": 1.0}), "tsodyks2_synapse has no 'u0'"),
    ],
)
def test_unknown_synapses_and_parameters_name_the_nearest(rule, match):
    with pytest.raises(BrainError, match=match):
        open_simulator(stdp(rule, 1.0), SimulatorSettings("nest"), seed=1)


def test_two_rules_with_different_traces_of_one_target_are_refused():
    network = stdp(RULES["multiplicative"], 1.0)
    other = replace(network.projections[1], plasticity=PairSTDP(tau_minus=33.0, Wmax=60.0))
    network = replace(network, projections=(network.projections[0], other))
    with pytest.raises(BrainError, match=r"tau_minus = 20\.0 instead of 33\.0; use one value, or Numba"):
        open_simulator(network, SimulatorSettings("nest"), seed=1)


def test_a_synapse_of_nest_runs_nowhere_else():
    with pytest.raises(BrainError, match=r"numba lacks the rule NestSynapse; simulators that have it: nest"):
        open_simulator(stdp(NestSynapse("stdp_synapse"), 1.0), SimulatorSettings("numba"), seed=1)
