"""Gymnasium's autoreset modes: the native groups do what Gymnasium does with single environments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import ethospike.envs
from ethospike.envs.contract import group_env
from ethospike.envs.delayed_reach import DelayedReachEnv, DelayedReachVectorEnv, ReachConfig
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaEnv, OdorArenaVectorEnv, Phase
from ethospike.errors import EnvError

SHORT = ArenaConfig((Phase("first", 1.0), Phase("second", 0.8)))
QUICK = ReachConfig(n_trials=1, inter_trial_ms=100.0, trial_start_ms=50.0, preparatory_ms=100.0)
ANIMALS, STEPS = 4, 700


def arena(animal: int) -> gymnasium.Env[Any, Any]:
    # A time limit that differs between the animals, so that they are reset at different times.
    return gymnasium.wrappers.TimeLimit(OdorArenaEnv(SHORT, animal=animal), 30)


def reach(animal: int) -> gymnasium.Env[Any, Any]:
    return DelayedReachEnv(QUICK, animal=animal)


def native_arena(mode: AutoresetMode) -> OdorArenaVectorEnv:
    return OdorArenaVectorEnv(ANIMALS, SHORT, max_episode_steps=30, autoreset_mode=mode)


def native_reach(mode: AutoresetMode) -> DelayedReachVectorEnv:
    return DelayedReachVectorEnv(ANIMALS, QUICK, autoreset_mode=mode)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda m: m.name)
@pytest.mark.parametrize(("native", "single"), [(native_arena, arena), (native_reach, reach)])
def test_a_group_resets_itself_as_gymnasium_resets_single_environments(
    mode: AutoresetMode, native: Callable[[AutoresetMode], Any], single: Callable[[int], Any]
) -> None:
    group = native(mode)
    assert group.metadata["autoreset_mode"] is mode
    makers = [lambda animal=animal: single(animal) for animal in range(ANIMALS)]
    others = SyncVectorEnv(makers, autoreset_mode=mode)
    observation, _ = group.reset(seed=5)
    np.testing.assert_array_equal(observation, others.reset(seed=[5] * ANIMALS)[0])
    # Where a group is made alone, each animal is reset at a step of its own.
    rng = np.random.default_rng(1)
    ends, apart = 0, 0
    for _ in range(STEPS):
        action = rng.uniform(-1.0, 1.0, (ANIMALS, 2)).astype(np.float32)
        mine, theirs = group.step(action), others.step(action)
        for ours, its in zip(mine[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(ours, its)
        for name, values in mine[4].items():
            if name in theirs[4] and isinstance(values, np.ndarray) and not name.endswith("_obs"):
                np.testing.assert_array_equal(values, theirs[4][name], err_msg=name)
        ended = mine[2] | mine[3]
        ends += int(ended.sum())
        apart += bool(ended.any() and not ended.all())
        if mode is AutoresetMode.SAME_STEP and ended.any():
            np.testing.assert_array_equal(mine[4]["_final_obs"], ended)
            for animal in np.flatnonzero(ended):
                np.testing.assert_array_equal(mine[4]["final_obs"][animal], theirs[4]["final_obs"][animal])
                for name, values in theirs[4]["final_info"].items():
                    if not name.startswith("_"):
                        np.testing.assert_array_equal(mine[4]["final_info"][name][animal], values[animal])
    assert ends > 3 * ANIMALS
    assert native is native_arena or apart > 3
    others.close()


def test_the_mode_can_be_named_and_brains_refuse_it() -> None:
    assert ethospike.envs
    env = gymnasium.make_vec(
        "ethospike/OdorArena-v0",
        num_envs=2,
        vectorization_mode="vector_entry_point",
        autoreset_mode="NextStep",
    )
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    with pytest.raises(EnvError, match="brains need DISABLED, got NEXT_STEP"):
        group_env(env)
    with pytest.raises(EnvError, match="unknown 'NextStop'"):
        OdorArenaVectorEnv(2, autoreset_mode="NextStop")
    assert group_env(OdorArenaVectorEnv(2)).num_envs == 2
