"""The timetable, and a short experiment from its beginning to its figures."""

from __future__ import annotations

import dataclasses
import errno
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from killed_runs import killed_run
from matplotlib.figure import Figure
from small_larva import small_larva, write_winding

from ethospike.brains.simulator import SimulatorSettings
from ethospike.errors import RunFolderError, ScenarioError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.odor import figures as dish_figures
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig, duration_s, timetable
from ethospike.scenarios.odor.dish import MEMORY, keep_memory
from ethospike.scenarios.odor.measures import (
    centroid_mm,
    distance_index,
    phase_rows,
    sentence,
    side_index,
    towards_a,
)
from ethospike.scenarios.odor.preference import SCENARIO as PREFERENCE
from ethospike.scenarios.odor.preference import PreferenceConfig
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import RunResult, resume_scenario, run_scenario


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


def test_decimal_times_are_cut_where_they_say() -> None:
    """1.1 + 2.2 is 3.3000000000000003 in floating point, which is after the end of 3.3 s."""
    times = {"cycles": 1, "odor_s": 3.3, "onset_s": 1.1, "reinforcement_s": 2.2, "gap_s": 0.0, "test_s": 0.0}
    odor = ["n-amylacetate"]
    with_reward = [(1.1, odor, []), (2.2, odor, ["reward"])]
    for blank_s, last in ((2.2, [(2.2, [], [])]), (0.0, [])):
        config = ConditioningConfig(blank_s=blank_s, **times)  # type: ignore[arg-type]
        assert [(d, o, r) for _, d, o, r in contents(config)] == [*with_reward, *last]
    env, agent = SCENARIO.open(dataclasses.replace(config, simulator=SimulatorSettings(name="numba")))
    agent.close()
    env.close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"onset_s": 1.05}, "onset_s: expected a whole number of control intervals of 100 ms, got 1.05 s"),
        ({"onset_s": -1.0}, "onset_s: expected at least 0 s, and finite, got -1.0"),
        ({"reinforcement_s": 0.25}, "reinforcement_s: expected a whole number of control intervals"),
        ({"reinforcement_s": float("nan")}, "reinforcement_s: expected at least 0 s, and finite, got nan"),
        ({"onset_s": 299.9, "reinforcement_s": 0.2}, "299.9 … 300.1 s is not within a cycle of 300 s"),
    ],
)
def test_a_reinforcement_at_times_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ConditioningConfig(**given)


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
        ({"reinforcement_s": 0.0}, "reinforcement_s: expected above 0 s for group 'paired-a', got 0 s"),
    ],
)
def test_a_group_that_would_be_another_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ConditioningConfig(**given)


def test_parts_that_nobody_reinforces_may_be_left_out() -> None:
    assert ConditioningConfig(group="paired-a", blank_s=0.0).reinforced_s == (0.0, 150.0)
    assert ConditioningConfig(group="odor-only", blank_s=0.0).reinforced_s is None
    assert ConditioningConfig(reinforcement_s=0.0, cycles=0).reinforced_s == (0.0, 0.0)
    assert [name for name, *_ in contents(ConditioningConfig(group="unpaired", blank_s=0.0, cycles=0))] == [
        "gap",
        "test",
    ]


def test_odor_b_may_be_trained_without_a_test() -> None:
    config = ConditioningConfig(odor_b="odor4", test_field="uniform", test_s=0.0)
    assert [name for name, *_ in contents(config)][-2:] == ["cycle 5: odor4", "gap"]


def test_indices_of_positions_that_are_known() -> None:
    at = np.array([[[-40.0, 0.0]], [[40.0, 0.0]], [[0.0, 17.0]]])
    assert distance_index(at)[:, 0] == pytest.approx([1.0, -1.0, 0.0])
    assert side_index(at) == pytest.approx([0.0])
    # Half a body behind the heads, at 40 mm to the left, whichever way they look.
    where = {"position_mm": [[[-38.0, 0.0], [-40.0, 2.0]]], "heading_rad": [[0.0, np.pi / 2]]}
    old = SimpleNamespace(
        layout=SimpleNamespace(variables=dict.fromkeys(where)),
        variable=lambda name: SimpleNamespace(values=np.array(where[name])),
    )
    middle = centroid_mm(old, np.array([0]))  # type: ignore[arg-type]
    np.testing.assert_allclose(middle, [[[-40.0, 0.0], [-40.0, 0.0]]], atol=1e-12)
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


