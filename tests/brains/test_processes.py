"""Several simulators at once, notebooks that raised, and forks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import Simulator, SimulatorSettings, close_all, open_simulator
from ethospike.errors import SimulatorUnavailable

NETWORK = Network([Population("E", 2, "iaf_psc_exp", {"I_e": 500.0})])


def opened(name: str) -> Simulator:
    return open_simulator(NETWORK, SimulatorSettings(name), seed=1)


@pytest.mark.simulator("nest")
def test_a_cell_that_raised_does_not_keep_nest_for_ever() -> None:
    """Only a restart helped: the traceback that a notebook shows keeps the simulator alive."""
    try:
        kept = opened("nest")
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        shown = error
    with pytest.raises(SimulatorUnavailable, match=r"simulator\.close_all\(\) closes all that are"):
        opened("nest")
    close_all()
    close_all()
    with opened("nest") as simulator:
        assert len(simulator.run(1000)) > 0
    with pytest.raises(SimulatorUnavailable, match="was closed"):
        kept.run(10)
    assert shown.__traceback__ is not None


@pytest.mark.simulator("numba")
def test_all_simulators_are_closed() -> None:
    simulators = [opened("numba"), opened("numba")]
    simulators[0].close()
    close_all()
    for simulator in simulators:
        with pytest.raises(SimulatorUnavailable, match="was closed"):
            simulator.run(10)


FORK = """if True:
    import os, sys, warnings
    import numpy as np
    warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 for any fork beside threads
    {begin}

    def in_child():
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                words = work()
            except Exception as error:
                words = f"{{type(error).__name__}}: {{error}}"
            os.write(write, words.encode())
            os._exit(0)
        os.close(write)
        answer = open(read).read()
        os.waitpid(pid, 0)
        return answer

    print(in_child())
    print(work())
"""


def forked(begin: str) -> list[str]:
    """Return the answer of a child and that of its parent; a hang fails."""
    code = FORK.format(begin=begin.strip().replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.simulator("nest")
def test_nest_refuses_to_work_in_a_fork() -> None:
    """It hung."""
    child, parent = forked(
        """
from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import SimulatorSettings, open_simulator
network = Network([Population("E", 2, "iaf_psc_exp", {"I_e": 500.0})])
simulator = open_simulator(network, SimulatorSettings("nest", threads=2), seed=1)
simulator.run(100)
def work():
    return str(len(simulator.run(1000)))
"""
    )
    assert child.startswith("SimulatorUnavailable: NEST was loaded before this process was forked")
    assert "multiprocessing.get_context('spawn')" in child
    assert int(parent) > 0
    child, parent = forked(
        """
from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import SimulatorSettings, open_simulator
network = Network([Population("E", 2, "iaf_psc_exp", {"I_e": 500.0})])
open_simulator(network, SimulatorSettings("nest"), seed=1).close()
def work():
    with open_simulator(network, SimulatorSettings("nest"), seed=1) as simulator:
        return str(len(simulator.run(1000)))
"""
    )
    assert child.startswith("SimulatorUnavailable: NEST was loaded before")
    assert int(parent) > 0


@pytest.mark.simulator("numba")
def test_trains_that_are_drawn_ahead_survive_a_fork() -> None:
    """The child waited for ever for a thread that had not come along."""
    child, parent = forked(
        """
from ethospike.brains.spike_trains.sources import GammaSource
source = GammaSource(400, 3.0, seed=1, ahead=True)
rate_hz = np.full((1, 400), 3000.0)
source.window(1, 1000, rate_hz)
assert source._drawing is not None
def work():
    return " ".join(str(int(column.sum())) for column in source.window(1001, 1000, rate_hz))
"""
    )
    assert child == parent
    assert np.all([int(word) > 100_000 for word in parent.split()[::2]])
