"""Runs the tasks of a sweep on Dask: on local worker processes, or on those of a running scheduler.

Results are yielded as they arrive; the loss of a worker does not lose a task. This module needs Dask and is
imported only to run a sweep.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.client import FutureCancelledError
from distributed.comm.addressing import parse_address, parse_host_port
from distributed.comm.core import CommClosedError
from distributed.comm.registry import get_backend

from ethospike.brains.numba.bits.wiring import Wiring, shared_wiring
from ethospike.brains.simulator.settings import THREADED
from ethospike.brains.threads import cores
from ethospike.errors import RunFolderError, ScenarioError
from ethospike.recorders.lock import is_being_written
from ethospike.scenarios.sweeps.batches import batches, check_batch
from ethospike.scenarios.sweeps.folder import RESULT, Sweep, Task
from ethospike.scenarios.sweeps.task import record_failure, run_tasks

SAFE_PATH = "PYTHONSAFEPATH"
"""Variable that keeps the working directory off Python's path."""
LEAST_MEMORY = 1_000_000_000
"""Minimal memory limit of a worker (bytes): packages and a 25,000-neuron cortex take 400 MB."""
AHEAD = 3
"""Tasks that the scheduler holds for each worker: enough to keep every worker busy."""
CONNECT_S = 20.0
"""Time limit for the answer of a scheduler (s)."""
SILENT_S = 60.0
"""Silence (s), as on a machine that hangs, after which a scheduler counts as lost."""
NO_WORKER_S = 300.0
"""Time (s) that a sweep waits without workers: long enough for a cluster to start others."""
LOOK_S, COUNT_S = 0.05, 1.0
"""Wall time between two checks for results, short against a task, and between two counts of the workers."""
DIED = "the process that ran it died each time that it was tried: too little memory, or a crash"
GOES_ON = "what is finished is kept, and `ethospike resume FOLDER` goes on"

Run = Callable[[Sweep, Sequence[Task]], Iterator[dict[str, Any]]]
"""Runs tasks of a sweep and yields their results as they come in."""


