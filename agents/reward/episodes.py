"""The course of a run for agents that learn: episodes of training and evaluation, rewards, and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.codes.policy import Policy
from ethospike.envs.any_env import GREEDY, TRAINING, GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.states import State, check_state


class Course:
    """The number and the purpose of each animal's episode, and its random choices.

    Evaluation draws from generators of its own: training goes on as if it had never been evaluated.

    Parameters
    ----------
    env : GymnasiumGroup
    seed : int
        Of the choices, keyed by animal.

    Attributes
    ----------
    in_episode : ndarray of bool, shape (animals,)
        The observation belongs to an episode, and the next action will be carried out.
    learns : ndarray of bool, shape (animals,)
        The animal is in training.
    """

    def __init__(self, env: GymnasiumGroup, seed: int) -> None:
        self._config, n = env.config, env.num_envs
        self._episode = np.full(n, -1, np.int64)
        self.in_episode = np.zeros(n, bool)
        self.learns, self._is_greedy = np.ones(n, bool), np.zeros(n, bool)
        self._training, self._evaluation = (
            [random_stream(seed, animal, Role.READOUT, channel) for animal in range(n)] for channel in (0, 1)
        )

    def begin(self, which: NDArray[np.bool_]) -> None:
        """Count the next episode of some animals."""
        self._episode[which] += 1
        self.in_episode[which] = True
        self._look_up()

    def _look_up(self) -> None:
        purposes = self._config.purposes(self._episode)
        self.learns, self._is_greedy = purposes == TRAINING, purposes == GREEDY

    def end(self, which: NDArray[np.bool_]) -> None:
        """End the episodes of some animals."""
        self.in_episode &= ~which

    def choices(self, policy: Policy, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the choice of each animal, shape (animals, n_groups): drawn, or the most probable."""
        generators = self._training
        if not self.learns.all():
            pairs = zip(self.learns.tolist(), self._training, self._evaluation, strict=True)
            generators = [first if learns else other for learns, first, other in pairs]
        drawn = policy.drawn(probabilities, generators)
        if not self._is_greedy.any():
            return drawn
        return np.where(self._is_greedy[:, None], policy.chosen(probabilities), drawn)

    def state(self) -> State:
        """Return copies of counts and generators."""
        n = len(self._episode)
        return {
            "episode": self._episode.copy(),
            "in_episode": self.in_episode.copy(),
            "training": pack_generators(self._training, n),
            "evaluation": pack_generators(self._evaluation, n),
        }

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another object.
        """
        check_state(state, self.state())
        self._episode, self.in_episode = np.array(state["episode"]), np.array(state["in_episode"])
        self._training = unpack_generators(state["training"])
        self._evaluation = unpack_generators(state["evaluation"])
        self._look_up()


def checked_rewards(reward: Any, animals: int) -> NDArray[np.float64]:
    """Return rewards as an array of shape (animals,).

    Raises
    ------
    AgentError
        When the shape is another, or a number is not finite.
    """
    rewards = np.atleast_1d(np.asarray(reward, np.float64))
    if rewards.shape != (animals,) or not np.isfinite(rewards).all():
        raise AgentError(f"reward: expected {animals} finite numbers, got {reward!r}")
    return rewards


def per_animal(flag: Any, animals: int) -> NDArray[np.bool_]:
    """Return a flag, or one for each animal, as an array of shape (animals,)."""
    flags = np.array(flag, bool)
    return flags if flags.shape == (animals,) else np.broadcast_to(flags, (animals,)).copy()


def check_numbers(config: Any, positive: Sequence[str], at_least_0: Sequence[str] = ()) -> None:
    """Check that some fields of a configuration are finite and above 0, and others at least 0.

    Raises
    ------
    AgentError
        For the first field that is not.
    """
    for name in positive:
        if not 0.0 < getattr(config, name) < np.inf:
            raise AgentError(f"{type(config).__name__}.{name}: expected above 0, got {getattr(config, name)}")
    for name in at_least_0:
        if not 0.0 <= getattr(config, name) < np.inf:
            raise AgentError(
                f"{type(config).__name__}.{name}: expected at least 0, got {getattr(config, name)}"
            )
