"""Measures and figures left out because their data were not recorded, each with the reason.

The reason is noted in the summary or printed on stderr. A partial recording never ends a run in an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ethospike.errors import NotRecorded

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

LEFT_OUT = "left_out"
"""Entry of a summary: the omitted measures and the reasons; absent if the summary is complete."""

T = TypeVar("T")


@contextmanager
def leaving_out(summary: dict[str, Any], what: str) -> Iterator[None]:
    """Leave out measures that need unrecorded data, and note the reason in the summary."""
    try:
        yield
    except NotRecorded as error:
        note(summary, what, str(error))


def note(summary: dict[str, Any], what: str, why: str) -> None:
    """Note an omitted measure in a summary."""
    summary.setdefault(LEFT_OUT, {})[what] = why


def note_unlisted_animals(summary: dict[str, Any], what: str, recording: Recording) -> None:
    """Note in a summary the animals left out of its measures of listed spikes."""
    unlisted = sorted(set(range(recording.animals)) - set(recording.listed_animals))
    if unlisted:
        whose = f"{what} of animal{'s' if len(unlisted) > 1 else ''} {', '.join(map(str, unlisted))}"
        note(summary, whose, "no spikes were listed (recorder.spike_animals)")


def attempt(what: str, make: Callable[[], T], otherwise: T) -> T:
    """Return `make()`, or `otherwise` (with a note on stderr) if it needs unrecorded data."""
    try:
        return make()
    except NotRecorded as error:
        say(what, str(error))
        return otherwise


def say(what: str, why: str) -> None:
    """Print an omission in one line on stderr."""
    print(f"left out: {what}: {why}", file=sys.stderr)
