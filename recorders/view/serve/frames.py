"""Pictures of a view on their way to browsers, and the input that comes back."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

MOST_WAITING = 200
"""Input events that wait for the view at most: more come from nobody's hand."""


class Exchange:
    """The newest picture for all browsers, and the events that they send; used by several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture = b""
        self._number = 0
        self._watching = 0
        self._ended = False
        self._events: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)

    @property
    def watching(self) -> int:
        """Number of browsers that receive pictures."""
        return self._watching

    def publish(self, picture: bytes) -> None:
        """Hand a picture to all browsers; one that is still busy with an earlier picture skips it."""
        with self._changed:
            self._picture, self._number = picture, self._number + 1
            self._changed.notify_all()

    def enter(self, most: int) -> bool:
        """Count a browser; return False if there are `most` already, or the view has ended."""
        with self._changed:
            if self._watching >= most or self._ended:
                return False
            self._watching += 1
            return True

    def leave(self) -> None:
        """Count a browser that has gone."""
        with self._changed:
            self._watching -= 1
            self._changed.notify_all()

    def next(self, after: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Return number and content of a newer picture than `after`; the same one after a timeout.

        None at the end of the view.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._number > after, timeout_s)
            return None if self._ended else (self._number, self._picture)

    def end(self, timeout_s: float) -> None:
        """Tell all browsers that the view has ended, and wait until they know."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._watching, timeout_s)

    def put(self, event: dict[str, Any]) -> None:
        """Take an event of a browser."""
        self._events.append(event)

    def events(self) -> list[dict[str, Any]]:
        """Return the events that have come since the last call."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events
