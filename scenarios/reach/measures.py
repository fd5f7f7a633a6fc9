"""Measures of a delayed reach: correct decisions and reaches, times, and the cortex in the delay.

The measures of a recording are numbers by condition (the number of cued targets), with 95 % intervals where
trials give them: bootstrap over animals, if there are several, and trials within them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.errors import NotRecorded
from ethospike.scenarios.analysis.group_statistics import interval, mean
from ethospike.scenarios.reach import trials as reach_trials
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.courses import BASELINE_MS, PREPARED_MS, CutTrials, cut_trials
from ethospike.scenarios.run.omissions import leaving_out, note, note_unlisted_animals

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

OF_TARGETS = ("decision_correct", "hand_correct")
"""Measures that are also given for each target."""


def measure(recording: Recording, config: DelayedReachConfig) -> dict[str, Any]:
    """Return the measures of a delayed reach.

    Returns
    -------
    dict
        `conditions`: by condition and for "all" the number of trials and the measures of
        `reach_trials.measures`, each `{"mean", "low", "high"}`; times are medians in ms over correct trials.
        Those of decisions are there if a brain made them. `animals` are the values of single animals.
        `targets`: by target the shares of correct decisions and reaches, with the interval over animals.
        `cortex`: by condition the means over animals of `cortex_measures`. None stands for measures
        with too few trials. `left_out` names the measures that need data that were not recorded.
    """
    trials = reach_trials.read_trials(recording)
    groups = [trials.where(trials.animal == animal) for animal in range(recording.animals)]
    groups = [group for group in groups if len(group)]
    if not groups:
        return {"conditions": {}, "targets": {}, "cortex": {}}
    measures = reach_trials.measures(config.task.cued_targets)
    measured: dict[str, Any] = {"conditions": {}, "cortex": {}}
    of_decisions = [name for name in measures if name.startswith("decision")]
    try:
        decides = reach_trials.has_decisions(recording)
    except NotRecorded as error:
        note(measured, ", ".join(of_decisions), str(error))
        decides = False
    if not decides:
        measures = {name: measure for name, measure in measures.items() if name not in of_decisions}
    drawn = reach_trials.draws_of(groups, measures)
    measured["conditions"] = reach_trials.tabulate(groups, measures, drawn)
    measured["targets"] = by_target(groups, {name: measures[name] for name in OF_TARGETS if name in measures})
    with leaving_out(measured, "cortex"):
        if cuts := cut_trials(recording, trials):
            measured["cortex"] = {str(c): cortex_measures(cuts, c) for c in trials.conditions}
            note_unlisted_animals(measured, "cortex", recording)
    return measured


def by_target(
    groups: Sequence[reach_trials.Trials], measures: Mapping[str, reach_trials.Measure]
) -> dict[str, dict[str, Any]]:
    """Return shares of the trials of each target: an arm may take one direction away."""
    shares: dict[str, dict[str, Any]] = {}
    for target in np.unique(np.concatenate([group.target for group in groups])).tolist():
        of_target = [group.where(group.target == target) for group in groups]
        shares[str(target)] = {}
        for name, measure in measures.items():
            each = np.array([float(measure.reduce(measure.values(trials))) for trials in of_target])
            known = each[np.isfinite(each)]
            if len(known):
                values = [value if np.isfinite(value) else None for value in each.tolist()]
                shares[str(target)][name] = {**interval(known), "animals": values}
    return shares


def cortex_measures(cuts: Sequence[CutTrials], condition: int) -> dict[str, float | None]:
    """Return rate, Fano factor and CV2 before the preparatory signal and 500 ms after it, and decoding then.

    The values are means over animals, None where there were too few trials.
    """
    cuts = [cut for cut in cuts if condition in cut.trials.conditions]
    measured: dict[str, float | None] = {}
    for name in ("rate_hz", "fano", "cv2"):
        courses = [(cut, getattr(cut, name)(condition)) for cut in cuts]
        for label, center in (("before", BASELINE_MS), ("prepared", PREPARED_MS)):
            measured[f"{name}_{label}"] = _mean([cut.value_at(course, center) for cut, course in courses])
    measured["fano_change"] = _mean(
        [
            cut.value_at(f, PREPARED_MS) - cut.value_at(f, BASELINE_MS)
            for cut in cuts
            for f in [cut.fano(condition)]
        ]
    )
    prepared_ms = np.array([PREPARED_MS])
    measured["decoding_prepared"] = _mean([float(cut.decoding(condition, prepared_ms)[0]) for cut in cuts])
    return measured


def _mean(values: Sequence[float]) -> float | None:
    value = float(mean(np.array(values)))
    return value if np.isfinite(value) else None


def sentence(summary: dict[str, Any]) -> str:
    """Return the result of the session in words."""
    conditions = {name: of_condition for name, of_condition in summary["conditions"].items() if name != "all"}
    if not conditions:
        return "No trial ended."
    parts = []
    for name, of_condition in conditions.items():
        reached, time_ms = of_condition["hand_correct"], of_condition["reaction_ms"]["mean"]
        spread = "" if reached["low"] is None else f" [{reached['low']:.0%}, {reached['high']:.0%}]"
        median = "" if time_ms is None else f", median reaction {time_ms:.0f} ms"
        targets = "1 target" if name == "1" else f"{name} targets"
        n = of_condition["trials"]
        parts.append(f"{targets} cued: {reached['mean']:.0%}{spread} right of {n}{median}")
    return "Reaches with " + "; with ".join(parts) + "."
