"""Random graphs with the statistics of a connectome, where its edges cannot be shipped."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.network import DataSource
from ethospike.errors import BrainError

AT_ONCE = 2**20
"""Edges that are drawn at once: the whole graph at once takes several times its memory."""
SURPLUS, MORE = 1.02, 1.3
"""Edges that are drawn for each one wanted, and the factor by which they grow where too few differ."""

_Ints = NDArray[np.int64]
_Rows = NDArray[np.int32]


@dataclass(frozen=True)
class GraphStatistics:
    """Sizes and distributions of a graph.

    Degrees are log-normal; the number of synapses of an edge is 1 plus a log-normal number, rounded down.

    Parameters
    ----------
    neurons, edges : int
    out_spread, in_spread : float
        Standard deviation of the logarithm of the numbers of edges from and to a neuron.
    correlation : float
        Of both logarithms.
    synapses_log_mean, synapses_log_spread : float
        Mean and standard deviation of the logarithm of the synapses beyond the first.
    inhibitory : float
        Share of inhibitory neurons.
    """

    neurons: int
    edges: int
    out_spread: float
    in_spread: float
    correlation: float
    synapses_log_mean: float
    synapses_log_spread: float
    inhibitory: float

    def __post_init__(self) -> None:
        if self.neurons < 2 or not 0 < self.edges <= self.neurons * (self.neurons - 1) / 4:
            raise BrainError(
                f"GraphStatistics: expected at least 2 neurons and up to a quarter of their pairs as edges, "
                f"got {self.neurons} and {self.edges}"
            )
        if not (0 <= self.inhibitory <= 1 and -1 <= self.correlation <= 1):
            raise BrainError(
                f"GraphStatistics: expected a share of inhibitory neurons in 0 … 1 and a correlation in "
                f"−1 … 1, got {self.inhibitory} and {self.correlation}"
            )

    def scaled(self, neurons: int) -> GraphStatistics:
        """Return the statistics of a smaller graph with as many edges a neuron."""
        edges = round(self.edges * neurons / self.neurons)
        return GraphStatistics(**{**vars(self), "neurons": neurons, "edges": edges})


def synthetic_connectome(
    statistics: GraphStatistics, seed: int, name: str = "synthetic graph"
) -> tuple[Connectome, NDArray[np.int8]]:
    """Draw a graph without autapses and repeated edges, sorted by pre and post, and the signs of its neurons.

    Each edge goes from a neuron to another one with probabilities in the proportion of their drawn degrees,
    so that nothing but degrees, synapse counts and signs is that of a brain: neither types, nor neuropils,
    nor loops.

    Parameters
    ----------
    statistics : GraphStatistics
    seed : int
    name : str
        The word "synthetic" belongs into it.
    """
    s, rng = statistics, np.random.default_rng([seed, 21])
    mixing = np.array([[1.0, 0.0], [s.correlation, np.sqrt(1 - s.correlation**2)]])
    out_log, in_log = mixing @ rng.standard_normal((2, s.neurons))
    pre, post = _edges(s.edges, np.exp(s.out_spread * out_log), np.exp(s.in_spread * in_log), rng)
    synapses = np.empty(s.edges, dtype=np.int32)
    for begin in range(0, s.edges, AT_ONCE):
        more = np.exp(
            rng.normal(s.synapses_log_mean, s.synapses_log_spread, len(pre[begin : begin + AT_ONCE]))
        )
        synapses[begin : begin + AT_ONCE] = 1 + np.minimum(more, 10_000)
    signs = np.ones(s.neurons, dtype=np.int8)
    signs[rng.permutation(s.neurons)[: round(s.inhibitory * s.neurons)]] = -1
    source = DataSource(
        name, f"seed {seed}", "no data", "no publication; statistics: see the constants", steps=(repr(s),)
    )
    return Connectome({"id": np.arange(s.neurons).astype(str)}, pre, post, synapses, source), signs


def _edges(
    number: int, out_weight: NDArray[np.float64], in_weight: NDArray[np.float64], rng: np.random.Generator
) -> tuple[_Rows, _Rows]:
    """Return different pairs of different neurons, sorted by (pre, post).

    More are drawn than wanted, because some are drawn repeatedly; a random part of the surplus is left out.
    """
    total = np.cumsum(in_weight)
    drawn = SURPLUS * number
    while True:
        count = rng.multinomial(round(drawn), out_weight / out_weight.sum())
        pieces = [_pairs(chunk, count, total, rng) for chunk in _chunks(count)]
        pre, post = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
        if len(pre) >= number:
            break
        drawn *= MORE
    kept = np.ones(len(pre), dtype=bool)
    kept[rng.choice(len(pre), len(pre) - number, replace=False, shuffle=False)] = False
    return pre[kept], post[kept]


def _chunks(count: _Ints) -> list[slice]:
    """Return stretches of neurons with about `AT_ONCE` edges each."""
    bounds = np.searchsorted(np.cumsum(count), np.arange(AT_ONCE, count.sum(), AT_ONCE)) + 1
    bounds = np.unique(np.concatenate([[0], bounds, [len(count)]]))
    return [slice(begin, end) for begin, end in itertools.pairwise(bounds.tolist())]


def _pairs(
    chunk: slice, count: _Ints, total: NDArray[np.float64], rng: np.random.Generator
) -> tuple[_Rows, _Rows]:
    """Return different pairs that begin at a stretch of neurons, sorted, about `count` for each.

    The second neuron is drawn with a probability in the proportion of the steps of `total`.
    """
    neurons = len(count)
    pre = np.repeat(np.arange(chunk.start, chunk.stop), count[chunk])
    post = np.searchsorted(total, rng.random(len(pre)) * total[-1]).clip(max=neurons - 1)
    key = (pre * np.int64(neurons) + post)[pre != post]
    key.sort()
    pre, post = np.divmod(key[np.diff(key, prepend=-1) > 0], neurons)
    return pre.astype(np.int32), post.astype(np.int32)


FLY = GraphStatistics(
    neurons=138_639,
    edges=15_091_983,
    out_spread=1.0,
    in_spread=1.0,
    correlation=0.7,
    synapses_log_mean=0.27,
    synapses_log_spread=1.3,
    inhibitory=0.4,
)
"""Graph of the size of FlyWire 783 as Shiu et al. 2024 use it: neurons of their file `Completeness_783.csv`,
15.1 million edges, 54.5 million synapses (Dorkenwald et al. 2024, Nature
634:124), 40 % inhibitory neurons (Eckstein et al. 2024, Cell 187:2574). The spreads are chosen here, for
degrees that reach from some ten to some thousand."""
