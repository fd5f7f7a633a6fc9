"""The trials of a recorded delayed reach: cues, decisions of the brain, and movements of the hand.

The trials form a table with a row for each trial, from which shares and medians with intervals are computed.
The decisions are those that the agent recorded; spikes are not read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.delayed_reach.task import OUTCOMES
from ethospike.scenarios.analysis.group_statistics import mean, median

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

DRAWS = 2000
"""Draws of a bootstrap: 50 of them lie beyond each end of a 95 % interval."""
NEVER = -1


@dataclass(frozen=True)
class Trials:
    """Trials of all animals, in the order in which they ended; arrays of shape (trials,).

    Attributes
    ----------
    animal, condition, cue_set, target : ndarray of int
        `condition` is the number of cued targets.
    outcome : ndarray of int
        Index into `OUTCOMES`.
    preparatory_ms, response_ms : ndarray of float
        Onset of the signals from the beginning of the run; NaN where a false start came before.
    reaction_ms, movement_ms : ndarray of float
        Of the hand; NaN if it never left or never arrived.
    decision : ndarray of int
        Direction that won the race, −1 without a decision.
    decision_ms : ndarray of float
        From the response signal to the decision in the spikes; NaN without a decision.
    """

    animal: NDArray[np.int64]
    condition: NDArray[np.int64]
    cue_set: NDArray[np.int64]
    target: NDArray[np.int64]
    outcome: NDArray[np.int64]
    preparatory_ms: NDArray[np.float64]
    response_ms: NDArray[np.float64]
    reaction_ms: NDArray[np.float64]
    movement_ms: NDArray[np.float64]
    decision: NDArray[np.int64]
    decision_ms: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.animal)

    def where(self, mask: NDArray[np.bool_]) -> Trials:
        """Return the trials of a mask (or of indices)."""
        return Trials(*(getattr(self, field.name)[mask] for field in dataclasses.fields(self)))

    @property
    def conditions(self) -> list[int]:
        """The conditions that occur, in ascending order."""
        return [int(condition) for condition in np.unique(self.condition)]

    @property
    def decided_right(self) -> NDArray[np.bool_]:
        """Mask of the trials in which the brain decided for the target."""
        return np.asarray((self.decision == self.target) & (self.decision != NEVER))

    @property
    def reached_right(self) -> NDArray[np.bool_]:
        """Mask of the trials in which the hand touched the target."""
        return np.asarray(self.outcome == OUTCOMES.index("correct"))


def read_trials(recording: Recording) -> Trials:
    """Return the trials that ended in a recording.

    If the decisions were not recorded, all trials are undecided: see `has_decisions`.
    """
    trials = recording.trials().sort_values(["stop_step", "animal"], kind="stable")
    names = {
        **{name: name for name in ("animal", "condition", "cue_set", "target", "outcome")},
        "preparatory_ms": "preparatory_onset_ms",
        "response_ms": "response_onset_ms",
        "reaction_ms": "reaction_time_ms",
        "movement_ms": "movement_time_ms",
    }
    columns = {name: trials[column].to_numpy() for name, column in names.items()}
    if columns["outcome"].dtype == object:  # names; recordings of 0.1 have the numbers
        columns["outcome"] = np.array([OUTCOMES.index(name) for name in trials["outcome"]], np.int64)
    decision, decision_ms = _decisions(recording, columns)
    return Trials(**columns, decision=decision, decision_ms=decision_ms)


def has_decisions(recording: Recording) -> bool:
    """Return True if the decisions of a brain are in a recording; an agent without neurons makes none.

    Raises
    ------
    NotRecorded
        When a brain made them and they were not recorded.
    """
    if not recording.layout.populations:
        return False
    for name in ("decided_direction", "decision_ms"):
        recording.variable(name)
    return True


def _decisions(
    recording: Recording, columns: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the first decision of each trial after its response signal, and its time.

    The agent limits the time in which a decision counts (`ReacherConfig.decision_window_ms`).
    """
    n = len(columns["animal"])
    decision, decision_ms = np.full(n, NEVER), np.full(n, np.nan)
    behavior = recording.behavior
    if not n or "decision_ms" not in behavior or "decided_direction" not in behavior:
        return decision, decision_ms
    direction, when = behavior["decided_direction"].values, behavior["decision_ms"].values
    interval_ms = recording.layout.control_interval_ms
    decided = [np.flatnonzero(decisions != NEVER) for decisions in direction.T]
    for trial in np.flatnonzero(np.isfinite(columns["response_ms"])):
        animal = columns["animal"][trial]
        begin = round(columns["response_ms"][trial] / interval_ms)
        place = np.searchsorted(decided[animal], begin)
        if place == len(decided[animal]):
            continue
        row = decided[animal][place]
        # A decision that came sooner after its signal than its row does belongs to a later trial.
        if when[row, animal] >= (row - begin - 0.5) * interval_ms:
            decision[trial], decision_ms[trial] = direction[row, animal], when[row, animal]
    return decision, decision_ms


# -- numbers with intervals -----------------------------------------------------------------------------


