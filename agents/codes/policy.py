"""A stochastic policy over the actions of an environment, from preferences such as rates of populations.

Each entry of an action has a group of neurons, or a preference, for each of its values. The probabilities are
needed by agents that learn: they compare the chosen value with the probability that it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.any_env.spaces import Entry
from ethospike.errors import AgentError


class Policy:
    """A softmax over the values of each entry of an action.

    Parameters
    ----------
    entries : sequence of Entry
        Of the action, such as `GymnasiumGroup.action_entries`.
    levels : int
        Values of a continuous entry, evenly spaced from end to end of its range.
    least_probability : float
        Share of choices that are made by chance, independent of the preferences. Once its probabilities
        reach 0 or 1, a policy no longer learns from its choices.

    Raises
    ------
    AgentError
        When a number is out of range, or an entry has no finite range.

    Attributes
    ----------
    n_groups : int
        Preferences that it needs: the values of the first entry, then those of the second, and so on.

    Examples
    --------
    >>> policy = Policy([Entry("gear", 0.0, 1.0, 2), Entry("force", -1.0, 1.0)], levels=3)
    >>> chosen = policy.chosen(policy.probabilities(np.array([[0.0, 9.0, 5.0, 0.0, 0.0]])))
    >>> policy.action(chosen)
    array([[ 1., -1.]])
    """

    def __init__(self, entries: Sequence[Entry], levels: int = 5, least_probability: float = 0.0) -> None:
        if levels < 2:
            raise AgentError(f"levels: expected at least 2, got {levels}")
        if not 0.0 <= least_probability < 1.0:
            raise AgentError(f"least_probability: expected 0 … 1, below 1, got {least_probability}")
        for entry in entries:
            if not entry.is_bounded:
                raise AgentError(f"policy: expected a finite range of {entry.name!r}; wrap the environment")
        self._least = least_probability
        self._values = [
            np.arange(entry.categories, dtype=float)
            if entry.categories
            else np.linspace(entry.low, entry.high, levels)
            for entry in entries
        ]
        self._ends = np.cumsum([0, *map(len, self._values)]).tolist()
        self.n_groups = self._ends[-1]
        self._dtype = np.dtype(np.int64 if all(entry.categories for entry in entries) else np.float64)

    def probabilities(self, preferences: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each value, shape (animals, n_groups); they add up to 1 in each entry."""
        parts = []
        for begin, end in pairwise(self._ends):
            part = np.asarray(preferences[:, begin:end], np.float64)
            weights = np.exp(part - part.max(axis=1, keepdims=True))
            softmax = weights / weights.sum(axis=1, keepdims=True)
            parts.append((1.0 - self._least) * softmax + self._least / (end - begin))
        return np.concatenate(parts, axis=1)

    def drawn(
        self, probabilities: NDArray[np.float64], generators: Sequence[np.random.Generator]
    ) -> NDArray[np.float64]:
        """Return 1 for the drawn value of each entry and 0 elsewhere, shape (animals, n_groups).

        Each animal's generator is used once an entry.
        """
        draws = np.array([generator.random(len(self._values)) for generator in generators])
        chosen, animals = np.zeros_like(probabilities), np.arange(len(probabilities))
        for column, (begin, end) in enumerate(pairwise(self._ends)):
            edges = probabilities[:, begin:end].cumsum(axis=1)
            place = np.minimum((draws[:, column, None] >= edges).sum(axis=1), end - begin - 1)
            chosen[animals, begin + place] = 1.0
        return chosen

    def chosen(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1 for the most probable value of each entry (the first of several), 0 elsewhere."""
        chosen = np.zeros_like(probabilities)
        for begin, end in pairwise(self._ends):
            place = probabilities[:, begin:end].argmax(axis=1)
            chosen[np.arange(len(chosen)), begin + place] = 1.0
        return chosen

    def action(self, chosen: NDArray[np.float64]) -> NDArray[Any]:
        """Return rows of actions, shape (animals, entries); whole numbers if all entries are categories."""
        columns = [
            chosen[:, begin:end] @ values
            for values, (begin, end) in zip(self._values, pairwise(self._ends), strict=True)
        ]
        return np.stack(columns, axis=1).astype(self._dtype)
