"""Any synapse model of NEST, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.plasticity.reference import PlasticSynapses, SynapseReference
from ethospike.brains.network.plasticity.rule import PlasticityRule
from ethospike.brains.network.population import Population
from ethospike.errors import BrainError


@dataclass(frozen=True)
class NestSynapse(PlasticityRule):
    """A synapse model of the installed NEST; no other simulator runs it.

    Names and values are checked when the simulator is opened. Weights are those that NEST reports: many
    models bring them up to date at spikes of the source only.

    Parameters
    ----------
    model : str
        NEST's name, such as "tsodyks2_synapse".
    params : mapping
        Parameters with NEST's names and units, the same for all synapses of the projection.
    target_params : mapping
        Parameters of the target's neurons that the synapses need, such as {"tau_minus": 30.0}.

    Examples
    --------
    >>> NestSynapse("tsodyks2_synapse", {"U": 0.5}).simulators
    ('nest',)
    """

    name = "NestSynapse"
    simulators = ("nest",)
    modulator = None
    grid_ms = None
    gate = None

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    target_params: Mapping[str, float] = field(default_factory=dict)

    @property
    def bounds(self) -> tuple[float, float]:
        """No bounds but those that NEST has."""
        return -np.inf, np.inf

    def check(self, where: str, target: Population, weights: NDArray[np.float64]) -> None:
        """Accept any weight: NEST checks them."""

    def reference(self, synapses: PlasticSynapses, dt_ms: float) -> SynapseReference:
        """Raise `BrainError`: NEST alone knows the rule."""
        raise BrainError(f"{self.model}: NEST alone computes it; there is no reference")
