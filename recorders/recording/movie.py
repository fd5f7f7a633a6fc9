"""A film of a part of a recording, for a notebook."""

from __future__ import annotations

import base64
import importlib
import tempfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ethospike.errors import ViewError
from ethospike.paths import user_path

LONGEST_S = 300.0
"""Length of a film that a notebook holds: some 40 MB. Longer ones belong into a file."""


@dataclass(frozen=True)
class Movie:
    """A film that a notebook plays.

    Parameters
    ----------
    content : bytes
        An MP4 file.
    title : str
    size_px : tuple of int
    """

    content: bytes = field(repr=False)
    title: str
    size_px: tuple[int, int]

    def __repr__(self) -> str:
        return f"<Movie of {self.title}: {len(self.content) / 1e6:.1f} MB; save it with .save('FILE.mp4')>"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.content).decode("ascii")
        width, height = self.size_px
        return (
            f'<video controls loop muted width="{width:d}" height="{height:d}" title="{escape(self.title)}" '
            f'src="data:video/mp4;base64,{data}"></video>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the film to a file ending in .mp4, and return its path.

        Raises
        ------
        ViewError
            When the file has another ending, or cannot be written.
        """
        file = user_path(path)
        if file.suffix.lower() != ".mp4":
            raise ViewError(f"{path}: expected a film's name to end in .mp4, got {file.suffix!r}")
        try:
            file.write_bytes(self.content)
        except OSError as error:
            raise ViewError(f"{path}: the film could not be written: {error.strerror}") from error
        return file


def film_of(
    recording: Any,
    part_s: tuple[float, float | None],
    speed: float,
    animal: int,
    size_px: tuple[int, int],
    hide: str,
) -> Movie:
    """Return a part of a `Recording`, whose file imports this one, as a film; see `Recording.movie`."""
    # By name, as scenes are loaded: films read recordings, and are a layer above them.
    checks: Any = importlib.import_module("ethospike.recorders.view.checks")
    excerpt = checks.Excerpt(speed, animal, *part_s)
    excerpt.check(recording)
    length_s = len(excerpt.control_steps(recording)) * recording.interval_s / speed
    if length_s > LONGEST_S:
        raise ViewError(
            f"movie: expected at most {LONGEST_S:g} s of film, got {length_s:g} s; choose a shorter part or "
            f"a higher speed, or `ethospike replay {recording.path.parent} --video FILE.mp4`"
        )
    video: Any = importlib.import_module("ethospike.recorders.view.video")
    style = video.FilmStyle(size_px=tuple(size_px), hidden=frozenset(hide))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "movie.mp4"
        video.write_video(recording, file, excerpt, style)
        content = file.read_bytes()
    end_s = recording.duration_s if part_s[1] is None else min(part_s[1], recording.duration_s)
    name = str(recording.run_info.get("scenario", recording.path.name))
    title = f"{name}, {part_s[0]:g} … {end_s:g} s at {speed:g}× speed"
    return Movie(content, title, (size_px[0], size_px[1]))
