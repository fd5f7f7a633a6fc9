"""The whole picture: header, scene, panels, time bar, help.

Live view, replay and video all draw through `Screen.draw`; `Screen.labels` returns the words as data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pygame
from numpy.typing import NDArray

from ethospike.envs.draw import BACKGROUND, DIM, LINE, OKABE_ITO, PANEL, SELECTED, TEXT, font, mixed, text
from ethospike.envs.scene import Moment
from ethospike.recorders.recorder import Layout
from ethospike.recorders.view.panels import Panel, Window, panels_for
from ethospike.recorders.view.source import ViewSource, scene_of_layout

WINDOW_S = 10.0
"""Length of the panels' time axis without a scene (s): single spikes can be seen."""
BAR_POINTS = 2000
"""Control steps at which the time bar looks for the phase: about one a pixel."""
BOX = (8, 10, 13)
HELP = (
    ("space", "pause, go on"),
    ("→ ←", "paused: one step; replay: 5 s"),
    ("PgUp PgDn", "replay: a tenth of the recording"),
    ("+ −", "replay: speed"),
    ("Home End", "first, last step"),
    ("tab", "next animal"),
    ("r w f", "raster, weights, rates on and off"),
    ("l", "raster by population, by each kind of label"),
    ("s", "screenshot"),
    ("h", "this help"),
    ("q", "close the view; a run goes on"),
)


@dataclass
class ScreenState:
    """The state of a view besides the data.

    Parameters
    ----------
    step : int
        The control step to show.
    hidden : set of str
        Keys of panels that are off.
    note : str
        A line for the reader, such as where a screenshot is.
    head_trail : bool
        Draw the trails of the heads instead of the middles of the bodies.
    film : bool
        No keys are named, since a film has none.
    grouping : str
        Kind of label by which the raster is divided; empty: by population.
    """

    step: int = 0
    paused: bool = False
    speed: float = 1.0
    help: bool = False
    hidden: set[str] = field(default_factory=set)
    note: str = ""
    head_trail: bool = False
    film: bool = False
    grouping: str = ""


class Screen:
    """Draws a view of a source.

    Parameters
    ----------
    source : ViewSource

    Attributes
    ----------
    shows_task : bool
        True if the scene can be drawn; without it, panels have the whole width.
    bar, task : pygame.Rect
        Places of time bar and scene when they were drawn last; empty without them.
    """

    def __init__(self, source: ViewSource) -> None:
        self.source = source
        self.layout = source.layout
        self.panels = panels_for(source.layout)
        self.scene = scene_of_layout(source.layout)
        self._recorded = frozenset(source.layout.variables)
        self.shows_task = self.scene is not None and self._recorded.issuperset(self.scene.needed)
        self._interval_s = source.layout.control_interval_ms / 1000.0
        window_s = WINDOW_S if self.scene is None else self.scene.window_s
        self._window_n = max(2, round(window_s / self._interval_s))
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
        elif self.scene is not None and len(source.rows(self.scene.needed[0], step, 1)[0]):
            labels |= self.scene.labels(self.moment(step))
        return labels

    def moment(self, step: int) -> Moment:
        """Return a control step of the selected animal, for the scene."""
        source = self.source
        return Moment(
            source,
            step,
            source.animal,
            self._interval_s,
            self._recorded,
            source.frame(step),
            source.is_live,
        )

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
        window = Window(state.step, self._window_n, size, self.layout, state.grouping)
        self._draw_panels(surface, beside, shown, window, gap)
        foot = pygame.Rect(gap, height - footer, width - 2 * gap, footer)
        self._draw_footer(surface, foot, state, size)
        if state.help:
            self._draw_help(surface, size)
        if state.note:
            self._draw_note(surface, state.note, foot.top - 2 * size, size)

    def animal_at(self, position_px: tuple[int, int], step: int) -> int | None:
        """Return the animal at a place of the window as it was drawn last, if there is one."""
        if self.scene is None or not self.task.collidepoint(position_px):
            return None
        left, top = self.task.topleft
        place = (position_px[0] - left, position_px[1] - top)
        return self.scene.animal_at(self.moment(step), place, self.task.size)

    def heads_px(self, step: int) -> NDArray[np.float64]:
        """Return the places of bodies in the window as it was drawn last, shape (bodies, 2)."""
        if self.scene is None:
            return np.empty((0, 2))
        return self.scene.places_px(self.moment(step), self.task.size) + self.task.topleft

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
        if self.scene is not None and len(self.source.rows(self.scene.needed[0], state.step, 1)[0]):
            picture = self.scene.picture(self.moment(state.step), self.task.size, head_trail=state.head_trail)
            surface.blit(picture, self.task)

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
            if self.scene is not None and self.scene.has_timetable and "phase" in self._recorded:
                steps = self.source.steps
                looked = np.unique(np.linspace(0, len(steps) - 1, BAR_POINTS).astype(int))
                _, phase = self.source.rows("phase", steps.stop - 1, len(steps))
                seen = phase[looked, 0]
                first = np.concatenate(([0], np.flatnonzero(np.diff(seen)) + 1))
                self._phases = [(int(looked[i]), int(seen[i])) for i in first]
        return self._phases

    def _draw_note(self, surface: pygame.Surface, note: str, y: int, size: int) -> None:
        box = pygame.Rect(0, 0, font(size).size(note)[0] + 2 * size, 2 * size)
        box.center = surface.get_width() // 2, y
        pygame.draw.rect(surface, BOX, box, border_radius=size)
        pygame.draw.rect(surface, LINE, box, 2, border_radius=size)
        text(surface, note, box.center, size, SELECTED, "center")

    def _draw_help(self, surface: pygame.Surface, size: int) -> None:
        line, rows = round(size * 1.6), HELP if self.scene is None else (*self.scene.help, *HELP)
        box = pygame.Rect(0, 0, round(size * 29), line * (len(rows) + 1))
        box.center = surface.get_rect().center
        pygame.draw.rect(surface, BOX, box, border_radius=10)
        pygame.draw.rect(surface, LINE, box, 2, border_radius=10)
        for row, (keys, meaning) in enumerate(rows):
            y = box.top + line * (row + 1)
            text(surface, keys, (box.left + size * 8, y), size, SELECTED, "midright")
            text(surface, meaning, (box.left + size * 9, y), size, TEXT, "midleft")


def window_steps(layout: Layout) -> int:
    """Return the number of control steps that a live view has to remember to draw a picture."""
    scene = scene_of_layout(layout)
    seconds = WINDOW_S if scene is None else max(scene.window_s, scene.trail_s)
    return max(2, round(seconds * 1000.0 / layout.control_interval_ms))
