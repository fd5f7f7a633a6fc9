"""Neurons in the NEST kernel: created from a description and checked against NEST's own defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ethospike.brains.network import NestModel, NeuronModel
from ethospike.errors import BrainError, nearest


def create(nest: Any, where: str, model: NeuronModel, size: int, params: Mapping[str, Any]) -> None:
    """Create neurons.

    Parameters
    ----------
    nest : module
    where : str
        Beginning of an error's message.
    model : NeuronModel
    size : int
    params : mapping
        One number, or a list of one number a neuron, for each parameter.

    Raises
    ------
    BrainError
        When NEST has no such model or parameter, or refuses a value.
    """
    params = {**params, **model.nest_fixed}
    if isinstance(model, NestModel):
        _check(nest, where, model, params)
    try:
        nest.Create(model.nest_name, size, params=params)
    except nest.NESTError as error:
        raise BrainError(f"{where}: NEST refuses the parameters of {model.name}: {_reason(error)}") from error


def _check(nest: Any, where: str, model: NestModel, params: Mapping[str, Any]) -> None:
    """Raise `BrainError` unless NEST has the model, which is a neuron, and its parameters."""
    if model.module is not None and model.name not in nest.node_models:
        try:
            nest.Install(model.module)
        except nest.NESTError as error:
            raise BrainError(f"{where}: NEST cannot load {model.module!r}: {_reason(error)}") from error
    if model.name not in nest.node_models:
        raise BrainError(
            f"{where}.model: NEST has no {model.name!r}; {nearest(model.name, nest.node_models)}"
        )
    defaults = nest.GetDefaults(model.name)
    if str(defaults["element_type"]) != "neuron":
        raise BrainError(
            f"{where}.model: {model.name} is no neuron on NEST but a {defaults['element_type']}; inputs of a "
            f"network are SpikeInput and CurrentInput"
        )
    for key in params:
        if key not in defaults:
            raise BrainError(f"{where}.params: {model.name} has no {key!r}; {nearest(key, defaults)}")


def port(nest: Any, where: str, model: NeuronModel, receptor: int | str) -> int:
    """Return the number of a receptor port of a model.

    Raises
    ------
    BrainError
        When the model has no receptor of that name.
    """
    if not isinstance(receptor, str):
        return int(receptor)
    ports = nest.GetDefaults(model.nest_name).get("receptor_types") or {}
    names = {str(name): number for name, number in dict(ports).items()}
    if receptor not in names:
        raise BrainError(f"{where}.receptor: {model.name} has no {receptor!r}; {nearest(receptor, names)}")
    return int(names[receptor])


def connect_recorder(nest: Any, neurons: Any, recorder: Any, delay_ms: float, names: Sequence[str]) -> None:
    """Connect neurons to a spike recorder; `names` are those of their models, for the message.

    Raises
    ------
    BrainError
        When a model has no spikes.
    """
    try:
        nest.Connect(neurons, recorder, syn_spec={"delay": delay_ms})
    except nest.NESTError as error:
        raise BrainError(
            f"a model of the network has no spikes to record ({', '.join(names)}): {_reason(error)}"
        ) from error


def connect(nest: Any, source: Any, target: Any, rule: Any, synapses: dict[str, Any]) -> None:
    """Connect neurons; NEST's refusal, as of a receptor, becomes a `BrainError`."""
    try:
        nest.Connect(source, target, rule, synapses)
    except nest.NESTError as error:
        raise BrainError(f"{synapses.get('synapse_model', 'synapses')}: NEST: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return the last sentence of NEST's message on one line."""
    text = getattr(error, "errormessage", "") or str(error)
    return " ".join(str(text).split())
