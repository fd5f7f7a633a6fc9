"""Figures of a delayed reach: clusters in a trial, activity and variability over time, decoding, times.

The figures are drawn from a recording and its configuration and saved as PNG files.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ethospike.envs.delayed_reach.task import OUTCOMES
from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis import spike_statistics
from ethospike.scenarios.analysis.figure_style import BLUE, GREEN, GREY, ORANGE, RED, bare, save_each
from ethospike.scenarios.analysis.group_statistics import mean
from ethospike.scenarios.analysis.spike_statistics import WINDOW_MS
from ethospike.scenarios.reach import trials as reach_trials
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.courses import (
    CUT_MS,
    MIN_FOLD_TRIALS,
    STEP_MS,
    CutTrials,
    cluster_roles,
    cut_trials,
)
from ethospike.scenarios.reach.trials import NEVER, Trials
from ethospike.scenarios.run.omissions import attempt

CONDITION_COLORS = (BLUE, ORANGE, RED, GREEN)
DECODING_STEP_MS = 100.0
"""Step between windows with decoding, which is fitted anew for every window and so drawn at fewer of them."""
RATE_BIN_MS = 20.0
"""Bins of the rates of clusters: an active cluster of 200 neurons has a hundred spikes in a bin."""
TIME_BIN_MS = 40.0
"""Bins of the distributions of times (the publication's Fig 6 has 36 ms)."""


def draw_all(recording: Recording, config: DelayedReachConfig, folder: Path) -> list[Path]:
    """Draw the figures for which the recording has data; short runs and agents without neurons have fewer."""
    trials = reach_trials.read_trials(recording)
    if not len(trials):
        return []
    # Read once, for the first figure that needs them.
    cuts = cache(lambda: cut_trials(recording, trials))
    return save_each(
        folder,
        {
            "times": lambda: draw_times(trials, decisions_known=_decisions_are_known(recording)),
            "variability": lambda: draw_variability(cuts(), config) if cuts() else None,
            "decoding": lambda: draw_decoding(cuts(), config) if cuts() else None,
            "clusters": lambda: draw_clusters(recording, trials, config) if cuts() else None,
        },
    )


def _decisions_are_known(recording: Recording) -> bool:
    """Return True if the decisions were recorded, or the agent makes no decisions."""
    has_decisions = attempt(
        "decisions in figure times", lambda: reach_trials.has_decisions(recording), otherwise=None
    )
    return has_decisions is not None


# -- clusters -------------------------------------------------------------------------------------------


def draw_clusters(recording: Recording, trials: Trials, config: DelayedReachConfig) -> Figure | None:
    """Draw one trial of each condition as a raster, and the mean rates of clusters by role.

    Return None without a trial with a completely recorded cut.

    Raises
    ------
    NotRecorded
        When the stimulus or the spikes were not recorded.
    """
    roles = cluster_roles(recording, trials)
    shown = [condition for condition in trials.conditions if len(_whole(recording, trials, condition))]
    if not shown:
        return None
    listed = np.isin(trials.animal, recording.listed_animals)
    figure = Figure(figsize=(4.2 * len(shown), 7.0), layout="constrained")
    axes = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False, height_ratios=(2, 1))
    for column, condition in enumerate(shown):
        members = _whole(recording, trials, condition)
        raster, rates = axes[:, column]
        targets = "1 target" if condition == 1 else f"{condition} targets"
        decision = ""
        for trial in members[listed[members]][:1]:
            _draw_raster(raster, recording, trials, roles, int(trial))
            decision = " (dashed: decision)" if trials.decision[trial] != NEVER else ""
        raster.set_title(f"{targets} cued: one trial{decision}", fontsize=10)
        _draw_roles(rates, recording, trials, roles, members)
        rates.set_title(f"mean of {len(members)} {'trial' if len(members) == 1 else 'trials'}", fontsize=10)
        for axis in (raster, rates):
            _mark_signals(axis, config)
            bare(axis)
        rates.set(xlabel="time from the preparatory signal (ms)", xlim=CUT_MS)
    axes[0, 0].set_ylabel("excitatory cluster")
    axes[1, 0].set_ylabel("rate of a neuron (Hz)")
    axes[1, -1].legend(frameon=False, fontsize=8)
    return figure


_ROLES = ((2, BLUE, "target"), (1, ORANGE, "other cued"), (0, GREY, "not cued"))


def _whole(recording: Recording, trials: Trials, condition: int) -> NDArray[np.int64]:
    """Return the trials of a condition with a recorded cut and both signals."""
    end_ms = recording.duration_s * 1000.0
    inside = (trials.preparatory_ms + CUT_MS[0] >= 0) & (trials.preparatory_ms + CUT_MS[1] <= end_ms)
    return np.flatnonzero(inside & np.isfinite(trials.response_ms) & (trials.condition == condition))


