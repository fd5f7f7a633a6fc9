"""Replay of a recording in a window; nothing is simulated again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ethospike.recorders.view.checks import Excerpt

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


def watch(recording: Recording, excerpt: Excerpt | None = None, *, screenshots: Path | None = None) -> None:
    """Show a recording in a window until it is closed.

    Parameters
    ----------
    recording : Recording
    excerpt : Excerpt, optional
        Speed, animal and beginning; a replay ends with the recording.
    screenshots : Path, optional
        Folder for screenshots; by default the working directory.

    Raises
    ------
    ViewError
        When no window can be opened, the recording is empty, or a number is out of range.
    """
    # pygame is loaded here and not with this file.
    from ethospike.recorders.view.source import RecordingSource
    from ethospike.recorders.view.window import show

    excerpt = excerpt or Excerpt()
    excerpt.check(recording)
    source = RecordingSource(recording)
    source.select(excerpt.animal)
    start = round(excerpt.start_s / recording.interval_s)
    show(source, speed=excerpt.speed, start=start, screenshots=screenshots)
