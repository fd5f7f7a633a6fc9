"""Self-test of the installed simulators, with advice for those that fail.

The self-test is a short part of the conformance suite. Each simulator runs in a separate process, so that a
crash does not end the test of the others.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.table import Column, Table
from rich.text import Text

from ethospike.brains.network import Network
from ethospike.brains.simulator import SIMULATORS, is_installed
from ethospike.errors import ScenarioError
from ethospike.scenarios.registry import load_file
from ethospike.scenarios.terminal import console

SELF_TEST_CHECKS = ("check_first_spike_latency", "check_delays", "check_same_seed_same_spikes")
"""Checks of the conformance suite: time, events and seeds; a few seconds for all simulators."""
DEFAULT_SIMULATOR = "numba"
"""The simulator with kernels that are compiled at their first use."""
TIMEOUT_S = 600.0
"""Time limit of a simulator's self-test (s). The first one of Numba compiles, in 13 s of processor time (EPYC
and Numba 0.68.1): the limit is reached where it gets a fortieth of a core, or hangs."""
LOADING_S = 5.0
"""Processor time of a self-test before it compiles or simulates (s); the packages are loaded in 2 s."""


@dataclass(frozen=True)
class Diagnosis:
    """The examination of a simulator: presence, description, test result, advice."""

    name: str
    installed: bool
    version: str
    works: bool
    detail: str


def diagnose(name: str) -> Diagnosis:
    """Examine one simulator."""
    if not is_installed(name):
        return Diagnosis(name, installed=False, version="–", works=False, detail=SIMULATORS[name].remedy)
    try:
        version = importlib.metadata.version(SIMULATORS[name].distribution)
    except importlib.metadata.PackageNotFoundError:  # built from source, as NEST often is: a module alone
        version = "unknown"
    begin, used_before_s = time.monotonic(), _used_by_children_s()
    try:
        done = subprocess.run(
            # -P: a nest.py of the working directory must not be taken for NEST.
            [sys.executable, "-P", "-m", "ethospike.scenarios.command.doctor", name],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        detail = unfinished(_used_by_children_s() - used_before_s)
        return Diagnosis(name, True, version, works=False, detail=detail)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    detail = lines[-1] if lines else f"ended with exit code {done.returncode}"
    if done.returncode == 0:
        detail = f"{detail}; self-test passed in {time.monotonic() - begin:.1f} s"
    return Diagnosis(name, True, version, done.returncode == 0, detail)


def unfinished(used_s: float) -> str:
    """Return the advice for a self-test that reached the time limit and used a processor for `used_s`."""
    detail = f"self-test took over {TIMEOUT_S:.0f} s, with {used_s:.0f} s of processor time"
    if used_s < LOADING_S:
        return f"{detail}: it hangs, or other processes leave it no processor"
    return f"{detail}; try again when other processes have ended: kernels that were compiled are kept"


def _used_by_children_s() -> float:
    """Return the processor time of all processes that this one started, and that ended (s)."""
    import resource  # absent on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report() -> bool:
    """Print the examination of all simulators; return True if every installed simulator works."""
    out = console()
    out.print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    for name, entry in SIMULATORS.items():
        for program, command in entry.programs:
            where = shutil.which(command) or f"not found (only {name} needs it)"
            out.print(Text(f"{program}: {where}"), soft_wrap=True)
    table = Table("simulator", "version", "works", Column("detail", overflow="fold"))
    diagnoses = [diagnose(name) for name in SIMULATORS]
    for diagnosis in diagnoses:
        works = "yes" if diagnosis.works else "NO" if diagnosis.installed else "not installed"
        table.add_row(diagnosis.name, diagnosis.version, works, Text(diagnosis.detail))
    out.print(table)
    return all(diagnosis.works for diagnosis in diagnoses if diagnosis.installed)


def self_test(name: str) -> str:
    """Run the checks on a simulator and return the description of its backend.

    Raises
    ------
    ConformanceError
        When a check fails.
    """
    from ethospike.brains.conformance import CHECKS
    from ethospike.brains.network import Network, Population
    from ethospike.brains.simulator import SimulatorSettings, open_simulator

    settings = SimulatorSettings(name=name)
    checks = {check.__name__: check for check in CHECKS}
    for name_of_check in SELF_TEST_CHECKS:
        checks[name_of_check](lambda network, **options: open_simulator(network, settings, **options))
    if name == DEFAULT_SIMULATOR:
        compile_kernels()
    with open_simulator(Network((Population("E", 1, "iaf_psc_exp"),)), settings, seed=1) as simulator:
        return simulator.backend


def compile_kernels() -> None:
    """Run a step of a larva and of a reacher, so that kernels are compiled before the first run."""
    from ethospike.agents.larva import LarvaAgent
    from ethospike.agents.reacher import ReacherAgent
    from ethospike.brains.simulator import SimulatorSettings
    from ethospike.envs.delayed_reach import DelayedReachVectorEnv
    from ethospike.envs.odor_arena import OdorArenaVectorEnv

    settings = SimulatorSettings(name=DEFAULT_SIMULATOR)
    for env, agent in (
        (OdorArenaVectorEnv(2), LarvaAgent(animals=2, seed=1, simulator=settings)),
        (DelayedReachVectorEnv(2), ReacherAgent(animals=2, seed=1, simulator=settings)),
    ):
        observation, _ = env.reset(seed=1)
        with agent:
            env.step(agent.act(observation).action)


if __name__ == "__main__":
    print(self_test(sys.argv[1]))


def load_network(place: str) -> Network:
    """Return the network at `FILE:NAME`: a `Network`, or a function that returns one.

    Raises
    ------
    ScenarioError
        When the file, the name or the network does not exist.
    """
    file, _, name = place.rpartition(":")
    if not file.endswith(".py") or not name:
        raise ScenarioError(f"--network: expected FILE:NAME, such as my_brain.py:network, got {place!r}")
    module = load_file(Path(file), name)
    network = getattr(module, name, None)
    if callable(network):
        network = network()
    if not isinstance(network, Network):
        raise ScenarioError(
            f"{file} defines no {name!r} that is a Network, or a function without arguments that returns one"
        )
    return network


def report_engine(place: str) -> None:
    """Print the engine that runs the network at `FILE:NAME`, with the reasons for and against each."""
    from ethospike.brains.numba.choice import choose

    network = load_network(place)
    chosen = choose(network)
    table = Table("engine of numba", "runs it", Column("reason", overflow="fold"))
    table.add_row(chosen.engine, "yes", chosen.because)
    for name, reason in chosen.instead.items():
        table.add_row(name, "no", reason)
    console().print(table)
