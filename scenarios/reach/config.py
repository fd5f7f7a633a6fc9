"""The configuration of the delayed reach: session, task and agent."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from ethospike.agents.reacher import ReacherConfig
from ethospike.envs.delayed_reach import ReachConfig
from ethospike.errors import ScenarioError
from ethospike.recorders.subject import Subject
from ethospike.scenarios.scenario import ScenarioConfig, steps_of_run

DEFAULT_MINUTES = 30.0
"""Length of a run without given minutes or number of trials: an animal's session."""
_TASK = ReachConfig()


@dataclass(frozen=True, kw_only=True)
class DelayedReachConfig(ScenarioConfig):
    """The session, the task and the reaching agent; the default is 30 minutes of trials on `reach`."""

    control_interval_ms: float = 10.0
    """Control interval, at which brain and body exchange data (ms)."""
    minutes: float | None = None
    """Length of the run (min), to the nearest control step; a trial that it cuts is not counted. None: 30, or
    until `n_trials` end."""
    n_trials: int | None = None
    """Trials of each animal, after which the run ends; None sets no limit but the time."""
    task: ReachConfig = field(default_factory=ReachConfig)
    """Conditions, times, targets and hand. `n_trials` and `control_interval_ms` of this table stay at their
    defaults: the scenario has fields of these names."""
    agent: Literal["cortex", "baseline"] = "cortex"
    """Agent: the clustered cortex, or an agent without neurons that follows the response signal."""
    reacher: ReacherConfig = field(default_factory=ReacherConfig)
    """Network, stimulus currents, read-out of the decision, and control of the hand."""
    subject: Subject = field(default_factory=lambda: Subject("Macaca mulatta", age="P4Y/"))
    """A macaque, as in the experiments that the task is from; adult, which is chosen here."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minutes is not None:
            steps_of_run("minutes", self.minutes, 60.0, self.control_interval_ms)
        if self.n_trials is not None and self.n_trials < 1:
            raise ScenarioError(f"n_trials: expected at least 1, got {self.n_trials}")
        if self.agent not in ("cortex", "baseline"):
            raise ScenarioError(f"agent: expected cortex or baseline, got {self.agent!r}")
        for name in ("n_trials", "control_interval_ms"):
            if getattr(self.task, name) != getattr(_TASK, name):
                raise ScenarioError(
                    f"task.{name}: got {getattr(self.task, name)}; set {name} itself, not that of the task"
                )
        if self.reacher.directions != self.task.n_targets:
            raise ScenarioError(
                f"reacher.directions: expected the {self.task.n_targets} of task.n_targets, "
                f"got {self.reacher.directions}"
            )
        self.resolved_task()

    @property
    def limit_s(self) -> float | None:
        """Time after which the run is cut off (s); None if the number of trials ends it."""
        if self.minutes is not None:
            return self.minutes * 60.0
        return DEFAULT_MINUTES * 60.0 if self.n_trials is None else None

    @property
    def limit_steps(self) -> int | None:
        """Control steps after which the run is cut off, nearest to `limit_s`; None if `limit_s` is None."""
        if self.limit_s is None:
            return None
        return steps_of_run("minutes", self.limit_s, 1.0, self.control_interval_ms)

    def resolved_task(self) -> ReachConfig:
        """Return the task with its control interval and its number of trials.

        Raises
        ------
        EnvError
            When a duration is not a whole number of control steps.
        """
        task = dataclasses.replace(
            self.task,
            control_interval_ms=self.control_interval_ms,
            n_trials=self.n_trials or self._more_trials_than_fit(),
        )
        task.require_whole_steps()
        return task

    def trial_s(self) -> float:
        """Return the length of a trial if the hand is back in time: about the mean length of trials (s)."""
        task = self.task
        waiting_ms = task.inter_trial_ms + task.inter_trial_jitter_ms / 2 + task.trial_start_ms
        return (waiting_ms + task.preparatory_ms + task.delay_ms + task.response_signal_ms) / 1000.0

    def _more_trials_than_fit(self) -> int:
        """Return a number of trials that cannot be completed within the time limit."""
        # The shortest trial is a false start as soon as the trial begins, one control step each.
        shortest_s = (self.task.inter_trial_ms + self.control_interval_ms) / 1000.0
        return 1 + int((self.limit_s or 0.0) / shortest_s)
