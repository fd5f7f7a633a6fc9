"""Compiled code of the engine of bits: one animal through one window, on one thread or several.

The arrays that it works on are laid out by `engine.py`.

Transmission of spikes. Connectivity is dense and has few different weights, so it is bits: one row for
each neuron as a source, one bit for each neuron as a target ("lane"). In every step, the rows of neurons
with arriving spikes are counted column by column, and each target receives count × weight (`row_counts.py`).

Neurons are grouped into blocks, the clusters of a population, each padded to whole words. Clustered weights
need the spikes of a target's own cluster once more: total × across + own × (within − across).

Division of work among threads. Targets are cut into segments of `SEGMENT` words; their currents stay in the
cache from the first spike to the neurons' update. Segments are claimed one by one (`team.py`); the thread
that finishes the last segment of a step joins the lists of spikes and lets input spikes arrive. Each target
adds the same numbers in the same order in any thread, so results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import overload
from numpy.typing import NDArray

from ethospike.brains.compiling import inlined, kernel
from ethospike.brains.numba.bits.generated_rows import Drawn, own_place, place_of
from ethospike.brains.numba.bits.row_counts import (
    COUNTER_LIMIT,
    SEGMENT,
    WORD,
    add_generated,
    add_stored,
    lowest,
    mask_of,
)
from ethospike.brains.numba.muting import FREE, SILENT
from ethospike.brains.numba.team import claim, close, finish, open_next

TINY = 1e-30
"""Added to both currents (pA) in every step: it changes no spike, but a silent network's currents stay out
of the range of denormal numbers, which are computed up to 100 times slower."""

Array = NDArray[Any]


class Layout(NamedTuple):
    """Where neurons are; the same for all animals."""

    first_block: Array  # (populations + 1,) first block of each population
    first_word: Array  # (blocks + 1,) first word of each block
    first_neuron: Array  # (blocks + 1,) first neuron of each block
    neuron_of_lane: Array  # (lanes,) −1 where a lane is padding
    segment_population: Array  # (segments,)
    segment_word: Array  # (segments,) first word of each segment
    segment_end: Array  # (segments,) its last word + 1
    segment_block: Array  # (segments,) first block that lies in it, perhaps in part
    segment_end_block: Array  # (segments,) the last such block + 1
    segment_neuron: Array  # (segments,) first neuron
    segment_end_neuron: Array  # (segments,) last neuron + 1


class Constants(NamedTuple):
    """Constants of the update, one number a population, or one a lane where neurons differ."""

    leak: Array
    from_ex: Array
    from_in: Array
    decay_ex: Array
    decay_in: Array
    v_th: Array
    v_reset: Array
    t_ref: Array  # steps, int16


class Inputs(NamedTuple):
    """Input channels: the lanes that each one reaches; the same for all animals."""

    spike_first: Array  # (spike channels + 1,) first of the channel's lanes
    spike_lane: Array
    spike_weight: Array  # (spike channels,) pA
    spike_delay: Array  # (spike channels,) steps
    current_first: Array  # (current channels + 1,)
    current_lane: Array


class Brain(NamedTuple):
    """One animal."""

    bits: Array  # (neurons, words): row of each source; empty where rows are generated
    pool: Array  # and what they are generated from (`generated_rows.py`), empty where they are stored
    pool_first: Array  # (source, target)
    pool_inverted: Array  # (source, target)
    row_key: Array  # (source, target)
    weight: Array  # (source, target, receptor, 2) pA: from anywhere, more from the own cluster
    i_e: Array  # (lanes,) pA
    per_pa: Array  # (lanes,) mV
    v: Array  # (lanes,) mV above E_L
    i_ex: Array  # (lanes,) pA
    i_in: Array  # (lanes,) pA
    refractory: Array  # (lanes,) steps left
    spiked: Array  # (depth, neurons): neurons that spiked in a step, row step % depth
    spiked_first: Array  # (depth, blocks + 1): where each block's spikes begin in that row
    arriving: Array  # (input depth, spike channels): input spikes that arrive in a step
    pipeline: Array  # (2, current channels) amplitudes given for the last two steps, pA
    driven: Array  # (current channels,) amplitudes that `drive` is made of; NaN: not made yet
    drive: Array  # (lanes,) mV that the currents add in a step
    level: Array  # (neurons,) int8: FREE, CUT or SILENT
    suppressed: Array  # (neurons,): spikes of silent neurons that did not come about


class Window(NamedTuple):
    """Input of one animal in a window."""

    step: Array  # (spikes,) sorted
    channel: Array  # (spikes,)
    current_pa: Array  # (current channels,)


class Output(NamedTuple):
    """Spikes and voltages of one animal in a window."""

    step: Array  # (capacity,)
    neuron: Array  # (capacity,)
    watched: Array  # (watched,) lanes
    voltage: Array  # (steps, watched) mV above E_L


class Shared(NamedTuple):
    """Data that the threads of one animal exchange in a step."""

    fired: Array  # (lanes,) neurons that fired: a segment's begin at its first lane
    n_fired: Array  # (segments,)
    n_spikes: Array  # (1,) in `out`
    event: Array  # (1,) next spike of the window


class Scratch(NamedTuple):
    """Working memory of one thread for a segment."""

    arrived: Array  # (2, lanes of a segment or more) pA; `TINY` between segments
    arrived_ex: Array  # its first row
    arrived_in: Array  # its second row
    fired: Array  # (lanes of a segment,)
    place: Array  # (COUNTER_LIMIT,) first word of each row that is being counted


# Products and sums are not fused: it would save nothing, and last digits would depend on the processor.
# Parts of the loop over segments are inlined: a call would copy all the addresses of a brain, which takes
# 0.1 µs.


@kernel
def _add_stored(
    words: tuple[int, int],
    receptor: int,
    weight: float,
    row: int,
    spikes: tuple[int, int],
    spiked: Array,
    bits: Array,
    arrived: Array,
    place: Array,
) -> None:
    """Add arriving spikes (`_add_arriving`) of rows that are stored."""
    first_word, end_word = words
    start, stop = spikes
    segment = first_word // SEGMENT * SEGMENT
    for begin in range(start, stop, COUNTER_LIMIT):
        rows = min(COUNTER_LIMIT, stop - begin)
        for i in range(rows):
            place[i] = spiked[row, begin + i] * bits.shape[1] + segment
        span = (rows, first_word - segment, end_word - segment)
        add_stored(arrived, receptor, bits, place, span, weight)


@kernel
def _add_generated(
    words: tuple[int, int],
    receptor: int,
    weight: float,
    row: int,
    spikes: tuple[int, int],
    projection: Drawn,
    spiked: Array,
    pool: Array,
    neuron_of_lane: Array,
    arrived: Array,
    place: Array,
) -> None:
    """Add arriving spikes (`_add_arriving`) of rows that are made now."""
    start, stop = spikes
    segment = words[0] // SEGMENT
    first, end = words[0] - segment * SEGMENT, words[1] - segment * SEGMENT
    for begin in range(start, stop, COUNTER_LIMIT):
        rows = min(COUNTER_LIMIT, stop - begin)
        for i in range(rows):
            source = spiked[row, begin + i] - projection.first_source
            place[i] = place_of(projection.key, segment, source, 0)
        if projection.recurrent:
            for i in range(rows):
                source = spiked[row, begin + i]
                if projection.first_own <= source < projection.end_own:
                    place[i] = own_place(pool, projection, segment, source, neuron_of_lane)
        pools = (projection.first, projection.inverted)
        add_generated(arrived, receptor, pool, pools, place, (rows, first, end), weight)


@inlined
def _drawn(segment: int, source: int, layout: Layout, brain: Brain) -> Drawn:
    """Return the projection from a population onto a segment's neurons, as it is drawn."""
    target = layout.segment_population[segment]
    return Drawn(
        brain.pool_first[source, target],
        brain.pool_inverted[source, target],
        brain.row_key[source, target],
        layout.first_neuron[layout.first_block[source]],
        source == target,
        layout.segment_neuron[segment],
        layout.segment_end_neuron[segment],
        layout.segment_word[segment],
        layout.segment_end[segment],
    )


