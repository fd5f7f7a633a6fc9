"""What a run says that it can record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from vehicle import SCENARIO, Vehicle, VehicleConfig

from ethospike.agents.larva.baselines import RandomLarva
from ethospike.brains.network import DopamineGated, Network, PairwiseBernoulli, Population, Projection
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.envs.odor_arena import OdorArenaVectorEnv
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import open_recording
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.loop import run_closed_loop, start_loop
from ethospike.scenarios.run.layout import describe


def test_randomly_many_plastic_weights_are_those_of_the_run_and_its_seed() -> None:
    """They were counted under seed 0, and a run under another one was refused at its first step."""
    cells = Population("E", 20, "iaf_psc_exp")
    rule = DopamineGated("E")
    network = Network((cells,), (Projection("E>E", "E", "E", PairwiseBernoulli(0.3), 1.0, plasticity=rule),))
    counts = set()
    for seed in (0, 1, 2):
        env, agent = SCENARIO.open(VehicleConfig(seed=seed, simulator=SimulatorSettings("numba")))
        assert isinstance(agent, Vehicle)
        agent.close()
        agent.network = network
        with open_simulator(network, agent.simulator.settings, seed=seed) as agent.simulator:
            layout = describe(env, agent, dt_ms=0.1)
            n_synapses = np.shape(agent.simulator.weights("E>E"))[1]
        assert layout.weights == {"E>E": (n_synapses, "pA")}
        counts.add(n_synapses)
    assert len(counts) == 3


class Rewiring(Vehicle):
    """A vehicle that doubles the weights of a projection without a rule in each step."""

    def learn(self, reward, terminated, truncated=False):
        self.simulator.set_weights("sensor>motor", 2.0 * self.simulator.weights("sensor>motor"))

    def weights(self):
        return {"sensor>motor": self.simulator.weights("sensor>motor")}


def test_weights_that_the_agent_changes_are_recorded(tmp_path: Path) -> None:
    """They were dropped without a word, or refused: the projection has no rule."""
    env, agent = SCENARIO.open(VehicleConfig(simulator=SimulatorSettings("numba")))
    assert isinstance(agent, Vehicle)
    assert not agent.network.plastic_projections
    agent.__class__ = Rewiring
    config = RecorderConfig(writer="inline", weights_every_s=0.1)
    with agent, ZarrRecorder(tmp_path / "a.zarr", describe(env, agent, dt_ms=0.1), config) as recorder:
        start = agent.weights()["sensor>motor"]
        run_closed_loop(
            env, agent, recorder, start_loop(env, agent, seed=1), lambda loop: loop.control_step < 3
        )
    weights = open_recording(tmp_path / "a.zarr").weights("sensor>motor")
    np.testing.assert_allclose(weights.values[-1], 8.0 * start, rtol=1e-6)
    assert weights.attrs["units"] == "pA"


def test_observation_and_action_are_recorded_with_names_and_units(tmp_path: Path) -> None:
    """They were a nameless array of unit 1, although an odor is a concentration."""
    env = OdorArenaVectorEnv(2)
    agent = RandomLarva.for_env(env, seed=1)
    layout = describe(env, agent, dt_ms=0.1)
    config = RecorderConfig(writer="inline")
    with ZarrRecorder(tmp_path / "recording.zarr", layout, config) as recorder:
        run_closed_loop(
            env, agent, recorder, start_loop(env, agent, seed=1), lambda loop: loop.control_step < 3
        )
    recording = open_recording(tmp_path / "recording.zarr")
    assert recording.n_steps == 3
    attributes = recording.behavior["observation"].attrs
    assert attributes["feature_names"] == ["A", "B", "reward", "punishment", "wall_contact"]
    assert attributes["feature_units"] == ["µM", "µM", "1", "1", "1"]
    assert attributes["units"] == "mixed"
    action = recording.behavior["action"].attrs
    assert (action["actuator_names"], action["units"]) == (["crawling_drive", "turning_drive"], "1")
    assert recording.layout.variables == layout.variables
