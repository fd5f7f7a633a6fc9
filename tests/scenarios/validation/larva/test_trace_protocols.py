"""Trace conditioning is timed as in the authors' stimulation_times.py."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.scenarios.odor.conditioning import ConditioningConfig, timetable
from ethospike.scenarios.validation.larva.experiments import UNPAIRED, Settings, trace_protocols

Spans = list[tuple[float, float]]


def times(config: ConditioningConfig) -> tuple[Spans, Spans, float]:
    """Return begin and end (s) of odors and of rewards before the test, and where the test begins."""
    odors: Spans = []
    rewards: Spans = []
    now = 0.0
    for phase in timetable(config):
        if phase.name == "test":
            break
        end = now + phase.duration_s
        for there, spans in ((phase.sources, odors), (phase.reinforcements, rewards)):
            if there and spans and spans[-1][1] == now:
                spans[-1] = (spans[-1][0], end)
            elif there:
                spans.append((now, end))
        now = end
    return odors, rewards, now


@pytest.mark.parametrize(
    ("name", "trial_s", "onset_s", "test_s"),
    [
        ("0 s", 90, 0, 270),
        ("10 s", 100, 10, 300),
        ("30 s", 120, 30, 360),
        ("60 s", 150, 60, 450),  # 420 in the authors' file; its pattern gives 450
        ("120 s", 210, 120, 630),
        (UNPAIRED[0], 180, 90, 540),
    ],
)
def test_paired_trials_and_odor_first(name: str, trial_s: float, onset_s: float, test_s: float) -> None:
    odors, rewards, begin = times(trace_protocols(Settings())[name])
    assert odors == [(k * trial_s, k * trial_s + 30) for k in range(3)]
    assert rewards == [(k * trial_s + onset_s, k * trial_s + onset_s + 30) for k in range(3)]
    assert begin == test_s
    assert begin - max(odors[-1][1], rewards[-1][1]) == 60


def test_reward_first() -> None:
    odors, rewards, begin = times(trace_protocols(Settings())[UNPAIRED[1]])
    np.testing.assert_allclose(np.array(odors)[:, 0] - np.array(rewards)[:, 0], 90)
    np.testing.assert_allclose(np.diff(np.array(rewards)[:, 0]), 180)
    assert {round(end - first) for first, end in odors + rewards} == {30}
    assert begin - odors[-1][1] == 60


def test_parts_of_a_cycle_are_separated_by_transfers() -> None:
    config = ConditioningConfig(
        group="paired-b", cycles=2, odor_s=150.0, blank_s=100.0, transfer_s=30.0, odor_b="odor4"
    )
    names = [(phase.name, phase.duration_s) for phase in timetable(config)]
    cycle = [("n-amylacetate", 150.0), ("no odor", 30.0), ("odor4 + reward", 100.0), ("no odor", 30.0)]
    assert names[:8] == [(f"cycle {k}: {name}", s) for k in (1, 2) for name, s in cycle]
    odors, rewards, _ = times(config)
    assert rewards == [(180.0, 280.0), (490.0, 590.0)]
    first = ConditioningConfig(group="unpaired", cycles=1, blank_first=True, transfer_s=30.0)
    odors, rewards, _ = times(first)
    assert (rewards, odors) == ([(0.0, 150.0)], [(180.0, 330.0)])
