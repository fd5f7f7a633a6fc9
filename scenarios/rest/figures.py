"""Figures of a cortex at rest: a raster by cluster, and the share and lengths of each cluster's dominance.

The figures are drawn from a recording and saved as PNG files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis import spike_statistics
from ethospike.scenarios.analysis.figure_style import BLUE, COLORS, GREY, bare, save_each, shown_animal
from ethospike.scenarios.rest import measures as rest_measures
from ethospike.scenarios.rest.config import BIN_MS, RestConfig

SHOWN_S = 6.0
"""Length of the raster: some ten changes of the active cluster."""
SHOWN_NEURONS = 320
"""Rows of the raster, few enough to be distinguished in print."""


def draw_all(recording: Recording, config: RestConfig, folder: Path) -> list[Path]:
    """Draw the raster, and the dominance if the recording is long enough."""
    drawings: dict[str, Callable[[], Figure | None]] = {"raster": lambda: draw_raster(recording)}
    if recording.duration_s > 2 * rest_measures.WARM_UP_S:
        drawings["dominance"] = lambda: draw_dominance(recording)
    return save_each(folder, drawings)


def draw_raster(recording: Recording) -> Figure:
    """Draw some neurons of every excitatory cluster of one animal, and the rates of the clusters."""
    population = next(p for p in recording.layout.populations if p.name == "E")
    size = population.size // population.clusters
    shown = max(1, min(size, SHOWN_NEURONS // population.clusters))
    start_s = max(0.0, min(rest_measures.WARM_UP_S, recording.duration_s - SHOWN_S))
    stop_s = min(recording.duration_s, start_s + SHOWN_S)
    animal = shown_animal(recording)
    spikes = recording.spikes("E", animal, start_s, stop_s)
    cluster, place = np.divmod(spikes.neuron - population.start, size)
    figure = Figure(figsize=(10.0, 6.5), layout="constrained")
    raster, rates = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    for number in range(population.clusters):
        kept = (cluster == number) & (place < shown)
        rows = number + 0.05 + 0.9 * place[kept] / shown
        raster.plot(spikes.time_s[kept], rows, "|", ms=2.0, mew=0.6, color=COLORS[number % len(COLORS)])
    raster.set(ylabel="excitatory cluster", ylim=(0, population.clusters), xlim=(start_s, stop_s))
    step = 1 if population.clusters <= 10 else 5
    ticks = np.arange(0, population.clusters, step)
    raster.set_yticks(ticks + 0.5, [str(tick + 1) for tick in ticks])
    whose = f" of animal {animal}" if recording.animals > 1 else ""
    raster.set_title(f"{shown} of the {size} neurons of each cluster{whose}", fontsize=10)
    begin_s = rest_measures.WARM_UP_S
    rate_hz = rest_measures.cluster_rates(recording, animal)
    time_s = begin_s + (np.arange(len(rate_hz)) + 0.5) * BIN_MS / 1000.0
    inside = time_s < stop_s
    for number in range(rate_hz.shape[1]):
        rates.plot(time_s[inside], rate_hz[inside, number], color=COLORS[number % len(COLORS)], lw=1.0)
    if rate_hz.size:
        rates.axhline(3.0 * rate_hz.mean(), color=GREY, lw=0.8, ls=":", label="dominates above: 3 × mean")
        rates.legend(frameon=False, fontsize=8, loc="upper right")
    rates.set(xlabel="time (s)", ylabel="rate in 50 ms (Hz)", ylim=(0, None))
    for axis in (raster, rates):
        bare(axis)
    return figure


def draw_dominance(recording: Recording) -> Figure:
    """Draw the share of time that each cluster dominates, and the distribution of its lengths."""
    figure = Figure(figsize=(10.0, 3.6), layout="constrained")
    shares, dwell = figure.subplots(1, 2)
    times_ms: list[float] = []
    for animal in range(recording.animals):
        rate_hz = rest_measures.cluster_rates(recording, animal)
        dominance = rest_measures.dominance(rate_hz)["dominance"]
        color = COLORS[animal % len(COLORS)]
        label = f"animal {animal}" if recording.animals > 1 else None
        shares.plot(np.arange(1, 1 + len(dominance)), dominance, "o", color=color, label=label)
        times_ms += list(spike_statistics.dwell_times(spike_statistics.dominant_cluster(rate_hz))[1] * BIN_MS)
    shares.axhline(0.01, color=GREY, lw=0.8, ls=":")
    shares.set(xlabel="cluster", ylabel="share of time dominated", ylim=(0, None))
    if recording.animals > 1:
        shares.legend(frameon=False, fontsize=8)
    if times_ms:
        bins = np.arange(0.5, max(times_ms) / BIN_MS + 1.5) * BIN_MS
        dwell.hist(times_ms, bins, color=BLUE, label=f"median {np.median(times_ms):.0f} ms")
        dwell.legend(frameon=False)
    shares.xaxis.set_major_locator(MaxNLocator(integer=True))
    dwell.set(xlabel="dominated at a time (ms)", ylabel="number")
    for axis in (shares, dwell):
        bare(axis)
    return figure
