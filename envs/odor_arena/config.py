"""The configuration of an odor arena: its dish, and its timetable of phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.odor_arena.odor import OdorSource
from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM
from ethospike.envs.odor_arena.reinforcement import KINDS, Reinforcement
from ethospike.errors import EnvError
from ethospike.shown import Shown
from ethospike.variables import Component, named

DISH_DIAMETER_MM = 100.0
"""Diameter of the dish (mm): larvaworld (Sakagiannis et al.), as a laboratory's large Petri dish."""
ODOR_DISTANCE_MM = 40.0
"""Distance of the two odors of a preference test from the dish's center (mm): larvaworld."""
OTHER_FEATURES = (*KINDS, "wall_contact")
"""Entries of an observation after the concentrations, in this order."""
ODOR_COLUMNS = slice(0, -len(OTHER_FEATURES))
REINFORCEMENT_COLUMNS = slice(-len(OTHER_FEATURES), -len(OTHER_FEATURES) + len(KINDS))
WALL_COLUMN = OTHER_FEATURES.index("wall_contact") - len(OTHER_FEATURES)
"""Columns of an observation, for any number of odors."""
START_SD_MM = (2.5, 10.0)
"""Standard deviations of the start around the center (mm): larvaworld's spread of 5 × 20 mm, of which it
uses half as the deviation; a narrow band on the midline, between the odors."""


def features(odors: Sequence[str]) -> tuple[Component, ...]:
    """Return names and units of the observation's entries in an arena with these odors.

    Odors are concentrations; reward, punishment and wall contact have no unit.
    """
    return (*named(odors, "µM"), *named(OTHER_FEATURES, "1"))


@dataclass(frozen=True)
class Phase:
    """A part of the experiment: contents of the dish, and duration.

    Parameters
    ----------
    name : str
        Name in recordings and figures; phases may share a name.
    duration_s : float
        Above 0; a whole number of the environment's control intervals.
    sources : tuple of OdorSource
    reinforcements : tuple of Reinforcement
    replace_animals : bool
        Put the animals back to the start when the phase begins, as larvae that are moved to the next dish.
        Their brains go on; only the senses change.

    Examples
    --------
    >>> training = Phase("training", 150.0, (OdorSource("A"),), (Reinforcement("reward"),))
    """

    name: str
    duration_s: float
    sources: tuple[OdorSource, ...] = ()
    reinforcements: tuple[Reinforcement, ...] = ()
    replace_animals: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise EnvError("Phase.name: expected a name, got an empty one")
        if not (np.isfinite(self.duration_s) and self.duration_s > 0):
            raise EnvError(f"Phase.duration_s of {self.name!r}: expected above 0, got {self.duration_s}")


_LEFT, _RIGHT = (-ODOR_DISTANCE_MM, 0.0), (ODOR_DISTANCE_MM, 0.0)
_PATCH_RADIUS_MM = 15.0  # about the width σ of an odor, so that the odor leads to the patch
FORAGING = Phase(
    "foraging",
    180.0,
    (OdorSource("A", _LEFT), OdorSource("B", _RIGHT)),
    (
        Reinforcement("reward", radius_mm=_PATCH_RADIUS_MM, center_mm=_LEFT),
        Reinforcement("punishment", radius_mm=_PATCH_RADIUS_MM, center_mm=_RIGHT),
    ),
)
"""The default timetable: dish, odors and duration of larvaworld's preference test; the patches are ours, so
that there is something to gain: reward under odor A, punishment under odor B."""


@dataclass(frozen=True)
class ArenaConfig(Shown):
    """A round dish with a timetable.

    Parameters
    ----------
    phases : tuple of Phase
        The timetable; an experiment is over when its last phase is.
    odors : tuple of str
        Odors in the order in which an observation reports them; by default in the order in which the
        phases name them.
    dish_diameter_mm : float
        At least ten body lengths.
    start_sd_mm : tuple of float
        Standard deviations of the start in x and y (mm), around the center; headings are uniform.
    mirror_odd_animals : bool
        Exchange left and right in the dishes of animals 1, 3, 5 …, so that the side of an odor is balanced
        within a group.

    Examples
    --------
    >>> ArenaConfig().odors
    ('A', 'B')
    """

    phases: tuple[Phase, ...] = (FORAGING,)
    odors: tuple[str, ...] = ()
    dish_diameter_mm: float = DISH_DIAMETER_MM
    start_sd_mm: tuple[float, float] = START_SD_MM
    mirror_odd_animals: bool = False

    def __post_init__(self) -> None:
        if not self.phases:
            raise EnvError("ArenaConfig.phases: expected at least one phase, got none")
        smallest_mm = 10.0 * BODY_LENGTH_MM
        if not (np.isfinite(self.dish_diameter_mm) and self.dish_diameter_mm >= smallest_mm):
            raise EnvError(
                f"ArenaConfig.dish_diameter_mm: expected at least {smallest_mm:g}, "
                f"got {self.dish_diameter_mm}"
            )
        sd = np.asarray(self.start_sd_mm, float)
        if sd.shape != (2,) or not ((sd >= 0) & (sd <= self.radius_mm)).all():
            raise EnvError(
                f"ArenaConfig.start_sd_mm: expected (x, y) between 0 and the dish's radius of "
                f"{self.radius_mm:g} mm, got {self.start_sd_mm}"
            )
        smelled = tuple(dict.fromkeys(s.odor for phase in self.phases for s in phase.sources))
        if not self.odors:
            object.__setattr__(self, "odors", smelled)
        if len(set(self.odors)) < len(self.odors):
            raise EnvError(f"ArenaConfig.odors: expected each odor once, got {self.odors}")
        missing = sorted(set(smelled) - set(self.odors))
        if missing:
            raise EnvError(
                f"ArenaConfig.odors: expected all odors of the phases, "
                f"got {self.odors}; add {', '.join(missing)}"
            )
        for phase in self.phases:
            for source in phase.sources:
                if np.hypot(*source.position_mm) > self.radius_mm:
                    raise EnvError(
                        f"a source of {source.odor!r} in phase {phase.name!r} is outside the dish: expected "
                        f"at most {self.radius_mm:g} mm from the center, got {source.position_mm}"
                    )

    @property
    def radius_mm(self) -> float:
        """Radius of the dish (mm)."""
        return self.dish_diameter_mm / 2.0

    def side(self, animals: range) -> NDArray[np.float64]:
        """Return for each animal 1, or −1 where left and right are exchanged; shape (animals,)."""
        odd = np.array(animals) % 2 == 1
        return np.where(odd & self.mirror_odd_animals, -1.0, 1.0)
