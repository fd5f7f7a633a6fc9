"""Compiled code of neurons with a step of their own, one at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.numba.blocks import DRIVE, INBOX_EX, INBOX_IN, LANES, STRIDE, V
from ethospike.brains.numba.lists.intrinsics import call_step

TINY = 1e-150
"""Magnitudes up to this become 0, as in `blocks.py`, but in double precision."""
RANDOM_MULTIPLIER = np.uint64(0xD1342543DE82EF95)
"""Steele & Vigna 2022, Softw. Pract. Exp. 52:443."""
RANDOM_INCREMENT = np.uint64(0x14057B7EF767814F)
"""Any odd number."""

Array = NDArray[Any]


class Stepped(NamedTuple):
    """Neurons with a compiled step of their model, called by address (`stepped_models.py`)."""

    block: Array  # (blocks,) bool: its neurons are of this kind
    step: Array  # (slots,) address of the step; 0 where there is no such neuron
    x_at: Array  # (slots,) first number of the neuron's state in `x`
    k_at: Array  # (slots,) first number of its constants in `k`
    random_at: Array  # (slots,) its generator in `random`; -1 if it needs none
    x: Array  # (animals, numbers) float64
    k: Array  # (animals, numbers) float64
    random: Array  # (animals, generators) uint64


@kernel
def _step_block(cells: Array, stepped: Stepped, animal: int, block: int, slots: Array, count: int) -> int:
    """Advance a block of neurons by the steps of their models; list those that fire."""
    x, k, random = stepped.x[animal], stepped.k[animal], stepped.random[animal]
    zero = cells.dtype.type(0)
    for lane in range(LANES):
        slot = block * LANES + lane
        if stepped.step[slot] == 0:
            continue
        cell = np.uintp(block * STRIDE) + np.uintp(lane)
        uniform = 0.0
        if stepped.random_at[slot] >= 0:
            # A linear congruential generator of 64 bits, of which the upper half is used; as on GeNN.
            number = random[stepped.random_at[slot]] * RANDOM_MULTIPLIER + RANDOM_INCREMENT
            random[stepped.random_at[slot]] = number
            uniform = (number >> np.uint64(32)) / 4294967296.0
        fired = call_step(
            stepped.step[slot],
            np.uintp(x.ctypes.data + 8 * stepped.x_at[slot]),
            np.uintp(k.ctypes.data + 8 * stepped.k_at[slot]),
            np.float64(cells[cell + INBOX_EX]),
            np.float64(cells[cell + INBOX_IN]),
            np.float64(cells[cell + DRIVE]),
            uniform,
        )
        cells[cell + INBOX_EX] = zero
        cells[cell + INBOX_IN] = zero
        cells[cell + V] = x[stepped.x_at[slot]]
        if fired:
            slots[count] = slot
            count += 1
    return count


@kernel
def _flush_tiny(x: Array) -> None:
    """Set tiny numbers of the state to 0."""
    for place in range(len(x)):
        if abs(x[place]) <= TINY:
            x[place] = 0.0


# The next three are chosen by the type of `stepped`, which is None in networks of vectorized models alone: a
# test at run time made their steps 20 % slower.


def is_stepped(stepped: Stepped | None, block: int) -> bool:
    """Return whether a block's neurons have a step of their own."""
    return stepped is not None and bool(stepped.block[block])


def step_block(
    cells: Array, stepped: Stepped | None, animal: int, block: int, slots: Array, count: int
) -> int:
    """Call `_step_block`, if there are such neurons."""
    return count if stepped is None else _step_block(cells, stepped, animal, block, slots, count)


def flush_stepped(stepped: Stepped | None, animal: int) -> None:
    """Call `_flush_tiny`, if there are such neurons."""


@overload(is_stepped, strict=False)
def _overload_is_stepped(stepped: Any, block: Any) -> Any:
    if isinstance(stepped, types.NoneType):
        return lambda stepped, block: False
    return lambda stepped, block: stepped.block[block]


@overload(step_block, strict=False)
def _overload_step_block(cells: Any, stepped: Any, animal: Any, block: Any, slots: Any, count: Any) -> Any:
    if isinstance(stepped, types.NoneType):
        return lambda cells, stepped, animal, block, slots, count: count
    return lambda cells, stepped, animal, block, slots, count: _step_block(
        cells, stepped, animal, block, slots, count
    )


@overload(flush_stepped, strict=False)
def _overload_flush_stepped(stepped: Any, animal: Any) -> Any:
    if isinstance(stepped, types.NoneType):
        return lambda stepped, animal: None
    return lambda stepped, animal: _flush_tiny(stepped.x[animal])
