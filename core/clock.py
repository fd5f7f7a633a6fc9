"""Times as whole numbers of steps."""

from __future__ import annotations

import math

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
