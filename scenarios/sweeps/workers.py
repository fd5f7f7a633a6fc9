"""Runs the tasks of a sweep on Dask: worker processes of its own, or those of a scheduler that is there.

In: a sweep and the tasks that wait. Out: their results, as they come in, whatever happens to workers. This
file knows nothing of what a task does. It needs Dask, so it is imported only where a sweep is run.
"""

from __future__ import annotations

import logging
import math
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

from ethospike.brains.numba.bit_matrix import Wiring, shared_wiring
from ethospike.brains.simulator.settings import THREADED
from ethospike.brains.threads import cores
from ethospike.errors import RunFolderError, ScenarioError
from ethospike.recorders.lock import is_being_written
from ethospike.scenarios.sweeps.folder import RESULT, Sweep, Task
from ethospike.scenarios.sweeps.task import record_failure, run_task

LEAST_MEMORY = 1_000_000_000
"""Bytes that a worker may use at least: packages and a 25,000-neuron cortex take 400 MB."""
AHEAD = 3
"""Tasks that the scheduler holds for each worker: enough that none waits for the next one."""
CONNECT_S = 20.0
"""How long a scheduler is given to answer."""
SILENT_S = 60.0
"""How long a scheduler may be silent, as on a machine that hangs, before it counts as lost."""
NO_WORKER_S = 300.0
"""How long a sweep waits for workers where there is none: a cluster has started others by then."""
LOOK_S, COUNT_S = 0.05, 1.0
"""Wall time between two looks for results, short against a task, and between two counts of the workers."""
DIED = "the process that ran it died each time that it was tried: too little memory, or a crash"
GOES_ON = "what is finished is kept, and `ethospike resume FOLDER` goes on"

Run = Callable[[Sweep, Sequence[Task]], Iterator[dict[str, Any]]]
"""Runs tasks of a sweep and yields their results as they come in."""


