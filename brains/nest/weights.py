"""Weights of the synapses in the NEST kernel, read and written by their handles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.nest import rules
from ethospike.brains.nest.kernel import get_weights, nest, set_synapses
from ethospike.brains.nest.silencing import Silencing
from ethospike.brains.network import Projection


class Weighing(Silencing):
    """The part of the NEST simulator that reads and writes weights."""

    _learned_here: list[Projection]
    """Plastic projections that NEST has no synapse for: the weights are computed here."""
    _weight: dict[str, NDArray[np.float64]]
    """By projection, all animals one after the other, in the order of `wire`: the weights as last set."""
    _native: dict[str, list[Any]]
    """NEST's handles of the same synapses, looked up on demand."""
    _synapse_models: dict[str, tuple[str, ...]]
    """By projection, the synapse models by which its synapses are recognized."""
    _pending: dict[str, rules.PendingEvents]
    """By projection, what NEST's STDP synapses have not applied yet."""

    def _weights(self, projection: str) -> NDArray[np.float64]:
        if rules.is_native(self.network.projection(projection)):
            return self._native_weights(projection)
        if self._is_learned_here(projection) and self._learning is not None:
            return self._learning.weights(projection, self.animals)
        return self._weight[projection].reshape(self.animals, -1).copy()

    def _is_learned_here(self, projection: str) -> bool:
        return any(projection == learned.name for learned in self._learned_here)

    def _native_weights(self, projection: str) -> NDArray[np.float64]:
        """Return the weights of a projection that NEST changes, as of the last step."""
        handles = self._handles(projection)
        weight = get_weights(handles).reshape(self.animals, -1)
        if projection in self._pending:
            return self._pending[projection].weights(weight, self.step)
        return weight

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        given, known = weights.ravel(), self._weight[projection]
        is_fixed = self.network.projection(projection).plasticity is None
        changed = np.flatnonzero(given != known) if is_fixed else np.arange(len(given))
        if self._is_learned_here(projection) and self._learning is not None:
            self._learning.set_weights(projection, weights)
        known[:] = given
        self._transmit(projection, changed)

    def _transmit(self, projection: str, synapses: NDArray[np.integer]) -> None:
        """Write these weights (indices in the order of `wire`, animal by animal) into the kernel."""
        native, weight = self._handles(projection), self._weight[projection][synapses]
        if projection in self._is_shut:
            weight = np.where(self._is_shut[projection][synapses], 0.0, weight)
        set_synapses([native[i] for i in synapses], weight)

    def _handles(self, projection: str) -> list[Any]:
        """Return NEST's handles of a projection's synapses, which are looked up once."""
        if projection not in self._native:
            self._native[projection] = self._look_up(projection)
        return self._native[projection]

    def _look_up(self, projection: str) -> list[Any]:
        """Return NEST's handles of a projection's synapses in the order of `wire`, animal by animal."""
        if not len(self._weight[projection]):
            return []
        handles: list[Any] = []
        for model in self._synapse_models[projection]:  # one for all animals, or one each in their order
            connections = nest.GetConnections(synapse_model=model)
            ends = connections.get(["source", "target"])  # numbers instead of lists if there is one synapse
            theirs = np.lexsort((np.atleast_1d(ends["target"]), np.atleast_1d(ends["source"])))
            # Ours are sorted by (animal, source, target), and ids grow with the animal: the same order.
            handles += [connections._datum[i] for i in theirs]
        return handles
