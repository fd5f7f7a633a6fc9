"""Compiled code of the spike sources: clocks that pass events, and spikes in their order.

The arrays are those of `sources.py`, one row for each channel of an animal. Nothing is drawn here: random
numbers are NumPy's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled, kernel
from ethospike.brains.simulator.window import Trains
from ethospike.brains.turns import next_in_turn

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


@kernel
def _find_ends(
    n_steps: int,
    channels: int,
    increment: Array,
    events: Array,
    filled: Array,
    begin: Array,
    clock: Array,
    end: Array,
    first: Array,
) -> int:
    """Find the events that a window passes; return how many channels a next window would need drawn.

    `end` is set to the first event of each channel that is not passed, `first`, shape (animals + 1,), to the
    number of passed events before each animal. If a channel has too few events, −2 is returned.
    """
    waiting, count = 0, 0
    for row in range(len(increment)):
        if row % channels == 0:
            first[row // channels] = count
        last, span = events[row, filled[row] - 1] - clock[row], increment[row] * n_steps
        if last <= span:
            return -2
        waiting += last <= 2 * span
        reach, index = clock[row] + span, begin[row]
        while events[row, index] <= reach:  # the last one of the list is not
            index += 1
        count += index - begin[row]
        end[row] = index
    first[len(first) - 1] = count
    return waiting


@kernel
def _fill(
    animal: int,
    window: tuple[int, int, int, bool],
    increment: Array,
    events: Array,
    begin: Array,
    clock: Array,
    end: Array,
    trains: Trains,
    when: Array,
    place: Array,
) -> None:
    """Advance the clocks of an animal by a window, and write its spikes, sorted by (step, channel).

    `when` and `place` are scratch: of at least as many entries as an animal has events, and of steps + 1.
    """
    first_step, n_steps, channels, keep_coincident = window
    start = animal * channels
    place[:] = 0
    count = 0
    for row in range(start, start + channels):
        now, per_step, before = clock[row], float(increment[row]), -1
        for index in range(begin[row], end[row]):
            # Exact: these are integers below 2^53, so that no quotient is rounded to a whole number.
            step = math.ceil(float(events[row, index] - now) / per_step)
            if step == before and not keep_coincident:
                step = -1
            else:
                place[step] += 1
                before = step
            when[count] = step
            count += 1
    total = trains.first[animal]
    for step in range(n_steps + 1):
        place[step], total = total, total + place[step]
    trains.last[animal] = total
    count = 0
    for row in range(start, start + channels):
        for _ in range(begin[row], end[row]):
            step = when[count]
            count += 1
            if step >= 0:
                to = place[step]
                place[step] += 1
                trains.step[to] = first_step - 1 + step
                trains.channel[to] = row - start
        begin[row] = end[row]
        clock[row] += increment[row] * n_steps


@compiled
def fill_animals(
    turn: Array,
    window: tuple[int, int, int, bool],
    increment: Array,
    events: Array,
    begin: Array,
    clock: Array,
    end: Array,
    trains: Trains,
) -> None:
    """Write the spikes of animals in turn, until all have theirs; each thread calls this."""
    most = 0
    for animal in range(len(trains.last)):
        most = max(most, trains.first[animal + 1] - trains.first[animal])
    when, place = np.empty(most, dtype=np.int64), np.empty(window[1] + 1, dtype=np.int64)
    while True:
        animal = next_in_turn(turn)
        if animal >= len(trains.last):
            break
        _fill(animal, window, increment, events, begin, clock, end, trains, when, place)


@compiled
def pass_window(
    rate_hz: Array,
    scale: tuple[float, float, int],
    window: tuple[int, int, int, bool],
    at_once: bool,
    increment: Array,
    events: Array,
    filled: Array,
    begin: Array,
    clock: Array,
    end: Array,
) -> tuple[int, Trains]:
    """Set rates, find the spikes of a window, and write them if wanted, all in one call.

    Parameters
    ----------
    rate_hz : ndarray, shape (animals · channels,)
    scale : (float, float, int)
        Highest rate (Hz), ticks a step for each Hz, and operational time (ticks) that may be dealt with in
        one window.
    window : (int, int, int, bool)
        First step, steps, channels of an animal, and whether several spikes in a step and channel are kept.
    at_once : bool
        Write the spikes and advance the clocks; otherwise `fill_animals` must be called.

    Returns
    -------
    int
        Number of channels that a next window of this length would need to be drawn for; −1 if a rate is out
        of range, −2 if the window is too long or a channel has too few events: nothing has passed then.
    Trains
    """
    highest_hz, ticks_per_hz, longest = scale
    n_steps, channels = window[1], window[2]
    animals = len(increment) // channels
    first, last = np.zeros(animals + 1, dtype=np.int64), np.zeros(animals, dtype=np.int64)
    waiting = set_rates(rate_hz, highest_hz, ticks_per_hz, increment)
    if waiting >= 0:
        waiting = -2 if waiting > longest // n_steps else 0
    if waiting == 0:
        waiting = _find_ends(n_steps, channels, increment, events, filled, begin, clock, end, first)
    room = first[animals] if waiting >= 0 else 0
    trains = Trains(np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int32), first, last)
    if waiting >= 0 and at_once:
        fill_animals(np.zeros(1, np.int64), window, increment, events, begin, clock, end, trains)
    return waiting, trains


@compiled
def joined(earlier: Trains, later: Trains) -> Trains:
    """Return the trains of two consecutive windows as those of a single window."""
    animals = len(earlier.last)
    first, last = np.empty(animals + 1, dtype=np.int64), np.empty(animals, dtype=np.int64)
    room = np.sum(earlier.last - earlier.first[:-1]) + np.sum(later.last - later.first[:-1])
    step, channel = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int32)
    count = 0
    for animal in range(animals):
        first[animal] = count
        for part in (earlier, later):
            for spike in range(part.first[animal], part.last[animal]):
                step[count], channel[count] = part.step[spike], part.channel[spike]
                count += 1
        last[animal] = count
    first[animals] = count
    return Trains(step, channel, first, last)
