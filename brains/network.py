"""A network as data: populations, projections, inputs, and the synapses that their rules draw.

In: numbers, with NEST's names and units (mV, ms, pF, nS or pA). Out: frozen, validated dataclasses that
every simulator reads. This file knows no simulator, no body and no time step.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.brains.plasticity import DopamineGated

NUMPY_WIRING_LIMIT = 2_000_000
"""Synapses an animal up to which `Network.wire` draws them; beyond, the simulator does (design: §4)."""

ROLE_WIRING = 1
"""Role in `random_stream` of the synapses of a projection; the channel is the projection's index."""
ROLE_PARAMETERS = 2
"""Role in `random_stream` of drawn parameters; the channel counts populations × parameters."""
ROLE_INPUT = 3
"""Role in `random_stream` of input spike trains; the channel is the input channel."""

NEURON_MODELS: dict[str, dict[str, float]] = {
    # NEST 3.10's defaults (`nest.GetDefaults`); q_rr of iaf_cond_exp_sfa_rr is always 0 here.
    "iaf_psc_exp": {
        "C_m": 250.0,
        "tau_m": 10.0,
        "E_L": -70.0,
        "V_th": -55.0,
        "V_reset": -70.0,
        "t_ref": 2.0,
        "tau_syn_ex": 2.0,
        "tau_syn_in": 2.0,
        "I_e": 0.0,
    },
    "iaf_cond_exp": {
        "C_m": 250.0,
        "g_L": 16.6667,
        "E_L": -70.0,
        "V_th": -55.0,
        "V_reset": -60.0,
        "t_ref": 2.0,
        "tau_syn_ex": 0.2,
        "tau_syn_in": 2.0,
        "E_ex": 0.0,
        "E_in": -85.0,
        "I_e": 0.0,
    },
    "iaf_cond_exp_sfa_rr": {
        "C_m": 289.5,
        "g_L": 28.95,
        "E_L": -70.0,
        "V_th": -57.0,
        "V_reset": -70.0,
        "t_ref": 0.5,
        "tau_syn_ex": 1.5,
        "tau_syn_in": 10.0,
        "E_ex": 0.0,
        "E_in": -75.0,
        "tau_sfa": 110.0,
        "E_sfa": -70.0,
        "q_sfa": 14.48,
        "I_e": 0.0,
    },
}
"""Parameters of each neuron model with NEST's names, units (pF, nS, mV, ms, pA) and default values.

Every model also has `V_m`, the membrane potential at time 0 in mV, which defaults to `E_L`.
"""

_MUST_BE_POSITIVE = {"C_m", "tau_m", "g_L", "tau_syn_ex", "tau_syn_in", "tau_sfa"}


class BrainError(ValueError):
    """A description, a stimulus or a setting that no simulator could run; the message says what fits."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` or the list of valid names, for the end of an error message."""
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid)}"


def random_stream(seed: int, animal: int, role: int, channel: int = 0) -> np.random.Generator:
    """Return the generator of one animal for one purpose.

    Streams are keyed by what they are for, so that animal 7 of 25 is animal 7 of 100 and adding a
    population changes no other one's draws.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(animal, role, channel)))


class Distribution(Protocol):
    """A parameter that is drawn for every neuron of every animal."""

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values in the parameter's unit."""


@dataclass(frozen=True)
class Uniform:
    """Uniform values in [low, high)."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values."""
        return rng.uniform(self.low, self.high, size)


Parameter = float | NDArray[np.float64] | Distribution


