"""A network as data: populations, projections, inputs, and the synapses that their rules draw.

In: numbers, with NEST's names and units (mV, ms, pF, nS or pA). Out: frozen, validated dataclasses that
every simulator reads. This file knows no simulator, no body and no time step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.brains.network.plasticity import DopamineGated
from ethospike.brains.network.population import NEURON_MODELS, Distribution, Population
from ethospike.brains.network.rules import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    Explicit,
    FixedIndegree,
    OneToOne,
    PairwiseBernoulli,
    RandomIndegree,
    Rule,
    draw_pairs,
)
from ethospike.errors import BrainError, nearest
from ethospike.randomness import Role, random_stream

NUMPY_WIRING_LIMIT = 2_000_000
"""Synapses an animal up to which `Network.wire` draws them; beyond, simulators do (docs/design.md §4)."""


@dataclass(frozen=True)
class Projection:
    """Synapses from one population to another (or to itself).

    Parameters
    ----------
    name : str
        Unique in the network, by habit `"source>target"`.
    source, target : str
        Names of populations.
    rule
        Which neurons are connected.
    weight : float, ndarray, or ClusteredWeight
        pA (`iaf_psc_exp`) or nS (`iaf_cond_*`). As in NEST, the sign chooses the receptor: negative is
        inhibitory. An array holds one weight a synapse: with the rule `Explicit` in the order of its pairs,
        with any other rule in the order of `Network.wire`.
    delay_ms : float
        At least one step.
    plasticity : DopamineGated or None
        The rule that changes the weights, if any.
    """

    name: str
    source: str
    target: str
    rule: Rule
    weight: float | NDArray[np.float64] | ClusteredWeight
    delay_ms: float = 0.1
    plasticity: DopamineGated | None = None


@dataclass(frozen=True)
class SpikeInput:
    """Spike trains from outside, one a channel.

    Channel c drives the c-th of `channels` equal, contiguous parts of the neurons start … stop − 1 of the
    target. `stop=None` is the end of the population; `channels=None` is one channel a neuron. `weight` is in
    pA (`iaf_psc_exp`) or nS (`iaf_cond_*`), and its sign chooses the receptor: negative is inhibitory.
    """

    name: str
    target: str
    weight: float
    channels: int | None = None
    start: int = 0
    stop: int | None = None
    delay_ms: float = 0.1


@dataclass(frozen=True)
class CurrentInput:
    """Currents from outside in pA, constant during a window, one a channel; parts as in `SpikeInput`.

    There is no weight: `Stimulus.current_pa` flows as it is into each neuron of a channel; a positive one
    depolarizes.
    """

    name: str
    target: str
    channels: int | None = 1
    start: int = 0
    stop: int | None = None


class Synapses(NamedTuple):
    """The synapses of one projection in one animal, sorted by (source, target).

    Listed synapses between the same two neurons keep the order in which they were listed.
    `source`, `target`: int32, counted within their populations; `weight`: float64, pA or nS.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """Populations, the projections between them, and the channels into them.

    Neurons are counted through `populations` in their order, spike channels through `spike_inputs`, and
    current channels through `current_inputs`.

    Raises
    ------
    BrainError
        On a name that does not exist or exists twice, and on sizes that do not fit a rule.

    Examples
    --------
    >>> cells = Population("E", 10, "iaf_psc_exp")
    >>> net = Network([cells], [Projection("E>E", "E", "E", FixedIndegree(2), 20.0)])
    >>> len(net.wire("E>E", seed=1, animal=0).source)
    20
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    spike_inputs: tuple[SpikeInput, ...] = ()
    current_inputs: tuple[CurrentInput, ...] = ()

    def __post_init__(self) -> None:
        for name in ("populations", "projections", "spike_inputs", "current_inputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.populations:
            raise BrainError("Network: expected at least one population")
        for names in (
            [p.name for p in self.populations],
            [p.name for p in self.projections],
            [i.name for i in self.spike_inputs] + [i.name for i in self.current_inputs],
        ):
            for name in names:
                if names.count(name) > 1:
                    raise BrainError(f"Network: the name {name!r} is used {names.count(name)} times")
        for projection in self.projections:
            _check_projection(self, projection)
        for spike_input in self.spike_inputs:
            _check_input(self, spike_input)
        for current_input in self.current_inputs:
            _check_input(self, current_input)

    @cached_property
    def _populations_by_name(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    @cached_property
    def _offsets(self) -> dict[str, int]:
        starts = np.cumsum([0, *(p.size for p in self.populations)])
        return {p.name: int(start) for p, start in zip(self.populations, starts, strict=False)}

    def population(self, name: str) -> Population:
        """Return the population of that name.

        Raises
        ------
        BrainError
            When there is none.
        """
        if name not in self._populations_by_name:
            raise BrainError(f"no population {name!r}; {nearest(name, self._populations_by_name)}")
        return self._populations_by_name[name]

    def offset(self, name: str) -> int:
        """Return the index of the population's first neuron within an animal."""
        return self._offsets[self.population(name).name]

    def neurons(self, name: str) -> slice:
        """Return the population's neurons as a slice of an animal's neurons."""
        return slice(self.offset(name), self.offset(name) + self.population(name).size)

    def projection(self, name: str) -> Projection:
        """Return the projection of that name.

        Raises
        ------
        BrainError
            When there is none.
        """
        for projection in self.projections:
            if projection.name == name:
                return projection
        raise BrainError(f"no projection {name!r}; {nearest(name, [p.name for p in self.projections])}")

    def delays(self) -> list[tuple[str, float]]:
        """Return name and delay (ms) of every projection and spike input."""
        projections = [(p.name, p.delay_ms) for p in self.projections]
        return projections + [(i.name, i.delay_ms) for i in self.spike_inputs]

    @property
    def plastic_projections(self) -> tuple[Projection, ...]:
        """The projections that have a plasticity rule."""
        return tuple(p for p in self.projections if p.plasticity is not None)

    @cached_property
    def n_neurons(self) -> int:
        """Neurons in one animal."""
        return sum(p.size for p in self.populations)

    @cached_property
    def n_spike_channels(self) -> int:
        """Spike channels into one animal."""
        return sum(self.n_channels(i) for i in self.spike_inputs)

    @cached_property
    def n_current_channels(self) -> int:
        """Current channels into one animal."""
        return sum(self.n_channels(i) for i in self.current_inputs)

    def input_neurons(self, one: SpikeInput | CurrentInput) -> slice:
        """Return the neurons that an input reaches, as a slice of its target population."""
        size = self.population(one.target).size
        return slice(one.start, size if one.stop is None else one.stop)

    def n_channels(self, one: SpikeInput | CurrentInput) -> int:
        """Return the number of channels of an input."""
        reach = self.input_neurons(one)
        return reach.stop - reach.start if one.channels is None else one.channels

    def spike_channels(self, name: str) -> slice:
        """Return the channels of a spike input as a slice of all spike channels.

        Raises
        ------
        BrainError
            When there is none.
        """
        return self._channels(self.spike_inputs, name)

    def current_channels(self, name: str) -> slice:
        """Return the channels of a current input as a slice of all current channels.

        Raises
        ------
        BrainError
            When there is none.
        """
        return self._channels(self.current_inputs, name)

    def _channels(self, inputs: tuple[SpikeInput, ...] | tuple[CurrentInput, ...], name: str) -> slice:
        start = 0
        for one in inputs:
            if one.name == name:
                return slice(start, start + self.n_channels(one))
            start += self.n_channels(one)
        raise BrainError(f"no input {name!r}; {nearest(name, [i.name for i in inputs])}")

    def channel_neurons(self, one: SpikeInput | CurrentInput) -> NDArray[np.int64]:
        """Return the neurons (counted through the animal) of each channel, shape (channels, part)."""
        reach, channels = self.input_neurons(one), self.n_channels(one)
        first = self.offset(one.target)
        return np.arange(first + reach.start, first + reach.stop).reshape(channels, -1)

    def expected_synapses(self, projection: Projection) -> float:
        """Return the mean number of synapses that the rule draws in one animal."""
        n_source = self.population(projection.source).size
        n_target = self.population(projection.target).size
        pairs = n_source * n_target - (n_source if projection.source == projection.target else 0)
        match projection.rule:
            case OneToOne():
                return n_target
            case AllToAll():
                return pairs
            case PairwiseBernoulli(p):
                return p * pairs
            case FixedIndegree(k):
                return k * n_target
            case RandomIndegree(low, high):
                return (low + high) / 2 * n_target
            case ClusteredIndegree(k):
                return k * self.population(projection.source).clusters * n_target
            case Explicit(listed):
                return len(listed)

    @property
    def is_wired_by_numpy(self) -> bool:
        """Whether `wire` may be used: all simulators then have the very same synapses."""
        return sum(self.expected_synapses(p) for p in self.projections) <= NUMPY_WIRING_LIMIT

    def wire(self, name: str, seed: int, animal: int) -> Synapses:
        """Draw the synapses of a projection of one animal; the same for the same seed and animal.

        Raises
        ------
        BrainError
            When the network has more than `NUMPY_WIRING_LIMIT` synapses an animal: simulators draw those.
        """
        projection = self.projection(name)
        if not self.is_wired_by_numpy:
            raise BrainError(f"the network has over {NUMPY_WIRING_LIMIT} synapses; the simulator draws them")
        rng = random_stream(seed, animal, Role.WIRING, self.projections.index(projection))
        source, target = self.population(projection.source), self.population(projection.target)
        pre, post = draw_pairs(
            projection.rule,
            source.size,
            target.size,
            clusters=source.clusters,
            recurrent=source.name == target.name,
            rng=rng,
        )
        order = np.lexsort((post, pre))
        weight = _weights(projection, source, target, pre, post)
        if isinstance(projection.rule, Explicit) or isinstance(projection.weight, ClusteredWeight):
            weight = weight[order]  # made for the pairs as they are listed; other arrays are sorted already
        return Synapses(pre[order].astype(np.int32), post[order].astype(np.int32), weight)

    def parameter(self, population: str, key: str, seed: int, animal: int) -> NDArray[np.float64]:
        """Return a parameter's value for each neuron of a population in one animal, shape (size,)."""
        pop = self.population(population)
        if key == "V_m" and key not in pop.params:
            key = "E_L"  # each neuron's own, also where it is drawn
        value = pop.param(key)
        if not isinstance(value, Distribution):
            return np.broadcast_to(np.asarray(value, dtype=float), (pop.size,)).copy()
        keys = [*NEURON_MODELS[pop.model], "V_m"]
        channel = self.populations.index(pop) * 100 + keys.index(key)
        drawn = np.asarray(
            value.draw(random_stream(seed, animal, Role.PARAMETERS, channel), pop.size), dtype=float
        )
        Population(
            pop.name, pop.size, pop.model, {key: drawn}
        )  # the checks of a given array hold for a drawn one
        return drawn


