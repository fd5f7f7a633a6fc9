"""A task behind the Gymnasium API: base classes of the single and the vector environments.

A `Task` has physics and rules on arrays with the animal axis first; the classes here add seeding, stepping,
time limits, snapshots and pictures.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ethospike.envs.checks import animals_to_reset, check_options, checked_action, checked_seed
from ethospike.envs.contract import GroupEnv
from ethospike.envs.window import Window, pixels
from ethospike.errors import EnvError, nearest
from ethospike.states import State, check_state
from ethospike.variables import Component

Spaces: TypeAlias = "tuple[Box[np.float32], Box[np.float32]]"
"""The observation and the action space of one animal; in quotes, because not every Gymnasium that we support
has a generic `Box`."""


class Task(Protocol):
    """Physics and rules of a group of animals; `which` is a mask of shape (animals,)."""

    control_interval_ms: float
    animals: int
    features: tuple[Component, ...]
    actuators: tuple[Component, ...]
    phases: tuple[str, ...]

    @property
    def is_seeded(self) -> bool:
        """True once the animals have their random streams."""

    @property
    def control_step(self) -> NDArray[np.int64]:
        """Control steps since each animal's reset, shape (animals,)."""

    @property
    def terminated(self) -> NDArray[np.bool_]:
        """Mask of the animals with a finished task, shape (animals,)."""

    def seed(self, seed: int, which: NDArray[np.bool_]) -> None:
        """Begin the random streams of some animals anew (of all, if there are none yet)."""

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Let some animals begin from the start."""

    def step(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Act, shape (animals, 2), for one control step; return the rewards, shape (animals,)."""

    def observation(self) -> NDArray[np.float32]:
        """Return the present observation, the animal axis first."""

    def info(self) -> dict[str, NDArray[Any]]:
        """Return the state after the last control step: arrays that nothing else changes."""

    def coming_phase(self) -> NDArray[np.int64]:
        """Return the phase in which each animal's next control step lies, shape (animals,)."""

    def state(self) -> State:
        """Return copies of all that the next step depends on."""

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of a task made alike."""


class TaskEnv:
    """Base of the single and the vector class: everything but the shapes of Gymnasium.

    Subclasses draw: `_surface`.

    Parameters
    ----------
    task : Task
    title : str
        Title of the window.
    render_mode : str or None
        One of `metadata["render_modes"]`, or None.

    Raises
    ------
    EnvError
        When the render mode is unknown.
    """

    metadata: dict[str, Any]

    def __init__(self, task: Task, title: str, render_mode: str | None) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise EnvError(f"render_mode: expected one of {', '.join(modes)} or None, got {render_mode!r}")
        self._task = task
        self.control_interval_ms = task.control_interval_ms
        self.animals = task.animals
        self.features, self.actuators = task.features, task.actuators
        self.phases = task.phases
        fps = max(1, round(1000.0 / task.control_interval_ms))
        self.metadata = {**self.metadata, "render_fps": fps}
        self.render_mode = render_mode
        self._window = Window(f"ethospike: {title}", fps)

    def state(self) -> State:
        """Return copies of all that the next step depends on, random generators included, the animal axis
        first.
        """
        return self._task.state()

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an environment made alike.

        Raises
        ------
        EnvError
            When an entry is missing, unknown, or of another shape.
        """
        self._task.set_state(state)

    @abstractmethod
    def _surface(self, animal: int | None) -> Any:
        """Return a picture of an animal (row of the arrays) as a pygame surface; None: for the window."""

    def _begin(self, seed: int | None, rng: np.random.Generator, which: NDArray[np.bool_]) -> None:
        """Seed the streams, if they are new or a seed is given, and reset the animals of the mask."""
        if seed is not None or not self._task.is_seeded:
            self._task.seed(int(rng.integers(2**31)) if seed is None else seed, which)
        self._task.reset(which)
        self._show()

    def _show(self) -> None:
        """Show the window in the render mode "human"."""
        if self.render_mode == "human":
            self._window.show(self._surface(None))


