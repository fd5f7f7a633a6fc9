"""The points of a sweep: values of some fields of a scenario's configuration, from axes, ranges and files.

Words such as `cortex.I_th_E=0.95:2.90:40` are checked against the scenario's fields.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import math
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ethospike.errors import ScenarioError, nearest
from ethospike.paths import expanded, user_path
from ethospike.scenarios.arms.table import full_texts
from ethospike.scenarios.scenario import INTACT, Scenario, separate_arms

ARM = "arm"
"""Key of the control arms."""

_OUTSIDE_BRACKETS = re.compile(r",(?![^\[]*\])")
"""The commas between values: those within brackets, as in `silence KC[1,5]`, belong to a value."""
Point = dict[str, Any]
"""Values by key, such as 2.1 for `cortex.I_th_E`; a key is a path of fields of the configuration."""


def grid(scenario: Scenario, axes: Sequence[str]) -> list[Point]:
    """Return every combination of the values of axes.

    Parameters
    ----------
    scenario : Scenario
    axes : sequence of str
        `KEY=FIRST:LAST:COUNT` (evenly spaced, both ends included), `KEY=FIRST:LAST:COUNT:log`, or
        `KEY=VALUE,VALUE,…`.

    Raises
    ------
    ScenarioError
        When an axis has none of these forms, its key is unknown, or a key comes twice.
    """
    values: dict[str, list[Any]] = {}
    for axis in axes:
        key, text = _split(axis, "KEY=FIRST:LAST:COUNT or KEY=VALUE,VALUE")
        if key in values:
            raise ScenarioError(f"grid: {key} comes twice")
        values[key] = _axis_values(scenario, key, text)
    return [
        dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())
    ]


def samples(scenario: Scenario, ranges: Sequence[str], count: int, seed: int) -> list[Point]:
    """Return points with independently drawn values.

    Parameters
    ----------
    scenario : Scenario
    ranges : sequence of str
        `KEY=LOW:HIGH` (uniform) or `KEY=LOW:HIGH:log` (uniform logarithms), both ends included if the field
        takes whole numbers.
    count : int
    seed : int
        The same seed draws the same points.

    Raises
    ------
    ScenarioError
        When `count` is below 1, or a range has neither form, or its key is unknown or not a number.
    """
    if count < 1:
        raise ScenarioError(f"samples: expected at least 1, got {count}")
    spans = [Span.parse(scenario, text) for text in ranges]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn = rng.random((count, len(spans)))
    return [{span.key: span.value_at(float(u)) for span, u in zip(spans, row, strict=True)} for row in drawn]


def from_file(path: Path) -> list[Point]:
    """Return the points of a file: CSV with the keys in its first line, or a JSON list of objects.

    Raises
    ------
    ScenarioError
        When the file cannot be read, or has no points.
    """
    try:
        with expanded(path).open(
            newline="", encoding="utf-8-sig"
        ) as file:  # as spreadsheets write it, with a mark
            if path.suffix == ".json":
                points = json.load(file)
            else:
                points = [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]
    except OSError as error:
        raise ScenarioError(f"cannot read the points {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path} is not UTF-8 text; save it as such: {error}") from error
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{path} is not JSON: {error}") from error
    except csv.Error as error:
        raise ScenarioError(f"{path} is not CSV: {error}") from error
    if not (isinstance(points, list) and points and all(isinstance(point, dict) for point in points)):
        raise ScenarioError(
            f"{path}: expected points, as CSV with a line of keys or as a JSON list of objects"
        )
    for number, point in enumerate(points, start=1):
        if None in point or None in point.values():
            raise ScenarioError(f"{path}: point {number} has more or fewer values than there are keys")
    return points


def combined(*parts: Sequence[Point]) -> list[Point]:
    """Return every combination of points of different keys.

    Raises
    ------
    ScenarioError
        When a key occurs in two of the sequences.
    """
    points: list[Point] = [{}]
    for part in parts:
        if both := set(points[0]) & {key for point in part for key in point}:
            raise ScenarioError(f"points: {min(both)} comes from two places; choose one of them")
        points = [{**left, **right} for left in points for right in part]
    return points


@dataclass(frozen=True)
class Span:
    """The range of a numeric field, for a random sample or a search."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    @classmethod
    def parse(cls, scenario: Scenario, text: str) -> Span:
        """Read `KEY=LOW:HIGH` or `KEY=LOW:HIGH:log`.

        Raises
        ------
        ScenarioError
            When the text has neither form, its key is unknown or not a number, or its ends are invalid.
        """
        form = "KEY=LOW:HIGH or KEY=LOW:HIGH:log"
        key, values = _split(text, form)
        parts = values.split(":")
        try:
            low, high = float(parts[0]), float(parts[1])
        except (ValueError, IndexError) as error:
            raise ScenarioError(f"expected {form}, got {text!r}") from error
        if len(parts) > 3 or (len(parts) == 3 and parts[2] != "log"):
            raise ScenarioError(f"expected {form}, got {text!r}")
        kind = field_type(scenario, key)
        if not _is_number(kind):
            raise ScenarioError(
                f"{key}: expected a field that is a number; list its values by --grid {key}=…"
            )
        log = len(parts) == 3
        if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
            raise ScenarioError(
                f"{key}: expected LOW below HIGH{', both above 0' if log else ''}, got {values!r}"
            )
        whole = _types(kind) <= {int, type(None)}
        if whole and not (low.is_integer() and high.is_integer()):
            raise ScenarioError(f"{key} takes whole numbers: expected whole LOW and HIGH, got {values!r}")
        return cls(key, low, high, log, whole)

    def value_at(self, u: float) -> float | int:
        """Return the value at a share u of the range, 0 … 1.

        Each whole number has the range from itself to the next one: both ends are drawn as often as the other
        numbers.
        """
        high = self.high + 1.0 if self.whole else self.high
        span = math.log(high / self.low) if self.log else high - self.low
        value: float = self.low * math.exp(span * u) if self.log else self.low + span * u
        return min(math.floor(value), round(self.high)) if self.whole else value


