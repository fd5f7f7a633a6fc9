"""Quantities of neurons that are read off NEST after each step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.nest.kernel import get_status, nest
from ethospike.errors import BrainError, nearest


class Watched:
    """A quantity of some neurons, read off their status after each step.

    A multimeter would hand over the last steps of a window in the next one only.
    """

    def __init__(self, ids: NDArray[np.int64], recordable: str) -> None:
        different, place = np.unique(ids, return_inverse=True)
        self.n_watched, self._recordable = ids.shape[1], recordable
        self._place = place.reshape(ids.shape)
        self._nodes = nest.NodeCollection(different)
        for node in self._nodes:
            status = node.get()
            if not isinstance(status.get(recordable), (int, float)):
                raise BrainError(
                    f"watch: {status['model']} has no number {recordable!r}; {nearest(recordable, status)}"
                )

    def read(self) -> NDArray[np.float64]:
        """Return the values now, shape (animals, watched)."""
        values = np.asarray(get_status(self._nodes, self._recordable), dtype=np.float64)
        return np.asarray(values.ravel()[self._place])