@pytest.mark.parametrize(
    ("choice", "figures", "left_out", "lines"),
    [
        (
            ["--recorder.weights-every-s", "0"],
            {"activity", "paths", "raster"},
            {"final weights"},
            {"figure weights": "no weights were recorded (recorder.weights_every_s)"},
        ),
        (
            ["--recorder.behavior", "reward"],
            {"activity", "weights"},
            {"preference of the mushroom body", "preference_index, choice_index", "dan_hz_in_training"},
            {
                # The phase is always recorded.
                "preference in figure activity": "'preference' was not recorded (recorder.behavior)",
                "figure paths": "'centroid_mm' was not recorded (recorder.behavior)",
                "figure raster": "'observation' was not recorded (recorder.behavior)",
            },
        ),
        (
            ["--recorder.behavior", "phase", "--recorder.behavior", "centroid_mm"],
            {"activity", "paths", "weights"},
            {"preference of the mushroom body", "dan_hz_in_training"},
            {
                "preference in figure activity": "'preference' was not recorded (recorder.behavior)",
                "figure raster": "'observation' was not recorded (recorder.behavior)",
            },
        ),
        (
            ["--recorder.spike-populations", ""],
            {"activity", "paths", "weights"},
            {"code of Kenyon cells"},
            {"figure raster": "no spikes were listed (recorder.spike_populations, recorder.spike_animals); "
             "`counts` may hold what you need"},
        ),
        (["--recorder.spike-populations", "KC"], {"activity", "paths", "raster", "weights"}, set(), {}),
        (
            ["--recorder.spike-animals", "1"],
            {"activity", "paths", "raster", "weights"},
            {"code of Kenyon cells"},
            {},
        ),
    ],
)  # fmt: skip
def test_who_records_less_gets_what_is_left_and_is_told_what_is_not(
    choice: list[str],
    figures: set[str],
    left_out: set[str],
    lines: dict[str, str],
    short_run: RunResult,
    short_words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*short_words, "--simulator.name", "numba", "--recorder.writer", "inline"]
    config = configure(SCENARIO, [*words, *(choice if choice[-1] else [])])
    if not choice[-1]:
        config = dataclasses.replace(
            config, recorder=dataclasses.replace(config.recorder, spike_populations=())
        )
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True)
    assert result.status == "complete"
    assert {path.stem for path in result.figures} == figures
    assert capsys.readouterr().err.splitlines() == [f"left out: {what}: {why}" for what, why in lines.items()]
    summary, whole = result.folder.summary, short_run.folder.summary
    assert set(summary.pop("left_out", {})) == left_out
    # What was measured is what it is when everything is recorded.
    assert summary == {name: one for name, one in whole.items() if name in summary}
    assert bool(left_out) == (len(summary) < len(whole))
    assert "stopped before" not in sentence({**summary, "left_out": left_out})


def test_the_command_tells_what_was_left_out(
    short_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*short_words, "--recorder.writer", "inline", "--quiet", "--simulator", "numba"]
    words += ["--recorder.weights-every-s", "0", "--out", str(tmp_path / "run")]
    expected = [
        "left out: figure weights: no weights were recorded (recorder.weights_every_s)",
        "left out: final weights: no weights were recorded (recorder.weights_every_s)",
    ]
    main(["run", "odor-conditioning", *words])
    assert capsys.readouterr().err.splitlines() == expected
    main(["plot", str(tmp_path / "run")])
    assert capsys.readouterr().err.splitlines() == expected


def test_the_raster_is_of_a_larva_whose_spikes_are_listed(short_words: list[str], tmp_path: Path) -> None:
    words = [*short_words, "--simulator.name", "numba", "--recorder.writer", "inline"]
    words += ["--recorder.spike-animals", "1", "--recorder.spike-populations", "KC"]
    run = run_scenario(SCENARIO, configure(SCENARIO, words), tmp_path / "run", quiet=True, draw=False)
    recording = open_recording(run.folder.path)
    figure = dish_figures.draw_raster(recording)
    assert figure is not None
    axis = figure.axes[0]
    assert axis.get_title().startswith("Larva 1: recorded neurons")
    assert [label.get_text() for label in axis.get_yticklabels()] == ["KC (72)"]
    onset_s = dish_figures.odor_onset_s(recording, 1)
    assert onset_s == 6.0  # of the test; the odor of the training is there from the beginning
    drawn = sum(len(lines.get_segments()) for lines in axis.collections)
    assert drawn == len(recording.spikes("KC", 1, onset_s - 1.0, onset_s + 2.0)) > 0


@pytest.mark.parametrize(
    ("odor_um", "expected_s"),
    [
        ([0, 0, 0, 0, 2, 2], 2.0),
        ([0, 2, 0, 0, 2, 2], 2.0),  # that at 0.5 s has no second before it
        ([2, 2, 0, 2, 0, 2], 1.5),
        ([2, 2, 2, 0, 0, 0], 0.0),
        ([0, 0.4, 0.4, 0.6, 0, 0], 1.5),
        ([0, 0, 0, 0.4, 0, 0], None),
        ([0, 2, 2, 2, 2, 2], None),
    ],
)
def test_the_onset_of_an_odor(odor_um: list[float], expected_s: float | None) -> None:
    """Of the animal in question, with a second of the recording before it (control steps of 0.5 s)."""
    observation = np.zeros((6, 2, 4))
    observation[:, 1, 0] = odor_um
    recording: Any = SimpleNamespace(
        interval_s=0.5, variable=lambda name: SimpleNamespace(values={"observation": observation}[name])
    )
    assert dish_figures.odor_onset_s(recording, 1) == expected_s
    assert dish_figures.odor_onset_s(recording, 0) is None


