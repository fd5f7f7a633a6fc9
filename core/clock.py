"""Times as whole numbers of steps."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-9
"""Largest relative distance of a quotient from a whole number. Decimal times are off by some 1e-16 of
themselves, and sums of a thousand of them by 1e-13: this forgives such rounding, and in an hour of steps of
0.1 ms, 36 million, no more than a twenty-fifth of a step."""


def whole_number(quantity: float, unit: float, *, least: int = 1) -> int | None:
    """Return `quantity / unit`, or None unless it is a whole number of at least `least`.

    Examples
    --------
    >>> whole_number(0.3, 0.1), whole_number(0.35, 0.1)
    (3, None)
    """
    count = quantity / unit
    if not math.isfinite(count):
        return None
    whole = round(count)
    return whole if whole >= least and abs(count - whole) <= TOLERANCE * abs(count) else None


def off_the_grid(quantities: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Return the quantities of which `whole_number` returns None.

    Examples
    --------
    >>> off_the_grid(np.array([0.3, 0.35]), 0.1)
    array([0.35])
    """
    counts = quantities / unit
    whole = np.rint(counts)
    return quantities[~((whole >= 1) & (np.abs(counts - whole) <= TOLERANCE * np.abs(counts)))]


@overload
def seconds(steps: int, dt_ms: float) -> float: ...


@overload
def seconds(steps: NDArray[np.integer[Any]], dt_ms: float) -> NDArray[np.float64]: ...


def seconds(steps: int | NDArray[np.integer[Any]], dt_ms: float) -> float | NDArray[np.float64]:
    """Return the time of whole steps in seconds: the float nearest to the decimal number.

    Steps decide the order of moments; a time is made from them here and nowhere else, so that equal moments
    are equal floats, and a spike at the end of a window is not after it.

    Examples
    --------
    >>> seconds(7000, 0.1), 7000 * (0.1 / 1000)
    (0.7, 0.7000000000000001)
    """
    per_second = whole_number(1000.0, dt_ms)
    if isinstance(steps, int):
        return steps * dt_ms / 1000.0 if per_second is None else steps / per_second
    return np.asarray(steps * (dt_ms / 1000.0) if per_second is None else steps / per_second, np.float64)
