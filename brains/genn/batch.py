"""Parameter sets as one GeNN model: they share the wiring, and each has a place in GeNN's batch dimension.

GeNN's own parameters are the same in a whole batch, so that parameters in which sets differ become variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn.library import choose_backend, load
from ethospike.brains.genn.simulator import GennSimulator
from ethospike.brains.network import Network, Synapses, Weight
from ethospike.brains.network.structure import structure
from ethospike.brains.simulator import Capabilities, SimulatorSettings
from ethospike.errors import BrainError


class GennBatch(GennSimulator):
    """Parameter sets as one model; animal a of set s is animal s · animals + a.

    Parameters
    ----------
    networks : sequence of Network
        They differ in neurons' parameters and in weights alone.
    settings : SimulatorSettings
    seed : int
        The same for all sets, which have the synapses, the starting state and the drawn parameters that each
        has by itself.
    animals : int
        Animals of each set, as blocks.
    dt_ms : float

    Raises
    ------
    BrainError
        When the networks differ in more, are plastic, or differ in the sign of a weight; when there are
        several and the backend is the CPU.
    """

    capabilities: ClassVar[Capabilities] = replace(GennSimulator.capabilities, restores_state=False)

    def __init__(
        self,
        networks: Sequence[Network],
        settings: SimulatorSettings,
        *,
        seed: int,
        animals: int = 1,
        dt_ms: float = 0.1,
    ) -> None:
        if not networks:
            raise BrainError("batch: expected at least one parameter set")
        if len({structure(network) for network in networks}) > 1:
            raise BrainError(
                "batch: expected parameter sets that differ in neurons' parameters and weights alone, got "
                "networks with other populations, wiring, delays or inputs"
            )
        if len(networks) > 1 and networks[0].plastic_projections:
            raise BrainError("batch: expected networks without plasticity; run them one after the other")
        self._networks = tuple(networks)
        super().__init__(networks[0], settings, seed=seed, animals=len(networks) * animals, dt_ms=dt_ms)

    @property
    def _sets(self) -> tuple[Network, ...]:
        return self._networks

    def _build(self) -> None:
        if len(self._sets) > 1 and choose_backend(self.settings.genn_backend) == "cpu":
            raise BrainError(
                f"batch: GeNN's CPU backend runs one parameter set at a time, got {len(self._sets)}; batches "
                f"need a GPU (simulator.genn_backend cuda or hip)"
            )
        super()._build()

    def n_synapses(self, projection: str, animal: int = 0) -> int:
        """Return the number of synapses of a projection in an animal of any set."""
        return super().n_synapses(projection, animal % self._blocks)

    def _synapses(self, projection: str, animal: int) -> Synapses:
        """Return the synapses of a projection in an animal of a set; sets share all but unequal weights."""
        number, block = divmod(animal, self._blocks)
        first = super()._synapses(projection, block)
        if _are_equal(*(self._sets[s].projection(projection).weight for s in (0, number))):
            return first
        return first._replace(weight=self._sets[number].wire(projection, self.seed, block).weight)

    def set_weights(self, projection: str, weights: NDArray[np.float64]) -> NoReturn:
        """Refuse: weights are fixed in a batch."""
        raise BrainError(
            f"weights of {projection!r}: they are fixed in a batch; give each set its own network"
        )


def _are_equal(weight: Weight, other: Weight) -> bool:
    if isinstance(weight, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(np.asarray(weight), np.asarray(other))
    return weight == other


class CompiledModel(GennBatch):
    """A model that is compiled into the cache and not loaded: no device memory is taken.

    A simulator of the same networks, settings, seed and animals then starts without a compiler.
    """

    def _start(self, backend: str) -> None:
        load(self._model, None)

    def _close(self) -> None:
        del self._model
