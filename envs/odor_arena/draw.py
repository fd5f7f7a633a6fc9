"""Pictures of the odor arena: dish, odors, reinforcement, larvae.

Odors are heat maps with contour lines, reward and punishment are circles filled with plus and minus signs, so
that no meaning hangs on a color alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from ethospike.envs.draw import (
    BACKGROUND,
    DIM,
    OKABE_ITO,
    SELECTED,
    TEXT,
    Color,
    Frame,
    mixed,
    scale_bar,
    text,
    text_size,
    trail,
)

ODOR_COLORS = tuple(OKABE_ITO[name] for name in ("sky", "orange", "purple", "blue"))
"""Colors of the odors, in their order; a fifth odor has the color of the first."""
REWARD, PUNISHMENT = OKABE_ITO["green"], OKABE_ITO["vermilion"]
AGAR: Color = (38, 43, 52)
RIM: Color = (120, 130, 146)
BODY: Color = (236, 231, 219)
HEAD: Color = (24, 20, 16)
"""Color of the dot at the head, which is at the position that a recording holds."""

HEAT = 0.72
"""Share of an odor's color where its concentration is that of the strongest source."""
BODY_RADII = (0.10, 0.15, 0.18, 0.20, 0.21, 0.21, 0.20, 0.18, 0.15, 0.11)
"""Half the width of a body from tail to head, in body lengths; fatter than a larva, to be seen."""
BAR_MM = 10.0
KEPT_BACKGROUNDS = 6
STRIP_PX = 128
"""Columns of pixels of a heat map that are computed at a time."""

_backgrounds: OrderedDict[tuple[Any, ...], pygame.Surface] = OrderedDict()


def arena_frame(size_px: tuple[int, int], dish_radius_mm: float) -> Frame:
    """Return the place of the dish in a picture."""
    return Frame.fitting(size_px, dish_radius_mm, margin_px=max(4.0, min(size_px) * 0.012))


def arena_surface(
    view: Mapping[str, Any],
    size_px: tuple[int, int],
    *,
    trail_mm: NDArray[np.float64] | None = None,
    selected: int | None = None,
    caption: bool = True,
) -> pygame.Surface:
    """Draw a dish.

    Parameters
    ----------
    view : mapping
        See `ArenaScene.view`.
    size_px : tuple of int
        Width and height.
    trail_mm : ndarray, shape (points, animals, 2), optional
        Paths of middles or heads, the oldest point first, each in its own dish; NaN breaks a trail.
    selected : int, optional
        The animal to mark.
    caption : bool
        Write phase and time into a corner.
    """
    frame = arena_frame(size_px, view["dish_radius_mm"])
    surface = _background(view, size_px, frame).copy()
    flip = np.where(view["mirrored"], -1.0, 1.0)
    if trail_mm is not None and len(trail_mm) > 1:
        _draw_trails(surface, frame, trail_mm * np.stack((flip, np.ones_like(flip)), axis=1), selected)
    order = sorted(range(len(flip)), key=lambda animal: animal == selected)
    for animal in order:
        mark = animal == selected and len(flip) > 1
        _draw_larva(surface, frame, view, animal, bool(flip[animal] < 0), mark)
    _write(surface, frame, view, caption)
    return surface


def body_px(
    frame: Frame, head_mm: NDArray[np.float64], heading_rad: float, bend_rad: float, length_mm: float
) -> NDArray[np.float64]:
    """Return points along a body from tail to head in pixels, shape (len(BODY_RADII), 2).

    Two straight segments that meet in the middle at the bend, rounded as a quadratic curve.
    """
    half = length_mm / 2.0
    middle = head_mm - half * np.array([np.cos(heading_rad), np.sin(heading_rad)])
    rear = heading_rad - bend_rad
    tail = middle - half * np.array([np.cos(rear), np.sin(rear)])
    t = np.linspace(0.0, 1.0, len(BODY_RADII))[:, None]
    return frame.to_px((1 - t) ** 2 * tail + 2 * t * (1 - t) * middle + t**2 * head_mm)


