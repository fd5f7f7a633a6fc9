"""Reading back: the right part, of the right animal, and not more than was asked for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from places import DOCS
from plain_digest import digest

from ethospike.errors import NotRecorded, RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import Recording, open_recording
from ethospike.recorders.recover import recover
from ethospike.recorders.zarr_recorder import ZarrRecorder

FORMAT = DOCS / "format.md"
N = 40  # control steps of 10 ms


@pytest.fixture(scope="module")
def recording(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path: Path = tmp_path_factory.mktemp("run") / "recording.zarr"
    run.write(path, range(N))
    return open_recording(path)


def spikes_of(run: Any, keep: Any) -> list[tuple[int, int, int]]:
    columns = [run.record(k).spikes for k in range(N)]
    rows = [
        row
        for s in columns
        for row in zip(s.step.tolist(), s.animal.tolist(), s.neuron.tolist(), strict=True)
    ]
    return [row for row in rows if keep(*row)]


def rows_of(table: Any) -> list[tuple[int, int, int]]:
    return list(zip(table.step.tolist(), table.animal.tolist(), table.neuron.tolist(), strict=True))


@pytest.mark.parametrize(
    ("question", "keep"),
    [
        ({}, lambda step, animal, neuron: True),
        ({"population": "KC"}, lambda step, animal, neuron: neuron < 6),
        ({"population": ["E"]}, lambda step, animal, neuron: neuron >= 6),
        ({"animal": 1}, lambda step, animal, neuron: animal == 1),
        ({"animal": [0, 1]}, lambda step, animal, neuron: True),
        # In the middle of control steps: (0.1234, 0.2] s are the steps 1235 … 2000 of 0.1 ms.
        ({"start_s": 0.1234, "stop_s": 0.2}, lambda step, animal, neuron: 1235 <= step <= 2000),
        ({"start_s": 0.1, "stop_s": 0.3}, lambda step, animal, neuron: 1001 <= step <= 3000),
        ({"start_s": 0.3, "stop_s": 99.0}, lambda step, animal, neuron: step > 3000),
        (
            {"population": "KC", "animal": 0, "start_s": 0.05},
            lambda step, animal, neuron: neuron < 6 and animal == 0 and step > 500,
        ),
    ],
)
def test_spikes_by_population_animal_and_time(
    run: Any, recording: Recording, question: Any, keep: Any
) -> None:
    expected = spikes_of(run, keep)
    table = recording.spikes(**question)
    assert 20 < len(table) == len(expected)
    assert rows_of(table) == expected
    np.testing.assert_allclose(table.time_s, np.array([row[0] for row in expected]) * 1e-4, rtol=1e-12)


def test_no_spikes(recording: Recording) -> None:
    assert len(recording.spikes(start_s=5.0)) == 0
    assert len(recording.spikes(start_s=0.2, stop_s=0.1)) == 0


def test_times_beyond_the_recording_are_its_ends(recording: Recording) -> None:
    everything = rows_of(recording.spikes())
    assert len(everything) > 100
    infinity = float("inf")
    assert rows_of(recording.spikes(start_s=-infinity, stop_s=infinity)) == everything
    assert rows_of(recording.spikes(start_s=-1e300, stop_s=1e300)) == everything
    assert len(recording.spikes(start_s=infinity)) == len(recording.spikes(stop_s=-infinity)) == 0
    for bad in ({"start_s": float("nan")}, {"stop_s": float("nan")}):
        with pytest.raises(RecordingError, match=r"expected times in seconds, got .*nan"):
            recording.spikes(**bad)


def test_spikes_are_read_in_pieces(run: Any, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ethospike.recorders.recording.spikes.SPIKES_AT_ONCE", 17)
    assert rows_of(recording.spikes("E", 1, 0.03, 0.31)) == spikes_of(
        run, lambda step, animal, neuron: neuron >= 6 and animal == 1 and 300 < step <= 3100
    )


def test_rates_are_spikes_per_neuron_and_second(run: Any, recording: Recording) -> None:
    rates = recording.rates(0.1)
    assert rates.dims == ("time", "animal", "group")
    np.testing.assert_allclose(rates.time, [0.1, 0.2, 0.3, 0.4])
    assert rates.group.values.tolist() == ["KC", "E[0]", "E[1]"]
    expected = len(
        spikes_of(run, lambda step, animal, neuron: 1000 < step <= 2000 and animal == 1 and neuron < 6)
    )
    assert float(rates[1, 1, 0]) == pytest.approx(expected / 6 / 0.1)
    assert recording.rates(0.03).sizes["time"] == 13  # 40 steps are 13 bins of 3, and one step left out
    with pytest.raises(
        RecordingError, match=r"bin_s: 0.015 s is not a whole number of control steps of 0.01 s"
    ):
        recording.rates(0.015)


def test_what_a_recording_says_of_itself(run: Any, recording: Recording) -> None:
    assert recording.n_steps == N
    assert recording.animals == 2
    assert recording.duration_s == pytest.approx(0.4)
    assert recording.status == "complete"
    assert recording.layout.populations == run.layout.populations
    assert recording.layout.variables == run.layout.variables
    assert recording.layout.weights == run.layout.weights
    assert recording.layout.phases == ("training", "test")
    assert recording.neurons("E") == range(6, 10)
    assert recording.size_bytes == sum(f.stat().st_size for f in recording.path.rglob("*") if f.is_file())
    assert "complete, 0.4 s, 2 animals" in repr(recording)
    assert recording.config == {}
    assert recording.run_info == {}


def test_a_run_folder_is_a_recording_too(run: Any, path: Path) -> None:
    run.write(path, range(2))
    (path.parent / "config.toml").write_text("[arena]\nradius_mm = 50.0\n")
    (path.parent / "run.json").write_text(json.dumps({"scenario": "test", "seed": 3}))
    recording = open_recording(path.parent)
    assert recording.path == path
    assert recording.config == {"arena": {"radius_mm": 50.0}}
    assert recording.run_info["seed"] == 3


def test_windows_around_moments(run: Any, recording: Recording) -> None:
    windows = recording.windows([0.1, 0.2], 0.02, 0.03)
    assert windows["reward"].dims == ("event", "lag", "animal")
    np.testing.assert_allclose(windows.lag, [-0.02, -0.01, 0.0, 0.01, 0.02, 0.03], atol=1e-12)
    # The row of time t is control step t / 10 ms − 1.
    expected = [[run.record(k).values["reward"] for k in range(c - 2, c + 4)] for c in (9, 19)]
    np.testing.assert_array_equal(windows["reward"], np.array(expected, np.float32))
    counts = recording.windows(0.1, 0.0, 0.01, recording.counts)
    np.testing.assert_array_equal(counts[0], recording.counts[9:11])
    with pytest.raises(
        RecordingError, match=r"around 0.4 s reaches beyond the recording, which holds 0.01 … 0.4 s"
    ):
        recording.windows([0.4], 0.0, 0.01)
    none = recording.windows([], 0.02, 0.03)
    assert none["position_mm"].dims == windows["position_mm"].dims
    assert none.sizes == {**windows.sizes, "event": 0}
    assert none["phase"].load().dtype == windows["phase"].dtype
    xr.testing.assert_identical(none.lag, windows.lag)
    assert recording.windows([], 0.0, 0.01, recording.counts).shape == (0, *counts.shape[1:])
    (lags, table), _ = recording.spikes_around([0.1, 0.2], 0.02, 0.03, "KC", 0)
    expected_rows = spikes_of(run, lambda s, a, n: 800 < s <= 1300 and a == 0 and n < 6)
    assert rows_of(table) == expected_rows
    np.testing.assert_allclose(lags, [row[0] * 1e-4 - 0.1 for row in expected_rows])


def test_everything_as_a_data_tree(recording: Recording) -> None:
    tree = recording.to_xarray()
    assert set(tree.children) == {"behavior", "spikes", "stimulus", "weights", "intervals"}
    assert tree.attrs["committed_steps"] == N
    xr.testing.assert_identical(tree["behavior"].to_dataset(), recording.behavior)


def test_stimulus_channels_have_their_names(run: Any, recording: Recording) -> None:
    rates = recording.stimulus["rate_hz"].sel(rate_channel="odor[1]", animal=0)
    np.testing.assert_array_equal(rates, [np.float32(run.record(k).stimulus.rate_hz[0, 1]) for k in range(N)])


def test_behavior_is_loaded_when_used(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    true = type(recording.store)._true  # what every file that is read goes through

    def watch(self: Any, key: str, value: Any) -> Any:
        read.append(key)
        return true(self, key, value)

    monkeypatch.setattr(type(recording.store), "_true", watch)
    behavior = open_recording(recording.path).behavior
    assert not [key for key in read if "/c." in key and "/time/" not in key]
    behavior["reward"].isel(time=3).load()
    assert {key for key in read if "/c." in key and "/time/" not in key} == {"behavior/reward/c.0.0"}


def test_reading_loads_what_it_needs(recording: Recording) -> None:
    code = """if True:
        import sys
        from ethospike.recorders.recording import open_recording
        loaded = lambda: sorted(set(sys.argv[2].split()) & sys.modules.keys())
        recording = open_recording(sys.argv[1])
        assert len(recording.spikes()) > 0
        before = loaded()
        assert recording.behavior.sizes["time"] > 0
        print(*before, "then", *loaded())
    """
    # Without scipy: xarray loads it with dask, where that is installed, when a coordinate is made.
    heavy = "ethospike.brains ethospike.envs gymnasium matplotlib nest numba pygame xarray"
    done = subprocess.run(
        [sys.executable, "-c", code, str(recording.path), heavy], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["then", "xarray"]


def test_reading_while_it_is_written_and_after(run: Any, path: Path) -> None:
    with ZarrRecorder(path, run.layout) as recorder:
        seen = []
        for k in range(9):
            recorder.record(run.record(k))
            if k % 3 == 2:
                recorder.commit()
                now = open_recording(path)
                assert now.status == "running"
                seen.append((now, now.n_steps))
        for early, n in seen:  # what was opened early stays what it was
            assert early.behavior.sizes["time"] == n
            np.testing.assert_array_equal(
                early.behavior.reward[-1], np.float32(run.record(n - 1).values["reward"])
            )
    assert [n for _, n in seen] == [3, 6, 9]


@pytest.mark.parametrize("status", ["complete", "stopped", "failed"])
def test_a_run_that_has_ended_since_it_was_opened_was_not_interrupted(
    run: Any, path: Path, status: str
) -> None:
    recorder = ZarrRecorder(path, run.layout, RecorderConfig(writer="inline"))
    recorder.record(run.record(0))
    recorder.commit()
    early = open_recording(path)
    assert early.status == "running"
    recorder.close(status)
    assert early.status == status
    assert early.stored_status == "running"
    zarr.open_group(path, mode="r+").attrs["status"] = "running"
    assert early.status == "interrupted"


@pytest.mark.parametrize("version", ["3.0", "17.3"])
def test_a_newer_format_is_refused(run: Any, path: Path, version: str) -> None:
    run.write(path, range(2))
    zarr.open_group(path, mode="r+").attrs["format_version"] = version
    with pytest.raises(RecordingError, match=f"has format version {version}.*update ethospike"):
        open_recording(path)


def test_a_newer_minor_version_is_read(run: Any, path: Path) -> None:
    run.write(path, range(2))
    attributes: Any = zarr.open_group(path, mode="r+").attrs
    layout = attributes["layout"]
    layout["larval_stage"] = 3
    layout["populations"][0]["transmitter"] = "acetylcholine"
    attributes.update({"format_version": "2.7", "layout": layout})
    recording = open_recording(path)
    assert recording.n_steps == 2
    assert recording.layout == run.layout
    np.testing.assert_array_equal(recording.behavior["reward"][1], np.float32(run.record(1).values["reward"]))
    assert len(recording.spikes("KC")) == sum((run.record(k).spikes.neuron < 6).sum() for k in range(2)) > 0


def test_what_is_not_a_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"there is no recording at .*nowhere"):
        open_recording(tmp_path / "nowhere")
    zarr.create_group(tmp_path / "other.zarr", zarr_format=3)
    with pytest.raises(RecordingError, match=r"other.zarr is not a recording: expected .* got None"):
        open_recording(tmp_path / "other.zarr")
    (tmp_path / "other.zarr" / "zarr.json").write_text("{")
    with pytest.raises(RecordingError, match="cannot read"):
        open_recording(tmp_path / "other.zarr")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.spikes("PN"), "there is no population 'PN'; valid: KC, E"),
        (lambda r: r.spikes(animal=2), r"there is no animal 2; valid: 0 … 1"),
        (lambda r: r.spikes(animal=[0, -1]), r"there is no animal -1; valid: 0 … 1"),
        (lambda r: r.weights("PN>KC"), r"'PN>KC' has no recorded weights; valid: KC>MBONp, KC>MBONn"),
    ],
)
def test_questions_without_an_answer(recording: Recording, ask: Any, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        ask(recording)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.variable("position_mm"), r"'position_mm' was not recorded \(recorder.behavior\)"),
        (lambda r: r.weights("KC>MBONp"), r"no weights were recorded \(recorder.weights_every_s\)"),
        (lambda r: r.voltages, r"no voltages were recorded \(recorder.voltages\)"),
        (lambda r: r.spikes("KC"), r"the spikes of 'KC' were not listed, only those of E \(recorder.spike_p"),
        (lambda r: r.spikes(animal=0), r"animal 0 were not listed, only those of 1 \(recorder.spike_animals"),
        (lambda r: r.spikes(animal=[1, 0]), "animal 0 were not listed"),
        (lambda r: r.spikes_around([0.1], 0.0, 0.1, animal=0), "animal 0 were not listed"),
    ],
)
def test_what_was_not_recorded_is_told_not_empty(make_run: Any, path: Path, ask: Any, message: str) -> None:
    less = RecorderConfig(
        behavior=("reward",), spike_populations=("E",), spike_animals=(1,), weights_every_s=0, writer="inline"
    )
    make_run().write(path, range(N), less)
    recording = open_recording(path)
    assert recording.variable("reward").sizes["time"] == N
    assert recording.listed_animals == [1]
    table = recording.spikes()
    assert len(table) > 20
    assert rows_of(table) == rows_of(recording.spikes("E", 1))
    with pytest.raises(NotRecorded, match=message):
        ask(recording)


def test_a_recording_without_listed_spikes(make_run: Any, path: Path) -> None:
    make_run().write(path, range(5), RecorderConfig(spike_populations=(), writer="inline"))
    with pytest.raises(NotRecorded, match=r"no spikes were listed \(recorder.spike_populations"):
        open_recording(path).spikes()


def test_plain_zarr_and_xarray_see_every_value_alike(run: Any, recording: Recording, path: Path) -> None:
    """What the validation does in environments with other versions, in this one."""
    n, whole = digest(str(recording.path))
    described = [array.size for _, group in recording.to_zarr().groups() for array in group.array_values()]
    assert n == sum(described) > 1000
    run.write(path, range(N))
    assert digest(str(path)) == (n, whole)
    zarr.open_group(path, mode="r+")["behavior/reward"][7, 1] += 1  # type: ignore[index, operator]
    changed = digest(str(path))
    assert (changed[0], changed[1] != whole) == (n, True)


# -- recover ---------------------------------------------------------------------------------------------


def lengthen(path: Path, name: str, rows: int) -> None:
    """Do to an array what a crash does: rows that were written and never committed."""
    array: Any = zarr.open_group(path, mode="r+")[name]
    n = array.shape[0]
    array.resize((n + rows, *array.shape[1:]))
    array[n:] = 99


def test_recover_cuts_what_was_never_committed(run: Any, path: Path) -> None:
    run.write(path, range(N))
    lengthen(path, "behavior/reward", 5)
    lengthen(path, "spikes/step", 70)
    zarr.open_group(path, mode="r+").attrs["status"] = "running"
    (path.parent / f"{path.name}.123-4.partial").write_text("half a chunk")
    # Before: the reader believes committed rows only, plain xarray refuses.
    assert open_recording(path).behavior.sizes["time"] == N
    assert 99 not in open_recording(path).spikes().step
    with pytest.raises(ValueError, match="conflicting sizes"):
        xr.open_zarr(path, group="behavior", consolidated=False)
    report = recover(path.parent)
    assert report.cut == {"behavior/reward": 5, "spikes/step": 70}
    assert report.status == "interrupted"
    assert "kept 40 control steps (0.4 s)" in str(report)
    assert xr.open_zarr(path, group="behavior", consolidated=False).sizes["time"] == N
    assert not list(path.parent.glob("*.partial"))
    assert recover(path).cut == {}


def test_recover_leaves_a_sound_recording_as_it_is(run: Any, path: Path) -> None:
    run.write(path, range(5))
    before = {f: f.read_bytes() for f in path.rglob("*") if f.is_file()}
    report = recover(path)
    assert report.status == "complete"
    assert "nothing had to be repaired" in str(report)
    assert {f: f.read_bytes() for f in path.rglob("*") if f.is_file()} == before


def test_recover_refuses_a_running_recording(run: Any, path: Path) -> None:
    with (
        ZarrRecorder(path, run.layout),
        pytest.raises(RecordingError, match="is being written by another process"),
    ):
        recover(path)


def test_recover_notices_a_chunk_that_was_lost(run: Any, path: Path) -> None:
    run.write(path, range(5))
    (path / "behavior" / "reward" / "c.0.0").unlink()
    with pytest.raises(RecordingError, match=r"reward is damaged: rows 0 … 4 are missing"):
        recover(path)


# -- the documentation -----------------------------------------------------------------------------------


def snippet(heading: str, number: int = 0) -> str:
    section = FORMAT.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.S)[number]


def run_snippet(code: str, folder: Path, then: str) -> str:
    command = [sys.executable, "-W", "error", "-c", f"{code}\n{then}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def long_recording(make_run: Any, path: Path) -> Any:
    """Three seconds, with an array that a crash left longer than the others."""
    run = make_run(steps_per_control=1000)
    run.write(path, range(30))
    lengthen(path, "behavior/reward", 5)
    return run


def test_ten_lines_read_it_with_zarr_alone(long_recording: Any, path: Path) -> None:
    code = snippet("Reading with zarr alone")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert "ethospike" not in code
    out = run_snippet(
        code, path.parent, "print(len(time_ms), time_ms.min(), time_ms.max(), animal.sum(), neuron.sum())"
    )
    spikes = [long_recording.record(k).spikes for k in range(10, 20)]
    step, animal, neuron = (
        np.concatenate([getattr(s, c) for s in spikes]) for c in ("step", "animal", "neuron")
    )
    assert len(step) > 50
    got = [float(x) for x in out.split()]
    assert got == pytest.approx([len(step), step.min() * 0.1, step.max() * 0.1, animal.sum(), neuron.sum()])


def test_two_lines_of_xarray_cut_it_by_hand(long_recording: Any, path: Path) -> None:
    code = snippet("Reading with xarray alone", 1)
    out = run_snippet(
        code, path.parent, "print(behavior.sizes['time'], float(behavior.reward[-1, 0]), len(behavior))"
    )
    n, reward, variables = out.split()
    assert int(n) == 30
    assert float(reward) == np.float32(long_recording.record(29).values["reward"][0])
    assert int(variables) == 4
    with pytest.raises(AssertionError, match="conflicting sizes"):
        run_snippet(snippet("Reading with xarray alone", 0), path.parent, "")
    recover(path)
    assert "30" in run_snippet(
        snippet("Reading with xarray alone", 0), path.parent, "print(behavior.sizes['time'])"
    )


def test_the_lines_of_the_documentation_that_use_ethospike(long_recording: Any, path: Path) -> None:
    out = run_snippet(snippet("Reading with ethospike"), path.parent, "print(len(raster))")
    spikes = [long_recording.record(k).spikes for k in range(10, 20)]
    assert int(out) == sum(int(((s.neuron < 6) & (s.animal == 0)).sum()) for s in spikes) > 10


def test_the_documentation_names_every_array(run: Any, path: Path) -> None:
    run.write(path, range(5))
    text = FORMAT.read_text()
    placeholders = {
        **{f"behavior/{name}": "behavior/<variable>" for name in run.layout.variables},
        **{f"weights/{name}": "weights/<projection>" for name in run.layout.weights},
        **{f"intervals/{name}": "intervals/<column>" for name in ("outcome", "rt_ms", "return")},
    }
    root = zarr.open_group(path, mode="r")
    names = [f"{g}/{n}" for g, group in root.groups() for n, _ in group.arrays()]
    assert names
    for name in names:
        assert f"`{placeholders.get(name, name)}`" in text, name
    for attribute in root.attrs:
        assert f"`{attribute}`" in text, attribute


def test_a_copy_of_a_recording_is_a_recording(run: Any, path: Path, tmp_path: Path) -> None:
    run.write(path, range(5), RecorderConfig())
    shutil.copytree(path, tmp_path / "copy.zarr")
    assert open_recording(tmp_path / "copy.zarr").n_steps == 5
    # Neither the lock nor what was being written is left beside a recording that was closed.
    assert sorted(os.listdir(path.parent)) == ["copy.zarr", path.name]
