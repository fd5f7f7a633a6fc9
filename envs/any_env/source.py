"""Where the copies of an environment come from: a registered id with keywords, or a factory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from ethospike.envs.any_env.spaces import Entry
from ethospike.errors import EnvError, nearest

FRAMES = "rgb_array"
WARM_UP_SEED = 0
"""Seed of the warm-up that learns ranges; the same for all runs, so that all runs have the same ranges."""


@dataclass(frozen=True)
class EnvSource:
    """A way to make copies of an environment.

    Parameters
    ----------
    env : str or callable() -> gymnasium.Env
        An id of Gymnasium's registry, or a factory, such as a function that applies wrappers.
    keywords : mapping
        Keywords of `gymnasium.make`, for an id.

    Raises
    ------
    EnvError
        When the id is unknown, or keywords come with a factory.
    """

    env: str | Callable[[], gymnasium.Env[Any, Any]]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.env, str) and self.keywords:
            raise EnvError("keywords: expected none with a factory, which makes the environment itself")

    @property
    def name(self) -> str:
        """The id, or the name of the factory."""
        return self.env if isinstance(self.env, str) else getattr(self.env, "__name__", "environment")

    def make(self) -> gymnasium.Env[Any, Any]:
        """Return a new copy, which can render frames if the environment is able to.

        Raises
        ------
        EnvError
            When it cannot be made; the message has the remedy.
        """
        if not isinstance(self.env, str):
            env = self.env()
            if not isinstance(env, gymnasium.Env):
                raise EnvError(
                    f"{self.name}: expected a gymnasium.Env of the factory, got {type(env).__name__}"
                )
            return env
        keywords = dict(self.keywords)
        try:
            if "render_mode" not in keywords and FRAMES in self._render_modes():
                keywords["render_mode"] = FRAMES
            return gymnasium.make(self.env, **keywords)
        except gymnasium.error.DependencyNotInstalled as error:
            raise EnvError(f"{self.env}: {error}") from None
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            if self.env not in gymnasium.registry and ":" not in self.env:
                raise EnvError(
                    f"no environment {self.env!r}; {nearest(self.env, gymnasium.registry)}"
                ) from None
            raise EnvError(f"{self.env} cannot be made: {error}") from None

    def _render_modes(self) -> tuple[str, ...]:
        """Return the render modes of a registered environment, without making it."""
        spec = gymnasium.spec(str(self.env))
        entry: Any = spec.entry_point
        if isinstance(entry, str):
            entry = gymnasium.envs.registration.load_env_creator(entry)
        return tuple(getattr(entry, "metadata", {}).get("render_modes", ()))

    def described(self) -> dict[str, Any] | None:
        """Return id and keywords in the plain types of JSON; None for a source without a name."""
        if not isinstance(self.env, str) or not is_plain(dict(self.keywords)):
            return None
        return {"env_id": self.env, "keywords": dict(self.keywords)}


def is_plain(value: Any) -> bool:
    """Return True for the types of JSON, which a recording keeps."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(member) for key, member in value.items())
    if isinstance(value, list):
        return all(is_plain(member) for member in value)
    return value is None or isinstance(value, (bool, int, float, str))


def registered(described: Mapping[str, Any]) -> EnvSource:
    """Return the source that a recording describes.

    Only ids of the registry are made, and only with plain keywords: a recording of a stranger must not load a
    module of its choice.

    Raises
    ------
    EnvError
        When the id is not registered here.
    """
    env_id, keywords = str(described.get("env_id")), dict(described.get("keywords", {}))
    if env_id not in gymnasium.registry:
        raise EnvError(f"{env_id} is not registered here; install its package and import it before")
    if not is_plain(keywords):
        raise EnvError(f"{env_id}: its keywords are not plain values")
    return EnvSource(env_id, keywords)


def seen_ranges(env: gymnasium.Env[Any, Any], flat: Callable[[Any], Any], n_steps: int) -> tuple[Any, Any]:
    """Return the lowest and the highest of each entry of the observation under random actions.

    Parameters
    ----------
    env : gymnasium.Env
    flat : callable(observation) -> ndarray
    n_steps : int
        Length of the warm-up, over as many episodes as it takes.
    """
    observation, _ = env.reset(seed=WARM_UP_SEED)
    env.action_space.seed(WARM_UP_SEED)
    rows = [flat(observation)]
    for _ in range(n_steps):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        rows.append(flat(observation))
        if terminated or truncated:
            observation, _ = env.reset()
            rows.append(flat(observation))
    seen = np.stack(rows)
    return seen.min(axis=0), seen.max(axis=0)


def with_ranges(
    entries: tuple[Entry, ...],
    given: Mapping[str, tuple[float, float]],
    seen: Callable[[], tuple[Any, Any]],
) -> tuple[Entry, ...]:
    """Return entries that all have a range: given, of the space, or seen in a warm-up.

    Raises
    ------
    EnvError
        When a range is given for an unknown entry, or is empty.
    """
    names = [entry.name for entry in entries]
    for name, (low, high) in given.items():
        if name not in names:
            raise EnvError(f"ranges: no entry {name!r}; {nearest(name, names)}")
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise EnvError(f"ranges: expected low below high for {name!r}, got {low} and {high}")
    entries = tuple(
        Entry(entry.name, float(given[entry.name][0]), float(given[entry.name][1]))
        if entry.name in given
        else entry
        for entry in entries
    )
    if all(entry.is_bounded for entry in entries):
        return entries
    low, high = seen()
    bounded = []
    for entry, least, most in zip(entries, low, high, strict=True):
        if not entry.is_bounded:
            # An entry that never changed gets a range of length 1, because codes divide by it.
            half = max(0.0, 0.5 - (most - least) / 2.0) if most == least else 0.0
            entry = Entry(entry.name, float(least - half), float(most + half))
        bounded.append(entry)
    return tuple(bounded)
