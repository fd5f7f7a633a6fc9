"""Measures of episodes: returns of training and of evaluation, speed of learning, spikes of a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ethospike.envs.any_env import PURPOSES
from ethospike.errors import NotRecorded, RecordingError

if TYPE_CHECKING:
    import pandas as pd

    from ethospike.recorders.recording import Recording
    from ethospike.scenarios.reward.config import RewardConfig

LAST = 100
"""Number of last episodes; their mean return is the score of a task, as Gymnasium counts it."""
PARTS = 10
"""Parts of the training whose mean returns are given, so that a sweep shows curves of learning."""
TRAINING = PURPOSES[0]
BY_ANIMAL = "by_animal"
"""Entry of the summary with the values of single animals, for tables of sweeps and comparisons of groups."""


def episodes(recording: Recording, animal: int, purpose: str = TRAINING) -> pd.DataFrame:
    """Return the episodes of an animal with a purpose (`PURPOSES`), in their order."""
    table = recording.episodes()
    mine = table["animal"] == animal
    if "purpose" in table:  # recordings of 0.2's first versions have no evaluation
        mine &= table["purpose"] == purpose
    return table[mine]


def returns(recording: Recording, purpose: str = TRAINING) -> list[NDArray[np.float64]]:
    """Return the returns of the episodes of each animal."""
    tables = [episodes(recording, animal, purpose) for animal in range(recording.animals)]
    return [np.asarray(table["return"], np.float64) for table in tables]


def running_mean(values: NDArray[np.float64], width: int = LAST) -> NDArray[np.float64]:
    """Return the mean of each value and the `width` − 1 before it; NaN where there are fewer.

    Examples
    --------
    >>> running_mean(np.array([1.0, 2.0, 3.0]), 2)
    array([nan, 1.5, 2.5])
    """
    means = np.full(len(values), np.nan)
    if len(values) >= width:
        total = np.cumsum(np.concatenate(([0.0], values)))
        means[width - 1 :] = (total[width:] - total[:-width]) / width
    return means


def episodes_to(values: NDArray[np.float64], threshold: float, width: int = LAST) -> int | None:
    """Return the number of episodes after which the mean of the last `width` first reaches a threshold."""
    reached = np.flatnonzero(running_mean(values, width) >= threshold)
    return int(reached[0]) + 1 if len(reached) else None


def threshold_of(env_id: str) -> float | None:
    """Return the return at which Gymnasium counts a task as solved; None if it names none."""
    spec = gymnasium.registry.get(env_id.rpartition(":")[2])
    return None if spec is None else spec.reward_threshold


def measure(recording: Recording, config: RewardConfig) -> dict[str, Any]:
    """Return returns of training and evaluation of each animal, and their means over animals."""
    tables = [episodes(recording, animal) for animal in range(recording.animals)]
    trained = [np.asarray(table["return"], np.float64) for table in tables]
    last = [_mean(values[-LAST:]) for values in trained]
    summary: dict[str, Any] = {
        "episodes": [len(values) for values in trained],
        "environment_steps": [int(table["length"].sum()) for table in tables],
        "return_mean": [_mean(values) for values in trained],
        f"return_last_{LAST}": last,
        "length_mean": [_mean(table["length"]) for table in tables],
        "score": _mean_of(last),
        "return_of_tenth": _parts(trained),
    }
    single: dict[str, Any] = {"score": _single(last)}
    threshold = threshold_of(config.env)
    if threshold is not None:
        to = [episodes_to(values, threshold) for values in trained]
        summary |= {"threshold": threshold, "episodes_to_threshold": to}
        summary["solved"] = float(np.mean([number is not None for number in to]))
        summary["episodes_to_threshold_mean"] = _mean_of(to)
        single["episodes_to_threshold"] = _single(to)
    if config.evaluation_episodes:
        for purpose in PURPOSES[1:]:
            evaluated = [_mean(values) for values in returns(recording, purpose)]
            summary |= {f"{purpose}_returns": evaluated, f"{purpose}_return": _mean_of(evaluated)}
            single[f"{purpose}_return"] = _single(evaluated)
    with suppress(NotRecorded):  # it only checks the table of episodes
        in_episode = np.asarray(recording.variable("in_episode").values, bool)
        summary["control_steps_in_episodes"] = in_episode.sum(axis=0).tolist()
        of_animals = [activity(recording, in_episode, animal) for animal in range(recording.animals)]
        summary |= activity(recording, in_episode)
        single |= {name: _joined([each[name] for each in of_animals]) for name in of_animals[0]}
    return summary | {BY_ANIMAL: single}


def _single(values: Sequence[float | None]) -> dict[str, list[float | None]]:
    return {"animals": list(values)}


def _joined(values: Sequence[Any]) -> dict[str, Any]:
    """Return numbers, or mappings to numbers, of the animals as lists."""
    if isinstance(values[0], Mapping):
        return {name: _joined([each[name] for each in values]) for name in values[0]}
    return _single(values)


def activity(
    recording: Recording, in_episode: NDArray[np.bool_], animal: int | None = None
) -> dict[str, Any]:
    """Return the spikes of a decision, and the mean rate of all neurons and of each population (Hz).

    Both count the control steps in episodes alone; in the blanks between them the neurons rest. An agent
    without neurons has none of them. With `animal`, they are those of this animal.
    """
    try:
        counts = recording.counts
    except RecordingError:
        return {}
    spikes = np.asarray(counts.values, np.float64)
    if animal is not None:
        spikes, in_episode = spikes[:, animal], in_episode[:, animal]
    spikes = spikes[in_episode]
    sizes = np.asarray(counts["neurons"].values, np.float64)
    if not len(spikes):
        return {}
    per_step = spikes.mean(axis=0)
    names = [str(name) for name in counts["group"].values]
    return {
        "spikes_per_decision": float(per_step.sum()),
        "mean_rate_hz": float(per_step.sum() / sizes.sum() / recording.interval_s),
        "rate_hz": dict(zip(names, (per_step / sizes / recording.interval_s).tolist(), strict=True)),
    }


def sentence(summary: dict[str, Any]) -> str:
    """Return the mean returns of the last episodes and of evaluation in words."""
    last = [value for value in summary[f"return_last_{LAST}"] if value is not None]
    if not last:
        return "No episode came to its end."
    n = min(LAST, max(summary["episodes"]))
    words = f"Mean return of the last {n} episodes: {np.mean(last):.3g}."
    evaluated = [
        f"{purpose} {summary[f'{purpose}_return']:.3g}"
        for purpose in PURPOSES[1:]
        if summary.get(f"{purpose}_return") is not None
    ]
    return words + (f" Evaluated without learning: {', '.join(evaluated)}." if evaluated else "")


def _parts(trained: list[NDArray[np.float64]]) -> dict[str, float | None]:
    """Return the mean return in each tenth of the training, over all animals."""
    cut = [np.array_split(values, PARTS) for values in trained]
    return {f"{part + 1:02}": _mean_of([_mean(values[part]) for values in cut]) for part in range(PARTS)}


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _mean_of(values: list[float | None] | list[int | None]) -> float | None:
    """Return the mean of the known values; None if there are none."""
    return _mean([value for value in values if value is not None])
