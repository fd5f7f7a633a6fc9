"""Samples without replacement: the right number, distinct, uniform, and the same by both ways of drawing."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.network import sampling


def draw(counts, sizes, seed=1):
    counts, sizes = np.asarray(counts), np.asarray(sizes)
    row, place = sampling.distinct(counts, sizes, np.random.default_rng(seed))
    order = np.lexsort([place, row])
    return row[order], place[order]


def test_marks_and_sorted_lists_give_the_same_samples(monkeypatch):
    """A network is the same whether its memory of marks or of lists is smaller."""
    counts, sizes = np.array([3, 0, 40, 50, 7] * 20), np.array([100, 100, 90, 100, 8] * 20)
    monkeypatch.setattr(sampling, "DENSE", 10**9)
    marked = draw(counts, sizes)
    monkeypatch.setattr(sampling, "DENSE", 0)
    listed = draw(counts, sizes)
    np.testing.assert_array_equal(marked, listed)
    np.testing.assert_array_equal(np.bincount(marked[0], minlength=len(counts)), counts)
    assert (marked[1] < sizes[marked[0]]).all()
    assert len(np.unique(marked[0] * 1000 + marked[1])) == counts.sum()


@pytest.mark.parametrize("dense", [0, 10**9])
def test_each_place_is_equally_likely(dense, monkeypatch):
    monkeypatch.setattr(sampling, "DENSE", dense)
    rows, size, count = 20_000, 6, 2
    _, place = draw(np.full(rows, count), np.full(rows, size))
    expected = rows * count / size
    deviation = np.sqrt(rows * (count / size) * (1 - count / size))
    assert np.abs(np.bincount(place, minlength=size) - expected).max() < 4 * deviation
