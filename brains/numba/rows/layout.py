"""Arrays of the engine of rows: synapses, neurons, and the spikes of an interval and of a window."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]


class Rows(NamedTuple):
    """Synapses as compressed rows: one a source, sorted by target, with a bound at each part."""

    of_slot: Array  # (slots,) population of each neuron
    number: Array  # (slots,) its number within the population
    first: Array  # (populations + 1,) first projection of each source population
    base: Array  # (projections,) place in `bound` of the first source's first bound
    bound: Array  # (…,) first synapse of each (source, part), and the end of each source's row
    delay: Array  # (projections,) steps; 0: one for each synapse
    late_base: Array  # (projections,) place in `late` of synapse 0 minus that in `dest`
    late: Array  # (…,) uint16: delays of synapses of projections with several delays (steps)
    uniform: Array  # (projections,) effect of every synapse; NaN: one for each synapse
    effect_base: Array  # (projections,) place in `effect` of synapse 0 minus that in `dest`
    effect: Array  # (…,) effect of a spike
    dest: Array  # (synapses,) place of the target in a row of the ring
    span: Array  # (projections, parts, 2) blocks of a part that a projection reaches
    straight: Array  # (projections,) bool: added to neurons that relax, without the ring


class Inputs(NamedTuple):
    """Input channels and the spikes of a window."""

    first: Array  # (channels, parts + 1) first link of a channel in each part
    dest: Array  # (links,) place of the target in a row of the ring
    effect: Array  # (links,)
    delay: Array  # (channels,) steps
    step: Array  # (spikes,) sorted
    channel: Array  # (spikes,)


class Neurons(NamedTuple):
    """Neurons, and spikes on their way to them."""

    cells: Array  # (blocks · STRIDE): rows of blocks, as in `blocks.py`
    conductance: Array  # (blocks,) bool
    ring: Array  # (depth · blocks · INBOX): from synapses, by step of arrival; depth is 2^n
    hit: Array  # (depth · blocks) uint8: is there anything for the block in that row
    input_ring: Array  # the same from input channels
    input_hit: Array
    mask: Array  # (2,) depth − 1 of both
    asleep: Array  # (blocks,) bool: a step without input changes nothing
    part: Array  # (parts + 1,) first block of each part
    level: Array  # (slots,) int8: FREE, CUT or SILENT
    suppressed: Array  # (slots,): spikes of silent neurons that did not come about


class Spikes(NamedTuple):
    """Spikes of the interval before, of the parts in this one, and of the window."""

    slot: Array  # (slots · longest interval,) joined, sorted by (step, slot)
    first: Array  # (longest interval + 1,) first one of each step
    begun: Array  # (1,) first step of that interval
    part_slot: Array  # (slots · longest interval,) of each part, in its own stretch
    part_step: Array  # the same: step within the interval
    part_count: Array  # (parts,) how many
    out_step: Array  # (capacity,)
    out_slot: Array  # (capacity,)
    out: Array  # (1,) how many


class Watch(NamedTuple):
    """Neurons with recorded potentials."""

    first: Array  # (blocks + 1,) first one of each block
    slot: Array  # (watched,) sorted
    lane: Array  # (watched,)
    column: Array  # (watched,)
    voltage: Array  # (steps, watched) mV
