"""Progress of a run: a bar on a terminal, a line now and then in a log file.

The text goes to stderr, so that stdout holds only results.
"""

from __future__ import annotations

import sys
import time
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn

from ethospike.scenarios.terminal import console

LOG_EVERY_S = 30.0
"""Wall time between two lines in a log file: a few dozen lines for a run of an hour."""
REFRESH_S = 0.1
"""Wall time between two updates of the bar: faster updates cost time and cannot be read."""


class _Shown:
    """A bar on a terminal, or a line now and then; a context manager. Subclasses give the text."""

    def __init__(self, title: str, total: float, *, quiet: bool) -> None:
        self.title = title
        self.total = total
        self.console = console(stderr=True)
        self._bar: Progress | None = None
        if not quiet and self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total, note="")
        self._every_s = float("inf") if quiet else REFRESH_S if self._bar else LOG_EVERY_S
        self._begin = self._shown = time.monotonic()
        self._begin_at: float | None = None

    def update(self, done: float) -> None:
        """Update the progress; it is shown only at intervals of wall time."""
        now = time.monotonic()
        if self._begin_at is None:
            self._begin, self._begin_at = now, done
        if now - self._shown < self._every_s:
            return
        self._shown = now
        speed = (done - self._begin_at) / max(now - self._begin, 1e-9)
        left = f", {clock((self.total - done) / speed)} left" if speed > 0 else ""
        note = self._note(done, speed) + left
        if self._bar is not None:
            self._bar.update(self._task, completed=done, note=note)
        else:
            print(f"{self.title}: {note}", file=sys.stderr, flush=True)

    def _note(self, done: float, speed: float) -> str:
        """Return progress and speed (per second of wall time) as text."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


class RunProgress(_Shown):
    """Shows simulated time, real-time factor (simulated over wall time) and time left; a context manager."""

    def __init__(self, title: str, duration_s: float, *, quiet: bool = False) -> None:
        super().__init__(title, duration_s, quiet=quiet)

    def _note(self, done: float, speed: float) -> str:
        return f"{clock(done)} of {clock(self.total)} simulated, {speed:.3g}× real time"


class TaskProgress(_Shown):
    """Shows how many tasks are done, how many of them failed, and time left; a context manager."""

    def __init__(self, title: str, total: int, done: int = 0, *, quiet: bool = False) -> None:
        super().__init__(title, total, quiet=quiet)
        self._done, self._failed = done, 0
        self.update(done)

    def finished(self, *, failed: bool) -> None:
        """Count a task that has ended."""
        self._done += 1
        self._failed += failed
        self.update(self._done)

    def _note(self, done: float, speed: float) -> str:
        return f"{done:.0f} of {self.total:.0f} done, {self._failed} failed"


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss or m:ss."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
