"""Numbers of the larval body, as `larva_body.py` and its compiled code have them."""

import math

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
