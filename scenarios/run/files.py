"""Small files of runs, sweeps and reports: written whole or not at all, read with clear errors."""

from __future__ import annotations

import dataclasses
import errno
import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ethospike.errors import RunFolderError
from ethospike.paths import expanded, user_path
from ethospike.recorders.disk import explain, force

MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""Error numbers of a full or read-only disk, for figures, exports and films."""


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all; the old content stays until the new file is on the disk.

    Raises
    ------
    RunFolderError
        When the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        force(partial)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise RunFolderError(explain(error, path)) from error


def read_json(path: Path, required: Iterable[str] = ()) -> dict[str, Any]:
    """Return the object in a JSON file and check its required entries.

    Raises
    ------
    RunFolderError
        When the file cannot be read or is not a JSON object, or an entry is missing.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunFolderError(f"cannot read {path}: {reason(error)}") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"cannot read {path}: expected a JSON object, got {type(content).__name__}")
    if missing := [key for key in required if key not in content]:
        raise RunFolderError(f"cannot read {path}: it has no entry {missing[0]!r}")
    return content


def beside(out: Path, suffix: str) -> Path:
    """Return a path with a suffix added: `with_suffix` would make `nest-3.json` of `nest-3.10`.

    Raises
    ------
    RunFolderError
        When the path does not name a file.
    """
    out = expanded(out)
    if out.name in ("", ".."):
        raise RunFolderError(f"{out} names no file; choose another by --out, without suffix")
    return out.with_name(out.name + suffix)


def require_place(out: Path) -> None:
    """Make the folder of a future file; raise OSError if the folder cannot be written to."""
    out = expanded(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out.parent):
        pass


def make_folder(path: Path) -> bool:
    """Make a folder and its parents; return False if it exists already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"cannot make {path}: {error.strerror}; choose another by --out") from error
    try:
        path.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise RunFolderError(f"cannot make {path}: {error.strerror}; choose another by --out") from error
    return True


def reason(error: Exception) -> str:
    """Return the text of an error without the path, which the message contains already."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def to_plain(value: Any) -> Any:
    """Return dataclasses as dictionaries, without entries that are None (TOML has no null).

    Paths become absolute, so that a run can be resumed, or a task of a sweep run, from any folder.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        entries = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_plain(entry) for name, entry in entries if entry is not None}
    if isinstance(value, dict):
        return {str(name): to_plain(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return str(user_path(value)) if isinstance(value, Path) else value


def plain_number(value: Any) -> Any:
    """Return a NumPy array or number as plain lists and numbers, for JSON.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"summary: {type(value).__name__} cannot be written as JSON")
