"""The figure of a run on a Gymnasium environment: the return of every episode."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis.figure_style import COLORS, bare, save_each
from ethospike.scenarios.reward.measures import episodes


def draw_all(recording: Recording, folder: Path) -> list[Path]:
    """Draw the returns."""
    return save_each(folder, {"returns": lambda: draw_returns(recording)})


def draw_returns(recording: Recording) -> Figure | None:
    """Draw the return of every episode of every animal; None if no episode was completed."""
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axis = figure.subplots()
    n_drawn = 0
    for animal in range(recording.animals):
        returns = episodes(recording, animal)["return"]
        n_drawn += len(returns)
        label = f"animal {animal}" if recording.animals <= len(COLORS) else None
        axis.plot(range(1, len(returns) + 1), returns, ".-", color=COLORS[animal % len(COLORS)], label=label)
    if not n_drawn:
        return None
    axis.set(xlabel="episode", ylabel="return")
    if 1 < recording.animals <= len(COLORS):
        axis.legend(frameon=False)
    bare(axis)
    return figure
