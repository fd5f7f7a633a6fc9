"""Plasticity rules as data, their modulators, and reference implementations in plain Python."""

from ethospike.brains.network.plasticity.dopamine_gated import DopamineGated, DopamineGatedSynapses
from ethospike.brains.network.plasticity.dopamine_stdp import DopamineSTDP
from ethospike.brains.network.plasticity.modulators import (
    FilteredSpikes,
    ModulationChannel,
    Modulator,
    ModulatorValues,
    TDError,
    td_constants,
)
from ethospike.brains.network.plasticity.nest_synapse import NestSynapse
from ethospike.brains.network.plasticity.pair_stdp import PairSTDP
from ethospike.brains.network.plasticity.reference import (
    NEVER,
    NO_SPIKES,
    Events,
    PlasticSynapses,
    SynapseReference,
)
from ethospike.brains.network.plasticity.rule import PlasticityRule
from ethospike.brains.network.plasticity.three_factor import GridConstants, ThreeFactor, ThreeFactorSynapses

__all__ = [
    "NEVER",
    "NO_SPIKES",
    "DopamineGated",
    "DopamineGatedSynapses",
    "DopamineSTDP",
    "Events",
    "FilteredSpikes",
    "GridConstants",
    "ModulationChannel",
    "Modulator",
    "ModulatorValues",
    "NestSynapse",
    "PairSTDP",
    "PlasticSynapses",
    "PlasticityRule",
    "SynapseReference",
    "TDError",
    "ThreeFactor",
    "ThreeFactorSynapses",
    "td_constants",
]
