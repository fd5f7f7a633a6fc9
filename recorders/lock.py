"""The lock that keeps a second writer out, and by which readers see that there is one.

The operating system releases the lock file beside a recording or a file when the process that holds it ends,
however it ends. On file systems without locks, the host and the process number in the file tell of a writer.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from ethospike.errors import RecordingError, tell_once
from ethospike.paths import lock_file

LOCK_PATIENCE_S = 0.5
"""Time for which a writer asks for the lock; readers that look whether it is held hold it for a moment."""


class WriterLock:
    """The right to write to a recording; held by one process, and given back when that process ends.

    Raises
    ------
    RecordingError
        When another process holds it, or the folder cannot be written to.
    """

    def __init__(self, root: Path) -> None:
        self._path = lock_path(root)
        patience_ends = time.monotonic() + LOCK_PATIENCE_S
        while (file := self._try()) is None:
            if time.monotonic() > patience_ends:
                raise RecordingError(
                    f"{root} is being written by another process; wait until it ends or choose another path"
                )
            time.sleep(0.02)
        self._file = file

    def release(self) -> None:
        """Let others write."""
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _try(self) -> int | None:
        """Return the open lock file, or None while another process holds it."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RecordingError(
                f"cannot write to {self._path.parent}: {error.strerror}; choose a folder that is writable"
            ) from error
        is_ours = lock_file(file)
        if is_ours is None:
            is_ours = not _is_alive(file)
            tell_once("this file system has no locks; do not let two runs write to one folder")
        if is_ours and self._is_there(file):
            with suppress(OSError):  # of a full disk, of which the first write to the recording tells
                os.ftruncate(file, 0)
                os.pwrite(file, f"{socket.gethostname()} {os.getpid()}".encode(), 0)
            return file
        os.close(file)
        return None

    def _is_there(self, file: int) -> bool:
        """Return whether the lock file is still in its place: a holder may have removed it meanwhile."""
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return False


def lock_path(root: Path) -> Path:
    """Return the lock file of a recording: beside it, because Zarr knows every file in a group."""
    return root.with_name(f"{root.name}.lock")


def is_being_written(root: Path) -> bool:
    """Return whether a living process holds the lock of a recording."""
    try:
        file = os.open(lock_path(root), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        is_ours = lock_file(file, shared=True)
        return _is_alive(file) if is_ours is None else not is_ours
    finally:
        os.close(file)


def _is_alive(file: int) -> bool:
    """Return whether the process that a lock file names is another one of this host, and lives."""
    try:
        host, pid = os.pread(file, 512, 0).decode().split()
        if host != socket.gethostname() or int(pid) == os.getpid():
            return False
        os.kill(int(pid), 0)
    except PermissionError:
        return True  # it lives, and belongs to another user
    except (ValueError, OSError):
        return False
    return True
