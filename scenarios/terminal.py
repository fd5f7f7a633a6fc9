"""Consoles for tables, help and progress, which need a certain width."""

from __future__ import annotations

from rich.console import Console, ConsoleDimensions

NARROWEST, UNKNOWN = 40, 80
"""Least width (characters), and the width where a terminal gives 0. In one or two characters, tables of words
never end."""


class WideConsole(Console):
    """A console that is wide enough for words, whatever the terminal says."""

    @property
    def size(self) -> ConsoleDimensions:
        """Width and height (characters)."""
        width, height = super().size
        return ConsoleDimensions(max(width, NARROWEST) if width else UNKNOWN, height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr."""
    return WideConsole(stderr=stderr)
