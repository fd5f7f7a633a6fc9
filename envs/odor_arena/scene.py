"""The dishes of the odor arena as a view draws them, from the environment or from a recording.

A replay is drawn from the recording alone, by the code that draws the running environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.envs.odor_arena.config import ArenaConfig, Phase
from ethospike.envs.odor_arena.larva_body import BODY_LENGTH_MM
from ethospike.envs.odor_arena.odor import OdorField, OdorSource
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.envs.scene import plain_form
from ethospike.errors import EnvError

FIELD_POINTS = 101
"""Points along each side of the grid on which a view gives the odors."""


class ArenaScene:
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
        """Return what is needed to draw a dish with some of the animals in it.

        Parameters
        ----------
        phase : int
            Index of the phase whose odors and patches lie in the dish, on the side of the first animal.
        position_mm : array, shape (animals, 2)
            Heads, each in its own dish.
        heading_rad, bend_rad : array, shape (animals,)
        time_s : float
        which : slice
            To which of the scene's animals these arrays belong.

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
            (one.center_mm[0] * side[0], one.center_mm[1], one.radius_mm or radius_mm)
            for one in here.reinforcements
        ]
        signs = [one.strength if one.kind == "reward" else -one.strength for one in here.reinforcements]
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
        OdorSource(**{**one, "position_mm": tuple(one["position_mm"])}) for one in plain["sources"]
    )
    reinforcements = tuple(
        Reinforcement(**{**one, "center_mm": tuple(one["center_mm"])}) for one in plain["reinforcements"]
    )
    return Phase(**{**plain, "sources": sources, "reinforcements": reinforcements})
