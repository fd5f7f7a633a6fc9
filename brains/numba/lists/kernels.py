"""Compiled code of the engine of lists: one animal through one window, and all animals side by side.

`engine.py` lays out the arrays of `layout.py`; `blocks.py` has the neurons, `dopamine_gated.py` and
`plasticity_kernels.py` the plastic synapses, `stepped_kernels.py` the models that have a step of their own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import inlined, kernel
from ethospike.brains.numba.blocks import (
    DRIVE,
    E_L,
    FLUSH_EVERY,
    I_E,
    INBOX,
    INBOX_EX,
    INBOX_START,
    LANES,
    PER_PA,
    STRIDE,
    V_TH,
    V,
    all_finite,
    flush_tiny,
    reset,
    step_conductance,
    step_current,
)
from ethospike.brains.numba.lists.dopamine_gated import Plastic, learn, note_spikes
from ethospike.brains.numba.lists.layout import Circuit, Output, Window
from ethospike.brains.numba.lists.plasticity_kernels import Lesson, Rules, teach
from ethospike.brains.numba.lists.stepped_kernels import Stepped, flush_stepped, is_stepped, step_block
from ethospike.brains.numba.muting import FREE, drop_silent
from ethospike.brains.turns import next_in_turn

Array = NDArray[Any]


class Targets(NamedTuple):
    """One animal's neurons, and the effects on their way to them."""

    cells: Array
    ring: Array
    waiting: Array


class Links(NamedTuple):
    """Connections of sources or of input channels."""

    dest: Array
    delay: Array
    effect: Array


# Handing arrays over takes longer than what the shortest functions do: these are copied into their callers;
# so is the longest, which has one caller and would be compiled twice.


@inlined
def _fire(cells: Array, block: int, slots: Array, count: int) -> int:
    """Reset the neurons of a block that reached V_th, list them, and return the new length of the list."""
    for lane in range(LANES):
        cell = np.uintp(block * STRIDE) + np.uintp(lane)
        if cells[cell + V] >= cells[cell + V_TH]:
            reset(cells, cell)
            slots[count] = block * LANES + lane
            count += 1
    return count


@inlined
def _update(
    animal: int, cells: Array, conductance: Array, stepped: Stepped | None, slots: Array, count: int
) -> int:
    """Advance all neurons by one step, list those that fire, and return the new length of the list."""
    for block in range(len(conductance)):
        if is_stepped(stepped, block):
            count = step_block(cells, stepped, animal, block, slots, count)
            continue
        if conductance[block]:
            reached = step_conductance(cells, block * STRIDE)
        else:
            reached = step_current(cells, block * STRIDE)
        if reached:
            count = _fire(cells, block, slots, count)
    return count


