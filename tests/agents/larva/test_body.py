"""Larvae are made for odor arenas as they are, under wrappers that change neither senses nor actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers

import ethospike.envs  # noqa: F401  (registers the environments)
from ethospike.agents.coded import CodedAgent
from ethospike.agents.larva.baselines import ChemotaxisLarva, RandomLarva
from ethospike.agents.larva.body import odor_arena
from ethospike.envs.odor_arena import OdorArenaEnv
from ethospike.errors import AgentError

ARENA = "ethospike/OdorArena-v0"


def arena(**keywords: Any) -> Any:
    return gymnasium.make(ARENA, **keywords)


def group(**keywords: Any) -> Any:
    return gymnasium.make_vec(ARENA, 3, vectorization_mode="vector_entry_point", **keywords)


@pytest.mark.parametrize(
    "make",
    [
        OdorArenaEnv,
        arena,
        group,
        lambda: arena(max_episode_steps=9),
        lambda: wrappers.RecordEpisodeStatistics(arena()),
        lambda: wrappers.TransformReward(arena(), lambda reward: 2.0 * reward),
        lambda: wrappers.ClipAction(arena()),
        lambda: wrappers.vector.RecordEpisodeStatistics(group()),
    ],
)
def test_wrappers_that_change_neither_senses_nor_actions(make: Callable[[], Any]) -> None:
    env = make()
    larva = ChemotaxisLarva.for_env(env, seed=1)
    assert larva.animals == getattr(env, "num_envs", 1)
    observation, _ = env.reset(seed=1)
    env.step(larva.act(observation).action)
    assert odor_arena(env) is env.unwrapped


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: wrappers.NormalizeObservation(arena()), "the wrapper NormalizeObservation changes"),
        (
            lambda: wrappers.RescaleObservation(arena(), np.float32(0), np.float32(1)),
            "the wrapper RescaleObservation changes",
        ),
        (
            lambda: wrappers.TransformObservation(arena(), lambda seen: 2.0 * seen, None),
            "the wrapper TransformObservation changes",
        ),
        (lambda: wrappers.FrameStackObservation(arena(), 2), "a wrapper changes observations"),
        (lambda: wrappers.RescaleAction(arena(), np.float32(0), np.float32(1)), "the wrapper RescaleAction"),
        (
            lambda: wrappers.vector.NormalizeObservation(group(autoreset_mode="NEXT_STEP")),
            "the wrapper NormalizeObservation changes",
        ),
        (lambda: gymnasium.make("CartPole-v1"), "expected an odor arena .* got CartPoleEnv"),
        (lambda: gymnasium.make_vec(ARENA, 2, vectorization_mode="sync"), "got SyncVectorEnv"),
        (lambda: gymnasium.make("ethospike/DelayedReach-v0"), "got DelayedReachEnv"),
        (lambda: None, "got NoneType"),
    ],
)
def test_others_are_refused(make: Callable[[], Any], words: str) -> None:
    """A larva on normalized observations smelled other odors in silence."""
    with pytest.raises(AgentError, match=words):
        RandomLarva.for_env(make(), seed=1)


def test_codes_are_made_for_a_group() -> None:
    with pytest.raises(AgentError, match="expected a GymnasiumGroup, got "):
        CodedAgent(gymnasium.make("CartPole-v1"), seed=1)  # type: ignore[arg-type]
