"""The cue bandit: its rewards, its optimum, and Gymnasium's checks."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import ethospike.envs  # noqa: F401
from ethospike.envs.cue_bandit import CueBandit
from ethospike.errors import EnvError


def test_gymnasium_has_nothing_to_say_about_it() -> None:
    check_env(gymnasium.make("ethospike/CueBandit-v0").unwrapped)


def test_the_right_action_is_the_cue_modulo_the_actions() -> None:
    env = CueBandit(6, 3)
    rewards, cues = np.zeros((6, 3)), set()
    for seed in range(60):
        for action in range(3):
            cue, _ = env.reset(seed=seed)
            seen, reward, terminated, truncated, _ = env.step(action)
            assert (seen, terminated, truncated) == (cue, True, False)
            rewards[cue, action] = reward
            cues.add(cue)
    assert cues == set(range(6))
    np.testing.assert_array_equal(rewards, np.tile(np.eye(3), (2, 1)))


def test_it_is_stepped_once_after_each_reset() -> None:
    env = CueBandit()
    with pytest.raises(EnvError, match="call reset before each step"):
        env.step(0)
    env.reset(seed=1)
    with pytest.raises(EnvError, match=r"expected a whole number 0 … 3, got 4"):
        env.step(4)
    env.step(0)
    with pytest.raises(EnvError, match="an episode has one step"):
        env.step(0)


@pytest.mark.parametrize(("cues", "actions"), [(3, 4), (8, 1)])
def test_sizes_are_checked(cues: int, actions: int) -> None:
    with pytest.raises(EnvError, match="expected at least 2 actions"):
        CueBandit(cues, actions)
