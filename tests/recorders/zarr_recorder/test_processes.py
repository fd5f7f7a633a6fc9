"""What happens when real processes end, disks fill up and time goes by."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from places import HELPERS, STRESS

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.lock import is_being_written
from ethospike.recorders.recording import open_recording
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.recorders.zarr_recorder import link as writer_link
from ethospike.recorders.zarr_recorder.link import N_BUFFERS

PATIENCE_S = 60.0
VALIDATION = STRESS / "recording_crash.py"


def writer_of(recorder: ZarrRecorder) -> psutil.Process:
    return psutil.Process(recorder._link._process.pid)  # type: ignore[attr-defined]


def wait_until(condition: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_kills_at_random_moments() -> None:
    """The validation of 200 kills, with three: of the loop, of the writer, of both."""
    command = [sys.executable, str(VALIDATION), "--kills", "3", "--longest", "0.8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(
        r"3 kills, 0 failures; (\d+) control steps and \d+ spikes were read back and compared", last
    )
    assert found, last
    assert int(found[1]) > 0


def test_the_loop_hears_that_its_writer_died(run: Any, path: Path) -> None:
    recorder = ZarrRecorder(path, run.layout, RecorderConfig(commit_every_s=0.0))
    for k in range(4):
        recorder.record(run.record(k))
    assert recorder.commit() == 4
    writer_of(recorder).kill()

    def record_on() -> None:
        for k in range(4, 100):
            recorder.record(run.record(k))

    with pytest.raises(
        RecordingError, match=r"ended unexpectedly \(exit code -9\); what was committed before is safe"
    ):
        record_on()
    recorder.close("failed")
    assert open_recording(path).n_steps == 4
    assert open_recording(path).status == "interrupted"


def test_close_hears_that_the_writer_died(run: Any, path: Path) -> None:
    recorder = ZarrRecorder(path, run.layout)
    recorder.record(run.record(0))
    writer_of(recorder).kill()
    with pytest.raises(RecordingError, match="ended unexpectedly"):
        recorder.close()


def test_a_writer_that_does_not_start_is_not_waited_for_any_longer(
    run: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def standing_still(*arguments: Any, **more: Any) -> Any:
        started.append(popen(*arguments, **more))
        started[-1].send_signal(signal.SIGSTOP)
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", standing_still)
    monkeypatch.setattr(writer_link, "START_TIMEOUT_S", 1.0)
    monkeypatch.setattr(writer_link, "END_TIMEOUT_S", 0.5)
    before = time.monotonic()
    with pytest.raises(RecordingError, match="did not answer within 1 s"):
        ZarrRecorder(path, run.layout)
    assert time.monotonic() - before < PATIENCE_S / 2
    (process,) = started
    assert process.returncode == -signal.SIGKILL


def test_a_writer_that_breaks_the_connection_and_stays_is_ended(
    run: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_link, "END_TIMEOUT_S", 0.5)
    recorder = ZarrRecorder(path, run.layout)
    recorder.record(run.record(0))
    writer = writer_of(recorder)
    writer.suspend()

    def broken(*_: Any) -> Any:
        raise EOFError

    monkeypatch.setattr(type(recorder._link._connection), "recv", broken)  # type: ignore[attr-defined]
    monkeypatch.setattr(type(recorder._link._connection), "poll", broken)  # type: ignore[attr-defined]
    with pytest.raises(RecordingError, match=r"ended unexpectedly \(exit code -9\)"):
        recorder.close()
    assert not writer.is_running()


def test_closing_waits_for_a_slow_disk(run: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_link, "END_TIMEOUT_S", 0.1)
    recorder = ZarrRecorder(path, run.layout)
    recorder.record(run.record(0))
    writer = writer_of(recorder)
    writer.suspend()
    waking = threading.Timer(1.0, writer.resume)
    waking.start()
    recorder.close()
    waking.join()
    assert (open_recording(path).status, open_recording(path).n_steps) == ("complete", 1)


LOOP = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from synthetic_run import SyntheticRun
from ethospike.recorders.zarr_recorder import ZarrRecorder
run = SyntheticRun()
recorder = ZarrRecorder(Path(sys.argv[1]), run.layout)
if len(sys.argv) > 3:
    os.kill(recorder._link._process.pid, signal.SIGSTOP)
for k in range(23):
    recorder.record(run.record(k))
    if k % 10 == 9 and len(sys.argv) > 3:
        recorder._hand_over()
print(recorder._link._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def loop(request: pytest.FixtureRequest, path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that has recorded 23 steps, of which none is committed yet, and its writer."""
    more = [request.param] if hasattr(request, "param") else []
    arguments = [sys.executable, "-c", LOOP, str(path), str(HELPERS), *more]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_writer_saves_what_a_killed_loop_had_recorded(
    run: Any, path: Path, loop: tuple[subprocess.Popen[str], int]
) -> None:
    process, _ = loop
    process.kill()
    wait_until(lambda: not is_being_written(path))
    recording = open_recording(path)
    assert recording.n_steps == 23
    assert recording.stored_status == "interrupted"
    rewards = np.stack([run.record(k).values["reward"] for k in range(23)])
    np.testing.assert_array_equal(recording.behavior["reward"], rewards.astype(np.float32))
    assert len(recording.spikes()) == sum(len(run.record(k).spikes.step) for k in range(23))


