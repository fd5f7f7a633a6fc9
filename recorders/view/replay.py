"""Replay of a recording in a window or a browser; nothing is simulated again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ethospike.recorders.view.checks import Excerpt

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording
    from ethospike.recorders.view.serve import Listening


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


def watch_in_browser(
    recording: Recording,
    excerpt: Excerpt | None = None,
    listening: Listening | None = None,
    *,
    opened: Callable[[str], None] = print,
) -> None:
    """Serve a recording to browsers until a reader ends the view.

    Parameters
    ----------
    recording : Recording
    excerpt : Excerpt, optional
        As of `watch`.
    listening : Listening, optional
        By default any free port of this machine's own address.
    opened : callable(address)
        Called with the address, which holds the token; by default it is printed.

    Raises
    ------
    ViewError
        When the address cannot be listened on, the recording is empty, or a number is out of range.
    """
    from ethospike.recorders.view.serve import serve
    from ethospike.recorders.view.source import RecordingSource

    excerpt = excerpt or Excerpt()
    excerpt.check(recording)
    source = RecordingSource(recording)
    source.select(excerpt.animal)
    start = round(excerpt.start_s / recording.interval_s)
    serve(source, listening, speed=excerpt.speed, start=start, opened=opened)
