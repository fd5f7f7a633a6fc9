"""Errors of earlier windows in random order, in place of the present ones: a control of the third factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.reward.network import CRITIC
from ethospike.brains.network import Network
from ethospike.brains.network.plasticity import Events, ModulatorValues, TDError
from ethospike.brains.simulator import SpikeBlock
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.states import State, check_state
from ethospike.variables import variable

SHUFFLED = "shuffled_error"
"""Channel of the shuffled errors, in a network that learns from them."""
TRUE, GIVEN = "arm_true_error", "arm_given_error"
ERRORS = {
    TRUE: variable("temporal-difference error of the window, NaN where nothing is learned", "1", "float32"),
    GIVEN: variable("error that taught instead, of an earlier window", "1", "float32"),
}
"""Variables for the proof that errors were shuffled; variables `arm_…` are always recorded."""
KEPT = 512
"""Windows of each animal from which errors are drawn."""


class ShuffledErrors:
    """The temporal-difference errors that a critic makes, kept and given back in random order.

    They have the distribution of the true ones, and nothing to do with the present.

    Parameters
    ----------
    error : TDError
        The error that the network would learn from.
    network : Network
    animals, seed : int
    grid_steps, n_steps : int
        Steps of the rule's grid and of a window.
    dt_ms : float
    """

    def __init__(
        self,
        error: TDError,
        network: Network,
        *,
        animals: int,
        seed: int,
        grid_steps: int,
        n_steps: int,
        dt_ms: float,
    ) -> None:
        self._first, n_critic = network.offset(CRITIC), network.population(CRITIC).size
        self._stop = self._first + n_critic
        self._grid, self._dt_ms, self._n_steps = grid_steps, dt_ms, n_steps
        self._values = [ModulatorValues(error, n_critic, grid_steps, dt_ms) for _ in range(animals)]
        self._kept = np.zeros((animals, KEPT, n_steps // grid_steps))
        self._n_kept = np.zeros(animals, np.int64)
        self._generators = [random_stream(seed, animal, Role.READOUT, 2) for animal in range(animals)]
        self._sum = np.zeros(animals)

    def given(self, is_on: NDArray[np.bool_], first_step: int) -> NDArray[np.float64]:
        """Return the channel for the next window, shape (animals, steps); 0 where nothing is learned."""
        channel = np.zeros((len(is_on), self._n_steps))
        self._sum = np.zeros(len(is_on))
        points = np.arange(first_step, first_step + self._n_steps) % self._grid == 0
        for animal, generator in enumerate(self._generators):
            place = generator.random()
            known = min(int(self._n_kept[animal]), KEPT)
            if is_on[animal] and known:
                errors = self._kept[animal, int(place * known)]
                self._sum[animal] = errors.sum()
                # A channel's value is multiplied by the grid interval.
                channel[animal, points] = errors / (self._grid * self._dt_ms)
        return channel

    def keep(
        self, spikes: SpikeBlock, first_step: int, modulation: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[np.float32]]:
        """Keep the true errors of a window, from the critic's spikes, the rewards and the terminal flags.

        Return `ERRORS`, the sums over the window.
        """
        true = np.full(len(self._values), np.nan)
        mine = (spikes.neuron >= self._first) & (spikes.neuron < self._stop)
        for animal, values in enumerate(self._values):
            of_animal = mine & (spikes.animal == animal)
            events = Events(
                first_step,
                self._n_steps,
                modulator=(spikes.step[of_animal], spikes.neuron[of_animal] - self._first),
                modulation={name: array[animal] for name, array in modulation.items()},
            )
            errors = values.values(events)
            if not np.isnan(modulation["reward"][animal]):
                self._kept[animal, self._n_kept[animal] % KEPT] = errors
                self._n_kept[animal] += 1
                true[animal] = errors.sum()
        return {TRUE: true.astype(np.float32), GIVEN: self._sum.astype(np.float32)}

    def state(self) -> State:
        """Return copies of the errors, their sources and the generators."""
        traces = [[v.trace, v.value_before, v.reward_sum] for v in self._values]
        return {
            "kept": self._kept.copy(),
            "n_kept": self._n_kept.copy(),
            "traces": np.array(traces),
            "generator": pack_generators(self._generators, len(self._values)),
        }

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another object.
        """
        check_state(state, self.state())
        self._kept, self._n_kept = np.array(state["kept"]), np.array(state["n_kept"])
        self._generators = unpack_generators(state["generator"])
        for values, row in zip(self._values, state["traces"].tolist(), strict=True):
            values.trace, values.value_before, values.reward_sum = row
