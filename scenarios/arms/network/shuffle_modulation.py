"""The arm that shuffles the error that teaches: of the same sizes, at other times."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ethospike.agents.reward.shuffled import SHUFFLED
from ethospike.brains.network import ModulationChannel, Network, TDError
from ethospike.errors import ArmError
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.scenario import ScenarioConfig


@dataclass
class ShuffleModulation(NetworkArm):
    """Teach all weights by the TD errors of random earlier windows instead of the present one.

    The critic and its errors are computed as in the intact animal; each window that would learn gets the
    error of an earlier one, drawn for each animal. Only agents that can keep errors have this arm (the
    spiking actor–critic).
    """

    name: ClassVar[str] = "shuffle-modulation"

    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network whose rules read the channel of shuffled errors."""
        taught = [p.name for p in network.plastic_projections if isinstance(_modulator(p), TDError)]
        if not taught:
            raise ArmError(
                "arm shuffle-modulation: no projection learns from a TD error; choose the agent actor-critic"
            )
        projections = []
        for projection in network.projections:
            if projection.name in taught:
                rule: Any = projection.plasticity
                rule = dataclasses.replace(rule, modulator=ModulationChannel(SHUFFLED))
                projection = dataclasses.replace(projection, plasticity=rule)
            projections.append(projection)
        return dataclasses.replace(network, projections=tuple(projections))

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return the synapses (of all animals) that learn from shuffled errors."""
        before, after = self.networks()
        names = [
            one.name
            for one, other in zip(before.projections, after.projections, strict=True)
            if one.plasticity != other.plasticity
        ]
        animals, seed = run.config.animals, run.config.seed
        synapses = sum(len(after.wire(name, seed, a).source) for name in names for a in range(animals))
        return {"touched": synapses, "projections": names, "synapses": synapses}


def _modulator(projection: Any) -> Any:
    return None if projection.plasticity is None else projection.plasticity.modulator
