"""The contract of a simulator, its settings, and the function that opens a simulator by name."""

from ethospike.brains.simulator.contract import (
    SIMULATORS,
    Capabilities,
    Simulator,
    SimulatorSettings,
    SpikeBlock,
    Stimulus,
    is_installed,
    open_simulator,
    simulator_class,
)

__all__ = [
    "SIMULATORS",
    "Capabilities",
    "Simulator",
    "SimulatorSettings",
    "SpikeBlock",
    "Stimulus",
    "is_installed",
    "open_simulator",
    "simulator_class",
]
