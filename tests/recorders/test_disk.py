"""File systems without locks, and without the syncing of folders: a warning, and on."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ethospike.errors import RecordingError
from ethospike.recorders import disk
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.lock import WriterLock, is_being_written, lock_path
from ethospike.recorders.recording import open_recording

INLINE = RecorderConfig(writer="inline", commit_every_s=0.0)


@pytest.fixture(autouse=True)
def fresh_warnings() -> None:
    disk.tell_once.cache_clear()


def refusing(number: int) -> Any:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks(
    run: Any, path: Path, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    run.write(path, range(3), INLINE)
    assert open_recording(path).status == "complete"
    assert capsys.readouterr().err.count("this file system has no locks") == 1


def test_without_locks_a_living_writer_is_still_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(errno.ENOSYS))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        lock_path(path).write_text(f"{socket.gethostname()} {other.pid}")
        assert is_being_written(path)
        with pytest.raises(RecordingError, match="is being written by another process"):
            WriterLock(path)
        other.communicate(b"\n")
    assert not is_being_written(path)
    WriterLock(path).release()
    assert not lock_path(path).exists()


def test_a_lock_that_is_held_is_respected(path: Path) -> None:
    lock = WriterLock(path)
    assert is_being_written(path)
    with pytest.raises(RecordingError, match="is being written by another process"):
        WriterLock(path)
    lock.release()
    assert not is_being_written(path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
@pytest.mark.parametrize("of_files", [False, True])
def test_a_file_system_that_cannot_sync(
    run: Any,
    path: Path,
    number: int,
    of_files: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def fsync(file: int) -> None:
        is_folder = os.path.isdir(f"/proc/self/fd/{file}")
        asked.append(is_folder)
        if is_folder or of_files:
            refusing(number)()

    monkeypatch.setattr(os, "fsync", fsync)
    run.write(path, range(3), INLINE)
    assert set(asked) == {True, False}
    assert open_recording(path).n_steps == 3
    told = capsys.readouterr().err
    assert told.count("cannot force folders to the disk") == 1
    assert told.count("cannot force files to the disk") == int(of_files)


def test_a_disk_that_fails_is_an_error(run: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(RecordingError, match=r"cannot write to .*recording\.zarr: Input/output error"):
        run.write(path, range(3), INLINE)


def test_python_without_assertions_is_refused_where_zarr_needs_them() -> None:
    """Zarr 3.1.6 opens groups by an assertion with an effect: runs were complete, and could not be read."""
    probe = "from zarr.core.group import GroupMetadata as M; M.from_dict({'node_type': 'group'})"
    code = "from ethospike.recorders.disk import check_assertions as c; c()"
    probed, checked = (
        subprocess.run([sys.executable, "-O", "-c", words], capture_output=True, text=True, check=False)
        for words in (probe, code)
    )
    assert (checked.returncode == 0) == (probed.returncode == 0)
    assert checked.returncode == 0 or "unset PYTHONOPTIMIZE" in checked.stderr.splitlines()[-1]
