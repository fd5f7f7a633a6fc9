"""Compiled code of the dish: bodies that move, and whatever their heads meet.

The equations and their numbers are those of `larva_body.py`, the rules those of `task.py`; each animal is
computed by itself. Exponentials are NumPy's, between two kernels: Numba's differ in the last digit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.envs.odor_arena.physics import (
    ANGULAR_DAMPING,
    BODY_LENGTH_MM,
    BODY_SPRING,
    INNER_STEP_MS,
    MAX_SPEED_MM_S,
    MAX_TURNER,
    TORQUE_PER_TURNER,
    WALL_TURN_RAD_S2,
)

Array = NDArray[Any]

_DT = INNER_STEP_MS / 1000.0
_HALF = BODY_LENGTH_MM / 2.0
_KEPT, _SPRUNG = 1.0 - ANGULAR_DAMPING * _DT, BODY_SPRING * _DT**2
_STRIDE_MM, _PULL = MAX_SPEED_MM_S * _DT, TORQUE_PER_TURNER * MAX_TURNER * _DT**2
_STRAIGHTENING = 2.0 / BODY_LENGTH_MM
_WALL_TURN = WALL_TURN_RAD_S2 * _DT**2


class Dish(NamedTuple):
    """The odors and the agar of a phase; places in the coordinates of each animal's dish."""

    peak_um: Array  # (sources,)
    odor: Array  # (sources,) row of the senses
    everywhere: Array  # (kinds, animals) strength of reinforcement without a place
    patch_mm: Array  # (2, patches, animals)
    patch: Array  # (patches, 3): kind, strength, squared radius (mm²)


@kernel
def _is_outside(x: float, y: float, radius2: float) -> bool:
    return x * x + y * y > radius2


@kernel
def _stop_at_full_bend(turn: float, bend: float, heading: float) -> tuple[float, float, float]:
    """Let no head turn further than to its own tail, as in larvaworld."""
    if abs(bend) > math.pi:
        over = bend - math.copysign(math.pi, bend)
        return turn - over, math.copysign(math.pi, bend), heading - over
    return turn, bend, heading


@kernel
def _turn_at_wall(
    turn: float, bend: float, heading: float, cos: float, sin: float, x: float, y: float, radius2: float
) -> tuple[float, float, float, float, float]:
    """Make an animal turn away that the wall has stopped.

    Its turn speeds up in the direction that it has, as in larvaworld. Where it would push the head through
    the wall, it is bounced back instead (larvaworld searches for a turn that stays inside).
    """
    if _is_outside(x + _HALF * cos, y + _HALF * sin, radius2):
        bend, heading, turn = bend - turn, heading - turn, -turn
        cos, sin = math.cos(heading), math.sin(heading)
    return turn + math.copysign(_WALL_TURN, turn), bend, heading, cos, sin


@kernel
def _is_stopped(
    x: float, y: float, cos: float, sin: float, rear_rad: float, stride: float, radius2: float
) -> bool:
    """Return whether the wall prevents a stride: it stops heads, and tails that go first."""
    reach = stride + _HALF
    if _is_outside(cos * reach + x, sin * reach + y, radius2):
        return True
    if stride >= 0.0:
        return False
    tail_x, tail_y = x - _HALF * math.cos(rear_rad), y - _HALF * math.sin(rear_rad)
    inward = tail_x * cos + tail_y * sin > 0.0
    return _is_outside(tail_x + stride * cos, tail_y + stride * sin, radius2) and not inward


@kernel
def advance(
    action: Array,
    n_steps: int,
    radius_mm: float,
    middle_mm: Array,
    head_mm: Array,
    motion: Array,
    direction: Array,
    stride_mm: Array,
    touched: Array,
) -> None:
    """Move for some inner steps under one drive.

    Parameters
    ----------
    action : ndarray, shape (animals, 2)
        Crawling and turning drive in [−1, 1].
    n_steps : int
    radius_mm : float
        Of the dish.
    middle_mm, head_mm, direction : ndarray, shape (2, animals)
        Direction is cosine and sine of the heading; all change.
    motion : ndarray, shape (3, animals)
        Turn in the last inner step, bend and heading (rad); changes.
    stride_mm : ndarray, shape (animals,)
        Is set to the displacement in the last inner step.
    touched : ndarray of bool, shape (animals,)
        Is set to whether the wall stopped the animal in any of the inner steps.
    """
    radius2 = radius_mm * radius_mm
    for animal in range(len(stride_mm)):
        stride = action[animal, 0] * _STRIDE_MM
        straightening = min(max(stride * _STRAIGHTENING, 0.0), 1.0)
        pull = action[animal, 1] * _PULL
        turn, bend, heading = motion[0, animal], motion[1, animal], motion[2, animal]
        cos, sin = direction[0, animal], direction[1, animal]
        x, y = middle_mm[0, animal], middle_mm[1, animal]
        moved, was_stopped = stride, False
        for _ in range(n_steps):
            turn = turn * _KEPT - bend * _SPRUNG + pull
            # The rear follows the bend as it was before this turn (larvaworld's order). Backwards it keeps
            # its angle: the body is pushed as it is.
            straightened = bend * straightening
            bend += turn
            heading += turn
            turn, bend, heading = _stop_at_full_bend(turn, bend, heading)
            cos, sin = math.cos(heading), math.sin(heading)
            moved = stride
            if _is_stopped(x, y, cos, sin, heading - bend, stride, radius2):
                turn, bend, heading, cos, sin = _turn_at_wall(turn, bend, heading, cos, sin, x, y, radius2)
                was_stopped = True
                moved = straightened = 0.0
            bend -= straightened
            x += cos * moved
            y += sin * moved
        motion[0, animal], motion[1, animal], motion[2, animal] = turn, bend, heading
        direction[0, animal], direction[1, animal] = cos, sin
        middle_mm[0, animal], middle_mm[1, animal] = x, y
        head_mm[0, animal], head_mm[1, animal] = cos * _HALF + x, sin * _HALF + y
        stride_mm[animal], touched[animal] = moved, was_stopped


