"""The style that all figures share: colors, resolution, bare axes, and saving.

Colors are those of Okabe and Ito, which people with any kind of color vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ethospike.recorders.recording import Recording
from ethospike.scenarios.run.omissions import attempt

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
"""Colors for animals, clusters and populations."""
DPI = 130


def save_each(folder: Path, drawings: Mapping[str, Callable[[], Figure | None]]) -> list[Path]:
    """Draw figures and save each as soon as it is ready; return the files.

    Parameters
    ----------
    folder : Path
    drawings : mapping of str to callable
        Functions by file name; a function draws the figure, or returns None if the run was too short. A
        figure that needs data that were not recorded is left out, with a line that names the data.
    """
    paths = []
    for name, draw in drawings.items():
        figure = attempt(f"figure {name}", draw, None)
        if figure is not None:
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=DPI)
    return sorted(paths)


def shown_animal(recording: Recording) -> int:
    """Return the animal that a raster shows: the first with listed spikes."""
    return next(iter(recording.listed_animals), 0)


def bare(axis: Axes) -> None:
    """Remove the frame of an axis at the top and at the right."""
    axis.spines[["top", "right"]].set_visible(False)
