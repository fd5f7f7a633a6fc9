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

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM, INNER_STEP_MS

_DT = INNER_STEP_MS / 1000.0
_HALF = BODY_LENGTH_MM / 2.0
VIEWS = ("turn_rad", "bend_rad", "heading_rad")
"""Attributes of `LarvaBodies` that are rows of one array."""


@functools.cache
def kernels() -> Any:
    """Return the compiled code of the dish, loaded on demand; as an attribute it would prevent pickling."""
    from ethospike.envs.odor_arena import kernels

    return kernels


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
    >>> touched = body.advance(np.array([[1.0, 0.0]]), n_steps=100)
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

    def places(self) -> tuple[NDArray[np.float64], ...]:
        """Return middles, heads, the rows of turn, bend and heading, and strides: the arrays themselves."""
        return self.middle_mm, self.head_mm, self._motion, self.stride_mm

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
        np.cos(self.heading_rad, out=self._direction[0])
        np.sin(self.heading_rad, out=self._direction[1])
        np.multiply(self._direction, _HALF, out=self.head_mm)
        self.head_mm += self.middle_mm

    def advance(self, action: NDArray[np.float64], n_steps: int) -> NDArray[np.bool_]:
        """Move for `n_steps` inner steps under one drive.

        Parameters
        ----------
        action : ndarray, shape (animals, 2)
            Crawling and turning drive in [−1, 1], in units of `MAX_SPEED_MM_S` (negative: backwards) and of
            `MAX_TURNER` (positive: to the left).

        Returns
        -------
        ndarray of bool, shape (animals,)
            Mask of those that the wall stopped in any of the inner steps.
        """
        touched = np.empty(len(self.stride_mm), bool)
        kernels().advance(
            action,
            n_steps,
            self.dish_radius_mm,
            self.middle_mm,
            self.head_mm,
            self._motion,
            self._direction,
            self.stride_mm,
            touched,
        )
        return touched
