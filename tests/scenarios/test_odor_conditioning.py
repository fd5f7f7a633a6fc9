"""The timetable, and a short experiment from its beginning to its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.dish_measures import (
    distance_index,
    phase_rows,
    sentence,
    side_index,
    towards_a,
)
from ethospike.scenarios.odor_conditioning import ConditioningConfig, duration_s, timetable
from ethospike.scenarios.odor_preference import SCENARIO as PREFERENCE
from ethospike.scenarios.runner import RunResult, run_scenario
from ethospike.scenarios.scenario import ScenarioError


def contents(config: ConditioningConfig) -> list[tuple[str, float, list[str], list[str]]]:
    return [
        (p.name, p.duration_s, [s.odor for s in p.sources], [r.kind for r in p.reinforcements])
        for p in timetable(config)
    ]


def test_the_default_lasts_thirty_minutes() -> None:
    config = ConditioningConfig()
    assert duration_s(config) == 30 * 60
    assert sum(p.duration_s for p in timetable(config)) == 30 * 60
    assert len(timetable(config)) == 5 * 2 + 2


@pytest.mark.parametrize(
    ("group", "odor_b", "first", "second"),
    [
        ("paired-a", "", (["n-amylacetate"], ["reward"]), ([], [])),
        ("paired-b", "", (["n-amylacetate"], []), ([], ["reward"])),
        ("unpaired", "", (["n-amylacetate"], []), ([], ["reward"])),
        ("odor-only", "", (["n-amylacetate"], []), ([], [])),
        ("paired-a", "odor4", (["n-amylacetate"], ["reward"]), (["odor4"], [])),
        ("paired-b", "odor4", (["n-amylacetate"], []), (["odor4"], ["reward"])),
        ("unpaired", "odor4", (["n-amylacetate"], []), ([], ["reward"])),
        ("odor-only", "odor4", (["n-amylacetate"], []), (["odor4"], [])),
    ],
)
def test_groups(group: str, odor_b: str, first: tuple, second: tuple) -> None:
    config = ConditioningConfig(group=group, odor_b=odor_b, cycles=1)  # type: ignore[arg-type]
    phases = contents(config)
    assert [(odors, kinds) for _, _, odors, kinds in phases[:2]] == [first, second]
    assert phases[2][0] == "gap"
    assert phases[2][2:] == ([], [])
    assert phases[3][0] == "test"
    assert phases[3][2:] == (list(config.odors), [])


def test_trace_conditioning_cuts_the_cycle_where_the_reward_begins_and_ends() -> None:
    config = ConditioningConfig(
        cycles=1, odor_s=30.0, blank_s=60.0, onset_s=10.0, reinforcement_s=30.0, gap_s=0.0, test_s=0.0
    )
    assert [(d, o, r) for _, d, o, r in contents(config)] == [
        (10.0, ["n-amylacetate"], []),
        (20.0, ["n-amylacetate"], ["reward"]),
        (10.0, [], ["reward"]),
        (50.0, [], []),
    ]


def test_unpaired_training_as_published_has_a_gap_and_both_orders() -> None:
    """Odor for T, 60 s without anything, reward for T, or the reverse (Jürgensen et al. 2024, their code)."""
    shared = {"group": "unpaired", "cycles": 1, "odor_s": 120.0, "blank_s": 180.0, "reinforcement_s": 120.0}
    odor_first = ConditioningConfig(onset_s=180.0, **shared)  # type: ignore[arg-type]
    reward_first = ConditioningConfig(onset_s=0.0, blank_first=True, **shared)  # type: ignore[arg-type]
    odor, nothing, reward = (["n-amylacetate"], []), ([], []), ([], ["reward"])
    for config, parts in (
        (odor_first, (odor, nothing, reward)),
        (reward_first, (reward, nothing, odor)),
    ):
        training = contents(config)[:3]
        assert [(d, (o, r)) for _, d, o, r in training] == list(zip((120, 60, 120), parts, strict=True))


def test_without_an_onset_the_reward_is_in_its_part_in_either_order() -> None:
    for group, expected in (("paired-a", (90.0, 120.0)), ("paired-b", (0.0, 90.0))):
        config = ConditioningConfig(group=group, odor_s=30.0, blank_s=90.0, blank_first=True)  # type: ignore[arg-type]
        assert config.reinforced_s == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"group": "paired"}, "group: unknown 'paired'; did you mean 'unpaired'"),
        ({"reinforcement": "rewards"}, "reinforcement: unknown 'rewards'; did you mean 'reward'"),
        ({"test_field": "gradients"}, "test_field: unknown 'gradients'; did you mean 'gradient'"),
        ({"group": "unpaired", "blank_s": 0.0}, "'unpaired' .* in the part of blank_s, which is 0 s"),
        ({"group": "paired-b", "blank_s": 0.0, "blank_first": True}, "'paired-b' .* part of blank_s"),
        ({"group": "paired-a", "odor_s": 0.0}, "'paired-a' .* in the part of odor_s, which is 0 s"),
    ],
)
def test_a_group_that_would_be_another_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ConditioningConfig(**given)


def test_parts_that_nobody_reinforces_may_be_left_out() -> None:
    assert ConditioningConfig(group="paired-a", blank_s=0.0).reinforced_s == (0.0, 150.0)
    assert ConditioningConfig(group="odor-only", blank_s=0.0).reinforced_s is None
    assert [name for name, *_ in contents(ConditioningConfig(group="unpaired", blank_s=0.0, cycles=0))] == [
        "gap",
        "test",
    ]


def test_indices_of_positions_that_are_known() -> None:
    at = np.array([[[-40.0, 0.0]], [[40.0, 0.0]], [[0.0, 17.0]]])
    assert distance_index(at)[:, 0] == pytest.approx([1.0, -1.0, 0.0])
    assert side_index(at) == pytest.approx([0.0])
    mirrored = towards_a(np.array([[[-40.0, 3.0], [40.0, 5.0]]]))
    assert mirrored.tolist() == [[[-40.0, 3.0], [-40.0, 5.0]]]


def test_a_short_experiment_is_recorded_measured_and_drawn(short_run: RunResult) -> None:
    assert short_run.status == "complete"
    recording = open_recording(short_run.folder.path)
    assert recording.status == "complete"
    assert recording.n_steps == 100
    assert recording.n_spikes > 1000
    assert len(phase_rows(recording, "test")) == 40
    assert {p.name for p in short_run.figures} == {"activity.png", "paths.png", "raster.png", "weights.png"}
    assert all(p.stat().st_size > 10_000 for p in short_run.figures)
    summary = short_run.folder.summary
    assert {"preference_index", "preference_first_20_s", "dan_hz_in_training"} <= set(summary)
    # The test of 4 s is shorter than the two minutes of a whole experiment, and the sentence says so.
    assert summary["preference_index"]["last_s"] == summary["choice_index"]["last_s"] == 4.0
    assert "over the last 4 s of the test" in sentence(summary)
    info = short_run.folder.info
    assert (info["scenario"], info["simulator"], info["simulated_s"]) == ("odor-conditioning", "numba", 10.0)
    assert info["backend"].startswith("numba")


def test_odor_and_reward_are_where_the_timetable_has_them(short_run: RunResult) -> None:
    recording = open_recording(short_run.folder.path)
    odor, reward = recording.behavior["observation"].values[:, 0, [0, 1]].T
    training, blank = slice(0, 30), slice(30, 60)
    assert (odor[training] == 2.0).all()
    assert (reward[training] == 1.0).all()
    assert (odor[blank] == 0.0).all()
    assert (reward[blank] == 0.0).all()
    rates = recording.stimulus["rate_hz"]
    assert (rates.sel(rate_channel="reward[0]").values[training] == 600.0).all()
    assert (rates.sel(rate_channel="odor[0]").values[blank] == 140.0).all()


def test_a_memory_is_kept_and_can_be_tested(short_run: RunResult, tmp_path: Path) -> None:
    words = [
        "--memory",
        str(short_run.folder.path),
        "--test-s",
        "2",
        "--animals",
        "2",
        "--simulator.name",
        "numba",
    ]
    result = run_scenario(PREFERENCE, configure(PREFERENCE, words), tmp_path / "test", quiet=True, draw=False)
    trained = open_recording(short_run.folder.path).weights("KC>MBONn").values[-1]
    tested = open_recording(result.folder.path).weights("KC>MBONn").values[0]
    assert trained.min() < 80.0
    assert np.abs(trained - tested).max() < 0.5
    with pytest.raises(ScenarioError, match="no file"):
        run_scenario(
            PREFERENCE,
            configure(PREFERENCE, ["--memory", str(tmp_path), "--simulator.name", "numba"]),
            tmp_path / "x",
        )
