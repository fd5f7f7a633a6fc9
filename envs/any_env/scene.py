"""Frames of a Gymnasium environment in a view: the running copy's, or made again from seed and actions."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.any_env.group import episode_seed
from ethospike.envs.any_env.source import EnvSource, registered
from ethospike.envs.any_env.spaces import flat_space
from ethospike.envs.scene import Moment, Scene
from ethospike.errors import EnvError

FIRST_LOOK = 512
"""Control steps read at first in search of the beginning of an episode; then twice as many, and so on."""


class Resimulation:
    """One episode of one animal, simulated again as far as it is asked for.

    Parameters
    ----------
    source : EnvSource
    seed : int
        Of the run.
    image_grid : tuple of int
    training_episodes : int
        Episodes before those of evaluation; 0: all.

    Raises
    ------
    EnvError
        When the environment cannot be made.
    """

    def __init__(
        self, source: EnvSource, seed: int, image_grid: tuple[int, int], training_episodes: int = 0
    ) -> None:
        self._env = source.make()
        self._seed, self._training_episodes = seed, training_episodes
        self._seen = flat_space(self._env.observation_space, "observation", image_grid)
        self._done = flat_space(self._env.action_space, "action")
        self._place: tuple[int, int, int] = (-1, -1, 0)
        self.first_difference: int | None = None

    def frame(
        self, animal: int, episode: int, actions: NDArray[Any], seen: NDArray[Any] | None
    ) -> NDArray[np.uint8] | None:
        """Return the frame after some actions of an episode; None if observations differ from the recorded.

        Parameters
        ----------
        animal, episode : int
        actions : ndarray, shape (steps, actuators)
        seen : ndarray, shape (steps, features), or None
            The recorded observation before each action; `first_difference` counts its rows.
        """
        at_animal, at_episode, n_done = self._place
        if (at_animal, at_episode) != (animal, episode) or n_done > len(actions):
            seed = episode_seed(self._seed, animal, episode, self._training_episodes)
            observation, _ = self._env.reset(seed=seed)
            self._row, n_done, self.first_difference = self._flat(observation), 0, None
        for step in range(n_done, len(actions)):
            is_equal = seen is None or np.array_equal(self._row, seen[step, : len(self._row)])
            if not is_equal and self.first_difference is None:
                self.first_difference = step
            element = self._done.element(np.asarray(actions[step], np.float64))
            observation, *_ = self._env.step(element)
            self._row = self._flat(observation)
        self._place = (animal, episode, len(actions))
        if self.first_difference is not None:
            return None
        picture = self._env.render()
        return None if picture is None else np.asarray(picture, np.uint8)

    def _flat(self, observation: Any) -> NDArray[np.float32]:
        return self._seen.flat(observation).astype(np.float32)


class GymnasiumScene(Scene):
    """The frames of an environment of Gymnasium's registry."""

    kind = "gymnasium"
    needed = ("in_episode", "episode", "executed_action")
    optional: ClassVar[tuple[str, ...]] = ("observation",)

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self._plain = dict(plain)
        self._resimulation: Resimulation | None = None
        self._obstacle = ""
        if not plain.get("env_id"):
            self._obstacle = "no frames: the environment was made by a function without a name"

    def plain(self) -> dict[str, Any]:
        """Return the scene in the plain types of JSON."""
        return dict(self._plain)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Make the scene of a `plain()`; the environment is made when a frame is asked for."""
        return cls(plain)

    def labels(self, moment: Moment) -> dict[str, str]:
        """Return the number of the episode, and the blank between two of them."""
        is_on = bool(moment.values("in_episode")[moment.animal])
        return {
            "trial": f"episode {int(moment.values('episode')[moment.animal]) + 1}",
            "outcome": "" if is_on else "between episodes",
        }

    def picture(self, moment: Moment, size_px: tuple[int, int], *, head_trail: bool = False) -> Any:
        """Return the frame of the selected animal, or the reason for its absence, as a pygame surface."""
        pygame: Any = importlib.import_module("pygame")
        draw: Any = importlib.import_module("ethospike.envs.draw")
        surface = pygame.Surface(size_px)
        surface.fill(draw.BACKGROUND)
        # A live view lacks steps, so that it cannot make a frame again.
        frame = moment.frame if moment.is_live else self._frame(moment)
        if frame is None:
            words, center = self._obstacle or "this environment renders no frames", surface.get_rect().center
            size = draw.text_size(size_px)
            for row, line in enumerate(_lines(words, max(20, size_px[0] // (size // 2 + 1)))):
                draw.text(surface, line, (center[0], center[1] + row * 1.3 * size), size, draw.DIM, "center")
            return surface
        picture = pygame.surfarray.make_surface(np.ascontiguousarray(frame.swapaxes(0, 1)))
        scale = min(size_px[0] / picture.get_width(), size_px[1] / picture.get_height())
        side = (max(1, int(picture.get_width() * scale)), max(1, int(picture.get_height() * scale)))
        scaled = pygame.transform.smoothscale(picture, side)
        surface.blit(scaled, ((size_px[0] - side[0]) // 2, (size_px[1] - side[1]) // 2))
        return surface

    def _frame(self, moment: Moment) -> NDArray[np.uint8] | None:
        """Return the frame of a control step, made again; None, with `_obstacle` set, where that fails."""
        if self._obstacle:
            return None
        try:
            if self._resimulation is None:
                grid = self._plain.get("image_grid", (12, 12))
                source = registered(self._plain)
                self._resimulation = Resimulation(
                    source,
                    int(self._plain["seed"]),
                    (grid[0], grid[1]),
                    int(self._plain.get("training_episodes", 0)),
                )
            episode, first, actions, seen = _episode_until(moment)
            frame = self._resimulation.frame(moment.animal, episode, actions, seen)
        except EnvError as error:
            self._obstacle = f"no frames: {error}"
            return None
        difference = self._resimulation.first_difference
        if difference is not None:
            self._obstacle = (
                f"no frames: simulated again, the observation of control step {first + difference} is not "
                f"the recorded one; another version of the environment?"
            )
        return frame


def _episode_until(moment: Moment) -> tuple[int, int, NDArray[Any], NDArray[Any] | None]:
    """Return the episode of a moment, its first control step, and its actions and observations until then."""
    animal, n = moment.animal, FIRST_LOOK
    episode = int(moment.values("episode")[animal])
    while True:
        steps, episodes = moment.source.rows("episode", moment.step, n)
        if episodes[0, animal] != episode or steps[0] == 0 or len(steps) < n:
            break
        n *= 2
    _, in_episode = moment.source.rows("in_episode", moment.step, n)
    mine = (episodes[:, animal] == episode) & in_episode[:, animal].astype(bool)
    _, actions = moment.source.rows("executed_action", moment.step, n)
    seen = moment.source.rows("observation", moment.step, n)[1] if moment.has("observation") else None
    first = int(steps[mine][0]) if mine.any() else moment.step
    return episode, first, actions[mine, animal], None if seen is None else seen[mine, animal]


def _lines(words: str, width: int) -> list[str]:
    """Break words into lines of at most `width` letters."""
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) >= width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
