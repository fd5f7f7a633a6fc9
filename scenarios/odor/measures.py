"""Measures of an odor experiment: preference of the mushroom body, choice in the dish, learning.

Each measure of a recording has a number for each animal and their mean with a 95 % interval. Positive values
mean approach to odor A.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.measured import DRAWN
from ethospike.envs.odor_arena import ODOR_DISTANCE_MM, REINFORCEMENT_COLUMNS
from ethospike.envs.odor_arena.larva_body import middle_of_body_mm
from ethospike.scenarios.analysis.group_statistics import interval
from ethospike.scenarios.odor.codes import code_measures, population_rates
from ethospike.scenarios.odor.config import DishConfig
from ethospike.scenarios.run.omissions import LEFT_OUT, leaving_out

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

EDGE_S = 20.0
"""First and last part of the test in which the read-out is averaged, as in the reference of the protocol."""
CHOICE_S = 120.0
"""Last part of the test in which the choice is measured: the odor's effect needs time to move a larva."""
NEUTRAL_MM = 10.0
"""Half-width of the neutral zone between the sides: a tenth of the dish, as in larvaworld."""


def phase_rows(recording: Recording, name: str) -> NDArray[np.int64]:
    """Return the control steps of the phases with names that begin with `name`."""
    wanted = [i for i, phase in enumerate(recording.layout.phases) if phase.startswith(name)]
    phase = recording.variable("phase").values[:, 0]
    return np.flatnonzero(np.isin(phase, wanted))


def training_rows(recording: Recording, odor: str) -> list[NDArray[np.int64]]:
    """Return the control steps of each training cycle's first phase with an odor."""
    phases = recording.layout.phases
    phase = recording.variable("phase").values[:, 0]
    runs = []
    for number in range(1, len(phases) + 1):
        name = f"cycle {number}: {odor}"
        wanted = [i for i, label in enumerate(phases) if label == name or label.startswith(f"{name} + ")]
        rows = np.flatnonzero(np.isin(phase, wanted))
        if len(rows):
            runs.append(_first_run(rows))
    return runs