@kernel
def exponents(position_mm: Array, source_mm: Array, per_mm2: Array, exponent: Array) -> None:
    """Set the exponent of each source's concentration, shape (sources, animals): −r² / (2 σ²).

    `position_mm` is of shape (2, animals), `source_mm` (2, sources, animals), `per_mm2` (sources,).
    """
    for source in range(exponent.shape[0]):
        for animal in range(exponent.shape[1]):
            x = position_mm[0, animal] - source_mm[0, source, animal]
            y = position_mm[1, animal] - source_mm[1, source, animal]
            exponent[source, animal] = (x * x + y * y) * per_mm2[source]


@kernel
def meet(
    phase: int, phase_of_animal: Array, falloff: Array, dish: Dish, head_mm: Array, senses: Array
) -> None:
    """Bring the senses of the animals of a phase up to date.

    Parameters
    ----------
    phase : int
    phase_of_animal : ndarray, shape (animals,)
    falloff : ndarray, shape (sources, animals)
        Concentration of each source at the head, as a share of its peak.
    dish : Dish
        Of the phase.
    head_mm : ndarray, shape (2, animals)
    senses : ndarray, shape (odors + kinds, animals)
        Concentrations (µM), reward and punishment; change.
    """
    odors = len(senses) - len(dish.everywhere)
    for animal in range(senses.shape[1]):
        if phase_of_animal[animal] != phase:
            continue
        for row in range(odors):
            senses[row, animal] = 0.0
        for source in range(len(dish.peak_um)):
            senses[dish.odor[source], animal] += falloff[source, animal] * dish.peak_um[source]
        for kind in range(len(dish.everywhere)):
            senses[odors + kind, animal] = dish.everywhere[kind, animal]
        for patch in range(len(dish.patch)):
            x = head_mm[0, animal] - dish.patch_mm[0, patch, animal]
            y = head_mm[1, animal] - dish.patch_mm[1, patch, animal]
            if x * x + y * y <= dish.patch[patch, 2]:
                senses[odors + int(dish.patch[patch, 0]), animal] += dish.patch[patch, 1]


class Report(NamedTuple):
    """Arrays that a control step hands out, the animal axis first; units as in `env.VARIABLES`."""

    observation: Array  # (animals, features)
    reward: Array  # (animals,)
    position_mm: Array  # (animals, 2)
    centroid_mm: Array  # (animals, 2)
    heading_rad: Array  # (animals,)
    bend_rad: Array
    speed_mm_s: Array
    angular_velocity_rad_s: Array
    phase: Array


@kernel
def report(
    senses: Array,
    touched: Array,
    phase: Array,
    middle_mm: Array,
    head_mm: Array,
    motion: Array,
    stride_mm: Array,
    out: Report,
) -> None:
    """Write the results of a control step; parameters as of `advance` and `meet`."""
    features = len(senses)
    for animal in range(len(stride_mm)):
        for feature in range(features):
            out.observation[animal, feature] = senses[feature, animal]
        out.observation[animal, features] = touched[animal]
        out.reward[animal] = senses[features - 2, animal] - senses[features - 1, animal]
        for axis in range(2):
            out.position_mm[animal, axis] = head_mm[axis, animal]
            out.centroid_mm[animal, axis] = middle_mm[axis, animal]
        out.heading_rad[animal] = (motion[2, animal] + math.pi) % (2.0 * math.pi) - math.pi
        out.bend_rad[animal] = motion[1, animal]
        out.speed_mm_s[animal] = stride_mm[animal] / _DT
        out.angular_velocity_rad_s[animal] = motion[0, animal] / _DT
        out.phase[animal] = phase[animal]
