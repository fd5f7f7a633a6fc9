"""The synapses of a dense random network as bits: one row a source, one bit ("lane") a target.

A `Wiring` holds for every animal a matrix of words, and the lanes that neurons have in it. A 25,000-neuron
cortex with 192 million synapses takes 80 MB. Networks that differ in weights or neuron parameters share one.

Networks that NumPy wires have exactly the synapses of `Network.wire`. Larger ones are drawn by `drawing.py`,
on all threads: every word of targets has its own random stream for each projection and cluster of sources, so
that the result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.memory import check_memory
from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    FixedIndegree,
    Network,
    PairwiseBernoulli,
    Projection,
)
from ethospike.brains.numba.bits import pools
from ethospike.brains.numba.bits.drawing import Column, draw_bernoulli, draw_indegree, set_bits
from ethospike.brains.numba.bits.generated_rows import Drawn, write_rows
from ethospike.brains.numba.bits.pools import Generated, generated
from ethospike.brains.numba.bits.row_counts import SEGMENT, WORD
from ethospike.brains.numba.placement import placed
from ethospike.brains.simulator.synapses import Draw, DrawnSynapses
from ethospike.brains.threads import run_all
from ethospike.errors import BrainError
from ethospike.randomness import Role

CACHE_LINE_WORDS = 8
DRAWN_RULES = (PairwiseBernoulli, FixedIndegree, ClusteredIndegree, AllToAll)
"""The rules that `drawing.py` can draw; `Network.wire` draws all."""

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Block:
    """The neurons of one cluster, in lanes of their own: `first_lane` is a multiple of `WORD`."""

    population: int
    first_neuron: int
    first_lane: int
    size: int

    @property
    def words(self) -> int:
        """Words that the block's lanes fill; lanes beyond `size` are padding."""
        return -(-self.size // WORD)


class BitLayout:
    """Lanes of neurons: clusters of populations in their order, each padded to whole words.

    Attributes
    ----------
    blocks : list of Block
    first_block : ndarray of int64, shape (populations + 1,)
        First block of each population.
    lane_of_neuron : ndarray of int32, shape (neurons,)
    neuron_of_lane : ndarray of int32, shape (lanes,)
        −1 where a lane is padding.
    row_words : int
        Words in a row: an odd number of cache lines, so that rows do not compete for the same places in
        the processor's cache.
    """

    def __init__(self, network: Network) -> None:
        self.blocks: list[Block] = []
        first_block = [0]
        lane = 0
        for index, population in enumerate(network.populations):
            first_neuron = network.offset(population.name)
            for cluster in range(population.clusters):
                size = population.cluster_size
                block = Block(index, first_neuron + cluster * size, lane, size)
                self.blocks.append(block)
                lane += block.words * WORD
            first_block.append(len(self.blocks))
        self.first_block = np.array(first_block)
        self.neuron_of_lane = np.full(lane, -1, dtype=np.int32)
        for block in self.blocks:
            neurons = np.arange(block.first_neuron, block.first_neuron + block.size)
            self.neuron_of_lane[block.first_lane : block.first_lane + block.size] = neurons
        self.lane_of_neuron = np.flatnonzero(self.neuron_of_lane >= 0).astype(np.int32)
        self.row_words = (-(-(lane // WORD) // CACHE_LINE_WORDS) | 1) * CACHE_LINE_WORDS

    @property
    def lanes(self) -> int:
        """Number of lanes, padding included."""
        return len(self.neuron_of_lane)

    def segments(self) -> NDArray[np.int64]:
        """Return population, first word, last word + 1, first neuron and last neuron + 1 of each segment.

        A segment has the words of one population between two multiples of `SEGMENT`; shape (5, segments).
        """
        first_word = [block.first_lane // WORD for block in self.blocks] + [self.lanes // WORD]
        last_neuron = np.maximum.accumulate(self.neuron_of_lane)  # padding counts as the neuron before it
        rows = []
        for population, (first, end) in enumerate(pairwise(self.first_block.tolist())):
            stop = first_word[end]
            for segment in range(first_word[first] // SEGMENT, -(-stop // SEGMENT)):
                begin = max(first_word[first], segment * SEGMENT)
                last = min(stop, (segment + 1) * SEGMENT)
                neurons = self.neuron_of_lane[begin * WORD], last_neuron[last * WORD - 1] + 1
                rows.append((population, begin, last, *neurons))
        return np.array(rows, dtype=np.int64).T.copy()


@dataclass(frozen=True)
class Wiring:
    """The synapses of all animals.

    Parameters
    ----------
    layout : BitLayout
    bits : tuple of ndarray of uint64, each of shape (neurons, row_words)
        One matrix an animal: bit l of word w of row n says that neuron n projects to lane 64 w + l.
    key : object
        Everything that the wiring depends on; networks with the same key may share it.
    generated : tuple of Generated
        Seeds and thresholds of the rows of each animal where they are not stored; `bits` are empty then.
    """

    layout: BitLayout
    bits: tuple[Words, ...]
    key: object
    generated: tuple[Generated, ...] = ()

    def synapses(self, network: Network, projection: Projection, animal: int) -> tuple[Any, Any]:
        """Return source and target of each synapse, counted within populations, sorted as `Network.wire`."""
        sources, targets = network.neurons(projection.source), network.neurons(projection.target)
        lanes = self.layout.lane_of_neuron[targets]
        rows = self.stored(network).bits[animal][sources].view(np.uint8)
        source, target = np.nonzero(np.unpackbits(rows, axis=1, bitorder="little")[:, lanes])
        return source, target

    def stored(self, network: Network) -> Wiring:
        """Return the same synapses as bits that are stored: itself, unless its rows are generated."""
        if not self.generated:
            return self
        first_neuron = [network.offset(population.name) for population in network.populations]
        lanes, matrices = self.layout.neuron_of_lane, []
        for made in self.generated:
            bits = placed((network.n_neurons, self.layout.row_words), np.uint64)
            for target, first_word, end_word, first_own, end_own in self.layout.segments().T.tolist():
                for source in np.flatnonzero(made.drawn[:, target]).tolist():
                    projection = Drawn(
                        made.first[source, target],
                        made.inverted[source, target],
                        made.key[source, target],
                        first_neuron[source],
                        source == target,
                        first_own,
                        end_own,
                        first_word,
                        end_word,
                    )
                    end_source = first_neuron[source] + network.populations[source].size
                    write_rows(bits, made.pool, projection, end_source, lanes)
            matrices.append(bits)
        return Wiring(self.layout, tuple(matrices), self.key)


def refusal(network: Network) -> str | None:
    """Return why a network's synapses cannot be bits, or None."""
    for projection in network.projections:
        pairs = [(other.source, other.target) for other in network.projections]
        if pairs.count((projection.source, projection.target)) > 1:
            return f"{projection.source!r} has more than one projection to {projection.target!r}"
        if projection.rule.may_repeat_pairs:
            rule = type(projection.rule).__name__
            return f"the rule of {projection.name!r} is {rule}, which may repeat pairs; bits do not"
        if not isinstance(projection.rule, DRAWN_RULES):
            rule = type(projection.rule).__name__
            return f"the rule of {projection.name!r} is {rule}; its rules are random or all-to-all"
    return pools.refusal(network) if network.procedural else None


def wiring_key(network: Network, seed: int, animals: int) -> object:
    """Return everything that a wiring depends on."""
    populations = (network.procedural, *((p.name, p.size, p.clusters) for p in network.populations))
    projections = tuple((p.source, p.target, p.rule) for p in network.projections)
    return populations, projections, seed, animals


_shared: ContextVar[list[Wiring] | None] = ContextVar("shared_wirings", default=None)
"""The wirings that networks opened in this context may share; None: each network draws its own."""


@contextmanager
def shared_wiring(wirings: list[Wiring]) -> Iterator[None]:
    """Have networks that are opened in this context share the last wiring, kept in `wirings`, if they may.

    For sweeps: points that differ only in weights and neuron parameters then draw 192 million synapses once.
    `wirings` belongs to the caller, begins empty, and holds at most one wiring, until another one is drawn.
    """
    token = _shared.set(wirings)
    try:
        yield
    finally:
        _shared.reset(token)


def draw_wiring(
    network: Network, draw: Draw | None = None, *, seed: int, animals: int, threads: int
) -> Wiring:
    """Return the synapses of all animals; the same ones for the same seed, whatever the number of threads.

    Raises
    ------
    BrainError
        When the bits would take more memory than is free.
    """
    layout = BitLayout(network)
    bits_bytes = 0.0 if network.procedural else 8.0 * animals * network.n_neurons * layout.row_words
    check_memory("numba", animals, network.n_synapses, bits_bytes)
    key = wiring_key(network, seed, animals)
    shared = _shared.get()
    for kept in shared or ():
        if kept.key == key:
            return kept
    if shared is not None:
        shared.clear()  # before the next one is drawn: two would take twice the memory
    if network.procedural:
        none = np.empty((0, layout.row_words), dtype=np.uint64)
        made = tuple(generated(network, seed=seed, animal=animal) for animal in range(animals))
        return Wiring(layout, (none,) * animals, key, made)
    draw = draw or DrawnSynapses(network, seed).draw
    bits = tuple(
        _copy_wired(network, layout, draw, animal)
        if network.is_wired_by_numpy
        else _draw_large(network, layout, seed, animal, threads)
        for animal in range(animals)
    )
    wiring = Wiring(layout, bits, key)
    if shared is not None:
        shared.append(wiring)
    return wiring


def _copy_wired(network: Network, layout: BitLayout, draw: Draw, animal: int) -> Words:
    """Set the bits of the synapses that `Network.wire` draws."""
    bits = placed((network.n_neurons, layout.row_words), np.uint64)
    for projection in network.projections:
        synapses = draw(projection.name, animal)
        lanes = layout.lane_of_neuron[network.offset(projection.target) + synapses.target]
        set_bits(bits, network.offset(projection.source) + synapses.source, lanes)
    return bits


def _draw_large(network: Network, layout: BitLayout, seed: int, animal: int, threads: int) -> Words:
    """Draw the bits of all projections, word by word of the targets."""
    bits = placed((network.n_neurons, layout.row_words), np.uint64)
    tasks: list[Callable[[], None]] = []
    for index, projection in enumerate(network.projections):
        stream = np.random.SeedSequence(seed, spawn_key=(animal, Role.WIRING, index))
        key = stream.generate_state(1, np.uint64)[0]
        sources = network.neurons(projection.source)
        first_block, end_block = _blocks(layout, network, projection.target)
        for block in layout.blocks[first_block:end_block]:
            for word in range(block.words):
                column = Column(
                    block.first_lane // WORD + word,
                    block.first_neuron + word * WORD,
                    min(WORD, block.size - word * WORD),
                    sources.start,
                    sources.stop,
                    projection.source == projection.target,
                )
                tasks.append(_draw_task(network, projection, bits, column, key + np.uint64(column.word)))
    run_all(tasks, threads)
    return bits


def _draw_task(
    network: Network, projection: Projection, bits: Words, column: Column, key: np.uint64
) -> Callable[[], None]:
    match projection.rule:
        case PairwiseBernoulli(p):
            return partial(draw_bernoulli, bits, column, p, key)
        case AllToAll():
            return partial(draw_bernoulli, bits, column, 1.0, key)
        case FixedIndegree(k):
            return partial(draw_indegree, bits, column, 1, k, key)
        case ClusteredIndegree(k):
            clusters = network.population(projection.source).clusters
            return partial(draw_indegree, bits, column, clusters, k, key)
    raise BrainError(f"Projection {projection.name!r}: {refusal(network)}")


def _blocks(layout: BitLayout, network: Network, population: str) -> tuple[int, int]:
    index = network.populations.index(network.population(population))
    return int(layout.first_block[index]), int(layout.first_block[index + 1])
