"""Plastic weights of a NEST network: the reference rule, applied to recorded spikes at intervals.

The rule runs in Python; the kernel is told the weights that have changed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import DopaminePlasticity, Network, Synapses


class Learning:
    """The plastic synapses of all projections and animals: hears spikes, learns from them when somebody wants
    to know the weights, and tells the kernel.

    Parameters
    ----------
    network : Network
    animals : int
    dt_ms : float
    synapses : (projection, animal) -> Synapses
    weight : dict of ndarray of float64, shape (animals * synapses,)
        Of each projection, in the order of `Network.wire`, animal by animal: read and written in place.
    transmit : (projection, indices of synapses) -> None
        Tells the kernel these weights.
    """

    def __init__(
        self,
        network: Network,
        animals: int,
        dt_ms: float,
        synapses: Callable[[str, int], Synapses],
        weight: dict[str, NDArray[np.float64]],
        transmit: Callable[[str, NDArray[np.integer]], None],
    ) -> None:
        self._weight = weight
        self._transmit = transmit
        self._sent: dict[str, NDArray[np.float64]] = {}
        self._references: dict[tuple[str, int], DopaminePlasticity] = {}
        # For each neuron of an animal: in which projections it is source (0), modulator (1) or target (2),
        # and its number in that population. Such spikes are few, and lists cost less than masks.
        self._parts: list[list[tuple[str, int, int]]] = [[] for _ in range(network.n_neurons)]
        for projection in network.plastic_projections:
            rule = projection.plasticity
            if rule is None:
                raise TypeError(f"{projection.name!r} is not plastic")
            for part, population in enumerate((projection.source, rule.modulator, projection.target)):
                for number, neuron in enumerate(range(network.n_neurons)[network.neurons(population)]):
                    self._parts[neuron].append((projection.name, part, number))
            start, own = 0, weight[projection.name]
            for animal in range(animals):
                wired = synapses(projection.name, animal)
                reference = DopaminePlasticity(rule, wired.source, wired.target, wired.weight, dt_ms)
                # One array, so that weights that are set reach the rule.
                reference.weight = own[start : start + len(wired.source)]
                self._references[projection.name, animal] = reference
                start += len(wired.source)
            self._sent[projection.name] = own.copy()
        self._concerned = np.tile([len(parts) > 0 for parts in self._parts], animals)
        self._heard: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def listen(self, step: NDArray[np.int64], cell: NDArray[np.int64]) -> None:
        """Take notice of the next spikes; `cell` counts neurons through all animals."""
        if len(step):
            self._heard.append((step, cell))

    def learn(self) -> None:
        """Apply the rules to all that was heard: for many windows at once it costs as much as for one."""
        if not self._heard:
            return
        step, cell = map(np.concatenate, zip(*self._heard, strict=True))
        self._heard = []
        concerned = np.flatnonzero(self._concerned[cell])
        events: dict[tuple[str, int], tuple[list[tuple[int, int]], ...]] = {}
        for when, which in zip(step[concerned].tolist(), cell[concerned].tolist(), strict=True):
            animal, neuron = divmod(which, len(self._parts))
            for projection, part, number in self._parts[neuron]:
                events.setdefault((projection, animal), ([], [], []))[part].append((when, number))
        for key, of_parts in events.items():
            source, modulator, target = (
                np.array(of_part, dtype=np.int64).reshape(-1, 2).T for of_part in of_parts
            )
            self._references[key].apply((source[0], source[1]), modulator[0], (target[0], target[1]))

    def note_sent(self, projection: str) -> None:
        """Take notice that the kernel was told all weights of a projection, plastic or not."""
        if projection in self._sent:
            self._sent[projection][:] = self._weight[projection]

    def transmit(self) -> None:
        """Learn, and tell the kernel the weights that have changed since it was last told."""
        self.learn()
        for projection, sent in self._sent.items():
            weight = self._weight[projection]
            changed = np.flatnonzero(weight != sent)
            if len(changed):
                self._transmit(projection, changed)
                sent[changed] = weight[changed]
