"""The arm that takes the action feedback away: all groups of an actor learn alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ethospike.brains.network import Network
from ethospike.errors import ArmError
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.scenario import ScenarioConfig


@dataclass
class GateOff(NetworkArm):
    """Let gated plasticity learn without its gate, with a factor of 1 for every group."""

    name: ClassVar[str] = "gate-off"

    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network without gates."""
        gated = [
            p.name for p in network.plastic_projections if p.plasticity is not None and p.plasticity.gate
        ]
        if not gated:
            raise ArmError("arm gate-off: the network has no projection with a gate")
        projections = [
            dataclasses.replace(p, plasticity=dataclasses.replace(p.plasticity, gate=None))  # type: ignore[type-var]
            if p.name in gated
            else p
            for p in network.projections
        ]
        return dataclasses.replace(network, projections=tuple(projections))

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return the synapses (of all animals) that lost their gate, and the channels that are left."""
        before, after = self.networks()
        names = [
            one.name
            for one, other in zip(before.projections, after.projections, strict=True)
            if one.plasticity != other.plasticity
        ]
        animals, seed = run.config.animals, run.config.seed
        synapses = sum(len(after.wire(name, seed, a).source) for name in names for a in range(animals))
        left = sorted(after.modulation_channels)
        return {"touched": synapses, "projections": names, "synapses": synapses, "channels": left}
