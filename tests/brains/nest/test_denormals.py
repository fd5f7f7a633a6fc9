"""Denormal numbers are zero inside the block, and themselves again after it."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.nest.denormals import FLUSHES, denormals_are_zero

pytestmark = pytest.mark.skipif(not FLUSHES, reason="only glibc on x86-64")
SMALL = np.array([1e-300])


def test_small_products_are_zero_inside_only() -> None:
    assert (SMALL * 1e-10)[0] > 0.0
    with denormals_are_zero():
        assert (SMALL * 1e-10)[0] == 0.0
        assert (SMALL * 1e-5)[0] == pytest.approx(1e-305)
    assert (SMALL * 1e-10)[0] > 0.0


def test_an_exception_leaves_nothing_behind() -> None:
    with pytest.raises(KeyError), denormals_are_zero():
        raise KeyError
    assert (SMALL * 1e-10)[0] > 0.0
