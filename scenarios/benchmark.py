"""Times of every installed simulator on this machine, as wall seconds per biological second.

In: nothing but the machine. Out: one JSON file and one table in Markdown. Each row is measured in a process
of its own (NEST has one kernel per process, and peak memory is a process's), one after the other, so run it
on an idle machine: times are comparable within one run, not between runs.

    ethospike bench --out docs/benchmarks/NAME

`--small` runs every row once with tiny sizes: it shows that the benchmark works, not how fast anything is.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ethospike.brains.clustered_cortex import PARAMETER_SETS, clustered_cortex
from ethospike.brains.mushroom_body import ODOR_PATTERNS, MushroomBodyConfig, mushroom_body
from ethospike.brains.network import Network
from ethospike.brains.simulator import SIMULATORS, SimulatorSettings, Stimulus, is_installed, open_simulator
from ethospike.brains.spike_sources import GammaSource
from ethospike.scenarios.run_folder import provenance

LOOP_MS = 10.0
"""Window of the rows that are cut into windows: the control interval of the published closed loop."""
WARM_UP_MS = 200.0
"""Simulated before the clock starts: compilation, first-touch of memory, the transient of the network."""


@dataclass(frozen=True)
class Row:
    """One measurement: what, on which simulator, how large, for how long."""

    kind: str
    simulator: str
    network: str
    animals: int = 1
    seconds: float = 2.0
    interval_ms: float = LOOP_MS

    @property
    def title(self) -> str:
        """Name in the table."""
        group = f" × {self.animals}" if self.animals > 1 else ""
        return f"{self.network}{group}"


def rows(small: bool, simulators: list[str]) -> Iterator[Row]:
    """Return what to measure; durations such that a row takes seconds, not minutes."""
    short = 0.3
    for simulator in simulators:
        for animals in (1, 2) if small else (1, 25, 200):
            seconds = short if small else {1: 20.0, 25: 4.0, 200: 1.0}[animals]
            yield Row("network", simulator, "mushroom body", animals, seconds)
        for name in ("reach",) if small else ("reach", "cortex", "large"):
            seconds = short if small else {"reach": 10.0, "cortex": 4.0, "large": 2.0}[name]
            yield Row("network", simulator, name, 1, seconds)
        for interval_ms in (10.0, 100.0):
            yield Row("loop", simulator, "odor-conditioning", 1, short if small else 30.0, interval_ms)
    if "numba" in simulators:
        for animals, interval_ms in ((1, 100.0),) if small else ((1, 100.0), (1, 10.0), (25, 100.0)):
            seconds = 3.0 if small else 1800.0
            yield Row("scenario", "numba", "odor-conditioning", animals, seconds, interval_ms)


def run_benchmark(out: Path, *, small: bool = False, simulators: list[str] | None = None) -> Path:
    """Measure every row, write `out`.json and `out`.md, and return the latter."""
    chosen = simulators or [name for name in SIMULATORS if is_installed(name)]
    results = []
    for row in rows(small, chosen):
        results.append(measure_in_process(row))
        print(
            f"{row.kind} {row.title} on {row.simulator}: {_brief(results[-1])}", file=sys.stderr, flush=True
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    data = {"machine": provenance(), "small": small, "rows": results}
    out.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n")
    table = out.with_suffix(".md")
    table.write_text(to_markdown(data))
    return table


def measure_in_process(row: Row) -> dict[str, Any]:
    """Measure a row in a fresh process; a row that fails is reported with its error, not left out."""
    words = [sys.executable, "-m", "ethospike.scenarios.benchmark", json.dumps(dataclasses.asdict(row))]
    done = subprocess.run(words, capture_output=True, text=True)
    entry = dataclasses.asdict(row)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {**entry, "error": lines[-1] if lines else f"exit code {done.returncode}"}
    return {**entry, **json.loads(done.stdout.strip().splitlines()[-1])}


def measure(row: Row) -> dict[str, Any]:
    """Measure a row in this process."""
    if row.kind == "network":
        return measure_network(row)
    if row.kind == "loop":
        return measure_loop(row)
    return measure_scenario(row)


def network_of(name: str) -> Network:
    """Return a benchmark's network."""
    if name == "mushroom body":
        return mushroom_body(MushroomBodyConfig())
    return clustered_cortex(PARAMETER_SETS[name])


