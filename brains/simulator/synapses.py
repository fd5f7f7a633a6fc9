"""The synapses of a network, drawn once for the simulator that runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network, Synapses

Draw = Callable[[str, int], Synapses]
"""Returns the synapses of a projection in an animal."""


class Described(NamedTuple):
    """Number of synapses, and signs of their weights as described."""

    number: int
    is_negative: NDArray[np.bool_]
    """Shape (synapses,); a view of one value where all are alike."""


class DrawnSynapses:
    """Draws the synapses of a network, each projection of each animal once.

    Those of plastic projections are kept: their weights are read often, and recover to those described. The
    others are handed over, and their numbers and signs are kept.

    Parameters
    ----------
    network : Network
    seed : int
    """

    def __init__(self, network: Network, seed: int) -> None:
        self._network, self._seed = network, seed
        self._kept: dict[tuple[str, int], Synapses] = {}
        self._described: dict[tuple[str, int], Described] = {}

    def draw(self, projection: str, animal: int) -> Synapses:
        """Return the synapses of a projection in an animal; only plastic ones are kept."""
        key = (projection, animal)
        if key in self._kept:
            return self._kept[key]
        synapses = self._network.draw(projection, self._seed, animal)
        self._described[key] = _described(synapses.weight)
        if self._network.projection(projection).plasticity is not None:
            self._kept[key] = synapses
        return synapses

    def keep(self, projection: str, animal: int) -> Synapses:
        """Return the synapses of a projection in an animal, and keep them until `release`."""
        key = (projection, animal)
        self._kept[key] = self.draw(projection, animal)
        return self._kept[key]

    def release(self) -> None:
        """Drop the synapses that are not plastic; numbers and signs stay known."""
        plastic = {projection.name for projection in self._network.plastic_projections}
        self._kept = {key: synapses for key, synapses in self._kept.items() if key[0] in plastic}

    def described(self, projection: str, animal: int) -> Described:
        """Return number and signs of the synapses of a projection in an animal."""
        key = (projection, animal)
        if key not in self._described:
            self.draw(projection, animal)
        return self._described[key]


def _described(weight: NDArray[np.float64]) -> Described:
    """Return number and signs of weights; equal signs take no memory."""
    is_negative = weight < 0 if len(weight) and weight.strides != (0,) else weight[:1] < 0
    if len(weight) and is_negative.all() == is_negative.any():
        is_negative = np.broadcast_to(is_negative[0], weight.shape)
    return Described(len(weight), is_negative)
