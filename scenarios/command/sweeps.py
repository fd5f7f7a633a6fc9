"""The commands of sweeps: sweep, calibrate, task, collect, and what show, plot and resume do with them.

In: words. Out: folders of sweeps, and what they show. This file knows no scenario; `app.py` makes its
functions commands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ethospike.errors import ScenarioError
from ethospike.scenarios import configuration
from ethospike.scenarios.scenario import Scenario, ScenarioConfig, find_scenario
from ethospike.scenarios.sweeps import folder as sweeps
from ethospike.scenarios.sweeps import points as sweep_points

Flags = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
SAMPLES = 100
"""Points drawn from ranges where no number is given."""
_PART = re.compile(r"(\d+)/(\d+)")


def sweep(
    scenario: str,
    /,
    *flags: Flags,
    grid: tuple[str, ...] = (),
    sample: tuple[str, ...] = (),
    samples: int | None = None,
    points: Path | None = None,
    seeds: int = 1,
    config: Path | None = None,
    preset: str = "",
    simulator: str = "",
    genn_backend: str = "",
    out: Path | None = None,
    workers: int = 0,
    scheduler: str = "",
    keep_recordings: bool = False,
    prepare: bool = False,
    quiet: bool = False,
) -> None:
    """Run a scenario at many points of its configuration, on all cores or a cluster, into one table.

    Parameters
    ----------
    scenario
        A name from `ethospike list`, or the path of a Python file that defines SCENARIO.
    flags
        Any field of the scenario's configuration, for all points (`ethospike run SCENARIO --help`).
    grid
        KEY=FIRST:LAST:COUNT, with :log for equal ratios, or KEY=VALUE,VALUE; again for another key. KEY is
        the path of a field in config.toml, such as cortex.I_th_E.
    sample
        KEY=LOW:HIGH, or with :log, to draw values from a range; again for another key.
    samples
        How many points are drawn from the ranges of --sample; by default 100.
    points
        A file of points: CSV with the keys in its first line, or a JSON list of objects.
    seeds
        Runs of each point, with the seeds --seed, --seed + 1, …
    config
        A TOML file with fields of the configuration, for all points.
    preset
        A named set of values of the scenario.
    simulator
        nest, numba or genn.
    genn_backend
        auto, cuda, hip or cpu.
    out
        The sweep's folder, which must not exist; by default a new one in sweeps/.
    workers
        Processes on this machine; 0 is one for each core.
    scheduler
        The address of a running Dask scheduler, instead of processes on this machine.
    keep_recordings
        Keep the whole run of each task, with its recording and figures.
    prepare
        Make the folder and run nothing: for `ethospike task`, on a cluster.
    quiet
        No progress.
    """
    from ethospike.scenarios.sweeps import runner as sweep_runner

    chosen = find_scenario(scenario)
    settings = configuration.from_command(
        chosen, flags, config=config, preset_name=preset, simulator=simulator, genn_backend=genn_backend
    )
    if settings is None:
        return
    _check_settings(chosen, settings, flags)
    if not (grid or sample or points):
        raise ScenarioError(
            "sweep: no points; give --grid KEY=FIRST:LAST:COUNT, --sample KEY=LOW:HIGH or --points FILE"
        )
    if samples is not None and not sample:
        raise ScenarioError("--samples: there is no range to draw from; give --sample KEY=LOW:HIGH")
    if prepare and (workers or scheduler):
        raise ScenarioError(
            "--prepare runs nothing, so that --workers and --scheduler have nothing to do; leave them out"
        )
    parts = [sweep_points.grid(chosen, grid)]
    parts += [sweep_points.from_file(points)] if points else []
    parts += (
        [sweep_points.samples(chosen, sample, SAMPLES if samples is None else samples, settings.seed)]
        if sample
        else []
    )
    plan = sweeps.Plan(sweep_points.combined(*parts), seeds, keep_recordings)
    if not prepare:
        sweep_runner.check_workers(workers, scheduler)
    made = sweeps.Sweep.create(out, chosen, settings, plan)
    if prepare:
        last = len(plan.points) * seeds - 1
        print(f"{made.path}: tasks 0 … {last}; run them by `ethospike task {made.path} NUMBER`")
        return
    sweep_runner.run_sweep(made, workers=workers, scheduler=scheduler, quiet=quiet)
    _report(made)


def calibrate(
    scenario: str,
    /,
    *flags: Flags,
    target: tuple[str, ...] = (),
    vary: tuple[str, ...] = (),
    trials: int = 100,
    tolerance: float = 0.05,
    seeds: int = 1,
    check_seeds: int = 5,
    config: Path | None = None,
    preset: str = "",
    simulator: str = "",
    genn_backend: str = "",
    out: Path | None = None,
    workers: int = 0,
    scheduler: str = "",
    quiet: bool = False,
) -> None:
    """Search for the point of a scenario's configuration at which its measures are what one wants.

    Parameters
    ----------
    scenario
        A name from `ethospike list`, or the path of a Python file that defines SCENARIO.
    flags
        Any field of the scenario's configuration, for all points (`ethospike run SCENARIO --help`).
    target
        MEASURE=VALUE, a number of summary.json such as rate_hz.E=3; again for another one. With @WEIGHT its
        deviation counts more (rate_hz.E=3@2) or less than those of the others, which have weight 1.
    vary
        KEY=LOW:HIGH, or with :log: the path of a field in config.toml, and between which values to search.
    trials
        Points tried at most.
    tolerance
        The search ends when each measure is as near its target as this share of it.
    seeds
        Runs of each point, whose measures are averaged.
    check_seeds
        Runs of the best point with seeds that the search did not see.
    config
        A TOML file with fields of the configuration, for all points.
    preset
        A named set of values of the scenario.
    simulator
        nest, numba or genn.
    genn_backend
        auto, cuda, hip or cpu.
    out
        The calibration's folder, which must not exist; by default a new one in sweeps/.
    workers
        Processes on this machine; 0 is one for each core.
    scheduler
        The address of a running Dask scheduler, instead of processes on this machine.
    quiet
        No progress.
    """
    from ethospike.scenarios.sweeps import calibration
    from ethospike.scenarios.sweeps import runner as sweep_runner

    chosen = find_scenario(scenario)
    settings = configuration.from_command(
        chosen, flags, config=config, preset_name=preset, simulator=simulator, genn_backend=genn_backend
    )
    if settings is None:
        return
    _check_settings(chosen, settings, flags)
    targets = [calibration.parse_target(text) for text in target]
    search = calibration.Search(
        {key: value for key, value, _ in targets},
        [sweep_points.Span.parse(chosen, one) for one in vary],
        trials,
        tolerance,
        check_seeds,
        {key: weight for key, _, weight in targets if weight != 1.0},
    )
    sweep_runner.check_workers(workers, scheduler)
    made = calibration.create(out, chosen, settings, search, seeds)
    calibration.calibrate(made, workers=workers, scheduler=scheduler, quiet=quiet)
    _report(made)


def task(path: Path, numbers: tuple[str, ...] = (), /, *, part: str = "", retry_failed: bool = False) -> None:
    """Run tasks of a prepared sweep in this process, one after the other; for arrays of jobs on a cluster.

    Parameters
    ----------
    path
        The sweep's folder.
    numbers
        Tasks, from 0. A task that is finished is not run again.
    part
        Instead: K/N, the K-th of N equal parts of all tasks, from 0/N to N-1/N.
    retry_failed
        Run tasks again that have failed.
    """
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    for number in _chosen(opened, numbers, part):
        result = sweep_runner.run_here(opened, number, retry_failed=retry_failed)
        print(f"task {number}: {result['status']} {result['error'] or ''}".rstrip(), flush=True)


def collect(path: Path, /) -> None:
    """Make the table and the figures of a sweep from the tasks that are finished, wherever they ran.

    Parameters
    ----------
    path
        The sweep's folder.
    """
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    sweep_runner.collect(opened)
    _report(opened)


def show(path: Path, *, as_json: bool = False) -> None:
    """Print how far a sweep is, and what it found."""
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    if as_json:
        print(json.dumps(sweep_runner.content(opened), indent=2))
    else:
        _report(opened)


def plot(path: Path) -> None:
    """Draw the figures of a sweep again."""
    from ethospike.scenarios.sweeps import runner as sweep_runner

    for figure in sweep_runner.collect(sweeps.Sweep.open(path)):
        print(f"figure: {figure}")


def resume(path: Path, workers: int, scheduler: str, *, retry_failed: bool, quiet: bool) -> None:
    """Go on with a sweep or a calibration."""
    from ethospike.scenarios.sweeps import calibration
    from ethospike.scenarios.sweeps import runner as sweep_runner

    opened = sweeps.Sweep.open(path)
    if opened.calibration is not None:
        if retry_failed:
            raise ScenarioError(
                f"--retry-failed: {path} is a calibration, whose search has learned from failures"
            )
        calibration.calibrate(opened, workers=workers, scheduler=scheduler, quiet=quiet)
    else:
        sweep_runner.run_sweep(
            opened, workers=workers, scheduler=scheduler, retry_failed=retry_failed, quiet=quiet
        )
    _report(opened)


def _check_settings(scenario: Scenario, settings: ScenarioConfig, flags: Sequence[str]) -> None:
    """Refuse values of fields on which a sweep decides for all of its tasks, and which it would ignore."""
    named = {word.split("=")[0].replace("_", "-") for word in flags}
    default = scenario.config()
    for key, own in sweeps.TASK_SETTINGS.items():
        value, flag = (attrgetter(key)(settings), "--" + key.replace("_", "-"))
        if value != own and (flag in named or value != attrgetter(key)(default)):
            raise ScenarioError(
                f"{key}: got {value}, but the runs of a sweep have {own}, because many short ones share the "
                f"cores and begin anew when they are interrupted; leave it out, or give {flag} {own}"
            )


def _chosen(opened: sweeps.Sweep, numbers: tuple[str, ...], part: str) -> list[int]:
    """Return the numbers of the tasks that `ethospike task` is to run."""
    if bool(numbers) == bool(part):
        raise ScenarioError("task: expected either numbers of tasks or --part K/N")
    if not part:
        for number in numbers:
            if not number.isdecimal():
                raise ScenarioError(f"task: expected a number, got {number!r}")
        return [opened.task(int(number)).number for number in numbers]
    found = _PART.fullmatch(part)
    if found is None or not int(found[1]) < int(found[2]):
        raise ScenarioError(f"part: expected K/N with K below N, such as 0/32, got {part!r}")
    return [one.number for one in opened.tasks()[int(found[1]) :: int(found[2])]]


def _report(opened: sweeps.Sweep) -> None:
    from ethospike.scenarios.sweeps import runner as sweep_runner

    print(sweep_runner.report(opened))