@contextmanager
def open_workers(
    workers: int = 0, scheduler: str = "", *, retry_failed: bool = False, batch: int = 0
) -> Iterator[Run]:
    """Start workers, or use those of a scheduler, for the duration of the context.

    Parameters
    ----------
    workers : int
        Processes on this machine; 0 starts one for each core. They share its cores and its memory.
    scheduler : str
        Address of a running Dask scheduler, such as `tcp://10.0.0.1:8786`; empty to start processes on this
        machine. Its workers need one thread each and the sweep's folder under the same path.
    retry_failed : bool
        Run failed tasks again.
    batch : int
        Tasks that run as one model where their simulator has batches; 0: see `batches`.

    Raises
    ------
    ScenarioError
        When the scheduler does not answer, is lost during the sweep, or has no workers for `NO_WORKER_S`.
    """
    check_workers(workers, scheduler, batch)
    for name in ("distributed", "distributed.client", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say ourselves what happens to workers
    n_workers = workers or cores()
    # A scheduler's workers have one thread each: its administrator sets their number on a machine.
    threads = 1 if scheduler else max(1, cores() // n_workers)
    trouble = "does not answer"
    try:
        with (
            _scheduler(n_workers, scheduler) as address,
            distributed.Client(address, timeout=CONNECT_S, set_as_default=False) as client,
        ):
            trouble = "is gone, or cannot be reached any more"
            client.register_plugin(TaskWorker())
            yield _Runner(client, threads, retry_failed, batch)
    except (OSError, CommClosedError, FutureCancelledError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of this machine, not of Dask
        raise ScenarioError(f"the scheduler {scheduler or 'on this machine'} {trouble}; {GOES_ON}") from error


class _Runner:
    """Submits tasks to a scheduler, a few ahead of its workers, and yields results as they arrive."""

    def __init__(self, client: distributed.Client, threads: int, retry_failed: bool, batch: int) -> None:
        self._client, self._threads, self._retry_failed = client, threads, retry_failed
        self._batch = batch
        self._counted, self._count, self._seen = -math.inf, 0, 0.0

    def __call__(self, sweep: Sweep, tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
        waiting = deque(batches(sweep, tasks, self._batch))
        path = str(sweep.path.resolve())
        ended = distributed.as_completed(loop=self._client.loop)
        tasks_of: dict[Any, Sequence[Task]] = {}
        self._seen = time.monotonic()
        while waiting or tasks_of:
            while waiting and len(tasks_of) < AHEAD * max(1, self._n_workers()):
                batch = waiting.popleft()
                settings = _share_of_cores(sweep, batch[0], self._threads)
                arguments = (path, [task.number for task in batch], settings, self._retry_failed)
                future = self._client.submit(_run_in_worker, *arguments, pure=False)
                tasks_of[future.key] = batch
                ended.add(future)
            self._n_workers()
            for future in ended.next_batch(block=False):
                results = self._results(sweep, tasks_of[future.key], future)
                if results is None:
                    ended.add(future)
                    continue
                if not results:  # the process died with several tasks, of which one may be at fault
                    waiting.extend([task] for task in tasks_of[future.key])
                del tasks_of[future.key]
                yield from results
            time.sleep(LOOK_S)

    def _results(self, sweep: Sweep, tasks: Sequence[Task], future: Any) -> list[dict[str, Any]] | None:
        """Return the results of ended tasks; none where they died together and are to be run one by one.

        None if their worker died: Dask runs them again.
        """
        try:
            return list(future.result(timeout=CONNECT_S))
        except distributed.scheduler.KilledWorker:
            return [record_failure(sweep, tasks[0], DIED)] if len(tasks) == 1 else []
        except TimeoutError:
            if future.status == "error":
                raise
            return None

    def _n_workers(self) -> int:
        """Return the recent number of workers.

        Raises
        ------
        TimeoutError
            When the scheduler is silent.
        ScenarioError
            When there was no worker for `NO_WORKER_S`.
        """
        now = time.monotonic()
        if now - self._counted > COUNT_S:
            self._counted, self._count = now, len(self._client.nthreads(callback_timeout=SILENT_S))
        if self._count:
            self._seen = now
        elif now - self._seen > NO_WORKER_S:
            raise ScenarioError(f"there has been no worker for {NO_WORKER_S:.0f} s; start some: {GOES_ON}")
        return self._count


def check_workers(workers: int, scheduler: str, batch: int = 0) -> None:
    """Refuse an invalid number of workers, address or size of batches, before a folder is made.

    Raises
    ------
    ScenarioError
    """
    if workers < 0:
        raise ScenarioError(f"workers: expected at least 1, or 0 for one a core, got {workers}")
    check_batch(batch)
    if workers and scheduler:
        raise ScenarioError(
            f"--workers {workers} would start processes on this machine, and the scheduler {scheduler} has "
            f"workers of its own; leave one of the two out"
        )
    if scheduler:
        _check_address(scheduler)


def _check_address(address: str) -> None:
    """Raise ScenarioError for an invalid address, for which Dask takes long and prints many lines."""
    try:
        scheme, place = parse_address(address)
        get_backend(scheme)
        parse_host_port(place)
        if scheme == "tls" and distributed.Security().get_connection_args("client")["ssl_context"] is None:
            raise ValueError("tls needs certificates, in Dask's configuration under distributed.comm.tls")
    except ValueError as error:
        raise ScenarioError(f"scheduler: expected an address such as tcp://10.0.0.1:8786; {error}") from error


@contextmanager
def _afterwards(safe_path: str | None) -> Iterator[None]:
    """Give this process its variable back at the end: Dask sets it here, for all programs started later."""
    try:
        yield
    finally:
        if safe_path is None:
            os.environ.pop(SAFE_PATH, None)


@contextmanager
def _scheduler(n_workers: int, address: str) -> Iterator[str]:
    """Yield the address of the given scheduler, or of a new local scheduler with workers."""
    if address:
        yield address
        return
    memory = max(LEAST_MEMORY, int(distributed.system.MEMORY_LIMIT / n_workers))
    before = os.environ.get(SAFE_PATH)
    # A simulator may keep the interpreter for seconds: a worker that is silent is busy, not dead.
    with (
        _afterwards(before),
        dask.config.set(
            {
                "distributed.scheduler.worker-ttl": None,
                "distributed.admin.tick.limit": "1h",
                # A signal.py or types.py in the working directory must not hide that of Python.
                f"distributed.nanny.pre-spawn-environ.{SAFE_PATH}": "1",
            }
        ),
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            memory_limit=memory,
            dashboard_address="127.0.0.1:0",  # any free port: sweeps may run side by side
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address


def _share_of_cores(sweep: Sweep, task: Task, threads: int) -> dict[str, Any]:
    """Return the settings that give a task's simulator its share of the cores, unless the user set them."""
    point, base = sweep.points[task.point], sweep.base_settings.get("simulator", {})
    name, chosen = (point.get(f"simulator.{key}", base.get(key)) for key in ("name", "threads"))
    return {} if chosen or name not in THREADED else {"simulator": {"threads": threads}}


class TaskWorker(distributed.WorkerPlugin):
    """Prepares a worker: it keeps the last wiring between tasks, and leaves Ctrl-C to the main process."""

    name = "ethospike"

    def setup(self, worker: distributed.Worker) -> None:
        """Prepare the worker before its first task."""
        with suppress(ValueError):  # a cluster whose workers are threads of something else
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Dask looks at the stacks of all threads a hundred times a second. In CPython 3.11 that deadlocks
        # when garbage is collected while a thread starts: once in 1,600 runs of the published grid search.
        worker.periodic_callbacks["profile"].stop()
        self.wirings: list[Wiring] = []

    def teardown(self, worker: distributed.Worker) -> None:
        """Release the worker's resources."""
        self.wirings.clear()


def _run_in_worker(
    path: str, numbers: list[int], settings: dict[str, Any], retry_failed: bool
) -> list[dict[str, Any]]:
    """Run tasks; if another process runs one, such as a worker believed dead, wait for its result."""
    folder = Path(path)
    plugin = distributed.get_worker().plugins[TaskWorker.name]
    wirings = plugin.wirings if isinstance(plugin, TaskWorker) else []
    while True:
        try:
            with shared_wiring(wirings):
                return list(run_tasks(folder, numbers, settings, retry_failed=retry_failed))
        except RunFolderError:
            sweep = Sweep.open(folder)
            if not any(is_being_written(sweep.folder(number) / RESULT) for number in numbers):
                raise
            time.sleep(1.0)
