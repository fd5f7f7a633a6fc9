"""Any environment of Gymnasium as a body for brains."""

from ethospike.envs.any_env.group import (
    GREEDY,
    PURPOSES,
    SAMPLED,
    TRAINING,
    EpisodeConfig,
    GymnasiumGroup,
    episode_seed,
)
from ethospike.envs.any_env.source import EnvSource
from ethospike.envs.any_env.spaces import Entry, FlatSpace, flat_space

__all__ = [
    "GREEDY",
    "PURPOSES",
    "SAMPLED",
    "TRAINING",
    "Entry",
    "EnvSource",
    "EpisodeConfig",
    "FlatSpace",
    "GymnasiumGroup",
    "episode_seed",
    "flat_space",
]
