"""Keys and mouse of a view: pause, step, speed, seek, animals, panels, help, screenshot.

It opens no window, so that a test can do everything that a user can do.
"""

from __future__ import annotations

import math
from pathlib import Path

import pygame

from ethospike.paths import expanded
from ethospike.recorders.view.screen import Screen, ScreenState
from ethospike.recorders.view.source import ViewSource

SPEEDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0)
"""Speeds of a replay, in simulated time per wall time."""
SEEK_S = 5.0
"""Jump of an arrow in a replay that plays (simulated s)."""
NOTE_S = 4.0
"""Time that a note stays on the screen (s)."""
PANEL_KEYS = ("r", "w", "f")


class Player:
    """A view that is being watched.

    Parameters
    ----------
    source : ViewSource
    speed : float
        Of a replay at its beginning.
    screenshots : Path
        Folder for screenshots.

    Attributes
    ----------
    screen : Screen
    state : ScreenState
    is_open : bool
        False after q, or when the window was closed.
    """

    def __init__(self, source: ViewSource, *, speed: float = 1.0, screenshots: Path | None = None) -> None:
        self.source = source
        self.screen = Screen(source)
        self.state = ScreenState(speed=speed, step=source.steps.start)
        self.is_open = True
        self._screenshots = expanded(screenshots or Path())
        self._position = float(source.steps.start)
        self._note_s = 0.0
        self._dragging = False

    def draw(self, surface: pygame.Surface) -> None:
        """Draw the control step that is to be shown now."""
        self.screen.draw(surface, self.state)

    def advance(self, wall_s: float) -> None:
        """Let time pass: a replay goes on, a live view shows the newest step."""
        state, steps = self.state, self.source.steps
        self._note_s -= wall_s
        if self._note_s <= 0:
            state.note = ""
        if not len(steps):
            return
        if self.source.is_live:
            # Paused too: what is looked at may have been forgotten, or be the step 0 that never came.
            state.step = self.source.nearest(state.step if state.paused else steps[-1])
            return
        if not state.paused:
            self._position += wall_s * state.speed * 1000.0 / self.source.layout.control_interval_ms
            if self._position >= steps[-1]:
                self.seek(steps[-1])
                state.paused = True
            state.step = int(self._position)

    def seek(self, step: float) -> None:
        """Show a control step; where it was left out, the next that there is on the way to it."""
        steps = self.source.steps
        if len(steps):
            self._position = min(max(step, steps.start), steps[-1])
            target = int(self._position)
            self.state.step = self.source.nearest(target, target - self.state.step)

    def note(self, words: str) -> None:
        """Show a line for a while."""
        self.state.note, self._note_s = words, NOTE_S

    # -- input --------------------------------------------------------------------------------------

    def handle(self, event: pygame.event.Event, surface: pygame.Surface) -> None:
        """Handle an event of pygame."""
        if event.type == pygame.QUIT:
            self.is_open = False
        elif event.type == pygame.KEYDOWN:
            # The sign, not the key, so that + is + on every keyboard; names for the others.
            sign = getattr(event, "unicode", "")
            self.press(sign if sign in ("+", "-", "=") else pygame.key.name(event.key), surface)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._dragging = self._click(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP:
            self._dragging = False
        elif event.type == pygame.MOUSEMOTION and self._dragging:
            self.seek(self.screen.step_at(event.pos[0]))

    def press(self, key: str, surface: pygame.Surface) -> None:
        """Handle a key by its name; unknown keys do nothing."""
        state = self.state
        if key == "q":
            self.is_open = False
        elif key == "space":
            self._pause_or_go_on()
        elif key in ("right", "left"):
            self._arrow(1 if key == "right" else -1)
        elif key in ("page up", "page down", "home", "end"):
            self._jump(key)
        elif key in ("+", "-", "=", "[+]", "[-]", "keypad +", "keypad -"):
            self._change_speed(-1 if "-" in key else 1)
        elif key == "tab":
            self._select(self.source.animal + 1)
        elif key in PANEL_KEYS:
            state.hidden ^= {key}
        elif key == "h":
            state.help = not state.help
        elif key == "l":
            self._group_by_next_label()
        elif key == "t":
            state.head_trail = not state.head_trail
        elif key == "s":
            self._screenshot(surface)

    def _pause_or_go_on(self) -> None:
        state = self.state
        state.paused = not state.paused
        if self.source.is_live:
            self.note("paused: the run goes on" if state.paused else "")
        elif not state.paused and len(self.source.steps) and state.step >= self.source.steps[-1]:
            self.seek(self.source.steps.start)

    def _group_by_next_label(self) -> None:
        kinds = ["", *sorted(self.source.layout.labels)]
        if len(kinds) == 1:
            self.note("the neurons of this run have no labels")
        self.state.grouping = kinds[(kinds.index(self.state.grouping) + 1) % len(kinds)]

    def _arrow(self, direction: int) -> None:
        if self.state.paused:
            self.seek(self.state.step + direction)
        elif self.source.is_live:
            self.note("space pauses the view; then the arrows step")
        else:
            self.seek(self._position + direction * SEEK_S * 1000.0 / self.source.layout.control_interval_ms)

    def _jump(self, key: str) -> None:
        steps = self.source.steps
        if self.source.is_live and not self.state.paused:
            self.note("space pauses the view; then you can go back")
        elif key in ("home", "end"):
            self.seek(steps.start if key == "home" else steps.stop)
        else:
            tenth = math.ceil(len(steps) / 10)
            self.seek(self.state.step + (tenth if key == "page down" else -tenth))

    def _change_speed(self, direction: int) -> None:
        if self.source.is_live:
            self.note("a live view follows the run; its speed cannot be set")
            return
        speed = self.state.speed
        if direction > 0:
            self.state.speed = next((faster for faster in SPEEDS if faster > speed * 1.001), speed)
        else:
            self.state.speed = next((slower for slower in reversed(SPEEDS) if slower < speed * 0.999), speed)

    def _select(self, animal: int) -> None:
        self.source.select(animal)

    def _click(self, position_px: tuple[int, int]) -> bool:
        """Select an animal or seek; return True if the time bar was hit."""
        if not len(self.source.steps):
            return False
        if self.screen.bar.inflate(0, 12).collidepoint(position_px):
            self.seek(self.screen.step_at(position_px[0]))
            return True
        # Batches may have come since it was drawn, and the step be forgotten.
        animal = self.screen.animal_at(position_px, self.source.nearest(self.state.step))
        if animal is not None:
            self._select(animal)
        return False

    def _screenshot(self, surface: pygame.Surface) -> None:
        name = "-".join(self.source.title.split()) or "view"
        path = self._screenshots / f"{name}-step-{self.state.step:06d}.png"
        try:
            pygame.image.save(surface, path)
        except (pygame.error, OSError) as error:
            self.note(f"no screenshot: {error}")
        else:
            self.note(f"saved {path.name}")
