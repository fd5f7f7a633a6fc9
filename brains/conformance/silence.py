"""Checks of `Simulator.silence`: neurons that do not fire, and neurons with spikes that reach no target."""

from __future__ import annotations

from functools import partial

import numpy as np

from ethospike.brains.conformance.expectations import (
    MODELS,
    SEED,
    OpenNetwork,
    check,
    expect,
    expect_equal,
    expect_raises,
)
from ethospike.brains.conformance.specimens import (
    FIRE,
    SILENT_MS,
    TEACH_CHANNEL,
    cell,
    spikes,
    trained,
)
from ethospike.brains.network import Network, OneToOne, Projection, SpikeInput
from ethospike.brains.simulator import Stimulus
from ethospike.errors import BrainError, SimulatorUnavailable

SIZE = 3
"""Sources, each with a target of its own."""
DELAY_STEPS = 30
"""From a source to its target: longer than the shortest delay, so that spikes are under way."""


def pairs(model: str) -> Network:
    """Return sources that fire on demand, and fire one target each."""
    return Network(
        tuple(cell(name, SIZE, model, t_ref=SILENT_MS) for name in ("source", "target")),
        (Projection("source>target", "source", "target", OneToOne(), FIRE[model], DELAY_STEPS * 0.1),),
        (SpikeInput("fire", "source", FIRE[model], delay_ms=0.1),),
    )


@check
def check_silence(open_network: OpenNetwork) -> None:
    """Silent neurons fire no spike, cut ones reach nothing, others and silent ones' spikes under way do."""
    free = [0, 1, 2, 3, 4, 5]
    for model in MODELS:
        with open_network(pairs(model), seed=SEED, animals=2) as simulator:
            volley = [simulator.run(20, _volley(10))]
            silent, cut = np.zeros((2, 2, 6), dtype=bool)
            silent[0, 0] = cut[0, 1] = True
            simulator.silence(silent, cut)
            volley.append(simulator.run(280))
            silenced = simulator.run(300, _volley(310))
            suppressed = simulator.suppressed_spikes()
            simulator.silence(cut=[0])
            only_cut = simulator.run(300, _volley(610))
            simulator.silence()
            again = simulator.run(300, _volley(910))
        for animal, fired in ((0, [1, 2, 5]), (1, free)):
            neurons = silenced.neuron[silenced.animal == animal]
            expect_equal(
                np.sort(neurons),
                np.array(fired),
                f"{model}: with neuron 0 of animal 0 silent, and the outputs of 1 cut, the neurons that fire "
                f"in animal {animal} are wrong: is silence one of the animal's own neurons?",
            )
        before = [block.neuron[(block.animal != 0) | (block.neuron != 4)] for block in volley]
        expect_equal(
            np.sort(np.concatenate(before)),  # but for the target of the cut source, see `Simulator.silence`
            np.sort([0, 1, 2, 3, 5, *free]),
            f"{model}: spikes that were under way must still arrive",
        )
        expect_equal(
            suppressed,
            np.eye(1, 12, dtype=np.int64).reshape(2, 6),
            f"{model}: one spike of neuron 0 in animal 0 did not come about, and no other",
        )
        expect_equal(
            np.sort(only_cut.neuron),
            np.repeat([0, 1, 2, 4, 5], 2),
            f"{model}: a later call replaces the choice of the one before; a list means all animals",
        )
        expect_equal(
            np.sort(again.neuron), np.repeat(free, 2), f"{model}: neurons that are free again must act again"
        )


def _volley(step: int, animals: int = 2) -> Stimulus:
    """Return a spike to each source of each animal."""
    return spikes(step, np.tile(np.arange(SIZE), animals), np.repeat(np.arange(animals), SIZE))


@check
def check_bad_silence_is_refused(open_network: OpenNetwork) -> None:
    """Neurons that do not exist raise a `BrainError` and leave no trace."""
    with open_network(pairs(MODELS[0]), seed=SEED) as simulator:
        for described, neurons in (
            ("a neuron that does not exist", [6]),
            ("a negative neuron", [-1]),
            ("a mask of another shape", np.zeros((2, 6), dtype=bool)),
        ):
            expect_raises(partial(simulator.silence, neurons), BrainError, described)
        fired_all = simulator.run(100, _volley(10, animals=1))
    expect(len(fired_all) == 6, "refused silence must leave no trace")


@check
def check_silence_and_plasticity(open_network: OpenNetwork) -> None:
    """Spikes that do not come about, or reach nothing, teach nothing."""
    network = trained(learning_rate=30.0, homeostasis=0.0)
    lesson = spikes([10, 40], [0, TEACH_CHANNEL])
    source, modulator = network.offset("source"), network.offset("modulator")

    def learned(**silence: list[int]) -> float:
        """Return the largest change of a weight in a lesson (nS)."""
        with open_network(network, seed=SEED) as simulator:
            before = simulator.weights("source>target")
            simulator.silence(**silence)
            simulator.run(2000, lesson)
            return float(np.abs(simulator.weights("source>target") - before).max())

    expect(learned() > 20.0, "the lesson of the specimen must lower weights by over 20 nS")
    for what, silence in (
        ("silent modulator", {"silent": [modulator]}),
        ("silent source", {"silent": [source]}),
        ("modulator with cut outputs", {"cut": [modulator]}),
        ("source with cut outputs", {"cut": [source]}),
    ):
        try:
            change = learned(**silence)
        except SimulatorUnavailable:
            expect("cut" in silence, f"{what}: a simulator must be able to silence any neuron")
            continue
        expect(change == 0.0, f"{what}: expected weights that stay, the largest change is {change:.3g} nS")