@kernel
def _receive(cells: Array, arriving: Array) -> None:
    """Add a row of the ring to the inboxes and empty it."""
    for block in range(len(arriving) // INBOX):
        for place in range(INBOX):
            cells[np.uintp(block * STRIDE + place) + INBOX_EX] += arriving[block * INBOX + place]
    arriving[:] = 0


@inlined
def _send(start: int, late: int, stop: int, links: Links, step: int, targets: Targets) -> None:
    """Put the effects of one spike of step `step` where they arrive: next step's inboxes, or the ring."""
    dest, effect, waiting = links.dest, links.effect, targets.waiting
    for link in range(start, late):
        targets.cells[np.uintp(dest[link])] += effect[link]
    for link in range(late, stop):
        row = (step + links.delay[link]) & (len(waiting) - 1)
        place = dest[link] // STRIDE * INBOX + dest[link] % STRIDE - INBOX_START
        targets.ring[row, place] += effect[link]
        waiting[row] = True


@inlined
def _send_spikes(animal: int, step: int, fired: Array, circuit: Circuit, targets: Targets) -> None:
    """Send the spikes of a step to their targets."""
    first, late = circuit.first[animal], circuit.late[animal]
    links, level = Links(circuit.dest, circuit.delay, circuit.effect), circuit.level[animal]
    for slot in fired:
        if level[slot] != FREE:
            continue
        _send(first[slot], late[slot], first[slot + 1], links, step, targets)


@inlined
def _send_inputs(
    animal: int, step: int, event: int, window: Window, circuit: Circuit, targets: Targets
) -> int:
    """Send the input spikes of a step to their targets, and return the next event of the window."""
    last_event = window.last[animal]
    links = Links(circuit.channel_dest, circuit.channel_delay, circuit.channel_effect[animal])
    while event < last_event and window.step[event] == step:
        channel = window.channel[event]
        start, stop = circuit.channel_first[channel], circuit.channel_first[channel + 1]
        _send(start, circuit.channel_late[channel], stop, links, step, targets)
        event += 1
    return event


@kernel
def _set_drive(cells: Array, blocks: int, circuit: Circuit, amplitude: Array) -> None:
    """Let the currents be I_e plus one amplitude (pA) for each current channel."""
    for block in range(blocks):
        for lane in range(LANES):
            cell = np.uintp(block * STRIDE) + np.uintp(lane)
            cells[cell + DRIVE] = cells[cell + I_E]
    for channel in range(len(amplitude)):
        for link in range(circuit.current_first[channel], circuit.current_first[channel + 1]):
            slot = circuit.current_slot[link]
            cells[np.uintp(slot // LANES * STRIDE + slot % LANES) + DRIVE] += amplitude[channel]
    for block in range(blocks):
        for lane in range(LANES):
            cell = np.uintp(block * STRIDE) + np.uintp(lane)
            cells[cell + DRIVE] *= cells[cell + PER_PA]


@inlined
def _keep_currents(n_steps: int, pipeline: Array, current: Array) -> None:
    """Keep the currents that have not acted yet for the next window."""
    for channel in range(len(current)):
        pipeline[0, channel] = pipeline[1, channel] if n_steps == 1 else current[channel]
        pipeline[1, channel] = current[channel]


@inlined
def _record(k: int, animal: int, cells: Array, out: Output) -> None:
    """Write the potentials of watched neurons after the k-th step of a window."""
    for i in range(len(out.watched)):
        slot = out.watched[i]
        cell = np.uintp(slot // LANES * STRIDE + slot % LANES)
        out.voltage[k, animal, i] = cells[cell + V] + cells[cell + E_L]


@inlined
def _run_animal(
    animal: int,
    first_step: int,
    n_steps: int,
    circuit: Circuit,
    plastic: Plastic,
    stepped: Stepped | None,
    rules: Rules | None,
    lesson: Lesson | None,
    window: Window,
    out: Output,
) -> None:
    """Run one animal through a window."""
    targets = Targets(circuit.cells[animal], circuit.ring[animal], circuit.waiting[animal])
    cells, waiting = targets.cells, targets.waiting
    slots, steps = out.slot[animal], out.step[animal]
    pipeline, current = circuit.pipeline[animal], window.current_pa[animal]
    blocks = len(circuit.conductance)
    event, count = window.first[animal], 0

    for k in range(n_steps):
        step = first_step + k
        if len(current) and k < 3:  # a window's current acts from its third step on, as NEST's dc_generator
            _set_drive(cells, blocks, circuit, pipeline[k] if k < 2 else current)
        row = step & (len(waiting) - 1)
        if waiting[row]:
            _receive(cells, targets.ring[row])
            waiting[row] = False
        begin = count
        count = _update(animal, cells, circuit.conductance, stepped, slots, begin)
        if count > begin:
            count = drop_silent(circuit.level[animal], circuit.suppressed[animal], slots, begin, count)
        fired = slots[begin:count]
        teach(rules, lesson, animal, step, fired, circuit.effect)
        if count > begin:
            steps[begin:count] = step
            if note_spikes(animal, step, fired, plastic, circuit):
                learn(animal, step, fired, plastic, circuit)
            _send_spikes(animal, step, fired, circuit, targets)
        event = _send_inputs(animal, step, event, window, circuit, targets)
        _record(k, animal, cells, out)
        if step % FLUSH_EVERY == 0:
            for block in range(blocks):
                flush_tiny(cells, block * STRIDE)
            flush_stepped(stepped, animal)

    _keep_currents(n_steps, pipeline, current)
    out.spikes[animal] = count
    out.finite[animal] = all_finite(cells)


@kernel
def run_in_turn(
    turn: Array,
    order: Array,
    first_step: int,
    n_steps: int,
    circuit: Circuit,
    plastic: Plastic,
    stepped: Stepped | None,
    rules: Rules | None,
    lesson: Lesson | None,
    window: Window,
    out: Output,
) -> None:
    """Run the animals of `order` through the window first_step … first_step + n_steps − 1.

    Each thread calls this, and gets the next animal when it is done with its last (`turn` counts them): where
    another process needs a core for a while, the other threads do more.
    """
    while True:
        number = next_in_turn(turn)
        if number >= len(order):
            break
        animal = order[number]
        _run_animal(animal, first_step, n_steps, circuit, plastic, stepped, rules, lesson, window, out)
