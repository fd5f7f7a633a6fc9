"""Compiled code of the engine of rows: a large network through a window, its targets split among threads.

The neurons advance in intervals no longer than the shortest delay, in which none can hear of another's
spikes. One interval is a phase of the team (`team.py`), and a part of the targets is a block of it. A thread
that has claimed a part first delivers the spikes of the interval before to the part's targets, then takes its
neurons through the interval, sixteen at a time, so that their state stays in the processor's cache. The
thread that finishes last joins the parts' spikes in the order (step, neuron).

Each target adds its inputs in that order, whatever the number of parts and threads and wherever windows end,
so results depend on none of these. Input spikes from outside have a ring of their own for the same reason.

The equations are those of `blocks.py`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import inlined, kernel
from ethospike.brains.numba.blocks import (
    E_L,
    FLUSH_EVERY,
    INBOX,
    INBOX_EX,
    LANES,
    STRIDE,
    V_TH,
    V,
    flush_tiny,
    reset,
    step_conductance,
    step_current,
)
from ethospike.brains.numba.memory import prefetch
from ethospike.brains.numba.muting import FREE, SILENT
from ethospike.brains.numba.rows.arrivals import advance_relaxing, remember
from ethospike.brains.numba.rows.dopamine_gated import Plastic, learn
from ethospike.brains.numba.rows.layout import Inputs, Neurons, Rows, Spikes, Watch
from ethospike.brains.numba.rows.relaxing import STEPPED, Relaxing
from ethospike.brains.numba.rows.stepped import advance_stepped
from ethospike.brains.numba.team import claim, close, finish, open_next

AHEAD = 4
"""Number of spikes with rows on their way from memory while a spike is delivered."""
LINE = 16
"""Numbers in a cache line."""
FETCHED_ROWS = 20
"""Rows of a block that a step reads."""
SYNAPSES, INPUTS, AWAKE, WATCHED = 1, 2, 4, 8
"""Bits of a block that has work to do: something comes from synapses, from input channels, its state changes
by itself or a neuron fires, its potentials are recorded."""
STATE_NUMBERS = 5 * LANES
"""Numbers of a block that a step without input may change: v, ex, inh, sfa, refractory."""

Array = NDArray[Any]


class Scratch(NamedTuple):
    """Room for a thread's intermediate results: compiled code that makes no arrays counts no references."""

    before: Array  # (STATE_NUMBERS,) a block before a step
    work: Array  # (blocks,) uint8: bits of what each block has to do


# -- delivering -----------------------------------------------------------------------------------------


# Handing over a dozen arrays takes longer than a short row: this one is copied into its caller.
@inlined
def _deliver_row(
    start: int, stop: int, begin: int, dest: Array, effect: Array, shift: int, uniform: float, ring: Array
) -> None:
    """Add the effects of one spike that arrive in the row of the ring that begins at `begin`."""
    if math.isnan(uniform):
        for synapse in range(start, stop):
            ring[np.uintp(begin + dest[np.uintp(synapse)])] += effect[np.uintp(synapse + shift)]
    else:
        for synapse in range(start, stop):
            ring[np.uintp(begin + dest[np.uintp(synapse)])] += uniform