def _check_projection(network: Network, projection: Projection) -> None:
    where = f"Projection {projection.name!r}"
    source, target = network.population(projection.source), network.population(projection.target)
    rule = projection.rule
    others = source.size - (1 if projection.source == projection.target else 0)
    if projection.delay_ms <= 0 or not np.isfinite(projection.delay_ms):
        raise BrainError(f"{where}.delay_ms: expected at least one step, got {projection.delay_ms}")
    if isinstance(rule, OneToOne) and source.size != target.size:
        raise BrainError(f"{where}: one-to-one needs equal sizes, got {source.size} and {target.size}")
    if isinstance(rule, FixedIndegree) and not 0 <= rule.k <= others:
        raise BrainError(
            f"{where}: in-degree {rule.k} is not in 0 … {others}, the number of possible sources"
        )
    if isinstance(rule, RandomIndegree) and not 0 <= rule.low <= rule.high <= others:
        raise BrainError(f"{where}: in-degrees {rule.low} … {rule.high} are not within 0 … {others}")
    if isinstance(rule, ClusteredIndegree):
        possible = source.cluster_size - (1 if projection.source == projection.target else 0)
        if not 0 <= rule.k <= possible:
            raise BrainError(f"{where}: in-degree {rule.k} a cluster is not in 0 … {possible}")
    if isinstance(rule, Explicit):
        pairs = np.asarray(rule.pairs)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise BrainError(f"{where}: expected pairs of shape (n, 2), got {pairs.shape}")
        if len(pairs) and ((pairs < 0).any() or (pairs >= [source.size, target.size]).any()):
            raise BrainError(f"{where}: pairs must lie in 0 … {source.size - 1} and 0 … {target.size - 1}")
        if not isinstance(projection.weight, ClusteredWeight) and np.shape(projection.weight) not in (
            (),
            (len(pairs),),
        ):
            raise BrainError(
                f"{where}.weight: expected one weight or {len(pairs)}, one for each pair, got an array of "
                f"shape {np.shape(projection.weight)}"
            )
    if isinstance(projection.weight, ClusteredWeight):
        if source.clusters != target.clusters:
            raise BrainError(
                f"{where}: clustered weights need equal numbers of clusters in source and target"
            )
        numbers = np.asarray([projection.weight.within, projection.weight.across])
    else:
        numbers = np.asarray(projection.weight, dtype=float)
    if not np.isfinite(numbers).all():
        raise BrainError(f"{where}.weight: expected finite numbers, got {projection.weight!r}")
    if projection.plasticity is not None:
        network.population(projection.plasticity.modulator)
        if (numbers < 0).any():
            raise BrainError(
                f"{where}: a plastic projection needs weights of at least 0, got {projection.weight!r}"
            )


