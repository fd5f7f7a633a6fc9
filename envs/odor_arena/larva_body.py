"""The body of a larva: two segments that bend, crawl and meet the wall of a round dish.

Kinematics and constants are those of larvaworld (Sakagiannis et al.; github.com/nawrotlab/larvaworld): the
head segment turns about the middle of the body by

    dω/dt = −ω − bend + 0.5 · turner,

crawling moves the middle along the head's heading, and the rear segment follows: a displacement ds takes
the part 2 · ds / L out of the bend. The constants are the same in February 2023 and in version 2.4.0, the
effect of crawling is not: until March 2023 larvaworld reduced the angular velocity of a crawling larva, since
November 2024 it reduces the torque, as `agents.larva.locomotion` does. Time advances in inner steps
of 10 ms, whatever the control interval, so that animals under coarse and fine control are the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

INNER_STEP_MS = 10.0
"""Integration step (ms): the finest control interval; larvaworld integrates with 100 ms."""
BODY_LENGTH_MM = 4.0
"""Length L (mm), third-instar larva: larvaworld of February 2023 (5 mm in 2.4.0)."""
MAX_SPEED_MM_S = 4.0
"""Crawling speed at drive 1 (mm/s), −1 is as fast backwards: one body length a second. Chosen so that no
stride is cut: larvaworld's crawler peaks at 1.42 Hz · 0.23 L · 1.51 = 0.49 L/s, at 0.75 L/s with a stride
four standard deviations longer."""
MAX_TURNER = 100.0
"""Turner output at drive 1: the most that larvaworld's turner can put out (the maximal rate of its units)."""
TORQUE_PER_TURNER = 0.5
"""Angular acceleration for each unit of turner output (rad/s²): larvaworld."""
ANGULAR_DAMPING = 1.0
"""Share of the angular velocity that is lost (1/s): larvaworld."""
BODY_SPRING = 1.0
"""Angular acceleration for each radian of bend (1/s²): larvaworld."""
WALL_TURN_RAD_S2 = math.pi
"""Angular acceleration of an animal at the wall (rad/s²). larvaworld 2.4.0 adds π/10 rad/s in 100 ms (π/20 in
February 2023) at borders inside an arena. Used here at the rim of the dish, where larvaworld only stops the
larva, so that animals come off the wall."""

_DT = INNER_STEP_MS / 1000.0
_HALF = BODY_LENGTH_MM / 2.0
VIEWS = ("turn_rad", "bend_rad", "heading_rad")
"""Attributes of `LarvaBodies` that are rows of one array."""
_KEPT_AND_SPRUNG = np.array([[1.0 - ANGULAR_DAMPING * _DT], [BODY_SPRING * _DT**2]])


