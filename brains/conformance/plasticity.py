"""Conformance of plasticity rules: weights against their references, and the step in which they act.

`suite.py` says how to use the checks. A simulator may lack a rule; then it must refuse it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.conformance.expectations import (
    SEED,
    OpenNetwork,
    check,
    expect,
    expect_active,
    expect_equal,
    expect_raises,
    run_once,
)
from ethospike.brains.conformance.specimens import CURRENT_BASED, FIRE, cell, poisson_spikes, spikes, window
from ethospike.brains.network import (
    AllToAll,
    DopamineSTDP,
    FilteredSpikes,
    ModulationChannel,
    Network,
    OneToOne,
    PairSTDP,
    PlasticityRule,
    Projection,
    SpikeInput,
    TDError,
    ThreeFactor,
)
from ethospike.brains.simulator import SpikeBlock, Stimulus, plastic_events
from ethospike.errors import BrainError

SIZES = {"source": 6, "target": 4, "modulator": 3}
"""Populations of `classroom`; the targets form two clusters."""
LENGTHS = (777, 223, 1, 499, 1500)
"""Windows, of which some end between grid points."""
START = 40.0
"""Weight at the start (pA): far from the bounds, and so small that it fires nothing."""
TOLERANCE = 1e-6
"""Largest deviation from the reference, relative to the weight at the start."""

_TD = TDError("modulator", value_per_hz=0.02, value_at_rest=-0.3)
_DOPAMINE = FilteredSpikes("modulator", tau_n=50.0, b=0.01)
RULES: dict[str, PlasticityRule] = {
    "additive STDP": PairSTDP(lambda_=0.02, alpha=1.2, mu_plus=0.0, mu_minus=0.0, tau_minus=30.0),
    "multiplicative STDP": PairSTDP(lambda_=0.05, tau_plus=15.0),
    "dopamine STDP": DopamineSTDP(_DOPAMINE, A_plus=0.4, A_minus=0.3, tau_c=100.0, tau_minus=30.0),
    "filtered spikes": ThreeFactor(_DOPAMINE, 0.5, A_minus=0.4),
    "channel": ThreeFactor(ModulationChannel("given"), 0.2, tau_filter_ms=30.0, grid_ms=0.7),
    "TD error": ThreeFactor(_TD, 3.0, gate="gate"),
    "filtered TD error": ThreeFactor(_TD, 9.0, tau_filter_ms=40.0, gate="gate", A_minus=0.2),
}
"""Rules with different numbers, so that nothing is equal by chance; weights stay within the bounds."""


def classroom(rule: PlasticityRule, delay_ms: float = 0.4) -> Network:
    """Return sources and targets that input fires, joined by synapses that learn and hardly act."""
    cells = [cell(name, size, CURRENT_BASED, t_ref=1.0) for name, size in SIZES.items()]
    cells[1] = replace(cells[1], clusters=2)
    return Network(
        tuple(cells),
        (Projection("source>target", "source", "target", AllToAll(), START, delay_ms, rule),),
        tuple(SpikeInput(f"to {name}", name, FIRE[CURRENT_BASED], delay_ms=0.1) for name in SIZES),
    )


def lecture(n_steps: int, animals: int) -> Stimulus:
    """Return input for `classroom`."""
    return poisson_spikes(n_steps, range(sum(SIZES.values())), 0.004, animals)


def modulation(network: Network, k: int, animals: int) -> Mapping[str, NDArray[np.float64]]:
    """Return the modulation of the k-th window: all that the network's rules read."""
    rng = np.random.default_rng(k)
    drawn = {
        "given": rng.normal(0.0, 1.0, animals),
        "reward": np.where(rng.random(animals) < 0.7, rng.normal(0.0, 1.0, animals), np.nan),
        "terminal": (rng.random(animals) < 0.5).astype(float),
        "gate": rng.uniform(-1.0, 1.0, (animals, 2)),
    }
    return {name: drawn[name] for name in network.modulation_channels}


def has_rule(open_network: OpenNetwork, rule: PlasticityRule) -> bool:
    """Return whether a simulator runs a rule; its refusal must name the rule."""
    try:
        open_network(classroom(rule), seed=SEED).close()
    except BrainError as error:
        expect(rule.name in str(error), f"the refusal of {rule.name} must name it, but says {str(error)!r}")
        return False
    return True


