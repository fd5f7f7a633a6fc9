"""Watching a recording: in a window, or as a film.

In: a `Recording`. Out: a window until it is closed, or a file. Nothing is simulated again. pygame is loaded
by these functions and not by those who import this file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ethospike.recorders.view.checks import check_choice

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


def watch(
    recording: Recording,
    *,
    speed: float = 1.0,
    animal: int = 0,
    start_s: float = 0.0,
    screenshots: Path | None = None,
) -> None:
    """Show a recording in a window until it is closed.

    Parameters
    ----------
    recording : Recording
    speed : float
        Simulated time per time on the wall, at the beginning.
    animal : int
        From 0; whose spikes and weights are shown at the beginning.
    start_s : float
        Where to begin.
    screenshots : Path, optional
        Folder for screenshots; by default the working directory.

    Raises
    ------
    ViewError
        When no window can be opened, there is nothing to show, or a number makes no sense.
    """
    _hide_greeting()
    from ethospike.recorders.view.source import RecordingSource
    from ethospike.recorders.view.window import show

    check_choice(recording, speed, animal, start_s)
    source = RecordingSource(recording)
    source.select(animal)
    show(source, speed=speed, start=round(start_s / recording.interval_s), screenshots=screenshots)


def film(
    recording: Recording,
    path: str | Path,
    *,
    speed: float = 1.0,
    animal: int = 0,
    start_s: float = 0.0,
    stop_s: float | None = None,
    hidden: frozenset[str] = frozenset(),
    head_trail: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> int:
    """Write a recording as a film; see `ethospike.recorders.view.video.write_video`."""
    _hide_greeting()
    from ethospike.recorders.view.video import write_video

    return write_video(
        recording,
        path,
        speed=speed,
        animal=animal,
        start_s=start_s,
        stop_s=stop_s,
        hidden=hidden,
        head_trail=head_trail,
        progress=progress,
    )


def _hide_greeting() -> None:
    # pygame greets on standard output, which belongs to the command.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
