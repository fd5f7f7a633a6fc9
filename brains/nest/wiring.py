"""NEST's own rules and distributions for networks too large to be listed: parts, their ids, and native names.

Only `native_value` calls NEST, which it is handed.
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
    Distribution,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Projection,
    RandomIndegree,
    Rule,
    Uniform,
)
from ethospike.errors import BrainError
from ethospike.randomness import Role, random_stream

Part = tuple[NDArray[np.int64], NDArray[np.int64], Rule, float | Distribution]
"""NEST's ids of sources and of targets, the rule that connects them, and their weight."""


def ids(network: Network, population: str, animal: int = 0) -> NDArray[np.int64]:
    """Return NEST's ids of a population: neuron i of animal a has the id 1 + a · n_neurons + i."""
    neurons = network.neurons(population)
    return np.arange(neurons.start, neurons.stop) + 1 + animal * network.n_neurons


def native_rule(rule: Rule, where: str) -> dict[str, Any]:
    """Return NEST's connection rule, without autapses.

    Raises
    ------
    BrainError
        When NEST has no such rule.
    """
    multapses = {"allow_autapses": False, "allow_multapses": rule.may_repeat_pairs}
    match rule:
        case PairwiseBernoulli(p):
            return {"rule": "pairwise_bernoulli", "p": p, "allow_autapses": False}
        case FixedIndegree(k) | ClusteredIndegree(k):
            return {"rule": "fixed_indegree", "indegree": k, **multapses}
        case FixedOutdegree(k):
            return {"rule": "fixed_outdegree", "outdegree": k, **multapses}
        case FixedTotalNumber(n, multapses=True):
            return {"rule": "fixed_total_number", "N": n, **multapses}
        case AllToAll():
            return {"rule": "all_to_all", "allow_autapses": False}
        case OneToOne():
            return {"rule": "one_to_one"}
    raise BrainError(
        f"{where}: NEST draws the synapses of a network of this size and has no rule {rule}"
        + ("; it has the one with multapses=True" if isinstance(rule, FixedTotalNumber) else "")
    )


def native_value(drawn: Distribution, where: str, nest: Any) -> Any:
    """Return NEST's parameter object that draws from a distribution.

    Raises
    ------
    BrainError
        When NEST has no such distribution.
    """
    match drawn:
        case Uniform(low, high):
            return nest.random.uniform(low, high)
        case Normal(mean, sd, low, high):
            normal = nest.random.normal(mean, sd)
            return nest.math.redraw(normal, max(low, -_HUGE), min(high, _HUGE))
        case LogNormal(mean, sd):
            variance = np.log1p((sd / mean) ** 2)
            values = nest.random.lognormal(np.log(abs(mean)) - variance / 2, np.sqrt(variance))
            return values if mean > 0 else -1.0 * values
    raise BrainError(
        f"{where}: NEST draws the synapses of a network of this size and has no {drawn!r}; it has Uniform, "
        f"Normal and LogNormal"
    )


_HUGE = 1e300
"""Bound of an unbounded distribution: NEST takes no infinity."""


def parts(network: Network, projection: Projection, seed: int, animal: int) -> Iterator[Part]:
    """Yield (sources, targets, rule, weight) of the parts that NEST can connect in one go.

    Raises
    ------
    BrainError
        When there is one weight a synapse, or two weights and a rule that has no parts of one weight.
    """
    source, target = network.population(projection.source), network.population(projection.target)
    sources = ids(network, source.name, animal).reshape(source.clusters, -1)
    targets = ids(network, target.name, animal)
    rule, weight = projection.rule, projection.weight
    where = f"Projection {projection.name!r}"
    if isinstance(weight, ClusteredWeight):
        yield from _clustered_parts(network, projection, seed, animal, weight)
        return
    if not isinstance(weight, Distribution) and np.ndim(weight):
        raise BrainError(
            f"{where}: NEST draws the synapses of this network, so one weight a synapse needs the rule "
            f"Explicit"
        )
    one_weight = weight if isinstance(weight, Distribution) else float(np.asarray(weight))
    if isinstance(rule, RandomIndegree):
        rng = random_stream(seed, animal, Role.WIRING, network.projections.index(projection))
        drawn = rng.integers(rule.low, rule.high + 1, target.size)
        for k in np.unique(drawn[drawn > 0]).tolist():
            yield sources.ravel(), targets[drawn == k], FixedIndegree(k), one_weight
        return
    for some in sources if isinstance(rule, ClusteredIndegree) else [sources.ravel()]:
        yield some, targets, rule, one_weight


def _clustered_parts(
    network: Network, projection: Projection, seed: int, animal: int, weight: ClusteredWeight
) -> Iterator[Part]:
    """Yield parts as `parts` does, for two weights within and across clusters."""
    source, target = network.population(projection.source), network.population(projection.target)
    sources = ids(network, source.name, animal).reshape(source.clusters, -1)
    targets = ids(network, target.name, animal)
    rule = projection.rule
    match rule:
        case FixedIndegree(k, multapses=False):
            yield from _split_indegree(network, projection, seed, animal, k, weight)
        case OneToOne():  # neuron i of both is of the same cluster
            yield sources.ravel(), targets, rule, weight.within
        case PairwiseBernoulli() | AllToAll() | ClusteredIndegree():
            for c, members in enumerate(targets.reshape(target.clusters, -1)):
                yield sources[c], members, rule, weight.within
                others = np.delete(sources, c, axis=0)
                for some in others if isinstance(rule, ClusteredIndegree) else [others.ravel()]:
                    if len(some):
                        yield some, members, rule, weight.across
        case _:
            raise BrainError(
                f"Projection {projection.name!r}: NEST draws the synapses of this network and has no {rule} "
                f"with different weights within and across clusters"
            )


def _split_indegree(
    network: Network, projection: Projection, seed: int, animal: int, k: int, weight: ClusteredWeight
) -> Iterator[Part]:
    """Yield parts as `parts` does, for k sources among all clusters that have two weights.

    Of k sources drawn without replacement, the number in the target's own cluster is hypergeometric.
    It is drawn here, and NEST draws the sources: for all targets with the same number in one go.
    """
    source, target = network.population(projection.source), network.population(projection.target)
    sources = ids(network, source.name, animal).reshape(source.clusters, -1)
    rng = random_stream(seed, animal, Role.WIRING, network.projections.index(projection))
    n_within = source.cluster_size - (1 if source.name == target.name else 0)  # no autapses
    n_across = source.size - source.cluster_size
    for c, members in enumerate(ids(network, target.name, animal).reshape(target.clusters, -1)):
        others = np.delete(sources, c, axis=0).ravel()
        drawn = rng.hypergeometric(n_within, n_across, k, len(members))
        for within in np.unique(drawn).tolist():
            some = members[drawn == within]
            if within:
                yield sources[c], some, FixedIndegree(within), weight.within
            if within < k:
                yield others, some, FixedIndegree(k - within), weight.across
