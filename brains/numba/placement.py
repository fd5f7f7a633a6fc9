"""Place arrays in memory so that they do not compete for the same lines of the processor's cache."""

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
