"""Compiled code that environments share."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from ethospike.brains.compiling import kernel

Array = NDArray[Any]


@kernel
def clip(action: Array) -> bool:
    """Clip an array of shape (animals, actuators) to [−1, 1]; return whether all its entries are finite."""
    finite = True
    for row in range(action.shape[0]):
        for column in range(action.shape[1]):
            finite &= math.isfinite(action[row, column])
            action[row, column] = min(max(action[row, column], -1.0), 1.0)
    return finite
