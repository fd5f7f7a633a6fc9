"""The benchmark for a GPU: parts in the order of their worth, each with its own time, ten minutes in all.

All models are compiled first, on all cores at once. Results are written after every row, and the figure is
drawn after every part, so that a run that is cut off loses the row that it was at. Time that a part leaves
goes to the parts behind it.

    ethospike bench --gpu --out docs/benchmarks/NAME
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ethospike.brains.threads import cores
from ethospike.errors import EthospikeError, ScenarioError, nearest
from ethospike.scenarios.bench.gpu_measures import FIRST, OTHER, compile_model, models_of
from ethospike.scenarios.bench.gpu_report import draw_gpu, gpu_markdown
from ethospike.scenarios.bench.measures import measure
from ethospike.scenarios.bench.process import measure_in_process
from ethospike.scenarios.bench.rows import Row
from ethospike.scenarios.run.files import beside, require_place, write_whole
from ethospike.scenarios.run.provenance import provenance

LEAST_S = 10.0
"""Time for which no row is begun: Python, its packages and the device take as long to start."""


@dataclass(frozen=True)
class Part:
    """Rows that are worth as much as each other, and the wall time for them (s)."""

    name: str
    title: str
    budget_s: float
    rows: tuple[Row, ...]


TITLES = {
    "works": "It works and is right",
    "cortex": "Cortex: in closed loop, and free running",
    "larvae": "Larvae",
    "grid": "Grid of parameter sets as a batch",
    "rest": "If time is left",
}
"""Parts in the order of their worth."""

BUILD_S = 170.0
"""Wall time for compiling. A CUDA model takes about 40 s of a core; there are some 60 (16 cores: 150 s)."""


def gpu_parts(small: bool, simulator: str = "genn") -> list[Part]:
    """Return the parts; `small`: every part with tiny sizes, for one CPU thread."""
    return _small_parts(simulator) if small else _parts(simulator)


def _small_parts(g: str) -> list[Part]:
    larvae = Row("scenario", g, "odor-conditioning", 2, 3.0, 100.0)
    double = Row("network", g, "reach", 1, 0.1, precision="double")
    rows: dict[str, tuple[Row, ...]] = {
        "works": (Row("parity", g, ""), Row("conformance", g, FIRST)),
        "cortex": (Row("reach", g, "reach", 1, 0.3), Row("scale", g, "500 stored", 1, 0.05)),
        "larvae": (Row("network", g, "mushroom body", 2, 0.3), larvae),
        "grid": (Row("grid", g, "reach", 2, 1.0, 50.0),),
        "rest": (Row("scale", g, "500 procedural", 1, 0.05), double),
    }
    return [Part(name, TITLES[name], 60.0, chosen) for name, chosen in rows.items()]


def _parts(g: str) -> list[Part]:
    works = (Row("parity", g, ""), Row("conformance", g, FIRST))
    cortex = (
        Row("reach", g, "large", 1, 10.0, 10.0),
        Row("scale", g, "25500 stored", 1, 5.0),
        Row("scale", g, "98500 stored", 1, 3.0),
        Row("scale", g, "255000 procedural", 1, 0.5),
    )
    larvae = (
        Row("network", g, "mushroom body", 1, 10.0),
        Row("network", g, "mushroom body", 25, 10.0),
        Row("network", g, "mushroom body", 1000, 5.0),
        Row("scenario", g, "odor-conditioning", 1000, 20.0, 100.0),
    )
    grid = (Row("grid", g, "grid", 40, 10.0, 50.0),)
    rest = (
        Row("scale", g, "1274000 procedural", 1, 0.1),
        Row("scale", g, "25500 procedural", 1, 2.0),
        Row("scale", g, "98500 procedural", 1, 1.0),
        Row("network", g, "mushroom body", 10_000, 1.0),
        Row("network", g, "large", 1, 2.0, precision="double"),
        Row("conformance", g, OTHER),
        Row("conformance", g, FIRST, precision="double"),
        Row("scale", g, "255000 stored", 1, 0.5),
        Row("scale", g, "3604000 procedural", 1, 0.1),
    )
    rows = {"works": works, "cortex": cortex, "larvae": larvae, "grid": grid, "rest": rest}
    budgets_s = {"works": 100.0, "cortex": 110.0, "larvae": 80.0, "grid": 60.0, "rest": 80.0}
    return [Part(name, TITLES[name], budgets_s[name], chosen) for name, chosen in rows.items()]


def run_gpu_benchmark(
    out: Path,
    *,
    small: bool = False,
    simulator: str = "genn",
    parts: Sequence[str] = (),
    seconds: float = 600.0,
) -> Path:
    """Compile the models, measure the parts (all by default), and write `out`.json, `out`.md and `out`.png.

    Parameters
    ----------
    out : Path
    small : bool
        Tiny sizes.
    simulator : str
    parts : sequence of str
        Names of the parts to measure.
    seconds : float
        Wall time for all of it. The times of the parts are shortened or lengthened alike.

    Raises
    ------
    ScenarioError
        For a part that does not exist, or a time that is not above 0.
    RunFolderError
        When the results cannot be written.
    """
    if not seconds > 0:
        raise ScenarioError(f"seconds: expected above 0, got {seconds}")
    planned = gpu_parts(small, simulator)
    names = [part.name for part in planned]
    if unknown := next((name for name in parts if name not in names), None):
        raise ScenarioError(f"kinds: unknown part {unknown!r}; {nearest(unknown, names)}")
    require_place(out)
    chosen = [part for part in planned if not parts or part.name in parts]
    scale = seconds / (BUILD_S + sum(part.budget_s for part in planned))
    chosen = [replace(part, budget_s=part.budget_s * scale) for part in chosen]
    run = _Run(out, small)
    run.compile(chosen, BUILD_S * scale)
    for part in chosen:
        run.measure(part)
    return beside(out, ".md")


class _Run:
    """The results so far, their files, and the time that has been granted."""

    def __init__(self, out: Path, small: bool) -> None:
        self._out = out
        self._granted = time.monotonic()
        self._data: dict[str, Any] = {"machine": provenance(), "small": small, "build": {}, "rows": []}

    def compile(self, parts: Sequence[Part], budget_s: float) -> None:
        """Compile the models of all parts, in their order, until the time is over."""
        self._granted += budget_s
        rows = [row for part in parts for row in part.rows]
        begin = time.monotonic()
        compiled = compile_all(rows, self._granted)
        self._data["build"] = {**compiled, "wall_s": time.monotonic() - begin}
        _say(f"compiled {compiled['compiled']} of {compiled['models']} models")
        self._write()

    def measure(self, part: Part) -> None:
        """Measure the rows of a part within its time."""
        self._granted += part.budget_s
        for row in part.rows:
            left = self._granted - time.monotonic()
            entry = {"part": part.name, "part_title": part.title}
            if left < LEAST_S:
                result = {**vars(row), "error": "left out: the time of this part is over"}
            else:
                result = measure_in_process(row, limit_s=left)
            self._data["rows"].append({**entry, **result})
            _say(f"{part.name}: {row.kind} {row.title}: {result.get('error', 'measured')}")
            self._write()
        draw_gpu(self._data["rows"], beside(self._out, ".png"))

    def _write(self) -> None:
        write_whole(beside(self._out, ".json"), (json.dumps(self._data, indent=2) + "\n").encode())
        write_whole(beside(self._out, ".md"), gpu_markdown(self._data).encode())


def compile_all(rows: Sequence[Row], deadline: float) -> dict[str, Any]:
    """Compile the models of rows in processes, one a core; return counts and the messages of failures.

    Rows whose models are found by running checks come last: that takes the time in which the processes are
    busy with the others.
    """
    errors: list[str] = []
    jobs: list[Any] = []
    # `spawn`: a process that has begun to use threads, or a device, must not be forked.
    with multiprocessing.get_context("spawn").Pool(cores()) as pool:
        for row in sorted(rows, key=lambda row: row.kind in ("parity", "conformance")):
            try:
                for model in models_of(row, measure):
                    jobs.append(pool.apply_async(compile_model, (model,)))
                    if time.monotonic() > deadline:
                        break
            except EthospikeError as error:  # the row itself reports it
                errors.append(f"{row.kind} {row.title}: {error}")
            if time.monotonic() > deadline:
                break
        compiled = 0
        for job in jobs:
            try:
                job.get(max(0.0, deadline - time.monotonic()))
                compiled += 1
            except multiprocessing.TimeoutError:
                break
            except EthospikeError as error:
                errors.append(str(error))
    return {"models": len(jobs), "compiled": compiled, "errors": errors}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
