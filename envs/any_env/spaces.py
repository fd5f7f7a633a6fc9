"""Gymnasium spaces as flat rows of named numbers, in both directions.

| space | entries |
|---|---|
| `Box` | one number each, in the order of the array |
| `Box` that is an image | gray values 0 … 1 on a grid, means of blocks of pixels |
| `Discrete`, `MultiDiscrete`, `MultiBinary` | whole numbers from 0 |
| `Tuple`, `Dict` | the entries of the members; names keep the path, such as `arm/position[1]` |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ethospike.errors import EnvError

IMAGE_SIDE = 16
"""Smallest height and width of an array of bytes that is an image: smaller ones are boards or states."""
UNBOUNDED = 1e30
"""Bounds beyond this are none: CartPole has the largest float32 as the bound of its velocities."""
SMALLEST_WHOLE = 1e-3
"""Distance within which a number counts as whole; float32 keeps whole numbers exactly up to 16 million."""


@dataclass(frozen=True)
class Entry:
    """One number of a flat observation or action.

    Parameters
    ----------
    name : str
    low, high : float
        Range; infinite where there is no bound.
    categories : int
        0 for a continuous number, n for a whole number 0 … n − 1.
    """

    name: str
    low: float
    high: float
    categories: int = 0

    @property
    def is_bounded(self) -> bool:
        """True if both ends of the range are finite."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


class FlatSpace(ABC):
    """A space as a row of numbers.

    Attributes
    ----------
    entries : tuple of Entry
    """

    entries: tuple[Entry, ...]

    @abstractmethod
    def flat(self, sample: Any) -> NDArray[np.float64]:
        """Return the numbers of an element of the space, shape (entries,)."""

    @abstractmethod
    def element(self, row: NDArray[np.float64]) -> Any:
        """Return the element of the space with these numbers, shape (entries,).

        Continuous numbers are clipped to their range.

        Raises
        ------
        EnvError
            When a category is no whole number in its range, or the space is an image.
        """

    @property
    def is_discrete(self) -> bool:
        """True if all numbers are categories."""
        return all(entry.categories for entry in self.entries)


class _Numbers(FlatSpace):
    """A `Box` without pictures."""

    def __init__(self, space: spaces.Box, name: str) -> None:
        self._shape, self._dtype = space.shape, np.dtype(space.dtype or np.float64)
        low, high = _ends(space)
        names = _indexed(name, space.shape)
        rows = zip(names, low.ravel().tolist(), high.ravel().tolist(), strict=True)
        self.entries = tuple(Entry(*row) for row in rows)
        self._low, self._high = low.ravel(), high.ravel()

    def flat(self, sample: Any) -> NDArray[np.float64]:
        return np.asarray(sample, np.float64).ravel()

    def element(self, row: NDArray[np.float64]) -> Any:
        values = np.clip(row, self._low, self._high)
        if self._dtype.kind in "iu":
            values = np.rint(values)
        return values.reshape(self._shape).astype(self._dtype)


class _Image(FlatSpace):
    """A `Box` of bytes, as gray values on a grid."""

    def __init__(self, space: spaces.Box, name: str, grid: tuple[int, int]) -> None:
        height, width = space.shape[:2]
        if grid[0] > height or grid[1] > width or min(grid) < 1:
            raise EnvError(
                f"image_grid: expected rows and columns of at least 1 and at most {height} × {width} pixels, "
                f"got {grid[0]} × {grid[1]}"
            )
        self._rows = np.linspace(0, height, grid[0] + 1).astype(int)
        self._columns = np.linspace(0, width, grid[1] + 1).astype(int)
        self.entries = tuple(Entry(cell, 0.0, 1.0) for cell in _indexed(name, grid))

    def flat(self, sample: Any) -> NDArray[np.float64]:
        gray = np.asarray(sample, np.float64)
        gray = gray.mean(axis=2) if gray.ndim == 3 else gray
        bands = [gray[begin:end].mean(axis=0) for begin, end in pairwise(self._rows)]
        cells = [[band[begin:end].mean() for begin, end in pairwise(self._columns)] for band in bands]
        return np.array(cells).ravel() / 255.0

    def element(self, row: NDArray[np.float64]) -> Any:
        raise EnvError("an image cannot be an action")


