"""Arrays at places of memory that suit the processor's cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64
"""Bytes; also the size of the largest registers."""
PAGE = 4096
"""Bytes after which places of the first-level cache repeat (64 sets of lines on current processors)."""
STAGGER = 9 * CACHE_LINE
"""Bytes by which the places of consecutive arrays differ: seven arrays are spread over a page."""


def placed(shape: int | tuple[int, ...], dtype: DTypeLike, turn: int = 0) -> NDArray[Any]:
    """Return an array of zeros that begins at a cache line, `turn` staggers behind a page's first.

    Large arrays all begin at the same place of a page. A loop that walks through eight of them then needs all
    eight lines that the cache has for this place, and each store looks as if it might be what the next load
    reads; the update of 5,000 neurons took three times as long.
    """
    room = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + PAGE, dtype=np.uint8)
    start = (turn * STAGGER - room.ctypes.data) % PAGE
    return room[start : start + room.size - PAGE].view(dtype).reshape(shape)


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that begins at a cache line, so that no register is filled from two of them."""
    room = np.empty(int(np.prod(shape)) * dtype.itemsize + CACHE_LINE, dtype=np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + room.size - CACHE_LINE].view(dtype).reshape(shape)


def plain(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array of the kind that the code was compiled for: contiguous and not read-only."""
    array = np.ascontiguousarray(array, dtype=dtype)
    return array if array.flags.writeable else array.copy()
