"""A network as data: populations, projections, inputs, and the synapses that their rules draw.

Numbers have NEST's names and units (mV, ms, pF, nS or pA).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.distributions import Distribution
from ethospike.brains.network.nest_export import write_script
from ethospike.brains.network.plasticity import Modulator, PlasticSynapses, SynapseReference
from ethospike.brains.network.population import Population
from ethospike.brains.network.projection import (
    SHORTEST,
    CurrentInput,
    Delay,
    Projection,
    SpikeInput,
    Synapses,
    check_input,
    check_receptor,
    steps_of_delay,
)
from ethospike.brains.network.shown import as_html, as_line, as_text
from ethospike.brains.network.sources import DataSource
from ethospike.errors import BrainError, nearest
from ethospike.randomness import Role, random_stream

NUMPY_WIRING_LIMIT = 50_000_000
"""Drawn synapses an animal up to which all simulators use those of `Network.wire`; beyond, each draws its own
(docs/design.md §4). The number is a choice: such a list takes 0.4 GB, 1.2 GB with drawn weights and delays,
and twice as much while it is drawn. Listed pairs are never drawn, whatever their number."""


PROJECTIONS = 2**20
"""More projections than a network has: channels of shuffles count on from one seed to the next by it."""
DEFAULT_DELAY_MS = 0.1
"""Delay of projections, and of inputs into networks without known delays: NEST's usual step."""


