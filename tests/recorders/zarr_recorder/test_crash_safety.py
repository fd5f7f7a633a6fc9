"""Whatever happens between two file operations, what is committed can be read and nothing else can.

The model is a list of control steps and a number; it shares no code with the recorder.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import open_recording
from ethospike.recorders.recover import recover
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.recorders.zarr_recorder import writer as recording_writer
from ethospike.recorders.zarr_recorder.store import DurableStore

CONFIG = RecorderConfig(writer="inline", commit_every_s=1e9, weights_every_s=0.05)


class Crash(BaseException):
    """The process ends here; not an `Exception`, so that no handler tidies up."""


class CrashingStore(DurableStore):
    """Fails at the n-th operation on a file, before or after it."""

    counting: ClassVar[threading.Lock] = threading.Lock()
    left: ClassVar[float] = float("inf")
    after: ClassVar[bool] = False
    failure: ClassVar[type[BaseException] | BaseException] = Crash

    @contextmanager
    def counted(self) -> Iterator[None]:
        cls = type(self)
        with cls.counting:  # files are forced to the disk by several threads
            cls.left -= 1
            left = cls.left
        if left < 0 or (left == 0 and not cls.after):
            raise cls.failure
        yield
        if left == 0:
            raise cls.failure

    def _write(self, key: str, value: Any) -> None:
        with self.counted():
            super()._write(key, value)

    def _force(self, path: Path) -> None:
        with self.counted():
            super()._force(path)

    def _rename(self, partial: Path, target: Path) -> None:
        with self.counted():
            super()._rename(partial, target)

    async def delete(self, key: str) -> None:
        with self.counted():
            await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        with self.counted():
            await super().delete_dir(prefix)

    def discard(self) -> None:
        """A process that has ended discards nothing."""


@contextmanager
def crash_after(operations: float, *, after: bool = False, failure: Any = Crash) -> Iterator[None]:
    CrashingStore.left, CrashingStore.after, CrashingStore.failure = operations, after, failure
    try:
        yield
    finally:
        CrashingStore.left = float("inf")


def die(recorder: ZarrRecorder) -> None:
    """Take the lock away from a recorder, as the end of its process would; nothing else is done."""
    recorder._link._writer._lock.release()  # type: ignore[attr-defined]


class WrongWriter(recording_writer.RecordingWriter):
    """Commits first and writes the data afterwards."""

    def commit(self) -> None:
        if self._committed != self._counters():
            self._publish()
            self._write_data()


@pytest.fixture(autouse=True)
def crashing_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer.RecordingWriter, "store_type", CrashingStore)
    monkeypatch.setattr("ethospike.recorders.recover.DurableStore", CrashingStore)


def check_holds_exactly(path: Path, run: Any, allowed: set[int]) -> int:
    """Check that a recording holds the first n steps of a run and nothing else, for an n that is allowed."""
    recording = open_recording(path)
    n = recording.n_steps
    assert n in allowed
    records = [run.record(k) for k in range(n)]
    behavior = recording.behavior
    assert behavior.sizes.get("time", 0) == n
    for name in ("reward", "position_mm", "terminated"):
        expected = [r.values[name].astype(run.layout.variables[name].dtype) for r in records]
        if n:
            np.testing.assert_array_equal(behavior[name].values, np.stack(expected), err_msg=name)
    table = recording.spikes() if "spikes/step" in recording.to_zarr() else None
    assert table is not None or n == 0
    if table is not None:
        assert table.step.tolist() == [s for r in records for s in r.spikes.step.tolist()]
        assert table.neuron.tolist() == [s for r in records for s in r.spikes.neuron.tolist()]
        assert int(recording.counts.sum()) == len(table)
    times = recording.trials()["rt_ms"].tolist()
    assert times == [
        x for r in records if r.intervals for x in r.intervals.get("trial", {"rt_ms": np.empty(0)})["rt_ms"]
    ]
    if n:
        kept = recording.weights("KC>MBONp")
        due = [k for k in range(n) if k == 0 or (k + 1) % 5 == 0 or (k and k % 7 == 0)]
        assert kept["control_step"].values.tolist() == due
        for row, k in enumerate(due):
            np.testing.assert_array_equal(kept[row], records[k].weights()["KC>MBONp"].astype(np.float32))
    if n and run.layout.watched:
        assert recording.voltages["neuron"].values.tolist() == list(run.layout.watched)
        volts = np.stack([r.voltages for r in records]).swapaxes(1, 2).astype(np.float32)
        np.testing.assert_array_equal(recording.voltages, volts)
    return n


def record_with_a_crash(
    path: Path, run: Any, operations: float, *, after: bool = False
) -> tuple[bool, int, int]:
    """Record 14 steps with three commits; return whether it crashed, the last commit and the one begun."""
    done = doing = 0
    recorder = None
    with crash_after(operations, after=after):
        try:
            recorder = ZarrRecorder(path, run.layout, CONFIG)
            for k in range(14):
                recorder.record(run.record(k))
                if k in (2, 7, 12):
                    doing = k + 1
                    done = recorder.commit()
        except Crash:
            if recorder is not None:
                die(recorder)
            return True, done, doing
        die(recorder)
    return False, done, doing


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize("watched", [(), (0,)])
def test_a_crash_at_any_file_operation(make_run: Any, tmp_path: Path, watched: tuple[int, ...]) -> None:
    # Neuron 0: an array that does not grow and holds only zeros, which Zarr by itself would not write.
    run = make_run(watched=watched)
    total, crashed = count_operations(run, tmp_path / "total.zarr"), 0
    assert total > 200
    moments = [int(n) for n in np.linspace(1, total, 14)]
    for i, n in enumerate(moments):
        path = tmp_path / f"{n}.zarr"
        ended, done, doing = record_with_a_crash(path, run, n, after=i % 2 == 0)
        crashed += ended
        if not (path / "zarr.json").exists():
            assert done == 0
            continue
        kept = check_holds_exactly(path, run, {done, doing})
        assert open_recording(path).status == "interrupted"
        report = recover(path)
        assert report.steps == kept
        assert report.status == "interrupted"
        behavior: Any = zarr.open_group(path, mode="r")["behavior"]
        lengths = {array.shape[0] for array in behavior.array_values()}
        assert lengths <= {kept}
        assert not list(tmp_path.glob(f"{path.name}.*.partial"))
        if i % 3 == 1 and kept:
            with ZarrRecorder(path, run.layout, CONFIG, resume_at=kept - 1) as recorder:
                for k in range(kept - 1, kept + 3):
                    recorder.record(run.record(k))
            check_holds_exactly(path, run, {kept + 3})
    assert crashed == len(moments)


@pytest.mark.usefixtures("tiny_chunks")
def test_a_recording_that_died_young_is_sound_and_can_be_continued(make_run: Any, tmp_path: Path) -> None:
    run, many, checked = make_run(watched=(0,)), 10**6, 0
    with crash_after(many):
        die(ZarrRecorder(tmp_path / "total.zarr", run.layout, CONFIG))
        total = many - int(CrashingStore.left)
    for n in range(total // 2, total + 1, 3):
        path = tmp_path / f"{n}.zarr"
        with crash_after(n), pytest.raises(Crash):
            ZarrRecorder(path, run.layout, CONFIG)
        if not (path / "zarr.json").exists():
            continue
        assert recover(path).steps == 0
        run.write(path, range(2), CONFIG, resume_at=0)
        assert recover(path).cut == {}
        checked += check_holds_exactly(path, run, {2})
    assert checked > 10


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize(
    ("repair", "go_on", "back"),
    [(True, False, 0), (True, True, 0), (False, True, 9), (False, True, 11), (False, True, 13)],
)
def test_a_crash_while_it_is_repaired_or_continued(
    make_run: Any, tmp_path: Path, repair: bool, go_on: bool, back: int
) -> None:
    """Nine steps back there is one event, eleven back there is none, thirteen back there is nothing."""
    run = make_run(watched=(0,))
    broken = tmp_path / "broken.zarr"
    record_with_a_crash(broken, run, count_operations(run, tmp_path / "total.zarr") - 10)
    committed = check_holds_exactly(broken, run, {8, 13})
    at = max(0, committed - back)

    def do(path: Path) -> None:
        if repair:
            recover(path)
        if go_on:
            die(ZarrRecorder(path, run.layout, CONFIG, resume_at=at))

    many = 10**6
    shutil.copytree(broken, whole := tmp_path / "whole.zarr")
    with crash_after(many):
        do(whole)
        total = many - int(CrashingStore.left)
    assert total > 1
    for i, n in enumerate(sorted({int(n) for n in np.linspace(1, total, 6)})):
        shutil.copytree(broken, path := tmp_path / f"{n}.zarr")
        with crash_after(n, after=i % 2 == 0), pytest.raises(Crash):
            do(path)
        kept = check_holds_exactly(path, run, {committed, at})
        if i % 3:
            assert recover(path).steps == kept
        run.write(path, range(min(at, kept), 14), CONFIG, resume_at=min(at, kept))
        check_holds_exactly(path, run, {14})
        assert recover(path).cut == {}
        assert not list(tmp_path.glob(f"{path.name}.*"))


def count_operations(run: Any, path: Path) -> int:
    many = 10**6
    with crash_after(many):
        recorder = ZarrRecorder(path, run.layout, CONFIG)
        for k in range(14):
            recorder.record(run.record(k))
            if k in (2, 7, 12):
                recorder.commit()
        die(recorder)
        return many - int(CrashingStore.left)


@pytest.mark.usefixtures("tiny_chunks")
def test_a_writer_that_commits_before_the_data_is_caught(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_writer, "RecordingWriter", WrongWriter)
    monkeypatch.setattr(WrongWriter, "store_type", CrashingStore)
    total, wrong = count_operations(run, tmp_path / "total.zarr"), 0
    for n in (int(n) for n in np.linspace(total // 2, total, 7)):
        path = tmp_path / f"{n}.zarr"
        _, done, doing = record_with_a_crash(path, run, n)
        try:
            check_holds_exactly(path, run, {done, doing})
        except (AssertionError, RecordingError, ValueError):
            wrong += 1
    assert wrong > 2


def test_files_are_on_the_disk_before_they_are_vouched_for(
    run: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut keeps only what was forced to the disk, in files and in folders."""
    monkeypatch.setattr(recording_writer.RecordingWriter, "store_type", DurableStore)
    log: list[tuple[str, Path]] = []
    really_fsync, really_replace = os.fsync, os.replace

    def fsync(fd: int) -> None:
        log.append(("force", Path(os.readlink(f"/proc/self/fd/{fd}"))))
        really_fsync(fd)

    def replace(self: Path, target: Path) -> None:
        log.append(("rename", Path(self)))
        log.append(("to", Path(target)))
        really_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    with ZarrRecorder(path, run.layout, CONFIG) as recorder:
        for k in range(12):
            recorder.record(run.record(k))
            if k % 4 == 3:
                recorder.commit()
    forced: set[Path] = set()
    unsafe_folders: set[Path] = set()
    vouched = 0
    for what, name in log:
        if what == "force":
            forced.add(name)
            unsafe_folders.discard(name)
        elif what == "rename":
            assert name in forced, f"{name} was renamed before it was on the disk"
        elif name == path / "zarr.json" and vouched < 100:
            vouched += 1
            if vouched > 1:  # the first one makes the recording
                assert not unsafe_folders, "the counters went up before the folders were on the disk"
            unsafe_folders.add(name.parent)
        else:
            unsafe_folders.add(name.parent)
    assert vouched == 1 + 3 + 1
    assert not unsafe_folders