@dataclass(frozen=True)
class Population:
    """Neurons of one model.

    Parameters
    ----------
    name : str
        Unique in the network.
    size : int
        Number of neurons in one animal.
    model : str
        A key of `NEURON_MODELS`.
    params : mapping
        Deviations from the model's defaults: a number, an array of shape (size,), or a `Distribution`
        that is drawn for each animal.
    clusters : int
        Number of equal, contiguous groups that the neurons form; rules, weights and counts refer to them.

    Examples
    --------
    >>> Population("KC", 72, "iaf_cond_exp_sfa_rr", {"C_m": 30.0, "g_L": 0.5}).param("C_m")
    30.0
    """

    name: str
    size: int
    model: str
    params: Mapping[str, Parameter] = field(default_factory=dict)
    clusters: int = 1

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        if self.model not in NEURON_MODELS:
            raise BrainError(f"{where}.model: unknown {self.model!r}; {nearest(self.model, NEURON_MODELS)}")
        if self.size < 1:
            raise BrainError(f"{where}.size: expected at least 1 neuron, got {self.size}")
        if self.clusters < 1 or self.size % self.clusters:
            raise BrainError(
                f"{where}.clusters: {self.size} neurons do not form {self.clusters} equal clusters"
            )
        valid = {*NEURON_MODELS[self.model], "V_m"}
        for key, value in self.params.items():
            if key not in valid:
                raise BrainError(f"{where}.params: {self.model} has no {key!r}; {nearest(key, valid)}")
            if hasattr(value, "draw"):
                continue
            numbers = np.asarray(value, dtype=float)
            if numbers.shape not in ((), (self.size,)):
                raise BrainError(f"{where}.{key}: expected shape () or ({self.size},), got {numbers.shape}")
            if not np.isfinite(numbers).all():
                raise BrainError(f"{where}.{key}: expected finite numbers, got {value!r}")
            if key in _MUST_BE_POSITIVE and (numbers <= 0).any():
                raise BrainError(f"{where}.{key}: expected values above 0, got {value!r}")
            if key == "t_ref" and (numbers < 0).any():
                raise BrainError(f"{where}.t_ref: expected values of at least 0 ms, got {value!r}")

    def param(self, key: str) -> Parameter:
        """Return the value of a parameter as given, or the model's default."""
        if key in self.params:
            return self.params[key]
        return self.param("E_L") if key == "V_m" else NEURON_MODELS[self.model][key]

    @property
    def cluster_size(self) -> int:
        """Neurons in one cluster."""
        return self.size // self.clusters


# ---------------------------------------------------------------------------------------------------
# Rules: which neurons a projection connects. No rule draws an autapse or a multapse.


@dataclass(frozen=True)
class OneToOne:
    """Neuron i of the source to neuron i of the target; equal sizes."""


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


@dataclass(frozen=True)
class RandomIndegree:
    """Each target draws its number of distinct sources uniformly from `low` … `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True)
class ClusteredIndegree:
    """Each target has `k` distinct sources in every cluster of the source population."""

    k: int


@dataclass(frozen=True)
class Explicit:
    """The listed pairs, in every animal.

    Parameters
    ----------
    pairs : ndarray, shape (n, 2)
        (source, target), counted within their populations. Multapses and autapses are the caller's choice.
    """

    pairs: NDArray[np.int64]


Rule = OneToOne | AllToAll | PairwiseBernoulli | FixedIndegree | RandomIndegree | ClusteredIndegree | Explicit


@dataclass(frozen=True)
class ClusteredWeight:
    """One weight inside a cluster, another one across: cluster c of the source belongs to c of the target."""

    within: float
    across: float


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
        inhibitory. An array holds one weight a synapse, in the order of `Network.wire`.
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
    target. `stop=None` is the end of the population; `channels=None` is one channel a neuron.
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
    """Currents from outside in pA, constant during a window, one a channel; parts as in `SpikeInput`."""

    name: str
    target: str
    channels: int | None = 1
    start: int = 0
    stop: int | None = None


class Synapses(NamedTuple):
    """The synapses of one projection in one animal, sorted by (source, target).

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
        """Return the population of that name."""
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
        """Return the projection of that name."""
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
        """Return the channels of a spike input as a slice of all spike channels."""
        return self._channels(self.spike_inputs, name)

    def current_channels(self, name: str) -> slice:
        """Return the channels of a current input as a slice of all current channels."""
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
        rng = random_stream(seed, animal, ROLE_WIRING, self.projections.index(projection))
        source, target = self.population(projection.source), self.population(projection.target)
        pre, post = _draw_pairs(projection.rule, source, target, rng)
        order = np.lexsort((post, pre))
        pre, post = pre[order], post[order]
        return Synapses(
            pre.astype(np.int32), post.astype(np.int32), _weights(projection, source, target, pre, post)
        )

    def parameter(self, population: str, key: str, seed: int, animal: int) -> NDArray[np.float64]:
        """Return a parameter's value for each neuron of a population in one animal, shape (size,)."""
        pop = self.population(population)
        value = pop.param(key)
        if isinstance(value, (int, float, np.ndarray)):
            return np.broadcast_to(np.asarray(value, dtype=float), (pop.size,)).copy()
        keys = [*NEURON_MODELS[pop.model], "V_m"]
        channel = self.populations.index(pop) * 100 + keys.index(key)
        drawn = np.asarray(
            value.draw(random_stream(seed, animal, ROLE_PARAMETERS, channel), pop.size), dtype=float
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


def _draw_pairs(
    rule: Rule, source: Population, target: Population, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n_source, n_target, recurrent = source.size, target.size, source.name == target.name
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
            chosen = _distinct(np.full(n_target, k), n_source, source.clusters, recurrent, rng)
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
