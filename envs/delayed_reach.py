"""`ethospike/DelayedReach-v0`: the delayed center-out reach behind the Gymnasium API.

In: a 2-D drive of the hand in [-1, 1]. Out: Gymnasium's observation, reward, terminated, truncated and info.
Both classes are adapters of `ReachTask`, which has the hand and the rules; this file knows no agent and no
neuron.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ethospike.envs.animals import EnvError, State, animals_to_reset, checked_action
from ethospike.envs.reach_config import ReachConfig
from ethospike.envs.reach_task import OUTCOMES, PHASES, ReachTask
from ethospike.envs.scene import ReachScene
from ethospike.envs.window import Window, pixels

__all__ = ["OUTCOMES", "PHASES", "VARIABLES", "DelayedReachEnv", "DelayedReachVectorEnv", "ReachConfig"]

PICTURE_PX = (480, 480)
"""Size of rendered pictures (pixels)."""


def _variable(long_name: str, units: str = "1", *dims: str) -> dict[str, Any]:
    dtype = "int64" if units == "1" else "float64"
    return {"dims": dims, "shape": (2,) * len(dims), "units": units, "long_name": long_name, "dtype": dtype}


VARIABLES: dict[str, dict[str, Any]] = {
    "position_mm": _variable("position of the hand", "mm", "xy"),
    "velocity_mm_s": _variable("velocity of the hand", "mm/s", "xy"),
    "phase": _variable("epoch of the trial: " + ", ".join(PHASES)),
    "trial": _variable("trial of the episode, from 0"),
    "condition": _variable("number of targets that the trial cues"),
    "target": _variable("right target of the trial, from 0"),
    "chosen": _variable("target that the hand touched, −1 before"),
    "outcome": _variable("outcome of the trial, −1 before: " + ", ".join(OUTCOMES)),
    "reaction_time_ms": _variable("response signal to the hand's leaving the center, −1 before", "ms"),
    "movement_time_ms": _variable("leaving the center to touching a target, −1 before", "ms"),
}
"""The entries of `info`: dimensions after (time, animal), shape, units, meaning and type of each."""


class _Reach:
    """What the single and the vector class have in common: everything but the shapes of Gymnasium."""

    metadata: dict[str, Any]
    phases = PHASES
    variables: Mapping[str, Mapping[str, Any]] = VARIABLES

    def _set_up(self, config: ReachConfig | None, render_mode: str | None, animals: Sequence[int]) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise EnvError(f"render_mode: expected one of {', '.join(modes)} or None, got {render_mode!r}")
        self.config = config or ReachConfig()
        self._task = ReachTask(self.config, animals)
        self.control_interval_ms = self.config.control_interval_ms
        self.animals = len(animals)
        fps = max(1, round(1000.0 / self.control_interval_ms))
        self.metadata = {**self.metadata, "render_fps": fps}
        self.render_mode = render_mode
        self._window = Window("ethospike: delayed reach", fps)

    def view_state(self, animal: int = 0) -> dict[str, Any]:
        """Return what a picture of an animal (row of the arrays) needs.

        `position_mm` (2,); `preparatory_signal` and `response_signal`, bool (n_targets,); the names `phase`
        and `outcome` ("" before it); the integers `phase_index`, `trial`, `target` and `chosen` (−1: none);
        `time_s` since the reset.
        """
        task = self._task
        outcome, phase = int(task.outcome[animal]), int(task.phase[animal])
        return {
            "position_mm": task.position_mm[animal].copy(),
            "preparatory_signal": task.preparatory_signal[animal].copy(),
            "response_signal": task.response_signal[animal].copy(),
            "phase": PHASES[phase],
            "phase_index": phase,
            "outcome": OUTCOMES[outcome] if outcome >= 0 else "",
            "trial": int(task.trial[animal]),
            "target": int(task.target[animal]),
            "chosen": int(task.chosen[animal]),
            "time_s": float(task.control_step[animal]) * self.control_interval_ms / 1000.0,
        }

    def scene(self) -> dict[str, Any]:
        """Return what stays the same in the task, for recordings: see `ReachScene.plain`."""
        return ReachScene(self.config).plain()

    def pop_trials(self) -> dict[str, NDArray[np.generic]]:
        """Return the trials that ended since the last call as columns, see `ReachTask.pop_trials`."""
        return self._task.pop_trials()

    def state(self) -> State:
        """Return copies of everything that the next step depends on, random generators included."""
        return self._task.state()

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an environment made alike.

        Raises
        ------
        EnvError
            When an entry is missing, unknown, or of another shape.
        """
        self._task.set_state(state)

    def _begin(self, seed: int | None, rng: np.random.Generator, which: NDArray[np.bool_]) -> None:
        """Seed the streams, if they are new or a seed is given, and reset the animals of the mask."""
        if seed is not None or not self._task.is_seeded:
            self._task.seed(int(rng.integers(2**31)) if seed is None else int(seed), which)
        self._task.reset(which)
        self._show()

    def _surface(self, animal: int) -> Any:
        draw: Any = importlib.import_module("ethospike.envs.draw_reach")
        return draw.reach_surface(self.config, self.view_state(animal), PICTURE_PX)

    def _show(self) -> None:
        """Show the first animal, if somebody looks."""
        if self.render_mode == "human":
            self._window.show(self._surface(0))


