"""Kills a recording process again and again at random moments, and checks what can be read afterwards.

    python tests/recorders/crash_validation.py --kills 200
    python tests/recorders/crash_validation.py --kills 20 --command 'ethospike run SCENARIO ... --out {out}'

The first form records a synthetic stream of 150,000 spikes a second (of simulated time), whose control step k
can be made again from k alone. The second kills a real closed loop and compares with one run that was left
alone; the command must be reproducible (same seed, same recording) and write a run folder to {out}.

Each kill is `kill -9` of the loop, of the writer, or of both at once. A kill passes when the recording can
be read, holds exactly the rows that it says are committed, at least those whose commit was acknowledged, each
with the right values, and when plain Zarr sees the same after `recover`. Exit status 1 if any kill fails.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import zarr

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.lock import is_being_written
from ethospike.recorders.recorder import Layout, PopulationLayout, StepRecord, Variable
from ethospike.recorders.recording import Recording, open_recording
from ethospike.recorders.recover import recover
from ethospike.recorders.zarr_recorder import ZarrRecorder

NEURONS = 25_000
SPIKES_PER_STEP = 1_500  # 150,000 a second at 10 ms
STEPS_PER_CONTROL = 100
VICTIMS = ("loop", "writer", "both")
PATIENCE_S = 60.0

LAYOUT = Layout(
    animals=1,
    dt_ms=0.1,
    control_interval_ms=10.0,
    steps_per_control=STEPS_PER_CONTROL,
    variables={"reward": Variable("1", "reward"), "position_mm": Variable("mm", "position", ("xy",), (2,))},
    populations=(
        PopulationLayout("E", 0, 20_000, clusters=20),
        PopulationLayout("I", 20_000, 5_000, clusters=20),
    ),
    weights={"E>I": (50, "pA")},
    intervals={"trial": {"trial": Variable("1", "trial", dtype="int64")}},
)


def trial_of(k: int) -> dict[str, np.ndarray]:
    """Return a trial of the last ten control steps."""
    columns = {"animal": 0, "start_step": k - 9, "stop_step": k + 1, "trial": k}
    return {name: np.array([value]) for name, value in columns.items()}


def make_step(k: int) -> StepRecord:
    """Return control step k, every value of which follows from k."""
    rng = np.random.default_rng([k])
    step = np.sort(rng.integers(1, STEPS_PER_CONTROL + 1, SPIKES_PER_STEP)) + k * STEPS_PER_CONTROL
    weights = {"E>I": rng.random((1, 50))}
    return StepRecord(
        control_step=k,
        values={"reward": rng.random(1), "position_mm": rng.random((1, 2))},
        spikes=SimpleNamespace(
            step=step,
            animal=np.zeros(SPIKES_PER_STEP, np.int32),
            neuron=rng.integers(0, NEURONS, SPIKES_PER_STEP).astype(np.int32),
        ),
        weights=lambda: weights,
        intervals={"trial": trial_of(k)} if k % 10 == 9 else {},
    )


def record_forever(path: Path, commit_every_s: float) -> None:
    """Record the stream until killed; print each commit that was acknowledged."""
    with ZarrRecorder(path, LAYOUT, RecorderConfig(commit_every_s=commit_every_s)) as recorder:
        for k in range(10**9):
            recorder.record(make_step(k))
            if k % 37 == 36:
                print("committed", recorder.commit(), flush=True)


def check_stream(recording: Recording, acknowledged: int) -> int:
    """Compare a recording with the stream it was made from; return how many control steps it holds."""
    n = recording.n_steps
    expect(n >= acknowledged, f"{acknowledged} steps were acknowledged, {n} are there")
    root = recording.to_zarr()
    if "spikes/step" not in root:
        expect(n == 0, "arrays are missing")
        return n
    steps = [make_step(k) for k in range(n)]
    for name in ("reward", "position_mm"):
        expected = [s.values[name].astype(np.float32) for s in steps]
        expect_equal(recording.behavior[name].values, np.stack(expected) if n else [], name)
    table = recording.spikes()
    for column in ("step", "neuron"):
        expected = [getattr(s.spikes, column) for s in steps]
        expect_equal(getattr(table, column), np.concatenate(expected) if n else [], column)
    expect(int(recording.counts.sum()) == len(table), "the counts do not add up to the spikes")
    expect_equal(recording.trials()["trial"].to_numpy(), np.arange(9, n, 10), "trial")
    if n:
        kept = recording.weights("E>I")
        due = [0, *range(99, n, 100)]
        expect_equal(kept["control_step"].values, due, "control step of weights")
        expected = np.stack([steps[k].weights()["E>I"].astype(np.float32) for k in due])
        expect_equal(kept.values, expected, "weights")
    return n


def check_prefix(recording: Recording, whole: Recording) -> int:
    """Compare a recording with the beginning of one that was not disturbed; return its control steps."""
    n, root, reference = recording.n_steps, recording.to_zarr(), whole.to_zarr()
    expect(n <= whole.n_steps, "there are more rows than were made")
    for group_name, group in root.groups():
        for name, array in group.arrays():
            other: Any = reference[f"{group_name}/{name}"]
            expect_equal(
                array[...], other[: array.shape[0]] if array.ndim else other[...], f"{group_name}/{name}"
            )
    if n and "spikes/interval_end" in root:
        ends: Any = root["spikes/interval_end"]
        expect(int(ends[n - 1]) == recording.n_spikes, "spikes do not end where the last interval does")
    return n


def expect(condition: bool, message: str) -> None:
    """Raise `RecordingError` unless a condition holds."""
    if not condition:
        raise RecordingError(message)


def expect_equal(got: Any, expected: Any, name: str) -> None:
    """Raise `RecordingError` unless two arrays are the same, value by value."""
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape and not (got.size == expected.size == 0):
        raise RecordingError(f"{name}: expected shape {expected.shape}, got {got.shape}")
    same = got.size == 0 or np.array_equal(got, expected, equal_nan=got.dtype.kind == "f")
    expect(bool(same), f"{name} differs")


def children(pid: int) -> list[int]:
    """Return the processes that a process has started (Linux)."""
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []


def kill(pids: list[int]) -> None:
    """Kill processes with the signal that nobody can catch."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def one_kill(
    command: list[str], root: Path, victim: str, wait_s: float, log: Path, *, after_commit: bool
) -> int:
    """Start a command, kill it a while after its recording, or the first commit of rows, appeared.

    A negative wait counts from the start instead, and may end before there is a recording. Returns the last
    acknowledged commit.
    """
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, text=True)
    try:
        if wait_s >= 0:
            wait_until(root.exists, "no recording appeared")
            if after_commit:
                wait_until(lambda: has_rows(root), "nothing was committed")
        time.sleep(abs(wait_s))
        writers = children(process.pid)
        kill({"loop": [process.pid], "writer": writers, "both": [process.pid, *writers]}[victim])
        if not writers:
            kill([process.pid])
        out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        kill([process.pid])
    wait_until(lambda: not is_being_written(root), "the writer did not end: an orphan")
    # The last line may have been cut short by the kill.
    lines = out.rpartition("\n")[0].splitlines()
    return max((int(line.split()[1]) for line in lines if line.startswith("committed ")), default=0)


