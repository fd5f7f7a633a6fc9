"""Paths as users type them, locks of files, and folders for compiled code.

Compiled code can be lost at any time and made again.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from ethospike.errors import EthospikeError, tell_once

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


def cache_folder(name: str) -> Path:
    """Return a folder for compiled code that this process can write to.

    It lies in `ETHOSPIKE_CACHE`, or in the user's cache folder. Where it cannot be written, as in a container
    whose user has no home, it lies among the temporary files, with a warning.

    Raises
    ------
    OSError
        When temporary files cannot be written either.
    """
    wanted = _wanted()
    if wanted is not None and is_writable(wanted / name):
        return wanted / name
    folder = temporary_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    what = "this user has no home folder" if wanted is None else f"{wanted} cannot be written"
    tell_once(f"{what}; compiled code is kept in {folder} (ETHOSPIKE_CACHE names another folder)")
    return folder


def _wanted() -> Path | None:
    """Return the folder that the user chose, or the usual one; None for a user without a home."""
    if given := os.environ.get("ETHOSPIKE_CACHE"):
        return expanded(given)
    if sys.platform != "darwin" and (given := os.environ.get("XDG_CACHE_HOME")):
        return Path(given) / "ethospike"
    if not has_home():
        return None
    caches = Path("Library", "Caches") if sys.platform == "darwin" else Path(".cache")
    return Path.home() / caches / "ethospike"


def has_home() -> bool:
    """Return False for a user without a home folder, of whom the system knows only a number."""
    return os.path.expanduser("~") != "~"


def is_writable(folder: Path) -> bool:
    """Make a folder, and return True if files can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def temporary_folder() -> Path:
    """Return a folder of this user among the temporary files, the same in every process if possible.

    Code is loaded from it, so a folder into which others can write is not taken.
    """
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"ethospike-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        is_own = stat.S_ISDIR(about.st_mode) and about.st_uid == user and not about.st_mode & 0o022
    except OSError:
        is_own = False
    if is_own and is_writable(folder):
        return folder
    made = Path(tempfile.mkdtemp(prefix="ethospike-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
