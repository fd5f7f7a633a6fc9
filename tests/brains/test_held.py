"""Tuples of arrays that compiled code holds."""

from __future__ import annotations

import gc
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled
from ethospike.brains.held import Held


class Pair(NamedTuple):
    first: NDArray[Any]
    second: NDArray[Any]


@compiled
def add_to_first(held: Any, number: float) -> float:
    first, second = held.value
    first += number
    total: float = np.sum(second)
    return total


def test_compiled_code_writes_into_the_arrays_that_were_held() -> None:
    pair = Pair(np.zeros(3), np.arange(4.0))
    held = Held(pair)
    assert add_to_first(held, 2.0) == 6.0
    pair.second[:] = 1.0
    assert add_to_first(held, 1.0) == 4.0
    np.testing.assert_array_equal(pair.first, 3.0)


def test_held_arrays_live_as_long_as_the_tuple() -> None:
    held = Held(Pair(np.zeros(1_000_000), np.full(1_000_000, 2.0)))
    gc.collect()
    room = [np.full(1_000_000, 7.0) for _ in range(4)]  # what would be written over freed memory
    assert add_to_first(held, 1.0) == 2e6
    assert len(room) == 4
