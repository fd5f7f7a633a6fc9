"""Importing the environments registers them, and starts nothing."""

import subprocess
import sys

import gymnasium
import pytest

import ethospike.envs  # registers
from ethospike.envs.odor_arena import OdorArenaEnv, OdorArenaVectorEnv

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
loaded = {"pygame", "nest", "numba", "zarr", "ethospike.brains", "ethospike.agents"} & set(sys.modules)
assert not loaded, f"loaded without need: {loaded}"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
