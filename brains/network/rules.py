"""Wiring rules: each class checks itself against two populations, and counts and draws its pairs of neurons.

Drawing takes time and memory linear in the number of synapses. A rule makes no autapse, except for `OneToOne`
within a population and for the pairs of an `Explicit` list. It makes no multapse (several synapses from one
neuron to another), except where its field `multapses` is True and where a list repeats a pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.sampling import PIECE, distinct
from ethospike.errors import BrainError

Pairs = tuple[NDArray[Any], NDArray[Any]]
"""Sources and targets of synapses, counted within their populations, in any order."""


@dataclass(frozen=True)
class Ends:
    """The two populations that a rule connects, as numbers.

    Parameters
    ----------
    n_source, n_target : int
        Neurons.
    source_clusters : int
        Equal clusters of the source.
    recurrent : bool
        Source and target are the same population.
    """

    n_source: int
    n_target: int
    source_clusters: int = 1
    recurrent: bool = False

    @property
    def n_pairs(self) -> int:
        """Pairs of different neurons."""
        return self.n_source * self.n_target - (self.n_source if self.recurrent else 0)

    @property
    def cluster_size(self) -> int:
        """Neurons in a cluster of the source."""
        return self.n_source // self.source_clusters


class Rule(ABC):
    """A wiring rule."""

    is_list: ClassVar[bool] = False
    """The pairs are listed rather than drawn: no simulator may draw them anew."""

    @property
    def may_repeat_pairs(self) -> bool:
        """True where two synapses may have the same source and target."""
        return bool(getattr(self, "multapses", False))

    def check(self, where: str, ends: Ends) -> None:
        """Raise `BrainError` (which begins with `where`) if the rule does not fit the populations."""

    @abstractmethod
    def expected(self, ends: Ends) -> float:
        """Return the mean number of synapses."""

    def fixed_number(self, ends: Ends) -> int | None:
        """Return the number of synapses where it is always the same, or None."""
        return None

    @abstractmethod
    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return the pairs of one animal."""


class _FixedNumber(Rule):
    """A rule that always makes the same number of synapses."""

    def expected(self, ends: Ends) -> float:
        return float(self._number(ends))

    def fixed_number(self, ends: Ends) -> int:
        return self._number(ends)

    @abstractmethod
    def _number(self, ends: Ends) -> int: ...


@dataclass(frozen=True)
class OneToOne(_FixedNumber):
    """Neuron i of the source to neuron i of the target; equal sizes. Within one population: its autapses."""

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless the sizes are equal."""
        if ends.n_source != ends.n_target:
            raise BrainError(
                f"{where}: one-to-one needs equal sizes, got {ends.n_source} and {ends.n_target}"
            )

    def _number(self, ends: Ends) -> int:
        return ends.n_target

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return (0, 0), (1, 1), …"""
        return np.arange(ends.n_source), np.arange(ends.n_source)


@dataclass(frozen=True)
class AllToAll(_FixedNumber):
    """Every source to every target."""

    def _number(self, ends: Ends) -> int:
        return ends.n_pairs

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return all pairs of different neurons."""
        return _pairs_by_number(np.arange(ends.n_pairs), ends)


@dataclass(frozen=True)
class PairwiseBernoulli(Rule):
    """Each pair with probability `p`."""

    p: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise BrainError(f"PairwiseBernoulli.p: expected a probability in [0, 1], got {self.p}")

    def expected(self, ends: Ends) -> float:
        """Return p for each pair of different neurons."""
        return self.p * ends.n_pairs

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return the pairs that were drawn.

        The numbers of pairs left out between two chosen ones are geometric (Batagelj & Brandes 2005, Phys
        Rev E 71:036113), so that the pairs left out cost nothing.
        """
        if self.p == 0.0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        pieces, last = [], -1
        while last < ends.n_pairs:
            mean = self.p * (ends.n_pairs - 1 - last)
            size = int(min(mean + 4 * np.sqrt(mean) + 16, PIECE))  # rarely too few, and then there is more
            gaps = np.minimum(rng.geometric(self.p, size), ends.n_pairs + 1)
            numbers = last + np.cumsum(gaps)
            pieces.append(numbers[numbers < ends.n_pairs])
            last = int(numbers[-1])
        return _pairs_by_number(np.concatenate(pieces), ends)


