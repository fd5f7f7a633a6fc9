"""The page of a sweep, a calibration or an experiment: figures, points compared, table, failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ethospike.scenarios.analysis.group_statistics import interval
from ethospike.scenarios.report import settings
from ethospike.scenarios.report.figures import figures
from ethospike.scenarios.report.groups import groups_compared
from ethospike.scenarios.report.measures import ARMS, drawn, scale_of, strip
from ethospike.scenarios.report.origin import origin
from ethospike.scenarios.report.page.document import document
from ethospike.scenarios.report.page.html import Markup, element, ends, facts, joined, section, table
from ethospike.scenarios.run.provenance import command_of
from ethospike.scenarios.sweeps.folder import DONE, Sweep
from ethospike.scenarios.sweeps.report import content

MOST_ROWS = 2_000
MOST_CELLS = 60_000
"""Rows and cells of the table in a page: about 2 MB. A larger sweep shows its first tasks."""
MOST_COMPARED = 24
"""Points that are compared one by one."""
MOST_FAILURES = 50


def sweep_page(sweep: Sweep) -> str:
    """Return the page of a sweep as HTML."""
    contents, results = content(sweep), list(sweep.results())
    kind = kind_of(sweep)
    failed = contents["failed"]
    points = "points" if sweep.experiment is None else "groups"
    state = (
        f"{contents['finished']} of {contents['tasks']} tasks finished: {contents['points']} {points} × "
        f"{len(sweep.seeds)} seeds; {len(failed)} failed."
    )
    changed = settings.changed_defaults(sweep.manifest, None, sweep.base_settings)
    parts = [
        element("p", "ethospike", class_="dim"),
        element("h1", f"{kind.capitalize()} of {sweep.name}"),
        element("p", state),
        section("Best point", best(contents["best"])),
        groups_compared(sweep, results),
        section("Figures", figures(sweep.path / "figures")),
        section("Points compared", points_table(sweep, results)),
        section("Tasks", task_table(sweep, results)),
        section("Failures", failures(failed)),
        section("Shared configuration", settings.configuration(sweep.base_settings, changed)),
        section("Make it again", element("pre", element("code", _command(sweep)))),
        section("Origin", origin({**sweep.manifest, "seed": ", ".join(map(str, sweep.seeds))})),
    ]
    return document(f"{kind} of {sweep.name}", parts)


def kind_of(sweep: Sweep) -> str:
    """Return the kind of a sweep: sweep, calibration or experiment."""
    if sweep.experiment is not None:
        return "experiment"
    return "sweep" if sweep.calibration is None else "calibration"


def task_table(sweep: Sweep, results: list[dict[str, Any]]) -> Markup:
    """Return the finished tasks as a table that is sorted by a click on a heading."""
    done = [result for result in results if result["status"] == DONE]
    names = list(dict.fromkeys(name for result in done for name in result["measures"]))
    # Means first: ends of intervals follow them where there is room.
    names = [name for name in names if _is_shown(name)]
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


def _is_shown(name: str) -> bool:
    """Return False for ends of intervals, and for proofs of arms, which hold or end a task with an error."""
    return not name.endswith((".low", ".high")) and not name.startswith(f"{ARMS}.")


def _measure(measures: Mapping[str, Any], name: str) -> Any:
    return measures.get(name, measures.get(f"{name}.mean"))


def points_table(sweep: Sweep, results: Iterable[Mapping[str, Any]]) -> Markup:
    """Return each measure at each point, as mean and interval over seeds with every seed as a dot.

    Empty for a single seed, for more points than can be compared by eye, which the figures show, and for
    experiments, whose groups are compared animal by animal.
    """
    if sweep.experiment is not None or len(sweep.seeds) < 2 or not 2 <= len(sweep.points) <= MOST_COMPARED:
        return Markup()
    values: dict[str, dict[int, list[float]]] = {}
    for result in results:
        for name, value in result["measures"].items() if result["status"] == DONE else ():
            if isinstance(value, (int, float)) and _is_shown(name):
                of_measure = values.setdefault(name.removesuffix(".mean"), {})
                of_measure.setdefault(result["point"], []).append(float(value))
    rows = []
    for name, by_point in values.items():
        estimates = {point: interval(np.array(seeds)) for point, seeds in sorted(by_point.items())}
        scale = scale_of(drawn(estimates.values()))
        for point, estimate in estimates.items():
            mean, low, high, seeds = (estimate[entry] for entry in ("mean", "low", "high", "animals"))
            dots = strip(seeds, mean, low, high, scale)
            rows.append((name, _words(sweep.points[point]), mean, ends(low, high), len(seeds), dots))
    columns = ("measure", "point", "mean", "95 % interval", "seeds", "each seed")
    return table(columns, rows, sortable=True) if rows else Markup()


def best(best_point: Mapping[str, Any] | None) -> Markup:
    """Return the best point of a calibration with its targets; empty for a sweep."""
    if not best_point:
        return Markup()
    reached = "within the tolerance" if best_point["met"] else "the nearest; no point is within the tolerance"
    return joined(
        (element("p", f"Best of {best_point['trials']} points: {reached}."), facts(best_point["point"]))
    )


def failures(failed: list[dict[str, Any]]) -> Markup:
    """Return the messages of failed tasks."""
    if not failed:
        return Markup()
    rows = [
        (failure["task"], _words(failure["point"]), failure["error"]) for failure in failed[:MOST_FAILURES]
    ]
    more = len(failed) - len(rows)
    note = element("p", f"… and {more} more", class_="note") if more else ""
    return joined((table(("task", "point", "error"), rows), note))


def _words(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in point.items())


def _command(sweep: Sweep) -> str:
    return command_of(sweep.manifest) if isinstance(sweep.manifest.get("command"), list) else ""
