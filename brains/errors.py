"""What the room says when it is asked for what cannot be: its errors, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BrainError(ValueError):
    """A description, a stimulus or a setting that no simulator could run; the message says what fits."""


class NotFiniteError(BrainError, FloatingPointError):
    """A membrane potential or a synaptic input that is no longer a finite number; the message says where."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` or the list of valid names, for the end of an error message."""
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid)}"
