"""Saved states of stateful objects: arrays by name, joined, split and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import StateError

State = dict[str, NDArray[np.generic]]
"""A saved state: arrays by name."""


def check_state(
    state: Mapping[str, NDArray[Any]], like: Mapping[str, NDArray[Any]], any_shape: Sequence[str] = ()
) -> None:
    """Check that a saved state matches an object before restoring it.

    A state is checked as a whole, so that an object never continues from half of one.

    Parameters
    ----------
    state : mapping of str to ndarray
        The saved state.
    like : mapping of str to ndarray
        The present state of the object.
    any_shape : sequence of str
        Entries that change their shape from step to step.

    Raises
    ------
    StateError
        When names, shapes or types differ.
    """
    if state.keys() != like.keys():
        raise StateError(f"state: expected the entries {sorted(like)}, got {sorted(state)}")
    for name, array in like.items():
        given = np.asarray(state[name])
        if given.dtype != array.dtype or (name not in any_shape and given.shape != array.shape):
            raise StateError(
                f"state[{name!r}]: expected {array.dtype} of shape {array.shape}, got {given.dtype} of shape "
                f"{given.shape}; was it saved from an object that was made alike?"
            )


def join_states(parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> State:
    """Return the states of several parts as one, each array under `part/name`."""
    return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def state_of(part: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Return the state of one part of a `join_states`; empty if it has none."""
    begin = f"{part}/"
    return {name.removeprefix(begin): array for name, array in state.items() if name.startswith(begin)}


def without(part: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Return a `join_states` without one of its parts."""
    return {name: array for name, array in state.items() if not name.startswith(f"{part}/")}
