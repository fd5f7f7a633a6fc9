"""`ethospike/OdorArena-v0`: larvae that crawl in a dish with odors, reward and punishment.

In: actions. Out: observations and rewards, as Gymnasium has them. The physics and the rules are
`arena_task.py`'s, which serves the single and the vector class alike; this file only speaks Gymnasium, and
loads pygame when somebody wants to see something.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ethospike.envs.animals import EnvError, State, animals_to_reset, checked_action
from ethospike.envs.arena_config import ArenaConfig, Phase
from ethospike.envs.arena_task import ArenaTask
from ethospike.envs.odor import OdorSource
from ethospike.envs.reinforcement import KINDS, Reinforcement

__all__ = [
    "CONTROL_INTERVAL_MS",
    "VARIABLES",
    "ArenaConfig",
    "OdorArenaEnv",
    "OdorArenaVectorEnv",
    "OdorSource",
    "Phase",
    "Reinforcement",
]

CONTROL_INTERVAL_MS = 100.0
"""Default control interval (ms): larvaworld's time step."""
PICTURE_PX = (640, 640)
"""Size of rendered pictures (pixels)."""


def _variable(units: str, long_name: str, *dims: str, dtype: str = "float32") -> dict[str, Any]:
    return {
        "dims": dims,
        "shape": (2,) * len(dims),
        "units": units,
        "long_name": long_name,
        "dtype": dtype,
    }


VARIABLES: Mapping[str, Mapping[str, Any]] = {
    "position_mm": _variable("mm", "position of the head, from the dish's center", "xy"),
    "heading_rad": _variable("rad", "heading of the head, counter-clockwise from x, in [−π, π)"),
    "bend_rad": _variable("rad", "bend of the body, positive to the left"),
    "speed_mm_s": _variable("mm/s", "crawling speed, 0 where the wall stops it"),
    "angular_velocity_rad_s": _variable("rad/s", "angular velocity of the head"),
    "phase": _variable("1", "index of the phase in whose time the control step lies", dtype="int32"),
}
"""The arrays of `info`, for recordings: what each holds, after the dimensions (time, animal)."""


