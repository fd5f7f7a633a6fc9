"""Compiled code of neurons of the kind that relaxes, but that have a current or constants of their own.

They are advanced in every step, in blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
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
    STRIDE,
    T_REF,
    V_RESET,
    V_TH,
    V,
)
from ethospike.brains.numba.muting import SILENT
from ethospike.brains.numba.rows.layout import Neurons, Spikes, Watch

Array = NDArray[Any]


@kernel
def _step(cells: Array, base: int) -> bool:
    """Advance a block by one step at the end of which its inbox arrives; return whether any is above V_th."""
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


@kernel
def _fire_block(block: int, k: int, neurons: Neurons, spikes: Spikes, count: int) -> int:
    """Reset the neurons above their threshold, and list their spikes unless they are silent."""
    cells = neurons.cells
    for lane in range(LANES):
        cell, slot = np.uintp(block * STRIDE + lane), block * LANES + lane
        if cells[cell + V] > cells[cell + V_TH]:
            cells[cell + V] = cells[cell + V_RESET]
            cells[cell + EX] = cells.dtype.type(0)
            cells[cell + REFRACTORY] = cells[cell + T_REF]
            if neurons.level[slot] == SILENT:
                neurons.suppressed[slot] += 1
                continue
            spikes.part_slot[count] = slot
            spikes.part_step[count] = k
            count += 1
    return count


@kernel
def advance_stepped(
    block: int,
    first_step: int,
    n_steps: int,
    neurons: Neurons,
    spikes: Spikes,
    count: int,
    watch: Watch,
    watch_from: int,
) -> int:
    """Take a block through an interval step by step; see `advance_relaxing`."""
    cells, base, blocks = neurons.cells, block * STRIDE, len(neurons.asleep)
    for k in range(n_steps):
        row = ((first_step + k) & neurons.mask[0]) * blocks + block
        if neurons.hit[row]:
            for place in range(INBOX):
                cells[np.uintp(base + place) + INBOX_EX] = neurons.ring[np.uintp(row * INBOX + place)]
            for place in range(INBOX):
                neurons.ring[np.uintp(row * INBOX + place)] = cells.dtype.type(0)
            neurons.hit[row] = 0
        if _step(cells, base):
            count = _fire_block(block, k, neurons, spikes, count)
        for i in range(watch.first[block], watch.first[block + 1]):
            cell = np.uintp(base) + np.uintp(watch.lane[i])
            watch.voltage[watch_from + k, watch.column[i]] = cells[cell + V] + cells[cell + E_L]
    return count