@pytest.mark.parametrize("loop", ["writer stands still"], indirect=True)
def test_a_writer_that_was_behind_saves_all_the_same(
    path: Path, loop: tuple[subprocess.Popen[str], int]
) -> None:
    process, writer = loop
    process.kill()
    process.wait()
    os.kill(writer, signal.SIGCONT)
    wait_until(lambda: not is_being_written(path))
    assert open_recording(path).n_steps == 23
    assert open_recording(path).stored_status == "interrupted"


def test_ctrl_c_is_for_the_loop_not_for_the_writer(
    run: Any, path: Path, loop: tuple[subprocess.Popen[str], int]
) -> None:
    process, writer = loop
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(writer, number)
    time.sleep(0.1)
    assert is_being_written(path)
    process.kill()
    wait_until(lambda: not is_being_written(path))
    assert open_recording(path).n_steps == 23


def test_the_writer_leaves_with_the_recorder(run: Any, path: Path) -> None:
    recorder = ZarrRecorder(path, run.layout)
    process = writer_of(recorder)
    recorder.record(run.record(0))
    recorder.close("stopped")
    assert not process.is_running()
    assert not is_being_written(path)
    assert open_recording(path).status == "stopped"


@pytest.mark.parametrize("writer", ["process", "inline"])
def test_a_full_disk(make_run: Any, small_disk: Any, writer: str) -> None:
    run, path = make_run(spikes=20_000, steps_per_control=1000), small_disk.path / "recording.zarr"
    config = RecorderConfig(writer=writer, commit_every_s=0.05)  # type: ignore[arg-type]
    recorder = ZarrRecorder(path, run.layout, config)
    for k in range(3):
        recorder.record(run.record(k))
    assert recorder.commit() == 3
    # From here on the recording itself takes the rest, at 40 kB a step; how far it gets is up to the machine.
    small_disk.fill(leave_kb=400)
    recorded = 3

    def record_on() -> None:
        nonlocal recorded
        for k in range(3, 1000):
            recorder.record(run.record(k))
            recorded = k + 1

    with pytest.raises(RecordingError, match=r"the disk is full: cannot write to .* Free some space"):
        record_on()
    recorder.close("failed")
    wait_until(lambda: not is_being_written(path))
    recording = open_recording(path)
    assert 3 <= recording.n_steps <= recorded + 1
    table = recording.spikes()
    expected = np.concatenate([run.record(k).spikes.step for k in range(recording.n_steps)])
    np.testing.assert_array_equal(table.step, expected)
    assert recording.status == "interrupted"


def test_a_slow_disk_slows_the_loop_and_memory_stays_flat(make_run: Any, path: Path) -> None:
    """While the writer stands still the loop can fill its buffers and no more; then nothing is missing."""
    run = make_run(spikes=20_000, steps_per_control=1000)
    records = [run.record(k) for k in range(60)]
    recorder = ZarrRecorder(path, run.layout)
    writer, link = writer_of(recorder), recorder._link
    done: list[int] = []

    def loop() -> None:
        for record in records:  # 1.2 million spikes; the buffers hold one million
            recorder.record(record)
            done.append(record.control_step)

    writer.suspend()
    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        wait_until(lambda: len(link._lent) == N_BUFFERS)  # type: ignore[attr-defined]
        time.sleep(0.2)  # time in which a loop that does not wait would go on, on any but the slowest machine
        assert thread.is_alive()
        assert 0 < len(done) < 60
    finally:
        writer.resume()
    thread.join(PATIENCE_S)
    assert done == list(range(60))
    recorder.close()
    assert len(open_recording(path).spikes()) == sum(len(r.spikes.step) for r in records)


def test_memory_does_not_grow_with_the_length_of_a_run(make_run: Any, path: Path) -> None:
    run = make_run(spikes=5_000, steps_per_control=100)
    one = [run.record(k) for k in range(10)]
    with ZarrRecorder(path, run.layout, RecorderConfig(weights_every_s=0.0, commit_every_s=0.5)) as recorder:
        processes = (psutil.Process(), writer_of(recorder))
        sizes = []
        for k in range(1600):
            source = one[k % 10]
            spikes = type(source.spikes)(**vars(source.spikes))
            spikes.step = source.spikes.step + (k - k % 10) * 100
            recorder.record(type(source)(k, source.values, source.stimulus, spikes))
            if k in (799, 1599):
                recorder.commit()
                gc.collect()
                sizes.append([process.memory_info().rss for process in processes])
    assert open_recording(path).n_spikes > 7_000_000
    # 4 million spikes of 16 bytes between the two; what is allowed is room for the allocator.
    for before, after in zip(*sizes, strict=True):
        assert after - before < 16e6
