"""The random wiring that NEST 2 drew for the published cortex, made again from its seed.

Figures 5 and 6 of Rostami et al. 2024 (Nat Commun 15:6304) show one network each, wired by NEST 2.20. Its
random numbers are those of Knuth's lagged-Fibonacci generator, one stream a thread, so that the seed in the
authors' script (ClusteredNetwork_pub at 6e7a107, ClusterModelNEST.py) is all that a wiring needs.

Source of the generator: Knuth, The Art of Computer Programming, volume 2, 3rd edition (2002 printing), 3.6,
`ran_array` and `ran_start`; NEST 2.20 uses it as librandom/knuthlfg.h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LONG_LAG = 100
SHORT_LAG = 37
MODULUS = 1 << 30
REFILL = 1009
"""Numbers that are generated at a time; the first `LONG_LAG` of them are used (Knuth: QUALITY)."""
SEPARATION = 70
"""Streams of different seeds are at least 2^70 − 1 numbers apart (Knuth: TT)."""
WARM_UP = 10 * (2 * LONG_LAG - 1)
"""Numbers after the start that are thrown away."""
THREADS = 12
"""Threads of the published simulations, each with a stream of its own (n_jobs in fig5.py and fig6.py)."""
FIRST_STREAM = 2
"""The streams have the seeds seed + 2, seed + 3, … (ClusterModelNEST.py, `rng_seeds`)."""
MAX_NEST2_SEED = MODULUS - 3 - FIRST_STREAM - (THREADS - 1)
"""Knuth's generator takes seeds up to 2^30 − 3, the last stream's included."""


def lagged_fibonacci(seeds: Sequence[int], n: int) -> NDArray[np.float64]:
    """Return the first uniform numbers in [0, 1) of streams of Knuth's generator.

    x(i) = (x(i − 100) − x(i − 37)) mod 2^30; of 1009 numbers in a row, the first 100 are used.

    Parameters
    ----------
    seeds : sequence of int
        0 … 2^30 − 3, one a stream.
    n : int
        Numbers of each stream.

    Returns
    -------
    ndarray of float64, shape (streams, n)

    Examples
    --------
    >>> lagged_fibonacci([8723], 3).shape
    (1, 3)
    """
    state = _advance(np.stack([_start(seed) for seed in seeds]), WARM_UP)
    used = np.empty((len(seeds), -(-n // LONG_LAG) * LONG_LAG))
    for begin in range(0, n, LONG_LAG):
        used[:, begin : begin + LONG_LAG] = state
        state = _advance(state, REFILL)
    return used[:, :n] / MODULUS


def _advance(state: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the next `LONG_LAG` numbers of each stream after `n` numbers, shape (streams, LONG_LAG)."""
    end = n + LONG_LAG
    x = np.empty((len(state), end), dtype=np.int64)
    x[:, :LONG_LAG] = state
    for first in range(LONG_LAG, end, SHORT_LAG):  # as many at a time as do not depend on each other
        last = min(first + SHORT_LAG, end)
        older, newer = (x[:, first - lag : last - lag] for lag in (LONG_LAG, SHORT_LAG))
        x[:, first:last] = (older - newer) % MODULUS
    return x[:, n:].copy()


def _start(seed: int) -> NDArray[np.int64]:
    """Return the first numbers of a seed's stream, shape (LONG_LAG,) (Knuth: `ran_start`).

    A polynomial is squared modulo z^100 + z^37 + 1 for each binary digit of the seed, multiplied by z where
    the digit is 1, and squared on until streams are far apart.
    """
    x = [0] * (2 * LONG_LAG - 1)
    value = (seed + 2) & (MODULUS - 2)
    for place in range(LONG_LAG):
        x[place] = value
        value <<= 1
        if value >= MODULUS:
            value -= MODULUS - 2  # a cyclic shift of 29 bits
    x[1] += 1  # the only odd number
    exponent, squarings = seed % MODULUS, SEPARATION - 1
    while squarings:
        x[0::2], x[1::2] = x[:LONG_LAG], [0] * (LONG_LAG - 1)  # square
        for place in range(2 * LONG_LAG - 2, LONG_LAG - 1, -1):  # reduce modulo the polynomial
            for lower in (place - (LONG_LAG - SHORT_LAG), place - LONG_LAG):
                x[lower] = (x[lower] - x[place]) % MODULUS
        if exponent & 1:  # multiply by z
            top = x[LONG_LAG - 1]
            x[:LONG_LAG] = [top, *x[: LONG_LAG - 1]]
            x[SHORT_LAG] = (x[SHORT_LAG] - top) % MODULUS
        if exponent:
            exponent >>= 1
        else:
            squarings -= 1
    return np.array([*x[SHORT_LAG:LONG_LAG], *x[:SHORT_LAG]], dtype=np.int64)


