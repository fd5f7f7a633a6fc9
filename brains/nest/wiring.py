"""How NEST is told to draw the synapses of a large network: parts, their ids, and NEST's own rules.

In: a `Network`. Out: what `nest.Connect` takes. This file knows the names of NEST's rules, but calls nothing
of NEST.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    Explicit,
    FixedIndegree,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Projection,
    RandomIndegree,
    Rule,
)
from ethospike.errors import BrainError
from ethospike.randomness import Role, random_stream

Part = tuple[NDArray[np.int64], NDArray[np.int64], Rule, float]
"""NEST's ids of sources and of targets, the rule that connects them, and their one weight."""


def ids(network: Network, population: str, animal: int = 0) -> NDArray[np.int64]:
    """Return NEST's ids of a population: neuron i of animal a has the id 1 + a · n_neurons + i."""
    neurons = network.neurons(population)
    return np.arange(neurons.start, neurons.stop) + 1 + animal * network.n_neurons


def native_rule(rule: Rule, where: str) -> dict[str, Any]:
    """Return NEST's connection rule without autapses and multapses."""
    match rule:
        case PairwiseBernoulli(p):
            return {"rule": "pairwise_bernoulli", "p": p, "allow_autapses": False}
        case FixedIndegree(k) | ClusteredIndegree(k):
            own = {"allow_autapses": False, "allow_multapses": False}
            return {"rule": "fixed_indegree", "indegree": k, **own}
        case AllToAll():
            return {"rule": "all_to_all", "allow_autapses": False}
        case OneToOne():
            return {"rule": "one_to_one"}
        case RandomIndegree() | Explicit():
            raise BrainError(
                f"{where}: NEST draws the synapses of a network of this size and has no rule "
                f"{type(rule).__name__}"
            )


def parts(network: Network, projection: Projection, seed: int) -> Iterator[Part]:
    """Yield (sources, targets, rule, weight) of the parts that NEST can connect in one go.

    Raises
    ------
    BrainError
        When there is one weight a synapse.
    """
    source, target = network.population(projection.source), network.population(projection.target)
    sources = ids(network, source.name).reshape(source.clusters, -1)
    targets = ids(network, target.name)
    rule, weight = projection.rule, projection.weight
    of_each = isinstance(rule, ClusteredIndegree)  # a rule for each cluster of the source
    if isinstance(weight, ClusteredWeight) and isinstance(rule, FixedIndegree):
        yield from _split_indegree(network, projection, seed, rule.k, weight)
    elif isinstance(weight, ClusteredWeight) and isinstance(rule, OneToOne):
        yield sources.ravel(), targets, rule, weight.within  # neuron i of both is of the same cluster
    elif isinstance(weight, ClusteredWeight):
        for c, own in enumerate(targets.reshape(target.clusters, -1)):
            yield sources[c], own, rule, weight.within
            others = np.delete(sources, c, axis=0)
            for some in others if of_each else [others.ravel()]:
                if len(some):
                    yield some, own, rule, weight.across
    elif np.ndim(weight) == 0:
        for some in sources if of_each else [sources.ravel()]:
            yield some, targets, rule, float(np.asarray(weight))
    else:
        raise BrainError(
            f"Projection {projection.name!r}: NEST draws the synapses of this network, so one weight a "
            f"synapse needs the rule Explicit"
        )


def _split_indegree(
    network: Network, projection: Projection, seed: int, k: int, weight: ClusteredWeight
) -> Iterator[Part]:
    """Yield parts as `parts` does, for k sources among all clusters that have two weights.

    Of k sources drawn without replacement, the number in the target's own cluster is hypergeometric.
    It is drawn here, and NEST draws the sources: for all targets with the same number in one go.
    """
    source, target = network.population(projection.source), network.population(projection.target)
    sources = ids(network, source.name).reshape(source.clusters, -1)
    rng = random_stream(seed, 0, Role.WIRING, network.projections.index(projection))
    n_within = source.cluster_size - (1 if source.name == target.name else 0)  # no autapses
    n_across = source.size - source.cluster_size
    for c, own in enumerate(ids(network, target.name).reshape(target.clusters, -1)):
        others = np.delete(sources, c, axis=0).ravel()
        drawn = rng.hypergeometric(n_within, n_across, k, len(own))
        for within in np.unique(drawn).tolist():
            some = own[drawn == within]
            if within:
                yield sources[c], some, FixedIndegree(within), weight.within
            if within < k:
                yield others, some, FixedIndegree(k - within), weight.across
