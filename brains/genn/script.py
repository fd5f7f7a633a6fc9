"""A brain that is a PyGeNN script: a function adds populations to a model, and names those that matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ethospike.brains.simulator.scripts import Script


@dataclass(frozen=True)
class GennGroups:
    """The parts of a script's model that the world outside may reach.

    Parameters
    ----------
    populations : mapping of str to NeuronGroup
        Neurons whose spikes are recorded and read, in the order of the mapping; at least one population.
    spike_inputs : mapping of str to NeuronGroup
        Populations of `add_relays`, whose neurons repeat the spikes of a channel each.
    current_inputs : mapping of str to NeuronGroup
        Populations whose neurons get a current each, in the unit of the model's input; a channel a neuron.
    """

    populations: Mapping[str, Any]
    spike_inputs: Mapping[str, Any] = field(default_factory=dict)
    current_inputs: Mapping[str, Any] = field(default_factory=dict)


class GennScript(Script):
    """A network that a function of yours makes with PyGeNN, in place of a `Network`.

    The function gets an empty model with the step, precision and seed of the run, adds populations and
    synapses, and returns `GennGroups`; it neither builds nor loads the model. Models that need
    `batch_size` above 1 or custom updates between windows stay outside. Weights are not recorded.

    Parameters
    ----------
    build : callable
        Gets the model and the parameters, and returns `GennGroups`.
    parameters : keywords
        Passed on to `build`; they are named in `run.json`.
    """

    simulator: ClassVar[str] = "genn"
    label: ClassVar[str] = "PyGeNN script"
    simulator_class: ClassVar[str] = "ethospike.brains.genn.script_simulator:GennScriptSimulator"

    def __call__(self, model: Any) -> GennGroups:
        """Call the function."""
        groups: GennGroups = self.build(model, **self.parameters)
        return groups