@dataclass(frozen=True)
class FixedIndegree(_FixedNumber):
    """Each target has `k` sources, distinct ones unless there are `multapses`."""

    k: int
    multapses: bool = False

    def __post_init__(self) -> None:
        _check_whole("FixedIndegree.k", self.k)

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless there are enough sources."""
        others = _others(ends.n_source, ends)
        if self.k < 0 or (self.k > others and not (self.multapses and others)):
            raise BrainError(
                f"{where}: in-degree {self.k} is not in 0 … {others}, the number of possible sources"
            )

    def _number(self, ends: Ends) -> int:
        return self.k * ends.n_target

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return `k` pairs for each target."""
        target, source = _partners(self.k, ends.n_target, ends.n_source, self.multapses, ends, rng)
        return source, target


@dataclass(frozen=True)
class FixedOutdegree(_FixedNumber):
    """Each source has `k` targets, distinct ones unless there are `multapses`."""

    k: int
    multapses: bool = False

    def __post_init__(self) -> None:
        _check_whole("FixedOutdegree.k", self.k)

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless there are enough targets."""
        others = _others(ends.n_target, ends)
        if self.k < 0 or (self.k > others and not (self.multapses and others)):
            raise BrainError(
                f"{where}: out-degree {self.k} is not in 0 … {others}, the number of possible targets"
            )

    def _number(self, ends: Ends) -> int:
        return self.k * ends.n_source

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return `k` pairs for each source."""
        return _partners(self.k, ends.n_source, ends.n_target, self.multapses, ends, rng)


@dataclass(frozen=True)
class FixedTotalNumber(_FixedNumber):
    """`n` synapses among all pairs, distinct ones unless there are `multapses`.

    NEST's rule `fixed_total_number` is the one with multapses.
    """

    n: int
    multapses: bool = False

    def __post_init__(self) -> None:
        _check_whole("FixedTotalNumber.n", self.n)

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless there are enough pairs."""
        if self.n < 0 or (self.n > ends.n_pairs and not (self.multapses and ends.n_pairs)):
            raise BrainError(
                f"{where}: {self.n} synapses are not in 0 … {ends.n_pairs}, the number of pairs of neurons"
            )

    def _number(self, ends: Ends) -> int:
        return self.n

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return `n` pairs."""
        if self.multapses:
            return _pairs_by_number(rng.integers(0, ends.n_pairs, self.n), ends)
        _, numbers = distinct(np.array([self.n]), np.array([ends.n_pairs]), rng)
        return _pairs_by_number(numbers, ends)


@dataclass(frozen=True)
class RandomIndegree(Rule):
    """Each target draws its number of distinct sources uniformly from `low` … `high`, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_whole("RandomIndegree.low", self.low)
        _check_whole("RandomIndegree.high", self.high)

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless there are enough sources."""
        others = _others(ends.n_source, ends)
        if not 0 <= self.low <= self.high <= others:
            raise BrainError(f"{where}: in-degrees {self.low} … {self.high} are not within 0 … {others}")

    def expected(self, ends: Ends) -> float:
        """Return the mean in-degree for each target."""
        return (self.low + self.high) / 2 * ends.n_target

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return the pairs, after the number of each target."""
        return self.pairs(rng.integers(self.low, self.high + 1, ends.n_target), ends, rng)

    @staticmethod
    def pairs(counts: NDArray[np.int64], ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return pairs with these numbers of distinct sources for each target."""
        sizes = np.full(ends.n_target, _others(ends.n_source, ends))
        target, source = distinct(counts, sizes, rng)
        return (_skip(source, target) if ends.recurrent else source), target


