"""Recorded arrays with the names of their entries, and as tidy tables."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ethospike.recorders.recording.intervals import category_names

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


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