class Measure(NamedTuple):
    """A measure of trials: `values` gives a number a trial (NaN: not counted), `reduce` combines them."""

    values: Callable[[Trials], NDArray[np.float64]]
    reduce: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def measures(cued: Sequence[Sequence[int]]) -> dict[str, Measure]:
    """Return the measures of the trials of a condition.

    Parameters
    ----------
    cued : sequence of sequences of int
        Targets of each cue set (`ReachConfig.cued_targets`).
    """

    def among_cued(trials: Trials) -> NDArray[np.float64]:
        sets = [{*cued[number]} for number in trials.cue_set]
        inside = np.array(
            [d in targets for d, targets in zip(trials.decision, sets, strict=True)], dtype=bool
        )
        return np.where(inside, trials.decided_right, np.nan)

    outcomes = {f"hand_{name}": _Outcome(index) for index, name in enumerate(OUTCOMES)}
    return {
        "decision_correct": Measure(lambda t: t.decided_right.astype(float), mean),
        "decision_none": Measure(lambda t: (t.decision == NEVER).astype(float), mean),
        "decision_correct_among_cued": Measure(among_cued, mean),
        **{name: Measure(outcome, mean) for name, outcome in outcomes.items()},
        "decision_ms": Measure(lambda t: np.where(t.decided_right, t.decision_ms, np.nan), median),
        "reaction_ms": Measure(lambda t: np.where(t.reached_right, t.reaction_ms, np.nan), median),
        "movement_ms": Measure(lambda t: np.where(t.reached_right, t.movement_ms, np.nan), median),
    }


@dataclass(frozen=True)
class _Outcome:
    """A function of trials that returns 1 for each trial with an outcome and 0 for others."""

    index: int

    def __call__(self, trials: Trials) -> NDArray[np.float64]:
        ended: NDArray[np.float64] = np.equal(trials.outcome, self.index).astype(float)
        return ended


def draws_of(
    groups: Sequence[Trials], measures: Mapping[str, Measure], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Draw animals (or wirings), and the trials of each condition within them, with replacement.

    Parameters
    ----------
    groups : sequence of Trials
        Trials of each animal; a single animal is kept, and only its trials are drawn.
    measures : mapping of str to Measure
        Each is computed for every drawn animal and averaged over them. All use the same draws, so differences
        between measures and between conditions are those of the same sample.

    Returns
    -------
    dict of str to dict of str to ndarray, shape (draws,)
        By condition ("1", …, "all") and measure.
    """
    rng = np.random.default_rng(seed)
    conditions = sorted({condition for trials in groups for condition in trials.conditions})
    labels = [*map(str, conditions), "all"]
    drawn = {label: {name: np.full((draws, len(groups)), np.nan) for name in measures} for label in labels}
    values = [{name: measure.values(trials) for name, measure in measures.items()} for trials in groups]
    chosen = rng.integers(len(groups), size=(draws, len(groups)))
    for place in range(len(groups)):
        for number, trials in enumerate(groups):
            rows = np.flatnonzero(chosen[:, place] == number)
            members = [np.flatnonzero(trials.condition == condition) for condition in conditions]
            picked = [_pick(rng, of_condition, len(rows)) for of_condition in members]
            for label, trial in zip(labels, [*picked, np.concatenate(picked, axis=1)], strict=True):
                for name, measure in measures.items():
                    drawn[label][name][rows, place] = measure.reduce(values[number][name][trial])
    return {label: {name: mean(array) for name, array in arrays.items()} for label, arrays in drawn.items()}


def _pick(rng: np.random.Generator, members: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return n draws of as many members with replacement, shape (n, members); empty without members."""
    if not len(members):
        return np.empty((n, 0), np.int64)
    return members[rng.integers(len(members), size=(n, len(members)))]


def estimate(value: float, drawn: NDArray[np.float64]) -> dict[str, float | None]:
    """Return a value with the 95 % percentile interval of its draws; None where there is no number."""
    known = drawn[np.isfinite(drawn)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) > len(drawn) / 2 else (np.nan, np.nan)
    named = {"mean": value, "low": low, "high": high}
    return {key: float(number) if np.isfinite(number) else None for key, number in named.items()}


def measure_trials(
    groups: Sequence[Trials], cued: Sequence[Sequence[int]], *, draws: int = DRAWS
) -> dict[str, dict[str, Any]]:
    """Return the measures of trials, by condition and for "all", each as `{"mean", "low", "high"}`.

    Parameters
    ----------
    groups : sequence of Trials
        Trials of each animal or wiring.
    cued : sequence of sequences of int
        Targets of each cue set.
    """
    of_trials = measures(cued)
    return tabulate(groups, of_trials, draws_of(groups, of_trials, draws=draws))


def tabulate(
    groups: Sequence[Trials],
    measures: Mapping[str, Measure],
    drawn: Mapping[str, Mapping[str, NDArray[np.float64]]],
) -> dict[str, dict[str, Any]]:
    """Return the table of `measure_trials` with intervals from given draws (`draws_of`).

    `animals` are the values of the groups, None where a group has no such trial.
    """
    table: dict[str, dict[str, Any]] = {}
    for label, drawn_measures in drawn.items():
        members = [t if label == "all" else t.where(t.condition == int(label)) for t in groups]
        table[label] = {"trials": sum(map(len, members))}
        for name, measure in measures.items():
            each = np.array([float(measure.reduce(measure.values(trials))) for trials in members])
            table[label][name] = {
                **estimate(float(mean(each)), drawn_measures[name]),
                "animals": [value if np.isfinite(value) else None for value in each.tolist()],
            }
    return table
