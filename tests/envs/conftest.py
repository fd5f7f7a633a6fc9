"""Checks that serve the tests of both environments."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env


def check_gymnasium(env):
    """Gymnasium's own checker, with its warnings as errors; rendering has tests of its own."""
    assert env.spec is not None, "the checker does less for an environment that was not made by make()"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)


def check_stable_baselines_rules(env):
    """What Stable-Baselines3's checker wants beyond Gymnasium's; written from its documentation.

    Flat, bounded float32 boxes, actions in a symmetric and normalized range, observations inside their
    bounds and of the declared type, plain Python numbers from `step`, a `reset` that takes seed and options.
    """
    for space in (env.observation_space, env.action_space):
        assert isinstance(space, Box)
        assert len(space.shape) == 1
        assert space.dtype == np.float32
        assert np.isfinite(space.low).all()
        assert np.isfinite(space.high).all()
        assert (space.low < space.high).all()
    np.testing.assert_array_equal(env.action_space.low, -1.0)
    np.testing.assert_array_equal(env.action_space.high, 1.0)

    def check_observation(observation):
        assert type(observation) is np.ndarray
        assert observation.dtype == np.float32
        assert observation.shape == env.observation_space.shape
        assert np.isfinite(observation).all()
        assert (observation >= env.observation_space.low).all()
        assert (observation <= env.observation_space.high).all()

    observation, info = env.reset(seed=0, options={})
    check_observation(observation)
    assert type(info) is dict
    env.action_space.seed(0)
    for _ in range(50):
        result = env.step(env.action_space.sample())
        assert type(result) is tuple
        observation, reward, terminated, truncated, info = result
        check_observation(observation)
        assert type(reward) is float
        assert type(terminated) is bool
        assert type(truncated) is bool
        assert type(info) is dict
        if terminated or truncated:
            env.reset()


@pytest.fixture
def check_single_environment():
    """Both checks, on an environment that `gymnasium.make` made."""

    def check(*args, **kwargs):
        env = gymnasium.make(*args, **kwargs)
        check_gymnasium(env.unwrapped)
        check_stable_baselines_rules(env.unwrapped)
        env.close()

    return check


@pytest.fixture
def stable_baselines_rules():
    return check_stable_baselines_rules
