"""Larvae that are taught by the reward of the odor arena, and by nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ethospike.agents.larva import LarvaAgent
from ethospike.agents.reward.larva import RewardedLarva
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.any_env import EnvSource, EpisodeConfig, GymnasiumGroup
from ethospike.envs.odor_arena import ArenaConfig, OdorSource, Phase
from ethospike.envs.odor_arena.odor import PEAK_UM
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.errors import AgentError, EnvError

NUMBA = SimulatorSettings("numba")
ODOR = PEAK_UM


def group(episodes: EpisodeConfig, animals: int = 1, config: ArenaConfig | None = None) -> GymnasiumGroup:
    keywords = {} if config is None else {"config": config}
    return GymnasiumGroup(EnvSource("ethospike/OdorArena-v0", keywords), animals, episodes)


def seen(reward: float, present: float = 1.0) -> NDArray[np.float32]:
    """Return an observation of odor A at its peak, with a reward in it."""
    return np.array([[ODOR, 0.0, reward, 0.0, 0.0, present]], np.float32)


def weights_after(larva: Any, observations: list[NDArray[Any]], rewards: list[float]) -> dict[str, float]:
    before = {name: weights.copy() for name, weights in larva.weights().items()}
    for observation, reward in zip(observations, rewards, strict=True):
        larva.act(observation)
        larva.learn(np.array([reward]), False, False)
    return {name: float((weights - before[name]).mean()) for name, weights in larva.weights().items()}


EPISODE = EpisodeConfig(100.0, episodes=2, evaluation_episodes=1)


def taught(observed: float, rewards: float, n: int = 40) -> dict[str, float]:
    with RewardedLarva(group(EPISODE), simulator=NUMBA, seed=1) as larva:
        larva.begin_episode(np.array([True]))
        return weights_after(larva, [seen(observed)] * n, [rewards] * n)


def test_the_reward_teaches_and_the_observation_does_not() -> None:
    observed, nothing, rewarded, punished = (
        taught(1.0, 0.0),
        taught(0.0, 0.0),
        taught(0.0, 1.0),
        taught(0.0, -1.0),
    )
    assert observed == nothing
    # DANp depresses the synapses onto the avoidance neuron, DANn those onto the approach neuron.
    assert rewarded["KC>MBONn"] < nothing["KC>MBONn"] - 0.2
    assert punished["KC>MBONp"] < nothing["KC>MBONp"] - 0.2
    assert abs(rewarded["KC>MBONp"] - nothing["KC>MBONp"]) < 0.2 * abs(rewarded["KC>MBONn"])


def test_a_reward_acts_as_the_sense_of_it_does_one_step_later() -> None:
    with RewardedLarva(group(EPISODE), simulator=NUMBA, seed=1) as larva:
        larva.begin_episode(np.array([True]))
        mine = weights_after(larva, [seen(0.0)] * 21, [1.0] * 21)
    with LarvaAgent(animals=1, seed=1, simulator=NUMBA) as sensing:
        theirs = weights_after(sensing, [seen(0.0)[:, :-1], *[seen(1.0)[:, :-1]] * 20], [0.0] * 21)
    assert mine == theirs
    assert mine["KC>MBONn"] < -0.1


def test_weights_stay_in_evaluation() -> None:
    with RewardedLarva(group(EPISODE), simulator=NUMBA, seed=1) as larva:
        for _ in range(3):
            larva.begin_episode(np.array([True]))  # the third is one of evaluation
        change = weights_after(larva, [seen(0.0)] * 30, [1.0] * 30)
    assert change == {"KC>MBONp": 0.0, "KC>MBONn": 0.0}


def test_it_goes_on_from_a_state() -> None:
    env = group(EPISODE)
    with (
        RewardedLarva(env, simulator=NUMBA, seed=1) as larva,
        RewardedLarva(env, simulator=NUMBA, seed=1) as other,
    ):
        for agent in (larva, other):
            agent.begin_episode(np.array([True]))
        weights_after(larva, [seen(0.0)] * 5, [1.0] * 5)
        other.set_state(larva.state())
        for _ in range(5):
            np.testing.assert_array_equal(larva.act(seen(0.0)).action, other.act(seen(0.0)).action)
            larva.learn(np.array([1.0]), False)
            other.learn(np.array([1.0]), False)
        for name, weights in larva.weights().items():
            np.testing.assert_array_equal(weights, other.weights()[name])


def test_other_environments_and_intervals_are_refused() -> None:
    with pytest.raises(AgentError, match=r"expected the entries of ethospike/OdorArena-v0"):
        RewardedLarva(GymnasiumGroup("CartPole-v1"), seed=1)
    with pytest.raises(EnvError, match=r"a step of ethospike/OdorArena-v0 takes 100 ms, got 20"):
        GymnasiumGroup("ethospike/OdorArena-v0")


def test_larvae_of_a_dish_are_rewarded_in_closed_loop() -> None:
    reward = Reinforcement("reward")
    config = ArenaConfig((Phase("all", 3.0, (OdorSource("A", sigma_mm=1e6),), (reward,)),), odors=("A", "B"))
    env = group(EPISODE, 2, config)
    with RewardedLarva(env, simulator=NUMBA, seed=1) as larva:
        observation, _ = env.reset(seed=1)
        larva.begin_episode(np.ones(2, bool))
        total = 0.0
        for _ in range(25):
            decision = larva.act(observation)
            observation, rewards, terminated, truncated, _ = env.step(decision.action)
            larva.learn(rewards, terminated, truncated)
            total += rewards.sum()
        assert total == 50.0
        change = larva.weights()["KC>MBONn"].mean(axis=1) - 80.0
    assert (change < -0.1).all()
