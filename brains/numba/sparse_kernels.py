"""Compiled code of the sparse Numba engine: one animal through one window, and all animals side by side.

`sparse.py` lays out the arrays. All functions of the step stand here, because Numba's cache notices
changes only in the file that it caches.

Memory layout. Neurons are padded to blocks of `LANES`; a block holds one row of `LANES` numbers for each
quantity, state first, so that a whole update is done in vector registers from one stretch of memory. With
a constant distance between rows the compiler can prove that they do not overlap; unsigned indices spare it
Python's wrap-around of negative ones. Without either, the loop is not vectorized and 20 times slower.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from ethospike.brains.compiling import tell_of_compiling
from ethospike.brains.numba.intrinsics import call_step, next_in_turn
from ethospike.brains.numba.plasticity_kernels import Lesson, Rules, teach

tell_of_compiling()

LANES = 16
"""Neurons in a block: one 512-bit register of single-precision numbers."""

# Rows of a block. Potentials are relative to E_L; conductances are stored as the mean rate h·g/C that they
# cause in the next step, so that no neuron needs a division by C or a table of propagators.
ROWS = (
    # changes from step to step
    "v",  # membrane potential (mV)
    "ex",  # excitatory conductance (rate) or current (pA)
    "inh",  # inhibitory conductance (rate) or current (pA)
    "sfa",  # adaptation conductance (rate)
    "refractory",  # steps left
    "inbox_ex",  # what arrives at the end of this step
    "inbox_in",
    "drive",  # constant currents, as their effect on v in one step (mV)
    # constants of the update
    "leak",  # h·g_L/C, or the propagator exp(−h/tau_m)
    "from_ex",  # E_ex − E_L (mV), or the propagator from current to potential (mV/pA)
    "from_in",
    "from_sfa",  # E_sfa − E_L (mV)
    "decay_ex",
    "decay_in",
    "decay_sfa",
    "slope_ex",  # change during a step, as a fraction of the mean, over 12
    "slope_in",
    "slope_sfa",
    "v_th",
    "v_reset",
    # constants of a spike, of currents, and of what is shown outside
    "t_ref",  # steps
    "q_sfa",  # jump of `sfa` (rate)
    "i_e",  # constant current (pA)
    "per_pa",  # effect of 1 pA on v in one step (mV)
    "e_l",  # mV
)
STATE_ROWS = 8
STRIDE = len(ROWS) * LANES
INBOX = 2 * LANES
"""Numbers that can arrive in a block in one step: `LANES` excitatory, then `LANES` inhibitory ones."""
INBOX_START = ROWS.index("inbox_ex") * LANES

(V, EX, IN, SFA, REFRACTORY, INBOX_EX, INBOX_IN, DRIVE, LEAK, FROM_EX, FROM_IN, FROM_SFA) = (
    np.uintp(row * LANES) for row in range(12)
)
(DECAY_EX, DECAY_IN, DECAY_SFA, SLOPE_EX, SLOPE_IN, SLOPE_SFA) = (
    np.uintp(row * LANES) for row in range(12, 18)
)
(V_TH, V_RESET, T_REF, Q_SFA, I_E, PER_PA, E_L) = (np.uintp(row * LANES) for row in range(18, 25))

TINY_ROOTS = 1e3
"""Magnitudes below so many roots of the smallest normal number (1e-16 in single precision) become 0. Denormal
numbers are computed up to 100 times slower than others, and an update multiplies conductances by each other:
already their products must be normal. Beside the last digit of a potential, the loss is nothing."""
TINY_OWN = 1e-150
"""The same for models with a step of their own, in double precision."""
RANDOM_MULTIPLIER = np.uint64(0xD1342543DE82EF95)
"""Steele & Vigna 2022, Softw. Pract. Exp. 52:443."""
RANDOM_INCREMENT = np.uint64(0x14057B7EF767814F)
"""Any odd number."""
FLUSH_EVERY = 16
"""Steps between two searches for tiny numbers, in which a number falls by a factor of 1e7 at tau = 1 step."""

MODULATOR, TARGET = 1, 2
"""Roles of a neuron in a plastic projection, as bits."""

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


class Own(NamedTuple):
    """Neurons with a compiled step of their model, called by address (`own_models.py`)."""

    block: Array  # (blocks,) bool: its neurons are of this kind
    step: Array  # (slots,) address of the step; 0 where there is no such neuron
    x_at: Array  # (slots,) first number of the neuron's state in `x`
    k_at: Array  # (slots,) first number of its constants in `k`
    random_at: Array  # (slots,) its generator in `random`; -1 if it needs none
    x: Array  # (animals, numbers) float64
    k: Array  # (animals, numbers) float64
    random: Array  # (animals, generators) uint64


class Window(NamedTuple):
    """Input of a window."""

    step: Array  # (spikes,) sorted by (animal, step)
    channel: Array  # (spikes,)
    first: Array  # (animals + 1,) first spike of each animal
    current_pa: Array  # (animals, current channels)


class Output(NamedTuple):
    """Spikes and voltages of a window."""

    step: Array  # (animals, capacity); the capacity is steps × slots
    slot: Array  # (animals, capacity)
    spikes: Array  # (animals,) how many
    finite: Array  # (animals,) bool
    watched: Array  # (watched,) slots
    voltage: Array  # (steps, animals, watched) mV


# Division by zero gives infinity, as in NumPy: Python's exception would prevent vectorization. Threads are
# Python's, without the interpreter's lock: Numba's own use OpenMP, and NEST crashes beside a second OpenMP.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
# Handing arrays over takes longer than what the shortest functions do: these are copied into their callers;
# so is the longest, which has one caller and would be compiled twice.
_inlined = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
# Fused multiply-add changes last digits only. Not for iaf_psc_exp, which follows NEST digit by digit.
_compiled_fused = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled_fused
def _step_conductance(cells: Array, base: int) -> bool:
    """Advance a block of conductance-based neurons by one step; return whether any reached V_th.

    Conductances decay exactly. v obeys dv/dt = b(t) − a(t)·v, solved by the Magnus expansion to fourth order
    (Blanes et al. 2009, Phys Rep 470:151): a is replaced by its mean over the step, and b by its mean plus
    h/12·(a·Δb − b·Δa), where Δ is the change during the step. The solution for constant a and b needs
    (1 − e^−x)/x with x = h·a; the rational function used here is off by 1e-7 at x = 0.5, 6e-6 at 1 and at
    most 3e-3 anywhere, and never lets v overshoot its goal. Usually x is below 0.1.
    """
    real = cells.dtype.type
    zero, half, one, five, sixty = real(0), real(0.5), real(1), real(5), real(60)
    reached = False
    for lane in range(LANES):
        at = np.uintp(base) + np.uintp(lane)
        v, ex, inh, sfa = cells[at + V], cells[at + EX], cells[at + IN], cells[at + SFA]
        left = cells[at + REFRACTORY]
        x = cells[at + LEAK] + ex + inh + sfa
        from_ex, from_in, from_sfa = cells[at + FROM_EX], cells[at + FROM_IN], cells[at + FROM_SFA]
        b = ex * from_ex + inh * from_in + sfa * from_sfa + cells[at + DRIVE]
        change_ex = ex * cells[at + SLOPE_EX]
        change_in = inh * cells[at + SLOPE_IN]
        change_sfa = sfa * cells[at + SLOPE_SFA]
        change_b = change_ex * from_ex + change_in * from_in + change_sfa * from_sfa
        b += change_b * x - (change_ex + change_in + change_sfa) * b
        above = sixty + x * x
        below = above * (one + half * x) + five * x * x
        limit = above * x
        below = below if below > limit else limit
        v += (b - x * v) * above / below
        v = cells[at + V_RESET] if left > zero else v
        left -= one
        cells[at + REFRACTORY] = left if left > zero else zero
        cells[at + V] = v
        cells[at + EX] = ex * cells[at + DECAY_EX] + cells[at + INBOX_EX]
        cells[at + IN] = inh * cells[at + DECAY_IN] + cells[at + INBOX_IN]
        cells[at + SFA] = sfa * cells[at + DECAY_SFA]
        cells[at + INBOX_EX] = zero
        cells[at + INBOX_IN] = zero
        reached |= v >= cells[at + V_TH]
    return reached


@_compiled
def _step_current(cells: Array, base: int) -> bool:
    """Advance a block of iaf_psc_exp by one step, in the order of NEST; return whether any reached V_th."""
    real = cells.dtype.type
    zero, one = real(0), real(1)
    reached = False
    for lane in range(LANES):
        at = np.uintp(base) + np.uintp(lane)
        v, ex, inh = cells[at + V], cells[at + EX], cells[at + IN]
        left = cells[at + REFRACTORY]
        v = v * cells[at + LEAK] + ex * cells[at + FROM_EX] + inh * cells[at + FROM_IN] + cells[at + DRIVE]
        v = cells[at + V_RESET] if left > zero else v
        left -= one
        cells[at + REFRACTORY] = left if left > zero else zero
        cells[at + V] = v
        cells[at + EX] = ex * cells[at + DECAY_EX] + cells[at + INBOX_EX]
        cells[at + IN] = inh * cells[at + DECAY_IN] + cells[at + INBOX_IN]
        cells[at + INBOX_EX] = zero
        cells[at + INBOX_IN] = zero
        reached |= v >= cells[at + V_TH]
    return reached


@_compiled
def _step_own(cells: Array, own: Own, animal: int, block: int, slots: Array, count: int) -> int:
    """Advance a block of neurons by the steps of their models; list those that fire."""
    x, k, random = own.x[animal], own.k[animal], own.random[animal]
    zero = cells.dtype.type(0)
    for lane in range(LANES):
        slot = block * LANES + lane
        if own.step[slot] == 0:
            continue
        at = np.uintp(block * STRIDE) + np.uintp(lane)
        uniform = 0.0
        if own.random_at[slot] >= 0:
            # A linear congruential generator of 64 bits, of which the upper half is used; as on GeNN.
            number = random[own.random_at[slot]] * RANDOM_MULTIPLIER + RANDOM_INCREMENT
            random[own.random_at[slot]] = number
            uniform = (number >> np.uint64(32)) / 4294967296.0
        fired = call_step(
            own.step[slot],
            np.uintp(x.ctypes.data + 8 * own.x_at[slot]),
            np.uintp(k.ctypes.data + 8 * own.k_at[slot]),
            np.float64(cells[at + INBOX_EX]),
            np.float64(cells[at + INBOX_IN]),
            np.float64(cells[at + DRIVE]),
            uniform,
        )
        cells[at + INBOX_EX] = zero
        cells[at + INBOX_IN] = zero
        cells[at + V] = x[own.x_at[slot]]
        if fired:
            slots[count] = slot
            count += 1
    return count


@_compiled
def _flush_tiny_own(x: Array) -> None:
    """Set tiny numbers of the state to 0."""
    for place in range(len(x)):
        if abs(x[place]) <= TINY_OWN:
            x[place] = 0.0


# The next three are chosen by the type of `own`, which is None in networks of vectorized models alone: a test
# at run time made their steps 20 % slower.


def _has_own(own: Own | None, block: int) -> bool:
    """Return whether a block's neurons have a step of their own."""
    return own is not None and bool(own.block[block])


