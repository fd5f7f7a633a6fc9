"""Reading a recording back: by time, population and animal, without loading what was not asked for.

In: a run folder or its `recording.zarr`, finished, running or broken. Out: xarray objects and spike tables of
the rows that are committed. This file knows neither scenarios nor figures.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from ethospike.clock import whole_number
from ethospike.errors import NotRecorded, RecordingError
from ethospike.recorders.format import INTERRUPTED, RECORDING, SPIKES, STEPS, read_variable
from ethospike.recorders.lock import is_being_written
from ethospike.recorders.recorder import Layout, PopulationLayout, Variable
from ethospike.recorders.recording.store import CommittedStore, read_attributes

if TYPE_CHECKING:
    import neo
    import pynapple
    import xarray as xr

SPIKES_AT_ONCE = 1 << 22
"""Spikes read and filtered at a time: some 100 MB, whatever the length of the recording."""


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

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Times of the spikes in seconds, shape (spikes,)."""
        return np.asarray(self.step * (self.dt_ms / 1000.0), np.float64)


def _known(kind: type[Layout | PopulationLayout], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that this version knows; a newer minor version may have added others."""
    return {field.name: entries[field.name] for field in fields(kind) if field.name in entries}


def open_recording(path: str | Path) -> Recording:
    """Open a recording for reading; a running one as far as it is committed now.

    Parameters
    ----------
    path : path-like
        The folder of a run, or the recording itself.

    Raises
    ------
    RecordingError
        When there is none, or one of a newer format.
    """
    root = find_recording(Path(path).absolute())
    return Recording(root, read_attributes(root))


def find_recording(path: Path) -> Path:
    """Return the recording at a path or in the run folder at a path.

    Raises
    ------
    RecordingError
        When there is none.
    """
    for root in (path, path / RECORDING):
        if (root / "zarr.json").is_file():
            return root
    raise RecordingError(f"there is no recording at {path}; expected the folder of a run or its {RECORDING}")


class Recording:
    """What was recorded, as committed when it was opened. Made by `open_recording`.

    Attributes
    ----------
    path : Path
    store : CommittedStore
        For zarr and xarray: shows committed rows only.
    layout : Layout
    """

    def __init__(self, path: Path, attributes: dict[str, Any]) -> None:
        self.path = path
        self._attributes = attributes
        self.store = CommittedStore(path, attributes)
        self._root = zarr.open_group(self.store, mode="r", zarr_format=3)

    def __repr__(self) -> str:
        return f"<Recording {self.path}: {self.status}, {self.duration_s:g} s, {self.animals} animals>"

    # -- what it is ---------------------------------------------------------------------------------

    @cached_property
    def layout(self) -> Layout:
        """The layout of the run, with the variables that were recorded."""
        plain = _known(Layout, self._attributes["layout"])
        sequences = ("rate_channels", "current_channels", "phases", "watched")
        return Layout(
            **{
                **plain,
                **{name: tuple(plain[name]) for name in sequences},
                "populations": tuple(
                    PopulationLayout(**_known(PopulationLayout, p)) for p in plain["populations"]
                ),
                "weights": {name: (n, units) for name, (n, units) in plain["weights"].items()},
                "variables": self._described("behavior", 2),
                "events": self._described("events", 1),
            }
        )

    @property
    def status(self) -> str:
        """How the run ended: running, complete, stopped, failed, or interrupted (ended without closing)."""
        status = self.stored_status
        if status != "running" or is_being_written(self.path):
            return status
        # Nobody writes: it may have been closed since it was opened here.
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
    def duration_s(self) -> float:
        """Recorded time in seconds."""
        return self.n_steps * float(self._attributes["layout"]["control_interval_ms"]) / 1000.0

    @property
    def listed_populations(self) -> list[str]:
        """Populations whose spikes are listed one by one."""
        return list(self._attributes["recorded"]["spike_populations"])

    @property
    def listed_animals(self) -> list[int]:
        """Animals whose spikes are listed one by one, in ascending order."""
        return list(self._attributes["recorded"].get("spike_animals", range(self.animals)))

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.toml` of the run folder; empty for a recording on its own."""
        path = self.path.parent / "config.toml"
        return tomllib.loads(path.read_text()) if path.is_file() else {}

    @cached_property
    def run_info(self) -> dict[str, Any]:
        """`run.json` of the run folder; empty for a recording on its own."""
        path = self.path.parent / "run.json"
        return dict(json.loads(path.read_text())) if path.is_file() else {}

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    # -- what happened ------------------------------------------------------------------------------

    @cached_property
    def behavior(self) -> xr.Dataset:
        """Observations, actions, rewards and the body: dimensions (time, animal, …), loaded when used."""
        return self._group("behavior")

    def variable(self, name: str) -> xr.DataArray:
        """Return one variable of `behavior`: dimensions (time, animal, …), loaded when used.

        Raises
        ------
        NotRecorded
            When the recording has none of this name.
        """
        if name not in self.behavior:
            raise NotRecorded(f"{name!r} was not recorded (recorder.behavior)")
        return self.behavior[name]

    @cached_property
    def stimulus(self) -> xr.Dataset:
        """Rates (Hz) and currents (pA) of the input channels: dimensions (time, animal, channel)."""
        dataset = self._group("stimulus")
        for name in dataset.data_vars:
            array = dataset[name]
            dataset = dataset.assign_coords({str(array.dims[-1]): array.attrs["channel_names"]})
        return dataset

    @cached_property
    def events(self) -> xr.Dataset:
        """Rows that the environment reported, such as trials: dimension `event`; empty if there were none."""
        return self._group("events")

    @cached_property
    def voltages(self) -> xr.DataArray:
        """V_m (mV) of the watched neurons: dimensions (time, animal, offset, watched).

        Raises `NotRecorded` when no neuron was watched.
        """
        if "voltages" not in self._root:
            raise NotRecorded("no voltages were recorded (recorder.voltages)")
        return self._group("voltages").set_coords("neuron")["V_m"]

    def weights(self, projection: str) -> xr.DataArray:
        """Return the weights of a plastic projection: dimensions (time, animal, synapse).

        Raises
        ------
        NotRecorded
            When no weights were recorded.
        RecordingError
            When there is no plastic projection of this name.
        """
        names = list(self._attributes["layout"]["weights"])
        if projection not in names:
            raise RecordingError(
                f"{projection!r} is not a plastic projection; valid: {', '.join(names) or 'none'}"
            )
        if "weights" not in self._root:
            raise NotRecorded("no weights were recorded (recorder.weights_every_s)")
        dataset = self._group("weights").set_coords("control_step")
        return dataset[projection].rename({f"synapse_of_{projection}": "synapse"})

    @cached_property
    def counts(self) -> xr.DataArray:
        """Spikes of each population or cluster in each control step: dimensions (time, animal, group)."""
        counts = self._group("spikes", drop=("step", "animal", "neuron", "interval_end")).get("count")
        if counts is None:
            raise RecordingError(f"{self.path}: the agent has no neurons")
        return counts.assign_coords(
            group=counts.attrs["group_names"], neurons=("group", counts.attrs["group_sizes"])
        )

    def rates(self, bin_s: float = 1.0) -> xr.DataArray:
        """Return mean firing rates per neuron in Hz: dimensions (time, animal, group).

        Parameters
        ----------
        bin_s : float
            Width of a bin, a whole number of control steps; `time` is the end of a bin. A last bin that is
            not complete is left out.
        """
        steps = self._whole_steps("bin_s", bin_s)
        counts = self.counts
        counts = counts.isel(time=slice(0, self.n_steps // steps * steps))
        summed = counts.coarsen(time=steps, coord_func={"time": "max"}).sum()
        rates = summed / (counts["neurons"] * (steps * self.interval_s))
        rates.attrs.update(units="Hz", long_name="mean firing rate of a neuron")
        return rates.rename("rate")

    def spikes(
        self,
        population: str | Sequence[str] | None = None,
        animal: int | Sequence[int] | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
    ) -> SpikeTable:
        """Return the spikes in (start_s, stop_s], of all populations and animals that are listed, or of some.

        Memory is that of the result, whatever the length of the recording.

        Parameters
        ----------
        population, animal : one or several, optional
        start_s, stop_s : float
            Times beyond the recording are its beginning and its end.

        Raises
        ------
        NotRecorded
            When the spikes of a population or an animal that is named were not listed, or nobody's were.
        RecordingError
            When there is no such population or animal, or a time is not a number.
        """
        self._require_listed(population, animal)
        neurons = self._neuron_mask(population)
        animals = None if animal is None else np.atleast_1d(np.asarray(animal))
        dt_s = self._attributes["layout"]["dt_ms"] / 1000.0
        stop_s = self.duration_s if stop_s is None else stop_s
        if math.isnan(start_s) or math.isnan(stop_s):
            raise RecordingError(f"expected times in seconds, got {start_s} … {stop_s}")
        start_s, stop_s = (min(max(t, 0.0), self.duration_s) for t in (start_s, stop_s))
        # A time that is a whole number of steps but for rounding is that step.
        first, last = (int(np.floor(t / dt_s + 1e-6)) for t in (start_s, stop_s))
        begin, end = self._spike_range(start_s, stop_s)
        parts = []
        for at in range(begin, end, SPIKES_AT_ONCE):
            rows = slice(at, min(at + SPIKES_AT_ONCE, end))
            step, who, neuron = (self._read(f"spikes/{name}", rows) for name in ("step", "animal", "neuron"))
            kept = (step > first) & (step <= last)
            if neurons is not None:
                kept &= neurons[neuron]
            if animals is not None:
                kept &= np.isin(who, animals)
            parts.append((step[kept], who[kept].astype(np.int32), neuron[kept].astype(np.int32)))
        if not parts:
            parts = [(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))]
        step, who, neuron = (np.concatenate(column) for column in zip(*parts, strict=True))
        return SpikeTable(step, who, neuron, float(self._attributes["layout"]["dt_ms"]))

    # -- around events ------------------------------------------------------------------------------

    def windows(
        self,
        times_s: ArrayLike,
        before_s: float,
        after_s: float,
        data: xr.Dataset | xr.DataArray | None = None,
    ) -> Any:
        """Return behavior (or `data` with the same time, such as `counts`) around moments.

        Parameters
        ----------
        times_s : array-like, shape (events,)
            Moments, each taken as the end of the control step nearest to it.
        before_s, after_s : float
            Length of a window before and after them, whole numbers of control steps.
        data : Dataset or DataArray, optional
            By default `behavior`.

        Returns
        -------
        Dataset or DataArray
            Dimensions (event, lag, …): `lag` in seconds from −before_s to after_s, `event` in the order of
            `times_s`; without times, no events but all lags. Only the windows are read.

        Raises
        ------
        RecordingError
            When a window reaches beyond the recording, or is not a whole number of control steps.
        """
        import xarray as xr

        data = self.behavior if data is None else data
        before, after = self._whole_steps("before_s", before_s, 0), self._whole_steps("after_s", after_s, 0)
        times = np.atleast_1d(np.asarray(times_s, float))
        centers = np.rint(times / self.interval_s).astype(int) - 1
        for time, center in zip(times, centers, strict=True):
            if center - before < 0 or center + after >= self.n_steps:
                raise RecordingError(
                    f"the window −{before_s} … {after_s} s around {time} s reaches beyond the recording, "
                    f"which holds {self.interval_s} … {self.duration_s} s"
                )
        lags = np.arange(-before, after + 1)
        lag_s = xr.DataArray(
            lags * self.interval_s, dims="lag", attrs={"units": "s", "long_name": "time from the event"}
        )
        # Without times, a window anywhere gives the shape, and is left out.
        pieces: list[Any] = [
            data.isel(time=rows).drop_vars("time").rename(time="lag").assign_coords(lag=lag_s)
            for rows in ([c + lags for c in centers] or [0 * lags])
        ]
        joined = xr.concat(pieces, dim="event").isel(event=slice(0, len(times)))
        return joined.assign_coords(event_time=("event", times))

    def spikes_around(
        self,
        times_s: ArrayLike,
        before_s: float,
        after_s: float,
        population: str | Sequence[str] | None = None,
        animal: int | Sequence[int] | None = None,
    ) -> list[tuple[NDArray[np.float64], SpikeTable]]:
        """Return for each moment the spikes around it, and their times relative to it.

        Parameters
        ----------
        times_s : array-like, shape (events,)
        before_s, after_s : float
            The spikes in (time − before_s, time + after_s], as far as the recording goes.
        population, animal : one or several, optional
            As in `spikes`.

        Returns
        -------
        list of tuple (lag_s, spikes), one for each moment
            `lag_s`: ndarray of float64, shape (spikes,), seconds from the moment.

        Raises
        ------
        NotRecorded
            When the spikes of a population or an animal that is named were not listed, or nobody's were.
        RecordingError
            When there is no such population or animal, or a time is not a number.
        """
        tables = []
        for time in np.atleast_1d(np.asarray(times_s, float)):
            table = self.spikes(population, animal, max(0.0, time - before_s), time + after_s)
            tables.append((table.time_s - time, table))
        return tables

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

    def to_zarr(self) -> zarr.Group:
        """Return the Zarr group, read-only, of committed rows."""
        return self._root

    # -- for other libraries ------------------------------------------------------------------------

    def to_xarray(self) -> xr.DataTree:
        """Return everything as an `xarray.DataTree`, loaded when used."""
        import xarray as xr

        groups = {name: self._group(name) for name, _ in self._root.groups()}
        tree = xr.DataTree.from_dict(groups)
        tree.attrs.update(self._attributes)
        return tree

    def to_pynapple(
        self,
        animal: int = 0,
        population: str | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
    ) -> dict[str, pynapple.TsGroup | pynapple.TsdFrame]:
        """Return an animal's spikes and behavior for pynapple.

        Parameters
        ----------
        animal : int
            From 0.
        population : str, optional
            By default all whose spikes were listed.
        start_s, stop_s : float
            The part of the recording; by default all of it.

        Returns
        -------
        dict of str to TsGroup or TsdFrame
            `spikes`: a `TsGroup` with one train a neuron; each variable of `behavior`: a `TsdFrame`.

        Raises
        ------
        AnalysisNotInstalled
            When pynapple is not installed.
        NotRecorded
            When the spikes of the animal or the population were not listed.
        RecordingError
            When there is no such animal or population, or the times are not within the recording.
        """
        from ethospike.recorders.recording.exports import to_pynapple

        return to_pynapple(self, animal, population, start_s, stop_s)

    def to_neo(
        self,
        animal: int = 0,
        population: str | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
    ) -> neo.Block:
        """Return an animal's spike trains and behavior as a `neo.Block` of one segment.

        Parameters
        ----------
        animal : int
            From 0.
        population : str, optional
            By default all whose spikes were listed.
        start_s, stop_s : float
            The part of the recording; by default all of it.

        Raises
        ------
        AnalysisNotInstalled
            When Neo is not installed.
        NotRecorded
            When the spikes of the animal or the population were not listed.
        RecordingError
            When there is no such animal or population, or the times are not within the recording.
        """
        from ethospike.recorders.recording.exports import to_neo

        return to_neo(self, animal, population, start_s, stop_s)

    def to_nwb(
        self,
        file: str | Path,
        animal: int = 0,
        population: str | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
    ) -> Path:
        """Write an animal's spikes and behavior to a Neurodata Without Borders file; return its path.

        Parameters
        ----------
        file : path-like
            By habit it ends in .nwb; it must not exist. It is there when it is complete.
        animal : int
            From 0.
        population : str, optional
            By default all whose spikes were listed.
        start_s, stop_s : float
            The part of the recording; by default all of it.

        Raises
        ------
        AnalysisNotInstalled
            When PyNWB is not installed.
        NotRecorded
            When the spikes of the animal or the population were not listed.
        RecordingError
            When the file exists, there is no such animal or population, or the times are not within the
            recording.
        """
        from ethospike.recorders.recording.exports import to_nwb

        return to_nwb(self, Path(file), animal, population, start_s, stop_s)

    # -- reading ------------------------------------------------------------------------------------

    def _group(self, name: str, drop: Iterable[str] = ()) -> xr.Dataset:
        # Here and not on top: it takes longer to import than everything else together, and spikes and
        # what a run says of itself are read without it.
        import xarray as xr

        if name not in self._root:
            return xr.Dataset()
        store: Any = self.store  # xarray's annotation of this argument leaves Zarr stores out
        return xr.open_dataset(
            store,
            engine="zarr",
            group=name,
            consolidated=False,
            zarr_format=3,
            drop_variables=list(drop),
            decode_times=False,
        )

    def _read(self, path: str, rows: slice | int) -> NDArray[Any]:
        array: Any = self._root[path]
        return np.asarray(array[rows])

    def _described(self, group: str, own_dims: int) -> dict[str, Variable]:
        """Return the variables of a group as they were described."""
        if group not in self._root:
            return {}
        described = {}
        members: Any = self._root[group]
        for name, array in members.arrays():
            if name in ("time", "control_step"):
                continue
            dims = tuple(array.metadata.dimension_names[own_dims:])
            described[name] = read_variable(
                array.attrs, dims, tuple(array.shape[own_dims:]), str(array.dtype)
            )
        return described

    def _spike_range(self, start_s: float, stop_s: float) -> tuple[int, int]:
        """Return where in the list the control steps that touch (start_s, stop_s] begin and end."""
        first = max(0, min(self.n_steps, int(np.floor(start_s / self.interval_s + 1e-9))))
        last = max(first, min(self.n_steps, int(np.ceil(stop_s / self.interval_s - 1e-9))))
        begin, end = (int(self._read("spikes/interval_end", k - 1)) if k else 0 for k in (first, last))
        return begin, end

    def _require_listed(
        self, population: str | Sequence[str] | None, animal: int | Sequence[int] | None
    ) -> None:
        if "spikes/step" not in self._root:
            raise NotRecorded(
                "no spikes were listed (recorder.spike_populations, recorder.spike_animals); "
                "`counts` may hold what you need"
            )
        for one in [] if animal is None else np.atleast_1d(np.asarray(animal)).tolist():
            if one not in range(self.animals):
                raise RecordingError(f"there is no animal {one}; valid: 0 … {self.animals - 1}")
            if one not in self.listed_animals:
                raise NotRecorded(
                    f"the spikes of animal {one} were not listed, only those of "
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

    def _neuron_mask(self, population: str | Sequence[str] | None) -> NDArray[np.bool_] | None:
        if population is None:
            return None
        mask = np.zeros(max(p.start + p.size for p in self.layout.populations), bool)
        for name in [population] if isinstance(population, str) else population:
            chosen = self.neurons(name)
            mask[chosen.start : chosen.stop] = True
        return mask

    def _whole_steps(self, name: str, seconds: float, least: int = 1) -> int:
        steps = whole_number(seconds, self.interval_s, least=least)
        if steps is None:
            raise RecordingError(
                f"{name}: {seconds} s is not a whole number of control steps of {self.interval_s} s"
            )
        return steps
