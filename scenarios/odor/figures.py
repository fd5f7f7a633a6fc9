"""Figures of the odor scenarios: paths in the dish, activity over time, weights, a raster of the whole brain.

The figures are drawn from a recording and its configuration and saved as PNG files.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from ethospike.envs.odor_arena import DISH_DIAMETER_MM, ODOR_COLUMNS, PEAK_UM
from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis.figure_style import (
    BLUE,
    COLORS,
    GREEN,
    GREY,
    ORANGE,
    RED,
    bare,
    save_each,
    shown_animal,
)
from ethospike.scenarios.analysis.group_statistics import half_width
from ethospike.scenarios.odor.config import DishConfig, sources_of_test
from ethospike.scenarios.odor.measures import centroid_mm, distance_index, phase_rows, towards_a
from ethospike.scenarios.run.omissions import attempt

SMOOTH_S = 5.0
"""Width of the moving average of rates: short against a phase, long against an interval between spikes."""
RASTER_S = (1.0, 2.0)
"""Raster: seconds before and after the odor's onset."""
SMELLED_UM = PEAK_UM / 4.0
"""Raster: concentration above which an odor is present. Larvae start in the middle between the sources of the
test, where the concentration is more than twice as high; without an odor it is 0."""
LONE_ROWS = 4.0
"""Raster: rows of a population with a single neuron."""
Span = tuple[float, float, str]
"""Begin and end of a phase (min), and its name."""


def draw_all(recording: Recording, config: DishConfig, folder: Path) -> list[Path]:
    """Draw the figures for which the recording has data; a run that was stopped early has fewer."""
    unknown: list[Span] = []
    spans = attempt("phases in the figures", lambda: phase_spans(recording), unknown)
    return save_each(
        folder,
        {
            "activity": lambda: draw_activity(recording, spans),
            "paths": lambda: draw_paths(recording, config),
            "weights": lambda: draw_weights(recording, spans),
            "raster": lambda: draw_raster(recording),
        },
    )


def draw_paths(recording: Recording, config: DishConfig) -> Figure | None:
    """Draw the paths of all animals in the test over the odor field, odor A turned to the left.

    Return None if the run ended before the test.
    """
    test = phase_rows(recording, "test")
    if len(test) < 2:
        return None
    position = towards_a(_path_mm(recording, config, test))
    radius = DISH_DIAMETER_MM / 2.0
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    dish, over_time = figure.subplots(1, 2, width_ratios=(1.0, 1.1))
    _draw_field(dish, config, radius)
    for animal in range(position.shape[1]):
        x, y = position[:, animal, 0], position[:, animal, 1]
        dish.plot(x, y, lw=0.7, alpha=0.8, color=COLORS[animal % len(COLORS)])
        dish.plot(x[-1], y[-1], "o", ms=4, color=COLORS[animal % len(COLORS)], mec="white", mew=0.5)
    dish.plot([20, 40], [-56, -56], color="black", lw=2, clip_on=False)
    dish.text(30, -58, "20 mm", ha="center", va="top")
    dish.set(xlim=(-52, 52), ylim=(-62, 58), aspect="equal")
    part = "head" if config.path_of == "head" else "middle of the body"
    dish.set_title(f"Test: paths of {position.shape[1]} larvae ({part}), end marked", fontsize=10)
    dish.axis("off")

    index = distance_index(towards_a(centroid_mm(recording, test)))
    minutes = (test - test[0]) * recording.interval_s / 60.0
    _band(over_time, minutes, index, BLUE, "mean and 95 % interval")
    over_time.axhline(0, color=GREY, lw=0.8)
    over_time.set(
        xlabel="time in the test (min)", ylabel=f"preference index for {config.odor_a}", ylim=(-1.05, 1.05)
    )
    over_time.set_title("Towards the odor (+1) or away from it (−1)", fontsize=10)
    over_time.legend(frameon=False)
    bare(over_time)
    return figure


