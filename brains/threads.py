"""The threads beside the main one, shared by all brains of the process.

One queue holds everything that Numba draws, wires or simulates, in the order of the calls: earlier calls are
done first, and no more threads are at work on the queue than there are cores (but one beside the main one in
any case). NEST's threads are its own, and so are those that wait for a disk.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
NAME = "ethospike-helper"
"""Beginning of the names of the threads."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def helpers() -> ThreadPoolExecutor:
    """Return the threads beside the main one; they start on demand."""
    return ThreadPoolExecutor(max(1, cores() - 1), NAME)


def run_all(calls: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """Return the results of calls, made in turn by this thread and up to `threads` - 1 helpers.

    Whoever is free takes the next call. An error of a call is raised when none is running any more.
    """
    results: dict[int, T] = {}
    turn = iter(range(len(calls)))  # shared: with the interpreter's lock, each number is given out once

    def work() -> None:
        for index in turn:
            results[index] = calls[index]()

    share(work, min(threads, len(calls)))
    return [results[index] for index in range(len(calls))]


def share(work: Callable[[], object], threads: int) -> None:
    """Call `work` in this thread and in `threads` - 1 helpers at once; the calls divide the work themselves.

    An error of a call, or an interruption, is raised when none is running any more: until then helpers write
    into arrays of the caller.
    """
    others = [helpers().submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        if others:
            wait(others)
    for other in others:
        other.result()


def _end_helpers() -> None:
    """Wait until the helpers have done their work, and end them; they start again on demand.

    A fork has the main thread only, and would wait for ever for a result that a helper owes.
    """
    is_helper = threading.current_thread().name.startswith(NAME)
    if helpers.cache_info().currsize and not is_helper:
        ended = helpers()
        helpers.cache_clear()
        ended.shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_end_helpers, after_in_child=helpers.cache_clear)
