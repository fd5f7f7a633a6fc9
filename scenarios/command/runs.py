"""The commands of runs: list, run, resume, recover."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethospike.errors import ScenarioError
from ethospike.recorders.format import INTERRUPTED
from ethospike.recorders.view.checks import check_display
from ethospike.recorders.view.live import LiveView
from ethospike.scenarios import configuration
from ethospike.scenarios.command import sweeps as sweep_commands
from ethospike.scenarios.command.choices import (
    NO_CHOICE,
    NO_OUTPUT,
    NO_SERVING,
    NO_WORKERS,
    Choice,
    Flags,
    Output,
    Serving,
    Workers,
)
from ethospike.scenarios.command.reports import add_report
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.omissions import LEFT_OUT, say
from ethospike.scenarios.run.progress import clock
from ethospike.scenarios.run.signals import SIGNALED
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps.folder import is_sweep

if TYPE_CHECKING:
    from ethospike.scenarios.run.runner import RunResult


def run(
    scenario: str,
    /,
    *flags: Flags,
    choice: Choice = NO_CHOICE,
    output: Output = NO_OUTPUT,
    view: bool = False,
    serving: Serving = NO_SERVING,
    replace_failed: bool = False,
) -> None:
    """Run a scenario, or your own from a .py file; `ethospike run SCENARIO --help` shows all flags.

    Parameters
    ----------
    scenario
        A name from `ethospike list`, or the path of a Python file that defines SCENARIO.
    flags
        Any field of the scenario's configuration.
    choice
        Configuration file, preset and simulator.
    output
        The run's folder.
    view
        Show the run in a window; closing the window ends the view, not the run.
    serving
        Show the run in a browser, while it goes on.
    replace_failed
        Remove the folder of --out before, if the run in it failed.
    """
    from ethospike.scenarios.run import runner

    chosen = find_scenario(scenario)
    settings = choice.configuration(chosen, flags)
    if settings is None:
        return
    serving.check_no_options()
    if view and not serving.serve:
        check_display(
            "add --serve to see it in a browser, or run without --view and make a film of the run with "
            "`ethospike replay RUN --video FILE.mp4`"
        )
    listening = serving.listening() if serving.serve else None
    result = runner.run_scenario(
        chosen,
        settings,
        output.out,
        listeners=[lambda layout: LiveView(layout, chosen.name, listening=listening)]
        if view or serving.serve
        else [],
        quiet=output.quiet,
        replace_failed=replace_failed,
    )
    _report(chosen, result, with_page=output.report)


def _report(chosen: Scenario, result: RunResult, *, with_page: bool = False) -> None:
    """Print the outcome of a run; exit with the code of the signal if a signal stopped it."""
    info = result.folder.info
    # Wall times of a resumed run count from the resumption.
    took = "simulated, the part since it was resumed in" if info.get("resumed") else "simulated in"
    print(
        f"{info['status']}: {clock(info['simulated_s'])} {took} {clock(info['loop_wall_s'])} "
        f"({info['real_time_factor']}× real time) on {info['backend']}"
    )
    print(f"recording: {result.folder.recording}")
    for path in result.figures:
        print(f"figure:    {path}")
    if with_page:
        add_report(result.folder.path, chosen)
    summary = result.folder.summary
    tell_omissions(summary)
    # A conclusion needs measures: all may be left out, or the run stopped before the first step.
    sentence = chosen.conclude(summary) if set(summary) - {LEFT_OUT} else ""
    if sentence:
        print(sentence)
    if result.stopped_by is not None:
        sys.exit(SIGNALED + result.stopped_by)


def tell_omissions(summary: dict[str, Any]) -> None:
    """Print the omissions noted in a summary, a line for each."""
    for what, why in summary.get(LEFT_OUT, {}).items():
        say(what, why)


def resume(
    path: Path,
    /,
    *,
    workers: Workers = NO_WORKERS,
    retry_failed: bool = False,
    quiet: bool = False,
    report: bool = True,
) -> None:
    """Continue a run from its last checkpoint, or a sweep or a calibration.

    Parameters
    ----------
    path
        The folder of the run, the sweep or the calibration.
    workers
        For a sweep: the processes that run its tasks.
    retry_failed
        For a sweep: run failed tasks again.
    quiet
        Show no progress.
    report
        Write report.html, a page of the results, at the end.
    """
    from ethospike.scenarios.run import runner

    if is_sweep(path):
        sweep_commands.resume(path, workers, retry_failed=retry_failed, quiet=quiet, with_page=report)
        return
    if workers or retry_failed:
        raise ScenarioError(f"--workers, --scheduler and --retry-failed are for sweeps; {path} is a run")
    folder, chosen, settings = reopen(path)
    _report(chosen, runner.resume_scenario(chosen, settings, folder, quiet=quiet), with_page=report)


def recover_run(path: Path, /) -> None:
    """Repair a broken run: cut its recording to the committed rows, and report the kept data.

    Parameters
    ----------
    path
        The run's folder.
    """
    from ethospike.recorders.recover import recover

    folder = RunFolder.open(path)
    status = folder.status
    if not folder.recording.exists() and status == INTERRUPTED:
        folder.update_info(status=status)
        print(f"{path}: {status}; it ended before anything was recorded")
        return
    recovered = recover(path, unclosed=status)
    folder.update_info(status=recovered.status, simulated_s=recovered.duration_s)
    print(recovered)


def reopen(path: Path) -> tuple[RunFolder, Scenario, ScenarioConfig]:
    """Return a run's folder, scenario and configuration."""
    folder = RunFolder.open(path)
    chosen = find_scenario(folder.scenario)
    source = str(path / "config.toml")
    return folder, chosen, configuration.configure(chosen, layers=[(source, folder.config)])
