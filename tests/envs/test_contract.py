"""The contract of environments: names and units of observations, and refusals."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import VectorWrapper

from ethospike.envs.contract import GroupEnv, component_names, group_env
from ethospike.envs.delayed_reach import DelayedReachVectorEnv, ReachConfig
from ethospike.envs.idle import IdleEnv
from ethospike.envs.odor_arena import OdorArenaVectorEnv
from ethospike.errors import EnvError, StateError
from ethospike.variables import UNKNOWN, Component


@pytest.mark.parametrize(
    "env",
    [
        OdorArenaVectorEnv(2),
        DelayedReachVectorEnv(
            2, ReachConfig(n_targets=4, cue_sets=("0", "0+1", "1+2+3"), target_distance_mm=90.0)
        ),
        IdleEnv(2, 10.0, 3),
    ],
    ids=lambda env: type(env).__name__,
)
def test_every_entry_of_observation_and_action_has_a_name(env: GroupEnv) -> None:
    observation, _ = env.reset(seed=1)
    assert len({feature.name for feature in env.features}) == observation.shape[1]
    assert len({actuator.name for actuator in env.actuators}) == env.action_space.shape[1]
    assert all(component.units for component in env.features + env.actuators)
    assert env.pop_intervals() == {}
    env.set_state(env.state())


def test_the_reach_names_its_observation_in_order() -> None:
    """The position is known by its value: the hand is moved to the right wall."""
    env = DelayedReachVectorEnv(1)
    env.reset(seed=1)
    for _ in range(100):
        observation, *_ = env.step(np.array([[1.0, 0.0]]))
    names = [feature.name for feature in env.features]
    assert observation[0, names.index("hand_x")] == pytest.approx(1.5)
    assert observation[0, names.index("hand_y")] == 0.0
    assert names[:6] == [f"preparatory_{i}" for i in range(6)]


def test_nameless_entries_get_numbers_and_unknown_units() -> None:
    assert component_names((), 2, "feature") == (
        Component("feature[0]", UNKNOWN),
        Component("feature[1]", UNKNOWN),
    )
    with pytest.raises(EnvError, match="expected 2 different names, got a, a"):
        component_names((Component("a"), Component("a")), 2, "feature")
    with pytest.raises(EnvError, match="expected 3 different names"):
        component_names((Component("a"),), 3, "feature")


def test_wrappers_are_looked_through_and_strangers_refused() -> None:
    env = IdleEnv(1, 10.0, 3)
    assert group_env(VectorWrapper(env)) is env
    plain = gymnasium.make_vec("CartPole-v1", 1, vectorization_mode="sync")
    with pytest.raises(EnvError, match="got SyncVectorEnv; derive it from GroupEnv"):
        group_env(plain)
    plain.close()


def test_a_group_without_states_says_so() -> None:
    class Forgetful(GroupEnv):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful cannot save"):
        Forgetful().state()
    with pytest.raises(NotImplementedError, match="Forgetful cannot restore"):
        Forgetful().set_state({})
    with pytest.raises(StateError):
        IdleEnv(1, 10.0, 3).set_state({})
