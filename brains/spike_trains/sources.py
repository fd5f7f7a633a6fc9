"""Spike trains from outside: gamma renewal and Poisson processes with rates that may change every window.

Each channel lives in operational time: events are a renewal process of rate 1, and a step of `dt_ms` moves
the channel's clock on by `rate_hz * dt_ms / 1000` units. An event belongs to the step in which the clock
reaches it. The clock counts integer ticks, so the sum over a window is exact however the window is cut,
and trains are bit-identical for every control interval, simulator and number of animals.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.simulator.window import Trains
from ethospike.brains.threads import helpers, share
from ethospike.errors import BrainError
from ethospike.randomness import Role, generator_state, random_stream, set_generator_state
from ethospike.states import State, check_state

TICKS = 2**32
"""Ticks of one unit of operational time. At 0.1 ms steps, rates are resolved to 2.3e-6 Hz, and a clock that
starts again with every block of events never comes near the limits of an int64."""
BLOCK = 512
"""Events that a channel draws at a time: large enough for the cost of a call to vanish beside the draws."""
AHEAD_FROM = 16
"""Channels to draw for that are worth waking a thread: that takes as long as drawing for about four."""
_LONGEST = 384 * TICKS
"""Operational time that is dealt with at once; longer windows are cut. With a block of events drawn on top of
as many that wait, lists do not grow: 384 + 512 is below twice a block."""
_TOGETHER_FROM = 50
"""Animals from which several threads write the spikes: a tenth of a millisecond, a window of 100 ms."""


@functools.cache
def _kernels() -> Any:
    """Return the compiled code, loaded on demand; as an attribute it would prevent pickling."""
    from ethospike.brains.spike_trains import kernels

    return kernels


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
    ahead : bool
        Draw for the next window on a helping thread, while the caller simulates this one. The trains are
        the same; it saves time where the simulation frees the interpreter's lock.
    threads : int
        Most threads that write the trains of large groups, which are the same for any number.

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
        ahead: bool = False,
        threads: int = 1,
    ) -> None:
        if channels < 1 or animals < 1:
            raise BrainError(
                f"spike source: expected at least 1 channel and 1 animal, got {channels} and {animals}"
            )
        if not 0.1 <= shape <= 1e6:
            # Below 0.1 the intervals vary so much (CV above 3) that many are shorter than a tick.
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
        self._rngs = [random_stream(seed, a, Role.INPUT, c) for a in range(animals) for c in range(channels)]
        # Each channel's clock and its next events, in ticks of operational time: the one at `_begin` comes
        # next, the list ends before `_filled`, and at least one event is always to come.
        self._events = np.zeros((n, 2 * BLOCK), dtype=np.int64)
        self._filled = np.ones(n, dtype=np.int64)
        self._begin = np.zeros(n, dtype=np.int64)
        self._clock = np.zeros(n, dtype=np.int64)
        self._end = np.zeros(n, dtype=np.int64)  # while a window passes: the first event beyond it
        for row_events, rng in zip(self._events, self._rngs, strict=True):
            # Equilibrium: a uniform part of an interval that is drawn in proportion to its length.
            lag = rng.standard_gamma(shape + 1.0) / shape * rng.random()
            row_events[0] = max(1, int(lag * TICKS))
        self._drawn = np.empty((min(n, 32), BLOCK))  # small enough to stay in the cache
        self._ticks_per_hz = dt_ms / 1000 * TICKS
        self._highest_hz = 100 * 1000 / dt_ms
        self._ahead = ahead
        self._threads = threads
        self._drawing: Future[None] | None = None
        self._rate_hz = np.zeros(n)
        self._increment = np.zeros(n, dtype=np.int64)

    def window(
        self, first_step: int, n_steps: int, rate_hz: NDArray[np.floating]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Return the spikes of the steps first_step … first_step + n_steps − 1.

        Parameters and errors as of `trains`.

        Returns
        -------
        step, animal, channel : ndarray of int64, int32 and int32, shape (spikes,)
            Sorted by (step, animal, channel).
        """
        return self.trains(first_step, n_steps, rate_hz).by_step()

    def trains(self, first_step: int, n_steps: int, rate_hz: NDArray[np.floating]) -> Trains:
        """Return the spikes of the steps first_step … first_step + n_steps − 1 by animal.

        Parameters
        ----------
        first_step : int
            The step after the last window; the first is 1.
        n_steps : int
        rate_hz : ndarray, shape (animals, channels)
            Constant during the window.

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
        self._finish_drawing()
        rates = self._rates(rate_hz)
        waiting, trains = self._pass(rates, n_steps)
        if waiting < 0:
            at_once = self._set_rates(rates)
            trains = self._draw_and_pass(rates, min(at_once, n_steps))
            for done in range(at_once, n_steps, at_once):
                part = self._draw_and_pass(rates, min(at_once, n_steps - done))
                trains = _kernels().joined(trains, part)
            n_steps = min(n_steps, 2 * at_once)  # a block of events lasts no longer
        if self._ahead and not 0 <= waiting < AHEAD_FROM:
            short = self._short(n_steps)
            if len(short) >= AHEAD_FROM:
                self._drawing = helpers().submit(self._draw, short)
        return trains

    def state(self) -> State:
        """Return copies of all that the next window depends on, random generators included."""
        self._finish_drawing()
        return {
            "step": np.array(self.step),
            "events": self._events.copy(),
            "filled": self._filled.copy(),
            "begin": self._begin.copy(),
            "clock": self._clock.copy(),
            "generators": np.stack([generator_state(rng) for rng in self._rngs]),
        }

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of a source built alike.

        Raises
        ------
        BrainError
            When the state belongs to another number of trains, or is none of a source; then nothing is
            changed.
        """
        present = self.state()  # which waits until nothing is drawn any more
        events = np.asarray(state.get("events", present["events"]))
        if events.ndim == 2:
            present["events"] = np.empty((len(self._rngs), events.shape[1]), np.int64)  # lists grow on demand
        check_state(state, present)
        begin, filled = np.asarray(state["begin"], np.int64), np.asarray(state["filled"], np.int64)
        if not ((begin >= 0) & (begin < filled) & (filled <= events.shape[1])).all():
            raise BrainError("spike source: the state's lists end before their next event")
        self.step = int(state["step"])
        self._events = np.array(state["events"], dtype=np.int64)
        self._filled[:] = state["filled"]
        self._begin[:] = state["begin"]
        self._clock[:] = state["clock"]
        for rng, numbers in zip(self._rngs, state["generators"], strict=True):
            set_generator_state(rng, numbers)

    def __getstate__(self) -> dict[str, Any]:
        self._finish_drawing()  # a copy must not get lists that another thread is writing
        return self.__dict__.copy()

    def _rates(self, rate_hz: NDArray[np.floating]) -> NDArray[np.float64]:
        """Copy the rates into one row, of the type and layout that the compiled code was made for."""
        rate_hz = np.asarray(rate_hz)
        if rate_hz.shape != (self.animals, self.channels):
            raise BrainError(
                f"spike source: expected rates of shape ({self.animals}, {self.channels}), "
                f"got {rate_hz.shape}"
            )
        self._rate_hz[:] = rate_hz.ravel()
        return self._rate_hz

    def _set_rates(self, rate_hz: NDArray[np.float64]) -> int:
        """Convert rates into ticks a step; return how many steps may be dealt with at once."""
        largest = _kernels().set_rates(rate_hz, self._highest_hz, self._ticks_per_hz, self._increment)
        if largest < 0:
            raise BrainError(
                f"spike source: expected rates from 0 to {self._highest_hz:g} Hz (100 a step), got "
                f"{rate_hz.min()} … {rate_hz.max()}"
            )
        return int(_LONGEST // max(1, largest))

    def _pass(self, rates: NDArray[np.float64], n_steps: int) -> tuple[int, Trains]:
        """Pass a window if all its events are drawn; return the results of `kernels.pass_window`."""
        together = self._threads if self.animals >= _TOGETHER_FROM else 1
        scale = self._highest_hz, self._ticks_per_hz, _LONGEST
        window = self.step + 1, n_steps, self.channels, self.keep_coincident
        lists = self._increment, self._events, self._filled, self._begin, self._clock, self._end
        waiting, trains = _kernels().pass_window(rates, scale, window, together == 1, *lists)
        if waiting < 0:
            return waiting, trains
        if together > 1:
            increment, events, _, *others = lists
            work = np.zeros(1, np.int64), window, increment, events, *others, trains
            share(lambda: _kernels().fill_animals(*work), together)
        self.step += n_steps
        return waiting, trains

    def _draw_and_pass(self, rates: NDArray[np.float64], n_steps: int) -> Trains:
        """Draw the events of the next `n_steps` steps at the rates that are set, and return their spikes."""
        while len(short := self._short(n_steps)):
            self._draw(short)
        return self._pass(rates, n_steps)[1]

    def _short(self, n_steps: int) -> NDArray[np.int64]:
        """Return the channels with too few events for the next `n_steps` steps at the rates that are set."""
        rows: NDArray[np.int64] = _kernels().short_rows(
            n_steps, self._increment, self._events, self._filled, self._clock
        )
        return rows

    def _finish_drawing(self) -> None:
        """Wait until nothing is drawn ahead any more: only then are the lists this thread's own."""
        if self._drawing is not None:
            self._drawing.result()
            self._drawing = None

    def _draw(self, rows: NDArray[np.int64]) -> None:
        """Draw a block of events for some channels."""
        room = int((self._filled - self._begin).max()) + BLOCK
        if room > self._events.shape[1]:
            self._events = np.pad(self._events, ((0, 0), (0, room - self._events.shape[1])))
        for start in range(0, len(rows), len(self._drawn)):
            some = rows[start : start + len(self._drawn)]
            for row, intervals in zip(some.tolist(), self._drawn, strict=False):
                self._rngs[row].standard_gamma(self.shape, out=intervals)
            _kernels().append(some, self._drawn, TICKS / self.shape, *self._lists())

    def _lists(self) -> tuple[NDArray[np.int64], ...]:
        return self._events, self._filled, self._begin, self._clock


class PoissonSource(GammaSource):
    """Independent Poisson processes, one a channel.

    Spikes that fall into one step are kept, so that rates are right up to any height, as NEST's
    poisson_generator does it. Parameters as in `GammaSource`.
    """

    def __init__(
        self, channels: int, *, seed: int, animals: int = 1, dt_ms: float = 0.1, ahead: bool = False
    ) -> None:
        super().__init__(
            channels, 1.0, seed=seed, animals=animals, dt_ms=dt_ms, keep_coincident=True, ahead=ahead
        )
