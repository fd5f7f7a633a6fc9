"""Lines over the whole time of a run, for the player of a page: read-outs, rates, plastic weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.recorders.recorder import Layout, Variable
from ethospike.recorders.recording import Recording
from ethospike.scenarios.report.packing import packed, scaled
from ethospike.variables import Panel

POINTS = 2_000
"""Points of a line: about as many as a page has pixels."""
MOST_LINES = 40
"""Lines of a panel; further ones are left out, as nobody could tell them apart."""


def panels(recording: Recording, animal: int) -> list[dict[str, Any]]:
    """Return the panels of an animal: its read-outs, the rates of its populations, its plastic weights.

    Each value is the mean of the control steps that a point stands for.
    """
    layout = recording.layout
    described: dict[Panel, list[str]] = {}
    for name, variable in sorted(layout.variables.items()):
        if variable.panel is not None:
            described.setdefault(variable.panel, []).append(name)
    if not described and not layout.populations and "reward" in layout.variables:
        described[Panel("reward")] = ["reward"]
    drawn = []
    for panel, names in sorted(described.items(), key=lambda item: (bool(item[0].key), item[0].title)):
        lines = [line for name in names for line in _variable_lines(recording, name, animal)]
        drawn.append(_panel(panel.title, lines, panel.low, panel.high))
    if layout.populations:
        drawn.append(_panel("mean rates of the neurons (Hz)", _rate_lines(recording, animal)))
    drawn += _weight_panels(recording, animal)
    return [panel for panel in drawn if panel["names"]]


Line = tuple[str, NDArray[np.float64]]


def _panel(
    title: str, lines: list[Line], low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """Return the data of a panel; ends of the axis that are not given follow the values, and show 0."""
    left_out = max(0, len(lines) - MOST_LINES)
    lines = lines[:MOST_LINES]
    values = np.array([line for _, line in lines]).reshape(len(lines), -1)
    known = values[np.isfinite(values)]
    low = min(0.0, float(known.min(initial=0.0))) if low is None else low
    high = max(float(known.max(initial=0.0)), low + 1e-9) if high is None else high
    return {
        "title": title + (f"; {left_out} more lines are left out" if left_out else ""),
        "names": [name for name, _ in lines],
        "low": low,
        "high": high,
        "n_points": values.shape[1],
        "values": packed(scaled(values, low, high)),
    }


def _variable_lines(recording: Recording, name: str, animal: int) -> list[Line]:
    root: Any = recording.to_zarr()
    values = np.asarray(root[f"behavior/{name}"][:, animal], float).reshape(recording.n_steps, -1)
    names = _names(recording.layout.variables[name], name, values.shape[1])
    return list(zip(names, _thinned(values).T, strict=True))


def _names(variable: Variable, name: str, n: int) -> list[str]:
    if len(variable.components) == n:
        return [component.name for component in variable.components]
    return [name] if n == 1 else [str(number) for number in range(n)]


def _rate_lines(recording: Recording, animal: int) -> list[Line]:
    """Return mean rates of populations, or of clusters."""
    root: Any = recording.to_zarr()
    counts = root["spikes/count"]
    attributes = counts.attrs.asdict()
    sizes = np.asarray(attributes["group_sizes"], float)
    rates = _thinned(np.asarray(counts[:, animal], float)) / (sizes * recording.interval_s)
    return list(zip(map(str, attributes["group_names"]), rates.T, strict=True))


def _weight_panels(recording: Recording, animal: int) -> list[dict[str, Any]]:
    """Return the mean weights of plastic projections over time, a panel for each unit."""
    root: Any = recording.to_zarr()
    layout: Layout = recording.layout
    if not layout.weights or "weights/control_step" not in root:
        return []
    steps = np.asarray(root["weights/control_step"][:])
    if not len(steps):
        return []
    shown_step = np.linspace(0, recording.n_steps - 1, min(POINTS, recording.n_steps))
    row = np.clip(np.searchsorted(steps, shown_step, side="right") - 1, 0, None)
    by_unit: dict[str, list[Line]] = {}
    for name, (_, units) in layout.weights.items():
        if name in root["weights"]:
            mean = np.asarray(root["weights"][name][:, animal], float).mean(axis=-1)
            by_unit.setdefault(units, []).append((name, mean[row]))
    return [_panel(f"mean weights ({units})", lines) for units, lines in by_unit.items()]


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over equal stretches of rows, at most `POINTS` of them, shape (points, columns)."""
    n = len(values)
    if n <= POINTS:
        return values
    edges = np.linspace(0, n, POINTS + 1).round().astype(int)
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), edges[:-1], axis=0)
    count = np.add.reduceat(known.astype(float), edges[:-1], axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(total.shape, math.nan), where=count > 0)
    return mean
