"""Data that host and GeNN exchange once a window: tables of input, and the record of spikes.

A window here is at most as long as the tables; the simulator cuts longer ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn.library import pygenn
from ethospike.brains.genn.models import NEVER_MS
from ethospike.brains.network import NEVER, DopamineGated, Events, PlasticSynapses
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.errors import BrainError
from ethospike.states import State

CURRENT_LAG_STEPS = 2
"""A window's current reaches V_m with its third step, as through NEST's dc_generator (docs/design.md §2)."""
COUNT_LIMIT = 65535
"""Largest count that a table of input spikes can hold."""
FOLD_AFTER = 64
"""Windows after which remembered spikes are summed up: often enough for memory, seldom enough for speed."""


class SpikeTables:
    """Counts of the spikes that arrive at each column in each step, one table for each spike input.

    A table is a ring over steps. Spikes with delays beyond the window are kept for the next.

    Parameters
    ----------
    sources : list
        GeNN's current sources that read the tables.
    delay_steps, n_channels : list of int
        Of each spike input.
    animals, n_steps : int
        Each channel has a column for each animal, and a table a row for each step of the longest window.
    """

    def __init__(
        self, sources: list[Any], delay_steps: list[int], n_channels: list[int], animals: int, n_steps: int
    ) -> None:
        self._sources = sources
        self._n_steps = n_steps
        self._bounds = np.cumsum([0, *n_channels]) * animals
        # The columns of all tables are counted on: those of an input lie behind those of the one before.
        self._delay = np.repeat(np.array(delay_steps, np.int64), n_channels)
        self._stride = np.repeat(np.array(n_channels, np.int64), n_channels)
        first = np.repeat(self._bounds[:-1], n_channels)
        local = [np.arange(n) for n in n_channels]
        self._column = first + np.concatenate([*local, np.empty(0, np.int64)]).astype(np.int64)
        self._late_step = np.empty(0, np.int64)
        self._late_column = np.empty(0, np.int64)
        self._is_blank = True
        for source, n in zip(sources, n_channels, strict=True):
            source.extra_global_params["count"].set_init_values(np.zeros(n_steps * n * animals, np.uint16))

    def state(self) -> State:
        """Return the spikes that arrive after the last window."""
        return {"late_step": self._late_step.copy(), "late_column": self._late_column.copy()}

    def set_state(self, state: State) -> None:
        """Continue from a `state()`; rows of the tables are written before GeNN reads them."""
        self._late_step = np.array(state["late_step"], np.int64)
        self._late_column = np.array(state["late_column"], np.int64)

    def write(self, done: int, n_steps: int, sent: Stimulus) -> None:
        """Fill the tables for the steps done + 1 … done + n_steps, in which these spikes were sent."""
        step = np.concatenate([self._late_step, sent.step + self._delay[sent.channel]])
        column = self._column[sent.channel] + sent.animal * self._stride[sent.channel]
        column = np.concatenate([self._late_column, column])
        now = step <= done + n_steps
        self._late_step, self._late_column = step[~now], column[~now]
        if self._is_blank and not now.any():
            return
        self._is_blank = False
        n_columns = self._bounds[-1]
        where = (step[now] - done - 1) * n_columns + column[now]
        if len(where) > COUNT_LIMIT and np.bincount(where).max() > COUNT_LIMIT:
            raise BrainError(f"stimulus: GeNN takes at most {COUNT_LIMIT} spikes of a channel in one step")
        count = np.zeros(n_steps * n_columns, np.uint16)
        np.add.at(count, where, 1)
        count = count.reshape(n_steps, n_columns)
        rows = np.arange(done, done + n_steps) % self._n_steps
        for source, start, stop in zip(self._sources, self._bounds, self._bounds[1:], strict=False):
            table = source.extra_global_params["count"]
            table.view.reshape(self._n_steps, -1)[rows] = count[:, start:stop]
            table.push_to_device()


class CurrentTable:
    """Currents of a window: rows for its first two steps, with earlier currents, and for the rest."""

    def __init__(self, source: Any, n_columns: int, dtype: type[np.floating[Any]]) -> None:
        self._source = source
        self._before = np.zeros((CURRENT_LAG_STEPS, n_columns))
        self._there = np.zeros((CURRENT_LAG_STEPS + 1, n_columns))
        source.extra_global_params["current"].set_init_values(self._there.ravel().astype(dtype))
        source.extra_global_params["begin_ms"].set_init_values(np.zeros(1))

    def state(self) -> NDArray[np.float64]:
        """Return the currents that act in the first steps of the next window."""
        return self._before.copy()

    def set_state(self, before: NDArray[Any]) -> None:
        """Continue from a `state()`; the next window writes the table anew."""
        self._before, self._there = np.array(before, np.float64), np.full_like(self._there, np.nan)

    def write(self, done: int, n_steps: int, dt_ms: float, current_pa: NDArray[np.float64]) -> None:
        """Set the currents of a window that begins after step `done`; shape (columns,)."""
        rows = np.vstack([self._before, current_pa])
        if np.array_equal(rows, self._there) and (rows == current_pa).all():
            return
        self._before = np.vstack([self._before, *[current_pa] * min(n_steps, 2)])[-CURRENT_LAG_STEPS:]
        self._there = rows
        for name, values in (("current", rows.ravel()), ("begin_ms", done * dt_ms)):
            self._source.extra_global_params[name].view[:] = values
            self._source.extra_global_params[name].push_to_device()


class SpikeRecord:
    """The record of spikes that GeNN keeps for its populations, one bit a neuron and step.

    GeNN's own `spike_recording_data` reads all of its buffer or nothing, which would tie a run to one length
    of window. So the bits are read here, from the array under that property: a ring over steps, with each
    step's neurons in words of 32 bits.

    Parameters
    ----------
    groups : list
        GeNN's populations, in the network's order.
    sizes : list of int
        Neurons of each in one animal.
    n_steps : int
        Length of the ring.
    sets : int
        Parameter sets of the batch; their words lie behind each other in each step.
    """

    def __init__(self, groups: list[Any], sizes: list[int], n_steps: int, sets: int = 1) -> None:
        self._n_steps = n_steps
        self._buffers = []
        animals, neurons = [], []
        for group, size, first in zip(groups, sizes, np.cumsum([0, *sizes]), strict=False):
            words = -(-group.num_neurons // 32)
            self._buffers.append(group._get_array("recordSpk", pygenn.types.Uint32, (n_steps, sets * words)))
            animal, neuron = np.divmod(np.arange(words * 32), size)
            blocks = np.arange(sets)[:, None] * (group.num_neurons // size)
            animals.append((blocks + animal).ravel())
            neurons.append(np.tile(neuron + first, sets))
        self._animal, self._neuron = np.concatenate(animals), np.concatenate(neurons)

    def read(self, done: int, n_steps: int) -> tuple[NDArray[np.int64], ...]:
        """Return step, animal and neuron of the spikes in the steps done + 1 … done + n_steps."""
        first = done % self._n_steps
        if first + n_steps <= self._n_steps:
            rows: slice | NDArray[np.int64] = slice(first, first + n_steps)  # a view, no copy
        else:
            rows = np.arange(first, first + n_steps) % self._n_steps
        words = np.concatenate([buffer.view[rows] for buffer in self._buffers], axis=1)
        row, word = np.nonzero(words)
        place, bit = np.nonzero((words[row, word][:, None] >> np.arange(32, dtype=np.uint32)) & 1)
        who = word[place] * 32 + bit
        return done + 1 + row[place], self._animal[who], self._neuron[who]


class PendingPlasticity:
    """The events of the last two steps, which GeNN has not yet applied to the weights of a projection.

    GeNN brings them in with the next two steps; whoever asks for the weights before gets them from the
    reference rule.

    Parameters
    ----------
    neurons : (slice, slice, slice)
        Sources, targets and modulators among the neurons of an animal.

    Attributes
    ----------
    since_ms : float
        GeNN leaves out events before this time.
    """

    LAG_STEPS = 2

    def __init__(
        self, rule: DopamineGated, neurons: tuple[slice, slice, slice], animals: int, dt_ms: float
    ) -> None:
        self._rule = rule
        self._source, self._target, self._modulator = neurons
        self._dt_ms, self.since_ms = dt_ms, NEVER_MS
        n_source = self._source.stop - self._source.start
        self._last_spike_step = np.full((animals, n_source), NEVER, dtype=np.int64)
        self._recent: list[SpikeBlock] = []

    def remember(self, spikes: SpikeBlock, step: int) -> None:
        """Take the spikes of a window that ended with `step`."""
        self._recent.append(spikes)
        self._step = step
        if len(self._recent) > FOLD_AFTER:
            self._fold()

    def _fold(self) -> SpikeBlock:
        """Sum up the spikes that GeNN has processed, and return the others."""
        names = ("step", "animal", "neuron")
        recent = [np.concatenate([getattr(block, name) for block in self._recent]) for name in names]
        n_old = int(np.searchsorted(recent[0], self._step - self.LAG_STEPS, side="right"))
        self._note_sources(SpikeBlock(*(values[:n_old] for values in recent)))
        pending = SpikeBlock(*(values[n_old:] for values in recent))
        self._recent = [pending]
        return pending

    def _note_sources(self, spikes: SpikeBlock) -> None:
        """Remember when the sources among these neurons last fired."""
        inside = (spikes.neuron >= self._source.start) & (spikes.neuron < self._source.stop)
        # Spikes are sorted by step, so the last one of a neuron stays.
        last = self._last_spike_step
        last[spikes.animal[inside], spikes.neuron[inside] - self._source.start] = spikes.step[inside]

    def state(self) -> State:
        """Return the pending events, and the last spikes of sources before them."""
        pending = self._fold() if self._recent else SpikeBlock.empty()
        return {
            "step": pending.step.astype(np.int64),
            "animal": pending.animal.astype(np.int32),
            "neuron": pending.neuron.astype(np.int32),
            "last_spike_step": self._last_spike_step.copy(),
            "since_ms": np.array(self.since_ms),
        }

    def set_state(self, state: State, step: int) -> None:
        """Continue from a `state()` that was saved after `step`."""
        pending = SpikeBlock(
            np.array(state["step"], np.int64),
            np.array(state["animal"], np.int32),
            np.array(state["neuron"], np.int32),
        )
        self._recent, self._step = [pending], step
        self._last_spike_step[...] = state["last_spike_step"]
        self.since_ms = float(np.asarray(state["since_ms"]))

    def forget(self) -> None:
        """Drop the events: the weights have just been replaced. Their sources stay eligible."""
        if self._recent:
            self._note_sources(self._fold())
        self._recent = []

    def apply(
        self,
        animal: int,
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        initial: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the weights of an animal after its pending events."""
        if not self._recent:
            return weight
        pending = self._fold()
        of_animal = pending.animal == animal
        step, neuron = pending.step[of_animal], pending.neuron[of_animal]
        if not len(step):
            return weight
        synapses = PlasticSynapses(source, target, initial, np.ones_like(source), *self._sizes())
        reference = self._rule.reference(synapses, self._dt_ms)
        reference.set_state({"weight": weight, "last_spike_step": self._last_spike_step[animal, source]})

        def of(part: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
            inside = (neuron >= part.start) & (neuron < part.stop)
            return step[inside], neuron[inside] - part.start

        first = int(step[0])
        heard = of(self._source), of(self._target), of(self._modulator)
        return reference.apply(Events(first, self._step - first + 1, *heard)).copy()

    def _sizes(self) -> tuple[int, int, int]:
        parts = (self._source, self._target, self._modulator)
        source, target, modulator = (part.stop - part.start for part in parts)
        return source, target, modulator
