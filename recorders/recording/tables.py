"""Tables of a recording: intervals, and behavior with the names of its entries.

Trials, episodes and phases have one form: an animal, a kind, the control step with which it begins and
the one after its last. Rows that the task reported are stored in the group `intervals`; phases are the
stretches of equal `behavior/phase`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import seconds
from ethospike.recorders.format import INTERVAL_COLUMNS, PHASE
from ethospike.recorders.recorder import Variable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Columns = Mapping[str, NDArray[Any]]


def interval_table(
    columns: Columns, described: Mapping[str, Variable], kind: str, control_interval_ms: float
) -> pd.DataFrame:
    """Return the intervals of a kind as a table, sorted by beginning and animal.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (intervals,)
        `animal`, `start_step`, `stop_step`, and the columns of the task.
    described : mapping of str to Variable
        The columns of the task; of one with `categories`, the table holds the names.
    kind : str
    control_interval_ms : float

    Returns
    -------
    DataFrame
        `animal`, `kind`, `start_step`, `stop_step`, `start_s`, `stop_s`, and the columns of the task.
    """
    import pandas as pd

    order = np.lexsort((columns["animal"], columns["start_step"]))
    start, stop = (np.asarray(columns[name], np.int64)[order] for name in ("start_step", "stop_step"))
    table = {
        "animal": np.asarray(columns["animal"], np.int64)[order],
        "kind": np.full(len(order), kind, object),
        "start_step": start,
        "stop_step": stop,
        "start_s": seconds(start, control_interval_ms),
        "stop_s": seconds(stop, control_interval_ms),
    }
    for name, variable in described.items():
        table[name] = category_names(np.asarray(columns[name])[order], variable.categories)
    return pd.DataFrame(table)


def category_names(values: NDArray[Any], categories: tuple[str, ...]) -> NDArray[Any]:
    """Return the names that integers stand for, None where there is none; values without names unchanged."""
    if not categories:
        return values
    names = np.array([*categories, None], object)
    return np.asarray(names[np.where((values >= 0) & (values < len(categories)), values, -1)])


def phase_columns(phase: NDArray[np.integer], *, at_end: bool) -> dict[str, NDArray[Any]]:
    """Return the stretches of equal phase as columns.

    Parameters
    ----------
    phase : ndarray of int, shape (control steps, animals)
    at_end : bool
        See `Layout.phase_at_end`.

    Returns
    -------
    dict of str to ndarray, shape (phases,)
        `animal`, `start_step`, `stop_step` and `phase`.
    """
    n, animals = phase.shape
    rows: list[tuple[int, int, int, int]] = []
    for animal in range(animals if n else 0):
        begins = np.concatenate([[0], np.flatnonzero(np.diff(phase[:, animal])) + 1])
        # A phase that was noted at the end of control step k begins with step k + 1.
        start = np.where(begins > 0, begins + at_end, 0)
        stop = np.append(start[1:], n)
        rows += [
            (animal, int(first), int(end), int(phase[row, animal]))
            for first, end, row in zip(start, stop, begins, strict=True)
            if first < end
        ]
    table = np.array(rows, np.int64).reshape(-1, 4)
    return dict(zip((*INTERVAL_COLUMNS, PHASE), table.T, strict=True))


def with_names(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset with coordinates for the dimensions that have names.

    An attribute `<dimension>_names` of an array names the entries of a dimension, `<dimension>_units` gives
    their units. Names or units on which the arrays of a dimension differ stay in their attributes only.
    """
    coordinates = {}
    for suffix, label in (("names", "{}"), ("units", "{}_units")):
        for dim in map(str, dataset.dims):
            attributes = (array.attrs for array in dataset.data_vars.values() if dim in array.dims)
            texts = [list(entry[f"{dim}_{suffix}"]) for entry in attributes if f"{dim}_{suffix}" in entry]
            if texts and all(text == texts[0] for text in texts):
                coordinates[label.format(dim)] = (dim, texts[0])
    return dataset.assign_coords(coordinates)


def tidy_table(
    data: xr.Dataset, animals: list[int], categories: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Return behavior as a table with a row for each control step and animal.

    Parameters
    ----------
    data : Dataset
        Variables with the dimensions (time, animal, …).
    animals : list of int, shape (animals,)
        Number of each animal.
    categories : mapping of str to tuple of str
        Names of the values of integer variables.
    """
    import pandas as pd

    n = data.sizes.get("time", 0)
    columns = {"time": np.repeat(data["time"].values, len(animals)), "animal": np.tile(animals, n)}
    for name, array in data.data_vars.items():
        values = np.asarray(array.values).reshape(n * len(animals), -1)
        entries = [
            array.coords[dim].values if dim in array.coords else range(array.sizes[dim])
            for dim in array.dims[2:]
        ]
        labels = ["_".join(map(str, index)) for index in product(*entries)] if entries else [""]
        for label, column in zip(labels, values.T, strict=True):
            key = f"{name}_{label}" if label else str(name)
            columns[key] = category_names(column, categories.get(str(name), ()))
    return pd.DataFrame(columns)