@inlined
def _add_arriving(
    words: tuple[int, int],
    receptor: int,
    weight: float,
    row: int,
    spikes: tuple[int, int],
    projection: Drawn,
    layout: Layout,
    brain: Brain,
    scratch: Scratch,
) -> None:
    """Add the effect of some spikes of a row of `brain.spiked` on some words of one segment."""
    if len(brain.pool) == 0:
        _add_stored(
            words,
            receptor,
            weight,
            row,
            spikes,
            brain.spiked,
            brain.bits,
            scratch.arrived,
            scratch.place,
        )
    else:
        _add_generated(
            words,
            receptor,
            weight,
            row,
            spikes,
            projection,
            brain.spiked,
            brain.pool,
            layout.neuron_of_lane,
            scratch.arrived,
            scratch.place,
        )


@inlined
def _receive(segment: int, row: int, layout: Layout, brain: Brain, scratch: Scratch) -> None:
    """Let the spikes of one row of `brain.spiked` arrive at a segment's neurons, by receptor."""
    first_word, end_word = layout.segment_word[segment], layout.segment_end[segment]
    target = layout.segment_population[segment]
    for source in range(len(layout.first_block) - 1):
        first_source, end_source = layout.first_block[source], layout.first_block[source + 1]
        spikes = (brain.spiked_first[row, first_source], brain.spiked_first[row, end_source])
        if spikes[0] == spikes[1]:
            continue
        projection = _drawn(segment, source, layout, brain)
        for receptor in range(2):
            anywhere = brain.weight[source, target, receptor, 0]
            more = brain.weight[source, target, receptor, 1]
            if anywhere != 0:
                words = (first_word, end_word)
                _add_arriving(words, receptor, anywhere, row, spikes, projection, layout, brain, scratch)
            if more == 0:
                continue
            for block in range(layout.segment_block[segment], layout.segment_end_block[segment]):
                # The source has as many clusters as the target.
                same = first_source + block - layout.first_block[target]
                spikes_there = (brain.spiked_first[row, same], brain.spiked_first[row, same + 1])
                if spikes_there[0] == spikes_there[1]:
                    continue
                words = (
                    max(first_word, layout.first_word[block]),
                    min(end_word, layout.first_word[block + 1]),
                )
                _add_arriving(words, receptor, more, row, spikes_there, projection, layout, brain, scratch)


