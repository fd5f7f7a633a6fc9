"""Paths as users type them, and locks of files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ethospike.errors import EthospikeError

HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
"""Answers of `flock` where another process has the lock; all others mean that there are no locks."""


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with `~` expanded, and absolute, so that no library reads anything else into it.

    Raises
    ------
    EthospikeError
        When there is no home folder of the named user.

    Examples
    --------
    >>> user_path("~") == Path.home()
    True
    """
    return expanded(path).absolute()


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with `~` expanded, and otherwise as it was typed, for messages that name it.

    Raises
    ------
    EthospikeError
        When there is no home folder of the named user.

    Examples
    --------
    >>> expanded("runs/first")
    PosixPath('runs/first')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise EthospikeError(
            f"{path}: there is no such home folder; write the folder in full, or ./{path} for a folder of "
            f"this name"
        ) from error


def lock_file(file: int, *, shared: bool = False, wait: bool = False) -> bool | None:
    """Lock an open file until it is closed or its process ends, however it ends.

    Parameters
    ----------
    file : int
        Its descriptor.
    shared : bool
        Several processes may hold it so at once.
    wait : bool
        Wait until no other process holds it.

    Returns
    -------
    bool or None
        Whether this process has it now; None on a file system without locks.
    """
    import fcntl  # absent on Windows, where the rest of this file works

    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(file, kind)
    except OSError as error:
        return False if error.errno in HELD else None
    return True
