"""Folders for compiled code, which can be lost at any time and made again."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from ethospike.notices import tell_once
from ethospike.paths import expanded


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
