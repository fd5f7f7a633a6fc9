"""What keeps a view from being shown, told before anything is opened.

In: what a user asked for. Out: nothing, or a `ViewError`. This file knows no pygame.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING

from ethospike.errors import ViewError

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


def check_display(instead: str) -> None:
    """Raise `ViewError` where there is certainly no display.

    Parameters
    ----------
    instead : str
        What the user can do instead, after "or".
    """
    if not sys.platform.startswith("linux") or os.environ.get("SDL_VIDEODRIVER"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ViewError(
            "there is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set); on a "
            f"remote machine log in with `ssh -X`, or {instead}"
        )


def check_choice(
    recording: Recording, speed: float, animal: int, start_s: float = 0.0, stop_s: float | None = None
) -> None:
    """Raise `ViewError` unless there is something to show, at this speed, of this animal, at these times."""
    if not 0 < speed < float("inf"):
        raise ViewError(f"speed: expected a number above 0, got {speed}")
    if not 0 <= animal < recording.animals:
        raise ViewError(f"animal: expected 0 … {recording.animals - 1}, got {animal}")
    for name, time_s in (("start", start_s), ("stop", stop_s)):
        if time_s is not None and not math.isfinite(time_s):
            raise ViewError(f"{name}: expected seconds of simulated time, got {time_s}")
    if not recording.n_steps:
        raise ViewError(f"{recording.path}: nothing is recorded yet")
