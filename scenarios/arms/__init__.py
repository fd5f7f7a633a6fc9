"""Control arms: changes of an experiment that prove that they acted (docs/arms.md)."""

from ethospike.scenarios.arms.arm import Arm, ArmedRun
from ethospike.scenarios.arms.loop.loop_arm import ArmedAgent, ArmedBody, LoopArm
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.arms.table import ARMS, armed, find_arm, parse_arm, prove

__all__ = [
    "ARMS",
    "Arm",
    "ArmedAgent",
    "ArmedBody",
    "ArmedRun",
    "LoopArm",
    "NetworkArm",
    "armed",
    "find_arm",
    "parse_arm",
    "prove",
]
