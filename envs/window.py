"""A window on the screen for `render_mode="human"`, and pictures as arrays; pygame is loaded on demand."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Window:
    """Opens at the first picture; closing it twice, or never having opened it, is harmless.

    Parameters
    ----------
    caption : str
    fps : int
        Pictures a second at most: `show` waits until the next one is due.
    """

    def __init__(self, caption: str, fps: int) -> None:
        self._caption, self._fps = caption, fps
        self._screen: Any = None
        self._clock: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # A copy opens a window of its own at its first picture: a screen cannot be copied.
        return {**self.__dict__, "_screen": None, "_clock": None}

    def show(self, surface: Any) -> None:
        """Show a surface, at the pace of the clock on the wall."""
        pygame: Any = importlib.import_module("pygame")
        if self._screen is None:
            pygame.display.init()
            pygame.display.set_caption(self._caption)
            self._screen, self._clock = pygame.display.set_mode(surface.get_size()), pygame.time.Clock()
        pygame.event.pump()
        self._screen.blit(surface, (0, 0))
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._screen is not None:
            self._screen = None
            importlib.import_module("pygame").display.quit()


def pixels(surface: Any) -> NDArray[np.uint8]:
    """Return a surface as an array of shape (height, width, 3)."""
    pygame: Any = importlib.import_module("pygame")
    return np.ascontiguousarray(pygame.surfarray.array3d(surface).transpose(1, 0, 2))
