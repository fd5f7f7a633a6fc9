"""Read-outs: spike counts of groups of neurons become rows of actions.

A read-out of another kind is a subclass of `Readout`; an entry in `READOUTS` lets it be chosen by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.any_env.spaces import Entry
from ethospike.errors import AgentError, nearest


class Readout(ABC):
    """A read-out of the groups of a motor population into one entry of an action.

    Parameters
    ----------
    entry : Entry
        Name, range and number of categories of the action's entry.

    Attributes
    ----------
    n_groups : int
        Groups of neurons that it reads.
    """

    n_groups: int

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    @abstractmethod
    def decode(
        self, rates: NDArray[np.floating], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float64]:
        """Return the entry of each animal's action, shape (animals,).

        Parameters
        ----------
        rates : ndarray, shape (animals, n_groups)
            Spikes a neuron and control step, or filtered rates.
        generators : sequence of Generator
            One for each animal; read-outs that draw take the same number of draws in every call.
        """


class _OfCategories(Readout):
    """A group of neurons for each category."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry)
        if not entry.categories:
            raise AgentError(
                f"{type(self).__name__}: {entry.name!r} is continuous; choose opponent-pairs or "
                f"population-vector"
            )
        self.n_groups = entry.categories


class WinnerTakeAll(_OfCategories):
    """The category of the most active group; one of them by chance where several are equal."""

    def decode(
        self, rates: NDArray[np.floating], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float64]:
        """Return the categories."""
        draws = np.stack([generator.random(self.n_groups) for generator in generators])
        most = rates == rates.max(axis=1, keepdims=True)
        return np.asarray(np.where(most, draws, -1.0).argmax(axis=1), np.float64)


class Softmax(_OfCategories):
    """A category by chance, with probabilities proportional to exp(rate / temperature).

    Parameters
    ----------
    entry : Entry
    temperature : float
        In the unit of the rates.
    """

    def __init__(self, entry: Entry, temperature: float = 0.25) -> None:
        super().__init__(entry)
        if not temperature > 0:
            raise AgentError(f"Softmax.temperature: expected above 0, got {temperature}")
        self.temperature = temperature

    def probabilities(self, rates: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each category, shape (animals, n_groups)."""
        scaled = np.asarray(rates, np.float64) / self.temperature
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def decode(
        self, rates: NDArray[np.floating], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float64]:
        """Return drawn categories, with one draw an animal."""
        edges = np.cumsum(self.probabilities(rates), axis=1)
        draws = np.array([generator.random() for generator in generators])
        chosen = (draws[:, None] >= edges).sum(axis=1)
        return np.asarray(np.minimum(chosen, self.n_groups - 1), np.float64)


class _OfNumbers(Readout):
    """A continuous number in a finite range."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry)
        if entry.categories or not entry.is_bounded:
            raise AgentError(
                f"{type(self).__name__}: expected a continuous action with a finite range, got {entry}"
            )

    def _of_shares(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.entry.low + np.clip(shares, 0.0, 1.0) * (self.entry.high - self.entry.low)


class PopulationVector(_OfNumbers):
    """The mean of the preferred actions of the groups, weighted by their rates (Georgopoulos et al. 1986).

    Without spikes it is the middle of the range.

    Parameters
    ----------
    entry : Entry
    n_groups : int
        Preferred actions, evenly spaced from end to end of the range.
    """

    def __init__(self, entry: Entry, n_groups: int = 9) -> None:
        super().__init__(entry)
        if n_groups < 2:
            raise AgentError(f"PopulationVector.n_groups: expected at least 2, got {n_groups}")
        self.n_groups = n_groups
        self._preferred = np.linspace(0.0, 1.0, n_groups)

    def decode(
        self, rates: NDArray[np.floating], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float64]:
        """Return the weighted means."""
        total = rates.sum(axis=1)
        mean = np.divide(rates @ self._preferred, total, out=np.full(len(total), 0.5), where=total > 0)
        return self._of_shares(mean)


class OpponentPairs(_OfNumbers):
    """Two groups that pull an action to the ends of its range.

    The action is the middle of the range plus half of it times (first − second) / full_rate, clipped.

    Parameters
    ----------
    entry : Entry
    full_rate : float
        Difference of the rates that moves the action to an end of its range.
    """

    n_groups = 2

    def __init__(self, entry: Entry, full_rate: float = 2.0) -> None:
        super().__init__(entry)
        if not full_rate > 0:
            raise AgentError(f"OpponentPairs.full_rate: expected above 0, got {full_rate}")
        self.full_rate = full_rate

    def decode(
        self, rates: NDArray[np.floating], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float64]:
        """Return the actions."""
        return self._of_shares(0.5 + 0.5 * (rates[:, 0] - rates[:, 1]) / self.full_rate)


class ActionReadout:
    """The read-outs of all entries of an action; their groups of motor neurons follow each other.

    Parameters
    ----------
    readouts : sequence of Readout

    Attributes
    ----------
    n_groups : int
    """

    def __init__(self, readouts: Sequence[Readout]) -> None:
        self.readouts = tuple(readouts)
        self._ends = np.cumsum([0, *(readout.n_groups for readout in self.readouts)])
        self.n_groups = int(self._ends[-1])
        is_discrete = all(readout.entry.categories for readout in self.readouts)
        self._dtype = np.dtype(np.int64 if is_discrete else np.float64)

    def decode(self, rates: NDArray[np.floating], generators: Sequence[np.random.Generator]) -> NDArray[Any]:
        """Return actions, shape (animals, entries), of rates (animals, n_groups).

        They are whole numbers (int64) if all entries are categories.
        """
        parts = [rates[:, begin:end] for begin, end in pairwise(self._ends)]
        pairs = zip(self.readouts, parts, strict=True)
        action = np.stack([readout.decode(part, generators) for readout, part in pairs], axis=1)
        return action.astype(self._dtype)


READOUTS: dict[str, Callable[..., Readout]] = {
    "winner-take-all": WinnerTakeAll,
    "softmax": Softmax,
    "population-vector": PopulationVector,
    "opponent-pairs": OpponentPairs,
}
"""Read-outs by name; the first argument is an entry, all others have a default."""


def default_readout(
    entries: Sequence[Entry], discrete: str = "softmax", continuous: str = "opponent-pairs", **options: Any
) -> ActionReadout:
    """Return the read-out of an action: one by name for categories, another for continuous numbers.

    Parameters
    ----------
    entries : sequence of Entry
        Of the action, such as `GymnasiumGroup.action_entries`.
    discrete, continuous : str
        Names of `READOUTS`.
    **options
        Of the read-outs that have them.

    Raises
    ------
    AgentError
        When a name is unknown, or a read-out does not fit an entry.
    """
    for name in (discrete, continuous):
        if name not in READOUTS:
            raise AgentError(f"no read-out {name!r}; {nearest(name, READOUTS)}")
    return ActionReadout(
        [READOUTS[discrete if entry.categories else continuous](entry, **options) for entry in entries]
    )
