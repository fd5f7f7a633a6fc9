"""Recorded data around events: averages of rates and movement, trajectories, and rates within intervals.

The functions use `Recording.windows` and xarray. Averages are taken over the events of an animal and have a
row for each animal, because animals are the unit of statistics (`group_statistics.interval`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ethospike.errors import RecordingError
from ethospike.recorders.recording import Recording

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def sign_changes(data: xr.DataArray, threshold: float = 0.0) -> pd.DataFrame:
    """Return the moments when a recorded variable crosses a threshold, such as reversals of turning.

    Parameters
    ----------
    data : DataArray
        Dimensions (time, animal), such as `recording.variable("angular_velocity_rad_s")`.
    threshold : float
        In the unit of `data`. Values at the threshold count as the values before them.

    Returns
    -------
    DataFrame
        `animal`, `time_s` (the end of the first control step beyond the threshold) and `upward`, by time.

    Raises
    ------
    RecordingError
        When the variable has other dimensions.
    """
    import pandas as pd

    if data.dims != ("time", "animal"):
        raise RecordingError(f"expected a variable with the dimensions time and animal, got {data.dims}")
    times_s = data["time"].values
    parts = []
    for animal in range(data.sizes["animal"]):
        sign = np.sign(np.asarray(data.isel(animal=animal).values, float) - threshold)
        rows = np.flatnonzero(sign)
        changes = rows[1:][sign[rows[1:]] != sign[rows[:-1]]]
        parts.append(
            pd.DataFrame({"animal": animal, "time_s": times_s[changes], "upward": sign[changes] > 0})
        )
    return pd.concat(parts).sort_values(["time_s", "animal"], ignore_index=True)


def event_average(
    recording: Recording,
    times_s: ArrayLike,
    animal: ArrayLike,
    before_s: float,
    after_s: float,
    data: xr.Dataset | xr.DataArray,
) -> Any:
    """Return the mean of data around the events of each animal.

    Parameters
    ----------
    recording : Recording
    times_s, animal : array-like, shape (events,)
        Moments and the animal of each, such as `trials.start_s` and `trials.animal`.
    before_s, after_s : float
        Length of the window before and after an event, whole numbers of control steps. Events with a
        window that reaches beyond the recording are left out.
    data : Dataset or DataArray
        With the dimensions time and animal, such as `recording.behavior[["speed_mm_s"]]`.

    Returns
    -------
    Dataset or DataArray
        Dimensions (animal, lag, …), NaN for an animal without an event; the coordinate `events` holds the
        number of events of each animal.

    Raises
    ------
    RecordingError
        When windows are not whole numbers of control steps, or an animal does not exist.
    """
    import xarray as xr

    times = np.atleast_1d(np.asarray(times_s, float))
    animals = np.broadcast_to(np.asarray(animal, np.int64), times.shape)
    means: list[Any] = []
    numbers: list[int] = []
    for number in range(recording.animals):
        # A single animal at a time: memory is that of its windows.
        windows = recording.windows(
            times[animals == number],
            before_s,
            after_s,
            data.isel(animal=[number]),
            edges="drop",
        ).isel(animal=0, drop=True)
        numbers.append(windows.sizes["event"])
        means.append(windows.mean("event", keep_attrs=True) if numbers[-1] else _nothing(windows))
    joined: Any = xr.concat(means, dim="animal")
    return joined.assign_coords(animal=np.arange(recording.animals), events=("animal", numbers))


def _nothing(windows: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Return the shape of a mean over no events, filled with NaN."""
    return windows.reindex(event=[0]).isel(event=0, drop=True).astype(float) * np.nan


def event_rates(
    recording: Recording, times_s: ArrayLike, animal: ArrayLike, before_s: float, after_s: float
) -> xr.DataArray:
    """Return mean firing rates around the events of each animal, a peri-event histogram of control steps.

    Parameters
    ----------
    recording : Recording
    times_s, animal, before_s, after_s
        As in `event_average`.

    Returns
    -------
    DataArray
        Rate of a neuron in Hz, dimensions (animal, lag, group); a bin ends at its `lag`.
    """
    counts = recording.counts
    average = event_average(recording, times_s, animal, before_s, after_s, counts)
    rates: xr.DataArray = average / (counts["neurons"] * recording.interval_s)
    rates.attrs = {"units": "Hz", "long_name": "mean firing rate of a neuron"}
    return rates.rename("rate")


def spike_triggered(
    recording: Recording,
    neuron: int,
    animal: int,
    before_s: float,
    after_s: float,
    *,
    variable: str = "position_mm",
    relative: bool = True,
) -> xr.DataArray:
    """Return the course of a variable of behavior around each spike of a neuron, such as its trajectories.

    Parameters
    ----------
    recording : Recording
    neuron : int
        As `SpikeTable.neuron` counts them: `recording.neurons("KC")[3]`.
    animal : int
    before_s, after_s : float
        Whole numbers of control steps; spikes too near to the ends of the recording are left out.
    variable : str
        Of `behavior`.
    relative : bool
        Subtract the value at the spike, so that all trajectories meet at lag 0.

    Returns
    -------
    DataArray
        Dimensions (event, lag, …). The control step in which the spike falls ends at lag 0.

    Raises
    ------
    NotRecorded
        When the spikes of the neuron or the variable were not recorded.
    """
    population = next(
        (p.name for p in recording.layout.populations if p.start <= neuron < p.start + p.size), None
    )
    if population is None:
        raise RecordingError(f"there is no neuron {neuron}")
    spikes = recording.spikes(population, animal)
    step = spikes.step[spikes.neuron == neuron]
    # The control step of a spike ends at the next multiple; integers decide the step.
    ends_s = -(-step // recording.steps_per_control) * recording.interval_s
    data = recording.variable(variable)
    windows: xr.DataArray = recording.windows(ends_s, before_s, after_s, data, animal=animal, edges="drop")
    return windows - windows.sel(lag=0.0, method="nearest", drop=True) if relative else windows


def interval_rates(recording: Recording, intervals: pd.DataFrame) -> pd.DataFrame:
    """Return the mean firing rate of each group of neurons within intervals.

    Parameters
    ----------
    recording : Recording
    intervals : DataFrame
        `animal`, `start_step` and `stop_step`, such as `recording.trials()`.

    Returns
    -------
    DataFrame
        Hz, a column for each group, the rows of `intervals`; NaN for intervals without a control step.
    """
    import pandas as pd

    counts = recording.counts
    summed = np.zeros((recording.n_steps + 1, *counts.shape[1:]), np.int64)
    np.cumsum(counts.values, axis=0, out=summed[1:])
    animal, start, stop = (intervals[name].to_numpy() for name in ("animal", "start_step", "stop_step"))
    spikes = summed[stop, animal] - summed[start, animal]
    neuron_s = (stop - start)[:, None] * recording.interval_s * counts["neurons"].values
    rates = np.divide(spikes, neuron_s, out=np.full(spikes.shape, np.nan), where=neuron_s > 0)
    return pd.DataFrame(rates, columns=list(counts["group"].values), index=intervals.index)
