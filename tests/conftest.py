"""What holds for all tests: which simulators they need, and that a skip cannot hide.

Mark a test with `@pytest.mark.simulator("nest")`. It is skipped where that simulator is absent, unless
`ETHOSPIKE_REQUIRE=nest,numba,genn` names it: then its absence is a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ethospike.brains.simulator import SIMULATORS, is_installed

REQUIRED = {name for name in os.environ.get("ETHOSPIKE_REQUIRE", "").split(",") if name}


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts tests in the background has them ignore Ctrl-C; tests of Ctrl-C need it back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "simulator(name): needs that simulator; see ETHOSPIKE_REQUIRE")
    if unknown := REQUIRED - set(SIMULATORS):
        raise pytest.UsageError(f"ETHOSPIKE_REQUIRE names {sorted(unknown)}; valid: {', '.join(SIMULATORS)}")


def pytest_report_header() -> list[str]:
    there = [name for name in SIMULATORS if is_installed(name)]
    absent = [name for name in SIMULATORS if name not in there]
    lines = [f"simulators: {', '.join(there)}"]
    if absent:
        lines.append(f"simulators not installed, their tests are skipped: {', '.join(absent)}")
    return lines


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("simulator"):
        (name,) = mark.args
        if is_installed(name):
            continue
        if name in REQUIRED:
            pytest.fail(f"ETHOSPIKE_REQUIRE names {name}, which is not installed", pytrace=False)
        pytest.skip(f"the simulator {name} is not installed")


class SmallDisk:
    """A real file system that a test may fill."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, leave_kb: int = 0) -> None:
        """Take all the room but so many kB, however much of it was used before."""
        room = shutil.disk_usage(self.path).free - 1024 * leave_kb
        (self.path / "filler").write_bytes(b"1" * room)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 16 MB: room for a recording, also where every small file takes a page of 64 kB."""
    disk, mount = tmp_path / "disk", shutil.which("mount")
    disk.mkdir()
    if mount is None or os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    command = [mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow a small file system to be mounted")
    yield SmallDisk(disk)
    subprocess.run(["umount", str(disk)], check=True)
