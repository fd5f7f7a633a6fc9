"""Checks of arguments that all environments share: control intervals, actions, seeds, options and masks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.clock import whole_number
from ethospike.errors import EnvError

RESET_FIRST = "step: expected a reset before the first step; call reset()"
"""Message for a step before the first reset."""


def inner_steps(control_interval_ms: float, inner_step_ms: float) -> int:
    """Return the number of inner steps in a control interval.

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


@functools.cache
def _kernels() -> Any:
    """Return the compiled code, loaded on demand."""
    from ethospike.envs import kernels

    return kernels


def checked_action(action: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an action as float64, clipped to [-1, 1].

    Raises
    ------
    EnvError
        When it is not numbers, has another shape, or holds NaN or infinity.
    """
    try:
        array = np.array(action, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise EnvError(f"action: expected numbers of shape {shape}, got {action!r}") from None
    if array.shape != shape:
        raise EnvError(f"action: expected shape {shape}, got {array.shape}")
    if not _kernels().clip(array.reshape(-1, shape[-1])):
        raise EnvError(f"action: expected finite numbers in [-1, 1], got {np.asarray(action).tolist()}")
    return array


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
    """Return the mask of the animals to reset: `options["reset_mask"]`, or all.

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
