"""The threads that work beside the main one, shared by all brains of the process.

In: calls of compiled code that frees the interpreter's lock. Out: their results, as futures. One queue for
everything, in the order in which it is handed over: what must be ready first is done first, and there are
never more threads at work than cores.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def helpers() -> ThreadPoolExecutor:
    """Return the threads beside the main one; they start on demand."""
    return ThreadPoolExecutor(max(1, cores() - 1), "ethospike-helper")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=helpers.cache_clear)  # a fork has the main thread only
