"""Statistics of groups: the mean over animals, wirings or seeds with its interval, and the difference of two.

The functions take a number for each animal and return plain numbers, as `summary.json` and the validation
hold them. SciPy takes a second to import, so it is imported only when an interval is computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def interval(values: NDArray[np.floating]) -> dict[str, Any]:
    """Return mean and 95 % interval of the mean (Student's t) over animals.

    Parameters
    ----------
    values : ndarray of float, shape (animals,)
        In any unit; at least one.

    Returns
    -------
    dict
        `mean`, `low` and `high`, float in the unit of `values`, the ends None for a single animal;
        `animals`, the values as a list.
    """
    values = np.asarray(values, dtype=float)
    mean, half = float(values.mean()), float(half_width(values))
    low, high = (None, None) if np.isnan(half) else (mean - half, mean + half)
    return {"mean": mean, "low": low, "high": high, "animals": values.tolist()}


def half_width(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return half the 95 % interval of the mean (Student's t) over the last axis, NaN for a single value."""
    n = values.shape[-1]
    if n < 2:
        return np.full(values.shape[:-1], np.nan)
    from scipy import stats

    return np.asarray(stats.t.ppf(0.975, n - 1) * values.std(axis=-1, ddof=1) / np.sqrt(n))


def scaled(estimate: dict[str, float | None], factor: float) -> dict[str, float | None]:
    """Return a mean and its interval, if present, times a factor."""
    return {key: None if value is None else factor * value for key, value in estimate.items()}


def difference(a: dict[str, Any], b: dict[str, Any]) -> dict[str, float | None]:
    """Return the difference of two means, a − b, with its 95 % interval (Welch's t).

    Parameters
    ----------
    a, b : dict
        Results of `interval` in the same unit; of each, `animals` is used, at least two.

    Returns
    -------
    dict of str to float or None
        `mean`, `low` and `high` in that unit; the ends are None where no group varies.
    """
    from scipy import stats

    x, y = np.asarray(a["animals"]), np.asarray(b["animals"])
    mean = float(x.mean() - y.mean())
    # By hand, because SciPy warns of lost precision where a group does not vary.
    square_x, square_y = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    square = square_x + square_y
    if not square:
        return {"mean": mean, "low": None, "high": None}
    freedom = square**2 / (square_x**2 / (len(x) - 1) + square_y**2 / (len(y) - 1))
    half = float(stats.t.ppf(0.975, freedom) * np.sqrt(square))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the last axis without NaN, NaN where all values are NaN."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median over the last axis without NaN, NaN where all values are NaN."""
    count = np.isfinite(values).sum(axis=-1, keepdims=True)
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # NaN goes last
    middle = [
        np.take_along_axis(ordered, np.maximum(place, 0), axis=-1) for place in ((count - 1) // 2, count // 2)
    ]
    return np.asarray(np.where(count > 0, (middle[0] + middle[1]) / 2, np.nan)[..., 0])
