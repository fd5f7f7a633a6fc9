"""Simulators by name: find, import and open them."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod

from ethospike.brains.network import Network
from ethospike.brains.simulator.contract import Simulator
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


class OwnBrain(ABC):
    """A brain that makes its neurons itself in a simulator, such as a NEST script.

    It takes the place of a `Network` in `open_simulator`; `Simulator.network` then describes its populations
    and its inputs, and lists no synapses but those whose weights can be read.
    """

    @abstractmethod
    def open(self, settings: SimulatorSettings, *, seed: int, animals: int, dt_ms: float) -> Simulator:
        """Build it.

        Raises
        ------
        BrainError
            When the settings name a simulator on which it does not run, or it cannot be built.
        """


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
