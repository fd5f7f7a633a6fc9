"""Reward-modulated STDP with a running baseline: the return of an episode, against that of the last ones.

After Izhikevich 2007 (Cereb Cortex 17:2443) and Frémaux, Sprekeler and Gerstner 2010 (J Neurosci 30:13326):
coincidences of source and target leave an eligibility, and the reward minus its expectation turns it into
a change of weights. The action feedback gates it: only neurons of the chosen action become eligible. There is
no critic: a reward that is the same in every step, as in CartPole, teaches by the length of the episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.reward.episodes import check_numbers
from ethospike.agents.reward.network import learning_network, rate_share
from ethospike.agents.reward.spiking import FEEDBACK, LearnerConfig, SpikingLearner
from ethospike.brains.network import Network
from ethospike.brains.network.plasticity import ModulationChannel, ThreeFactor
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.variables import variable

SURPRISE = "surprise"
"""Channel of the return minus its running mean."""


@dataclass(frozen=True)
class RewardStdpConfig(LearnerConfig):
    """Code, neurons, policy and learning; there is no critic.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    learning_rate: float = 0.05
    """Change of weights for a surprise of 1, at the activity of the code in the middle of its ranges."""
    reward_scale: float = 1.0
    """Factor of the return."""
    baseline_episodes: float = 20.0
    """Episodes over which the running mean of the return forgets to 1/e."""
    tau_target_ms: float = 20.0
    """Trace of the target's spikes, for spikes of the source that come after them."""
    depression: float = 0.0
    """Eligibility of a spike of the source after one of the target, as a share of the reverse order's."""
    tau_coincidence_ms: float = 40.0
    """Decay of a coincidence of source and target."""
    tau_eligibility_ms: float = 500.0
    """Decay of the eligibility, into which the coincidences of the chosen action flow. Frémaux et al. 2010:
    500 ms."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = "baseline_episodes", "tau_target_ms", "tau_coincidence_ms", "tau_eligibility_ms"
        check_numbers(self, positive, ("learning_rate", "depression"))


class RewardStdp(SpikingLearner[RewardStdpConfig]):
    """An actor that learns by reward-modulated STDP.

    Its network is that of `reward_stdp_network`. See `SpikingLearner` for the parameters.
    """

    kind: ClassVar[type[RewardStdpConfig]] = RewardStdpConfig
    kept: ClassVar[tuple[str, ...]] = (*SpikingLearner.kept, "return", "mean", "surprise")

    def _own_network(self, env: GymnasiumGroup) -> Network:
        return reward_stdp_network(env, self.config)

    def _prepare(self) -> None:
        self._keep = float(np.exp(-1.0 / self.config.baseline_episodes))
        self._return, self._mean = np.zeros(self.animals), np.full(self.animals, np.nan)
        self._surprise = np.zeros(self.animals)
        self.variables = {
            **self.variables,
            "surprise": variable("return of the ended episode minus its running mean", "1", "float32"),
        }

    def _gated(self, choice: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
        return choice

    def _modulation(self) -> dict[str, NDArray[np.float64]]:
        surprise, self._surprise = self._surprise, np.zeros(self.animals)
        # A value lasts for the window; its integral is the surprise.
        return {SURPRISE: surprise / self.control_interval_ms}

    def learn(
        self,
        reward: NDArray[np.floating] | float,
        terminated: NDArray[np.bool_] | bool,
        truncated: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Sum up rewards; at the end of an episode, compare the return with its running mean.

        Raises
        ------
        AgentError
            When the reward has another shape or is not finite.
        """
        was_on = self._course.in_episode.copy()
        super().learn(reward, terminated, truncated)
        self._return += np.where(was_on, self._reward, 0.0)
        ended = was_on & ~self._course.in_episode & self._course.learns
        scaled = self.config.reward_scale * self._return
        known = np.where(np.isnan(self._mean), scaled, self._mean)  # the first return is no surprise
        self._surprise = np.where(ended, scaled - known, 0.0)
        self._mean = np.where(ended, self._keep * known + (1.0 - self._keep) * scaled, self._mean)

    def begin_episode(self, which: NDArray[np.bool_]) -> None:
        """Begin a new sum of rewards."""
        super().begin_episode(which)
        self._return[which] = 0.0


def reward_stdp_network(env: GymnasiumGroup, config: RewardStdpConfig) -> Network:
    """Return the network of an agent with reward-modulated STDP for an environment."""
    encoder = config.neurons.encoder(env)
    n_groups = config.policy(env).n_groups
    share = rate_share(encoder, config.neurons, config.tau_source_ms) / config.tau_coincidence_ms
    rule = ThreeFactor(
        ModulationChannel(SURPRISE),
        config.learning_rate * share,
        tau_plus=config.tau_source_ms,
        tau_minus=config.tau_target_ms,
        A_minus=config.depression,
        tau_eligibility_ms=config.tau_coincidence_ms,
        tau_filter_ms=config.tau_eligibility_ms,
        gate=FEEDBACK,
        Wmin=-np.inf,
    )
    return learning_network(encoder, n_groups, config.neurons, rule)
