"""Networks as data: populations, projections, wiring rules, plasticity rules and inputs."""

from ethospike.brains.network.distributions import Distribution, LogNormal, Normal, Uniform
from ethospike.brains.network.models import NEURON_MODELS, GennCode, NestModel, NeuronModel
from ethospike.brains.network.network import NUMPY_WIRING_LIMIT, Network
from ethospike.brains.network.plasticity import NEVER, DopamineGated, DopaminePlasticity
from ethospike.brains.network.population import Parameter, Population
from ethospike.brains.network.projection import (
    CurrentInput,
    Projection,
    SpikeInput,
    Synapses,
    Weight,
    steps_of_delay,
)
from ethospike.brains.network.rules import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    Ends,
    Explicit,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    OneToOne,
    PairwiseBernoulli,
    RandomIndegree,
    Rule,
)

__all__ = [
    "NEURON_MODELS",
    "NEVER",
    "NUMPY_WIRING_LIMIT",
    "AllToAll",
    "ClusteredIndegree",
    "ClusteredWeight",
    "CurrentInput",
    "Distribution",
    "DopamineGated",
    "DopaminePlasticity",
    "Ends",
    "Explicit",
    "FixedIndegree",
    "FixedOutdegree",
    "FixedTotalNumber",
    "GennCode",
    "LogNormal",
    "NestModel",
    "Network",
    "NeuronModel",
    "Normal",
    "OneToOne",
    "PairwiseBernoulli",
    "Parameter",
    "Population",
    "Projection",
    "RandomIndegree",
    "Rule",
    "SpikeInput",
    "Synapses",
    "Uniform",
    "Weight",
    "steps_of_delay",
]
