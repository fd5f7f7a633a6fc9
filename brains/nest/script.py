"""A brain that is a PyNEST script: a function creates nodes and connections, and names those that matter."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ethospike.brains.network import DataSource
from ethospike.brains.simulator import OwnBrain, Simulator, SimulatorSettings
from ethospike.errors import BrainError


@dataclass(frozen=True)
class ScriptNodes:
    """The parts of a script's network that the world outside may reach.

    Parameters
    ----------
    populations : mapping of str to NodeCollection
        Neurons whose spikes are recorded and read, in the order of the mapping; at least one population.
    spike_inputs : mapping of str to NodeCollection
        `spike_generator` nodes, which get the times of their spikes, or `parrot_neuron` nodes, which get a
        generator each; a channel a node.
    current_inputs : mapping of str to NodeCollection
        `dc_generator` nodes, which get an amplitude in pA, or neurons, which get a generator each; a channel
        a node.
    weights : mapping of str to SynapseCollection
        Synapses within `populations` whose weights are recorded; each from one population to one.
    """

    populations: Mapping[str, Any]
    spike_inputs: Mapping[str, Any] = field(default_factory=dict)
    current_inputs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)


class NestScript(OwnBrain):
    """A network that a function of yours makes with PyNEST, in place of a `Network`.

    The kernel is reset before the function is called, and has the resolution, the number of threads and the
    seed of the run. The function creates and connects nodes and returns `ScriptNodes`; it does not simulate.
    A script runs on NEST, one animal a process; sweeps give each run a process.

    Parameters
    ----------
    build : callable(**parameters) -> ScriptNodes
    **parameters
        Passed on to `build`; they are named in `run.json`.

    Examples
    --------
    >>> import nest
    >>> from ethospike.brains.simulator import open_simulator
    >>> def build(n=2):
    ...     cells = nest.Create("iaf_psc_alpha", n, {"I_e": 500.0})
    ...     return ScriptNodes(populations={"cells": cells})
    >>> with open_simulator(NestScript(build, n=3), SimulatorSettings("nest"), seed=1) as simulator:
    ...     len(set(simulator.run(1000).neuron))
    3
    """

    def __init__(self, build: Callable[..., ScriptNodes], **parameters: Any) -> None:
        if not callable(build):
            raise BrainError(f"NestScript: expected a function that builds the network, got {build!r}")
        self._build = build
        self._parameters = parameters

    @property
    def name(self) -> str:
        """File and function, such as `brunel.py:build`."""
        file, function = _file_of(self._build), _function_of(self._build)
        return f"{file.name if file else '<interactive>'}:{getattr(function, '__qualname__', function)}"

    @property
    def sha256(self) -> str:
        """Hash of the script's file and of the parameters; of the function alone where there is no file."""
        file, function = _file_of(self._build), _function_of(self._build)
        code = getattr(function, "__code__", None)
        content = (
            file.read_bytes() if file else repr((code and code.co_code, code and code.co_consts)).encode()
        )
        given = sorted({**_bound(self._build), **self._parameters}.items())
        return hashlib.sha256(content + repr(given).encode()).hexdigest()

    @property
    def source(self) -> DataSource:
        """Description of the script for `run.json`."""
        given = {**_bound(self._build), **self._parameters}
        return DataSource(
            name=f"NEST script {self.name}",
            version=f"sha256 {self.sha256}",
            licence="that of the script",
            citation="the script",
            steps=tuple(f"{key} = {value!r}" for key, value in sorted(given.items())),
        )

    def open(self, settings: SimulatorSettings, *, seed: int, animals: int, dt_ms: float) -> Simulator:
        """Build the network in the kernel.

        Raises
        ------
        BrainError
            When the settings name another simulator, there is more than one animal, or the script does what
            it may not do.
        SimulatorNotInstalled
            When NEST is absent.
        """
        if settings.name != "nest":
            raise BrainError(
                f"{self.name}: a NEST script runs on NEST, not on {settings.name}; set --simulator.name nest"
            )
        if animals != 1:
            raise BrainError(
                f"{self.name}: a NEST script is one animal a process, got animals={animals}; a sweep over "
                f"seeds gives each its process"
            )
        module = importlib.import_module("ethospike.brains.nest.script_simulator")
        make: Callable[..., Simulator] = module.NestScriptSimulator
        return make(self, settings, seed=seed, dt_ms=dt_ms)

    def __call__(self) -> ScriptNodes:
        """Call the function."""
        return self._build(**self._parameters)


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
