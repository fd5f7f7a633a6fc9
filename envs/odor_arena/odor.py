"""Odor sources and their concentrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """

    def __init__(
        self, sources: Sequence[OdorSource], odors: Sequence[str], side: NDArray[np.float64]
    ) -> None:
        # Rows are sources, sorted by odor, so that the sources of an odor are added in one go.
        ordered = sorted(sources, key=lambda source: odors.index(source.odor))
        rows = np.array([odors.index(source.odor) for source in ordered], np.intp)
        self._odors = len(odors)
        self._present, self._first = np.unique(rows, return_index=True)
        self._adds_up = len(rows) > len(self._present)
        self._all_present = len(self._present) == len(odors)
        position = np.array([source.position_mm for source in ordered]).reshape(-1, 2).T[:, :, None]
        self._position_mm = np.concatenate((position[:1] * side, position[1:] * np.ones_like(side)))
        self._per_mm2 = np.array([-0.5 / source.sigma_mm**2 for source in ordered])[:, None]
        self._peak_um = np.array([source.peak_um for source in ordered])[:, None]

    def concentrations_um(self, position_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the concentrations (µM), shape (odors, animals), at positions of shape (2, animals)."""
        if not len(self._present):
            return np.zeros((self._odors, position_mm.shape[1]))
        offset = position_mm[:, None, :] - self._position_mm
        offset *= offset
        exponent = offset[0]
        exponent += offset[1]
        exponent *= self._per_mm2
        concentration: NDArray[np.float64] = np.exp(exponent, out=exponent)
        concentration *= self._peak_um
        if self._adds_up:
            concentration = np.add.reduceat(concentration, self._first, axis=0)
        if self._all_present:
            return concentration
        by_odor = np.zeros((self._odors, position_mm.shape[1]))
        by_odor[self._present] = concentration
        return by_odor
