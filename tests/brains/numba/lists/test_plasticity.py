"""Rules of plasticity in the lists engine against their references, and what must not matter to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ethospike.brains.conformance.specimens import poisson_spikes, window
from ethospike.brains.network import (
    AllToAll,
    DopamineSTDP,
    FilteredSpikes,
    FixedIndegree,
    ModulationChannel,
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

TD = TDError("critic", value_per_hz=0.002, value_at_rest=-0.05)
CRITIC = ThreeFactor(TD, 0.1, A_plus=0.05, Wmin=-np.inf)
ACTOR = ThreeFactor(
    TD, 0.2, A_plus=0.05, A_minus=0.01, tau_filter_ms=40.0, gate="action", Wmin=-2.0, Wmax=9.0
)
SIZE = 12


def learner(critic=CRITIC, actor=ACTOR, dt_ms=0.1):
    """Sources that fire at each input spike, a critic, and two groups of an actor."""
    cell = {"E_L": -65.0, "V_reset": -65.0, "V_th": -52.0, "tau_m": 100.0, "t_ref": 0.0, "V_m": -65.0}
    return Network(
        (
            Population("code", SIZE, "iaf_psc_delta", cell),
            Population("critic", 6, "iaf_psc_delta", cell),
            Population("actor", 6, "iaf_psc_delta", cell, clusters=2),
        ),
        (
            Projection("code>critic", "code", "critic", AllToAll(), Uniform(0.5, 4.0), 1.0, critic),
            Projection("code>actor", "code", "actor", AllToAll(), Uniform(0.5, 4.0), 1.0, actor),
        ),
        (SpikeInput("in", "code", 30.0, delay_ms=1.0),),
    )


def lesson(k, animals):
    """Modulation of the k-th window: rewards, an end of an episode now and then, actions."""
    rng = np.random.default_rng(k)
    reward = np.where(rng.random(animals) < 0.8, rng.normal(0.0, 1.0, animals), np.nan)
    return {
        "reward": reward,
        "terminal": (rng.random(animals) < 0.3).astype(float),
        "action": rng.uniform(-1.0, 1.0, (animals, 2)),
    }


def run(network, stimulus, lengths, *, modulate=lesson, animals=2, dt_ms=0.1, names=None, **settings):
    """Run windows, and return spikes, and final weights as simulated and as the references make them."""
    names = names or [p.name for p in network.plastic_projections]
    references = {(n, a): network.reference(n, 5, a, dt_ms) for n in names for a in range(animals)}
    blocks = []
    settings = {"precision": "double", **settings}
    with open_simulator(
        network, SimulatorSettings("numba", **settings), seed=5, animals=animals, dt_ms=dt_ms
    ) as sim:
        for k, n_steps in enumerate(lengths):
            first = sim.step + 1
            given = modulate(k, animals) if modulate else None
            blocks.append(sim.run(n_steps, replace(window(stimulus, first, n_steps), modulation=given)))
            for (name, animal), reference in references.items():
                reference.apply(
                    plastic_events(
                        network, name, blocks[-1], animal, first_step=first, n_steps=n_steps, modulation=given
                    )
                )
        got = {name: sim.weights(name) for name in names}
        step = sim.step
    expected = {
        name: np.stack([references[name, a].weights_after(step) for a in range(animals)]) for name in names
    }
    return SpikeBlock.joined(blocks), got, expected


@pytest.mark.parametrize("dt_ms", [0.1, 1.0])
def test_actor_and_critic_learn_as_the_reference_says(dt_ms):
    lengths = [round(20 / dt_ms)] * 15 + [round(7 / dt_ms), round(33 / dt_ms)]
    stimulus = poisson_spikes(sum(lengths), range(SIZE), 0.2 * dt_ms, animals=2)
    spikes, got, expected = run(learner(), stimulus, lengths, dt_ms=dt_ms)
    assert (spikes.neuron >= SIZE).sum() > 200
    for name in got:
        assert np.ptp(got[name] - learner().wire(name, 5, 0).weight) > 0.1
        np.testing.assert_array_equal(got[name], expected[name])
    assert got["code>critic"].min() < 0.0  # weights of free sign have changed theirs


def test_weights_stop_at_the_bounds_of_the_rule():
    rule = ThreeFactor(ModulationChannel("m"), 0.5, Wmin=0.0, Wmax=4.0, A_minus=0.9)
    stimulus = poisson_spikes(400, range(SIZE), 0.3)

    def alternate(k, animals):
        return {"m": np.full(animals, (-1.0) ** k)}

    network = learner(critic=rule, actor=rule)
    _, got, expected = run(network, stimulus, [100] * 4, modulate=alternate, animals=1, dt_ms=1.0)
    for name in got:
        np.testing.assert_array_equal(got[name], expected[name])
        assert (got[name] == 0.0).sum() > 5


# -- STDP ---------------------------------------------------------------------------------------------

DOPAMINE = FilteredSpikes("DA", tau_n=60.0, b=0.004)
STDP_RULES = {
    "additive": PairSTDP(lambda_=0.02, alpha=0.9, mu_plus=0.0, mu_minus=0.0, tau_minus=30.0, Wmax=60.0),
    "multiplicative": PairSTDP(lambda_=0.05, tau_plus=15.0, Wmax=60.0),
    "power law": PairSTDP(lambda_=0.05, mu_plus=0.3, mu_minus=0.6, Wmax=60.0),
    "dopamine": DopamineSTDP(DOPAMINE, A_plus=1.0, A_minus=1.2, tau_c=150.0, Wmin=0.0, Wmax=80.0),
}
BOUNDED = DopamineSTDP(DOPAMINE, A_plus=9.0, A_minus=9.0, tau_c=150.0, Wmin=28.0, Wmax=33.0)


def stdp(rule, delay_ms):
    """Sources and targets that are driven at random, joined by plastic synapses, and dopaminergic neurons."""
    cells = [Population(name, size, "iaf_psc_exp", {"t_ref": 1.0}) for name, size in SIZES]
    return Network(
        cells,
        (
            Projection("S>T", "S", "T", FixedIndegree(5), 30.0, delay_ms, rule),
            Projection("T>T", "T", "T", FixedIndegree(3), 30.0, delay_ms, rule),
        ),
        [SpikeInput(f"to {name}", name, 1e5, delay_ms=0.1) for name, _ in SIZES],
    )


SIZES = (("S", 10), ("T", 6), ("DA", 2))


def drive(n_steps, animals=1, seed=0):
    probability = [0.004] * 10 + [0.003] * 6 + [0.002] * 2
    return poisson_spikes(n_steps, range(18), probability, animals, seed)


@pytest.mark.parametrize("delay_ms", [0.1, 1.5, Uniform(0.2, 3.0)], ids=["step", "one", "drawn"])
@pytest.mark.parametrize("rule", STDP_RULES.values(), ids=STDP_RULES)
def test_stdp_is_that_of_the_reference(rule, delay_ms):
    network, lengths = stdp(rule, delay_ms), [700, 1, 2, 797, 1500]
    spikes, got, expected = run(network, drive(3000, 2), lengths, modulate=None)
    assert len(spikes) > 150
    for name in got:
        assert np.ptp(got[name]) > 0.5
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-12)


def test_dopamine_stdp_stops_at_its_bounds():
    network = stdp(replace(BOUNDED, Wmin=0.0), 1.0)
    _, got, expected = run(network, drive(3000, 1), [3000], modulate=None, animals=1)
    assert got["S>T"].max() == 33.0
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("name", ["multiplicative", "dopamine"])
def test_weights_that_are_set_are_those_that_learn_on(name):
    network, stimulus = stdp(STDP_RULES[name], 1.5), drive(3000)
    references = {name: network.reference(name, 5, 0, 0.1) for name in ("S>T", "T>T")}
    with open_simulator(network, SimulatorSettings("numba", precision="double"), seed=5) as simulator:
        for first, n_steps in ((1, 1000), (1001, 2000)):
            block = simulator.run(n_steps, window(stimulus, first, n_steps))
            for name, reference in references.items():
                reference.apply(plastic_events(network, name, block, 0, first_step=first, n_steps=n_steps))
            if first == 1:
                for name, reference in references.items():
                    simulator.set_weights(name, np.full_like(simulator.weights(name), 12.0))
                    reference.set_weights(np.full_like(reference.weight, 12.0), 1000)
                    np.testing.assert_array_equal(simulator.weights(name), 12.0)
        for name, reference in references.items():
            assert np.ptp(simulator.weights(name)) > 0.1
            np.testing.assert_allclose(simulator.weights(name)[0], reference.weights_after(3000), rtol=1e-12)


@pytest.mark.parametrize("rule", STDP_RULES.values(), ids=STDP_RULES)
def test_reading_weights_changes_nothing(rule):
    network, stimulus = stdp(rule, 1.5), drive(1000)
    weights = []
    for reads in (False, True):
        with open_simulator(network, SimulatorSettings("numba"), seed=5) as simulator:
            for first in range(1, 1001, 50):
                simulator.run(50, window(stimulus, first, 50))
                if reads:
                    simulator.weights("S>T")
            weights.append(simulator.weights("S>T"))
    np.testing.assert_array_equal(*weights)


def test_groups_and_threads_do_not_matter():
    network, stimulus = learner(actor=ACTOR), poisson_spikes(400, range(SIZE), 0.2, animals=3)
    got = [run(network, stimulus, [100] * 4, animals=3, dt_ms=1.0, threads=threads)[1] for threads in (1, 3)]
    for name in got[0]:
        np.testing.assert_array_equal(got[0][name], got[1][name])


@pytest.mark.parametrize("rule", [None, *STDP_RULES.values()], ids=["three-factor", *STDP_RULES])
def test_a_run_continues_from_its_state(rule):
    if rule is None:
        network, stimulus, dt_ms = learner(), poisson_spikes(400, range(SIZE), 0.2), 1.0
    else:
        network, stimulus, dt_ms = stdp(rule, Uniform(0.2, 3.0)), drive(400), 0.1
    names = [projection.name for projection in network.plastic_projections]

    def go(simulator, first, n_steps):
        given = lesson(first, 1) if rule is None else None
        return simulator.run(n_steps, replace(window(stimulus, first, n_steps), modulation=given))

    with open_simulator(network, SimulatorSettings("numba"), seed=5, dt_ms=dt_ms) as simulator:
        go(simulator, 1, 207)
        saved = simulator.state()
        once = go(simulator, 208, 193)
        weights = {name: simulator.weights(name) for name in names}
        end = simulator.state()
    with open_simulator(network, SimulatorSettings("numba"), seed=5, dt_ms=dt_ms) as simulator:
        simulator.set_state(saved)
        again = go(simulator, 208, 193)
        for name in names:
            np.testing.assert_array_equal(simulator.weights(name), weights[name])
        for name, array in simulator.state().items():
            np.testing.assert_array_equal(array, end[name], err_msg=name)
    assert len(once) > 10
    np.testing.assert_array_equal(once.neuron, again.neuron)


def test_a_large_network_with_such_a_rule_runs_on_lists():
    from ethospike.brains.numba.choice import choose

    cells = Population("E", 25_000, "iaf_psc_exp")
    network = Network([cells], [Projection("E>E", "E", "E", FixedIndegree(2), 1.0, 1.0, PairSTDP())])
    choice = choose(network)
    assert (choice.engine, choice.because) == ("lists", "lists alone run PairSTDP")
