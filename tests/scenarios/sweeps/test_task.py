"""One task of a sweep: run once, recorded with its error if it has one, and never half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import HELPERS, PATIENCE_S

from ethospike.errors import RunFolderError
from ethospike.recorders.lock import WriterLock
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.sweeps import task as sweep_task
from ethospike.scenarios.sweeps.folder import Plan, Sweep
from ethospike.scenarios.sweeps.points import grid
from ethospike.scenarios.sweeps.task import flattened, record_failure, run_task

TOY = str(HELPERS / "sweep_scenario.py")


def make(path: Path, *axes: str, words: tuple[str, ...] = (), keep_recordings: bool = False) -> Sweep:
    toy = find_scenario(TOY)
    plan = Plan(grid(toy, axes), keep_recordings=keep_recordings)
    return Sweep.create(path, toy, configure(toy, words), plan)


def test_a_task_measures_and_is_not_repeated(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2,3", words=("--details.y", "5", "--log", str(tmp_path / "log")))
    result = run_task(sweep.path, 1)
    assert result["status"] == "done"
    assert result["measures"] == {"product.mean": 15.0, "noisy": 3.001, "seconds": 0.2, "unknown": None}
    assert run_task(sweep.path, 1) == result == sweep.result(1)
    assert (tmp_path / "log").read_text() == "1 3.0\n"
    assert [task.number for task in sweep.waiting()] == [0]
    assert [path.name for path in sweep.folder(1).iterdir()] == ["result.json"]


def test_recordings_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2", keep_recordings=True)
    run_task(sweep.path, 0)
    recording = open_recording(sweep.folder(0) / "run")
    assert (recording.status, recording.n_steps) == ("complete", 2)


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("x=-1", "ScenarioError: x: expected at least 0"),
        ("details.mode=raise", "ZeroDivisionError: as it was"),
    ],
)
def test_a_task_that_raises_is_recorded_and_may_be_tried_again(
    axis: str, message: str, tmp_path: Path
) -> None:
    sweep = make(tmp_path / "sweep", axis)
    result = run_task(sweep.path, 0)
    assert result["status"] == "failed"
    assert message in result["error"]
    assert "Traceback" in result["traceback"]
    assert sweep.waiting() == []
    assert len(sweep.waiting(retry_failed=True)) == 1
    (sweep.folder(0) / "result.json").write_text(json.dumps({**result, "error": "old"}))
    assert run_task(sweep.path, 0)["error"] == "old"
    assert message in run_task(sweep.path, 0, retry_failed=True)["error"]


def test_a_full_disk_is_not_the_tasks_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = make(tmp_path / "sweep", "x=2")

    def full(*_: object, **__: object) -> None:
        raise RunFolderError("cannot write") from OSError(28, "No space left on device")

    monkeypatch.setattr(sweep_task, "run_scenario", full)
    with pytest.raises(RunFolderError, match="cannot write"):
        run_task(sweep.path, 0)
    assert sweep.result(0) is None


def test_a_task_that_another_process_runs_is_refused(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2")
    sweep.folder(0).mkdir()
    lock = WriterLock(sweep.folder(0) / "result.json")
    try:
        with pytest.raises(RunFolderError, match=r"task 0: .* being written by another process"):
            run_task(sweep.path, 0)
    finally:
        lock.release()
    assert run_task(sweep.path, 0)["status"] == "done"


def test_a_killed_task_counts_as_not_begun(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2", words=("--wait-s", "30", "--log", str(tmp_path / "log")))
    code = "import sys; from pathlib import Path\n"
    code += "from ethospike.scenarios.sweeps.task import run_task; run_task(Path(sys.argv[1]), 0)"
    process = subprocess.Popen([sys.executable, "-c", code, str(sweep.path)])
    deadline = time.monotonic() + PATIENCE_S
    while not (sweep.folder(0) / "run" / "recording.zarr").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, 9)
    process.wait()
    assert sweep.result(0) is None
    config = sweep.path / "config.toml"
    config.write_text(config.read_text().replace("wait_s = 30.0", "wait_s = 0.0"))
    assert run_task(sweep.path, 0)["status"] == "done"
    assert (tmp_path / "log").read_text() == "1 2.0\n"


def test_a_failure_that_the_workers_report_does_not_replace_a_result(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2,3")
    done = run_task(sweep.path, 0)
    assert record_failure(sweep, sweep.task(0), "died") == done
    assert record_failure(sweep, sweep.task(1), "died")["error"] == "died"
    assert sweep.waiting() == []


def test_summaries_become_numbers_by_name() -> None:
    summary = {
        "a": {"b": 1, "c": {"d": True}},
        "list": [1, 2],
        "text": "x",
        "nan": float("nan"),
        "none": None,
    }
    assert flattened(summary) == {"a.b": 1.0, "a.c.d": 1.0, "nan": None, "none": None}
