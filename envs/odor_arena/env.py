"""`ethospike/OdorArena-v0`: larvae that crawl in a dish with odors, reward and punishment.

Physics and rules are in `task.py`, which serves the single and the vector class alike.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode

from ethospike.configuration import configured
from ethospike.envs.odor_arena.config import ArenaConfig, Phase
from ethospike.envs.odor_arena.odor import OdorSource
from ethospike.envs.odor_arena.reinforcement import KINDS, Reinforcement
from ethospike.envs.odor_arena.task import ArenaTask
from ethospike.envs.task_env import SingleTaskEnv, Spaces, TaskEnv, VectorTaskEnv, check_group
from ethospike.errors import EnvError
from ethospike.variables import named, variable

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
TITLE = "odor arena"
PICTURE_PX = (640, 640)
"""Size of rendered pictures (pixels)."""


VARIABLES: Mapping[str, Mapping[str, Any]] = {
    "position_mm": variable(
        "position of the head, from the dish's center", "mm", "float32", components=named("xy", "mm"), xy=2
    ),
    "centroid_mm": variable(
        "position of the middle of the body", "mm", "float32", components=named("xy", "mm"), xy=2
    ),
    "heading_rad": variable("heading of the head, counter-clockwise from x, in [−π, π)", "rad", "float32"),
    "bend_rad": variable("bend of the body, positive to the left", "rad", "float32"),
    "speed_mm_s": variable("crawling speed, 0 where the wall stops it", "mm/s", "float32"),
    "angular_velocity_rad_s": variable("angular velocity of the head", "rad/s", "float32"),
    "phase": variable("index of the phase in whose time the control step lies", "1", "int32"),
}
"""Descriptions of the arrays of `info`, after the dimensions (time, animal)."""


class _Arena(TaskEnv):
    """Configuration, scene and picture of the dish, for the single and the vector class."""

    _task: ArenaTask
    variables: Mapping[str, Mapping[str, Any]] = VARIABLES

    @property
    def config(self) -> ArenaConfig:
        """The experiment."""
        return self._task.config

    @property
    def odors(self) -> tuple[str, ...]:
        """Names of the odors, in the order of the observation."""
        return self.config.odors

    def view_state(self) -> dict[str, Any]:
        """Return the contents of a picture of the dish, see `ArenaTask.view`."""
        return self._task.view()

    def scene(self) -> dict[str, Any]:
        """Return the parts of the dishes that stay, for recordings, see `ArenaScene.plain`."""
        return self._task.scene.plain()

    def _surface(self, animal: int | None) -> Any:
        draw: Any = importlib.import_module("ethospike.envs.odor_arena.draw")
        which = slice(None) if animal is None else slice(animal, animal + 1)
        return draw.arena_surface(self._task.view(which), PICTURE_PX)


class OdorArenaEnv(_Arena, SingleTaskEnv):
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

    ## Rewards
    Reward minus punishment at the head, in every control step.

    ## Starting state
    The middle of the body is normally distributed around the dish's center (`ArenaConfig.start_sd_mm`),
    the heading uniform, the body straight and at rest.

    ## Episode end
    An episode is one experiment: it terminates at the end of the last phase. It is not truncated, unless
    `gymnasium.make(…, max_episode_steps=…)` asks for it.

    ## Information
    `info` holds the state of the body after the step, as `variables` describes it, and the phase of the
    step. At the end of a phase the observation already belongs to the next one.

    Parameters
    ----------
    config : ArenaConfig or mapping of its fields, optional
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
        When the control interval does not fit the body's inner step or the phases, the animal is negative, or
        the render mode unknown.

    Examples
    --------
    >>> env = OdorArenaEnv()
    >>> observation, info = env.reset(seed=1)
    >>> observation, reward, terminated, truncated, info = env.step(np.array([0.5, 0.0], np.float32))
    >>> round(info["speed_mm_s"], 3)
    2.0
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 10}

    def __init__(
        self,
        config: ArenaConfig | Mapping[str, Any] | None = None,
        *,
        control_interval_ms: float = CONTROL_INTERVAL_MS,
        animal: int = 0,
        render_mode: str | None = None,
    ) -> None:
        task = ArenaTask(configured(ArenaConfig, config, EnvError), control_interval_ms, first_animal=animal)
        super().__init__(task, TITLE, render_mode, _spaces(task.config))


class OdorArenaVectorEnv(_Arena, VectorTaskEnv):
    """A group of larvae, each in a dish of its own: `OdorArenaEnv` with the animal axis first.

    Animals do not interact. Animal i is the animal of `OdorArenaEnv(animal=i)` that is reset with the same
    seed, bit for bit. By default nothing resets itself (`AutoresetMode.DISABLED`): a brain's clock would
    run on.

    Parameters
    ----------
    num_envs : int
        Number of animals.
    config : ArenaConfig or mapping of its fields, optional
    control_interval_ms : float
        As in `OdorArenaEnv`.
    max_episode_steps : int, optional
        Control steps after which an episode is truncated.
    render_mode : str, optional
        "human" shows all animals in one dish, "rgb_array" gives a picture for each.
    autoreset_mode : AutoresetMode or str
        DISABLED for brains; NEXT_STEP and SAME_STEP for learners that expect Gymnasium's resets.

    Raises
    ------
    EnvError
        As in `OdorArenaEnv`; also when there is no animal, or `max_episode_steps` is below 1.

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
        config: ArenaConfig | Mapping[str, Any] | None = None,
        *,
        control_interval_ms: float = CONTROL_INTERVAL_MS,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
    ) -> None:
        check_group(num_envs)
        task = ArenaTask(configured(ArenaConfig, config, EnvError), control_interval_ms, animals=num_envs)
        super().__init__(task, TITLE, render_mode, _spaces(task.config), max_episode_steps, autoreset_mode)


def _spaces(config: ArenaConfig) -> Spaces:
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
