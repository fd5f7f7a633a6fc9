"""Figures of sweeps and calibrations: maps over two keys, slices along each key, the course of a search.

They are drawn from the table of a sweep and written as PNG files into its folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ethospike.scenarios.analysis.figure_style import BLUE, COLORS, DPI, GREEN, GREY, bare
from ethospike.scenarios.sweeps.folder import Sweep
from ethospike.scenarios.sweeps.search import WORST, Search, measure_name, trials
from ethospike.scenarios.sweeps.table import FIXED, open_table

if TYPE_CHECKING:
    import xarray

FIGURES = "figures"
MOST_MEASURES = 12
"""Maximal number of panels of a figure; further measures are in the table."""
MOST_LINES = 6
"""Maximal number of lines of a slice: the number of distinct colors."""
PANEL_INCHES = (3.4, 2.7)


def draw(sweep: Sweep) -> list[Path]:
    """Draw the figures of a sweep from its finished tasks, and return the files."""
    table = open_table(sweep.path)
    keys = [key for key in sweep.keys if _is_varied(table[key])]
    measures = measures_of(table, sweep.keys)
    figures: dict[str, Figure] = {}
    if measures and keys and sweep.experiment is None:  # groups are drawn by `experiments`
        if len(keys) > 1:
            figures["maps"] = draw_maps(table, keys[:2], measures)
        figures["slices"] = draw_slices(table, keys, measures)
    if sweep.calibration is not None and len(sweep.points):
        figures["history"] = draw_history(sweep)
    folder = sweep.path / FIGURES
    folder.mkdir(exist_ok=True)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI)
    return paths


def measures_of(table: xarray.Dataset, keys: Iterable[str]) -> list[str]:
    """Return the measures that differ between tasks, without the ends of intervals."""
    names = sorted(str(name) for name in table.data_vars if name not in {*FIXED, *keys})
    shown = [name for name in names if not name.endswith((".low", ".high"))]
    return [name for name in shown if _is_varied(table[name])]


def draw_maps(table: xarray.Dataset, keys: list[str], measures: list[str]) -> Figure:
    """Draw each measure over two keys: filled cells on a grid, dots for scattered points.

    Runs with the same values of both keys are averaged, over seeds and over other keys.
    """
    figure, panels = _panels(measures)
    (x, x_labels), (y, y_labels) = (_numbers(table[key]) for key in keys)
    for axis, measure in zip(panels, measures, strict=False):
        at_x, at_y, cells = _mean_cells(x, y, table[measure].values.astype(float))
        if cells.size <= 2 * len(x):  # a grid, or most of one
            drawn: Any = axis.pcolormesh(at_x, at_y, cells, cmap="viridis", shading="nearest")
        else:
            drawn = axis.scatter(x, y, c=table[measure].values, cmap="viridis", s=18)
        figure.colorbar(drawn, ax=axis)
        axis.set_title(measure, fontsize=9)
        axis.set(xlabel=keys[0], ylabel=keys[1])
        _label(axis.xaxis, x_labels)
        _label(axis.yaxis, y_labels)
    return figure


def draw_slices(table: xarray.Dataset, keys: list[str], measures: list[str]) -> Figure:
    """Draw each measure along the first key, a line for some values of the second key.

    Runs that differ in seeds or other keys are averaged; bars are their standard deviation. If almost every
    value occurs once, dots are drawn instead.
    """
    figure, panels = _panels(measures)
    x, x_labels = _numbers(table[keys[0]])
    others = np.unique(table[keys[1]].values) if len(keys) > 1 else np.array([None])
    scattered = len(np.unique(x)) * len(others) > 2 * len(x)
    chosen = others[
        np.unique(np.linspace(0, len(others) - 1, min(MOST_LINES, len(others))).round().astype(int))
    ]
    for number, (axis, measure) in enumerate(zip(panels, measures, strict=False)):
        values = table[measure].values.astype(float)
        if scattered:
            axis.plot(x, values, ".", color=BLUE, ms=4)
        for color, other in zip(COLORS, () if scattered else chosen, strict=False):
            rows = np.full(len(x), True) if other is None else table[keys[1]].values == other
            distinct, mean, spread = _mean_line(x[rows], values[rows])
            label = None if other is None else f"{keys[1]} = {_short(other)}"
            axis.errorbar(distinct, mean, spread, color=color, lw=1.2, marker="o", ms=3, label=label)
        axis.set_title(measure, fontsize=9)
        axis.set_xlabel(keys[0])
        _label(axis.xaxis, x_labels)
        if number == 0 and len(keys) > 1 and not scattered:
            axis.legend(fontsize=7, frameon=False)
        bare(axis)
    return figure


def draw_history(sweep: Sweep) -> Figure:
    """Draw the distance of each point of a calibration, and each measure beside its target."""
    search, tried = Search.from_json(sweep.calibration or {}), trials(sweep)
    targets = list(search.targets)
    figure = Figure(figsize=(8.0, 2.2 * (1 + len(targets))), layout="constrained")
    distance_axis, *axes = figure.subplots(1 + len(targets), 1, sharex=True, squeeze=False)[:, 0]
    distance = np.array([trial["distance"] for trial in tried])
    distance[distance >= WORST] = np.nan
    number = np.arange(1, 1 + len(tried))
    distance_axis.plot(number, distance, "o", color=GREY, ms=3, label="point")
    best = np.fmin.accumulate(np.where(np.isnan(distance), np.inf, distance))
    best[np.isinf(best)] = np.nan
    distance_axis.plot(number, best, color=BLUE, lw=1.5, label="best so far")
    distance_axis.axhline(search.tolerance, color=GREEN, lw=0.8, ls=":", label="tolerance")
    distance_axis.set(yscale="log", ylabel="distance from targets")
    distance_axis.legend(fontsize=8, frameon=False, ncols=3)
    for axis, key in zip(axes, targets, strict=True):
        values = [trial["measures"].get(measure_name(key, trial["measures"])) for trial in tried]
        axis.plot(number, np.array(values, dtype=float), "o", color=GREY, ms=3)
        axis.axhline(search.targets[key], color=GREEN, lw=1.0)
        axis.set_ylabel(key)
    (axes or [distance_axis])[-1].set_xlabel("point")
    for axis in (distance_axis, *axes):
        bare(axis)
    return figure


def _panels(measures: list[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each measure, up to the maximal number of panels."""
    shown = min(len(measures), MOST_MEASURES)
    columns = min(shown, max(2, math.ceil(math.sqrt(shown))))
    rows = math.ceil(shown / columns)
    figure = Figure(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[shown:]:
        axis.set_visible(False)
    if len(measures) > shown:
        figure.suptitle(f"{shown} of {len(measures)} measures; the others are in the table", fontsize=9)
    return figure, list(axes[:shown])


def _is_varied(column: xarray.DataArray) -> bool:
    """Return True if a column has at least two different values."""
    values = column.values
    return len(np.unique(values[~_is_missing(values)])) > 1


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(values) if values.dtype.kind == "f" else np.asarray(values == "")


def _numbers(column: xarray.DataArray) -> tuple[NDArray[np.float64], list[str]]:
    """Return a column as numbers; for text, the indices into the sorted labels, and the labels."""
    if column.dtype.kind in "fi":
        return column.values.astype(float), []
    names, places = np.unique(column.values.astype(str), return_inverse=True)
    return places.astype(float), [str(name) for name in names]


def _label(axis: Any, labels: list[str]) -> None:
    if labels:
        axis.set_ticks(range(len(labels)), labels, fontsize=7)


def _mean_cells(
    x: NDArray[np.float64], y: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the values of x and y, and the mean at each combination, shape (y, x); NaN without data."""
    at_x, column = np.unique(x, return_inverse=True)
    at_y, row = np.unique(y, return_inverse=True)
    total, count = np.zeros((len(at_y), len(at_x))), np.zeros((len(at_y), len(at_x)))
    known = np.isfinite(values)
    np.add.at(total, (row[known], column[known]), values[known])
    np.add.at(count, (row[known], column[known]), 1)
    with np.errstate(invalid="ignore"):
        return at_x, at_y, total / count


def _mean_line(
    x: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the distinct x, and the mean and sample standard deviation of the values at each x."""
    distinct = np.unique(x[np.isfinite(values)])
    groups = [values[(x == value) & np.isfinite(values)] for value in distinct]
    spreads = [group.std(ddof=1) if len(group) > 1 else 0.0 for group in groups]
    return distinct, np.array([group.mean() for group in groups]), np.array(spreads)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
