"""A run on disk: configuration, provenance, status, summary. What was run, where, by what, and how it ended.

In: a path, and what is to be known about the run. Out: `config.toml`, `run.json`, `summary.json`. This file
knows nothing about what is inside the recording.
"""

from __future__ import annotations

import dataclasses
import datetime
import errno
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from ethospike.brains.simulator.settings import SIMULATORS
from ethospike.errors import RecordingError, RunFolderError
from ethospike.recorders.disk import explain, force
from ethospike.recorders.format import INTERRUPTED, RECORDING
from ethospike.recorders.lock import WriterLock, is_being_written

RUNS = Path("runs")
"""Where runs go that are given no folder."""
LOST = "its recording is not touched and can be read without it (open_recording)"
"""What a file of a run that cannot be read does not change."""
PACKAGES = (
    "ethospike",
    "gymnasium",
    *(entry.distribution for entry in SIMULATORS.values()),
    "numpy",
    "pygame-ce",
    "xarray",
    "zarr",
)
NEEDED = ("scenario", "scenario_file", "status")
"""Entries of run.json without which a run can be neither drawn nor resumed."""
RUNNING = "running"
STATUSES = (RUNNING, "complete", "stopped", "failed", INTERRUPTED)
"""`interrupted`: the run ended, by `kill -9` or a power cut, without saying how."""
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""A disk that is full or not to be written on, wherever it is met: figures, exports, films."""
RESERVE = ".reserve"
"""File that is given up when the disk is full, so that a run can still say how it ended."""
RESERVE_BYTES = 64 * 1024
"""Several times the size of run.json."""


class RunFolder:
    """The folder of one run.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a new folder; a run never reuses one.

        Raises
        ------
        RunFolderError
            When the path exists or cannot be written.
        """
        if not _make_folder(path):
            raise RunFolderError(
                f"{path} exists already, and a run never reuses a folder; choose another by --out"
            )
        return cls(path)

    @classmethod
    def create_named(cls, scenario: str, root: Path = RUNS) -> RunFolder:
        """Make a new folder in `root`, called by scenario, date and time, and a number if need be.

        Of several that begin in the same second, as in an array of jobs, each gets a folder of its own.

        Raises
        ------
        RunFolderError
            When it cannot be written.
        """
        stem = f"{scenario}_{datetime.datetime.now():%Y-%m-%d_%H%M%S}"
        path, number = root / stem, 1
        while not _make_folder(path):
            number += 1
            path = root / f"{stem}_{number}"
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises
        ------
        RunFolderError
            When there is no run.
        """
        if not (path / "run.json").is_file():
            raise RunFolderError(f"{path} is not a run: expected a folder with run.json in it")
        return cls(path)

    def discard(self) -> None:
        """Remove the folder and all that is in it, as far as the machine allows."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def recording(self) -> Path:
        """The Zarr group of the run."""
        return self.path / RECORDING

    @property
    def figures(self) -> Path:
        """The folder of figures."""
        return self.path / "figures"

    @property
    def size_bytes(self) -> int:
        """What the run takes on the disk: recording, checkpoint, figures and all."""
        size = 0
        for file in self.path.rglob("*"):
            with suppress(FileNotFoundError):  # of a run that is going on, and renames its files
                size += file.stat().st_size if file.is_file() else 0
        return size

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as nested dictionaries."""
        path = self.path / "config.toml"
        try:
            return tomllib.loads(path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RunFolderError(f"cannot read {path}: {_said(error)}; {LOST}") from error

    def write_config(self, config: Any) -> None:
        """Write a configuration dataclass, resolved, such that it can be loaded again."""
        self._write("config.toml", tomli_w.dumps(to_plain(config)))

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`: scenario, seed, simulator, versions, status, times."""
        return self._read("run.json")

    @property
    def scenario(self) -> str:
        """The name of the run's scenario, or the path of its file; run.json has all that goes with it."""
        info = self._read("run.json", NEEDED)
        return str(info["scenario_file"] or info["scenario"])

    @property
    def status(self) -> str:
        """How the run ended, or that it is running, one of `STATUSES`; run.json does not know of a kill."""
        status = str(self._read("run.json", ["status"])["status"])
        if status != RUNNING or is_being_written(self._lock):
            return status
        # Nobody runs it: it may have ended between the two looks.
        status = str(self._read("run.json", ["status"])["status"])
        return INTERRUPTED if status == RUNNING else status

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one who runs the run, and keep room on the disk for saying how it ended.

        Raises
        ------
        RunFolderError
            When another process runs it, or the folder cannot be written to.
        """
        try:
            lock = WriterLock(self._lock)
        except RecordingError as error:
            raise RunFolderError(str(error)) from error
        try:
            # Not zeros, which a file system may store as nothing.
            write_whole(self.path / RESERVE, os.urandom(RESERVE_BYTES))
            yield
        finally:
            with suppress(OSError):
                (self.path / RESERVE).unlink()
            lock.release()

    @property
    def _lock(self) -> Path:
        return self.path / "run.json"

    def update_info(self, **entries: Any) -> None:
        """Add entries to `run.json`, atomically."""
        info = self.info if (self.path / "run.json").exists() else {}
        self._write("run.json", json.dumps({**info, **entries}, indent=2) + "\n")

    @property
    def summary(self) -> dict[str, Any]:
        """`summary.json`: the scenario's measures; empty if the run did not get that far."""
        return self._read("summary.json") if (self.path / "summary.json").exists() else {}

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the scenario's measures."""
        self._write("summary.json", json.dumps(summary, indent=2, default=_plain_number) + "\n")

    def _read(self, name: str, required: Iterable[str] = ()) -> dict[str, Any]:
        try:
            return read_json(self.path / name, required)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; {LOST}") from error

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all; on a full disk, into the space that was kept for it."""
        try:
            write_whole(self.path / name, text.encode())
        except RunFolderError:
            reserve = self.path / RESERVE
            if not reserve.exists():
                raise
            reserve.unlink()
            write_whole(self.path / name, text.encode())


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all; what was there before stays until the new one is on the disk.

    Raises
    ------
    RunFolderError
        When it cannot be written.
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
    """Return the object in a JSON file, which has at least the required entries.

    Raises
    ------
    RunFolderError
        When it cannot be read, is not JSON or no object, or an entry is missing.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunFolderError(f"cannot read {path}: {_said(error)}") from error
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
        When the path names no file.
    """
    if out.name in ("", ".."):
        raise RunFolderError(f"{out} names no file; choose another by --out, without suffix")
    return out.with_name(out.name + suffix)


def require_place(out: Path) -> None:
    """Make the folder of a file that is to come, and raise the OSError of one that cannot be written to."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out.parent):
        pass


def _make_folder(path: Path) -> bool:
    """Make a folder and those above it; return False if it exists, which only making it can tell for sure."""
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


def provenance() -> dict[str, Any]:
    """Return what a reader will want to know about the program and the machine."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],  # where it is installed is nobody's business
        "versions": versions,
        "git": git_state(),
        "python": platform.python_version(),
        "host": platform.node(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
    }


def command_of(machine: Mapping[str, Any]) -> str:
    """Return the command that produced something, from its `provenance`."""
    return " ".join(["ethospike", *machine["command"][1:]])


def git_state() -> dict[str, Any] | None:
    """Return commit and cleanliness of the source tree, or None outside one."""
    source = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=source.parent, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        # Installed in the .venv of somebody's repository, we are inside a source tree that is not ours.
        git("ls-files", "--error-unmatch", source.name)
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError):
        return None


def _said(error: Exception) -> str:
    """Return what an error says, without the path that the message has already."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def to_plain(value: Any) -> Any:
    """Return dataclasses as dictionaries, without entries that are None (TOML has no null).

    Paths are absolute, so that a run can be resumed, or a task of a sweep be run, from any folder.
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
    return str(value.absolute()) if isinstance(value, Path) else value


def _plain_number(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"summary: {type(value).__name__} cannot be written as JSON")
