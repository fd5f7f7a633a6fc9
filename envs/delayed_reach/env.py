"""`ethospike/DelayedReach-v0`: the delayed center-out reach behind the Gymnasium API.

Both classes are adapters of `ReachTask`, which has the hand and the rules.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ethospike.configuration import configured
from ethospike.envs.delayed_reach.config import ReachConfig
from ethospike.envs.delayed_reach.scene import ReachScene, reach_view
from ethospike.envs.delayed_reach.task import OUTCOMES, PHASES, ReachTask
from ethospike.envs.task_env import SingleTaskEnv, Spaces, TaskEnv, VectorTaskEnv, check_group
from ethospike.errors import EnvError
from ethospike.variables import named, variable

__all__ = ["OUTCOMES", "PHASES", "VARIABLES", "DelayedReachEnv", "DelayedReachVectorEnv", "ReachConfig"]

TITLE = "delayed reach"
PICTURE_PX = (480, 480)
"""Size of rendered pictures (pixels)."""


VARIABLES: dict[str, dict[str, Any]] = {
    "position_mm": variable("position of the hand", "mm", "float64", components=named("xy", "mm"), xy=2),
    "velocity_mm_s": variable(
        "velocity of the hand", "mm/s", "float64", components=named("xy", "mm/s"), xy=2
    ),
    "phase": variable("epoch of the trial: " + ", ".join(PHASES), "1", "int64"),
    "trial": variable("trial of the episode, from 0", "1", "int64"),
    "condition": variable("number of targets that the trial cues", "1", "int64"),
    "target": variable("right target of the trial, from 0", "1", "int64"),
    "chosen": variable("target that the hand touched, −1 before", "1", "int64"),
    "outcome": variable("outcome of the trial, −1 before: " + ", ".join(OUTCOMES), "1", "int64"),
    "reaction_time_ms": variable(
        "response signal to the hand's leaving the center, −1 before", "ms", "float64"
    ),
    "movement_time_ms": variable("leaving the center to touching a target, −1 before", "ms", "float64"),
}
"""The entries of `info`: dimensions after (time, animal), shape, units, meaning and type of each."""
INTERVALS: dict[str, dict[str, dict[str, Any]]] = {
    "trial": {
        "trial": variable("trial of the episode, from 0", "1", "int64"),
        "condition": variable("number of targets that the trial cues", "1", "int64"),
        "cue_set": variable("set of cued targets", "1", "int64"),
        "target": variable("right target of the trial, from 0", "1", "int64"),
        "chosen": variable("target that the hand touched, −1 for none", "1", "int64"),
        "outcome": variable("outcome of the trial", "1", "int64", categories=OUTCOMES),
        "preparatory_onset_ms": variable("onset of the cue, from the reset", "ms", "float64"),
        "response_onset_ms": variable("onset of the response signal, from the reset", "ms", "float64"),
        "movement_onset_ms": variable("leaving of the center, from the reset", "ms", "float64"),
        "reaction_time_ms": variable("response signal to the hand's leaving the center", "ms", "float64"),
        "movement_time_ms": variable("leaving the center to touching a target", "ms", "float64"),
    }
}
"""Columns of the trials that `pop_intervals` returns; a time that does not exist is NaN."""


class _Reach(TaskEnv):
    """Configuration, scene and picture of the reach, for the single and the vector class."""

    _task: ReachTask
    variables: Mapping[str, Mapping[str, Any]] = VARIABLES
    intervals: Mapping[str, Mapping[str, Mapping[str, Any]]] = INTERVALS
    phase_at_end = True

    @property
    def config(self) -> ReachConfig:
        """The trials."""
        return self._task.config

    def view_state(self, animal: int = 0) -> dict[str, Any]:
        """Return the contents of a picture of an animal (row of the arrays), see `reach_view`."""
        task = self._task
        return reach_view(
            position_mm=task.position_mm[animal],
            signals=np.stack((task.preparatory_signal[animal], task.response_signal[animal])),
            phase=int(task.phase[animal]),
            outcome=int(task.outcome[animal]),
            trial=int(task.trial[animal]),
            target=int(task.target[animal]),
            chosen=int(task.chosen[animal]),
            time_s=float(task.control_step[animal]) * self.control_interval_ms / 1000.0,
        )

    def scene(self) -> dict[str, Any]:
        """Return the parts of the task that stay, for recordings, see `ReachScene.plain`."""
        return ReachScene(self.config).plain()

    def pop_intervals(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the trials that ended since the last call, see `ReachTask.pop_intervals`."""
        return self._task.pop_intervals()

    def _surface(self, animal: int | None) -> Any:
        draw: Any = importlib.import_module("ethospike.envs.delayed_reach.draw")
        return draw.reach_surface(self.config, self.view_state(animal or 0), PICTURE_PX)


