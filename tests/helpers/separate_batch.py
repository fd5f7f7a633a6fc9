"""A batch of parameter sets that is as many simulators: what a real batch must be equal to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ethospike.brains.memory import TooLarge
from ethospike.brains.network import Network
from ethospike.brains.network.structure import structure
from ethospike.brains.numba.simulator import NumbaSimulator
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus
from ethospike.errors import BrainError

opened: list[int] = []
"""Numbers of parameter sets of the batches that were opened."""
room = 100
"""Parameter sets that fit the memory."""


class SeparateBatch(NumbaSimulator):
    """Parameter sets on Numba, one simulator each."""

    def __init__(
        self,
        networks: Sequence[Network],
        settings: SimulatorSettings,
        *,
        seed: int,
        animals: int = 1,
        dt_ms: float = 0.1,
    ) -> None:
        if len(networks) > room:
            raise TooLarge("too many", room)
        if len({structure(network) for network in networks}) > 1:
            raise BrainError("different structures")
        opened.append(len(networks))
        self._members = [
            NumbaSimulator(network, settings, seed=seed, animals=animals, dt_ms=dt_ms) for network in networks
        ]
        super().__init__(networks[0], settings, seed=seed, animals=animals, dt_ms=dt_ms)
        self.animals = animals * len(networks)

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        blocks, animals = [], self.animals // len(self._members)
        for number, member in enumerate(self._members):
            own = stimulus.animal // animals == number
            current = stimulus.current_pa
            sent = Stimulus(
                stimulus.step[own],
                stimulus.animal[own] - number * animals,
                stimulus.channel[own],
                None if current is None else current[number * animals : (number + 1) * animals],
            )
            spikes = member.run(n_steps, sent)
            blocks.append((spikes.step, spikes.animal + number * animals, spikes.neuron))
        return SpikeBlock.sorted(*(np.concatenate(column) for column in zip(*blocks, strict=True)))

    def _close(self) -> None:
        for member in self._members:
            member.close()
        super()._close()
