"""Simulators by name: find, import and open them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ethospike.brains.network import Network
from ethospike.brains.simulator.contract import Simulator
from ethospike.brains.simulator.scripts import OwnBrain
from ethospike.brains.simulator.settings import SIMULATORS, SimulatorSettings
from ethospike.configuration import configured
from ethospike.errors import BrainError

_opener: ContextVar[Callable[..., Simulator] | None] = ContextVar("opener", default=None)
"""Builds the simulators of this context in place of their classes."""


@contextmanager
def opened_by(opener: Callable[..., Simulator]) -> Iterator[None]:
    """Have `open_simulator` call a function, with the same arguments, for the duration of the context."""
    token = _opener.set(opener)
    try:
        yield
    finally:
        _opener.reset(token)


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
    settings: SimulatorSettings | Mapping[str, Any] | None = None,
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
    settings = configured(SimulatorSettings, settings, BrainError)
    if isinstance(network, OwnBrain):
        return network.open(settings, seed=seed, animals=animals, dt_ms=dt_ms)
    build = _opener.get() or simulator_class(settings.name)
    return build(network, settings, seed=seed, animals=animals, dt_ms=dt_ms)


def open_batch(
    networks: Sequence[Network],
    settings: SimulatorSettings,
    *,
    seed: int,
    animals: int = 1,
    dt_ms: float = 0.1,
) -> Simulator:
    """Build parameter sets as one model; animal a of set s is animal s · animals + a.

    Parameters
    ----------
    networks : sequence of Network
        Of one `structure`: they differ in neurons' parameters and in weights alone.
    settings : SimulatorSettings
    seed : int
        Of all sets.
    animals : int
        Of each set.
    dt_ms : float

    Raises
    ------
    SimulatorNotInstalled
        When the simulator's package is absent.
    BrainError
        When the simulator has no batches, or cannot run these networks as one model.
    """
    simulator_class(settings.name)
    module, _, name = SIMULATORS[settings.name].batch.partition(":")
    if not name:
        raise BrainError(f"batch: {settings.name} runs parameter sets one after the other")
    build: Callable[..., Simulator] = getattr(importlib.import_module(module), name)
    return build(networks, settings, seed=seed, animals=animals, dt_ms=dt_ms)
