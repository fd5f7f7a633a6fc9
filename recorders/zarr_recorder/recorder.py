"""The recorder that streams a run to Zarr.

A step is copied into a buffer in the loop; another process compresses and writes it (docs/format.md).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.configuration import configured
from ethospike.errors import RecordingError
from ethospike.paths import user_path
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.disk import check_assertions
from ethospike.recorders.format import PHASE
from ethospike.recorders.recorder import Layout, Recorder, StepRecord
from ethospike.recorders.zarr_recorder.buffer import Dated, StepBuffer
from ethospike.recorders.zarr_recorder.interval_check import IntervalCheck
from ethospike.recorders.zarr_recorder.link import InlineLink, ProcessLink, WriterLink, handover_s

STATUSES = ("complete", "stopped", "failed")
_Column = tuple[str, tuple[int, ...], np.dtype[Any] | None, NDArray[Any]]
"""Of a buffer: name, the shape and type that a step has, and where it is copied to."""

__all__ = ["RecorderConfig", "ZarrRecorder"]


class ZarrRecorder(Recorder):
    """Streams control steps to a Zarr group.

    Parameters
    ----------
    path : path-like
        The group to make, by habit `recording.zarr` in the folder of a run; it must not exist.
    layout : Layout
    config : RecorderConfig
    resume_at : int or None
        Continue an existing recording with this control step, and drop its later ones.

    Raises
    ------
    RecordingError
        When the group cannot be made or continued; later, from `record` or `close`, when it cannot be
        written any more. Rows committed before stay readable.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from ethospike.recorders.recorder import Layout, StepRecord, Variable
    >>> layout = Layout(1, 0.1, 100.0, 1000, {"reward": Variable("1", "reward")})
    >>> path = tempfile.mkdtemp() + "/recording.zarr"
    >>> with ZarrRecorder(path, layout, RecorderConfig(writer="inline")) as recorder:
    ...     recorder.record(StepRecord(0, {"reward": np.ones(1)}))
    """

    def __init__(
        self,
        path: str | Path,
        layout: Layout,
        config: RecorderConfig | Mapping[str, Any] | None = None,
        *,
        resume_at: int | None = None,
    ) -> None:
        check_assertions()
        path, config = user_path(path), configured(RecorderConfig, config, RecordingError)
        # What `record` looks up at each step, of the buffer that is being filled.
        self._buffer: StepBuffer
        self._filled: NDArray[np.int64]
        self._counts: NDArray[np.int64]
        self._behavior: list[_Column]
        self._stimulus: list[_Column]
        self._voltages: list[_Column]
        self._row: int
        self._n_spikes: int
        self._max_rows: int
        self._max_spikes: int
        self._due: float
        self.layout = layout
        self._intervals = IntervalCheck(layout)
        self._weight_steps = config.weight_steps(layout)
        if missing := set(config.watched(layout)) - set(layout.watched):
            raise RecordingError(
                f"recorder.voltages: expected the neurons to be in Layout.watched; {sorted(missing)} are not"
            )
        link = InlineLink if config.writer == "inline" else ProcessLink
        self._link: WriterLink = link(path, layout, config, resume_at)
        self._next, self._last_phase = self._link.first_step, self._link.last_phase
        phase = layout.variables.get(PHASE)
        self._phase_type = None if phase is None else np.dtype(phase.dtype)
        # The types of the arrays of the step that was checked last, by path; of step, animal and neuron.
        self._types: dict[str, np.dtype[Any]] = {}
        self._spike_types: tuple[np.dtype[Any], ...] | None = None
        self._checked = self._closed = False
        self._handover_s = handover_s(config)
        self._take_buffer()

    def __reduce__(self) -> tuple[Any, ...]:
        raise RecordingError(
            "a recorder can be neither copied nor pickled: two would write to one recording; make a recorder "
            "for each run"
        )

    @property
    def next_step(self) -> int:
        """The control step that `record` expects next."""
        return self._next

    def record(self, record: StepRecord) -> None:
        """Record a control step.

        Raises
        ------
        RecordingError
            When the step is not the next one or does not fit the layout, or when writing has failed.
        """
        if not self._checked or record.control_step != self._next:
            self._check(record)
        try:
            self._copy(record)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            self._check(record)
            raise RecordingError(f"control step {record.control_step} cannot be recorded: {error}") from error

    def commit(self) -> int:
        """Make everything recorded so far permanent, and return the number of control steps.

        The loop waits for the disk; for use before a checkpoint that refers to the recording.
        """
        self._hand_over()
        return self._link.commit()

    def close(self, status: str = "complete") -> None:
        """Write everything with the status complete, stopped or failed, and end the writer."""
        if status not in STATUSES:
            raise RecordingError(f"status: expected one of {', '.join(STATUSES)}, got {status!r}")
        if self._closed:
            return
        self._closed, self._checked = True, False
        if self._link.failed:
            return  # that was raised where it was noticed
        if self._row:
            self._link.submit(self._buffer)
        self._link.close(status)

    # -- one control step ---------------------------------------------------------------------------

    def _copy(self, record: StepRecord) -> None:
        """Copy a step into the buffer: the part that costs time in the loop."""
        self._link.check()
        # What may be refused comes first, so that a step that is leaves no trace in the recording.
        if not self._fits(record):
            self._check(record)
        phase = self._phase(record) if self._weight_steps else None
        weights = self._checked_weights(record.weights()) if self._weights_are_due(phase) else None
        intervals = self._intervals.checked(record) if record.intervals else None
        spikes = record.spikes
        total = 0 if spikes is None else len(spikes.step)
        n_spikes = self._n_spikes + total
        if n_spikes > self._max_spikes:
            n_spikes = self._send_ahead(spikes, total)
        elif total:
            self._copy_spikes(spikes, 0, self._n_spikes, total)
        row, values = self._row, record.values
        self._counts[row] = total
        for name, _, _, column in self._behavior:
            column[row] = values[name]
        for name, _, _, column in self._stimulus:
            signal = getattr(record.stimulus, name)
            column[row] = 0.0 if signal is None else signal
        for _, _, _, column in self._voltages:
            column[row] = np.asarray(record.voltages).swapaxes(0, 1)
        if weights is not None:
            self._link.send_dated("weights", Dated(self._next, weights))
        if intervals is not None:
            self._link.send_dated("intervals", Dated(self._next, intervals))
        # The counters last: a reader of the buffer believes what they count.
        self._filled[1] = self._n_spikes = n_spikes
        self._filled[0] = self._row = row + 1
        self._next += 1
        self._last_phase = phase
        if self._row == self._max_rows or time.monotonic() >= self._due:
            self._hand_over()

    def _copy_spikes(self, spikes: Any, start: int, place: int, n: int) -> None:
        """Copy n spikes, from number `start` on, to a place in the buffer."""
        buffer, end = self._buffer, place + n
        buffer.step[place:end] = spikes.step[start : start + n]
        buffer.animal[place:end] = spikes.animal[start : start + n]
        buffer.neuron[place:end] = spikes.neuron[start : start + n]

    def _send_ahead(self, spikes: Any, total: int) -> int:
        """Make room for a step that does not fit: hand over whole steps, and parts of this one if need be.

        Returns
        -------
        int
            Spikes in the buffer once the rest of the step has been copied into it.
        """
        if self._row:
            self._hand_over()
        done = 0
        while total - done > self._max_spikes:
            self._copy_spikes(spikes, done, 0, self._max_spikes)
            self._filled[1] = self._max_spikes
            done += self._max_spikes
            self._link.submit(self._buffer)
            self._take_buffer()
        self._copy_spikes(spikes, done, 0, total - done)
        return total - done

    def _phase(self, record: StepRecord) -> bytes | None:
        """Return the phase of each animal as the recording holds it; that of the step before if not told."""
        phase = record.values.get(PHASE)
        if phase is None:
            return self._last_phase
        dtype = phase.dtype if self._phase_type is None else self._phase_type
        return phase.astype(dtype, copy=False).tobytes()

    def _weights_are_due(self, phase: bytes | None) -> bool:
        if not self._weight_steps:
            return False
        if self._next == 0 or (self._next + 1) % self._weight_steps == 0:
            return True
        return self._last_phase is not None and phase != self._last_phase

    def _checked_weights(self, weights: Any) -> dict[str, NDArray[np.float32]]:
        expected = {name: (self.layout.animals, n) for name, (n, _) in self.layout.weights.items()}
        got = {name: np.shape(values) for name, values in weights.items()}
        if got != expected:
            raise RecordingError(f"weights: expected {expected}, got {got}")
        # Copies: the step is written later, and the simulator may use its arrays again.
        return {name: np.array(values, np.float32) for name, values in weights.items()}

    # -- buffers ------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        if self._row:
            self._link.submit(self._buffer)
            self._take_buffer()

    def _take_buffer(self) -> None:
        """Begin a new buffer; its views are looked up once, because `record` runs in the loop."""
        buffer: StepBuffer = self._link.acquire()
        self._buffer, self._filled, self._counts = buffer, buffer.filled, buffer.counts
        self._row = self._n_spikes = 0
        self._max_rows, self._max_spikes = buffer.max_rows, buffer.max_spikes
        self._due = time.monotonic() + self._handover_s
        self._look_up()

    def _look_up(self) -> None:
        """List the columns of the buffer, with the shape and the type that a step has for each."""
        self._behavior, self._stimulus, self._voltages = [], [], []
        for path, column in self._buffer.columns.items():
            group, _, name = path.partition("/")
            shape, known = column.shape[1:], self._types.get(path)
            if group == "behavior":
                self._behavior.append((name, shape, known, column))
            elif group == "stimulus":
                self._stimulus.append((name, shape, known, column))
            else:
                animals, steps, watched = shape
                self._voltages.append(("voltages", (steps, animals, watched), known, column))

    # -- checks -------------------------------------------------------------------------------------

    def _fits(self, record: StepRecord) -> bool:
        """Return whether shapes and types are those of the step that was checked; cheap, for each step."""
        values = record.values
        for name, shape, dtype, _ in self._behavior:
            value = values[name]
            if value.shape != shape or value.dtype != dtype:
                return False
        for name, shape, dtype, _ in self._stimulus:
            signal = getattr(record.stimulus, name)
            if signal is None:
                if name != "current_pa":
                    return False
            elif signal.shape != shape or signal.dtype != dtype:
                return False
        for _, shape, dtype, _ in self._voltages:
            volts: Any = record.voltages
            if volts.shape != shape or volts.dtype != dtype:
                return False
        spikes = record.spikes
        if spikes is None or not len(spikes.step):
            return True
        step, animal, neuron = spikes.step, spikes.animal, spikes.neuron
        return (step.dtype, animal.dtype, neuron.dtype) == self._spike_types and (
            step.ndim == 1 and step.shape == animal.shape == neuron.shape
        )

    def _check(self, record: StepRecord) -> None:
        """Raise `RecordingError` unless the step fits the layout."""
        if self._closed:
            raise RecordingError("this recording was closed; make another ZarrRecorder")
        where = f"control step {record.control_step}"
        if record.control_step != self._next:
            raise RecordingError(f"expected control step {self._next}, got {record.control_step}")
        types: dict[str, np.dtype[Any]] = {}
        for name, shape, _, column in self._behavior:
            if name not in record.values:
                raise RecordingError(
                    f"{where}: the layout names the variable {name!r}, "
                    f"values holds {', '.join(record.values)}"
                )
            value = record.values[name]
            types[f"behavior/{name}"] = _checked_type(f"{where}: {name}", value, shape, column.dtype)
        if self._stimulus and record.stimulus is None:
            raise RecordingError(f"{where}: expected a stimulus, as the layout names its channels, got None")
        for name, shape, _, column in self._stimulus:
            signal = getattr(record.stimulus, name)
            if signal is not None or name != "current_pa":
                what = f"{where}: stimulus.{name}"
                types[f"stimulus/{name}"] = _checked_type(what, signal, shape, column.dtype)
        for name, shape, _, column in self._voltages:
            what = f"{where}: {name}"
            path = f"voltages/{self.layout.recordable}"
            types[path] = _checked_type(what, record.voltages, shape, column.dtype)
        if record.spikes is not None and len(record.spikes.step):
            self._check_spikes(f"{where}: spikes", record.spikes)
        self._types |= types
        self._look_up()
        self._checked = True

    def _check_spikes(self, where: str, spikes: Any) -> None:
        if not self.layout.populations:
            raise RecordingError(f"{where} of an agent that has no populations in the layout")
        self._spike_types = tuple(
            _checked_type(f"{where}.{name}", getattr(spikes, name), (len(spikes.step),), np.dtype(np.int64))
            for name in ("step", "animal", "neuron")
        )


def _checked_type(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of an array; raise `RecordingError` unless it can be recorded as a `dtype`."""
    if np.shape(value) != shape or not isinstance(value, np.ndarray):
        got = f"an array of shape {np.shape(value)}" if isinstance(value, np.ndarray) else f"{value!r}"
        raise RecordingError(f"{name}: expected an array of shape {shape}, got {got}")
    if not np.can_cast(value.dtype, dtype, "same_kind"):
        raise RecordingError(f"{name}: expected {dtype}, got {value.dtype}, which would lose information")
    got_type: np.dtype[Any] = value.dtype
    return got_type
