"""Tuning of neurons to recorded variables, and correlations between neurons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.errors import RecordingError
from ethospike.recorders.recording import Recording, to_pynapple

if TYPE_CHECKING:
    import xarray as xr


def tuning_curves(
    recording: Recording,
    values: xr.DataArray,
    edges: ArrayLike,
    population: str | Sequence[str] | None = None,
    animal: int = 0,
    *,
    lag_s: float = 0.0,
) -> xr.DataArray:
    """Return the firing rate of each neuron of an animal as a function of a variable.

    Parameters
    ----------
    recording : Recording
    values : DataArray
        The variable in each control step, dimensions (time,) or (time, animal), such as a concentration:
        `recording.variable("observation").sel(feature="odor")`.
    edges : array-like, shape (bins + 1,)
        Ascending edges of the bins; a bin holds its lower edge, the last one both.
    population : str or sequence of str, optional
        Populations; by default all with listed spikes.
    animal : int
    lag_s : float
        Time by which spikes follow the variable, a whole number of control steps.

    Returns
    -------
    DataArray
        Hz, dimensions (bin, neuron), NaN in bins without a control step, with the time in each bin,
        `occupancy_s`; `bin` is the middle of a bin.

    Raises
    ------
    NotRecorded
        When the spikes of the population or the animal were not listed.
    RecordingError
        When edges do not ascend, or the variable has other dimensions.
    """
    import xarray as xr

    edges = np.asarray(edges, float)
    values = values.isel(animal=animal, missing_dims="ignore")
    shift = _checked_shift(recording, values, edges, lag_s)
    counts = recording.neuron_counts(population, animal)
    spikes = np.asarray(counts.values[shift:], np.int64)
    summed, steps = _sum_by_bin(spikes, values.values[: len(spikes)], edges)
    occupancy_s = steps * recording.interval_s
    rates = summed / np.where(occupancy_s > 0, occupancy_s, np.nan)[:, None]
    return xr.DataArray(
        rates,
        dims=("bin", "neuron"),
        coords={
            "bin": ("bin", (edges[1:] + edges[:-1]) / 2, {"units": values.attrs.get("units", "1")}),
            "occupancy_s": ("bin", occupancy_s),
            "neuron": counts["neuron"],
            "population": counts["population"],
        },
        name="rate",
        attrs={"units": "Hz", "long_name": "firing rate of the neuron"},
    )


def _sum_by_bin(
    spikes: NDArray[np.int64], values: NDArray[Any], edges: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the spikes of each neuron, and the control steps, in which a variable is in each bin."""
    place = np.digitize(values, edges) - 1
    place[values == edges[-1]] = len(edges) - 2
    inside = (place >= 0) & (place < len(edges) - 1)
    summed = np.zeros((len(edges) - 1, spikes.shape[1]), np.int64)
    np.add.at(summed, place[inside], spikes[inside])
    return summed, np.bincount(place[inside], minlength=len(edges) - 1)


def _checked_shift(
    recording: Recording, values: xr.DataArray, edges: NDArray[np.float64], lag_s: float
) -> int:
    """Return the lag in control steps, after a check of all arguments."""
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise RecordingError(f"edges: expected at least two ascending numbers, got {edges}")
    if values.dims != ("time",) or values.sizes["time"] != recording.n_steps:
        raise RecordingError(
            f"expected a variable of the {recording.n_steps} control steps, got {dict(values.sizes)}"
        )
    shift = round(lag_s / recording.interval_s)
    if shift < 0 or abs(shift * recording.interval_s - lag_s) > 1e-9:
        raise RecordingError(f"lag_s: expected a whole number of control steps of at least 0, got {lag_s} s")
    return shift


def cross_correlograms(
    recording: Recording,
    neurons: Sequence[int],
    animal: int = 0,
    *,
    bin_s: float = 0.001,
    window_s: float = 0.1,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> xr.DataArray:
    """Return the rate of each neuron around the spikes of each other neuron, by pynapple.

    Parameters
    ----------
    recording : Recording
    neurons : sequence of int
        At least two, as `SpikeTable.neuron` counts them.
    animal : int
    bin_s, window_s : float
        Width of the bins; largest lag.
    start_s, stop_s : float
        The part (start_s, stop_s] of the recording; by default all of it.

    Returns
    -------
    DataArray
        Hz, dimensions (reference, target, lag): the rate of the target at a lag (s) from the reference's
        spikes; NaN for a neuron with itself.

    Raises
    ------
    AnalysisNotInstalled
        When pynapple is not installed.
    NotRecorded
        When the spikes of the animal were not listed.
    RecordingError
        When a neuron does not exist.
    """
    import xarray as xr

    spikes = to_pynapple(recording, animal, None, start_s, stop_s)["spikes"]
    neurons = list(neurons)
    if unknown := sorted(set(neurons) - set(spikes.keys())):
        raise RecordingError(f"there is no listed neuron {unknown[0]}; see recording.neurons(population)")
    import pynapple

    table = pynapple.compute_crosscorrelogram(spikes[sorted(neurons)], bin_s, window_s, norm=False)
    return xr.DataArray(
        _both_ways(table, spikes, neurons),
        dims=("reference", "target", "lag"),
        coords={
            "reference": neurons,
            "target": neurons,
            "lag": ("lag", table.index.to_numpy(), {"units": "s"}),
        },
        name="rate",
        attrs={"units": "Hz", "long_name": "firing rate of the target around spikes of the reference"},
    )


def _both_ways(table: Any, spikes: Any, neurons: list[int]) -> NDArray[np.float64]:
    """Return the correlograms of all pairs, shape (reference, target, lag), from those of half of them."""
    lags = table.index.to_numpy()
    rates = np.full((len(neurons), len(neurons), len(lags)), np.nan)
    n_spikes = {neuron: len(spikes[neuron]) for neuron in neurons}
    for (reference, target), column in table.items():
        i, j = neurons.index(reference), neurons.index(target)
        rates[i, j] = column
        # The same pairs of spikes, seen from the other neuron.
        if n_spikes[target]:
            rates[j, i] = np.asarray(column)[::-1] * n_spikes[reference] / n_spikes[target]
    return rates