def _path_mm(recording: Recording, config: DishConfig, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """Return the positions of the part that `config.path_of` names, shape (control steps, animals, 2)."""
    if config.path_of == "head":
        head: NDArray[np.floating] = recording.variable("position_mm").values[rows]
        return head
    return centroid_mm(recording, rows)


def draw_activity(recording: Recording, spans: Sequence[Span]) -> Figure:
    """Draw preference, output neurons and dopaminergic neurons over the whole run, phases shaded."""
    minutes = recording.counts["time"].values / 60.0
    preference = attempt(
        "preference in figure activity", lambda: recording.variable("preference").values, None
    )
    n_rows = 2 if preference is None else 3
    figure = Figure(figsize=(10.0, 2.2 * n_rows + 0.6), layout="constrained")
    axes = list(figure.subplots(n_rows, 1, sharex=True))
    if preference is not None:
        _band(axes[0], minutes, preference, BLUE, "mean and 95 % interval over larvae")
        axes[0].set(ylabel="preference", ylim=(-1.05, 1.05))
        axes[0].axhline(0, color=GREY, lw=0.8)
        axes[0].legend(frameon=False, loc="lower left")
    for axis, pair in zip(axes[-2:], (("MBONp", "MBONn"), ("DANp", "DANn")), strict=True):
        for name, color, meaning in zip(pair, (BLUE, RED), _MEANINGS[pair[0][:3]], strict=True):
            _band(axis, minutes, _rate(recording, name), color, f"{name} ({meaning})")
        axis.set_ylabel(f"{pair[0][:-1]}s (Hz)")
        axis.legend(frameon=False, loc="upper left", ncols=2)
    for axis in axes:
        _shade(axis, spans, label=axis is axes[0])
        bare(axis)
    # The label, because this panel has no legend.
    bands = "; bands: 95 % interval over larvae" if preference is None and recording.animals > 1 else ""
    axes[-1].set(xlabel=f"time (min){bands}", xlim=(0, minutes[-1]))
    return figure


_MEANINGS = {"MBO": ("approach", "avoidance"), "DAN": ("reward", "punishment")}


def draw_weights(recording: Recording, spans: Sequence[Span]) -> Figure | None:
    """Draw the plastic weights over time: all synapses of animal 0, and the mean over animals.

    Return None if the brain has no plastic projection.
    """
    names = list(recording.layout.weights)
    if not names:
        return None
    figure = Figure(figsize=(10.0, 2.4 * len(names) + 0.6), layout="constrained")
    axes = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, name, color in zip(axes, names, (BLUE, RED), strict=False):
        weights = recording.weights(name)
        minutes = weights["time"].values / 60.0
        axis.plot(minutes, weights.values[:, 0], color=GREY, lw=0.4, alpha=0.5)
        axis.plot([], [], color=GREY, lw=0.8, label="each synapse of larva 0")
        axis.plot(minutes, weights.values.mean(axis=(1, 2)), color=color, lw=2, label="mean over larvae")
        axis.set(ylabel=f"{name} ({recording.layout.weights[name][1]})")
        axis.legend(frameon=False, loc="lower right")
        _shade(axis, spans, label=axis is axes[0])
        bare(axis)
    axes[-1].set(xlabel="time (min)", xlim=(0, minutes[-1]), ylim=(0, None))
    return figure


def draw_raster(recording: Recording) -> Figure | None:
    """Draw every neuron with listed spikes of an animal around an odor onset.

    Return None if there was no odor.
    """
    before, after = RASTER_S
    animal = shown_animal(recording)
    onset_s = odor_onset_s(recording, animal)
    if onset_s is None:
        return None
    every = recording.layout.populations
    shown = [population for population in every if population.name in recording.listed_populations] or every
    figure = Figure(figsize=(10.0, 6.2), layout="constrained")
    axis = figure.subplots()
    ticks, labels, top = [], [], 0.0
    for number, population in enumerate(shown):
        spikes = recording.spikes(population.name, animal, onset_s - before, onset_s + after)
        # A single neuron gets the height of a few others, so that its row can be told from the next.
        height = 1.0 if population.size > 1 else LONE_ROWS
        rows = top + (spikes.neuron - population.start + 0.5) * height
        color = COLORS[number % len(COLORS)]
        axis.vlines(spikes.time_s - onset_s, rows - 0.4 * height, rows + 0.4 * height, color=color, lw=0.8)
        ticks.append(top + population.size * height / 2)
        labels.append(f"{population.name} ({population.size})" if population.size > 1 else population.name)
        top += population.size * height + 1.0
    axis.axvspan(0, after, color=ORANGE, alpha=0.12, lw=0)
    axis.set_yticks(ticks, labels, fontsize=8)
    axis.set_ylim(-0.5, top)
    axis.set(xlabel="time from odor onset (s)", xlim=(-before, after))
    neurons = "all" if len(shown) == len(every) else "recorded"
    axis.set_title(f"Larva {animal}: {neurons} neurons around an odor onset (shaded: odor)", fontsize=10)
    axis.invert_yaxis()
    bare(axis)
    return figure


def odor_onset_s(recording: Recording, animal: int) -> float | None:
    """Return the first odor onset of an animal that is late enough for the raster's stretch before it.

    Without such an onset, return 0 if an odor is present from the beginning, else None.
    """
    observation: NDArray[np.float32] = recording.variable("observation").values[:, animal]
    smelled = np.any(observation[:, ODOR_COLUMNS] > SMELLED_UM, axis=-1)
    onsets_s = (np.flatnonzero(smelled[1:] & ~smelled[:-1]) + 1) * recording.interval_s
    later = onsets_s[onsets_s >= RASTER_S[0]]
    if len(later):
        return float(later[0])
    return 0.0 if smelled.any() and smelled[0] else None


def _rate(recording: Recording, population: str) -> NDArray[np.float64]:
    """Return a population's rate in Hz, shape (time, animal), smoothed over `SMOOTH_S`."""
    seconds = recording.layout.control_interval_ms / 1000.0
    size = next(p.size for p in recording.layout.populations if p.name == population)
    counts = recording.counts.sel(group=population).values.astype(float)
    width = max(1, min(round(SMOOTH_S / seconds), len(counts)))
    sums = np.cumsum(np.vstack([np.zeros_like(counts[:1]), counts]), axis=0)
    begin = np.maximum(np.arange(1, len(counts) + 1) - width, 0)
    end = np.arange(1, len(counts) + 1)
    rate: NDArray[np.float64] = (sums[end] - sums[begin]) / ((end - begin) * seconds * size)[:, None]
    return rate


def _band(axis: Axes, x: NDArray[np.floating], values: NDArray[np.floating], color: str, label: str) -> None:
    """Plot the mean over animals with its 95 % interval; at most 2,000 points, for small files."""
    thin = slice(None, None, max(1, len(x) // 2000))
    x, values = x[thin], np.asarray(values[thin], dtype=float)
    mean = values.mean(axis=1)
    if values.shape[1] > 1:
        half = half_width(values)
        axis.fill_between(x, mean - half, mean + half, color=color, alpha=0.25, lw=0)
    axis.plot(x, mean, color=color, lw=1.3, label=label)


def _draw_field(axis: Axes, config: DishConfig, radius: float) -> None:
    grid = np.linspace(-radius, radius, 201)
    x, y = np.meshgrid(grid, grid)
    inside = x**2 + y**2 <= radius**2
    field = np.zeros_like(x)
    for source in sources_of_test(config):
        distance = np.hypot(x - source.position_mm[0], y - source.position_mm[1])
        field += np.vectorize(source.concentration_um)(distance)
    shown = np.where(inside, field, np.nan)
    axis.imshow(
        shown, origin="lower", extent=(-radius, radius, -radius, radius), cmap="Oranges", vmin=0, alpha=0.55
    )
    if np.nanmax(shown) - np.nanmin(shown) > 1e-6:
        axis.contour(x, y, shown, levels=5, colors="white", linewidths=0.8)
    axis.add_patch(Circle((0, 0), radius, fill=False, color="black", lw=1.2))
    for source in sources_of_test(config):
        if source.sigma_mm < 10 * radius:
            axis.plot(*source.position_mm, "k+", ms=9)
            axis.annotate(source.odor, source.position_mm, (0, 8), textcoords="offset points", ha="center")


def phase_spans(recording: Recording) -> list[Span]:
    """Return begin and end (min) and name of each uninterrupted phase."""
    phase = recording.variable("phase").values[:, 0]
    edges = [0, *(np.flatnonzero(np.diff(phase)) + 1), len(phase)]
    minutes = recording.interval_s / 60.0
    return [
        (begin * minutes, end * minutes, recording.layout.phases[int(phase[begin])])
        for begin, end in itertools.pairwise(edges)
    ]


def _shade(axis: Axes, spans: Sequence[Span], *, label: bool) -> None:
    """Shade reinforcement and test, and name the phases that are long enough for it."""
    for begin, end, name in spans:
        color = RED if "punishment" in name else GREEN if "reward" in name else None
        if name == "test":
            color = ORANGE
        if color:
            axis.axvspan(begin, end, color=color, alpha=0.10, lw=0)
        if label and end - begin > 0.06 * spans[-1][1]:
            text = name.split(": ")[-1].replace(" + ", "\n+ ")
            axis.text((begin + end) / 2, 1.02, text, transform=axis.get_xaxis_transform(),
                      ha="center", va="bottom", fontsize=7)  # fmt: skip
