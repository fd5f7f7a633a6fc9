"""Configurations of reward agents as mappings, as they come from JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ethospike.agents.larva import LarvaConfig
from ethospike.agents.reward.actor_critic import ActorCriticConfig, SpikingActorCritic
from ethospike.agents.reward.larva import RewardedLarva
from ethospike.agents.reward.network import NeuronsConfig
from ethospike.agents.reward.reward_stdp import RewardStdp, RewardStdpConfig
from ethospike.agents.reward.td import TDActorCritic, TDConfig
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup
from ethospike.errors import AgentError

NUMBA = SimulatorSettings("numba", threads=1)
NEURONS = NeuronsConfig(cells=2, code_hz=150.0)
ARENA, BRAIN = "ethospike/OdorArena-v0", MushroomBodyConfig()


AGENTS: dict[str, tuple[str, float, Callable[[GymnasiumGroup, Any], Any], Any]] = {
    "actor-critic": (
        "CartPole-v1",
        20.0,
        lambda env, config: SpikingActorCritic(env, config, NUMBA, seed=1),
        ActorCriticConfig(neurons=NEURONS, tau_rate_ms=30.0),
    ),
    "reward-stdp": (
        "CartPole-v1",
        20.0,
        lambda env, config: RewardStdp(env, config, NUMBA, seed=1),
        RewardStdpConfig(neurons=NEURONS, depression=0.5),
    ),
    "td": (
        "CartPole-v1",
        20.0,
        lambda env, config: TDActorCritic(env, config, seed=1),
        TDConfig(trace=0.5),
    ),
    "larva": (
        ARENA,
        100.0,
        lambda env, config: RewardedLarva(env, config, BRAIN, NUMBA, seed=1),
        LarvaConfig(patterns={"A": "odor1", "B": "odor4"}),
    ),
}


def body(name: str) -> GymnasiumGroup:
    env, interval_ms, *_ = AGENTS[name]
    return GymnasiumGroup(env, 1, EpisodeConfig(episodes=1, control_interval_ms=interval_ms))


@pytest.mark.simulator("numba")
@pytest.mark.parametrize("name", AGENTS)
def test_a_mapping_makes_the_agent_of_its_configuration(name: str) -> None:
    _, _, make, config = AGENTS[name]
    seen = []
    for given in (config, json.loads(json.dumps(dataclasses.asdict(config)))):
        env = body(name)
        observation, _ = env.reset(seed=1)
        with make(env, given) as agent:
            agent.begin_episode(np.array([True]))
            decisions = [agent.act(observation) for _ in range(20)]
        seen.append(decisions)
    for mine, yours in zip(*seen, strict=True):
        np.testing.assert_array_equal(mine.action, yours.action)
        for name_of in mine.readout:
            np.testing.assert_array_equal(mine.readout[name_of], yours.readout[name_of])
        if mine.spikes is not None:
            np.testing.assert_array_equal(mine.spikes.neuron, yours.spikes.neuron)
    assert name == "td" or sum(len(decision.spikes) for decision in seen[0]) > 20


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("actor-critic", {"critic_rat": 1.0}, "ActorCriticConfig: unknown key 'critic_rat'; .*'critic_rate'"),
        (
            "actor-critic",
            {"neurons": {"cell": 2}},
            "ActorCriticConfig: unknown key 'neurons.cell'; .*'cells'",
        ),
        ("actor-critic", {"grid_ms": "long"}, "ActorCriticConfig: grid_ms: expected a number, got 'long'"),
        ("actor-critic", {"tau_rate_ms": 0.0}, "ActorCriticConfig.tau_rate_ms: expected above 0, got 0.0"),
        (
            "actor-critic",
            RewardStdpConfig(),
            "expected ActorCriticConfig or a mapping .* got RewardStdpConfig",
        ),
        ("reward-stdp", {"depresion": 1.0}, "RewardStdpConfig: unknown key 'depresion'; .*'depression'"),
        ("reward-stdp", {"feedback_ms": -1.0}, "RewardStdpConfig.feedback_ms: expected at least 0, got -1"),
        ("td", {"traces": 1.0}, "TDConfig: unknown key 'traces'; .*'trace'"),
        ("td", "td", "expected TDConfig or a mapping of its fields, got str"),
        ("larva", {"pattern": {}}, "LarvaConfig: unknown key 'pattern'; .*'patterns'"),
    ],
)
def test_data_that_are_no_configuration_are_one_message(name: str, given: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message) as raised:
        AGENTS[name][2](body(name), given)
    assert "\n" not in str(raised.value)


def test_the_brain_of_a_larva_may_be_a_mapping() -> None:
    with pytest.raises(
        AgentError, match=r"MushroomBodyConfig: unknown key 'learning_rat'; .*'learning_rate'"
    ):
        RewardedLarva(body("larva"), None, {"learning_rat": 1.0}, NUMBA, seed=1)
