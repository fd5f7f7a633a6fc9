"""Distributions from which the parameters of neurons and the weights and delays of synapses are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import BrainError

_MOST_REDRAWS = 1000
"""Rounds after which `Normal` gives up: each round must keep at least a tenth of a percent of its draws."""


@runtime_checkable
class Distribution(Protocol):
    """Independent values, drawn for every neuron or synapse of every animal."""

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values in the unit of the quantity."""


@dataclass(frozen=True)
class Uniform:
    """Uniform values in [low, high)."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values."""
        return rng.uniform(self.low, self.high, size)


@dataclass(frozen=True)
class Normal:
    """Normal values; those outside [low, high] are drawn again, as by NEST's `math.redraw`.

    Parameters
    ----------
    mean, sd : float
        Of the distribution before it is cut.
    low, high : float
        Bounds, both included.

    Raises
    ------
    BrainError
        When `sd` is negative, or hardly any value lies within the bounds.
    """

    mean: float
    sd: float
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 <= self.sd < np.inf):
            raise BrainError(f"Normal: expected a finite mean and an sd of at least 0, got {self}")
        inside = self.low <= self.mean <= self.high
        if self.low > self.high or (self.sd == 0 and not inside):
            raise BrainError(f"Normal: no value lies within {self.low} … {self.high}; got {self}")

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values."""
        values = rng.normal(self.mean, self.sd, size)
        for _ in range(_MOST_REDRAWS):
            outside = np.flatnonzero((values < self.low) | (values > self.high))
            if not len(outside):
                return values
            values[outside] = rng.normal(self.mean, self.sd, len(outside))
        raise BrainError(f"Normal: hardly any value lies within {self.low} … {self.high}; got {self}")


@dataclass(frozen=True)
class LogNormal:
    """Lognormal values, given by their own mean and standard deviation rather than those of the logarithm.

    Parameters
    ----------
    mean, sd : float
        Of the values. A negative mean makes all values negative: inhibitory weights.

    Raises
    ------
    BrainError
        When the mean is 0 or not finite, or `sd` is negative.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and self.mean != 0 and 0 <= self.sd < np.inf):
            raise BrainError(f"LogNormal: expected a finite mean other than 0 and an sd ≥ 0, got {self}")

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values."""
        variance = np.log1p((self.sd / self.mean) ** 2)  # of the logarithm
        values: NDArray[np.float64] = rng.lognormal(
            np.log(abs(self.mean)) - variance / 2, np.sqrt(variance), size
        )
        return values if self.mean > 0 else -values
