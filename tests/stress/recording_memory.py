"""Runs a command that records, and follows the resident memory of its process and of its writer.

    python tests/recorders/memory_validation.py 'ethospike run SCENARIO ... --out {out}'

The command must write a run folder to {out}. While the writer lives, memory is looked at every half second;
printed are the highest values of the first half and of the second, and what the recording takes on disk.
Exit status 1 if one of the two processes grows by more than 5 %.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ethospike.recorders.recording import open_recording

EVERY_S = 0.5
WRITER = "writer_process"
"""What the command line of a writer has in it and no other's."""
HIGHEST_GROWTH = 0.05


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process (MB); 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def writer_of(pid: int) -> int | None:
    """Return the process that writes for another one, if it has begun."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return next((int(c) for c in children if WRITER in Path(f"/proc/{c}/cmdline").read_text()), None)
    except OSError:
        return None


def followed(command: list[str]) -> dict[str, list[float]]:
    """Run a command; return the memory of its process and of its writer (MB) at each look."""
    seen: dict[str, list[float]] = {"loop": [], "writer": []}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            writer = writer_of(process.pid)
            if writer is not None:
                seen["loop"].append(resident_mb(process.pid))
                seen["writer"].append(resident_mb(writer))
            time.sleep(EVERY_S)
    if process.returncode:
        raise SystemExit(f"{command} failed with exit code {process.returncode}")
    return seen


def growth(name: str, memory: list[float]) -> float:
    """Print the highest memory of both halves and return by which part it grew."""
    half = len(memory) // 2
    if half < 10:
        raise SystemExit(f"{name}: looked at only {len(memory)} times; choose a longer run")
    first, second = max(memory[:half]), max(memory[half:])
    print(f"{name}: {first:.0f} -> {second:.0f} MB ({second / first - 1.0:+.1%}), {len(memory)} looks")
    return second / first - 1.0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", help="what to run, with {out} for its folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        seen = followed(shlex.split(options.command.format(out=out)))
        recording = open_recording(out)
        size = sum(one.stat().st_size for one in (recording.path / "spikes").rglob("*") if one.is_file())
        print(f"{recording.n_spikes:,} spikes, {size / max(1, recording.n_spikes):.2f} bytes per spike")
    return int(max([growth(name, memory) for name, memory in seen.items()]) > HIGHEST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
