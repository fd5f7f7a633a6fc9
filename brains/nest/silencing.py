"""Silent and cut neurons in NEST: outgoing weights of 0, and spikes that are dropped from the record."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.nest import rules
from ethospike.brains.network import Projection
from ethospike.brains.simulator import Simulator
from ethospike.brains.simulator.contract import CUT, FREE, SILENT
from ethospike.brains.simulator.learning import Learning
from ethospike.errors import SimulatorUnavailable


class Silencing(Simulator):
    """The part of the NEST simulator that keeps spikes from leaving."""

    _has_silent = False
    _cut: NDArray[np.bool_] | None = None
    """Mask of the cells of all animals with cut outputs; None without any."""
    _is_shut: dict[str, NDArray[np.bool_]]
    """By projection: the synapses, in the order of the weights, whose sources are not free."""
    _suppressed: NDArray[np.int64]
    _learning: Learning | None

    @abstractmethod
    def _transmit(self, projection: str, synapses: NDArray[np.integer]) -> None:
        """Write the weights of some synapses into the kernel, 0 where they are shut."""

    def _let_pass(
        self, step: NDArray[np.int64], cell: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Drop the spikes of silent cells, and count them: in NEST they came about, and reached nothing."""
        if not self._has_silent:
            return step, cell
        silent = self._level.ravel()[cell] == SILENT
        np.add.at(self._suppressed.ravel(), cell[silent], 1)
        return step[~silent], cell[~silent]

    def _silence(self, level: NDArray[np.int8]) -> None:
        """Set the weights of outgoing synapses to 0, or back to their values."""
        self._refuse_silence(level)
        if self._learning is not None:
            self._learning.transmit()
        before, self._level = self._level, level
        for projection in self.network.projections:
            sources = self.network.neurons(projection.source)
            if (before[:, sources] == level[:, sources]).all():
                continue
            shut = [level[a, sources][s] != FREE for a, s in enumerate(self._sources(projection))]
            self._is_shut[projection.name] = np.concatenate(shut)
            was = [before[a, sources][s] != FREE for a, s in enumerate(self._sources(projection))]
            self._transmit(projection.name, np.flatnonzero(np.concatenate(was) != np.concatenate(shut)))
        self._has_silent = bool((level == SILENT).any())
        self._cut = level.ravel() == CUT if (level == CUT).any() else None

    def _refuse_silence(self, level: NDArray[np.int8]) -> None:
        """Raise `SimulatorUnavailable` where NEST cannot keep spikes from acting."""
        for projection in self.network.projections:
            rule, name = projection.plasticity, projection.name
            parts = [projection.source]
            native = rule is not None and rules.is_native(projection)
            if native and rule is not None:  # NEST's own rule hears the spikes of all three
                parts += [part for part in (projection.target, rule.modulator_population) if part]
            elif self.network.has_known_synapses(projection):
                continue
            if any((level[:, self.network.neurons(part)] != FREE).any() for part in parts):
                reason = "learns in NEST's own synapses" if native else "was drawn by NEST"
                raise SimulatorUnavailable(
                    f"NEST cannot silence neurons of {name!r}, which {reason}; use Numba, or silence others"
                )

    def _sources(self, projection: Projection) -> list[NDArray[np.int32]]:
        return [self._synapses(projection.name, animal).source for animal in range(self.animals)]

    def _suppressed_spikes(self) -> NDArray[np.int64]:
        return self._suppressed.copy()
