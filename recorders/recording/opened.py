"""A recording that was opened: the run it holds, its layout, and checked access to its arrays."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from ethospike.clock import whole_number
from ethospike.errors import NotRecorded, RecordingError
from ethospike.recorders.arrays import read_variable
from ethospike.recorders.format import INTERRUPTED, INTERVAL_COLUMNS, PHASE, SPIKES, STEPS, read_layout
from ethospike.recorders.labels import neurons_with
from ethospike.recorders.lock import is_being_written
from ethospike.recorders.recorder import Layout, Variable
from ethospike.recorders.recording.format_1 import events_as_columns, intervals_of_events
from ethospike.recorders.recording.spikes import Several
from ethospike.recorders.recording.store import CommittedStore, read_attributes
from ethospike.recorders.recording.tables import with_names

if TYPE_CHECKING:
    import xarray as xr


class OpenedRecording:
    """The run that a recording holds, and access to its committed arrays; the base of `Recording`.

    Attributes
    ----------
    path : Path
    store : CommittedStore
        For zarr and xarray: shows committed rows only.
    """

    def __init__(self, path: Path, attributes: dict[str, Any]) -> None:
        self.path = path
        self._attributes = attributes
        self.store = CommittedStore(path, attributes)
        self._root = zarr.open_group(self.store, mode="r", zarr_format=3)

    @cached_property
    def layout(self) -> Layout:
        """The layout of the run, with the variables that were recorded."""
        columns = self._described("intervals", 1)
        layout = read_layout(
            self._attributes["layout"], self._described("behavior", 2), columns, self._labels()
        )
        if "events" in self._root:
            return intervals_of_events(layout, self._described("events", 1))
        return layout

    def _labels(self) -> dict[str, tuple[str, ...]]:
        """Return the label of each neuron by kind; empty where it has none."""
        if "neurons" not in self._root:
            return {}
        members = self._root["neurons"]
        if not isinstance(members, zarr.Group):
            return {}
        labels = {}
        for kind, array in members.arrays():
            categories: Any = array.attrs["categories"]
            names = [*categories, ""]  # the last one for -1
            labels[kind] = tuple(names[number] for number in np.asarray(array[:]).tolist())
        return labels

    @property
    def status(self) -> str:
        """End of the run: running, complete, stopped, failed, or interrupted (ended without closing)."""
        status = self.stored_status
        if status != "running" or is_being_written(self.path):
            return status
        # It has no writer: it may have been closed since it was opened here.
        status = str(read_attributes(self.path)["status"])
        return INTERRUPTED if status == "running" else status

    @property
    def stored_status(self) -> str:
        """The status as the recording holds it: running until the writer says otherwise."""
        return str(self._attributes["status"])

    @property
    def n_steps(self) -> int:
        """Committed control steps."""
        return int(self._attributes[STEPS])

    @property
    def n_spikes(self) -> int:
        """Committed spikes that are listed one by one."""
        return int(self._attributes[SPIKES])

    @property
    def animals(self) -> int:
        """Number of animals."""
        return int(self._attributes["layout"]["animals"])

    @property
    def interval_s(self) -> float:
        """Length of a control step in seconds."""
        return float(self._attributes["layout"]["control_interval_ms"]) / 1000.0

    @property
    def dt_ms(self) -> float:
        """Length of a simulation step in milliseconds."""
        return float(self._attributes["layout"]["dt_ms"])

    @property
    def steps_per_control(self) -> int:
        """Simulation steps in a control step."""
        return int(self._attributes["layout"]["steps_per_control"])

    @property
    def duration_s(self) -> float:
        """Recorded time in seconds."""
        return self.n_steps * float(self._attributes["layout"]["control_interval_ms"]) / 1000.0

    @property
    def listed_populations(self) -> list[str]:
        """Populations with listed single spikes."""
        return list(self._attributes["recorded"]["spike_populations"])

    @property
    def listed_animals(self) -> list[int]:
        """Animals with listed single spikes, in ascending order."""
        return list(self._attributes["recorded"].get("spike_animals", range(self.animals)))

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.toml` of the run folder; empty for a recording on its own."""
        path = self.path.parent / "config.toml"
        return tomllib.loads(path.read_text("utf-8-sig")) if path.is_file() else {}

    @cached_property
    def run_info(self) -> dict[str, Any]:
        """`run.json` of the run folder; empty for a recording on its own."""
        return self._beside("run.json")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """`summary.json` of the run folder, the measures of the run; empty if there are none (yet)."""
        return self._beside("summary.json")

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @property
    def interval_kinds(self) -> list[str]:
        """Kinds of intervals of this recording, such as `phase`, `trial` or `episode`."""
        has_phases = bool(self.layout.phases) and PHASE in self.layout.variables
        return [*([PHASE] if has_phases else []), *self.layout.intervals]

    def neurons(self, population: str) -> range:
        """Return the neurons of a population, as `SpikeTable.neuron` counts them.

        Raises
        ------
        RecordingError
            When there is no population of this name.
        """
        for known in self.layout.populations:
            if known.name == population:
                return range(known.start, known.start + known.size)
        names = ", ".join(p.name for p in self.layout.populations)
        raise RecordingError(f"there is no population {population!r}; valid: {names or 'none'}")

    def simulation_steps(self, start_s: float, stop_s: float | None) -> tuple[int, int]:
        """Return the simulation steps at two times, cut to the recording; `stop_s` is its end by default.

        The window (start_s, stop_s] holds the steps first + 1 … last. A time that is a whole number of steps
        but for rounding is that step.

        Raises
        ------
        RecordingError
            When a time is not a number.
        """
        stop_s = self.duration_s if stop_s is None else stop_s
        if math.isnan(start_s) or math.isnan(stop_s):
            raise RecordingError(f"expected times in seconds, got {start_s} … {stop_s}")
        last = self.n_steps * self.steps_per_control
        dt_s = self.dt_ms / 1000.0
        start, stop = (math.floor(min(max(t, 0.0), self.duration_s) / dt_s + 1e-6) for t in (start_s, stop_s))
        return min(start, last), min(stop, last)

    # -- reading ------------------------------------------------------------------------------------

    def _beside(self, name: str) -> dict[str, Any]:
        path = self.path.parent / name
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

    def _group(self, name: str, drop: Iterable[str] = ()) -> xr.Dataset:
        # Here and not on top: it takes longer to import than everything else together, and spikes and
        # the attributes of a run are read without it.
        import xarray as xr

        if name not in self._root:
            return xr.Dataset()
        store: Any = self.store  # xarray's annotation of this argument leaves Zarr stores out
        dataset = xr.open_dataset(
            store,
            engine="zarr",
            group=name,
            consolidated=False,
            zarr_format=3,
            drop_variables=list(drop),
            decode_times=False,
        )
        return with_names(dataset)

    def _read(self, path: str, rows: slice | int) -> NDArray[Any]:
        array: Any = self._root[path]
        return np.asarray(array[rows])

    def _described(self, group: str, shared_dims: int) -> dict[str, Variable]:
        """Return the variables of a group from the attributes of its arrays."""
        if group not in self._root:
            return {}
        members: Any = self._root[group]
        described = {}
        for name, array in members.arrays():
            if name not in ("time", "control_step"):
                dims = tuple(array.metadata.dimension_names[shared_dims:])
                described[name] = read_variable(
                    array.attrs, dims, tuple(array.shape[shared_dims:]), str(array.dtype)
                )
        return described

    def _interval_columns(self, kind: str) -> dict[str, NDArray[Any]]:
        """Return the stored columns of the intervals of a kind."""
        group = "intervals" if "intervals" in self._root else "events"
        members: Any = self._root[group]
        # Of a run that broke off while arrays were made, some are missing, and all are empty.
        columns = {name: np.empty(0, np.int64) for name in ("kind", *INTERVAL_COLUMNS)}
        columns |= {name: np.asarray(array[:]) for name, array in members.arrays()}
        if group == "events":
            return events_as_columns(columns, self.layout.control_interval_ms)
        return {
            name: values[columns["kind"] == list(self.layout.intervals).index(kind)]
            for name, values in columns.items()
        }

    def _spike_rows(self, first: int, last: int) -> tuple[int, int]:
        """Return the part of the list in which the control steps that touch the steps (first, last] lie."""
        begin = first // self.steps_per_control
        end = max(begin, min(self.n_steps, -(-last // self.steps_per_control)))
        ends = [int(self._read("spikes/interval_end", k - 1)) if k else 0 for k in (begin, end)]
        return ends[0], ends[1]

    # -- checks -------------------------------------------------------------------------------------

    def _checked_animals(self, animal: ArrayLike) -> list[int]:
        animals: list[int] = np.atleast_1d(np.asarray(animal)).tolist()
        for number in animals:
            if number not in range(self.animals):
                raise RecordingError(f"there is no animal {number}; valid: 0 … {self.animals - 1}")
        return animals

    def _require_listed(self, population: str | Sequence[str] | None, animal: Several) -> None:
        if "spikes/step" not in self._root:
            raise NotRecorded(
                "no spikes were listed (recorder.spike_populations, recorder.spike_animals); "
                "`counts` may hold what you need"
            )
        for number in [] if animal is None else self._checked_animals(animal):
            if number not in self.listed_animals:
                raise NotRecorded(
                    f"the spikes of animal {number} were not listed, only those of "
                    f"{', '.join(map(str, self.listed_animals))} (recorder.spike_animals); `counts` holds "
                    f"the counts of all"
                )
        listed = self.listed_populations
        for name in [population] if isinstance(population, str) else population or ():
            self.neurons(name)
            if name not in listed:
                raise NotRecorded(
                    f"the spikes of {name!r} were not listed, only those of {', '.join(listed)} "
                    f"(recorder.spike_populations); `counts` holds the counts of all"
                )

    def labelled(self, label: Mapping[str, str | Sequence[str]]) -> NDArray[np.int64]:
        """Return the neurons of an animal that have all these labels.

        Parameters
        ----------
        label : mapping of str to str, or to a sequence of str
            Wanted values by kind of label, such as `{"class": "KC", "side": "left"}`; of several values, a
            neuron has one.

        Raises
        ------
        RecordingError
            When there is no such kind, or no neuron has such a value; the message names the nearest.
        """
        return neurons_with(label, self.layout.labels)

    def _neuron_mask(
        self,
        population: str | Sequence[str] | None,
        label: Mapping[str, str | Sequence[str]] | None = None,
    ) -> NDArray[np.bool_] | None:
        if population is None and label is None:
            return None
        size = max(p.start + p.size for p in self.layout.populations)
        mask = np.full(size, population is None)
        for name in [population] if isinstance(population, str) else population or ():
            chosen = self.neurons(name)
            mask[chosen.start : chosen.stop] = True
        if label is not None:
            has = np.zeros(size, bool)
            has[self.labelled(label)] = True
            mask &= has
        return mask

    def _whole_steps(self, name: str, seconds: float, least: int = 1) -> int:
        steps = whole_number(seconds, self.interval_s, least=least)
        if steps is None:
            raise RecordingError(
                f"{name}: {seconds} s is not a whole number of control steps of {self.interval_s} s"
            )
        return steps
