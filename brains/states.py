"""Whether a snapshot fits the one who is to continue from it.

In: two dictionaries of arrays. Out: nothing, or a `BrainError`. A state that does not fit is refused before
any of it is taken over, as half a state would go on without a word. This file knows nobody's state.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.errors import BrainError


def check_state(given: Mapping[str, NDArray[np.generic]], own: Mapping[str, NDArray[np.generic]]) -> None:
    """Raise `BrainError` unless `given` has the names, shapes and types of `own`."""
    if set(given) != set(own):
        raise BrainError(f"state: expected the arrays {sorted(own)}, got {sorted(given)}")
    for name, array in own.items():
        other = np.asarray(given[name])
        if other.shape != array.shape or other.dtype != array.dtype:
            raise BrainError(
                f"state of {name!r}: expected {array.dtype} of shape {array.shape}, got {other.dtype} of "
                f"shape {other.shape}; was it taken from one built alike?"
            )