def test_bands_are_the_intervals_of_the_summary() -> None:
    """Student's t: of three larvae, 4.303 standard errors (tables), not 1.96."""
    axis = Figure().subplots()
    dish_figures._band(axis, np.arange(2.0), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), "black", "")
    heights = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() - 2.0 == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert 2.0 - heights.min() == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)


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


def test_sparseness_over_time_is_that_of_the_spikes_in_bins_of_50_ms(short_run: RunResult) -> None:
    """The odor is there for the first three seconds: 60 bins; (1 − ⟨n⟩²/⟨n²⟩) / (1 − 1/60)."""
    recording = open_recording(short_run.folder.path)
    measured = short_run.folder.summary["kc_temporal_sparseness n-amylacetate"]["animals"]
    assert len(measured) == 2
    for animal, value in enumerate(measured):
        spikes = recording.spikes("KC", animal, 0.0, 3.0)
        assert len(spikes) > 20
        counts = np.bincount((spikes.step - 1) // 500, minlength=60)  # steps of 0.1 ms, from 1
        expected = (1.0 - counts.mean() ** 2 / (counts**2.0).mean()) / (1.0 - 1.0 / 60.0)
        assert value == pytest.approx(expected)


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


def test_a_run_that_is_stopped_leaves_no_memory_until_it_is_finished(
    short_run: RunResult, short_words: list[str], tmp_path: Path
) -> None:
    class Stop(Recorder):
        def record(self, record: StepRecord) -> None:
            if record.control_step == 20:
                signal.raise_signal(signal.SIGINT)

        def close(self, status: str = "complete") -> None:
            pass

    config = configure(SCENARIO, [*short_words, "--simulator.name", "numba", "--recorder.writer", "inline"])
    path = tmp_path / "run"
    stopped = run_scenario(SCENARIO, config, path, quiet=True, draw=False, listeners=[lambda layout: Stop()])
    assert stopped.status == "stopped"
    assert not (path / MEMORY).exists()
    of_run, of_file = PreferenceConfig(memory=path), PreferenceConfig(memory=path / MEMORY)
    for one in (of_run, of_file):
        with pytest.raises(ScenarioError, match=r"memory: expected a finished run .* is stopped"):
            one.memory_file()
    assert resume_scenario(SCENARIO, config, stopped.folder, quiet=True, draw=False).status == "complete"
    assert of_run.memory_file() == of_file.memory_file() == path / MEMORY
    with np.load(path / MEMORY) as found, np.load(short_run.folder.path / MEMORY) as expected:
        assert found.files == expected.files == ["about", "KC>MBONp", "KC>MBONn"]
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])
    copy = tmp_path / "copy.npz"
    copy.write_bytes((path / MEMORY).read_bytes())
    stopped.folder.update_info(status="failed")
    assert PreferenceConfig(memory=copy).memory_file() == copy
    with pytest.raises(ScenarioError, match="is failed"):
        of_run.memory_file()


def test_a_memory_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    agent = SimpleNamespace(memory=lambda: {"about": np.array("new"), "KC>MBONp": np.ones((1, 72))})
    (tmp_path / MEMORY).write_text("before")
    monkeypatch.setattr("ethospike.recorders.disk.os.fsync", full)
    with pytest.raises(RunFolderError):
        keep_memory(agent, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MEMORY]
    assert (tmp_path / MEMORY).read_text() == "before"


@pytest.mark.simulator("numba")
def test_a_killed_run_of_a_measured_brain_is_continued(tmp_path: Path) -> None:
    """Learning at each projection from Kenyon cells goes on as if nothing had been."""
    write_winding(small_larva(), tmp_path / "winding")
    words = [
        *("--cycles", "1", "--odor-s", "4", "--blank-s", "2", "--gap-s", "0.5", "--test-s", "1"),
        *("--circuit", "winding-brain", "--connectome", str(tmp_path)),
        *("--simulator.name", "numba", "--recorder.writer", "inline"),
    ]
    config = configure(SCENARIO, words)
    whole = run_scenario(SCENARIO, config, tmp_path / "whole", quiet=True, draw=False)
    killed_run(tmp_path / "killed", words)
    folder = RunFolder.open(tmp_path / "killed")
    kept = int(open_recording(folder.path).behavior.sizes["time"])
    assert 41 <= kept <= 57
    config = configure(SCENARIO, [], [("config.toml", folder.config)])
    assert resume_scenario(SCENARIO, config, folder, quiet=True, draw=False).status == "complete"
    expected, found = (zarr.open_group(of.recording, mode="r") for of in (whole.folder, folder))
    names = [name for name, node in expected.members(max_depth=None) if isinstance(node, zarr.Array)]
    weights = [expected[name][:] for name in names if name.startswith("weights/") and "KC>MBON" in name]
    assert any((values[-1] != values[0]).any() for values in weights)
    for name in names:
        np.testing.assert_array_equal(expected[name][:], found[name][:], err_msg=name)
