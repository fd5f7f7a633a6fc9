"""Simulators by name: find, import and open them."""

from __future__ import annotations

import importlib
import importlib.util

from ethospike.brains.network import Network
from ethospike.brains.simulator.contract import Simulator
from ethospike.brains.simulator.scripts import OwnBrain
from ethospike.brains.simulator.settings import SIMULATORS, SimulatorSettings


def is_installed(name: str) -> bool:
    """Return whether the package that a simulator wraps can be found (it is not imported).

    A folder of that name on Python's path is no package: it has no origin.
    """
    spec = importlib.util.find_spec(SIMULATORS[name].package)
    return spec is not None and spec.origin is not None


def simulator_class(name: str) -> type[Simulator]:
    """Return the class behind a name of `SIMULATORS`, and import the package that it wraps.

    Raises
    ------
    SimulatorNotInstalled
        When that package is absent.
    """
    entry = SIMULATORS[SimulatorSettings(name=name).name]
    simulator: type[Simulator] = getattr(importlib.import_module(entry.module), entry.class_name)
    return simulator


def open_simulator(
    network: Network | OwnBrain,
    settings: SimulatorSettings | None = None,
    *,
    seed: int,
    animals: int = 1,
    dt_ms: float = 0.1,
) -> Simulator:
    """Build a network in the simulator that the settings name.

    Raises
    ------
    SimulatorNotInstalled
        When its package is absent.
    BrainError
        When the network, or the number of animals, is not one that this simulator can run.

    Examples
    --------
    >>> from ethospike.brains.network import Network, Population
    >>> net = Network([Population("E", 1, "iaf_psc_exp", {"I_e": 500.0})])
    >>> with open_simulator(net, seed=1) as simulator:
    ...     spikes = simulator.run(1000)
    """
    settings = settings or SimulatorSettings()
    if isinstance(network, OwnBrain):
        return network.open(settings, seed=seed, animals=animals, dt_ms=dt_ms)
    return simulator_class(settings.name)(network, settings, seed=seed, animals=animals, dt_ms=dt_ms)
