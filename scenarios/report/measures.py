"""The measures of a summary as a table: mean, interval, and each animal as a dot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ethospike.scenarios.report.page.html import Markup, element, ends, facts, joined, number, table
from ethospike.scenarios.run.omissions import LEFT_OUT
from ethospike.shown import unit_of

ARMS = "arms"
"""Entry of a summary and of run.json: the proofs of the control arms."""
LONGEST_LIST = 12
STRIP_PX, STRIP_HEIGHT_PX, STRIP_EDGE_PX = 180, 18, 6
MOST_DOTS = 500


def measures(summary: Mapping[str, Any]) -> Markup:
    """Return all measures of a summary, with the reasons for those that were left out."""
    rows = [
        (name, *_value(value), unit_of(name))
        for name, value in _entries(summary)
        if name.split(".")[0] not in (LEFT_OUT, ARMS)
    ]
    shown: list[Markup] = []
    if rows:
        shown.append(table(("measure", "value", "95 % interval", "n", "each", "unit"), rows))
    left_out = summary.get(LEFT_OUT)
    if isinstance(left_out, Mapping) and left_out:
        shown += [
            element("p", "Left out, because the data were not recorded:", class_="note"),
            facts(left_out),
        ]
    return joined(shown)


def is_interval(value: object) -> bool:
    """Return True for the result of `interval`: a mean with its ends and the values of the animals."""
    return isinstance(value, Mapping) and {"mean", "low", "high"} <= value.keys()


def _entries(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the entries of nested mappings by their paths; an interval is one entry."""
    for name, value in values.items():
        if isinstance(value, Mapping) and not is_interval(value):
            yield from _entries(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _value(value: Any) -> tuple[object, object, object, object]:
    """Return value, interval, number of animals and dots of a measure."""
    if is_interval(value):
        animals = _numbers(value.get("animals"))
        low, high = (_number(value[end]) for end in ("low", "high"))
        return (
            _number(value["mean"]),
            ends(low, high),
            len(animals) or "",
            strip(animals, _number(value["mean"]), low, high),
        )
    if isinstance(value, list):
        numbers = _numbers(value)
        if len(numbers) == len(value) == 1:
            return numbers[0], "", "", ""
        if numbers and len(numbers) == len(value):
            listed = (
                ", ".join(map(number, numbers)) if len(numbers) <= LONGEST_LIST else f"{len(numbers)} values"
            )
            return listed, "", "", strip(numbers)
        return (
            f"{len(value)} entries" if len(value) > LONGEST_LIST else ", ".join(map(str, value)),
            "",
            "",
            "",
        )
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value], "", "", ""
    return value, "", "", ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _numbers(values: object) -> list[float]:
    """Return the finite numbers of a list."""
    known = (_number(value) for value in values) if isinstance(values, list) else ()
    return [value for value in known if value is not None]


def strip(
    values: list[float],
    mean: float | None = None,
    low: float | None = None,
    high: float | None = None,
    scale: tuple[float, float] | None = None,
) -> Markup:
    """Return a picture of values on a line, with their mean and its interval, as SVG.

    The line reaches over `scale`, so that strips of one scale can be compared; by default over what is drawn.
    """
    if len(values) < 2:
        return Markup()
    left, right = scale or scale_of([*values, *(end for end in (low, high) if end is not None)])
    span = (right - left) or 1.0
    middle = STRIP_HEIGHT_PX / 2

    def x(value: float) -> str:
        return f"{STRIP_EDGE_PX + (value - left) / span * (STRIP_PX - 2 * STRIP_EDGE_PX):.1f}"

    parts = []
    if left < 0.0 < right:
        parts.append(element("line", x1=x(0.0), x2=x(0.0), y1=0, y2=STRIP_HEIGHT_PX, class_="zero"))
    parts += [element("circle", cx=x(value), cy=middle, r=3, class_="dot") for value in values[:MOST_DOTS]]
    if low is not None and high is not None:
        parts.append(element("line", x1=x(low), x2=x(high), y1=middle, y2=middle, class_="bar"))
    if mean is not None:
        parts.append(element("circle", cx=x(mean), cy=middle, r=3.4, class_="mean"))
    words = f"{len(values)} values from {number(min(values))} to {number(max(values))}"
    return element(
        "svg",
        element("title", words),
        *parts,
        width=STRIP_PX,
        height=STRIP_HEIGHT_PX,
        role="img",
        class_="strip",
    )


def drawn(estimates: Iterable[Mapping[str, Any]]) -> Iterator[float | None]:
    """Yield all that strips of results of `interval` show."""
    for estimate in estimates:
        yield from (*estimate["animals"], estimate["low"], estimate["high"])


def scale_of(values: Iterable[float | None]) -> tuple[float, float]:
    """Return the ends of a line for known values."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return min(known, default=0.0), max(known, default=0.0)
