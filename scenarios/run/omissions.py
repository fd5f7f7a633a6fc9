"""What is left out because less was recorded: measures and figures, each with the reason.

In: what to do, and its name. Out: a note in a summary, or one line on stderr. A run never ends in an error
because its user chose to record less.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ethospike.errors import NotRecorded
from ethospike.recorders.recording import Recording

LEFT_OUT = "left_out"
"""Entry of a summary: what was left out of it, and why; absent if nothing was."""

T = TypeVar("T")


@contextmanager
def leaving_out(summary: dict[str, Any], what: str) -> Iterator[None]:
    """Leave measures out where something was not recorded, and note the reason in their summary."""
    try:
        yield
    except NotRecorded as error:
        note(summary, what, str(error))


def note(summary: dict[str, Any], what: str, why: str) -> None:
    """Note in a summary what was left out of it."""
    summary.setdefault(LEFT_OUT, {})[what] = why


def note_unlisted_animals(summary: dict[str, Any], what: str, recording: Recording) -> None:
    """Note in a summary of whom its measures of listed spikes are not."""
    unlisted = sorted(set(range(recording.animals)) - set(recording.listed_animals))
    if unlisted:
        whose = f"{what} of animal{'s' if len(unlisted) > 1 else ''} {', '.join(map(str, unlisted))}"
        note(summary, whose, "no spikes were listed (recorder.spike_animals)")


def attempt(what: str, take: Callable[[], T], otherwise: T) -> T:
    """Return what is taken; where it needs what was not recorded, say so and return something else."""
    try:
        return take()
    except NotRecorded as error:
        say(what, str(error))
        return otherwise


def say(what: str, why: str) -> None:
    """Tell in one line what was left out."""
    print(f"left out: {what}: {why}", file=sys.stderr)
