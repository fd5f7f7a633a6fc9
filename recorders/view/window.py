"""The window of a view: opens it, passes events on, draws at an even pace.

Of pygame it uses display and fonts; no audio device is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pygame

from ethospike.errors import ViewError
from ethospike.recorders.view.player import Player
from ethospike.recorders.view.source import ViewSource

FPS = 25
SIZE_PX = (1280, 720)
DESKTOP_SHARE = 0.8
"""On a larger desktop the window opens with this share of its width; text grows with the window."""
SMALLEST_PX = (480, 320)
UNSEEN = ("offscreen", "dummy", "evdev")
"""SDL's video drivers without a screen; asked for by name, they serve tests."""


def show(
    source: ViewSource,
    *,
    speed: float = 1.0,
    start: int = 0,
    screenshots: Path | None = None,
    at_each_frame: Callable[[Player], None] = lambda player: None,
    opened: Callable[[], None] = lambda: None,
) -> None:
    """Show a source in a window until it is closed.

    Parameters
    ----------
    source : ViewSource
    speed : float
        Of a replay.
    start : int
        Control step at which a replay begins.
    screenshots : Path, optional
        Folder for screenshots; by default the working directory.
    at_each_frame : callable(player)
        Called before each frame; may close the player.
    opened : callable()
        Called when the window is there.

    Raises
    ------
    ViewError
        When no window can be opened.
    """
    _open_window()
    try:
        opened()
        player = Player(source, speed=speed, screenshots=screenshots)
        player.seek(start)
        pygame.key.set_repeat(400, 60)
        clock = pygame.time.Clock()
        passed_s, title = 0.0, ""
        while player.is_open:
            at_each_frame(player)
            surface = pygame.display.get_surface()
            if surface is None:
                break
            for event in pygame.event.get():
                if event.type != pygame.VIDEORESIZE:
                    player.handle(event, surface)
            player.advance(passed_s)
            player.draw(surface)
            pygame.display.flip()
            title = _titled(player, title)
            passed_s = min(0.5, clock.tick(FPS) / 1000.0)
    finally:
        pygame.display.quit()


def _open_window() -> None:
    try:
        # Only these parts: pygame.init() would open audio and joysticks too.
        os.environ["SDL_VIDEO_X11_WMCLASS"] = "ethospike"  # pygame has set it to the name of the script
        pygame.display.init()
        pygame.font.init()
        _check_driver()
        pygame.display.set_mode(_first_size(), pygame.RESIZABLE)
    except pygame.error as error:
        pygame.display.quit()
        raise ViewError(f"no window could be opened: {error}") from error


def _check_driver() -> None:
    """Raise where SDL has silently taken a driver that shows nothing, e.g. because DISPLAY is wrong."""
    driver = pygame.display.get_driver()
    if driver in UNSEEN and not os.environ.get("SDL_VIDEODRIVER"):
        raise pygame.error(
            f"the display {os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY') or ''} does not "
            f"answer"
        )


def _first_size() -> tuple[int, int]:
    """Return the size of the window: larger on a larger desktop, with the same proportions."""
    desktops = pygame.display.get_desktop_sizes()
    if not desktops:
        return SIZE_PX
    width, height = desktops[0]
    factor = min(width * DESKTOP_SHARE / SIZE_PX[0], height * DESKTOP_SHARE / SIZE_PX[1])
    if factor <= 1.0:
        return min(SIZE_PX[0], max(SMALLEST_PX[0], width)), min(SIZE_PX[1], max(SMALLEST_PX[1], height))
    return round(SIZE_PX[0] * factor), round(SIZE_PX[1] * factor)


def _titled(player: Player, before: str) -> str:
    """Keep the window's title up to date; return it."""
    kind = "live" if player.source.is_live else "replay"
    title = f"ethospike {kind}: {player.source.title}, step {player.state.step}"
    title += ", paused" if player.state.paused else ""
    if title != before:
        pygame.display.set_caption(title)
    return title