def _run_own(cells: Array, own: Own | None, animal: int, block: int, slots: Array, count: int) -> int:
    """Call `_step_own`, if there are such neurons."""
    return count if own is None else _step_own(cells, own, animal, block, slots, count)


def _flush_own(own: Own | None, animal: int) -> None:
    """Call `_flush_tiny_own`, if there are such neurons."""


@overload(_has_own, strict=False)
def _overload_has_own(own: Any, block: Any) -> Any:
    if isinstance(own, types.NoneType):
        return lambda own, block: False
    return lambda own, block: own.block[block]


@overload(_run_own, strict=False)
def _overload_run_own(cells: Any, own: Any, animal: Any, block: Any, slots: Any, count: Any) -> Any:
    if isinstance(own, types.NoneType):
        return lambda cells, own, animal, block, slots, count: count
    return lambda cells, own, animal, block, slots, count: _step_own(cells, own, animal, block, slots, count)


@overload(_flush_own, strict=False)
def _overload_flush_own(own: Any, animal: Any) -> Any:
    if isinstance(own, types.NoneType):
        return lambda own, animal: None
    return lambda own, animal: _flush_tiny_own(own.x[animal])


@_inlined
def _fire(cells: Array, block: int, slots: Array, count: int) -> int:
    """Reset the neurons of a block that reached V_th, list them, and return the new length of the list."""
    for lane in range(LANES):
        at = np.uintp(block * STRIDE) + np.uintp(lane)
        if cells[at + V] >= cells[at + V_TH]:
            cells[at + V] = cells[at + V_RESET]
            cells[at + REFRACTORY] = cells[at + T_REF]
            cells[at + SFA] += cells[at + Q_SFA]
            slots[count] = block * LANES + lane
            count += 1
    return count


