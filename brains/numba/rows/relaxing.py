"""Compiled code of neurons that relax: all steps until the next input are one product with constants.

Between two arrivals the membrane equation is linear, so n steps at once multiply state by constants of n
steps (Rotter & Diesmann 1999, Biol Cybern 81:381), which differ from n single steps by rounding alone. A
block is advanced in the steps in which something arrives, and in every step while one of its neurons may
still reach its threshold: while v + peak · g, which no later potential exceeds, is not below it. `asleep`
marks the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled
from ethospike.brains.network import Network
from ethospike.brains.numba.blocks import (
    DECAY_EX,
    DRIVE,
    E_L,
    EX,
    FROM_EX,
    INBOX,
    INBOX_EX,
    INBOX_IN,
    LANES,
    LEAK,
    REFRACTORY,
    ROWS,
    STRIDE,
    T_REF,
    V_RESET,
    V_TH,
    V,
)
from ethospike.brains.numba.rows.layout import Neurons, Spikes, Watch

Array = NDArray[Any]

STEPS = 4096
"""Steps in a table of constants; more are computed. In the fly's brain, a block waits for some 50."""
MARGIN = 1.001
"""Factor of the highest potential to come, far above the error of rounding."""
OTHER, STEPPED = -1, -2
"""Kinds of blocks: of other models; of neurons that differ in their constants or have a constant current."""


class Relaxing(NamedTuple):
    """Blocks of neurons that relax."""

    kind: Array  # (blocks,) row of the tables, or OTHER, or STEPPED
    table: Array  # (kinds, 3, STEPS) leak, decay and effect of g on v of n steps
    step: Array  # (kinds, 3) float64: the same of one step
    peak: Array  # (kinds,) largest effect of g on v in all steps to come
    last: Array  # (blocks,) step up to which the state has been advanced


def relaxing_blocks(
    network: Network, rows: NDArray[np.float64], slot: NDArray[np.int64], real: np.dtype[Any]
) -> Relaxing:
    """Return the blocks of neurons that relax, with their tables.

    Parameters
    ----------
    network : Network
    rows : ndarray of float64, shape (blocks, rows, LANES)
        State and constants.
    slot : ndarray of int64, shape (neurons,)
        Place of each neuron among the padded blocks.
    real : dtype
        Of the engine's state.
    """
    is_mine, is_driven = np.zeros((2, len(rows) * LANES), dtype=bool)
    driven = {given.target for given in network.current_inputs}
    for population in network.populations:
        if population.neuron_model.rows_kernel:
            slots = slot[network.neurons(population.name)]
            is_mine[slots], is_driven[slots] = True, population.name in driven
    is_mine, is_driven = is_mine.reshape(-1, LANES), is_driven.reshape(-1, LANES)
    kind = np.where(is_mine.any(axis=1), STEPPED, OTHER)
    constants = rows[:, [ROWS.index(name) for name in ("leak", "decay_ex", "from_ex", "drive")]]
    low = np.where(is_mine[:, None], constants, np.inf).min(axis=2)
    high = np.where(is_mine[:, None], constants, -np.inf).max(axis=2)
    alike = (low == high).all(axis=1) & (low[:, 3] == 0.0) & ~is_driven.any(axis=1)
    steps, numbers = np.unique(low[alike, :3], axis=0, return_inverse=True)
    kind[alike] = numbers.reshape(-1)
    return _tables(kind, steps, real)


def _tables(kind: NDArray[np.int64], step: NDArray[np.float64], real: np.dtype[Any]) -> Relaxing:
    """Return the constants of n steps for each kind, from leak, decay and effect of one step."""
    table = np.zeros((len(step), 3, STEPS))
    n = np.arange(STEPS)
    for row, (leak, decay, gain) in enumerate(step):
        table[row, 0], table[row, 1] = leak**n, decay**n
        if leak == decay:
            table[row, 2] = gain * n * leak ** np.maximum(n - 1, 0)
        else:
            table[row, 2] = gain * (leak**n - decay**n) / (leak - decay)
    return Relaxing(
        kind=kind,
        table=table.astype(real),
        step=step,
        peak=table[:, 2].max(axis=1, initial=0.0),
        last=np.zeros(len(kind), dtype=np.int64),
    )


@compiled
def constants_of_steps(relaxing: Relaxing, kind: int, n: int) -> tuple[float, float, float]:
    """Return leak, decay and effect of g on v of n steps."""
    leak, decay, gain = relaxing.step[kind, 0], relaxing.step[kind, 1], relaxing.step[kind, 2]
    if leak == decay:
        return leak**n, decay**n, gain * n * leak ** (n - 1)
    after_leak, after_decay = leak**n, decay**n
    return after_leak, after_decay, gain * (after_leak - after_decay) / (leak - decay)


