"""Odor sources and their concentrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.odor_arena.larva_body import kernels
from ethospike.errors import EnvError

PEAK_UM = 2.0
"""Concentration at a source (µM): larvaworld (Sakagiannis et al.), conditioned and unconditioned odor of
its preference tests."""
SIGMA_MM = math.sqrt(200.0)
"""Width of a source (mm), 14.1: larvaworld, version of February 2023, gives the variance 2e-4 m²."""


@dataclass(frozen=True)
class OdorSource:
    """A cup of odor: c(r) = peak · exp(−r² / (2 σ²)), as in larvaworld.

    Several sources may give off the same odor; their concentrations add up.

    Parameters
    ----------
    odor : str
        Which odor; an animal smells each odor, not each source.
    position_mm : tuple of float
        x and y; the dish's center is (0, 0).
    peak_um : float
        Concentration at the source (µM), above 0.
    sigma_mm : float
        Width σ (mm), above 0.

    Examples
    --------
    >>> round(OdorSource("amylacetate").concentration_um(SIGMA_MM), 3)
    1.213
    """

    odor: str
    position_mm: tuple[float, float] = (0.0, 0.0)
    peak_um: float = PEAK_UM
    sigma_mm: float = SIGMA_MM

    def __post_init__(self) -> None:
        if not self.odor:
            raise EnvError("OdorSource.odor: expected the name of an odor, got an empty one")
        if len(self.position_mm) != 2 or not np.isfinite(self.position_mm).all():
            raise EnvError(f"OdorSource.position_mm: expected finite (x, y), got {self.position_mm}")
        for name in ("peak_um", "sigma_mm"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise EnvError(f"OdorSource.{name}: expected above 0, got {value}")

    def concentration_um(self, distance_mm: float) -> float:
        """Return the concentration (µM) at a distance from the source."""
        return self.peak_um * math.exp(-(distance_mm**2) / (2.0 * self.sigma_mm**2))


class OdorField:
    """The concentrations that a set of sources makes, for a group of animals at once.

    Parameters
    ----------
    sources : sequence of OdorSource
    odors : sequence of str
        Names in the order of the rows that come out; those of all sources are among them.
    side : ndarray, shape (animals,)
        −1 for an animal with left and right exchanged in its dish, else 1.

    Attributes
    ----------
    source_mm : ndarray, shape (2, sources, animals)
        Sources in the coordinates of each animal's dish, sorted by odor.
    peak_um : ndarray, shape (sources,)
    odor : ndarray of int, shape (sources,)
        Row of the odor of each source.
    """

    def __init__(
        self, sources: Sequence[OdorSource], odors: Sequence[str], side: NDArray[np.float64]
    ) -> None:
        ordered = sorted(sources, key=lambda source: odors.index(source.odor))
        self._odors = len(odors)
        position = np.array([source.position_mm for source in ordered]).reshape(-1, 2).T[:, :, None]
        self.source_mm = np.concatenate((position[:1] * side, position[1:] * np.ones_like(side)))
        self.peak_um = np.array([source.peak_um for source in ordered], dtype=np.float64)
        self.odor = np.array([odors.index(source.odor) for source in ordered], dtype=np.int64)
        self._per_mm2 = np.array([-0.5 / source.sigma_mm**2 for source in ordered], dtype=np.float64)

    def falloff(self, position_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the concentration of each source as a share of its peak, shape (sources, animals).

        Positions are of shape (2, animals).
        """
        exponent = np.empty(self.source_mm.shape[1:])
        kernels().exponents(position_mm, self.source_mm, self._per_mm2, exponent)
        shares: NDArray[np.float64] = np.exp(exponent, out=exponent)
        return shares

    def concentrations_um(self, position_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the concentrations (µM), shape (odors, animals), at positions of shape (2, animals)."""
        animals = position_mm.shape[1]
        concentration = np.empty((self._odors, animals))
        here, agar = np.zeros(animals, np.int64), (np.empty((0, animals)), np.empty((2, 0, animals)))
        dish = kernels().Dish(self.peak_um, self.odor, *agar, np.empty((0, 3)))
        kernels().meet(0, here, self.falloff(position_mm), dish, position_mm, concentration)
        return concentration
