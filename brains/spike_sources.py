"""Spike trains from outside: gamma renewal and Poisson processes whose rates may change every window.

In: a rate for each animal and channel, one window at a time. Out: the spikes of that window, sorted. This
file knows neither what the channels mean nor who receives the spikes.

Each channel lives in operational time: events are a renewal process of rate 1, and a step of `dt_ms` moves
the channel's clock on by `rate_hz * dt_ms / 1000` units. An event belongs to the step in which the clock
reaches it. The clock counts integer ticks, so the sum over a window is exact however the window is cut,
and trains are bit-identical for every control interval, simulator and number of animals.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import ROLE_INPUT, BrainError, random_stream
from ethospike.brains.simulator import State

TICKS = 2**32
"""Ticks of one unit of operational time. At 0.1 ms steps, rates are resolved to 2.3e-6 Hz, and a clock that
starts again with every block of events never comes near the limits of an int64."""
BLOCK = 512
"""Events that a channel draws at a time: large enough for the cost of a call to vanish beside the draws."""
_SPAN = 2**43
"""Ticks between the origins of two channels in the joint, sorted list of events: 2048 units. A block of 512
intervals after a lag of at most `_LONGEST` needs 768 units on average, with an sd of 72 at shape 0.1."""
_LONGEST = 256 * TICKS
"""Operational time that is dealt with at once; longer windows are cut."""

Trains = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]
"""Step, animal and channel of each spike, sorted in this order of importance."""


class GammaSource:
    """Gamma renewal processes, one a channel, each with its own random stream.

    The process is in equilibrium from the first step on (the first event is a forward recurrence time):
    stationary, and without the volley that ordinary renewal processes fire together at their start.

    Spikes of a channel that fall into one step are merged, as in the published receptor input (Jürgensen
    et al. 2024, authors' code: times rounded to 0.1 ms, duplicates removed). At shape 3 and 3 kHz, the
    highest published rate, this removes 1.8 % of the spikes; at 1 kHz 0.1 %.

    Parameters
    ----------
    channels : int
        Channels of one animal.
    shape : float
        Of the gamma distribution of intervals; their coefficient of variation is 1/√shape.
    seed : int
        With the number of animal and channel it keys the stream: animal 3 of 5 is animal 3 of 8.
    animals : int
    dt_ms : float
        Length of a step.
    keep_coincident : bool
        Return spikes of one step and channel as often as they occur instead of merging them.

    Examples
    --------
    >>> source = GammaSource(2, shape=3.0, seed=1)
    >>> step, animal, channel = source.window(1, 10_000, np.array([[100.0, 0.0]]))
    >>> 80 < len(step) < 120 and set(channel.tolist()) == {0}
    True
    """

    def __init__(
        self,
        channels: int,
        shape: float,
        *,
        seed: int,
        animals: int = 1,
        dt_ms: float = 0.1,
        keep_coincident: bool = False,
    ) -> None:
        if channels < 1 or animals < 1:
            raise BrainError(
                f"spike source: expected at least 1 channel and 1 animal, got {channels} and {animals}"
            )
        if not 0.1 <= shape <= 1e6:
            # Below 0.1 the intervals vary so much (CV above 3) that a block might outgrow `_SPAN`.
            raise BrainError(f"spike source: expected a shape between 0.1 and 1e6, got {shape}")
        if not (np.isfinite(dt_ms) and dt_ms > 0):
            raise BrainError(f"spike source: expected dt_ms above 0, got {dt_ms}")
        self.channels = channels
        self.animals = animals
        self.shape = shape
        self.dt_ms = dt_ms
        self.keep_coincident = keep_coincident
        self.step = 0
        n = animals * channels
        self._rngs = [random_stream(seed, a, ROLE_INPUT, c) for a in range(animals) for c in range(channels)]
        self._rows = np.arange(n)
        self._origin = self._rows * _SPAN
        self._last_tick = self._origin + (_SPAN - 1)
        self._end_of_row = (self._rows + 1) * BLOCK
        # The list of all events, by channel and time; `_next` is each channel's next one in it, and
        # `_clock` its operational time. Both lists are absolute: they contain the channel's origin.
        self._events = np.empty(n * BLOCK, dtype=np.int64)
        self._next = self._rows * BLOCK
        self._clock = self._origin.copy()
        for row, rng in enumerate(self._rngs):
            # Equilibrium: a uniform part of an interval that is drawn in proportion to its length.
            lag = rng.standard_gamma(shape + 1.0) / shape * rng.random()
            self._refill(row, lag_ticks=0)
            block = self._events[row * BLOCK : (row + 1) * BLOCK]
            block += max(1, int(lag * TICKS)) - (block[0] - self._origin[row])
        self._ticks_per_hz = dt_ms / 1000 * TICKS
        self._highest_hz = 100 * 1000 / dt_ms
        self._increment = np.zeros(n, dtype=np.int64)

    def window(self, first_step: int, n_steps: int, rate_hz: NDArray[np.floating]) -> Trains:
        """Return the spikes of the steps first_step … first_step + n_steps − 1.

        Parameters
        ----------
        first_step : int
            The step after the last window; the first is 1.
        n_steps : int
        rate_hz : ndarray, shape (animals, channels)
            Constant during the window.

        Returns
        -------
        step, animal, channel : ndarray of int64, int32 and int32, shape (spikes,)
            Sorted by (step, animal, channel).

        Raises
        ------
        BrainError
            When windows do not follow each other, or a rate is negative or not finite.
        """
        if first_step != self.step + 1:
            raise BrainError(
                f"spike source: expected a window from step {self.step + 1}, got one from {first_step}"
            )
        if n_steps < 1:
            raise BrainError(f"spike source: expected at least 1 step, got {n_steps}")
        at_once = self._set_rate(np.asarray(rate_hz, dtype=np.float64))
        if n_steps <= at_once:
            return self._window(n_steps)
        parts = [self._window(min(at_once, n_steps - done)) for done in range(0, n_steps, at_once)]
        step, animal, channel = (np.concatenate(column) for column in zip(*parts, strict=True))
        return step, animal, channel

    def state(self) -> State:
        """Return copies of all that the next window depends on, random generators included."""
        return {
            "step": np.array(self.step),
            "events": self._events.copy(),
            "next": self._next.copy(),
            "clock": self._clock.copy(),
            "generators": np.stack([generator_state(rng) for rng in self._rngs]),
        }

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of a source built alike."""
        if state["events"].shape != self._events.shape:
            raise BrainError(
                f"spike source: the state belongs to {len(state['clock'])} trains, not {len(self._rows)}"
            )
        self.step = int(state["step"])
        self._events[:] = state["events"]
        self._next[:] = state["next"]
        self._clock[:] = state["clock"]
        for rng, numbers in zip(self._rngs, state["generators"], strict=True):
            set_generator_state(rng, numbers)

    def _set_rate(self, rate_hz: NDArray[np.float64]) -> int:
        """Convert rates into ticks a step; return how many steps may be dealt with at once."""
        if rate_hz.shape != (self.animals, self.channels):
            raise BrainError(
                f"spike source: expected rates of shape ({self.animals}, {self.channels}), "
                f"got {rate_hz.shape}"
            )
        flat = rate_hz.ravel()
        lowest, highest = np.minimum.reduce(flat), np.maximum.reduce(flat)
        if not 0.0 <= lowest <= highest <= self._highest_hz:
            raise BrainError(
                f"spike source: expected rates from 0 to {self._highest_hz:g} Hz (100 a step), got "
                f"{lowest} … {highest}"
            )
        ticks = flat * self._ticks_per_hz
        self._increment = np.rint(ticks, out=ticks).astype(np.int64)
        return int(_LONGEST // max(1.0, highest * self._ticks_per_hz))

    def _window(self, n_steps: int) -> Trains:
        """Return the spikes of the next `n_steps` steps at the rates that are set."""
        advance = self._increment * n_steps
        key = self._take(advance)
        while len(exhausted := (self._next == self._end_of_row).nonzero()[0]):
            # Only here do channels differ in cost: a few of them draw their next block.
            for row in exhausted:
                self._refill(row, lag_ticks=int(self._events[self._next[row] - 1] - self._clock[row]))
            key = np.concatenate((key, self._take(advance)))
        self._clock += advance
        first_step, self.step = self.step + 1, self.step + n_steps

        key.sort()
        if not self.keep_coincident and len(key) > 1:
            again = key[1:] == key[:-1]
            if np.logical_or.reduce(again):
                key = key[np.concatenate(([True], ~again))]
        n = len(self._rows)
        step = key // n
        row = (key - step * n).astype(np.int32)
        step += first_step - 1
        if self.animals == 1:
            return step, np.zeros(len(row), dtype=np.int32), row
        animal = row // np.int32(self.channels)
        return step, animal, row - animal * np.int32(self.channels)

    def _take(self, advance: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take the listed events that the clocks pass; return step in the window × channels + channel."""
        reach = np.minimum(self._clock + advance, self._last_tick)
        end = self._events.searchsorted(reach, side="right")
        count = end - self._next
        rows = self._rows.repeat(count)
        index = (end - count.cumsum()).repeat(count)
        index += np.arange(len(rows))
        self._next = end
        step = self._clock[rows]
        step -= self._events[index]
        step //= self._increment[rows]
        # Rounded down and negative: the first step in which the clock has reached the event.
        step *= -len(self._rows)
        step += rows
        return step

    def _refill(self, row: int, lag_ticks: int) -> None:
        """Draw a channel's next block, after an event `lag_ticks` ahead of its clock; restart the clock."""
        intervals = self._rngs[row].standard_gamma(self.shape, BLOCK)
        intervals *= TICKS / self.shape
        ticks = np.maximum(intervals.astype(np.int64), 1)
        ticks[0] += lag_ticks
        ticks.cumsum(out=ticks)
        ticks += self._origin[row]
        self._events[row * BLOCK : (row + 1) * BLOCK] = ticks
        self._next[row] = row * BLOCK
        self._clock[row] = self._origin[row]


class PoissonSource(GammaSource):
    """Independent Poisson processes, one a channel.

    Spikes that fall into one step are kept, so that rates are right up to any height, as NEST's
    poisson_generator does it. Parameters as in `GammaSource`.
    """

    def __init__(self, channels: int, *, seed: int, animals: int = 1, dt_ms: float = 0.1) -> None:
        super().__init__(channels, 1.0, seed=seed, animals=animals, dt_ms=dt_ms, keep_coincident=True)


def generator_state(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Return the state of a PCG64 generator as numbers, shape (6,), for a `state()`."""
    inner = rng.bit_generator.state
    words = (inner["state"]["state"], inner["state"]["inc"])
    halves = [half for word in words for half in (word >> 64, word & (2**64 - 1))]
    return np.array([*halves, inner["has_uint32"], inner["uinteger"]], dtype=np.uint64)


def set_generator_state(rng: np.random.Generator, numbers: NDArray[np.generic]) -> None:
    """Put a PCG64 generator into a state that `generator_state` returned."""
    high, low, inc_high, inc_low, has_uint32, uinteger = (int(number) for number in numbers)
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
