"""Compiled code of plastic synapses in the engine of rows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.numba.muting import FREE
from ethospike.brains.numba.roles import MODULATOR, TARGET
from ethospike.brains.numba.rows.layout import Rows

Array = NDArray[Any]


class Plastic(NamedTuple):
    """Plastic synapses, sorted by (projection, target)."""

    rule: Array  # (plastic, 3): learning rate, homeostasis, tau_eligibility in steps
    role: Array  # (plastic, slots): bits MODULATOR, TARGET, SOURCE
    acts: Array  # (slots,) bool: has a role in any projection
    first: Array  # (plastic, slots + 1): first synapse of each target
    place: Array  # (synapses,) place in `Rows.effect`
    source: Array  # (synapses,) slot
    initial: Array  # (synapses,) weight to which it recovers
    scale: Array  # (synapses,) effect of a unit of weight
    weight: Array  # (synapses,) pA or nS
    last_spike: Array  # (parts, slots): step; each part has its own clock, and so its own copy


@kernel
def _depress(plastic: Plastic, rows: Rows, p: int, part: int, begin: int, end: int, step: int) -> None:
    """Apply one modulator spike to a part's synapses of a projection."""
    rate, tau_steps = plastic.rule[p, 0], plastic.rule[p, 2]
    last = plastic.last_spike[part]
    for synapse in range(plastic.first[p, begin], plastic.first[p, end]):
        eligibility = math.exp((last[plastic.source[synapse]] - step) / tau_steps)
        weight = max(plastic.weight[synapse] - rate * eligibility, 0.0)
        plastic.weight[synapse] = weight
        rows.effect[plastic.place[synapse]] = weight * plastic.scale[synapse]


@kernel
def _recover(plastic: Plastic, rows: Rows, p: int, slot: int) -> None:
    """Apply one target spike to its synapses of a projection."""
    for synapse in range(plastic.first[p, slot], plastic.first[p, slot + 1]):
        weight = plastic.weight[synapse]
        weight += (plastic.initial[synapse] - weight) * plastic.rule[p, 1]
        plastic.weight[synapse] = weight
        rows.effect[plastic.place[synapse]] = weight * plastic.scale[synapse]


@kernel
def learn(
    plastic: Plastic, rows: Rows, level: Array, part: int, begin: int, end: int, step: int, fired: Array
) -> None:
    """Apply one step's spikes to the part's plastic synapses: sources, then modulators, then targets."""
    acts = False
    for slot in fired:
        acts |= plastic.acts[slot]
    if not acts:
        return
    for slot in fired:
        if plastic.acts[slot] and level[slot] == FREE:
            plastic.last_spike[part, slot] = step
    for p in range(len(plastic.rule)):
        for slot in fired:
            if plastic.role[p, slot] & MODULATOR and level[slot] == FREE:
                _depress(plastic, rows, p, part, begin, end, step)
        for slot in fired:
            if plastic.role[p, slot] & TARGET and begin <= slot < end:
                _recover(plastic, rows, p, slot)
