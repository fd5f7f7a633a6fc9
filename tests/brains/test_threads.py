"""The threads that all brains of a process share."""

import os
import subprocess
import sys

import pytest

from ethospike.brains.threads import cores, helpers

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_gets_threads_of_its_own() -> None:
    """It has none of its parent's, and would wait for them for ever."""
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "5"
