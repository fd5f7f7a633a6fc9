"""The whole picture: header, task, panels, time bar, help.

In: a `ViewSource`, a control step, and what is on. Out: a drawn surface, and the words on it as data. Live
view, replay and video all draw through `Screen.draw`. This file knows no keys, no clock and no window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from ethospike.envs.delayed_reach.draw import reach_frame, reach_surface
from ethospike.envs.delayed_reach.scene import ReachScene
from ethospike.envs.draw import BACKGROUND, DIM, LINE, OKABE_ITO, PANEL, SELECTED, TEXT, font, mixed, text
from ethospike.envs.odor_arena.draw import arena_frame, arena_surface
from ethospike.envs.odor_arena.larva_body import middle_of_body_mm
from ethospike.envs.odor_arena.scene import ArenaScene
from ethospike.envs.scene import scene_of
from ethospike.recorders.recorder import Layout
from ethospike.recorders.view.panels import Panel, Window, panels_for
from ethospike.recorders.view.source import ViewSource

WINDOW_S = {"odor_arena": 10.0, "delayed_reach": 4.0}
"""Length of the panels' time axis (s): single spikes can be seen; and a reaching trial fits."""
TRAIL_S = {"odor_arena": 60.0, "delayed_reach": 1.5}
"""Length of a trail (s): a larva crosses half a dish, a hand reaches once."""
MAX_TRAIL_POINTS = 300
BAR_POINTS = 2000
"""Control steps at which the time bar looks for the phase: about one a pixel."""
BOX = (8, 10, 13)
BODY = ("position_mm", "heading_rad", "bend_rad")
NEEDED: dict[type[ArenaScene] | type[ReachScene], tuple[str, ...]] = {
    ArenaScene: (*BODY, "phase"),
    ReachScene: ("position_mm", "phase", "trial", "target", "chosen", "outcome", "observation"),
}
"""Variables without which the picture of a task cannot be drawn."""

HELP = (
    ("space", "pause, go on"),
    ("→ ←", "paused: one step; replay: 5 s"),
    ("PgUp PgDn", "replay: a tenth of the recording"),
    ("+ −", "replay: speed"),
    ("Home End", "first, last step"),
    ("tab", "next animal; or click on a larva"),
    ("r w f", "raster, weights, rates on and off"),
    ("t", "trails of the heads, of the middles of the bodies"),
    ("s", "screenshot"),
    ("h", "this help"),
    ("q", "close the view; a run goes on"),
)


@dataclass
class ScreenState:
    """What is shown besides the data.

    Parameters
    ----------
    step : int
        The control step to show.
    hidden : set of str
        Keys of panels that are off.
    note : str
        A line for the reader, such as where a screenshot is.
    head_trail : bool
        Whether the trails are those of the heads instead of the middles of the bodies.
    film : bool
        Whether nobody can press keys, so that none are named.
    """

    step: int = 0
    paused: bool = False
    speed: float = 1.0
    help: bool = False
    hidden: set[str] = field(default_factory=set)
    note: str = ""
    head_trail: bool = False
    film: bool = False


