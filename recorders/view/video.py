"""A recording as a film: .mp4 or .gif, streamed to the encoder frame by frame.

Memory is that of a frame and of some blocks of the recording, for any length. It needs no display, no audio,
and of encoders only PyAV.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pygame
from numpy.typing import NDArray

from ethospike.envs.window import pixels
from ethospike.errors import ViewError
from ethospike.paths import user_path
from ethospike.recorders.memory import give_back_memory
from ethospike.recorders.recording import Recording
from ethospike.recorders.view.checks import Excerpt
from ethospike.recorders.view.screen import Screen, ScreenState
from ethospike.recorders.view.source import RecordingSource

FPS = {".mp4": 25, ".gif": 10}
"""Frames a second. GIF counts in hundredths of a second and compresses badly, hence fewer."""
SIZE_PX = {".mp4": (1280, 720), ".gif": (800, 450)}
"""Sizes of the picture (pixels), even numbers as the encoder needs them."""
GIF_COLORS = 96
TRIM_FRAMES = 10
"""Frames between two releases of freed memory."""
PALETTE_FRAMES = 8
"""Frames of a GIF from which its colors are chosen."""


@dataclass(frozen=True)
class FilmStyle:
    """Size and content of the picture of a film.

    Parameters
    ----------
    size_px, fps : optional
        By default those of the format, `SIZE_PX` and `FPS`.
    hidden : set of str
        Keys of the panels to leave out: r, w, f.
    head_trail : bool
        Draw the trails of the heads instead of the middles of the bodies.
    """

    size_px: tuple[int, int] | None = None
    fps: int | None = None
    hidden: frozenset[str] = frozenset()
    head_trail: bool = False

    def of_format(self, suffix: str) -> tuple[tuple[int, int], int]:
        """Return size and frames a second for a format, checked."""
        if unknown := "".join(sorted(self.hidden - set("rwf"))):
            raise ViewError(
                f"hide: expected panels out of r (raster), w (weights), f (rates), got {unknown!r}"
            )
        fps = FPS[suffix] if self.fps is None else self.fps
        size_px = SIZE_PX[suffix] if self.size_px is None else self.size_px
        _check_frames(suffix, size_px, fps)
        return size_px, fps


def write_video(
    recording: Recording,
    path: str | Path,
    excerpt: Excerpt | None = None,
    style: FilmStyle | None = None,
    *,
    progress: Callable[[float], None] = lambda share: None,
) -> int:
    """Write a recording as a film; return the number of frames.

    Parameters
    ----------
    recording : Recording
    path : path-like
        Ends in .mp4 or .gif; an existing file is replaced when the film is complete.
    excerpt : Excerpt, optional
        By default the whole recording at its own speed, with the spikes of animal 0.
    style : FilmStyle, optional
    progress : callable(share)
        Called after each frame with the share of frames that are written.

    Raises
    ------
    ViewError
        When the suffix is another, nothing is recorded in the excerpt, a number is out of range, or PyAV is
        not installed.
    """
    path, excerpt, style = user_path(path), excerpt or Excerpt(), style or FilmStyle()
    suffix = path.suffix.lower()
    _check_file(path, suffix)
    excerpt.check(recording)
    size_px, fps = style.of_format(suffix)
    steps = _steps_of_frames(recording, excerpt, fps, path)
    source = RecordingSource(recording)
    source.select(excerpt.animal)
    screen, surface = Screen(source), pygame.Surface(size_px)
    state = ScreenState(speed=excerpt.speed, hidden=set(style.hidden), head_trail=style.head_trail, film=True)

    def drawn(step: int) -> pygame.Surface:
        state.step = step
        screen.draw(surface, state)
        return surface

    part = path.with_name(f".{os.getpid()}.film.part")  # not the name itself, which may be as long as allowed
    try:
        examples = steps[:: max(1, len(steps) // PALETTE_FRAMES)] if suffix == ".gif" else []
        pictures = [pixels(drawn(step)) for step in examples]
        with part.open("wb") as file, _Film(file, suffix, size_px, fps, pictures) as film:
            for frame, step in enumerate(steps):
                film.add(drawn(step))
                if frame % TRIM_FRAMES == 0:
                    give_back_memory()
                progress((frame + 1) / len(steps))
        os.replace(part, path)
    except OSError as error:
        raise ViewError(f"{path}: the film could not be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return len(steps)


def _steps_of_frames(recording: Recording, excerpt: Excerpt, fps: int, path: Path) -> list[int]:
    """Return the control step that each frame shows."""
    shown, interval_s = excerpt.control_steps(recording), recording.interval_s
    if not shown:
        until_s = recording.duration_s if excerpt.stop_s is None else excerpt.stop_s
        raise ViewError(f"{path}: nothing is recorded between {excerpt.start_s:g} s and {until_s:g} s")
    n_frames = max(1, int(np.ceil(len(shown) * interval_s / excerpt.speed * fps - 1e-6)))
    passed = (int(frame * excerpt.speed / fps / interval_s + 1e-6) for frame in range(n_frames))
    return [min(shown[-1], shown.start + steps) for steps in passed]


class _Film:
    """A film that grows by a frame at a time.

    It is written to an open file: in names of files, the encoder finds protocols (`a:b.mp4`) and patterns
    (`100%d.gif`).
    """

    def __init__(
        self,
        file: BinaryIO,
        suffix: str,
        size_px: tuple[int, int],
        fps: int,
        examples: list[NDArray[np.uint8]],
    ) -> None:
        import av

        self._av: Any = av
        self._container: Any = av.open(file, "w", format=suffix[1:])
        width, height = size_px
        if suffix == ".gif":
            self._stream: Any = self._container.add_stream("gif", rate=fps)
            self._stream.pix_fmt = "pal8"
            # The graph is kept with its ends: they do not keep it, and fail without it.
            self._filters: Any = _palette_graph(av, np.concatenate(examples), size_px, fps)
        else:
            self._stream = self._container.add_stream("libx264", rate=fps)
            # Every player shows 4:2:0; thin lines and small text need a low quantizer.
            self._stream.pix_fmt = "yuv420p"
            # Two threads and a short look ahead: each holds whole frames in memory.
            self._stream.options = {"crf": "20", "preset": "veryfast", "threads": "2", "rc-lookahead": "5"}
            self._filters = None
        self._stream.width, self._stream.height = width, height
        self._stream.time_base = self._time_base = Fraction(1, fps)
        self._frames = 0

    def __enter__(self) -> _Film:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def add(self, surface: pygame.Surface) -> None:
        """Add a frame."""
        frame = self._av.VideoFrame.from_ndarray(pixels(surface), format="rgb24")
        frame.pts, frame.time_base = self._frames, self._time_base
        self._frames += 1
        if self._filters is not None:
            _, entry, exit_ = self._filters
            entry.push(frame)
            frame = exit_.pull()
        self._container.mux(self._stream.encode(frame))


def _palette_graph(
    av: Any, picture: NDArray[np.uint8], size_px: tuple[int, int], fps: int
) -> tuple[Any, Any, Any]:
    """Return a filter that gives all frames of a GIF one palette, the best for some of them, with its ends.

    With one palette, a frame needs to hold only the changes since the frame before.
    """
    height, width = picture.shape[:2]
    finder = av.filter.Graph()
    source = finder.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, fps))
    palette, sink = finder.add("palettegen", f"max_colors={GIF_COLORS}"), finder.add("buffersink")
    source.link_to(palette)
    palette.link_to(sink)
    finder.configure()
    source.push(av.VideoFrame.from_ndarray(picture, format="rgb24"))
    source.push(None)
    colors = sink.pull()
    graph = av.filter.Graph()
    frames = graph.add_buffer(width=size_px[0], height=size_px[1], format="rgb24", time_base=Fraction(1, fps))
    chosen = graph.add_buffer(
        width=colors.width, height=colors.height, format=colors.format.name, time_base=Fraction(1, fps)
    )
    use, sink = graph.add("paletteuse", "dither=none:diff_mode=rectangle"), graph.add("buffersink")
    frames.link_to(use, 0, 0)
    chosen.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    colors.pts = 0
    chosen.push(colors)
    chosen.push(None)
    return graph, frames, sink


def _check_frames(suffix: str, size_px: tuple[int, int], fps: int) -> None:
    if not isinstance(fps, Integral) or fps < 1:
        raise ViewError(f"fps: expected a whole number of at least 1, got {fps}")
    step = 2 if suffix == ".mp4" else 1
    if not all(isinstance(side, Integral) and side >= step and side % step == 0 for side in size_px):
        kind = "even numbers" if step == 2 else "whole numbers"
        raise ViewError(f"size_px: expected {kind} of at least {step}, got {size_px[0]} × {size_px[1]}")


def _check_file(path: Path, suffix: str) -> None:
    if suffix not in FPS:
        raise ViewError(f"{path}: expected a film's name to end in {' or '.join(FPS)}, got {path.suffix!r}")
    if not path.parent.is_dir():
        raise ViewError(f"{path}: there is no folder {path.parent}")
    if find_spec("av") is None:
        raise ViewError("a film needs the package av (PyAV): pip install 'ethospike[video]'")