@dataclass(frozen=True)
class ClusteredIndegree(_FixedNumber):
    """Each target has `k` distinct sources in every cluster of the source population."""

    k: int

    def __post_init__(self) -> None:
        _check_whole("ClusteredIndegree.k", self.k)

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless each cluster has enough sources."""
        others = _others(ends.cluster_size, ends)
        if not 0 <= self.k <= others:
            raise BrainError(f"{where}: in-degree {self.k} a cluster is not in 0 … {others}")

    def _number(self, ends: Ends) -> int:
        return self.k * ends.source_clusters * ends.n_target

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return `k` pairs for each target and cluster."""
        n_rows = ends.n_target * ends.source_clusters
        target, cluster = np.divmod(np.arange(n_rows), ends.source_clusters)
        has_itself = ends.recurrent & (target // ends.cluster_size == cluster)
        row, place = distinct(np.full(n_rows, self.k), ends.cluster_size - has_itself, rng)
        place += has_itself[row] & (place >= target[row] % ends.cluster_size)
        return cluster[row] * ends.cluster_size + place, target[row]


@dataclass(frozen=True)
class Explicit(_FixedNumber):
    """The listed pairs, in every animal.

    Parameters
    ----------
    pairs : ndarray of int, shape (n, 2)
        (source, target), counted within their populations, in any order. Multapses and autapses are the
        caller's choice. Arrays of weights and delays have the order of the list; `Network.wire` and
        `Simulator.weights` return synapses sorted by (source, target).
    """

    pairs: NDArray[np.int64]
    is_list: ClassVar[bool] = True

    def __post_init__(self) -> None:
        pairs = np.asarray(self.pairs)
        if pairs.size and pairs.dtype.kind not in "iu":
            raise BrainError(f"Explicit.pairs: expected whole numbers, got {pairs.dtype}")

    @property
    def may_repeat_pairs(self) -> bool:
        """True where two synapses may have the same source and target."""
        return True

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless all pairs lie within the populations."""
        pairs = np.asarray(self.pairs)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise BrainError(f"{where}: expected pairs of shape (n, 2), got {pairs.shape}")
        if len(pairs) and ((pairs < 0).any() or (pairs >= [ends.n_source, ends.n_target]).any()):
            raise BrainError(
                f"{where}: pairs must lie in 0 … {ends.n_source - 1} and 0 … {ends.n_target - 1}"
            )

    def _number(self, ends: Ends) -> int:
        return len(self.pairs)

    def draw(self, ends: Ends, rng: np.random.Generator) -> Pairs:
        """Return the pairs in the order of the list."""
        listed = np.asarray(self.pairs)
        if listed.dtype.kind != "i":  # unsigned and signed numbers make floats
            listed = listed.astype(np.int64)
        return listed[:, 0], listed[:, 1]


@dataclass(frozen=True)
class ClusteredWeight:
    """One weight inside a cluster, another one across: cluster c of the source belongs to c of the target."""

    within: float
    across: float


def _check_whole(where: str, number: object) -> None:
    if not isinstance(number, (int, np.integer)):
        raise BrainError(f"{where}: expected a whole number, got {number!r}")


# -- pairs ------------------------------------------------------------------------------------------


def _others(size: int, ends: Ends) -> int:
    """Return the partners that a neuron can have among `size` neurons."""
    return size - (1 if ends.recurrent else 0)


def _skip(partner: NDArray[np.int64], neuron: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return places among the other neurons as numbers of neurons: the neuron itself is left out."""
    return partner + (partner >= neuron)


def _pairs_by_number(number: NDArray[np.int64], ends: Ends) -> Pairs:
    """Return the pairs of different neurons with these numbers of 0 … n_pairs − 1."""
    target, source = np.divmod(number, _others(ends.n_source, ends))
    return (_skip(source, target) if ends.recurrent else source), target


def _partners(
    k: int, n_neurons: int, n_partners: int, multapses: bool, ends: Ends, rng: np.random.Generator
) -> Pairs:
    """Return for each of the neurons itself, k times, and its k partners."""
    others = _others(n_partners, ends)
    if multapses:
        neuron = np.repeat(np.arange(n_neurons), k)
        partner = rng.integers(0, max(others, 1), len(neuron))
    else:
        neuron, partner = distinct(np.full(n_neurons, k), np.full(n_neurons, others), rng)
    return neuron, (_skip(partner, neuron) if ends.recurrent else partner)
