"""The figure of an experiment: each measure by group, with single animals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ethospike.scenarios.analysis.figure_style import BLUE, GREY, bare
from ethospike.scenarios.analysis.group_statistics import interval

if TYPE_CHECKING:
    import pandas as pd

MOST_MEASURES = 12
"""Panels of a figure; further measures are in the tables."""
MOST_LINES = 60
"""Animals up to which lines join the values of the same animal."""
SPREAD = 0.16
"""Half the width over which the dots of a group are spread, in distances of groups."""


def draw_groups(
    animals: pd.DataFrame, comparisons: pd.DataFrame, groups: Sequence[str], *, paired: bool
) -> Figure:
    """Draw the compared measures: a dot for each animal, mean and 95 % interval of each group.

    Stars mark groups that differ from their control: corrected p below 0.05, 0.01 and 0.001. Lines join the
    same animal where differences are taken within animals.
    """
    measures = list(dict.fromkeys(comparisons["measure"]))
    shown = measures[:MOST_MEASURES]
    columns = min(len(shown), 3) or 1
    rows = math.ceil(len(shown) / columns) or 1
    width = max(3.2, 0.55 * len(groups) + 1.2)
    figure = Figure(figsize=(width * columns, 3.2 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    for axis, measure in zip(axes, shown, strict=False):
        _panel(axis, animals, measure, groups, lines=paired)
        _stars(axis, comparisons[comparisons["measure"] == measure], groups)
    if len(measures) > len(shown):
        figure.suptitle(f"{len(shown)} of {len(measures)} measures; the others are in the table", fontsize=9)
    return figure


def _panel(axis: Axes, animals: pd.DataFrame, measure: str, groups: Sequence[str], *, lines: bool) -> None:
    wide = animals.pivot(index=["seed", "animal"], columns="group", values=measure).reindex(columns=groups)
    offset = SPREAD * np.linspace(-1.0, 1.0, len(wide)) if len(wide) > 1 else np.zeros(len(wide))
    if lines and 1 < len(wide) <= MOST_LINES:
        places = np.arange(len(groups)) + offset[:, None]
        axis.plot(places.T, wide.to_numpy(float).T, color=GREY, lw=0.4, alpha=0.35, zorder=1)
    for place, group in enumerate(groups):
        values = wide[group].to_numpy(float)
        axis.plot(place + offset, values, "o", color=BLUE, ms=3, alpha=0.55, mec="none", zorder=2)
        known = values[np.isfinite(values)]
        if len(known):
            estimate = interval(known)
            low, high = (
                estimate["mean"] if estimate[end] is None else estimate[end] for end in ("low", "high")
            )
            axis.plot([place] * 2, [low, high], color="black", lw=1.4, zorder=3)
            axis.plot(place, estimate["mean"], "_", color="black", ms=13, mew=1.8, zorder=3)
    axis.set_xticks(range(len(groups)), groups, rotation=35, ha="right", fontsize=8)
    axis.set_title(measure, fontsize=9, pad=14)  # stars have their place below it
    axis.set_xlim(-0.6, len(groups) - 0.4)
    bare(axis)


def _stars(axis: Axes, comparisons: pd.DataFrame, groups: Sequence[str]) -> None:
    """Write stars above groups that differ from a control."""
    top = axis.get_ylim()[1]
    for group, p in zip(comparisons["group"], comparisons["p_corrected"], strict=True):
        if group in groups and p < 0.05:
            stars = "*" * (1 + (p < 0.01) + (p < 0.001))
            axis.text(groups.index(group), top, stars, ha="center", va="bottom", fontsize=8)
