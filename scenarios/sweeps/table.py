"""The table of a sweep: a row for each task, a column for each key and each measure, in one Zarr group.

xarray and, through it, pandas open `table.zarr` at any time; rows of unfinished tasks hold NaN. The table
does not depend on the place and time of a task, so that a sweep gives the same table on any number of
workers. It can be made again from the results of the tasks.

    xarray.open_zarr("SWEEP/table.zarr").to_dataframe()
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray
import zarr
from numpy.typing import NDArray

from ethospike.errors import RunFolderError
from ethospike.paths import user_path
from ethospike.recorders.disk import check_assertions
from ethospike.scenarios.sweeps.folder import DONE, FAILED, Sweep

TABLE = "table.zarr"
STATUS = {"waiting": 0, DONE: 1, FAILED: 2}
FIXED = ("task", "point", "seed", "status")
"""Columns that every table has."""
CHUNK_ROWS = 16_384
"""Rows of a chunk, which is written whole: 128 kB, so that most tables are one chunk a column."""


class SweepTable:
    """Writes the table of a sweep, beginning with the existing results.

    Parameters
    ----------
    sweep : Sweep
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        path = sweep.path / TABLE
        shutil.rmtree(path, ignore_errors=True)
        attributes = {"scenario": sweep.name, "title": f"sweep of {sweep.name}"}
        self._group = zarr.create_group(path, zarr_format=3, attributes=attributes)
        self._columns: dict[str, NDArray[Any]] = {"status": np.empty(0, np.int8)}
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self.grow()
        self.add(sweep.results())

    def grow(self) -> None:
        """Add rows for new points of the sweep."""
        sweep, columns = self._sweep, self._columns
        n_rows = len(sweep.points) * len(sweep.seeds)
        more = n_rows - len(columns["status"])
        for name, column in columns.items():
            nothing = 0 if column.dtype.kind == "i" else np.nan
            columns[name] = np.concatenate([column, np.full(more, nothing, column.dtype)])
        tasks = [sweep.task(number) for number in range(n_rows)]
        columns["task"] = np.arange(n_rows)
        columns["point"] = np.array([task.point for task in tasks], dtype=np.int64)
        columns["seed"] = _seed_column(sweep, [task.seed for task in tasks])
        for key in sweep.keys:
            codes = _codes(sweep, key)
            columns[key] = np.array([codes[task.point] for task in tasks], dtype=float)
        self._write(columns)

    def add(self, results: Iterable[Mapping[str, Any]]) -> None:
        """Write the rows of some finished tasks."""
        changed = {"status"}
        for result in results:
            row = result["number"]
            self._columns["status"][row] = STATUS[result["status"]]
            for name, value in result["measures"].items():
                column = f"{name} (measured)" if name in {*FIXED, *self._sweep.keys} else name
                if column not in self._columns:
                    self._columns[column] = np.full(len(self._columns["status"]), np.nan)
                self._columns[column][row] = np.nan if value is None else value
                changed.add(column)
        self._write(changed)

    def _write(self, names: Iterable[str]) -> None:
        for name in names:
            column = self._columns[name]
            if name not in self._arrays:
                self._arrays[name] = self._group.create_array(
                    name,
                    shape=column.shape,
                    chunks=(CHUNK_ROWS,),
                    dtype=column.dtype,
                    fill_value=0 if column.dtype.kind == "i" else np.nan,
                    dimension_names=["task"],
                )
            array = self._arrays[name]
            array.attrs.update(_attributes(self._sweep, name))
            if array.shape != column.shape:
                array.resize(column.shape)
            array[:] = column


def open_table(path: str | Path) -> xarray.Dataset:
    """Return the table of a sweep's folder, as far as it is written, with readable values.

    Text values of keys, and seeds of more than 63 bits, are stored as numbers, explained by `flag_meanings`;
    the returned table holds text, and seeds as Python's whole numbers.

    Raises
    ------
    RunFolderError
        When the folder holds no table.
    """
    check_assertions()
    file = user_path(path) / TABLE
    if not file.is_dir():
        raise RunFolderError(f"{path} has no {TABLE}: expected the folder of a sweep that has run")
    table: xarray.Dataset = xarray.open_zarr(file, consolidated=False).load()
    for name, column in table.items():
        meanings = column.attrs.get("flag_meanings")
        if meanings is not None:
            values = np.array([*(map(int, meanings) if name == "seed" else meanings), ""], dtype=object)
            codes = np.where(np.isfinite(column.values), column.values, -1).astype(int)
            table[name] = ("task", values[codes])
    table = table.set_coords(["point", "seed"])
    return table


def labels(sweep: Sweep, key: str) -> list[str] | None:
    """Return the different values of a key in the order of the points, or None if all are numbers."""
    values = [point[key] for point in sweep.points]
    if all(isinstance(value, (bool, int, float)) for value in values):
        return None
    return list(dict.fromkeys(str(value) for value in values))


def _seed_column(sweep: Sweep, seeds: Sequence[int]) -> NDArray[np.int64]:
    """Return the seed of each row, or its place among the sweep's seeds where one has more than 63 bits."""
    if _has_long_seeds(sweep):
        seeds = [sweep.seeds.index(seed) for seed in seeds]
    return np.array(seeds, dtype=np.int64)


def _has_long_seeds(sweep: Sweep) -> bool:
    return max(sweep.seeds) > np.iinfo(np.int64).max


def _codes(sweep: Sweep, key: str) -> list[float]:
    """Return each point's value of a key as a number: the value, or its index among the labels."""
    values, names = [point[key] for point in sweep.points], labels(sweep, key)
    return [float(value if names is None else names.index(str(value))) for value in values]


def _attributes(sweep: Sweep, name: str) -> dict[str, Any]:
    if name == "status":
        return {"long_name": "status of the task", "flag_meanings": list(STATUS)}
    if name == "seed" and _has_long_seeds(sweep):
        return {"long_name": "seed of the sweep", "flag_meanings": [str(seed) for seed in sweep.seeds]}
    if name in FIXED:
        return {"long_name": f"{name} of the sweep"}
    if name not in sweep.keys:
        return {"long_name": f"{name} of summary.json"}
    names = labels(sweep, name)
    about = {"long_name": f"{name} of the configuration"}
    return about if names is None else {**about, "flag_meanings": names}