@dataclass(frozen=True)
class Network:
    """Populations, the projections between them, and the channels into them.

    Neurons are counted through `populations` in their order, spike channels through `spike_inputs`, and
    current channels through `current_inputs`.

    Parameters
    ----------
    populations, projections, spike_inputs, current_inputs : tuple
    procedural : bool
        The synapses of a spike are made when it fires, from a random generator that always makes the same
        ones, instead of being stored: memory grows with the number of neurons alone. For `PairwiseBernoulli`
        and weights that no synapse has for itself, on simulators that can do so; the others refuse.
    sources : tuple of DataSource
        Data from elsewhere that the network is made of; `run.json` lists them.

    Raises
    ------
    BrainError
        On a name that does not exist or exists twice, and on sizes that do not fit a rule.

    Examples
    --------
    >>> from ethospike.brains.network import FixedIndegree
    >>> cells = Population("E", 10, "iaf_psc_exp")
    >>> net = Network([cells], [Projection("E>E", "E", "E", FixedIndegree(2), 20.0)])
    >>> len(net.wire("E>E", seed=1, animal=0).source)
    20
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    spike_inputs: tuple[SpikeInput, ...] = ()
    current_inputs: tuple[CurrentInput, ...] = ()
    procedural: bool = False
    sources: tuple[DataSource, ...] = ()

    def __post_init__(self) -> None:
        for name in ("populations", "projections", "spike_inputs", "current_inputs", "sources"):
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
            projection.check(self.population(projection.source), self.population(projection.target))
            if projection.plasticity is not None and projection.plasticity.modulator_population is not None:
                self.population(projection.plasticity.modulator_population)
            if self.procedural:
                projection.check_procedural()
        self._check_modulation()
        self._check_shuffles()
        shortest = self._shortest_delay_ms()
        object.__setattr__(
            self,
            "spike_inputs",
            tuple(replace(i, delay_ms=shortest) if i.delay_ms is SHORTEST else i for i in self.spike_inputs),
        )
        inputs: list[SpikeInput | CurrentInput] = [*self.spike_inputs, *self.current_inputs]
        for given in inputs:
            check_input(
                f"{type(given).__name__} {given.name!r}",
                given,
                self.input_neurons(given),
                self.n_channels(given),
                self.population(given.target).size,
            )
            if isinstance(given, SpikeInput):
                where = f"SpikeInput {given.name!r}"
                check_receptor(where, given.receptor, self.population(given.target))

    def __repr__(self) -> str:
        return as_line(self)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _check_shuffles(self) -> None:
        """Raise `BrainError` where synapses are to be shuffled that the simulator draws."""
        for projection in self.projections:
            if projection.shuffle is not None and not self.has_known_synapses(projection):
                raise BrainError(
                    f"Projection {projection.name!r}: expected listed synapses, which can be shuffled; the "
                    f"network has over {NUMPY_WIRING_LIMIT:,} drawn synapses, and the simulator draws them"
                )

    def _shortest_delay_ms(self) -> float:
        """Return the shortest delay of the projections, or 0.1 ms if there are none or one is drawn."""
        delays = [p.delay_ms for p in self.projections]
        known = [np.min(d, initial=np.inf) for d in delays if not isinstance(d, Distribution)]
        if not delays or len(known) < len(delays):
            return DEFAULT_DELAY_MS
        shortest = float(min(known))
        return shortest if np.isfinite(shortest) else DEFAULT_DELAY_MS

    @cached_property
    def _populations_by_name(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {projection.name: place for place, projection in enumerate(self.projections)}

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

    def labels(self) -> dict[str, tuple[str, ...]]:
        """Return the label of each neuron of an animal by kind (`Population.labels`); empty without one."""
        kinds = dict.fromkeys(kind for p in self.populations for kind in p.labels)
        return {
            kind: tuple(
                str(value)
                for p in self.populations
                for value in (p.labels[kind] if kind in p.labels else [""] * p.size)
            )
            for kind in kinds
        }

    def labelled(self, **label: str) -> NDArray[np.int64]:
        """Return the neurons (counted through an animal) that have all these labels.

        Raises
        ------
        BrainError
            When there is no such kind of label, or no neuron has such a value; the message names the nearest.
        """
        labels = self.labels()
        chosen = np.ones(self.n_neurons, dtype=bool)
        for kind, value in label.items():
            if kind not in labels:
                raise BrainError(f"there are no labels {kind!r}; {nearest(kind, labels)}")
            if value not in labels[kind]:
                raise BrainError(
                    f"no neuron has the {kind} {value!r}; {nearest(value, {*labels[kind]} - {''})}"
                )
            chosen &= np.array(labels[kind]) == value
        return np.flatnonzero(chosen)

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

    def delays(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield the name and the different delays (ms) of projections and spike inputs, unless drawn."""
        delays: list[tuple[str, Delay]] = [(p.name, p.delay_ms) for p in self.projections]
        for name, delay_ms in delays + [(i.name, i.delay_ms) for i in self.spike_inputs]:
            if not isinstance(delay_ms, Distribution):
                yield name, np.unique(np.asarray(delay_ms, dtype=np.float64))

    @property
    def plastic_projections(self) -> tuple[Projection, ...]:
        """The projections that have a plasticity rule."""
        return tuple(p for p in self.projections if p.plasticity is not None)

    def without_plasticity(self, *projections: str) -> Network:
        """Return the network with these projections as fixed ones, or all if none is named.

        Raises
        ------
        BrainError
            When there is no such projection.
        """
        for name in projections:
            self.projection(name)
        frozen = [
            replace(p, plasticity=None) if not projections or p.name in projections else p
            for p in self.projections
        ]
        return replace(self, projections=tuple(frozen))

    @cached_property
    def modulation_channels(self) -> dict[str, int]:
        """The channels of `Stimulus.modulation` that rules read, and their values an animal.

        Gates have one value for each cluster of the target population; all others have one.
        """
        channels: dict[str, int] = {}
        for projection in self.plastic_projections:
            if (rule := projection.plasticity) is None:
                continue
            channels |= dict.fromkeys(rule.channels, 1)
            if rule.gate is not None:
                channels[rule.gate] = self.population(projection.target).clusters
        return channels

    @cached_property
    def modulators(self) -> tuple[Modulator, ...]:
        """The different modulators on a grid or with a filter; those that are equal are one."""
        rules = (p.plasticity for p in self.plastic_projections)
        modulators = (r.modulator for r in rules if r is not None and not isinstance(r.modulator, str))
        return tuple(dict.fromkeys(m for m in modulators if m is not None))

    def _check_modulation(self) -> None:
        """Raise `BrainError` where two rules give one channel different meanings."""
        gates = {
            (p.plasticity.gate, self.population(p.target).clusters)
            for p in self.plastic_projections
            if p.plasticity is not None and p.plasticity.gate is not None
        }
        names = [name for name, _ in gates]
        names += {name for p in self.plastic_projections if p.plasticity for name in p.plasticity.channels}
        for name in names:
            if names.count(name) > 1:
                raise BrainError(
                    f"Network: the modulation channel {name!r} is a gate of populations with different "
                    f"clusters, or a gate and a modulator at once; give them different names"
                )

    def reference(self, name: str, seed: int, animal: int, dt_ms: float) -> SynapseReference:
        """Return the reference implementation of a plastic projection's rule in one animal.

        Raises
        ------
        BrainError
            When the projection is not plastic, or where `wire` raises it.
        """
        return self.reference_of(name, self.wire(name, seed, animal), dt_ms)

    def reference_of(self, name: str, wired: Synapses, dt_ms: float) -> SynapseReference:
        """Return the reference implementation of a projection's rule for synapses that have been drawn."""
        projection = self.projection(name)
        if projection.plasticity is None:
            raise BrainError(f"Projection {name!r} has no plasticity")
        heard, target = projection.plasticity.modulator_population, self.population(projection.target)
        synapses = PlasticSynapses(
            wired.source,
            wired.target,
            wired.weight,
            steps_of_delay(wired.delay_ms, dt_ms),
            n_source=self.population(projection.source).size,
            n_target=target.size,
            n_modulator=0 if heard is None else self.population(heard).size,
            target_clusters=target.clusters,
        )
        return projection.plasticity.reference(synapses, dt_ms)

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

    def input_neurons(self, given: SpikeInput | CurrentInput) -> slice:
        """Return the neurons that an input reaches, as a slice of its target population."""
        size = self.population(given.target).size
        return slice(given.start, size if given.stop is None else given.stop)

    def n_channels(self, given: SpikeInput | CurrentInput) -> int:
        """Return the number of channels of an input."""
        reach = self.input_neurons(given)
        return reach.stop - reach.start if given.channels is None else given.channels

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
        for given in inputs:
            if given.name == name:
                return slice(start, start + self.n_channels(given))
            start += self.n_channels(given)
        raise BrainError(f"no input {name!r}; {nearest(name, [i.name for i in inputs])}")

    def channel_neurons(self, given: SpikeInput | CurrentInput) -> NDArray[np.int64]:
        """Return the neurons (counted through the animal) of each channel, shape (channels, part)."""
        reach, channels = self.input_neurons(given), self.n_channels(given)
        first = self.offset(given.target)
        return np.arange(first + reach.start, first + reach.stop).reshape(channels, -1)

    def expected_synapses(self, projection: Projection) -> float:
        """Return the mean number of synapses that the rule draws in one animal."""
        ends = projection.ends(self.population(projection.source), self.population(projection.target))
        return projection.rule.expected(ends)

    @cached_property
    def n_synapses(self) -> float:
        """Mean number of synapses in one animal."""
        return sum(self.expected_synapses(p) for p in self.projections)

    @property
    def is_wired_by_numpy(self) -> bool:
        """True where all simulators have the very same synapses, those of `wire`."""
        drawn = (self.expected_synapses(p) for p in self.projections if not p.rule.is_list)
        return not self.procedural and sum(drawn) <= NUMPY_WIRING_LIMIT

    def has_known_synapses(self, projection: Projection) -> bool:
        """Return whether all simulators have the synapses of `wire` in this projection."""
        return projection.rule.is_list or self.is_wired_by_numpy

    def wire(self, name: str, seed: int, animal: int) -> Synapses:
        """Draw the synapses of a projection of one animal; the same for the same seed and animal.

        Raises
        ------
        BrainError
            When the network has more than `NUMPY_WIRING_LIMIT` drawn synapses an animal, as then each
            simulator draws its own; also when a drawn weight or delay is not possible.
        """
        self.require_known_synapses(name)
        return self.draw(name, seed, animal)

    def require_known_synapses(self, name: str) -> None:
        """Raise `BrainError` unless all simulators have the synapses of `wire` in a projection."""
        if not self.has_known_synapses(self.projection(name)):
            reason = (
                "they are procedural"
                if self.procedural
                else f"the network has over {NUMPY_WIRING_LIMIT:,} drawn synapses"
            )
            raise BrainError(f"the synapses of {name!r}: {reason}, and the simulator draws them")

    def draw(self, name: str, seed: int, animal: int) -> Synapses:
        """Draw the synapses of a projection as `wire` does, however many there are: for simulators."""
        projection = self.projection(name)
        channel = self._places[name]
        pairs, weights, delays = (
            random_stream(seed, animal, role, channel) for role in (Role.WIRING, Role.WEIGHTS, Role.DELAYS)
        )
        source, target = self.population(projection.source), self.population(projection.target)
        synapses = projection.synapses(source, target, pairs, weights, delays)
        if projection.shuffle is None:
            return synapses
        shuffle_channel = channel + projection.shuffle.seed * PROJECTIONS
        return projection.shuffled(synapses, random_stream(seed, animal, Role.SHUFFLE, shuffle_channel))

    def to_nest(self, path: str | Path, *, seed: int, animal: int = 0, dt_ms: float = 0.1) -> Path:
        """Write the network of one animal as a PyNEST script that needs no ethospike.

        Numbers that differ between neurons or synapses are in a file of the same name that ends in .npz. The
        script makes the network that `open_simulator` makes on NEST, with the same node ids, and gives the
        same spikes for the same input.

        Parameters
        ----------
        path : str or Path
            Of the script, ending in .py.
        seed, animal : int
            Of wiring and drawn parameters.
        dt_ms : float

        Returns
        -------
        Path
            Of the script.

        Raises
        ------
        BrainError
            When NEST lacks a neuron model, a projection is plastic, or the simulator draws the synapses
            (`wire`).
        """
        return write_script(self, path, seed=seed, animal=animal, dt_ms=dt_ms)

    def parameter(self, population: str, key: str, seed: int, animal: int) -> NDArray[np.float64]:
        """Return a parameter's value for each neuron of a population in one animal, shape (size,)."""
        pop = self.population(population)
        default = pop.neuron_model.initial.get(key)
        if isinstance(default, str) and key not in pop.params:
            key = default  # each neuron's own, also where it is drawn
        value = pop.param(key)
        if not isinstance(value, Distribution):
            return np.broadcast_to(np.asarray(value, dtype=float), (pop.size,)).copy()
        channel = self.populations.index(pop) * 100 + pop.parameter_names.index(key)
        drawn = np.asarray(
            value.draw(random_stream(seed, animal, Role.PARAMETERS, channel), pop.size), dtype=float
        )
        Population(
            pop.name, pop.size, pop.model, {key: drawn}
        )  # the checks of a given array hold for a drawn one
        return drawn
