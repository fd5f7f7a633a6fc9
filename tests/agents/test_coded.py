"""Agents for any environment: the random policy, and spiking codes without learning."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.agents.coded import CodedAgent, CodedConfig
from ethospike.agents.random_policy import RandomPolicy
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.any_env import Entry, EpisodeConfig, GymnasiumGroup
from ethospike.errors import AgentError

NUMBA = SimulatorSettings("numba")


def test_a_random_policy_is_uniform_and_keyed_by_animal() -> None:
    entries = [Entry("gear", 0.0, 2.0, 3), Entry("force", -2.0, 2.0)]
    policy, few = RandomPolicy(entries, seed=1, animals=3), RandomPolicy(entries, seed=1, animals=2)
    observation = np.zeros((3, 4), np.float32)
    actions = np.stack([policy.act(observation).action for _ in range(600)])
    np.testing.assert_array_equal(few.act(observation[:2]).action, actions[0, :2])
    counts = np.bincount(actions[:, :, 0].astype(int).ravel(), minlength=3)
    # 600 of each on average, standard deviation 20.
    assert all(500 < count < 700 for count in counts)
    assert abs(actions[:, :, 1].mean()) < 0.15  # standard error 1.155 / sqrt(1800) = 0.027
    assert -2.0 <= actions[:, :, 1].min() < -1.9
    assert 1.9 < actions[:, :, 1].max() <= 2.0
    with pytest.raises(AgentError, match="expected a finite range of 'force'"):
        RandomPolicy([Entry("force", -np.inf, np.inf)], seed=1)


def test_a_random_policy_goes_on_from_a_state() -> None:
    entries = [Entry("gear", 0.0, 2.0, 3)]
    policy, other = RandomPolicy(entries, seed=1), RandomPolicy(entries, seed=2)
    policy.act(np.zeros(2))
    other.set_state(policy.state())
    for _ in range(5):
        np.testing.assert_array_equal(policy.act(np.zeros(2)).action, other.act(np.zeros(2)).action)


def test_spikes_of_the_code_follow_the_observation_and_are_absent_in_the_blank() -> None:
    env = GymnasiumGroup("FrozenLake-v1", 2, EpisodeConfig(episodes=1))
    with CodedAgent(env, simulator=NUMBA, seed=1) as agent:
        seen = np.array([[3.0, 1.0], [9.0, 0.0]], np.float32)  # animal 1 is in the blank
        spikes = [agent.act(seen).spikes for _ in range(5)]
    fired = [(int(a), int(n)) for block in spikes for a, n in zip(block.animal, block.neuron, strict=True)]
    assert len(fired) > 5
    assert {animal for animal, _ in fired} == {0}
    assert {neuron for _, neuron in fired if neuron < 16} == {3}


def test_more_input_gives_more_motor_spikes_in_the_mean_of_its_weights() -> None:
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    config = CodedConfig(code="line", weight_pa=900.0)
    observation, _ = env.reset(seed=1)
    with CodedAgent(env, config, NUMBA, seed=1) as agent:
        decisions = [agent.act(observation) for _ in range(10)]
        again = agent.simulator.weights if agent.network.plastic_projections else None
    assert again is None  # nothing learns
    rates = np.stack([decision.readout["motor_rate_hz"] for decision in decisions])
    assert rates.shape == (10, 1, 2)
    assert rates.max() > 20.0
    assert {int(decision.action[0, 0]) for decision in decisions} <= {0, 1}
    assert decisions[0].action.dtype == np.int64


def test_mistakes_are_told() -> None:
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    with pytest.raises(AgentError, match="no code 'gaus'; did you mean 'gaussian'"):
        CodedAgent(env, CodedConfig(code="gaus"), NUMBA, seed=1)
    with pytest.raises(AgentError, match="motor_neurons: expected at least 1"):
        CodedConfig(motor_neurons=0)
    with pytest.raises(AgentError, match=r"a whole number of steps of 0\.3 ms"):
        CodedAgent(env, simulator=NUMBA, seed=1, dt_ms=0.3)
