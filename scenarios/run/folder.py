"""A run on disk: configuration (`config.toml`), provenance and status (`run.json`), measures
(`summary.json`).

The content of the recording is left to the package `recorders`.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomli_w

from ethospike.errors import RecordingError, RunFolderError
from ethospike.paths import expanded
from ethospike.recorders.format import INTERRUPTED, RECORDING
from ethospike.recorders.lock import WriterLock, is_being_written
from ethospike.scenarios.run.files import (
    make_folder,
    plain_number,
    read_json,
    reason,
    to_plain,
    write_whole,
)

RUNS = Path("runs")
"""Default parent folder of runs."""
LOST = "its recording is not touched and can be read without it (open_recording)"
"""Sentence for the error message of an unreadable file of a run."""
NEEDED = ("scenario", "scenario_file", "status")
"""Entries of run.json that drawing and resuming need."""
RUNNING = "running"
STATUSES = (RUNNING, "complete", "stopped", "failed", INTERRUPTED)
"""`interrupted`: the run ended by `kill -9` or a power cut and could not write its status."""
RESERVE = ".reserve"
"""File that is deleted on a full disk, so that a run can still write its status."""
RESERVE_BYTES = 64 * 1024
"""Size of the reserved file (bytes), several times that of run.json."""


class RunFolder:
    """The folder of one run.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, *, replace_failed: bool = False) -> RunFolder:
        """Make a new folder; a run never reuses one.

        With `replace_failed`, the folder of a run that failed is removed before.

        Raises
        ------
        RunFolderError
            When the path exists or cannot be written.
        """
        path = expanded(path)
        if make_folder(path):
            return cls(path)
        has_failed = (path / "run.json").is_file() and cls(path).status == "failed"
        if has_failed and replace_failed:
            cls(path).discard()
            if make_folder(path):
                return cls(path)
        way = ", or add --replace-failed: the run in it failed" if has_failed else ""
        raise RunFolderError(
            f"{path} exists already, and a run never reuses a folder; choose another by --out{way}"
        )

    @classmethod
    def create_named(cls, scenario: str, root: Path = RUNS) -> RunFolder:
        """Make a new folder in `root`, called by scenario, date and time, and a number if need be.

        Runs that begin in the same second, as in an array of jobs, get different folders.

        Raises
        ------
        RunFolderError
            When it cannot be written.
        """
        stem = f"{scenario}_{datetime.datetime.now():%Y-%m-%d_%H%M%S}"
        path, number = root / stem, 1
        while not make_folder(path):
            number += 1
            path = root / f"{stem}_{number}"
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises
        ------
        RunFolderError
            When the folder holds no run.
        """
        path = expanded(path)
        if not (path / "run.json").is_file():
            raise RunFolderError(f"{path} is not a run: expected a folder with run.json in it")
        return cls(path)

    def discard(self) -> None:
        """Remove the folder with its content, as far as the machine allows."""
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
        """The size of the run on the disk (bytes), with recording, checkpoint and figures."""
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
            raise RunFolderError(f"cannot read {path}: {reason(error)}; {LOST}") from error

    def write_config(self, config: Any) -> None:
        """Write a resolved configuration dataclass as a file for `--config`."""
        self._write("config.toml", tomli_w.dumps(to_plain(config)))

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`: scenario, seed, simulator, versions, status, times."""
        return self._read("run.json")

    @property
    def scenario(self) -> str:
        """The name of the run's scenario, or the path of its file."""
        info = self._read("run.json", NEEDED)
        return str(info["scenario_file"] or info["scenario"])

    @property
    def status(self) -> str:
        """The status of the run, from `STATUSES`; a kill is detected here, as run.json does not show it."""
        status = str(self._read("run.json", ["status"])["status"])
        if status != RUNNING or is_being_written(self._lock):
            return status
        # Nobody runs it: it may have ended between the two looks.
        status = str(self._read("run.json", ["status"])["status"])
        return INTERRUPTED if status == RUNNING else status

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock of the run, and reserve room on the disk for the final status.

        Raises
        ------
        RunFolderError
            When another process holds the lock, or the folder cannot be written to.
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
        """`summary.json`: the scenario's measures; empty for a run without a summary."""
        return self._read("summary.json") if (self.path / "summary.json").exists() else {}

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the scenario's measures."""
        self._write("summary.json", json.dumps(summary, indent=2, default=plain_number) + "\n")

    def _read(self, name: str, required: Iterable[str] = ()) -> dict[str, Any]:
        try:
            return read_json(self.path / name, required)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; {LOST}") from error

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all; on a full disk, into the reserved space."""
        try:
            write_whole(self.path / name, text.encode())
        except RunFolderError:
            reserve = self.path / RESERVE
            if not reserve.exists():
                raise
            reserve.unlink()
            write_whole(self.path / name, text.encode())
