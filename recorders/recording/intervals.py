"""The table of intervals: trials, episodes, phases and whatever else a task reports, in one form.

Every interval has an animal, a kind, the control step with which it begins and the one after its last. Rows
that the task reported are stored in the group `intervals`; phases are the runs of equal `behavior/phase`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import seconds
from ethospike.recorders.format import INTERVAL_COLUMNS, PHASE
from ethospike.recorders.recorder import Variable

if TYPE_CHECKING:
    import pandas as pd

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
