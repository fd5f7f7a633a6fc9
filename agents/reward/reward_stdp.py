"""Reward-modulated STDP with a running baseline: the return of an episode, against that of the last ones.

After Izhikevich 2007 (Cereb Cortex 17:2443) and Frémaux, Sprekeler and Gerstner 2010 (J Neurosci 30:13326):
coincidences of source and target leave an eligibility, and the reward minus its expectation turns it into
a change of weights. The action feedback gates it: only neurons of the chosen action become eligible. There is
no critic: a reward that is the same in every step, as in CartPole, teaches by the length of the episode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.codes.policy import Policy
from ethospike.agents.reward.network import NeuronsConfig, learning_network, rate_share
from ethospike.agents.reward.spiking import FEEDBACK, SpikingLearner
from ethospike.brains.network import Network
from ethospike.brains.network.plasticity import ModulationChannel, ThreeFactor
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.shown import Shown
from ethospike.states import State
from ethospike.variables import variable

SURPRISE = "surprise"
"""Channel of the return minus its running mean."""


@dataclass(frozen=True)
class RewardStdpConfig(Shown):
    """Code, neurons, policy and learning.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    levels: int = 5
    """Values of a continuous action, evenly spaced over its range."""
    neurons: NeuronsConfig = field(default_factory=NeuronsConfig)
    """Sizes, rates and membranes; there is no critic."""
    tau_rate_ms: float = 40.0
    """Filter of the actor's rates, which choose."""
    hz_per_preference: float = 4.0
    """Difference of two rates that makes one action e times as probable as the other."""
    least_probability: float = 0.02
    """Share of choices made by chance."""
    learning_rate: float = 0.05
    """Change of weights for a surprise of 1, at the activity of the code in the middle of its ranges."""
    reward_scale: float = 1.0
    """Factor of the return."""
    baseline_episodes: float = 20.0
    """Episodes over which the running mean of the return forgets to 1/e."""
    tau_source_ms: float = 20.0
    """Trace of the source's spikes."""
    tau_target_ms: float = 20.0
    """Trace of the target's spikes, for spikes of the source that come after them."""
    depression: float = 0.0
    """Eligibility of a spike of the source after one of the target, as a share of the reverse order's."""
    feedback_ms: float = 20.0
    """Time for which neurons are told the chosen action (ms), while they still see its observation: in longer
    windows, the choice falls so long before the end. In shorter ones, they are told in the next window."""
    tau_coincidence_ms: float = 40.0
    """Decay of a coincidence of source and target."""
    tau_eligibility_ms: float = 500.0
    """Decay of the eligibility, into which the coincidences of the chosen action flow. Frémaux et al. 2010:
    500 ms."""

    def __post_init__(self) -> None:
        positive = ("tau_rate_ms", "hz_per_preference", "baseline_episodes", "tau_source_ms", "tau_target_ms")
        for name in (*positive, "tau_coincidence_ms", "tau_eligibility_ms"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise AgentError(f"RewardStdpConfig.{name}: expected above 0, got {getattr(self, name)}")
        for name in ("learning_rate", "depression"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise AgentError(f"RewardStdpConfig.{name}: expected at least 0, got {getattr(self, name)}")


class RewardStdp(SpikingLearner):
    """An actor that learns by reward-modulated STDP.

    Parameters
    ----------
    env : GymnasiumGroup
        The environment that it is made for.
    config : RewardStdpConfig, optional
    simulator : SimulatorSettings, optional
    network : Network, optional
        The network of `reward_stdp_network`, changed.
    seed : int
        Of weights, starting potentials and choices, keyed by animal.
    dt_ms : float

    Raises
    ------
    AgentError
        When a code or the network does not fit the environment.
    """

    def __init__(
        self,
        env: GymnasiumGroup,
        config: RewardStdpConfig | None = None,
        simulator: SimulatorSettings | None = None,
        *,
        network: Network | None = None,
        seed: int,
        dt_ms: float = 1.0,
    ) -> None:
        self.config = config = config or RewardStdpConfig()
        super().__init__(
            env,
            network or reward_stdp_network(env, config),
            config.neurons,
            Policy(env.action_entries, config.levels, config.least_probability),
            hz_per_preference=config.hz_per_preference,
            tau_rate_ms=config.tau_rate_ms,
            feedback_ms=config.feedback_ms,
            simulator=simulator,
            seed=seed,
            dt_ms=dt_ms,
        )
        self._keep = float(np.exp(-1.0 / config.baseline_episodes))
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

    def _own_state(self) -> State:
        arrays = {name: getattr(self, f"_{name}").copy() for name in ("return", "mean", "surprise")}
        return super()._own_state() | arrays

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another agent.
        """
        super().set_state(state)
        for name in ("return", "mean", "surprise"):
            setattr(self, f"_{name}", np.array(state[name]))


def reward_stdp_network(env: GymnasiumGroup, config: RewardStdpConfig) -> Network:
    """Return the network of an agent with reward-modulated STDP for an environment."""
    encoder = config.neurons.encoder(env)
    n_groups = Policy(env.action_entries, config.levels).n_groups
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
