"""Projections between populations, inputs from outside, and the synapses of one animal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.distributions import Distribution
from ethospike.brains.network.plasticity import PlasticityRule
from ethospike.brains.network.population import Population
from ethospike.brains.network.rules import ClusteredWeight, Ends, Pairs, PairwiseBernoulli, Rule
from ethospike.brains.network.shuffling import Shuffle, exchanged_targets
from ethospike.errors import BrainError

_Floats = NDArray[np.float64]

Delay = float | _Floats | Distribution
Weight = float | _Floats | Distribution | ClusteredWeight


class Synapses(NamedTuple):
    """The synapses of one projection in one animal, sorted by (source, target).

    Synapses between the same two neurons keep the order in which they were listed. Arrays of equal numbers
    may be read-only views of one number.

    Attributes
    ----------
    source, target : ndarray of int32, shape (synapses,)
        Counted within their populations.
    weight : ndarray of float64, shape (synapses,)
        pA or nS.
    delay_ms : ndarray of float64, shape (synapses,)
        As described or drawn; `steps_of_delay` makes whole steps of it.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: _Floats
    delay_ms: _Floats


def check_receptor(where: str, receptor: int | str | None, target: Population) -> None:
    """Raise `BrainError` where a receptor is named and the target's model has none to choose from."""
    model = target.neuron_model
    if receptor is not None and not model.takes_receptor:
        raise BrainError(
            f"{where}.receptor: the sign of a weight chooses the receptor of {model.name}; got {receptor!r}"
        )


def steps_of_delay(delay_ms: _Floats, dt_ms: float) -> NDArray[np.int64]:
    """Return delays in whole steps, at least one.

    Delays that are given must be whole steps (`Simulator` refuses others); drawn ones are rounded here.
    """
    if len(delay_ms) and delay_ms.strides == (0,):
        steps = max(1, round(float(delay_ms[0]) / dt_ms))
        return np.broadcast_to(np.int64(steps), delay_ms.shape)
    return np.maximum(1, np.rint(delay_ms / dt_ms)).astype(np.int64)


