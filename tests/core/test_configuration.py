"""Configuration dataclasses from nested mappings: types, tables, unknown keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from ethospike.configuration import checked, from_mapping, merged
from ethospike.errors import ScenarioError


@dataclass(frozen=True)
class Leg:
    length_mm: float = 2.0
    joints: int = 3


@dataclass(frozen=True)
class Walker:
    name: str = "fly"
    gait: Literal["tripod", "wave"] = "tripod"
    awake: bool = True
    legs: tuple[Leg, ...] = ()
    target_mm: tuple[float, float] = (0.0, 0.0)
    leg: Leg = field(default_factory=lambda: Leg(5.0))
    wing: Leg | None = None
    file: Path | None = None
    limit_s: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Required:
    rate_hz: float


def test_a_table_keeps_the_default_of_the_fields_that_it_leaves_out() -> None:
    walker = from_mapping(Walker, {"leg": {"joints": 4}, "wing": {"joints": 1}})
    assert walker.leg == Leg(5.0, 4)
    assert walker.wing == Leg(2.0, 1)
    assert from_mapping(Walker, {"name": "ant"}, base=Walker(awake=False)) == Walker("ant", awake=False)
    assert from_mapping(Walker, {"leg": Leg(9.0)}).leg == Leg(9.0)


def test_values_are_of_the_types_of_the_fields() -> None:
    walker = from_mapping(
        Walker,
        {
            "target_mm": [1, 2],
            "legs": [{"joints": 1}, {"length_mm": 1}],
            "file": "a/b",
            "limit_s": 3,
            "extra": {"any": [1, "x"]},
            "weights": {"KC>MBON": 1},
        },
    )
    assert walker.target_mm == (1.0, 2.0)
    assert walker.legs == (Leg(2.0, 1), Leg(1.0))
    assert (walker.file, walker.limit_s) == (Path("a/b"), 3.0)
    assert walker.extra == {"any": [1, "x"]}
    assert walker.weights == {"KC>MBON": 1.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nmae": "x"}, "toml: unknown key 'nmae'; did you mean 'name'"),
        ({"leg": {"joint": 1}}, "toml: unknown key 'leg.joint'; did you mean 'joints'"),
        ({"leg": {"joints": 1.5}}, "toml: leg.joints: expected a whole number, got 1.5"),
        ({"leg": 3}, "toml: leg: expected a table of Leg, got 3"),
        ({"gait": "gallop"}, "gait: expected one of tripod, wave, got 'gallop'"),
        ({"awake": 1}, "awake: expected true or false, got 1"),
        ({"limit_s": True}, "limit_s: expected a number, got True"),
        ({"limit_s": "3"}, "limit_s: expected a number, got '3'"),
        ({"name": 3}, "name: expected text, got 3"),
        ({"name": None}, "name: expected text, got None"),
        ({"target_mm": [1.0]}, "target_mm: expected 2 values, got 1"),
        ({"legs": {"joints": 1}}, "legs: expected a list"),
        ({"extra": 1}, "extra: expected a table, got 1"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        from_mapping(Walker, values, source="toml")


def test_a_field_without_default_is_needed() -> None:
    assert from_mapping(Required, {"rate_hz": 2}) == Required(2.0)
    with pytest.raises(ScenarioError, match=r"Required.rate_hz: expected a value"):
        from_mapping(Required, {})


def test_text_becomes_numbers_and_truth_values_only_where_it_is_asked_for() -> None:
    words = {"awake": "no", "leg": {"joints": "1e2"}, "limit_s": "none", "target_mm": ["1", "nan"]}
    values = checked(Walker, words, text=True)
    assert (values["awake"], values["leg"], values["limit_s"]) == (False, {"joints": 100}, None)
    assert math.isnan(values["target_mm"][1])
    with pytest.raises(ScenarioError, match="awake"):
        checked(Walker, {"awake": "no"})


def test_the_higher_layer_wins_value_by_value() -> None:
    low = {"a": {"x": 1, "y": 1}, "b": 1}
    assert merged(low, {"a": {"x": 2}, "b": {"z": 3}}) == {"a": {"x": 2, "y": 1}, "b": {"z": 3}}
    assert low == {"a": {"x": 1, "y": 1}, "b": 1}
