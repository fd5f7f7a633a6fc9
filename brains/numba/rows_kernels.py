"""Compiled code of the row engine: a large network through a window, its targets split among threads.

The neurons advance in intervals no longer than the shortest delay, in which none can hear of another's
spikes. One interval is a phase of the team (`team.py`), and a part of the targets is a block of it. A thread
that has claimed a part first delivers the spikes of the interval before to the part's targets, then takes its
neurons through the interval, sixteen at a time, so that their state stays in the processor's cache. The
thread that finishes last joins the parts' spikes in the order (step, neuron).

Each target adds its inputs in that order, whatever the number of parts and threads and wherever windows end,
so results depend on none of these. Input spikes from outside have a ring of their own for the same reason.

The equations are those of `sparse_kernels.py`. Numba's cache notices changes only in the file of the function
that it caches: after a change there or in `team.py`, delete the cache of this file (`__pycache__`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ethospike.brains.compiling import tell_of_compiling
from ethospike.brains.numba.sparse_kernels import (
    E_L,
    FLUSH_EVERY,
    INBOX,
    INBOX_EX,
    LANES,
    MODULATOR,
    Q_SFA,
    REFRACTORY,
    SFA,
    STRIDE,
    T_REF,
    TARGET,
    TINY_ROOTS,
    V_RESET,
    V_TH,
    V,
    _step_conductance,
    _step_current,
)
from ethospike.brains.numba.team import claim, close, finish, open_next

tell_of_compiling()

SOURCE = 4
"""Role of a neuron in a plastic projection, beside MODULATOR and TARGET, as a bit."""
AHEAD = 4
"""Number of spikes with rows on their way from memory while a spike is delivered."""
LINE = 16
"""Numbers in a cache line."""
FETCHED_ROWS = 20
"""Rows of a block that a step reads."""
STATE_NUMBERS = 5 * LANES
"""Numbers of a block that a step without input may change: v, ex, inh, sfa, refractory."""

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

    cells: Array  # (blocks · STRIDE): rows of blocks, as in `sparse_kernels.py`
    conductance: Array  # (blocks,) bool
    ring: Array  # (depth · blocks · INBOX): from synapses, by step of arrival; depth is 2^n
    hit: Array  # (depth · blocks) uint8: is there anything for the block in that row
    input_ring: Array  # the same from input channels
    input_hit: Array
    mask: Array  # (2,) depth − 1 of both
    asleep: Array  # (blocks,) bool: a step without input changes nothing
    part: Array  # (parts + 1,) first block of each part


class Spikes(NamedTuple):
    """Spikes of the interval before, of the parts in this one, and of the window."""

    slot: Array  # (slots · longest interval,) joined, sorted by (step, slot)
    first: Array  # (longest interval + 1,) first one of each step
    begun: Array  # (1,) first step of that interval
    own_slot: Array  # (slots · longest interval,) of each part, in its own stretch
    own_step: Array  # the same: step within the interval
    own: Array  # (parts,) how many
    out_step: Array  # (capacity,)
    out_slot: Array  # (capacity,)
    out: Array  # (1,) how many


class Watch(NamedTuple):
    """Neurons with recorded potentials."""

    first: Array  # (blocks + 1,) first one of each block
    lane: Array  # (watched,) sorted by block
    column: Array  # (watched,)
    voltage: Array  # (steps, watched) mV


_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
_inlined = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")


def _generate_prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Have the processor fetch the cache line of an element, and go on; any index is harmless."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = _external(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(0), number(3), number(1)])  # to read, into all caches, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


_external: Callable[..., Any] = cgutils.get_or_insert_function
_prefetch: Callable[..., None] = intrinsic(_generate_prefetch)


# -- delivering -----------------------------------------------------------------------------------------


# Handing over a dozen arrays takes longer than a short row: this one is copied into its caller.
@_inlined
def _deliver_row(
    start: int, stop: int, at: int, dest: Array, effect: Array, shift: int, uniform: float, ring: Array
) -> None:
    """Add the effects of one spike that arrive in the row of the ring that begins at `at`."""
    if math.isnan(uniform):
        for synapse in range(start, stop):
            ring[np.uintp(at + dest[np.uintp(synapse)])] += effect[np.uintp(synapse + shift)]
    else:
        for synapse in range(start, stop):
            ring[np.uintp(at + dest[np.uintp(synapse)])] += uniform


@_inlined
def _mark(start: int, stop: int, row: int, dest: Array, begin: int, end: int, hit: Array) -> None:
    """Mark the blocks that got something; all of them, where that costs less than looking at each target."""
    if stop - start > (end - begin) // 4:
        for block in range(row + begin, row + end):
            hit[np.uintp(block)] = 1
    else:
        for synapse in range(start, stop):
            hit[np.uintp(row + dest[np.uintp(synapse)] // INBOX)] = 1


@_compiled
def _depress(plastic: Plastic, rows: Rows, p: int, part: int, begin: int, end: int, step: int) -> None:
    """Apply one modulator spike to a part's synapses of a projection."""
    rate, tau_steps = plastic.rule[p, 0], plastic.rule[p, 2]
    last = plastic.last_spike[part]
    for synapse in range(plastic.first[p, begin], plastic.first[p, end]):
        eligibility = math.exp((last[plastic.source[synapse]] - step) / tau_steps)
        weight = max(plastic.weight[synapse] - rate * eligibility, 0.0)
        plastic.weight[synapse] = weight
        rows.effect[plastic.place[synapse]] = weight * plastic.scale[synapse]