class DelayedReachEnv(_Reach, SingleTaskEnv):
    """Wait at the center, remember which targets may come, and reach for the one that does.

    ## Description

    The hand rests at the center of six targets. A preparatory signal shows one, two or three targets; the
    response signal then names one of them, and the hand has to touch it. Leaving the center before the
    response signal is a false start, and not having left it or not touching anything in time is a time-out:
    both are outcomes of a trial like `correct` and `wrong`.

    ## Action space

    `Box(-1, 1, (2,), float32)`; values outside are clipped, NaN and infinity are errors.

    | num | action | unit of 1 |
    |---|---|---|
    | 0 | drive of the hand along x, positive to the right | `hand_speed_mm_s`, by default 500 mm/s |
    | 1 | drive of the hand along y, positive upwards | the same |

    A vector longer than 1 counts as one of length 1. The velocity approaches drive × `hand_speed_mm_s` with
    the time constant `hand_tau_ms`.

    ## Observation space

    `Box(…, (2 · n_targets + 4,), float32)`, here for six targets:

    | num | observation | range | unit |
    |---|---|---|---|
    | 0 … 5 | preparatory signal of each target | 0 or 1 | – |
    | 6 … 11 | response signal of each target | 0 or 1 | – |
    | 12, 13 | position of the hand, x and y | ± 1.5 | distance of the targets |
    | 14, 15 | velocity of the hand, x and y | ± 1 | speed at full drive |

    ## Rewards

    1 in the step in which the hand touches the right target, otherwise 0.

    ## Starting state

    The hand rests at the center; the rest before the first trial begins.

    ## Episode end

    Terminated with the outcome of trial `n_trials`, by default the first. A time limit is `gymnasium.make`'s
    `max_episode_steps`.

    ## Information

    The body's state after the step, see `VARIABLES`. An outcome is to be seen for at least one control step,
    before the next trial begins. `pop_intervals()` returns finished trials as a table.

    Parameters
    ----------
    config : ReachConfig or mapping of its fields, optional
    animal : int
        Key of the random stream: the environment is row `animal` of a vector environment with the same seed.
    render_mode : str, optional
        "human" or "rgb_array".

    Raises
    ------
    EnvError
        When the animal is negative, or the render mode unknown.

    Examples
    --------
    >>> env = DelayedReachEnv()
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape
    (16,)
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 100}

    def __init__(
        self,
        config: ReachConfig | Mapping[str, Any] | None = None,
        *,
        animal: int = 0,
        render_mode: str | None = None,
    ) -> None:
        task = ReachTask(configured(ReachConfig, config, EnvError), (animal,))
        super().__init__(task, TITLE, render_mode, _spaces(task.config))


class DelayedReachVectorEnv(_Reach, VectorTaskEnv):
    """Many hands that do not see each other; row i is `DelayedReachEnv(animal=i)` with the same seed.

    Each animal has its own trials and random intervals, so they are at different times of a trial. After its
    episode an animal stays `terminated` and gets no more trials until it is reset: pass
    `options={"reset_mask": ended}` to reset some of them (`AutoresetMode.DISABLED`).

    Parameters
    ----------
    num_envs : int
        Number of animals.
    config : ReachConfig or mapping of its fields, optional
    max_episode_steps : int, optional
        Control steps after which an episode is truncated; a native vector class gets no time limit from
        Gymnasium.
    render_mode : str, optional
        "human" shows the first animal, "rgb_array" gives a picture of each.
    autoreset_mode : AutoresetMode or str
        DISABLED for brains; NEXT_STEP and SAME_STEP for learners that expect Gymnasium's resets.

    Raises
    ------
    EnvError
        When there is no animal, `max_episode_steps` is below 1, or the render mode unknown.

    Examples
    --------
    >>> envs = DelayedReachVectorEnv(3, ReachConfig(n_trials=100))
    >>> observation, info = envs.reset(seed=1)
    >>> observation.shape
    (3, 16)
    """

    metadata: dict[str, Any] = {
        **DelayedReachEnv.metadata,
        "autoreset_mode": AutoresetMode.DISABLED,
    }

    def __init__(
        self,
        num_envs: int = 1,
        config: ReachConfig | Mapping[str, Any] | None = None,
        *,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
    ) -> None:
        check_group(num_envs)
        task = ReachTask(configured(ReachConfig, config, EnvError), range(num_envs))
        super().__init__(task, TITLE, render_mode, _spaces(task.config), max_episode_steps, autoreset_mode)


def _spaces(config: ReachConfig) -> Spaces:
    """Return the observation and the action space of one animal."""
    reach = config.workspace_mm / config.target_distance_mm
    high = np.array([1.0] * (2 * config.n_targets) + [reach] * 2 + [1.0] * 2, dtype=np.float32)
    low = np.array([0.0] * (2 * config.n_targets) + [-reach] * 2 + [-1.0] * 2, dtype=np.float32)
    return Box(low, high, dtype=np.float32), Box(-1.0, 1.0, (2,), dtype=np.float32)
