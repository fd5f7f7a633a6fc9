"""The commands of experiments: experiment, compare, and the results of an experiment's folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Column, Table
from rich.text import Text

from ethospike.errors import EthospikeError, ScenarioError, nearest
from ethospike.paths import expanded
from ethospike.scenarios import configuration
from ethospike.scenarios.command.choices import NO_OUTPUT, NO_WORKERS, Flags, Output, Workers
from ethospike.scenarios.command.reports import add_report
from ethospike.scenarios.run.files import make_folder
from ethospike.scenarios.sweeps import folder as sweeps
from ethospike.scenarios.terminal import console

if TYPE_CHECKING:
    from ethospike.scenarios.experiments.results import Results


def experiment(
    file: Path,
    /,
    *flags: Flags,
    workers: Workers = NO_WORKERS,
    output: Output = NO_OUTPUT,
    prepare: bool = False,
) -> None:
    """Run the groups of an experiment, and compare them.

    Parameters
    ----------
    file
        A TOML file, or a Python file that defines EXPERIMENT (docs/experiments.md).
    flags
        Any field of the scenario's configuration, for all groups.
    workers
        The processes that run the groups.
    output
        The experiment's folder.
    prepare
        Only make the folder, for `ethospike task` on a cluster.
    """
    from ethospike.scenarios.experiments.comparison import require_statistics
    from ethospike.scenarios.experiments.experiment import find_experiment, scenario_of
    from ethospike.scenarios.sweeps.runner import run_sweep

    described = find_experiment(file)
    scenario = scenario_of(described)
    if {"--help", "-h"} & set(flags):
        configuration.from_command(scenario, flags)
        return
    settings = described.shared_config(scenario, flags)
    plan = described.plan(scenario, settings)
    require_statistics()
    if not prepare:
        workers.check()
    elif workers:
        raise ScenarioError("--prepare runs nothing; leave out --workers, --scheduler and --batch")
    made = sweeps.Sweep.create(output.out, scenario, settings, plan)
    if prepare:
        last = len(made.tasks()) - 1
        print(f"{made.path}: tasks 0 … {last}; run them by `ethospike task {made.path} NUMBER`")
        return
    run_sweep(made, quiet=output.quiet, **workers.as_arguments())
    report_results(made)
    if output.report:
        add_report(made.path)


def compare(
    runs: tuple[str, ...],
    /,
    *,
    control: str = "",
    measures: tuple[str, ...] = (),
    unpaired: Annotated[bool, Parameter(negative="")] = False,
    correction: str = "",
    out: Path | None = None,
) -> None:
    """Compare runs that exist already, or an experiment by other measures.

    Differences are taken within animals of the same seed and number, with bootstrap intervals, permutation
    tests, effect sizes, and correction for the number of comparisons.

    Parameters
    ----------
    runs
        Folders of complete runs of one scenario, each a group called by its folder, or as NAME=FOLDER; or the
        folder of one experiment.
    control
        The group with which the others are compared; by default the first, or as in the experiment.
    measures
        Measures of summary.json with values of single animals, such as preference_index; * stands for any
        letters. By default all.
    unpaired
        Compare independent groups.
    correction
        Of p for the number of comparisons: holm (default), bonf, sidak, fdr_bh, fdr_by or none.
    out
        A new folder for animals.csv, comparisons.csv, comparison.md and groups.png.
    """
    if not runs:
        raise ScenarioError("compare: expected folders of runs, or of an experiment")
    if len(runs) == 1 and sweeps.is_sweep(Path(runs[0])):
        results = _again(sweeps.Sweep.open(Path(runs[0])), control, measures, correction, unpaired=unpaired)
    else:
        from ethospike.scenarios.experiments.runs import compared_runs

        results = compared_runs(
            runs, control=control, measures=measures, paired=not unpaired, correction=correction or "holm"
        )
    print_results(results)
    if out is not None:
        folder = expanded(out)
        if not make_folder(folder):
            raise ScenarioError(f"{out} exists already; choose another folder by --out")
        for file in results.write(folder):
            print(f"written: {file}")


def _again(
    opened: sweeps.Sweep, control: str, measures: tuple[str, ...], correction: str, *, unpaired: bool
) -> Results:
    """Return the results of an experiment with another design."""
    import dataclasses

    from ethospike.scenarios.experiments.comparison import Design
    from ethospike.scenarios.experiments.results import redesigned, results_of

    if opened.experiment is None:
        raise ScenarioError(f"{opened.path} is a sweep without groups; expected an experiment, or runs")
    if control and control not in opened.groups:
        raise ScenarioError(f"control: no group {control!r}; {nearest(control, opened.groups)}")
    design = redesigned(Design.from_json(opened.experiment), opened.groups, control, measures)
    if correction:
        design = dataclasses.replace(design, correction=correction)
    return results_of(opened, dataclasses.replace(design, paired=design.paired and not unpaired))


def results_as_json(opened: sweeps.Sweep) -> dict[str, Any]:
    """Return the comparisons of an experiment as plain values; empty for other sweeps."""
    from ethospike.scenarios.experiments.results import results_of

    if opened.experiment is None:
        return {}
    try:
        comparisons = results_of(opened).comparisons
    except EthospikeError as error:
        return {"comparisons": [], "no_comparison": str(error)}
    return {"comparisons": json.loads(comparisons.to_json(orient="records"))}


def report_results(opened: sweeps.Sweep, *, write: bool = True) -> None:
    """Print the results of an experiment, and write its tables; say why if there are none."""
    from ethospike.scenarios.experiments.results import results_of

    files: list[Path] = []
    try:
        results = results_of(opened)
        if write:
            files = results.write(opened.path, opened.path / "figures")
    except EthospikeError as error:
        print(f"ethospike: no comparison: {error}", file=sys.stderr)
        return
    print_results(results)
    for file in files:
        print(f"written: {file}")


def print_results(results: Results) -> None:
    """Print the comparisons as a table."""
    table = Table(*(Column(title, overflow="fold") for title in ("measure", "group", "mean", "control")))
    for title in ("mean of control", "difference [95 %]", "p", "g", "n"):
        table.add_column(title)
    for row in results.comparisons.itertuples():
        cells = (
            *(row.measure, row.group, f"{row.mean:.3g}", row.control, f"{row.control_mean:.3g}"),
            f"{row.difference:+.3g} [{row.low:.3g}, {row.high:.3g}]",
            *(f"{row.p_corrected:.3g}", f"{row.hedges_g:.2g}", str(row.n)),
        )
        table.add_row(*(Text(cell) for cell in cells))
    for note in results.notes:
        print(note)
    console().print(table)
