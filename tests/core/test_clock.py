"""Times as whole numbers of steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ethospike.clock import whole_number


def test_decimal_times_are_whole_numbers_of_decimal_steps() -> None:
    """In doubles, 0.3 / 0.1 is below 3 and 0.1 + 0.2 above 0.3; so are most multiples of 0.1."""
    assert 0.3 / 0.1 != 3
    for count in (1, 3, 7, 600, 18_000_000, 36_000_000):
        assert whole_number(count / 10, 0.1) == count
        assert whole_number(count * 0.1, 0.1) == count
    assert whole_number(float(np.add.reduce([0.1] * 3)), 0.1) == 3
    assert whole_number(sum([0.1] * 1000), 0.1) == 1000


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        *((0.35, 0.1), (0.05, 0.1), (15.0, 10.0), (0.0, 0.1), (-1.0, 0.1), (3600e3 + 0.05, 0.1)),
        *((1.00001, 1.0), (1.0000001, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan)),
    ],
)
def test_others_are_not(quantity: float, unit: float) -> None:
    assert whole_number(quantity, unit) is None


def test_nothing_is_a_whole_number_where_it_may_be() -> None:
    assert whole_number(0.0, 0.1, least=0) == 0
    assert whole_number(0.04, 0.1, least=0) is None
