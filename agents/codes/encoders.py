"""Encoders: rows of numbers become activities of channels, 0 … 1, which an agent scales to rates or currents.

An encoder of another kind is a subclass of `Encoder`; an entry in `ENCODERS` lets it be chosen by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.any_env.spaces import Entry
from ethospike.errors import AgentError, nearest

MOST_CHANNELS = 100_000
"""Channels of an encoder at most: a grid over many entries grows without bound."""


class Encoder(ABC):
    """A code of some entries of an observation.

    Parameters
    ----------
    entries : sequence of Entry
        Name, range and number of categories of each entry; all ranges are finite.

    Attributes
    ----------
    n_channels : int

    Raises
    ------
    AgentError
        When a range is not finite, or an entry does not fit the code.
    """

    n_channels: int

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        for entry in self.entries:
            if not entry.is_bounded or entry.low >= entry.high:
                raise AgentError(
                    f"{type(self).__name__}: expected a finite range of {entry.name!r}, got {entry.low} … "
                    f"{entry.high}; give ranges, or let them be learned"
                )
        self._low = np.array([entry.low for entry in self.entries])
        self._length = np.array([entry.high - entry.low for entry in self.entries])

    def shares(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return values (animals, entries) as shares of their ranges, clipped to 0 … 1."""
        shares = (np.asarray(values, np.float64) - self._low) / self._length
        return np.asarray(np.minimum(np.maximum(shares, 0.0), 1.0))  # np.clip takes several times as long

    @abstractmethod
    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return activities 0 … 1, shape (animals, n_channels), of values (animals, entries)."""


class Line(Encoder):
    """Two channels an entry: one grows with the value, the other falls with it.

    Examples
    --------
    >>> Line([Entry("angle", -1.0, 1.0)]).encode(np.array([[0.5]]))
    array([[0.75, 0.25]])
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__(entries)
        self.n_channels = 2 * len(self.entries)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return share and 1 − share of each entry in turn."""
        share = self.shares(values)
        return np.stack((share, 1.0 - share), axis=2).reshape(len(share), -1)


class Gaussian(Encoder):
    """A population of channels an entry, with Gaussian tuning curves over the range.

    Parameters
    ----------
    entries : sequence of Entry
    n_cells : int
        Channels an entry; their centers are evenly spaced from end to end.
    width : float
        Standard deviation of a tuning curve in distances of neighboring centers.
    """

    def __init__(self, entries: Sequence[Entry], n_cells: int = 8, width: float = 1.0) -> None:
        super().__init__(entries)
        _check_positive(type(self).__name__, n_cells=n_cells - 1, width=width)
        self._centers = np.linspace(0.0, 1.0, n_cells)
        self._width = width / (n_cells - 1)
        self.n_channels = n_cells * len(self.entries)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return exp(−(x − center)² / (2 width²)) of each entry in turn."""
        distance = (self.shares(values)[:, :, None] - self._centers) / self._width
        return np.asarray(np.exp(-0.5 * distance**2)).reshape(len(distance), -1)


class Places(Encoder):
    """Place cells on a grid over all entries together, as in Frémaux, Sprekeler & Gerstner 2013.

    The activity is exp(−d²), with d the distance to the center in grid spacings (their maze: σ = spacing,
    without a factor 2). In tiles, instead, only the nearest cell is active.

    Parameters
    ----------
    entries : sequence of Entry
    n_cells : int
        Cells along each entry.
    tiles : bool
        Only the nearest cell is active, with activity 1.

    Raises
    ------
    AgentError
        When the grid has more than `MOST_CHANNELS` cells.
    """

    def __init__(self, entries: Sequence[Entry], n_cells: int = 5, tiles: bool = False) -> None:
        super().__init__(entries)
        _check_positive(type(self).__name__, n_cells=n_cells - 1)
        if n_cells ** len(self.entries) > MOST_CHANNELS:
            raise AgentError(
                f"Places: {n_cells} cells along each of {len(self.entries)} entries are more than "
                f"{MOST_CHANNELS:,} channels; take fewer cells, or another code such as Gaussian"
            )
        axis = np.arange(n_cells, dtype=float)
        self._centers = np.array(list(product(axis, repeat=len(self.entries))))
        self._scale, self._tiles = n_cells - 1, tiles
        self.n_channels = len(self._centers)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the activity of each cell of the grid."""
        place = self.shares(values) * self._scale
        squared = ((place[:, None, :] - self._centers) ** 2).sum(axis=2)
        if not self._tiles:
            return np.asarray(np.exp(-squared))
        active: NDArray[np.float64] = np.zeros_like(squared)
        active[np.arange(len(squared)), squared.argmin(axis=1)] = 1.0
        return active


class Fourier(Encoder):
    """The Fourier basis of Konidaris, Osentoski & Thomas 2011, moved from −1 … 1 to 0 … 1.

    Channels are (1 + cos(π c · x)) / 2 for all vectors c of whole numbers 0 … order with at most `together`
    that are not 0; with all vectors their number would grow as (order + 1)^entries. The constant is left out.

    Parameters
    ----------
    entries : sequence of Entry
    order : int
    together : int
        Entries on which a channel may depend.

    Raises
    ------
    AgentError
        When there are more than `MOST_CHANNELS` channels.
    """

    def __init__(self, entries: Sequence[Entry], order: int = 3, together: int = 2) -> None:
        super().__init__(entries)
        _check_positive(type(self).__name__, order=order, together=together)
        n = len(self.entries)
        together = min(together, n)
        n_channels = sum(math.comb(n, k) * order**k for k in range(1, together + 1))
        if n_channels > MOST_CHANNELS:
            raise AgentError(
                f"Fourier: order {order} with {together} of {n} entries together makes {n_channels:,} "
                f"channels, more than {MOST_CHANNELS:,}; take a lower order or fewer entries together"
            )
        chosen = (which for k in range(1, together + 1) for which in combinations(range(n), k))
        vectors = [
            _vector(n, dict(zip(which, numbers, strict=True)))
            for which in chosen
            for numbers in product(range(1, order + 1), repeat=len(which))
        ]
        self._vectors = np.array(vectors)
        self.n_channels = len(vectors)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the basis functions at the values."""
        return np.asarray(0.5 * (1.0 + np.cos(math.pi * self.shares(values) @ self._vectors.T)))


