"""An agent without neurons that solves the delayed reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.agents.reacher.hand import HandConfig, HandControl, ReachSenses
from ethospike.states import State
from ethospike.variables import variable


class ReachBaseline(Agent):
    """Goes where the response signal is, at once: the upper bound of the task, without neurons.

    Parameters
    ----------
    animals : int
    control_interval_ms : float
    n_targets : int
    hand : HandConfig, optional

    Examples
    --------
    >>> from ethospike.envs.delayed_reach import DelayedReachEnv
    >>> env, agent = DelayedReachEnv(), ReachBaseline()
    >>> observation, _ = env.reset(seed=1)
    >>> agent.act(observation).action
    array([0., 0.], dtype=float32)
    """

    variables: Mapping[str, Mapping[str, Any]] = {
        "decided_direction": variable("target that the hand is sent to, −1 at the center", "1", "int64")
    }

    def __init__(
        self,
        animals: int = 1,
        control_interval_ms: float = 10.0,
        *,
        n_targets: int = 6,
        hand: HandConfig | None = None,
    ) -> None:
        super().__init__(animals, control_interval_ms)
        self.n_targets = n_targets
        self._hand = HandControl(hand or HandConfig(), animals, n_targets)

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        senses = ReachSenses.of(observation, self.n_targets)
        self._hand.sense(senses)
        self._hand.send(self._hand.armed, senses.response.argmax(axis=1))
        return Decision(self._hand.drive(senses), readout={"decided_direction": self._hand.goal.copy()})

    def state(self) -> State:
        """Return copies of all that the next decision depends on."""
        return self._hand.state()

    def set_state(self, state: State) -> None:
        """Continue from a `state()` of an agent built alike.

        Raises
        ------
        AgentError
            When an entry is missing, unknown, or of another shape; nothing has changed then.
        """
        self._hand.set_state(state)
