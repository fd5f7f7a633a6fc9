"""Kills sweeps at random moments until they are finished, and compares them with one that was left alone.

Not a test: it takes minutes. docs/sweeps.md has its result.

    python tests/scenarios/sweep_crash_validation.py --sweeps 20 [--cluster]

Each sweep of 24 tasks on two workers is started, and something of it is killed (`kill -9`) at a random
moment: a worker, the process that hands out tasks (with the scheduler in it), or all of them; then it is
resumed, and killed again, until three things have been killed; then it is left to end. It passes when its
table is identical with the undisturbed one, and when no more runs came to their end than there are tasks, but
for the two that a kill can hit between the end of a run and the writing of its result.

With --cluster the sweeps run on a Dask scheduler of which is killed: the scheduler, so that the sweep has to
end within two minutes, with one line that says so, and is resumed on a new one while the workers of old may
still be at their last tasks; or all workers, which are started again, so that it has to go on by itself.
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
from contextlib import ExitStack
from pathlib import Path

import psutil

HELPERS = Path(__file__).parents[1] / "helpers"
sys.path.insert(0, str(HELPERS))

from dask_cluster import DaskCluster  # noqa: E402

from ethospike.scenarios.sweeps.table import open_table  # noqa: E402

TOY = str(HELPERS / "sweep_scenario.py")
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
    axes = ["--grid", "x=1:12:12", "--seeds", "2"]
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
    words = [*sweep_words(out, log), "--workers", "2"]
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


def disturbed_on_cluster(folder: Path, rng: random.Random) -> tuple[Path, Counter[str], int]:
    """The same on a Dask scheduler, of which something is killed."""
    out, log = folder / "sweep", folder / "log"
    killed: Counter[str] = Counter()
    words = sweep_words(out, log)
    with ExitStack() as clusters:
        ended = False
        while not ended:
            cluster = clusters.enter_context(DaskCluster(folder / f"cluster {sum(killed.values())}"))
            process = subprocess.Popen(
                [*COMMAND, *words, "--scheduler", cluster.address],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            while not (out / "tasks").exists() and process.poll() is None:
                time.sleep(0.01)
            what = ""
            while sum(killed.values()) < KILLS and what != "scheduler":
                time.sleep(rng.uniform(0.0, 8.0))
                if process.poll() is not None:
                    break
                what = rng.choice(["scheduler", "workers"])
                killed[what] += 1
                if what == "scheduler":
                    cluster.kill_scheduler()
                else:
                    cluster.kill_workers()
                    cluster.start_workers()
            output = process.communicate(timeout=120)[0]
            ended = process.returncode == 0
            said = output.startswith("ethospike: the scheduler") and output.count("\n") == 1
            if not ended and not (what == "scheduler" and process.returncode == 1 and said):
                raise RuntimeError(f"exit code {process.returncode} after a kill of the {what}: {output}")
            words = ["resume", str(out), "--quiet"]
    return out, killed, len(log.read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cluster", action="store_true", help="on a Dask scheduler")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    disturb = disturbed_on_cluster if arguments.cluster else disturbed
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
            out, killed, runs = disturb(folder, rng)
            passed = open_table(out).identical(undisturbed) and runs <= N_TASKS + 2 * sum(killed.values())
            total += killed
            again += runs - N_TASKS
            failures += not passed
            print(f"sweep {number}: {dict(killed)}, {runs} runs ended, {'passed' if passed else 'FAILED'}")
    print(f"{arguments.sweeps} sweeps, kills {dict(total)}, {again} runs repeated, {failures} failures")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