class _Arena:
    """What the single and the vector class have in common: everything but the shapes of Gymnasium."""

    metadata: dict[str, Any]
    variables: Mapping[str, Mapping[str, Any]] = VARIABLES

    def _set_up(
        self,
        config: ArenaConfig | None,
        control_interval_ms: float,
        render_mode: str | None,
        first_animal: int,
        animals: int,
    ) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise EnvError(f"render_mode: expected one of {', '.join(modes)} or None, got {render_mode!r}")
        self.config = config or ArenaConfig()
        self._task = ArenaTask(self.config, control_interval_ms, first_animal=first_animal, animals=animals)
        self.control_interval_ms = self._task.control_interval_ms
        self.animals = animals
        self.odors = self.config.odors
        self.phases = tuple(phase.name for phase in self.config.phases)
        self.metadata = {**self.metadata, "render_fps": max(1, round(1000.0 / self.control_interval_ms))}
        self.render_mode = render_mode
        self._window: Any = None

    def view_state(self) -> dict[str, Any]:
        """Return what a view needs to draw the dish: see `ArenaTask.view`."""
        return self._task.view()

    def scene(self) -> dict[str, Any]:
        """Return what stays the same in the dishes, for recordings: see `ArenaScene.plain`."""
        return self._task.scene.plain()

    def state(self) -> State:
        """Return copies of all that the next step depends on, the animal axis first."""
        return self._task.state()

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an environment made alike.

        Raises
        ------
        EnvError
            When an entry is missing, unknown, or of another shape.
        """
        self._task.set_state(state)

    def _surface(self, view: Mapping[str, Any]) -> Any:
        draw: Any = importlib.import_module("ethospike.envs.draw_arena")
        return draw.arena_surface(view, PICTURE_PX)

    def _picture(self, view: Mapping[str, Any]) -> NDArray[np.uint8]:
        pygame: Any = importlib.import_module("pygame")
        pixels = pygame.surfarray.array3d(self._surface(view))
        return np.ascontiguousarray(pixels.transpose(1, 0, 2))

    def _show(self) -> None:
        """Show the dish in a window, at the pace of the clock on the wall."""
        pygame: Any = importlib.import_module("pygame")
        if self._window is None:
            pygame.display.init()
            pygame.display.set_caption("ethospike: odor arena")
            self._window = (pygame.display.set_mode(PICTURE_PX), pygame.time.Clock())
        screen, clock = self._window
        pygame.event.pump()
        screen.blit(self._surface(self.view_state()), (0, 0))
        pygame.display.flip()
        clock.tick(self.metadata["render_fps"])

    def _close_window(self) -> None:
        if self._window is not None:
            self._window = None
            importlib.import_module("pygame").display.quit()


class OdorArenaEnv(_Arena, gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A larva in a round dish with odors, reward and punishment, and a timetable.

    ## Description
    A larva of 4 mm crawls and bends on the agar of a dish of 100 mm. Odors spread from sources, sugar or
    quinine lies in patches or everywhere, and a timetable of phases changes both: training, breaks, test.
    The body is that of larvaworld (Sakagiannis et al.), integrated in steps of 10 ms.

    ## Action space
    `Box(-1, 1, (2,), float32)`; values outside are clipped, NaN and infinity are errors.

    | num | action | unit of 1 |
    |---|---|---|
    | 0 | crawling drive, negative backwards | `MAX_SPEED_MM_S`, 4 mm/s |
    | 1 | turning drive, positive to the left | `MAX_TURNER`, 100 units of turner output, 50 rad/s² |

    ## Observation space
    `Box(0, …, (m + 3,), float32)` with m odors, all at the tip of the head.

    | num | observation | unit |
    |---|---|---|
    | 0 … m − 1 | concentration of each odor, in the order of `odors` | µM |
    | m | reward on the agar | strength |
    | m + 1 | punishment on the agar | strength |
    | m + 2 | wall contact: 1 if the wall stopped the larva during the last control step | |

    ## Reward
    Reward minus punishment at the head, in every control step.

    ## Starting state
    The middle of the body is normally distributed around the dish's center (`ArenaConfig.start_sd_mm`),
    the heading uniform, the body straight and at rest.

    ## Episode end
    An episode is one experiment: it terminates at the end of the last phase. It is not truncated, unless
    `gymnasium.make(…, max_episode_steps=…)` asks for it.

    ## Information
    `info` holds the state of the body after the step, as `variables` describes it, and the phase in whose
    time the step lay. At the end of a phase the observation already belongs to the next one.

    Parameters
    ----------
    config : ArenaConfig, optional
        By default 180 s with two odors, a patch of reward under one and of punishment under the other.
    control_interval_ms : float
        A whole multiple of 10 ms.
    animal : int
        Which animal of a group this is: its start, and whether its dish is mirrored.
    render_mode : str, optional
        "human" or "rgb_array".

    Raises
    ------
    EnvError
        When the control interval does not fit the body's inner step or the phases.

    Examples
    --------
    >>> env = OdorArenaEnv()
    >>> observation, info = env.reset(seed=1)
    >>> observation, reward, terminated, truncated, info = env.step(np.array([0.5, 0.0], np.float32))
    >>> round(info["speed_mm_s"], 3)
    2.0
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # an instance's has its own render_fps
        "render_modes": ["human", "rgb_array"],
        "render_fps": 10,
    }

    def __init__(
        self,
        config: ArenaConfig | None = None,
        *,
        control_interval_ms: float = CONTROL_INTERVAL_MS,
        animal: int = 0,
        render_mode: str | None = None,
    ) -> None:
        self._set_up(config, control_interval_ms, render_mode, animal, 1)
        self.observation_space, self.action_space = _spaces(self.config)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an experiment; without a seed, the next one of the animal's stream. No options."""
        super().reset(seed=seed)
        everybody = np.ones(1, bool)
        if seed is not None or not self._task.is_seeded:
            self._task.seed(int(self.np_random.integers(2**31)) if seed is None else seed, everybody)
        self._task.reset(everybody)
        if self.render_mode == "human":
            self._show()
        return self._task.observation()[0], self._info()

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move for one control interval.

        Raises
        ------
        EnvError
            When the action is not two finite numbers, or the experiment is over or has not begun.
        """
        reward = self._task.step(checked_action(action, (2,))[None])
        if self.render_mode == "human":
            self._show()
        return self._task.observation()[0], float(reward[0]), bool(self._task.is_over[0]), False, self._info()

    def _info(self) -> dict[str, Any]:
        return {
            name: values[0] if values.ndim > 1 else values[0].item()
            for name, values in self._task.info().items()
        }

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture of the dish, shape (640, 640, 3), if `render_mode` is "rgb_array"."""
        if self.render_mode == "human":
            self._show()
        return self._picture(self.view_state()) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window, if there is one."""
        self._close_window()


class OdorArenaVectorEnv(_Arena, VectorEnv[NDArray[np.float32], NDArray[np.floating], NDArray[np.generic]]):
    """A group of larvae, each in a dish of its own: `OdorArenaEnv` with the animal axis first.

    Animals do not interact. Animal i is the animal of `OdorArenaEnv(animal=i)` that is reset with the same
    seed, bit for bit. Nothing resets itself (`AutoresetMode.DISABLED`): a brain's clock would run on.

    Parameters
    ----------
    num_envs : int
        Number of animals.
    config : ArenaConfig, optional
    control_interval_ms : float
        As in `OdorArenaEnv`.
    max_episode_steps : int, optional
        Control steps after which an episode is truncated.
    render_mode : str, optional
        "human" shows all animals in one dish, "rgb_array" gives a picture for each.

    Examples
    --------
    >>> envs = OdorArenaVectorEnv(num_envs=3)
    >>> observations, infos = envs.reset(seed=1)
    >>> observations.shape, infos["position_mm"].shape
    ((3, 5), (3, 2))
    """

    metadata: dict[str, Any] = {
        **OdorArenaEnv.metadata,
        "autoreset_mode": AutoresetMode.DISABLED,
    }

    def __init__(
        self,
        num_envs: int = 1,
        config: ArenaConfig | None = None,
        *,
        control_interval_ms: float = CONTROL_INTERVAL_MS,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise EnvError(f"num_envs: expected at least 1, got {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise EnvError(f"max_episode_steps: expected at least 1, got {max_episode_steps}")
        self._set_up(config, control_interval_ms, render_mode, 0, num_envs)
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self.config)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._max_episode_steps = max_episode_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an experiment with all animals, or with those of `options["reset_mask"]`.

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
        which = animals_to_reset(options, self.num_envs)
        if seed is not None or not self._task.is_seeded:
            self._task.seed(int(self.np_random.integers(2**31)) if seed is None else int(seed), which)
        self._task.reset(which)
        if self.render_mode == "human":
            self._show()
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
            When the actions are not finite numbers of shape (animals, 2), or an experiment is over or has
            not begun.
        """
        reward = self._task.step(checked_action(actions, (self.num_envs, 2)))
        terminated = self._task.is_over
        if self._max_episode_steps is None:
            truncated = np.zeros(self.num_envs, bool)
        else:
            truncated = (self._task.control_step >= self._max_episode_steps) & ~terminated
        if self.render_mode == "human":
            self._show()
        return self._task.observation(), reward, terminated, truncated, self._task.info()

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return a picture of each animal's dish, if `render_mode` is "rgb_array"."""
        if self.render_mode == "human":
            self._show()
        if self.render_mode != "rgb_array":
            return None
        each = (self._task.view(slice(i, i + 1)) for i in range(self.num_envs))
        return tuple(self._picture(view) for view in each)

    def close_extras(self, **_: Any) -> None:
        """Close the window, if there is one."""
        self._close_window()


def _spaces(config: ArenaConfig) -> tuple[Box[np.float32], Box[np.float32]]:
    """Return the observation and the action space of one animal.

    The most that can be smelled is the sum of the peaks of an odor's sources; an observation that is always
    0 has the bound 1, since Gymnasium dislikes empty intervals.
    """
    high = []
    for odor in config.odors:
        peaks = [[s.peak_um for s in phase.sources if s.odor == odor] for phase in config.phases]
        high.append(max(sum(peak) for peak in peaks) or 1.0)
    for kind in KINDS:
        most = [[r.strength for r in phase.reinforcements if r.kind == kind] for phase in config.phases]
        high.append(max(sum(strength) for strength in most) or 1.0)
    bounds = np.array([*high, 1.0], np.float32)
    return Box(np.zeros_like(bounds), bounds, dtype=np.float32), Box(-1.0, 1.0, (2,), np.float32)
