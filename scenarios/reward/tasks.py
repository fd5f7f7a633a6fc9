"""Tasks of Gymnasium as presets of `reward-learning`, with the settings of all agents.

The settings were chosen with seeds from 1,000 on; the benchmark uses seeds from 1 on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskPreset:
    """A task, and its place in the benchmark.

    Parameters
    ----------
    about : str
        The task in a sentence, with its optimum and the return of chance.
    settings : nested mapping
        Deviations from the configuration of `reward-learning`.
    agents : tuple of str
        Agents of the benchmark; the arms are those of the first.
    arms : tuple of str
        Control arms of the benchmark.
    """

    about: str
    settings: Mapping[str, Any]
    agents: tuple[str, ...]
    arms: tuple[str, ...] = ()
