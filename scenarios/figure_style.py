"""What all figures share: colors, resolution, bare axes.

In: Matplotlib's axes. Out: the same, changed. This file knows no scenario. Colors are those of Okabe and Ito,
which people with any kind of color vision can tell apart.
"""

from __future__ import annotations

from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#777777",
)
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
"""For animals, clusters, populations: what has no color of its own."""
DPI = 130


def bare(axis: Axes) -> None:
    """Take the frame of an axis away at the top and at the right."""
    axis.spines[["top", "right"]].set_visible(False)
