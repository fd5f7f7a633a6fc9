"""Sweeps on worker processes: the same table whatever happens to workers, and nothing twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from dask_cluster import DaskCluster
from places import DOCS, HELPERS, PATIENCE_S

from ethospike.errors import ScenarioError
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.sweeps.folder import Plan, Sweep
from ethospike.scenarios.sweeps.table import open_table

TOY = str(HELPERS / "sweep_scenario.py")
COMMAND = [sys.executable, "-m", "ethospike.scenarios"]


def sweep_words(out: Path, *more: str) -> list[str]:
    return ["sweep", TOY, "--grid", "x=1:12:12", "--seeds", "2", "--out", str(out), "--quiet", *more]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 24 tasks on one worker."""
    out = tmp_path_factory.mktemp("sweeps") / "undisturbed"
    main(sweep_words(out, "--workers", "1"))
    return out


def finished(out: Path) -> int:
    return len(list(out.glob("tasks/*/result.json")))


def wait_until_finished(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while finished(out) < count:
        assert time.monotonic() < deadline, "the sweep does not get on"
        assert process.poll() is None, "the sweep ended too early"
        time.sleep(0.02)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed with all their children when the test ends."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        with process:  # closes the pipe, whatever the test did not read
            kill_all(process)


def kill_all(process: subprocess.Popen[str]) -> None:
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def start(words: list[str], started: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    # In a session of its own, so that a test can send Ctrl-C to the whole group and not to itself.
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    started.append(process)
    return process


def test_a_sweep_makes_table_and_figures(undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = open_table(undisturbed)
    assert table["status"].values.tolist() == ["done"] * 24
    assert table["noisy"].values.tolist() == [x + 1e-3 * seed for x in range(1, 13) for seed in (1, 2)]
    assert (undisturbed / "figures" / "slices.png").stat().st_size > 10_000
    main(["show", str(undisturbed)])
    assert "24 of 24 tasks finished (12 points × 2 seeds), 0 of them failed" in capsys.readouterr().out
    (undisturbed / "figures" / "slices.png").unlink()
    main(["plot", str(undisturbed)])
    assert (undisturbed / "figures" / "slices.png").exists()


def test_two_workers_lose_and_repeat_nothing_when_one_is_killed(
    undisturbed: Path, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    """A task that was killed while it ran is run again; it had not ended, so its line is there once."""
    out = tmp_path / "sweep"
    log = tmp_path / "log"
    process = start(sweep_words(out, "--workers", "2", "--wait-s", "0.1", "--log", str(log)), started)
    wait_until_finished(out, 4, process)
    workers = []
    # Children alone: what a worker has just started, such as git, has its worker's words until it is git.
    for one in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it has ended since it was listed
            workers += [one] if "spawn_main" in " ".join(one.cmdline()) else []
    assert len(workers) == 2
    workers[0].kill()
    output = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, output
    assert open_table(out).identical(open_table(undisturbed))
    lines = log.read_text().splitlines()
    # A kill between the end of a run and its result has it run again: at most the one that was killed.
    assert 24 <= len(lines) <= 25
    assert len(set(lines)) == 24


def test_a_killed_sweep_goes_on_where_it_was(
    undisturbed: Path, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    out = tmp_path / "sweep"
    log = tmp_path / "log"
    process = start(sweep_words(out, "--workers", "2", "--wait-s", "0.1", "--log", str(log)), started)
    wait_until_finished(out, 6, process)
    kill_all(process)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("tasks/*/result.json")}
    assert 6 <= len(kept) < 24
    main(["resume", str(out), "--quiet"])
    assert open_table(out).identical(open_table(undisturbed))
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert len(set(log.read_text().splitlines())) == 24
    assert len(log.read_text().splitlines()) <= 24 + 2


def test_ctrl_c_ends_a_sweep_quietly(tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    out = tmp_path / "sweep"
    process = start(sweep_words(out, "--workers", "2", "--wait-s", "0.2"), started)
    wait_until_finished(out, 2, process)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 130
    assert output.splitlines() == ["ethospike: interrupted"]
    assert Sweep.open(out).waiting()


def test_failures_are_listed_and_do_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One configuration is refused, one run raises, one kills its worker each time."""
    out = tmp_path / "sweep"
    words = ["--grid", "x=-1,2", "--grid", "details.mode=plain,raise,crash"]
    main(["sweep", TOY, *words, "--out", str(out), "--quiet", "--workers", "1"])
    shown = capsys.readouterr().out
    assert "6 of 6 tasks finished (6 points × 1 seeds), 5 of them failed" in shown
    assert "(x=-1, details.mode=plain): ScenarioError: x: expected at least 0" in shown
    assert "(x=2, details.mode=raise): ZeroDivisionError: as it was told" in shown
    assert "(x=2, details.mode=crash): the process that ran it died each time" in shown
    assert open_table(out)["status"].values.tolist() == ["failed"] * 3 + ["done"] + ["failed"] * 2


def test_two_sweeps_into_one_folder_are_refused(
    undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(sweep_words(undisturbed))
    assert "exists already" in capsys.readouterr().err
    with Sweep.open(undisturbed).writing(), pytest.raises(SystemExit):
        main(["resume", str(undisturbed)])
    assert "is being written by another process" in capsys.readouterr().err


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ethospike.scenarios.sweeps import workers as sweep_workers

    monkeypatch.setattr(sweep_workers, "CONNECT_S", 0.5)
    with (
        pytest.raises(ScenarioError, match=r"127\.0\.0\.1:9 does not answer"),
        sweep_workers.open_workers(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("address", ["nonsense", "pigeon://127.0.0.1:9", "tls://127.0.0.1:9"])
def test_an_address_that_is_none(address: str) -> None:
    """Dask takes 40 seconds for it, and ends with a traceback."""
    from ethospike.scenarios.sweeps import workers as sweep_workers

    with pytest.raises(ScenarioError, match="expected an address"), sweep_workers.open_workers(0, address):
        pass


@pytest.mark.parametrize(
    ("flags", "key", "values", "threads"),
    [
        ([], "simulator.name", ["numba", "nest", "genn"], [1, 1, 0]),  # GeNN has no threads
        ([], "simulator.threads", [0, 2], [0, 2]),
        (["--simulator.threads", "2"], "simulator.name", ["numba"], [2]),
    ],
)
def test_each_task_has_its_share_of_the_cores(
    flags: list[str], key: str, values: list[Any], threads: list[int], tmp_path: Path
) -> None:
    from ethospike.scenarios.sweeps import workers as sweep_workers

    rest = find_scenario("cortex-rest")
    plan = Plan([{key: value} for value in values])
    sweep = Sweep.create(tmp_path / "sweep", rest, configure(rest, flags), plan)
    given = [
        sweep.config(task, sweep_workers._share_of_cores(sweep, task, 1)).simulator.threads
        for task in sweep.tasks()
    ]
    assert given == threads


def test_workers_that_come_late_or_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that come get tasks, and where none comes a sweep does not wait for ever."""
    import distributed

    from ethospike.scenarios.sweeps import workers as sweep_workers

    toy = find_scenario(TOY)
    sweep = Sweep.create(tmp_path / "sweep", toy, configure(toy), Plan([{"x": x} for x in range(12)]))
    monkeypatch.setattr(sweep_workers, "COUNT_S", 0.0)
    monkeypatch.setattr(sweep_workers, "NO_WORKER_S", 0.3)
    with (
        distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster,
        sweep_workers.open_workers(scheduler=cluster.scheduler_address) as run,
    ):
        with pytest.raises(ScenarioError, match=r"no worker .* start some"):
            next(run(sweep, sweep.tasks()))
        monkeypatch.setattr(sweep_workers, "NO_WORKER_S", 60.0)
        results = run(sweep, sweep.tasks())
        adding = threading.Timer(0.2, cluster.scale, [2])  # when tasks for one have been handed out
        adding.start()
        assert next(results)["status"] == "done"
        deadline = time.monotonic() + PATIENCE_S
        while len(cluster.scheduler.workers) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        handed_out = [len(cluster.scheduler.tasks) for _ in results]
        assert len(handed_out) == 11
        assert max(handed_out) > sweep_workers.AHEAD


def test_a_cluster_that_dies(undisturbed: Path, tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    """First all workers, which are started again, then the scheduler: one line, and the sweep goes on."""
    out, log = tmp_path / "sweep", tmp_path / "log"
    with DaskCluster(tmp_path / "cluster") as cluster:
        words = ["--scheduler", cluster.address, "--wait-s", "0.1", "--log", str(log)]
        process = start(sweep_words(out, *words), started)
        wait_until_finished(out, 4, process)
        cluster.kill_workers()
        before = finished(out)
        cluster.start_workers()
        wait_until_finished(out, before + 2, process)
        cluster.kill_scheduler()
        (line,) = process.communicate(timeout=PATIENCE_S)[0].splitlines()
        assert process.returncode == 1
        assert line.startswith(f"ethospike: the scheduler {cluster.address} is gone")
        kept = {path: path.stat().st_mtime_ns for path in out.glob("tasks/*/result.json")}
        assert before + 2 <= len(kept) < 24
        main(["resume", str(out), "--quiet"])  # the workers of old may still be at their last tasks
    assert open_table(out).identical(open_table(undisturbed))
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items())
    lines = log.read_text().splitlines()
    assert len(set(lines)) == 24
    assert len(lines) <= 24 + 2  # that were killed between the end of a run and its result


def test_a_scheduler_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ethospike.scenarios.sweeps import workers as sweep_workers

    toy = find_scenario(TOY)
    plan = Plan([{"x": x, "wait_s": 0.1} for x in range(12)])
    sweep = Sweep.create(tmp_path / "sweep", toy, configure(toy), plan)

    def run_until_it_hangs(cluster: DaskCluster) -> None:
        with sweep_workers.open_workers(scheduler=cluster.address) as run:
            results = run(sweep, sweep.tasks())
            assert next(results)["status"] == "done"
            monkeypatch.setattr(sweep_workers, "SILENT_S", 0.5)
            cluster.freeze_scheduler()
            list(results)

    for connect_s in (5.0, 40.0, 300.0):  # it is waited for at the end, too; on busy cores 5 s are too few
        monkeypatch.setattr(sweep_workers, "CONNECT_S", connect_s)
        with DaskCluster(tmp_path / f"cluster{connect_s}") as cluster, pytest.raises(ScenarioError) as told:
            run_until_it_hangs(cluster)
        if "does not answer" not in str(told.value):
            break
    assert "cannot be reached any more" in str(told.value)
    assert finished(tmp_path / "sweep") < 12


def is_profiled(dask_worker: Any) -> bool:
    return bool(dask_worker.periodic_callbacks["profile"].is_running())


def test_a_running_scheduler_is_used(undisturbed: Path, tmp_path: Path) -> None:
    import distributed

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        assert any(client.run(is_profiled).values())
        main(sweep_words(tmp_path / "sweep", "--scheduler", cluster.scheduler_address))
        assert not any(client.run(is_profiled).values())  # it can deadlock, see TaskWorker
    assert open_table(tmp_path / "sweep").identical(open_table(undisturbed))


def test_the_recipe_for_slurm(undisturbed: Path, tmp_path: Path) -> None:
    """The script of docs/sweeps.md, run as Slurm would: once for each index of the array."""
    page = (DOCS / "sweeps.md").read_text()
    script = re.search(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", page, re.DOTALL)
    assert script is not None
    (tmp_path / "job.sh").write_text(script[1])
    main(
        [
            "sweep",
            TOY,
            "--grid",
            "x=1:12:12",
            "--seeds",
            "2",
            "--out",
            str(tmp_path / "sweeps" / "array"),
            "--prepare",
        ]
    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for index in range(2):
        slurm = {"SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": "2"}
        done = subprocess.run(
            ["bash", str(tmp_path / "job.sh")],
            cwd=tmp_path,
            env={**environment, **slurm},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 12
    main(["collect", str(tmp_path / "sweeps" / "array")])
    assert open_table(tmp_path / "sweeps" / "array").identical(open_table(undisturbed))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", TOY], "no points"),
        (["sweep", TOY, "--grid", "xx=1:2:3"], "no field 'xx'"),
        (["sweep", TOY, "--grid", "x=1,2", "--workers", "-1"], "workers: expected"),
        (["sweep", TOY, "--grid", "x=1,2", "--scheduler", "nonsense"], "expected an address"),
        (
            ["calibrate", TOY, "--target", "noisy=1", "--vary", "x=1:2", "--scheduler", "nonsense"],
            "expected an address",
        ),
        (["sweep", TOY, "--grid", "x=1,2", "--samples", "9"], "--samples: there is no range"),
        (["sweep", TOY, "--sample", "x=1:2", "--samples", "0"], "samples: expected at least 1"),
        (["sweep", TOY, "--grid", "x=1,2", "--workers", "2", "--scheduler", "tcp://a:1"], "leave one of"),
        (["sweep", TOY, "--grid", "x=1,2", "--prepare", "--workers", "2"], "--prepare runs nothing"),
        (
            ["sweep", TOY, "--grid", "x=1,2", "--prepare", "--scheduler", "tcp://a:1"],
            "--prepare runs nothing",
        ),
        (["sweep", TOY, "--grid", "x=1,2", "--recorder.writer", "process"], "recorder.writer: got process"),
        (["sweep", TOY, "--grid", "x=1,2", "--checkpoint-every-s=9"], "checkpoint_every_s: got 9.0"),
        (
            ["calibrate", TOY, "--target", "noisy=1", "--vary", "x=1:2", "--checkpoint-every-s", "30"],
            "got 30.0",
        ),
        (["calibrate", TOY, "--target", "noisy=1", "--vary", "animals=0.4:4:log"], "whole LOW and HIGH"),
        (["calibrate", TOY, "--vary", "x=1:2"], "--target"),
        (["calibrate", TOY, "--target", "noisy=1"], "--vary"),
        (["calibrate", TOY, "--target", "noisy", "--vary", "x=1:2"], "MEASURE=VALUE"),
        (["task", "/nowhere", "0"], "not a sweep"),
        (["collect", "/nowhere"], "not a sweep"),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code not in (0, None)
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())  # nothing was made that a second try would stumble over


def test_fields_on_which_a_sweep_decides_may_be_given_as_it_decides(tmp_path: Path) -> None:
    """Or by a file that a run has written, which holds all defaults."""
    toy = find_scenario(TOY)
    RunFolder(tmp_path).write_config(configure(toy, ["--details.y", "3"]))
    words = ["--config", str(tmp_path / "config.toml"), "--recorder.writer", "inline", "--prepare"]
    main(["sweep", TOY, "--sample", "x=1:2", *words, "--out", str(tmp_path / "sweep")])
    made = Sweep.open(tmp_path / "sweep")
    assert len(made.points) == 100
    assert made.config(made.task(0)).checkpoint_every_s == 0.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "either numbers"),
        (["0", "--part", "0/2"], "either numbers"),
        (["99"], "expected 0 … 23"),
        (["one"], "expected a number"),
        (["--part", "2/2"], "K below N"),
    ],
)
def test_mistakes_in_tasks(
    words: list[str], message: str, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["task", str(undisturbed), *words])
    assert message in " ".join(capsys.readouterr().err.split())
