"""Runs a scenario: folder, body, brain, recorder, loop, summary, figures, in this order.

In: a scenario and its configuration. Out: a run folder, whatever happens on the way: an exception, Ctrl-C
and a full disk end the run, but lose nothing that was recorded, and the folder says how it ended. A run that
ends before there is a recording, because its body or its brain cannot be made, leaves no folder.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.errors import RunFolderError
from ethospike.recorders.recorder import Layout, Recorder, StepRecord
from ethospike.recorders.recording import open_recording
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.loop import LoopState, run_closed_loop, start_loop
from ethospike.scenarios.run import checkpoint
from ethospike.scenarios.run.folder import RUNNING, RunFolder, provenance
from ethospike.scenarios.run.layout import describe
from ethospike.scenarios.run.omissions import attempt, leaving_out
from ethospike.scenarios.run.progress import RunProgress
from ethospike.scenarios.scenario import Scenario, ScenarioConfig

R = TypeVar("R", bound=Recorder)


@dataclass(frozen=True)
class RunResult:
    """Where a run is, and how it ended."""

    folder: RunFolder
    status: str
    figures: Sequence[Path]
    stopped_by: int | None = None
    """The signal that stopped it, such as `signal.SIGINT`; None for a run that is complete."""


class Recorders(Recorder):
    """Several recorders as one; each gets every record."""

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._recorders = recorders

    def record(self, record: StepRecord) -> None:
        """Hand the record to each."""
        for recorder in self._recorders:
            recorder.record(record)

    def close(self, status: str = "complete") -> None:
        """Close each, the last one first."""
        for recorder in reversed(self._recorders):
            recorder.close(status)


Listeners = Sequence[Callable[[Layout], Recorder]]
"""More recorders than the one that writes the recording, e.g. the live view; made from the layout."""


def run_scenario(
    scenario: Scenario,
    config: ScenarioConfig,
    path: Path | None,
    *,
    listeners: Listeners = (),
    quiet: bool = False,
    draw: bool = True,
) -> RunResult:
    """Run a scenario from its beginning into a new folder.

    Parameters
    ----------
    scenario, config
    path : Path or None
        The run's folder, which must not exist; None for one in `runs/` that is named by scenario and time.
    listeners : sequence of callable(layout) -> Recorder
    quiet : bool
        No progress.
    draw : bool
        Draw the scenario's figures at the end.

    Raises
    ------
    RunFolderError
        When the folder exists or cannot be made.
    """
    folder = RunFolder.create(path) if path else RunFolder.create_named(scenario.name)
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
                **provenance(),
            )
            stopped_by = _run(scenario, config, folder, listeners, quiet=quiet)
    except BaseException:
        # Without a recording the run never began: what is wrong has been said, and its path stays free.
        if not folder.recording.exists():
            folder.discard()
        raise
    return _result(scenario, config, folder, stopped_by, draw=draw)


def resume_scenario(
    scenario: Scenario,
    config: ScenarioConfig,
    folder: RunFolder,
    *,
    listeners: Listeners = (),
    quiet: bool = False,
    draw: bool = True,
) -> RunResult:
    """Continue a run that ended before its time, from its last checkpoint.

    The result is bit-identical to a run that was never interrupted.

    Raises
    ------
    RunFolderError
        When the run is complete or still going, or has no checkpoint.
    """
    if folder.info["status"] == "complete":
        raise RunFolderError(f"{folder.path} is complete; there is nothing to resume")
    with folder.writing():
        saved = checkpoint.read(folder)
        resumed = [*folder.info.get("resumed", []), provenance()["started"]]
        folder.update_info(status=RUNNING, resumed=resumed)
        stopped_by = _run(scenario, config, folder, listeners, quiet=quiet, saved=saved)
    return _result(scenario, config, folder, stopped_by, draw=draw)


def _result(
    scenario: Scenario, config: ScenarioConfig, folder: RunFolder, stopped_by: int | None, *, draw: bool
) -> RunResult:
    """Write summary and figures of a run that has ended, by itself or by a signal; say what became of it."""
    status = "complete" if stopped_by is None else "stopped"
    return RunResult(folder, status, finish(scenario, config, folder, draw=draw), stopped_by)


def _run(
    scenario: Scenario,
    config: ScenarioConfig,
    folder: RunFolder,
    listeners: Listeners,
    *,
    quiet: bool,
    saved: Mapping[str, NDArray[Any]] | None = None,
) -> int | None:
    """Run the loop from its beginning or from a checkpoint; return the signal that stopped it, if one did."""
    clock = _Clock(config.control_interval_ms)
    file = folder.path / checkpoint.CHECKPOINT
    status = "failed"

    try:
        with ExitStack() as stack:
            env, agent = scenario.open(config)
            stack.callback(env.close)
            stack.enter_context(agent)
            if saved:
                loop = checkpoint.restore(saved, env, agent, seed=config.seed)
            else:
                loop = start_loop(env, agent, seed=config.seed, action_delay=config.action_delay)
            layout = _watched_layout(env, agent, config)
            resume_at = loop.control_step if saved else None
            # Until the recording is closed: Ctrl-C must not come between a run and its last rows.
            stop = stack.enter_context(_interrupts())

            def opened(recorder: R) -> R:
                # Each for itself: one that cannot be made or closed must not leave another one open.
                stack.push(
                    lambda kind, *_: recorder.close("stopped" if kind is KeyboardInterrupt else status)
                )
                return recorder

            writer = opened(ZarrRecorder(folder.recording, layout, config.recorder, resume_at=resume_at))
            recorder = Recorders([writer, *(opened(make(layout)) for make in listeners)])
            without = _no_checkpoints(config, env, agent)
            folder.update_info(backend=agent.backend, **{checkpoint.NO_CHECKPOINTS: without})
            progress = RunProgress(scenario.name, scenario.duration_s(config), quiet=quiet)
            stack.enter_context(progress)
            every_s = config.checkpoint_every_s if without is None else None
            checkpoints = _Checkpoints(
                file, env, agent, writer, begin_step=loop.control_step, every_s=every_s
            )

            def keep_going(loop: LoopState) -> bool:
                progress.update(clock.at(loop.control_step))
                checkpoints.save_if_due(loop)
                return not stop

            ended = run_closed_loop(env, agent, recorder, loop, keep_going)
            clock.at(loop.control_step)
            if ended:
                scenario.keep(agent, folder.path)
            else:
                checkpoints.save(loop)
            status = "complete" if ended else "stopped"
    except BaseException as error:
        status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        with suppress(RunFolderError):  # what ended the run is the better message
            folder.update_info(status=status, **clock.times())
        raise
    folder.update_info(status=status, **clock.times())
    if not ended:
        return stop[0]
    file.unlink(missing_ok=True)
    return None


def _watched_layout(env: VectorEnv, agent: Agent, config: ScenarioConfig) -> Layout:
    """Return the layout of a run's recording, and have the agent watch the neurons that it names."""
    layout = describe(env, agent, dt_ms=config.dt_ms)
    layout = replace(layout, watched=config.recorder.watched(layout))
    agent.watch(layout.watched)
    return layout


