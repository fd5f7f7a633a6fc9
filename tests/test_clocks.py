"""Whole numbers of steps: the same in the three rooms that have them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import numpy as np
import pytest

from ethospike.brains import clock as of_brains
from ethospike.envs import clock as of_envs
from ethospike.recorders import clock as of_recorders

CLOCKS = {"brains": of_brains, "envs": of_envs, "recorders": of_recorders}
EACH = pytest.mark.parametrize(
    "whole_number", [clock.whole_number for clock in CLOCKS.values()], ids=list(CLOCKS)
)


@EACH
def test_decimal_times_are_whole_numbers_of_decimal_steps(whole_number: Callable[..., int | None]) -> None:
    """In doubles, 0.3 / 0.1 is below 3 and 0.1 + 0.2 above 0.3; so are most multiples of 0.1."""
    assert 0.3 / 0.1 != 3
    for count in (1, 3, 7, 600, 18_000_000, 36_000_000):
        assert whole_number(count / 10, 0.1) == count
        assert whole_number(count * 0.1, 0.1) == count
    assert whole_number(float(np.add.reduce([0.1] * 3)), 0.1) == 3
    assert whole_number(sum([0.1] * 1000), 0.1) == 1000


@EACH
@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        *((0.35, 0.1), (0.05, 0.1), (15.0, 10.0), (0.0, 0.1), (-1.0, 0.1), (3600e3 + 0.05, 0.1)),
        *((1.00001, 1.0), (1.0000001, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan)),
    ],
)
def test_others_are_not(whole_number: Callable[..., int | None], quantity: float, unit: float) -> None:
    assert whole_number(quantity, unit) is None


@EACH
def test_nothing_is_a_whole_number_where_it_may_be(whole_number: Callable[..., int | None]) -> None:
    assert whole_number(0.0, 0.1, least=0) == 0
    assert whole_number(0.04, 0.1, least=0) is None


def test_all_rooms_have_the_same() -> None:
    assert len({clock.TOLERANCE for clock in CLOCKS.values()}) == 1
    assert len({inspect.getsource(clock.whole_number) for clock in CLOCKS.values()}) == 1
