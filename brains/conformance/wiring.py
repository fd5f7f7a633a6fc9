"""Conformance of wiring: weights and delays of each synapse, several projections, many synapses.

`suite.py` says how to use the checks. In all of them sources fire one by one, far apart, and each target that
a strong synapse reaches answers once, so that the answers list the synapses and their delays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.conformance.expectations import (
    SEED,
    ConformanceError,
    OpenNetwork,
    check,
    expect,
    expect_active,
    expect_close,
    run_once,
)
from ethospike.brains.conformance.specimens import (
    CURRENT_BASED,
    drawn_synapses,
    listed_delays,
    many_synapses,
    several_projections,
    spikes,
)
from ethospike.brains.network import Network
from ethospike.brains.simulator import SpikeBlock

GAP_STEPS = 250
"""Steps between the spikes of two sources: longer than refractory periods and delays."""

Answers = set[tuple[int, int, int]]
"""(source, target, delay in steps)"""


def _answers(network: Network, block: SpikeBlock, sources: NDArray[np.int64]) -> Answers:
    """Return the synapses that were seen to act when the sources fired, in their order, `GAP_STEPS` apart.

    An input spike at step s makes a source fire at s + 2, and its target at s + 2 + delay + 1.
    """
    first = network.offset("target")
    of_target = block.neuron >= first
    which, late = np.divmod(block.step[of_target], GAP_STEPS)
    if (which >= len(sources)).any():
        raise ConformanceError("targets fired long after the last source")
    delay = late - 10 - 3
    return set(
        zip(sources[which].tolist(), (block.neuron[of_target] - first).tolist(), delay.tolist(), strict=True)
    )


def _fire_in_turn(
    open_network: OpenNetwork, network: Network, sources: NDArray[np.int64] | None = None
) -> Answers:
    """Fire sources one by one and return the synapses that acted."""
    if sources is None:
        sources = np.arange(network.population("source").size)
    stimulus = spikes(np.arange(len(sources)) * GAP_STEPS + 10, sources)
    block = run_once(open_network, network, len(sources) * GAP_STEPS, stimulus)
    expect_active(block, len(sources) + 1)
    return _answers(network, block, sources)


def _expect_answers(got: Answers, expected: Answers, cause: str) -> None:
    expect(
        got == expected,
        f"synapses (source, target, delay in steps) {sorted(got - expected)[:4]} should not act and "
        f"{sorted(expected - got)[:4]} do not: {cause}",
    )


@check
def check_listed_delays(open_network: OpenNetwork) -> None:
    """Each listed pair has the delay listed with it, in whatever order the pairs are listed."""
    network, pairs, delay_steps = listed_delays()
    expected = {(int(s), int(t), int(d)) for (s, t), d in zip(pairs, delay_steps, strict=True)}
    _expect_answers(
        _fire_in_turn(open_network, network),
        expected,
        "does each delay stay with the pair it was listed with?",
    )


@check
def check_drawn_weights_and_delays(open_network: OpenNetwork) -> None:
    """Drawn weights and delays are those of `Network.wire`, delays rounded to whole steps."""
    network = drawn_synapses()
    wired = network.wire("source>target", SEED, 0)
    steps = np.maximum(1, np.rint(wired.delay_ms / 0.1)).astype(int)
    strong = wired.weight > 1.0
    expected = set(
        zip(
            wired.source[strong].tolist(),
            wired.target[strong].tolist(),
            steps[strong].tolist(),
            strict=True,
        )
    )
    expect(
        len({d for _, _, d in expected}) > 5 and bool((~strong).any()),
        "the specimen's synapses must differ in delay and weight",
    )
    _expect_answers(
        _fire_in_turn(open_network, network),
        expected,
        "has each synapse the weight and the delay that `Network.wire` draws for it?",
    )
    with open_network(network, seed=SEED) as simulator:
        expect_close(
            simulator.weights("source>target"), wired.weight[None], "`weights` must be those of the network"
        )


@check
def check_several_projections(open_network: OpenNetwork) -> None:
    """All projections between two populations act, and each synapse of a pair that is listed twice."""
    network, expected = several_projections()
    _expect_answers(
        _fire_in_turn(open_network, network),
        expected,
        "do all projections between two populations act, with delays of their own, and do synapses between "
        "the same neurons add up?",
    )


@check
def check_many_synapses(open_network: OpenNetwork) -> None:
    """Networks of over two million synapses have those of `Network.wire`, too, and more than one delay."""
    network = many_synapses()
    expect(network.n_synapses > 2e6, "the specimen must be large")
    sources = np.array([3, 700, 1498])
    delay_of: dict[tuple[int, int], int] = {}
    for name, delay in (("far", 20), ("near", 10)):  # a target that both reach answers the nearer one
        wired = network.wire(name, SEED, 0)
        chosen = np.isin(wired.source, sources)
        pairs = zip(wired.source[chosen].tolist(), wired.target[chosen].tolist(), strict=True)
        delay_of |= dict.fromkeys(pairs, delay)
    expected = {(source, target, delay) for (source, target), delay in delay_of.items()}
    _expect_answers(
        _fire_in_turn(open_network, network, sources),
        expected,
        f"does a network of {CURRENT_BASED} with so many synapses have those that `Network.wire` draws?",
    )
