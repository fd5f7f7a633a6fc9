"""Rows of synapses that are made when a neuron fires instead of being stored: memory for neurons alone.

A row of a projection with probability p is put together, segment by segment of its targets, from two pools of
random bits that stay in the processor's cache: bits of pool A from a random byte on, AND bits of pool B from
another one on, each word of the result rotated. Both bytes and the rotation are the digits of a hash of the
projection's key, the source and the segment (SplitMix64 as a counter-based generator: Steele, Lea, Flood
2014, OOPSLA), so that a neuron has the same targets each time it fires, on any thread, and each segment of
each source has places of its own.

The bits have the statistics of independent draws with probability p, as far as the pools are large:

* The pools hold exactly a and b ones in n bits each, with a b / n² = p to one part in 100 million, and every
  start is equally likely. So each pair is connected with probability p, not about p, and different sources
  of a target are drawn independently of each other: in-degrees are binomial.
* Two targets of a segment share sources as often as the bits of the pools at their distance do. With 2^19
  bits and all rotations, the correlation of their synapses differs from 0 by about 0.001.
* Two sources with bits that begin at the same place of one pool have correlated rows in this segment (by 0.3
  at p = 0.2). Begin and rotation agree for at least half of the bits in 9 of 2^22 draws from each pool.

Above p = 1/2 the complement is drawn. A source with its own bit set takes the next hash for this segment: the
other bits do not depend on it. `SEGMENT` and `POOL_BYTES` are part of the meaning of a seed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.numba.bits.row_counts import POOL_STRIDE, SEGMENT, WORD

Array = NDArray[Any]


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_PLACE = np.uint64(0x3F_FFFF_FFFF)  # a byte of each pool, 16 bits each, and a rotation, 6 bits


@kernel
def place_of(key: int, segment: int, source: int, attempt: int) -> Any:
    """Return the places in the pools, and the rotation, of a source's row in a segment."""
    segment_and_attempt = (np.uint64(attempt) << np.uint64(24)) | np.uint64(segment)
    z = np.uint64(key) + ((segment_and_attempt << np.uint64(32)) | np.uint64(source)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return np.int64((z ^ (z >> np.uint64(31))) & _PLACE)


@kernel
def word_of(pool: Array, first: int, inverted: int, place: int, word: int) -> Any:
    """Return a word of a row; `word` is counted from the beginning of its segment."""
    a = first + (place & 0xFFFF) + 8 * word
    b = first + POOL_STRIDE + ((place >> 16) & 0xFFFF) + 8 * word
    bits = np.uint64(0)
    for byte in range(8):
        bits |= np.uint64(pool[a + byte] & pool[b + byte]) << np.uint64(8 * byte)
    left = np.uint64((place >> 32) & 63)
    right = np.uint64(64 - left) & np.uint64(63)
    return ((bits << left) | (bits >> right)) ^ np.uint64(inverted)


class Drawn(NamedTuple):
    """One projection as seen from one segment of its targets."""

    first: int  # first byte of its pools
    inverted: int
    key: int
    first_source: int  # neuron
    recurrent: bool
    first_own: int  # first neuron of the segment
    end_own: int
    first_word: int  # first word of the target population in the segment, counted through all
    end_word: int


@kernel
def own_place(pool: Array, projection: Drawn, segment: int, source: int, neuron_of_lane: Array) -> Any:
    """Return the place of the row of a neuron in the segment that it lies in: its own bit must be 0."""
    word = projection.first_word
    while word + 1 < projection.end_word and neuron_of_lane[(word + 1) * WORD] <= source:
        word += 1
    bit = np.uint64(source - neuron_of_lane[word * WORD])
    attempt, here = 0, word - segment * SEGMENT
    place = place_of(projection.key, segment, source - projection.first_source, attempt)
    while (word_of(pool, projection.first, projection.inverted, place, here) >> bit) & np.uint64(1):
        attempt += 1
        place = place_of(projection.key, segment, source - projection.first_source, attempt)
    return place


@kernel
def write_rows(bits: Array, pool: Array, projection: Drawn, end_source: int, neuron_of_lane: Array) -> None:
    """Write the synapses of a projection onto one segment into a bit matrix, shape (neurons, words)."""
    segment = projection.first_word // SEGMENT
    for source in range(projection.first_source, end_source):
        place = place_of(projection.key, segment, source - projection.first_source, 0)
        if projection.recurrent and projection.first_own <= source < projection.end_own:
            place = own_place(pool, projection, segment, source, neuron_of_lane)
        for word in range(projection.first_word, projection.end_word):
            here = word - segment * SEGMENT
            made = word_of(pool, projection.first, projection.inverted, place, here)
            for lane in range(WORD):
                if neuron_of_lane[word * WORD + lane] < 0:  # padding has no synapses
                    made &= ~(np.uint64(1) << np.uint64(lane))
            bits[source, word] |= made
