"""The lock that keeps a second writer out, and tells readers whether there is one.

In: the path of what is written, a recording or a file. Out: a lock file beside it, which the operating system
releases when the process that holds it ends, however it ends. This file knows nothing of what is written.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ethospike.errors import RecordingError

LOCK_PATIENCE_S = 0.5
"""How long a writer asks for the lock; readers that look whether it is held take it for a moment."""


class WriterLock:
    """The right to write to a recording; held by one process, and given back when that process ends, however.

    Raises
    ------
    RecordingError
        When another process holds it, or the folder cannot be written to.
    """

    def __init__(self, root: Path) -> None:
        self._path = lock_path(root)
        patience_ends = time.monotonic() + LOCK_PATIENCE_S
        while (file := self._take()) is None:
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

    def _take(self) -> int | None:
        """Return the open lock file, or None while somebody else holds it."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RecordingError(
                f"cannot write to {self._path.parent}: {error.strerror}; choose a folder that is writable"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed the file between our opening and locking it.
            if os.path.samestat(os.fstat(file), os.stat(self._path)):
                return file
        except OSError:
            pass
        os.close(file)
        return None


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
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
