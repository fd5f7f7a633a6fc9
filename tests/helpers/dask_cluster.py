"""A Dask scheduler and its workers, as docs/sweeps.md starts them, that can be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
from places import PATIENCE_S


class DaskCluster:
    """A scheduler with two workers, for as long as the context lasts; `folder` must not exist."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "scheduler.json"
        self._workers: list[subprocess.Popen[bytes]] = []
        self._scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")
        deadline = time.monotonic() + PATIENCE_S
        while not self._file.exists() or not self._file.read_text().endswith("}"):
            if time.monotonic() > deadline or self._scheduler.poll() is not None:
                raise RuntimeError("the scheduler does not start")
            time.sleep(0.05)
        self.address = str(json.loads(self._file.read_text())["address"])
        self.start_workers()

    def start_workers(self) -> None:
        local = ["--local-directory", str(self._file.parent)]
        self._workers = [self._start("worker", "--nthreads", "1", "--no-dashboard", *local) for _ in range(2)]

    def kill_workers(self) -> None:
        """Kill the workers, and with them those that would start them again."""
        for one in self._workers:
            kill_family(one)

    def freeze_scheduler(self) -> None:
        """Stop the scheduler without ending it, as a machine that hangs does."""
        self._scheduler.send_signal(signal.SIGSTOP)

    def kill_scheduler(self) -> None:
        kill_family(self._scheduler)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        silent = subprocess.DEVNULL
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(self._file)]
        return subprocess.Popen(command, stdout=silent, stderr=silent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_workers()
        self.kill_scheduler()


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all its children, and wait for it."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for one in [*parent.children(recursive=True), parent]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()
