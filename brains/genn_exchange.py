"""What host and GeNN tell each other once a window: tables of input, and the record of spikes.

In: steps and channels. Out: rows of the tables that `genn_models.py` reads, and spikes. This file knows no
network. A window here is at most as long as the tables; the simulator cuts longer ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn_library import pygenn
from ethospike.brains.network import BrainError
from ethospike.brains.plasticity import NEVER, DopamineGated, DopaminePlasticity
from ethospike.brains.simulator import SpikeBlock

CURRENT_LAG_STEPS = 2
"""A window's current reaches V_m with its third step, as through NEST's dc_generator (docs/design.md §2)."""

COUNT_LIMIT = 65535
"""Largest count that a table of input spikes can hold."""

Events = tuple[NDArray[np.int64], NDArray[np.int64]]


class SpikeTable:
    """Counts of the spikes that arrive at each column in each step of a window.

    Spikes whose delay carries them beyond the window are kept for the next ones.
    """

    def __init__(self, source: Any, delay_steps: int, n_steps: int, n_columns: int) -> None:
        self._source = source
        self._delay = delay_steps
        self._n_columns = n_columns
        self._late: Events = (np.empty(0, np.int64), np.empty(0, np.int64))
        self._is_blank = True
        source.extra_global_params["count"].set_init_values(np.zeros(n_steps * n_columns, np.uint16))

    def write(self, done: int, n_steps: int, dt_ms: float, sent: Events) -> None:
        """Fill the table for the steps done + 1 … done + n_steps.

        Parameters
        ----------
        sent : (steps, columns)
            Spikes of this window, sorted by step.
        """
        arrive = np.concatenate([self._late[0], sent[0] + self._delay])
        column = np.concatenate([self._late[1], sent[1]])
        now = arrive <= done + n_steps
        self._late = arrive[~now], column[~now]
        # Even a blank table must know its first step: its rows are read in every step.
        self._source.set_dynamic_param_value("first_ms", done * dt_ms)
        if self._is_blank and not now.any():
            return
        where = (arrive[now] - done - 1) * self._n_columns + column[now]
        if len(where) > COUNT_LIMIT and np.bincount(where).max() > COUNT_LIMIT:
            raise BrainError(f"stimulus: GeNN takes at most {COUNT_LIMIT} spikes of a channel in one step")
        count = self._source.extra_global_params["count"]
        count.view[:] = 0
        np.add.at(count.view, where, 1)
        count.push_to_device()
        self._is_blank = not len(where)


class CurrentTable:
    """Currents of a window: a row for each of its first two steps, which still see earlier windows, and a
    row for the others."""

    def __init__(self, source: Any, n_columns: int, dtype: type[np.floating[Any]]) -> None:
        self._source = source
        self._before = np.zeros((CURRENT_LAG_STEPS, n_columns))
        self._there = np.zeros((CURRENT_LAG_STEPS + 1, n_columns))
        source.extra_global_params["current"].set_init_values(self._there.ravel().astype(dtype))

    def write(self, done: int, n_steps: int, dt_ms: float, current_pa: NDArray[np.float64]) -> None:
        """Set the currents of a window that begins after step `done`; shape (columns,)."""
        rows = np.vstack([self._before, current_pa])
        self._before = np.vstack([self._before, *[current_pa] * min(n_steps, 2)])[-CURRENT_LAG_STEPS:]
        self._source.set_dynamic_param_value("first_ms", done * dt_ms)
        if not np.array_equal(rows, self._there):
            current = self._source.extra_global_params["current"]
            current.view[:] = rows.ravel()
            current.push_to_device()
            self._there = rows


class SpikeRecord:
    """The record of spikes that GeNN keeps for one population, one bit a neuron and step.

    GeNN's own `spike_recording_data` reads all of its buffer or nothing, which would tie a run to one length
    of window; so the bits are read here, from the buffer that GeNN documents as a ring over steps.
    """

    def __init__(self, group: Any, n_steps: int, size: int, first_neuron: int) -> None:
        words = -(-group.num_neurons // 32)
        unsigned = pygenn.types.Uint32
        self._n_steps = n_steps
        self._size = size
        self._first_neuron = first_neuron
        self._buffer = group._get_array("recordSpk", unsigned, (n_steps, words))

    def read(self, done: int, n_steps: int) -> tuple[NDArray[np.int64], ...]:
        """Return step, animal and neuron of the spikes in the steps done + 1 … done + n_steps."""
        rows = np.arange(done, done + n_steps) % self._n_steps
        words = self._buffer.view[rows]
        row, word = np.nonzero(words)
        if not len(row):
            none = np.empty(0, np.int64)
            return none, none, none
        at, bit = np.nonzero((words[row, word][:, None] >> np.arange(32, dtype=np.uint32)) & 1)
        animal, neuron = np.divmod(word[at] * 32 + bit, self._size)
        return done + 1 + row[at], animal, neuron + self._first_neuron


class PendingPlasticity:
    """The events of the last two steps, which GeNN has not yet applied to the weights of a projection.

    GeNN brings them in with the next two steps; whoever asks for the weights before gets them from the
    reference rule.

    Parameters
    ----------
    source, target, modulator : slice
        Neurons of an animal.
    """

    LAG_STEPS = 2

    def __init__(
        self, rule: DopamineGated, source: slice, target: slice, modulator: slice, animals: int, dt_ms: float
    ) -> None:
        self.rule = rule
        self._source, self._target, self._modulator = source, target, modulator
        self._dt_ms = dt_ms
        self._last_spike_step = np.full((animals, source.stop - source.start), NEVER, dtype=np.int64)
        self._recent = SpikeBlock.empty()

    def remember(self, spikes: SpikeBlock, step: int) -> None:
        """Take the spikes of a window that ended with `step`."""
        recent = SpikeBlock(
            *(
                np.concatenate([getattr(self._recent, name), getattr(spikes, name)])
                for name in ("step", "animal", "neuron")
            )
        )
        n_old = int(np.searchsorted(recent.step, step - self.LAG_STEPS, side="right"))
        of_source = (recent.neuron[:n_old] >= self._source.start) & (
            recent.neuron[:n_old] < self._source.stop
        )
        neuron = recent.neuron[:n_old][of_source] - self._source.start
        # Spikes are sorted by step, so the last one of a neuron stays.
        self._last_spike_step[recent.animal[:n_old][of_source], neuron] = recent.step[:n_old][of_source]
        self._recent = SpikeBlock(recent.step[n_old:], recent.animal[n_old:], recent.neuron[n_old:])

    def forget(self) -> None:
        """Drop the events: the weights have just been replaced."""
        self._recent = SpikeBlock.empty()

    def apply(
        self,
        animal: int,
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        initial: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the weights of an animal after its pending events."""
        own = self._recent.animal == animal
        step, neuron = self._recent.step[own], self._recent.neuron[own]
        if not len(step):
            return weight
        reference = DopaminePlasticity(self.rule, source, target, initial, self._dt_ms)
        reference.set_state({"weight": weight, "last_spike_step": self._last_spike_step[animal, source]})

        def of(part: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
            inside = (neuron >= part.start) & (neuron < part.stop)
            return step[inside], neuron[inside] - part.start

        return reference.apply(of(self._source), of(self._modulator)[0], of(self._target)).copy()
