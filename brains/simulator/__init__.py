"""The contract of a simulator, its settings, and the function that opens a simulator by name."""

from ethospike.brains.simulator.contract import Simulator, close_all
from ethospike.brains.simulator.events import plastic_events
from ethospike.brains.simulator.registry import is_installed, open_simulator, simulator_class
from ethospike.brains.simulator.scripts import OwnBrain
from ethospike.brains.simulator.settings import (
    SIMULATORS,
    Capabilities,
    SimulatorEntry,
    SimulatorSettings,
)
from ethospike.brains.simulator.window import SpikeBlock, Stimulus

__all__ = [
    "SIMULATORS",
    "Capabilities",
    "OwnBrain",
    "Simulator",
    "SimulatorEntry",
    "SimulatorSettings",
    "SpikeBlock",
    "Stimulus",
    "close_all",
    "is_installed",
    "open_simulator",
    "plastic_events",
    "simulator_class",
]
