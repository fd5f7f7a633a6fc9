"""Scenes: the part of a world that a view draws, from the running environment or from a recording.

An environment describes its scene in plain types (`GroupEnv.scene`), the recording keeps the description, and
`scene_of` makes the scene again. A new drawn environment needs a subclass of `Scene` and a line in `SCENES`.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import EnvError

MAX_TRAIL_POINTS = 300


class Rows(Protocol):
    """The recorded variables of a run; a view's source of data is one."""

    def rows(self, name: str, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return a variable in the control steps last − n + 1 … last, as far as they are there.

        Returns
        -------
        steps : ndarray of int64, shape (rows,)
        values : ndarray, shape (rows, animals, …)
        """


@dataclass(frozen=True)
class Moment:
    """A control step of a run that is to be drawn.

    Parameters
    ----------
    source : Rows
    step : int
        The control step.
    animal : int
        The selected animal.
    interval_s : float
        Length of a control step (s).
    recorded : frozenset of str
        Names of the variables that `source` has.
    frame : ndarray of uint8, shape (height, width, 3), optional
        The running environment's own picture.
    is_live : bool
        The run goes on, and `source` may lack control steps.
    """

    source: Rows
    step: int
    animal: int
    interval_s: float
    recorded: frozenset[str]
    frame: NDArray[np.uint8] | None = None
    is_live: bool = False

    @property
    def time_s(self) -> float:
        """End of the control step (s)."""
        return (self.step + 1) * self.interval_s

    def values(self, name: str) -> NDArray[Any]:
        """Return a variable in the control step, shape (animals, …).

        Raises
        ------
        IndexError
            When the control step is not there.
        """
        return np.asarray(self.source.rows(name, self.step, 1)[1][-1])

    def has(self, name: str) -> bool:
        """Return True if a variable is there in the control step."""
        return name in self.recorded and len(self.source.rows(name, self.step, 1)[0]) > 0


@dataclass(frozen=True)
class Mark:
    """A circle in a `Map`.

    Parameters
    ----------
    kind : str
        `odor` (of this standard deviation), `reward`, `punishment`, `target` or `start`.
    x_mm, y_mm, radius_mm : float
    label : str
    phase : int
        Index of the phase in which it is there; -1 for all.
    """

    kind: str
    x_mm: float
    y_mm: float
    radius_mm: float
    label: str = ""
    phase: int = -1


@dataclass(frozen=True)
class Map:
    """A world from above, in numbers, for pages that cannot run the drawing code of a scene.

    Parameters
    ----------
    paths : tuple of str
        Variables with positions (x, y) in mm; the first that was recorded is drawn.
    half_width_mm : float
        Half the side of the square that is drawn.
    is_round : bool
        The world ends at a circle of this radius, not at the square.
    marks : tuple of Mark
    mirrored : tuple of bool, one an animal
        Left and right are exchanged in the animal's world; empty if in none.
    highlighted : str
        Variable with the index of the mark that is highlighted, -1 for none; empty without one.
    """

    paths: tuple[str, ...]
    half_width_mm: float
    is_round: bool = False
    marks: tuple[Mark, ...] = ()
    mirrored: tuple[bool, ...] = ()
    highlighted: str = ""


class Scene(ABC):
    """The picture of a world beside the panels of a view.

    Attributes
    ----------
    kind : str
        Name of the scene in `SCENES`.
    needed : tuple of str
        Variables without which there is no picture.
    optional : tuple of str
        Variables that the picture uses where they were recorded.
    window_s, trail_s : float
        Length of the panels' time axis and of a trail (s).
    has_timetable : bool
        The variable `phase` counts the parts of the whole experiment, which the time bar shows.
    help : tuple of (str, str)
        More keys and clicks that do something, and their effect.
    """

    kind: ClassVar[str]
    needed: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]] = ()
    window_s: float = 10.0
    trail_s: float = 10.0
    has_timetable: ClassVar[bool] = False
    help: ClassVar[tuple[tuple[str, str], ...]] = ()

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """Return the scene in the plain types of JSON."""

    @classmethod
    @abstractmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Make the scene of a `plain()`."""

    @abstractmethod
    def picture(self, moment: Moment, size_px: tuple[int, int], *, head_trail: bool = False) -> Any:
        """Return a picture as a pygame surface.

        Parameters
        ----------
        moment : Moment
        size_px : tuple of int
            Width and height.
        head_trail : bool
            Draw the other kind of trail, such as that of a larva's head.
        """

    def labels(self, moment: Moment) -> dict[str, str]:
        """Return words for the header of a view, such as `trial` and `outcome`."""
        return {}

    def places_px(self, moment: Moment, size_px: tuple[int, int]) -> NDArray[np.float64]:
        """Return the places in a picture at which bodies are, shape (bodies, 2), in pixels."""
        return np.empty((0, 2))

    def animal_at(
        self, moment: Moment, place_px: tuple[float, float], size_px: tuple[int, int]
    ) -> int | None:
        """Return the animal that a click at a place of the picture selects, if any."""
        return None

    def map(self) -> Map | None:
        """Return the world from above, in numbers; None for a world without places."""
        return None

    def farthest_mm(self, seconds: float) -> float:
        """Return the longest way of a body in a time; a longer one means that it was put elsewhere."""
        return math.inf

    def trail(
        self, moment: Moment, steps: NDArray[np.int64], points_mm: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return a trail to be drawn, thinned, with NaN where steps are missing or a body was put elsewhere.

        Parameters
        ----------
        moment : Moment
        steps : ndarray of int64, shape (points,)
        points_mm : ndarray, shape (points, animals, 2)

        Returns
        -------
        ndarray of float64, shape (fewer points, animals, 2)
        """
        stride = max(1, len(steps) // MAX_TRAIL_POINTS)
        # Whole multiples of the stride, so that a trail does not flicker; and the last, where it is now.
        kept = steps % stride == 0
        kept[-1:] = True
        steps, points = steps[kept], np.array(points_mm[kept], float)
        if len(steps) > 1:
            moved = np.hypot(*np.moveaxis(np.diff(points, axis=0), -1, 0))
            points[1:][moved > self.farthest_mm(stride * moment.interval_s)] = np.nan
            points[1:][np.diff(steps) > 2 * stride] = np.nan
        return points

    def trail_steps(self, moment: Moment) -> int:
        """Return the number of control steps of a trail."""
        return max(2, round(self.trail_s / moment.interval_s))


SCENES: dict[str, tuple[str, str]] = {
    "odor_arena": ("ethospike.envs.odor_arena.scene", "ArenaScene"),
    "delayed_reach": ("ethospike.envs.delayed_reach.scene", "ReachScene"),
    "gymnasium": ("ethospike.envs.any_env.scene", "GymnasiumScene"),
}
"""Kind, module and class of each scene; the module is loaded on demand. A recording names the kind alone, so
that a recording of a stranger loads nothing else."""


def scene_of(plain: Mapping[str, Any]) -> Scene:
    """Make the scene that a recording holds.

    Raises
    ------
    EnvError
        When the kind of scene is unknown in this version.
    """
    kind = plain.get("kind")
    if kind not in SCENES:
        raise EnvError(
            f"scene: expected one of {', '.join(SCENES)}, got {kind!r}; the environment of this recording "
            f"does not say what its world looks like"
        )
    module, name = SCENES[kind]
    scene: type[Scene] = getattr(importlib.import_module(module), name)
    return scene.of(plain)


def plain_form(kind: str, config: Any) -> dict[str, Any]:
    """Return a scene's kind and configuration in the plain types of JSON."""
    # Through JSON, so that what is handed on is what a reader gets back.
    described: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return {"kind": kind, "config": described}