class RecordingMachine(RuleBasedStateMachine):
    """Append, commit, crash, repair, reopen, close and read in any order; the model is two numbers."""

    run: ClassVar[Any]
    visited: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "recording.zarr"
        self.recorder: ZarrRecorder | None = ZarrRecorder(self.path, self.run.layout, CONFIG)
        self.recorded = 0
        self.allowed = {0}

    @precondition(lambda self: self.recorder is not None)
    @rule(n=st.integers(1, 6))
    def append(self, n: int) -> None:
        assert self.recorder is not None
        for _ in range(n):
            self.recorder.record(self.run.record(self.recorded))
            self.recorded += 1

    @precondition(lambda self: self.recorder is not None)
    @rule()
    def commit(self) -> None:
        assert self.recorder is not None
        assert self.recorder.commit() == self.recorded
        self.allowed = {self.recorded}

    @precondition(lambda self: self.recorder is not None)
    @rule(operations=st.integers(1, 90), after=st.booleans(), n=st.integers(0, 5))
    def crash(self, operations: int, after: bool, n: int) -> None:
        assert self.recorder is not None
        before = self.allowed
        with crash_after(operations, after=after):
            try:
                for _ in range(n):
                    self.recorder.record(self.run.record(self.recorded))
                    self.recorded += 1
                self.allowed = before | {self.recorded}
                self.recorder.commit()
                self.allowed = {self.recorded}
            except Crash:
                self.visited.add("crashed")
        die(self.recorder)
        self.recorder = None

    @precondition(lambda self: self.recorder is not None)
    @rule()
    def close(self) -> None:
        assert self.recorder is not None
        self.recorder.close()
        self.recorder = None
        self.allowed = {self.recorded}

    @precondition(lambda self: self.recorder is None)
    @rule(
        back=st.integers(0, 4),
        repair=st.booleans(),
        operations=st.sampled_from((float("inf"), 3, 9, 27, 60)),
        after=st.booleans(),
    )
    def reopen(self, back: int, repair: bool, operations: float, after: bool) -> None:
        committed = check_holds_exactly(self.path, self.run, self.allowed)
        begin, doing = max(0, committed - back), "repairing"
        with crash_after(operations, after=after):
            try:
                if repair:
                    assert recover(self.path).steps == committed
                doing, self.allowed = "continuing", {committed, begin}
                recorder = ZarrRecorder(self.path, self.run.layout, CONFIG, resume_at=begin)
            except Crash:
                self.visited.add(f"crashed while {doing}")
                return
        self.recorder, self.recorded, self.allowed = recorder, begin, {begin}
        self.visited.add("continued")

    @invariant()
    def reads_what_is_committed(self) -> None:
        self.allowed = {check_holds_exactly(self.path, self.run, self.allowed)}

    def teardown(self) -> None:
        if self.recorder is not None:
            die(self.recorder)
        self._folder.cleanup()