def _draw_larva(
    surface: pygame.Surface, frame: Frame, view: Mapping[str, Any], animal: int, flipped: bool, marked: bool
) -> None:
    head, heading, bend = (view[name][animal] for name in ("position_mm", "heading_rad", "bend_rad"))
    if flipped:
        head, heading, bend = head * (-1.0, 1.0), np.pi - heading, -bend
    length_mm = view["body_length_mm"]
    points = body_px(frame, head, float(heading), float(bend), length_mm)
    color = SELECTED if marked else BODY
    length_px = length_mm * frame.px_per_mm
    for widening, shade in ((1.2, mixed(color, (0, 0, 0), 0.75)), (0.0, color)):
        for point, radius in zip(points, BODY_RADII, strict=True):
            pygame.draw.aacircle(
                surface, shade, np.rint(point).tolist(), max(1.5, radius * length_px) + widening
            )
    # pygame cuts off fractions, and its circles lie half a pixel up and left of their center.
    head_px = np.rint(points[-1] + 0.5).tolist()
    pygame.draw.circle(surface, HEAD, head_px, max(2.0, BODY_RADII[-1] * length_px * 0.75))
    if marked:
        middle = points[len(points) // 2].tolist()
        pygame.draw.aacircle(surface, SELECTED, middle, max(9.0, 0.8 * length_px), 2)


def _draw_trails(
    surface: pygame.Surface, frame: Frame, trail_mm: NDArray[np.float64], selected: int | None
) -> None:
    sheet = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
    points = frame.to_px(trail_mm)
    alone = points.shape[1] == 1
    for animal in sorted(range(points.shape[1]), key=lambda row: row == selected):
        mine = animal == selected and not alone
        trail(sheet, points[:, animal], SELECTED if mine else BODY, 2 if mine or alone else 1)
    surface.blit(sheet, (0, 0))


def _write(surface: pygame.Surface, frame: Frame, view: Mapping[str, Any], caption: bool) -> None:
    """Write the legend into the corners, which the round dish leaves free."""
    size = text_size(surface.get_size())
    width, gap = surface.get_width(), size * 0.5
    scale_bar(surface, frame, BAR_MM, size)
    if caption:
        text(surface, view["phase"], (gap, gap), size)
        text(surface, f"{view['time_s']:.1f} s", (gap, gap + size * 1.3), size, DIM)
    y = gap
    for index, odor in enumerate(view["odors"]):
        color = ODOR_COLORS[index % len(ODOR_COLORS)]
        here = float(view["odor_field"][index].max()) > 0
        words = f"odor {odor}" if here else f"odor {odor}: absent"
        place = text(surface, words, (width - gap, y), size, TEXT if here else DIM, "topright")
        pygame.draw.circle(
            surface, color, (place.left - size * 0.7, place.centery), size * 0.36, 0 if here else 2
        )
        y += size * 1.3
    kinds = {bool(strength > 0) for strength in view["patch_strength"]}
    y = surface.get_height() - gap
    if float(view["odor_field"].max(initial=0.0)) > 0:
        step = f"{contour_step_um(view['odor_peak_um']):g} µM"
        text(surface, f"contours every {step}", (width - gap, y), size, DIM, "bottomright")
        y -= size * 1.3
    for is_reward, words, color in ((False, "− punishment", PUNISHMENT), (True, "+ reward", REWARD)):
        if is_reward in kinds:
            text(surface, words, (width - gap, y), size, mixed(color, TEXT, 0.35), "bottomright")
            y -= size * 1.3


# -- the background: everything that does not move ---------------------------------------------------------


def contour_step_um(peak_um: float) -> float:
    """Return the distance of contour lines: 1, 2 or 5 times a power of ten, about a quarter of the peak."""
    raw = peak_um / 4.0
    power = 10.0 ** np.floor(np.log10(raw))
    return float(min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(factor * power - raw)) * power)


def _background(view: Mapping[str, Any], size_px: tuple[int, int], frame: Frame) -> pygame.Surface:
    """Return dish, odors and reinforcement, from memory if they were drawn lately."""
    parts = ("odor_field", "patch_mm", "patch_strength")
    key = (size_px, view["odor_peak_um"], *(view[part].tobytes() for part in parts))
    if key not in _backgrounds:
        surface = pygame.Surface(size_px)
        surface.fill(BACKGROUND)
        _draw_dish(surface, frame, view)
        for patch, strength in zip(view["patch_mm"], view["patch_strength"], strict=True):
            _draw_reinforcement(surface, frame, view["dish_radius_mm"], patch, float(strength))
        _backgrounds[key] = surface
        if len(_backgrounds) > KEPT_BACKGROUNDS:
            _backgrounds.popitem(last=False)
    _backgrounds.move_to_end(key)
    return _backgrounds[key]


