"""Compiled code of the dense Numba engine: one animal through one window.

In: the arrays that `numba_dense.py` lays out. Out: the same arrays, advanced, and spikes. This file knows
no populations by name and no rules. All compiled functions of the engine stand here because Numba's cache
notices changes only in the file that it caches.

How spikes are transmitted. Connectivity is dense and has few different weights, so it is bits: one row for
each neuron as a source, one bit for each neuron as a target ("lane"). In every step, the rows of the
neurons whose spikes arrive are read word by word; the 64 bits of a word are the mask under which 64
one-byte counters, which is one 512-bit register, are incremented (`_add_counts`). Then each target receives
count × weight. On a processor without mask registers the compiler expands the bits to bytes with a few
instructions, which costs more but stays correct. Adding the rows with bit-sliced (carry-save) adders needs
fewer increments, but the counters must be unpacked afterwards for all targets, which costs more than is
saved at the few dozen spikes that arrive in a step.

Neurons are grouped into blocks, the clusters of a population, each padded to whole words. Within a block
one pass counts what arrives and another one advances the neurons. Clustered weights need the spikes of the
same cluster once more: total × across + own × (within − across).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

LANES = 64
"""Neurons in a word of connectivity."""
LINE_WORDS = 8
"""Words in a line of the processor's cache."""
COUNTER_LIMIT = 255
"""Rows that may be added before a one-byte counter overflows."""
TINY = 1e-30
"""Added to both currents (pA) in every step: it changes no spike, but a silent network's currents stay out
of the range of denormal numbers, which are computed up to 100 times slower."""

Array = NDArray[Any]


class Layout(NamedTuple):
    """Where neurons are; the same for all animals."""

    block_population: Array  # (blocks,)
    block_lane: Array  # (blocks,) first lane
    block_words: Array  # (blocks,)
    block_size: Array  # (blocks,) neurons; the other lanes are padding
    first_block: Array  # (populations + 1,) first block of each population
    neuron_of_lane: Array  # (lanes,)


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
    weight: Array  # (populations, populations, 2, 2) pA: source, target, receptor, (any, own) cluster
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


_Function = TypeVar("_Function", bound=Callable[..., Any])
# Division by zero gives infinity, as in NumPy: Python's exception would prevent vectorization. Fused
# multiply-add changes last digits only.
_compiled: Callable[[_Function], _Function] = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract"}
)


