"""What environments with an animal axis share: random streams, checked actions, whom to reset, snapshots.

In: what a user of an environment hands over. Out: arrays that can be trusted, or an `EnvError` that says
what was expected. This file knows no body and no task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.envs.clock import whole_number

State = dict[str, NDArray[np.generic]]
"""A snapshot of an environment: arrays by name, the animal axis first."""
RESET_FIRST = "step: expected a reset before the first step; call reset()"
"""What an environment says that is to step with an animal that was never reset."""


class EnvError(ValueError):
    """A configuration, an action or a call that does not fit the environment; the message says what does."""


def random_stream(seed: int, animal: int, role: int, channel: int = 0) -> np.random.Generator:
    """Return the generator of one animal for one purpose (environments have the roles 20 to 29).

    Keyed by what it is for, so that animal 7 of 25 is animal 7 of 100.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(animal, role, channel)))


def inner_steps(control_interval_ms: float, inner_step_ms: float) -> int:
    """Return how many inner steps a control interval holds.

    Raises
    ------
    EnvError
        When it is not a whole number of at least one.
    """
    steps = whole_number(control_interval_ms, inner_step_ms)
    if steps is None:
        raise EnvError(
            f"control_interval_ms: expected a whole multiple of the inner step of {inner_step_ms:g} ms, "
            f"got {control_interval_ms:g} ms"
        )
    return steps


def checked_action(action: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an action as float64, clipped to [-1, 1].

    Raises
    ------
    EnvError
        When it is not numbers, has another shape, or holds NaN or infinity.
    """
    try:
        array = np.asarray(action, dtype=np.float64)
    except (TypeError, ValueError):
        raise EnvError(f"action: expected numbers of shape {shape}, got {action!r}") from None
    if array.shape != shape:
        raise EnvError(f"action: expected shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise EnvError(f"action: expected finite numbers in [-1, 1], got {array.tolist()}")
    return np.minimum(np.maximum(array, -1.0), 1.0)


def checked_seed(seed: int | np.integer) -> int:
    """Return a seed as Python's int, the only whole number that Gymnasium takes.

    Raises
    ------
    EnvError
        When it is not a whole number of at least 0.
    """
    if not isinstance(seed, (int, np.integer)):
        raise EnvError(f"seed: expected one whole number, each animal has its stream under it; got {seed!r}")
    if seed < 0:
        raise EnvError(f"seed: expected at least 0, got {seed}")
    return int(seed)


def check_options(options: Mapping[str, Any] | None, known: Sequence[str] = ()) -> None:
    """Raise `EnvError` when `reset` is given an option that it does not know."""
    for name in options or {}:
        if name not in known:
            valid = f"expected only {', '.join(map(repr, known))}" if known else "expected none"
            raise EnvError(f"options: {valid}, got {name!r}")


def animals_to_reset(options: Mapping[str, Any] | None, animals: int) -> NDArray[np.bool_]:
    """Return which animals `reset` is about: those of `options["reset_mask"]`, else all.

    Raises
    ------
    EnvError
        When the mask is not a boolean array of shape (animals,) with an animal in it, or there is another
        option.
    """
    check_options(options, ("reset_mask",))
    mask = (options or {}).get("reset_mask")
    if mask is None:
        return np.ones(animals, bool)
    array = np.asarray(mask)
    if array.dtype != np.bool_ or array.shape != (animals,) or not array.any():
        raise EnvError(
            f"options['reset_mask']: expected booleans of shape ({animals},), at least one True, got {mask!r}"
        )
    return array


def pack_generators(generators: Sequence[np.random.Generator], animals: int) -> NDArray[np.uint64]:
    """Return the states of the animals' PCG64 generators, shape (animals, 6); zeros while there are none."""
    if not generators:
        return np.zeros((animals, 6), np.uint64)
    rows = []
    for generator in generators:
        state: dict[str, Any] = dict(generator.bit_generator.state)
        words = [state["state"][key] >> shift & (2**64 - 1) for key in ("state", "inc") for shift in (64, 0)]
        rows.append([*words, state["has_uint32"], state["uinteger"]])
    return np.array(rows, np.uint64)


def unpack_generators(packed: NDArray[np.generic]) -> list[np.random.Generator]:
    """Return generators that continue from `pack_generators`; none if there were none."""
    if not np.any(packed):  # a generator's increment is odd, so its state is never all zeros
        return []
    generators = []
    for row in np.asarray(packed, np.uint64).tolist():
        bits = np.random.PCG64()
        bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": row[0] << 64 | row[1], "inc": row[2] << 64 | row[3]},
            "has_uint32": row[4],
            "uinteger": row[5],
        }
        generators.append(np.random.Generator(bits))
    return generators


def check_state(state: Mapping[str, NDArray[np.generic]], like: Mapping[str, NDArray[np.generic]]) -> None:
    """Raise `EnvError` unless a snapshot has the names and shapes of another one."""
    if state.keys() != like.keys():
        raise EnvError(f"state: expected the entries {sorted(like)}, got {sorted(state)}")
    for name, array in like.items():
        if np.shape(state[name]) != array.shape:
            raise EnvError(f"state[{name!r}]: expected shape {array.shape}, got {np.shape(state[name])}")
