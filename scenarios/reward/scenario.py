"""Reward learning: an agent on any environment of Gymnasium, such as CartPole-v1, for many episodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium

from ethospike.agents.agent import Agent
from ethospike.agents.coded import CodedAgent, Codes, coded_network
from ethospike.agents.random_policy import RandomPolicy
from ethospike.agents.reward.actor_critic import SpikingActorCritic, actor_critic_network
from ethospike.agents.reward.larva import RewardedLarva
from ethospike.agents.reward.reward_stdp import RewardStdp, reward_stdp_network
from ethospike.agents.reward.td import TDActorCritic
from ethospike.brains.circuits.mushroom_body import mushroom_body
from ethospike.brains.network import Network
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.scenarios.reward import measures
from ethospike.scenarios.reward.config import RewardConfig
from ethospike.scenarios.reward.tasks import PRESETS
from ethospike.scenarios.scenario import Scenario, unchanged

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

LONGEST_EPISODE = 1000
"""Length of an episode (control steps) for the progress bar, if the environment has no time limit."""


def open_experiment(
    config: RewardConfig, change_network: Callable[[Network], Network] = unchanged
) -> tuple[GymnasiumGroup, Agent]:
    """Make the copies of the environment and the agent."""
    env = GymnasiumGroup(config.source(), config.animals, config.episode_config())
    return env, agent_for(env, config, change_network)


def agent_for(
    env: GymnasiumGroup, config: RewardConfig, change_network: Callable[[Network], Network] = unchanged
) -> Agent:
    """Make the agent."""
    if config.agent == "random":
        return RandomPolicy(
            env.action_entries,
            seed=config.seed,
            animals=config.animals,
            control_interval_ms=config.control_interval_ms,
        )
    if config.agent == "td":
        return TDActorCritic(env, config.td, seed=config.seed)
    if config.agent == "actor-critic":
        return SpikingActorCritic(
            env,
            config.actor_critic,
            config.simulator,
            network=change_network(actor_critic_network(env, config.actor_critic)),
            seed=config.seed,
            dt_ms=config.dt_ms,
        )
    if config.agent == "reward-stdp":
        return RewardStdp(
            env,
            config.reward_stdp,
            config.simulator,
            network=change_network(reward_stdp_network(env, config.reward_stdp)),
            seed=config.seed,
            dt_ms=config.dt_ms,
        )
    if config.agent == "larva":
        return RewardedLarva(
            env,
            config.larva,
            config.brain,
            config.simulator,
            seed=config.seed,
            dt_ms=config.dt_ms,
            network=change_network(mushroom_body(config.brain)),
        )
    network = coded_network(Codes.of(env, config.coded), config.coded)
    return CodedAgent(
        env,
        config.coded,
        config.simulator,
        network=change_network(network),
        seed=config.seed,
        dt_ms=config.dt_ms,
    )


def duration_s(config: RewardConfig) -> float:
    """Return the longest length of the run (s), for the progress bar."""
    if config.minutes is not None:
        return config.minutes * 60.0
    spec = gymnasium.registry.get(config.env)
    longest = (spec.max_episode_steps if spec else None) or LONGEST_EPISODE
    episodes = config.episodes + 2 * config.evaluation_episodes
    return episodes * (longest * config.control_interval_ms + config.blank_ms) / 1000.0


def draw_figures(recording: Recording, config: RewardConfig, folder: Path) -> list[Path]:
    """Draw the returns; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.reward import figures

    return figures.draw_all(recording, folder)


SCENARIO = Scenario(
    name="reward-learning",
    about="An agent on any environment of Gymnasium, for many episodes.",
    config=RewardConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=measures.measure,
    draw=draw_figures,
    conclude=measures.sentence,
    presets={"short": {"episodes": 3}, **PRESETS},
)
