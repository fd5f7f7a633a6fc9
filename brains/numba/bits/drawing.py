"""Compiled code that draws synapses as bits, without the interpreter's lock: threads run side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled
from ethospike.brains.numba.bits.row_counts import WORD

Words = NDArray[np.uint64]

# SplitMix64 (Steele, Lea, Flood 2014, OOPSLA, Fast splittable pseudorandom number generators): a counter
# in steps of the golden ratio, and a function that mixes its bits.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class Column(NamedTuple):
    """The synapses of one projection onto the targets of one word."""

    word: int
    first_target: int
    n_targets: int
    first_source: int
    end_source: int
    recurrent: bool


@compiled
def _mixed(counter: np.uint64) -> np.uint64:
    z = (counter ^ (counter >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@compiled
def set_bits(bits: Words, rows: NDArray[Any], lanes: NDArray[Any]) -> None:
    """Set the bits of synapses, given by row and lane."""
    for row, lane in zip(rows, lanes):  # noqa: B905 - Numba's zip has no `strict`
        bits[row, lane // WORD] |= np.uint64(1) << np.uint64(lane % WORD)


@compiled
def draw_bernoulli(bits: Words, column: Column, p: float, key: np.uint64) -> None:
    """Set each bit of a column with probability p, to 32 binary digits.

    A word of bits that are 1 with probability 0.b₁b₂b₃… is made from fair words r from the last digit to the
    first: r OR word for a digit 1, r AND word for a 0.
    """
    unit, all_bits, width = np.uint64(1), ~np.uint64(0), np.uint64(column.n_targets)
    digits = np.uint64(round(p * 4294967296.0))
    targets = all_bits if width == WORD else (unit << width) - unit
    counter = _mixed(key)
    last = 0  # the last digits that are 0 leave the word 0
    while last < 32 and not (digits >> np.uint64(last)) & unit:
        last += 1
    for source in range(column.first_source, column.end_source):
        word = np.uint64(0)
        for digit in range(last, 32):
            counter += _GOLDEN
            fair = _mixed(counter)
            word = (word | fair) if (digits >> np.uint64(digit)) & unit else (word & fair)
        if digits >> np.uint64(32):  # p = 1
            word = all_bits
        itself = source - column.first_target
        if column.recurrent and 0 <= itself < column.n_targets:
            word &= ~(unit << np.uint64(itself))
        bits[source, column.word] |= word & targets


@compiled
def draw_indegree(bits: Words, column: Column, clusters: int, k: int, key: np.uint64) -> None:
    """Choose for each target of a column k distinct sources in every cluster of the sources.

    The first k places of a pool are filled by swaps with random places (Fisher and Yates); the pool need
    not be put in order again for the next target. Where the target itself is in the cluster, the pool is
    of the others.
    """
    size = (column.end_source - column.first_source) // clusters
    pool, chosen = np.empty(size, np.int32), np.empty(size, np.uint64)
    for cluster in range(clusters):
        first = column.first_source + cluster * size
        counter = _mixed(key + _mixed(np.uint64(cluster + 1)))
        contains_targets = column.recurrent and first <= column.first_target < first + size
        others = size - 1 if contains_targets else size
        for i in range(size):
            pool[i] = i
            chosen[i] = 0
        for target in range(column.n_targets):
            bit = np.uint64(1) << np.uint64(target)
            itself = column.first_target + target - first if contains_targets else size
            for i in range(k):
                counter += _GOLDEN
                # The upper half of a random word times a range, shifted: uniform to one in 10 million.
                left = np.uint64(others - i)
                j = i + np.int64(((_mixed(counter) >> np.uint64(32)) * left) >> np.uint64(32))
                source = pool[j]
                pool[j] = pool[i]
                pool[i] = source
                chosen[source + (source >= itself)] |= bit
        for i in range(size):
            bits[first + i, column.word] |= chosen[i]
