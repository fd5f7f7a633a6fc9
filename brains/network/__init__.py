"""Networks as data: populations, projections, wiring rules, plasticity rules and inputs."""

from ethospike.brains.network.network import (
    NUMPY_WIRING_LIMIT,
    CurrentInput,
    Network,
    Projection,
    SpikeInput,
    Synapses,
)
from ethospike.brains.network.plasticity import NEVER, DopamineGated, DopaminePlasticity
from ethospike.brains.network.population import NEURON_MODELS, Distribution, Parameter, Population, Uniform
from ethospike.brains.network.rules import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    Explicit,
    FixedIndegree,
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
    "Explicit",
    "FixedIndegree",
    "Network",
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
]
