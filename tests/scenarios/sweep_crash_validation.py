"""Kills sweeps at random moments until they are finished, and compares them with one that was left alone.

Not a test: it takes minutes. docs/sweeps.md has its result.

    python tests/scenarios/sweep_crash_validation.py --sweeps 20

Each sweep of 24 tasks on two workers is started, and something of it is killed (`kill -9`) at a random
moment: a worker, the process that hands out tasks (with the scheduler in it), or all of them; then it is
resumed, and killed again, until three things have been killed; then it is left to end. It passes when its
table is identical with the undisturbed one, and when no more runs came to their end than there are tasks, but
for the two that a kill can hit between the end of a run and the writing of its result.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from ethospike.scenarios.sweep_table import open_table

TOY = str(Path(__file__).with_name("sweep_scenario.py"))
COMMAND = [sys.executable, "-m", "ethospike.scenarios"]
N_TASKS = 24
KILLS = 3


MARK = "SWEEP_CRASH_VALIDATION"
"""Variable in the environment of what is started here, by which orphans are known."""


def start(words: list[str], mark: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, MARK: mark}
    silent = subprocess.DEVNULL
    return subprocess.Popen([*COMMAND, *words], stdout=silent, stderr=silent, env=environment)


def sweep_words(out: Path, log: Path) -> list[str]:
    axes = ["--grid", "x=1:12:12", "--seeds", "2", "--workers", "2"]
    return ["sweep", TOY, *axes, "--wait-s", "0.1", "--log", str(log), "--out", str(out), "--quiet"]


def kill(process: subprocess.Popen[bytes], what: str, rng: random.Random) -> bool:
    """Kill something of a sweep; return whether there was something to kill."""
    try:
        parent = psutil.Process(process.pid)
        children = parent.children(recursive=True)
        workers = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        chosen = {"worker": [rng.choice(workers)] if workers else [], "sweep": [parent]}.get(
            what, [parent, *children]
        )
        for one in chosen:
            one.kill()
    except psutil.NoSuchProcess:
        return False
    return bool(chosen)


def wait_for_children(process: subprocess.Popen[bytes], mark: str) -> None:
    """Wait until no process of a killed sweep is left: workers end when their scheduler is gone."""
    process.wait()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if not [one for one in psutil.process_iter() if _is_marked(one, mark)]:
            return
        time.sleep(0.2)
    raise RuntimeError("workers live on two minutes after their sweep was killed")


def _is_marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except psutil.Error:
        return False


def disturbed(folder: Path, rng: random.Random) -> tuple[Path, Counter[str], int]:
    """Run a sweep that is killed; return it, how often what was killed, and how often runs ended."""
    out, log = folder / "sweep", folder / "log"
    killed: Counter[str] = Counter()
    words = sweep_words(out, log)
    while sum(killed.values()) < KILLS and len(list(out.glob("tasks/*/result.json"))) < N_TASKS:
        mark = f"{folder}:{sum(killed.values())}"
        process = start(words, mark)
        while not (out / "tasks").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 8.0))
        what = rng.choice(["worker", "sweep", "all"])
        if process.poll() is None and kill(process, what, rng):
            killed[what] += 1
        if what == "worker":
            process.wait(timeout=300)
        wait_for_children(process, mark)
        words = ["resume", str(out), "--workers", "2", "--quiet"]
    subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.DEVNULL)
    return out, killed, len(log.read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    failures, total = 0, Counter[str]()
    again = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        subprocess.run(
            [*COMMAND, *sweep_words(root / "undisturbed", root / "undisturbed.log")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        undisturbed = open_table(root / "undisturbed")
        for number in range(arguments.sweeps):
            folder = root / str(number)
            folder.mkdir()
            out, killed, runs = disturbed(folder, rng)
            passed = open_table(out).identical(undisturbed) and runs <= N_TASKS + 2 * sum(killed.values())
            total += killed
            again += runs - N_TASKS
            failures += not passed
            print(f"sweep {number}: {dict(killed)}, {runs} runs ended, {'passed' if passed else 'FAILED'}")
    print(f"{arguments.sweeps} sweeps, kills {dict(total)}, {again} runs repeated, {failures} failures")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