@dataclass(frozen=True)
class Projection:
    """Synapses from one population to another (or to itself).

    Weights and delays are one number, an array of one number a synapse, or a `Distribution` that is drawn
    for each synapse of each animal. An array belongs to the pairs of the rule `Explicit` in their order; with
    any other rule it has the order of `Network.wire`.

    Parameters
    ----------
    name : str
        Unique in the network, by habit `"source>target"`. Two populations may have several projections.
    source, target : str
        Names of populations.
    rule : Rule
        The neurons that are connected.
    weight : float, ndarray, Distribution or ClusteredWeight
        In the unit of the target's model (`NeuronModel.weight_unit`): pA, nS or mV. As in NEST, the sign
        chooses the receptor: negative is inhibitory.
    delay_ms : float, ndarray or Distribution
        At least one step. Numbers and arrays must be whole steps; drawn delays are rounded to whole steps,
        and those below one step become one step.
    plasticity : PlasticityRule or None
        The rule that changes the weights, if any. Its bounds say which signs weights may have.
    receptor : int, str or None
        Port or name of the target's receptor, where the model has several (`NestModel`).
    shuffle : Shuffle or None
        The drawn or listed synapses exchange their targets; every simulator then gets the listed result.
    """

    name: str
    source: str
    target: str
    rule: Rule
    weight: Weight
    delay_ms: Delay = 0.1
    plasticity: PlasticityRule | None = None
    receptor: int | str | None = None
    shuffle: Shuffle | None = None

    def ends(self, source: Population, target: Population) -> Ends:
        """Return the numbers that the rule needs of the two populations."""
        return Ends(source.size, target.size, source.clusters, source.name == target.name)

    def check(self, source: Population, target: Population) -> None:
        """Raise `BrainError` if rule, weight and delay do not fit each other or the populations."""
        where = f"Projection {self.name!r}"
        check_receptor(where, self.receptor, target)
        if not isinstance(self.rule, Rule):
            raise BrainError(f"{where}.rule: expected a rule such as FixedIndegree(10), got {self.rule!r}")
        ends = self.ends(source, target)
        self.rule.check(where, ends)
        number = self.rule.fixed_number(ends)
        self._check_weight(where, source, target, number)
        if not isinstance(self.delay_ms, Distribution):
            delays = _numbers(f"{where}.delay_ms", self.delay_ms, number, self.rule.is_list)
            if not (np.isfinite(delays) & (delays > 0)).all():
                raise BrainError(f"{where}.delay_ms: expected at least one step, got {_some_of(delays)}")

    def check_procedural(self) -> None:
        """Raise `BrainError` unless the synapses can be made when a neuron fires."""
        where = f"Projection {self.name!r} of a procedural network"
        if self.shuffle is not None:
            raise BrainError(
                f"{where}: expected no shuffle: the synapses are not listed; use procedural=False"
            )
        if not isinstance(self.rule, PairwiseBernoulli):
            raise BrainError(
                f"{where}: expected the rule PairwiseBernoulli, got {type(self.rule).__name__}; use "
                f"procedural=False"
            )
        if self.plasticity is not None:
            raise BrainError(f"{where}: expected no plasticity: the synapses have no weights of their own")
        for name in ("weight", "delay_ms"):
            value = getattr(self, name)
            if isinstance(value, Distribution) or (not isinstance(value, ClusteredWeight) and np.ndim(value)):
                raise BrainError(f"{where}.{name}: expected one number for all synapses, got one for each")

    def _check_weight(self, where: str, source: Population, target: Population, number: int | None) -> None:
        if isinstance(self.weight, ClusteredWeight):
            if source.clusters != target.clusters:
                raise BrainError(
                    f"{where}: clustered weights need equal numbers of clusters in source and target"
                )
            within, across = (
                _numbers(f"{where}.weight.{name}", getattr(self.weight, name), 0, is_list=False, scalar=True)
                for name in ("within", "across")
            )
            weights = np.array([within, across])
        elif isinstance(self.weight, Distribution):
            weights = np.zeros(0)
        else:
            weights = _numbers(f"{where}.weight", self.weight, number, self.rule.is_list)
        if not np.isfinite(weights).all():
            raise BrainError(f"{where}.weight: expected finite numbers, got {_some_of(weights)}")
        if self.plasticity is None:
            return
        if not isinstance(self.plasticity, PlasticityRule):
            raise BrainError(
                f"{where}.plasticity: expected a rule such as PairSTDP() or DopamineGated('DAN'), got "
                f"{self.plasticity!r}"
            )
        self.plasticity.check(where, target, weights)

    def synapses(
        self,
        source: Population,
        target: Population,
        pair_rng: np.random.Generator,
        weight_rng: np.random.Generator,
        delay_rng: np.random.Generator,
    ) -> Synapses:
        """Draw the synapses of one animal.

        Pairs, weights and delays have streams of their own: a change of a distribution leaves the pairs.

        Raises
        ------
        BrainError
            When an array has another length than there are synapses, or a drawn number is not possible.
        """
        drawn = self.rule.draw(self.ends(source, target), pair_rng)
        order, pre, post = _sorted_pairs(*drawn, target.size, keep_order=self.rule.is_list)
        where = f"Projection {self.name!r}"
        if isinstance(self.weight, ClusteredWeight):
            same = pre // source.cluster_size == post // target.cluster_size
            weight = np.where(same, self.weight.within, self.weight.across)
        else:
            weight = _values(f"{where}.weight", self.weight, order, len(pre), weight_rng)
        if self.plasticity is not None:
            self.plasticity.check(f"{where} (as drawn)", target, weight)
        delay = _values(f"{where}.delay_ms", self.delay_ms, order, len(pre), delay_rng)
        if isinstance(self.delay_ms, Distribution) and (delay <= 0).any():
            raise BrainError(
                f"{where}.delay_ms: expected delays above 0 ms, drew {delay.min():.3g}; give the "
                f"distribution a lower bound, as in Normal(1.5, 0.75, low=0.1)"
            )
        return Synapses(pre, post, weight, delay)

    def shuffled(self, synapses: Synapses, rng: np.random.Generator) -> Synapses:
        """Return synapses with exchanged targets, sorted again; weights and delays go with their synapse."""
        target = exchanged_targets(
            synapses.source,
            synapses.target,
            recurrent=self.source == self.target,
            may_repeat=self.rule.may_repeat_pairs or _has_repeats(synapses),
            rng=rng,
        )
        order = np.lexsort((target, synapses.source))
        weight, delay = (values if values.strides == (0,) else values[order] for values in synapses[2:])
        return Synapses(synapses.source[order], target[order].astype(np.int32), weight, delay)


def _has_repeats(synapses: Synapses) -> bool:
    """Return whether two synapses, which are sorted, have the same source and target."""
    same = (synapses.source[1:] == synapses.source[:-1]) & (synapses.target[1:] == synapses.target[:-1])
    return bool(same.any())


