"""Every value that was recorded comes back, in the shape, type and place that docs/format.md promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, StepRecord, Variable
from ethospike.recorders.recording import open_recording
from ethospike.recorders.zarr_recorder import ZarrRecorder

INTERVAL = ["animal", "kind", "start_step", "stop_step", "start_s", "stop_s"]
INLINE = RecorderConfig(writer="inline")
SPECIFIED_CODECS = {"bytes", "blosc"}  # https://zarr-specs.readthedocs.io/en/latest/v3/codecs/


def all_arrays(path: Path) -> dict[str, Any]:
    root = zarr.open_group(path, mode="r", zarr_format=3)
    return {f"{g}/{n}": a for g, group in root.groups() for n, a in group.arrays()}


def assert_equal_recordings(one: Path, other: Path) -> None:
    a, b = all_arrays(one), all_arrays(other)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name][...], b[name][...], err_msg=name)
        assert a[name].dtype == b[name].dtype
        assert dict(a[name].attrs) == dict(b[name].attrs)
    assert dict(zarr.open_group(one, mode="r").attrs) == dict(zarr.open_group(other, mode="r").attrs)


@pytest.mark.parametrize("writer", ["inline", "process"])
def test_round_trip(run: Any, path: Path, writer: str) -> None:
    n = 40
    run.write(path, range(n), RecorderConfig(writer=writer))  # type: ignore[arg-type]
    arrays = {name: array[...] for name, array in all_arrays(path).items()}
    records = [run.record(k) for k in range(n)]
    for name in ("reward", "position_mm", "terminated", "phase"):
        expected = np.stack([r.values[name] for r in records]).astype(run.layout.variables[name].dtype)
        np.testing.assert_array_equal(arrays[f"behavior/{name}"], expected)
    expected = np.stack([r.stimulus.rate_hz for r in records]).astype(np.float32)
    np.testing.assert_array_equal(arrays["stimulus/rate_hz"], expected)
    expected = np.stack([r.stimulus.current_pa for r in records]).astype(np.float32)
    np.testing.assert_array_equal(arrays["stimulus/current_pa"], expected)
    for column in ("step", "animal", "neuron"):
        expected = np.concatenate([getattr(r.spikes, column) for r in records])
        assert len(expected) > 300
        np.testing.assert_array_equal(arrays[f"spikes/{column}"], expected)
    ends = np.cumsum([len(r.spikes.step) for r in records])
    np.testing.assert_array_equal(arrays["spikes/interval_end"], ends)
    for group in ("behavior", "spikes", "stimulus"):
        np.testing.assert_allclose(arrays[f"{group}/time"], np.arange(1, n + 1) * 0.01, rtol=1e-12)
    trials = [r.intervals["trial"]["outcome"] for r in records if "trial" in r.intervals]
    assert len(trials) == 8
    is_trial = arrays["intervals/kind"][...] == 0
    np.testing.assert_array_equal(arrays["intervals/outcome"][...][is_trial], np.concatenate(trials))
    reported = arrays["intervals/control_step"][...]
    np.testing.assert_array_equal(reported[is_trial], np.repeat(np.arange(3, n, 5), 2))
    np.testing.assert_array_equal(reported[~is_trial], np.arange(9, n, 10))
    # A kind has no value in the columns of another.
    assert (arrays["intervals/outcome"][...][~is_trial] == -1).all()
    assert np.isnan(arrays["intervals/rt_ms"][...][~is_trial]).all()
    assert np.isnan(arrays["intervals/return"][...][is_trial]).all()


def test_counts_are_those_of_each_population_and_cluster(run: Any, path: Path) -> None:
    run.write(path, range(5))
    counts = all_arrays(path)["spikes/count"]
    assert counts.attrs["group_names"] == ["KC", "E[0]", "E[1]"]
    assert counts.attrs["group_sizes"] == [6, 2, 2]
    edges = [(0, 6), (6, 8), (8, 10)]
    for k in range(5):
        spikes = run.record(k).spikes
        for animal in range(2):
            for group, (a, b) in enumerate(edges):
                mine = [
                    n
                    for n, who in zip(spikes.neuron, spikes.animal, strict=True)
                    if who == animal and a <= n < b
                ]
                assert counts[k, animal, group] == len(mine)


def test_weights_every_second_and_when_the_phase_changes(run: Any, path: Path) -> None:
    # 10 ms steps; weights each 50 ms; the phase changes with steps 7, 14 and 21.
    run.write(path, range(22), RecorderConfig(writer="inline", weights_every_s=0.05))
    arrays = all_arrays(path)
    expected = sorted({0, 4, 9, 14, 19} | {7, 14, 21})
    np.testing.assert_array_equal(arrays["weights/control_step"][...], expected)
    np.testing.assert_allclose(arrays["weights/time"][...], (np.array(expected) + 1) * 0.01)
    for row, k in enumerate(expected):
        weights = run.record(k).weights()["KC>MBONp"]
        np.testing.assert_array_equal(arrays["weights/KC>MBONp"][row], weights.astype(np.float32))


def test_every_array_is_described_and_uses_codecs_of_the_specification(run: Any, path: Path) -> None:
    run.write(path, range(10))
    arrays = all_arrays(path)
    assert len(arrays) == 5 + 6 + 3 + 4 + 9  # behavior, spikes, stimulus, weights, intervals
    for name, array in arrays.items():
        assert array.metadata.zarr_format == 3
        assert len(array.metadata.dimension_names) == array.ndim, name
        assert all(array.metadata.dimension_names), name
        assert array.attrs["units"], name
        assert array.attrs["long_name"], name
        assert array.dtype.kind in "biuf", name
        assert {codec.to_dict()["name"] for codec in array.metadata.codecs} <= SPECIFIED_CODECS


@pytest.mark.parametrize("group", ["behavior", "spikes", "stimulus", "weights", "intervals"])
def test_plain_xarray_opens_every_group(run: Any, path: Path, group: str) -> None:
    run.write(path, range(20))
    dataset = xr.open_zarr(path, group=group, consolidated=False)
    assert dataset.sizes
    dataset.load()


def test_identical_streams_give_identical_recordings(run: Any, tmp_path: Path) -> None:
    one, other = tmp_path / "one.zarr", tmp_path / "other.zarr"
    run.write(one, range(30), INLINE)
    # Commits and hand-overs fall differently; the values must not.
    run.write(other, range(30), RecorderConfig(writer="process", commit_every_s=0.0))
    assert_equal_recordings(one, other)


@pytest.mark.usefixtures("tiny_chunks")
def test_small_chunks_and_buffers_change_nothing(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one.zarr", tmp_path / "other.zarr"
    run.write(one, range(30))
    assert all_arrays(one)["behavior/reward"].chunks == (5, 2)
    monkeypatch.undo()
    run.write(other, range(30))
    assert all_arrays(other)["behavior/reward"].chunks != (5, 2)
    assert_equal_recordings(one, other)


@pytest.mark.parametrize("writer", ["inline", "process"])
@pytest.mark.parametrize("behavior", [("all",), ("reward",)])
@pytest.mark.parametrize("resume_at", [[14], [7], [21], [9, 7], [15, 15, 21]])
def test_continuing_equals_never_having_stopped(
    run: Any, tmp_path: Path, writer: str, behavior: tuple[str, ...], resume_at: list[int]
) -> None:
    """The phase changes with the steps 7, 14 and 21, at which weights are recorded in any case."""
    whole, broken = tmp_path / "whole.zarr", tmp_path / "broken.zarr"
    config = RecorderConfig(writer=writer, weights_every_s=0.05, behavior=behavior)  # type: ignore[arg-type]
    run.write(whole, range(30), config)
    run.write(broken, range(21), config)
    for k in resume_at[:-1]:  # runs that end before their first step, or before the next one continues
        run.write(broken, range(k, max(k, resume_at[-1])), config, resume_at=k)
    with ZarrRecorder(broken, run.layout, config, resume_at=resume_at[-1]) as recorder:
        assert recorder.next_step == resume_at[-1]
        assert open_recording(broken).n_steps == resume_at[-1]
        for k in range(resume_at[-1], 30):
            recorder.record(run.record(k))
    assert all_arrays(broken)["weights/control_step"][...].tolist() == [0, 4, 7, 9, 14, 19, 21, 24, 28, 29]
    assert_equal_recordings(whole, broken)


def test_commit_makes_steps_permanent_at_once(run: Any, path: Path) -> None:
    with ZarrRecorder(path, run.layout) as recorder:
        for k in range(5):
            recorder.record(run.record(k))
        assert open_recording(path).n_steps == 0
        assert recorder.commit() == 5
        assert open_recording(path).n_steps == 5
        assert open_recording(path).status == "running"
    assert open_recording(path).status == "complete"


def test_more_spikes_than_a_buffer_holds(make_run: Any, path: Path) -> None:
    run = make_run(spikes=300_000, steps_per_control=1000)
    run.write(path, range(2), RecorderConfig())
    expected = [run.record(k).spikes for k in range(2)]
    table = open_recording(path).spikes()
    assert len(table) > 590_000
    np.testing.assert_array_equal(table.step, np.concatenate([s.step for s in expected]))
    np.testing.assert_array_equal(table.neuron, np.concatenate([s.neuron for s in expected]))


def test_voltages_of_watched_neurons(run: Any, path: Path) -> None:
    layout = dataclasses.replace(run.layout, watched=(3, 8))
    volts = np.random.default_rng(0).normal(-60, 5, (4, 100, 2, 2))
    with ZarrRecorder(path, layout, INLINE) as recorder:
        for k in range(4):
            recorder.record(dataclasses.replace(run.record(k), voltages=volts[k]))
        with pytest.raises(RecordingError, match=r"voltages: expected an array of shape \(100, 2, 2\)"):
            recorder.record(run.record(4))
    voltages = open_recording(path).voltages
    assert voltages.dims == ("time", "animal", "offset", "watched")
    np.testing.assert_array_equal(voltages, volts.swapaxes(1, 2).astype(np.float32))
    assert voltages["neuron"].values.tolist() == [3, 8]
    # Step j of control step k ends at k·10 ms + j·0.1 ms.
    np.testing.assert_allclose(
        voltages.time.values[1] + voltages.offset.values, 0.01 + np.arange(1, 101) * 1e-4
    )


def test_an_agent_without_neurons(path: Path) -> None:
    layout = Layout(1, 0.1, 100.0, 1000, {"reward": Variable("1", "reward")})
    with ZarrRecorder(path, layout, INLINE) as recorder:
        recorder.record(StepRecord(0, {"reward": np.ones(1)}))
    recording = open_recording(path)
    assert recording.behavior.reward.values.tolist() == [[1.0]]
    assert sorted(all_arrays(path)) == ["behavior/reward", "behavior/time"]
    with pytest.raises(RecordingError, match="no neurons"):
        _ = recording.counts


def test_a_scene_is_kept_and_must_be_plain(run: Any, path: Path) -> None:
    layout = dataclasses.replace(run.layout, scene={"radius_mm": 50.0, "sources": ((1.0, 2.0),)})
    with ZarrRecorder(path, layout, INLINE) as recorder:
        recorder.record(run.record(0))
    assert open_recording(path).layout.scene == {"radius_mm": 50.0, "sources": [[1.0, 2.0]]}
    with ZarrRecorder(path, layout, INLINE, resume_at=1) as recorder:
        recorder.record(run.record(1))
    for scene in ({"x": np.ones(2)}, {"x": float("nan")}):
        with pytest.raises(RecordingError, match="layout: expected the plain types of JSON"):
            ZarrRecorder(path.with_name("x"), dataclasses.replace(layout, scene=scene), INLINE)


def test_a_table_of_intervals_exists_even_without_rows(run: Any, path: Path) -> None:
    with ZarrRecorder(path, run.layout, INLINE):
        pass
    recording = open_recording(path)
    assert recording.layout.intervals == run.layout.intervals
    assert recording.trials().columns.tolist() == [*INTERVAL, "outcome", "rt_ms"]
    assert recording.episodes().columns.tolist() == [*INTERVAL, "return"]
    assert len(recording.trials()) == len(recording.episodes()) == len(recording.phases()) == 0


def intervals(kind: str = "trial", **columns: Any) -> dict[str, Any]:
    """Return an interval of animal 0 in the control steps 0 … 3; a column that is None is left out."""
    table = {
        "animal": np.array([0]),
        "start_step": np.array([0]),
        "stop_step": np.array([4]),
        "outcome": np.array([1]),
        "rt_ms": np.array([1.5]),
        **columns,
    }
    return {kind: {name: column for name, column in table.items() if column is not None}}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (intervals("trail"), r"'trail': the layout describes no such kind; did you mean 'trial'\?"),
        (intervals(rt_ms=None), r"expected the columns .*'rt_ms'.* got"),
        (intervals(x=np.zeros(1)), r"expected the columns .* got .*'x'"),
        (intervals(outcome=np.array([1, 2])), "expected columns of one length"),
        (intervals(outcome=np.ones((1, 1), int)), "expected columns of one length"),
        (intervals(outcome=np.array(["hit"])), "expected outcome as int64, got <U3"),
        (intervals(outcome=np.array([0.5])), "expected outcome as int64, got float64"),
        (intervals(animal=np.array([2])), r"expected animals 0 … 1, got \[2\]"),
        (intervals(stop_step=np.array([5])), r"0 <= start_step <= stop_step <= 4, got \[\(0, 5\)\]"),
        (intervals(start_step=np.array([-1])), r"0 <= start_step <= stop_step <= 4, got \[\(-1, 4\)\]"),
        (intervals(start_step=np.array([4]), stop_step=np.array([3])), r"got \[\(4, 3\)\]"),
    ],
)
def test_intervals_that_do_not_fit(run: Any, path: Path, bad: Any, message: str) -> None:
    with ZarrRecorder(path, run.layout, INLINE) as recorder:
        for k in range(3):
            recorder.record(run.record(k))
        with pytest.raises(RecordingError, match=f"control step 3: intervals of kind .*{message}"):
            recorder.record(dataclasses.replace(run.record(3), intervals=bad))
        recorder.record(dataclasses.replace(run.record(3), intervals=intervals()))
    trials = open_recording(path).trials()
    assert trials[["start_step", "stop_step", "outcome"]].values.tolist() == [[0, 4, "miss"]]


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"phase": {}}, "the kind 'phase' is made from the variable 'phase'"),
        ({"trial": {"start_step": Variable("1", "x", dtype="int64")}}, "cannot be called 'start_step'"),
        ({"trial": {"kind": Variable("1", "x", dtype="int64")}}, "cannot be called 'kind'"),
        ({"trial": {"x": Variable("1", "x", dtype="uint8")}}, "a signed integer .* got uint8"),
        ({"trial": {"x": Variable("1", "x", ("xy",), (2,))}}, r"got float32 with the dimensions \('xy',\)"),
        (
            {"trial": {"x": Variable("1", "x")}, "episode": {"x": Variable("mm", "x")}},
            "'x' is described twice and differently",
        ),
    ],
)
def test_intervals_that_cannot_be_stored(run: Any, path: Path, described: Any, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        ZarrRecorder(path, dataclasses.replace(run.layout, intervals=described), INLINE)


def test_arrays_may_be_used_again_after_they_were_recorded(run: Any, path: Path) -> None:
    weights = {name: np.zeros((2, 6), np.float32) for name in run.layout.weights}
    trials = np.zeros(1)
    with ZarrRecorder(path, run.layout, dataclasses.replace(INLINE, weights_every_s=0.01)) as recorder:
        for k in range(3):
            for array in (*weights.values(), trials):
                array[:] = k
            table = intervals(rt_ms=trials, stop_step=np.array([1]))
            recorder.record(dataclasses.replace(run.record(k), weights=lambda: weights, intervals=table))
    arrays = all_arrays(path)
    assert arrays["weights/KC>MBONp"][:, 0, 0].tolist() == [0, 1, 2]
    assert arrays["intervals/rt_ms"][:].tolist() == [0, 1, 2]


# -- what is recorded is a choice ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "gone"),
    [
        ({"behavior": ("reward",)}, {"behavior/position_mm", "behavior/terminated"}),
        (
            {"spike_populations": ()},
            {"spikes/step", "spikes/animal", "spikes/neuron", "spikes/interval_end"},
        ),
        ({"stimulus": False}, {"stimulus/rate_hz", "stimulus/current_pa", "stimulus/time"}),
        (
            {"weights_every_s": 0.0},
            {"weights/KC>MBONp", "weights/KC>MBONn", "weights/time", "weights/control_step"},
        ),
    ],
)
def test_what_is_left_out(run: Any, tmp_path: Path, choice: dict[str, Any], gone: set[str]) -> None:
    run.write(tmp_path / "all.zarr", range(6))
    run.write(tmp_path / "some.zarr", range(6), dataclasses.replace(INLINE, **choice))
    assert set(all_arrays(tmp_path / "all.zarr")) - set(all_arrays(tmp_path / "some.zarr")) == gone


def test_spikes_of_chosen_populations_and_animals(run: Any, path: Path) -> None:
    run.write(path, range(20), dataclasses.replace(INLINE, spike_populations=("E",), spike_animals=(1,)))
    arrays = all_arrays(path)
    spikes = [run.record(k).spikes for k in range(20)]
    kept = [(s.neuron >= 6) & (s.animal == 1) for s in spikes]
    assert 0 < sum(map(np.count_nonzero, kept)) < sum(len(s.step) for s in spikes)
    expected = np.concatenate([s.step[k] for s, k in zip(spikes, kept, strict=True)])
    np.testing.assert_array_equal(arrays["spikes/step"][...], expected)
    np.testing.assert_array_equal(
        arrays["spikes/interval_end"][...], np.cumsum(list(map(np.count_nonzero, kept)))
    )
    # The counts are of all.
    assert arrays["spikes/count"][...].sum() == sum(len(s.step) for s in spikes)
    with pytest.raises(RecordingError, match="'KC' were not listed"):
        open_recording(path).spikes("KC")


def test_compression_level_changes_the_stored_level(run: Any, path: Path) -> None:
    run.write(path, range(3), dataclasses.replace(INLINE, compression_level=9))
    (codec,) = all_arrays(path)["behavior/reward"].compressors
    assert codec.to_dict()["configuration"]["clevel"] == 9


def test_commit_every_s_decides_when_steps_become_permanent(run: Any, tmp_path: Path) -> None:
    for seconds, committed in ((0.0, 3), (1000.0, 0)):
        path = tmp_path / f"{seconds}.zarr"
        with ZarrRecorder(
            path, run.layout, RecorderConfig(writer="inline", commit_every_s=seconds)
        ) as recorder:
            for k in range(3):
                recorder.record(run.record(k))
            assert open_recording(path).n_steps == committed


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"behavior": ("rewrad",)}, "did you mean 'reward'"),
        ({"spike_populations": ("PN",)}, "recorder.spike_populations: there is no 'PN'; valid: all, KC, E"),
        ({"spike_animals": (2,)}, r"no animal 2; valid: 0 … 1"),
        ({"weights_every_s": 0.015}, "0.015 s is not a whole number of control steps of 10.0 ms"),
        ({"weights_every_s": float("nan")}, "expected seconds of at least 0, got nan"),
        ({"commit_every_s": -1.0}, "expected seconds of at least 0, got -1.0"),
        ({"compression_level": 10}, r"expected 1 … 9, got 10"),
        ({"writer": "thread"}, "expected process or inline, got 'thread'"),
    ],
)
def test_a_wrong_choice_is_refused(run: Any, path: Path, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        ZarrRecorder(path, run.layout, dataclasses.replace(INLINE, **choice))
    assert not path.exists()


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["inline", "process"])
def test_an_existing_recording_is_never_overwritten(run: Any, path: Path, writer: str) -> None:
    run.write(path, range(3))
    with pytest.raises(RecordingError, match="exists already, and a recording is never overwritten"):
        ZarrRecorder(path, run.layout, RecorderConfig(writer=writer))  # type: ignore[arg-type]
    assert open_recording(path).n_steps == 3


@pytest.mark.parametrize("writer", ["inline", "process"])
def test_two_writers_are_refused(run: Any, path: Path, writer: str) -> None:
    with ZarrRecorder(path, run.layout) as recorder:
        recorder.record(run.record(0))
        recorder.commit()
        with pytest.raises(RecordingError, match="is being written by another process"):
            ZarrRecorder(path, run.layout, RecorderConfig(writer=writer), resume_at=1)  # type: ignore[arg-type]
    assert open_recording(path).n_steps == 1


def test_a_folder_that_does_not_exist(run: Any, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file or directory; choose a folder that is writable"):
        ZarrRecorder(tmp_path / "nowhere" / "recording.zarr", run.layout)


def test_continuing_what_is_not_there_or_not_the_same(run: Any, make_run: Any, path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no recording"):
        ZarrRecorder(path, run.layout, INLINE, resume_at=0)
    run.write(path, range(3))
    with pytest.raises(RecordingError, match=r"at control step 4: it holds 0 … 3 steps"):
        ZarrRecorder(path, run.layout, INLINE, resume_at=4)
    with pytest.raises(RecordingError, match="its layout is"):
        ZarrRecorder(path, make_run(animals=3).layout, INLINE, resume_at=2)
    assert open_recording(path).n_steps == 3


def test_steps_that_do_not_fit(run: Any, path: Path) -> None:
    good = run.record(0)

    def changed(**values: Any) -> StepRecord:
        return dataclasses.replace(good, values={**good.values, **values})

    with ZarrRecorder(path, run.layout, INLINE) as recorder:
        for bad, message in (
            (run.record(1), "expected control step 0, got 1"),
            (
                changed(reward=np.ones(3)),
                r"reward: expected an array of shape \(2,\), got an array of shape \(3,\)",
            ),
            (changed(reward=1.0), r"expected an array of shape \(2,\), got 1.0"),
            (changed(phase=np.ones(2)), "expected int32, got float64, which would lose information"),
            (dataclasses.replace(good, values={}), "the layout names the variable 'reward'"),
            (dataclasses.replace(good, stimulus=None), "expected a stimulus"),
            (dataclasses.replace(good, weights=dict), "weights: expected"),
            (
                dataclasses.replace(run.record(3), control_step=0, weights=dict),
                "weights: expected",
            ),
        ):
            with pytest.raises(RecordingError, match=message):
                recorder.record(bad)
        recorder.record(good)
        with pytest.raises(RecordingError, match=r"reward: expected an array of shape \(2,\)"):
            recorder.record(
                dataclasses.replace(run.record(1), values={**good.values, "reward": np.ones((2, 1))})
            )
        recorder.record(run.record(1))
    assert open_recording(path).n_steps == 2
    with pytest.raises(RecordingError, match="was closed"):
        recorder.record(run.record(2))
    run.write(path.with_name("never-refused.zarr"), range(2))
    assert_equal_recordings(path, path.with_name("never-refused.zarr"))


def with_spikes(record: StepRecord, **columns: Any) -> StepRecord:
    spikes: Any = record.spikes
    return dataclasses.replace(record, spikes=SimpleNamespace(**{**vars(spikes), **columns}))


@pytest.mark.parametrize("writer", ["inline", "process"])
@pytest.mark.parametrize("k", [0, 1, 3, 7])
def test_later_steps_are_checked_like_the_first_and_leave_no_trace(
    run: Any, path: Path, k: int, writer: str
) -> None:
    layout = dataclasses.replace(run.layout, watched=(3,))
    config = RecorderConfig(writer=writer, weights_every_s=0.05)  # type: ignore[arg-type]

    def record(step: int) -> StepRecord:
        return dataclasses.replace(run.record(step), voltages=np.full((100, 2, 1), -60.0 + step))

    good = record(k)
    stimulus: Any = good.stimulus
    spikes: Any = good.spikes

    def changed(**values: Any) -> StepRecord:
        return dataclasses.replace(good, values={**good.values, **values})

    def stimulated(**signals: Any) -> StepRecord:
        return dataclasses.replace(good, stimulus=SimpleNamespace(**{**vars(stimulus), **signals}))

    wrong = [
        (changed(phase=np.full(2, np.nan)), "phase: expected int32, got float64"),
        (changed(terminated=np.ones(2)), "terminated: expected bool, got float64"),
        (changed(reward=np.ones((1, 2))), r"reward: expected an array of shape \(2,\)"),
        (stimulated(rate_hz=np.ones((1, 3))), r"stimulus.rate_hz: expected an array of shape \(2, 3\)"),
        (stimulated(rate_hz=None), "stimulus.rate_hz: expected an array .* got None"),
        (stimulated(rate_hz=np.ones((2, 3), complex)), "rate_hz: expected float32, got complex128"),
        (stimulated(current_pa=np.ones(1)), r"current_pa: expected an array of shape \(2, 1\)"),
        (dataclasses.replace(good, voltages=np.ones((100, 1, 1))), "voltages: expected an array of shape"),
        (dataclasses.replace(good, voltages=None), "voltages: expected an array"),
        (with_spikes(good, animal=spikes.animal[:1]), r"spikes.animal: expected an array of shape \(\d+,\)"),
        (with_spikes(good, neuron=spikes.neuron + 0.5), "spikes.neuron: expected int64, got float64"),
        (dataclasses.replace(good, intervals={"trial": {}}), "'trial': expected the columns"),
    ]
    if k in (0, 7):  # weights are due, at 7 because the phase changes
        wrong += [(dataclasses.replace(good, weights=dict), "weights: expected")]
        wrong += [
            (dataclasses.replace(bad, intervals=run.record(3).intervals if k > 3 else {}), words)
            for bad, words in wrong[:3]
        ]
    with ZarrRecorder(path, layout, config) as recorder:
        for step in range(10):
            for bad, message in wrong if step == k else []:
                with pytest.raises(RecordingError, match=message):
                    recorder.record(bad)
            recorder.record(record(step))
    other = path.with_name("never-refused.zarr")
    with ZarrRecorder(other, layout, config) as recorder:
        for step in range(10):
            recorder.record(record(step))
    assert all_arrays(path)["weights/control_step"][...].tolist() == [0, 4, 7, 9]
    assert_equal_recordings(path, other)


@pytest.mark.usefixtures("tiny_chunks")
def test_a_refused_step_with_many_spikes_leaves_no_trace(make_run: Any, path: Path) -> None:
    run = make_run(spikes=60)  # several times what a buffer holds here
    other = path.with_name("never-refused.zarr")
    with ZarrRecorder(path, run.layout, INLINE) as recorder:
        for k in range(8):
            good = run.record(k)
            for bad in (
                dataclasses.replace(good, values={**good.values, "reward": np.ones(3)}),
                with_spikes(good, neuron=good.spikes.neuron[:-1]),
            ):
                with pytest.raises(RecordingError, match="expected an array of shape"):
                    recorder.record(bad)
            recorder.record(good)
    run.write(other, range(8))
    assert_equal_recordings(path, other)


def test_types_may_change_where_nothing_is_lost(run: Any, path: Path) -> None:
    def with_types(k: int) -> StepRecord:
        record = run.record(k)
        kinds = {"reward": np.float32, "phase": np.int64} if k % 2 else {"phase": np.int16}
        values = {name: record.values[name].astype(kind) for name, kind in kinds.items()}
        return dataclasses.replace(record, values={**record.values, **values})

    config = dataclasses.replace(INLINE, weights_every_s=0.05)
    with ZarrRecorder(path, run.layout, config) as recorder:
        for k in range(16):
            recorder.record(with_types(k))
    run.write(path.with_name("alike.zarr"), range(16), config)
    assert_equal_recordings(path, path.with_name("alike.zarr"))


def test_names_that_cannot_be_stored(path: Path) -> None:
    for name, message in (
        ("a/b", "cannot be the name"),
        ("__x", "cannot be the name"),
        ("time", "behavior: there is already an array 'time', which the recorder writes itself"),
        ("animal", "behavior: 'animal' is also the name of a dimension of this array"),
    ):
        layout = Layout(1, 0.1, 100.0, 1000, {name: Variable("1", "x")})
        with pytest.raises(RecordingError, match=message):
            ZarrRecorder(path.with_name(name.replace("/", "")), layout, INLINE)
    clash = {"a": Variable("1", "a", ("xy",), (2,)), "b": Variable("1", "b", ("xy",), (3,))}
    with pytest.raises(RecordingError, match="'xy' has length 2 in 'a' and 3 in 'b'"):
        ZarrRecorder(path.with_name("clash"), Layout(1, 0.1, 100.0, 1000, clash), INLINE)
    own = {"xy": Variable("1", "a", ("xy",), (2,))}
    with pytest.raises(RecordingError, match="'xy' is also the name of a dimension"):
        ZarrRecorder(path.with_name("own"), Layout(1, 0.1, 100.0, 1000, own), INLINE)
    for name in ("time", "control_step"):
        layout = Layout(1, 0.1, 100.0, 1000, {}, weights={name: (2, "nS")})
        with pytest.raises(RecordingError, match=f"weights: there is already an array {name!r}"):
            ZarrRecorder(path.with_name(name), layout, INLINE)


def test_statuses(run: Any, tmp_path: Path) -> None:
    for status in ("complete", "stopped", "failed"):
        recorder = ZarrRecorder(tmp_path / status, run.layout, INLINE)
        recorder.close(status)
        recorder.close("complete")  # closing twice is harmless, and changes nothing
        assert open_recording(tmp_path / status).status == status
    with pytest.raises(RecordingError, match="expected one of complete, stopped, failed, got 'done'"):
        ZarrRecorder(tmp_path / "x", run.layout, INLINE).close("done")
    with pytest.raises(ZeroDivisionError), ZarrRecorder(tmp_path / "y", run.layout, INLINE):
        _ = 1 / 0
    assert open_recording(tmp_path / "y").status == "failed"
