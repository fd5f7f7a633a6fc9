"""Crawling: larvae without odor in an empty dish, measured as tracked larvae are.

The measures are compared with those of real larvae (`TRACKED`). `ethospike import` makes a recording of
tracks; `ethospike plot` measures and draws it as it does a run of this scenario.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from ethospike.agents.larva.baselines import RandomLarva
from ethospike.agents.larva.locomotion import PRESETS
from ethospike.envs.odor_arena.config import ArenaConfig, Phase
from ethospike.scenarios.odor.crawling_measures import (
    CrawlingConfig,
    conclude,
    summarize,
)
from ethospike.scenarios.scenario import Scenario, steps_of_run

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


class DrivenLarva(RandomLarva):
    """Larvae with a constant olfactory drive instead of odors."""

    drive = 0.0

    def _drive(self, concentration_um: Any) -> Any:
        return np.full(self.animals, self.drive)


def open_experiment(config: CrawlingConfig) -> tuple[VectorEnv, RandomLarva]:
    """Make the empty dish and the larvae."""
    arena = ArenaConfig((Phase("crawling", duration_s(config)),), dish_diameter_mm=config.dish_diameter_mm)
    env = gymnasium.make_vec(
        "ethospike.envs:ethospike/OdorArena-v0",
        num_envs=config.animals,
        vectorization_mode="vector_entry_point",
        config=arena,
        control_interval_ms=config.control_interval_ms,
    )
    larvae = DrivenLarva.for_env(env, seed=config.seed, locomotion=config.locomotion)
    larvae.drive = config.drive
    return env, larvae


def duration_s(config: CrawlingConfig) -> float:
    """Return the length of the run (s), a whole number of control steps."""
    steps = steps_of_run("minutes", config.minutes, 60.0, config.control_interval_ms)
    return steps * config.control_interval_ms / 1000.0


def draw(recording: Recording, config: CrawlingConfig, folder: Path) -> list[Path]:
    """Draw paths and distributions; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.odor import crawling_figures

    return crawling_figures.draw_all(recording, config, folder)


SCENARIO = Scenario(
    name="crawling",
    about="Larvae crawl in an empty dish, and are measured beside tracked ones.",
    config=CrawlingConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=summarize,
    draw=draw,
    conclude=conclude,
    presets={name: {"locomotion": dataclasses.asdict(config)} for name, config in PRESETS.items()},
)