MACHINE = settings(
    max_examples=8,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.usefixtures("tiny_chunks")
def test_any_order_of_operations(run: Any) -> None:
    RecordingMachine.run = run
    RecordingMachine.visited = set()
    run_state_machine_as_test(RecordingMachine, settings=MACHINE)
    assert RecordingMachine.visited == {
        "crashed",
        "continued",
        "crashed while repairing",
        "crashed while continuing",
    }


@pytest.mark.usefixtures("tiny_chunks")
def test_the_machine_catches_a_writer_that_commits_first(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "RecordingWriter", WrongWriter)
    monkeypatch.setattr(WrongWriter, "store_type", CrashingStore)
    RecordingMachine.run = run
    with pytest.raises((AssertionError, ValueError)):
        run_state_machine_as_test(RecordingMachine, settings=settings(MACHINE, phases=(Phase.generate,)))


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize("operations", [1, 40, 95])
def test_a_full_disk_is_one_clear_error(run: Any, path: Path, operations: int) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    recorder = ZarrRecorder(path, run.layout, CONFIG)
    for k in range(5):
        recorder.record(run.record(k))
    assert recorder.commit() == 5

    def record_on() -> None:
        for k in range(5, 100):
            recorder.record(run.record(k))
            recorder.commit()

    with crash_after(operations, failure=full), pytest.raises(RecordingError, match="the disk is full"):
        record_on()
    recorder.close("failed")  # the error was raised already
    assert check_holds_exactly(path, run, set(range(5, 100))) >= 5
    assert open_recording(path).status == "interrupted"
