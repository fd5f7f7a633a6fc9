"""The delayed-reach task."""

from ethospike.envs.delayed_reach.config import ReachConfig, target_directions
from ethospike.envs.delayed_reach.env import DelayedReachEnv, DelayedReachVectorEnv

__all__ = ["DelayedReachEnv", "DelayedReachVectorEnv", "ReachConfig", "target_directions"]
