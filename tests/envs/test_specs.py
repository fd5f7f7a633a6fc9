"""Environments from data: an `EnvSpec` through JSON, as data sets of trajectories store it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup
from ethospike.envs.delayed_reach import ReachConfig
from ethospike.envs.odor_arena import ArenaConfig, OdorSource, Phase
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.errors import EnvError

TRAINING = Phase("training", 5.0, (OdorSource("Äpfel", (10.0, 0.0)),), (Reinforcement("reward"),))
CONFIGS: dict[str, Any] = {
    "ethospike/OdorArena-v0": ArenaConfig((TRAINING, Phase("rest", 2.0)), mirror_odd_animals=True),
    "ethospike/DelayedReach-v0": ReachConfig(n_trials=2, conditions=(1, 2), delay_ms=100.0),
}


def trajectory(env: Any) -> list[Any]:
    observation, _ = env.reset(seed=5)
    env.action_space.seed(5)
    seen = [observation]
    for _ in range(30):
        observation, reward, *_ = env.step(env.action_space.sample())
        seen += [observation, reward]
    return seen


@pytest.mark.parametrize("name", CONFIGS)
def test_a_spec_comes_back_from_json(name: str) -> None:
    """The task met "'dict' object has no attribute 'side'"."""
    env = gymnasium.make(name, config=CONFIGS[name])
    assert env.spec is not None
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    for mine, yours in zip(trajectory(env), trajectory(again), strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert again.unwrapped.config == CONFIGS[name]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_group_takes_a_mapping(name: str) -> None:
    data = json.loads(json.dumps(dataclasses.asdict(CONFIGS[name])))
    groups = (
        gymnasium.make_vec(name, 3, vectorization_mode="vector_entry_point", config=config)
        for config in (CONFIGS[name], data)
    )
    for mine, yours in zip(*map(trajectory, groups), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_any_environment_takes_a_mapping() -> None:
    config = EpisodeConfig(episodes=2, control_interval_ms=50.0)
    group = GymnasiumGroup("CartPole-v1", 2, json.loads(json.dumps(dataclasses.asdict(config))))
    assert group.config == config
    assert group.control_interval_ms == 50.0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"dish_diameter": 90.0},
            "ArenaConfig: unknown key 'dish_diameter'; did you mean 'dish_diameter_mm'",
        ),
        ({"dish_diameter_mm": "wide"}, "ArenaConfig: dish_diameter_mm: expected a number, got 'wide'"),
        ({"phases": [{"name": "training"}]}, "Phase.duration_s: expected a value"),
        ({"phases": []}, "expected at least one phase"),
        (ReachConfig(), "expected ArenaConfig or a mapping of its fields, got ReachConfig"),
        ("wide", "expected ArenaConfig or a mapping of its fields, got str"),
    ],
)
def test_data_that_are_no_configuration_are_one_message(config: Any, message: str) -> None:
    with pytest.raises(EnvError, match=message) as raised:
        gymnasium.make("ethospike/OdorArena-v0", config=config)
    assert "\n" not in str(raised.value)
