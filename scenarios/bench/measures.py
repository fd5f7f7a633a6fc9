"""The measurements behind `ethospike bench`, one row at a time.

The module runs in a separate process for each `Row`: it reads the row as JSON from the command line and
prints the result as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import ethospike.envs  # noqa: F401  # registers the environments
from ethospike.agents.larva import LarvaAgent
from ethospike.agents.reacher import ReacherConfig
from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS, clustered_cortex
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig, mushroom_body
from ethospike.brains.network import Network
from ethospike.brains.simulator import Stimulus, open_simulator
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.bench.rows import Row, peak_memory_mb, resident_mb
from ethospike.scenarios.loop import LoopState, run_closed_loop, start_loop
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.odor.stimuli import odor_stimuli
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.scenario import SCENARIO as DELAYED_REACH
from ethospike.scenarios.run.layout import describe
from ethospike.scenarios.run.runner import run_scenario

WARM_UP_MS = 200.0
"""Simulated time before the clock starts: compilation, first touch of memory, transient of the network."""
BUSY_J_PLUS = 8.0
"""J_E+ of the timed network of 25,000 neurons. At this value a cluster is always active and the network fires
at about 7 Hz, like the networks of the published timings (6 to 10 Hz); with clusters that take turns it fires
at 1 Hz."""


def measure(row: Row) -> dict[str, Any]:
    """Measure a row in this process."""
    if row.kind == "network":
        return measure_network(row)
    if row.kind == "loop":
        return measure_loop(row)
    if row.kind == "steps":
        return measure_steps(row)
    if row.kind == "growth":
        return measure_growth(row)
    if row.kind == "reach":
        return measure_reach(row)
    if row.kind == "fly":
        from ethospike.scenarios.bench.fly import measure_fly

        return measure_fly(row)
    if row.kind in ("conformance", "parity", "grid"):
        from ethospike.scenarios.bench import gpu_measures  # loads the conformance suite

        return gpu_measures.MEASURES[row.kind](row)
    if row.kind == "scale":
        from ethospike.scenarios.bench.scale import measure_scale  # loads Matplotlib

        return measure_scale(row)
    return measure_scenario(row)


def network_of(name: str) -> Network:
    """Return a benchmark's network."""
    if name == "mushroom body":
        return mushroom_body(MushroomBodyConfig())
    if name != "large":
        return clustered_cortex(PARAMETER_SETS[name])
    return clustered_cortex(dataclasses.replace(PARAMETER_SETS["large"], j_plus=BUSY_J_PLUS))


def measure_network(row: Row) -> dict[str, Any]:
    """Time a network with its input in windows of `interval_ms`, without a body and without recording."""
    network = network_of(row.network)
    begin = time.perf_counter()
    with open_simulator(network, row.settings, seed=1, animals=row.animals) as simulator:
        build_s = time.perf_counter() - begin
        n_steps = round(row.interval_ms / simulator.dt_ms)
        windows = round((WARM_UP_MS + row.seconds * 1000.0) / row.interval_ms)
        stimuli = odor_stimuli(network, row.animals, n_steps, windows)
        warm = round(WARM_UP_MS / row.interval_ms)
        for stimulus in stimuli[:warm]:
            simulator.run(n_steps, stimulus)
        spikes, begin = 0, time.perf_counter()
        for stimulus in stimuli[warm:]:
            spikes += len(simulator.run(n_steps, stimulus))
        wall_s = time.perf_counter() - begin
        backend = simulator.backend
    biological_s = (windows - warm) * row.interval_ms / 1000.0
    return {
        "backend": backend,
        "build_s": build_s,
        "wall_per_s": wall_s / biological_s,
        "window_ms": 1000.0 * wall_s / (windows - warm),
        "rate_hz": spikes / (network.n_neurons * row.animals * biological_s),
        "memory_mb": peak_memory_mb(),
    }


def measure_loop(row: Row) -> dict[str, Any]:
    """Time the closed loop with recording and the bare brain with the same input, in turns.

    The bare brain is the simulator with plasticity, run in windows of the same length with inputs that were
    made before.
    """
    config = ConditioningConfig(
        control_interval_ms=row.interval_ms,
        cycles=1,
        odor_s=row.seconds,
        blank_s=0.0,
        gap_s=0.0,
        test_s=0.0,
        simulator=row.settings,
    )
    loops, bares = [], []
    _time_loop(SCENARIO, dataclasses.replace(config, odor_s=1.0))  # kernels are compiled, or read from disk
    for _ in range(3):
        loop_s, inputs, network = _time_loop(SCENARIO, config)
        loops.append(loop_s)
        bares.append(_time_bare(network, config, inputs))
    ratios = sorted(a / b for a, b in zip(loops, bares, strict=True))
    return {
        "wall_per_s": sorted(loops)[1] / row.seconds,
        "bare_wall_per_s": sorted(bares)[1] / row.seconds,
        "loop_over_bare": ratios[1],
        "loop_over_bare_range": [ratios[0], ratios[-1]],
        "memory_mb": peak_memory_mb(),
    }


