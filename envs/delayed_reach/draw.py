"""Pictures of the delayed reach: targets, cues, hand, epoch, outcome.

A cue is a ring and the response signal a filled disc; outcomes are words as well as colors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from ethospike.envs.delayed_reach.task import ReachConfig, target_directions
from ethospike.envs.draw import (
    BACKGROUND,
    DIM,
    LINE,
    OKABE_ITO,
    PANEL,
    TEXT,
    Color,
    Frame,
    mixed,
    scale_bar,
    text,
    text_size,
    trail,
)

CUE, GO, HAND = OKABE_ITO["sky"], OKABE_ITO["orange"], (250, 250, 250)
OUTCOME_COLORS: dict[str, Color] = {
    "correct": OKABE_ITO["green"],
    "wrong": OKABE_ITO["vermilion"],
    "false_start": OKABE_ITO["purple"],
    "time_out": DIM,
}
OUTCOME_SIGNS = {"correct": "✓", "wrong": "✗", "false_start": "!", "time_out": "…"}
HAND_MM = 5.0
"""Radius of the drawn hand (mm)."""
BAR_MM = 50.0


def reach_frame(size_px: tuple[int, int], config: ReachConfig) -> Frame:
    """Return the place of the workspace in a picture."""
    return Frame.fitting(size_px, config.workspace_mm, margin_px=max(4.0, min(size_px) * 0.012))


def reach_surface(
    config: ReachConfig,
    view: Mapping[str, Any],
    size_px: tuple[int, int],
    *,
    trail_mm: NDArray[np.float64] | None = None,
    caption: bool = True,
) -> pygame.Surface:
    """Draw the task as one animal has it.

    Parameters
    ----------
    config : ReachConfig
    view : mapping
        `view_state()` of the environment.
    size_px : tuple of int
        Width and height.
    trail_mm : ndarray, shape (points, 2), optional
        Path of the hand, the oldest point first; NaN breaks the trail.
    caption : bool
        Write epoch, time and trial into a corner.
    """
    frame = reach_frame(size_px, config)
    surface = pygame.Surface(size_px)
    surface.fill(BACKGROUND)
    _draw_targets(surface, frame, config, view)
    if trail_mm is not None and len(trail_mm) > 1:
        sheet = pygame.Surface(size_px, pygame.SRCALPHA)
        trail(sheet, frame.to_px(trail_mm), HAND, 3)
        surface.blit(sheet, (0, 0))
    hand = np.rint(frame.to_px(view["position_mm"])).tolist()
    radius = max(4.0, HAND_MM * frame.px_per_mm)
    pygame.draw.aacircle(surface, (0, 0, 0), hand, radius + 2)
    pygame.draw.aacircle(surface, HAND, hand, radius)
    _write(surface, frame, config, view, caption)
    return surface


def _draw_targets(
    surface: pygame.Surface, frame: Frame, config: ReachConfig, view: Mapping[str, Any]
) -> None:
    half = config.workspace_mm * frame.px_per_mm
    (x, y), side = frame.center_px, round(2 * half)
    pygame.draw.rect(surface, PANEL, (round(x - half), round(y - half), side, side), border_radius=8)
    center_px = config.center_radius_mm * frame.px_per_mm
    pygame.draw.aacircle(surface, LINE, (x, y), center_px, 2)
    radius = config.target_radius_mm * frame.px_per_mm
    size = text_size(surface.get_size())
    directions = target_directions(config.n_targets)
    for target, place in enumerate(frame.to_px(directions * config.target_distance_mm)):
        center = np.rint(place).tolist()
        fill = mixed(PANEL, TEXT, 0.08)
        if view["response_signal"][target]:
            fill = GO
        elif view["preparatory_signal"][target]:
            fill = mixed(PANEL, CUE, 0.35)
        pygame.draw.aacircle(surface, fill, center, radius)
        rim, width = (LINE, 2)
        if view["preparatory_signal"][target]:
            rim, width = CUE, 5
        if view["chosen"] == target and view["outcome"]:
            rim, width = OUTCOME_COLORS[view["outcome"]], 5
        pygame.draw.aacircle(surface, rim, center, radius, width)
        number = (0, 0, 0) if view["response_signal"][target] else DIM
        text(surface, str(target), (place[0], place[1]), size, number, "center")


def _write(
    surface: pygame.Surface, frame: Frame, config: ReachConfig, view: Mapping[str, Any], caption: bool
) -> None:
    size = text_size(surface.get_size())
    gap, width = size * 0.9, surface.get_width()
    scale_bar(surface, frame, BAR_MM, size)
    if caption:
        text(surface, view["phase"].replace("_", " "), (gap, gap), size)
        words = f"{view['time_s']:.2f} s, trial {view['trial'] + 1} of {config.n_trials}"
        text(surface, words, (gap, gap + 1.3 * size), size, DIM)
    name = view["outcome"]
    if name:
        words = f"{OUTCOME_SIGNS[name]} {name.replace('_', ' ')}"
        color = mixed(OUTCOME_COLORS[name], TEXT, 0.3)
        text(surface, words, (width - gap, gap), size, color, "topright")
    y = surface.get_height() - gap
    for words, color in (("response signal", GO), ("preparatory signal", CUE)):
        place = text(surface, words, (width - gap, y), size, DIM, "bottomright")
        thickness = 0 if color == GO else 2
        pygame.draw.circle(surface, color, (place.left - size * 0.7, place.centery), size * 0.4, thickness)
        y -= 1.3 * size
