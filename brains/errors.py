"""What the room says when it is asked for something that cannot be: one error, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BrainError(ValueError):
    """A description, a stimulus or a setting that no simulator could run; the message says what fits."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` or the list of valid names, for the end of an error message."""
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid)}"
