"""`ethospike/CueBandit-v0`: a cue is shown, and one of several actions is rewarded."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.spaces import Discrete

from ethospike.errors import EnvError


class CueBandit(gymnasium.Env[Any, Any]):
    """A contextual bandit of one step: the first task for a learning rule, because its optimum is 1.

    ## Observation
    The cue, a whole number from 0, drawn uniformly at each reset. It stays after the action.

    ## Action
    A whole number from 0. The action that equals the cue modulo the number of actions is right.

    ## Reward
    1 for the right action, else 0. A choice by chance earns 1 / `n_actions` on average.

    ## End
    The episode terminates after one step.

    Parameters
    ----------
    n_cues, n_actions : int
        At least as many cues as actions, and at least 2 actions. Chosen: 8 and 4, so that two cues share each
        action and chance is 0.25.

    Raises
    ------
    EnvError
        When a number is out of range, or `step` comes without a `reset`.

    Examples
    --------
    >>> env = CueBandit()
    >>> cue, _ = env.reset(seed=1)
    >>> env.step(cue % 4)[1:4]
    (1.0, True, False)
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, n_cues: int = 8, n_actions: int = 4) -> None:
        if not 2 <= n_actions <= n_cues:
            raise EnvError(
                f"CueBandit: expected at least 2 actions and at least as many cues, got n_actions "
                f"{n_actions}, n_cues {n_cues}"
            )
        self.observation_space, self.action_space = Discrete(n_cues), Discrete(n_actions)
        self._n_cues, self._n_actions = n_cues, n_actions
        self._cue: int | None = None
        self._waits_for_reset = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Draw a cue."""
        super().reset(seed=seed)
        self._cue, self._waits_for_reset = int(self.np_random.integers(self._n_cues)), False
        return self._cue, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Reward the right action and end the episode."""
        if self._cue is None or self._waits_for_reset:
            raise EnvError("CueBandit: call reset before each step; an episode has one step")
        if not self.action_space.contains(action):
            raise EnvError(f"action: expected a whole number 0 … {self._n_actions - 1}, got {action!r}")
        self._waits_for_reset = True
        return self._cue, float(action == self._cue % self._n_actions), True, False, {}
