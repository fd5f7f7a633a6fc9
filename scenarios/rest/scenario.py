"""Cortex at rest: spontaneous activity of a clustered cortex, without a body.

Clusters of an E/I-clustered network become active one after the other, with no input that tells them to
(Rostami et al. 2024, Nat Commun 15:6304). The run goes through the same closed loop as every other; the body
in it feels nothing and does nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS, CortexConfig, clustered_cortex
from ethospike.brains.simulator import Simulator, Stimulus, open_simulator
from ethospike.clock import whole_number
from ethospike.errors import ScenarioError
from ethospike.scenarios.rest import measures as rest_measures
from ethospike.scenarios.scenario import Scenario, ScenarioConfig, steps_of_run, whole_steps
from ethospike.states import State

if TYPE_CHECKING:
    from pathlib import Path

    from ethospike.recorders.recording import Recording

DEFAULT_NETWORK = "cortex"


@dataclass(frozen=True, kw_only=True)
class RestConfig(ScenarioConfig):
    """The network and how long it is watched."""

    control_interval_ms: float = 10.0
    """Length of a window of the simulator (ms), a whole part of the 50 ms in which dominance is measured."""
    minutes: float = 5.0
    """Length of the run (min), to the nearest control step."""
    cortex: CortexConfig = field(default_factory=lambda: PARAMETER_SETS[DEFAULT_NETWORK])
    """The network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps_of_run("minutes", self.minutes, 60.0, self.control_interval_ms)
        if whole_number(rest_measures.BIN_MS, self.control_interval_ms) is None:
            raise ScenarioError(
                f"control_interval_ms: expected a whole part of the {rest_measures.BIN_MS:g} ms in which "
                f"dominance is measured, got {self.control_interval_ms:g}"
            )


class RestEnv(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """A body that feels nothing and does nothing, for `n_control_steps`.

    Observation and action are one number that means nothing: 0.
    """

    metadata = {"autoreset_mode": AutoresetMode.DISABLED, "render_modes": []}
    variables: dict[str, dict[str, Any]] = {}

    def __init__(self, num_envs: int, control_interval_ms: float, n_control_steps: int) -> None:
        self.num_envs = num_envs
        self.control_interval_ms = control_interval_ms
        self.n_control_steps = n_control_steps
        self.control_step = 0
        self.single_observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.single_action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (num_envs, 1), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (num_envs, 1), np.float32)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin anew."""
        self.control_step = 0
        return self._nothing(), {}

    def step(self, actions: NDArray[np.float32]) -> Any:
        """Let time pass."""
        self.control_step += 1
        done = np.full(self.num_envs, self.control_step >= self.n_control_steps)
        return self._nothing(), np.zeros(self.num_envs), done, np.zeros_like(done), {}

    def state(self) -> State:
        """Return the time."""
        return {"control_step": np.array(self.control_step)}

    def set_state(self, state: State) -> None:
        """Continue from a state."""
        self.control_step = int(state["control_step"])

    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((self.num_envs, 1), dtype=np.float32)


class RestingCortex(Agent):
    """A clustered cortex without input."""

    simulator: Simulator

    def __init__(self, config: RestConfig) -> None:
        super().__init__(config.animals, config.control_interval_ms)
        self.network = clustered_cortex(config.cortex)
        self._n_steps = whole_steps(config.control_interval_ms, config.dt_ms)
        self.simulator = open_simulator(
            self.network, config.simulator, seed=config.seed, animals=config.animals, dt_ms=config.dt_ms
        )
        self.backend = self.simulator.backend

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        # Zeros rather than no currents at all: the recording then has the channels of every other run.
        stimulus = Stimulus.currents(np.zeros((self.animals, self.simulator.network.n_current_channels)))
        spikes = self.simulator.run(self._n_steps, stimulus)
        return Decision(np.zeros((self.animals, 1), dtype=np.float32), stimulus, spikes)

    def state(self) -> State:
        """Return the simulator's state; nothing else changes."""
        return self.simulator.state()

    def set_state(self, state: State) -> None:
        """Continue from a state."""
        self.simulator.set_state(state)

    def close(self) -> None:
        """Close the simulator."""
        self.simulator.close()


def open_experiment(config: RestConfig) -> tuple[VectorEnv, RestingCortex]:
    """Make the body that does nothing, and the cortex."""
    n_control_steps = steps_of_run("minutes", config.minutes, 60.0, config.control_interval_ms)
    env = RestEnv(config.animals, config.control_interval_ms, n_control_steps)
    return env, RestingCortex(config)


def duration_s(config: RestConfig) -> float:
    """Return the length of the run (s)."""
    return config.minutes * 60.0


def draw_figures(recording: Recording, config: RestConfig, folder: Path) -> list[Path]:
    """Draw what a run of this kind shows; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.rest import figures as rest_figures

    return rest_figures.draw_all(recording, config, folder)


SCENARIO = Scenario(
    name="cortex-rest",
    about="Spontaneous activity of a clustered cortex: clusters take turns.",
    config=RestConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=rest_measures.measure,
    draw=draw_figures,
    conclude=rest_measures.sentence,
    presets={
        "short": {"minutes": 0.25},
        # What clustering does is what is missing here.
        "unclustered": {"cortex": {"j_plus": 1.0}},
    },
    families={
        "network": {
            name: {"cortex": dataclasses.asdict(PARAMETER_SETS[name])}
            for name in sorted(PARAMETER_SETS, key=lambda name: name != DEFAULT_NETWORK)
        }
    },
)
