"""Intervals that a task reports: checked, and brought into the columns of the one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import RecordingError, nearest
from ethospike.recorders.arrays import interval_columns
from ethospike.recorders.format import INTERVAL_COLUMNS
from ethospike.recorders.recorder import Layout, StepRecord


class IntervalCheck:
    """Brings the intervals of a control step, by kind and column, into the columns of the table.

    Parameters
    ----------
    layout : Layout

    Raises
    ------
    RecordingError
        When the layout describes intervals that cannot be stored.
    """

    def __init__(self, layout: Layout) -> None:
        self._animals = layout.animals
        self._kinds = list(layout.intervals)
        self._described = {kind: {*INTERVAL_COLUMNS, *columns} for kind, columns in layout.intervals.items()}
        self._types = {name: np.dtype(np.int64) for name in INTERVAL_COLUMNS}
        self._types |= {name: np.dtype(column.dtype) for name, column in interval_columns(layout).items()}

    def checked(self, record: StepRecord) -> dict[str, NDArray[Any]]:
        """Return the columns of the table for the intervals of a control step.

        A kind without a column has NaN in it, or −1.

        Raises
        ------
        RecordingError
            When a kind or a column is not described, or an interval does not lie within the run so far.
        """
        parts: list[dict[str, NDArray[Any]]] = []
        for kind, columns in record.intervals.items():
            where = f"control step {record.control_step}: intervals of kind {kind!r}"
            n = self._check(where, kind, columns, record.control_step + 1)
            part = {"kind": np.full(n, self._kinds.index(kind))}
            for name, dtype in self._types.items():
                missing = np.nan if dtype.kind == "f" else -1
                # Copies: they are written later, and the task may use its arrays again.
                part[name] = np.array(columns[name], dtype) if name in columns else np.full(n, missing, dtype)
            parts.append(part)
        return {name: np.concatenate([part[name] for part in parts]) for name in ("kind", *self._types)}

    def _check(self, where: str, kind: str, columns: Mapping[str, NDArray[Any]], end: int) -> int:
        """Check the intervals of a kind, and return how many there are."""
        if kind not in self._described:
            raise RecordingError(f"{where}: the layout describes no such kind; {nearest(kind, self._kinds)}")
        if columns.keys() != self._described[kind]:
            raise RecordingError(
                f"{where}: expected the columns {sorted(self._described[kind])}, got {sorted(columns)}"
            )
        shapes = {name: np.shape(values) for name, values in columns.items()}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            raise RecordingError(f"{where}: expected columns of one length, got {shapes}")
        for name, values in columns.items():
            dtype = np.asarray(values).dtype
            if not np.can_cast(dtype, self._types[name], "same_kind"):
                raise RecordingError(f"{where}: expected {name} as {self._types[name]}, got {dtype}")
        animal, start, stop = (np.asarray(columns[name]) for name in INTERVAL_COLUMNS)
        if not np.all((animal >= 0) & (animal < self._animals)):
            raise RecordingError(f"{where}: expected animals 0 … {self._animals - 1}, got {animal.tolist()}")
        if not np.all((start >= 0) & (start <= stop) & (stop <= end)):
            raise RecordingError(
                f"{where}: expected 0 <= start_step <= stop_step <= {end}, got "
                f"{list(zip(start.tolist(), stop.tolist(), strict=True))}"
            )
        return len(animal)
