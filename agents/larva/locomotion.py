"""The locomotion of a larva: strides and pauses, and a lateral oscillator that turns the head.

The olfactory drive, one number an animal, becomes crawling speed and turner output, averaged over the control
interval.

The model is larvaworld's locomotor with a phasic crawl-bend interference and a neural turner (Sakagiannis
et al.; github.com/nawrotlab/larvaworld 2.4.0: crawler.py, turner.py, crawl_bend_interference.py,
intermitter.py). The preset `larvaworld` has the numbers of its navigator; the defaults are fitted to tracks
of real larvae (docs/validation.md), which the navigator out-turns seven times. As in larvaworld since
November 2024, crawling reduces the torque of the turner (until March 2023 the angular velocity of the body).
Four things differ: time advances in the body's inner steps of 10 ms instead of 100 ms, whatever the control
interval, so that animals under coarse and under fine control are the same (larvaworld's Euler step equals the
turner's time constant; finer steps make its turns some 15 % larger); noise reaches the turner
(`LocomotionConfig.turner_noise`); runs have N strides, as in February 2023, not N + 1; and pauses end when
they are over, not at the next step of 100 ms. The turner itself is in `turner.py`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import whole_number
from ethospike.envs.odor_arena import BODY_LENGTH_MM, INNER_STEP_MS, MAX_SPEED_MM_S, MAX_TURNER
from ethospike.errors import AgentError
from ethospike.randomness import Role, generator_state, random_stream, set_generator_state
from ethospike.shown import Shown
from ethospike.states import State, check_state

MAX_STRIDES = 142
"""Longest run in strides (larvaworld: fitted range of run_count)."""
PAUSE_RANGE_S = (0.12, 15.94)
"""Shortest and longest pause (larvaworld: fitted range of pause_dur)."""

_DT_S = INNER_STEP_MS / 1000
_TURN = 2 * math.pi
_BURN_IN = 1000
"""Inner steps (10 s) before time 0, so that runs, pauses and turners of a group are in no common phase."""
_AHEAD = 250
"""Inner steps (2.5 s) for which all that does not depend on the senses, crawling and noise, is drawn at a
time: one short loop over animals in 2.5 s, and crawling that no control interval can change."""


@dataclass(frozen=True)
class LocomotionConfig(Shown):
    """Numbers of the crawler, the turner and the pauses.

    Those that are marked as fitted were found by a search (Optuna's TPE, then the best of four sets that were
    varied by hand, rounded) for a larva with the speed, angular velocity, bend, straightness, displacement
    and curvature of 38 tracked larvae (`scenarios.odor.crawling_measures.TRACKED`). The numbers in brackets
    are those of larvaworld, which `PRESETS` has; all others are larvaworld's too.

    Raises
    ------
    AgentError
        When a number is not finite or out of range, or the drives are not in the order low, base, high.

    Examples
    --------
    >>> LocomotionConfig(stride_hz=1.0).pause_rate_hz
    2.0
    """

    stride_hz: float = 1.45
    """Strides a second during a run: the peak of the spectrum of the tracked larvae's speed (1.42)."""
    stride_mean: float = 0.245
    """Mean length of a stride in body lengths; fitted (0.23)."""
    stride_sd: float = 0.04
    """Standard deviation of the length of a stride in body lengths; below 0 it counts as 0."""
    speed_modulation: float = 0.51
    """Amplitude of the change of speed within a stride, relative to its mean."""
    speed_phase_rad: float = 3.49
    """Phase of the stride at which the speed is highest (rad)."""
    strides_mu: float = 1.39115
    """Location of the lognormal number of strides in a run (natural logarithm)."""
    strides_sigma: float = 1.14667
    """Scale of the lognormal number of strides in a run; the number lies in 1 … 142."""
    pause_rate_hz: float = 2.0
    """Rate of the exponential duration of a pause (1/s), which lies in 0.12 … 15.94 s; fitted (1.01503)."""
    base_drive: float = 28.0
    """Input to the turner without odor, in its own units; fitted (20). Above 33 it does not swing."""
    low_drive: float = 10.0
    """Input to the turner at olfactory drive −1: slow, wide turns."""
    high_drive: float = 40.0
    """Input to the turner at olfactory drive +1: turning dies down, the animal keeps its course."""
    turner_noise: float = 5.0
    """Standard deviation of noise on the drive, up on one side when down on the other; fitted (0; 0.5 in the
    preset). Without any, both sides become equal to the last bit while turning is suppressed, and the larva
    then runs straight on for up to a minute after the odor is gone."""
    turner_noise_s: float = 6.5
    """Correlation time of this noise (s); 0 draws it anew every 10 ms. Fitted: slow noise bends the body to
    one side for seconds, as real larvae do between stretches that are nearly straight. The oscillator alone
    swings to both sides all the time and cannot have their bend and their angular velocity at once."""
    turner_scale: float = 0.5
    """Share of the turner's output that reaches the body in a pause; in a run, it multiplies the share that
    crawling lets through. Fitted (1)."""
    suppression_floor: float = 0.05
    """Share of the turner's output that reaches the body at any phase of a stride; fitted (0.1)."""
    suppression_relief: float = 0.33
    """Share that is added at the phase of least suppression; fitted (0.6)."""
    relief_phase_rad: float = 3.4
    """Phase of least suppression (rad); around it, relief falls off as a Gaussian of sd 1 rad."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            where = f"LocomotionConfig.{entry.name}"
            if not math.isfinite(value):
                raise AgentError(f"{where}: expected a finite number, got {value}")
            if value < 0 and entry.name != "strides_mu":
                raise AgentError(f"{where}: expected at least 0, got {value}")
        for name in ("stride_hz", "strides_sigma", "pause_rate_hz"):
            if getattr(self, name) == 0:
                raise AgentError(f"LocomotionConfig.{name}: expected above 0, got 0")
        if not self.low_drive <= self.base_drive <= self.high_drive:
            raise AgentError(
                "LocomotionConfig: expected low_drive ≤ base_drive ≤ high_drive, got "
                f"{self.low_drive}, {self.base_drive}, {self.high_drive}"
            )


PRESETS = {
    "larvaworld": LocomotionConfig(
        stride_hz=1.42,
        stride_mean=0.23,
        pause_rate_hz=1.01503,
        base_drive=20.0,
        turner_noise=0.5,
        turner_noise_s=0.0,
        turner_scale=1.0,
        suppression_floor=0.1,
        suppression_relief=0.6,
    )
}
"""Sets of numbers by name: those of larvaworld's navigator, with a noise of 2.5 % of the drive, which brings
turning back 2 to 4 s after it was suppressed."""


@functools.cache
def _turner() -> Any:
    """Return the compiled turner, loaded on demand; as an attribute it would prevent pickling."""
    from ethospike.agents.larva import turner

    return turner


class Locomotion:
    """Crawlers, turners and pauses of a group of larvae that do not interact.

    Parameters
    ----------
    config : LocomotionConfig
    animals : int
    control_interval_ms : float
        A whole number of inner steps of 10 ms.
    seed : int
        With the number of the animal it keys the random streams.

    Raises
    ------
    AgentError
        When the control interval is not a whole number of inner steps.

    Examples
    --------
    >>> larva = Locomotion(LocomotionConfig(), animals=1, control_interval_ms=100.0, seed=1)
    >>> speed_mm_s, turner = larva.move(np.zeros(1))
    >>> speed_mm_s.shape
    (1,)
    """

    def __init__(
        self, config: LocomotionConfig, *, animals: int, control_interval_ms: float, seed: int
    ) -> None:
        inner = whole_number(control_interval_ms, INNER_STEP_MS)
        if inner is None:
            raise AgentError(
                f"a control interval of {control_interval_ms} ms is not a whole number of the body's inner "
                f"steps of {INNER_STEP_MS} ms"
            )
        self.config = config
        self.animals = animals
        self._inner_steps = inner
        self._drives = float(config.low_drive), float(config.base_drive), float(config.high_drive)
        self._running_step = _TURN * config.stride_hz * _DT_S
        self._run_cdf = _run_length_cdf(config)
        self._rngs = [random_stream(seed, a, Role.LOCOMOTION, 0) for a in range(animals)]
        self._noise_rngs = [random_stream(seed, a, Role.LOCOMOTION, 1) for a in range(animals)]

        start = np.stack([rng.random(6) for rng in self._rngs], axis=-1)
        # Rates of the populations, (E or C, left or right, animal), and the adaptation of each side.
        self._rate = 30.0 * start[:4].reshape(2, 2, animals)
        self._adaptation = 20.0 * start[4:]
        # Crawling, in the present bout (a stride or a pause): phase at its beginning and what an inner step
        # adds to it (0 in a pause), mean speed of the stride (mm/s), strides left in the run (0 in a
        # pause), inner steps that are past and that are to come.
        self._phase = np.zeros(animals)
        self._phase_step = np.zeros(animals)
        self._stride_speed = np.zeros(animals)
        self._strides_left = np.zeros(animals, dtype=np.int64)
        self._elapsed = np.zeros(animals, dtype=np.int64)
        self._countdown = np.ones(animals, dtype=np.int64)
        self._slow_noise = np.zeros(animals)
        self._noise_kept = math.exp(-_DT_S / config.turner_noise_s) if config.turner_noise_s else 0.0
        # What was drawn ahead, one row an inner step: speed, the share of the turner's output that
        # crawling lets through, and noise. `_used` rows of it are past.
        self._speed = np.zeros((_AHEAD, animals))
        self._share = np.zeros((_AHEAD, animals))
        self._noise = np.zeros((_AHEAD, 2, animals))
        self._used = _AHEAD
        for _ in range(_BURN_IN // _AHEAD):
            self._draw_ahead()
            self._move(np.zeros(animals), _AHEAD)

    def move(self, olfactory_drive: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Move for one control interval.

        Parameters
        ----------
        olfactory_drive : ndarray, shape (animals,)
            In [-1, 1]: positive suppresses turning (things get better), negative enhances it.

        Returns
        -------
        speed_mm_s, turner : ndarray, shape (animals,)
            Crawling speed (mm/s), and the turner's output after suppression by crawling, positive to the
            left, in the units of `MAX_TURNER`; means over the control interval.
        """
        n_steps = self._inner_steps
        if n_steps <= _AHEAD - self._used:
            return self._move(olfactory_drive, n_steps)
        speed, turner = np.zeros(self.animals), np.zeros(self.animals)
        left = n_steps
        while left:
            if self._used == _AHEAD:
                self._draw_ahead()
            span = min(left, _AHEAD - self._used)
            part_speed, part_turner = self._move(olfactory_drive, span)
            speed += part_speed * (span / n_steps)
            turner += part_turner * (span / n_steps)
            left -= span
        return speed, turner

    def action(self, olfactory_drive: NDArray[np.float64]) -> NDArray[np.float32]:
        """Move for one control interval; return the arena's action, shape (animals, 2), in [-1, 1]."""
        speed_mm_s, turner = self.move(olfactory_drive)
        action = np.empty((self.animals, 2), dtype=np.float32)
        _turner().as_action(speed_mm_s, turner, 1.0 / MAX_SPEED_MM_S, 1.0 / MAX_TURNER, action)
        return action

    def state(self) -> State:
        """Return copies of all that the next movement depends on, random generators included."""
        generators = [*self._rngs, *self._noise_rngs]
        return {
            **{name: array.copy() for name, array in self._arrays().items()},
            "used": np.array(self._used),
            "generators": np.stack([generator_state(rng) for rng in generators]),
        }

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of a group of the same size.

        Raises
        ------
        AgentError
            When an entry is missing, unknown, or of another shape; nothing has changed then.
        """
        check_state(state, self.state())
        for name, array in self._arrays().items():
            array[...] = state[name]
        self._used = int(state["used"])
        for rng, numbers in zip([*self._rngs, *self._noise_rngs], state["generators"], strict=True):
            set_generator_state(rng, numbers)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {
            "rate": self._rate,
            "adaptation": self._adaptation,
            "speed": self._speed,
            "share": self._share,
            "noise": self._noise,
            "phase": self._phase,
            "phase_step": self._phase_step,
            "stride_speed": self._stride_speed,
            "strides_left": self._strides_left,
            "elapsed": self._elapsed,
            "countdown": self._countdown,
            "slow_noise": self._slow_noise,
        }

    def _move(
        self, olfactory_drive: NDArray[np.float64], n_steps: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Move for inner steps that were drawn ahead; return mean speed and turner output."""
        speed, turner = np.empty(self.animals), np.empty(self.animals)
        drawn, rows = (self._speed, self._share, self._noise), (self._used, n_steps)
        self._used += n_steps
        state = self._rate, self._adaptation
        _turner().advance(olfactory_drive, self._drives, _DT_S, rows, *drawn, *state, speed, turner)
        return speed, turner

    def _draw_ahead(self) -> None:
        """Draw the next block of crawling and noise."""
        c = self.config
        phase, stride_speed, running = self._crawl(_AHEAD)
        # Within a stride the speed follows v / L = f · d · (1 + 0.51 cos(φ − 3.49)).
        self._speed[:] = stride_speed * (1.0 + c.speed_modulation * np.cos(phase - c.speed_phase_rad))
        # A crawling animal turns less: output × min(1, 0.1 + 0.6 exp(−(φ − 3.4)² / 2)).
        relief = c.suppression_relief * np.exp(-0.5 * (phase - c.relief_phase_rad) ** 2)
        self._share[:] = np.where(running, np.minimum(c.suppression_floor + relief, 1.0), 1.0)
        self._share *= c.turner_scale
        white = np.stack([rng.standard_normal(_AHEAD) for rng in self._noise_rngs], axis=1)
        left, right = self._noise[:, 0], self._noise[:, 1]
        kept = self._noise_kept
        _turner().correlate(white, c.turner_noise, kept, self._slow_noise, left, right)
        self._used = 0

    def _crawl(self, n_steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Return phase, mean stride speed (mm/s) and a mask of running animals, shapes (n_steps, animals)."""
        phase = np.empty((n_steps, self.animals))
        stride_speed = np.empty((n_steps, self.animals))
        running = np.empty((n_steps, self.animals), dtype=bool)
        done = 0
        while done < n_steps:
            # Up to the next end of a bout nothing happens but the passing of phase.
            span = min(n_steps - done, int(self._countdown.min()))
            rows = slice(done, done + span)
            # Counted from the bout's beginning: sums in pieces would round as other animals' bouts end.
            elapsed = self._elapsed + np.arange(1.0, span + 1)[:, None]
            phase[rows] = self._phase + elapsed * self._phase_step
            stride_speed[rows] = self._stride_speed
            running[rows] = self._strides_left
            done += span
            self._elapsed += span
            self._countdown -= span
            for animal in (self._countdown == 0).nonzero()[0]:
                self._phase[animal] = phase[done - 1, animal]
                self._elapsed[animal] = 0
                self._end_bout(animal)
                phase[done - 1, animal] = self._phase[animal]
        return phase, stride_speed, running

    def _end_bout(self, animal: int) -> None:
        """End the stride or the pause of an animal and begin the next one."""
        c, rng = self.config, self._rngs[animal]
        if self._strides_left[animal] > 0:
            self._phase[animal] -= _TURN
            self._strides_left[animal] -= 1
            if self._strides_left[animal] == 0:
                shortest, longest = (math.exp(-c.pause_rate_hz * bound) for bound in PAUSE_RANGE_S)
                pause_s = -math.log(shortest - rng.random() * (shortest - longest)) / c.pause_rate_hz
                self._countdown[animal] = max(1, round(pause_s / _DT_S))
                self._phase_step[animal] = self._stride_speed[animal] = 0.0
                return
        else:
            self._strides_left[animal] = self._run_cdf.searchsorted(rng.random(), side="right") + 1
        stride = max(0.0, rng.normal(c.stride_mean, c.stride_sd))
        self._stride_speed[animal] = c.stride_hz * stride * BODY_LENGTH_MM
        self._phase_step[animal] = self._running_step
        self._countdown[animal] = max(1, math.ceil((_TURN - self._phase[animal]) / self._running_step))


def _run_length_cdf(config: LocomotionConfig) -> NDArray[np.float64]:
    """Return the cumulative probabilities of 1 … 142 strides: larvaworld takes the density at integers."""
    strides = np.arange(1, MAX_STRIDES + 1)
    z = (np.log(strides) - config.strides_mu) / config.strides_sigma
    density = np.exp(-0.5 * z * z) / strides
    cdf: NDArray[np.float64] = np.cumsum(density) / density.sum()
    return cdf
