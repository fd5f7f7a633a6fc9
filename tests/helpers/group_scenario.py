"""A scenario without neurons for tests of experiments: each animal has a value of its own, which x moves.

The value of animal a of seed s is `own(s, a)` + x · (1 + `own(s, a)` / 10): the same animals in all groups.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sweep_scenario import SCENARIO as TOY
from sweep_scenario import ToyConfig

from ethospike.scenarios.analysis.group_statistics import interval


def own(seed: int, animal: int) -> float:
    """Return the value of an animal without x."""
    return float(np.random.default_rng((seed, animal)).normal())


def values(config: ToyConfig) -> list[float]:
    """Return the values of the animals of a run."""
    of_animals = [own(config.seed, animal) for animal in range(config.animals)]
    return [value + config.x * (1.0 + value / 10.0) for value in of_animals]


def summarize(recording: Any, config: ToyConfig) -> dict[str, Any]:
    """Return two measures of single animals, and one that they do not have."""
    moved = np.array(values(config))
    summary = TOY.summarize(recording, config)
    return {"moved": interval(moved), "mirrored": interval(-moved), "seconds": summary["seconds"]}


SCENARIO = dataclasses.replace(TOY, name="groups", summarize=summarize)