@compiled
def _jump(cells: Array, base: int, n: int, relaxing: Relaxing, kind: int) -> None:
    """Advance a block by n steps in which nothing arrives and no neuron fires."""
    real = cells.dtype.type
    zero, waits = real(0), False
    for lane in range(LANES):
        waits |= cells[np.uintp(base) + np.uintp(lane) + REFRACTORY] > zero
    if not waits and n < STEPS:
        leak, decay, gain = (
            relaxing.table[kind, 0, n],
            relaxing.table[kind, 1, n],
            relaxing.table[kind, 2, n],
        )
        for lane in range(LANES):
            cell = np.uintp(base) + np.uintp(lane)
            g = cells[cell + EX]
            cells[cell + V] = cells[cell + V] * leak + g * gain
            cells[cell + EX] = g * decay
        return
    for lane in range(LANES):
        cell = np.uintp(base) + np.uintp(lane)
        left = int(cells[cell + REFRACTORY])
        cells[cell + REFRACTORY] = real(max(left - n, 0))
        if n > left:
            v, g = _later(cells[cell + V], cells[cell + EX], n - left, relaxing, kind)
            cells[cell + V], cells[cell + EX] = real(v), real(g)


@compiled
def _later(v: float, g: float, n: int, relaxing: Relaxing, kind: int) -> tuple[float, float]:
    """Return v and g after n steps without input."""
    if n < STEPS:
        table = relaxing.table[kind]
        return v * table[0, n] + g * table[2, n], g * table[1, n]
    leak, decay, gain = constants_of_steps(relaxing, kind, n)
    return v * leak + g * gain, g * decay


@compiled
def _step(cells: Array, base: int) -> bool:
    """Advance a block by one step at the end of which its inbox arrives; return whether any reached V_th."""
    real = cells.dtype.type
    zero, unit = real(0), real(1)
    reached = False
    for lane in range(LANES):
        cell = np.uintp(base) + np.uintp(lane)
        v, g, left = cells[cell + V], cells[cell + EX], cells[cell + REFRACTORY]
        arrives = cells[cell + INBOX_EX] + cells[cell + INBOX_IN]
        stands = left > zero
        later = v * cells[cell + LEAK] + g * cells[cell + FROM_EX] + cells[cell + DRIVE]
        v = v if stands else later
        cells[cell + V] = v
        cells[cell + EX] = g if stands else g * cells[cell + DECAY_EX] + arrives
        left -= unit
        cells[cell + REFRACTORY] = left if left > zero else zero
        cells[cell + INBOX_EX] = zero
        cells[cell + INBOX_IN] = zero
        reached |= v > cells[cell + V_TH]
    return reached


@compiled
def _may_fire(cells: Array, base: int, peak: float) -> bool:
    """Return whether a neuron of the block may reach its threshold though nothing arrives."""
    real = cells.dtype.type
    zero, margin, highest = real(0), real(MARGIN), real(peak)
    near = False
    for lane in range(LANES):
        cell = np.uintp(base) + np.uintp(lane)
        v, g = cells[cell + V], cells[cell + EX]
        bound = (v if v > zero else zero) + (g if g > zero else zero) * highest
        near |= bound * margin >= cells[cell + V_TH]
    return near


@compiled
def _fire(cells: Array, block: int, k: int, spikes: Spikes, count: int) -> int:
    """Reset the neurons above their threshold, and list them."""
    for lane in range(LANES):
        cell = np.uintp(block * STRIDE) + np.uintp(lane)
        if cells[cell + V] > cells[cell + V_TH]:
            cells[cell + V] = cells[cell + V_RESET]
            cells[cell + EX] = cells.dtype.type(0)
            cells[cell + REFRACTORY] = cells[cell + T_REF]
            spikes.part_slot[count] = block * LANES + lane
            spikes.part_step[count] = k
            count += 1
    return count


@compiled
def advance_relaxing(
    block: int,
    first_step: int,
    n_steps: int,
    neurons: Neurons,
    relaxing: Relaxing,
    spikes: Spikes,
    count: int,
    watch: Watch,
    watch_from: int,
) -> int:
    """Take a block through an interval and return the new length of the part's list of spikes."""
    cells, base, blocks = neurons.cells, block * STRIDE, len(neurons.asleep)
    kind, zero = relaxing.kind[block], neurons.cells.dtype.type(0)
    for k in range(n_steps):
        step = first_step + k
        row = (step & neurons.mask[0]) * blocks + block
        arrives = neurons.hit[row] != 0
        if arrives or not neurons.asleep[block]:
            ahead = step - relaxing.last[block] - 1
            if ahead > 0:
                _jump(cells, base, ahead, relaxing, kind)
            if arrives:
                for place in range(INBOX):
                    cells[np.uintp(base + place) + INBOX_EX] = neurons.ring[np.uintp(row * INBOX + place)]
                for place in range(INBOX):
                    neurons.ring[np.uintp(row * INBOX + place)] = zero
                neurons.hit[row] = 0
            if _step(cells, base):
                count = _fire(cells, block, k, spikes, count)
            relaxing.last[block] = step
            neurons.asleep[block] = kind != STEPPED and not _may_fire(cells, base, relaxing.peak[kind])
        for i in range(watch.first[block], watch.first[block + 1]):
            cell = np.uintp(base) + np.uintp(watch.lane[i])
            v = cells[cell + V]
            free = step - relaxing.last[block] - int(cells[cell + REFRACTORY])
            if free > 0 and step > relaxing.last[block]:
                v, _ = _later(v, cells[cell + EX], free, relaxing, kind)
            watch.voltage[watch_from + k, watch.column[i]] = v + cells[cell + E_L]
    return count
