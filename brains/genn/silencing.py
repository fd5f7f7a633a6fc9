"""Weights in GeNN's memory; silent and cut neurons: a flag of each neuron, and outgoing weights of 0."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn.exchange import PendingPlasticity
from ethospike.brains.genn.models import check_precision
from ethospike.brains.network import Projection
from ethospike.brains.simulator import Simulator
from ethospike.brains.simulator.contract import CUT, SILENT
from ethospike.brains.simulator.learning import Learning
from ethospike.errors import SimulatorUnavailable


class Group(NamedTuple):
    """A synapse group of GeNN and which synapses of the projection it holds."""

    group: Any
    members: NDArray[np.int64]


class Silencing(Simulator):
    """The part of the GeNN simulator that writes weights, and keeps spikes from leaving."""

    _dtype: type[np.floating[Any]]
    _populations: dict[str, Any]
    _groups: dict[str, list[Group]]
    _learning: Learning | None
    _learned: dict[str, NDArray[np.float64]]
    _pending: dict[str, PendingPlasticity]
    _replaced: set[str]
    """Projections with weights that were set, of those that GeNN does not change."""
    _shut: dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]
    """By projection: mask of its cut synapses, and the weights of all, animal by animal."""

    @property
    @abstractmethod
    def _sets(self) -> Sequence[Any]:
        """The parameter sets that run as one model."""

    @abstractmethod
    def _block_synapses(
        self, projection: Projection
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return source, target, weight and delay (steps) of the synapses of all animals."""

    # -- weights ------------------------------------------------------------------------------------

    def _weights(self, projection: str) -> NDArray[np.float64]:
        if self._learning is not None and projection in self._learned:
            return self._learning.weights(projection, self.animals)
        weights = self._stored(projection).reshape(self.animals, -1)
        if projection in self._pending:
            for animal in range(self.animals):
                source, target, initial, _ = self._synapses(projection, animal)
                weights[animal] = self._pending[projection].apply(
                    animal, source, target, initial, weights[animal]
                )
        return weights

    def _stored(self, projection: str) -> NDArray[np.float64]:
        """Return the weights that GeNN has, of all animals one after the other; of cut synapses the old ones.

        Animals may differ in their number of synapses.
        """
        if projection in self._shut:
            return self._shut[projection][1].copy()
        n_sets = len(self._sets)
        numbers = [self.n_synapses(projection, animal) for animal in range(self.animals // n_sets)]
        by_set = np.zeros((n_sets, sum(numbers)))
        for group, members in self._groups[projection]:
            group.vars["w"].pull_from_device()
            by_set[:, members] = group.vars["w"].values
        return by_set.ravel()

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        check_precision(f"Projection {projection!r}", weights, self._dtype)
        if self._learning is not None and projection in self._learned:
            self._learning.set_weights(projection, weights)
        elif projection not in self._pending:
            self._replaced.add(projection)
        self._replace(projection, weights.ravel())
        if projection in self._pending:
            # GeNN's time of the last step that was simulated.
            self._forget_before(projection, (self.step - 0.5) * self.dt_ms)
            self._pending[projection].forget()

    def _replace(self, projection: str, weights: NDArray[np.float64]) -> None:
        """Replace the weights of all animals, one after the other; those of cut synapses act later."""
        if projection in self._shut:
            rounded = weights.astype(self._dtype).astype(np.float64)
            self._shut[projection] = self._shut[projection][0], rounded
        self._push(projection, weights)

    def _push(self, projection: str, weights: NDArray[np.float64]) -> None:
        """Write the weights of all animals, one after the other, into GeNN's memory; 0 for cut synapses."""
        if projection in self._shut:
            weights = np.where(self._shut[projection][0], 0.0, weights)
        for group, members in self._groups[projection]:
            group.vars["w"].values = weights[members]
            group.vars["w"].push_to_device()

    def _forget_before(self, projection: str, time_ms: float) -> None:
        """Have GeNN leave out the events under way, up to a time, of a rule that it computes itself."""
        self._pending[projection].since_ms = time_ms
        for group, _ in self._groups[projection]:
            group.set_dynamic_param_value("since_ms", time_ms)

    # -- silence ------------------------------------------------------------------------------------

    def _silence(self, level: NDArray[np.int8]) -> None:
        """Tell each population its silent neurons, and set the weights of cut outputs to 0."""
        cut = {
            p.name: level[:, self.network.neurons(p.name)].ravel() == CUT for p in self.network.populations
        }
        self._refuse_cuts(cut)
        if len(self._sets) > 1:
            raise SimulatorUnavailable(
                "GeNN cannot silence neurons where several parameter sets run as one model; run each alone"
            )
        for population in self.network.populations:
            variable = self._populations[population.name].vars["is_silent"]
            variable.view[:] = level[:, self.network.neurons(population.name)].ravel() == SILENT
            variable.push_to_device()
        for projection in self.network.projections:
            name = projection.name
            if name in self._groups and projection.plasticity is None:
                weights = self._stored(name)
                source = self._block_synapses(projection)[0] if cut[projection.source].any() else None
                self._shut.pop(name, None)
                if source is not None:
                    self._shut[name] = cut[projection.source][source], weights
                self._push(name, weights)

    def _refuse_cuts(self, cut: dict[str, NDArray[np.bool_]]) -> None:
        """Raise `SimulatorUnavailable` where outputs are to be cut that GeNN cannot cut."""
        for projection in self.network.projections:
            rule = projection.plasticity
            parts = [projection.source, None if rule is None else rule.modulator_population]
            drawn = projection.name not in self._groups
            if (rule is not None or drawn) and any(cut[part].any() for part in parts if part is not None):
                reason = "GeNN has drawn its synapses" if drawn else "it is plastic"
                raise SimulatorUnavailable(
                    f"GeNN cannot cut the outputs of neurons of {projection.name!r} alone ({reason}); "
                    f"silence them, or use Numba or NEST"
                )

    def _suppressed_spikes(self) -> NDArray[np.int64]:
        counts = []
        for population in self.network.populations:
            variable = self._populations[population.name].vars["suppressed"]
            variable.pull_from_device()
            counts.append(np.array(variable.view).reshape(self.animals, -1))
        return np.concatenate(counts, axis=1).astype(np.int64)