@contextmanager
def open_workers(workers: int = 0, scheduler: str = "", *, retry_failed: bool = False) -> Iterator[Run]:
    """Start workers, or find them, for as long as the context lasts.

    Parameters
    ----------
    workers : int
        Processes on this machine; 0 is one for each core. They share its cores and its memory.
    scheduler : str
        Address of a running Dask scheduler, such as `tcp://10.0.0.1:8786`, whose workers, of one thread
        each, see the sweep's folder under the same path; empty to start processes here.
    retry_failed : bool
        Run tasks again that have failed.

    Raises
    ------
    ScenarioError
        When the scheduler does not answer, or is lost on the way, or has no workers for `NO_WORKER_S`.
    """
    check_workers(workers, scheduler)
    for name in ("distributed", "distributed.client", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say ourselves what happens to workers
    n_workers = workers or cores()
    # Whoever lends workers by a scheduler has decided how many share a machine: one thread each.
    threads = 1 if scheduler else max(1, cores() // n_workers)
    trouble = "does not answer"
    try:
        with (
            _scheduler(n_workers, scheduler) as address,
            distributed.Client(address, timeout=CONNECT_S, set_as_default=False) as client,
        ):
            trouble = "is gone, or cannot be reached any more"
            client.register_plugin(TaskWorker())
            yield _Runner(client, threads, retry_failed)
    except (OSError, CommClosedError, FutureCancelledError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of this machine, not of Dask
        raise ScenarioError(f"the scheduler {scheduler or 'on this machine'} {trouble}; {GOES_ON}") from error


class _Runner:
    """Hands tasks to a scheduler, a few ahead of its workers, and yields results as they come in."""

    def __init__(self, client: distributed.Client, threads: int, retry_failed: bool) -> None:
        self._client, self._threads, self._retry_failed = client, threads, retry_failed
        self._counted, self._count, self._seen = -math.inf, 0, 0.0

    def __call__(self, sweep: Sweep, tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
        waiting = deque(tasks)
        path = str(sweep.path.resolve())
        ended = distributed.as_completed(loop=self._client.loop)
        task_of: dict[Any, Task] = {}
        self._seen = time.monotonic()
        while waiting or task_of:
            while waiting and len(task_of) < AHEAD * max(1, self._n_workers()):
                task = waiting.popleft()
                settings = _share_of_cores(sweep, task, self._threads)
                arguments = (path, task.number, settings, self._retry_failed)
                future = self._client.submit(_run_in_worker, *arguments, pure=False)
                task_of[future.key] = task
                ended.add(future)
            self._n_workers()
            for future in ended.next_batch(block=False):
                result = self._result(sweep, task_of[future.key], future)
                if result is None:
                    ended.add(future)
                    continue
                del task_of[future.key]
                yield result
            time.sleep(LOOK_S)

    def _result(self, sweep: Sweep, task: Task, future: Any) -> dict[str, Any] | None:
        """Return the result of a task that has ended; None if its worker died with it: Dask runs it again."""
        try:
            return dict(future.result(timeout=CONNECT_S))
        except distributed.scheduler.KilledWorker:
            return record_failure(sweep, task, DIED)
        except TimeoutError:
            if future.status == "error":
                raise
            return None

    def _n_workers(self) -> int:
        """Return how many workers there were a moment ago.

        Raises
        ------
        TimeoutError
            When the scheduler is silent.
        ScenarioError
            When no worker came for long.
        """
        now = time.monotonic()
        if now - self._counted > COUNT_S:
            self._counted, self._count = now, len(self._client.nthreads(callback_timeout=SILENT_S))
        if self._count:
            self._seen = now
        elif now - self._seen > NO_WORKER_S:
            raise ScenarioError(f"there has been no worker for {NO_WORKER_S:.0f} s; start some: {GOES_ON}")
        return self._count


def check_workers(workers: int, scheduler: str) -> None:
    """Refuse workers or an address that nothing can come of, before anything is made for them.

    Raises
    ------
    ScenarioError
    """
    if workers < 0:
        raise ScenarioError(f"workers: expected at least 1, or 0 for one a core, got {workers}")
    if workers and scheduler:
        raise ScenarioError(
            f"--workers {workers} would start processes on this machine, and the scheduler {scheduler} has "
            f"workers of its own; leave one of the two out"
        )
    if scheduler:
        _check_address(scheduler)


def _check_address(address: str) -> None:
    """Raise ScenarioError for what is no address: Dask would take long to say so, in many lines."""
    try:
        scheme, place = parse_address(address)
        get_backend(scheme)
        parse_host_port(place)
        if scheme == "tls" and distributed.Security().get_connection_args("client")["ssl_context"] is None:
            raise ValueError("tls needs certificates, in Dask's configuration under distributed.comm.tls")
    except ValueError as error:
        raise ScenarioError(f"scheduler: expected an address such as tcp://10.0.0.1:8786; {error}") from error


@contextmanager
def _scheduler(n_workers: int, address: str) -> Iterator[str]:
    """Yield the address of a scheduler: the one that is given, or one of ours with workers."""
    if address:
        yield address
        return
    memory = max(LEAST_MEMORY, int(distributed.system.MEMORY_LIMIT / n_workers))
    # A simulator may keep the interpreter for seconds: a worker that is silent is busy, not dead.
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": None, "distributed.admin.tick.limit": "1h"}),
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
    """Return the settings that give a task's simulator its share of the cores, unless the user chose."""
    point, base = sweep.points[task.point], sweep.base_settings.get("simulator", {})
    name, chosen = (point.get(f"simulator.{key}", base.get(key)) for key in ("name", "threads"))
    return {} if chosen or name not in THREADED else {"simulator": {"threads": threads}}


class TaskWorker(distributed.WorkerPlugin):
    """Prepares a worker: the last wiring is kept between tasks, and Ctrl-C is for the one who asked."""

    name = "ethospike"

    def setup(self, worker: distributed.Worker) -> None:
        """Begin."""
        with suppress(ValueError):  # a cluster whose workers are threads of something else
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Dask looks at the stacks of all threads a hundred times a second. In CPython 3.11 that deadlocks
        # when garbage is collected while a thread starts: once in 1,600 runs of the published grid search.
        worker.periodic_callbacks["profile"].stop()
        self.wirings: list[Wiring] = []

    def teardown(self, worker: distributed.Worker) -> None:
        """End."""
        self.wirings.clear()


def _run_in_worker(path: str, number: int, settings: dict[str, Any], retry_failed: bool) -> dict[str, Any]:
    """Run a task; if another process runs it, as when a worker was believed dead, wait for that."""
    folder = Path(path)
    plugin = distributed.get_worker().plugins[TaskWorker.name]
    wirings = plugin.wirings if isinstance(plugin, TaskWorker) else []
    while True:
        try:
            with shared_wiring(wirings):
                return run_task(folder, number, settings, retry_failed=retry_failed)
        except RunFolderError:
            if not is_being_written(Sweep.open(folder).folder(number) / RESULT):
                raise
            time.sleep(1.0)
