"""The odor arena: larvae in a dish with odors, reward and punishment."""

from ethospike.envs.odor_arena.config import (
    DISH_DIAMETER_MM,
    ODOR_COLUMNS,
    ODOR_DISTANCE_MM,
    OTHER_FEATURES,
    REINFORCEMENT_COLUMNS,
    WALL_COLUMN,
    ArenaConfig,
    Phase,
    features,
)
from ethospike.envs.odor_arena.env import OdorArenaEnv, OdorArenaVectorEnv
from ethospike.envs.odor_arena.larva_body import LarvaBodies
from ethospike.envs.odor_arena.odor import PEAK_UM, OdorField, OdorSource
from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM, INNER_STEP_MS, MAX_SPEED_MM_S, MAX_TURNER

__all__ = [
    "BODY_LENGTH_MM",
    "DISH_DIAMETER_MM",
    "INNER_STEP_MS",
    "MAX_SPEED_MM_S",
    "MAX_TURNER",
    "ODOR_COLUMNS",
    "ODOR_DISTANCE_MM",
    "OTHER_FEATURES",
    "PEAK_UM",
    "REINFORCEMENT_COLUMNS",
    "WALL_COLUMN",
    "ArenaConfig",
    "LarvaBodies",
    "OdorArenaEnv",
    "OdorArenaVectorEnv",
    "OdorField",
    "OdorSource",
    "Phase",
    "features",
]