@inlined
def _mark(start: int, stop: int, row: int, dest: Array, begin: int, end: int, hit: Array) -> None:
    """Mark the blocks that got something; all of them, where that costs less than looking at each target."""
    if stop - start > (end - begin) // 4:
        for block in range(row + begin, row + end):
            hit[np.uintp(block)] = 1
    else:
        for synapse in range(start, stop):
            hit[np.uintp(row + dest[np.uintp(synapse)] // INBOX)] = 1


@inlined
def _look_ahead(part: int, spike: int, rows: Rows, spikes: Spikes, width: int) -> None:
    """Fetch the rows of spikes to come: waiting for the start of a row takes longer than adding it."""
    last = spikes.first[len(spikes.first) - 1]
    if spike + 2 * AHEAD < last:
        slot = spikes.slot[spike + 2 * AHEAD]
        population = rows.of_slot[slot]
        for p in range(rows.first[population], rows.first[population + 1]):
            prefetch(rows.bound, rows.base[p] + rows.number[slot] * width + part)
    if spike + AHEAD < last:
        slot = spikes.slot[spike + AHEAD]
        population = rows.of_slot[slot]
        for p in range(rows.first[population], rows.first[population + 1]):
            place = rows.base[p] + rows.number[slot] * width + part
            start, stop = rows.bound[place], rows.bound[place + 1]
            shift = rows.effect_base[p]
            differs = math.isnan(rows.uniform[p])
            for synapse in range(start, min(stop, start + 8 * LINE), LINE):
                prefetch(rows.dest, synapse)
                if differs:
                    prefetch(rows.effect, synapse + shift)


@kernel
def deliver(part: int, rows: Rows, plastic: Plastic, neurons: Neurons, spikes: Spikes) -> None:
    """Bring the spikes of the interval before to a part's targets."""
    begin, end = neurons.part[part] * LANES, neurons.part[part + 1] * LANES
    width, mask, blocks = len(neurons.part), neurons.mask[0], len(neurons.asleep)
    ring, hit = neurons.ring, neurons.hit
    dest, effect, late, bound = rows.dest, rows.effect, rows.late, rows.bound
    learns = len(plastic.rule) > 0
    for k in range(len(spikes.first) - 1):
        step = spikes.begun[0] + k
        if learns and spikes.first[k + 1] > spikes.first[k]:
            fired = spikes.slot[spikes.first[k] : spikes.first[k + 1]]
            learn(plastic, rows, neurons.level, part, begin, end, step, fired)
        for spike in range(spikes.first[k], spikes.first[k + 1]):
            slot = spikes.slot[spike]
            _look_ahead(part, spike, rows, spikes, width)
            if neurons.level[slot] != FREE:
                continue
            population = rows.of_slot[slot]
            for p in range(rows.first[population], rows.first[population + 1]):
                place = rows.base[p] + rows.number[slot] * width + part
                start, stop = bound[place], bound[place + 1]
                if start == stop or rows.straight[p]:
                    continue
                uniform, shift = rows.uniform[p], rows.effect_base[p]
                if rows.delay[p]:
                    row = ((step + rows.delay[p]) & mask) * blocks
                    _deliver_row(start, stop, row * INBOX, dest, effect, shift, uniform, ring)
                    _mark(start, stop, row, dest, rows.span[p, part, 0], rows.span[p, part, 1], hit)
                    continue
                for synapse in range(start, stop):
                    row = ((step + late[synapse + rows.late_base[p]]) & mask) * blocks
                    added = effect[synapse + shift] if math.isnan(uniform) else uniform
                    ring[np.uintp(row * INBOX + dest[synapse])] += added
                    hit[np.uintp(row + dest[synapse] // INBOX)] = 1


@kernel
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


@kernel
def _take(cells: Array, base: int, ring: Array, start: int) -> None:
    """Move a block's numbers of the ring to its empty inboxes.

    The compiler makes vectors of the two loops, because each writes one array.
    """
    zero = cells.dtype.type(0)
    for place in range(INBOX):
        cells[np.uintp(base) + np.uintp(place) + INBOX_EX] = ring[np.uintp(start) + np.uintp(place)]
    for place in range(INBOX):
        ring[np.uintp(start) + np.uintp(place)] = zero


@kernel
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


@inlined
def _fetch_block(neurons: Neurons, relaxing: Relaxing, block: int, first_step: int, n_steps: int) -> None:
    """Prefetch a block and its arrivals of the next steps from memory; few arrive at neurons that relax."""
    for row in range(FETCHED_ROWS):
        prefetch(neurons.cells, block * STRIDE + row * LANES)
    if relaxing.kind[block] == STEPPED:
        return
    for step in range(first_step, first_step + n_steps):
        place = ((step & neurons.mask[0]) * len(neurons.asleep) + block) * INBOX
        for line in range(0, INBOX, LINE):
            prefetch(neurons.ring, place + line)


@kernel
def _look_for_work(
    part: int, first_step: int, n_steps: int, neurons: Neurons, relaxing: Relaxing, watch: Watch, work: Array
) -> None:
    """Set the bits of a part's blocks that have something to do in the next steps.

    Going through all blocks of a step at a time, the compiler makes vectors of them.
    """
    begin, end, blocks = neurons.part[part], neurons.part[part + 1], len(neurons.asleep)
    for block in range(begin, end):
        is_awake = not neurons.asleep[block] or relaxing.kind[block] == STEPPED
        is_watched = watch.first[block] < watch.first[block + 1]
        work[block] = AWAKE * is_awake | WATCHED * is_watched
    for step in range(first_step, first_step + n_steps):
        row = (step & neurons.mask[0]) * blocks
        for block in range(begin, end):
            work[block] |= neurons.hit[row + block]
        if len(neurons.input_hit) > blocks:
            row = (step & neurons.mask[1]) * blocks
            for block in range(begin, end):
                work[block] |= neurons.input_hit[row + block] << 1


@kernel
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
        reached = step_conductance(cells, base) if conductance else step_current(cells, base)
        if reached:
            for lane in range(LANES):
                cell = np.uintp(base) + np.uintp(lane)
                if cells[cell + V] >= cells[cell + V_TH]:
                    reset(cells, cell)
                    slot = block * LANES + lane
                    if neurons.level[slot] == SILENT:
                        neurons.suppressed[slot] += 1
                        continue
                    spikes.part_slot[count] = slot
                    spikes.part_step[count] = k
                    count += 1
        for i in range(watch.first[block], watch.first[block + 1]):
            cell = np.uintp(base) + np.uintp(watch.lane[i])
            watch.voltage[watch_from + k, watch.column[i]] = cells[cell + V] + cells[cell + E_L]
        if step % FLUSH_EVERY == 0:
            flush_tiny(cells, base)
        if looks and not reached:
            same = True
            for place in range(STATE_NUMBERS):
                same &= before[place] == cells[base + place]
            neurons.asleep[block] = same
        elif not quiet:
            neurons.asleep[block] = False
    return count


@kernel
def _record_sleepers(block: int, n_steps: int, neurons: Neurons, watch: Watch, watch_from: int) -> None:
    """Write the potentials of watched neurons at rest."""
    for i in range(watch.first[block], watch.first[block + 1]):
        cell = np.uintp(block * STRIDE) + np.uintp(watch.lane[i])
        for k in range(n_steps):
            watch.voltage[watch_from + k, watch.column[i]] = (
                neurons.cells[cell + V] + neurons.cells[cell + E_L]
            )


@kernel
def _join(first_step: int, n_steps: int, longest: int, neurons: Neurons, spikes: Spikes) -> None:
    """Sort the parts' spikes by (step, slot) into one list, and add them to the window's."""
    first = spikes.first
    first[:] = 0
    for part in range(len(spikes.part_count)):
        begin = neurons.part[part] * LANES * longest
        for spike in range(begin, begin + spikes.part_count[part]):
            first[spikes.part_step[spike] + 1] += 1
    for k in range(len(first) - 1):
        first[k + 1] += first[k]
    for part in range(len(spikes.part_count)):
        begin = neurons.part[part] * LANES * longest
        for spike in range(begin, begin + spikes.part_count[part]):
            k = spikes.part_step[spike]
            spikes.slot[first[k]] = spikes.part_slot[spike]
            first[k] += 1
    for k in range(len(first) - 1, 0, -1):  # each step now ends where the next one begins
        first[k] = first[k - 1]
    first[0] = 0
    spikes.begun[0] = first_step
    out = spikes.out[0]
    for k in range(n_steps):
        for spike in range(first[k], first[k + 1]):
            spikes.out_step[out] = first_step + k
            spikes.out_slot[out] = spikes.slot[spike]
            out += 1
    spikes.out[0] = out


@kernel
def _advance_part(
    part: int,
    first_step: int,
    n_steps: int,
    count: int,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    watch: Watch,
    row: int,
    scratch: Scratch,
) -> int:
    """Take the blocks of a part through an interval and return the new length of its list of spikes.

    Blocks of neurons that relax are left out.
    """
    end, work, before = neurons.part[part + 1], scratch.work, scratch.before
    for block in range(neurons.part[part], end):
        if block + 1 < end and work[block + 1] & ~WATCHED:
            _fetch_block(neurons, relaxing, block + 1, first_step, n_steps)
        if work[block] == 0 or relaxing.kind[block] >= 0:
            continue
        if work[block] & INPUTS:
            _merge_inputs(block, first_step, n_steps, neurons)
        if relaxing.kind[block] == STEPPED:
            count = advance_stepped(block, first_step, n_steps, neurons, spikes, count, watch, row)
        elif work[block] == WATCHED:
            _record_sleepers(block, n_steps, neurons, watch, row)
        else:
            count = _advance_block(block, first_step, n_steps, neurons, spikes, count, watch, row, before)
    return count


@kernel
def run_intervals(
    board: Array,
    seat: int,
    interval: Array,
    window_start: int,
    rows: Rows,
    plastic: Plastic,
    inputs: Inputs,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    watch: Watch,
    scratch: Scratch,
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
    scratch : Scratch
        Of this thread.
    """
    longest = len(spikes.first) - 1
    while True:
        phase, part = claim(board, seat)
        if part < 0:
            break
        first_step, n_steps = interval[phase, 0], interval[phase, 1]
        deliver(part, rows, plastic, neurons, spikes)
        count = 0
        if n_steps:
            _receive_inputs(part, interval[phase, 2], interval[phase, 3], inputs, neurons)
            row = first_step - 1 - window_start
            begin = end = neurons.part[part] * LANES * longest
            if relaxing.has_others[part]:
                _look_for_work(part, first_step, n_steps, neurons, relaxing, watch, scratch.work)
                end = _advance_part(
                    part, first_step, n_steps, begin, neurons, relaxing, spikes, watch, row, scratch
                )
            if len(relaxing.state):
                end = advance_relaxing(
                    part, first_step, n_steps, longest, rows, neurons, relaxing, spikes, watch, row, end
                )
            count = end - begin
        spikes.part_count[part] = count
        if finish(board):
            _join(first_step, n_steps, longest, neurons, spikes)
            remember(first_step, n_steps, longest, neurons, relaxing, spikes)
            if spikes.out[0] + len(neurons.asleep) * LANES * longest > len(spikes.out_step):
                close(board)
            else:
                open_next(board)


@kernel
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
