"""A cortex that is connected to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex
from ethospike.brains.network import Network
from ethospike.brains.simulator import Simulator, SimulatorSettings, Stimulus, open_simulator
from ethospike.clock import whole_number
from ethospike.errors import AgentError
from ethospike.states import State


class RestingCortex(Agent):
    """A clustered cortex without input.

    Parameters
    ----------
    cortex : CortexConfig
    simulator : SimulatorSettings, optional
    seed : int
        Of wiring and starting voltages, where these are drawn; keyed by animal.
    animals : int
    control_interval_ms, dt_ms : float
    network : Network, optional
        A network of your own instead of `clustered_cortex(cortex)`.

    Raises
    ------
    AgentError
        When the control interval is not a whole number of steps of `dt_ms`.
    """

    simulator: Simulator

    def __init__(
        self,
        cortex: CortexConfig,
        simulator: SimulatorSettings | None = None,
        *,
        seed: int,
        animals: int = 1,
        control_interval_ms: float = 10.0,
        dt_ms: float = 0.1,
        network: Network | None = None,
    ) -> None:
        super().__init__(animals, control_interval_ms)
        n_steps = whole_number(control_interval_ms, dt_ms)
        if n_steps is None:
            raise AgentError(
                f"control_interval_ms: expected a whole number of steps of {dt_ms:g} ms, got "
                f"{control_interval_ms:g}"
            )
        self._n_steps = n_steps
        self.network = clustered_cortex(cortex) if network is None else network
        self.simulator = open_simulator(self.network, simulator, seed=seed, animals=animals, dt_ms=dt_ms)
        self.backend = self.simulator.backend

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        # Zeros rather than no currents at all: the recording then has the channels of every other run.
        stimulus = Stimulus.currents(np.zeros((self.animals, self.simulator.network.n_current_channels)))
        spikes = self.simulator.run(self._n_steps, stimulus)
        return Decision(np.zeros((self.animals, 1), dtype=np.float32), stimulus, spikes)

    def state(self) -> State:
        """Return the simulator's state; nothing else changes."""
        return self.simulator.state()

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state."""
        self.simulator.set_state(dict(state))

    def close(self) -> None:
        """Close the simulator."""
        self.simulator.close()
