"""The arm that shuffles the wiring and keeps degrees and weights, on demand with matched rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network, Shuffle, Synapses
from ethospike.errors import ArmError, BrainError, nearest
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.network.matching import Matching, match
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.arms.network.set_values import scaled
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


@dataclass
class ShuffleArm(NetworkArm):
    """Shuffle the synapses of projections; without names, of all that can change.

    Each neuron keeps its numbers of outgoing and incoming synapses, each synapse its source, weight and
    delay; there are no new autapses. Projections that connect all pairs, or a single pair, cannot change.

    Parameters
    ----------
    projections : tuple of str
    matched : bool
        Adjust the gains of inputs until the mean rate of each population is within 10 % of the intact
        animals' (`matching.match`).
    seed : int
        Of the exchanges, and of the animals with which rates are matched.
    calibration_s : float
        Simulated time for which the scenario runs to match rates (s), from its beginning.
    calibration_animals : int
        Animals that run then.
    """

    name: ClassVar[str] = "shuffle"
    projections: tuple[str, ...] = ()
    matched: bool = False
    seed: int = 0
    calibration_s: float = 30.0
    calibration_animals: int = 8
    matching: Matching | None = field(default=None, init=False, repr=False, compare=False)
    _open: Callable[..., Any] | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return "shuffle PN>KC matched"

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario, whose agent gets the shuffled network."""
        self._open = scenario.open
        return super().apply(scenario)

    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network with shuffled synapses, and gains if rates are to match.

        Raises
        ------
        ArmError
            When a projection does not exist or cannot change, when synapses are not listed, or when rates
            cannot be matched.
        """
        chosen = self._chosen(network, config)
        shuffled = self._shuffled(network, chosen)
        if not self.matched:
            return shuffled
        if self._open is None:
            raise ArmError("arm shuffle: matched rates need a scenario; apply the arm to one")
        self.matching = match(self, self._open, config, lambda gains: gained(shuffled, gains))
        return gained(shuffled, self.matching.gains)

    def _chosen(self, network: Network, config: ScenarioConfig) -> list[str]:
        """Return the names of the projections to shuffle."""
        names = [projection.name for projection in network.projections]
        for name in self.projections:
            if name not in names:
                raise ArmError(f"arm shuffle: no projection {name!r}; {nearest(name, names)}")
        chosen = [
            name
            for name in self.projections or names
            if can_change(network, name, config.seed, config.animals)
        ]
        if fixed := set(self.projections) - set(chosen):
            raise ArmError(
                f"arm shuffle: {min(fixed)!r} cannot change: it connects all pairs of its neurons, or each "
                f"exchange would make the same pairs"
            )
        if not chosen:
            raise ArmError("arm shuffle: no projection of this network can change; all connect all pairs")
        return chosen

    def _shuffled(self, network: Network, chosen: list[str]) -> Network:
        projections = [
            dataclasses.replace(p, shuffle=Shuffle(self.seed)) if p.name in chosen else p
            for p in network.projections
        ]
        try:
            return dataclasses.replace(network, projections=tuple(projections))
        except BrainError as error:
            raise ArmError(f"arm shuffle: {error}") from error

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return for each projection its synapses, the share that moved, and that degrees are equal.

        `touched` is the number of synapses that moved, in all animals; `left_out` lists the projections that
        cannot change.
        """
        before, after = self.networks()
        chosen = [p.name for p in after.projections if p.shuffle is not None]
        proof: dict[str, Any] = {"touched": 0, "projections": {}}
        for name in chosen:
            pairs = [
                (before.wire(name, run.config.seed, animal), after.wire(name, run.config.seed, animal))
                for animal in range(run.config.animals)
            ]
            moved = sum(_moved(old, new) for old, new in pairs)
            synapses = sum(len(old.source) for old, _ in pairs)
            equal = all(_degrees_are_equal(old, new) for old, new in pairs)
            if not equal or not moved:
                reason = "degrees have changed" if moved else "no synapse has moved"
                raise ArmError(f"arm shuffle: {name!r}: {reason}")
            proof["touched"] += moved
            proof["projections"][name] = {
                "synapses": synapses,
                "share_moved": moved / synapses,
                "degrees_equal": equal,
                "autapses": sum(_autapses(before, name, new) for _, new in pairs),
            }
        proof["left_out"] = [
            p.name for p in before.projections if p.name not in chosen and not self.projections
        ]
        if self.matching is not None:
            proof["matching"] = dataclasses.asdict(self.matching)
        return proof


def can_change(network: Network, name: str, seed: int, animals: int) -> bool:
    """Return whether some exchange of targets makes other pairs in a projection of animal 0."""
    projection = network.projection(name)
    source, target = network.population(projection.source), network.population(projection.target)
    if not network.has_known_synapses(projection):
        reason = "they are procedural" if network.procedural else "the simulator draws them"
        raise ArmError(
            f"arm shuffle: the synapses of {name!r} are not listed ({reason}), and cannot be exchanged; name "
            f"other projections"
        )
    ends = projection.ends(source, target)
    if min(ends.n_source, ends.n_target) < 2 or projection.rule.fixed_number(ends) == ends.n_pairs:
        return False
    drawn = network.wire(name, seed, 0)
    return _moved(drawn, projection.shuffled(drawn, np.random.default_rng(0))) > 0


def gained(network: Network, gains: dict[str, float]) -> Network:
    """Return a network with the weights of some projections multiplied."""
    projections = [
        dataclasses.replace(p, weight=scaled(p.weight, gains[p.name])) if p.name in gains else p
        for p in network.projections
    ]
    return dataclasses.replace(network, projections=tuple(projections))


def _keys(synapses: Synapses) -> NDArray[np.int64]:
    return synapses.source.astype(np.int64) * 2**32 + synapses.target


def _moved(before: Synapses, after: Synapses) -> int:
    """Return the number of synapses between two neurons that had none."""
    return int((~np.isin(_keys(after), _keys(before))).sum())


def _degrees_are_equal(before: Synapses, after: Synapses) -> bool:
    """Return whether each neuron has as many outgoing and incoming synapses."""
    return all(
        np.array_equal(np.bincount(getattr(before, end)), np.bincount(getattr(after, end)))
        for end in ("source", "target")
    )


def _autapses(network: Network, name: str, synapses: Synapses) -> int:
    projection = network.projection(name)
    return int((synapses.source == synapses.target).sum()) if projection.source == projection.target else 0