@_compiled
def _receive(cells: Array, arriving: Array) -> None:
    """Add a row of the ring to the inboxes and empty it."""
    for block in range(len(arriving) // INBOX):
        for place in range(INBOX):
            cells[np.uintp(block * STRIDE + place) + INBOX_EX] += arriving[block * INBOX + place]
    arriving[:] = 0


@_compiled
def _flush_tiny(cells: Array, blocks: int) -> None:
    """Set tiny numbers of v, ex, inh and sfa (the first four rows) to 0; NaN stays NaN."""
    real = cells.dtype.type
    tiny, zero = real(TINY_ROOTS * math.sqrt(np.finfo(cells.dtype).tiny)), real(0)
    for block in range(blocks):
        for place in range(4 * LANES):
            at = np.uintp(block * STRIDE) + np.uintp(place)
            cells[at] = zero if abs(cells[at]) <= tiny else cells[at]


@_compiled
def _all_finite(cells: Array, blocks: int) -> bool:
    """Return whether v, ex, inh and sfa (the first four rows) are finite."""
    for block in range(blocks):
        for place in range(4 * LANES):
            if not math.isfinite(cells[np.uintp(block * STRIDE) + np.uintp(place)]):
                return False
    return True


@_inlined
def _send(
    start: int,
    late: int,
    stop: int,
    dest: Array,
    delay: Array,
    effect: Array,
    step: int,
    cells: Array,
    ring: Array,
    waiting: Array,
) -> None:
    """Put the effects of one spike of step `step` where they arrive: next step's inboxes, or the ring."""
    for one in range(start, late):
        cells[np.uintp(dest[one])] += effect[one]
    for one in range(late, stop):
        row = (step + delay[one]) & (len(waiting) - 1)
        place = dest[one] // STRIDE * INBOX + dest[one] % STRIDE - INBOX_START
        ring[row, place] += effect[one]
        waiting[row] = True


@_compiled
def _set_drive(cells: Array, blocks: int, circuit: Circuit, amplitude: Array) -> None:
    """Let the currents be I_e plus one amplitude (pA) for each current channel."""
    for block in range(blocks):
        for lane in range(LANES):
            at = np.uintp(block * STRIDE) + np.uintp(lane)
            cells[at + DRIVE] = cells[at + I_E]
    for channel in range(len(amplitude)):
        for link in range(circuit.current_first[channel], circuit.current_first[channel + 1]):
            slot = circuit.current_slot[link]
            cells[np.uintp(slot // LANES * STRIDE + slot % LANES) + DRIVE] += amplitude[channel]
    for block in range(blocks):
        for lane in range(LANES):
            at = np.uintp(block * STRIDE) + np.uintp(lane)
            cells[at + DRIVE] *= cells[at + PER_PA]


@_compiled
def _depress(p: int, animal: int, step: int, plastic: Plastic, circuit: Circuit) -> None:
    """Apply one modulator spike to all synapses of a projection."""
    rate, tau_steps = plastic.rule[p, 0], plastic.rule[p, 2]
    first = plastic.first[p, animal]
    for one in range(first[0], first[len(first) - 1]):
        eligibility = math.exp((plastic.last_spike[animal, plastic.source[one]] - step) / tau_steps)
        synapse = plastic.synapse[one]
        weight = max(circuit.weight[synapse] - rate * eligibility, 0.0)
        circuit.weight[synapse] = weight
        circuit.effect[synapse] = weight * plastic.scale[one]


@_compiled
def _recover(p: int, animal: int, slot: int, plastic: Plastic, circuit: Circuit) -> None:
    """Apply one target spike to its synapses of a projection."""
    for one in range(plastic.first[p, animal, slot], plastic.first[p, animal, slot + 1]):
        synapse = plastic.synapse[one]
        weight = circuit.weight[synapse]
        weight += (plastic.initial[one] - weight) * plastic.rule[p, 1]
        circuit.weight[synapse] = weight
        circuit.effect[synapse] = weight * plastic.scale[one]


@_compiled
def _learn(animal: int, step: int, fired: Array, plastic: Plastic, circuit: Circuit) -> None:
    """Apply one step's spikes to the plastic synapses, modulators before targets.

    `last_spike` already holds this step for the sources among them.
    """
    for p in range(len(plastic.rule)):
        for slot in fired:
            if plastic.role[p, slot] & MODULATOR:
                _depress(p, animal, step, plastic, circuit)
        for slot in fired:
            if plastic.role[p, slot] & TARGET:
                _recover(p, animal, slot, plastic, circuit)


@_inlined
def _advance(
    animal: int,
    first_step: int,
    n_steps: int,
    circuit: Circuit,
    plastic: Plastic,
    own: Own | None,
    rules: Rules | None,
    lesson: Lesson | None,
    window: Window,
    out: Output,
) -> None:
    """Run one animal through a window."""
    cells, ring, waiting = circuit.cells[animal], circuit.ring[animal], circuit.waiting[animal]
    first, late = circuit.first[animal], circuit.late[animal]
    out_slot, out_step = out.slot[animal], out.step[animal]
    pipeline, current = circuit.pipeline[animal], window.current_pa[animal]
    channel_effect, last_spike = circuit.channel_effect[animal], plastic.last_spike[animal]
    blocks = len(circuit.conductance)
    event, last_event = window.first[animal], window.first[animal + 1]
    count = 0

    for k in range(n_steps):
        step = first_step + k
        if len(current) and k < 3:  # a window's current acts from its third step on, as NEST's dc_generator
            _set_drive(cells, blocks, circuit, pipeline[k] if k < 2 else current)

        row = step & (len(waiting) - 1)
        if waiting[row]:
            _receive(cells, ring[row])
            waiting[row] = False

        begin = count
        for block in range(blocks):
            if _has_own(own, block):
                count = _run_own(cells, own, animal, block, out_slot, count)
                continue
            if circuit.conductance[block]:
                reached = _step_conductance(cells, block * STRIDE)
            else:
                reached = _step_current(cells, block * STRIDE)
            if reached:
                count = _fire(cells, block, out_slot, count)

        teach(rules, lesson, animal, step, out_slot[begin:count], circuit.effect)
        if count > begin:
            acts = False
            for slot in out_slot[begin:count]:
                last_spike[slot] = step
                acts |= plastic.acts[slot]
            if acts:
                _learn(animal, step, out_slot[begin:count], plastic, circuit)
            for spike in range(begin, count):
                slot = out_slot[spike]
                out_step[spike] = step
                _send(
                    first[slot],
                    late[slot],
                    first[slot + 1],
                    circuit.dest,
                    circuit.delay,
                    circuit.effect,
                    step,
                    cells,
                    ring,
                    waiting,
                )
        while event < last_event and window.step[event] == step:
            channel = window.channel[event]
            _send(
                circuit.channel_first[channel],
                circuit.channel_late[channel],
                circuit.channel_first[channel + 1],
                circuit.channel_dest,
                circuit.channel_delay,
                channel_effect,
                step,
                cells,
                ring,
                waiting,
            )
            event += 1

        for i in range(len(out.watched)):
            slot = out.watched[i]
            at = np.uintp(slot // LANES * STRIDE + slot % LANES)
            out.voltage[k, animal, i] = cells[at + V] + cells[at + E_L]
        if step % FLUSH_EVERY == 0:
            _flush_tiny(cells, blocks)
            _flush_own(own, animal)

    if n_steps == 1:
        pipeline[0] = pipeline[1]
    else:
        pipeline[0] = current
    pipeline[1] = current
    out.spikes[animal] = count
    out.finite[animal] = _all_finite(cells, blocks)


@_compiled
def advance(
    turn: Array,
    order: Array,
    first_step: int,
    n_steps: int,
    circuit: Circuit,
    plastic: Plastic,
    own: Own | None,
    rules: Rules | None,
    lesson: Lesson | None,
    window: Window,
    out: Output,
) -> None:
    """Run the animals of `order` through the window first_step … first_step + n_steps − 1.

    Each thread calls this, and takes the next animal when it is done with one (`turn` counts them): where
    another process needs a core for a while, the other threads do more.
    """
    while True:
        number = next_in_turn(turn)
        if number >= len(order):
            break
        animal = order[number]
        _advance(animal, first_step, n_steps, circuit, plastic, own, rules, lesson, window, out)
