"""Intervals of groups against tables and formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ethospike.scenarios.analysis.group_statistics import difference, interval


def test_interval_is_students() -> None:
    # Mean 2, standard error 1/sqrt(3), t quantile for 2 degrees of freedom 4.303 (tables).
    one = interval(np.array([1.0, 2.0, 3.0]))
    assert one["mean"] == pytest.approx(2.0)
    assert one["high"] - 2.0 == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert interval(np.array([1.0]))["low"] is None


def test_difference_is_welchs() -> None:
    # Student's example of two groups of four: means 2.5 and 4.5, equal variances 5/3, standard error
    # sqrt(2 · 5/3 / 4) = 0.9129, six degrees of freedom, t = 2.4469 (tables).
    one, other = {"animals": [1.0, 2.0, 3.0, 4.0]}, {"animals": [3.0, 4.0, 5.0, 6.0]}
    found = difference(one, other)
    assert found["mean"] == pytest.approx(-2.0)
    assert found["high"] - found["low"] == pytest.approx(2 * 2.4469 * 0.9129, rel=1e-3)


def test_difference_of_unequal_groups_is_scipys() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 9.0, 3.0]), np.array([2.0, 2.5, 2.1])
    found = difference({"animals": x}, {"animals": y})
    bounds = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((bounds.low, bounds.high), rel=1e-12)


def test_groups_that_do_not_vary_have_a_difference_without_interval() -> None:
    all_right, all_wrong = {"animals": [1.0, 1.0]}, {"animals": [0.0, 0.0]}
    assert difference(all_right, all_wrong) == {"mean": 1.0, "low": None, "high": None}
