"""Measures of episodes: returns and lengths, of all episodes and of the last ones."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.errors import NotRecorded
from ethospike.recorders.recording import Recording

if TYPE_CHECKING:
    import pandas as pd

    from ethospike.scenarios.reward.config import RewardConfig

LAST = 100
"""Number of last episodes; their mean return is the score of a task, as Gymnasium counts it."""


def episodes(recording: Recording, animal: int) -> pd.DataFrame:
    """Return the episodes of an animal, in their order."""
    table = recording.episodes()
    return table[table["animal"] == animal]


def measure(recording: Recording, config: RewardConfig) -> dict[str, Any]:
    """Return the number of episodes and the mean return, of all and of the last, of each animal."""
    tables = [episodes(recording, animal) for animal in range(recording.animals)]
    summary: dict[str, Any] = {
        "episodes": [len(table["return"]) for table in tables],
        "environment_steps": [int(table["length"].sum()) for table in tables],
        "return_mean": [_mean(table["return"]) for table in tables],
        f"return_last_{LAST}": [_mean(table["return"].tail(LAST)) for table in tables],
        "length_mean": [_mean(table["length"]) for table in tables],
    }
    with suppress(NotRecorded):  # it only checks the table of episodes
        steps = np.asarray(recording.variable("in_episode").values, bool).sum(axis=0)
        summary["control_steps_in_episodes"] = steps.tolist()
    return summary


def sentence(summary: dict[str, Any]) -> str:
    """Return the mean return of the last episodes in words."""
    returns = [value for value in summary[f"return_last_{LAST}"] if value is not None]
    if not returns:
        return "No episode came to its end."
    n = min(LAST, max(summary["episodes"]))
    return f"Mean return of the last {n} episodes: {np.mean(returns):.3g}."


def _mean(values: pd.Series[Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None