class Screen:
    """Draws a view of a source.

    Parameters
    ----------
    source : ViewSource

    Attributes
    ----------
    shows_task : bool
        Whether body and world can be drawn; without them, panels have the whole width.
    bar, task : pygame.Rect
        Where time bar and task were drawn last; empty without them.
    """

    def __init__(self, source: ViewSource) -> None:
        self.source = source
        self.layout = source.layout
        self.panels = panels_for(source.layout)
        kind = source.layout.scene.get("kind")
        self.scene = scene_of(source.layout.scene) if kind else None
        self.shows_task = self.scene is not None and all(
            name in source.layout.variables for name in NEEDED[type(self.scene)]
        )
        self._interval_s = source.layout.control_interval_ms / 1000.0
        self._window_n = max(2, round(WINDOW_S.get(str(kind), 10.0) / self._interval_s))
        self._trail_n = max(2, round(TRAIL_S.get(str(kind), 10.0) / self._interval_s))
        self._phases: list[tuple[int, int]] | None = None
        self.bar = pygame.Rect(0, 0, 0, 0)
        self.task = pygame.Rect(0, 0, 0, 0)

    def labels(self, state: ScreenState) -> dict[str, str]:
        """Return the words of the header for a control step.

        Returns
        -------
        dict of str to str
            `time`, `factor`, `phase`, `step`, `animal`; for a trial `trial` and `outcome`; `missing` where a
            body moved but the recording does not say where.
        """
        source, step = self.source, state.step
        factor = source.real_time_factor
        labels = {
            "time": f"{(step + 1) * self._interval_s:.{1 if self._interval_s >= 0.1 else 2}f} s",
            "factor": "real time ×" + ("…" if factor is None else f"{factor:.3g}"),
            "phase": self.phase(step),
            "step": f"step {step}",
            "animal": f"animal {source.animal} ({self.layout.animals} in all)",
        }
        if not source.is_live:
            labels["factor"] = f"recorded at {labels['factor']}" if factor is not None else ""
            labels["step"] += f" of {source.steps.stop - 1}"
        if self.scene is not None and not self.shows_task:
            labels["missing"] = "body not recorded"
        view = self._reach_view(step)
        if view is not None and isinstance(self.scene, ReachScene):
            labels["trial"] = f"trial {view['trial'] + 1} of {self.scene.config.n_trials}"
            labels["outcome"] = view["outcome"].replace("_", " ")
        return labels

    def phase(self, step: int) -> str:
        """Return the phase of the selected animal in a control step; empty without phases."""
        if not self.layout.phases or "phase" not in self.layout.variables:
            return ""
        _, phase = self.source.rows("phase", step, 1)
        return self.layout.phases[int(phase[-1, self.source.animal])] if len(phase) else ""

    # -- the picture --------------------------------------------------------------------------------

    def draw(self, surface: pygame.Surface, state: ScreenState) -> None:
        """Draw everything."""
        width, height = surface.get_size()
        size = max(13, round(min(width / 80, height / 45)))
        surface.fill(BACKGROUND)
        if not len(self.source.steps):
            text(
                surface, "waiting for the first control step …", (width / 2, height / 2), size, DIM, "center"
            )
            return
        header, footer = round(2.2 * size), round(2.3 * size)
        self._draw_header(surface, pygame.Rect(0, 0, width, header), state, size)
        # A window of a few pixels is drawn too, though not for anybody to read.
        below = max(64, height - header - footer)
        side = max(64, min(below, round(width * 0.52))) if self.shows_task else 0
        self.task = pygame.Rect(0, header, side, below)
        if self.shows_task:
            self._draw_task(surface, state)
        shown = [panel for panel in self.panels if panel.key not in state.hidden or not panel.key]
        gap = round(size * 0.4)
        beside = pygame.Rect(side + gap, header, width - side - 2 * gap, below)
        if not shown and not self.shows_task:
            text(surface, "all panels are off", beside.center, size, DIM, "center")
        self._draw_panels(surface, beside, shown, Window(state.step, self._window_n, size, self.layout), gap)
        foot = pygame.Rect(gap, height - footer, width - 2 * gap, footer)
        self._draw_footer(surface, foot, state, size)
        if state.help:
            self._draw_help(surface, size)
        if state.note:
            self._draw_note(surface, state.note, foot.top - 2 * size, size)

    def animal_at(self, position_px: tuple[int, int], step: int) -> int | None:
        """Return the larva at a place of the window as it was drawn last, if there is one."""
        if not isinstance(self.scene, ArenaScene) or not self.task.collidepoint(position_px):
            return None
        distance = np.hypot(*(self.heads_px(step) - np.array(position_px)).T)
        nearest = int(distance.argmin())
        return nearest if distance[nearest] <= max(12.0, self.task.width / 40) else None

    def heads_px(self, step: int) -> NDArray[np.float64]:
        """Return where heads, or the hand, are in the window as it was drawn last, shape (animals, 2)."""
        _, position = self.source.rows("position_mm", step, 1)
        if isinstance(self.scene, ArenaScene):
            frame = arena_frame(self.task.size, self.scene.config.radius_mm)
            flip = np.stack((self.scene.side * self.scene.side[0], np.ones_like(self.scene.side)), axis=1)
            return np.asarray(frame.to_px(position[-1] * flip) + self.task.topleft)
        if isinstance(self.scene, ReachScene):
            frame = reach_frame(self.task.size, self.scene.config)
            hand = position[-1, self.source.animal : self.source.animal + 1]
            return np.asarray(frame.to_px(hand) + self.task.topleft)
        return np.empty((0, 2))

    def _draw_header(self, surface: pygame.Surface, rect: pygame.Rect, state: ScreenState, size: int) -> None:
        labels = self.labels(state)
        y, x = rect.centery, size * 0.7
        big = round(size * 1.25)
        x = text(surface, labels["time"], (x, y), big, TEXT, "midleft").right + size
        for name in ("phase", "trial", "outcome", "step", "animal", "missing", "factor"):
            if labels.get(name):
                color = SELECTED if name == "phase" else TEXT if name in ("outcome", "trial") else DIM
                x = text(surface, labels[name].replace("_", " "), (x, y), size, color, "midleft").right + size
        mode = "live" if self.source.is_live else f"replay ×{state.speed:g}"
        if state.paused:
            mode += ", paused"
        right = rect.right - size * 0.7
        if x + len(mode) * size * 0.6 < right:
            text(surface, mode, (right, y), size, OKABE_ITO["sky"], "midright")

    def _draw_task(self, surface: pygame.Surface, state: ScreenState) -> None:
        picture = (
            self._arena_picture(self.scene, state)
            if isinstance(self.scene, ArenaScene)
            else self._reach_picture(state.step)
        )
        if picture is not None:
            surface.blit(picture, self.task)

    def _arena_picture(self, scene: ArenaScene, state: ScreenState) -> pygame.Surface:
        step = state.step
        position, heading, bend = (self.source.rows(name, step, 1)[1][-1] for name in BODY)
        _, phases = self.source.rows("phase", step, 1)
        view = scene.view(int(phases[-1, 0]), position, heading, bend, time_s=(step + 1) * self._interval_s)
        trail = self.trail_mm(step, head=state.head_trail)
        return arena_surface(view, self.task.size, trail_mm=trail, selected=self.source.animal, caption=False)

    def trail_mm(self, step: int, *, head: bool = False) -> NDArray[np.float64]:
        """Return the trails of larvae up to a control step, shape (points, animals, 2), the oldest first.

        Those of the middles of the bodies, as laboratories track larvae, or of the heads.
        """
        if not head and "centroid_mm" in self.layout.variables:
            return self._trail(*self.source.rows("centroid_mm", step, self._trail_n))
        steps, position = self.source.rows("position_mm", step, self._trail_n)
        if not head:  # not recorded, as before there was a centroid
            _, heading = self.source.rows("heading_rad", step, self._trail_n)
            position = middle_of_body_mm(position, heading)
        return self._trail(steps, position)

    def _trail(self, steps: NDArray[np.int64], position: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return a trail, with a gap where steps are missing or animals were put elsewhere."""
        stride = max(1, len(steps) // MAX_TRAIL_POINTS)
        # Whole multiples of the stride, so that a trail does not flicker; and the last, where it is now.
        kept = steps % stride == 0
        kept[-1:] = True
        steps, points = steps[kept], np.array(position[kept], float)
        if len(steps) < 2:
            return points
        jump_mm = 3.0 + 8.0 * stride * self._interval_s  # twice the fastest crawl, and a stroke of the head
        if isinstance(self.scene, ArenaScene):
            moved = np.hypot(*np.moveaxis(np.diff(points, axis=0), -1, 0))
            points[1:][moved > jump_mm] = np.nan
        points[1:][np.diff(steps) > 2 * stride] = np.nan
        return points

    def _reach_view(self, step: int) -> dict[str, Any] | None:
        if not isinstance(self.scene, ReachScene) or not self.shows_task:
            return None
        values = {name: self.source.rows(name, step, 1)[1] for name in NEEDED[ReachScene]}
        if not len(values["phase"]):
            return None
        row: Mapping[str, NDArray[Any]] = {name: value[-1] for name, value in values.items()}
        return self.scene.view(row, self.source.animal, time_s=(step + 1) * self._interval_s)

    def _reach_picture(self, step: int) -> pygame.Surface | None:
        view = self._reach_view(step)
        if view is None or not isinstance(self.scene, ReachScene):
            return None
        steps, position = self.source.rows("position_mm", step, self._trail_n)
        trail = self._trail(steps, position)[:, self.source.animal]
        return reach_surface(self.scene.config, view, self.task.size, trail_mm=trail, caption=False)

    def _draw_panels(
        self, surface: pygame.Surface, rect: pygame.Rect, panels: list[Panel], window: Window, gap: int
    ) -> None:
        total, top = sum(panel.weight for panel in panels), float(rect.top)
        for panel in panels:
            height = (rect.height - gap * (len(panels) - 1)) * panel.weight / total
            place = pygame.Rect(rect.left, round(top), rect.width, round(height))
            if place.width > 8 * window.text_px and place.height > 3 * window.text_px:
                panel.draw(surface, place, self.source, window)
            top += height + gap

    # -- the foot -----------------------------------------------------------------------------------

    def step_at(self, x_px: float) -> int:
        """Return the control step at a place of the time bar."""
        steps = self.source.steps
        share = (x_px - self.bar.left) / max(1, self.bar.width - 1)
        return int(np.clip(round(share * (len(steps) - 1)), 0, len(steps) - 1)) + steps.start

    def bar_x(self, step: int) -> float:
        """Return the place of a control step on the time bar."""
        steps = self.source.steps
        return self.bar.left + (step - steps.start) / max(1, len(steps) - 1) * (self.bar.width - 1)

    def _draw_footer(self, surface: pygame.Surface, rect: pygame.Rect, state: ScreenState, size: int) -> None:
        hint = "" if state.film else "h: help"
        taken = text(surface, hint, (rect.right, rect.centery), size, DIM, "midright").left
        width = 0 if self.source.is_live else max(0, taken - (size if hint else 0) - rect.left)
        self.bar = pygame.Rect(rect.left, rect.top + round(size * 0.5), width, round(size * 1.2))
        if self.source.is_live:
            skipped = getattr(self.source, "skipped", 0)
            if skipped:
                words = f"{skipped} steps not shown: the run is faster than the view"
                text(surface, words, (rect.left + size * 0.4, rect.centery), size, DIM, "midleft")
            return
        self._draw_bar(surface, state.step, size)

    def _draw_bar(self, surface: pygame.Surface, step: int, size: int) -> None:
        pygame.draw.rect(surface, PANEL, self.bar, border_radius=3)
        segments = self._segments()
        for index, (begin, phase) in enumerate(segments):
            end = segments[index + 1][0] if index + 1 < len(segments) else self.source.steps.stop
            left, right = self.bar_x(begin), self.bar_x(end - 1)
            color = mixed(PANEL, LINE, 0.75 if index % 2 else 0.35)
            place = pygame.Rect(round(left), self.bar.top, max(1, round(right - left)), self.bar.height)
            pygame.draw.rect(surface, color, place)
            name, room = self.layout.phases[phase], int(place.width / (size * 0.5))
            if room >= 5:
                words = name if len(name) <= room else f"{name[: room - 1]}…"
                text(surface, words, place.center, size * 7 // 8, DIM, "center")
        x = self.bar_x(step)
        pygame.draw.line(surface, SELECTED, (x, self.bar.top - 3), (x, self.bar.bottom + 2), 3)

    def _segments(self) -> list[tuple[int, int]]:
        """Return first steps and numbers of the phases of the first animal, unless they are too many."""
        if self._phases is None:
            self._phases = []
            if isinstance(self.scene, ArenaScene) and "phase" in self.layout.variables:
                steps = self.source.steps
                looked = np.unique(np.linspace(0, len(steps) - 1, BAR_POINTS).astype(int))
                _, phase = self.source.rows("phase", steps.stop - 1, len(steps))
                seen = phase[looked, 0]
                first = np.concatenate(([0], np.flatnonzero(np.diff(seen)) + 1))
                self._phases = [(int(looked[at]), int(seen[at])) for at in first]
        return self._phases

    def _draw_note(self, surface: pygame.Surface, note: str, y: int, size: int) -> None:
        box = pygame.Rect(0, 0, font(size).size(note)[0] + 2 * size, 2 * size)
        box.center = surface.get_width() // 2, y
        pygame.draw.rect(surface, BOX, box, border_radius=size)
        pygame.draw.rect(surface, LINE, box, 2, border_radius=size)
        text(surface, note, box.center, size, SELECTED, "center")

    def _draw_help(self, surface: pygame.Surface, size: int) -> None:
        line = round(size * 1.6)
        box = pygame.Rect(0, 0, round(size * 29), line * (len(HELP) + 1))
        box.center = surface.get_rect().center
        pygame.draw.rect(surface, BOX, box, border_radius=10)
        pygame.draw.rect(surface, LINE, box, 2, border_radius=10)
        for row, (keys, meaning) in enumerate(HELP):
            y = box.top + line * (row + 1)
            text(surface, keys, (box.left + size * 8, y), size, SELECTED, "midright")
            text(surface, meaning, (box.left + size * 9, y), size, TEXT, "midleft")


def window_steps(layout: Layout) -> int:
    """Return how many control steps a live view has to remember to draw a picture."""
    kind = str(layout.scene.get("kind"))
    seconds = max(WINDOW_S.get(kind, 10.0), TRAIL_S.get(kind, 10.0))
    return max(2, round(seconds * 1000.0 / layout.control_interval_ms))