def _draw_dish(surface: pygame.Surface, frame: Frame, view: Mapping[str, Any]) -> None:
    radius_px = view["dish_radius_mm"] * frame.px_per_mm
    side = max(2, round(2 * radius_px))
    # Twice as fine as the picture, so that contour lines and the rim come out smooth.
    colors = _heat_map(view["odor_field"], view["odor_peak_um"], 2 * side)
    sheet = pygame.Surface((2 * side, 2 * side), pygame.SRCALPHA)
    pygame.surfarray.blit_array(sheet, colors)
    alpha = pygame.surfarray.pixels_alpha(sheet)
    axis = np.arange(2 * side) - side + 0.5
    alpha[:] = np.where(np.hypot(axis[:, None], axis[None, :]) <= side, 255, 0)
    del alpha  # a surface is locked as long as its pixels are held
    left, top = (round(center - radius_px) for center in frame.center_px)
    surface.blit(pygame.transform.smoothscale(sheet, (side, side)), (left, top))
    pygame.draw.aacircle(surface, RIM, frame.center_px, radius_px + 1, 2)


def _heat_map(field: NDArray[np.float32], peak_um: float, side_px: int) -> NDArray[np.uint8]:
    """Return colors of the dish's square, shape (x, y, 3), y downwards, with contour lines."""
    points = field.shape[1]
    place = np.linspace(0.0, points - 1.0, side_px)
    low = np.minimum(place.astype(int), points - 2)
    between = np.zeros((side_px, points), np.float32)
    between[np.arange(side_px), low] = 1.0 - (place - low)
    between[np.arange(side_px), low + 1] = place - low
    present = [(index, (between @ grid[::-1]).T) for index, grid in enumerate(field) if grid.any()]
    step = contour_step_um(peak_um)
    colors = np.empty((side_px, side_px, 3), np.uint8)
    # In strips, so that memory does not depend much on the size of the picture.
    for begin in range(0, side_px, STRIP_PX):
        rows = slice(begin, min(begin + STRIP_PX, side_px))
        strip = np.full((rows.stop - rows.start, side_px, 3), AGAR, np.float32)
        for index, columns in present:
            # One more to the left, whose contour level is compared with.
            before = min(begin, 1)
            fine = between[begin - before : rows.stop] @ columns
            color = np.array(ODOR_COLORS[index % len(ODOR_COLORS)], np.float32)
            strip += (color - strip) * (fine[before:] * np.float32(HEAT / peak_um))[:, :, None]
            level = np.floor(fine / step).astype(np.int16)
            edge = np.zeros(level.shape, bool)
            edge[1:] |= level[1:] != level[:-1]
            edge[:, 1:] |= level[:, 1:] != level[:, :-1]
            on = edge[before:]
            strip[on] += (np.float32(255.0) - strip[on]) * np.float32(0.55)
        colors[rows] = np.clip(strip, 0, 255)
    return colors


def _draw_reinforcement(
    surface: pygame.Surface, frame: Frame, dish_radius_mm: float, patch: NDArray[np.float64], strength: float
) -> None:
    """Draw a patch as a circle with signs in it, where it is in the dish; one as large as the dish as signs
    all over.
    """
    color, sign = (REWARD, "+") if strength > 0 else (PUNISHMENT, "−")
    bright = mixed(color, TEXT, 0.35)
    center, radius_px = frame.to_px(patch[:2]), float(patch[2]) * frame.px_per_mm
    everywhere = patch[2] >= dish_radius_mm
    dish_px = dish_radius_mm * frame.px_per_mm
    if everywhere:
        pygame.draw.aacircle(surface, color, center.tolist(), radius_px + 2, 4)
    else:
        angle = np.linspace(0.0, 2.0 * np.pi, 361)
        rim = center + radius_px * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        rim[np.hypot(*(rim - frame.center_px).T) > dish_px] = np.nan
        trail(surface, rim, bright, 3, fading=False)
    size = max(14, round(min(surface.get_size()) / 26))
    spacing = size * (2.2 if everywhere else 1.15)
    n = int(radius_px / spacing) + 1
    for row in range(-n, n + 1):
        for column in range(-n, n + 1):
            offset = np.array([column + 0.5 * (row % 2), row * 0.87]) * spacing
            place = center + offset
            from_middle = np.hypot(*(place - frame.center_px))
            if np.hypot(*offset) < radius_px - 0.5 * size and from_middle < dish_px - 0.6 * size:
                text(surface, sign, (place[0], place[1]), size, bright, "center")
