"""The arm that freezes plasticity: weights stay as they are at the start."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ethospike.brains.network import Network
from ethospike.errors import ArmError, BrainError, nearest
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.scenario import ScenarioConfig


@dataclass
class Freeze(NetworkArm):
    """Freeze the weights of plastic projections; without names, of all.

    The rule stays, with rates of 0, so that the weights are recorded.
    """

    name: ClassVar[str] = "freeze"
    projections: tuple[str, ...] = ()

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return "freeze KC>MBONp"

    def chosen(self, network: Network) -> list[str]:
        """Return the names of the projections that are frozen.

        Raises
        ------
        ArmError
            When there is none, or one of them is not plastic.
        """
        plastic = [projection.name for projection in network.plastic_projections]
        if not plastic:
            raise ArmError("arm freeze: the network has no plastic projection, and nothing could change")
        for name in self.projections:
            if name not in plastic:
                raise ArmError(f"arm freeze: no plastic projection {name!r}; {nearest(name, plastic)}")
        return [*(self.projections or plastic)]

    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network with rules that change nothing."""
        chosen = self.chosen(network)
        projections = []
        for projection in network.projections:
            rule = projection.plasticity
            if projection.name in chosen and rule is not None:
                try:
                    still = rule.frozen()
                except BrainError as error:
                    raise ArmError(f"arm freeze: {projection.name!r}: {error}") from error
                if still == rule:
                    raise ArmError(
                        f"arm freeze: {projection.name!r} has rates of 0 already, and the arm would be "
                        f"the intact animal"
                    )
                projection = dataclasses.replace(projection, plasticity=still)
            projections.append(projection)
        return dataclasses.replace(network, projections=tuple(projections))

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return the frozen synapses (of all animals), and the largest change of a recorded weight, 0."""
        before, after = self.networks()
        chosen = self.chosen(before)
        animals, seed = run.config.animals, run.config.seed
        synapses = sum(len(after.wire(name, seed, a).source) for name in chosen for a in range(animals))
        moved = {name: _largest_change(run, name) for name in chosen}
        recorded = [value for value in moved.values() if value is not None]
        if any(recorded):
            raise ArmError(f"arm freeze: expected weights that stay, they changed by up to {max(recorded):g}")
        largest = max(recorded) if recorded else None
        return {"touched": synapses, "projections": chosen, "synapses": synapses, "largest_change": largest}


def _largest_change(run: ArmedRun, name: str) -> float | None:
    """Return the largest change of a weight since the start; None if weights were not recorded."""
    if name not in run.recording.layout.weights or not run.config.recorder.weights_every_s:
        return None
    weights = np.asarray(run.recording.weights(name).values)
    return float(np.abs(weights - weights[:1]).max()) if len(weights) else None
