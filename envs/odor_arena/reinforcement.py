"""Reward and punishment on the agar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.odor_arena.larva_body import kernels
from ethospike.errors import EnvError

KINDS = ("reward", "punishment")
"""Order of the rows of `ReinforcementField.strengths`."""


@dataclass(frozen=True)
class Reinforcement:
    """Sugar or quinine in the agar: a circular patch of it, or everywhere.

    Overlapping reinforcements of one kind add up.

    Parameters
    ----------
    kind : str
        "reward" or "punishment".
    strength : float
        Above 0; 1 is the concentration of an ordinary training dish.
    radius_mm : float or None
        Radius of the patch, its edge included; None is everywhere.
    center_mm : tuple of float
        x and y of the patch's center; the dish's center is (0, 0).

    Examples
    --------
    >>> Reinforcement("reward")
    Reinforcement(kind='reward', strength=1.0, radius_mm=None, center_mm=(0.0, 0.0))
    """

    kind: str
    strength: float = 1.0
    radius_mm: float | None = None
    center_mm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise EnvError(f"Reinforcement.kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        if not (np.isfinite(self.strength) and self.strength > 0):
            raise EnvError(f"Reinforcement.strength: expected above 0, got {self.strength}")
        if self.radius_mm is not None and not (np.isfinite(self.radius_mm) and self.radius_mm > 0):
            raise EnvError(f"Reinforcement.radius_mm: expected above 0 or None, got {self.radius_mm}")
        if len(self.center_mm) != 2 or not np.isfinite(self.center_mm).all():
            raise EnvError(f"Reinforcement.center_mm: expected finite (x, y), got {self.center_mm}")


class ReinforcementField:
    """The reward and punishment that a set of reinforcements makes, for a group of animals at once.

    Parameters
    ----------
    reinforcements : sequence of Reinforcement
    side : ndarray, shape (animals,)
        −1 for an animal with left and right exchanged in its dish, else 1.

    Attributes
    ----------
    everywhere : ndarray, shape (2, animals)
        Strength of reward and punishment without a place.
    center_mm : ndarray, shape (2, patches, animals)
        Centers of patches in the coordinates of each animal's dish.
    patch : ndarray, shape (patches, 3)
        Place of its kind in `KINDS`, strength, and squared radius (mm²) of each patch.
    """

    def __init__(self, reinforcements: Sequence[Reinforcement], side: NDArray[np.float64]) -> None:
        self.everywhere = np.zeros((len(KINDS), len(side)))
        patches, centers = [], []
        for given in reinforcements:
            kind = KINDS.index(given.kind)
            if given.radius_mm is None:
                self.everywhere[kind] += given.strength
            else:
                patches.append((kind, given.strength, given.radius_mm**2))
                centers.append(np.array(given.center_mm)[:, None] * np.stack((side, np.ones_like(side))))
        self.patch = np.array(patches, dtype=np.float64).reshape(-1, 3)
        self.center_mm = np.array(centers).reshape(-1, 2, len(side)).transpose(1, 0, 2).copy()

    def strengths(self, position_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return reward and punishment, shape (2, animals), at positions of shape (2, animals)."""
        strengths, here = np.empty_like(self.everywhere), np.zeros(position_mm.shape[1], np.int64)
        no_odors = np.empty(0), np.empty(0, np.int64)
        dish = kernels().Dish(*no_odors, self.everywhere, self.center_mm, self.patch)
        kernels().meet(0, here, np.empty((0, len(here))), dish, position_mm, strengths)
        return strengths