class SingleTaskEnv(TaskEnv, gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A task of one animal as an ordinary environment; parameters as in `TaskEnv`, and its spaces."""

    def __init__(self, task: Task, title: str, render_mode: str | None, spaces: Spaces) -> None:
        super().__init__(task, title, render_mode)
        self.observation_space, self.action_space = spaces

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; without a seed the animal's random stream goes on where it was.

        Raises
        ------
        EnvError
            When the seed is not a whole number of at least 0, or there are options.
        """
        check_options(options)
        seed = None if seed is None else checked_seed(seed)
        super().reset(seed=seed)
        self._begin(seed, self.np_random, np.ones(1, bool))
        return self._task.observation()[0], self._info()

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move for one control interval.

        Raises
        ------
        EnvError
            When the action is not two finite numbers, or the task cannot go on.
        """
        reward = self._task.step(checked_action(action, (2,))[None])
        self._show()
        terminated = bool(self._task.terminated[0])
        return self._task.observation()[0], float(reward[0]), terminated, False, self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture, shape (height, width, 3), if `render_mode` is "rgb_array"."""
        self._show()
        return pixels(self._surface(0)) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window, if there is one."""
        self._window.close()

    def _info(self) -> dict[str, Any]:
        return {
            name: values[0] if values.ndim > 1 else values[0].item()
            for name, values in self._task.info().items()
        }


class VectorTaskEnv(TaskEnv, GroupEnv):
    """A task of many animals as a vector environment; it resets nothing by itself unless it is asked to.

    Parameters
    ----------
    task, title, render_mode
        As in `TaskEnv`.
    spaces : Spaces
        Of one animal.
    max_episode_steps : int or None
        Control steps after which an episode is truncated; a native vector class gets no time limit from
        Gymnasium.
    autoreset_mode : AutoresetMode or str
        Brains need DISABLED, the default. Learners that expect resets can have those of Gymnasium: NEXT_STEP
        resets an animal in the step after the last of its episode, SAME_STEP at once, with the final
        observation in `info["final_obs"]`.
    """

    def __init__(
        self,
        task: Task,
        title: str,
        render_mode: str | None,
        spaces: Spaces,
        max_episode_steps: int | None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
    ) -> None:
        if max_episode_steps is not None and max_episode_steps < 1:
            raise EnvError(f"max_episode_steps: expected at least 1, got {max_episode_steps}")
        super().__init__(task, title, render_mode)
        self.num_envs = task.animals
        self.single_observation_space, self.single_action_space = spaces
        self.observation_space = batch_space(self.single_observation_space, task.animals)
        self.action_space = batch_space(self.single_action_space, task.animals)
        self._max_episode_steps = max_episode_steps
        self._mode = checked_autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self._mode}
        self._waits = np.zeros(task.animals, bool)
        self._any_waits = False

    def state(self) -> State:
        """Return copies of all that the next step depends on, random generators included, the animal axis
        first; with NEXT_STEP also the animals that the next step resets.
        """
        waits = {"waits": self._waits.copy()} if self._mode is AutoresetMode.NEXT_STEP else {}
        return super().state() | waits

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an environment made alike.

        Raises
        ------
        EnvError
            When an entry is missing, unknown, or of another shape.
        """
        check_state(state, self.state())
        super().set_state({name: array for name, array in state.items() if name != "waits"})
        if "waits" in state:
            self._waits = np.array(state["waits"], bool)
            self._any_waits = bool(self._waits.any())

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode with all animals, or with those of `options["reset_mask"]`.

        Parameters
        ----------
        seed : int, optional
            Of the streams of the animals that are reset; without one they go on with their streams.
        options : dict, optional
            `reset_mask`: booleans of shape (animals,).

        Raises
        ------
        EnvError
            When the seed is not one whole number of at least 0, the mask does not fit, or there is another
            option.
        """
        which = animals_to_reset(options, self.num_envs)
        seed = None if seed is None else checked_seed(seed)
        super().reset(seed=seed)
        self._begin(seed, self.np_random, which)
        self._waits &= ~which
        self._any_waits = bool(self._waits.any())
        return self._task.observation(), self._task.info()

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Move all animals for one control interval.

        Raises
        ------
        EnvError
            When the actions are not finite numbers of shape (animals, 2), or the task cannot go on.
        """
        action = checked_action(actions, (self.num_envs, 2))
        if self._any_waits:
            reward, info = self._step_after_resets(action)
        else:
            reward, info = self._task.step(action), self._task.info()
        self._show()
        terminated = self._task.terminated.copy()
        truncated = np.zeros(self.num_envs, bool)
        if self._max_episode_steps is not None:
            truncated = ~terminated & (self._task.control_step >= self._max_episode_steps)
        if self._mode is not AutoresetMode.DISABLED:
            ended = terminated | truncated
            if self._mode is AutoresetMode.NEXT_STEP:
                self._waits, self._any_waits = ended, bool(ended.any())
            elif ended.any():
                info = self._reset_at_once(ended, info)
        return self._task.observation(), reward, terminated, truncated, info

    def coming_phase(self) -> NDArray[np.int64]:
        """Return the phase in which each animal's next control step lies, shape (animals,)."""
        return self._task.coming_phase()

    def _step_after_resets(
        self, action: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
        """Reset the animals that wait for it, and step the others; return rewards and info."""
        waits, task = self._waits, self._task
        task.reset(waits)
        info = task.info()
        if waits.all():
            return np.zeros(self.num_envs), info
        fresh = task.state()
        reward = task.step(np.where(waits[:, None], 0.0, action))
        # A task steps all animals at once; those that were reset get the state before it back.
        info, after = _rows_from(info, task.info(), waits), task.state()
        task.set_state(_rows_from(fresh, after, waits))
        reward[waits] = 0.0
        return reward, info

    def _reset_at_once(self, ended: NDArray[np.bool_], info: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Reset the animals that have ended; return the info of the step, with the final one beside it."""
        final: dict[str, Any] = {
            "final_obs": self._task.observation(),
            "_final_obs": ended,
            "final_info": {**info, **{f"_{name}": ended for name in info}},
            "_final_info": ended,
        }
        self._task.reset(ended)
        return _rows_from(self._task.info(), info, ended) | final

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return a picture of each animal, if `render_mode` is "rgb_array"."""
        self._show()
        if self.render_mode != "rgb_array":
            return None
        return tuple(pixels(self._surface(animal)) for animal in range(self.num_envs))

    def close_extras(self, **_: Any) -> None:
        """Close the window, if there is one."""
        self._window.close()


def _rows_from(
    rows: Mapping[str, NDArray[Any]], others: Mapping[str, NDArray[Any]], which: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """Return arrays with the animals of the mask from `rows`, and all others from `others`."""
    joined = {}
    for name, array in others.items():
        joined[name] = np.array(array)
        joined[name][which] = rows[name][which]
    return joined


def checked_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Return one of Gymnasium's autoreset modes, also from its name, such as `NextStep` or `NEXT_STEP`.

    Raises
    ------
    EnvError
        When it is unknown.
    """
    for known in AutoresetMode:
        if mode in (known, known.value, known.name):
            return known
    valid = [known.name for known in AutoresetMode]
    raise EnvError(f"autoreset_mode: unknown {mode!r}; {nearest(str(mode), valid)}")


def check_group(num_envs: int) -> None:
    """Raise `EnvError` unless a group has an animal."""
    if num_envs < 1:
        raise EnvError(f"num_envs: expected at least 1, got {num_envs}")
