"""Rows of the benchmark, and the memory use of the current process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ethospike.brains.simulator import SimulatorSettings

LOOP_MS = 10.0
"""Window length of the rows that run in windows: the control interval of the published closed loop."""


STATM = Path("/proc/self/statm")
"""File with the total and the resident size of this process in pages (Linux, proc_pid_statm(5))."""


@dataclass(frozen=True)
class Row:
    """A measurement: its kind, simulator, size and duration."""

    kind: str
    simulator: str
    network: str
    animals: int = 1
    seconds: float = 2.0
    interval_ms: float = LOOP_MS
    threads: int = 0
    precision: str = "single"

    @property
    def settings(self) -> SimulatorSettings:
        """Settings of the simulator."""
        return SimulatorSettings(self.simulator, threads=self.threads, precision=self.precision)

    @property
    def title(self) -> str:
        """Name in the table."""
        group = f" × {self.animals}" if self.animals > 1 else ""
        return f"{self.network}{group}"


def resident_mb() -> float:
    """Return the current resident memory of this process, from Linux's statm or, elsewhere, from `ps`."""
    if STATM.exists():
        return int(STATM.read_text("ascii").split()[1]) * resource.getpagesize() / 1e6
    command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.run(command, capture_output=True, check=True).stdout) * 1024 / 1e6


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far."""
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
