"""The reacher: a clustered cortex wired to a hand."""

from ethospike.agents.reacher.agent import PUBLISHED_DIRECTIONS, ReacherAgent, ReacherConfig
from ethospike.agents.reacher.race import BIN_MS, ClusterRace, first_crossing

__all__ = [
    "BIN_MS",
    "PUBLISHED_DIRECTIONS",
    "ClusterRace",
    "ReacherAgent",
    "ReacherConfig",
    "first_crossing",
]
