"""Shuffled synapses: the targets of a projection are exchanged among its synapses, degrees stay.

The random graph with given degrees is reached by exchanges of the targets of two synapses (Maslov and Sneppen
2002, Science 296:910, doi 10.1126/science.1065103), here for half of all pairs at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

EXCHANGES = 10
"""Accepted exchanges a synapse, on average, after which the wiring is taken for random. Chosen: the share of
synapses that have moved stays the same from about three on."""
MOST_ROUNDS = 200
"""Rounds after which a dense projection ends with fewer exchanges; in each, every synapse is offered one."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shuffle:
    """A shuffle of the synapses of a projection.

    Each neuron keeps the number of its outgoing and of its incoming synapses. Weight and delay stay with a
    synapse and its source. There are no new autapses, and no new multapses.

    Parameters
    ----------
    seed : int
        Of the exchanges, beside the seed of the network; other draws do not depend on it.
    """

    seed: int = 0


def exchanged_targets(
    source: ArrayLike, target: ArrayLike, *, recurrent: bool, may_repeat: bool, rng: np.random.Generator
) -> Ints:
    """Return the new target of each synapse.

    Parameters
    ----------
    source, target : array-like of int, shape (synapses,)
    recurrent : bool
        Source and target are the same population: no autapse is made.
    may_repeat : bool
        Synapses may have the same two neurons.
    rng : Generator
    """
    source, target = np.asarray(source, dtype=np.int64), np.array(target, dtype=np.int64)
    half, wanted = len(source) // 2, EXCHANGES * len(source) / 2
    width = int(target.max(initial=0)) + 1
    done = 0
    for _ in range(MOST_ROUNDS if half else 0):
        order = rng.permutation(len(source))
        first, second = order[:half], order[half : 2 * half]
        accepted = (source[first] != source[second]) & (target[first] != target[second])
        if recurrent:
            accepted &= (source[first] != target[second]) & (source[second] != target[first])
        first, second = first[accepted], second[accepted]
        if not may_repeat:
            keys = np.stack([source[first] * width + target[second], source[second] * width + target[first]])
            fresh = _are_new(keys, np.sort(source * width + target))
            first, second = first[fresh], second[fresh]
        target[first], target[second] = target[second], target[first]
        done += len(first)
        if done >= wanted:
            break
    return target


def _are_new(keys: Ints, present: Ints) -> NDArray[np.bool_]:
    """Return which exchanges make pairs neither present nor made by another one, shape (exchanges,)."""
    place = np.minimum(np.searchsorted(present, keys), len(present) - 1)
    new = present[place] != keys
    _, inverse, count = np.unique(keys, return_inverse=True, return_counts=True)
    new &= (count[inverse] == 1).reshape(keys.shape)
    return np.asarray(new.all(axis=0))