class DelayedReachEnv(_Reach, gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Wait at the center, remember which targets may come, and reach for the one that does.

    ## Description

    The hand rests at the center of six targets. A preparatory signal shows one, two or three targets; the
    response signal then names one of them, and the hand has to touch it. Leaving the center before the
    response signal is a false start, and not having left it or not touching anything in time is a time-out:
    both are outcomes of a trial like `correct` and `wrong`.

    ## Action space

    `Box(-1, 1, (2,), float32)`: drive of the hand along x and y. A vector longer than 1 counts as one of
    length 1. The velocity approaches drive × `hand_speed_mm_s` with the time constant `hand_tau_ms`.

    ## Observation space

    `Box(float32)` of 2 · n_targets + 4 numbers, here for six targets:

    | index | what | range | unit |
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

    Terminated with the outcome of trial `n_trials`. A time limit is `gymnasium.make`'s `max_episode_steps`.

    ## Information

    The body's state after the step, see `VARIABLES`; `pop_trials()` hands out finished trials as a table.

    Parameters
    ----------
    config : ReachConfig, optional
    animal : int
        Key of the random stream: the environment is row `animal` of a vector environment with the same seed.
    render_mode : str, optional
        "human" or "rgb_array".

    Examples
    --------
    >>> env = DelayedReachEnv()
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape
    (16,)
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # an instance's has its own render_fps
        "render_modes": ["human", "rgb_array"],
        "render_fps": 100,
    }

    def __init__(
        self, config: ReachConfig | None = None, *, animal: int = 0, render_mode: str | None = None
    ) -> None:
        self._set_up(config, render_mode, (animal,))
        self.observation_space, self.action_space = _spaces(self.config)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; without a seed the random stream goes on where it was. No options."""
        super().reset(seed=seed)
        self._begin(seed, self.np_random, np.ones(1, dtype=bool))
        return self._task.observation()[0], self._info()

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move the hand for one control step.

        Raises
        ------
        EnvError
            When the action is not two finite numbers.
        """
        reward = self._task.step(checked_action(action, (2,))[None])
        self._show()
        terminated = bool(self._task.terminated[0])
        return self._task.observation()[0], float(reward[0]), terminated, False, self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture, shape (480, 480, 3), if `render_mode` is "rgb_array"."""
        self._show()
        return pixels(self._surface(0)) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window, if there is one."""
        self._window.close()

    def _info(self) -> dict[str, Any]:
        return {name: values[0] for name, values in _info(self._task).items()}


