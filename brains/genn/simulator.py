"""GeNN behind the contract of simulators: a network becomes generated code for a GPU or one CPU thread.

`models.py` holds the equations, `exchange.py` the data that host and GeNN exchange, `library.py` the
compiler.
Animals are blocks: neuron i of animal a is neuron a · size + i of GeNN's population. Parameter sets
(`batch.py`) are copies of all that, in GeNN's batch dimension. GeNN's step k is step k + 1 here, and its zero
delay is one step, so a delay of d steps is d − 1 there. Once a window, host and device exchange counts of
input spikes, three rows of currents, and the record of spikes; weights on demand.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn import models as genn_models
from ethospike.brains.genn import wiring as genn_wiring
from ethospike.brains.genn.device import check_device_memory
from ethospike.brains.genn.exchange import PendingPlasticity, SpikeRecord, SpikeTables
from ethospike.brains.genn.inputs import Inputs
from ethospike.brains.genn.library import (
    BACKENDS,
    VERSION,
    backends,
    choose_backend,
    load,
    preferences,
    pygenn,
)
from ethospike.brains.genn.models import check_precision
from ethospike.brains.genn.silencing import Group
from ethospike.brains.genn.states import Storing, check_finite, potentials
from ethospike.brains.network import (
    NUMPY_WIRING_LIMIT,
    DopamineGated,
    Network,
    Population,
    Projection,
)
from ethospike.brains.simulator import (
    Capabilities,
    SimulatorSettings,
    SpikeBlock,
    Stimulus,
)
from ethospike.brains.simulator.learning import Learning
from ethospike.brains.simulator.propagators import propagators
from ethospike.clock import whole_number
from ethospike.errors import BrainError
from ethospike.randomness import Role, random_stream

__all__ = ["GennSimulator", "backends"]

TABLE_BYTES = 500_000
"""Memory of one input table or record, which decides how many steps run between two exchanges."""
MIN_TABLE_STEPS, MAX_TABLE_STEPS = 100, 1000
"""Our choice: a control window of 10 ms always fits, and the copy of a small network's record stays small."""
LONGEST_DENDRITIC_STEPS = 2**16
"""Longest delay of a projection with unequal delays: GeNN keeps two bytes a synapse for it."""
CHECK_EVERY = 1000
"""Steps between two looks at whether the state is finite. An infinite input stays so, and its error comes up
to 100 ms late; but a copy from a GPU for each variable of each population in every short window would cost
more than the window of a small network."""

logger = logging.getLogger(__name__)


