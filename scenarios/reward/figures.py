"""Figures of a run on a Gymnasium environment: the return of every episode, and the curve of learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis.figure_style import BLUE, COLORS, GREEN, bare, save_each
from ethospike.scenarios.analysis.group_statistics import half_width
from ethospike.scenarios.reward.measures import returns, threshold_of

SMOOTHED = 20
"""Episodes of the running mean in a curve of learning: a fifth of those by which a task is scored."""
LEAST_ANIMALS = 3
"""Animals of a curve with an interval; of two, Student's t makes an interval of no use."""


def draw_all(recording: Recording, folder: Path) -> list[Path]:
    """Draw the returns, and the curve of learning of a group."""
    drawings = {
        "returns": lambda: draw_returns(recording),
        "learning_curve": lambda: draw_learning_curve(recording),
    }
    return save_each(folder, drawings)


def draw_returns(recording: Recording) -> Figure | None:
    """Draw the return of every episode of every animal; None if no episode was completed."""
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axis = figure.subplots()
    curves = returns(recording)
    if not any(map(len, curves)):
        return None
    for animal, values in enumerate(curves):
        label = f"animal {animal}" if recording.animals <= len(COLORS) else None
        axis.plot(range(1, len(values) + 1), values, ".-", color=COLORS[animal % len(COLORS)], label=label)
    axis.set(xlabel="episode", ylabel="return")
    if 1 < recording.animals <= len(COLORS):
        axis.legend(frameon=False)
    bare(axis)
    return figure


def draw_learning_curve(recording: Recording) -> Figure | None:
    """Draw the mean over animals of the running mean of returns, with its 95 % interval (Student's t).

    None for groups of fewer than `LEAST_ANIMALS`, or fewer than `SMOOTHED` episodes.
    """
    curves = returns(recording)
    n = min(map(len, curves))
    if len(curves) < LEAST_ANIMALS or n < SMOOTHED:
        return None
    kernel = np.full(SMOOTHED, 1.0 / SMOOTHED)
    smooth = np.stack([np.convolve(values[:n], kernel, "valid") for values in curves])
    mean, half = smooth.mean(axis=0), half_width(smooth.T)
    episode = np.arange(SMOOTHED, n + 1)
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axis = figure.subplots()
    axis.plot(episode, smooth.T, color=BLUE, lw=0.5, alpha=0.3)
    axis.fill_between(episode, mean - half, mean + half, color=BLUE, alpha=0.25, lw=0)
    axis.plot(episode, mean, color=BLUE, lw=1.8, label=f"mean of {len(curves)} animals, 95 % interval")
    threshold = threshold_of(str(recording.config.get("env", "")))
    if threshold is not None:
        axis.axhline(threshold, color=GREEN, lw=0.8, ls=":", label="solved")
    axis.set(xlabel="episode", ylabel=f"return, mean of {SMOOTHED} episodes")
    axis.legend(frameon=False, fontsize=8)
    bare(axis)
    return figure