def middle_of_body_mm(
    head_mm: NDArray[np.floating], heading_rad: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return the joint between the segments, shape (…, 2), for heads (…, 2) and headings (…)."""
    ahead = np.stack((np.cos(heading_rad), np.sin(heading_rad)), axis=-1)
    middle: NDArray[np.floating] = head_mm - BODY_LENGTH_MM / 2.0 * ahead
    return middle


class LarvaBodies:
    """The bodies of a group of larvae that do not interact, each in a dish of its own.

    Attributes
    ----------
    middle_mm, head_mm : ndarray, shape (2, animals)
        x and y of the joint between the segments and of the tip of the head.
    heading_rad : ndarray, shape (animals,)
        Direction of the head segment, counter-clockwise from x; not wrapped.
    bend_rad : ndarray, shape (animals,)
        Heading of the head minus that of the rear segment, in [−π, π]; positive bends to the left.
    turn_rad, stride_mm : ndarray, shape (animals,)
        Turn and displacement of the head in the last inner step; no displacement at the wall.

    Examples
    --------
    >>> body = LarvaBodies(animals=1, dish_radius_mm=50.0)
    >>> body.place(np.array([True]), np.zeros((2, 1)), np.zeros(1))
    >>> touched = body.advance(np.array([1.0]), np.array([0.0]), n_steps=100)
    >>> body.head_mm[:, 0].round(6).tolist()
    [6.0, 0.0]
    """

    def __init__(self, animals: int, dish_radius_mm: float) -> None:
        self.dish_radius_mm = dish_radius_mm
        self.middle_mm = np.zeros((2, animals))
        self.head_mm = np.zeros((2, animals))
        self.stride_mm = np.zeros(animals)
        self._motion = np.zeros((3, animals))
        self._bind_views()
        self._direction = np.zeros((2, animals))
        self._scratch = np.zeros((2, animals))
        self._straightened = np.zeros(animals)
        self._free_steps = 0

    def _bind_views(self) -> None:
        """Make turns, bends and headings the rows of one array, which a step of the body updates at once."""
        self.turn_rad, self.bend_rad, self.heading_rad = self._motion

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles make arrays of their own out of views; `__setstate__` binds them again.
        return {name: value for name, value in self.__dict__.items() if name not in VIEWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind_views()

    @property
    def angular_velocity_rad_s(self) -> NDArray[np.float64]:
        """Angular velocity ω of the head in the last inner step, shape (animals,)."""
        return self.turn_rad / _DT

    @property
    def speed_mm_s(self) -> NDArray[np.float64]:
        """Crawling speed in the last inner step, shape (animals,)."""
        return self.stride_mm / _DT

    def place(
        self,
        which: NDArray[np.bool_],
        middle_mm: NDArray[np.float64],
        heading_rad: NDArray[np.float64],
    ) -> None:
        """Put animals somewhere, straight and at rest.

        Parameters
        ----------
        which : ndarray of bool, shape (animals,)
        middle_mm : ndarray, shape (2, placed animals)
        heading_rad : ndarray, shape (placed animals,)
        """
        self.middle_mm[:, which] = middle_mm
        self.heading_rad[which] = heading_rad
        for array in (self.bend_rad, self.turn_rad, self.stride_mm):
            array[which] = 0.0
        self.refresh()

    def refresh(self) -> None:
        """Bring the rest up to date after positions, headings or bends were written."""
        self._free_steps = 0
        np.cos(self.heading_rad, out=self._direction[0])
        np.sin(self.heading_rad, out=self._direction[1])
        np.multiply(self._direction, _HALF, out=self.head_mm)
        self.head_mm += self.middle_mm

    def advance(
        self, crawl: NDArray[np.float64], turn: NDArray[np.float64], n_steps: int
    ) -> NDArray[np.bool_]:
        """Move for `n_steps` inner steps under one drive.

        Parameters
        ----------
        crawl, turn : ndarray, shape (animals,)
            Drives in [−1, 1], in units of `MAX_SPEED_MM_S` (negative: backwards) and of `MAX_TURNER`
            (positive: to the left).

        Returns
        -------
        ndarray of bool, shape (animals,)
            Whom the wall stopped in any of the inner steps.
        """
        motion, direction, scratch = self._motion, self._direction, self._scratch
        turned, turn_rad, bend_rad = motion[1:], *motion[:2]
        straightened, (cos, sin) = self._straightened, direction
        stride_mm = crawl * (MAX_SPEED_MM_S * _DT)
        straightening = np.minimum(np.maximum(stride_mm * (2.0 / BODY_LENGTH_MM), 0.0), 1.0)
        pull_rad = turn * (TORQUE_PER_TURNER * MAX_TURNER * _DT**2)
        touched = np.zeros(len(stride_mm), bool)
        if self._free_steps < n_steps:
            self._free_steps = self._count_free_steps()
        free = self._free_steps >= n_steps
        self._free_steps -= n_steps

        for _ in range(n_steps):
            np.multiply(motion[:2], _KEPT_AND_SPRUNG, out=scratch)
            np.subtract(scratch[0], scratch[1], out=turn_rad)
            turn_rad += pull_rad
            # The rear follows the bend as it was before this turn (larvaworld's order). Backwards it keeps
            # its angle: the body is pushed as it is.
            np.multiply(bend_rad, straightening, out=straightened)
            turned += turn_rad
            if not free:
                self._stop_at_full_bend()
            np.cos(self.heading_rad, out=cos)
            np.sin(self.heading_rad, out=sin)
            moved_mm = stride_mm
            if not free and (stopped := self._are_stopped(stride_mm)).any():
                self._turn_at_wall(stopped)
                touched |= stopped
                moved_mm = np.where(stopped, 0.0, stride_mm)
                straightened[stopped] = 0.0
            bend_rad -= straightened
            np.multiply(direction, moved_mm, out=scratch)
            self.middle_mm += scratch

        self.stride_mm[:] = moved_mm
        np.multiply(direction, _HALF, out=self.head_mm)
        self.head_mm += self.middle_mm
        return touched

    def _count_free_steps(self) -> int:
        """Return for how many inner steps no animal can reach the wall or its full bend, whatever it does.

        Until then neither needs to be looked for, which halves the cost of a step.
        """
        x2, y2 = self.middle_mm * self.middle_mm
        x2 += y2
        clearance_mm = self.dish_radius_mm - _HALF - math.sqrt(float(x2.max()))
        turn, bend = (float(most) for most in np.abs(self._motion[:2]).max(axis=1))
        # The turn of a step grows by at most `gain` a step: k steps bend by less than k·turn + k²·gain.
        gain = (BODY_SPRING * math.pi + TORQUE_PER_TURNER * MAX_TURNER) * _DT**2
        to_full_bend = (math.sqrt(turn**2 + 4.0 * gain * max(math.pi - bend, 0.0)) - turn) / (2.0 * gain)
        return math.floor(min(clearance_mm / (MAX_SPEED_MM_S * _DT), to_full_bend)) - 1

    def _stop_at_full_bend(self) -> None:
        """Let no head turn further than to its own tail, as in larvaworld."""
        if np.absolute(self.bend_rad, out=self._scratch[0]).max() > math.pi:
            over = self._scratch[0] > math.pi
            limit = np.copysign(math.pi, self.bend_rad[over])
            self._motion[:, over] -= self.bend_rad[over] - limit
            self.bend_rad[over] = limit

    def _are_stopped(self, stride_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whom the wall keeps from this stride. It stops heads, and tails only if they go first."""
        reach_mm = self._direction * (stride_mm + _HALF)
        reach_mm += self.middle_mm
        stopped = self._is_outside(reach_mm)
        if (stride_mm < 0.0).any():
            stopped |= self._tail_leaves(stride_mm)
        return stopped

    def _turn_at_wall(self, stopped: NDArray[np.bool_]) -> None:
        """Make animals turn away that the wall has stopped.

        Their turn speeds up in the direction that it has, as in larvaworld. Where it would push the head
        through the wall, it is bounced back instead (larvaworld searches for a turn that stays inside).
        """
        swept = stopped & self._is_outside(self.middle_mm + _HALF * self._direction)
        if swept.any():
            self._motion[1:, swept] -= self.turn_rad[swept]
            self.turn_rad[swept] *= -1.0
            np.cos(self.heading_rad, out=self._direction[0])
            np.sin(self.heading_rad, out=self._direction[1])
        self.turn_rad[stopped] += np.copysign(WALL_TURN_RAD_S2 * _DT**2, self.turn_rad[stopped])

    def _is_outside(self, position_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of the positions, shape (2, animals), lie behind the wall; overwrites them."""
        position_mm *= position_mm
        outside: NDArray[np.bool_] = position_mm[0] + position_mm[1] > self.dish_radius_mm**2
        return outside

    def _tail_leaves(self, stride_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return a mask of the animals with a tail that crawling backwards would push through the wall."""
        rear_rad = self.heading_rad - self.bend_rad
        tail_mm = self.middle_mm - _HALF * np.stack((np.cos(rear_rad), np.sin(rear_rad)))
        inward = tail_mm[0] * self._direction[0] + tail_mm[1] * self._direction[1] > 0.0
        leaves = self._is_outside(tail_mm + stride_mm * self._direction)
        leaves &= (stride_mm < 0.0) & ~inward
        return leaves
