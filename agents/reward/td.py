"""A temporal-difference actor–critic without neurons: the baseline of the spiking agents, on the same codes.

Value and preferences are linear in the activities of the code. The algorithm is the actor–critic with
eligibility traces of Sutton and Barto (2018, Reinforcement Learning, section 13.5), without the factor γ^t of
its actor, which its authors, too, leave out for continuing tasks (13.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.agents.codes import default_encoder
from ethospike.agents.codes.policy import Policy
from ethospike.agents.reward.episodes import Course, check_numbers, checked_rewards, per_animal
from ethospike.configuration import configured
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.shown import Shown
from ethospike.states import State, check_state, join_states, state_of, without
from ethospike.variables import Panel, variable


@dataclass(frozen=True)
class TDConfig(Shown):
    """Rates of learning, discount and traces.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    code: str = "fourier"
    """Code of continuous numbers, a name of `agents.codes.ENCODERS`; categories are one-hot."""
    levels: int = 5
    """Values of a continuous action, evenly spaced over its range."""
    discount: float = 0.98
    """Discount of the value per environment step; 0.98 looks 50 steps ahead, a second of CartPole."""
    trace: float = 0.9
    """Decay λ of the eligibility per environment step, beside the discount."""
    critic_rate: float = 0.1
    """Share of the error of a prediction that one step removes (activities are scaled to length 1)."""
    actor_rate: float = 1.0
    """Change of a preference for a TD error of 1. Chosen on FrozenLake and CartPole."""
    reward_scale: float = 0.02
    """Factor of the reward. 1 − discount: a reward of 1 in each step has the value 1."""

    def __post_init__(self) -> None:
        for name in ("discount", "trace"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise AgentError(f"TDConfig.{name}: expected 0 … 1, got {getattr(self, name)}")
        check_numbers(self, (), ("critic_rate", "actor_rate", "reward_scale"))


class TDActorCritic(Agent):
    """A linear actor–critic with eligibility traces.

    Parameters
    ----------
    env : GymnasiumGroup
        The environment that it is made for.
    config : TDConfig or mapping of its fields, optional
    seed : int
        Of the choices, keyed by animal.

    Raises
    ------
    AgentError
        When the code or the policy does not fit the environment.
    """

    variables: Mapping[str, Mapping[str, Any]] = {
        "value": variable("value of the observation", "1", "float32", panel=Panel("value")),
    }

    def __init__(
        self, env: GymnasiumGroup, config: TDConfig | Mapping[str, Any] | None = None, *, seed: int
    ) -> None:
        super().__init__(env.num_envs, env.control_interval_ms)
        self.config = config = configured(TDConfig, config, AgentError)
        self._encoder = default_encoder(env.entries, config.code)
        self._policy = Policy(env.action_entries, config.levels)
        self._course = Course(env, seed)
        n, channels, groups = env.num_envs, self._encoder.n_channels, self._policy.n_groups
        self._critic, self._actor = np.zeros((n, channels)), np.zeros((n, groups, channels))
        self._critic_trace, self._actor_trace = np.zeros((n, channels)), np.zeros((n, groups, channels))
        self._value, self._reward, self._waits = np.zeros(n), np.zeros(n), np.zeros(n, bool)

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        activity = self._encoder.encode(observation[:, :-1]) * observation[:, -1:]
        length = np.sqrt((activity**2).sum(axis=1, keepdims=True))
        activity = np.divide(activity, length, out=np.zeros_like(activity), where=length > 0)
        value = (self._critic * activity).sum(axis=1)
        # The step before is judged only now that the value of its successor is known.
        self._update(self._reward + self.config.discount * value - self._value, self._waits)
        self._waits[:] = False
        probability = self._policy.probabilities((self._actor * activity[:, None]).sum(axis=2))
        choice = self._course.choices(self._policy, probability)
        decay = np.where(self._course.in_episode, self.config.discount * self.config.trace, 0.0)
        weight = self._course.in_episode[:, None] * activity
        self._critic_trace = decay[:, None] * self._critic_trace + weight
        change = (choice - probability)[:, :, None] * weight[:, None]
        self._actor_trace = decay[:, None, None] * self._actor_trace + change
        self._value = value
        return Decision(self._policy.action(choice), readout={"value": value.astype(np.float32)})

    def _update(self, error: NDArray[np.float64], which: NDArray[np.bool_]) -> None:
        """Move the weights of some animals along their traces."""
        error = np.where(which & self._course.learns, error, 0.0)
        self._critic += self.config.critic_rate * error[:, None] * self._critic_trace
        self._actor += self.config.actor_rate * error[:, None, None] * self._actor_trace

    def learn(
        self,
        reward: NDArray[np.floating] | float,
        terminated: NDArray[np.bool_] | bool,
        truncated: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Keep the reward for the next observation; learn at once from the last of a terminated episode.

        Raises
        ------
        AgentError
            When the reward has another shape or is not finite.
        """
        self._reward = self.config.reward_scale * checked_rewards(reward, self.animals)
        is_over, is_cut = per_animal(terminated, self.animals), per_animal(truncated, self.animals)
        acted = self._course.in_episode
        self._update(self._reward - self._value, acted & is_over)
        self._waits = acted & ~is_over
        self._course.end(is_over | is_cut)

    def begin_episode(self, which: NDArray[np.bool_]) -> None:
        """Forget traces and reward."""
        self._course.begin(which)
        self._waits[which] = False
        self._critic_trace[which] = self._actor_trace[which] = 0.0

    def state(self) -> State:
        """Return copies of weights, traces, counts and generators."""
        return {
            "critic": self._critic.copy(),
            "actor": self._actor.copy(),
            "critic_trace": self._critic_trace.copy(),
            "actor_trace": self._actor_trace.copy(),
            "value": self._value.copy(),
            "reward": self._reward.copy(),
            "waits": self._waits.copy(),
        } | join_states({"course": self._course.state()})

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another agent.
        """
        check_state(state, self.state())
        self._course.set_state(state_of("course", state))
        for name, array in without("course", state).items():
            setattr(self, f"_{name}", np.array(array))
