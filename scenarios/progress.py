"""How far a run is: a bar on a terminal, a line now and then in a log file.

In: simulated seconds. Out: text on stderr, so that stdout stays for results.
"""

from __future__ import annotations

import sys
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LOG_EVERY_S = 30.0
"""Wall time between two lines in a log file: a few dozen lines for a run of an hour."""
REFRESH_S = 0.1
"""Wall time between two updates of the bar: faster than one can read costs time."""


class RunProgress:
    """Shows simulated time, real-time factor (simulated over wall time) and time left; a context manager."""

    def __init__(self, title: str, duration_s: float, *, quiet: bool = False) -> None:
        self.title = title
        self.duration_s = duration_s
        self.console = Console(file=sys.stderr)
        self._bar: Progress | None = None
        if not quiet and self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task(title, total=duration_s, note="")
        self._every_s = float("inf") if quiet else REFRESH_S if self._bar else LOG_EVERY_S
        self._begin = self._shown = time.monotonic()
        self._begin_s: float | None = None

    def update(self, simulated_s: float) -> None:
        """Take notice of the simulated time; shows it only when it is due."""
        now = time.monotonic()
        if self._begin_s is None:
            self._begin, self._begin_s = now, simulated_s
        if now - self._shown < self._every_s:
            return
        self._shown = now
        note = self._note(simulated_s, now)
        if self._bar is not None:
            self._bar.update(self._task, completed=simulated_s, note=note)
        else:
            print(f"{self.title}: {note}", file=sys.stderr, flush=True)

    def _note(self, simulated_s: float, now: float) -> str:
        factor = (simulated_s - (self._begin_s or 0.0)) / max(now - self._begin, 1e-9)
        left = f", {clock((self.duration_s - simulated_s) / factor)} left" if factor > 0 else ""
        return f"{clock(simulated_s)} of {clock(self.duration_s)} simulated, {factor:.3g}× real time{left}"

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss or m:ss."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
