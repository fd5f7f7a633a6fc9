"""The groups of an experiment on its page: arms with their proofs, means, differences, single animals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ethospike.errors import EthospikeError
from ethospike.scenarios.analysis.group_statistics import interval
from ethospike.scenarios.experiments.comparison import LEVEL, RESAMPLES
from ethospike.scenarios.experiments.results import Results, about_groups, results_of
from ethospike.scenarios.report.measures import ARMS, drawn, scale_of, strip
from ethospike.scenarios.report.page.html import Markup, element, ends, joined, number, section, table
from ethospike.scenarios.sweeps.folder import DONE, Sweep

PERCENT = f"{100 * LEVEL:g} %"
MOST_ROWS = 1_000
"""Rows of a table in a page; comparisons.csv holds all."""


def groups_compared(sweep: Sweep, results: list[dict[str, Any]]) -> Markup:
    """Return the groups of an experiment, their comparisons and their animals; empty for another sweep."""
    if sweep.experiment is None:
        return Markup()
    groups = section("Groups", groups_table(sweep, results))
    try:
        compared = results_of(sweep)
    except EthospikeError as error:  # nothing is finished yet, or pingouin is absent here
        return joined((groups, section("Groups compared", element("p", str(error), class_="note"))))
    return joined(
        (
            groups,
            section("Groups compared", comparisons_table(compared)),
            section("Animals by group", animals_table(compared)),
        )
    )


def groups_table(sweep: Sweep, results: Iterable[Mapping[str, Any]]) -> Markup:
    """Return each group with the values that differ, and the proofs of its arms, summed over seeds."""
    proofs: dict[int, dict[str, float]] = {}
    for result in results:
        for name, value in result["measures"].items() if result["status"] == DONE else ():
            if name.startswith(f"{ARMS}.") and name.endswith(".touched") and value is not None:
                touched = proofs.setdefault(result["point"], {})
                arm = name.removeprefix(f"{ARMS}.").removesuffix(".touched")
                touched[arm] = touched.get(arm, 0.0) + value
    rows = [
        (
            group,
            about,
            ", ".join(f"{arm}: {number(round(value))}" for arm, value in proofs.get(point, {}).items()),
        )
        for point, (group, about) in enumerate(about_groups(sweep).items())
    ]
    return table(("group", "differs in", "touched by its arms"), rows)


def comparisons_table(compared: Results) -> Markup:
    """Return the comparisons that were stated in advance."""
    design = compared.design
    kind = "within animals" if design.paired else "between independent groups"
    correction = "" if design.correction == "none" else f", corrected for all rows ({design.correction})"
    note = (
        f"Differences {kind}, with {PERCENT} bootstrap intervals; p of permutation tests "
        f"({RESAMPLES:,} draws){correction}; g is Hedges'. The unit is the animal."
    )
    rows = [
        (
            *(row.measure, row.group, row.control, _known(row.difference)),
            ends(row.low, row.high),
            *(_known(row.p_corrected), _known(row.hedges_g), int(row.n)),
        )
        for row in compared.comparisons.head(MOST_ROWS).itertuples()
    ]
    columns = ("measure", "group", "minus", "difference", f"{PERCENT} interval", "p", "g", "animals")
    notes = [element("p", note, class_="note"), *(element("p", line) for line in compared.notes)]
    return joined((*notes, table(columns, rows, sortable=True)))


def animals_table(compared: Results) -> Markup:
    """Return each compared measure by group: mean, interval, and every animal as a dot."""
    rows = []
    for measure in compared.measures:
        column = compared.animals.set_index("group")[measure].dropna()
        estimates = {
            group: interval(column.loc[[group]].to_numpy(float))
            for group in compared.groups
            if group in column.index
        }
        scale = scale_of(drawn(estimates.values()))
        for group, estimate in estimates.items():
            mean, low, high, values = (estimate[key] for key in ("mean", "low", "high", "animals"))
            dots = strip(values, mean, low, high, scale)
            rows.append((measure, group, mean, ends(low, high), len(values), dots))
    columns = ("measure", "group", "mean", "95 % interval", "animals", "each animal")
    return table(columns, rows[:MOST_ROWS], sortable=True)


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
