"""The arm that shuffles the error that teaches: of the same sizes, at other times."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ethospike.agents.reward.shuffled import GIVEN, SHUFFLED, TRUE
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
        """Return the synapses (of all animals) that learn from shuffled errors, and these errors themselves.

        `correlation` is that of the error that taught in a window with the true one of that window, over the
        control steps that taught anything; `sd_ratio` is the spread of the former over that of the latter.
        """
        before, after = self.networks()
        names = [
            old.name
            for old, new in zip(before.projections, after.projections, strict=True)
            if old.plasticity != new.plasticity
        ]
        animals, seed = run.config.animals, run.config.seed
        synapses = sum(len(after.wire(name, seed, a).source) for name in names for a in range(animals))
        true, given = (np.asarray(run.recording.variable(name).values, np.float64) for name in (TRUE, GIVEN))
        taught = np.isfinite(true) & (given != 0.0)
        true, given = true[taught], given[taught]
        if len(true) and (true == given).all():
            raise ArmError("arm shuffle-modulation: expected errors of other windows, got the true ones")
        varies = len(true) > 1 and true.std() > 0.0 and given.std() > 0.0
        return {
            "touched": synapses,
            "projections": names,
            "synapses": synapses,
            "control_steps": len(true),
            "correlation": float(np.corrcoef(true, given)[0, 1]) if varies else None,
            "sd_ratio": float(given.std() / true.std()) if varies else None,
        }


def _modulator(projection: Any) -> Any:
    return None if projection.plasticity is None else projection.plasticity.modulator
