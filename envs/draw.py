"""Parts that all pictures share: colors, text, trails, and the map from millimeters to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pygame
from numpy.typing import ArrayLike, NDArray

Color = tuple[int, int, int]
Anchor = Literal[
    "topleft", "topright", "bottomleft", "bottomright", "center", "midtop", "midleft", "midright"
]

OKABE_ITO: dict[str, Color] = {
    "orange": (230, 159, 0),
    "sky": (86, 180, 233),
    "green": (0, 158, 115),
    "yellow": (240, 228, 66),
    "blue": (0, 114, 178),
    "vermilion": (213, 94, 0),
    "purple": (204, 121, 167),
}
"""The colors of Okabe and Ito (2008), which people with any common color blindness tell apart."""

BACKGROUND: Color = (16, 19, 24)
PANEL: Color = (27, 31, 39)
LINE: Color = (78, 86, 100)
TEXT: Color = (233, 236, 240)
DIM: Color = (158, 167, 180)
SELECTED: Color = OKABE_ITO["yellow"]


@dataclass(frozen=True)
class Frame:
    """A square of the world, in millimeters around (0, 0) with y upwards, and its place in a picture.

    Parameters
    ----------
    center_px : tuple of float
    px_per_mm : float

    Examples
    --------
    >>> Frame.fitting((640, 640), 50.0, margin_px=20.0).to_px((50.0, 0.0)).tolist()
    [620.0, 320.0]
    """

    center_px: tuple[float, float]
    px_per_mm: float

    @classmethod
    def fitting(cls, size_px: tuple[int, int], half_mm: float, margin_px: float) -> Frame:
        """Return the frame that shows ±half_mm in a picture, but for a margin."""
        scale = (min(size_px) / 2.0 - margin_px) / half_mm
        return cls((size_px[0] / 2.0, size_px[1] / 2.0), scale)

    def to_px(self, position_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the pixels of positions (…, 2) in mm."""
        position = np.asarray(position_mm, float)
        return np.asarray(self.center_px) + position * (self.px_per_mm, -self.px_per_mm)


def font(size_px: int) -> pygame.font.Font:
    """Return a font of a height: that of Matplotlib, which has all letters, or else that of pygame."""
    made = _font(size_px)
    try:
        made.get_height()
    except pygame.error:
        # An environment of Gymnasium that is closed quits pygame, and with it all fonts.
        _font.cache_clear()
        made = _font(size_px)
    return made


@lru_cache(maxsize=64)
def _font(size_px: int) -> pygame.font.Font:
    pygame.font.init()
    spec = find_spec("matplotlib")
    path = Path(spec.origin or "").parent / "mpl-data/fonts/ttf/DejaVuSans.ttf" if spec else Path()
    return pygame.font.Font(str(path) if path.is_file() else None, max(6, round(size_px * 0.82)))


def text(
    surface: pygame.Surface,
    words: str,
    position_px: tuple[float, float],
    size_px: int,
    color: Color = TEXT,
    anchor: Anchor = "topleft",
) -> pygame.Rect:
    """Write words on a surface.

    Parameters
    ----------
    surface : pygame.Surface
    words : str
        A single line.
    position_px : (x, y)
        Where the anchor lies (pixels from the surface's upper left corner), rounded.
    size_px : int
        Height of the font (pixels).
    color : Color
        Red, green and blue, 0 … 255.
    anchor : Anchor
        Which point of the words' rectangle lies at the position.

    Returns
    -------
    pygame.Rect
        The rectangle that the words fill.
    """
    rendered = _rendered(words, size_px, color)
    place = rendered.get_rect()
    setattr(place, anchor, (round(position_px[0]), round(position_px[1])))
    surface.blit(rendered, place)
    return place


@lru_cache(maxsize=512)
def _rendered(words: str, size_px: int, color: Color) -> pygame.Surface:
    return font(size_px).render(words, True, color)


@lru_cache(maxsize=512)
def mixed(color: Color, other: Color, share: float) -> Color:
    """Return a color between two, `share` of the way from the first to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def trail(
    surface: pygame.Surface,
    points_px: NDArray[np.float64],
    color: Color,
    width: int,
    *,
    fading: bool = True,
) -> None:
    """Draw a line that fades towards its beginning and is broken where points are NaN.

    Parameters
    ----------
    surface : Surface
        With an alpha channel, if the line fades.
    points_px : ndarray, shape (points, 2), the oldest first
    color : tuple of int
    width : int
    fading : bool
    """
    n_pieces = min(TRAIL_PIECES if fading else 1, max(1, len(points_px) - 1))
    edges = [(len(points_px) - 1) * piece // n_pieces for piece in range(n_pieces + 1)]
    known = np.concatenate(([False], ~np.isnan(points_px).any(axis=1), [False]))
    turns = np.flatnonzero(
        np.diff(known)
    ).tolist()  # first points of unbroken parts, and those after their last
    points = points_px.tolist()
    for piece, (begin, end) in enumerate(pairwise(edges)):
        alpha = round(235 * (piece + 1) / n_pieces) if fading else 255
        for start, stop in zip(turns[::2], turns[1::2], strict=True):
            part = points[max(start, begin) : min(stop, end + 1)]
            if len(part) > 1:
                pygame.draw.lines(surface, (*color, alpha), False, part, width)


TRAIL_PIECES = 20
"""Shades of a trail."""


def scale_bar(surface: pygame.Surface, frame: Frame, length_mm: float, text_px: int) -> None:
    """Draw a bar of a length into the lower left corner."""
    left, bottom = text_px * 0.8, surface.get_height() - text_px * 0.8
    right = left + length_mm * frame.px_per_mm
    width = max(2, text_px // 7)
    pygame.draw.line(surface, TEXT, (left, bottom), (right, bottom), width)
    text(surface, f"{length_mm:g} mm", ((left + right) / 2, bottom - text_px * 1.5), text_px, TEXT, "midtop")


def text_size(size_px: tuple[int, int]) -> int:
    """Return the height of text (pixels) that reads well in a picture."""
    return max(13, round(min(size_px) / 40))
