"""A policy that acts at random, the lower bound of every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.envs.any_env import Entry
from ethospike.errors import AgentError
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.states import State, check_state


class RandomPolicy(Agent):
    """Draws every action uniformly from its range, without regard to the observation.

    Parameters
    ----------
    actions : sequence of Entry
        Entries of the action, such as `GymnasiumGroup.action_entries`; continuous ones have a finite range.
    seed : int
        Keyed by animal.
    animals : int
    control_interval_ms : float

    Raises
    ------
    AgentError
        When a range is not finite.
    """

    def __init__(
        self, actions: Sequence[Entry], *, seed: int, animals: int = 1, control_interval_ms: float = 20.0
    ) -> None:
        super().__init__(animals, control_interval_ms)
        for entry in actions:
            if not entry.is_bounded:
                raise AgentError(f"random policy: expected a finite range of {entry.name!r}")
        self._categories = np.array([entry.categories for entry in actions])
        self._low = np.array([entry.low for entry in actions])
        self._high = np.array([entry.high for entry in actions])
        self._generators = [random_stream(seed, animal, Role.READOUT) for animal in range(animals)]

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        shares = np.stack([generator.random(len(self._low)) for generator in self._generators])
        numbers = self._low + shares * (self._high - self._low)
        categories = np.floor(shares * self._categories)
        action: NDArray[Any] = np.where(self._categories > 0, categories, numbers)
        return Decision(action.astype(np.int64) if self._categories.all() else action)

    def state(self) -> State:
        """Return the state of the generators."""
        return {"generator": pack_generators(self._generators, self.animals)}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another agent.
        """
        check_state(state, self.state())
        self._generators = unpack_generators(state["generator"])
