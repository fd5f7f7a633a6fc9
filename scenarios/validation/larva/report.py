"""Comparison of the mushroom body and its larvae with the publications.

The results are a JSON file and tables in Markdown, for docs/validation.md; agreement and disagreement are
both reported.

    ethospike validate --out docs/validation_larva
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ethospike.scenarios.analysis.group_statistics import difference
from ethospike.scenarios.run.provenance import command_of
from ethospike.scenarios.validation.larva import agreement, experiments
from ethospike.scenarios.validation.larva.experiments import REFERENCE_HZ, Settings
from ethospike.scenarios.validation.parts import Validation, run_parts

Part = Callable[[Settings], dict[str, Any]]

_SETS = {"": "calibrated", "_fast": "0.3 nS", "_published": "published"}
"""Parameter sets of the comparison of learning, by the ending of the names of their parts."""

PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "naive": experiments.naive_rates,
        "naive_nest": agreement.naive_rates_on_nest,
        **{
            f"{kind}{suffix}": partial(
                experiments.learning_by_group, preset=preset, unpaired=kind == "unpaired"
            )
            for suffix, preset in _SETS.items()
            for kind in ("groups", "unpaired")
        },
        "acquisition": experiments.acquisition,
        "interval": experiments.odor_reward_interval,
        "learning_rate": experiments.learning_rates,
        "dish": experiments.choice_in_the_dish,
        "dish_fine": experiments.choice_at_fine_control,
        "simulators": agreement.across_simulators,
        "nest_paired": partial(agreement.learning_on_nest, group="paired"),
        "nest_unpaired": partial(agreement.learning_on_nest, group=experiments.UNPAIRED[0]),
        "nest_odor_only": partial(agreement.learning_on_nest, group="odor only"),
        "nest_punishment": partial(agreement.learning_on_nest, group="paired with punishment"),
        "parity": agreement.parity_of_mushroom_body,
        "parity_cortex": agreement.parity_of_cortex,
    }
)
"""Name and function of each part."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: the parts with the results of its rows, the kind of these rows, and the columns.

    `contrasts` are pairs of rows; their difference in the first column is shown too.
    """

    title: str
    parts: Mapping[str, str]
    columns: tuple[str, ...]
    contrasts: tuple[tuple[str, str], ...] = ()


_LEARNING = ("preference_first_20_s", "preference_last_20_s", "dan_hz_in_training")
_CHOICE = ("preference_index", "choice_index", "preference_first_20_s")
_AGREEMENT = ("nest", "numba", "difference", "relative")
TABLES = (
    Table(
        "Learning by group (2 min training, 1 min gap, 3 min of odor alone)",
        {f"{kind}{suffix}": label for suffix, label in _SETS.items() for kind in ("groups", "unpaired")},
        _LEARNING,
        tuple(("paired", name) for name in experiments.UNPAIRED),
    ),
    Table("Acquisition: paired training of 1 to 8 minutes", {"acquisition": ""}, _LEARNING),
    Table(
        "Interval from odor to reward (3 trials of 30 s odor and 30 s reward)", {"interval": ""}, _LEARNING
    ),
    Table(
        "Learning rate: first 20 s of each training cycle of 2.5 + 2.5 min, and of the test",
        {"learning_rate": ""},
        (*(f"preference_cycle_{n}" for n in range(1, 6)), "preference_first_20_s"),
    ),
    Table(
        "Choice in the dish at 100 ms control (30 s of transfer; indices over the last 2 minutes)",
        {"dish": ""},
        _CHOICE,
    ),
    Table("The same at 10 ms control", {"dish_fine": ""}, _CHOICE),
    Table(
        "Learning on NEST and Numba: the same larvae and input (2 min training, 1 min gap, calibrated)",
        {
            "nest_paired": "paired",
            "nest_unpaired": "unpaired, odor first",
            "nest_odor_only": "odor only",
            "nest_punishment": "paired with punishment",
        },
        _AGREEMENT[:3],
    ),
    Table(
        "Simulators: 1 min training at 0.3 nS, and naive rates in n-amylacetate (published preset, ± sd)",
        {"simulators": ""},
        (*_LEARNING[::2], *(f"{name}_hz" for name in REFERENCE_HZ)),
    ),
    Table(
        "NEST and Numba: means over ten seeds, and their difference",
        {"parity": "mushroom body", "parity_cortex": "cortex, 5,000 neurons"},
        _AGREEMENT,
    ),
)
"""All tables except the table of naive rates, which has a different form."""


def validate(out: Path, settings: Settings, parts: Sequence[str] = ()) -> Path:
    """Run parts (all by default), write `out`.json and `out`.md, and return the path of `out`.md.

    Raises
    ------
    ScenarioError
    SimulatorNotInstalled
    RunFolderError
        As `run_parts`.
    """
    return run_parts(out, settings, parts, Validation(PARTS, _needed, "results", to_markdown))


def to_markdown(results: dict[str, Any]) -> str:
    """Return the results as tables, each with the commands that produced it."""
    lines = ["Mean and 95 % interval over animals, unless the title says otherwise."]
    lines += _naive_table(results)
    for table in TABLES:
        present = [part for part in table.parts if part in results]
        if not present:
            continue
        heads = ["", *(column.replace("_", " ") for column in table.columns)]
        lines += ["", f"### {table.title}", *_origin(results, present)]
        lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        rows = {
            (name, table.parts[part]): summary
            for part in present
            for name, summary in results[part]["results"].items()
        }
        for (name, label), summary in {**rows, **_contrasts(table, rows)}.items():
            title = ", ".join(filter(None, (name.replace("_", " "), label)))
            cells = " | ".join(show(summary.get(column)) for column in table.columns)
            lines.append(f"| {title} | {cells} |")
    return "\n".join(lines) + "\n"


Rows = dict[tuple[str, str], dict[str, Any]]


def _contrasts(table: Table, rows: Rows) -> Rows:
    """Return the rows of differences, by name and by kind of row."""
    column = table.columns[0]
    return {
        (f"{first} minus {second}", label): {
            column: difference(rows[first, label][column], rows[second, label][column])
        }
        for label in dict.fromkeys(table.parts.values())
        for first, second in table.contrasts
        if (first, label) in rows and (second, label) in rows
    }


def _naive_table(results: dict[str, Any]) -> list[str]:
    present = [part for part in ("naive", "naive_nest") if part in results]
    if not present:
        return []
    wirings, seconds = (results[present[0]]["results"][key] for key in ("wirings", "seconds"))
    lines = [
        "",
        f"### Naive rates in n-amylacetate (published preset, {wirings} wirings, {seconds} s)",
        *_origin(results, present),
        "| population | simulator | Hz ± sd | reference | deviation | within |",
        "|---|---|---|---|---|---|",
    ]
    for name in REFERENCE_HZ:
        for part in present:
            rate = results[part]["results"]["rates"][name]
            simulator = _simulators(part, results[part]["settings"]["simulator"])
            lines.append(
                f"| {name} | {simulator} | {rate['mean']:.3g} ± {rate['sd']:.2g} | {rate['reference']:g} "
                f"| {100 * rate['deviation']:+.1f} % | {'yes' if rate['within'] else 'NO'} |"
            )
    return lines


def _needed(part: str, chosen: str) -> tuple[str, ...]:
    """Return the simulators that a part requires, without optional simulators."""
    if part == "simulators":
        return ()
    if part == "naive_nest":
        return ("nest",)
    return ("nest", chosen) if part.startswith(("nest_", "parity")) else (chosen,)


def _simulators(part: str, chosen: str) -> str:
    return " and ".join(_needed(part, chosen)) or "all that are installed"


def _origin(results: dict[str, Any], parts: Sequence[str]) -> list[str]:
    """Return the commands that produced these parts, with date and simulator."""
    lines = []
    for part in parts:
        machine, settings = results[part]["machine"], results[part]["settings"]
        simulators = _simulators(part, settings["simulator"])
        line = f"`{command_of(machine)}`, {machine['started'][:10]}, on {simulators}."
        if line not in lines:
            lines += ["", line]
    return [*lines, ""]


def show(measured: dict[str, Any] | None) -> str:
    """Return a measure as text: mean [low, high]."""
    if measured is None:
        return ""
    if "sd" in measured:
        return f"{measured['mean']:.3g} ± {measured['sd']:.2g}"
    spread = "" if measured["low"] is None else f" [{measured['low']:.2f}, {measured['high']:.2f}]"
    return f"{measured['mean']:.2f}{spread}"
