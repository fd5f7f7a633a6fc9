"""Short, readable forms of configurations, in a terminal and in a notebook.

A configuration shows the fields that differ from their defaults; a notebook shows all fields, with units and
with the changed ones marked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ethospike.configuration import default_of

UNITS = {
    "s": "s", "ms": "ms", "min": "min", "hz": "Hz", "mm": "mm", "cm": "cm", "um": "µM", "rad": "rad",
    "deg": "°", "mv": "mV", "pa": "pA", "ns": "nS", "pf": "pF", "mb": "MB", "px": "px",
}  # fmt: skip
"""Unit by the last part of a name (docs/design.md: a quantity carries its unit in its name). `um` is a
concentration here."""
RATES = {"mm_s": "mm/s", "rad_s": "rad/s", "per_s": "1/s"}
NEST_UNITS = tuple(
    (re.compile(pattern), unit)
    for pattern, unit in (
        ("V_(m|th|reset|peak)", "mV"),
        ("E_(L|ex|in|sfa|rr)", "mV"),
        ("C_m", "pF"),
        ("g_L", "nS"),
        ("I_e", "pA"),
        ("t_ref", "ms"),
        ("tau_(m|syn_ex|syn_in|sfa|rr|w)", "ms"),
    )
)
"""Units of NEST's parameters, whose names carry none."""
WHOLE_WORDS = {"minutes": "min", "seconds": "s"}
CELL = "text-align: left; vertical-align: top; padding: 1px 10px"
MARKED = "background: rgba(240, 190, 0, 0.25)"
LONGEST = 80


def unit_of(name: str) -> str:
    """Return the unit that the name of a quantity carries; empty if it carries none.

    Examples
    --------
    >>> unit_of("hand_speed_mm_s"), unit_of("rate_hz.E"), unit_of("V_th"), unit_of("animals")
    ('mm/s', 'Hz', 'mV', '')
    """
    for part in reversed(name.split(".")):
        for pattern, unit in NEST_UNITS:
            if pattern.fullmatch(part):
                return unit
        words = part.lower().split("_")
        rate = "_".join(words[-2:])
        if rate in RATES:
            return RATES[rate]
        if part in WHOLE_WORDS:
            return WHOLE_WORDS[part]
        # In `first_20_s` the unit is that of the number before it.
        if len(words) > 1 and words[-1] in UNITS and not words[-2].isdigit():
            return UNITS[words[-1]]
        if "hz" in words[1:]:
            return UNITS["hz"]
    return ""


def html_table(rows: Iterable[tuple[object, ...]], marked: Iterable[int] = ()) -> str:
    """Return rows as an HTML table; the first cell of a row is its heading, and all text is escaped.

    Parameters
    ----------
    rows : iterable of tuple
    marked : iterable of int
        Numbers of the rows that are highlighted.
    """
    highlighted, lines = set(marked), []
    for number, (head, *cells) in enumerate(rows):
        style = f"{CELL}; {MARKED}" if number in highlighted else CELL
        line = f'<th style="{style}">{escape(str(head))}</th>'
        line += "".join(f'<td style="{style}">{escape(str(cell))}</td>' for cell in cells)
        lines.append(f"<tr>{line}</tr>")
    return f"<table>{''.join(lines)}</table>"


def changed_fields(config: Any, base: Any = None) -> dict[str, Any]:
    """Return the fields of a dataclass with other values than their defaults, or than those of `base`."""
    return {
        field.name: value
        for field in dataclasses.fields(config)
        if field.repr and not _equal(value := getattr(config, field.name), _default(field, base))
    }


def _default(field: dataclasses.Field[Any], base: Any) -> Any:
    return default_of(field) if base is None else getattr(base, field.name)


def _equal(a: Any, b: Any) -> bool:
    """Return True if values are equal; of arrays, all entries."""
    try:
        return type(a) is type(b) and bool(a == b)
    except ValueError:
        return a is b or repr(a) == repr(b)


def short(value: Any) -> str:
    """Return a value as text of bounded length."""
    words = repr(value) if isinstance(value, str) else str(value)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


class Shown:
    """A dataclass that shows the fields that differ from their defaults; a base without fields.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Walk(Shown):
    ...     speed_mm_s: float = 1.0
    ...     legs: int = 6
    >>> Walk(legs=8)
    Walk(legs=8)
    >>> print(Walk(legs=8))
    Walk
      speed_mm_s  1.0 mm/s
      legs        8 (default: 6)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Set `__repr__` on the class itself, where the decorator of dataclasses leaves it."""
        super().__init_subclass__(**kwargs)
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        changed = ", ".join(f"{name}={value!r}" for name, value in changed_fields(self).items())
        return f"{type(self).__name__}({changed})"

    def __str__(self) -> str:
        rows = shown_rows(self)
        width = max((len(name) for name, *_ in rows), default=0)
        lines = [
            f"  {name:{width}}  {value}{f' (default: {default})' if default else ''}"
            for name, value, default in rows
        ]
        return "\n".join([type(self).__name__, *lines])

    def _repr_html_(self) -> str:
        rows = shown_rows(self)
        marked = [number for number, (*_, default) in enumerate(rows) if default]
        head = ("", type(self).__name__, "default, where another value was chosen")
        return html_table([head, *rows], [number + 1 for number in marked])


def shown_rows(config: Any, prefix: str = "", base: Any = None) -> list[tuple[str, str, str]]:
    """Return path, value with unit, and default (empty where the value is the default) of each field.

    `base` holds the defaults; without it they are those of the class.
    """
    rows: list[tuple[str, str, str]] = []
    changed = changed_fields(config, base)
    for field in dataclasses.fields(config):
        value, default = getattr(config, field.name), _default(field, base)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            inner = default if type(default) is type(value) else None
            rows += shown_rows(value, f"{prefix}{field.name}.", inner)
            continue
        is_changed = field.name in changed and default is not dataclasses.MISSING
        name = prefix + field.name
        rows.append((name, with_unit(name, value), short(default) if is_changed else ""))
    return rows


def with_unit(name: str, value: Any) -> str:
    """Return a value as text, with the unit that its name carries if it is a number."""
    unit = unit_of(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{short(value)} {unit}" if unit and is_number else short(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the entries of a nested mapping by their paths, joined by dots.

    Examples
    --------
    >>> flat({"seed": 1, "larva": {"gain": 150.0}})
    {'seed': 1, 'larva.gain': 150.0}
    """
    entries: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            entries |= flat(value, f"{prefix}{name}.")
        else:
            entries[f"{prefix}{name}"] = value
    return entries
