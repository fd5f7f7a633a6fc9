"""Cells and tables of Markdown, for the reports of validations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = list[str]
Row = tuple[str, ...]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return the lines of a table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def number(estimate: Mapping[str, Any], digits: int) -> str:
    """Return a mean with its interval, or a dash if there is no mean."""
    if estimate["mean"] is None:
        return "–"
    low, high = estimate["low"], estimate["high"]
    spread = "" if low is None else f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{estimate['mean']:.{digits}f}{spread}"


def percent(estimate: Mapping[str, Any]) -> str:
    """Return a share with its interval, in percent."""
    if estimate["mean"] is None:
        return "–"
    low, high = estimate["low"], estimate["high"]
    spread = "" if low is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{100 * estimate['mean']:.0f}{spread} %"


def plain(value: float | None, form: str) -> str:
    """Return a number in a format, or a dash."""
    return "–" if value is None else form.format(value)


def yes(passed: bool) -> str:
    """Return yes or NO."""
    return "yes" if passed else "NO"
