"""Run a scenario: folder, body, brain, recorder, loop, summary, figures, in this order.

An exception, Ctrl-C and a full disk end the run, but lose no recorded data, and the folder states how the run
ended. A run that ends before its recording exists, because its body or its brain cannot be made, leaves no
folder.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ethospike.errors import ArmError, EthospikeError, RunFolderError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.arms import ArmedRun, armed, prove
from ethospike.scenarios.arms.table import full_texts
from ethospike.scenarios.run import checkpoint
from ethospike.scenarios.run.defaults import CHANGED, defaults_of_changed
from ethospike.scenarios.run.folder import RUNNING, RunFolder
from ethospike.scenarios.run.omissions import attempt, leaving_out
from ethospike.scenarios.run.provenance import provenance
from ethospike.scenarios.run.replay import comparison_of
from ethospike.scenarios.run.session import Listeners, RunSession
from ethospike.scenarios.run.signals import RunStopped
from ethospike.scenarios.scenario import Scenario, ScenarioConfig

ARMS = "arms"
"""Entry of run.json and of the summary: the proofs of the control arms, by their texts."""


@dataclass(frozen=True)
class RunResult:
    """The folder and the outcome of a run that has ended."""

    folder: RunFolder
    status: str
    figures: Sequence[Path]
    stopped_by: int | None = None
    """The signal that stopped the run, such as `signal.SIGINT`; None for a complete run."""

    def complete_summary(self) -> dict[str, Any]:
        """Return the measures of a run that reached its end.

        Raises
        ------
        RunStopped
            When a signal stopped the run.
        """
        if self.stopped_by is not None:
            raise RunStopped(self.stopped_by)
        return self.folder.summary


def run_scenario(
    scenario: Scenario,
    config: ScenarioConfig,
    path: Path | None,
    *,
    listeners: Listeners = (),
    quiet: bool = False,
    draw: bool = True,
    replace_failed: bool = False,
) -> RunResult:
    """Run a scenario from its beginning into a new folder.

    Parameters
    ----------
    scenario, config
    path : Path or None
        The run's folder, which must not exist; None for a folder in `runs/` named by scenario and time.
    listeners : sequence of callable(layout) -> Recorder
    quiet : bool
        Show no progress.
    draw : bool
        Draw the scenario's figures at the end.
    replace_failed : bool
        Remove the folder `path` before if it holds a run that failed.

    Raises
    ------
    RunFolderError
        When the folder exists or cannot be made.
    ArmError
        When an arm does not fit the scenario, or has touched nothing by the end of the run; the run is then
        kept, with the status failed.
    """
    config = dataclasses.replace(config, arm=full_texts(config.arm))
    scenario = armed(scenario, config)
    folder = (
        RunFolder.create(path, replace_failed=replace_failed)
        if path
        else RunFolder.create_named(scenario.name)
    )
    try:
        with folder.writing():
            folder.write_config(config)
            folder.update_info(
                scenario=scenario.name,
                scenario_file=None if scenario.file is None else str(scenario.file),
                seed=config.seed,
                animals=config.animals,
                simulator=config.simulator.name,
                status=RUNNING,
                **{CHANGED: defaults_of_changed(scenario, config)},
                **provenance(),
            )
            with RunSession(scenario, config, folder, listeners, quiet=quiet) as session:
                session.run()
    except BaseException as error:
        _leave(folder, error, quiet=quiet)
        raise
    return _result(scenario, config, folder, session.stopped_by, draw=draw)


def resume_scenario(
    scenario: Scenario,
    config: ScenarioConfig,
    folder: RunFolder,
    *,
    listeners: Listeners = (),
    quiet: bool = False,
    draw: bool = True,
) -> RunResult:
    """Continue an incomplete run from its last checkpoint.

    The result is bit-identical to a run that was never interrupted. Where the simulator cannot save its
    state, the run is simulated again up to the end of its recording, and compared with it.

    Raises
    ------
    RunFolderError
        When the run is complete or still going, has no checkpoint and no recorded spikes, or has other spikes
        when it is simulated again.
    ArmError
        As `run_scenario`.
    """
    scenario = armed(scenario, config)
    if folder.info["status"] == "complete":
        raise RunFolderError(f"{folder.path} is complete; there is nothing to resume")
    with folder.writing():
        reason = checkpoint.reason_of_simulator(folder)
        comparison = None if reason is None else comparison_of(folder, reason)
        saved = None if comparison is not None else checkpoint.read(folder)
        resumed = [*folder.info.get("resumed", []), provenance()["started"]]
        folder.update_info(status=RUNNING, resumed=resumed)
        with RunSession(
            scenario, config, folder, listeners, quiet=quiet, saved=saved, comparison=comparison
        ) as session:
            session.run()
    return _result(scenario, config, folder, session.stopped_by, draw=draw)


def finish(
    scenario: Scenario, config: ScenarioConfig, folder: RunFolder, *, draw: bool = True
) -> Sequence[Path]:
    """Write summary and figures of a run from its recording; return the figures.

    Measures that need unrecorded data are left out with a note in the summary, figures with a line on stderr.
    """
    recording = open_recording(folder.path)
    if not recording.n_steps:
        return []
    summary: dict[str, Any] = {}
    with leaving_out(summary, "all measures"):
        summary = scenario.summarize(recording, config)
    if ARMS in folder.info:
        summary[ARMS] = folder.info[ARMS]
    folder.write_summary(summary)
    if not draw:
        return []
    folder.figures.mkdir(exist_ok=True)
    nothing: Sequence[Path] = []
    return attempt("figures", lambda: scenario.draw(recording, config, folder.figures), nothing)


def _leave(folder: RunFolder, error: BaseException, *, quiet: bool) -> None:
    """Remove the folder of a run that ended in an error before its first control step, else name it.

    The error says why there is nothing in it, and its path stays free for another try.
    """
    if not folder.recording.exists():
        folder.discard()
    elif isinstance(error, Exception):
        with suppress(EthospikeError, OSError):
            n_steps = open_recording(folder.path).n_steps
            if n_steps == 0:
                folder.discard()
            elif not quiet:
                print(
                    f"ethospike: the failed run is kept in {folder.path} ({n_steps} control steps); `--out "
                    f"{folder.path} --replace-failed` puts another try in its place",
                    file=sys.stderr,
                )


def _result(
    scenario: Scenario, config: ScenarioConfig, folder: RunFolder, stopped_by: int | None, *, draw: bool
) -> RunResult:
    """Write summary and figures of a run that reached its end or was stopped by a signal."""
    status = "complete" if stopped_by is None else "stopped"
    problem = _prove(scenario, config, folder)
    result = RunResult(folder, status, finish(scenario, config, folder, draw=draw), stopped_by)
    if problem and status == "complete":  # a run that was stopped may act later
        folder.update_info(status="failed", error=problem)
        raise ArmError(f"{problem}. The run is kept in {folder.path}")
    return result


def _prove(scenario: Scenario, config: ScenarioConfig, folder: RunFolder) -> str:
    """Write the proofs of the arms into `run.json`; return the message about those without effect."""
    if not scenario.arms:
        return ""
    run = ArmedRun(open_recording(folder.path), config, folder.path)
    proofs, problem = prove(scenario.arms, run)
    folder.update_info(**{ARMS: proofs})
    return problem