def measure_network(row: Row) -> dict[str, Any]:
    """Time a network with its input in windows of `interval_ms`, without body and recording."""
    network = network_of(row.network)
    begin = time.perf_counter()
    settings = SimulatorSettings(name=row.simulator)
    with open_simulator(network, settings, seed=1, animals=row.animals) as simulator:
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


def odor_stimuli(network: Network, animals: int, n_steps: int, windows: int) -> list[Stimulus]:
    """Return the input of each window: an odor for the mushroom body, nothing for the cortex."""
    if not network.n_spike_channels:
        return [Stimulus.none()] * windows
    config = MushroomBodyConfig()
    source = GammaSource(network.n_spike_channels, config.input_shape, seed=1, animals=animals)
    rates = np.zeros((animals, network.n_spike_channels))
    rates[:, network.spike_channels("odor")] = config.baseline_hz + np.array(ODOR_PATTERNS["n-amylacetate"])
    return [Stimulus(*source.window(1 + k * n_steps, n_steps, rates)) for k in range(windows)]


def measure_loop(row: Row) -> dict[str, Any]:
    """Time the closed loop, recording included, against the bare network with the same input, in turns.

    The bare network has no plasticity and all its input at once, so that it is one call of the simulator.
    """
    from ethospike.scenarios.odor_conditioning import SCENARIO, ConditioningConfig

    config = ConditioningConfig(
        control_interval_ms=row.interval_ms,
        cycles=1,
        odor_s=row.seconds,
        blank_s=0.0,
        gap_s=0.0,
        test_s=0.0,
        simulator=SimulatorSettings(name=row.simulator),
    )
    loops, bares = [], []
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


def _time_loop(scenario: Any, config: Any) -> tuple[float, Stimulus, Network]:
    """Run the closed loop with a recorder; return its time and all input that it made."""
    from ethospike.recorders.recorder import Recorder, StepRecord
    from ethospike.recorders.zarr_recorder import ZarrRecorder
    from ethospike.scenarios.layout import describe
    from ethospike.scenarios.loop import run_closed_loop, start_loop

    class Keep(Recorder):
        """Keeps every stimulus, and hands the record on."""

        def __init__(self, inner: Recorder) -> None:
            self.inner = inner
            self.stimuli: list[Any] = []

        def record(self, record: StepRecord) -> None:
            self.stimuli.append(record.stimulus)
            self.inner.record(record)

        def close(self, status: str = "complete") -> None:
            self.inner.close(status)

    with tempfile.TemporaryDirectory() as folder:
        env, agent = scenario.open(config)
        with agent:
            layout = describe(env, agent, dt_ms=config.dt_ms)
            with Keep(ZarrRecorder(Path(folder) / "recording.zarr", layout, config.recorder)) as recorder:
                loop = start_loop(env, agent, seed=config.seed)
                begin = time.perf_counter()
                run_closed_loop(env, agent, recorder, loop)
                wall_s = time.perf_counter() - begin
        network = agent.network
    joined = [
        np.concatenate([getattr(s, key) for s in recorder.stimuli]) for key in ("step", "animal", "channel")
    ]
    return wall_s, Stimulus(*joined), network


def _time_bare(network: Network, config: Any, inputs: Stimulus) -> float:
    """Time one call of the simulator with all the input of a run."""
    fixed = [dataclasses.replace(p, plasticity=None) for p in network.projections]
    bare = dataclasses.replace(network, projections=tuple(fixed))
    n_steps = round(config.odor_s * 1000.0 / config.dt_ms)
    with open_simulator(bare, config.simulator, seed=config.seed, dt_ms=config.dt_ms) as simulator:
        begin = time.perf_counter()
        simulator.run(n_steps, inputs)
        return time.perf_counter() - begin