def _no_checkpoints(config: ScenarioConfig, env: VectorEnv, agent: Agent) -> str | None:
    """Return why the run makes no checkpoints; None if it does."""
    if config.checkpoint_every_s == 0:
        return "it was run with checkpoint_every_s 0"
    return checkpoint.obstacle(env, agent)


class _Checkpoints:
    """Saves a run in its file every so many seconds on the wall; never if that is None.

    Before its first control step there is nothing new, and nothing that the recording could commit.
    """

    def __init__(
        self,
        file: Path,
        env: VectorEnv,
        agent: Agent,
        writer: ZarrRecorder,
        *,
        begin_step: int,
        every_s: float | None,
    ) -> None:
        self._file, self._env, self._agent, self._writer = file, env, agent, writer
        self._begin_step, self._every_s = begin_step, every_s
        self._due = time.monotonic() + (every_s or 0.0)

    def save_if_due(self, loop: LoopState) -> None:
        """Save between two control steps if it is time."""
        if time.monotonic() >= self._due and loop.control_step > self._begin_step:
            self.save(loop)

    def save(self, loop: LoopState) -> None:
        """Save now: first the recording, since a checkpoint is one of what is committed."""
        if self._every_s is None:
            return
        self._writer.commit()
        checkpoint.save(self._file, self._env, self._agent, loop)
        self._due = time.monotonic() + self._every_s


class _Clock:
    """Wall and simulated time of a run: all of it, and the loop's part."""

    def __init__(self, control_interval_ms: float) -> None:
        self._interval_s = control_interval_ms / 1000.0
        self._begin = time.monotonic()
        self._loop_begin: float | None = None
        self._first_s = self.simulated_s = 0.0

    def at(self, control_step: int) -> float:
        """Take notice of a control step that is about to begin; return the simulated time in s."""
        if self._loop_begin is None:
            self._loop_begin = time.monotonic()
            self._first_s = control_step * self._interval_s
        self.simulated_s = control_step * self._interval_s
        return self.simulated_s

    def times(self) -> dict[str, float | None]:
        """Return the entries of run.json."""
        now = time.monotonic()
        loop_s = now - (now if self._loop_begin is None else self._loop_begin)
        simulated_s = self.simulated_s - self._first_s
        return {
            "wall_s": round(now - self._begin, 3),
            "loop_wall_s": round(loop_s, 3),
            "simulated_s": round(self.simulated_s, 6),
            "real_time_factor": round(simulated_s / loop_s, 4) if loop_s else None,
        }


def finish(
    scenario: Scenario, config: ScenarioConfig, folder: RunFolder, *, draw: bool = True
) -> Sequence[Path]:
    """Write summary and figures of a run from its recording; return the figures.

    What needs something that was not recorded is left out: measures with a note in the summary, figures with
    a line on stderr.
    """
    recording = open_recording(folder.path)
    if not recording.n_steps:
        return []
    summary: dict[str, Any] = {}
    with leaving_out(summary, "all measures"):
        summary = scenario.summarize(recording, config)
    folder.write_summary(summary)
    if not draw:
        return []
    folder.figures.mkdir(exist_ok=True)
    nothing: Sequence[Path] = []
    return attempt("figures", lambda: scenario.draw(recording, config, folder.figures), nothing)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list, so that the loop ends between two control steps.

    A second Ctrl-C interrupts at once, as Python users expect. Signals reach the main thread alone: a run in
    another one, as in the workers of a sweep, is stopped by whoever runs it.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def catch(number: int, frame: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