class GennSimulator(Storing):
    """A network on GeNN; see `Simulator`, and docs/simulators.md for the installation.

    Examples
    --------
    >>> from ethospike.brains.network import Network
    >>> from ethospike.brains.network import Population
    >>> from ethospike.brains.simulator import SimulatorSettings, open_simulator
    >>> net = Network([Population("E", 1, "iaf_psc_exp", {"I_e": 500.0})])
    >>> with open_simulator(net, SimulatorSettings(name="genn"), seed=1) as simulator:  # doctest: +SKIP
    ...     spikes = simulator.run(1000)
    """

    name: ClassVar[str] = "genn"
    capabilities: ClassVar[Capabilities] = Capabilities(
        restores_state=True, exact_plasticity=True, records_voltage=True, generates_synapses=True
    )

    @classmethod
    def runs_batches(cls, settings: SimulatorSettings) -> bool:
        """Return True where the backend has a batch dimension: on a GPU."""
        return choose_backend(settings.genn_backend) != "cpu"

    @property
    def _sets(self) -> tuple[Network, ...]:
        """The parameter sets, each with its own values; `animals` counts the animals of all sets."""
        return (self.network,)

    @property
    def _blocks(self) -> int:
        """Animals in each parameter set."""
        return self.animals // len(self._sets)

    def _build(self) -> None:
        chosen = choose_backend(self.settings.genn_backend)
        self._on_cpu = chosen == "cpu"
        self._check_wiring()
        self.backend = f"genn {VERSION}, {chosen} backend, {self.settings.precision} precision"
        logger.info("GeNN: backend %s", self.backend)
        self._dtype = np.float32 if self.settings.precision == "single" else np.float64
        self._model = pygenn.GeNNModel(
            "float" if self.settings.precision == "single" else "double",
            "network",
            backend=BACKENDS[chosen],
            # With single precision, time could not count beyond 2^24 steps (28 minutes).
            time_precision="double",
            **preferences(chosen),
        )
        self._model.dt = self.dt_ms
        self._model.batch_size = len(self._sets)
        self._model.fuse_postsynaptic_models = True
        self._table_steps = self._longest_exchange()
        self._groups: dict[str, list[Group]] = {}
        self._rest: dict[str, NDArray[np.float64]] = {}  # E_L of all neurons, to which `v` is relative
        self._watched, self._seen = np.empty(0, np.int64), list[NDArray[np.float64]]()
        self._pending: dict[str, PendingPlasticity] = {}
        self._shut, self._replaced, self._origin = {}, set(), 0
        self._populations = {pop.name: self._add_population(pop) for pop in self.network.populations}
        for projection in self.network.projections:
            if self.network.has_known_synapses(projection):
                self._add_wired(projection)
            else:
                self._add_drawn(projection)
        inputs = Inputs(self._model, self._populations, self._sets, self._blocks, self._table_steps)
        self._spike_tables = SpikeTables(
            [inputs.add_spikes(index) for index in range(len(self.network.spike_inputs))],
            [self.delay_steps(given.name, given.delay_ms) for given in self.network.spike_inputs],
            [self.network.n_channels(given) for given in self.network.spike_inputs],
            self.animals,
            self._table_steps,
        )
        self._current_tables = [inputs.add_currents(given) for given in self.network.current_inputs]
        self._start(chosen)

    def _check_wiring(self) -> None:
        """Raise `BrainError` where the backend cannot hold or make the synapses."""
        if self.network.procedural and self._on_cpu:
            raise BrainError(
                "procedural: GeNN's CPU backend stores every synapse; use a GPU (simulator.genn_backend cuda "
                "or hip), Numba (simulator name 'numba'), or procedural=False"
            )
        if not self.network.is_wired_by_numpy and self._blocks > 1:
            raise BrainError(
                f"animals: expected 1, got {self._blocks}: GeNN draws the synapses of a network this large "
                f"itself, for one animal; open one simulator an animal"
            )

    def _start(self, backend: str) -> None:
        """Compile the model, unless it has been before, and load it, if the device has room for it."""
        check_device_memory(self._model, backend, self._table_steps)
        load(self._model, self._table_steps)
        self._learning = self._learn_outside()
        self._checked = -CHECK_EVERY  # so that the first window is looked at
        self._record = SpikeRecord(
            list(self._populations.values()),
            [p.size for p in self.network.populations],
            self._table_steps,
            len(self._sets),
        )

    def _longest_exchange(self) -> int:
        """Return how many steps the tables hold."""
        channels = [self.network.n_channels(given) for given in self.network.spike_inputs]
        bytes_a_step = self.animals * max([self.network.n_neurons // 8, *(2 * n for n in channels), 1])
        return int(np.clip(TABLE_BYTES // bytes_a_step, MIN_TABLE_STEPS, MAX_TABLE_STEPS))

    # -- populations --------------------------------------------------------------------------------

    def _add_population(self, pop: Population) -> Any:
        n_neurons = pop.size * self._blocks
        made = self._propagators(pop)
        self._rest[pop.name] = np.asarray(made["e_l"], dtype=np.float64)
        constants = genn_models.used_constants(pop.neuron_model, made)
        varying = tuple(name for name, values in constants.items() if np.ptp(values) > 0)
        plastic = [rule for _, rule in self._gated_onto(pop.name)]
        is_source = any(p.source == pop.name for p, _ in self._gated)
        model, state = genn_models.neuron_model(
            pop.neuron_model, constants, varying, genn_models.PlasticRoles(is_source, len(plastic))
        )
        params = {name: values.flat[0] for name, values in constants.items() if name not in varying}
        params |= {f"depression_{m}": rule.learning_rate for m, rule in enumerate(plastic)}
        group = self._model.add_neuron_population(
            f"n{len(self._model.neuron_populations)}",
            n_neurons,
            model,
            params,
            # Arrays, which are copied at the start; numbers would be compiled.
            {name: np.full(n_neurons, value) for name, value in state.items()}
            | {name: constants[name] for name in varying}
            | {name: made[name] for name in pop.neuron_model.state}
            | ({"random": self._seeds(pop)} if pop.neuron_model.is_stochastic else {}),
        )
        for name in params:
            group.set_param_dynamic(name)
        group.spike_recording_enabled = True
        return group

    def _seeds(self, pop: Population) -> NDArray[np.uint64]:
        """Return the states of the generators of stochastic neurons, for the neurons of all animals."""
        index = self.network.populations.index(pop)
        streams = [random_stream(self.seed, animal, Role.SPIKES, index) for animal in range(self._blocks)]
        drawn = [stream.integers(2**64, size=pop.size, dtype=np.uint64) for stream in streams]
        return self._by_set(drawn * len(self._sets))

    def _propagators(self, pop: Population) -> dict[str, NDArray[Any]]:
        """Return constants and initial state of a population, each for the neurons of all animals."""
        parts = [
            propagators(network, pop.name, seed=self.seed, animal=animal, dt_ms=self.dt_ms)
            for network in self._sets
            for animal in range(self._blocks)
        ]
        return {name: self._by_set([part[name] for part in parts]) for name in parts[0]}

    def _by_set(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Join the values of all animals, set after set; shape (sets, values), or (values,) for one set."""
        joined = np.concatenate(parts)
        return joined if len(self._sets) == 1 else joined.reshape(len(self._sets), -1)

    def _learn_outside(self) -> Learning | None:
        """Return the rules that GeNN does not compute itself: it stops wherever their weights change."""
        rules = {p: p.plasticity for p in self.network.plastic_projections}
        outside = [p for p, rule in rules.items() if not isinstance(rule, DopamineGated)]
        if not outside:
            return None
        grids = {rule.grid_ms for p, rule in rules.items() if p in outside and rule is not None}
        steps = [1 if grid_ms is None else whole_number(grid_ms, self.dt_ms) for grid_ms in grids]
        self._learned = {
            p.name: np.concatenate([self._synapses(p.name, a).weight for a in range(self.animals)])
            for p in outside
        }
        return Learning(
            self.network,
            self._synapses,
            self.animals,
            self.dt_ms,
            outside,
            self._learned,
            self._transmit,
            [number for number in steps if number is not None],
        )

    def _transmit(self, projection: str, synapses: NDArray[np.integer]) -> None:
        """Give GeNN the weights of a projection that is learned outside."""
        self._push(projection, self._learned[projection])

    @property
    def _gated(self) -> list[tuple[Projection, DopamineGated]]:
        """The projections with the rule that GeNN computes itself."""
        rules = [(p, p.plasticity) for p in self.network.plastic_projections]
        return [(p, rule) for p, rule in rules if isinstance(rule, DopamineGated)]

    def _gated_onto(self, target: str) -> list[tuple[Projection, DopamineGated]]:
        return [(p, rule) for p, rule in self._gated if p.target == target]

    # -- synapses that NumPy draws ------------------------------------------------------------------

    def _add_wired(self, projection: Projection) -> None:
        source, target, weight, steps = self._block_synapses(projection)
        check_precision(f"Projection {projection.name!r}", weight, self._dtype)
        self._groups[projection.name] = groups = []
        is_negative = weight.reshape(-1, len(steps)) < 0
        if (is_negative != is_negative[0]).any():
            raise BrainError(
                f"Projection {projection.name!r}.weight: the parameter sets of a batch differ in the sign of "
                f"weights, which chooses the receptor; run them one after the other"
            )
        if isinstance(projection.plasticity, DopamineGated):
            if steps.size and (steps != steps[0]).any():
                raise BrainError(
                    f"Projection {projection.name!r}.delay_ms: on GeNN a plastic projection has one delay "
                    f"for all synapses; use a number, or Numba or NEST"
                )
            group = self._add_plastic(projection, projection.plasticity, source, target, weight, steps)
            groups.append(Group(group, np.arange(len(weight))))
            return
        for receptor, members in (
            ("in_ex", np.flatnonzero(~is_negative[0])),
            ("in_in", np.flatnonzero(is_negative[0])),
        ):
            if len(members):
                is_learned = projection.plasticity is not None
                weights = weight[..., members]
                group = self._add_static(projection, weights, steps[members], receptor, is_learned)
                _connect(group, source[members], target[members])
                groups.append(Group(group, members))

    def _add_static(
        self,
        projection: Projection,
        weight: NDArray[np.float64],
        steps: NDArray[np.int64],
        receptor: str,
        is_learned: bool,
    ) -> Any:
        """Add a group of synapses with weights that GeNN leaves; different delays become its dendritic ones.

        So does a delay of learned weights: an axonal one would find the weights of the arrival.
        """
        longest = int(steps.max())
        by_set = weight.ndim > 1
        if (steps == longest).all() and not (is_learned and longest > 1):
            update = pygenn.init_weight_update(genn_models.STATIC[by_set], {}, {"w": weight})
            group = self._add_synapses(projection.source, projection.target, update, receptor)
            group.axonal_delay_steps = longest - 1
            return group
        if longest > LONGEST_DENDRITIC_STEPS:
            raise BrainError(
                f"Projection {projection.name!r}.delay_ms: GeNN has delays of up to "
                f"{LONGEST_DENDRITIC_STEPS} steps where they differ, got {longest}"
            )
        update = pygenn.init_weight_update(
            genn_models.STATIC_DELAYED[by_set], {}, {"w": weight, "late": (steps - 1).astype(np.uint16)}
        )
        group = self._add_synapses(projection.source, projection.target, update, receptor)
        group.max_dendritic_delay_timesteps = longest
        return group

    def _block_synapses(
        self, projection: Projection
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return source, target, weight and delay (steps) of the synapses of all animals.

        Weights have the shape (synapses,), or (sets, synapses) where parameter sets differ in them.
        """
        animals = range(self._blocks)
        wired = [self._synapses(projection.name, animal) for animal in animals]
        weight = self._by_set([self._synapses(projection.name, a).weight for a in range(self.animals)])
        if weight.ndim > 1 and (weight == weight[0]).all():
            weight = weight[0]
        n_source = self.network.population(projection.source).size
        n_target = self.network.population(projection.target).size
        return (
            np.concatenate([s.source + animal * n_source for animal, s in enumerate(wired)]),
            np.concatenate([s.target + animal * n_target for animal, s in enumerate(wired)]),
            weight,
            np.concatenate([self.synapse_delay_steps(projection.name, animal) for animal in animals]),
        )

    def _add_plastic(
        self,
        projection: Projection,
        rule: DopamineGated,
        source: NDArray[np.int64],
        target: NDArray[np.int64],
        weight: NDArray[np.float64],
        delay_steps: NDArray[np.int64],
    ) -> Any:
        m = self._gated_onto(projection.target).index((projection, rule))
        steps = int(delay_steps.max(initial=1))
        at_once = steps == 1
        params = {
            "tau_ms": rule.tau_eligibility_ms,
            "learning_rate": rule.learning_rate,
            "homeostasis": rule.homeostasis,
            "since_ms": genn_models.NEVER_MS,
        }
        cells, last = self._populations[projection.target], "last_before" if at_once else "last_now"
        update = pygenn.init_weight_update(
            genn_models.DOPAMINE_GATED if at_once else genn_models.DOPAMINE_GATED_LATER,
            params if at_once else params | {"dendritic_steps": steps - 2},
            {"w": weight, "w_init": weight},
            pre_var_refs={"last_ms": pygenn.create_var_ref(self._populations[projection.source], last)},
            post_var_refs={
                "dopamine": pygenn.create_var_ref(cells, f"dopamine_{m}"),
                "spiked_now": pygenn.create_var_ref(cells, "spiked_now"),
                "spiked_before": pygenn.create_var_ref(cells, "spiked_before"),
            },
        )
        receptor = f"in_plastic_{m}" if at_once else "in_ex"
        group = self._add_synapses(projection.source, projection.target, update, receptor)
        _connect(group, source, target)
        for name in genn_models.DOPAMINE_GATED_DYNAMIC:
            group.set_wu_param_dynamic(name)
        if at_once:
            count = pygenn.init_weight_update(genn_models.COUNT)
            _connect(
                self._add_synapses(projection.source, projection.target, count, f"in_count_{m}"),
                source,
                target,
            )
        else:
            group.axonal_delay_steps = 1
            group.max_dendritic_delay_timesteps = steps - 1
        self._add_modulator(projection, rule, f"in_dopamine_{m}")
        return group

    def _add_modulator(self, projection: Projection, rule: DopamineGated, receptor: str) -> None:
        """Let every target neuron count the spikes of its animal's modulators."""
        n_source = self.network.population(rule.modulator).size
        n_target = self.network.population(projection.target).size
        source, target = np.divmod(np.arange(n_source * n_target), n_target)
        animal = np.arange(self._blocks)[:, None]
        count = pygenn.init_weight_update(genn_models.COUNT)
        _connect(
            self._add_synapses(rule.modulator, projection.target, count, receptor),
            (source + animal * n_source).ravel(),
            (target + animal * n_target).ravel(),
        )
        self._pending[projection.name] = PendingPlasticity(
            rule,
            (
                self.network.neurons(projection.source),
                self.network.neurons(projection.target),
                self.network.neurons(rule.modulator),
            ),
            self.animals,
            self.dt_ms,
        )

    def _add_synapses(self, source: str, target: str, update: Any, receptor: str, wiring: Any = None) -> Any:
        group = self._model.add_synapse_population(
            f"s{len(self._model.synapse_populations)}",
            "PROCEDURAL" if self.network.procedural else "SPARSE",
            self._populations[source],
            self._populations[target],
            update,
            pygenn.init_postsynaptic("DeltaCurr"),
            wiring,
        )
        group.post_target_var = receptor
        return group

    # -- synapses that GeNN draws -------------------------------------------------------------------

    def _add_drawn(self, projection: Projection) -> None:
        if projection.plasticity is not None:
            raise BrainError(
                f"Projection {projection.name!r}: GeNN draws the synapses of a network of over "
                f"{NUMPY_WIRING_LIMIT:,} synapses, and has no plasticity there; use listed pairs, or Numba"
            )
        source = self.network.population(projection.source)
        target = self.network.population(projection.target)
        weights = [genn_wiring.both(network.projection(projection.name)) for network in self._sets]
        check_precision(f"Projection {projection.name!r}", np.array(weights), self._dtype)
        update, receptor, dynamic = genn_wiring.two_weights(projection, weights, source, target)
        if self.network.procedural:
            wiring, threads = genn_wiring.procedural(projection, source, target)
            group = self._add_synapses(source.name, target.name, update, receptor, wiring)
            group.num_threads_per_spike = threads
        else:
            wiring, longest_row = genn_wiring.connectivity(projection, source, target)
            group = self._add_synapses(source.name, target.name, update, receptor, wiring)
            group.max_connections = longest_row
            # Two bytes a synapse where the target has less than 65,536 neurons.
            group.narrow_sparse_ind_enabled = True
            if not self._on_cpu:  # the host needs no copy of what was drawn on the device
                group.sparse_connectivity_location = pygenn.VarLocation.DEVICE
        index = self.network.projections.index(projection)
        rng = random_stream(self.seed, 0, Role.WIRING, index)
        genn_wiring.set_key(group, int(rng.integers(2**62)))
        for name in dynamic:
            group.set_wu_param_dynamic(name)
        group.axonal_delay_steps = genn_wiring.one_delay(projection, self.delay_steps) - 1

    # -- running ------------------------------------------------------------------------------------

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        current = stimulus.current_pa
        if current is None:
            current = np.zeros((self.animals, self.network.n_current_channels))
        parts = []
        advance = self._model.step_time
        self._seen = []
        if self._learning is not None:
            self._learning.begin_window(self.step + 1, n_steps, stimulus.modulation)
        for done, n in self._pieces(n_steps):
            low, high = np.searchsorted(stimulus.step, [done, done + n], side="right")
            sent = slice(low, high)
            self._spike_tables.write(
                done, n, Stimulus(stimulus.step[sent], stimulus.animal[sent], stimulus.channel[sent])
            )
            for given, table in zip(self.network.current_inputs, self._current_tables, strict=True):
                channels = self.network.current_channels(given.name)
                table.write(done, n, self.dt_ms, current[:, channels].ravel())
            for _ in range(n):
                advance()
            if len(self._watched):
                now = potentials(self.network, self._populations, self._rest, self._watched, self.animals)
                self._seen.append(now)
            self._model.pull_recording_buffers_from_device()
            parts.append(self._record.read(done, n))
            if self._learning is not None:
                step, animal, neuron = parts[-1]
                self._learning.listen(step, animal * np.int64(self.network.n_neurons) + neuron, done + n)
        step, animal, neuron = (np.concatenate(values) for values in zip(*parts, strict=True))
        spikes = SpikeBlock.sorted(step, animal, neuron)
        if not self._checked <= self.step + n_steps < self._checked + CHECK_EVERY:
            self._checked = self.step + n_steps
            check_finite(self.network, self._populations, self._checked)
        for pending in self._pending.values():
            pending.remember(spikes, self.step + n_steps)
        return spikes

    def _pieces(self, n_steps: int) -> Iterator[tuple[int, int]]:
        """Yield (steps done, steps to do) of the pieces of a window that fit the tables and end at stops."""
        done, end = self.step, self.step + n_steps
        while done < end:
            n = min(self._table_steps, end - done)
            if self._learning is not None:
                n = min(n, self._learning.next_stop(done) - done)
            if len(self._watched):
                n = 1
            yield done, n
            done += n

    def _modulator_values(self, projection: str) -> NDArray[np.float64]:
        if self._learning is None:
            return super()._modulator_values(projection)
        return self._learning.modulator_values(projection, self.animals)

    def _watch(self, neurons: NDArray[np.integer], recordable: str) -> None:
        self._check_is_voltage(recordable)
        self._watched, self._seen = np.asarray(neurons, dtype=np.int64), []

    def _voltages(self) -> NDArray[np.float64]:
        shape = (len(self._seen), self.animals, len(self._watched))
        return np.concatenate([np.empty(0), *(seen.ravel() for seen in self._seen)]).reshape(shape)

    def _close(self) -> None:
        del self._record
        self._model.unload()
        del self._model


def _connect(group: Any, source: NDArray[np.integer], target: NDArray[np.integer]) -> None:
    """Set the synapses of a group in rows that are as long as a power of two, and 16 at least.

    The length of the rows is part of the generated code; so most seeds share their code.
    """
    group.set_sparse_connections(source, target)
    longest = int(group.max_connections)
    group.max_connections = max(16, 1 << (longest - 1).bit_length())
