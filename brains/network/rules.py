"""Which neurons a projection connects, and how strongly: rules as data, and the pairs that they draw.

In: sizes, clusters and a random generator. Out: pairs of neurons. No rule draws a multapse, and none but
`OneToOne` an autapse; `Explicit` takes both as they are listed.
This file knows neither populations nor simulators.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import BrainError


@dataclass(frozen=True)
class OneToOne:
    """Neuron i of the source to neuron i of the target; equal sizes. Within one population: its autapses."""


@dataclass(frozen=True)
class AllToAll:
    """Every source to every target."""


@dataclass(frozen=True)
class PairwiseBernoulli:
    """Each pair with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise BrainError(f"PairwiseBernoulli.p: expected a probability in [0, 1], got {self.p}")


@dataclass(frozen=True)
class FixedIndegree:
    """Each target has `k` distinct sources."""

    k: int

    def __post_init__(self) -> None:
        _check_whole("FixedIndegree.k", self.k)


@dataclass(frozen=True)
class RandomIndegree:
    """Each target draws its number of distinct sources uniformly from `low` … `high`, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_whole("RandomIndegree.low", self.low)
        _check_whole("RandomIndegree.high", self.high)


@dataclass(frozen=True)
class ClusteredIndegree:
    """Each target has `k` distinct sources in every cluster of the source population."""

    k: int

    def __post_init__(self) -> None:
        _check_whole("ClusteredIndegree.k", self.k)


@dataclass(frozen=True)
class Explicit:
    """The listed pairs, in every animal.

    Parameters
    ----------
    pairs : ndarray, shape (n, 2)
        (source, target), counted within their populations, in any order. Multapses and autapses are the
        caller's choice. An array of weights has the order of the pairs; `Network.wire` and
        `Simulator.weights` return synapses sorted by (source, target).
    """

    pairs: NDArray[np.int64]

    def __post_init__(self) -> None:
        pairs = np.asarray(self.pairs)
        if pairs.size and pairs.dtype.kind not in "iu":
            raise BrainError(f"Explicit.pairs: expected whole numbers, got {pairs.dtype}")


Rule = OneToOne | AllToAll | PairwiseBernoulli | FixedIndegree | RandomIndegree | ClusteredIndegree | Explicit


@dataclass(frozen=True)
class ClusteredWeight:
    """One weight inside a cluster, another one across: cluster c of the source belongs to c of the target."""

    within: float
    across: float


def _check_whole(where: str, number: object) -> None:
    if not isinstance(number, (int, np.integer)):
        raise BrainError(f"{where}: expected a whole number, got {number!r}")


def draw_pairs(
    rule: Rule, n_source: int, n_target: int, *, clusters: int, recurrent: bool, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return sources and targets of the synapses that a rule draws, counted within their populations.

    `clusters` are those of the source; `recurrent` says that source and target are one population.
    """
    match rule:
        case OneToOne():
            return np.arange(n_source), np.arange(n_source)
        case Explicit(pairs):
            listed = np.asarray(pairs, dtype=np.int64)
            return listed[:, 0], listed[:, 1]
        case AllToAll():
            chosen = np.ones((n_target, n_source), dtype=bool)
        case PairwiseBernoulli(p):
            chosen = rng.random((n_target, n_source)) < p
        case FixedIndegree(k):
            chosen = _distinct(np.full(n_target, k), n_source, 1, recurrent, rng)
        case RandomIndegree(low, high):
            chosen = _distinct(rng.integers(low, high + 1, n_target), n_source, 1, recurrent, rng)
        case ClusteredIndegree(k):
            chosen = _distinct(np.full(n_target, k), n_source, clusters, recurrent, rng)
    if recurrent:
        np.fill_diagonal(chosen, val=False)
    post, pre = np.nonzero(chosen)
    return pre, post


def _distinct(
    counts: NDArray[np.int64], n_source: int, clusters: int, recurrent: bool, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Mark for each target `counts` distinct sources in each cluster: those with the smallest random keys."""
    keys = rng.random((len(counts), n_source))
    if recurrent:
        np.fill_diagonal(keys, np.inf)
    keys = keys.reshape(len(counts), clusters, -1)
    rank = keys.argsort(axis=2).argsort(axis=2)
    return (rank < counts[:, None, None]).reshape(len(counts), n_source)
