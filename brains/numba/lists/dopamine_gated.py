"""Compiled code of plastic synapses in the engine of lists."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ethospike.brains.compiling import inlined, kernel
from ethospike.brains.numba.lists.layout import Circuit
from ethospike.brains.numba.muting import FREE
from ethospike.brains.numba.roles import MODULATOR, TARGET

Array = NDArray[Any]


class Plastic(NamedTuple):
    """Plastic synapses, sorted by (projection, animal, target)."""

    rule: Array  # (projections, 3): learning rate, homeostasis, tau_eligibility in steps
    role: Array  # (projections, slots): bits MODULATOR, TARGET
    acts: Array  # (slots,) bool: modulator or target in any projection
    last_spike: Array  # (animals, slots): step
    first: Array  # (projections, animals, slots + 1): first synapse of each target
    synapse: Array  # (plastic synapses,) place in `Circuit.weight`
    source: Array  # (plastic synapses,) slot
    initial: Array  # (plastic synapses,) weight to which it recovers
    scale: Array  # (plastic synapses,) effect of a unit of weight


@kernel
def _depress(p: int, animal: int, step: int, plastic: Plastic, circuit: Circuit) -> None:
    """Apply one modulator spike to all synapses of a projection."""
    rate, tau_steps = plastic.rule[p, 0], plastic.rule[p, 2]
    first = plastic.first[p, animal]
    for i in range(first[0], first[len(first) - 1]):
        eligibility = math.exp((plastic.last_spike[animal, plastic.source[i]] - step) / tau_steps)
        synapse = plastic.synapse[i]
        weight = max(circuit.weight[synapse] - rate * eligibility, 0.0)
        circuit.weight[synapse] = weight
        circuit.effect[synapse] = weight * plastic.scale[i]


@kernel
def _recover(p: int, animal: int, slot: int, plastic: Plastic, circuit: Circuit) -> None:
    """Apply one target spike to its synapses of a projection."""
    for i in range(plastic.first[p, animal, slot], plastic.first[p, animal, slot + 1]):
        synapse = plastic.synapse[i]
        weight = circuit.weight[synapse]
        weight += (plastic.initial[i] - weight) * plastic.rule[p, 1]
        circuit.weight[synapse] = weight
        circuit.effect[synapse] = weight * plastic.scale[i]


@inlined
def note_spikes(animal: int, step: int, fired: Array, plastic: Plastic, circuit: Circuit) -> bool:
    """Remember the spikes of a step, and return whether any of them changes weights."""
    last_spike, level, changes = plastic.last_spike[animal], circuit.level[animal], False
    for slot in fired:
        last_spike[slot] = step if level[slot] == FREE else last_spike[slot]
        changes |= plastic.acts[slot]
    return changes


@kernel
def learn(animal: int, step: int, fired: Array, plastic: Plastic, circuit: Circuit) -> None:
    """Apply one step's spikes to the plastic synapses, modulators before targets.

    `last_spike` already holds this step for the sources among them.
    """
    for p in range(len(plastic.rule)):
        for slot in fired:
            if plastic.role[p, slot] & MODULATOR and circuit.level[animal, slot] == FREE:
                _depress(p, animal, step, plastic, circuit)
        for slot in fired:
            if plastic.role[p, slot] & TARGET:
                _recover(p, animal, slot, plastic, circuit)
