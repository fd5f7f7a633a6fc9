"""Neuron models: one class each, which every simulator reads."""

from ethospike.brains.network.models.aeif_cond_exp import AeifCondExp
from ethospike.brains.network.models.iaf_cond_exp import IafCondExp, IafCondExpSfaRr
from ethospike.brains.network.models.iaf_psc_alpha import IafPscAlpha
from ethospike.brains.network.models.iaf_psc_delta import IafPscDelta
from ethospike.brains.network.models.iaf_psc_exp import IafPscExp
from ethospike.brains.network.models.iaf_shiu_2024 import IafShiu2024
from ethospike.brains.network.models.izhikevich import Izhikevich
from ethospike.brains.network.models.nest_model import NestModel
from ethospike.brains.network.models.neuron_model import GennCode, NeuronModel
from ethospike.brains.network.models.pp_psc_delta import PpPscDelta

NEURON_MODELS: dict[str, NeuronModel] = {
    model.name: model
    for model in (
        IafPscExp(),
        IafCondExp(),
        IafCondExpSfaRr(),
        IafPscDelta(),
        IafPscAlpha(),
        AeifCondExp(),
        Izhikevich(),
        PpPscDelta(),
        IafShiu2024(),
    )
}
"""The built-in models by name, with NEST 3.10's parameters, units and defaults where NEST has them."""

__all__ = [
    "NEURON_MODELS",
    "AeifCondExp",
    "GennCode",
    "IafCondExp",
    "IafCondExpSfaRr",
    "IafPscAlpha",
    "IafPscDelta",
    "IafPscExp",
    "IafShiu2024",
    "Izhikevich",
    "NestModel",
    "NeuronModel",
    "PpPscDelta",
]
