"""Agents for any environment: the random policy, and spiking codes without learning."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.agents.coded import CodedAgent, CodedConfig, firing_rate_hz
from ethospike.agents.random_policy import RandomPolicy
from ethospike.brains.network import CurrentInput, Network, Population
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
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


@pytest.mark.parametrize("code", ["line", "gaussian", "fourier"])
def test_motor_neurons_fire_as_fast_as_their_mean_current_says(code: str) -> None:
    """At the middle of all ranges each code brings the same current, whatever its number of channels."""
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    middle = np.array([[*((e.low + e.high) / 2 for e in env.entries), 1.0]], np.float32)
    with CodedAgent(env, CodedConfig(code=code), NUMBA, seed=1) as agent:
        decisions = [agent.act(middle) for _ in range(50)]
    rates = np.stack([decision.readout["motor_rate_hz"] for decision in decisions])[5:]
    assert rates.shape == (45, 1, 2)
    # The formula for 500 pA; less where equal channels fire at once and the current comes in pulses.
    assert 0.5 < rates.mean() / firing_rate_hz(500.0) < 1.25
    assert {int(decision.action[0, 0]) for decision in decisions} == {0, 1}
    assert decisions[0].action.dtype == np.int64


def test_the_rate_of_a_neuron_is_that_of_the_formula() -> None:
    network = Network(
        (Population("n", 1, "iaf_psc_exp"),), current_inputs=(CurrentInput("in", "n", channels=1),)
    )
    with open_simulator(network, NUMBA, seed=1) as simulator:
        spikes = simulator.run(100_000, Stimulus.currents(np.array([[800.0]])))
    assert len(spikes) / 10.0 == pytest.approx(firing_rate_hz(800.0), rel=0.02)
    assert firing_rate_hz(300.0) == 0.0


def test_a_network_of_ones_own_must_fit_the_codes() -> None:
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    network = Network((Population("motor", 7, "iaf_psc_exp"),), current_inputs=(CurrentInput("in", "motor"),))
    with pytest.raises(AgentError, match="32 current channels and a population 'motor' of 20 neurons, got 1"):
        CodedAgent(env, simulator=NUMBA, network=network, seed=1)


def test_mistakes_are_told() -> None:
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    with pytest.raises(AgentError, match="no code 'gaus'; did you mean 'gaussian'"):
        CodedAgent(env, CodedConfig(code="gaus"), NUMBA, seed=1)
    with pytest.raises(AgentError, match="motor_neurons: expected at least 1"):
        CodedConfig(motor_neurons=0)
    with pytest.raises(AgentError, match=r"a whole number of steps of 0\.3 ms"):
        CodedAgent(env, simulator=NUMBA, seed=1, dt_ms=0.3)
