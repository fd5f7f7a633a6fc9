"""Tables of a recording: intervals, tidy behavior, counts of single neurons, windows of single animals."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from ethospike.errors import NotRecorded, RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, StepRecord, Variable
from ethospike.recorders.recording import Recording, open_recording
from ethospike.recorders.recording.tables import phase_columns
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.variables import Component

N = 40  # control steps of 10 ms
INLINE = RecorderConfig(writer="inline")


@pytest.fixture(scope="module")
def recording(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path: Path = tmp_path_factory.mktemp("run") / "recording.zarr"
    run.write(path, range(N))
    return open_recording(path)


# -- intervals --------------------------------------------------------------------------------------------


def test_trials_are_a_table_with_the_columns_of_the_task(run: Any, recording: Recording) -> None:
    trials = recording.trials()
    reported = [run.record(k).intervals["trial"] for k in range(3, N, 5)]
    assert len(trials) == 2 * len(reported) == 16
    first = trials.iloc[:2]
    assert first["animal"].tolist() == [0, 1]
    assert first["kind"].tolist() == ["trial", "trial"]
    assert first[["start_step", "stop_step"]].values.tolist() == [[0, 4], [0, 4]]
    assert first[["start_s", "stop_s"]].values.tolist() == [[0.0, 0.04], [0.0, 0.04]]
    outcomes = np.array(["hit", "miss", "none"])[np.concatenate([rows["outcome"] for rows in reported])]
    assert trials["outcome"].tolist() == outcomes.tolist()
    assert trials["rt_ms"].tolist() == np.concatenate([rows["rt_ms"] for rows in reported]).tolist()
    assert "return" not in trials


def test_episodes_are_the_other_kind(recording: Recording) -> None:
    episodes = recording.episodes()
    assert episodes[["start_step", "stop_step", "return"]].values.tolist() == [
        [0, 10, 9.0], [10, 20, 19.0], [20, 30, 29.0], [30, 40, 39.0]
    ]  # fmt: skip
    assert recording.interval_kinds == ["phase", "trial", "episode"]
    with pytest.raises(RecordingError, match=r"no intervals of kind 'trail'; did you mean 'trial'\?"):
        recording.intervals("trail")


def test_phases_are_stretches_of_equal_phase(recording: Recording) -> None:
    """The phase of the synthetic run changes each seven control steps."""
    phases = recording.phases()
    mine = phases[phases["animal"] == 1]
    assert mine["start_step"].tolist() == [0, 7, 14, 21, 28, 35]
    assert mine["stop_step"].tolist() == [7, 14, 21, 28, 35, 40]
    assert mine["phase"].tolist() == ["training", "test"] * 3
    rows = recording.behavior["phase"].isel(animal=1)
    for start, stop in zip(mine["start_step"], mine["stop_step"], strict=True):
        assert len(set(rows[start:stop].values.tolist())) == 1


def test_a_phase_noted_at_the_end_of_a_step_begins_with_the_next() -> None:
    phase = np.array([[0, 0, 2, 2, 1]]).T
    assert phase_columns(phase, at_end=False) == {
        "animal": pytest.approx([0, 0, 0]), "start_step": pytest.approx([0, 2, 4]),
        "stop_step": pytest.approx([2, 4, 5]), "phase": pytest.approx([0, 2, 1]),
    }  # fmt: skip
    # The last phase began with the end of the last step: no control step lies in it.
    assert phase_columns(phase, at_end=True) == {
        "animal": pytest.approx([0, 0]), "start_step": pytest.approx([0, 3]),
        "stop_step": pytest.approx([3, 5]), "phase": pytest.approx([0, 2]),
    }  # fmt: skip


def test_phases_are_recorded_whatever_else_is_not(run: Any, path: Path) -> None:
    run.write(path, range(9), dataclasses.replace(INLINE, behavior=("reward",)))
    assert open_recording(path).phases()["start_step"].tolist() == [0, 0, 7, 7]


def test_a_task_without_phases_has_none(path: Path) -> None:
    layout = Layout(1, 0.1, 100.0, 1000, {"reward": Variable("1", "reward")})
    with ZarrRecorder(path, layout, INLINE) as recorder:
        recorder.record(StepRecord(0, {"reward": np.ones(1)}))
    recording = open_recording(path)
    assert recording.interval_kinds == []
    for ask in (recording.phases, recording.trials, recording.episodes):
        with pytest.raises(RecordingError, match=r"this recording has no intervals of kind .*; valid: none"):
            ask()


def as_format_1(path: Path, columns: dict[str, Any]) -> None:
    """Turn a recording into one of ethospike 0.1, with these columns in its group `events`."""
    root = zarr.open_group(path, mode="r+")
    del root["intervals"]
    rows = len(columns["animal"])
    for name, values in columns.items():
        array = root.create_array(f"events/{name}", data=np.asarray(values), dimension_names=("event",))
        array.attrs.update(units="1", long_name=name, length_attribute="committed_events")
    layout: Any = dict(root.attrs["layout"])  # type: ignore[arg-type]
    for name in ("intervals", "phase_at_end"):
        del layout[name]
    kept = {name: value for name, value in root.attrs.items() if name != "committed_intervals"}
    root.attrs.put({**kept, "format_version": "1.0", "committed_events": rows, "layout": layout})


def test_trials_of_version_0_1_are_read(run: Any, path: Path) -> None:
    run.write(path, range(9))
    as_format_1(
        path,
        {
            "control_step": [3, 8],
            "time": [0.04, 0.09],
            "animal": [0, 1],
            "trial_start_ms": [10.0, 50.0],
            "end_ms": [40.0, 90.0],
            "outcome": [2, 1],
        },
    )
    recording = open_recording(path)
    assert recording.n_steps == 9
    assert recording.interval_kinds == ["phase", "trial"]
    columns = ["animal", "start_step", "stop_step", "outcome"]
    assert recording.trials()[columns].values.tolist() == [[0, 1, 4, 2], [1, 5, 9, 1]]
    # Its one task noted the phase that followed a control step.
    assert recording.phases()["start_step"].tolist() == [0, 0, 8, 8]
    assert len(recording.spikes()) > 10
    with pytest.raises(RecordingError, match=r"format version 1\.0, which this version only reads"):
        ZarrRecorder(path, run.layout, INLINE, resume_at=3)


def test_other_events_of_version_0_1_are_read(run: Any, path: Path) -> None:
    run.write(path, range(9))
    as_format_1(path, {"control_step": [3], "time": [0.04], "animal": [1], "touched": [5]})
    events = open_recording(path).intervals("event")
    assert events[["animal", "start_step", "stop_step", "touched"]].values.tolist() == [[1, 3, 4, 5]]


# -- behavior and neurons ---------------------------------------------------------------------------------


def test_tidy_behavior(run: Any, recording: Recording) -> None:
    table = recording.to_pandas(["position_mm", "phase"], animal=1)
    assert table.columns.tolist() == ["time", "animal", "position_mm_x", "position_mm_y", "phase"]
    assert len(table) == N
    expected = np.array([run.record(k).values["position_mm"][1] for k in range(N)])
    np.testing.assert_array_equal(table[["position_mm_x", "position_mm_y"]], expected)
    assert table["phase"].tolist() == [("training", "test")[k // 7 % 2] for k in range(N)]
    np.testing.assert_allclose(table["time"], np.arange(1, N + 1) * 0.01)
    both = recording.to_pandas()
    assert len(both) == 2 * N
    assert both["animal"].tolist()[:4] == [0, 1, 0, 1]
    assert both["reward"].tolist()[:2] == np.float32(run.record(0).values["reward"]).tolist()
    with pytest.raises(NotRecorded, match=r"'rewrad' was not recorded .*did you mean 'reward'\?"):
        recording.to_pandas(["rewrad"])
    with pytest.raises(RecordingError, match="there is no animal 2"):
        recording.to_pandas(animal=2)


def test_entries_have_names_and_units(path: Path) -> None:
    sight = Variable(
        "1",
        "observation",
        ("feature",),
        (2,),
        components=(Component("odor", "µM"), Component("wall", "1")),
    )
    layout = Layout(1, 0.1, 100.0, 1000, {"observation": sight})
    with ZarrRecorder(path, layout, INLINE) as recorder:
        recorder.record(StepRecord(0, {"observation": np.array([[3.0, 1.0]])}))
    recording = open_recording(path)
    assert recording.layout == layout
    observation = recording.behavior["observation"]
    assert observation.sel(feature="odor").values.tolist() == [[3.0]]
    assert observation["feature_units"].values.tolist() == ["µM", "1"]
    wrong = dataclasses.replace(sight, components=(Component("odor", "µM"),))
    with pytest.raises(
        RecordingError, match=r"a component for each entry of the last dimension of \(2,\), got 1"
    ):
        ZarrRecorder(path.with_name("x"), dataclasses.replace(layout, variables={"o": wrong}), INLINE)


def test_counts_of_single_neurons(run: Any, recording: Recording) -> None:
    counts = recording.neuron_counts("E", animal=1, bin_s=0.03)
    assert counts.dims == ("time", "neuron")
    assert counts["neuron"].values.tolist() == [6, 7, 8, 9]
    assert set(counts["population"].values.tolist()) == {"E"}
    assert counts["time"].values.tolist() == [round(0.03 * (i + 1), 2) for i in range(13)]  # one step is left
    expected = np.zeros((13, 4))
    for k in range(39):
        spikes = run.record(k).spikes
        for neuron in spikes.neuron[(spikes.animal == 1) & (spikes.neuron >= 6)]:
            expected[k // 3, neuron - 6] += 1
    assert expected.sum() > 20
    np.testing.assert_array_equal(counts, expected)
    everything = recording.neuron_counts()
    assert everything.shape == (N, 10)
    grouped = everything.groupby("population").sum("neuron")
    np.testing.assert_array_equal(grouped.sel(population="KC"), recording.counts.sel(animal=0, group="KC"))


def test_an_edge_of_a_bin_belongs_to_the_bin_that_it_ends(path: Path) -> None:
    """A spike of step s fell into (s − 1, s]; the last step of a bin is a part of it."""
    from types import SimpleNamespace

    from ethospike.recorders.recorder import PopulationLayout

    layout = Layout(1, 0.1, 100.0, 1000, {}, populations=(PopulationLayout("KC", 0, 2),))
    step = np.array([1, 1000, 1001, 7000])
    with ZarrRecorder(path, layout, INLINE) as recorder:
        for k in range(10):
            mine = step[(step > k * 1000) & (step <= (k + 1) * 1000)]
            zeros = np.zeros(len(mine), np.int32)
            recorder.record(StepRecord(k, {}, spikes=SimpleNamespace(step=mine, animal=zeros, neuron=zeros)))
    recording = open_recording(path)
    assert recording.neuron_counts()[:, 0].values.tolist() == [2, 1, 0, 0, 0, 0, 1, 0, 0, 0]
    # 7000 · 0.1 ms is 0.7 s, as a user writes it, and the end of a window that ends there.
    assert recording.spikes(stop_s=0.7).time_s.tolist() == [0.0001, 0.1, 0.1001, 0.7]
    assert recording.spikes(start_s=0.7).time_s.tolist() == []
    assert recording.spikes(start_s=0.1, stop_s=0.1001).step.tolist() == [1001]


# -- windows ----------------------------------------------------------------------------------------------


def test_windows_of_events_of_single_animals(run: Any, recording: Recording) -> None:
    windows = recording.windows([0.1, 0.2, 0.1], 0.02, 0.03, animal=[1, 0, 0])
    assert windows["reward"].dims == ("event", "lag")
    assert windows["animal"].values.tolist() == [1, 0, 0]
    for event, (center, animal) in enumerate([(9, 1), (19, 0), (9, 0)]):
        expected = [run.record(k).values["reward"][animal] for k in range(center - 2, center + 4)]
        np.testing.assert_array_equal(windows["reward"][event], np.float32(expected))
    assert recording.windows([0.1, 0.2], 0.0, 0.01, animal=1)["animal"].values.tolist() == [1, 1]
    with pytest.raises(RecordingError, match="there is no animal 2"):
        recording.windows([0.1, 0.2], 0.0, 0.01, animal=[0, 2])
    with pytest.raises(RecordingError, match="one for each of 2 events, got 3"):
        recording.windows([0.1, 0.2], 0.0, 0.01, animal=[0, 1, 1])


def test_edges_of_windows(recording: Recording) -> None:
    times = [0.01, 0.2, 0.4]
    dropped = recording.windows(times, 0.01, 0.01, recording.counts, edges="drop")
    assert dropped["event"].values.tolist() == [1]
    assert dropped["event_time"].values.tolist() == [0.2]
    np.testing.assert_array_equal(dropped[0], recording.counts[18:21])
    filled = recording.windows(times, 0.01, 0.01, recording.counts, edges="nan")
    assert np.isnan(filled[0, 0]).all()
    np.testing.assert_array_equal(filled[0, 1:], recording.counts[:2])
    assert np.isnan(filled[2, 2]).all()
    np.testing.assert_array_equal(filled[2, :2], recording.counts[38:])
    with pytest.raises(RecordingError, match=r"reaches beyond the recording.* edges='drop' leaves"):
        recording.windows(times, 0.01, 0.01)
    with pytest.raises(RecordingError, match="edges: expected one of raise, drop, nan, got 'cut'"):
        recording.windows(times, 0.01, 0.01, edges="cut")  # type: ignore[arg-type]


# -- a first look -----------------------------------------------------------------------------------------


def test_a_first_look(run: Any, path: Path) -> None:
    run.write(path, range(3))
    assert open_recording(path.parent).summary == {}
    (path.parent / "summary.json").write_text(json.dumps({"odor": "Äpfel <A>"}, ensure_ascii=False), "utf-8")
    (path.parent / "run.json").write_text(json.dumps({"scenario": "x<y"}), "utf-8")
    recording = open_recording(path.parent)
    assert recording.summary == {"odor": "Äpfel <A>"}
    html = recording._repr_html_()
    for text in ("x&lt;y, complete", "position_mm (mm)", "KC (6), E (4)", "phase, trial, episode"):
        assert text in html
    assert repr(recording.spikes()).startswith(f"<SpikeTable: {recording.n_spikes} spikes of ")
    assert recording.spikes().to_pandas().columns.tolist() == ["time_s", "step", "animal", "neuron"]


def test_the_home_folder_is_expanded(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with ZarrRecorder("~/recording.zarr", run.layout, INLINE) as recorder:
        recorder.record(run.record(0))
    assert (tmp_path / "recording.zarr").is_dir()
    assert open_recording("~").n_steps == open_recording("~/recording.zarr").n_steps == 1
