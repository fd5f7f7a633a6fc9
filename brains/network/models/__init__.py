"""Neuron models: one class each, which every simulator reads."""

from ethospike.brains.network.models.iaf_cond_exp import IafCondExp, IafCondExpSfaRr
from ethospike.brains.network.models.iaf_psc_exp import IafPscExp
from ethospike.brains.network.models.neuron_model import GennCode, NeuronModel

NEURON_MODELS: dict[str, NeuronModel] = {
    model.name: model for model in (IafPscExp(), IafCondExp(), IafCondExpSfaRr())
}
"""The built-in models by name, with NEST 3.10's parameters, units and defaults."""

__all__ = ["NEURON_MODELS", "GennCode", "IafCondExp", "IafCondExpSfaRr", "IafPscExp", "NeuronModel"]
