"""The spiking actor–critic: a temporal-difference error from a spiking critic teaches critic and actor.

After Frémaux, Sprekeler and Gerstner 2013 (PLoS Comput Biol 9:e1003024) and Chung and Kozma 2020
(arXiv 2008.13044): every synapse knows the trace of its source, the spikes of its target, one number for the
whole brain (the error), and, onto the actor, one number a group of neurons: 1 for the chosen action, else 0,
minus the probability that it had. Without that feedback the actor does not learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.reward.episodes import check_numbers
from ethospike.agents.reward.network import CRITIC, learning_network, rate_share
from ethospike.agents.reward.shuffled import ERRORS, SHUFFLED, ShuffledErrors
from ethospike.agents.reward.spiking import FEEDBACK, LearnerConfig, SpikingLearner
from ethospike.brains.network import Network
from ethospike.brains.network.plasticity import TDError, ThreeFactor
from ethospike.brains.simulator import SpikeBlock
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.states import State, join_states, state_of
from ethospike.variables import Panel, variable


@dataclass(frozen=True)
class ActorCriticConfig(LearnerConfig):
    """Code, neurons, value, policy and learning.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    value_per_hz: float = 0.045
    """Value of 1 Hz of the critic's mean rate, in units of the scaled reward. Chosen: 1 at 40 Hz."""
    value_at_rest: float = -0.8
    """Value while the critic is silent. Chosen: 0 at 18 Hz, the rate before learning."""
    tau_discount_ms: float = 1000.0
    """Time over which rewards are discounted to 1/e."""
    reward_scale: float = 0.02
    """Factor of the reward. A reward of 1 in every control step of 20 ms then has the value 1."""
    critic_rate: float = 0.0045
    """Learning rate of the critic, at the activity that the code has in the middle of its ranges."""
    actor_rate: float = 0.018
    """Learning rate of the actor, likewise."""
    tau_eligibility_ms: float = 40.0
    """Decay of the eligibility that a spike of the target leaves."""
    tau_feedback_ms: float = 40.0
    """Second filter of the actor's eligibility, behind the gate of the action."""
    tau_critic_ms: float = 5.0
    """Second filter of the critic's eligibility; 0 for none. Chosen: the interval of the grid. An error is
    about the spikes up to the grid point before. Those of the interval itself raise value and eligibility at
    once, so that without the filter a chance volley reinforces itself: in steps of 1 ms the critic learned
    too high values, and in steps of 0.1 ms its rate ran away."""
    settle_ms: float = 100.0
    """Time after the beginning of an episode without learning (ms, at least one control step): the rates rise
    to the value of the first observation, which is no error of prediction."""
    grid_ms: float = 5.0
    """Interval at which error and weights change."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = "value_per_hz", "tau_discount_ms", "grid_ms", "tau_eligibility_ms", "tau_feedback_ms"
        check_numbers(self, positive, ("critic_rate", "actor_rate", "settle_ms", "tau_critic_ms"))


class SpikingActorCritic(SpikingLearner[ActorCriticConfig]):
    """An actor–critic of spiking neurons; learns by a three-factor rule inside the simulator.

    Its network is that of `actor_critic_network`. If the weights of a changed one learn from the channel
    `shuffled_error`, they get the errors of random earlier windows. See `SpikingLearner` for the parameters.
    """

    kind: ClassVar[type[ActorCriticConfig]] = ActorCriticConfig

    def _own_network(self, env: GymnasiumGroup) -> Network:
        return actor_critic_network(env, self.config)

    def _prepare(self) -> None:
        self._settle_windows = max(1, round(self.config.settle_ms / self.control_interval_ms))
        self._critic_rate = self._filtered(CRITIC, 1)
        self._given: dict[str, NDArray[np.float64]] = {}
        self._shuffled: ShuffledErrors | None = None
        if SHUFFLED in self.network.modulation_channels:
            self._shuffled = ShuffledErrors(
                td_error(self.config),
                self.network,
                animals=self.animals,
                seed=self._seed,
                grid_steps=round(self.config.grid_ms / self._dt_ms),
                n_steps=self._n_steps,
                dt_ms=self._dt_ms,
            )
        self.variables = {
            **self.variables,
            "value": variable("value that the critic reports", "1", "float32", panel=Panel("value")),
            **(ERRORS if self._shuffled is not None else {}),
        }

    def _modulation(self) -> dict[str, NDArray[np.float64]]:
        learns = self._has_reward & self._course.learns & (self._window >= self._settle_windows)
        # A short episode ends before the rates have settled; its end is all that it teaches.
        learns |= self._ended & self._course.learns
        self._given = {
            "reward": np.where(learns, self._reward, np.nan),
            "terminal": self._ended.astype(np.float64),
        }
        if self._shuffled is not None:
            return self._given | {SHUFFLED: self._shuffled.given(learns, self.simulator.step + 1)}
        return self._given

    def _part(
        self, modulation: dict[str, NDArray[np.float64]], share: float, is_last: bool
    ) -> dict[str, NDArray[np.float64]]:
        # A reward is spread evenly over the run that it is given to; V ends at 0 in the last part alone.
        terminal = modulation["terminal"] if is_last else np.zeros(self.animals)
        part = {"reward": share * modulation["reward"], "terminal": terminal}
        if SHUFFLED in modulation:
            n = round(share * self._n_steps)
            part[SHUFFLED] = modulation[SHUFFLED][:, -n:] if is_last else modulation[SHUFFLED][:, :n]
        return part

    def _read(self, spikes: SpikeBlock, last_step: int) -> dict[str, NDArray[np.float32]]:
        rate_hz = self._critic_rate.update(spikes, last_step, self._n_steps)[:, 0]
        value = self.config.value_at_rest + self.config.value_per_hz * rate_hz
        read = {"value": value.astype(np.float32)}
        if self._shuffled is not None:
            read |= self._shuffled.keep(spikes, last_step - self._n_steps + 1, self._given)
        return read

    def _own_state(self) -> State:
        state = super()._own_state() | {"critic_rate_hz": self._critic_rate.rate_hz.copy()}
        if self._shuffled is not None:
            state |= join_states({"shuffled": self._shuffled.state()})
        return state

    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        super()._set_own_state(state)
        self._critic_rate.rate_hz = np.array(state["critic_rate_hz"])
        if self._shuffled is not None:
            self._shuffled.set_state(state_of("shuffled", state))


def td_error(config: ActorCriticConfig) -> TDError:
    """Return the error from which critic and actor learn."""
    return TDError(
        CRITIC,
        value_per_hz=config.value_per_hz,
        value_at_rest=config.value_at_rest,
        tau_ms=config.tau_rate_ms,
        tau_discount_ms=config.tau_discount_ms,
        reward_scale=config.reward_scale,
    )


def actor_critic_network(env: GymnasiumGroup, config: ActorCriticConfig) -> Network:
    """Return the network of an actor–critic for an environment."""
    encoder = config.neurons.encoder(env)
    n_groups = config.policy(env).n_groups
    share = rate_share(encoder, config.neurons, config.tau_source_ms) / config.tau_eligibility_ms
    plain = ThreeFactor(
        td_error(config),
        config.critic_rate * share,
        tau_plus=config.tau_source_ms,
        tau_eligibility_ms=config.tau_eligibility_ms,
        Wmin=-np.inf,
        grid_ms=config.grid_ms,
    )
    critic = replace(plain, tau_filter_ms=config.tau_critic_ms or None)
    actor = replace(
        plain,
        learning_rate=config.actor_rate * share,
        tau_filter_ms=config.tau_feedback_ms,
        gate=FEEDBACK,
    )
    return learning_network(encoder, n_groups, config.neurons, actor, critic)
