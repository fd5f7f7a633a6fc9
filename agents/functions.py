"""An agent of two functions around a brain: observations to inputs, and spike counts to actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import ArrayLike, NDArray

from ethospike.agents.agent import BrainAgent, Decision
from ethospike.brains.network import CurrentInput, Network, SpikeInput
from ethospike.brains.simulator import (
    OwnBrain,
    SimulatorSettings,
    SpikeBlock,
    Stimulus,
    open_simulator,
)
from ethospike.brains.spike_trains.sources import PoissonSource
from ethospike.clock import whole_number
from ethospike.envs.contract import group_env
from ethospike.errors import AgentError, nearest
from ethospike.states import State, join_states, state_of
from ethospike.variables import Component, Panel, variable

Encode = Callable[[NDArray[np.float64]], Mapping[str, ArrayLike]]
"""From observations, shape (animals, features), to values by input: rates in Hz for spike inputs, amplitudes
in pA for current inputs, each of shape (animals, channels) or one that broadcasts to it."""
Decode = Callable[[Mapping[str, NDArray[np.int64]]], ArrayLike]
"""From the spikes of each neuron in the window by population, shape (animals, size), to actions, shape
(animals, actuators)."""


class FunctionAgent(BrainAgent):
    """A brain between two functions.

    Parameters
    ----------
    env : VectorEnv
        The environment that it acts in: for the number of animals and the control interval.
    brain : Network or OwnBrain
    encode, decode : callable
        See `Encode` and `Decode`.
    simulator : SimulatorSettings, optional
    seed : int
        Of the brain and of its Poisson input, keyed by animal.
    dt_ms : float

    Raises
    ------
    AgentError
        When the control interval is not a whole number of steps.
    """

    any_shape = ("source/events",)  # as many as happened to be drawn ahead

    def __init__(
        self,
        env: VectorEnv,
        brain: Network | OwnBrain,
        encode: Encode,
        decode: Decode,
        *,
        simulator: SimulatorSettings | None = None,
        seed: int,
        dt_ms: float = 0.1,
    ) -> None:
        body = group_env(env)
        super().__init__(env.num_envs, body.control_interval_ms)
        n_steps = whole_number(self.control_interval_ms, dt_ms)
        if n_steps is None:
            raise AgentError(
                f"control_interval_ms: expected a whole number of steps of {dt_ms:g} ms, got "
                f"{self.control_interval_ms:g}"
            )
        self._n_steps, self._encode, self._decode = n_steps, encode, decode
        self._n_actuators = body.single_action_space.shape
        self.simulator = open_simulator(brain, simulator, seed=seed, animals=self.animals, dt_ms=dt_ms)
        self.network, self.backend = self.simulator.network, self.simulator.backend
        channels = self.network.n_spike_channels
        self._source = (
            PoissonSource(channels, seed=seed, animals=self.animals, dt_ms=dt_ms) if channels else None
        )
        self.variables = {
            "population_rate_hz": variable(
                "mean rate of each population in the window",
                "Hz",
                "float32",
                panel=Panel("rates of populations (Hz)", key="f"),
                components=[Component(population.name, "Hz") for population in self.network.populations],
                population=len(self.network.populations),
            )
        }

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        stimulus = self._stimulus(self._encode(observation.astype(np.float64)))
        spikes = self.simulator.run(self._n_steps, stimulus)
        counts = self._counts(spikes)
        action = np.asarray(self._decode(counts), dtype=np.float32)
        expected = (self.animals, *(self._n_actuators or ()))
        if action.shape != expected:
            raise AgentError(f"decode: expected actions of shape {expected}, got {action.shape}")
        means = [count.mean(axis=1) for count in counts.values()]
        rate_hz = np.stack(means, axis=1) * (1000.0 / self.control_interval_ms)
        return Decision(action, stimulus, spikes, {"population_rate_hz": rate_hz.astype(np.float32)})

    def _stimulus(self, given: Mapping[str, ArrayLike]) -> Stimulus:
        """Return the input of the next window; inputs that are not given get 0."""
        network = self.network
        names = [i.name for i in network.spike_inputs] + [i.name for i in network.current_inputs]
        for name in given:
            if name not in names:
                raise AgentError(f"encode: the brain has no input {name!r}; {nearest(name, names)}")
        rate_hz = self._filled(network.spike_inputs, given)
        current_pa = self._filled(network.current_inputs, given)
        if self._source is None:
            return Stimulus.currents(current_pa) if current_pa.size else Stimulus.none()
        trains = self._source.trains(self.simulator.step + 1, self._n_steps, rate_hz)
        return Stimulus.by_animal(trains, current_pa if current_pa.size else None, rate_hz)

    def _filled(
        self, inputs: tuple[SpikeInput, ...] | tuple[CurrentInput, ...], given: Mapping[str, ArrayLike]
    ) -> NDArray[np.float64]:
        """Return the values of all channels of some inputs, shape (animals, channels)."""
        parts = []
        for target_input in inputs:
            shape = (self.animals, self.network.n_channels(target_input))
            values = np.asarray(given.get(target_input.name, 0.0), dtype=np.float64)
            try:
                parts.append(np.broadcast_to(values, shape))
            except ValueError:
                raise AgentError(
                    f"encode: {target_input.name}: expected shape {shape}, got {values.shape}"
                ) from None
        return np.concatenate(parts, axis=1) if parts else np.empty((self.animals, 0))

    def _counts(self, spikes: SpikeBlock) -> dict[str, NDArray[np.int64]]:
        shape = (self.animals, self.network.n_neurons)
        flat = spikes.animal.astype(np.int64) * shape[1] + spikes.neuron
        counts = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
        return {p.name: counts[:, self.network.neurons(p.name)] for p in self.network.populations}

    def _own_state(self) -> State:
        return {} if self._source is None else join_states({"source": self._source.state()})

    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        if self._source is not None:
            self._source.set_state(state_of("source", state))