def check_point(scenario: Scenario, point: Point) -> None:
    """Raise ScenarioError if a key of a point is unknown; the message names the nearest key."""
    for key in point:
        field_type(scenario, key)


def field_type(scenario: Scenario, key: str) -> Any:
    """Return the annotation of a field of the configuration, `cortex.I_th_E` for example.

    Raises
    ------
    ScenarioError
        When the field does not exist, is a table, or is the seed.
    """
    if key in scenario.families:
        raise ScenarioError(
            f"{key} stands for several values at once; choose one by --{key}, or sweep the fields themselves"
        )
    kind: Any = scenario.config
    names = key.split(".")
    for depth, name in enumerate(names):
        hints = _fields(kind)
        if name not in hints:
            where = ".".join([*names[:depth], ""])
            suggestion = nearest(name, hints) if hints else f"{'.'.join(names[:depth])} has no fields"
            raise ScenarioError(f"{scenario.name} has no field {where + name!r}; {suggestion}")
        kind = hints[name]
    if _fields(kind):
        raise ScenarioError(f"{key} is a table; name one of its fields: {', '.join(_fields(kind))}")
    if key == "seed":
        raise ScenarioError("seed: use --seeds N to run every point with N seeds")
    return kind


def with_absolute_paths(scenario: Scenario, point: Point) -> Point:
    """Return a point with absolute paths, so that its tasks can be run in any folder.

    Raises
    ------
    ArmError
        When its arms do not exist, or their words do not fit.
    """
    absolute = {
        key: str(user_path(value))
        if isinstance(value, str) and Path in _types(field_type(scenario, key))
        else value
        for key, value in point.items()
    }
    if ARM in point:
        absolute[ARM] = " + ".join(full_texts(separate_arms(point[ARM]))) or INTACT
    return absolute


def listed(point: Mapping[str, Any]) -> Point:
    """Return a point in which the arms, one text in tables, are the list of the configuration.

    A value that is None, in points of groups, leaves the shared one.
    """
    return {
        key: [value] if key == ARM and isinstance(value, str) else value
        for key, value in point.items()
        if value is not None
    }


def nested(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested dictionaries of keys such as `cortex.I_th_E`."""
    tables: dict[str, Any] = {}
    for key, value in point.items():
        *path, name = key.split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
        table[name] = value
    return tables


def _split(text: str, form: str) -> tuple[str, str]:
    key, equals, values = text.partition("=")
    if not (key and equals and values):
        raise ScenarioError(f"expected {form}, got {text!r}")
    return key.strip(), values.strip()


def _axis_values(scenario: Scenario, key: str, text: str) -> list[Any]:
    kind = field_type(scenario, key)
    first, *others = text.split(":") if _is_number(kind) else [text]
    if not others:
        return [_value(value) for value in _OUTSIDE_BRACKETS.split(text)]
    count, spacing = others[1] if len(others) > 1 else "", others[2:]
    if not count.isdecimal() or int(count) < 1 or spacing not in ([], ["log"]):
        raise ScenarioError(
            f"grid: expected {key}=FIRST:LAST:COUNT or {key}=FIRST:LAST:COUNT:log, got {text!r}"
        )
    try:
        ends = float(first), float(others[0])
    except ValueError as error:
        raise ScenarioError(f"grid: {key}: expected two numbers, got {first!r} and {others[0]!r}") from error
    if not all(map(math.isfinite, ends)) or (spacing and min(ends) <= 0):
        raise ScenarioError(
            f"grid: {key}: expected finite ends{', above 0' if spacing else ''}, got {text!r}"
        )
    values = np.geomspace(*ends, int(count)) if spacing else np.linspace(*ends, int(count))
    # Products such as 0.05 × 3 have spurious digits.
    rounded = [float(f"{value:.12g}") for value in values]
    if float in _types(kind):
        return list(rounded)
    if not all(value.is_integer() for value in rounded):
        raise ScenarioError(f"grid: {key} takes whole numbers; {text!r} has others")
    return [int(value) for value in rounded]


def _value(text: str) -> Any:
    """Convert text to a number or truth value if possible, else return the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return {"true": True, "false": False}.get(text, text) if isinstance(text, str) else text


def _fields(kind: Any) -> dict[str, Any]:
    """Return the fields of a dataclass with their types; an empty result for other objects."""
    if not (dataclasses.is_dataclass(kind) and isinstance(kind, type)):
        return {}
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _types(kind: Any) -> set[Any]:
    """Return the members of a union, or the type itself."""
    return set(typing.get_args(kind)) or {kind}


def _is_number(kind: Any) -> bool:
    return bool(_types(kind) & {int, float}) and bool not in _types(kind)
