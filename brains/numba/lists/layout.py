"""Arrays of the engine of lists: neurons, synapses, and input and output of a window."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]


class Circuit(NamedTuple):
    """All animals' neurons and synapses. A slot is a neuron's place among the padded blocks."""

    cells: Array  # (animals, blocks · STRIDE): rows of blocks
    conductance: Array  # (blocks,) bool: conductance-based, or iaf_psc_exp
    ring: Array  # (animals, depth, blocks · INBOX): effects on their way, by step of arrival; depth is 2^n
    waiting: Array  # (animals, depth) bool: is there anything in that row of the ring
    first: Array  # (animals, slots + 1): first synapse of each source
    late: Array  # (animals, slots): its first synapse with a delay above one step
    dest: Array  # (synapses,) place in the target's inbox, as an index of the animal's cells
    delay: Array  # (synapses,) steps
    effect: Array  # (synapses,) what a spike adds to the inbox
    weight: Array  # (synapses,) pA or nS, from which the effect is made
    channel_first: Array  # (spike channels + 1,)
    channel_late: Array  # (spike channels,)
    channel_dest: Array  # (links,)
    channel_delay: Array  # (links,)
    channel_effect: Array  # (animals, links)
    current_first: Array  # (current channels + 1,)
    current_slot: Array  # (links,)
    pipeline: Array  # (animals, 2, current channels) amplitudes of the last two steps (pA)
    level: Array  # (animals, slots) int8: FREE, CUT, SILENT
    suppressed: Array  # (animals, slots): spikes of silent neurons that did not come about


class Window(NamedTuple):
    """Input of a window."""

    step: Array  # (spikes,) sorted by (animal, step)
    channel: Array  # (spikes,)
    first: Array  # (animals + 1,) first spike of each animal
    last: Array  # (animals,) where its spikes end
    current_pa: Array  # (animals, current channels)


class Output(NamedTuple):
    """Spikes and voltages of a window."""

    step: Array  # (animals, capacity); the capacity is steps × slots
    slot: Array  # (animals, capacity)
    spikes: Array  # (animals,) how many
    finite: Array  # (animals,) bool
    watched: Array  # (watched,) slots
    voltage: Array  # (steps, animals, watched) mV
