"""NEST: the reference that the field trusts, on CPU threads.

There is one NEST kernel in a process, so one `NestSimulator` can be open at a time, and opening it clears
whatever else the process has built in NEST. Each window is one `Simulate` (or several, one up to each update
of the plastic weights): input spikes are armed before, spikes are read and cleared after. NEST has no way
to restore a state. Potentials are read off the neurons after each step, so a window of which some are watched
is simulated step by step.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.memory import check_memory
from ethospike.brains.nest import models, rules
from ethospike.brains.nest.currents import CurrentSchedule
from ethospike.brains.nest.denormals import denormals_are_zero
from ethospike.brains.nest.kernel import PROCESS, check_not_forked, nest, set_nodes, take_events
from ethospike.brains.nest.potentials import Watched
from ethospike.brains.nest.weights import Weighing
from ethospike.brains.nest.wiring import native_rule, native_value, parts
from ethospike.brains.network import CurrentInput, Distribution, PairSTDP, Projection, SpikeInput
from ethospike.brains.simulator import Capabilities, SpikeBlock, Stimulus
from ethospike.brains.simulator.learning import Learning
from ethospike.brains.simulator.propagators import parameters
from ethospike.brains.threads import cores
from ethospike.clock import whole_number
from ethospike.errors import BrainError, SimulatorUnavailable

THREADS_FROM_SYNAPSES = 500_000
"""Synapses from which all cores are used, and one thread below: threads meet after every shortest delay, and
where other programs need the cores, they wait for each other (3,000 neurons with 100,000 synapses: 0.84 s a
second on one thread, 2.7 to 17 s on two). On two idle cores, two threads take half the time from 100,000
synapses on (1,250 neurons with 156,000: 0.27 and 0.15 s; 12,500 with 15.6 million: 28 and 11 s). The choice
does not look at the load of the machine, so that a run can be repeated."""

BYTES_A_NEURON, BYTES_A_LISTED_SYNAPSE, BYTES_A_DRAWN_SYNAPSE = 40e3, 45.0, 21.0
"""Memory that NEST 3.10 was measured to take; drawn synapses have one weight a synapse model."""

_MOST_SEEDS = 2**32 - 1  # NEST's rng_seed lies in 1 … 2^32 − 1

_holder: weakref.ref[NestSimulator] | None = None
"""The simulator that has the kernel."""


def check_kernel_is_free() -> None:
    """Raise `SimulatorUnavailable` while a simulator of this process has the kernel, and after a fork."""
    check_not_forked()
    holder = _holder() if _holder is not None else None
    if holder is not None and not holder._closed:
        raise SimulatorUnavailable(
            "another NEST simulator is open in this process and NEST has one kernel a process; close it "
            "first (ethospike.brains.simulator.close_all() closes all that are open), or use a second process"
        )


class NestSimulator(Weighing):
    """A network in the NEST kernel; see `Simulator`.

    Raises
    ------
    SimulatorUnavailable
        When another `NestSimulator` of this process is open.
    BrainError
        When the network is too large to be wired by NumPy and one of its projections has no counterpart
        among NEST's rules.

    Examples
    --------
    >>> from ethospike.brains.network import Network
    >>> from ethospike.brains.network import Population
    >>> from ethospike.brains.simulator import open_simulator
    >>> with open_simulator(Network((Population("E", 1, "iaf_psc_exp", {"I_e": 500.0}),)), seed=1) as sim:
    ...     print(sim.run(1000).step[0])
    139
    """

    name: ClassVar[str] = "nest"
    capabilities: ClassVar[Capabilities] = Capabilities(records_voltage=True)
    _watched: Watched | None = None
    _seen: list[NDArray[np.float64]] = []

    def _check_not_closed(self) -> None:
        check_not_forked()
        super()._check_not_closed()

    def _build(self) -> None:
        check_kernel_is_free()
        listed = sum(
            self.network.expected_synapses(p)
            for p in self.network.projections
            if self.network.has_known_synapses(p)
        )
        needed = BYTES_A_NEURON * self.network.n_neurons + BYTES_A_LISTED_SYNAPSE * listed
        needed += BYTES_A_DRAWN_SYNAPSE * (self.network.n_synapses - listed)
        check_memory("nest", self.animals, self.network.n_synapses, self.animals * needed)
        self._learned_here = [p for p in self.network.plastic_projections if not rules.is_native(p)]
        self._interval_steps = self._steps_between_updates()
        self._threads = self.settings.threads or self._default_threads()
        self._hold_kernel()
        try:
            with denormals_are_zero():  # here NEST starts its threads, which go on as they were started
                self._build_kernel()
        except BaseException:
            self.close()
            raise
        self.backend = f"NEST {nest.__version__}, {self._threads} thread{'s' * (self._threads > 1)}"

    def _steps_between_updates(self) -> tuple[int, ...]:
        """Return the intervals (steps) at whose ends weights are brought up to date here."""
        steps = set()
        for projection in self._learned_here:
            given = None if projection.plasticity is None else projection.plasticity.grid_ms
            interval_ms = self.settings.plasticity_interval_ms if given is None else given
            number = whole_number(interval_ms, self.dt_ms)
            if number is None:
                raise BrainError(
                    f"simulator.plasticity_interval_ms: {interval_ms} ms is not a whole number of steps of "
                    f"{self.dt_ms} ms"
                )
            steps.add(number)
        return tuple(steps)

    def _default_threads(self) -> int:
        if self.animals * self.network.n_synapses < THREADS_FROM_SYNAPSES:
            return 1
        return cores()

    def _looks_up_synapses(self) -> bool:
        """Return whether NEST must remember the ends of each synapse: 8 bytes a synapse.

        Weights are looked up by it. Synapses that NEST draws have no such look-up.
        """
        return self.network.is_wired_by_numpy

    def _hold_kernel(self) -> None:
        global _holder
        _holder = weakref.ref(self)

    def _reset_kernel(self) -> None:
        nest.ResetKernel()
        nest.verbosity = nest.VerbosityLevel.ERROR  # also of the next calls
        nest.set(
            resolution=self.dt_ms,
            local_num_threads=self._threads,
            rng_seed=1 + self.seed % _MOST_SEEDS,
            keep_source_table=self._looks_up_synapses(),
            # NEST logs each change of its spike buffer's size for ever, and counts as one each shortest delay
            # without a spike (it "shrinks" the smallest buffer of 2 to 2): 24 bytes a step, 300 MB in half an
            # hour, and every reading of the kernel's status copies all of it. A limit of 0 never shrinks; the
            # buffer stays as large as the largest volley, 8 bytes a spike.
            spike_buffer_shrink_limit=0.0,
        )

    def _build_kernel(self) -> None:
        self._reset_kernel()
        self._create_neurons()
        self._weight, self._native, self._synapse_models, self._is_shut = {}, {}, {}, {}
        self._suppressed = np.zeros(self._level.shape, dtype=np.int64)
        for projection in self.network.projections:
            self._connect(projection)
        self._connect_inputs()
        self._connect_recorder()
        self._pending = {
            p.name: rules.PendingEvents(
                self.network, p, self._synapses, self.animals, self.dt_ms, round(nest.min_delay / self.dt_ms)
            )
            for p in self.network.plastic_projections
            if isinstance(p.plasticity, PairSTDP)
        }
        self._learning = None
        if self._learned_here:
            self._learning = Learning(
                self.network,
                self._synapses,
                self.animals,
                self.dt_ms,
                self._learned_here,
                self._weight,
                self._transmit,
                self._interval_steps,
            )

    # -- making the network ---------------------------------------------------------------------------

    def _create_neurons(self) -> None:
        """Create animals as blocks: neuron i of animal a has NEST's id 1 + a · n_neurons + i."""
        read_by_synapses = rules.target_parameters(self.network)
        for animal in range(self.animals):
            for population in self.network.populations:
                values = parameters(self.network, population.name, seed=self.seed, animal=animal)
                params: dict[str, Any] = {
                    key: float(v[0]) if (v == v[0]).all() else v.tolist() for key, v in values.items()
                }
                params |= read_by_synapses.get(population.name, {})
                where = f"Population {population.name!r}"
                models.create(nest, where, population.neuron_model, population.size, params)

    def _connect(self, projection: Projection) -> None:
        if not self.network.has_known_synapses(projection):
            for animal in range(self.animals):
                self._connect_by_rule(projection, animal)
            return
        # Synapse models of its own make the projection's synapses recognizable.
        synapse_models = rules.copy_models(nest, self.network, projection, self.animals, self.dt_ms)
        self._synapse_models[projection.name] = tuple(dict.fromkeys(synapse_models))
        wired = [self._synapses(projection.name, animal) for animal in range(self.animals)]
        starts = np.arange(self.animals) * self.network.n_neurons + 1
        source, target = (
            np.concatenate([synapses[end] + start for synapses, start in zip(wired, starts, strict=True)])
            + self.network.offset(population)
            for end, population in ((0, projection.source), (1, projection.target))
        )
        weight = np.concatenate([synapses.weight for synapses in wired])
        self._weight[projection.name] = weight
        steps = np.concatenate(
            [self.synapse_delay_steps(projection.name, animal) for animal in range(self.animals)]
        )
        model = np.repeat(synapse_models, [len(synapses.source) for synapses in wired])
        for name in self._synapse_models[projection.name]:
            of_model = model == name
            synapses = {"synapse_model": name, **self._receptor(projection)}
            self._connect_pairs(
                source[of_model], target[of_model], weight[of_model], steps[of_model], synapses
            )

    def _receptor(self, given: Projection | SpikeInput | CurrentInput) -> dict[str, int]:
        """Return the receptor port of a projection or an input, as an entry of NEST's `syn_spec`."""
        receptor = getattr(given, "receptor", None)
        if receptor is None:
            return {}
        where, model = f"{type(given).__name__} {given.name!r}", self.network.population(given.target)
        return {"receptor_type": models.port(nest, where, model.neuron_model, receptor)}

    def _connect_pairs(
        self,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        weight: NDArray[np.float64],
        delay_steps: NDArray[np.integer],
        synapses: dict[str, Any],
    ) -> None:
        if len(source):
            spec = {**synapses, "weight": weight, "delay": delay_steps * self.dt_ms}
            ends = source.astype(np.int64), target.astype(np.int64)
            models.connect(nest, *ends, "one_to_one", spec)

    def _connect_by_rule(self, projection: Projection, animal: int) -> None:
        """Let NEST draw the synapses of a large network: the same statistics, not the same synapses."""
        where = f"Projection {projection.name!r}"
        if projection.plasticity is not None:
            raise BrainError(f"{where}: NEST draws the synapses of this network; plastic ones must be wired")
        delay: Any
        if isinstance(projection.delay_ms, Distribution):
            delay = native_value(projection.delay_ms, f"{where}.delay_ms", nest)
        else:
            if np.ndim(projection.delay_ms):
                raise BrainError(
                    f"{where}: NEST draws the synapses of this network, so one delay a synapse needs the "
                    f"rule Explicit"
                )
            delay = self.delay_steps(projection.name, float(np.asarray(projection.delay_ms))) * self.dt_ms
        for sources, targets, rule, weight in parts(self.network, projection, self.seed, animal):
            synapse: dict[str, Any] = {"delay": delay, **self._receptor(projection)}
            if isinstance(weight, Distribution):
                synapse["weight"] = native_value(weight, f"{where}.weight", nest)
            else:
                # Homogeneous weights: one number for a synapse model instead of 8 bytes a synapse.
                synapse["synapse_model"] = model = f"{projection.name} {weight}"
                if model not in nest.synapse_models:
                    nest.CopyModel("static_synapse_hom_w", model, {"weight": weight})
            ends = nest.NodeCollection(sources), nest.NodeCollection(targets)
            models.connect(nest, *ends, native_rule(rule, where), synapse)

    def _connect_inputs(self) -> None:
        """Create one generator a channel; an animal's follow each other, then come the next animal's."""
        self._generators = self._drivers = None
        if self.network.n_spike_channels:
            self._generators = nest.Create("spike_generator", self.animals * self.network.n_spike_channels)
        self._schedule = None
        has_own = all("I_e" in p.neuron_model.parameters for p in self.network.populations)
        is_slowed = bool(nest.num_connections) and self._shortest_spike_delay() > 1
        if self.network.n_current_channels and has_own and is_slowed:
            # A generator's delay of one step would be the network's shortest: currents take another way.
            self._schedule = CurrentSchedule(self.network, self.seed, self.animals)
            self._driven = nest.NodeCollection(self._schedule.cells + 1)
        elif self.network.n_current_channels:
            self._drivers = nest.Create("dc_generator", self.animals * self.network.n_current_channels)
        self._current_pa = np.zeros((self.animals, self.network.n_current_channels))
        for kind, generators in (("spike", self._generators), ("current", self._drivers)):
            if generators is None:
                continue
            first = np.asarray(generators.tolist())[0]
            for animal in range(self.animals):
                offset = 1 + animal * self.network.n_neurons
                inputs = self.network.spike_inputs if kind == "spike" else self.network.current_inputs
                for given in inputs:
                    weight, delay_ms = getattr(given, "weight", 1.0), getattr(given, "delay_ms", self.dt_ms)
                    delay = self.delay_steps(given.name, delay_ms)
                    reached = self.network.channel_neurons(given) + offset
                    sources = np.repeat(first + np.arange(len(reached)), reached.shape[1])
                    values, steps = np.full(len(sources), weight), np.full(len(sources), delay)
                    synapses = {"synapse_model": "static_synapse", **self._receptor(given)}
                    self._connect_pairs(sources, reached.ravel(), values, steps, synapses)
                    first += len(reached)

    def _shortest_spike_delay(self) -> int:
        """Return the shortest delay of synapses and spike inputs, in steps."""
        inputs = [self.delay_steps(given.name, given.delay_ms) for given in self.network.spike_inputs]
        return min([round(float(nest.min_delay) / self.dt_ms), *inputs])

    def _connect_recorder(self) -> None:
        self._recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
        # Spikes reach a recorder at once whatever the delay, but NEST advances by the shortest delay of all
        # connections at a time: this one must not be shorter than the network's own.
        shortest_ms = nest.min_delay
        if not nest.num_connections:  # then the longer the better: whole steps, about 1 ms
            shortest_ms = max(1, int(1.0 / self.dt_ms + 1e-9)) * self.dt_ms
        if rules.needs_shortest_delay(self.network):
            shortest_ms = self.dt_ms
        names = sorted({population.neuron_model.name for population in self.network.populations})
        models.connect_recorder(nest, self._recorded(), self._recorder, shortest_ms, names)

    def _recorded(self) -> Any:
        """Return the nodes whose spikes are recorded."""
        return nest.NodeCollection(np.arange(1, self.animals * self.network.n_neurons + 1))

    # -- running --------------------------------------------------------------------------------------

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        self._arm_spikes(stimulus)
        self._set_currents(stimulus)
        changes = self._current_changes(n_steps, stimulus)
        if self._learning is not None:
            self._learning.begin_window(self.step + 1, n_steps, stimulus.modulation)
        pieces = []
        self._seen = []
        now, end = self.step, self.step + n_steps
        while now < end:
            if now in changes:
                set_nodes(self._driven, [{"I_e": value} for value in changes.pop(now).tolist()])
            until = min([end, *changes]) if self._watched is None else now + 1
            if self._learning is not None:
                until = min(until, self._learning.next_stop(now))
            with denormals_are_zero():  # or silence would cost more than activity
                nest.Simulate((until - now) * self.dt_ms)
            now = until
            if self._watched is not None:
                self._seen.append(self._watched.read())
            step, sender = take_events(self._recorder)
            step, cell = self._let_pass(step, self._cells(sender))
            pieces.append((step, cell))
            if self._learning is not None:
                self._learning.listen(step, cell, now, self._cut)
            for pending in self._pending.values():
                pending.listen(step, cell, now)
        step, cell = pieces[0] if len(pieces) == 1 else map(np.concatenate, zip(*pieces, strict=True))
        order = np.lexsort((cell, step))  # cells count through the animals: one key fewer to sort by
        animal, neuron = np.divmod(cell[order], self.network.n_neurons)
        return SpikeBlock(step[order], animal.astype(np.int32), neuron.astype(np.int32))

    def _cells(self, sender: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the cells, counted through all animals, of NEST's nodes."""
        return sender - 1

    def _node_ids(self, cell: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return NEST's nodes of cells, counted through all animals."""
        return cell + 1

    def _arm_spikes(self, stimulus: Stimulus) -> None:
        """Give each generator its times in this window; a generator without any keeps old ones, now over."""
        if not len(stimulus.step):
            return
        channels = self.network.n_spike_channels
        times: list[list[float]] = [[] for _ in range(self.animals * channels)]
        generator = stimulus.animal * np.int64(channels) + stimulus.channel
        # Lists all the way: NEST takes them faster than arrays, and a window's spikes are few.
        for which, time_ms in zip(generator.tolist(), (stimulus.step * self.dt_ms).tolist(), strict=True):
            times[which].append(time_ms)
        set_nodes(self._generators, [{"spike_times": of_node} if of_node else {} for of_node in times])

    def _set_currents(self, stimulus: Stimulus) -> None:
        """Set the amplitudes of all generators if one of them changes."""
        if self._drivers is None:
            return
        wanted = np.zeros_like(self._current_pa) if stimulus.current_pa is None else stimulus.current_pa
        if not np.array_equal(wanted, self._current_pa):
            set_nodes(self._drivers, [{"amplitude": a} for a in wanted.ravel().tolist()])
            self._current_pa = wanted.copy()

    def _current_changes(self, n_steps: int, stimulus: Stimulus) -> dict[int, NDArray[np.float64]]:
        """Return by step the values of `I_e` that are due after it, where currents take that way."""
        if self._schedule is None:
            return {}
        given = np.zeros_like(self._current_pa) if stimulus.current_pa is None else stimulus.current_pa
        return {self.step + step: values for step, values in self._schedule.changes(n_steps, given)}

    # -- recorded potentials --------------------------------------------------------------------------

    def _modulator_values(self, projection: str) -> NDArray[np.float64]:
        if self._learning is None:
            return super()._modulator_values(projection)
        return self._learning.modulator_values(projection, self.animals)

    def _watch(self, neurons: NDArray[np.integer], recordable: str) -> None:
        self._seen = []
        self._watched = None
        if len(neurons):
            cells = np.arange(self.animals)[:, None] * self.network.n_neurons + neurons
            self._watched = Watched(self._node_ids(cells), recordable)

    def _voltages(self) -> NDArray[np.float64]:
        if self._watched is None or not self._seen:
            n_watched = 0 if self._watched is None else self._watched.n_watched
            return np.empty((0, self.animals, n_watched))
        return np.stack(self._seen)

    def _close(self) -> None:
        global _holder
        if os.getpid() != PROCESS:
            return  # the kernel is the parent's
        if _holder is not None and _holder() is self:
            nest.ResetKernel()
            _holder = None
