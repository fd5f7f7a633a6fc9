"""Listed spikes: the table that readers get, and how it is read in pieces from a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import seconds

SPIKES_AT_ONCE = 1 << 22
"""Spikes read and filtered at a time: some 100 MB, whatever the length of the recording."""
Several = int | Sequence[int] | None


@dataclass(frozen=True)
class SpikeTable:
    """Spikes, sorted by (step, animal, neuron).

    Parameters
    ----------
    step : ndarray of int64, shape (spikes,)
        Simulation steps, from 1.
    animal, neuron : ndarray of int32, shape (spikes,)
        Animals from 0; neurons counted through the populations of an animal.
    dt_ms : float
    """

    step: NDArray[np.int64]
    animal: NDArray[np.int32]
    neuron: NDArray[np.int32]
    dt_ms: float

    def __len__(self) -> int:
        return len(self.step)

    def __repr__(self) -> str:
        if not len(self):
            return "<SpikeTable: no spikes>"
        first, last = seconds(int(self.step[0]), self.dt_ms), seconds(int(self.step[-1]), self.dt_ms)
        animals, neurons = len(np.unique(self.animal)), len(np.unique(self.neuron))
        return (
            f"<SpikeTable: {len(self):,} spikes of {neurons} neurons in {animals} animals, "
            f"{first:g} … {last:g} s>"
        )

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Times of the spikes in seconds, shape (spikes,)."""
        return seconds(self.step, self.dt_ms)

    def to_pandas(self) -> Any:
        """Return the spikes as a pandas table with the columns time_s, step, animal and neuron."""
        import pandas as pd

        return pd.DataFrame(
            {"time_s": self.time_s, "step": self.step, "animal": self.animal, "neuron": self.neuron}
        )


def read_spikes(
    read: Callable[[str, slice], NDArray[Any]],
    rows: tuple[int, int],
    steps: tuple[int, int],
    neurons: NDArray[np.bool_] | None,
    animals: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return step, animal and neuron of the listed spikes in a part of a recording.

    Memory is that of the result, whatever the length of the recording.

    Parameters
    ----------
    read : callable
        Reads rows of an array of the recording, given its path.
    rows : (int, int)
        Part of the list that holds all spikes in question.
    steps : (int, int)
        The spikes with steps[0] < step <= steps[1].
    neurons : ndarray of bool, shape (neurons,), or None
        True for the neurons to keep.
    animals : ndarray of int, or None
        Animals to keep.
    """
    parts = [(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))]
    for begin in range(*rows, SPIKES_AT_ONCE):
        piece = slice(begin, min(begin + SPIKES_AT_ONCE, rows[1]))
        columns = [read(f"spikes/{name}", piece) for name in ("step", "animal", "neuron")]
        inside = slice(*np.searchsorted(columns[0], (steps[0] + 1, steps[1] + 1)))  # steps ascend
        columns = [column[inside] for column in columns]
        if animals is not None:
            mine = columns[1] == animals[0] if len(animals) == 1 else np.isin(columns[1], animals)
            columns = [column[mine] for column in columns]
        if neurons is not None:
            chosen = neurons[columns[2]]
            columns = [column[chosen] for column in columns]
        step, animal, neuron = columns
        parts.append((step, animal.astype(np.int32), neuron.astype(np.int32)))
    step, animal, neuron = (np.concatenate(column) for column in zip(*parts, strict=True))
    return step, animal, neuron
