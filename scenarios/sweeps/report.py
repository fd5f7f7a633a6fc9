"""The state and the results of a sweep, as plain values and as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ethospike.scenarios.run.files import read_json
from ethospike.scenarios.sweeps.figures import FIGURES
from ethospike.scenarios.sweeps.folder import FAILED, Sweep
from ethospike.scenarios.sweeps.search import BEST, BEST_ENTRIES, measure_name
from ethospike.scenarios.sweeps.table import TABLE

SHOWN_FAILURES = 10
"""Maximal number of listed messages of failed tasks; a mistake in an axis fails at many points alike."""


def content(sweep: Sweep) -> dict[str, Any]:
    """Return the progress and the results of a sweep as plain values."""
    results = list(sweep.results())
    best = sweep.path / BEST
    return {
        "scenario": sweep.name,
        "points": len(sweep.points),
        "seeds": sweep.seeds,
        "keys": sweep.keys,
        "tasks": len(sweep.points) * len(sweep.seeds),
        "finished": len(results),
        "failed": [
            {"task": result["number"], "point": sweep.points[result["point"]], "error": result["error"]}
            for result in results
            if result["status"] == FAILED
        ],
        "table": str(sweep.path / TABLE),
        "figures": [str(path) for path in sorted((sweep.path / FIGURES).glob("*.png"))],
        "best": read_json(best, BEST_ENTRIES) if best.exists() else None,
    }


def report(sweep: Sweep) -> str:
    """Return the progress, failures and results of a sweep or a calibration as text."""
    state = content(sweep)
    failed = state["failed"]
    lines = [
        f"{sweep.name}: {state['finished']} of {state['tasks']} tasks finished ({state['points']} points × "
        f"{len(sweep.seeds)} seeds), {len(failed)} of them failed"
    ]
    lines += [
        f"failed: task {task['task']} ({_words(task['point'])}): {task['error']}"
        for task in failed[:SHOWN_FAILURES]
    ]
    if len(failed) > SHOWN_FAILURES:
        lines.append(f"… and {len(failed) - SHOWN_FAILURES} more; each has its message in its result.json")
    if state["best"] is not None:
        lines += _best(state["best"])
    lines.append(f"table:  {state['table']}")
    lines += [f"figure: {path}" for path in state["figures"]]
    return "\n".join(lines)


def _best(best: Mapping[str, Any]) -> list[str]:
    """Return the result of a calibration as lines of text."""
    reached = "within the tolerance" if best["met"] else "the nearest; no point is within the tolerance"
    lines = [f"best of {best['trials']} points ({reached}): {_words(best['point'])}"]
    for key, target in best["targets"].items():
        value = best["measures"][measure_name(key, best["measures"])]
        line = f"  {key}: {value:.4g}, target {target:g}"
        check = best.get("check", {}).get("measures", {}).get(key)
        if check is not None:
            ends = "" if check["low"] is None else f" [{check['low']:.4g}, {check['high']:.4g}]"
            line += f"; with {len(check['animals'])} other seeds {check['mean']:.4g}{ends}"
        lines.append(line)
    return lines


def _words(point: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in point.items()
    )
