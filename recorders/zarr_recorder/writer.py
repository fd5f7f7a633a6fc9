"""The writer of a Zarr group, with its commit rule: data, then the disk, then the counters.

`process.py` runs it in a process of its own, and `InlineLink` in the loop's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from ethospike.errors import RecordingError
from ethospike.recorders.arrays import ArraySpec, array_specs
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.format import (
    FORMAT_VERSION,
    INTERVALS,
    LENGTH,
    PHASE,
    SPIKES,
    STEPS,
    WEIGHTS,
    check_version,
    major_version,
    neuron_groups,
    root_attributes,
)
from ethospike.recorders.lock import WriterLock
from ethospike.recorders.recorder import Layout
from ethospike.recorders.zarr_recorder.buffer import Block, Dated
from ethospike.recorders.zarr_recorder.store import DurableStore, remove_partials


class GrowingArray:
    """An array of the group that grows along its first dimension; its last chunk is kept in memory.

    A chunk is written when it is full, and the last one, whole again, at each commit.
    """

    def __init__(self, array: zarr.Array[Any], length: int) -> None:
        self._array = array
        self._chunk = array.chunks[0]
        # Written to now, which zeros() would leave to the system: memory that a run will need, it has.
        self._tail = np.full((self._chunk, *array.shape[1:]), 0, array.dtype)
        self.length = length
        start = length // self._chunk * self._chunk
        self._tail[: length - start] = array[start:length]
        self._written = length

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        dtype: np.dtype[Any] = self._tail.dtype
        return dtype

    def append(self, values: NDArray[Any]) -> None:
        """Add rows."""
        done = 0
        while done < len(values):
            begin = self.length % self._chunk
            rows = min(self._chunk - begin, len(values) - done)
            self._tail[begin : begin + rows] = values[done : done + rows]
            done += rows
            self.length += rows
            if self.length % self._chunk == 0:
                self.write()

    def last(self) -> NDArray[Any]:
        """Return the last row."""
        row: NDArray[Any] = self._tail[(self.length - 1) % self._chunk]
        return row

    def write(self) -> None:
        """Bring everything into the store."""
        if self._written < self.length:
            start = (self.length - 1) // self._chunk * self._chunk
            self._array.resize((self.length, *self._array.shape[1:]))
            self._array[start : self.length] = self._tail[: self.length - start]
            self._written = self.length


class RecordingWriter:
    """The writer of a recording.

    Parameters
    ----------
    path : Path
        The Zarr group to make, or to continue.
    layout : Layout
    config : RecorderConfig
    resume_at : int or None
        Continue an existing recording with this control step, and drop its later ones.

    Raises
    ------
    RecordingError
        When the path exists (or does not, to continue it), cannot be written, or is being written.
    """

    store_type = DurableStore

    def __init__(
        self,
        path: Path,
        layout: Layout,
        config: RecorderConfig,
        resume_at: int | None = None,
    ) -> None:
        self.layout, self.config = layout, config
        self._store = self.store_type(path)
        self._lock = WriterLock(path)
        try:
            self._prepare_spikes()
            attributes, specs = root_attributes(layout, config.content(layout)), self._specs()
            if resume_at is None:
                _make_folder(path)
            elif not (path / "zarr.json").is_file():
                raise RecordingError(f"cannot continue {path}: there is no recording")
            self._arrays: dict[str, GrowingArray] = {}
            self._dated: dict[str, list[Dated]] = {"weights": [], "intervals": []}
            if resume_at is None:
                self._create(attributes, specs)
            else:
                self._reopen(path, attributes, specs, resume_at)
        except BaseException:
            self.abandon()
            raise

    @property
    def steps(self) -> int:
        """Control steps received."""
        return self._steps

    @property
    def committed_steps(self) -> int:
        """Control steps that nothing can take away any more."""
        steps: Any = self._root.attrs[STEPS]
        return int(steps)

    def add_dated(self, group: str, dated: Dated) -> None:
        """Accept weights or intervals, which wait until their control step is whole."""
        self._dated[group].append(dated)

    def last_phase(self) -> bytes | None:
        """Return the phases in the last recorded step, for a run that continues; see `WriterLink`."""
        recorded = self._arrays.get(f"behavior/{PHASE}")
        return None if self._steps == 0 or recorded is None else recorded.last().tobytes()

    def append(self, block: Block) -> None:
        """Append the next control steps."""
        n = len(block.spike_counts)
        for name, values in block.rows.items():
            self._arrays[name].append(values)
        self._append_spikes(block, n)
        ends_s = self._end_s(np.arange(self._steps, self._steps + n))
        for path in self._step_times:
            self._arrays[path].append(ends_s)
        self._steps += n
        for control_step, arrays in self._due("weights"):
            self._append_dated("weights", control_step, 1, {k: v[None] for k, v in arrays.items()})
        for control_step, arrays in self._due("intervals"):
            self._append_dated("intervals", control_step, len(arrays["animal"]), arrays)

    def commit(self) -> None:
        """Make everything received permanent: data first, then the disk, then the counters."""
        if self._committed != self._counters():
            self._write_data()
            self._publish()

    def close(self, status: str) -> None:
        """Commit, say how the run ended, and let others write."""
        try:
            self._write_data()
            self._publish(status=status)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let others write, without committing anything."""
        self._store.discard()
        self._lock.release()

    # -- commit -------------------------------------------------------------------------------------

    def _write_data(self) -> None:
        for array in self._arrays.values():
            array.write()
        self._store.sync()

    def _publish(self, **more: Any) -> None:
        counters = self._counters()
        self._root.attrs.update({**counters, **more})
        self._store.sync()
        self._committed = counters

    def _counters(self) -> dict[str, int]:
        return {
            STEPS: self._steps,
            SPIKES: self._listed,
            WEIGHTS: self._rows("weights"),
            INTERVALS: self._rows("intervals"),
        }

    def _rows(self, group: str) -> int:
        array = self._arrays.get(f"{group}/control_step")
        return 0 if array is None else array.length

    # -- spikes -------------------------------------------------------------------------------------

    def _prepare_spikes(self) -> None:
        names, _, self._group_of = neuron_groups(self.layout.populations)
        self._groups = len(names)
        self._keep_neuron, self._keep_animal = self.config.kept_spikes(self.layout)
        self._keeps_all = bool(self._keep_neuron.all() and self._keep_animal.all())
        self._ahead: list[tuple[NDArray[np.integer], ...]] = []

    def _append_spikes(self, block: Block, n: int) -> None:
        if not self._groups:
            return
        if n == 0:
            self._ahead.append(tuple(column.copy() for column in block.spikes))
            return
        columns: list[NDArray[np.integer]] = list(block.spikes)
        if self._ahead:
            columns = [np.concatenate(parts) for parts in zip(*self._ahead, block.spikes, strict=True)]
            self._ahead = []
        step, animal, neuron = columns
        row = np.repeat(np.arange(n), block.spike_counts)
        cell = (row * self.layout.animals + animal) * self._groups + self._group_of[neuron]
        shape = (n, self.layout.animals, self._groups)
        counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
        self._arrays["spikes/count"].append(counts)
        if "spikes/step" not in self._arrays:
            return
        if not self._keeps_all:
            kept = self._keep_neuron[neuron] & self._keep_animal[animal]
            step, animal, neuron, row = step[kept], animal[kept], neuron[kept], row[kept]
        ends = self._listed + np.cumsum(np.bincount(row, minlength=n))
        self._arrays["spikes/interval_end"].append(ends)
        for name, values in (("step", step), ("animal", animal), ("neuron", neuron)):
            self._arrays[f"spikes/{name}"].append(values)
        self._listed += len(step)

    # -- weights and intervals ----------------------------------------------------------------------

    def _due(self, group: str) -> list[Dated]:
        """Return the entries of control steps that are whole now, and keep the others waiting."""
        waiting = self._dated[group]
        self._dated[group] = [dated for dated in waiting if dated.control_step >= self._steps]
        return [dated for dated in waiting if dated.control_step < self._steps]

    def _append_dated(
        self, group: str, control_step: int, n: int, arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        steps = np.full(n, control_step)
        rows = {"control_step": steps, "time": self._end_s(steps), **arrays}
        for name, values in rows.items():
            self._arrays[f"{group}/{name}"].append(values)

    def _end_s(self, control_steps: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.asarray((control_steps + 1) * self.layout.control_interval_ms / 1000.0, np.float64)

    # -- making and continuing ----------------------------------------------------------------------

    def _specs(self) -> list[ArraySpec]:
        config = self.config
        return array_specs(
            self.layout,
            behavior=config.kept_behavior(self.layout),
            spikes=bool(self._keep_neuron.any() and self._keep_animal.any()),
            stimulus=config.stimulus,
            weights=config.weights_every_s > 0,
        )

    def _create(self, attributes: Mapping[str, Any], specs: list[ArraySpec]) -> None:
        self._steps = self._listed = 0
        self._root = zarr.create_group(self._store, zarr_format=3, attributes=dict(attributes))
        for spec in specs:
            self._add(spec)
        self._note_step_times()
        self._store.sync()
        self._committed = self._counters()

    def _add(self, spec: ArraySpec) -> None:
        length = 0 if spec.fixed is None else len(spec.fixed)
        shape = (length, *spec.row_shape)
        array = self._root.create_array(
            spec.path,
            shape=shape,
            dtype=spec.dtype,
            chunks=(max(1, length) if spec.fixed is not None else spec.chunk_rows, *spec.row_shape),
            compressors=BloscCodec(cname="zstd", clevel=self.config.compression_level, shuffle="bitshuffle"),
            fill_value=np.nan if np.dtype(spec.dtype).kind == "f" else 0,
            dimension_names=spec.dims,
            attributes=dict(spec.attributes),
            # One file a chunk in the folder of its array: one folder to force to the disk.
            chunk_key_encoding={"name": "default", "separator": "."},
            # A chunk that happens to hold only the fill value is written as well: absent means lost.
            config={"write_empty_chunks": True},
        )
        if spec.fixed is not None:
            array[:] = spec.fixed
        else:
            self._arrays[spec.path] = GrowingArray(array, 0)

    def _reopen(
        self, path: Path, attributes: Mapping[str, Any], specs: list[ArraySpec], resume_at: int
    ) -> None:
        remove_partials(path)
        self._root = zarr.open_group(self._store, mode="r+", zarr_format=3)
        old: dict[str, Any] = dict(self._root.attrs)
        check_version(old, path)
        if major_version(old) < FORMAT_VERSION[0]:
            raise RecordingError(
                f"cannot continue {path}: it has format version {old['format_version']}, which this version "
                f"only reads; continue it with the version that began it, or begin a new run"
            )
        for key in ("layout", "recorded"):
            if old[key] != attributes[key]:
                raise RecordingError(
                    f"cannot continue {path}: its {key} is {old[key]}, "
                    f"the continued run's is {attributes[key]}"
                )
        if not 0 <= resume_at <= old[STEPS]:
            raise RecordingError(
                f"cannot continue {path} at control step {resume_at}: it holds 0 … {old[STEPS]} steps"
            )
        counters = _counters_at(self._root, resume_at)
        # The counters go down before the data: a reader never believes a row that is about to vanish.
        self._root.attrs.update({**counters, "status": "running"})
        self._store.sync()
        # A crash may have come while arrays were made, of which none had a row yet.
        with zarr.config.set({"array.write_empty_chunks": True}):
            for spec in [] if counters[STEPS] else specs:
                if spec.path not in self._root:
                    self._add(spec)
                elif spec.fixed is not None:
                    array: Any = self._root[spec.path]
                    array[:] = spec.fixed
            for name, array in all_arrays(self._root):
                length = counters.get(str(array.attrs.get(LENGTH)))
                if length is not None:
                    array.resize((length, *array.shape[1:]))
                    self._arrays[name] = GrowingArray(array, length)
        self._store.sync()
        self._steps, self._listed, self._committed = counters[STEPS], counters[SPIKES], counters
        self._note_step_times()

    def _note_step_times(self) -> None:
        groups = ("behavior", "spikes", "stimulus", "voltages")
        self._step_times = [f"{group}/time" for group in groups if f"{group}/time" in self._arrays]


def _counters_at(root: zarr.Group, steps: int) -> dict[str, int]:
    """Return the counters at the moment when `steps` control steps were recorded."""

    def rows(group: str, counter: str) -> int:
        if f"{group}/control_step" not in root:
            return 0
        array: Any = root[f"{group}/control_step"]
        return int(np.searchsorted(array[: root.attrs[counter]], steps))

    listed = 0
    if steps and "spikes/interval_end" in root:
        ends: Any = root["spikes/interval_end"]
        listed = int(ends[steps - 1])
    return {
        STEPS: steps,
        SPIKES: listed,
        WEIGHTS: rows("weights", WEIGHTS),
        INTERVALS: rows("intervals", INTERVALS),
    }


def all_arrays(root: zarr.Group) -> list[tuple[str, zarr.Array[Any]]]:
    """Return every array of a recording by its path, such as `behavior/reward`."""
    return [(f"{name}/{key}", array) for name, group in root.groups() for key, array in group.arrays()]


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except FileExistsError as error:
        raise RecordingError(
            f"{path} exists already, and a recording is never overwritten; choose another path"
        ) from error
    except OSError as error:
        raise RecordingError(f"cannot make {path}: {error.strerror}; choose another path") from error
