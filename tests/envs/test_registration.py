"""Importing the environments registers them, and starts nothing."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import ethospike.envs  # registers
from ethospike.envs.odor_arena import OdorArenaEnv, OdorArenaVectorEnv
from ethospike.errors import EnvError

IDS = ("ethospike/OdorArena-v0", "ethospike/DelayedReach-v0")


@pytest.mark.parametrize("env_id", IDS)
def test_both_ids_are_registered_with_their_vector_classes(env_id):
    spec = gymnasium.spec(env_id)
    for entry_point in (spec.entry_point, spec.vector_entry_point):
        assert entry_point.startswith(ethospike.envs.__name__)
        assert callable(gymnasium.envs.registration.load_env_creator(entry_point))


def test_make_and_make_vec_build_the_arena():
    with gymnasium.make(IDS[0], animal=3, control_interval_ms=20.0) as env:
        assert isinstance(env.unwrapped, OdorArenaEnv)
        assert env.unwrapped.control_interval_ms == 20.0
    envs = gymnasium.make_vec(IDS[0], num_envs=4, vectorization_mode="vector_entry_point")
    assert isinstance(envs, OdorArenaVectorEnv)
    assert envs.num_envs == 4
    envs.close()


def test_importing_and_stepping_loads_no_screen_and_no_neuron():
    code = """
import sys
import ethospike.envs
early = {name for name in sys.modules if name.startswith("ethospike.envs.")}
assert not early, f"loaded before they were asked for: {early}"
import gymnasium
env = gymnasium.make("ethospike/OdorArena-v0")
env.reset(seed=1)
env.step(env.action_space.sample())
env.close()
loaded = {"pygame", "nest", "zarr", "ethospike.agents"} & set(sys.modules)
assert not loaded, f"loaded without need: {loaded}"
brains = {name for name in sys.modules if name.startswith("ethospike.brains")}
assert brains == {"ethospike.brains", "ethospike.brains.compiling"}, f"loaded without need: {brains}"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", IDS)
def test_seeds_options_and_animals_are_checked_alike(name):
    single, group = gymnasium.make(name).unwrapped, gymnasium.make_vec(name, num_envs=2)
    for env in (single, group):
        observation, _ = env.reset(seed=3, options={})
        assert np.array_equal(env.reset(seed=np.int64(3), options=None)[0], observation)
        with pytest.raises(EnvError, match="seed: expected at least 0, got -1"):
            env.reset(seed=-1)
        with pytest.raises(EnvError, match="seed: expected one whole number"):
            env.reset(seed=1.5)
        with pytest.raises(EnvError, match="got 'reset_masks'"):
            env.reset(options={"reset_masks": np.array([True, False])})
        env.close()
    with pytest.raises(EnvError, match="animals: expected at least "):
        gymnasium.make(name, animal=-1)
