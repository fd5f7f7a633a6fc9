"""Brains that make their neurons themselves: functions that use a simulator's own interface."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ethospike.brains.network import (
    CurrentInput,
    DataSource,
    Network,
    NeuronModel,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.brains.simulator.contract import Simulator
from ethospike.brains.simulator.settings import SimulatorSettings
from ethospike.errors import BrainError


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


class Script(OwnBrain):
    """A function that makes a network by a simulator's own Python interface.

    Parameters
    ----------
    build : callable
    parameters : keywords
        Passed on to `build`; they are named in `run.json`.
    """

    simulator: ClassVar[str]
    """Name of the simulator on which it runs."""
    label: ClassVar[str]
    """Word for the script in messages and in `run.json`."""
    simulator_class: ClassVar[str]
    """Module and class of the simulator of such scripts, with a colon between them."""

    def __init__(self, build: Callable[..., Any], **parameters: Any) -> None:
        if not callable(build):
            raise BrainError(
                f"{type(self).__name__}: expected a function that builds the network, got {build!r}"
            )
        self.build = build
        self.parameters = parameters

    @property
    def name(self) -> str:
        """File and function, with a colon between them."""
        file, function = _file_of(self.build), _function_of(self.build)
        return f"{file.name if file else '<interactive>'}:{getattr(function, '__qualname__', function)}"

    @property
    def given(self) -> dict[str, Any]:
        """All parameters, those that `functools.partial` has bound included."""
        return {**_bound(self.build), **self.parameters}

    @property
    def sha256(self) -> str:
        """Hash of the script's file and of the parameters; of the function alone where there is no file."""
        file, function = _file_of(self.build), _function_of(self.build)
        code = getattr(function, "__code__", None)
        content = (
            file.read_bytes() if file else repr((code and code.co_code, code and code.co_consts)).encode()
        )
        return hashlib.sha256(content + repr(sorted(self.given.items())).encode()).hexdigest()

    @property
    def source(self) -> DataSource:
        """Description of the script for `run.json`."""
        return DataSource(
            name=f"{self.label} {self.name}",
            version=f"sha256 {self.sha256}",
            licence="that of the script",
            citation="the script",
            steps=tuple(f"{key} = {value!r}" for key, value in sorted(self.given.items())),
        )

    def open(self, settings: SimulatorSettings, *, seed: int, animals: int, dt_ms: float) -> Simulator:
        """Build the network in the simulator.

        Raises
        ------
        BrainError
            When the settings name another simulator, there is more than one animal, or the script does what
            it may not do.
        SimulatorNotInstalled
            When the simulator is absent.
        """
        if settings.name != self.simulator:
            raise BrainError(
                f"{self.name}: a {self.label} runs on {self.simulator}, not on {settings.name}; set "
                f"--simulator {self.simulator}"
            )
        if animals != 1:
            raise BrainError(
                f"{self.name}: a {self.label} is one animal a process, got animals={animals}; a sweep over "
                f"seeds gives each its process"
            )
        module, _, name = self.simulator_class.partition(":")
        make: Callable[..., Simulator] = getattr(importlib.import_module(module), name)
        return make(self, settings, seed=seed, dt_ms=dt_ms)


class ScriptNetwork(Network):
    """Populations and inputs of a script, and the synapses whose weights it names; nothing is drawn."""

    def __init__(
        self,
        populations: tuple[Population, ...],
        projections: tuple[Projection, ...],
        spike_channels: Mapping[str, int],
        current_channels: Mapping[str, int],
        dt_ms: float,
        source: DataSource,
    ) -> None:
        super().__init__(populations, projections, sources=(source,))
        # The channels reach nodes of the script, which need not be neurons of its populations.
        to = populations[0].name
        spikes = (SpikeInput(n, to, 1.0, channels=k, delay_ms=dt_ms) for n, k in spike_channels.items())
        currents = (CurrentInput(n, to, channels=k) for n, k in current_channels.items())
        object.__setattr__(self, "spike_inputs", tuple(spikes))
        object.__setattr__(self, "current_inputs", tuple(currents))

    @property
    def plastic_projections(self) -> tuple[Projection, ...]:
        """The projections of the script's `weights`, which its synapse models may change."""
        return self.projections


class ScriptModel(NeuronModel):
    """A neuron model of a script: it has a name here, and its equations and parameters there."""

    defaults: Mapping[str, float] = {}
    initial: Mapping[str, str | float] = {}

    def __init__(self, name: str, simulator: str) -> None:
        self.name, self.simulator = name, simulator

    @property
    def simulators(self) -> tuple[str, ...]:
        """The simulator of the script."""
        return (self.simulator,)


def _function_of(build: Callable[..., Any]) -> Any:
    while isinstance(build, functools.partial):
        build = build.func
    return inspect.unwrap(build)


def _bound(build: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments that `functools.partial` has bound, positional ones by number."""
    bound: dict[str, Any] = {}
    while isinstance(build, functools.partial):
        bound = {**{str(i): value for i, value in enumerate(build.args)}, **build.keywords, **bound}
        build = build.func
    return bound


def _file_of(build: Callable[..., Any]) -> Path | None:
    try:
        path = Path(inspect.getsourcefile(_function_of(build)) or "")
    except TypeError:
        return None
    return path if path.is_file() else None
