"""A body without senses and muscles, for networks at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ethospike.envs.contract import GroupEnv
from ethospike.states import State, check_state
from ethospike.variables import Component


class IdleEnv(GroupEnv):
    """Animals that feel nothing and do nothing for a number of control steps.

    Observation and action are one number without meaning, 0.

    Parameters
    ----------
    num_envs : int
    control_interval_ms : float
    n_control_steps : int
        The environment is terminated after so many steps.

    Examples
    --------
    >>> env = IdleEnv(2, control_interval_ms=10.0, n_control_steps=1)
    >>> observation, _ = env.reset(seed=1)
    >>> env.step(observation)[2]
    array([ True,  True])
    """

    features = (Component("nothing"),)
    actuators = (Component("nothing"),)

    def __init__(self, num_envs: int, control_interval_ms: float, n_control_steps: int) -> None:
        self.num_envs = num_envs
        self.control_interval_ms = control_interval_ms
        self.n_control_steps = n_control_steps
        self.control_step = 0
        self.single_observation_space = Box(0.0, 1.0, (1,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin anew; there is nothing random."""
        self.control_step = 0
        return self._nothing(), {}

    def step(self, actions: NDArray[np.floating]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Let time pass."""
        self.control_step += 1
        ended = np.full(self.num_envs, self.control_step >= self.n_control_steps)
        return self._nothing(), np.zeros(self.num_envs), ended, np.zeros_like(ended), {}

    def state(self) -> State:
        """Return the time."""
        return {"control_step": np.array(self.control_step)}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another environment.
        """
        check_state(state, self.state())
        self.control_step = int(state["control_step"])

    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((self.num_envs, 1), dtype=np.float32)
