"""Random graphs with the statistics of a connectome, where its edges cannot be shipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.network import DataSource
from ethospike.errors import BrainError

_Ints = NDArray[np.int64]


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
    key = np.empty(0, dtype=np.int64)
    while (missing := s.edges - len(key)) > 0:
        drawn = round(1.15 * missing) + 16  # pairs of neurons of high degree are drawn more than once
        key = np.union1d(
            key, _pairs(np.exp(s.out_spread * out_log), np.exp(s.in_spread * in_log), drawn, rng)
        )
    key = np.delete(key, rng.permutation(len(key))[: len(key) - s.edges])
    pre, post = np.divmod(key, s.neurons)
    more = np.exp(rng.normal(s.synapses_log_mean, s.synapses_log_spread, len(key)))
    synapses = 1 + np.minimum(more, 10_000).astype(np.int32)
    signs = np.ones(s.neurons, dtype=np.int8)
    signs[rng.permutation(s.neurons)[: round(s.inhibitory * s.neurons)]] = -1
    source = DataSource(
        name, f"seed {seed}", "no data", "no publication; statistics: see the constants", steps=(repr(s),)
    )
    return Connectome({"id": np.arange(s.neurons).astype(str)}, pre, post, synapses, source), signs


def _pairs(
    out_weight: NDArray[np.float64], in_weight: NDArray[np.float64], number: int, rng: np.random.Generator
) -> _Ints:
    """Return about `number` different pairs of different neurons as pre · neurons + post, sorted."""
    neurons = len(out_weight)
    pre = np.repeat(np.arange(neurons), rng.multinomial(number, out_weight / out_weight.sum()))
    total = np.cumsum(in_weight)
    post = np.searchsorted(total, rng.random(number) * total[-1]).clip(max=neurons - 1)
    return np.unique((pre * np.int64(neurons) + post)[pre != post])


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