def _draw_raster(
    axis: Axes, recording: Recording, trials: Trials, roles: NDArray[np.int64], trial: int
) -> None:
    """Draw the spikes of some neurons of each cluster in a trial, colored by the role of the cluster."""
    population = next(p for p in recording.layout.populations if p.name == "E")
    size = population.size // population.clusters
    shown = max(1, min(size, 240 // population.clusters))
    onset_s = trials.preparatory_ms[trial] / 1000.0
    start_s, stop_s = onset_s + CUT_MS[0] / 1000.0, onset_s + CUT_MS[1] / 1000.0
    spikes = recording.spikes("E", int(trials.animal[trial]), start_s, stop_s)
    cluster, place = np.divmod(spikes.neuron - population.start, size)
    time_ms = (spikes.time_s - onset_s) * 1000.0
    for role, color, _ in _ROLES:
        kept = (place < shown) & (roles[trial][cluster] == role)
        rows = cluster[kept] + 0.05 + 0.9 * place[kept] / shown
        axis.plot(time_ms[kept], rows, "|", ms=2.0, mew=0.6, color=color)
    if trials.decision[trial] != NEVER:
        when = trials.response_ms[trial] - trials.preparatory_ms[trial] + trials.decision_ms[trial]
        axis.axvline(when, color="black", lw=1.0, ls="--")
    step = 1 if population.clusters <= 10 else 5
    ticks = np.arange(0, population.clusters, step)
    axis.set_yticks(ticks + 0.5, [str(tick + 1) for tick in ticks])
    axis.set_ylim(0, population.clusters)


def _draw_roles(
    axis: Axes, recording: Recording, trials: Trials, roles: NDArray[np.int64], members: NDArray[np.int64]
) -> None:
    """Draw the mean rates of clusters by role over the trials of a condition."""
    groups = [f"E[{cluster}]" for cluster in range(roles.shape[1])]
    known = {str(group) for group in recording.counts["group"].values}
    counts = recording.counts.sel(group=[group for group in groups if group in known])
    interval_ms = recording.layout.control_interval_ms
    begin, end = (round(edge / interval_ms) for edge in CUT_MS)
    width = max(1, round(RATE_BIN_MS / interval_ms))
    neurons = float(counts["neurons"].values[0])
    values = counts.values
    rows = np.rint(trials.preparatory_ms[members] / interval_ms).astype(int)
    cut = np.stack(
        [values[row + begin : row + end, a] for row, a in zip(rows, trials.animal[members], strict=True)]
    )
    cut = cut[:, : cut.shape[1] // width * width]
    binned = cut.reshape(len(cut), -1, width, cut.shape[-1]).mean(axis=2) / (neurons * interval_ms / 1000.0)
    time_ms = CUT_MS[0] + (np.arange(binned.shape[1]) + 0.5) * width * interval_ms
    for role, color, label in _ROLES:
        of_role = roles[members] == role
        if of_role.any():
            weight = of_role[:, None, :]
            axis.plot(time_ms, (binned * weight).sum(axis=(0, 2)) / of_role.sum(), color=color, label=label)
    axis.set_ylim(0, None)


# -- over time ------------------------------------------------------------------------------------------


def draw_variability(cuts: Sequence[CutTrials], config: DelayedReachConfig) -> Figure:
    """Draw rate, Fano factor and CV2 over time by condition, means over animals."""
    figure = Figure(figsize=(7.5, 8.0), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    titles = {
        "rate_hz": "mean rate of a neuron (Hz)",
        "fano": "Fano factor",
        "cv2": "CV2",
    }
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        for condition, color in _conditions(cuts):
            courses = np.array([getattr(cut, name)(condition) for cut in cuts])
            _draw_courses(axis, cuts[0].time_ms, courses, color, _label(cuts, condition))
        axis.set_ylabel(title)
        _mark_signals(axis, config)
        bare(axis)
        if not any(np.isfinite(line.get_ydata()).any() for line in axis.lines if len(line.get_ydata()) > 2):
            axis.set_yticks([])
            axis.text(0.5, 0.5, f"needs {spike_statistics.MIN_TRIALS} trials of a direction in a condition",
                      transform=axis.transAxes, ha="center", color=GREY)  # fmt: skip
    axes[0].legend(frameon=False, fontsize=8)
    axes[0].set_title(f"Windows of {WINDOW_MS:g} ms, drawn at their centers", fontsize=10)
    axes[-1].set(
        xlabel="time from the preparatory signal (ms)", xlim=(cuts[0].time_ms[0], cuts[0].time_ms[-1])
    )
    return figure


def draw_decoding(cuts: Sequence[CutTrials], config: DelayedReachConfig) -> Figure:
    """Draw the accuracy of decoding the movement's direction from the counts, over time by condition."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axis = figure.subplots()
    time_ms = cuts[0].time_ms
    centers = time_ms[:: round(DECODING_STEP_MS / STEP_MS)]
    n_targets = config.task.n_targets
    for condition, color in _conditions(cuts):
        courses = np.array([cut.decoding(condition, centers) for cut in cuts])
        too_few = "" if np.isfinite(courses).any() else f": needs {MIN_FOLD_TRIALS} of every direction"
        _draw_courses(axis, centers, courses, color, _label(cuts, condition) + too_few)
        axis.axhline(1.0 / condition, color=color, lw=0.8, ls=":")
    axis.axhline(1.0 / n_targets, color=GREY, lw=0.8)
    axis.text(centers[len(centers) // 2], 1.0 / n_targets - 0.01, "chance", va="top", color=GREY, fontsize=8)
    _mark_signals(axis, config)
    bare(axis)
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0.0, 0.94))
    axis.set(
        xlabel="time from the preparatory signal (ms)",
        ylabel="decoding accuracy",
        ylim=(0, 1.05),
        xlim=(centers[0], centers[-1]),
    )
    axis.set_title(
        "Direction read from spike counts of 400 ms (dotted: one of the cued by guess)", fontsize=10
    )
    return figure


# -- times ----------------------------------------------------------------------------------------------


def draw_times(trials: Trials, *, decisions_known: bool = True) -> Figure:
    """Draw the distributions of decision and reaction times of correct trials, and the outcomes of trials.

    The decisions are left out if they were not recorded.
    """
    figure = Figure(figsize=(11.0, 3.8), layout="constrained")
    brain, hand, ended = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1.0))
    brain.sharey(hand)
    for axis, times_ms, right, what in (
        (brain, trials.decision_ms, trials.decided_right, "decision of the brain"),
        (hand, trials.reaction_ms, trials.reached_right, "hand leaves the center"),
    ):
        longest = max(400.0, float(np.nanmax(times_ms[right], initial=0.0)))
        bins = np.arange(0.0, longest + TIME_BIN_MS, TIME_BIN_MS)
        for number, condition in enumerate(trials.conditions):
            mine = times_ms[right & (trials.condition == condition)]
            mine = mine[np.isfinite(mine)]
            color = CONDITION_COLORS[number % len(CONDITION_COLORS)]
            if len(mine):
                shares = np.histogram(mine, bins)[0] / len(mine)
                label = f"{condition} cued: median {np.median(mine):.0f} ms"
                axis.stairs(shares, bins, color=color, lw=1.6, label=label)
        axis.set(xlabel=f"response signal to {what} (ms)", ylabel="share of right trials")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False, fontsize=8)
        else:
            axis.set_xticks([])
            none = "none" if decisions_known or axis is hand else "not recorded"
            axis.text(0.5, 0.5, none, transform=axis.transAxes, ha="center", color=GREY)
        bare(axis)
    bottom = np.zeros(len(trials.conditions))
    places = np.arange(len(trials.conditions))
    for index, (name, color) in enumerate(zip(OUTCOMES, (GREEN, RED, ORANGE, GREY), strict=True)):
        share = np.array([(trials.outcome[trials.condition == c] == index).mean() for c in trials.conditions])
        ended.bar(places, share, bottom=bottom, color=color, label=name.replace("_", " "), width=0.7)
        bottom += share
    counts = [int((trials.condition == c).sum()) for c in trials.conditions]
    ended.set_xticks(places, [f"{c} cued\n({n})" for c, n in zip(trials.conditions, counts, strict=True)])
    ended.set(ylabel="share of trials", ylim=(0, 1))
    ended.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    bare(ended)
    return figure


# -- parts ----------------------------------------------------------------------------------------------


def _conditions(cuts: Sequence[CutTrials]) -> list[tuple[int, str]]:
    conditions = sorted({condition for cut in cuts for condition in cut.trials.conditions})
    return [(c, CONDITION_COLORS[i % len(CONDITION_COLORS)]) for i, c in enumerate(conditions)]


def _label(cuts: Sequence[CutTrials], condition: int) -> str:
    n = sum(int((cut.trials.condition == condition).sum()) for cut in cuts)
    return f"{condition} cued ({n} trials)"


def _draw_courses(
    axis: Axes, time_ms: NDArray[np.float64], courses: NDArray[np.float64], color: str, label: str
) -> None:
    """Draw the mean over animals, and each animal thin if there are several."""
    if len(courses) > 1:
        axis.plot(time_ms, courses.T, color=color, lw=0.6, alpha=0.5)
    axis.plot(time_ms, mean(courses.T), color=color, lw=1.8, label=label)


def _mark_signals(axis: Axes, config: DelayedReachConfig) -> None:
    """Shade the preparatory and the response signal."""
    task = config.task
    begin = task.preparatory_ms + task.delay_ms
    axis.axvspan(0.0, task.preparatory_ms, color=ORANGE, alpha=0.10, lw=0)
    axis.axvspan(begin, begin + task.response_signal_ms, color=GREEN, alpha=0.12, lw=0)
