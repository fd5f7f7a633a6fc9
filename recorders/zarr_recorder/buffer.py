"""Memory in which control steps wait for the writer: NumPy views of the same bytes in both processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout

ROW_BYTES = 1024 * 1024
"""Room for the rows of a buffer, which is handed over each second at the latest: 100 control steps of 10 ms
at real time."""
MAX_ROWS = 1024
MAX_SPIKES = 1 << 18
"""Spikes in a buffer: 4 MB, more than a second of 25,000 neurons at 6 Hz. A control step with more is handed
over in parts."""
HEADER_BYTES = 64
"""Before the buffers: the first byte is set when writing failed, the second is the loop's buffer plus one."""
_ALIGNMENT = 64


class Dated(NamedTuple):
    """Weights or intervals of a control step."""

    control_step: int
    arrays: Mapping[str, NDArray[Any]]


class Block(NamedTuple):
    """Consecutive control steps, handed over together.

    Parameters
    ----------
    rows : mapping of str to ndarray, shape (steps, animals, …)
        By array path, such as `behavior/reward`.
    spike_counts : ndarray of int64, shape (steps,)
        Spikes of each control step. A step with very many spikes sends some ahead, in blocks without it.
    spikes : tuple of ndarray, each of shape (spikes,)
        step, animal and neuron, sorted.
    """

    rows: Mapping[str, NDArray[Any]]
    spike_counts: NDArray[np.int64]
    spikes: tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]


@dataclass(frozen=True)
class _Column:
    path: str
    dtype: str
    row_shape: tuple[int, ...]


@dataclass(frozen=True)
class BufferShape:
    """Columns and size of a buffer, made from a layout in either process."""

    columns: tuple[_Column, ...]
    rows: int
    spikes: int

    @classmethod
    def of(cls, layout: Layout, config: RecorderConfig) -> BufferShape:
        """Return the shape of the buffers of a run."""
        animals = layout.animals
        behavior = config.kept_behavior(layout)
        columns = [
            _Column(f"behavior/{name}", variable.dtype, (animals, *variable.shape))
            for name, variable in layout.variables.items()
            if name in behavior
        ]
        if config.stimulus and layout.rate_channels:
            columns.append(_Column("stimulus/rate_hz", "float32", (animals, len(layout.rate_channels))))
        if config.stimulus and layout.current_channels:
            columns.append(_Column("stimulus/current_pa", "float32", (animals, len(layout.current_channels))))
        if layout.watched:
            shape = (animals, layout.steps_per_control, len(layout.watched))
            columns.append(_Column(f"voltages/{layout.recordable}", "float32", shape))
        row_bytes = sum(int(np.prod(c.row_shape)) * np.dtype(c.dtype).itemsize for c in columns) + 8
        rows = max(1, min(MAX_ROWS, ROW_BYTES // row_bytes))
        return cls(tuple(columns), rows, MAX_SPIKES if layout.populations else 1)

    @property
    def bytes(self) -> int:
        """Bytes of a buffer."""
        return self._place(None)[1]

    def views(self, memory: memoryview) -> dict[str, NDArray[Any]]:
        """Return the arrays of a buffer: columns by path, and filled, count, step, animal, neuron."""
        return self._place(memory)[0]

    def _place(self, memory: memoryview | None) -> tuple[dict[str, NDArray[Any]], int]:
        arrays = [(c.path, c.dtype, (self.rows, *c.row_shape)) for c in self.columns]
        arrays += [("filled", "int64", (2,)), ("count", "int64", (self.rows,))]
        arrays += [("step", "int64", (self.spikes,))]
        arrays += [("animal", "int32", (self.spikes,)), ("neuron", "int32", (self.spikes,))]
        views: dict[str, NDArray[Any]] = {}
        begin = 0
        for name, dtype, shape in arrays:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            if memory is not None:
                views[name] = np.frombuffer(memory[begin : begin + size], dtype).reshape(shape)
            begin += -(-size // _ALIGNMENT) * _ALIGNMENT
        return views, begin


class StepBuffer:
    """One buffer of control steps and their spikes.

    Attributes
    ----------
    columns : mapping of str to ndarray, shape (rows, animals, …)
        By array path.
    counts : ndarray of int64, shape (rows,)
        Spikes of each control step.
    step, animal, neuron : ndarray, shape (spikes,)
    filled : ndarray of int64, shape (2,)
        Rows and spikes that are whole. The loop writes the spikes first and the rows last, so that counted
        rows are there at any moment when the loop may be killed.
    """

    def __init__(self, shape: BufferShape, memory: memoryview, number: int) -> None:
        self.number = number
        views = shape.views(memory[number * shape.bytes : (number + 1) * shape.bytes])
        self.filled, self.counts = views.pop("filled"), views.pop("count")
        self.step, self.animal, self.neuron = (views.pop(name) for name in ("step", "animal", "neuron"))
        self.columns = views
        self.max_rows, self.max_spikes = len(self.counts), len(self.step)

    def block(self) -> Block:
        """Return the content of the buffer, without copying."""
        n_rows, n_spikes = self.filled.tolist()
        return Block(
            {path: column[:n_rows] for path, column in self.columns.items()},
            self.counts[:n_rows],
            (self.step[:n_spikes], self.animal[:n_spikes], self.neuron[:n_spikes]),
        )
