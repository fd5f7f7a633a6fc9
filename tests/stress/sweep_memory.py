"""Runs a sweep of many points on two workers, and follows the resident memory of each of its processes.

Not a test: with 1,600 points it takes about a quarter of an hour.

    python tests/scenarios/sweep_memory_validation.py [--points 1600] [FLAG OF THE SWEEP ...]

The network has 500 neurons and runs for 2 s a point, on Numba; flags of a sweep take the place of those that
say so, for example `--network grid --minutes 0.0333`. Memory is looked at twice a second; printed are the
highest values while the first half of the tasks was done and while the second was, and the slope of a line
through what was seen after a tenth of the tasks, when everything is loaded. Exit status 1 if a process grows
by more than 5 %, or if a worker was replaced, which would hide its growth.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from ethospike.scenarios.sweeps.folder import Sweep

EVERY_S = 0.5
HIGHEST_GROWTH = 0.05
WORKERS = 2
NETWORK = ["--cortex.n-e", "400", "--cortex.n-i", "100", "--minutes", "0.0333333"]

Look = tuple[int, float]
"""Tasks finished, and the resident memory of a process (MB)."""


def sweep_command(points: int, out: Path, flags: Sequence[str]) -> list[str]:
    axis = ["--grid", f"cortex.I_th_E=1:2.9:{points}"]
    words = ["sweep", "cortex-rest", *(flags or NETWORK), *axis, "--workers", str(WORKERS)]
    return [sys.executable, "-m", "ethospike.scenarios", *words, "--out", str(out)]


def processes(sweep: subprocess.Popen[bytes]) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the processes of a sweep that live, with their names: itself, and its workers."""
    with suppress(psutil.Error):
        own = psutil.Process(sweep.pid)
        yield "sweep and scheduler", own
        for child in own.children():
            if "spawn_main" in " ".join(child.cmdline()):
                yield f"worker {child.pid}", child


def followed(command: list[str], out: Path) -> dict[str, list[Look]]:
    """Run a sweep; return what was seen of each of its processes."""
    seen: dict[str, list[Look]] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sweep:
        while sweep.poll() is None:
            finished = len(list(out.glob("tasks/*/result.json")))
            for name, process in processes(sweep):
                with suppress(psutil.Error):
                    seen.setdefault(name, []).append((finished, process.memory_info().rss / 2**20))
            time.sleep(EVERY_S)
    if sweep.returncode:
        raise SystemExit(f"{command} failed with exit code {sweep.returncode}")
    return seen


def growth(name: str, looks: Sequence[Look], tasks: int) -> float:
    """Print the highest memory of both halves, and return by which part it grew."""
    first = [memory for finished, memory in looks if finished < tasks / 2]
    # While the last tasks run some workers are idle, and then the figures are drawn: these do not count.
    second = [memory for finished, memory in looks if tasks / 2 <= finished < tasks]
    if min(len(first), len(second)) < 10:
        raise SystemExit(f"{name}: seen {len(first)} and {len(second)} times; choose more points")
    more = max(second) / max(first) - 1.0
    finished, memory = np.array([look for look in looks if tasks / 10 <= look[0] < tasks]).T
    slope_kb = np.polyfit(finished, memory, 1)[0] * 1024
    print(
        f"{name}: {max(first):.1f} -> {max(second):.1f} MB ({more:+.1%}), {slope_kb:+.1f} kB a task, "
        f"{len(looks)} looks"
    )
    return more


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1600)
    options, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "sweep"
        seen = followed(sweep_command(options.points, out, flags), out)
        results = list(Sweep.open(out).results())
    failed = sum(result["status"] != "done" for result in results)
    replaced = len(seen) - 1 - WORKERS
    print(f"{len(results)} tasks, {failed} failed; {WORKERS} workers, {replaced} replaced", flush=True)
    worst = max([growth(name, looks, len(results)) for name, looks in seen.items()])
    return int(worst > HIGHEST_GROWTH or replaced > 0 or failed > 0)


if __name__ == "__main__":
    sys.exit(main())