def has_rows(root: Path) -> bool:
    """Return whether a recording that is being written holds a committed control step."""
    return (root / "zarr.json").exists() and open_recording(root).n_steps > 0


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait for a condition, or raise `RecordingError` after a minute."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        expect(time.monotonic() < until, otherwise)
        time.sleep(0.02)


def check_after_kill(root: Path, acknowledged: int, whole: Recording | None) -> str:
    """Check a recording after a kill; return a few words about it."""
    if not (root / "zarr.json").exists():
        expect(acknowledged == 0, "the recording has vanished")
        return "killed before the recording was made"
    recording = open_recording(root)
    expect(recording.status in ("interrupted", "failed", "complete"), f"status {recording.status}")
    n = check_stream(recording, acknowledged) if whole is None else check_prefix(recording, whole)
    report = recover(root)
    expect(report.steps == n, f"recover kept {report.steps} of {n} steps")
    for _, group in zarr.open_group(root, mode="r").groups():
        for name, array in group.arrays():
            if "length_attribute" in array.attrs:
                committed = zarr.open_group(root, mode="r").attrs[str(array.attrs["length_attribute"])]
                expect(array.shape[0] == committed, f"{name} has {array.shape[0]} rows after recover")
    return f"{n} steps, {recording.n_spikes} spikes, {recording.status}, {len(report.cut)} arrays cut"


def validate(kills: int, seed: int, command: str | None, folder: Path, longest_s: float) -> int:
    """Kill `kills` times; return how many kills failed."""
    rng = np.random.default_rng(seed)
    whole, failures, rows, spikes = None, 0, 0, 0
    if command:
        subprocess.run(
            shlex.split(command.format(out=folder / "whole")), check=True, stdout=subprocess.DEVNULL
        )
        whole = open_recording(folder / "whole")
        longest_s = float(whole.run_info["loop_wall_s"])  # not drawing, during which the recording is closed
    for i in range(kills):
        # One in ten dies while it starts, the others while they record.
        victim = VICTIMS[i % len(VICTIMS)]
        wait_s = float(-rng.uniform(0.0, 1.0) if i % 10 == 9 else rng.uniform(0.0, longest_s))
        out = folder / f"run-{i}"
        if command:
            root, words = out / "recording.zarr", shlex.split(command.format(out=out))
        else:
            out.mkdir()
            root = out / "recording.zarr"
            words = [
                sys.executable,
                __file__,
                "--record",
                str(root),
                "--commit-every",
                str(rng.choice([0.1, 0.5, 10.0])),
            ]
        try:
            log = folder / f"run-{i}.log"
            acknowledged = one_kill(words, root, victim, wait_s, log, after_commit=i % 2 == 0)
            text = check_after_kill(root, acknowledged, whole)
            if root.exists():
                recording = open_recording(root) if (root / "zarr.json").exists() else None
                rows += recording.n_steps if recording else 0
                spikes += recording.n_spikes if recording else 0
        except (RecordingError, ValueError, KeyError, OSError, subprocess.SubprocessError) as error:
            failures += 1
            text = f"FAILED: {error}"
        print(f"kill {i + 1:3d} of {kills}: {victim:6s} after {wait_s:5.2f} s: {text}", flush=True)
    print(
        f"{kills} kills, {failures} failures; "
        f"{rows} control steps and {spikes} spikes were read back and compared"
    )
    return failures


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=4.0, help="latest moment of a kill in seconds")
    parser.add_argument("--command", help="a real run, with {out} for its folder")
    parser.add_argument("--folder", type=Path, help="where to record; a temporary folder by default")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--commit-every", type=float, default=10.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        record_forever(options.record, options.commit_every)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        failures = validate(options.kills, options.seed, options.command, Path(folder), options.longest)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
