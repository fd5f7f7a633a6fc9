"""Compiled code of the dense Numba engine: one animal through one window.

In: the arrays that `dense.py` lays out. Out: the same arrays, advanced, and spikes. This file knows
no populations by name and no rules. All compiled functions of the engine stand here because Numba's cache
notices changes only in the file that it caches.

How spikes are transmitted. Connectivity is dense and has few different weights, so it is bits: one row for
each neuron as a source, one bit for each neuron as a target ("lane"). In every step, the rows of the
neurons whose spikes arrive are read word by word; the 64 bits of a word are the mask under which 64
one-byte counters, which is one 512-bit register, are incremented (`_add_counts`). Then each target receives
count × weight. On a processor without mask registers the compiler expands the bits to bytes with a few
instructions, which costs more but stays correct. Adding the rows with bit-sliced (carry-save) adders needs
fewer increments, but its counters must be unpacked for all targets in every step: in a prototype this alone
took as long as counting and updating 25,000 neurons take here.

Neurons are grouped into blocks, the clusters of a population, each padded to whole words. Clustered weights
need the spikes of a target's own cluster once more: total × across + own × (within − across).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

LANES = 64
"""Neurons in a word of connectivity."""
COUNTER_LIMIT = 255
"""Rows that may be added before a one-byte counter overflows."""
TINY = 1e-30
"""Added to both currents (pA) in every step: it changes no spike, but a silent network's currents stay out
of the range of denormal numbers, which are computed up to 100 times slower."""

Array = NDArray[Any]


class Layout(NamedTuple):
    """Where neurons are; the same for all animals."""

    first_block: Array  # (populations + 1,) first block of each population
    first_word: Array  # (blocks + 1,) first word of each block
    neuron_of_lane: Array  # (lanes,) −1 where a lane is padding


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

    bits: Array  # (neurons, words): row of each source
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


class Window(NamedTuple):
    """What enters one animal during a window."""

    step: Array  # (spikes,) sorted
    channel: Array  # (spikes,)
    current_pa: Array  # (current channels,)


class Output(NamedTuple):
    """What a window of one animal leaves behind."""

    step: Array  # (capacity,)
    neuron: Array  # (capacity,)
    watched: Array  # (watched,) lanes
    voltage: Array  # (steps, watched) mV above E_L


# Division by zero gives infinity, as in NumPy: Python's exception would prevent vectorization. Products and
# sums are not fused: it would save nothing, and last digits would depend on the processor.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


def _generate_add_counts(
    typing_context: Any,
    into: Any,
    receptor: Any,
    lane: Any,
    bits: Any,
    word: Any,
    rows: Any,
    row: Any,
    start: Any,
    stop: Any,
    weight: Any,
) -> Any:
    """Add weight × number of rows with the bit set, for the lanes of one word, to `into[receptor, lane:]`.

    The rows are `rows[row, start:stop]` of `bits`, at most `COUNTER_LIMIT`. This is written in LLVM's vector
    types because Numba has none: a word is cast to 64 truth values, which are added to 64 bytes.
    """
    index, real = types.intp, into.dtype
    signature = types.void(into, index, index, bits, index, rows, index, index, index, real)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, receptor, lane, bits, word, rows, row, start, stop, weight = arguments
        into_place = _element(context, builder, signature.args[0], into, receptor, lane)
        word_place = _element(context, builder, signature.args[3], bits, start.type(0), word)
        row_place = _element(context, builder, signature.args[5], rows, row, start.type(0))
        row_words = _row_length(context, builder, signature.args[3], bits)
        number = into_place.type.pointee
        numbers, counters = ir.VectorType(number, LANES), ir.VectorType(ir.IntType(8), LANES)
        truths, places = ir.VectorType(ir.IntType(1), LANES), ir.VectorType(ir.IntType(32), LANES)

        with builder.goto_entry_block():
            counts = builder.alloca(counters)
        builder.store(counters(None), counts)
        with cgutils.for_range_slice(builder, start, stop, start.type(1)) as (at, _):
            source = builder.sext(builder.load(builder.gep(row_place, [at])), start.type)
            bits_of_source = builder.load(builder.gep(word_place, [builder.mul(source, row_words)]))
            increments = builder.zext(builder.bitcast(bits_of_source, truths), counters)
            builder.store(builder.add(builder.load(counts), increments), counts)

        first_only = builder.insert_element(numbers(ir.Undefined), weight, ir.IntType(32)(0))
        weights = builder.shuffle_vector(first_only, numbers(ir.Undefined), places(None))
        effect = builder.fmul(builder.uitofp(builder.load(counts), numbers), weights)
        place = builder.bitcast(into_place, numbers.as_pointer())
        aligned = context.get_abi_sizeof(number)  # arrays are aligned to their items, not to vectors
        builder.store(builder.fadd(builder.load(place, align=aligned), effect), place, align=aligned)
        return context.get_dummy_value()

    return signature, generate


def _element(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any) -> Any:
    """Return the address of an element of a C-contiguous matrix."""
    data = context.make_array(kind)(context, builder, array).data
    offset = builder.mul(row, _row_length(context, builder, kind, array))
    return builder.gep(data, [builder.add(offset, column)])


def _row_length(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return builder.extract_value(context.make_array(kind)(context, builder, array).shape, 1)


_add_counts: Callable[..., None] = intrinsic(_generate_add_counts)


@_compiled
def _add_arriving(
    first_block: int,
    end_block: int,
    receptor: int,
    row: int,
    start: int,
    stop: int,
    weight: float,
    layout: Layout,
    brain: Brain,
    arrived: Array,
) -> None:
    """Add the effect of the spikes `brain.spiked[row, start:stop]` on the lanes of some blocks."""
    for begin in range(start, stop, COUNTER_LIMIT):
        end = min(begin + COUNTER_LIMIT, stop)
        for word in range(layout.first_word[first_block], layout.first_word[end_block]):
            _add_counts(
                arrived, receptor, word * LANES, brain.bits, word, brain.spiked, row, begin, end, weight
            )


@_compiled
def _receive(target: int, row: int, layout: Layout, brain: Brain, arrived: Array) -> None:
    """Let the spikes of one row of `brain.spiked` arrive at a population, by receptor."""
    first_block, end_block = layout.first_block[target], layout.first_block[target + 1]
    for source in range(len(layout.first_block) - 1):
        first_source, end_source = layout.first_block[source], layout.first_block[source + 1]
        start, stop = brain.spiked_first[row, first_source], brain.spiked_first[row, end_source]
        if start == stop:
            continue
        for receptor in range(2):
            anywhere, own = brain.weight[source, target, receptor]
            if anywhere != 0:
                _add_arriving(
                    first_block, end_block, receptor, row, start, stop, anywhere, layout, brain, arrived
                )
            if own == 0:
                continue
            for block in range(first_block, end_block):  # the source has as many clusters as the target
                same = first_source + block - first_block
                start_own, stop_own = brain.spiked_first[row, same], brain.spiked_first[row, same + 1]
                _add_arriving(
                    block, block + 1, receptor, row, start_own, stop_own, own, layout, brain, arrived
                )


def _at(constant: Any, lane: Any) -> Any:
    """Return a constant of a lane: one number for all, or an array."""
    raise NotImplementedError("only compiled code calls this")


@overload(_at, strict=False)
def _compiled_at(constant: Any, lane: Any) -> Any:
    if isinstance(constant, types.Array):
        return lambda constant, lane: constant[lane]
    return lambda constant, lane: constant


@_compiled
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


@_compiled
def _update(
    first_lane: int, end_lane: int, brain: Brain, arrived: Array, fired: Array, constants: Any
) -> None:
    """Advance the neurons of a population by one step, in the order of NEST, and mark those that fire.

    The potential moves by what flowed during the step, then arriving spikes change the currents, then the
    threshold is tested. Unsigned indices spare the compiler Python's wrap-around of negative ones.
    """
    leak, from_ex, from_in, decay_ex, decay_in, v_th, v_reset, t_ref = constants
    for lane in range(first_lane, end_lane):
        at = np.uintp(lane)
        v, i_ex, i_in, left = brain.v[at], brain.i_ex[at], brain.i_in[at], brain.refractory[at]
        moved = v * _at(leak, at) + i_ex * _at(from_ex, at) + i_in * _at(from_in, at) + brain.drive[at]
        v = v if left > 0 else moved
        fires = v >= _at(v_th, at)
        left = np.int16(left - 1) if left > 0 else np.int16(0)
        brain.v[at] = _at(v_reset, at) if fires else v
        brain.refractory[at] = _at(t_ref, at) if fires else left
        brain.i_ex[at] = i_ex * _at(decay_ex, at) + arrived[0, at]
        brain.i_in[at] = i_in * _at(decay_in, at) + arrived[1, at]
        arrived[0, at] = TINY  # for the next step: cheaper here than in a loop of its own
        arrived[1, at] = TINY
        fired[at] = fires


@_compiled
def _collect(step: int, begin: int, fired: Array, layout: Layout, brain: Brain, out: Output) -> int:
    """List the neurons that fired, block by block, and return the new number of spikes in `out`.

    `fired` has one byte a lane; lanes are looked through eight at a time, as almost none fires.
    """
    row, count, eight_lanes = step % len(brain.spiked), begin, fired.view(np.uint64)
    for block in range(len(layout.first_word) - 1):
        for word in range(layout.first_word[block], layout.first_word[block + 1]):
            for eight in range(word * 8, word * 8 + 8):
                if eight_lanes[eight] == 0:
                    continue
                for lane in range(eight * 8, eight * 8 + 8):
                    if fired[lane]:
                        out.step[count] = step
                        out.neuron[count] = layout.neuron_of_lane[lane]
                        brain.spiked[row, count - begin] = layout.neuron_of_lane[lane]
                        count += 1
        brain.spiked_first[row, block + 1] = count - begin
    return count


@_compiled
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


@_compiled
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


@_compiled
def advance(
    first_step: int,
    done: int,
    n_steps: int,
    delay: int,
    layout: Layout,
    constants: Constants,
    inputs: Inputs,
    brain: Brain,
    window: Window,
    out: Output,
) -> tuple[int, int]:
    """Run one animal through the steps first_step + done … first_step + n_steps − 1 of a window.

    Returns the number of steps of the window that are done, which is below `n_steps` when `out` could not
    hold another step's spikes, and the number of spikes in `out`.
    """
    depth, lanes = len(brain.spiked), len(brain.v)
    arrived, fired = np.full((2, lanes), TINY, brain.v.dtype), np.empty(lanes, np.uint8)
    one_a_lane = len(constants.leak) == lanes
    event, count = 0, 0
    while event < len(window.step) and window.step[event] < first_step + done:
        event += 1
    for k in range(done, n_steps):
        if len(out.step) - count < len(brain.bits):
            return k, count
        step = first_step + k
        if k < 3:  # a window's current acts from its third step on, as NEST's dc_generator
            _set_drive(brain, inputs, brain.pipeline[k] if k < 2 else window.current_pa)
        for population in range(len(layout.first_block) - 1):
            lane = layout.first_word[layout.first_block[population]] * LANES
            end = layout.first_word[layout.first_block[population + 1]] * LANES
            _receive(population, (step - delay) % depth, layout, brain, arrived)
            if one_a_lane:
                _update(lane, end, brain, arrived, fired, constants)
            else:
                _update(lane, end, brain, arrived, fired, _of_population(constants, population))
        count = _collect(step, count, fired, layout, brain, out)
        event = _deliver_inputs(step, event, window, inputs, brain)
        for watched in range(len(out.watched)):
            out.voltage[k, watched] = brain.v[out.watched[watched]]
    for channel in range(len(window.current_pa)):
        last = window.current_pa[channel]
        brain.pipeline[0, channel] = brain.pipeline[1, channel] if n_steps == 1 else last
        brain.pipeline[1, channel] = last
    return n_steps, count


@_compiled
def is_finite(layout: Layout, v: Array, i_ex: Array, i_in: Array) -> bool:
    """Return whether the state of every neuron is finite; that of padding need not be."""
    finite = True
    for lane in range(len(v)):
        total = abs(v[lane]) + abs(i_ex[lane]) + abs(i_in[lane])
        finite &= total < np.inf or layout.neuron_of_lane[lane] < 0
    return finite
