"""Read a recording back by time, population and animal, without loading the rest of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from ethospike.clock import seconds
from ethospike.errors import NotRecorded, RecordingError, nearest
from ethospike.paths import user_path
from ethospike.recorders.disk import check_assertions
from ethospike.recorders.format import (
    EPISODE,
    PHASE,
    RECORDING,
    TRIAL,
)
from ethospike.recorders.recorder import Variable
from ethospike.recorders.recording.movie import Movie, film_of
from ethospike.recorders.recording.opened import OpenedRecording
from ethospike.recorders.recording.show import as_html, shown_content
from ethospike.recorders.recording.spikes import Several, SpikeTable, read_spikes
from ethospike.recorders.recording.store import read_attributes
from ethospike.recorders.recording.tables import interval_table, phase_columns, tidy_table
from ethospike.recorders.recording.windows import Edges, cut_windows

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


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
    check_assertions()
    root = find_recording(user_path(path))
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


class Recording(OpenedRecording):
    """The committed rows of a recording at the moment when it was opened. Made by `open_recording`.

    Attributes
    ----------
    path : Path
    store : CommittedStore
        For zarr and xarray: shows committed rows only.

    Examples
    --------
    >>> recording = open_recording("runs/my-run")  # doctest: +SKIP
    >>> recording.rates(bin_s=1.0).sel(group="KC").mean("time")  # doctest: +SKIP
    >>> recording.windows(recording.trials().start_s, 0.5, 1.0, recording.counts)  # doctest: +SKIP
    """

    def __repr__(self) -> str:
        neurons = sum(population.size for population in self.layout.populations)
        animals = f"{self.animals} animal{'s' if self.animals > 1 else ''}"
        brain = f", {neurons:,} neurons each, {self.n_spikes:,} spikes listed" if neurons else ""
        return f"<Recording {self.path}: {self.status}, {self.duration_s:g} s, {animals}{brain}>"

    def __str__(self) -> str:
        content = shown_content(self)
        width = max(map(len, content))
        return "\n".join([repr(self), *(f"  {name:{width}}  {text}" for name, text in content.items())])

    def _repr_html_(self) -> str:
        return as_html(self)

    # -- behavior -----------------------------------------------------------------------------------

    @cached_property
    def behavior(self) -> xr.Dataset:
        """Observations, actions, rewards and the body: dimensions (time, animal, …), loaded when used."""
        return self._group("behavior")

    def variable(self, name: str) -> xr.DataArray:
        """Return a variable of `behavior`: dimensions (time, animal, …), loaded when used.

        Raises
        ------
        NotRecorded
            When the recording has none of this name.
        """
        if name not in self.behavior:
            hint = nearest(name, map(str, self.behavior))
            close = f"; {hint}" if hint.startswith("did you mean") else ""
            raise NotRecorded(f"{name!r} was not recorded (recorder.behavior){close}")
        return self.behavior[name]

    def to_pandas(self, variables: Sequence[str] | None = None, animal: Several = None) -> pd.DataFrame:
        """Return behavior as a tidy table: a row for each control step and animal, a column for each number.

        Parameters
        ----------
        variables : sequence of str, optional
            By default all of `behavior`.
        animal : int or sequence of int, optional
            By default all.

        Returns
        -------
        DataFrame
            `time` (s), `animal`, and the variables; of `position_mm` with the entries x and y, the columns
            `position_mm_x` and `position_mm_y`. Phases and other categories are names.

        Raises
        ------
        NotRecorded
            When a variable was not recorded.
        RecordingError
            When there is no such animal.
        """
        names = list(map(str, self.behavior)) if variables is None else list(variables)
        for name in names:
            self.variable(name)
        animals = range(self.animals) if animal is None else self._checked_animals(animal)
        phases = {PHASE: self.layout.phases} if self.layout.phases else {}
        categories = {name: self.layout.variables[name].categories for name in names} | phases
        return tidy_table(self.behavior[names].isel(animal=list(animals)), list(animals), categories)

    @cached_property
    def stimulus(self) -> xr.Dataset:
        """Rates (Hz) and currents (pA) of the input channels: dimensions (time, animal, channel)."""
        dataset = self._group("stimulus")
        for name in dataset.data_vars:
            array = dataset[name]
            dataset = dataset.assign_coords({str(array.dims[-1]): array.attrs["channel_names"]})
        return dataset

    # -- intervals ----------------------------------------------------------------------------------

    def trials(self) -> pd.DataFrame:
        """Return the trials that ended: see `intervals`."""
        return self.intervals(TRIAL)

    def episodes(self) -> pd.DataFrame:
        """Return the episodes that ended: see `intervals`."""
        return self.intervals(EPISODE)

    def phases(self) -> pd.DataFrame:
        """Return the phases of each animal, with the name of each in the column `phase`: see `intervals`."""
        return self.intervals(PHASE)

    def intervals(self, kind: str) -> pd.DataFrame:
        """Return the intervals of a kind as a table, sorted by beginning and animal.

        An interval holds the rows start_step … stop_step − 1 of `behavior`; its time is (start_s, stop_s].

        Parameters
        ----------
        kind : str
            `phase`, or a kind that the task reports, such as `trial` or `episode`.

        Returns
        -------
        DataFrame
            `animal`, `kind`, `start_step`, `stop_step` (control steps), `start_s`, `stop_s` (s), and the
            columns of the task. Integers with names (`Variable.categories`) are given by name.

        Raises
        ------
        NotRecorded
            When phases were not recorded.
        RecordingError
            When the task reports no intervals of this kind.
        """
        layout = self.layout
        if kind == PHASE and layout.phases:
            phase = np.asarray(self.variable(PHASE).values)
            columns = phase_columns(phase, at_end=layout.phase_at_end)
            names = {PHASE: Variable("1", "phase", dtype="int64", categories=layout.phases)}
            return interval_table(columns, names, kind, layout.control_interval_ms)
        if kind not in layout.intervals:
            raise RecordingError(
                f"this recording has no intervals of kind {kind!r}; {nearest(kind, self.interval_kinds)}"
            )
        columns = self._interval_columns(kind)
        return interval_table(columns, layout.intervals[kind], kind, layout.control_interval_ms)

    # -- the brain ----------------------------------------------------------------------------------

    @cached_property
    def voltages(self) -> xr.DataArray:
        """V_m (mV) of the watched neurons, or their `layout.recordable`: (time, animal, offset, watched).

        Raises `NotRecorded` when no neuron was watched.
        """
        if "voltages" not in self._root:
            raise NotRecorded("no voltages were recorded (recorder.voltages)")
        return self._group("voltages").set_coords("neuron")[self.layout.recordable]

    def weights(self, projection: str) -> xr.DataArray:
        """Return the weights of a plastic projection: dimensions (time, animal, synapse).

        Raises
        ------
        NotRecorded
            When no weights were recorded.
        RecordingError
            When the weights of this projection did not change.
        """
        names = list(self._attributes["layout"]["weights"])
        if projection not in names:
            raise RecordingError(
                f"{projection!r} has no recorded weights; valid: {', '.join(names) or 'none'}"
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
        animal: Several = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
        label: Mapping[str, str | Sequence[str]] | None = None,
    ) -> SpikeTable:
        """Return the spikes in (start_s, stop_s], of all listed populations and animals, or of some.

        Memory is that of the result, whatever the length of the recording.

        Parameters
        ----------
        population, animal : a name or number, or several, optional
        start_s, stop_s : float
            Times beyond the recording are its beginning and its end.
        label : mapping of str to str, or to a sequence of str, optional
            Only neurons with these labels, such as `{"class": "KC"}`; see `labelled`.

        Raises
        ------
        NotRecorded
            When the spikes of a named population or animal were not listed, or those of none were.
        RecordingError
            When there is no such population or animal, or a time is not a number.
        """
        self._require_listed(population, animal)
        neurons = self._neuron_mask(population, label)
        animals = None if animal is None else np.atleast_1d(np.asarray(animal))
        first, last = self.simulation_steps(start_s, stop_s)
        rows = self._spike_rows(first, last)
        return SpikeTable(*read_spikes(self._read, rows, (first, last), neurons, animals), self.dt_ms)

    def neuron_counts(
        self, population: str | Sequence[str] | None = None, animal: int = 0, bin_s: float | None = None
    ) -> xr.DataArray:
        """Return the listed spikes of each neuron of an animal in bins: dimensions (time, neuron).

        Parameters
        ----------
        population : str or sequence of str, optional
            By default all listed ones.
        animal : int
        bin_s : float, optional
            Width of a bin, a whole number of control steps; by default a control step. `time` is the end of
            a bin. A last bin that is not complete is left out.

        Returns
        -------
        DataArray of uint16 or wider
            `neuron` counts as `SpikeTable.neuron` does; the coordinate `population` names its population.

        Raises
        ------
        NotRecorded
            When the spikes of the population or the animal were not listed.
        RecordingError
            When there is no such population or animal, or bins are not whole control steps.
        """
        import xarray as xr

        steps = 1 if bin_s is None else self._whole_steps("bin_s", bin_s)
        n_bins, per_bin = self.n_steps // steps, steps * self.steps_per_control
        table = self.spikes(population, animal, 0.0, seconds(n_bins * per_bin, self.dt_ms))
        names = self.listed_populations if population is None else np.atleast_1d(population).tolist()
        neurons = np.concatenate([np.asarray(self.neurons(name)) for name in names])
        place = np.zeros(int(neurons.max()) + 1, np.int64)
        place[neurons] = np.arange(len(neurons))
        cell = (table.step - 1) // per_bin * len(neurons) + place[table.neuron]
        counts = np.bincount(cell, minlength=n_bins * len(neurons)).reshape(n_bins, len(neurons))
        ends_s = seconds((np.arange(n_bins) + 1) * per_bin, self.dt_ms)
        return xr.DataArray(
            counts.astype(np.uint16 if counts.max(initial=0) < 1 << 16 else np.uint32),
            dims=("time", "neuron"),
            coords={
                "time": ("time", ends_s, {"units": "s", "long_name": "end of the bin"}),
                "neuron": neurons,
                "population": ("neuron", np.repeat(names, [len(self.neurons(name)) for name in names])),
                "animal": animal,
            },
            name="count",
            attrs={"units": "1", "long_name": "spikes of the neuron in the bin"},
        )

    # -- pictures -----------------------------------------------------------------------------------

    def movie(
        self,
        start_s: float = 0.0,
        stop_s: float | None = None,
        *,
        speed: float = 1.0,
        animal: int = 0,
        size_px: tuple[int, int] = (960, 540),
        hide: str = "",
    ) -> Movie:
        """Return an animation of a part of the recording, which a notebook plays.

        Parameters
        ----------
        start_s, stop_s : float
            Beginning and end (s of simulated time); by default the whole recording.
        speed : float
            Simulated time per time in the film.
        animal : int
            The animal of spikes and weights, from 0.
        size_px : tuple of int
            Width and height, even numbers.
        hide : str
            Panels to leave out: r raster, w weights, f rates, in one word.

        Raises
        ------
        ViewError
            When nothing is recorded there, a number is out of range, the film would be too long for a
            notebook, or PyAV is not installed (`pip install 'ethospike[video]'`).
        """
        return film_of(self, (start_s, stop_s), speed, animal, size_px, hide)

    # -- around events ------------------------------------------------------------------------------

    def windows(
        self,
        times_s: ArrayLike,
        before_s: float,
        after_s: float,
        data: xr.Dataset | xr.DataArray | None = None,
        *,
        animal: ArrayLike | None = None,
        edges: Edges = "raise",
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
        animal : int or array-like of int, shape (events,), optional
            The animal of each event; by default a window holds all animals.
        edges : {"raise", "drop", "nan"}
            Windows that reach beyond the recording raise, are left out, or are filled up with NaN.

        Returns
        -------
        Dataset or DataArray
            Dimensions (event, lag, …): `lag` in seconds from −before_s to after_s; `event` counts `times_s`,
            with the coordinates `event_time` and, where given, `animal`. Without times, no events but all
            lags. Only the windows are read.

        Raises
        ------
        RecordingError
            When a window reaches beyond the recording, is not a whole number of control steps, or there is
            no such animal.
        """
        data = self.behavior if data is None else data
        before, after = self._whole_steps("before_s", before_s, 0), self._whole_steps("after_s", after_s, 0)
        times = np.atleast_1d(np.asarray(times_s, float))
        animals = None
        if animal is not None:
            animals = np.asarray(animal, np.int64)
            if animals.shape not in ((), times.shape):
                raise RecordingError(
                    f"animal: expected a number, or one for each of {len(times)} events, got {len(animals)}"
                )
            self._checked_animals(animals)
            animals = np.broadcast_to(animals, times.shape)
        return cut_windows(data, times, range(-before, after + 1), self.interval_s, animals, edges)

    def spikes_around(
        self,
        times_s: ArrayLike,
        before_s: float,
        after_s: float,
        population: str | Sequence[str] | None = None,
        animal: Several = None,
    ) -> list[tuple[NDArray[np.float64], SpikeTable]]:
        """Return for each moment the spikes around it, and their times relative to it.

        Parameters
        ----------
        times_s : array-like, shape (events,)
        before_s, after_s : float
            The spikes in (time − before_s, time + after_s], as far as the recording goes.
        population, animal : a name or number, or several, optional
            As in `spikes`.

        Returns
        -------
        list of tuple (lag_s, spikes), one for each moment
            `lag_s`: ndarray of float64, shape (spikes,), seconds from the moment.

        Raises
        ------
        NotRecorded
            When the spikes of a named population or animal were not listed, or those of none were.
        RecordingError
            When there is no such population or animal, or a time is not a number.
        """
        tables = []
        for time in np.atleast_1d(np.asarray(times_s, float)):
            table = self.spikes(population, animal, max(0.0, time - before_s), time + after_s)
            tables.append((table.time_s - time, table))
        return tables

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
