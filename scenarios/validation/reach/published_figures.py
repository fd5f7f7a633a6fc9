"""Figures of the networks behind Figs 5 and 6 of Rostami et al. 2024, in the style of the publication.

The figures are drawn from the results of `published`. Points and dashes are the published values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ethospike.scenarios.analysis.figure_style import BLUE, DPI, GREEN, GREY, ORANGE, RED, SKY, bare
from ethospike.scenarios.reach.published_measures import IN_TIME_MS, THRESHOLDS
from ethospike.scenarios.validation.cells import plain
from ethospike.scenarios.validation.reach import published_values as published
from ethospike.scenarios.validation.reach.published_values import CONDITIONS

CONDITION_COLORS = {"1": BLUE, "2": ORANGE, "3": SKY}
GO_MS = 1000.0


def draw_fig5(data: Mapping[str, Any]) -> Figure:
    """Draw decoding, change of the Fano factor, rate and CV2 over time; each of two runs is a line."""
    figure = Figure(figsize=(10.0, 6.4), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for axis, key, label, courses in (
        (axes[0, 0], "decoding", "decoding accuracy", published.DECODING_COURSE),
        (axes[0, 1], "fano_change", "ΔFF", published.FANO_COURSE),
        (axes[1, 0], "rate_hz", "rate (Hz)", None),
        (axes[1, 1], "cv2", "CV2", None),
    ):
        _draw_courses(axis, data, key)
        for condition, color in CONDITION_COLORS.items():
            if courses is not None:
                axis.plot(published.FIG5_MS, courses[condition], "o", color=color, ms=5, mec="black", mew=0.5)
        axis.set_ylabel(label)
        for time_ms, name in ((0.0, "PS"), (GO_MS, "RS")):
            axis.axvline(time_ms, color="black", lw=0.6)
            axis.text(time_ms, 1.0, name, transform=axis.get_xaxis_transform(), ha="center", va="bottom")
        bare(axis)
    for condition, color in CONDITION_COLORS.items():
        axes[0, 0].axhline(1.0 / int(condition), color=color, lw=0.6, ls=":")
        rate_hz, cv2 = published.RATE_HZ[condition], published.CV2[condition]
        axes[1, 0].plot([500.0], [rate_hz], "o", color=color, ms=5, mec="black", mew=0.5)
        axes[1, 1].plot([500.0], [cv2], "o", color=color, ms=5, mec="black", mew=0.5)
    axes[1, 0].plot([-200.0], [published.RATE_BEFORE_HZ], "o", color=GREY, ms=5, mec="black", mew=0.5)
    axes[1, 1].plot([-200.0], [published.CV2_BEFORE], "o", color=GREY, ms=5, mec="black", mew=0.5)
    axes[0, 0].axhline(1.0 / 6.0, color=GREY, lw=0.6, ls=":")
    axes[0, 0].set_ylim(0.0, 1.05)
    axes[1, 0].set_ylim(0.0, None)
    axes[1, 1].set_ylim(0.4, 1.3)
    axes[0, 0].legend(frameon=False, fontsize=8, loc="lower right")
    for axis in axes[1]:
        axis.set_xlabel("time from the preparatory signal (ms)")
    figure.suptitle(
        f"reach-fig5, {data['trials']} trials a condition: two runs (lines) and the published run (points)",
        fontsize=10,
    )
    return figure


def _draw_courses(axis: Axes, data: Mapping[str, Any], key: str) -> None:
    for number, run in enumerate(data["courses"]):
        time_ms = run["time_ms"][key]
        for condition, color in CONDITION_COLORS.items():
            course = np.array(run["conditions"][condition][key], dtype=float)
            label = f"{condition} cued" if number == 0 else None
            axis.plot(time_ms, course, color=color, lw=1.6 if number == 0 else 0.9, label=label)


def draw_fig6(data: Mapping[str, Any]) -> Figure:
    """Draw reaction times by condition, the outcomes of all trials, and two criteria for the threshold."""
    figure = Figure(figsize=(12.0, 3.9), layout="constrained")
    times, outcomes, criteria = figure.subplots(1, 3, width_ratios=(1.3, 1.1, 1.1))
    edges = np.linspace(0.0, IN_TIME_MS, len(data["decisions"]["1"]["histogram"]) + 1)
    for condition, color in CONDITION_COLORS.items():
        decided = data["decisions"][condition]
        counts = np.array(decided["histogram"], dtype=float)
        density = counts / max(1.0, counts.sum()) / (edges[1] - edges[0])
        median_ms = plain(decided["median_ms"]["mean"], "{:.0f}")
        label = (
            f"{condition} cued: {decided['correct']['count']} of {decided['trials']}, median {median_ms} ms"
        )
        times.stairs(density, edges, color=color, lw=1.6, label=label)
        times.axvline(published.MEDIAN_MS[condition], color=color, lw=1.0, ls="--")
    times.set(xlabel="response signal to decision (ms)", ylabel="density of correct trials (1/ms)")
    times.set_title(f"Reaction times at {published.THRESHOLD} (dashed: published medians)", fontsize=10)
    times.legend(frameon=False, fontsize=8)
    _draw_outcomes(outcomes, data)
    _draw_criteria(criteria, data)
    for axis in (times, outcomes, criteria):
        bare(axis)
    return figure


def _draw_outcomes(axis: Axes, data: Mapping[str, Any]) -> None:
    """Draw the outcomes of all trials, at the published threshold and at the threshold of the best recall."""
    recall = data["criteria"]["recall"]
    groups = [(published.THRESHOLD, data["decisions"]), (recall["threshold"], recall["decisions"])]
    place, ticks, labels = 0.0, list[float](), list[str]()
    for threshold, decisions in groups:
        for condition in CONDITIONS:
            bottom = 0.0
            for key, color in (("correct", GREEN), ("late", SKY), ("wrong", RED), ("undecided", "#CCCCCC")):
                share, label = (
                    decisions[condition][key]["mean"],
                    {"late": "correct after 500 ms"}.get(key, key),
                )
                axis.bar(place, share, bottom=bottom, color=color, label=None if ticks else label, width=0.8)
                bottom += share
            ticks.append(place)
            labels.append(f"{condition}\nat {threshold:.2f}" if condition == "2" else condition)
            place += 1.0
        place += 0.6
    for offset, condition in enumerate(CONDITIONS):  # the published share of correct trials
        share = published.CORRECT[condition] / published.TRIALS
        axis.plot([offset - 0.4, offset + 0.4], [share, share], color="black", lw=1.2, ls="--")
    axis.set_xticks(ticks, labels)
    axis.set(xlabel="cued targets", ylabel="share of all trials", ylim=(0.0, 1.0))
    axis.set_title("Outcomes (dashed: published)", fontsize=10)
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def _draw_criteria(axis: Axes, data: Mapping[str, Any]) -> None:
    """Draw the scores of all thresholds by two criteria."""
    for name, color, label in (
        ("precision", RED, "mean precision, undecided as a label"),
        ("recall", GREEN, "mean recall over directions"),
    ):
        criterion = data["criteria"][name]
        axis.plot(THRESHOLDS, np.array(criterion["scores"], dtype=float), color=color, label=label)
        axis.plot([criterion["threshold"]], [criterion["score"]], "o", color=color)
    axis.axvline(published.THRESHOLD, color="black", lw=1.0, ls="--")
    axis.set(xlabel="threshold", ylabel="score", ylim=(0.0, 1.0))
    axis.set_title("Criteria of the threshold (dashed: published)", fontsize=10)
    axis.legend(frameon=False, fontsize=8, loc="lower center")


FIGURES: dict[str, Callable[[Mapping[str, Any]], Figure]] = {"fig5": draw_fig5, "fig6": draw_fig6}
"""Function that draws the results of a part, by name of the part."""


def draw(out: Path, part: str, data: Mapping[str, Any]) -> None:
    """Draw the figure of a part, if any, as `OUT_part.png`."""
    if part in FIGURES:
        FIGURES[part](data).savefig(out.with_name(f"{out.name}_{part}.png"), dpi=DPI)
