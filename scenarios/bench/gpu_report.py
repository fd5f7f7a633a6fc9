"""The table and the figure of the benchmark for a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from ethospike.scenarios.analysis.figure_style import BLUE, DPI, GREEN, GREY, ORANGE, SKY, bare
from ethospike.scenarios.bench.scale import PUBLISHED, STORED

Result = Mapping[str, Any]


class Goal(NamedTuple):
    """A number that the benchmark is to show: the rows that have it, its name, its key, and the limit."""

    claim: str
    applies: Callable[[Result], bool]
    key: str
    limit: float


GOALS = (
    Goal(
        "25,000 neurons in closed loop, 10 ms: at most 2.5 ms a loop",
        lambda r: r["kind"] == "reach",
        "loop_ms",
        2.5,
    ),
    Goal(
        "98,500 neurons free running: at most 0.6 wall s per s",
        lambda r: r["kind"] == "scale" and r["network"] == f"98500 {STORED}",
        "wall_per_s",
        0.6,
    ),
    Goal(
        "1,000 larvae in closed loop, recorded: below 1 wall s per s",
        lambda r: r["kind"] == "scenario" and r["animals"] == 1000,
        "wall_per_s",
        1.0,
    ),
    Goal(
        "1,600 points of the published grid search: below 600 s (from one batch of 40)",
        lambda r: r["kind"] == "grid" and r["animals"] == 40,
        "all_points_s",
        600.0,
    ),
)
"""Our goals; a number that is not measured is open."""

COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "checks": (("passed", "passed"), ("of", "checks"), ("wall s", "wall_s")),
    "speed": (
        *(("wall s per s", "wall_per_s"), ("ms a loop", "loop_ms"), ("99 % below", "loop_99_ms")),
        *(("GeNN published", "genn"), ("procedural, published", "genn_procedural")),
        *(("rate Hz", "rate_hz"), ("build s", "build_s")),
    ),
    "grid": (
        *(("sets", "sets"), ("in a model", "sets_a_model"), ("wall s", "wall_s")),
        *(("1,600 points s", "all_points_s"), ("rate E Hz", "rate_hz")),
    ),
}
"""Columns (heading, key of a result) by kind of table."""


def gpu_markdown(data: Mapping[str, Any]) -> str:
    """Return goals and parts as tables, with the machine, the versions, the command and the card."""
    machine, build, rows = data["machine"], data["build"], data["rows"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    command = " ".join(["ethospike", *machine.get("command", ["", "bench"])[1:]])
    backends = dict.fromkeys(row["backend"] for row in rows if "backend" in row)
    lines = [
        "# GeNN on a GPU" + (" (small: shows that it runs, not how fast)" if data["small"] else ""),
        "",
        f"{machine['started'][:10]} · {machine['machine']} · Python {machine['python']} · {versions}",
        "",
        f"Command: `{command}`. Backend: {'; '.join(backends) or 'none yet'}.",
        f"Models compiled first: {build.get('compiled', 0)} of {build.get('models', 0)} in "
        f"{build.get('wall_s', 0.0):.0f} s.",
        "",
        *goal_lines(rows, small=data["small"]),
    ]
    for title in dict.fromkeys(row["part_title"] for row in rows):
        part = [row for row in rows if row["part_title"] == title]
        lines += ["", f"## {title}"]
        for table in dict.fromkeys(_table_of(row) for row in part):
            columns = COLUMNS[table]
            lines += ["", _line(["row", *(head for head, _ in columns), "note"])]
            lines += [_line(["---"] * (len(columns) + 2))]
            lines += [
                _line([_title(row), *(_cell(row.get(key)) for _, key in columns), _note(row)])
                for row in part
                if _table_of(row) == table
            ]
    lines += [f"\n* not compiled: {error}" for error in build.get("errors", ())]
    return "\n".join(lines) + "\n"


def goal_lines(rows: Sequence[Result], *, small: bool = False) -> list[str]:
    """Return the table of goals, each with the number that was measured or `open`."""
    lines = [_line(["goal", "measured", ""]), _line(["---"] * 3)]
    for goal in GOALS:
        values = [row[goal.key] for row in rows if not small and goal.applies(row) and goal.key in row]
        reached = "" if not values else "reached" if values[0] <= goal.limit else "not reached"
        lines.append(_line([goal.claim, _cell(values[0]) if values else "open", reached]))
    return lines


def draw_gpu(rows: Sequence[Result], path: Path) -> None:
    """Draw wall time against neurons, measured here and published, and save the figure."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    for name, label, color in (
        ("nest", "NEST, 26 cores (published)", GREY),
        ("genn", "GeNN, 48-GB GPU (published)", SKY),
        ("genn_procedural", "GeNN procedural, 48-GB GPU (published)", GREEN),
    ):
        values = [getattr(published, name) for published in PUBLISHED.values()]
        axis.plot(list(PUBLISHED), values, "o--", color=color, label=label, markersize=4)
    for wiring, color in ((STORED, BLUE), ("procedural", ORANGE)):
        ours = sorted(
            (row["neurons"], row["wall_per_s"])
            for row in rows
            if row.get("wiring") == wiring and "wall_per_s" in row
        )
        axis.plot(
            [n for n, _ in ours], [wall for _, wall in ours], "s-", color=color, label=f"here, {wiring}"
        )
    loops = [
        (row["neurons"], row["wall_per_s"]) for row in rows if row["kind"] == "reach" and "wall_per_s" in row
    ]
    axis.plot(
        [n for n, _ in loops],
        [wall for _, wall in loops],
        "^",
        color=BLUE,
        label="here, closed loop of 10 ms",
    )
    axis.axhline(1.0, color=GREY, linewidth=0.8)
    axis.set(xscale="log", yscale="log", xlabel="neurons", ylabel="wall seconds per biological second")
    axis.legend(fontsize="small", frameon=False)
    bare(axis)
    figure.savefig(path, dpi=DPI)


def _table_of(row: Result) -> str:
    return {"conformance": "checks", "parity": "checks", "grid": "grid"}.get(row["kind"], "speed")


def _title(row: Result) -> str:
    names = {
        "parity": "parity with Numba, every neuron model",
        "conformance": f"conformance, {row['network']}",
        "reach": f"closed loop of the reach task, {row['network']}",
        "scale": f"published network, {row['network']}",
        "network": f"{row['network']}{_times(row)}, without a body",
        "scenario": f"{row['network']}{_times(row)}, body and recording",
        "grid": f"{row['animals']} sets of {row['network']}, {row['seconds']:g} s each",
    }
    return names[row["kind"]] + (", double precision" if row["precision"] == "double" else "")


def _times(row: Result) -> str:
    return f" × {row['animals']:,}" if row["animals"] > 1 else ""


def _note(row: Result) -> str:
    failed = row.get("failed") or {}
    words = [f"{name}: {message}" for name, message in failed.items()]
    return "; ".join([*words, *([row["error"]] if "error" in row else [])]).replace("|", "/")


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