def _at(constant: Any, lane: Any) -> Any:
    """Return a constant of a lane: one number for all, or an array."""
    raise NotImplementedError("only compiled code calls this")


@overload(_at, strict=False)
def _compiled_at(constant: Any, lane: Any) -> Any:
    if isinstance(constant, types.Array):
        return lambda constant, lane: constant[lane]
    return lambda constant, lane: constant


@kernel
def _of_population(constants: Constants, population: int) -> Any:
    """Return the constants of a population as single numbers."""
    return (
        constants.leak[population],
        constants.from_ex[population],
        constants.from_in[population],
        constants.decay_ex[population],
        constants.decay_in[population],
        constants.v_th[population],
        constants.v_reset[population],
        constants.t_ref[population],
    )


@inlined
def _update(first_lane: int, end_lane: int, brain: Brain, scratch: Scratch, constants: Any) -> None:
    """Advance the neurons of a segment by one step, in the order of NEST, and mark those that fire.

    The potential moves by the currents of the step, then arriving spikes change the currents, then the
    threshold is tested. Unsigned indices spare the compiler Python's wrap-around of negative ones.
    """
    leak, from_ex, from_in, decay_ex, decay_in, v_th, v_reset, t_ref = constants
    segment = np.uintp(first_lane // (SEGMENT * WORD) * (SEGMENT * WORD))
    for lane in range(first_lane, end_lane):
        cell = np.uintp(lane)
        here = cell - segment
        v, i_ex, i_in, left = brain.v[cell], brain.i_ex[cell], brain.i_in[cell], brain.refractory[cell]
        moved = v * _at(leak, cell) + i_ex * _at(from_ex, cell) + i_in * _at(from_in, cell)
        moved += brain.drive[cell]
        v = v if left > 0 else moved
        fires = v >= _at(v_th, cell)
        left = np.int16(left - 1) if left > 0 else np.int16(0)
        brain.v[cell] = _at(v_reset, cell) if fires else v
        brain.refractory[cell] = _at(t_ref, cell) if fires else left
        brain.i_ex[cell] = i_ex * _at(decay_ex, cell) + scratch.arrived_ex[here]
        brain.i_in[cell] = i_in * _at(decay_in, cell) + scratch.arrived_in[here]
        scratch.arrived_ex[here] = TINY  # for the next segment: cheaper here than in a loop of its own
        scratch.arrived_in[here] = TINY
        scratch.fired[here] = fires


@inlined
def _list_fired(first_word: int, end_word: int, layout: Layout, scratch: Scratch, fired: Array) -> int:
    """List the neurons of a segment that fired at its place in `fired`, and return their number."""
    segment, count = first_word // SEGMENT * SEGMENT, 0
    for word in range(first_word, end_word):
        mask = mask_of(scratch.fired, word - segment)
        while mask != 0:
            fired[first_word * WORD + count] = layout.neuron_of_lane[word * WORD + lowest(mask)]
            count += 1
            mask &= mask - np.uint64(1)
    return count


@inlined
def _collect(step: int, begin: int, shared: Shared, layout: Layout, brain: Brain, out: Output) -> int:
    """Join the lists of all segments, which are in order, and return the new number of spikes in `out`."""
    row, count, sent = step % len(brain.spiked), begin, 0
    for segment in range(len(layout.segment_word)):
        first = layout.segment_word[segment] * WORD
        for i in range(first, first + shared.n_fired[segment]):
            neuron = shared.fired[i]
            if brain.level[neuron] == SILENT:
                brain.suppressed[neuron] += 1
                continue
            out.step[count] = step
            out.neuron[count] = neuron
            count += 1
            if brain.level[neuron] == FREE:
                brain.spiked[row, sent] = neuron
                sent += 1
    spike = 0
    for block in range(1, len(layout.first_neuron)):
        while spike < sent and brain.spiked[row, spike] < layout.first_neuron[block]:
            spike += 1
        brain.spiked_first[row, block] = spike
    return count


@kernel
def _set_drive(brain: Brain, inputs: Inputs, amplitude: Array) -> None:
    """Let the currents be I_e plus one amplitude (pA) for each current channel, unless they are so."""
    changed = False
    for channel in range(len(amplitude)):
        changed |= brain.driven[channel] != amplitude[channel]
        brain.driven[channel] = amplitude[channel]
    if not changed:
        return
    for lane in range(len(brain.drive)):
        brain.drive[lane] = brain.i_e[lane]
    for channel in range(len(amplitude)):
        for link in range(inputs.current_first[channel], inputs.current_first[channel + 1]):
            brain.drive[inputs.current_lane[link]] += amplitude[channel]
    for lane in range(len(brain.drive)):
        brain.drive[lane] *= brain.per_pa[lane]


@inlined
def _deliver_inputs(step: int, event: int, window: Window, inputs: Inputs, brain: Brain) -> int:
    """Send the input spikes of a step, let those due arrive, and return the next event of the window."""
    depth = len(brain.arriving)
    while event < len(window.step) and window.step[event] == step:
        channel = window.channel[event]
        brain.arriving[(step + inputs.spike_delay[channel]) % depth, channel] += 1
        event += 1
    row = step % depth
    for channel in range(brain.arriving.shape[1]):
        spikes = brain.arriving[row, channel]
        if spikes == 0:
            continue
        brain.arriving[row, channel] = 0
        weight = inputs.spike_weight[channel]
        effect = brain.v.dtype.type(weight * spikes)
        current = brain.i_ex if weight > 0 else brain.i_in
        for link in range(inputs.spike_first[channel], inputs.spike_first[channel + 1]):
            current[inputs.spike_lane[link]] += effect
    return event


@kernel
def _begin(
    step: int, k: int, layout: Layout, inputs: Inputs, brain: Brain, window: Window, shared: Shared
) -> None:
    """Prepare a step, the k-th of a window (from 0), and those after it."""
    event = 0
    while event < len(window.step) and window.step[event] < step:
        event += 1
    shared.event[0], shared.n_spikes[0] = event, 0
    _set_drive_of(k, inputs, brain, window)


@kernel
def advance(
    board: Array,
    seat: int,
    span: tuple[int, int, int],
    delay: int,
    layout: Layout,
    constants: Constants,
    inputs: Inputs,
    brain: Brain,
    window: Window,
    shared: Shared,
    scratch: Scratch,
    out: Output,
) -> None:
    """Run one animal through the phases of a board, together with other threads that do the same.

    The first phase prepares the others, which are a step each. `span` is the first step of the window, the
    number of its steps that are done, and their total number. The board is closed early when `out` could not
    hold another step's spikes. Their number is left in `shared.n_spikes`.
    """
    first_step, done, n_steps = span
    depth = len(brain.spiked)
    one_a_lane = len(constants.leak) == len(brain.v)
    while True:
        phase, segment = claim(board, seat)
        if segment < 0:
            break
        k = done + phase - 1
        step = first_step + k
        if phase > 0:
            first, end = layout.segment_word[segment], layout.segment_end[segment]
            _receive(segment, (step - delay) % depth, layout, brain, scratch)
            if one_a_lane:
                _update(first * WORD, end * WORD, brain, scratch, constants)
            else:
                population = _of_population(constants, layout.segment_population[segment])
                _update(first * WORD, end * WORD, brain, scratch, population)
            shared.n_fired[segment] = _list_fired(first, end, layout, scratch, shared.fired)
        if not finish(board):
            continue
        if phase == 0:
            _begin(step + 1, k + 1, layout, inputs, brain, window, shared)
        else:
            _end_step(step, k, n_steps, layout, inputs, brain, window, shared, out)
        if len(out.step) - shared.n_spikes[0] < brain.spiked.shape[1]:
            close(board)
        else:
            open_next(board)


@inlined
def _end_step(
    step: int,
    k: int,
    n_steps: int,
    layout: Layout,
    inputs: Inputs,
    brain: Brain,
    window: Window,
    shared: Shared,
    out: Output,
) -> None:
    """End a step, the k-th of a window, in one thread, when all neurons have been advanced by it."""
    shared.n_spikes[0] = _collect(step, shared.n_spikes[0], shared, layout, brain, out)
    shared.event[0] = _deliver_inputs(step, shared.event[0], window, inputs, brain)
    for watched in range(len(out.watched)):
        out.voltage[k, watched] = brain.v[out.watched[watched]]
    if k + 1 == n_steps:
        _keep_currents(n_steps, brain, window)
    else:
        _set_drive_of(k + 1, inputs, brain, window)


@kernel
def _set_drive_of(k: int, inputs: Inputs, brain: Brain, window: Window) -> None:
    """Set the currents of step k of a window: its own act from its third step on, as NEST's dc_generator."""
    if k < 3:
        _set_drive(brain, inputs, brain.pipeline[k] if k < 2 else window.current_pa)


@kernel
def _keep_currents(n_steps: int, brain: Brain, window: Window) -> None:
    """Keep the currents that have not acted yet for the next window."""
    for channel in range(len(window.current_pa)):
        last = window.current_pa[channel]
        brain.pipeline[0, channel] = brain.pipeline[1, channel] if n_steps == 1 else last
        brain.pipeline[1, channel] = last


@kernel
def is_finite(layout: Layout, v: Array, i_ex: Array, i_in: Array) -> bool:
    """Return whether the state of every neuron is finite; that of padding need not be."""
    finite = True
    for lane in range(len(v)):
        total = abs(v[lane]) + abs(i_ex[lane]) + abs(i_in[lane])
        finite &= total < np.inf or layout.neuron_of_lane[lane] < 0
    return finite
