"""Ranges of observations of well-known tasks, where the space declares none or one that is never reached."""

from __future__ import annotations

import math
from collections.abc import Mapping

_TILT_RAD = math.pi / 12

KNOWN_RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    # An episode ends at half the declared position and angle (2.4 and 12°). Velocities are not bounded; Chung
    # and Kozma 2020 (arXiv 2008.13044) use these ranges.
    "CartPole-v1": {
        "observation[0]": (-2.4, 2.4),
        "observation[1]": (-3.2, 3.2),
        "observation[2]": (-_TILT_RAD, _TILT_RAD),
        "observation[3]": (-3.2, 3.2),
    },
}
"""Ranges of entries by the id of the environment."""
