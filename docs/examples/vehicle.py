"""An example of your own scenario: a spiking Braitenberg vehicle turns towards a light.

Copy this file, change it, and run it with `ethospike run my_scenario.py`. It brings all four parts: an
environment (a vehicle that turns on the spot; the light comes from a direction), a brain (two sensory
neurons that excite the motor neurons of the other side), an agent (light into currents, spikes into
turning), and the scenario that puts them together. Every field of `VehicleConfig` is a flag:
`ethospike run my_scenario.py --animals 5 --light-pa 900`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.brains.network import CurrentInput, Network, OneToOne, Population, Projection
from ethospike.brains.simulator import Simulator, Stimulus, open_simulator
from ethospike.envs.contract import GroupEnv
from ethospike.recorders.recording import Recording
from ethospike.scenarios.scenario import Scenario, ScenarioConfig, steps_of_run, whole_steps
from ethospike.states import State
from ethospike.variables import Component


# -- the environment: Gymnasium's vector API, one row an animal -------------------------------------------
class LightEnv(GroupEnv):
    """A vehicle on a turntable, with the light at angle 0.

    Observation: light at the left and the right sensor, 0 … 1. Action: turning, −1 (right) … 1 (left).
    """

    features = (Component("light_left"), Component("light_right"))
    actuators = (Component("turning"),)
    variables = {"heading_rad": {"units": "rad", "long_name": "heading, 0 is towards the light"}}

    def __init__(self, num_envs: int, control_interval_ms: float, n_control_steps: int) -> None:
        self.num_envs = num_envs
        self.control_interval_ms = control_interval_ms
        self.n_control_steps = n_control_steps
        self.single_observation_space = gymnasium.spaces.Box(0.0, 1.0, (2,), np.float32)
        self.single_action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (num_envs, 2), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (num_envs, 1), np.float32)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Turn every vehicle by a random angle away from the light."""
        self.control_step = 0
        streams = (np.random.default_rng([seed or 0, animal]) for animal in range(self.num_envs))
        self.heading_rad = np.array([rng.choice([-1, 1]) * rng.uniform(0.5, 2.0) for rng in streams])
        return self._sense(), {"heading_rad": self.heading_rad.astype(np.float32)}

    def step(self, actions: NDArray[np.float32]) -> Any:
        """Turn at up to 2 rad/s."""
        self.heading_rad = self.heading_rad + 2.0 * actions[:, 0] * self.control_interval_ms / 1000.0
        self.control_step += 1
        done = np.full(self.num_envs, self.control_step >= self.n_control_steps)
        info = {"heading_rad": self.heading_rad.astype(np.float32)}
        return self._sense(), np.cos(self.heading_rad), done, np.zeros_like(done), info

    def state(self) -> State:
        """Return copies of all that the next step depends on; a run that was stopped goes on from them."""
        return {"control_step": np.array(self.control_step), "heading_rad": self.heading_rad.copy()}

    def set_state(self, state: State) -> None:
        """Continue from a state."""
        self.control_step = int(state["control_step"])
        self.heading_rad = state["heading_rad"].copy()

    def _sense(self) -> NDArray[np.float32]:
        """Each sensor looks 45° to its side; a vehicle that heads left of the light sees it at its right."""
        left = np.cos(self.heading_rad + np.pi / 4)
        right = np.cos(self.heading_rad - np.pi / 4)
        return np.stack([left, right], axis=1).clip(0.0, 1.0).astype(np.float32)


# -- the brain: a network is data, and runs on every simulator --------------------------------------------
def vehicle_brain() -> Network:
    """Return two sensory neurons that excite two motor neurons one to one."""
    # 3000 pA lift the motor neuron by 16 mV: every sensory spike reaches its threshold, 15 mV away.
    return Network(
        populations=(Population("sensor", 2, "iaf_psc_exp"), Population("motor", 2, "iaf_psc_exp")),
        projections=(Projection("sensor>motor", "sensor", "motor", OneToOne(), weight=3000.0),),
        current_inputs=(CurrentInput("light", "sensor", channels=2),),
    )


# -- the agent: senses into currents, spikes into an action ------------------------------------------------
class Vehicle(Agent):
    """Turns towards the side whose motor neuron fires more."""

    simulator: Simulator
    variables = {
        "motor_spikes": {"dims": ("side",), "shape": (2,), "units": "1", "long_name": "motor spikes"}
    }

    def __init__(self, config: VehicleConfig) -> None:
        super().__init__(config.animals, config.control_interval_ms)
        self.network = vehicle_brain()
        self.light_pa = config.light_pa
        self.n_steps = whole_steps(config.control_interval_ms, config.dt_ms)
        self.simulator = open_simulator(
            self.network, config.simulator, seed=config.seed, animals=config.animals, dt_ms=config.dt_ms
        )
        self.backend = self.simulator.backend

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        stimulus = Stimulus.currents(self.light_pa * observation.astype(np.float64))
        spikes = self.simulator.run(self.n_steps, stimulus)
        motor = self.simulator.network.offset("motor")
        counts = np.zeros((self.animals, 2), dtype=np.float32)
        fired = spikes.neuron >= motor
        np.add.at(counts, (spikes.animal[fired], spikes.neuron[fired] - motor), 1.0)
        turn = (counts[:, :1] - counts[:, 1:]) / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        return Decision(turn.astype(np.float32), stimulus, spikes, {"motor_spikes": counts})

    def state(self) -> State:
        """Everything that changes is in the simulator."""
        return self.simulator.state()

    def set_state(self, state: State) -> None:
        """Continue from a state."""
        self.simulator.set_state(state)

    def close(self) -> None:
        """Close the simulator."""
        self.simulator.close()


# -- the scenario: configuration, and what to make of it ---------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class VehicleConfig(ScenarioConfig):
    """The experiment."""

    duration_s: float = 10.0
    """Length of the experiment (s), to the nearest control step."""
    light_pa: float = 1000.0
    """Current into a sensory neuron that looks straight into the light (pA)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.n_control_steps  # refuses a length that is none before anything is made

    @property
    def n_control_steps(self) -> int:
        """Length of the experiment (control steps)."""
        return steps_of_run("duration_s", self.duration_s, 1.0, self.control_interval_ms)


def open_experiment(config: VehicleConfig) -> tuple[LightEnv, Vehicle]:
    """Make body and brain."""
    return LightEnv(config.animals, config.control_interval_ms, config.n_control_steps), Vehicle(config)


def summarize(recording: Recording, config: VehicleConfig) -> dict[str, Any]:
    """Measure how far from the light the vehicles look at the end."""
    heading = recording.variable("heading_rad").values
    return {
        "first_angle_rad": np.abs(heading[0]).tolist(),
        "last_angle_rad": np.abs(heading[-1]).tolist(),
    }


SCENARIO = Scenario(
    name="vehicle",
    about="A spiking Braitenberg vehicle turns towards a light.",
    config=VehicleConfig,
    open=open_experiment,
    duration_s=lambda config: config.duration_s,
    summarize=summarize,
    conclude=lambda summary: f"Angle to the light at the end: {np.mean(summary['last_angle_rad']):.2f} rad.",
)
