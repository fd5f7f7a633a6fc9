"""Compiled code of the spike sources: clocks that pass events, and spikes in their order.

The arrays are those of `sources.py`, one row for each channel of an animal. Nothing is drawn here: random
numbers are NumPy's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled

Array = NDArray[Any]


@compiled
def set_rates(rate_hz: Array, highest_hz: float, ticks_per_hz: float, increment: Array) -> int:
    """Convert rates into ticks a step, rounded; return the largest, or −1 if a rate is out of range."""
    largest = 0
    for row in range(len(increment)):
        rate = rate_hz[row]
        if not 0.0 <= rate <= highest_hz:  # NaN is not
            return -1
        increment[row] = int(np.rint(rate * ticks_per_hz))
        largest = max(largest, increment[row])
    return largest


@compiled
def short_rows(n_steps: int, increment: Array, events: Array, filled: Array, clock: Array) -> Array:
    """Return the channels with a clock that would reach the end of its list in a window."""
    rows, count = np.empty(len(increment), dtype=np.int64), 0
    for row in range(len(increment)):
        if events[row, filled[row] - 1] <= clock[row] + increment[row] * n_steps:
            rows[count] = row
            count += 1
    return rows[:count]


@compiled
def append(
    rows: Array, intervals: Array, unit: float, events: Array, filled: Array, begin: Array, clock: Array
) -> None:
    """Append events to some channels' lists, and begin their lists and clocks anew from the events to come.

    `intervals`, shape (rows, events), count `unit` ticks, and are at least one whole tick.
    """
    for i in range(len(rows)):
        row = rows[i]
        row_events, passed, now = events[row], begin[row], clock[row]
        waiting = filled[row] - passed
        for k in range(waiting):
            row_events[k] = row_events[passed + k] - now
        tick = row_events[waiting - 1]
        for k in range(intervals.shape[1]):
            tick += max(int(intervals[i, k] * unit), 1)
            row_events[waiting + k] = tick
        filled[row], begin[row], clock[row] = waiting + intervals.shape[1], 0, 0


@compiled
def pass_events(
    first_step: int,
    n_steps: int,
    channels: int,
    keep_coincident: bool,
    increment: Array,
    events: Array,
    filled: Array,
    begin: Array,
    clock: Array,
) -> tuple[Array, Array, Array]:
    """Advance the clocks by a window; return step, animal and channel of the events passed, so sorted."""
    rows = len(increment)
    when = np.empty(np.sum(filled - begin), dtype=np.int64)  # step in the window, row by row
    first = np.empty(rows + 1, dtype=np.int64)
    place = np.zeros(n_steps + 1, dtype=np.int64)  # first how many spikes, then where the next one goes
    count = 0
    for row in range(rows):
        first[row] = count
        row_events, index, now, before = events[row], begin[row], clock[row], -1
        reach, per_step = now + increment[row] * n_steps, float(increment[row])
        while row_events[index] <= reach:  # the last one of the list is not
            # Exact: these are integers below 2^53, so that no quotient is rounded to a whole number.
            step = math.ceil(float(row_events[index] - now) / per_step)
            if step != before or keep_coincident:
                when[count] = step
                place[step] += 1
                count += 1
            before = step
            index += 1
        begin[row], clock[row] = index, reach
    first[rows] = count

    total = 0
    for step in range(n_steps + 1):
        place[step], total = total, total + place[step]
    steps = np.empty(count, dtype=np.int64)
    animal, channel = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    for row in range(rows):
        for spike in range(first[row], first[row + 1]):
            step = when[spike]
            to = place[step]
            place[step] += 1
            steps[to] = first_step - 1 + step
            animal[to], channel[to] = row // channels, row % channels
    return steps, animal, channel


@compiled
def pass_window(
    rate_hz: Array,
    highest_hz: float,
    ticks_per_hz: float,
    longest: int,
    window: tuple[int, int, int, bool],
    increment: Array,
    events: Array,
    filled: Array,
    begin: Array,
    clock: Array,
) -> tuple[int, tuple[Array, Array, Array]]:
    """Set rates and advance the clocks by a window, if that needs no drawing; everything in one call.

    Parameters
    ----------
    rate_hz, highest_hz, ticks_per_hz
        As of `set_rates`.
    longest : int
        Operational time (ticks) that may be dealt with at once.
    window : (int, int, int, bool)
        First step, steps, channels of an animal, and `keep_coincident`, as of `pass_events`.

    Returns
    -------
    int
        Number of channels that a next window of this length would need to be drawn for; −1 if a rate is out
        of range, −2 if the window is too long or a channel has too few events, and nothing has passed.
    step, animal, channel : ndarray
        As of `pass_events`.
    """
    first_step, n_steps, channels, keep_coincident = window
    nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
    largest = set_rates(rate_hz, highest_hz, ticks_per_hz, increment)
    if largest < 0:
        return -1, nothing
    if largest > longest // n_steps:
        return -2, nothing
    waiting = 0
    for row in range(len(increment)):
        last, span = events[row, filled[row] - 1] - clock[row], increment[row] * n_steps
        if last <= span:
            return -2, nothing
        waiting += last <= 2 * span
    spikes = pass_events(
        first_step, n_steps, channels, keep_coincident, increment, events, filled, begin, clock
    )
    return waiting, spikes
