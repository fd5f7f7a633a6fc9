"""The odor arena that larvae are made for, found under Gymnasium's wrappers and checked."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import vector

from ethospike.envs.odor_arena import OdorArenaEnv, OdorArenaVectorEnv
from ethospike.errors import AgentError

CHANGERS = (
    *(gymnasium.ObservationWrapper, gymnasium.ActionWrapper),
    *(vector.VectorObservationWrapper, vector.VectorActionWrapper),
)
"""Classes of wrappers after which an observation is no concentration, or an action no drive, any more."""
HARMLESS = (gymnasium.wrappers.ClipAction, gymnasium.wrappers.vector.ClipAction)
"""Wrappers that leave actions in [-1, 1] as they are."""


def odor_arena(env: Any) -> OdorArenaEnv | OdorArenaVectorEnv:
    """Return the odor arena inside an environment.

    Parameters
    ----------
    env : gymnasium.Env or gymnasium.vector.VectorEnv
        An arena in wrappers that do not change observations or actions, such as those of `gymnasium.make`.

    Raises
    ------
    AgentError
        When it is another environment, or a wrapper changes its observations or its actions.
    """
    inner = getattr(env, "unwrapped", env)
    if not isinstance(inner, (OdorArenaEnv, OdorArenaVectorEnv)):
        raise AgentError(
            f"for_env: expected an odor arena (ethospike/OdorArena-v0; groups of it by gymnasium.make_vec(…, "
            f"vectorization_mode='vector_entry_point')), got {type(inner).__name__}; larvae for another "
            f"environment are made by their class, from odors, animals and control_interval_ms"
        )
    layer: Any = env
    while layer is not env.unwrapped:
        if isinstance(layer, CHANGERS) and not isinstance(layer, HARMLESS):
            raise AgentError(
                f"for_env: the wrapper {type(layer).__name__} changes observations or actions, but a larva "
                f"smells concentrations in µM and acts in [-1, 1]; make the larva for the arena without the "
                f"wrapper, and step that"
            )
        layer = layer.env
    if env.observation_space != inner.observation_space:
        raise AgentError(
            f"for_env: a wrapper changes observations: expected {inner.observation_space}, got "
            f"{env.observation_space}; make the larva for the arena without it"
        )
    return inner