def nest2_bernoulli(
    seed: int, sizes: Mapping[str, int], clusters: int, probability: Mapping[str, float]
) -> dict[str, NDArray[np.int64]]:
    """Return the synapses that NEST 2 drew for a clustered network, pair by pair.

    Every pair of neurons is connected if the next number of the target's stream is below the probability.
    Projections are connected in the order of `probability`, each source cluster with each target cluster,
    target by target, source by source. A neuron and itself are passed over without a number.

    Parameters
    ----------
    seed : int
        The authors' `randseed`.
    sizes : mapping of str to int
        Neurons of each population, in the order in which they were created: NEST counts them through from 1,
        and a neuron belongs to the thread of its number modulo `THREADS`.
    clusters : int
        Equal, contiguous groups of every population.
    probability : mapping of str to float
        Of each projection, named `"source>target"`.

    Returns
    -------
    dict of str to ndarray of int64, shape (synapses, 2)
        (source, target) of each projection, counted within populations; the arrays are shared between calls
        and cannot be written to.

    Raises
    ------
    ValueError
        When the seed is not in 0 … `MAX_NEST2_SEED`.
    """
    if not 0 <= seed <= MAX_NEST2_SEED:
        raise ValueError(f"seed: expected 0 … {MAX_NEST2_SEED}, got {seed}")
    return dict(_drawn(seed, tuple(sizes.items()), clusters, tuple(probability.items())))


@lru_cache(maxsize=2)
def _drawn(
    seed: int,
    sizes: tuple[tuple[str, int], ...],
    clusters: int,
    probability: tuple[tuple[str, float], ...],
) -> tuple[tuple[str, NDArray[np.int64]], ...]:
    """Return the pairs of `nest2_bernoulli`; a network is described several times in a run."""
    size = dict(sizes)
    first = dict(zip(size, np.cumsum([1, *size.values()]).tolist(), strict=False))
    asked = []
    for name, _ in probability:
        source, target = name.split(">")
        pairs = _pairs_in_order(size[source], size[target], clusters)
        asked.append(pairs[pairs[:, 0] != pairs[:, 1]] if source == target else pairs)
    targets = [
        first[name.split(">")[1]] + pairs[:, 1] for (name, _), pairs in zip(probability, asked, strict=True)
    ]
    thread = np.concatenate(targets) % THREADS
    limit = np.repeat([p for _, p in probability], [len(pairs) for pairs in asked])
    streams = [seed + FIRST_STREAM + number for number in range(THREADS)]
    uniform = lagged_fibonacci(streams, int(np.bincount(thread, minlength=THREADS).max()))
    connected = np.empty(len(thread), dtype=bool)
    for number, numbers in enumerate(uniform):
        mine = np.flatnonzero(thread == number)
        connected[mine] = numbers[: len(mine)] < limit[mine]
    ends = np.cumsum([len(pairs) for pairs in asked])[:-1]
    kept = [pairs[chosen] for pairs, chosen in zip(asked, np.split(connected, ends), strict=True)]
    for pairs in kept:
        pairs.flags.writeable = False
    return tuple((name, pairs) for (name, _), pairs in zip(probability, kept, strict=True))


def _pairs_in_order(n_source: int, n_target: int, clusters: int) -> NDArray[np.int64]:
    """Return all (source, target) in the order in which NEST was told to connect them, shape (pairs, 2)."""
    sources = np.arange(n_source).reshape(clusters, 1, 1, -1)
    targets = np.arange(n_target).reshape(1, clusters, -1, 1)
    shape = (clusters, clusters, n_target // clusters, n_source // clusters)
    both = [np.broadcast_to(ends, shape).ravel() for ends in (sources, targets)]
    return np.stack(both, axis=1)
