"""Configuration and measures of the scenario `crawling`, and the measures of tracked larvae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.agents.larva.locomotion import LocomotionConfig
from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM
from ethospike.errors import ScenarioError
from ethospike.scenarios.analysis import locomotion as statistics
from ethospike.scenarios.odor.measures import centroid_mm
from ethospike.scenarios.scenario import ScenarioConfig, steps_of_run

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

TRACKED: Mapping[str, float] = {
    "speed_per_s": 0.333,
    "slow_share": 0.041,
    "stride_hz": 1.45,
    "angular_velocity_deg_s": 13.1,
    "angular_velocity_95_deg_s": 42.5,
    "bend_deg": 12.2,
    "bend_95_deg": 45.9,
    "straightness_5_s": 0.938,
    "straightness_20_s": 0.871,
    "tortuosity_5_s": 0.062,
    "tortuosity_20_s": 0.129,
    "displacement_20_s_mm": 23.2,
    "displacement_40_s_mm": 41.8,
    "displacement_60_s_mm": 54.1,
    "curvature_deg_mm": 7.1,
    "reversals_per_s": 0.33,
    "loops_per_min": 0.29,
    "heading_loops_per_min": 0.0,
}
"""Measures of real larvae on plain agar: 38 tracks of 45 to 180 s at 16 Hz in a dish of 150 mm, recorded by
the group of M. Schleyer (doi 10.12751/g-node.5e1ifd) and shipped with larvaworld 2.5.1; measured by
`analysis.locomotion` without frames in which larvae touch and those nearer than 10 mm to the wall."""


NEAR = 0.25
"""Relative distance from a tracked measure within which a model larva counts as moving like a real one."""


COMPARED = (
    *("speed_per_s", "angular_velocity_deg_s", "angular_velocity_95_deg_s", "bend_deg", "bend_95_deg"),
    *("straightness_5_s", "straightness_20_s", "displacement_20_s_mm", "displacement_60_s_mm"),
    *("curvature_deg_mm", "loops_per_min"),
)
"""Measures that the sentence at the end of a run counts."""


@dataclass(frozen=True, kw_only=True)
class CrawlingConfig(ScenarioConfig):
    """The dish and the locomotion of its larvae."""

    animals: int = 25
    """Larvae, each in a dish of its own."""
    minutes: float = 3.0
    """Length of the run, as that of the longest tracks."""
    dish_diameter_mm: float = 150.0
    """Diameter of the dish (mm): that of the tracked larvae."""
    locomotion: LocomotionConfig = field(default_factory=LocomotionConfig)
    """Crawler, turner and pauses."""
    drive: float = 0.0
    """Constant olfactory drive of all larvae, in [−1, 1]; a larva without odor has 0."""
    resamples: int = statistics.RESAMPLES
    """Bootstrap resamples for the intervals; 0 skips the intervals and saves time, as in a search."""
    beside: Path | None = None
    """Another run of this scenario, or imported tracks, to be shown in the figures."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps_of_run("minutes", self.minutes, 60.0, self.control_interval_ms)
        if not -1.0 <= self.drive <= 1.0:
            raise ScenarioError(f"drive: expected −1 … 1, got {self.drive}")
        if self.resamples < 0:
            raise ScenarioError(f"resamples: expected at least 0, got {self.resamples}")


def samples(recording: Recording, config: CrawlingConfig) -> list[statistics.Samples]:
    """Return the samples of each animal of a recording; imported tracks have bodies of their own length."""
    path = centroid_mm(recording, np.arange(recording.n_steps))
    heading, bend = (recording.variable(name).values for name in ("heading_rad", "bend_rad"))
    length_mm = np.full(path.shape[1], BODY_LENGTH_MM)
    if "length_mm" in recording.layout.variables:
        length_mm = np.nanmedian(recording.variable("length_mm").values, axis=0)
    return [
        statistics.samples_of(
            statistics.Track(recording.interval_s, path[:, i], heading[:, i], bend[:, i], length_mm[i]),
            config.dish_diameter_mm / 2.0,
        )
        for i in range(path.shape[1])
    ]


def summarize(recording: Recording, config: CrawlingConfig) -> dict[str, Any]:
    """Return the measures of locomotion: see `statistics.measure`."""
    return statistics.measure(samples(recording, config), resamples=config.resamples)


def conclude(summary: dict[str, Any]) -> str:
    """Return a sentence: the number of measures near those of tracked larvae, and the names of the others."""
    compared = {name: summary[name]["value"] / TRACKED[name] - 1.0 for name in COMPARED if name in summary}
    if not compared:
        return "The tracks are too short to be measured."
    far = [f"{name} ({value:+.0%})" for name, value in compared.items() if abs(value) > NEAR]
    near = len(compared) - len(far)
    sentence = f"{near} of {len(compared)} measures are within {NEAR:.0%} of those of tracked larvae"
    return f"{sentence}; not {', '.join(far)}" if far else sentence
