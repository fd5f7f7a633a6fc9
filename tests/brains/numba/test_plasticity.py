"""Rules of plasticity in the lists engine against their references, and what must not matter to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ethospike.brains.conformance.specimens import poisson_spikes, window
from ethospike.brains.network import (
    AllToAll,
    ModulationChannel,
    Network,
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
