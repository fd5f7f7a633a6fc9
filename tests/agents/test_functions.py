"""An agent of two functions: what it remembers."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.agents.functions import FunctionAgent
from ethospike.brains.network import Network, Population, SpikeInput
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.idle import IdleEnv


@pytest.mark.simulator("numba")
def test_a_fresh_agent_goes_on_where_lists_of_events_have_grown() -> None:
    """As after `ethospike resume`."""
    network = Network(
        [Population("E", 5, "iaf_psc_exp")], spike_inputs=[SpikeInput("in", "E", 300.0, channels=1)]
    )

    def make() -> FunctionAgent:
        return FunctionAgent(
            IdleEnv(2, 100.0, 99),
            network,
            lambda observation: {"in": np.array([[2000.0], [8000.0]])},
            lambda counts: np.tanh(counts["E"].sum(axis=1, keepdims=True) / 10.0),
            simulator=SimulatorSettings(name="numba"),
            seed=4,
        )

    observation = np.zeros((2, 1), np.float32)
    with make() as agent, make() as fresh:
        for _ in range(3):
            agent.act(observation)
        state = agent.state()
        state["source/events"] = np.pad(state["source/events"], ((0, 0), (0, 100)))  # room for more events
        fresh.set_state(state)
        for _ in range(3):
            mine, yours = agent.act(observation), fresh.act(observation)
            assert mine.spikes is not None
            assert yours.spikes is not None
            assert len(mine.spikes) > 10
            np.testing.assert_array_equal(mine.spikes.step, yours.spikes.step)
            np.testing.assert_array_equal(mine.spikes.neuron, yours.spikes.neuron)
