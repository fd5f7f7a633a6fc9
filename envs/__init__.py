"""Bodies, arenas and tasks behind the Gymnasium API. Knows no neuron.

Importing this package registers `ethospike/OdorArena-v0`, `ethospike/DelayedReach-v0` and
`ethospike/CueBandit-v0`; their files are loaded when `gymnasium.make` asks for one of them.
"""

from gymnasium.envs.registration import register

register(
    id="ethospike/OdorArena-v0",
    entry_point="ethospike.envs.odor_arena:OdorArenaEnv",
    vector_entry_point="ethospike.envs.odor_arena:OdorArenaVectorEnv",
)
register(
    id="ethospike/DelayedReach-v0",
    entry_point="ethospike.envs.delayed_reach:DelayedReachEnv",
    vector_entry_point="ethospike.envs.delayed_reach:DelayedReachVectorEnv",
)
register(id="ethospike/CueBandit-v0", entry_point="ethospike.envs.cue_bandit:CueBandit")
