"""The turner: a lateral oscillator that swings the head from side to side, in compiled code.

Random numbers, runs and pauses are those of `locomotion.py`.

The model is larvaworld's NeuralOscillator (Sakagiannis et al.; github.com/nawrotlab/larvaworld 2.4.0:
turner.py). On each side there are an excitatory (E) and an inhibitory (C) population; larvaworld adapts both
by the same equation, so one variable a side serves both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled, kernel

TAU_S = 0.1
FROM_EXCITED = (3.0, 0.1)
"""Weights w_ee and w_ce, from E of the same side onto E and C."""
FROM_INHIBITED = -4.0
"""Weights w_ec and w_cc, from C of the other side onto E and C."""
MAX_RATE = 100.0
HALF_RATE_INPUT = 64.0
ADAPTATION_GAIN, ADAPTATION_PER_DRIVE2 = 6.0, 0.09**2
"""Adaptation shifts the input of half the maximal rate by (6 + (0.09 I)²) times itself; I is the drive."""
TAU_ADAPTATION_S, ADAPTATION_SPEED_PER_DRIVE2 = 3.0, 0.04**2
"""Time constant of adaptation: 3 s / (1 + (0.04 I)²)."""

_Floats = NDArray[Any]


@compiled
def correlate(noise: _Floats, sd: float, keep: float, last: _Floats, left: _Floats, right: _Floats) -> None:
    """Turn white noise into the slow noise of the turner: x ← keep · x + √(1 − keep²) · sd · white.

    Parameters
    ----------
    noise : ndarray, shape (steps, animals)
        White, of standard deviation 1.
    sd, keep : float
        Standard deviation of the slow noise, and its correlation from a step to the next.
    last : ndarray, shape (animals,)
        Its last value; changes.
    left, right : ndarray, shape (steps, animals)
        Where it is written for both sides, up on one when down on the other.
    """
    fresh = sd * np.sqrt(1.0 - keep * keep)
    for animal in range(noise.shape[1]):
        slow = last[animal]
        for k in range(noise.shape[0]):
            slow = keep * slow + fresh * noise[k, animal]
            left[k, animal], right[k, animal] = slow, -slow
        last[animal] = slow


@kernel
def advance(
    olfactory_drive: _Floats,
    drives: tuple[float, float, float],
    dt_s: float,
    rows: tuple[int, int],
    speed: _Floats,
    share: _Floats,
    noise: _Floats,
    rate: _Floats,
    adaptation: _Floats,
    mean_speed: _Floats,
    mean_turner: _Floats,
) -> None:
    """Advance the turners by an Euler step of `dt_s` for each of some rows of `speed` and `share`.

    Parameters
    ----------
    olfactory_drive : ndarray, shape (animals,)
    drives : (low, base, high)
        Input at olfactory drive −1, 0 and 1.
    dt_s : float
    rows : (first, number)
        Rows of speed, share and noise.
    speed, share : ndarray, shape (steps, animals)
        Crawling speed (mm/s), and the share of the turner's output that reaches the body.
    noise : ndarray, shape (steps, 2, animals)
        On the input of the left and the right side.
    rate : ndarray, shape (2, 2, animals)
        Rates of the populations (E or C, left or right), which change.
    adaptation : ndarray, shape (2, animals)
        Of each side; changes.
    mean_speed, mean_turner : ndarray, shape (animals,)
        Are set to means, the speed in mm/s; the turner's output is right minus left, in the units of
        `MAX_TURNER`.
    """
    first, n_steps = rows
    low, base, high = drives
    for animal in range(len(mean_speed)):
        wish = olfactory_drive[animal]
        drive = wish * (base - low if wish < 0.0 else high - base) + base
        gain = drive * drive * ADAPTATION_PER_DRIVE2 + ADAPTATION_GAIN
        adapt = drive * drive * (dt_s / TAU_ADAPTATION_S * ADAPTATION_SPEED_PER_DRIVE2)
        adapt += dt_s / TAU_ADAPTATION_S
        crawled = turned = 0.0
        for k in range(first, first + n_steps):
            inhibited = rate[1, 0, animal], rate[1, 1, animal]
            for side in range(2):
                excited, adapted = rate[0, side, animal], adaptation[side, animal]
                other = inhibited[1 - side] * FROM_INHIBITED + (noise[k, side, animal] + drive)
                half = adapted * gain + HALF_RATE_INPUT
                for population in range(2):
                    # 100 x² / (x² + h²) for x > 0, with h = 64 + gain · adaptation.
                    x = max(FROM_EXCITED[population] * excited + other, 0.0)
                    goal = x * x / (x * x + half * half) * (MAX_RATE * dt_s / TAU_S)
                    now = rate[population, side, animal]
                    rate[population, side, animal] = now * (1.0 - dt_s / TAU_S) + goal
                adaptation[side, animal] = adapted + (excited - adapted) * adapt
            crawled += speed[k, animal]
            turned += (rate[0, 1, animal] - rate[0, 0, animal]) * share[k, animal]
        mean_speed[animal], mean_turner[animal] = crawled / n_steps, turned / n_steps


@kernel
def as_action(speed: _Floats, turner: _Floats, per_speed: float, per_turner: float, action: _Floats) -> None:
    """Write speeds and turner outputs as the body's action, shape (animals, 2), in [−1, 1]."""
    for animal in range(len(speed)):
        for drive, value in enumerate((speed[animal] * per_speed, turner[animal] * per_turner)):
            single = np.float32(value)
            action[animal, drive] = min(max(single, np.float32(-1.0)), np.float32(1.0))
