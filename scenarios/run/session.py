"""One run from the opened experiment to the closed recording: `RunSession`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.errors import RunFolderError
from ethospike.recorders.recorder import Layout, Recorder, StepRecord
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.loop import LoopState, run_closed_loop, start_loop
from ethospike.scenarios.run import checkpoint
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.layout import data_sources, describe
from ethospike.scenarios.run.progress import RunProgress
from ethospike.scenarios.run.replay import Comparison, replay
from ethospike.scenarios.run.signals import collected_signals
from ethospike.scenarios.scenario import Scenario, ScenarioConfig

R = TypeVar("R", bound=Recorder)

Listeners = Sequence[Callable[[Layout], Recorder]]
"""Further recorders beside the writer of the recording, such as the live view; made from the layout."""


class Recorders(Recorder):
    """A group of recorders that each get every record."""

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._recorders = recorders

    def record(self, record: StepRecord) -> None:
        """Pass the record to each recorder."""
        for recorder in self._recorders:
            recorder.record(record)

    def close(self, status: str = "complete") -> None:
        """Close all recorders, in reverse order."""
        for recorder in reversed(self._recorders):
            recorder.close(status)


class RunSession:
    """The body, the brain, the recorders and the loop of one run; a context manager.

    Entering it opens the experiment and the recording; leaving it closes them, in the reverse order, and
    writes the outcome of the run into `run.json`.

    Parameters
    ----------
    scenario, config
    folder : RunFolder
        The run's folder, locked by the caller (`RunFolder.writing`).
    listeners : sequence of callable(layout) -> Recorder
    quiet : bool
        Show no progress.
    saved : mapping of str to ndarray, optional
        The checkpoint from which the run continues (`checkpoint.read`).
    comparison : Comparison, optional
        The recording up to which the run is simulated again, where there is no checkpoint.

    Attributes
    ----------
    stopped_by : int or None
        The signal that stopped the run; None for a run that reached its end.
    """

    def __init__(
        self,
        scenario: Scenario,
        config: ScenarioConfig,
        folder: RunFolder,
        listeners: Listeners = (),
        *,
        quiet: bool = False,
        saved: Mapping[str, NDArray[Any]] | None = None,
        comparison: Comparison | None = None,
    ) -> None:
        self._scenario, self._config, self._folder = scenario, config, folder
        self._listeners, self._quiet, self._saved = listeners, quiet, saved
        self._comparison = comparison
        self._clock = _Clock(config.control_interval_ms)
        self._status = "failed"
        self._stack = ExitStack()
        self.stopped_by: int | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        try:
            self._stack.__exit__(kind, error, trace)
        except BaseException as at_close:
            self._status = "stopped" if isinstance(at_close, KeyboardInterrupt) else "failed"
            self._report_end()
            raise
        if error is None:
            self._folder.update_info(status=self._status, **self._clock.times())
        else:
            self._report_end()
        if self._status == "complete":
            (self._folder.path / checkpoint.CHECKPOINT).unlink(missing_ok=True)

    def run(self) -> None:
        """Run the loop to the end of the experiment or until a signal arrives."""
        ended = run_closed_loop(self._env, self._agent, self._recorder, self._loop, self._keep_going)
        self._clock.tick(self._loop.control_step)
        if ended:
            self._scenario.keep(self._agent, self._folder.path)
        else:
            self._checkpoints.save(self._loop)
            self.stopped_by = self._signals[0]
        self._status = "complete" if ended else "stopped"

    def _open(self) -> None:
        scenario, config, stack, saved = self._scenario, self._config, self._stack, self._saved
        self._env, self._agent = scenario.open(config)
        env, agent = self._env, self._agent
        stack.callback(env.close)
        stack.enter_context(agent)
        if saved:
            self._loop = checkpoint.restore(saved, env, agent, seed=config.seed)
        else:
            self._loop = start_loop(env, agent, seed=config.seed, action_delay=config.action_delay)
        if self._comparison is not None:
            replay(env, agent, self._loop, self._comparison)
        layout = _watched_layout(env, agent, config)
        # Until the recording is closed: Ctrl-C must not come between a run and its last rows.
        self._signals = stack.enter_context(collected_signals())
        resume_at = self._loop.control_step if saved or self._comparison is not None else None
        writer = self._opened(
            ZarrRecorder(self._folder.recording, layout, config.recorder, resume_at=resume_at)
        )
        self._recorder = Recorders([writer, *(self._opened(make(layout)) for make in self._listeners)])
        without = checkpoint.reason_for_none(config.checkpoint_every_s, env, agent)
        self._folder.update_info(
            backend=agent.backend, data=data_sources(agent), **{checkpoint.NO_CHECKPOINTS: without}
        )
        self._progress = RunProgress(scenario.name, scenario.duration_s(config), quiet=self._quiet)
        stack.enter_context(self._progress)
        self._checkpoints = checkpoint.Checkpoints(
            self._folder.path / checkpoint.CHECKPOINT,
            env,
            agent,
            writer,
            begin_step=self._loop.control_step,
            every_s=config.checkpoint_every_s if without is None else None,
        )

    def _opened(self, recorder: R) -> R:
        """Register a recorder for closing, independently of the others: each may fail to open or close."""
        self._stack.push(lambda kind, *_: recorder.close(self._status))
        return recorder

    def _keep_going(self, loop: LoopState) -> bool:
        self._progress.update(self._clock.tick(loop.control_step))
        self._checkpoints.save_if_due(loop)
        return not self._signals

    def _report_end(self) -> None:
        """Write the status into `run.json` after an error; a failure here does not hide that error."""
        with suppress(RunFolderError):
            self._folder.update_info(status=self._status, **self._clock.times())


def _watched_layout(env: VectorEnv, agent: Agent, config: ScenarioConfig) -> Layout:
    """Return the layout of a run's recording, and make the agent watch its neurons."""
    layout = describe(env, agent, dt_ms=config.dt_ms)
    recorder = config.recorder
    layout = replace(layout, watched=recorder.watched(layout), recordable=recorder.recordable)
    agent.watch(layout.watched, layout.recordable)
    return layout


class _Clock:
    """Wall time and simulated time of the whole run and of its loop."""

    def __init__(self, control_interval_ms: float) -> None:
        self._interval_s = control_interval_ms / 1000.0
        self._begin = time.monotonic()
        self._loop_begin: float | None = None
        self._first_s = self.simulated_s = 0.0

    def tick(self, control_step: int) -> float:
        """Register the next control step; return the simulated time (s)."""
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
