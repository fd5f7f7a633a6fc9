"""Conformance of saved states: a run that continues one is the run that was never interrupted, bit for bit.

`suite.py` says how to use the checks. A simulator may have no states; then asking for one is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.conformance.expectations import (
    SEED,
    OpenNetwork,
    check,
    expect,
    expect_active,
    expect_raises,
    expect_same,
    run_once,
)
from ethospike.brains.conformance.models import CELLS, OTHERS, has_model
from ethospike.brains.conformance.plasticity import RULES, classroom, has_rule, lecture, modulation
from ethospike.brains.conformance.specimens import (
    CURRENT_BASED,
    LEAKY,
    STOCHASTIC,
    busy,
    drive,
    lessons,
    small_deterministic_network,
    trained,
    window,
)
from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import Simulator, SpikeBlock, Stimulus
from ethospike.errors import BrainError, SimulatorUnavailable

BEFORE, AFTER = (289, 7, 1, 3), (1, 2, 5, 292)
"""Windows before and after the state. Those next to it are shorter than the delays of the specimens, so that
spikes are under way for several windows, and end between the grid points of rules."""


@dataclass(frozen=True)
class Specimen:
    """A network and its use.

    Parameters
    ----------
    network : Network
    given : callable (first step, steps, number of the window) -> Stimulus
    animals : int
    change : callable (Simulator) -> None
        Called before the last window before the state.
    n_spikes : int
        The least number of spikes after the state.
    """

    network: Network
    given: Callable[[int, int, int], Stimulus]
    animals: int = 1
    change: Callable[[Simulator], None] = lambda simulator: None
    n_spikes: int = 10

    def run(self, simulator: Simulator, lengths: Sequence[int], first: int = 0) -> SpikeBlock:
        """Return the spikes of windows of these lengths, of which the first has a number."""
        blocks = []
        for k, n_steps in enumerate(lengths, first):
            if k == len(BEFORE) - 1:
                self.change(simulator)
            blocks.append(simulator.run(n_steps, self.given(simulator.step + 1, n_steps, k)))
        return SpikeBlock.joined(blocks)


def expect_continued(open_network: OpenNetwork, specimen: Specimen) -> SpikeBlock:
    """Raise unless a new simulator goes on from a saved state; return the spikes after it."""
    opened = partial(open_network, specimen.network, seed=SEED, animals=specimen.animals)
    with opened() as simulator:
        specimen.run(simulator, BEFORE)
        saved = simulator.state()
        copies = {key: np.array(value) for key, value in saved.items()}
        onward = specimen.run(simulator, AFTER, len(BEFORE))
        results = _results(simulator)
        end = simulator.state()
    expect_active(onward, specimen.n_spikes)
    for key, value in copies.items():
        expect(
            np.array_equal(saved[key], value, equal_nan=True),
            f"state()[{key!r}] changed while the simulation went on: return copies",
        )
    with opened() as simulator:
        simulator.set_state(copies)
        expect(
            simulator.step == sum(BEFORE),
            f"after set_state, `step` is {simulator.step} instead of {sum(BEFORE)}",
        )
        again = specimen.run(simulator, AFTER, len(BEFORE))
        results_again = _results(simulator)
        end_again = simulator.state()
    expect_same(
        onward,
        again,
        "a continued run differs: spikes under way, refractory counters, currents, eligibility, weights, "
        "silence and generators are all part of the state",
    )
    for kind, expected, got in (("", results, results_again), ("state of ", end, end_again)):
        for key, value in expected.items():
            expect(
                np.array_equal(got[key], value, equal_nan=True),
                f"{kind}{key!r} differs at the end of a continued run",
            )
    return onward


def _results(simulator: Simulator) -> dict[str, NDArray[Any]]:
    """Return all that a simulator tells besides spikes."""
    network, results = simulator.network, {}
    for projection in network.projections:
        if len({simulator.n_synapses(projection.name, animal) for animal in range(simulator.animals)}) == 1:
            results[f"weights of {projection.name}"] = simulator.weights(projection.name)
    for projection in network.plastic_projections:
        if projection.plasticity is not None and projection.plasticity.grid_ms is not None:
            results[f"modulator of {projection.name}"] = simulator.modulator_values(projection.name)
    return {**results, "suppressed spikes": simulator.suppressed_spikes()}


def _from(stimulus: Stimulus) -> Callable[[int, int, int], Stimulus]:
    return lambda first, n_steps, k: window(stimulus, first, n_steps)


def _interfere(simulator: Simulator) -> None:
    """Change weights, and silence a neuron."""
    name = simulator.network.projections[0].name
    simulator.set_weights(name, 0.8 * simulator.weights(name))
    simulator.silence([3])


def has_states(open_network: OpenNetwork) -> bool:
    """Return whether a simulator has states; if not, asking for one must be an error."""
    (network, stimulus), *_ = busy(1000)
    with open_network(network, seed=SEED) as simulator:
        if simulator.capabilities.restores_state:
            return True
        expect_raises(simulator.state, SimulatorUnavailable, "state")
        expect_raises(partial(simulator.set_state, {}), SimulatorUnavailable, "set_state")
        expect_active(simulator.run(1000, stimulus), 20)
    return False


@check
def check_state(open_network: OpenNetwork) -> None:
    """A run of two animals is continued bit-identically; where it cannot be, asking is an error."""
    if not has_states(open_network):
        return
    for network, stimulus in busy(sum(BEFORE + AFTER), 2):
        specimen = Specimen(network, _from(stimulus), 2)
        onward = expect_continued(open_network, specimen)
        with open_network(network, seed=SEED, animals=2) as simulator:
            specimen.run(simulator, BEFORE)
            whole = specimen.run(simulator, AFTER, len(BEFORE))
        expect_same(whole, onward, "a run differs because its state was asked for")


@check
def check_state_of_models(open_network: OpenNetwork) -> None:
    """A state has all that each neuron model needs, silence, and weights that were set."""
    if not has_states(open_network):
        return
    stimulus = drive(sum(BEFORE + AFTER), current_pa=20.0)
    noisy = Population("cell", CELLS, STOCHASTIC, {"c_2": 40.0, "c_3": 0.0, "dead_time": 5.0, "c_1": 0.0})
    specimens = {STOCHASTIC: Specimen(Network((noisy,)), _from(Stimulus.none()))} | {
        model: Specimen(small_deterministic_network(model), _from(stimulus), change=_interfere)
        for model in (*LEAKY, *OTHERS)
    }
    for model, specimen in specimens.items():
        try:
            expect_continued(open_network, specimen)
        except BrainError as error:
            expect(not has_model(open_network, model), f"{model}: {error}")


@check
def check_state_of_rules(open_network: OpenNetwork) -> None:
    """A state has all that each rule needs: traces, spikes on their way, the memory of modulators."""
    if not has_states(open_network):
        return

    def halve(simulator: Simulator) -> None:
        simulator.set_weights("source>target", 0.5 * simulator.weights("source>target"))

    n_steps = sum(BEFORE + AFTER)
    taught = Specimen(trained(), _from(lessons(n_steps, 2)), 2, halve)
    expect_continued(open_network, taught)
    stimulus = lecture(n_steps, 2)
    for what, rule in RULES.items():
        network = classroom(rule)

        def given(first: int, n: int, k: int, network: Network = network) -> Stimulus:
            return replace(window(stimulus, first, n), modulation=modulation(network, k, 2))

        try:
            expect_continued(open_network, Specimen(network, given, 2, halve))
        except BrainError as error:
            expect(not has_rule(open_network, rule), f"{what}: {error}")
    expect_active(run_once(open_network, small_deterministic_network(CURRENT_BASED), 1000, drive(1000)), 20)