@_compiled
def _recover(plastic: Plastic, rows: Rows, p: int, slot: int) -> None:
    """Apply one target spike to its synapses of a projection."""
    for synapse in range(plastic.first[p, slot], plastic.first[p, slot + 1]):
        weight = plastic.weight[synapse]
        weight += (plastic.initial[synapse] - weight) * plastic.rule[p, 1]
        plastic.weight[synapse] = weight
        rows.effect[plastic.place[synapse]] = weight * plastic.scale[synapse]


@_compiled
def _learn(plastic: Plastic, rows: Rows, part: int, begin: int, end: int, step: int, fired: Array) -> None:
    """Apply one step's spikes to the part's plastic synapses: sources, then modulators, then targets."""
    acts = False
    for slot in fired:
        acts |= plastic.acts[slot]
    if not acts:
        return
    for slot in fired:
        if plastic.acts[slot]:
            plastic.last_spike[part, slot] = step
    for p in range(len(plastic.rule)):
        for slot in fired:
            if plastic.role[p, slot] & MODULATOR:
                _depress(plastic, rows, p, part, begin, end, step)
        for slot in fired:
            if plastic.role[p, slot] & TARGET and begin <= slot < end:
                _recover(plastic, rows, p, slot)


@_inlined
def _look_ahead(part: int, spike: int, rows: Rows, spikes: Spikes, width: int) -> None:
    """Fetch the rows of spikes to come: waiting for the start of a row takes longer than adding it."""
    last = spikes.first[len(spikes.first) - 1]
    if spike + 2 * AHEAD < last:
        slot = spikes.slot[spike + 2 * AHEAD]
        population = rows.of_slot[slot]
        for p in range(rows.first[population], rows.first[population + 1]):
            _prefetch(rows.bound, rows.base[p] + rows.number[slot] * width + part)
    if spike + AHEAD < last:
        slot = spikes.slot[spike + AHEAD]
        population = rows.of_slot[slot]
        for p in range(rows.first[population], rows.first[population + 1]):
            place = rows.base[p] + rows.number[slot] * width + part
            start, stop = rows.bound[place], rows.bound[place + 1]
            shift = rows.effect_base[p]
            own = math.isnan(rows.uniform[p])
            for synapse in range(start, min(stop, start + 8 * LINE), LINE):
                _prefetch(rows.dest, synapse)
                if own:
                    _prefetch(rows.effect, synapse + shift)


