"""The program and the machine that made a run, a sweep or a report."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ethospike.brains.simulator.settings import SIMULATORS

PACKAGES = (
    "ethospike",
    "gymnasium",
    *(entry.distribution for entry in SIMULATORS.values()),
    "numpy",
    "pygame-ce",
    "xarray",
    "zarr",
)


def provenance() -> dict[str, Any]:
    """Return versions, command, source state and machine, for the files of a run."""
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
    """Return the command in a `provenance`."""
    return " ".join(["ethospike", *machine["command"][1:]])


def git_state() -> dict[str, Any] | None:
    """Return commit and cleanliness of the source tree, or None outside one."""
    source = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=source.parent,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
        return done.stdout.strip()

    try:
        # Installed in the .venv of somebody's repository, we are inside a source tree that is not ours.
        git("ls-files", "--error-unmatch", source.name)
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError):
        return None
