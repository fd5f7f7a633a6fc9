"""The page of a sweep, a calibration or an experiment: its table, its figures, its failures."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ethospike.scenarios.report import settings
from ethospike.scenarios.report.figures import figures
from ethospike.scenarios.report.measures import strip
from ethospike.scenarios.report.origin import origin
from ethospike.scenarios.report.page.document import document
from ethospike.scenarios.report.page.html import Markup, element, facts, joined, section, table
from ethospike.scenarios.run.provenance import command_of
from ethospike.scenarios.sweeps.folder import DONE, Sweep
from ethospike.scenarios.sweeps.report import content

MOST_ROWS = 2_000
MOST_CELLS = 60_000
"""Rows and cells of the table in a page: about 2 MB. A larger sweep shows its first tasks."""
EXPERIMENT = "experiment"
"""Entry of sweep.json: groups and comparisons of an experiment."""
COMPARISONS = "comparisons.csv"
MOST_FAILURES = 50


def sweep_page(sweep: Sweep) -> str:
    """Return the page of a sweep as HTML."""
    found, results = content(sweep), list(sweep.results())
    kind = "calibration" if sweep.calibration is not None else "sweep"
    if sweep.manifest.get(EXPERIMENT):
        kind = "experiment"
    failed = found["failed"]
    state = (
        f"{found['finished']} of {found['tasks']} tasks finished: {found['points']} points × "
        f"{len(sweep.seeds)} seeds; {len(failed)} failed."
    )
    changed = settings.changed_defaults(sweep.manifest, None, sweep.base_settings)
    parts = [
        element("p", "ethospike", class_="dim"),
        element("h1", f"{kind.capitalize()} of {sweep.name}"),
        element("p", state),
        section("Groups", groups(sweep, results)),
        section("Comparisons", comparisons(sweep.path)),
        section("Best point", best(found["best"])),
        section("Figures", figures(sweep.path / "figures")),
        section("Tasks", task_table(sweep, results)),
        section("Failures", failures(failed)),
        section("Shared configuration", settings.configuration(sweep.base_settings, changed)),
        section("Make it again", element("pre", element("code", _command(sweep)))),
        section("Origin", origin({**sweep.manifest, "seed": ", ".join(map(str, sweep.seeds))})),
    ]
    return document(f"{kind} of {sweep.name}", parts)


def task_table(sweep: Sweep, results: list[dict[str, Any]]) -> Markup:
    """Return the finished tasks as a table that is sorted by a click on a heading."""
    done = [result for result in results if result["status"] == DONE]
    names = list(dict.fromkeys(name for result in done for name in result["measures"]))
    # Means first: ends of intervals follow them where there is room.
    names = [name for name in names if not name.endswith((".low", ".high"))]
    if not done:
        return Markup()
    names = [name.removesuffix(".mean") for name in names]
    shown = done[: max(1, min(MOST_ROWS, MOST_CELLS // (len(names) + len(sweep.keys) + 2)))]
    rows = [
        [
            result["number"],
            *(sweep.points[result["point"]].get(key) for key in sweep.keys),
            result["seed"],
            *(_measure(result["measures"], name) for name in names),
        ]
        for result in shown
    ]
    columns = ["task", *sweep.keys, "seed", *names]
    note = (
        f"The first {len(shown)} of {len(done)} tasks; table.zarr holds all."
        if len(shown) < len(done)
        else ""
    )
    return joined((element("p", note, class_="note") if note else "", table(columns, rows, sortable=True)))


def _measure(measures: Mapping[str, Any], name: str) -> Any:
    return measures.get(name, measures.get(f"{name}.mean"))


def groups(sweep: Sweep, results: Iterable[Mapping[str, Any]]) -> Markup:
    """Return the groups of an experiment with the animals of each measure; empty for a sweep."""
    experiment = sweep.manifest.get(EXPERIMENT)
    names = experiment.get("groups") if isinstance(experiment, Mapping) else None
    if not isinstance(names, list):
        return Markup()
    animals: dict[str, dict[str, list[float]]] = {}
    for result in results:
        if result["status"] != DONE or not result["point"] < len(names):
            continue
        for measure, values in (result.get("animals") or {}).items():
            of_group = animals.setdefault(str(measure), {}).setdefault(str(names[result["point"]]), [])
            of_group += [float(value) for value in values if isinstance(value, (int, float))]
    rows = []
    for measure, by_group in animals.items():
        for name in map(str, names):
            values = by_group.get(name, [])
            known = [value for value in values if value == value]
            mean = sum(known) / len(known) if known else None
            rows.append((measure, name, mean, len(known), strip(known, mean)))
    points = [(name, _words(point)) for name, point in zip(names, sweep.points, strict=False)]
    return joined(
        (
            facts(dict(points)),
            table(("measure", "group", "mean", "animals", "each animal"), rows, sortable=True)
            if rows
            else "",
        )
    )


def comparisons(path: Path) -> Markup:
    """Return the comparisons of an experiment: differences with intervals, effect sizes, corrected p."""
    file = path / COMPARISONS
    if not file.is_file() or file.is_symlink():
        return Markup()
    with file.open(newline="", encoding="utf-8") as lines:
        head, *rows = list(itertools.islice(csv.reader(lines), MOST_ROWS)) or [[]]
    return (
        table(head, [[_as_number(cell) for cell in row] for row in rows], sortable=True) if head else Markup()
    )


def _as_number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def best(found: Mapping[str, Any] | None) -> Markup:
    """Return the best point of a calibration with its targets; empty for a sweep."""
    if not found:
        return Markup()
    reached = "within the tolerance" if found["met"] else "the nearest; no point is within the tolerance"
    return joined((element("p", f"Best of {found['trials']} points: {reached}."), facts(found["point"])))


def failures(failed: list[dict[str, Any]]) -> Markup:
    """Return the messages of failed tasks."""
    if not failed:
        return Markup()
    rows = [(one["task"], _words(one["point"]), one["error"]) for one in failed[:MOST_FAILURES]]
    more = len(failed) - len(rows)
    note = element("p", f"… and {more} more", class_="note") if more else ""
    return joined((table(("task", "point", "error"), rows), note))


def _words(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in point.items())


def _command(sweep: Sweep) -> str:
    return command_of(sweep.manifest) if isinstance(sweep.manifest.get("command"), list) else ""
