"""Recordings of format 1 (ethospike 0.1): their table of events, as a table of intervals.

Format 1 had a group `events` with columns that the first row brought. The one task that reported any was the
delayed reach, with the times of its trials in milliseconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.recorders.format import TRIAL
from ethospike.recorders.recorder import Layout, Variable

EVENT = "event"
"""Kind of rows that are no trials: each holds the control step in which it was reported."""
_START, _END = "trial_start_ms", "end_ms"


def intervals_of_events(layout: Layout, columns: Mapping[str, Variable]) -> Layout:
    """Return the layout of a recording of format 1 with its events described as intervals."""
    is_trial = {_START, _END} <= columns.keys()
    hidden = {"animal", *((_START, _END) if is_trial else ())}
    kept = {name: column for name, column in columns.items() if name not in hidden}
    # The delayed reach notes the phase at the end of a control step.
    return dataclasses.replace(
        layout, intervals={TRIAL if is_trial else EVENT: kept}, phase_at_end=is_trial or layout.phase_at_end
    )


def events_as_columns(
    columns: Mapping[str, NDArray[Any]], control_interval_ms: float
) -> dict[str, NDArray[Any]]:
    """Return the rows of `events` with `start_step` and `stop_step`."""
    if _START in columns and _END in columns:
        start, stop = (np.rint(columns[name] / control_interval_ms) for name in (_START, _END))
    else:
        start, stop = columns["control_step"], columns["control_step"] + 1
    return {**columns, "start_step": start.astype(np.int64), "stop_step": stop.astype(np.int64)}
