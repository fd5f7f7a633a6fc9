"""Warnings on stderr that a process gives once."""

from __future__ import annotations

import sys
from functools import cache


@cache
def tell_once(text: str) -> None:
    """Print a warning on stderr, once in a process."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
