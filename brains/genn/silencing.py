"""Silent and cut neurons in GeNN: a flag of each neuron, and outgoing weights of 0."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Projection
from ethospike.brains.simulator import Simulator
from ethospike.brains.simulator.contract import CUT, SILENT
from ethospike.errors import SimulatorUnavailable


class Silencing(Simulator):
    """The part of the GeNN simulator that keeps spikes from leaving."""

    _populations: dict[str, Any]
    _groups: dict[str, Any]
    _shut: dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]
    """By projection: mask of its cut synapses, and the weights of all, shape (animals, synapses)."""

    @property
    @abstractmethod
    def _sets(self) -> Sequence[Any]:
        """The parameter sets that run as one model."""

    @abstractmethod
    def _push(self, projection: str, weights: NDArray[np.float64]) -> None:
        """Write weights into GeNN's memory, 0 where they are cut."""

    @abstractmethod
    def _block_synapses(
        self, projection: Projection
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return source, target, weight and delay (steps) of the synapses of all animals."""

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
                weights = self._weights(name)
                source = self._block_synapses(projection)[0] if cut[projection.source].any() else None
                self._shut.pop(name, None)
                if source is not None:
                    self._shut[name] = cut[projection.source][source], weights
                self._push(name, weights.ravel())

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
