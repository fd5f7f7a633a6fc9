"""Samples without replacement for many rows at once, in time and memory linear in their size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

DrawKeys = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""Draw keys, row × width + place, as many in each row as are missing there."""

PIECE = 2**22
"""Numbers that are drawn at a time: 32 MB an array of keys, which bounds the memory of a large network."""
DENSE = 16
"""Places a number to draw up to which a byte for each place costs less than sorting the numbers."""


def distinct(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `counts[row]` distinct places of 0 … sizes[row] − 1 for each row: (row, place), uniform.

    A row with more than half of its places is drawn by the places that it leaves out.
    """
    rows, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    few = counts <= sizes // 2
    for begin, end in _pieces(np.where(few, counts, sizes)):
        part = np.arange(begin, end)
        for chosen, left_out in ((part[few[part]], False), (part[~few[part]], True)):
            if not len(chosen):
                continue
            wanted = sizes[chosen] - counts[chosen] if left_out else counts[chosen]
            row, place = _few_distinct(wanted, sizes[chosen], rng)
            if left_out:
                row, place = _complement(row, place, sizes[chosen])
            rows.append(chosen[row])
            places.append(place)
    return np.concatenate(rows), np.concatenate(places)


def _pieces(counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of stretches of rows with about `PIECE` synapses; at least one row each."""
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + PIECE, side="right")))
        yield begin, end
        begin = end


def _few_distinct(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return as `distinct`, for rows that choose at most half of their places.

    Places are drawn with replacement, repeated ones dropped, and as many as are missing drawn again. No
    place is preferred in any round, so each set of distinct places is equally likely.
    """
    width = int(sizes.max(initial=1))

    def draw_keys(missing: NDArray[np.int64]) -> NDArray[np.int64]:
        row = np.repeat(np.arange(len(missing)), missing)
        return row * width + (rng.random(len(row)) * sizes[row]).astype(np.int64)

    is_dense = len(counts) * width <= DENSE * counts.sum()
    keys = (_marked if is_dense else _sorted)(counts, width, draw_keys)
    row, place = np.divmod(keys, width)
    return row, place


def _marked(counts: NDArray[np.int64], width: int, draw_keys: DrawKeys) -> NDArray[np.int64]:
    """Return distinct keys, `counts[row]` in each row, by a mark at each key that was drawn."""
    is_drawn = np.zeros((len(counts), width), dtype=bool)
    missing = counts.copy()
    while missing.any():
        is_drawn.ravel()[draw_keys(missing)] = True
        rows = np.flatnonzero(missing)
        missing[rows] = counts[rows] - np.count_nonzero(is_drawn[rows], axis=1)
    return np.flatnonzero(is_drawn)


def _sorted(counts: NDArray[np.int64], width: int, draw_keys: DrawKeys) -> NDArray[np.int64]:
    """Return the same keys as `_marked`, in another order, from sorted lists."""
    keys = _sorted_once(draw_keys(counts))
    missing = counts - np.bincount(keys // width, minlength=len(counts))
    more = np.empty(0, np.int64)
    while missing.any():
        drawn = _sorted_once(draw_keys(missing))
        drawn = drawn[~(_is_in(drawn, keys) | _is_in(drawn, more))]
        missing -= np.bincount(drawn // width, minlength=len(counts))
        more = np.sort(np.concatenate([more, drawn]))
    return np.concatenate([keys, more])


def _sorted_once(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort keys in place and return each once; `numpy.unique` hashes, which takes twenty times as long."""
    keys.sort()
    is_first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return keys[is_first]


def _is_in(values: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which values are in a sorted array."""
    if not len(among):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return np.asarray(among[place] == values)


def _complement(
    row: NDArray[np.int64], place: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of each row that are not among those given."""
    first = np.concatenate([[0], np.cumsum(sizes)])
    kept = np.ones(first[-1], dtype=bool)
    kept[first[row] + place] = False
    index = np.flatnonzero(kept)
    row = np.searchsorted(first, index, side="right") - 1
    return row, index - first[row]
