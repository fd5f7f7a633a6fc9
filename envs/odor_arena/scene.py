"""The dishes of the odor arena as a view draws them, from the environment or from a recording.

A replay is drawn from the recording alone, by the code that draws the running environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.envs.odor_arena.config import ArenaConfig, Phase
from ethospike.envs.odor_arena.larva_body import middle_of_body_mm
from ethospike.envs.odor_arena.odor import OdorField, OdorSource
from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.envs.scene import Map, Mark, Moment, Scene, plain_form
from ethospike.errors import EnvError

FIELD_POINTS = 101
"""Points along each side of the grid on which a view gives the odors."""


class ArenaScene(Scene):
    """The dishes of a group of larvae.

    Parameters
    ----------
    config : ArenaConfig
    animals : range
        Numbers of the animals, which decide about the side of their odors.

    Examples
    --------
    >>> scene = ArenaScene(ArenaConfig(), range(1))
    >>> scene.view(0, np.zeros((1, 2)), np.zeros(1), np.zeros(1))["phase"]
    'foraging'
    """

    kind = "odor_arena"
    needed = ("position_mm", "heading_rad", "bend_rad", "phase")
    optional = ("centroid_mm",)
    window_s = 10.0  # single spikes can be seen
    trail_s = 60.0  # a larva crosses half a dish
    has_timetable = True
    help = (
        ("click", "select a larva"),
        ("t", "trails of the heads, of the middles of the bodies"),
    )

    def __init__(self, config: ArenaConfig, animals: range) -> None:
        self.config = config
        self.animals = animals
        self.side = config.side(animals)
        peaks = [source.peak_um for phase in config.phases for source in phase.sources]
        self._peak_um = max(peaks, default=1.0)
        self._fields: dict[tuple[int, float], NDArray[np.float32]] = {}

    def plain(self) -> dict[str, Any]:
        """Return the scene in the plain types of JSON."""
        first = self.animals.start
        return plain_form(self.kind, self.config) | {"first_animal": first, "animals": len(self.animals)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Make the scene of a `plain()`."""
        config = dict(plain["config"])
        config["phases"] = tuple(_phase(phase) for phase in config["phases"])
        config["odors"], config["start_sd_mm"] = tuple(config["odors"]), tuple(config["start_sd_mm"])
        first = int(plain["first_animal"])
        return cls(ArenaConfig(**config), range(first, first + int(plain["animals"])))

    def view(
        self,
        phase: int,
        position_mm: ArrayLike,
        heading_rad: ArrayLike,
        bend_rad: ArrayLike,
        *,
        time_s: float = 0.0,
        which: slice = slice(None),
    ) -> dict[str, Any]:
        """Return the contents of a picture of a dish with some of the animals in it.

        Parameters
        ----------
        phase : int
            Index of the phase; its odors and patches lie on the side of the first animal.
        position_mm : array, shape (animals, 2)
            Heads, each in its own dish.
        heading_rad, bend_rad : array, shape (animals,)
        time_s : float
        which : slice
            Rows of these arrays among the scene's animals.

        Returns
        -------
        dict
            `dish_radius_mm`, `body_length_mm`, `position_mm`, `heading_rad`, `bend_rad`, `mirrored` (left and
            right are exchanged with respect to the first animal's dish), `phase`, `phase_index`, `time_s`,
            `odors`, `odor_field` (µM, shape (odors, y, x)), `odor_peak_um` (the strongest source of the whole
            timetable), `patch_mm` (x, y, radius), `patch_strength` (punishment negative).
        """
        if not 0 <= phase < len(self.config.phases):
            raise EnvError(f"phase: expected 0 … {len(self.config.phases) - 1}, got {phase}")
        here, radius_mm = self.config.phases[phase], self.config.radius_mm
        side = self.side[which]
        patches = [
            (patch.center_mm[0] * side[0], patch.center_mm[1], patch.radius_mm or radius_mm)
            for patch in here.reinforcements
        ]
        signs = [
            patch.strength if patch.kind == "reward" else -patch.strength for patch in here.reinforcements
        ]
        return {
            "dish_radius_mm": radius_mm,
            "body_length_mm": BODY_LENGTH_MM,
            "position_mm": np.array(position_mm, float),
            "heading_rad": np.array(heading_rad, float),
            "bend_rad": np.array(bend_rad, float),
            "mirrored": side != side[0],
            "phase": here.name,
            "phase_index": phase,
            "time_s": time_s,
            "odors": self.config.odors,
            "odor_field": self._odor_field(phase, float(side[0])),
            "odor_peak_um": self._peak_um,
            "patch_mm": np.array(patches).reshape(-1, 3),
            "patch_strength": np.array(signs),
        }

    # -- the picture of a recorded control step ------------------------------------------------------

    def picture(self, moment: Moment, size_px: tuple[int, int], *, head_trail: bool = False) -> Any:
        """Return a dish with all larvae in it, mirrored to the side of the first, as a pygame surface."""
        draw: Any = importlib.import_module("ethospike.envs.odor_arena.draw")
        position, heading, bend = (moment.values(name) for name in self.needed[:3])
        phase = int(moment.values("phase")[0])
        return draw.arena_surface(
            self.view(phase, position, heading, bend, time_s=moment.time_s),
            size_px,
            trail_mm=self.trail_mm(moment, head=head_trail),
            selected=moment.animal,
            caption=False,
        )

    def trail_mm(self, moment: Moment, *, head: bool = False) -> NDArray[np.float64]:
        """Return the trails of the larvae, shape (points, animals, 2), the oldest point first.

        They are those of the middles of the bodies, as laboratories track larvae, or of the heads.
        """
        n = self.trail_steps(moment)
        if not head and "centroid_mm" in moment.recorded:
            return self.trail(moment, *moment.source.rows("centroid_mm", moment.step, n))
        steps, position = moment.source.rows("position_mm", moment.step, n)
        if not head:  # recordings of version 0.1.0 have no centroid
            _, heading = moment.source.rows("heading_rad", moment.step, n)
            position = middle_of_body_mm(position, heading)
        return self.trail(moment, steps, position)

    def map(self) -> Map:
        """Return the dish with odors and patches of each phase, on the side of the first animal."""
        radius_mm, side = self.config.radius_mm, float(self.side[0])
        marks = []
        for number, phase in enumerate(self.config.phases):
            for source in phase.sources:
                x_mm, y_mm = source.position_mm
                marks.append(Mark("odor", x_mm * side, y_mm, source.sigma_mm, source.odor, number))
            for patch in phase.reinforcements:
                x_mm, y_mm = patch.center_mm
                marks.append(
                    Mark(patch.kind, x_mm * side, y_mm, patch.radius_mm or radius_mm, patch.kind, number)
                )
        mirrored = tuple(bool(other != self.side[0]) for other in self.side)
        return Map(("centroid_mm", "position_mm"), radius_mm, True, tuple(marks), mirrored)

    def farthest_mm(self, seconds: float) -> float:
        """Return twice the way of the fastest crawl (8 mm/s), and a stroke of the head (3 mm)."""
        return 3.0 + 8.0 * seconds

    def places_px(self, moment: Moment, size_px: tuple[int, int]) -> NDArray[np.float64]:
        """Return the places of the heads in the picture, shape (animals, 2)."""
        draw: Any = importlib.import_module("ethospike.envs.odor_arena.draw")
        flip = np.stack((self.side * self.side[0], np.ones_like(self.side)), axis=1)
        frame = draw.arena_frame(size_px, self.config.radius_mm)
        return np.asarray(frame.to_px(moment.values("position_mm") * flip))

    def animal_at(
        self, moment: Moment, place_px: tuple[float, float], size_px: tuple[int, int]
    ) -> int | None:
        """Return the larva with its head near a place of the picture, if there is one."""
        distance = np.hypot(*(self.places_px(moment, size_px) - np.array(place_px)).T)
        nearest = int(distance.argmin())
        return nearest if distance[nearest] <= max(12.0, size_px[0] / 40) else None

    def _odor_field(self, phase: int, side: float) -> NDArray[np.float32]:
        """Return concentrations (µM) on a grid over the dish's square, shape (odors, y, x)."""
        if (phase, side) not in self._fields:
            axis = np.linspace(-self.config.radius_mm, self.config.radius_mm, FIELD_POINTS)
            points = np.stack(np.meshgrid(axis, axis)).reshape(2, -1)
            sources = self.config.phases[phase].sources
            field = OdorField(sources, self.config.odors, np.full(points.shape[1], side))
            grid = field.concentrations_um(points).reshape(-1, FIELD_POINTS, FIELD_POINTS)
            self._fields[phase, side] = grid.astype(np.float32)
            self._fields[phase, side].flags.writeable = False
        return self._fields[phase, side]


def _phase(plain: Mapping[str, Any]) -> Phase:
    sources = tuple(
        OdorSource(**{**source, "position_mm": tuple(source["position_mm"])}) for source in plain["sources"]
    )
    reinforcements = tuple(
        Reinforcement(**{**patch, "center_mm": tuple(patch["center_mm"])})
        for patch in plain["reinforcements"]
    )
    return Phase(**{**plain, "sources": sources, "reinforcements": reinforcements})
