"""Input and output of a control window: `Stimulus` and `SpikeBlock`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import BrainError


@dataclass(frozen=True, slots=True)
class SpikeBlock:
    """Spikes of a window, sorted by (step, animal, neuron).

    Parameters
    ----------
    step : ndarray of int64, shape (spikes,)
    animal : ndarray of int32, shape (spikes,)
    neuron : ndarray of int32, shape (spikes,)
        Counted through the populations of an animal.
    """

    step: NDArray[np.int64]
    animal: NDArray[np.int32]
    neuron: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.step)

    @classmethod
    def joined(cls, blocks: Iterable[Self]) -> Self:
        """Concatenate the blocks of consecutive windows (at least one)."""
        columns = zip(*((block.step, block.animal, block.neuron) for block in blocks), strict=True)
        return cls(*map(np.concatenate, columns))

    @classmethod
    def sorted(
        cls, step: NDArray[np.integer], animal: NDArray[np.integer], neuron: NDArray[np.integer]
    ) -> Self:
        """Make a block from spikes in any order."""
        order = np.lexsort((neuron, animal, step))
        return cls(
            step[order].astype(np.int64, copy=False),
            animal[order].astype(np.int32, copy=False),
            neuron[order].astype(np.int32, copy=False),
        )

    @classmethod
    def empty(cls) -> Self:
        """Make a block without spikes."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


class Trains(NamedTuple):
    """Input spikes of a window by animal, as their sources make them and Numba reads them."""

    step: NDArray[np.int64]
    """Steps, sorted by (step, channel) within an animal; with room between animals that holds no spikes."""
    channel: NDArray[np.int32]
    first: NDArray[np.int64]
    """First spike of each animal, shape (animals + 1,)."""
    last: NDArray[np.int64]
    """Where its spikes end, shape (animals,)."""

    def check(self, animals: int) -> None:
        """Raise `BrainError` unless spikes are given for this number of animals, sorted by step in each."""
        first, last = self.first, self.last
        if (len(first), len(last)) != (animals + 1, animals):
            raise BrainError(f"stimulus: expected spikes by animal of {animals} animals, got {len(last)}")
        if (first[:-1] > last).any() or (last > first[1:]).any() or first[0] < 0 or last[-1] > len(self.step):
            raise BrainError(f"stimulus: expected places of spikes in order, got {first} and {last}")
        for begin, end in zip(first[:-1], last, strict=True):
            if (np.diff(self.step[begin:end]) < 0).any():
                raise BrainError("stimulus: expected sorted steps in each animal")

    def by_step(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Return step, animal and channel of the spikes, sorted by (step, animal, channel)."""
        counts = self.last - self.first[:-1]
        animal = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        if len(counts) == 1:
            return self.step[: self.last[0]], animal, self.channel[: self.last[0]]
        place = np.arange(len(animal)) + np.repeat(self.first[:-1] - np.cumsum(counts) + counts, counts)
        order = np.argsort(self.step[place], kind="stable")
        place = place[order]
        return self.step[place], animal[order], self.channel[place]


@dataclass(frozen=True, slots=True)
class Stimulus:
    """Spikes and currents that enter the network during one window.

    Parameters
    ----------
    step : ndarray of int64, shape (spikes,)
        Steps of input spikes, inside the window.
    animal : ndarray of int32, shape (spikes,)
    channel : ndarray of int32, shape (spikes,)
        Counted through the network's spike inputs. Spikes are sorted by (step, animal, channel); equal
        ones add up.
    current_pa : ndarray of float64, shape (animals, current channels), or None
        Amplitudes during the window; None is 0 everywhere.
    rate_hz : ndarray of float64, shape (animals, spike channels), or None
        Rates that the spikes were drawn from: for recordings, not used by simulators.
    modulation : mapping of str to ndarray, or None
        Values that plasticity rules read, by channel (`Network.modulation_channels`): shape (animals,) for
        the window, or (animals, steps); gates (animals, clusters of the target). A channel that is left out
        is 0; a reward that is left out, or NaN, makes no TD error.
    """

    step: NDArray[np.int64]
    animal: NDArray[np.int32]
    channel: NDArray[np.int32]
    current_pa: NDArray[np.float64] | None = None
    rate_hz: NDArray[np.float64] | None = None
    modulation: Mapping[str, NDArray[np.float64]] | None = None
    trains: Trains | None = field(default=None, init=False, repr=False, compare=False)
    """The same spikes by animal, if they were given so (`by_animal`)."""

    @classmethod
    def by_animal(
        cls,
        trains: Trains,
        current_pa: NDArray[np.float64] | None = None,
        rate_hz: NDArray[np.float64] | None = None,
    ) -> Self:
        """Make a stimulus from spikes by animal; they are sorted by step when somebody asks for them."""
        made = cls.__new__(cls)
        values = (current_pa, rate_hz, None, trains)
        for name, value in zip(("current_pa", "rate_hz", "modulation", "trains"), values, strict=True):
            object.__setattr__(made, name, value)
        return made

    def __getattr__(self, name: str) -> Any:
        """Sort spikes that were given by animal, when their steps are asked for first."""
        columns = ("step", "animal", "channel")
        trains = self.trains if name in columns else None
        if trains is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        for column, values in zip(columns, trains.by_step(), strict=True):
            object.__setattr__(self, column, values)
        return getattr(self, name)

    @classmethod
    def none(cls) -> Self:
        """Make a stimulus without spikes and currents."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))

    @classmethod
    def currents(cls, current_pa: NDArray[np.float64]) -> Self:
        """Make a stimulus of currents alone, shape (animals, current channels)."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32), current_pa)


def are_below(count: int, values: NDArray[np.integer]) -> bool:
    """Return True if all values, of which there is at least one, are in 0 … count − 1.

    In one pass: as an unsigned number, a negative one is larger than any count.
    """
    unsigned = values.view(f"u{values.itemsize}") if values.dtype.kind == "i" else values
    return bool(np.maximum.reduce(unsigned) < count)