def measure_scenario(row: Row) -> dict[str, Any]:
    """Time the whole odor-conditioning scenario, recording included; compile time apart."""
    from ethospike.scenarios.odor_conditioning import SCENARIO, ConditioningConfig
    from ethospike.scenarios.runner import run_scenario

    scale = row.seconds / 1800.0
    config = ConditioningConfig(
        animals=row.animals,
        control_interval_ms=row.interval_ms,
        odor_s=round(150.0 * scale, 1),
        blank_s=round(150.0 * scale, 1),
        gap_s=round(60.0 * scale, 1),
        test_s=round(240.0 * scale, 1),
        simulator=SimulatorSettings(name=row.simulator),
    )
    warm = dataclasses.replace(config, cycles=0, gap_s=0.5, test_s=0.0)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        run_scenario(SCENARIO, warm, Path(folder) / "warm", quiet=True, draw=False)
        warm_s = time.perf_counter() - begin
        result = run_scenario(SCENARIO, config, Path(folder) / "run", quiet=True, draw=False)
        info = result.folder.info
        size = sum(p.stat().st_size for p in result.folder.recording.rglob("*") if p.is_file())
    return {
        "backend": info["backend"],
        "build_s": warm_s,
        "whole_s": info["wall_s"],
        "wall_per_s": info["loop_wall_s"] / info["simulated_s"],
        "recording_mb": size / 1e6,
        "memory_mb": peak_memory_mb(),
    }


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far."""
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def to_markdown(data: dict[str, Any]) -> str:
    """Return the results as tables, with the machine, the versions and the command."""
    machine = data["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    by_kind = {kind: [row for row in data["rows"] if row["kind"] == kind] for kind in TABLES}
    lines = [
        "# Benchmark" + (" (small: shows that it runs, not how fast)" if data["small"] else ""),
        "",
        f"{machine['started'][:10]} · {machine['machine']} · Python {machine['python']} · {versions}",
        "",
        "Command: `make bench`. Wall seconds per biological second: smaller is faster, 1 is real time.",
    ]
    for kind, (title, columns) in TABLES.items():
        heads = [head for head, _ in columns]
        lines += ["", f"## {title}", "", _line(heads), _line(["---"] * len(heads))]
        lines += [_line([_cell(row, key) for _, key in columns]) for row in by_kind[kind]]
    return "\n".join(lines) + "\n"


TABLES = {
    "network": (
        "Networks, in windows of 10 ms",
        [
            *(("network", "title"), ("simulator", "simulator"), ("wall s per s", "wall_per_s")),
            *(("ms per window", "window_ms"), ("rate Hz", "rate_hz"), ("build s", "build_s")),
            *(("peak memory MB", "memory_mb"), ("backend", "backend")),
        ],
    ),
    "loop": (
        "The closed loop against the bare network (one larva, recording included; median of three)",
        [
            *(("simulator", "simulator"), ("control interval ms", "interval_ms")),
            *(("loop: wall s per s", "wall_per_s"), ("bare network", "bare_wall_per_s")),
            *(("loop / bare", "loop_over_bare"), ("range", "loop_over_bare_range")),
            ("peak memory MB", "memory_mb"),
        ],
    ),
    "scenario": (
        "The whole odor-conditioning scenario (30 minutes, recorded)",
        [
            *(("animals", "animals"), ("control interval ms", "interval_ms"), ("simulator", "simulator")),
            *(("whole run s", "whole_s"), ("wall s per s", "wall_per_s"), ("first start s", "build_s")),
            *(("recording MB", "recording_mb"), ("peak memory MB", "memory_mb"), ("backend", "backend")),
        ],
    ),
}
"""Title and columns (head, key of a result) of each kind of row."""


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: dict[str, Any], key: str) -> str:
    if key == "title":
        return Row(**{field.name: row[field.name] for field in dataclasses.fields(Row)}).title
    value = row.get(key, row.get("error", "–") if key in ("backend", "loop_over_bare_range") else "–")
    if isinstance(value, list):
        return " … ".join(f"{one:.3f}" for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _brief(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"failed: {result['error']}"
    return f"{result['wall_per_s']:.4g} wall s per s"


if __name__ == "__main__":
    print(json.dumps(measure(Row(**json.loads(sys.argv[1])))))