def _check_input(network: Network, one: SpikeInput | CurrentInput) -> None:
    where = f"{type(one).__name__} {one.name!r}"
    reach, size = network.input_neurons(one), network.population(one.target).size
    if not 0 <= reach.start < reach.stop <= size:
        raise BrainError(f"{where}: neurons {reach.start} … {reach.stop - 1} are not within 0 … {size - 1}")
    channels = network.n_channels(one)
    if channels < 1 or (reach.stop - reach.start) % channels:
        raise BrainError(f"{where}: {reach.stop - reach.start} neurons do not form {channels} equal parts")
    if isinstance(one, SpikeInput) and not (np.isfinite(one.weight) and one.delay_ms > 0):
        raise BrainError(
            f"{where}: expected a finite weight and a positive delay, got {one.weight}, {one.delay_ms}"
        )


def _weights(
    projection: Projection, source: Population, target: Population, pre: ArrayLike, post: ArrayLike
) -> NDArray[np.float64]:
    pre, post = np.asarray(pre), np.asarray(post)
    weight = projection.weight
    if isinstance(weight, ClusteredWeight):
        same = pre // source.cluster_size == post // target.cluster_size
        return np.where(same, weight.within, weight.across)
    given = np.asarray(weight, dtype=float)
    if given.shape not in ((), pre.shape):
        raise BrainError(
            f"Projection {projection.name!r}.weight: {given.shape} weights for {pre.size} synapses"
        )
    return np.broadcast_to(given, pre.shape).copy()
