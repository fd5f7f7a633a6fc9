"""A brain that is a PyNEST script: a function creates nodes and connections, and names those that matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ethospike.brains.simulator.scripts import Script


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


class NestScript(Script):
    """A network that a function of yours makes with PyNEST, in place of a `Network`.

    The kernel is reset before the function is called, and has the resolution, the number of threads and the
    seed of the run. The function creates and connects nodes and returns `ScriptNodes`; it does not simulate.
    A script runs on NEST, one animal a process; sweeps give each run a process.

    Parameters
    ----------
    build : callable
        Gets the parameters, and returns `ScriptNodes`.
    parameters : keywords
        Passed on to `build`; they are named in `run.json`.

    Examples
    --------
    >>> from ethospike.brains.simulator import SimulatorSettings, open_simulator
    >>> def build(n=2):
    ...     import nest
    ...     cells = nest.Create("iaf_psc_alpha", n, {"I_e": 500.0})
    ...     return ScriptNodes(populations={"cells": cells})
    >>> with open_simulator(NestScript(build, n=3), SimulatorSettings("nest"), seed=1) as simulator:
    ...     len(set(simulator.run(1000).neuron))
    3
    """

    simulator: ClassVar[str] = "nest"
    label: ClassVar[str] = "NEST script"
    simulator_class: ClassVar[str] = "ethospike.brains.nest.script_simulator:NestScriptSimulator"

    def __call__(self) -> ScriptNodes:
        """Call the function."""
        nodes: ScriptNodes = self.build(**self.parameters)
        return nodes
