"""Pools of random bits and keys from which rows of synapses are made; `generated_rows.py` explains how."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network, PairwiseBernoulli
from ethospike.brains.numba.bits.row_counts import POOL_BYTES, POOL_STRIDE
from ethospike.brains.numba.placement import placed
from ethospike.errors import BrainError
from ethospike.randomness import Role

LARGEST_P = 0.99
"""A source with a synapse to itself tries again; at p = 1 it would for ever."""
_POOL_CHANNEL = 2**40  # of the random streams: far above the numbers of projections
_P_DIGITS = 2**32
_CANDIDATES = 4096  # numbers of ones of the first pool from which the best is chosen

Array = NDArray[Any]


class Generated(NamedTuple):
    """Pools and keys from which the rows of one animal are made.

    The matrices have one entry for each source and target population.
    """

    pool: Array  # bytes of all pools
    first: Array  # first byte of the pools of a projection
    inverted: Array  # uint64, all bits set where the complement is drawn
    key: Array  # uint64
    drawn: Array  # whether there is such a projection


def refusal(network: Network) -> str | None:
    """Return why the rows of a network cannot be made when its neurons fire, or None."""
    for projection in network.projections:
        if not isinstance(projection.rule, PairwiseBernoulli):
            rule = type(projection.rule).__name__
            return (
                f"the rule of {projection.name!r} is {rule}; procedural wiring draws PairwiseBernoulli alone"
            )
        if projection.rule.p > LARGEST_P:
            p = projection.rule.p
            return f"the probability of {projection.name!r} is {p}; procedural wiring goes up to {LARGEST_P}"
    return None


def generated(network: Network, *, seed: int, animal: int) -> Generated:
    """Return the pools and keys of a network's projections in projection animal.

    Raises
    ------
    BrainError
        When `refusal` gives a reason.
    """
    if reason := refusal(network):
        raise BrainError(reason)
    size = len(network.populations)
    first = np.zeros((size, size), dtype=np.int64)
    inverted, key = np.zeros((size, size), dtype=np.uint64), np.zeros((size, size), dtype=np.uint64)
    there = np.zeros((size, size), dtype=np.bool_)
    pools: dict[float, int] = {}
    parts: list[NDArray[np.uint8]] = []
    for index, projection in enumerate(network.projections):
        source, target = network.population(projection.source), network.population(projection.target)
        place = network.populations.index(source), network.populations.index(target)
        p = cast(PairwiseBernoulli, projection.rule).p  # `refusal` lets no other rule through
        drawn = min(p, 1.0 - p)
        if drawn not in pools:
            pools[drawn] = len(parts) // 2
            parts += _pools(drawn, seed, animal)
        stream = np.random.SeedSequence(seed, spawn_key=(animal, Role.WIRING, index))
        key[place] = stream.generate_state(1, np.uint64)[0]
        there[place] = True
        first[place] = pools[drawn] * 2 * POOL_STRIDE
        inverted[place] = np.uint64(0xFFFF_FFFF_FFFF_FFFF if p > 0.5 else 0)
    pool = placed(max(1, len(parts)) * POOL_STRIDE, np.uint8)
    for i, part in enumerate(parts):
        pool[i * POOL_STRIDE : (i + 1) * POOL_STRIDE] = part
    return Generated(pool, first, inverted, key, there)


def nothing_generated(populations: int) -> Generated:
    """Return empty pools and keys, for rows that are stored."""
    first = np.zeros((populations, populations), dtype=np.int64)
    none = first.view(np.uint64)
    return Generated(np.empty(0, dtype=np.uint8), first, none, none, first.astype(np.bool_))


def _pools(p: float, seed: int, animal: int) -> list[NDArray[np.uint8]]:
    """Return the two pools for a probability, which depend on it, the seed and the animal alone."""
    channel = _POOL_CHANNEL + round(p * _P_DIGITS)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(animal, Role.WIRING, channel)))
    pools = []
    for ones in ones_in_pools(p):
        bits = np.zeros(8 * POOL_BYTES, dtype=np.uint8)
        bits[:ones] = 1
        rng.shuffle(bits)
        ring = np.packbits(bits)
        pools.append(np.resize(ring, POOL_STRIDE))  # what follows the last byte is the first one again
    return pools


def ones_in_pools(p: float) -> tuple[int, int]:
    """Return how many bits of the two pools are set, so that the product of their shares is p."""
    bits = 8 * POOL_BYTES
    middle = round(np.sqrt(p) * bits)
    a = np.arange(max(1, middle - _CANDIDATES), min(bits, middle + _CANDIDATES) + 1, dtype=np.int64)
    wanted = p * float(bits) ** 2
    b = np.minimum(np.round(wanted / a), bits)
    best = int(np.argmin(np.abs(a * b - wanted)))
    return int(a[best]), int(b[best])
