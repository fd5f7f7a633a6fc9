"""Any Gymnasium environment as a body: copies for a group of animals, episode after episode.

Each animal has a copy, episodes and seeds of its own. An episode goes on while the brain's clock does:

1. The step that ends it returns the final observation, with `terminated` or `truncated`.
2. In the next control step the brain sees the final observation; the copy is not stepped, the reward is 0.
3. A blank of `blank_steps` control steps follows, with the neutral observation.
4. The copy is reset, and the brain sees the first observation of the next episode.

The last feature, `present`, is 0 in the blank and 1 otherwise. Episode e of animal i has the seed of
(seed, i, e), so that any episode can be simulated again from its seed and its actions.

After the episodes of training, episodes of evaluation may follow. They are those of other copies of the
environment, with seeds of a stream of their own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ethospike.configuration import configured
from ethospike.envs.any_env.source import FRAMES, EnvSource, seen_ranges, with_ranges
from ethospike.envs.any_env.spaces import Entry, FlatSpace, flat_space
from ethospike.envs.checks import animals_to_reset, checked_seed
from ethospike.envs.contract import GroupEnv
from ethospike.errors import EnvError
from ethospike.randomness import Role, random_stream, seed_from_bytes, seed_to_bytes
from ethospike.shown import Shown
from ethospike.states import State, check_state
from ethospike.variables import UNKNOWN, Component, Panel, named, variable

PRESENT = "present"
"""Name of the last feature."""
ENDINGS = ("terminated", "truncated")
"""Endings of an episode; one that is both counts as terminated."""
TRAINING, SAMPLED, GREEDY = range(3)
PURPOSES = ("training", "sampled", "greedy")
"""Purposes of an episode: to learn, or to evaluate drawn or most probable actions without learning."""


@dataclass(frozen=True)
class EpisodeConfig(Shown):
    """Time, length of the run, and the flat form of the observation.

    Raises
    ------
    EnvError
        When a value is out of range, or neither episodes nor control steps are given.
    """

    control_interval_ms: float = 20.0
    """Simulated time of one environment step (ms); 20 ms is CartPole's own."""
    episodes: int = 0
    """Episodes of each animal, without those of evaluation; 0: no limit."""
    evaluation_episodes: int = 0
    """Episodes of evaluation after these: as many with drawn actions, then as many with the most probable."""
    n_control_steps: int = 0
    """Length of the run (control steps), blanks included; 0: no limit."""
    blank_steps: int = 5
    """Control steps between the final observation and the next episode. Chosen: 100 ms at 20 ms, five time
    constants of 20 ms, after which membranes and synapses have forgotten the final observation."""
    image_grid: tuple[int, int] = (12, 12)
    """Rows and columns of the gray values into which an image is averaged."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Ranges of observation entries by name, for entries without bounds."""
    warm_up_steps: int = 1000
    """Random steps in a copy of its own, from which the ranges of entries without bounds are learned."""

    def __post_init__(self) -> None:
        if not 0 < self.control_interval_ms < np.inf:
            raise EnvError(f"control_interval_ms: expected above 0, got {self.control_interval_ms}")
        for name in ("episodes", "evaluation_episodes", "n_control_steps", "blank_steps"):
            if getattr(self, name) < 0:
                raise EnvError(f"{name}: expected at least 0, got {getattr(self, name)}")
        if not (self.episodes or self.n_control_steps):
            raise EnvError(
                "episodes and n_control_steps: expected one of them above 0, or the run has no end"
            )
        if self.evaluation_episodes and not self.episodes:
            raise EnvError("evaluation_episodes: expected 0 unless episodes says when training ends")
        if self.warm_up_steps < 1:
            raise EnvError(f"warm_up_steps: expected at least 1, got {self.warm_up_steps}")

    @property
    def all_episodes(self) -> int:
        """Episodes of each animal, those of evaluation included; 0: no limit."""
        return self.episodes + 2 * self.evaluation_episodes

    def purposes(self, episode: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the index in `PURPOSES` of each of some episodes, counted from 0."""
        after = np.asarray(episode, np.int64) - self.episodes
        if not self.episodes:
            return np.zeros_like(after)
        return np.where(after < 0, TRAINING, np.where(after < self.evaluation_episodes, SAMPLED, GREEDY))


class GymnasiumGroup(GroupEnv):
    """Copies of a Gymnasium environment for a group of animals.

    Observations are float32 rows of the entries in `entries`, then `present`. Actions are rows of the
    entries in `action_entries`: categories as whole numbers from 0, continuous numbers in the range of the
    space.

    Parameters
    ----------
    env : str, callable() -> gymnasium.Env, or EnvSource
        An id, or a factory; wrappers are kept.
    num_envs : int
        Number of animals.
    config : EpisodeConfig or mapping of its fields, optional
        By default one episode.

    Raises
    ------
    EnvError
        When the environment cannot be made, or a space has no flat form.

    Attributes
    ----------
    entries, action_entries : tuple of Entry
        Names, ranges and categories of the flat observation (without `present`) and action.

    Examples
    --------
    >>> env = GymnasiumGroup("CartPole-v1", 3, EpisodeConfig(episodes=2))
    >>> observation, _ = env.reset(seed=1)
    >>> observation.shape, env.features[-1].name
    ((3, 5), 'present')
    """

    intervals: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
        "episode": {
            "episode": variable("episode of the animal, from 0", "1", "int64"),
            "return": variable("sum of the rewards of the episode", "1", "float64"),
            "length": variable("environment steps of the episode", "1", "int64"),
            "ending": variable(
                "end by the rules of the task, or by a limit", "1", "int64", categories=ENDINGS
            ),
            "purpose": variable(
                "training, or evaluation of drawn or most probable actions",
                "1",
                "int64",
                categories=PURPOSES,
            ),
        }
    }

    def __init__(
        self, env: str | Any, num_envs: int = 1, config: EpisodeConfig | Mapping[str, Any] | None = None
    ) -> None:
        if num_envs < 1:
            raise EnvError(f"num_envs: expected at least 1, got {num_envs}")
        self.source = env if isinstance(env, EnvSource) else EnvSource(env)
        self.config = config = configured(EpisodeConfig, config, EnvError, EpisodeConfig(episodes=1))
        self.num_envs = num_envs
        self.control_interval_ms = config.control_interval_ms
        self._copies: list[gymnasium.Env[Any, Any]] = [self.source.make() for _ in range(num_envs)]
        self._evaluated: dict[int, gymnasium.Env[Any, Any]] = {}
        first = self._copies[0]
        self._check_interval(first)
        self._seen = flat_space(first.observation_space, "observation", config.image_grid)
        self._done = flat_space(first.action_space, "action")
        _ = self._done.element(np.array([entry.low for entry in self._done.entries]).clip(-1e9, 1e9))
        self.entries = with_ranges(self._seen.entries, config.ranges, self._warm_up)
        self.action_entries = self._done.entries
        self.features = (*named([entry.name for entry in self.entries], UNKNOWN), Component(PRESENT))
        self.actuators = named([entry.name for entry in self.action_entries], UNKNOWN)
        self.variables = _variables(self._done)
        self._set_spaces()
        self._blank = np.array([_neutral(entry) for entry in self.entries] + [0.0], np.float32)
        self._begin_all(np.zeros(num_envs, bool))
        self._seed = -1

    def _check_interval(self, copy: gymnasium.Env[Any, Any]) -> None:
        """Refuse another control interval than that of an environment that states its own."""
        own_ms = getattr(copy.unwrapped, "control_interval_ms", None)
        if own_ms not in (None, self.control_interval_ms):
            raise EnvError(
                f"control_interval_ms: a step of {self.source.name} takes {own_ms:g} ms, got "
                f"{self.control_interval_ms:g}"
            )

    def _set_spaces(self) -> None:
        low = np.array([entry.low for entry in self._seen.entries] + [0.0], np.float32)
        high = np.array([entry.high for entry in self._seen.entries] + [1.0], np.float32)
        self.single_observation_space = Box(low, high, dtype=np.float32)
        if self._done.is_discrete:
            counts = np.array([entry.categories for entry in self.action_entries])
            self.single_action_space: Any = MultiDiscrete(counts)
        else:
            least = np.array([entry.low for entry in self.action_entries])
            most = np.array([entry.high for entry in self.action_entries])
            self.single_action_space = Box(least, most, dtype=np.float64)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _warm_up(self) -> tuple[Any, Any]:
        copy = self.source.make()
        try:
            return seen_ranges(copy, self._seen.flat, self.config.warm_up_steps)
        finally:
            copy.close()

    def _begin_all(self, in_episode: NDArray[np.bool_]) -> None:
        n, m = self.num_envs, len(self.action_entries)
        self._observation = np.zeros((n, len(self.features)), np.float32)
        self._in_episode = in_episode
        self._episode = np.full(n, -1, np.int32)
        self._wait = np.zeros(n, np.int64)
        self._return, self._length = np.zeros(n), np.zeros(n, np.int32)
        self._first_step = np.zeros(n, np.int64)
        self._check = np.zeros(n, np.uint32)
        self._control_step = 0
        self._history: list[list[NDArray[np.float64]]] = [[] for _ in range(n)]
        self._executed = np.zeros((n, m), self.variables["executed_action"]["dtype"])
        self._begun = np.zeros(n, bool)
        self._ended: list[dict[str, Any]] = []

    # -- Gymnasium ----------------------------------------------------------------------------------

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin the first episode of all animals, or the next one of those of `options["reset_mask"]`.

        Raises
        ------
        EnvError
            When the seed is not a whole number of at least 0, or the mask does not fit.
        """
        which = animals_to_reset(options, self.num_envs)
        if seed is not None or self._seed < 0:
            self._seed = int(np.random.default_rng().integers(2**31)) if seed is None else checked_seed(seed)
        if which.all():
            self._begin_all(np.zeros(self.num_envs, bool))
        for animal in np.flatnonzero(which):
            self._begin_episode(int(animal))
        return self._observation.copy(), self._info(np.zeros(self.num_envs, bool), self._episode.copy())

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Step the copies of the animals in an episode; let the others wait.

        Raises
        ------
        EnvError
            When the actions are not finite numbers of shape (animals, actuators), or a category is unknown.
        """
        rows = self._checked(actions)
        n = self.num_envs
        reward, terminated, truncated = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
        in_episode, episode = self._in_episode.copy(), self._episode.copy()
        self._executed = np.zeros_like(self._executed)
        for animal in range(n):
            if in_episode[animal]:
                reward[animal], terminated[animal], truncated[animal] = self._act(animal, rows[animal])
            else:
                self._pause(animal)
        self._control_step += 1
        info = self._info(in_episode, episode)
        return self._observation.copy(), reward, terminated, truncated, info

    def close_extras(self, **_: Any) -> None:
        """Close the copies."""
        for copy in (*self._copies, *self._evaluated.values()):
            copy.close()

    # -- the contract of `GroupEnv` -----------------------------------------------------------------

    def is_over(self, terminated: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> bool:
        """Return True after the last control step, or after the final observation of all last episodes."""
        out_of_time = 0 < self.config.n_control_steps <= self._control_step
        return bool(out_of_time or (self._wait < 0).all())

    def pop_begun(self) -> NDArray[np.bool_]:
        """Return a mask of the animals with the first observation of an episode, once."""
        begun, self._begun = self._begun, np.zeros(self.num_envs, bool)
        return begun

    def pop_intervals(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the episodes that ended since the last call, with the columns in `intervals`."""
        rows, self._ended = self._ended, []
        return {"episode": {name: np.array([row[name] for row in rows]) for name in rows[0]}} if rows else {}

    def scene(self) -> dict[str, Any]:
        """Return id and seed, from which a replay makes the frames again; without a name there are none."""
        described = self.source.described()
        return {
            "kind": "gymnasium",
            "seed": self._seed,
            "image_grid": list(self.config.image_grid),
            "training_episodes": self.config.episodes,
            **({"env_id": None, "keywords": {}} if described is None else described),
        }

    def frame(self, animal: int) -> NDArray[np.uint8] | None:
        """Return the frame of an animal's copy; None if the environment renders none."""
        copy = self._copy(animal)
        if copy.render_mode != FRAMES:
            return None
        return np.asarray(copy.render(), np.uint8)

    def state(self) -> State:
        """Return the seed, and the actions of the present episodes, from which they are simulated again."""
        longest = max(len(actions) for actions in self._history)
        history = np.zeros((self.num_envs, longest, len(self.action_entries)))
        for rows, actions in zip(history, self._history, strict=True):
            rows[: len(actions)] = np.reshape(actions, (len(actions), rows.shape[1]))
        return {
            "seed": seed_to_bytes(self._seed),
            "control_step": np.array(self._control_step),
            "observation": self._observation.copy(),
            "in_episode": self._in_episode.copy(),
            "episode": self._episode.copy(),
            "wait": self._wait.copy(),
            "return": self._return.copy(),
            "length": self._length.copy(),
            "first_step": self._first_step.copy(),
            "check": self._check.copy(),
            "begun": self._begun.copy(),
            "history": history,
        }

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state()`: simulate the present episodes again, and compare the observations.

        Raises
        ------
        EnvError
            When an episode does not repeat itself from its seed and its actions.
        StateError
            When the state is one of another environment.
        """
        check_state(state, self.state(), any_shape=("history", "seed"))
        self._begin_all(np.array(state["in_episode"]))
        self._seed, self._control_step = seed_from_bytes(state["seed"]), int(state["control_step"])
        for animal in np.flatnonzero(self._in_episode):
            self._episode[animal] = state["episode"][animal] - 1
            self._begin_episode(int(animal))
            for action in state["history"][animal][: state["length"][animal]]:
                self._act(int(animal), action)
            if self._check[animal] != state["check"][animal] or not self._in_episode[animal]:
                raise EnvError(
                    f"{self.source.name}: episode {state['episode'][animal]} of animal {animal} gives other "
                    f"observations when it is simulated again from its seed and its actions; this "
                    f"environment does not repeat itself, and its runs cannot be continued"
                )
        self._observation = np.array(state["observation"])
        self._episode, self._wait = np.array(state["episode"]), np.array(state["wait"])
        self._return, self._length = np.array(state["return"]), np.array(state["length"])
        self._first_step, self._check = np.array(state["first_step"]), np.array(state["check"])
        self._begun, self._ended = np.array(state["begun"]), []

    def __getstate__(self) -> dict[str, Any]:
        # Copies of a stranger's environment may share arrays with it, or not be possible at all (windows,
        # physics engines). They are made and simulated again instead, and compared, as by `set_state`.
        return {k: value for k, value in self.__dict__.items() if k not in ("_copies", "_evaluated")}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept)
        self._copies = [self.source.make() for _ in range(self.num_envs)]
        self._evaluated = {}
        if self._seed >= 0:
            self.set_state(self.state())
            self.__dict__.update(kept)  # also what no state holds: episodes that ended and were not popped

    # -- an animal ----------------------------------------------------------------------------------

    def _begin_episode(self, animal: int) -> None:
        self._episode[animal] += 1
        self._return[animal], self._length[animal], self._check[animal] = 0.0, 0, 0
        self._first_step[animal] = self._control_step
        self._history[animal] = []
        self._in_episode[animal] = self._begun[animal] = True
        seed = episode_seed(self._seed, animal, int(self._episode[animal]), self.config.episodes)
        observation, _ = self._copy(animal).reset(seed=seed)
        self._sense(animal, observation)

    def _copy(self, animal: int) -> gymnasium.Env[Any, Any]:
        """Return the copy of an animal's present episode; one for training, another for evaluation."""
        if not 0 < self.config.episodes <= self._episode[animal]:
            return self._copies[animal]
        if animal not in self._evaluated:
            self._evaluated[animal] = self.source.make()
        return self._evaluated[animal]

    def _sense(self, animal: int, observation: Any) -> None:
        row = self._seen.flat(observation).astype(np.float32)
        if not np.isfinite(row).all():
            raise EnvError(f"{self.source.name}: expected finite observations, got {observation}")
        self._observation[animal, :-1], self._observation[animal, -1] = row, 1.0
        self._check[animal] = zlib.crc32(row.tobytes(), int(self._check[animal]))

    def _act(self, animal: int, row: NDArray[np.float64]) -> tuple[float, bool, bool]:
        """Step an animal's copy; return reward, terminated, truncated."""
        element = self._done.element(row)
        self._executed[animal] = self._done.flat(element)
        self._history[animal].append(np.array(row))
        observation, reward, terminated, truncated, _ = self._copy(animal).step(element)
        self._sense(animal, observation)
        self._return[animal] += float(reward)
        self._length[animal] += 1
        if terminated or truncated:
            self._end_episode(animal, bool(terminated))
        return float(reward), bool(terminated), bool(truncated)

    def _end_episode(self, animal: int, terminated: bool) -> None:
        self._in_episode[animal] = False
        self._wait[animal] = 1 if self._is_last(animal) else 1 + self.config.blank_steps
        self._ended.append(
            {
                "animal": animal,
                "start_step": int(self._first_step[animal]),
                "stop_step": int(self._first_step[animal] + self._length[animal]),
                "episode": int(self._episode[animal]),
                "return": float(self._return[animal]),
                "length": int(self._length[animal]),
                "ending": 0 if terminated else 1,
                "purpose": int(self.config.purposes(self._episode[animal])),
            }
        )

    def _pause(self, animal: int) -> None:
        """Spend a control step between two episodes, or after the last."""
        self._wait[animal] -= 1
        if self._wait[animal] == 0 and self._is_last(animal):
            self._wait[animal] = -1
        if self._wait[animal] == 0:
            self._control_step += 1  # the episode begins with the next control step
            self._begin_episode(animal)
            self._control_step -= 1
        else:
            self._observation[animal] = self._blank

    def _is_last(self, animal: int) -> bool:
        return bool(0 < self.config.all_episodes <= self._episode[animal] + 1)

    def _checked(self, actions: Any) -> NDArray[np.float64]:
        shape = (self.num_envs, len(self.action_entries))
        rows = np.asarray(actions, np.float64)
        if rows.shape != shape:
            raise EnvError(f"action: expected shape {shape}, got {rows.shape}")
        if not np.isfinite(rows).all():
            raise EnvError(f"action: expected finite numbers, got {rows.tolist()}")
        return rows

    def _info(self, in_episode: NDArray[np.bool_], episode: NDArray[np.int32]) -> dict[str, Any]:
        return {
            "in_episode": in_episode,
            "episode": episode,
            "episode_return": self._return.copy(),
            "executed_action": self._executed,
        }


def episode_seed(seed: int, animal: int, episode: int, training_episodes: int = 0) -> int:
    """Return the seed of an episode of an animal.

    Episodes after those of training have another stream, so that they are the same after any length of
    training; 0 training episodes mean that all are.
    """
    if 0 < training_episodes <= episode:
        stream = random_stream(seed, animal, Role.EVALUATION, episode - training_episodes)
    else:
        stream = random_stream(seed, animal, Role.EPISODES, episode)
    return int(stream.integers(2**31))


def _neutral(entry: Entry) -> float:
    """Return the value of an entry in the blank: 0, or the end of the range that is nearest to it."""
    return float(np.clip(0.0, entry.low, entry.high))


def _variables(done: FlatSpace) -> dict[str, dict[str, Any]]:
    names = named([entry.name for entry in done.entries], UNKNOWN)
    return {
        "in_episode": variable("the environment was stepped in the control step", "1", "bool"),
        "episode": variable("episode of the animal, from 0", "1", "int32"),
        "episode_return": variable(
            "sum of the rewards of the episode so far", "1", "float64", panel=Panel("return of the episode")
        ),
        "executed_action": variable(
            "action that the environment received, 0 outside episodes",
            UNKNOWN,
            "int64" if done.is_discrete else "float64",
            components=names,
            executed=len(names),
        ),
    }