class _Categories(FlatSpace):
    """`Discrete`, `MultiDiscrete` and `MultiBinary`: whole numbers from 0."""

    def __init__(self, space: Any, name: str) -> None:
        if isinstance(space, spaces.Discrete):
            counts, start = np.array(space.n), np.array(space.start)
        elif isinstance(space, spaces.MultiBinary):
            counts, start = np.full(space.shape, 2), np.zeros(space.shape, int)
        else:
            counts, start = np.asarray(space.nvec), np.asarray(getattr(space, "start", 0) + 0 * space.nvec)
        self._space, self._start = space, start
        rows = zip(_indexed(name, counts.shape), counts.ravel().tolist(), strict=True)
        self.entries = tuple(Entry(entry, 0.0, n - 1.0, int(n)) for entry, n in rows)

    def flat(self, sample: Any) -> NDArray[np.float64]:
        return np.asarray(np.asarray(sample) - self._start, np.float64).ravel()

    def element(self, row: NDArray[np.float64]) -> Any:
        whole = np.rint(row)
        for value, number, entry in zip(row, whole, self.entries, strict=True):
            if abs(value - number) > SMALLEST_WHOLE or not 0 <= number < entry.categories:
                raise EnvError(
                    f"action: expected a whole number 0 … {entry.categories - 1} for {entry.name}, "
                    f"got {value:g}"
                )
        values = whole.astype(np.int64).reshape(self._start.shape) + self._start
        if isinstance(self._space, spaces.Discrete):
            return self._space.dtype.type(values)
        return values.astype(self._space.dtype)


class _Members(FlatSpace):
    """`Tuple` and `Dict`."""

    def __init__(self, members: dict[Any, FlatSpace], is_tuple: bool) -> None:
        self._members, self._is_tuple = members, is_tuple
        self.entries = tuple(entry for member in members.values() for entry in member.entries)
        self._ends = np.cumsum([0, *(len(member.entries) for member in members.values())])

    def flat(self, sample: Any) -> NDArray[np.float64]:
        return np.concatenate([member.flat(sample[key]) for key, member in self._members.items()])

    def element(self, row: NDArray[np.float64]) -> Any:
        parts = [row[begin:end] for begin, end in pairwise(self._ends)]
        pairs = zip(self._members.items(), parts, strict=True)
        elements = {key: member.element(part) for (key, member), part in pairs}
        return tuple(elements.values()) if self._is_tuple else elements


def flat_space(space: spaces.Space[Any], name: str, image_grid: tuple[int, int] = (12, 12)) -> FlatSpace:
    """Return a space as a row of numbers.

    Parameters
    ----------
    space : gymnasium.Space
    name : str
        Name of the numbers of a space without members, such as `observation`.
    image_grid : tuple of int
        Rows and columns of the grid for images.

    Raises
    ------
    EnvError
        When the kind of space has no fixed number of entries, such as `Text` or `Graph`.

    Examples
    --------
    >>> [entry.name for entry in flat_space(spaces.Dict(arm=spaces.Box(-1, 1, (2,))), "observation").entries]
    ['arm[0]', 'arm[1]']
    """
    if isinstance(space, spaces.Box):
        return _Image(space, name, image_grid) if _is_image(space) else _Numbers(space, name)
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        return _Categories(space, name)
    if isinstance(space, (spaces.Tuple, spaces.Dict)):
        is_tuple = isinstance(space, spaces.Tuple)
        parts: Any = space.spaces
        pairs: Sequence[tuple[Any, spaces.Space[Any]]]
        pairs = list(enumerate(parts)) if is_tuple else list(parts.items())
        root = "" if name in ("observation", "action") else f"{name}/"
        names = [f"{root}item{key}" if is_tuple else f"{root}{key}" for key, _ in pairs]
        members = zip(pairs, names, strict=True)
        return _Members(
            {key: flat_space(part, label, image_grid) for (key, part), label in members}, is_tuple
        )
    raise EnvError(
        f"{name}: a space of type {type(space).__name__} has no fixed number of entries; expected Box, "
        f"Discrete, MultiDiscrete, MultiBinary, or Tuple and Dict of these; wrap the environment"
    )


def _is_image(space: spaces.Box) -> bool:
    """Return True for bytes of shape (height, width) or (height, width, 1, 3 or 4)."""
    shape = space.shape
    is_picture = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    return space.dtype == np.uint8 and is_picture and min(shape[:2]) >= IMAGE_SIDE


def _ends(space: spaces.Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.asarray(space.low, np.float64), np.asarray(space.high, np.float64)
    return np.where(low < -UNBOUNDED, -np.inf, low), np.where(high > UNBOUNDED, np.inf, high)


def _indexed(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return `name`, or `name[i]`, `name[i,j]` … for an array."""
    if int(np.prod(shape)) == 1:
        return [name]
    return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]