def measure_steps(row: Row) -> dict[str, Any]:
    """Count the control steps a second of the loop that a user writes, through Gymnasium's wrappers.

    The median of five pieces, after a warm-up; nothing is recorded.
    """
    env = gymnasium.make(row.network, control_interval_ms=row.interval_ms)
    steps, rates = round(row.seconds * 1000.0 / row.interval_ms / 6), []
    with LarvaAgent.for_env(env, seed=1, simulator=row.settings) as agent:
        observation, _ = env.reset(seed=1)
        for _ in range(6):
            begin = time.perf_counter()
            for _ in range(steps):
                decision = agent.act(observation)
                observation, reward, terminated, truncated, _ = env.step(decision.action)
                agent.learn(float(reward), terminated, truncated)
            rates.append(steps / (time.perf_counter() - begin))
    per_s = sorted(rates[1:])[2]
    return {
        "steps_per_s": per_s,
        "wall_per_s": 1000.0 / row.interval_ms / per_s,
        "memory_mb": peak_memory_mb(),
    }


class _Keep(Recorder):
    """A recorder that keeps every stimulus, counts spikes, and passes the record on."""

    def __init__(self, inner: Recorder) -> None:
        self.inner = inner
        self.stimuli: list[Any] = []
        self.n_spikes = 0

    def record(self, record: StepRecord) -> None:
        self.stimuli.append(record.stimulus)
        self.n_spikes += 0 if record.spikes is None else len(record.spikes.step)
        self.inner.record(record)

    def close(self, status: str = "complete") -> None:
        self.inner.close(status)


def _time_loop(scenario: Any, config: Any) -> tuple[float, list[Stimulus], Network]:
    """Run the closed loop with a recorder; return its time and the input of each window."""
    with tempfile.TemporaryDirectory() as folder:
        env, agent = scenario.open(config)
        with agent:
            layout = describe(env, agent, dt_ms=config.dt_ms)
            with _Keep(ZarrRecorder(Path(folder) / "recording.zarr", layout, config.recorder)) as recorder:
                loop = start_loop(env, agent, seed=config.seed)
                begin = time.perf_counter()
                run_closed_loop(env, agent, recorder, loop)
                wall_s = time.perf_counter() - begin
        network = agent.network
    return wall_s, recorder.stimuli, network


def _time_bare(network: Network, config: Any, inputs: Sequence[Stimulus]) -> float:
    """Time the simulator alone with the inputs of a run."""
    n_steps = round(config.control_interval_ms / config.dt_ms)
    with open_simulator(network, config.simulator, seed=config.seed, dt_ms=config.dt_ms) as simulator:
        begin = time.perf_counter()
        for stimulus in inputs:
            simulator.run(n_steps, stimulus)
        return time.perf_counter() - begin


def measure_scenario(row: Row) -> dict[str, Any]:
    """Time the whole odor-conditioning scenario, recording included.

    The compile time is the difference between two starts, the first with an empty cache.
    """
    scale = row.seconds / 1800.0
    config = ConditioningConfig(
        animals=row.animals,
        control_interval_ms=row.interval_ms,
        odor_s=round(150.0 * scale, 1),
        blank_s=round(150.0 * scale, 1),
        gap_s=round(60.0 * scale, 1),
        test_s=round(240.0 * scale, 1),
        simulator=row.settings,
    )
    warm = dataclasses.replace(config, cycles=0, gap_s=0.5, test_s=0.0)
    with tempfile.TemporaryDirectory() as folder:
        starts_s = []
        for name in ("first", "second"):
            begin = time.perf_counter()
            run_scenario(SCENARIO, warm, Path(folder) / name, quiet=True, draw=False)
            starts_s.append(time.perf_counter() - begin)
        result = run_scenario(SCENARIO, config, Path(folder) / "run", quiet=True, draw=False)
        info = result.folder.info
        size = sum(p.stat().st_size for p in result.folder.recording.rglob("*") if p.is_file())
    return {
        "backend": info["backend"],
        "compile_s": starts_s[0] - starts_s[1],
        "start_s": starts_s[1],
        "whole_s": info["wall_s"],
        "wall_per_s": info["loop_wall_s"] / info["simulated_s"],
        "recording_mb": size / 1e6,
        "memory_mb": peak_memory_mb(),
    }


