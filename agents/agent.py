"""The contract of an agent: an observation in, a decision out, once per control step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network
from ethospike.brains.simulator import Simulator, SpikeBlock, Stimulus
from ethospike.errors import AgentError
from ethospike.states import State, check_state, join_states, state_of, without


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of an agent in one control step, and the way to it.

    Parameters
    ----------
    action : ndarray, shape (animals, actuators) or (actuators,)
        For the environment's `step`; unbatched if the observation was.
    stimulus : Stimulus or None
        Input of the network; None for an agent without neurons.
    spikes : SpikeBlock or None
        Spikes of the window; None for an agent without neurons.
    readout : mapping of str to ndarray, shape (animals, …)
        Decoded quantities for recordings; described by `Agent.variables`.
    """

    action: NDArray[Any]
    stimulus: Stimulus | None = None
    spikes: SpikeBlock | None = None
    readout: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Agent(ABC):
    """Something that acts in an environment; a context manager.

    Attributes
    ----------
    animals : int
    control_interval_ms : float
        The environment's control interval; `check_fits` refuses another.
    variables : mapping
        Name of each readout to its description, `{"dims": (...), "shape": (...), "units": str,
        "long_name": str, "dtype": str}`; `dims` and `shape` are those after (time, animal).
    network : Network or None
        The network of the brain; None for an agent without neurons.
    simulator : Simulator or None
        The simulator of the brain; None for an agent without neurons.
    backend : str
        Simulator, version and device, for `run.json`.
    """

    network: Network | None = None
    simulator: Simulator | None = None
    backend: str = "no simulator"
    variables: Mapping[str, Mapping[str, Any]] = {}

    def __init__(self, animals: int, control_interval_ms: float) -> None:
        self.animals = animals
        self.control_interval_ms = control_interval_ms
        self._watches = False

    def act(self, observation: NDArray[np.floating]) -> Decision:
        """Sense, think and decide for one control step.

        Parameters
        ----------
        observation : ndarray of float32, shape (animals, features); with one animal also (features,)

        Raises
        ------
        AgentError
            When the shape is wrong or a value is not finite.
        """
        observation = np.asarray(observation)
        single = observation.ndim == 1 and self.animals == 1
        batch = observation[None] if single else observation
        if batch.ndim != 2 or batch.shape[0] != self.animals:
            raise AgentError(
                f"observation: expected shape ({self.animals}, features), got {observation.shape}"
            )
        if not np.isfinite(batch).all():
            raise AgentError(f"observation: expected finite numbers, got {observation}")
        decision = self._act(batch)
        if single:
            return Decision(decision.action[0], decision.stimulus, decision.spikes, decision.readout)
        return decision

    @abstractmethod
    def _act(self, observation: NDArray[np.floating]) -> Decision:
        """Act on a checked observation of shape (animals, features)."""

    def learn(
        self,
        reward: NDArray[np.floating] | float,
        terminated: NDArray[np.bool_] | bool,
        truncated: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Learn from a reward; does nothing by default (the mushroom body learns inside `act`).

        Parameters
        ----------
        reward : float or ndarray, shape (animals,)
            Reward of the control step; 0 between episodes.
        terminated : bool or ndarray
            The episode ended by its own rules: nothing of value comes after it.
        truncated : bool or ndarray
            The episode was cut off: the value of the final observation, which the next `act` gets, stands
            for the rewards that would have come.
        """

    def begin_episode(self, which: NDArray[np.bool_]) -> None:
        """Prepare for the first observation of an episode; does nothing by default.

        Between the end of an episode and this call, the environment of an animal stands still: `act` gets
        the final observation once, then the neutral one of the blank.

        Parameters
        ----------
        which : ndarray of bool, shape (animals,)
            The animals with a new episode.
        """

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return the weights that change, by projection, each of shape (animals, synapses).

        Of plastic projections all, and of those that the agent changes itself; they are recorded.
        """
        return {}

    def watch(self, neurons: Sequence[int], recordable: str = "V_m") -> None:
        """Have `voltages` return V_m of these neurons, counted through an animal.

        An empty sequence stops watching. On NEST, `recordable` may be any number of the neurons' status.

        Raises
        ------
        AgentError
            When there is no simulator, or one that cannot record voltages.
        """
        self._watches = bool(neurons)
        if not neurons:
            return
        if self.simulator is None or not self.simulator.capabilities.records_voltage:
            raise AgentError(
                f"{self.backend} cannot record voltages; use another simulator, or choose no neurons"
            )
        self.simulator.watch(np.asarray(neurons, dtype=np.int64), recordable)

    def voltages(self) -> NDArray[np.float64] | None:
        """Return V_m at the end of each step of the last window in mV, shape (steps, animals, watched).

        Another quantity, if `watch` named one. None if no neuron is watched.
        """
        return self.simulator.voltages() if self._watches and self.simulator is not None else None

    def check_fits(self, animals: int, control_interval_ms: float) -> None:
        """Raise `AgentError` unless the agent was built for that many animals and that control interval."""
        if animals != self.animals:
            raise AgentError(f"the environment has {animals} animals, the agent was built for {self.animals}")
        if control_interval_ms != self.control_interval_ms:
            raise AgentError(
                f"the environment's control interval is {control_interval_ms} ms, the agent was built for "
                f"{self.control_interval_ms} ms"
            )

    @abstractmethod
    def state(self) -> State:
        """Return copies of all that the next decision depends on, random generators included."""

    @abstractmethod
    def set_state(self, state: State) -> None:
        """Continue from a `state()` of an agent built alike.

        Raises
        ------
        AgentError
            When an entry of the agent's own is missing, unknown, or of another shape; nothing has changed
            then.
        """

    def close(self) -> None:
        """Release the simulator; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BrainAgent(Agent):
    """An agent with a brain on a simulator of its own; subclasses add their own state to the simulator's.

    Attributes
    ----------
    any_shape : tuple of str
        Entries of the state beside the simulator's that change their shape from step to step.
    """

    network: Network
    simulator: Simulator
    any_shape: tuple[str, ...] = ()

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return the plastic weights by projection, each of shape (animals, synapses)."""
        return {p.name: self.simulator.weights(p.name) for p in self.network.plastic_projections}

    def state(self) -> State:
        """Return copies of all that the next decision depends on, the simulator's state included.

        Raises
        ------
        SimulatorUnavailable
            When the simulator cannot save its state (`Capabilities.restores_state`).
        """
        return self._own_state() | join_states({"simulator": self.simulator.state()})

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state()` of an agent built alike.

        Raises
        ------
        StateError
            When an entry that is not the simulator's is missing, unknown, or of another shape; nothing has
            changed then.
        SimulatorUnavailable
            When the simulator cannot restore a state.
        """
        check_state(without("simulator", state), self._own_state(), any_shape=self.any_shape)
        self.simulator.set_state(state_of("simulator", state))
        self._set_own_state(state)

    @abstractmethod
    def _own_state(self) -> State:
        """Return copies of the agent's own state, without the simulator's."""

    @abstractmethod
    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from the entries of `_own_state`; the state has others as well."""

    def close(self) -> None:
        """Close the simulator; closing twice is harmless."""
        self.simulator.close()
