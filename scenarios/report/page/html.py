"""Pieces of HTML from plain values. Text is escaped here and nowhere else: no piece is made by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, TypeGuard


class Markup(str):
    """Text that is HTML already, such as the result of a function of this file."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return a value as escaped text; `Markup` is left as it is."""
    if isinstance(value, Markup):
        return value
    words = str(value)
    if not words.isprintable():
        words = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in words)
    return Markup(escape(words, quote=True))


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """Return an element; `class_` stands for `class`, and an attribute that is None is left out.

    Examples
    --------
    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{given}>{''.join(map(text, content))}</{tag}>")


def joined(parts: Iterable[object]) -> Markup:
    """Return pieces one after the other."""
    return Markup("".join(map(text, parts)))


def section(title: str, *content: object, id_: str | None = None) -> Markup:
    """Return a part of a page under a heading; empty without content."""
    body = joined(content)
    return element("section", element("h2", title), body, id_=id_) if body else Markup()


def facts(rows: Mapping[str, object]) -> Markup:
    """Return names and values as a table; entries that are None or empty are left out."""
    shown = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in rows.items()
        if value is not None and value != ""
    ]
    return element("table", element("tbody", *shown), class_="facts") if shown else Markup()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, sortable: bool = False) -> Markup:
    """Return a table without empty columns; headings of a sortable one are buttons."""
    listed = [list(row) for row in rows]
    kept = [column for column in range(len(columns)) if any(row[column] not in ("", None) for row in listed)]
    columns, listed = (
        [columns[column] for column in kept],
        [[row[column] for column in kept] for row in listed],
    )
    heads = [
        element(
            "th",
            element("button", name, type_="button") if sortable else name,
            scope="col",
            class_="n"
            if all(is_number(row[column]) or row[column] in ("", None) for row in listed)
            else None,
        )
        for column, name in enumerate(columns)
    ]
    body = [element("tr", *(_cell(value) for value in row)) for row in listed]
    content = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *body),
        class_="sortable" if sortable else None,
    )
    return element("div", content, class_="table scroll")


def is_number(value: object) -> TypeGuard[int | float]:
    """Return True for numbers, which stand at the right of their column; truth values are words."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: object) -> Markup:
    if is_number(value):
        return element("td", number(value), class_="n", data_value=value if math.isfinite(value) else None)
    return element("td", "" if value is None else value)


def number(value: float) -> str:
    """Return a number with four digits, or all of those of an integer.

    Examples
    --------
    >>> number(0.123456), number(25919327), number(float("nan"))
    ('0.1235', '25,919,327', '–')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if math.isfinite(value) else "–"


def ends(low: float | None, high: float | None) -> Markup:
    """Return an interval in brackets, which stays on one line; empty if an end is unknown."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return Markup()
    return element("span", f"[{number(low)}, {number(high)}]", class_="ends")


def embedded_json(data: Any) -> Markup:
    """Return data as JSON for a script element that is not run: nothing in it can end the element."""
    plain = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return Markup(plain)