def _sorted_pairs(
    pre: NDArray[Any], post: NDArray[Any], n_target: int, *, keep_order: bool
) -> tuple[NDArray[np.int64] | None, NDArray[np.int32], NDArray[np.int32]]:
    """Return the pairs by (source, target), and the order of listed ones (None where nothing was listed)."""
    key = pre * np.int64(n_target)
    key += post
    if keep_order:
        order = np.argsort(key, kind="stable")
        return order, pre[order].astype(np.int32), post[order].astype(np.int32)
    key.sort()
    source = (key // n_target).astype(np.int32)
    key -= source * np.int64(n_target)
    return None, source, key.astype(np.int32)


def _values(
    where: str,
    given: float | _Floats | Distribution,
    order: NDArray[np.int64] | None,
    size: int,
    rng: np.random.Generator,
) -> _Floats:
    """Return one number a synapse, in the order of the sorted pairs."""
    if isinstance(given, Distribution):
        drawn = np.asarray(given.draw(rng, size), dtype=float)
        if drawn.shape != (size,) or not np.isfinite(drawn).all():
            raise BrainError(f"{where}: {given!r} must draw {size} finite numbers")
        return drawn
    numbers = np.asarray(given, dtype=float)
    if numbers.shape == ():
        return np.broadcast_to(numbers, (size,))
    if numbers.shape != (size,):
        raise BrainError(f"{where}: {numbers.shape} numbers for {size} synapses")
    return numbers.copy() if order is None else numbers[order]


def _numbers(
    where: str, given: object, number: int | None, is_list: bool, *, scalar: bool = False
) -> _Floats:
    """Return given numbers as an array, or raise `BrainError` if there are as many as no rule makes."""
    allowed = "a number" if scalar else "a number, an array or a distribution"
    if isinstance(given, Distribution):
        raise BrainError(f"{where}: expected {allowed}, got {given!r}")
    try:
        numbers = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise BrainError(f"{where}: expected {allowed}, got {given!r}") from None
    if numbers.shape == ():
        return numbers
    each = "one for each pair" if is_list else "one for each synapse"
    if scalar or numbers.ndim != 1 or number not in (None, len(numbers)):
        wanted = "one number" if scalar else f"one number or {number}, {each}"
        raise BrainError(f"{where}: expected {wanted}, got an array of shape {numbers.shape}")
    return numbers


def _some_of(numbers: _Floats) -> list[float] | float:
    """Return a few of the numbers that are wrong or lowest, for messages."""
    if numbers.shape == ():
        return float(numbers)
    wrong = np.unique(numbers[~np.isfinite(numbers)])
    few: list[float] = (wrong if len(wrong) else np.unique(numbers))[:5].tolist()
    return few


SHORTEST = float("nan")
"""Delay of an input that has none of its own: the network's shortest."""


@dataclass(frozen=True)
class SpikeInput:
    """Spike trains from outside, one a channel.

    Channel c drives the c-th of `channels` equal, contiguous parts of the neurons start … stop − 1 of the
    target. `stop=None` is the end of the population; `channels=None` is one channel a neuron. `weight` has
    the unit of the target's model, and its sign chooses the receptor: negative is inhibitory; `receptor` is
    for models that have several, as in `Projection`.

    Without a `delay_ms`, a network gives its inputs the shortest delay of its projections (0.1 ms if it has
    none, or if delays are drawn). A shorter one costs NEST time: it exchanges spikes as often as the shortest
    delay of all connections has passed, inputs included.
    """

    name: str
    target: str
    weight: float
    channels: int | None = None
    start: int = 0
    stop: int | None = None
    delay_ms: float = SHORTEST
    receptor: int | str | None = None


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


def check_input(where: str, given: SpikeInput | CurrentInput, reach: slice, channels: int, size: int) -> None:
    """Raise `BrainError` if an input does not fit its target.

    Parameters
    ----------
    where : str
        Begins the message.
    given : SpikeInput or CurrentInput
    reach : slice
        Neurons of the target that it reaches.
    channels : int
    size : int
        Neurons of the target.
    """
    if not 0 <= reach.start < reach.stop <= size:
        raise BrainError(f"{where}: neurons {reach.start} … {reach.stop - 1} are not within 0 … {size - 1}")
    if channels < 1 or (reach.stop - reach.start) % channels:
        raise BrainError(f"{where}: {reach.stop - reach.start} neurons do not form {channels} equal parts")
    if isinstance(given, SpikeInput):
        for name in ("weight", "delay_ms"):
            _numbers(f"{where}.{name}", getattr(given, name), None, is_list=False, scalar=True)
        if not (np.isfinite(given.weight) and given.delay_ms > 0):
            raise BrainError(
                f"{where}: expected a finite weight and a positive delay, got {given.weight}, "
                f"{given.delay_ms}"
            )


__all__ = [
    "CurrentInput",
    "Delay",
    "Pairs",
    "Projection",
    "SpikeInput",
    "Synapses",
    "Weight",
    "check_input",
    "steps_of_delay",
]