@intrinsic
def _add_counts(
    context: Any, into: Any, lane: Any, bits: Any, word: Any, rows: Any, start: Any, stop: Any, weight: Any
) -> Any:
    """Add weight × number of rows with the bit set, for the 64 lanes of one word, to `into[lane:]`.

    Adds up the rows `rows[start:stop]` of `bits`, at most `COUNTER_LIMIT`. It is written in LLVM's vector
    types because Numba has none: a word is cast to 64 truth values and these are added to 64 bytes.
    """
    real = into.dtype
    index = types.intp
    signature = types.void(into, index, bits, index, rows, index, index, real)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, lane, bits, word, rows, start, stop, weight = arguments
        number = context.get_data_type(real)
        number_lanes, byte_lanes = ir.VectorType(number, LANES), ir.VectorType(ir.IntType(8), LANES)
        bit_lanes = ir.VectorType(ir.IntType(1), LANES)
        into_array = context.make_array(signature.args[0])(context, builder, into)
        bits_array = context.make_array(signature.args[2])(context, builder, bits)
        rows_array = context.make_array(signature.args[4])(context, builder, rows)
        stride = cgutils.unpack_tuple(builder, bits_array.shape, 2)[1]
        column = builder.gep(bits_array.data, [word])

        counts = cgutils.alloca_once_value(builder, ir.Constant(byte_lanes, None))
        with cgutils.for_range_slice(builder, start, stop, ir.Constant(stop.type, 1)) as (at, _):
            row = builder.sext(builder.load(builder.gep(rows_array.data, [at])), stride.type)
            mask = builder.bitcast(builder.load(builder.gep(column, [builder.mul(row, stride)])), bit_lanes)
            builder.store(builder.add(builder.load(counts), builder.zext(mask, byte_lanes)), counts)

        place = builder.bitcast(builder.gep(into_array.data, [lane]), number_lanes.as_pointer())
        weights = ir.Constant(number_lanes, ir.Undefined)
        weights = builder.insert_element(weights, weight, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        weights = builder.shuffle_vector(weights, ir.Constant(number_lanes, ir.Undefined), everywhere)
        added = builder.fmul(builder.uitofp(builder.load(counts), number_lanes), weights)
        item_bytes = context.get_abi_sizeof(number)  # the arrays are aligned to their items, not to vectors
        present = builder.load(place, align=item_bytes)
        builder.store(builder.fadd(present, added), place, align=item_bytes)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _prefetch(context: Any, bits: Any, row: Any, word: Any) -> Any:
    """Ask the processor to bring one cache line of a row nearer."""
    signature = types.void(bits, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits, row, word = arguments
        array = context.make_array(signature.args[0])(context, builder, bits)
        stride = cgutils.unpack_tuple(builder, array.shape, 2)[1]
        place = builder.gep(array.data, [builder.add(builder.mul(row, stride), word)])
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, second_level, data = flag(0), flag(2), flag(1)
        builder.call(prefetch, [builder.bitcast(place, pointer), read, second_level, data])
        return context.get_dummy_value()

    return signature, generate


@_compiled
def _add_arriving(
    arrived: Array,
    receptor: int,
    bits: Array,
    first_word: int,
    words: int,
    spiked: Array,
    row: int,
    start: int,
    stop: int,
    weight: Any,
) -> None:
    """Add the effect of the spikes `spiked[row, start:stop]` on the lanes of a block."""
    into, rows = arrived[receptor], spiked[row]
    for begin in range(start, stop, COUNTER_LIMIT):
        end = min(begin + COUNTER_LIMIT, stop)
        for word in range(words):
            _add_counts(into, word * LANES, bits, first_word + word, rows, begin, end, weight)


def _at(constant: Any, lane: int) -> Any:
    """Return a constant of a lane: one number for all, or an array."""
    raise NotImplementedError("only compiled code calls this")


@overload(_at, strict=False)
def _compiled_at(constant: Any, lane: int) -> Any:
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
def _update(first_lane: int, width: int, brain: Brain, arrived: Array, fired: Array, constants: Any) -> bool:
    """Advance the neurons of a block by one step, in the order of NEST; return whether any fired.

    The potential moves by what flowed during the step, then arriving spikes change the currents, then the
    threshold is tested. Unsigned indices spare the compiler Python's wrap-around of negative ones.
    """
    leak, from_ex, from_in, decay_ex, decay_in, v_th, v_reset, t_ref = constants
    any_fired = False
    for place in range(width):
        at, here = np.uintp(first_lane + place), np.uintp(place)
        v, i_ex, i_in, left = brain.v[at], brain.i_ex[at], brain.i_in[at], brain.refractory[at]
        moved = v * _at(leak, at) + i_ex * _at(from_ex, at) + i_in * _at(from_in, at) + brain.drive[at]
        v = v if left > 0 else moved
        fires = v >= _at(v_th, at)
        left = np.int16(left - 1) if left > 0 else np.int16(0)
        brain.v[at] = _at(v_reset, at) if fires else v
        brain.refractory[at] = _at(t_ref, at) if fires else left
        brain.i_ex[at] = i_ex * _at(decay_ex, at) + arrived[0, here]
        brain.i_in[at] = i_in * _at(decay_in, at) + arrived[1, here]
        fired[here] = fires
        any_fired |= fires
    return any_fired


@_compiled
def _receive(block: int, row: int, layout: Layout, brain: Brain, arrived: Array) -> None:
    """Let the spikes of one row of `brain.spiked` arrive at a block, by receptor."""
    target = layout.block_population[block]
    cluster = block - layout.first_block[target]
    first_word, words = layout.block_lane[block] // LANES, layout.block_words[block]
    for receptor in range(2):
        for place in range(words * LANES):
            arrived[np.uintp(receptor), np.uintp(place)] = brain.v.dtype.type(TINY)
    for source in range(len(layout.first_block) - 1):
        first_block, end_block = layout.first_block[source], layout.first_block[source + 1]
        start, stop = brain.spiked_first[row, first_block], brain.spiked_first[row, end_block]
        if start == stop:
            continue
        own_start = brain.spiked_first[row, first_block + cluster]
        own_stop = brain.spiked_first[row, first_block + cluster + 1]
        for receptor in range(2):
            everywhere = brain.weight[source, target, receptor, 0]
            own = brain.weight[source, target, receptor, 1]
            if everywhere != 0:
                _add_arriving(
                    arrived,
                    receptor,
                    brain.bits,
                    first_word,
                    words,
                    brain.spiked,
                    row,
                    start,
                    stop,
                    everywhere,
                )
            if own != 0:
                _add_arriving(
                    arrived,
                    receptor,
                    brain.bits,
                    first_word,
                    words,
                    brain.spiked,
                    row,
                    own_start,
                    own_stop,
                    own,
                )


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
    depth, blocks = len(brain.spiked), len(layout.block_population)
    widest = 0
    for words in layout.block_words:
        widest = max(widest, words * LANES)
    arrived, fired = np.empty((2, widest), brain.v.dtype), np.empty(widest, np.bool_)
    one_a_lane = len(constants.leak) == len(brain.v)
    event = 0
    while event < len(window.step) and window.step[event] < first_step + done:
        event += 1
    count = 0
    for k in range(done, n_steps):
        if len(out.step) - count < len(brain.bits):
            return k, count
        step = first_step + k
        if k < 3:  # a window's current acts from its third step on, as NEST's dc_generator
            _set_drive(brain, inputs, brain.pipeline[k] if k < 2 else window.current_pa)
        begin, row = count, step % depth
        for block in range(blocks):
            lane, width = layout.block_lane[block], layout.block_words[block] * LANES
            _receive(block, (step - delay) % depth, layout, brain, arrived)
            if one_a_lane:
                any_fired = _update(lane, width, brain, arrived, fired, constants)
            else:
                own = _of_population(constants, layout.block_population[block])
                any_fired = _update(lane, width, brain, arrived, fired, own)
            if any_fired:
                for place in range(width):
                    if fired[place]:
                        neuron = layout.neuron_of_lane[lane + place]
                        out.step[count] = step
                        out.neuron[count] = neuron
                        brain.spiked[row, count - begin] = neuron
                        count += 1
                        for word in range(0, brain.bits.shape[1], LINE_WORDS):
                            _prefetch(brain.bits, np.intp(neuron), word)
            brain.spiked_first[row, block + 1] = count - begin
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
    """Return whether the state of every neuron is finite (padding is not looked at)."""
    for block in range(len(layout.block_lane)):
        lane = layout.block_lane[block]
        finite = True
        for at in range(lane, lane + layout.block_size[block]):
            total = abs(v[at]) + abs(i_ex[at]) + abs(i_in[at])
            finite &= total < np.inf
        if not finite:
            return False
    return True
