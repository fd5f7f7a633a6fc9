"""The actor–critic without neurons: its equations, its course, and a task that it solves."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from ethospike.agents.reward.td import TDActorCritic, TDConfig
from ethospike.envs.any_env import EnvSource, EpisodeConfig, GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.scenarios.loop import run_closed_loop, start_loop


class Corridor(gymnasium.Env[int, int]):
    """Three states in a row; each step moves on and gives the reward 1; the end terminates or truncates."""

    observation_space, action_space = Discrete(4), Discrete(2)

    def __init__(self, cut_off: bool = False) -> None:
        self._cut_off, self._place = cut_off, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._place = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self._place += 1
        is_end = self._place == 3
        return self._place, 1.0, is_end and not self._cut_off, is_end and self._cut_off, {}


class Log(Recorder):
    """Keeps the rewards of each animal."""

    def __init__(self) -> None:
        self.rewards: list[NDArray[Any]] = []

    def record(self, record: StepRecord) -> None:
        self.rewards.append(record.values["reward"])

    def close(self, status: str = "complete") -> None:
        pass


def trained(env: GymnasiumGroup, config: TDConfig, seed: int = 1) -> TDActorCritic:
    agent = TDActorCritic(env, config, seed=seed)
    assert run_closed_loop(env, agent, Log(), start_loop(env, agent, seed=seed))
    return agent


@pytest.mark.parametrize("blank_steps", [0, 3])
def test_values_are_those_of_the_bellman_equation(blank_steps: int) -> None:
    """With discount 0.5 the values before the end are 1.75, 1.5 and 1."""
    env = GymnasiumGroup(Corridor, 2, EpisodeConfig(episodes=600, blank_steps=blank_steps))
    agent = trained(env, TDConfig(discount=0.5, trace=0.0, reward_scale=1.0))
    np.testing.assert_allclose(agent._critic, np.tile([1.75, 1.5, 1.0, 0.0], (2, 1)), atol=1e-6)


def test_a_truncated_episode_has_the_value_of_its_final_observation() -> None:
    """The end is never left, so its value stays 0.4; the values before it are 1.8, 1.6 and 1.2."""
    env = GymnasiumGroup(lambda: Corridor(cut_off=True), 1, EpisodeConfig(episodes=600))
    agent = TDActorCritic(env, TDConfig(discount=0.5, trace=0.0, reward_scale=1.0), seed=1)
    agent._critic[0, 3] = 0.4
    assert run_closed_loop(env, agent, Log(), start_loop(env, agent, seed=1))
    np.testing.assert_allclose(agent._critic, [[1.8, 1.6, 1.2, 0.4]], atol=1e-6)


def test_nothing_is_learned_in_evaluation_and_its_draws_leave_training_alone() -> None:
    def run(evaluation: int) -> TDActorCritic:
        config = EpisodeConfig(episodes=40, evaluation_episodes=evaluation)
        return trained(GymnasiumGroup("ethospike/CueBandit-v0", 3, config), TDConfig())

    one, other = run(0), run(25)
    assert np.abs(one._actor).max() > 0
    np.testing.assert_array_equal(one._actor, other._actor)
    np.testing.assert_array_equal(one._critic, other._critic)
    evaluation = "course/evaluation"
    assert (one.state()[evaluation] != other.state()[evaluation]).any()


def test_the_cue_bandit_is_learned_and_greedy_choices_are_right() -> None:
    config = EpisodeConfig(episodes=300, evaluation_episodes=20, blank_steps=0)
    env = GymnasiumGroup("ethospike/CueBandit-v0", 4, config)
    agent = TDActorCritic(env, TDConfig(reward_scale=1.0, critic_rate=0.2, actor_rate=2.0), seed=1)
    log = Log()
    assert run_closed_loop(env, agent, log, start_loop(env, agent, seed=1))
    rewards = np.stack(log.rewards)[::2]  # every second control step presents the final observation
    assert rewards.shape == (340, 4)
    assert 0.1 < rewards[:20].mean() < 0.6  # chance is 0.25
    assert rewards[200:300].mean() > 0.9
    np.testing.assert_array_equal(rewards[-20:], 1.0)


def test_it_goes_on_from_a_state() -> None:
    source = EnvSource("FrozenLake-v1", {"is_slippery": False})
    env = GymnasiumGroup(source, 2, EpisodeConfig(episodes=50))
    agent, other = (TDActorCritic(env, seed=seed) for seed in (1, 2))
    loop = start_loop(env, agent, seed=1)
    run_closed_loop(env, agent, Log(), loop, lambda loop: loop.control_step < 60)
    other.set_state(agent.state())
    for _ in range(30):
        observation = np.array([[3.0, 1.0], [5.0, 1.0]], np.float32)
        np.testing.assert_array_equal(agent.act(observation).action, other.act(observation).action)
        for each in (agent, other):
            each.learn(np.array([1.0, 0.0]), False)
    for name, array in agent.state().items():
        np.testing.assert_array_equal(array, other.state()[name])


def test_animals_do_not_depend_on_the_size_of_the_group() -> None:
    config = EpisodeConfig(episodes=20)
    few, many = (trained(GymnasiumGroup("CartPole-v1", n, config), TDConfig()) for n in (2, 5))
    assert np.abs(few._actor).max() > 0
    np.testing.assert_array_equal(few._actor, many._actor[:2])


@pytest.mark.parametrize(("name", "value"), [("discount", 1.5), ("trace", -0.1), ("actor_rate", -1.0)])
def test_numbers_are_checked(name: str, value: float) -> None:
    with pytest.raises(AgentError, match=f"TDConfig.{name}"):
        TDConfig(**{name: value})


def test_rewards_are_checked() -> None:
    agent = TDActorCritic(GymnasiumGroup("CartPole-v1", 2), seed=1)
    with pytest.raises(AgentError, match="reward: expected 2 finite numbers"):
        agent.learn(np.array([1.0, np.nan]), False)
