"""The threads that all brains of a process share."""

import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from ethospike.brains.threads import cores, helpers, run_all, share

FORK = """
import os
from ethospike.brains.threads import helpers

assert helpers().submit(len, "four").result(timeout=30) == 4
child = os.fork()
if child == 0:
    os._exit(helpers().submit(len, "seven").result(timeout=30))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_there_is_one_queue_and_never_more_threads_than_cores() -> None:
    assert helpers() is helpers()
    assert helpers()._max_workers == max(1, cores() - 1)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_calls_from_the_threads_that_are_there(threads: int) -> None:
    together = threading.Barrier(min(threads, 2))
    used = []

    def call(number: int) -> int:
        used.append(threading.current_thread().name)
        if number < 2:
            together.wait(timeout=60)  # with one thread alone, this would not end
        return number**2

    assert run_all([partial(call, number) for number in range(40)], threads) == [n**2 for n in range(40)]
    assert len(used) == 40
    assert threading.current_thread().name in used
    helping = {name for name in used if name.startswith("ethospike-helper")}
    assert len(helping) == len(set(used)) - 1 < max(2, cores())
    assert (len(helping) == 0) == (threads == 1)
    assert run_all([], threads) == []


def test_an_error_comes_when_no_call_is_running_any_more() -> None:
    running = []

    def call(number: int) -> None:
        running.append(number)
        time.sleep(0.01)
        running.remove(number)
        if number == 1:
            raise ValueError("number 1")

    with pytest.raises(ValueError, match="number 1"):
        run_all([partial(call, number) for number in range(4)], 2)
    assert running == []


def test_an_interruption_comes_when_no_helper_is_at_work_any_more() -> None:
    """After Ctrl-C helpers of the engine of lists once wrote on into its state."""
    running, started = [], threading.Event()

    def work() -> None:
        if threading.current_thread() is threading.main_thread():
            assert started.wait(timeout=60)
            raise KeyboardInterrupt
        running.append(1)
        started.set()
        time.sleep(0.05)
        running.remove(1)

    with pytest.raises(KeyboardInterrupt):
        share(work, 2)
    assert started.is_set()
    assert running == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_gets_threads_of_its_own() -> None:
    """It has none of its parent's, and would wait for them for ever."""
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "5"