class OneHot(Encoder):
    """A channel for each category of each entry.

    Examples
    --------
    >>> OneHot([Entry("card", 0.0, 3.0, 4)]).encode(np.array([[2.0]]))
    array([[0., 0., 1., 0.]])
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__(entries)
        for entry in self.entries:
            if not entry.categories:
                raise AgentError(f"OneHot: {entry.name!r} is a continuous number; choose another code for it")
        self._counts = [entry.categories for entry in self.entries]
        self.n_channels = sum(self._counts)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return 1 at the category of each entry, 0 elsewhere."""
        place = np.rint(np.asarray(values, np.float64))
        parts = [np.arange(n) == place[:, i, None] for i, n in enumerate(self._counts)]
        return np.concatenate(parts, axis=1).astype(np.float64)


class Joined(Encoder):
    """Several codes side by side, each of some of the entries.

    Parameters
    ----------
    entries : sequence of Entry
        All entries of the observation.
    parts : sequence of (columns, Encoder)
        Columns of the observation, and the code made for them.
    """

    def __init__(self, entries: Sequence[Entry], parts: Sequence[tuple[Sequence[int], Encoder]]) -> None:
        self.entries = tuple(entries)
        self._parts = [(list(columns), encoder) for columns, encoder in parts]
        self.n_channels = sum(encoder.n_channels for _, encoder in parts)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the activities of all parts, one part after the other."""
        return np.concatenate([code.encode(values[:, columns]) for columns, code in self._parts], axis=1)


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "line": Line,
    "gaussian": Gaussian,
    "places": Places,
    "fourier": Fourier,
    "one-hot": OneHot,
}
"""Codes by name; the first argument are entries, all others have a default."""


def default_encoder(entries: Sequence[Entry], name: str = "gaussian", **options: Any) -> Encoder:
    """Return a code for all entries: one-hot for categories, and a code by name for continuous numbers.

    Parameters
    ----------
    entries : sequence of Entry
        Of the observation, such as `GymnasiumGroup.entries`.
    name : str
        A name of `ENCODERS`, for the continuous numbers.
    **options
        Of that code.

    Raises
    ------
    AgentError
        When the name is unknown, or there is no entry.
    """
    if name not in ENCODERS:
        raise AgentError(f"no code {name!r}; {nearest(name, ENCODERS)}")
    if not entries:
        raise AgentError("code: expected at least one entry")
    categories = [i for i, entry in enumerate(entries) if entry.categories > 1]
    # An entry with one category only says nothing.
    numbers = [i for i, entry in enumerate(entries) if not entry.categories]
    parts: list[tuple[list[int], Encoder]] = []
    if numbers:
        parts.append((numbers, ENCODERS[name]([entries[i] for i in numbers], **options)))
    if categories:
        parts.append((categories, OneHot([entries[i] for i in categories])))
    return Joined(entries, parts)


def _vector(n: int, numbers: dict[int, int]) -> NDArray[np.float64]:
    vector = np.zeros(n)
    for place, number in numbers.items():
        vector[place] = number
    return vector


def _check_positive(code: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not number > 0:
            raise AgentError(f"{code}.{name}: expected a larger number")