def _first_run(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows up to the first gap."""
    gaps = np.flatnonzero(np.diff(rows) > 1)
    return rows[: gaps[0] + 1] if len(gaps) else rows


def measure(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the measures of an odor experiment.

    Parameters
    ----------
    recording : Recording
        Of `OdorArena-v0` with a phase "test", animals of odd number mirrored.
    config : DishConfig

    Returns
    -------
    dict
        Each measure as `{"mean", "low", "high", "animals"}`; `low` … `high` is the 95 % interval of the mean
        over animals, `animals` the value of each animal. The two indices also have `last_s`, the length of
        the last part of the test from which they are computed: the shorter of `CHOICE_S` and the whole test.
        `left_out` names the measures that need data that were not recorded.
    """
    measures: dict[str, Any] = {}
    for what, measure_part in _MEASURES.items():
        with leaving_out(measures, what):
            measures |= measure_part(recording, config)
    return measures


def _preference(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the preference of the mushroom body at both ends of the test, and in training."""
    preference, edge = recording.variable("preference").values, _rows(recording, EDGE_S)
    measures: dict[str, Any] = {}
    if len(test := phase_rows(recording, "test")):
        measures["preference_first_20_s"] = interval(preference[test[:edge]].mean(axis=0))
        measures["preference_last_20_s"] = interval(preference[test[-edge:]].mean(axis=0))
    for number, rows in enumerate(training_rows(recording, config.odor_a), start=1):
        measures[f"preference_cycle_{number}"] = interval(preference[rows[:edge]].mean(axis=0))
    return measures


def _choice(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the two indices of the larvae's position in the last part of the test."""
    test = phase_rows(recording, "test")
    if not len(test):
        return {}
    x = towards_a(centroid_mm(recording, test[-_rows(recording, CHOICE_S) :]))
    over = {"last_s": round(len(x) * recording.interval_s, 6)}
    return {
        "preference_index": interval(distance_index(x).mean(axis=0)) | over,
        "choice_index": interval(side_index(x)) | over,
    }


def _reinforcement(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the rate of the dopaminergic neuron that the reinforcement drives, during the reinforcement."""
    observation = recording.variable("observation").values[:, 0]
    reinforced = np.flatnonzero(observation[:, REINFORCEMENT_COLUMNS].any(axis=1))
    if not len(reinforced):
        return {}
    neuron = {"reward": "DANp", "punishment": "DANn"}[config.trained_with]
    counts = recording.counts.sel(group=neuron).values[reinforced]
    neurons_s = len(recording.neurons(neuron)) * recording.interval_s
    return {"dan_hz_in_training": interval(counts.mean(axis=0) / neurons_s)}


def _final_weights(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the mean weight of each plastic projection at the end."""
    return {
        f"final_weight_{projection}_ns": interval(recording.weights(projection).values[-1].mean(axis=-1))
        for projection in recording.layout.weights
    }


def _codes(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the Kenyon cells' code of each odor, in the first 20 s of its first presentation."""
    edge = _rows(recording, EDGE_S)
    windows = {}
    for odor in config.odors:
        if presented := training_rows(recording, odor):
            rows = presented[0][:edge]
            windows[odor] = (rows[0] * recording.interval_s, (rows[-1] + 1) * recording.interval_s)
    return code_measures(recording, windows)


def _populations(recording: Recording, config: DishConfig) -> dict[str, Any]:
    """Return the rates of all populations of a measured circuit, in the first odor and in the gap."""
    if config.circuit == DRAWN:
        return {}
    windows = {odor: rows[0] for odor in config.odors if (rows := training_rows(recording, odor))}
    if len(gap := phase_rows(recording, "gap")):
        windows["gap"] = gap
    return population_rates(recording, windows)


_MEASURES: dict[str, Callable[[Recording, DishConfig], dict[str, Any]]] = {
    "preference of the mushroom body": _preference,
    "preference_index, choice_index": _choice,
    "dan_hz_in_training": _reinforcement,
    "final weights": _final_weights,
    "code of Kenyon cells": _codes,
    "rates of populations": _populations,
}
"""Groups of measures that need the same parts of a recording."""


def _rows(recording: Recording, seconds: float) -> int:
    """Return a time as a number of control steps."""
    return round(seconds / recording.interval_s)


def centroid_mm(recording: Recording, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """Return the middles of the bodies in some control steps, shape (steps, animals, 2).

    Laboratories track larvae by the middle; the head, at which a larva smells, sweeps to both sides of its
    path. Recordings without the middle (before version 0.2) have the head and its heading.
    """
    variables = recording.layout.variables
    if "centroid_mm" not in variables and {"position_mm", "heading_rad"} <= variables.keys():
        head = recording.variable("position_mm").values[rows]
        return middle_of_body_mm(head, recording.variable("heading_rad").values[rows])
    middle: NDArray[np.floating] = recording.variable("centroid_mm").values[rows]
    return middle


def towards_a(position_mm: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return positions (time, animal, xy) with odor A of every animal at −x (odd animals have it at +x)."""
    turned = np.array(position_mm)
    turned[:, 1::2, 0] *= -1.0
    return turned


def distance_index(position_mm: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (d_away − d_A) / (2 · 40 mm) for each time and animal: 1 at odor A, −1 at the opposite point.

    Source: PI2 of larvaworld (dataset.py).
    """
    d_a = np.hypot(position_mm[..., 0] + ODOR_DISTANCE_MM, position_mm[..., 1])
    d_away = np.hypot(position_mm[..., 0] - ODOR_DISTANCE_MM, position_mm[..., 1])
    index: NDArray[np.float64] = np.divide(d_away - d_a, 2.0 * ODOR_DISTANCE_MM)
    return index


def side_index(position_mm: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return for each animal (time at A's side − time at the other side) / all time, without a neutral zone.

    Source: the spatial preference index of larvaworld (util/xy.py), over time instead of larvae.
    """
    x = position_mm[..., 0]
    share: NDArray[np.float64] = np.mean(x < -NEUTRAL_MM, axis=0) - np.mean(x > NEUTRAL_MM, axis=0)
    return share


def sentence(summary: dict[str, Any]) -> str:
    """Return the result of the test in words."""

    def show(key: str) -> str:
        measured = summary[key]
        spread = "" if measured["low"] is None else f" [{measured['low']:.2f}, {measured['high']:.2f}]"
        return f"{measured['mean']:+.2f}{spread}"

    parts = []
    if "preference_first_20_s" in summary:
        parts.append(
            "preference of the mushroom body for odor A at the start of the test: "
            f"{show('preference_first_20_s')}"
        )
    if "preference_index" in summary:
        parts.append(
            f"preference index in the dish over the last {summary['preference_index']['last_s']:g} s of the "
            f"test: {show('preference_index')}"
        )
    if not parts:
        return "" if LEFT_OUT in summary else "The experiment was stopped before its test."
    n = len(
        next(summary[key] for key in ("preference_index", "preference_first_20_s") if key in summary)[
            "animals"
        ]
    )
    group = "one larva" if n == 1 else f"mean over {n} larvae, 95 % interval in brackets"
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]} (−1 … +1, {group})."
