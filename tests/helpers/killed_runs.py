"""Runs that are killed with `kill -9`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

KILLED = """
import os, signal, sys, time
from pathlib import Path
from ethospike.recorders.recorder import Recorder
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.odor.conditioning import SCENARIO
from ethospike.scenarios.run.runner import run_scenario

class Killer(Recorder):
    def record(self, record):
        if record.control_step == 40:
            time.sleep(0.1)  # longer than the interval between checkpoints: there is one before step 41
        if record.control_step == 57:
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self, status="complete"):
        pass

config = configure(SCENARIO, [*sys.argv[2:], "--checkpoint-every-s", "0.05"])
run_scenario(SCENARIO, config, Path(sys.argv[1]), listeners=[lambda layout: Killer()], quiet=True)
"""
"""A run that is killed with `kill -9` at control step 57, whatever the machine's speed."""


def killed_run(path: Path, words: list[str]) -> None:
    """Start odor conditioning in a process of its own, and kill that at control step 57."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), *words], check=False)
    assert done.returncode == -signal.SIGKILL
