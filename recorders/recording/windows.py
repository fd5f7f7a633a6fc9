"""Windows of recorded data around moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import RecordingError

if TYPE_CHECKING:
    import xarray as xr

Edges = Literal["raise", "drop", "nan"]
"""Treatment of windows that reach beyond the recording."""


def cut_windows(
    data: xr.Dataset | xr.DataArray,
    times_s: NDArray[np.float64],
    lags: range,
    interval_s: float,
    animal: NDArray[np.int64] | None,
    edges: Edges,
) -> Any:
    """Return data around moments; only the windows are read.

    Parameters
    ----------
    data : Dataset or DataArray
        With the dimension `time`.
    times_s : ndarray of float, shape (events,)
        Moments, each taken as the end of the control step nearest to it.
    lags : range
        Rows of a window relative to its moment.
    interval_s : float
        Time between two rows.
    animal : ndarray of int, shape (events,), or None
        The animal of each event, or None for all animals.
    edges : {"raise", "drop", "nan"}

    Returns
    -------
    Dataset or DataArray
        Dimensions (event, lag, …), without `animal` where each event has one.

    Raises
    ------
    RecordingError
        When `edges` is "raise" and a window reaches beyond the recording, or is unknown.
    """
    import xarray as xr

    n = data.sizes["time"]
    rows = np.rint(times_s / interval_s).astype(np.int64) - 1
    whole = (rows + lags[0] >= 0) & (rows + lags[-1] < n)
    _check_edges(times_s[~whole], lags, interval_s, n, edges)
    events = np.flatnonzero(whole) if edges == "drop" else np.arange(len(rows))
    row = rows[events, None] + np.array(lags)
    inside = (row >= 0) & (row < n)
    read, place = np.unique(np.clip(row, 0, max(0, n - 1)), return_inverse=True)
    indexers = {"time": xr.DataArray(place.reshape(row.shape), dims=("event", "lag"))}
    if animal is not None:
        indexers["animal"] = xr.DataArray(animal[events], dims="event")
    cut: Any = data.isel(time=read).load()
    cut = cut.isel(indexers).drop_vars("time")
    if not inside.all():
        cut = cut.where(xr.DataArray(inside, dims=("event", "lag")))
    cut = cut.transpose("event", "lag", ...)
    # Rounded to a nanosecond, so that a lag is the decimal number that a user writes.
    lag_s = xr.DataArray(
        np.round(np.array(lags) * interval_s, 9),
        dims="lag",
        attrs={"units": "s", "long_name": "time from the event"},
    )
    cut = cut.assign_coords(lag=lag_s, event=events, event_time=("event", times_s[events]))
    return cut if animal is None else cut.assign_coords(animal=("event", animal[events]))


def _check_edges(beyond_s: NDArray[np.float64], lags: range, interval_s: float, n: int, edges: Edges) -> None:
    """Raise unless windows around these moments, which reach beyond the recording, are allowed."""
    if edges not in get_args(Edges):
        raise RecordingError(f"edges: expected one of {', '.join(get_args(Edges))}, got {edges!r}")
    if len(beyond_s) and (edges == "raise" or (edges == "nan" and not n)):
        raise RecordingError(
            f"the window {lags[0] * interval_s:g} … {lags[-1] * interval_s:g} s around {beyond_s[0]:g} s "
            f"reaches beyond the recording, which holds {interval_s:g} … {n * interval_s:g} s; "
            f"edges='drop' leaves such windows out, edges='nan' fills them up"
        )
