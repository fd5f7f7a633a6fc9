"""Checks before a view opens anything: the display, and the part of a recording that is to be shown."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ethospike.errors import ViewError

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


@dataclass(frozen=True)
class Excerpt:
    """The part of a recording that is shown, and the speed.

    Parameters
    ----------
    speed : float
        Simulated time per time on the wall, or in the film.
    animal : int
        From 0; the animal of the spikes and weights.
    start_s, stop_s : float
        Beginning and end (s of simulated time); by default those of the recording.
    """

    speed: float = 1.0
    animal: int = 0
    start_s: float = 0.0
    stop_s: float | None = None

    def check(self, recording: Recording) -> None:
        """Raise `ViewError` unless the recording has this animal and these times."""
        if not 0 < self.speed < math.inf:
            raise ViewError(f"speed: expected a number above 0, got {self.speed}")
        if not 0 <= self.animal < recording.animals:
            raise ViewError(f"animal: expected 0 … {recording.animals - 1}, got {self.animal}")
        for name, time_s in (("start", self.start_s), ("stop", self.stop_s)):
            if time_s is not None and not math.isfinite(time_s):
                raise ViewError(f"{name}: expected seconds of simulated time, got {time_s}")
        if not recording.n_steps:
            raise ViewError(f"{recording.path}: nothing is recorded yet")

    def control_steps(self, recording: Recording) -> range:
        """Return the control steps of the excerpt; empty if nothing is recorded there."""
        first = max(0, round(self.start_s / recording.interval_s))
        last = recording.n_steps if self.stop_s is None else round(self.stop_s / recording.interval_s)
        return range(first, min(recording.n_steps, last))


def check_display(instead: str) -> None:
    """Raise `ViewError` where there is certainly no display.

    Parameters
    ----------
    instead : str
        The remedy, for the message after "or".
    """
    if not sys.platform.startswith("linux") or os.environ.get("SDL_VIDEODRIVER"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ViewError(
            "there is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set); on a "
            f"remote machine log in with `ssh -X`, or {instead}"
        )
