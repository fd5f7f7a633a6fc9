"""Figures of crawling larvae: paths, and distributions beside those of another group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ethospike.recorders.recording import Recording, open_recording
from ethospike.scenarios.analysis import locomotion
from ethospike.scenarios.analysis.figure_style import BLUE, COLORS, GREY, bare, save_each
from ethospike.scenarios.odor.crawling_measures import CrawlingConfig, samples
from ethospike.scenarios.odor.measures import centroid_mm

PANELS: Sequence[tuple[str, str, float, float, bool]] = (
    ("speed_per_s", "speed (body lengths/s)", 0.0, 0.7, False),
    ("angular_velocity_deg_s", "angular velocity of the front (deg/s)", -150.0, 150.0, True),
    ("bend_deg", "bend (deg)", -120.0, 120.0, True),
    ("curvature_deg_mm", "curvature of the path (deg/mm)", -80.0, 80.0, True),
    ("straightness_5_s", "straightness over 5 s", 0.4, 1.0, False),
    ("straightness_20_s", "straightness over 20 s", 0.0, 1.0, False),
    ("displacement_20_s_mm", "displacement after 20 s (mm)", 0.0, 45.0, False),
    ("displacement_60_s_mm", "displacement after 60 s (mm)", 0.0, 110.0, False),
)
"""Sample, label, ends of the axis, and true for a logarithmic axis, which shows the tails."""
BINS = 50
Group = tuple[str, str, locomotion.Samples]
"""Name, color and samples of a group."""


def draw_all(recording: Recording, config: CrawlingConfig, folder: Path) -> list[Path]:
    """Draw the paths and distributions for which the recording has data."""
    shown: list[tuple[Recording, str, str]] = [(recording, "this run", BLUE)]
    if config.beside is not None:
        shown.append((open_recording(config.beside), config.beside.name, GREY))
    return save_each(
        folder,
        {
            "paths": lambda: draw_paths(shown),
            "distributions": lambda: draw_distributions(
                [(name, color, locomotion.pooled(samples(each, config))) for each, name, color in shown]
            ),
        },
    )


def draw_paths(shown: Sequence[tuple[Recording, str, str]]) -> Figure:
    """Draw the paths of the middles of the bodies, all from one point, at one scale."""
    figure = Figure(figsize=(5.2 * len(shown), 5.4), layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for axis, (recording, name, _) in zip(axes, shown, strict=True):
        path = centroid_mm(recording, np.arange(recording.n_steps))
        for animal in range(path.shape[1]):
            seen = path[np.isfinite(path[:, animal, 0]), animal]
            if len(seen):
                axis.plot(*(seen - seen[0]).T, lw=0.8, color=COLORS[animal % len(COLORS)])
        axis.set(aspect="equal", xlabel="mm", title=f"{name}: {path.shape[1]} larvae from one point")
        bare(axis)
    return figure


def draw_distributions(groups: Sequence[Group]) -> Figure:
    """Draw histograms of the samples of each group, with a panel for each quantity."""
    figure = Figure(figsize=(13.0, 6.0), layout="constrained")
    for axis, panel in zip(figure.subplots(2, 4).flat, PANELS, strict=True):
        _draw_histograms(axis, groups, *panel)
    return figure


def _draw_histograms(
    axis: Axes, groups: Sequence[Group], sample: str, label: str, low: float, high: float, tails: bool
) -> None:
    edges: NDArray[np.float64] = np.linspace(low, high, BINS + 1)
    for name, color, samples_of_group in groups:
        values = samples_of_group[sample]
        counts, _ = np.histogram(np.clip(values, low, high), edges)
        axis.stairs(counts / max(1, len(values)), edges, color=color, lw=1.4, label=name)
    axis.set(xlabel=label, yscale="log" if tails else "linear")
    axis.set_yticks([], minor=True)
    if sample == PANELS[0][0]:
        axis.set_ylabel("share of samples")
        axis.legend(frameon=False)
    bare(axis)