@check
def check_rules(open_network: OpenNetwork) -> None:
    """Weights are those of each rule's reference for the simulator's own spikes, after every window."""
    animals = 2
    for what, rule in RULES.items():
        if not has_rule(open_network, rule):
            continue
        network, stimulus = classroom(rule), lecture(sum(LENGTHS), animals)
        references = [network.reference("source>target", SEED, a, dt_ms=0.1) for a in range(animals)]
        blocks = []
        with open_network(network, seed=SEED, animals=animals) as simulator:
            for k, n_steps in enumerate(LENGTHS):
                first, given = simulator.step + 1, modulation(network, k, animals)
                part = window(stimulus, first, n_steps)
                blocks.append(simulator.run(n_steps, replace(part, modulation=given)))
                weights = simulator.weights("source>target")
                for animal, reference in enumerate(references):
                    reference.apply(
                        plastic_events(
                            network,
                            "source>target",
                            blocks[-1],
                            animal,
                            first_step=first,
                            n_steps=n_steps,
                            modulation=given,
                        )
                    )
                    _compare(what, animal, weights[animal], reference.weights_after(simulator.step))
        expect_active(SpikeBlock.joined(blocks), 150)
        expect(
            float(np.ptp(references[0].weight)) > 0.1,
            f"{what}: the specimen learned nothing: do its neurons fire, and is the modulation given?",
        )
    expect_active(run_once(open_network, classroom(RULES["TD error"]), 2000, lecture(2000, 1)), 50)


def _compare(what: str, animal: int, got: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    worst = int(np.argmax(np.abs(got - expected)))
    expect(
        float(np.abs(got - expected)[worst]) < TOLERANCE * START,
        f"{what}, animal {animal}: synapse {worst} has the weight {got[worst]:.9g} instead of "
        f"{expected[worst]:.9g}: the reference in `brains/network/plasticity` says in which order the events "
        f"of a step count, and when a grid point sees them",
    )


@check
def check_learned_weights_act(open_network: OpenNetwork) -> None:
    """A weight that changes at a grid point acts on source spikes of that very step, on none before."""
    fire = FIRE[CURRENT_BASED]
    for delay_ms in (0.1, 0.8):
        rule = ThreeFactor(ModulationChannel("given"), 1e9, Wmax=fire, tau_eligibility_ms=1e3)
        cells = tuple(cell(name, 3, CURRENT_BASED, t_ref=2.0) for name in ("source", "target"))
        network = Network(
            cells,
            (Projection("source>target", "source", "target", OneToOne(), 0.0, delay_ms, rule),),
            tuple(SpikeInput(f"to {p.name}", p.name, fire, delay_ms=0.1) for p in cells),
        )
        # Source 0 fires before the grid point at step 500, 1 at it; both have been paired, 2 has not.
        given = np.zeros((1, 1000))
        given[0, 499] = 1.0
        steps = np.array([98, 98, 148, 148, 497, 498, 598])
        channels = np.array([0, 1, 3, 4, 0, 1, 2])
        try:
            simulator = open_network(network, seed=SEED)
        except BrainError:
            expect(not has_rule(open_network, rule), "the rule must be refused for every network alike")
            continue
        with simulator:
            block = simulator.run(1000, replace(spikes(steps, channels), modulation={"given": given}))
            weights = simulator.weights("source>target")[0]
        expect_active(block, 7)
        expect_equal(
            block.step[(block.neuron < 3) & (block.step > 400)],
            np.array([499, 500, 600]),
            "the sources must fire on input",
        )
        expect_equal(
            weights.round().astype(np.int64),
            np.array([fire, fire, 0]).astype(np.int64),
            "paired synapses alone must have grown to their bound",
        )
        answers = block.step[(block.neuron >= 3) & (block.step > 400)]
        expect_equal(
            answers,
            np.array([501 + round(delay_ms / 0.1)]),
            f"with a delay of {delay_ms} ms, the spike of step 500 must carry the weight that changed in "
            f"this step, that of step 499 the one before",
        )
    expect_active(run_once(open_network, classroom(RULES["channel"]), 2000, lecture(2000, 1)), 50)


@check
def check_bad_modulation_is_refused(open_network: OpenNetwork) -> None:
    """Modulation that does not fit the network raises a `BrainError`, as does a bound of a wrong sign."""
    network = classroom(RULES["TD error"])
    with open_network(network, seed=SEED) as simulator:
        wrong: tuple[tuple[str, dict[str, NDArray[np.float64]]], ...] = (
            ("a channel that no rule reads", {"rewards": np.zeros(1)}),
            ("a reward for each step", {"reward": np.zeros((1, 100))}),
            ("an infinite reward", {"reward": np.array([np.inf])}),
            ("a gate of the wrong shape", {"gate": np.zeros((1, 3))}),
            ("a gate that is not a number", {"gate": np.full((1, 2), np.nan)}),
        )
        for what, given in wrong:
            stimulus = replace(Stimulus.none(), modulation=given)
            expect_raises(partial(simulator.run, 100, stimulus), BrainError, what)
        weights = simulator.weights("source>target")
        expect_raises(
            lambda: simulator.set_weights("source>target", -weights),
            BrainError,
            "weights beyond the bounds of the rule",
        )
        expect_active(simulator.run(2000, lecture(2000, 1)), 50)
