"""The commands of sweeps: sweep, calibrate, task, collect, and show, plot and resume of their folders."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from cyclopts import Parameter

from ethospike.errors import ScenarioError
from ethospike.scenarios.command.choices import (
    NO_CHOICE,
    NO_OUTPUT,
    NO_WORKERS,
    Choice,
    Flags,
    Output,
    Workers,
)
from ethospike.scenarios.command.experiments import report_results, results_as_json
from ethospike.scenarios.command.reports import add_report, renew_report
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps import folder as sweeps
from ethospike.scenarios.sweeps import points as sweep_points

SAMPLES = 100
"""Default number of points drawn from ranges."""
_PART = re.compile(r"(\d+)/(\d+)")


@Parameter(name="*")
@dataclass(frozen=True)
class Axes:
    """The points of a sweep, and the seeds of each."""

    grid: tuple[str, ...] = ()
    """KEY=FIRST:LAST:COUNT, with :log for equal ratios, or KEY=VALUE,VALUE; repeat for another key. KEY is
    the path of a field in config.toml, such as cortex.I_th_E."""
    sample: tuple[str, ...] = ()
    """KEY=LOW:HIGH, or with :log, to draw values from a range; repeat for another key."""
    samples: int | None = None
    """Number of points drawn from the ranges of --sample; by default 100."""
    points: Path | None = None
    """A file of points: CSV with the keys in its first line, or a JSON list of objects."""
    seeds: int = 1
    """Runs of each point, with the seeds --seed, --seed + 1, …"""

    def all_points(self, scenario: Scenario, seed: int) -> list[sweep_points.Point]:
        """Return the points: every combination of axes, samples and file.

        Raises
        ------
        ScenarioError
            When there is no point, or an axis, a range or a file does not fit.
        """
        if not (self.grid or self.sample or self.points):
            raise ScenarioError(
                "sweep: no points; give --grid KEY=FIRST:LAST:COUNT, --sample KEY=LOW:HIGH or --points FILE"
            )
        if self.samples is not None and not self.sample:
            raise ScenarioError("--samples: there is no range to draw from; give --sample KEY=LOW:HIGH")
        count = SAMPLES if self.samples is None else self.samples
        parts = [sweep_points.grid(scenario, self.grid)]
        parts += [sweep_points.from_file(self.points)] if self.points else []
        parts += [sweep_points.samples(scenario, self.sample, count, seed)] if self.sample else []
        return sweep_points.combined(*parts)


@Parameter(name="*")
@dataclass(frozen=True)
class Goal:
    """The goal of a calibration, and the length of the search."""

    target: tuple[str, ...] = ()
    """MEASURE=VALUE, a number of summary.json such as rate_hz.E=3; repeat for another measure. @WEIGHT
    (rate_hz.E=3@2) weights its deviation; the default weight is 1."""
    vary: tuple[str, ...] = ()
    """KEY=LOW:HIGH, or with :log: the path of a field in config.toml, and the range to search."""
    trials: int = 100
    """Maximal number of points."""
    tolerance: float = 0.05
    """The search ends when each measure is as near its target as this share of it."""
    check_seeds: int = 5
    """Runs of the best point with new seeds, after the search."""


NO_AXES, NO_GOAL = Axes(), Goal()


def sweep(
    scenario: str,
    /,
    *flags: Flags,
    axes: Axes = NO_AXES,
    choice: Choice = NO_CHOICE,
    workers: Workers = NO_WORKERS,
    output: Output = NO_OUTPUT,
    keep_recordings: bool = False,
    prepare: bool = False,
) -> None:
    """Run a scenario at many points of its configuration, on all cores or a cluster, into one table.

    Parameters
    ----------
    scenario
        A name from `ethospike list`, or the path of a Python file that defines SCENARIO.
    flags
        Any field of the scenario's configuration, for all points (`ethospike run SCENARIO --help`).
    axes
        The points.
    choice
        Configuration file, preset and simulator, for all points.
    workers
        The processes that run the tasks.
    output
        The sweep's folder.
    keep_recordings
        Keep the whole run of each task, with its recording and figures.
    prepare
        Only make the folder, for `ethospike task` on a cluster.
    """
    from ethospike.scenarios.sweeps.runner import run_sweep

    if (given := _given(scenario, choice, flags)) is None:
        return
    chosen, settings = given
    points = axes.all_points(chosen, settings.seed)
    if prepare and workers:
        raise ScenarioError(
            "--prepare runs nothing, so that --workers, --scheduler and --batch have nothing to do; leave "
            "them out"
        )
    plan = sweeps.Plan(points, axes.seeds, keep_recordings)
    if not prepare:
        workers.check()
    made = sweeps.Sweep.create(output.out, chosen, settings, plan)
    if prepare:
        last = len(plan.points) * axes.seeds - 1
        print(f"{made.path}: tasks 0 … {last}; run them by `ethospike task {made.path} NUMBER`")
        return
    run_sweep(made, quiet=output.quiet, **workers.as_arguments())
    _report(made, with_page=output.report)


def calibrate(
    scenario: str,
    /,
    *flags: Flags,
    goal: Goal = NO_GOAL,
    seeds: int = 1,
    choice: Choice = NO_CHOICE,
    workers: Workers = NO_WORKERS,
    output: Output = NO_OUTPUT,
) -> None:
    """Search for the point of a scenario's configuration that gives its measures your target values.

    Parameters
    ----------
    scenario
        A name from `ethospike list`, or the path of a Python file that defines SCENARIO.
    flags
        Any field of the scenario's configuration, for all points (`ethospike run SCENARIO --help`).
    goal
        Targets and ranges.
    seeds
        Runs of each point; their measures are averaged.
    choice
        Configuration file, preset and simulator, for all points.
    workers
        The processes that run the tasks.
    output
        The calibration's folder.
    """
    from ethospike.scenarios.sweeps import calibration
    from ethospike.scenarios.sweeps.search import Search, parse_target

    if (given := _given(scenario, choice, flags)) is None:
        return
    chosen, settings = given
    targets = [parse_target(text) for text in goal.target]
    search = Search(
        {key: value for key, value, _ in targets},
        [sweep_points.Span.parse(chosen, text) for text in goal.vary],
        goal.trials,
        goal.tolerance,
        goal.check_seeds,
        {key: weight for key, _, weight in targets if weight != 1.0},
    )
    workers.check()
    made = calibration.create(output.out, chosen, settings, search, seeds)
    calibration.calibrate(made, quiet=output.quiet, **workers.as_arguments())
    _report(made, with_page=output.report)


def task(
    path: Path,
    numbers: tuple[str, ...] = (),
    /,
    *,
    part: str = "",
    batch: int = 0,
    retry_failed: bool = False,
) -> None:
    """Run tasks of a prepared sweep in this process, one after the other; for arrays of jobs on a cluster.

    Parameters
    ----------
    path
        The sweep's folder.
    numbers
        Tasks, from 0. A finished task is not run again.
    part
        Instead: K/N, the K-th of N equal parts of all tasks, from 0/N to N-1/N.
    batch
        Parameter sets that run as one model, where the simulator has batches (GeNN on a GPU); 0: up to 40,
        1: each by itself.
    retry_failed
        Run failed tasks again.
    """
    from ethospike.scenarios.sweeps.batches import batches
    from ethospike.scenarios.sweeps.task import run_tasks

    opened = sweeps.Sweep.open(path)
    chosen = [opened.task(number) for number in _chosen(opened, numbers, part)]
    for group in batches(opened, chosen, batch):
        for result in run_tasks(opened.path, [task.number for task in group], retry_failed=retry_failed):
            status = f"{result['status']} {result['error'] or ''}".rstrip()
            print(f"task {result['number']}: {status}", flush=True)


def collect(path: Path, /) -> None:
    """Make the table and the figures of a sweep from its finished tasks, on whichever machine they ran.

    Parameters
    ----------
    path
        The sweep's folder.
    """
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    sweep_runner.collect(opened)
    _report(opened, with_page=True)


def show(path: Path, *, as_json: bool = False) -> None:
    """Print the progress and the results of a sweep."""
    from ethospike.scenarios.sweeps import report as sweep_report

    opened = sweeps.Sweep.open(path)
    if as_json:
        print(json.dumps({**sweep_report.content(opened), **results_as_json(opened)}, indent=2))
    else:
        _report(opened, write=False)


def plot(path: Path) -> None:
    """Draw the figures of a sweep again."""
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    for figure in sweep_runner.collect(opened):
        print(f"figure: {figure}")
    if opened.experiment is not None:
        report_results(opened)
    renew_report(path)


def resume(path: Path, workers: Workers, *, retry_failed: bool, quiet: bool, with_page: bool = True) -> None:
    """Continue a sweep or a calibration."""
    from ethospike.scenarios.sweeps import calibration
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    if opened.calibration is not None:
        if retry_failed:
            raise ScenarioError(
                f"--retry-failed: {path} is a calibration, whose search has learned from failures"
            )
        calibration.calibrate(opened, quiet=quiet, **workers.as_arguments())
    else:
        sweep_runner.run_sweep(
            opened,
            retry_failed=retry_failed,
            quiet=quiet,
            **workers.as_arguments(),
        )
    _report(opened, with_page=with_page)


def _given(scenario: str, choice: Choice, flags: Sequence[str]) -> tuple[Scenario, ScenarioConfig] | None:
    """Return the scenario and the configuration that all tasks share; None after --help."""
    chosen = find_scenario(scenario)
    settings = choice.configuration(chosen, flags)
    if settings is None:
        return None
    _check_settings(chosen, settings, flags)
    return chosen, settings


def _check_settings(scenario: Scenario, settings: ScenarioConfig, flags: Sequence[str]) -> None:
    """Refuse values of fields that a sweep sets for all of its tasks and would ignore."""
    named = {word.split("=")[0].replace("_", "-") for word in flags}
    default = scenario.config()
    for key, required in sweeps.TASK_SETTINGS.items():
        value, flag = (attrgetter(key)(settings), "--" + key.replace("_", "-"))
        if value != required and (flag in named or value != attrgetter(key)(default)):
            raise ScenarioError(
                f"{key}: got {value}, but the runs of a sweep have {required}, because many short ones share "
                f"the cores and begin anew when they are interrupted; leave it out, or give {flag} {required}"
            )


def _chosen(opened: sweeps.Sweep, numbers: tuple[str, ...], part: str) -> list[int]:
    """Return the numbers of the tasks for `ethospike task`."""
    if bool(numbers) == bool(part):
        raise ScenarioError("task: expected either numbers of tasks or --part K/N")
    if not part:
        for number in numbers:
            if not number.isdecimal():
                raise ScenarioError(f"task: expected a number, got {number!r}")
        return [opened.task(int(number)).number for number in numbers]
    match = _PART.fullmatch(part)
    if match is None or not int(match[1]) < int(match[2]):
        raise ScenarioError(f"part: expected K/N with K below N, such as 0/32, got {part!r}")
    return [task.number for task in opened.tasks()[int(match[1]) :: int(match[2])]]


def _report(opened: sweeps.Sweep, *, with_page: bool = False, write: bool = True) -> None:
    from ethospike.scenarios.sweeps import report as sweep_report

    print(sweep_report.report(opened))
    if opened.experiment is not None:
        report_results(opened, write=write)
    if with_page:
        add_report(opened.path)
