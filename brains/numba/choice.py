"""The choice of an engine for a network, with its reasons."""

from __future__ import annotations

from dataclasses import dataclass

from ethospike.brains.network import DopamineGated, Network
from ethospike.brains.numba.engine import Engine
from ethospike.errors import BrainError

LARGE_SYNAPSES = 1_000_000
"""Synapses an animal from which the engines for large networks are preferred. Measured on one core at 3 to
5 Hz, lists against bits in µs a step: 1,500 neurons with 0.7 million synapses 1.1 and 1.6; 1,800 with 1.0
million 1.5 and 1.6; 2,500 with 2.0 million 2.4 and 2.2. Lists against rows at 35 Hz, 5,000 neurons, in
seconds of processor time a second: 100,000 synapses 0.10 and 0.20; 1.0 million 0.35 and 0.23; 4.0 million
0.88 and 0.41."""
LARGE_NEURONS = 20_000
"""Neurons from which rows are preferred to lists, however few synapses there are: lists have one thread for
an animal."""
LEAST_DENSITY = 0.01
"""Share of pairs that are connected from which bits are preferred to rows. A bit for each pair and eight
bytes for each synapse take the same memory at 1.6 %, and the same time a spike at about 0.4 %."""


@dataclass(frozen=True)
class Choice:
    """An engine, and the reasons for and against each.

    Parameters
    ----------
    engine : str
        "lists", "bits" or "rows".
    because : str
    instead : dict of str to str
        The reason against each of the other engines.
    """

    engine: str
    because: str
    instead: dict[str, str]


def choose(network: Network) -> Choice:
    """Return the engine that runs a network fastest, with the reasons.

    Raises
    ------
    BrainError
        When the network is procedural, and the engine of bits cannot run it.
    """
    synapses, neurons = network.n_synapses, network.n_neurons
    size = f"{neurons:,} neurons with {synapses:,.0f} synapses an animal"
    if network.procedural:
        from ethospike.brains.numba.bits.engine import refusal

        if reason := refusal(network):
            raise BrainError(f"numba: this network cannot be procedural: {reason}")
        because = "the network is procedural, and bits can be made when a neuron fires"
        return Choice("bits", because, {name: "it stores synapses" for name in ("lists", "rows")})
    if synapses < LARGE_SYNAPSES and neurons < LARGE_NEURONS:
        return Choice(
            "lists",
            f"{size} are a small network; animals are shared among the threads",
            {name: "it is made for large networks" for name in ("bits", "rows")},
        )
    models = [population.neuron_model for population in network.populations]
    stepped = [model.name for model in models if model.kernel is None and model.rows_kernel is None]
    if stepped:
        return Choice(
            "lists",
            f"{stepped[0]} has no vectorized kernel, and lists alone run such models",
            dict.fromkeys(("bits", "rows"), f"it lacks {stepped[0]}"),
        )
    rules = [p.plasticity.name for p in network.plastic_projections if p.plasticity is not None]
    if others := [name for name in rules if name != DopamineGated.name]:
        return Choice(
            "lists",
            f"lists alone run {others[0]}",
            dict.fromkeys(("bits", "rows"), f"it lacks {others[0]}"),
        )
    from ethospike.brains.numba.bits.engine import refusal  # most networks do not need its compiled code

    against_lists = (
        f"it is made for fewer than {LARGE_SYNAPSES:,} synapses and {LARGE_NEURONS:,} neurons an animal"
    )
    density = synapses / max(1, sum(_pairs(network)))
    against_bits = refusal(network)
    if against_bits is None and density < LEAST_DENSITY:
        against_bits = (
            f"{density:.2%} of the pairs are connected, and it is preferred from {LEAST_DENSITY:.0%}"
        )
    if against_bits is None:
        because = f"{size} connect {density:.0%} of the pairs at random, with few different weights"
        return Choice("bits", because, {"lists": against_lists, "rows": "bits take less time and memory"})
    because = f"{size} are a large network, and rows run any"
    return Choice("rows", because, {"lists": against_lists, "bits": against_bits})


def _pairs(network: Network) -> list[int]:
    """Return the pairs of neurons of each two populations that are connected."""
    connected = {(p.source, p.target) for p in network.projections}
    return [network.population(a).size * network.population(b).size for a, b in connected]


def engine_class(name: str) -> type[Engine]:
    """Return the class of an engine; its compiled code is loaded on demand."""
    if name == "lists":
        from ethospike.brains.numba.lists.engine import ListsEngine

        return ListsEngine
    if name == "bits":
        from ethospike.brains.numba.bits.engine import BitsEngine

        return BitsEngine
    from ethospike.brains.numba.rows.engine import RowsEngine

    return RowsEngine