def measure_reach(row: Row) -> dict[str, Any]:
    """Time every step of the closed loop of the reach task, recording included."""
    cortex = PARAMETER_SETS[row.network]
    config = DelayedReachConfig(
        control_interval_ms=row.interval_ms,
        minutes=(WARM_UP_MS / 1000.0 + row.seconds) / 60.0,
        reacher=ReacherConfig(cortex=cortex),
        simulator=row.settings,
    )
    begin = time.perf_counter()
    env, opened = DELAYED_REACH.open(config)
    agent: Any = opened
    build_s = time.perf_counter() - begin
    turned = []

    def note(loop: LoopState) -> bool:
        turned.append(time.perf_counter())
        return True

    with tempfile.TemporaryDirectory() as folder, agent:
        layout = describe(env, agent, dt_ms=config.dt_ms)
        with _Keep(ZarrRecorder(Path(folder) / "recording.zarr", layout, config.recorder)) as recorder:
            run_closed_loop(env, agent, recorder, start_loop(env, agent, seed=config.seed), note)
        neurons, backend = agent.network.n_neurons, agent.simulator.backend
    warm = round(WARM_UP_MS / row.interval_ms)
    loop_ms = 1000.0 * np.diff(turned)[warm:]
    return {
        "backend": backend,
        "neurons": neurons,
        "build_s": build_s,
        "loop_ms": float(loop_ms.mean()),
        "loop_median_ms": float(np.median(loop_ms)),
        "loop_99_ms": float(np.percentile(loop_ms, 99)),
        "wall_per_s": float(loop_ms.mean()) / row.interval_ms,
        "rate_hz": recorder.n_spikes / (neurons * len(recorder.stimuli) * row.interval_ms / 1000.0),
        "memory_mb": peak_memory_mb(),
    }


def measure_growth(row: Row) -> dict[str, Any]:
    """Compare time and memory of two equal training phases of a whole run, the second and the last.

    Time is the median processor time of a control step outside the simulator, so that other programs and the
    number of spikes do not count. Memory is resident memory.
    """
    scale = row.seconds / 1800.0
    config = ConditioningConfig(
        control_interval_ms=row.interval_ms,
        odor_s=round(150.0 * scale, 1),
        blank_s=round(150.0 * scale, 1),
        gap_s=0.1,
        test_s=0.0,
        simulator=row.settings,
    )
    env, opened = SCENARIO.open(config)
    agent: Any = opened  # its simulator gets a stopwatch
    inside, outside, memory = 0.0, [], []
    per_phase = round(config.odor_s * 1000.0 / row.interval_ms)
    run = agent.simulator.run

    def timed(*arguments: Any) -> Any:
        nonlocal inside
        begin = time.process_time()
        try:
            return run(*arguments)
        finally:
            inside = time.process_time() - begin

    agent.simulator.run = timed
    begin = time.process_time()

    def note(loop: LoopState) -> bool:
        nonlocal begin
        now = time.process_time()
        outside.append(now - begin - inside)
        if len(outside) == per_phase // 2 + 1:
            memory.append(resident_mb())
        begin = time.process_time()
        return True

    with tempfile.TemporaryDirectory() as folder, agent:
        layout = describe(env, agent, dt_ms=config.dt_ms)
        with ZarrRecorder(Path(folder) / "recording.zarr", layout, config.recorder) as recorder:
            loop = start_loop(env, agent, seed=config.seed)
            run_closed_loop(env, agent, recorder, loop, note)
            memory.append(resident_mb())
    second, last = (slice(2 * k * per_phase, (2 * k + 1) * per_phase) for k in (1, config.cycles - 1))
    early, late = (float(np.median(outside[rows])) * 1e6 for rows in (second, last))
    return {
        "outside_early_us": early,
        "outside_late_us": late,
        "late_over_early": late / early,
        "memory_growth_mb": memory[-1] - memory[0],
        "memory_mb": peak_memory_mb(),
        "wall_per_s": float("nan"),
    }


if __name__ == "__main__":
    print(json.dumps(measure(Row(**json.loads(sys.argv[1])))))
