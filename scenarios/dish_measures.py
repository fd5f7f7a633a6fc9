"""What an odor experiment measures: preference of the mushroom body, choice in the dish, learning.

In: a recording. Out: numbers an animal, and their mean with a 95 % interval. The signs are those of odor A:
above zero is towards it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.arena_config import ODOR_DISTANCE_MM, REINFORCEMENT_COLUMNS
from ethospike.recorders.recording import Recording
from ethospike.scenarios.dish import DishConfig
from ethospike.scenarios.group_statistics import interval

EDGE_S = 20.0
"""First and last part of the test in which the read-out is averaged, as in the reference of the protocol."""
CHOICE_S = 120.0
"""Last part of the test in which the choice is measured: the odor's effect needs time to move a larva."""
NEUTRAL_MM = 10.0
"""Half-width of the zone that counts for neither side: a tenth of the dish, as in larvaworld."""


def phase_rows(recording: Recording, name: str) -> NDArray[np.int64]:
    """Return the control steps of the phases whose name begins with `name`."""
    wanted = [i for i, phase in enumerate(recording.layout.phases) if phase.startswith(name)]
    phase = recording.behavior["phase"].values[:, 0]
    return np.flatnonzero(np.isin(phase, wanted))


def training_rows(recording: Recording, odor: str) -> list[NDArray[np.int64]]:
    """Return the control steps of each training cycle's first phase with an odor."""
    phases = recording.layout.phases
    phase = recording.behavior["phase"].values[:, 0]
    found = []
    for number in range(1, len(phases) + 1):
        name = f"cycle {number}: {odor}"
        wanted = [i for i, one in enumerate(phases) if one == name or one.startswith(f"{name} + ")]
        rows = np.flatnonzero(np.isin(phase, wanted))
        if len(rows):
            found.append(_first_run(rows))
    return found


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
        over animals, `animals` the value of each. The two indices also say `last_s`, the length of the last
        part of the test that they are of: `CHOICE_S` or the whole test, whichever is shorter.
    """
    seconds = recording.layout.control_interval_ms / 1000.0
    test = phase_rows(recording, "test")
    preference = recording.behavior["preference"].values
    measures: dict[str, Any] = {}
    if len(test):
        edge, choice = round(EDGE_S / seconds), round(CHOICE_S / seconds)
        measures["preference_first_20_s"] = interval(preference[test[:edge]].mean(axis=0))
        measures["preference_last_20_s"] = interval(preference[test[-edge:]].mean(axis=0))
        x = towards_a(recording.behavior["position_mm"].values[test[-choice:]])
        over = {"last_s": round(len(x) * seconds, 6)}
        measures["preference_index"] = interval(distance_index(x).mean(axis=0)) | over
        measures["choice_index"] = interval(side_index(x)) | over
    for number, rows in enumerate(training_rows(recording, config.odor_a), start=1):
        begin = rows[: round(EDGE_S / seconds)]
        measures[f"preference_cycle_{number}"] = interval(preference[begin].mean(axis=0))
    observation = recording.behavior["observation"].values[:, 0]
    reinforced = np.flatnonzero(observation[:, REINFORCEMENT_COLUMNS].any(axis=1))
    neuron = {"reward": "DANp", "punishment": "DANn"}[getattr(config, "reinforcement", "reward")]
    if len(reinforced):
        counts = recording.counts.sel(group=neuron).values[reinforced]
        measures["dan_hz_in_training"] = interval(counts.mean(axis=0) / seconds)
    for projection in recording.layout.weights:
        final = recording.weights(projection).values[-1].mean(axis=-1)
        measures[f"final_weight_{projection}_ns"] = interval(final)
    return measures


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
    """Return what the test showed, for people."""

    def show(key: str) -> str:
        one = summary[key]
        spread = "" if one["low"] is None else f" [{one['low']:.2f}, {one['high']:.2f}]"
        return f"{one['mean']:+.2f}{spread}"

    if "preference_index" not in summary:
        return "The experiment was stopped before its test."
    index = summary["preference_index"]
    n = len(index["animals"])
    group = "one larva" if n == 1 else f"mean over {n} larvae, 95 % interval in brackets"
    return (
        "Preference of the mushroom body for odor A at the start of the test: "
        f"{show('preference_first_20_s')}; preference index in the dish over the last "
        f"{index['last_s']:g} s of the test: {show('preference_index')} (−1 … +1, {group})."
    )
