"""Compiled code that advances neurons that relax, when something arrives and when they fire.

Spikes with a delay of one interval are added to their targets in the order of their arrival, without the
ring: in a large network, a number in the ring and one in a block are two waits for memory more. They are kept
until then (`recent`), because intervals that the end of a window cuts are shorter than the delay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import inlined, kernel
from ethospike.brains.numba.blocks import E_L, INBOX, LANES, STRIDE, T_REF, V_RESET
from ethospike.brains.numba.memory import prefetch, word
from ethospike.brains.numba.muting import FREE, SILENT
from ethospike.brains.numba.rows.layout import Neurons, Rows, Spikes, Watch
from ethospike.brains.numba.rows.relaxing import (
    MARGIN,
    NEVER_DUE,
    NUMBERS,
    POTENTIAL,
    SYNAPTIC,
    THRESHOLD,
    Relaxing,
    long_after,
    set_due,
)

Array = NDArray[Any]

WORD = 8
"""Bytes in a word."""
LOOK = 64
"""Blocks that are looked at together for neurons that are due."""
LINE = 16
"""Numbers in a cache line."""
AHEAD = 4
"""Spikes between the one that is brought and the one with rows on their way from memory."""
FETCH_AHEAD = 8
"""Synapses between the one that is added and the one with a target that is on its way from memory."""


@kernel
def _fire(
    slot: int, first_step: int, neurons: Neurons, relaxing: Relaxing, spikes: Spikes, count: int
) -> int:
    """Reset a neuron in the step in which it is due, and list its spike unless it is silent."""
    cell = np.uintp(slot // LANES * STRIDE + slot % LANES)
    step = relaxing.when[slot, -1]
    relaxing.state[slot, POTENTIAL] = neurons.cells[cell + V_RESET]
    relaxing.state[slot, SYNAPTIC] = 0
    relaxing.when[slot, -2] = -1 - (step + int(neurons.cells[cell + T_REF]))
    relaxing.when[slot, -1] = NEVER_DUE
    if neurons.level[slot] == SILENT:
        neurons.suppressed[slot] += 1
        return count
    spikes.part_slot[count] = slot
    spikes.part_step[count] = step - first_step
    return count + 1


@kernel
def _add_row(
    start: int,
    stop: int,
    dest: Array,
    effect: Array,
    shift: int,
    uniform: float,
    step: int,
    first_step: int,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    count: int,
) -> int:
    """Advance the targets of some synapses to the step in which a spike arrives, and add its effects.

    What arrives up to the end of a refractory period is lost, in the step of the spike as well.
    """
    state, when, kinds = relaxing.state, relaxing.when, relaxing.kind
    table, peaks = relaxing.table, relaxing.peak
    is_uniform, longest = uniform == uniform, table.shape[2]
    for synapse in range(start, stop):
        ahead = dest[np.uintp(min(synapse + FETCH_AHEAD, stop - 1))]
        prefetch(state, (ahead // INBOX * LANES + ahead % INBOX) * NUMBERS)
        place = dest[np.uintp(synapse)]
        slot, kind = np.uintp(place // INBOX * LANES + place % INBOX), kinds[np.uintp(place // INBOX)]
        added = uniform if is_uniform else effect[np.uintp(synapse + shift)]
        if added == 0:
            continue
        if when[slot, -1] <= step:
            count = _fire(int(slot), first_step, neurons, relaxing, spikes, count)
        last = when[slot, -2]
        n = step - (last if last >= 0 else -1 - last)
        if n <= 0 and last != step:
            continue
        v, g = state[slot, POTENTIAL], state[slot, SYNAPTIC]
        if 0 < n < longest:
            v, g = (
                v * table[kind, 0, np.uintp(n)] + g * table[kind, 2, np.uintp(n)],
                g * table[kind, 1, np.uintp(n)],
            )
        elif n > 0:
            later_v, later_g = long_after(v, g, n, relaxing, kind)
            v, g = state.dtype.type(later_v), state.dtype.type(later_g)
        g += added
        state[slot, POTENTIAL], state[slot, SYNAPTIC], when[slot, -2] = v, g, step
        when[slot, -1] = NEVER_DUE
        if (max(v, 0.0) + max(g, 0.0) * peaks[kind]) * MARGIN >= state[slot, THRESHOLD]:
            set_due(int(slot), relaxing, kind)
    return count


@kernel
def _fetch_rows(part: int, spike: int, n_spikes: int, rows: Rows, width: int, relaxing: Relaxing) -> None:
    """Prefetch the rows of spikes to come: waiting for a row takes as long as dozens of arrivals."""
    if spike + 2 * AHEAD < n_spikes:
        source = relaxing.recent_slot[spike + 2 * AHEAD]
        population = rows.of_slot[source]
        for p in range(rows.first[population], rows.first[population + 1]):
            prefetch(rows.bound, rows.base[p] + rows.number[source] * width + part)
    if spike + AHEAD < n_spikes:
        source = relaxing.recent_slot[spike + AHEAD]
        population = rows.of_slot[source]
        for p in range(rows.first[population], rows.first[population + 1]):
            start = rows.bound[rows.base[p] + rows.number[source] * width + part]
            for line in range(2):
                prefetch(rows.dest, start + line * LINE)
                prefetch(rows.effect, start + rows.effect_base[p] + line * LINE)


@kernel
def _bring(
    part: int,
    spike: int,
    step: int,
    first_step: int,
    rows: Rows,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    count: int,
) -> int:
    """Add a spike to its targets in a part, in the step of its arrival."""
    source, width = relaxing.recent_slot[spike], len(neurons.part)
    _fetch_rows(part, spike, relaxing.recent[0], rows, width, relaxing)
    population = rows.of_slot[source]
    for p in range(rows.first[population], rows.first[population + 1]):
        bound = rows.base[p] + rows.number[source] * width + part
        start, stop = rows.bound[bound], rows.bound[bound + 1]
        if rows.straight[p] and start < stop:
            shift, uniform = rows.effect_base[p], rows.uniform[p]
            count = _add_row(
                *(start, stop, rows.dest, rows.effect, shift, uniform, step, first_step),
                *(neurons, relaxing, spikes, count),
            )
    return count


@kernel
def _next_hit(hit: Array, begin: int, end: int) -> int:
    """Return the first place in begin … end − 1 that is not 0, or `end`."""
    place = begin
    while place + WORD <= end and word(hit, place) == 0:
        place += WORD
    while place < end and hit[place] == 0:
        place += 1
    return place


@kernel
def _from_rings(
    part: int,
    step: int,
    first_step: int,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    count: int,
) -> int:
    """Add the arrivals of a step in both rings: from synapses, then from input channels."""
    real, blocks = neurons.ring.dtype.type, len(neurons.asleep)
    zero, nothing = real(0), real(np.nan)
    for of_inputs in range(2 if len(neurons.input_hit) > blocks else 1):
        ring, hit = (neurons.input_ring, neurons.input_hit) if of_inputs else (neurons.ring, neurons.hit)
        row = (step & neurons.mask[of_inputs]) * blocks
        end = row + neurons.part[part + 1]
        place = _next_hit(hit, row + neurons.part[part], end)
        while place < end:
            if relaxing.kind[place - row] >= 0:
                hit[place] = 0
                start = (place - row) * INBOX
                count = _add_row(
                    *(start, start + LANES, relaxing.place, ring, row * INBOX, nothing, step, first_step),
                    *(neurons, relaxing, spikes, count),
                )
                for number in range(place * INBOX, place * INBOX + LANES):
                    ring[number] = zero
            place = _next_hit(hit, place + 1, end)
    return count


@inlined
def _any_due(first_due: Array, block: int, step: int) -> bool:
    """Return whether a neuron is due in `LOOK` blocks; the compiler makes vectors of them."""
    some = False
    for k in range(LOOK):
        some |= first_due[np.uintp(block) + np.uintp(k)] <= step
    return some


@kernel
def _fire_until(
    part: int,
    step: int,
    first_step: int,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    count: int,
) -> int:
    """Have the neurons of a part fire that are due up to a step."""
    end = neurons.part[part + 1]
    block = neurons.part[part] - 1
    while block + 1 < end:
        block += 1
        if block + LOOK <= end and not _any_due(relaxing.first_due, block, step):
            block += LOOK - 1
            continue
        if relaxing.first_due[block] <= step:
            earliest = NEVER_DUE
            for slot in range(block * LANES, (block + 1) * LANES):
                if relaxing.when[slot, -1] <= step:
                    count = _fire(slot, first_step, neurons, relaxing, spikes, count)
                earliest = min(earliest, relaxing.when[slot, -1])
            relaxing.first_due[block] = earliest
    return count


@kernel
def _record(
    part: int,
    step: int,
    first_step: int,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    watch: Watch,
    row: int,
    count: int,
) -> int:
    """Write the potentials of a part's watched neurons at the end of a step."""
    for i in range(watch.first[neurons.part[part]], watch.first[neurons.part[part + 1]]):
        slot = watch.slot[i]
        kind = relaxing.kind[slot // LANES]
        if kind < 0:
            continue
        if relaxing.when[slot, -1] <= step:
            count = _fire(slot, first_step, neurons, relaxing, spikes, count)
        v, last = relaxing.state[slot, POTENTIAL], relaxing.when[slot, -2]
        n = step - (last if last >= 0 else -1 - last)
        if 0 < n < relaxing.table.shape[2]:
            v = v * relaxing.table[kind, 0, n] + relaxing.state[slot, SYNAPTIC] * relaxing.table[kind, 2, n]
        elif n > 0:
            v, _ = long_after(v, relaxing.state[slot, SYNAPTIC], n, relaxing, kind)
        watch.voltage[row, watch.column[i]] = (
            v + neurons.cells[slot // LANES * STRIDE + slot % LANES + int(E_L)]
        )
    return count


@kernel
def _sort_by_slot(slots: Array, steps: Array, begin: int, end: int) -> None:
    """Sort a part's spikes by neuron and step, in place.

    They are mostly in that order, because blocks fire one after the other: Shell's method, with Knuth's gaps
    (The Art of Computer Programming 3, 5.2.1), moves few of them.
    """
    gap = 1
    while 3 * gap + 1 < end - begin:
        gap = 3 * gap + 1
    while gap > 0:
        for spike in range(begin + gap, end):
            slot, step, place = slots[spike], steps[spike], spike - gap
            while place >= begin and (slots[place] > slot or (slots[place] == slot and steps[place] > step)):
                slots[place + gap], steps[place + gap] = slots[place], steps[place]
                place -= gap
            slots[place + gap], steps[place + gap] = slot, step
        gap //= 3


@kernel
def advance_relaxing(
    part: int,
    first_step: int,
    n_steps: int,
    longest: int,
    rows: Rows,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    watch: Watch,
    row: int,
    count: int,
) -> int:
    """Take the neurons of a part that relax through an interval and return the end of its list of spikes."""
    spike, n_spikes = 0, relaxing.recent[0]
    while spike < n_spikes and relaxing.recent_step[spike] + longest < first_step:
        spike += 1
    for step in range(first_step, first_step + n_steps):
        while spike < n_spikes and relaxing.recent_step[spike] + longest == step:
            count = _bring(part, spike, step, first_step, rows, neurons, relaxing, spikes, count)
            spike += 1
        count = _from_rings(part, step, first_step, neurons, relaxing, spikes, count)
        if len(watch.slot):
            count = _record(
                part, step, first_step, neurons, relaxing, spikes, watch, row + step - first_step, count
            )
    count = _fire_until(part, first_step + n_steps - 1, first_step, neurons, relaxing, spikes, count)
    _sort_by_slot(spikes.part_slot, spikes.part_step, neurons.part[part] * LANES * longest, count)
    return count


@kernel
def remember(
    first_step: int, n_steps: int, longest: int, neurons: Neurons, relaxing: Relaxing, spikes: Spikes
) -> None:
    """Add the joined spikes of an interval to those under way, and forget those that have arrived."""
    if not len(relaxing.state):
        return
    kept = 0
    for spike in range(relaxing.recent[0]):
        if relaxing.recent_step[spike] + longest >= first_step + n_steps:
            relaxing.recent_slot[kept] = relaxing.recent_slot[spike]
            relaxing.recent_step[kept] = relaxing.recent_step[spike]
            kept += 1
    for k in range(n_steps):
        for spike in range(spikes.first[k], spikes.first[k + 1]):
            slot = spikes.slot[spike]
            if neurons.level[slot] == FREE:
                relaxing.recent_slot[kept] = slot
                relaxing.recent_step[kept] = first_step + k
                kept += 1
    relaxing.recent[0] = kept
