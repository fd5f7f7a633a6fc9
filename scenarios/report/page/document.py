"""A whole page: one file with its style, its script and its data, that loads nothing and sends nothing.

A policy in the page lets the browser run this program's own script only, known by its hash, and forbids all
connections: text of a run that was escaped wrongly could still not act.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from ethospike.scenarios.report.page.html import Markup, element, embedded_json, joined, text
from ethospike.scenarios.report.page.script import SCRIPT
from ethospike.scenarios.report.page.style import STYLE

DATA = "page-data"
"""Id of the element with the data of the script."""


def document(title: str, content: Sequence[object], data: Any = None) -> str:
    """Return an HTML page.

    Parameters
    ----------
    title : str
    content : sequence of Markup or str
        The parts of the page; text is escaped.
    data : plain types of JSON, optional
        Data of the player.
    """
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash(STYLE)}'",
            f"script-src '{_hash(SCRIPT)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = joined(
        (
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{text(policy)}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="referrer" content="no-referrer">'),
            Markup('<meta name="generator" content="ethospike">'),
            element("title", title),
            element("style", Markup(STYLE)),
        )
    )
    body = joined(
        (
            element("main", *content),
            element("script", embedded_json(data), type_="application/json", id_=DATA),
            element("script", Markup(SCRIPT)),
        )
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
