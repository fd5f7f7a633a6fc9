"""The arm that takes the action feedback away: all groups of an actor learn alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ethospike.agents.reward.spiking import WITHHELD
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
        # Only rules that are dataclasses have a gate, which the type checker cannot know.
        projections = [
            dataclasses.replace(p, plasticity=dataclasses.replace(p.plasticity, gate=None))  # type: ignore[type-var]
            if p.name in gated
            else p
            for p in network.projections
        ]
        return dataclasses.replace(network, projections=tuple(projections))

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return the synapses (of all animals) that lost their gate, and the effect of its absence.

        `gate_of_chosen` and `gate_of_others` are the means of the gates that the agent would have given to
        the group of the chosen action and to the others; they learned with 1 instead. `groups_alike` is the
        correlation of two groups' changes of weights, over sources: near 1 where groups learn alike, below 0
        where a gate sets one against the other. None where weights were not recorded, or stayed.
        """
        before, after = self.networks()
        names = [
            old.name
            for old, new in zip(before.projections, after.projections, strict=True)
            if old.plasticity != new.plasticity
        ]
        animals, seed = run.config.animals, run.config.seed
        synapses = sum(len(after.wire(name, seed, a).source) for name in names for a in range(animals))
        left = sorted(after.modulation_channels)
        alike = [groups_alike(run, after, name) for name in names]
        known = [value for value in alike if value is not None]
        return {
            "touched": synapses,
            "projections": names,
            "synapses": synapses,
            "channels": left,
            **_withheld(run),
            "groups_alike": float(np.mean(known)) if known else None,
        }


def _withheld(run: ArmedRun) -> dict[str, Any]:
    """Return the control steps with a gate that nothing heard, and its means."""
    if WITHHELD not in run.recording.layout.variables:
        return {"control_steps": None, "gate_of_chosen": None, "gate_of_others": None}
    gate = np.asarray(run.recording.variable(WITHHELD).values, np.float64)
    gate = gate[gate.any(axis=-1)]
    chosen = gate > 0.0
    means = [float(gate[part].mean()) if part.any() else None for part in (chosen, ~chosen)]
    return {"control_steps": len(gate), "gate_of_chosen": means[0], "gate_of_others": means[1]}


def groups_alike(run: ArmedRun, network: Network, name: str) -> float | None:
    """Return the mean correlation of the changes of weights of two groups; None without weights."""
    if name not in run.recording.layout.weights or not run.config.recorder.weights_every_s:
        return None
    recorded = run.recording.weights(name)
    projection = network.projection(name)
    source, target = network.population(projection.source), network.population(projection.target)
    if not len(recorded) or target.clusters < 2:
        return None
    first, last = (np.asarray(recorded[row].values, np.float64) for row in (0, -1))
    correlations = []
    for animal, change in enumerate(last - first):
        wired = network.wire(name, run.config.seed, animal)
        place = wired.source * target.clusters + wired.target // target.cluster_size
        of_group = np.bincount(place, change, source.size * target.clusters).reshape(-1, target.clusters)
        if (of_group.std(axis=0) > 0.0).all():
            table = np.asarray(np.corrcoef(of_group, rowvar=False))
            correlations.append(table[np.triu_indices(target.clusters, 1)].mean())
    return float(np.mean(correlations)) if correlations else None