@_compiled
def _deliver(part: int, rows: Rows, plastic: Plastic, neurons: Neurons, spikes: Spikes) -> None:
    """Bring the spikes of the interval before to a part's targets."""
    begin, end = neurons.part[part] * LANES, neurons.part[part + 1] * LANES
    width, mask, blocks = len(neurons.part), neurons.mask[0], len(neurons.asleep)
    ring, hit = neurons.ring, neurons.hit
    dest, effect, late, bound = rows.dest, rows.effect, rows.late, rows.bound
    learns = len(plastic.rule) > 0
    for k in range(len(spikes.first) - 1):
        step = spikes.begun[0] + k
        if learns and spikes.first[k + 1] > spikes.first[k]:
            _learn(plastic, rows, part, begin, end, step, spikes.slot[spikes.first[k] : spikes.first[k + 1]])
        for spike in range(spikes.first[k], spikes.first[k + 1]):
            slot = spikes.slot[spike]
            _look_ahead(part, spike, rows, spikes, width)
            population = rows.of_slot[slot]
            for p in range(rows.first[population], rows.first[population + 1]):
                place = rows.base[p] + rows.number[slot] * width + part
                start, stop = bound[place], bound[place + 1]
                if start == stop:
                    continue
                uniform, shift = rows.uniform[p], rows.effect_base[p]
                if rows.delay[p]:
                    row = ((step + rows.delay[p]) & mask) * blocks
                    _deliver_row(start, stop, row * INBOX, dest, effect, shift, uniform, ring)
                    _mark(start, stop, row, dest, rows.span[p, part, 0], rows.span[p, part, 1], hit)
                    continue
                for synapse in range(start, stop):
                    row = ((step + late[synapse + rows.late_base[p]]) & mask) * blocks
                    own = effect[synapse + shift] if math.isnan(uniform) else uniform
                    ring[np.uintp(row * INBOX + dest[synapse])] += own
                    hit[np.uintp(row + dest[synapse] // INBOX)] = 1


@_compiled
def _receive_inputs(part: int, begin: int, end: int, inputs: Inputs, neurons: Neurons) -> None:
    """Add the part's input spikes begin … end − 1 to the ring of inputs."""
    mask, blocks = neurons.mask[1], len(neurons.asleep)
    for event in range(begin, end):
        channel = inputs.channel[event]
        row = ((inputs.step[event] + inputs.delay[channel]) & mask) * blocks
        for link in range(inputs.first[channel, part], inputs.first[channel, part + 1]):
            dest = inputs.dest[link]
            neurons.input_ring[row * INBOX + dest] += inputs.effect[link]
            neurons.input_hit[row + dest // INBOX] = 1


# -- neurons --------------------------------------------------------------------------------------------


@_compiled
def _take(cells: Array, base: int, ring: Array, start: int) -> None:
    """Move a block's numbers of the ring to its empty inboxes.

    The compiler makes vectors of the two loops, because each writes one array.
    """
    zero = cells.dtype.type(0)
    for place in range(INBOX):
        cells[np.uintp(base) + np.uintp(place) + INBOX_EX] = ring[np.uintp(start) + np.uintp(place)]
    for place in range(INBOX):
        ring[np.uintp(start) + np.uintp(place)] = zero


@_compiled
def _merge_inputs(block: int, first_step: int, n_steps: int, neurons: Neurons) -> None:
    """Add the arrivals from input channels in the next steps to the arrivals from synapses.

    All of both have been sent by now, so a sum does not depend on the times at which its parts were sent.
    """
    blocks, zero = len(neurons.asleep), neurons.cells.dtype.type(0)
    for step in range(first_step, first_step + n_steps):
        place = (step & neurons.mask[1]) * blocks + block
        if neurons.input_hit[place]:
            neurons.input_hit[place] = 0
            to = (step & neurons.mask[0]) * blocks + block
            neurons.hit[to] = 1
            for number in range(INBOX):
                neurons.ring[to * INBOX + number] += neurons.input_ring[place * INBOX + number]
                neurons.input_ring[place * INBOX + number] = zero


@_inlined
def _fetch_block(neurons: Neurons, block: int, first_step: int, n_steps: int) -> None:
    """Prefetch a block and its arrivals of the next steps from memory."""
    for row in range(FETCHED_ROWS):
        _prefetch(neurons.cells, block * STRIDE + row * LANES)
    for step in range(first_step, first_step + n_steps):
        place = ((step & neurons.mask[0]) * len(neurons.asleep) + block) * INBOX
        for line in range(0, INBOX, LINE):
            _prefetch(neurons.ring, place + line)


@_compiled
def _sleeps(neurons: Neurons, block: int, step: int, n_steps: int) -> bool:
    """Return whether a block that is at rest gets nothing in the next steps."""
    if not neurons.asleep[block]:
        return False
    blocks, gets = len(neurons.asleep), False
    for k in range(n_steps):
        gets |= neurons.hit[((step + k) & neurons.mask[0]) * blocks + block] != 0
    return not gets


@_compiled
def _flush_tiny(cells: Array, base: int) -> None:
    """Set tiny numbers of v, ex, inh and sfa (the first four rows) to 0; NaN stays NaN."""
    real = cells.dtype.type
    tiny, zero = real(TINY_ROOTS * math.sqrt(np.finfo(cells.dtype).tiny)), real(0)
    for place in range(4 * LANES):
        at = np.uintp(base) + np.uintp(place)
        cells[at] = zero if abs(cells[at]) <= tiny else cells[at]


@_compiled
def _advance_block(
    block: int,
    first_step: int,
    n_steps: int,
    neurons: Neurons,
    spikes: Spikes,
    count: int,
    watch: Watch,
    watch_from: int,
    before: Array,
) -> int:
    """Take a block through an interval and return the new length of the part's list of spikes."""
    cells, base, blocks = neurons.cells, block * STRIDE, len(neurons.asleep)
    conductance = neurons.conductance[block]
    neurons.asleep[block] = False
    for k in range(n_steps):
        step = first_step + k
        row = (step & neurons.mask[0]) * blocks + block
        quiet = True
        if neurons.hit[row]:
            _take(cells, base, neurons.ring, row * INBOX)
            neurons.hit[row] = 0
            quiet = False
        looks = quiet and step % FLUSH_EVERY == 0
        if looks:
            for place in range(STATE_NUMBERS):
                before[place] = cells[base + place]
        reached = _step_conductance(cells, base) if conductance else _step_current(cells, base)
        if reached:
            for lane in range(LANES):
                at = np.uintp(base) + np.uintp(lane)
                if cells[at + V] >= cells[at + V_TH]:
                    cells[at + V] = cells[at + V_RESET]
                    cells[at + REFRACTORY] = cells[at + T_REF]
                    cells[at + SFA] += cells[at + Q_SFA]
                    spikes.own_slot[count] = block * LANES + lane
                    spikes.own_step[count] = k
                    count += 1
        for i in range(watch.first[block], watch.first[block + 1]):
            at = np.uintp(base) + np.uintp(watch.lane[i])
            watch.voltage[watch_from + k, watch.column[i]] = cells[at + V] + cells[at + E_L]
        if step % FLUSH_EVERY == 0:
            _flush_tiny(cells, base)
        if looks and not reached:
            same = True
            for place in range(STATE_NUMBERS):
                same &= before[place] == cells[base + place]
            neurons.asleep[block] = same
        elif not quiet:
            neurons.asleep[block] = False
    return count


@_compiled
def _record_sleepers(block: int, n_steps: int, neurons: Neurons, watch: Watch, watch_from: int) -> None:
    """Write the potentials of watched neurons at rest."""
    for i in range(watch.first[block], watch.first[block + 1]):
        at = np.uintp(block * STRIDE) + np.uintp(watch.lane[i])
        for k in range(n_steps):
            watch.voltage[watch_from + k, watch.column[i]] = neurons.cells[at + V] + neurons.cells[at + E_L]


@_compiled
def _join(first_step: int, n_steps: int, longest: int, neurons: Neurons, spikes: Spikes) -> None:
    """Sort the parts' spikes by (step, slot) into one list, and add them to the window's."""
    first = spikes.first
    first[:] = 0
    for part in range(len(spikes.own)):
        begin = neurons.part[part] * LANES * longest
        for spike in range(begin, begin + spikes.own[part]):
            first[spikes.own_step[spike] + 1] += 1
    for k in range(len(first) - 1):
        first[k + 1] += first[k]
    place = first.copy()
    for part in range(len(spikes.own)):
        begin = neurons.part[part] * LANES * longest
        for spike in range(begin, begin + spikes.own[part]):
            k = spikes.own_step[spike]
            spikes.slot[place[k]] = spikes.own_slot[spike]
            place[k] += 1
    spikes.begun[0] = first_step
    out = spikes.out[0]
    for k in range(n_steps):
        for spike in range(first[k], first[k + 1]):
            spikes.out_step[out] = first_step + k
            spikes.out_slot[out] = spikes.slot[spike]
            out += 1
    spikes.out[0] = out


@_compiled
def run_intervals(
    board: Array,
    seat: int,
    interval: Array,
    window_start: int,
    longest: int,
    rows: Rows,
    plastic: Plastic,
    inputs: Inputs,
    neurons: Neurons,
    spikes: Spikes,
    watch: Watch,
) -> None:
    """Work on the intervals until all are over or the window's list of spikes is nearly full.

    Parameters
    ----------
    board : ndarray
        Of the team; a phase is a row of `interval`.
    seat : int
        Of this thread in the team.
    interval : ndarray of int64, shape (phases, 4)
        First step, number of steps (0: only deliver), and begin and end of its input spikes.
    window_start : int
        The step before the window: row 0 of the recorded potentials is the next one.
    longest : int
        Most steps of an interval.
    """
    before = np.empty(STATE_NUMBERS, dtype=neurons.cells.dtype)
    while True:
        phase, part = claim(board, seat)
        if part < 0:
            break
        first_step, n_steps = interval[phase, 0], interval[phase, 1]
        _deliver(part, rows, plastic, neurons, spikes)
        start = neurons.part[part] * LANES * longest
        count = start
        if n_steps:
            _receive_inputs(part, interval[phase, 2], interval[phase, 3], inputs, neurons)
            row = first_step - 1 - window_start
            for block in range(neurons.part[part], neurons.part[part + 1]):
                _fetch_block(neurons, block + 1, first_step, n_steps)
                if len(inputs.first):
                    _merge_inputs(block, first_step, n_steps, neurons)
                if _sleeps(neurons, block, first_step, n_steps):
                    _record_sleepers(block, n_steps, neurons, watch, row)
                else:
                    count = _advance_block(
                        block, first_step, n_steps, neurons, spikes, count, watch, row, before
                    )
        spikes.own[part] = count - start
        if finish(board):
            _join(first_step, n_steps, longest, neurons, spikes)
            if spikes.out[0] + len(neurons.asleep) * LANES * longest > len(spikes.out_step):
                close(board)
            else:
                open_next(board)


@_compiled
def all_finite(cells: Array) -> bool:
    """Return whether v, ex, inh and sfa (the first four rows of each block) are finite."""
    for base in range(0, len(cells), STRIDE):
        for place in range(4 * LANES):
            if not math.isfinite(cells[np.uintp(base) + np.uintp(place)]):
                return False
    return True


@_compiled
def part_bounds(first: Array, dest: Array, part_of_block: Array, bound: Array, offset: int) -> None:
    """Fill in the first synapse of each (source, part), of synapses sorted by (source, target).

    Parameters
    ----------
    first : ndarray of int64, shape (sources + 1,)
        First synapse of each source.
    dest : ndarray of int32, shape (synapses,)
    part_of_block : ndarray of int32, shape (blocks,)
    bound : ndarray of int64, shape (sources, parts + 1)
        Written.
    offset : int
        Added to all bounds: the place of the first synapse in a longer list.
    """
    parts = bound.shape[1] - 1
    for row in range(len(bound)):
        synapse = first[row]
        for part in range(parts):
            bound[row, part] = synapse + offset
            while synapse < first[row + 1] and part_of_block[dest[synapse] // INBOX] <= part:
                synapse += 1
        bound[row, parts] = first[row + 1] + offset
