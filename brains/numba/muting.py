"""Silent neurons in compiled code: their spikes are dropped where they come about."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.simulator.contract import FREE, SILENT

Array = NDArray[Any]

__all__ = ["FREE", "SILENT", "drop_silent"]


@kernel
def drop_silent(level: Array, suppressed: Array, cells: Array, begin: int, end: int) -> int:
    """Drop the spikes of silent cells from a stretch of a list, count them, and return its new end.

    Parameters
    ----------
    level : ndarray of int8
        FREE, CUT or SILENT, of each cell.
    suppressed : ndarray of int64
        Dropped spikes of each cell so far; written.
    cells : ndarray of int
        The list, begin … end − 1 of which is the stretch; written.
    begin, end : int
    """
    kept = begin
    for spike in range(begin, end):
        cell = cells[spike]
        if level[cell] == SILENT:
            suppressed[cell] += 1
        else:
            cells[kept] = cell
            kept += 1
    return kept
