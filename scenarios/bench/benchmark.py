"""Times of every installed simulator on this machine, as wall seconds per biological second.

The results are a JSON file and tables in Markdown. The rows are measured one after the other, each in a
separate process, because NEST has one kernel per process and peak memory is counted per process. Run the
benchmark on an idle machine: times are comparable within one run, not between runs.

    ethospike bench --out docs/benchmarks/NAME

`--small` runs every row once with tiny sizes, to test the benchmark; its times mean nothing.
`--gpu` is in `gpu.py`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ethospike.brains.simulator import SIMULATORS, is_installed, simulator_class
from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios.bench.fly import draw_fly, fly_rows
from ethospike.scenarios.bench.process import measure_in_process
from ethospike.scenarios.bench.rows import Row
from ethospike.scenarios.bench.scale import draw_scale, scale_rows
from ethospike.scenarios.run.files import beside, require_place, write_whole
from ethospike.scenarios.run.provenance import provenance


def rows(small: bool, simulators: list[str]) -> Iterator[Row]:
    """Return the usual rows, with durations so short that a row takes seconds, not minutes."""
    short = 0.3
    for simulator in simulators:
        for animals in (1, 2) if small else (1, 25, 200):
            seconds = short if small else {1: 20.0, 25: 4.0, 200: 1.0}[animals]
            yield Row("network", simulator, "mushroom body", animals, seconds)
        for name in ("reach",) if small else ("reach", "cortex", "large"):
            seconds = short if small else {"reach": 10.0, "cortex": 4.0, "large": 2.0}[name]
            yield Row("network", simulator, name, 1, seconds)
        # NEST takes 150 ms for every 10 ms of this network.
        seconds = short if small else 2.0 if simulator == "nest" else 20.0
        yield Row("reach", simulator, "reach" if small else "large", 1, seconds, 10.0)
        for interval_ms in (10.0, 100.0):
            yield Row("loop", simulator, "odor-conditioning", 1, short if small else 30.0, interval_ms)
    if "numba" in simulators:
        for animals, interval_ms in ((1, 100.0),) if small else ((1, 100.0), (1, 10.0), (25, 100.0)):
            seconds = 3.0 if small else 1800.0
            yield Row("scenario", "numba", "odor-conditioning", animals, seconds, interval_ms)


def larva_rows(small: bool, simulators: list[str]) -> Iterator[Row]:
    """Return the rows of the larva's closed loop: one animal by parts, whole experiments, large groups.

    Groups above 25 run for less than 30 minutes, in the same proportions of phases.
    """
    if "numba" not in simulators:
        return
    for interval_ms in (10.0, 100.0):
        yield Row("loop", "numba", "odor-conditioning", 1, 0.3 if small else 30.0, interval_ms)
    yield Row("steps", "numba", "ethospike/OdorArena-v0", 1, 0.6 if small else 120.0, 10.0)
    whole = {(1, 10.0): 1800.0, (1, 100.0): 1800.0, (25, 100.0): 1800.0}
    groups = {(200, 100.0): 60.0, (1000, 100.0): 18.0, (5000, 100.0): 6.0}
    for (animals, interval_ms), seconds in ({(1, 100.0): 3.0} if small else whole | groups).items():
        yield Row("scenario", "numba", "odor-conditioning", animals, seconds, interval_ms)


def long_rows(small: bool, simulators: list[str]) -> Iterator[Row]:
    """Return the rows that detect growth of time or memory in a run of 30 minutes (10 minutes on NEST)."""
    for simulator in simulators:
        yield Row("growth", simulator, "odor-conditioning", 1, 3.0 if small else 1800.0, 100.0)


PLANS = {
    "usual": rows,
    "long": long_rows,
    "scale": scale_rows,
    "larvae": larva_rows,
    "fly": fly_rows,
}
"""Rows of each benchmark."""
FIGURES = {"scale": draw_scale, "fly": draw_fly}


def run_benchmark(
    out: Path,
    *,
    small: bool = False,
    plan: str = "usual",
    simulators: list[str] | None = None,
    kinds: tuple[str, ...] = (),
) -> Path:
    """Measure the rows of a plan (`PLANS`), of the given kinds (all by default), and write the results.

    `out`.json and `out`.md are rewritten after each row; the plans `scale` and `fly` add a figure, `out`.png.

    Raises
    ------
    ScenarioError
        When no row is left to measure, or a name is unknown.
    SimulatorNotInstalled
        When a named simulator is absent.
    RunFolderError
        When the results cannot be written.
    """
    chosen = simulators or [name for name in SIMULATORS if is_installed(name)]
    for name in chosen:
        simulator_class(name)
    if plan not in PLANS:
        raise ScenarioError(f"plan: unknown {plan!r}; {nearest(plan, PLANS)}")
    wanted = list(PLANS[plan](small, chosen))
    if not wanted:
        raise ScenarioError("bench: no simulator is installed; `ethospike doctor` says how to get one")
    valid = dict.fromkeys(row.kind for row in wanted)
    if unknown := next((kind for kind in kinds if kind not in valid), None):
        raise ScenarioError(f"kinds: unknown {unknown!r}; {nearest(unknown, valid)}")
    file, table = beside(out, ".json"), beside(out, ".md")
    require_place(out)
    data: dict[str, Any] = {"machine": provenance(), "small": small, "rows": []}
    for row in wanted:
        if kinds and row.kind not in kinds:
            continue
        measured = measure_in_process(row, compiling=row.kind == "scenario" and not small)
        data["rows"].append(measured)
        # After each row: a benchmark takes an hour, and an interrupted run keeps its measurements.
        write_whole(file, (json.dumps(data, indent=2) + "\n").encode())
        write_whole(table, to_markdown(data).encode())
        print(f"{row.kind} {row.title} on {row.simulator}: {_brief(measured)}", file=sys.stderr, flush=True)
    if plan in FIGURES:
        FIGURES[plan](data["rows"], beside(out, ".png"))
    return table


def to_markdown(data: dict[str, Any]) -> str:
    """Return the results as tables, with the machine, the versions and the command."""
    machine = data["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    command = " ".join(["ethospike", *machine.get("command", ["", "bench"])[1:]])
    by_kind = {kind: [row for row in data["rows"] if row["kind"] == kind] for kind in TABLES}
    lines = [
        "# Benchmark" + (" (small: shows that it runs, not how fast)" if data["small"] else ""),
        "",
        f"{machine['started'][:10]} · {machine['machine']} · Python {machine['python']} · {versions}",
        "",
        f"Command: `{command}`. Wall seconds per biological second: smaller is faster, 1 is real time.",
    ]
    for kind, (title, columns) in TABLES.items():
        if not by_kind[kind]:
            continue
        heads = [head for head, _ in columns]
        lines += ["", f"## {title}", "", _line(heads), _line(["---"] * len(heads))]
        lines += [_line([_cell(row, key) for _, key in columns]) for row in by_kind[kind]]
    return "\n".join(lines) + "\n"


TABLES = {
    "network": (
        "Networks, in windows of 10 ms (`large` at 8 Hz, with J_E+ 8)",
        [
            *(("network", "title"), ("simulator", "simulator"), ("wall s per s", "wall_per_s")),
            *(("ms per window", "window_ms"), ("rate Hz", "rate_hz"), ("build s", "build_s")),
            *(("peak memory MB", "memory_mb"), ("backend", "backend")),
        ],
    ),
    "scale": (
        "Sizes of a published network (J_E+ 10, Bernoulli wiring), and the published times",
        [
            *(("neurons", "neurons"), ("synapses", "wiring"), ("threads (0: all)", "threads")),
            *(("wall s per s", "wall_per_s"), ("processor s per s", "processor_per_s")),
            *(("NEST, 26 cores", "nest"), ("GeNN, 48-GB GPU", "genn")),
            *(("GeNN procedural, the same", "genn_procedural"), ("rate Hz", "rate_hz")),
            *(("rows read GB/s", "rows_gb_per_s"), ("build s", "build_s")),
            *(("peak memory MB", "memory_mb"), ("backend", "backend")),
        ],
    ),
    "fly": (
        "A whole adult fly brain as point neurons (Shiu et al. 2024), on a graph that is synthetic where it "
        "says so",
        [
            *(("graph", "graph"), ("neurons", "neurons"), ("edges", "edges"), ("driven", "driven")),
            *(("threads (0: all)", "threads"), ("spikes per s", "spikes_per_s")),
            ("0.3 to 0.5 s after the drive", "spikes_per_s_afterwards"),
            *(("wall s per s", "wall_per_s"), ("processor s per s", "processor_per_s")),
            *(("build s", "build_s"), ("peak memory MB", "memory_mb"), ("backend", "backend")),
        ],
    ),
    "loop": (
        "The closed loop, recorded, against the bare brain: its simulator with plasticity, in windows of the "
        "same length, with inputs made before (one larva; median of three)",
        [
            *(("simulator", "simulator"), ("control interval ms", "interval_ms")),
            *(("loop: wall s per s", "wall_per_s"), ("bare brain", "bare_wall_per_s")),
            *(("loop / bare", "loop_over_bare"), ("range", "loop_over_bare_range")),
            ("peak memory MB", "memory_mb"),
        ],
    ),
    "steps": (
        "Ten lines of Python: Gymnasium's environment with its wrappers and an agent, nothing recorded",
        [
            *(("environment", "title"), ("simulator", "simulator"), ("control interval ms", "interval_ms")),
            *(("control steps per s", "steps_per_s"), ("wall s per s", "wall_per_s")),
            ("peak memory MB", "memory_mb"),
        ],
    ),
    "reach": (
        "The closed loop of the reach task, recording included",
        [
            *(("network", "title"), ("neurons", "neurons"), ("simulator", "simulator")),
            *(("control interval ms", "interval_ms"), ("ms per loop, mean", "loop_ms")),
            *(("median", "loop_median_ms"), ("99 % below", "loop_99_ms"), ("wall s per s", "wall_per_s")),
            *(("rate Hz", "rate_hz"), ("build s", "build_s"), ("peak memory MB", "memory_mb")),
            ("backend", "backend"),
        ],
    ),
    "growth": (
        "Does anything grow in 30 minutes? One larva, second against fifth training phase",
        [
            *(("simulator", "simulator"), ("control interval ms", "interval_ms")),
            *(
                ("outside the simulator, 2nd phase µs", "outside_early_us"),
                ("5th phase µs", "outside_late_us"),
            ),
            *(("5th / 2nd", "late_over_early"), ("memory growth MB", "memory_growth_mb")),
            ("peak memory MB", "memory_mb"),
        ],
    ),
    "scenario": (
        "The whole odor-conditioning scenario, recorded",
        [
            *(("animals", "animals"), ("simulated s", "seconds"), ("control interval ms", "interval_ms")),
            ("simulator", "simulator"),
            *(("whole run s", "whole_s"), ("of that start s", "start_s"), ("wall s per s", "wall_per_s")),
            ("compiling s, once a machine", "compile_s"),
            *(("recording MB", "recording_mb"), ("peak memory MB", "memory_mb"), ("backend", "backend")),
        ],
    ),
}
"""Title and columns (heading, key of a result) of each kind of row."""


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: dict[str, Any], key: str) -> str:
    if key == "title":
        return Row(**{field.name: row[field.name] for field in dataclasses.fields(Row)}).title
    value = row.get(key, row.get("error", "–") if key in ("backend", "loop_over_bare_range") else "–")
    if isinstance(value, list):
        return " … ".join(f"{number:.3f}" for number in value)
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def _brief(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"failed: {result['error']}"
    return f"{result['wall_per_s']:.4g} wall s per s"