class DelayedReachVectorEnv(
    _Reach, VectorEnv[NDArray[np.float32], NDArray[np.floating], NDArray[np.generic]]
):
    """Many hands that do not see each other; row i is `DelayedReachEnv(animal=i)` with the same seed.

    Each animal has its own trials and random intervals, so they are at different times of a trial. An animal
    whose episode has ended stays `terminated` and gets no more trials until it is reset: pass
    `options={"reset_mask": ended}` to reset some of them (`AutoresetMode.DISABLED`).

    Parameters
    ----------
    num_envs : int
        Number of animals.
    config : ReachConfig, optional
    max_episode_steps : int, optional
        Control steps after which an episode is truncated; a native vector class gets no time limit from
        Gymnasium.
    render_mode : str, optional
        "human" shows the first animal, "rgb_array" gives a picture of each.

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
        config: ReachConfig | None = None,
        *,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise EnvError(f"num_envs: expected at least 1, got {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise EnvError(f"max_episode_steps: expected at least 1, got {max_episode_steps}")
        self._set_up(config, render_mode, range(num_envs))
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self.config)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._max_episode_steps = max_episode_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in all animals, or in those of `options["reset_mask"]`.

        Parameters
        ----------
        seed : int, optional
            Of the streams of the animals that are reset; without one they go on with their streams.
        options : dict, optional
            `reset_mask`: booleans of shape (animals,).

        Raises
        ------
        EnvError
            When the seed is not one number, or the mask does not fit.
        """
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise EnvError(
                f"seed: expected one whole number, each animal has its stream under it; got {seed!r}"
            )
        super().reset(seed=seed)
        self._begin(seed, self.np_random, animals_to_reset(options, self.num_envs))
        return self._task.observation(), _info(self._task)

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Move all hands for one control step.

        Raises
        ------
        EnvError
            When the actions are not finite numbers of shape (animals, 2).
        """
        reward = self._task.step(checked_action(actions, (self.num_envs, 2)))
        self._show()
        terminated = self._task.terminated.copy()
        truncated = np.zeros(self.num_envs, dtype=bool)
        if self._max_episode_steps is not None:
            truncated = ~terminated & (self._task.control_step >= self._max_episode_steps)
        return self._task.observation(), reward, terminated, truncated, _info(self._task)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return a picture of each animal, if `render_mode` is "rgb_array"."""
        self._show()
        if self.render_mode != "rgb_array":
            return None
        return tuple(pixels(self._surface(animal)) for animal in range(self.num_envs))

    def close_extras(self, **_: Any) -> None:
        """Close the window, if there is one."""
        self._window.close()


def _spaces(config: ReachConfig) -> tuple[Box[np.float32], Box[np.float32]]:
    """Return the observation and the action space of one animal."""
    reach = config.workspace_mm / config.target_distance_mm
    high = np.array([1.0] * (2 * config.n_targets) + [reach] * 2 + [1.0] * 2, dtype=np.float32)
    low = np.array([0.0] * (2 * config.n_targets) + [-reach] * 2 + [-1.0] * 2, dtype=np.float32)
    return Box(low, high, dtype=np.float32), Box(-1.0, 1.0, (2,), dtype=np.float32)


def _info(task: ReachTask) -> dict[str, NDArray[Any]]:
    """Return the entries of `VARIABLES`, each with the animal axis first; times are −1 before they exist,
    because Gymnasium's checks compare `info` and NaN equals nothing.
    """
    return {
        "position_mm": task.position_mm.copy(),
        "velocity_mm_s": task.velocity_mm_s.copy(),
        "phase": task.phase.copy(),
        "trial": task.trial.copy(),
        "condition": task.condition,
        "target": task.target.copy(),
        "chosen": task.chosen.copy(),
        "outcome": task.outcome.copy(),
        "reaction_time_ms": task.reaction_time_ms.copy(),
        "movement_time_ms": task.movement_time_ms.copy(),
    }
