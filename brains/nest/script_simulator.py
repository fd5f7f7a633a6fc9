"""The simulator of a NEST script: `NestSimulator` around nodes that somebody else has made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.nest.denormals import denormals_are_zero
from ethospike.brains.nest.kernel import nest
from ethospike.brains.nest.script import NestScript, ScriptNodes
from ethospike.brains.nest.simulator import NestSimulator, check_kernel_is_free
from ethospike.brains.network import Explicit, Population, Projection
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus
from ethospike.brains.simulator.scripts import ScriptModel, ScriptNetwork
from ethospike.errors import BrainError, SimulatorUnavailable

RELAYS = ("parrot_neuron", "parrot_neuron_ps")


class NestScriptSimulator(NestSimulator):
    """A script in the NEST kernel; see `NestScript`.

    Parameters
    ----------
    script : NestScript
    settings : SimulatorSettings
    seed : int
        Of NEST's random generators; on each of them the script's own draws depend.
    dt_ms : float

    Raises
    ------
    BrainError
        When the script resets the kernel, simulates, changes resolution, threads or seed, or names nodes
        that do not exist or do not fit.
    SimulatorUnavailable
        When the kernel of this process is or was in use.
    """

    def __init__(self, script: NestScript, settings: SimulatorSettings, *, seed: int, dt_ms: float) -> None:
        self._script = script
        self.settings, self.seed, self.dt_ms = settings, seed, dt_ms
        self._closed, self._broken = False, False
        self._threads = (
            settings.threads or 1
        )  # set before the script is called, and so before its size is known
        check_kernel_is_free()
        if nest.network_size or nest.biological_time:
            raise SimulatorUnavailable(
                f"{script.name}: NEST was used in this process before ({nest.network_size} nodes, "
                f"{nest.biological_time:g} ms); no call of NEST may stand at the top level of the script"
            )
        self._hold_kernel()
        try:
            with denormals_are_zero():
                self._nodes = self._call()
            network = self._describe()
            super().__init__(network, settings, seed=seed, dt_ms=dt_ms)
        except BaseException:
            self._closed = False
            self.close()
            raise

    def _call(self) -> ScriptNodes:
        """Reset the kernel, call the script, and check that it has left the kernel alone."""
        where = self._script.name
        self._reset_kernel()
        kept = {key: nest.get(key) for key in ("resolution", "local_num_threads", "rng_seed")}
        try:
            nodes = self._script()
        except nest.NESTError as error:
            reason = " ".join(str(getattr(error, "errormessage", "") or error).split())
            raise BrainError(f"{where}: NEST refuses a call of the script: {reason}") from error
        if nest.spike_buffer_shrink_limit != 0.0:  # what `_reset_kernel` has set is gone
            raise BrainError(f"{where}: the script resets the kernel; leave nest.ResetKernel() out")
        if nest.biological_time > 0:
            raise BrainError(
                f"{where}: the script simulates {nest.biological_time:g} ms; leave nest.Simulate() out, the "
                f"closed loop advances the network"
            )
        for key, value in kept.items():
            if nest.get(key) != value:
                raise BrainError(
                    f"{where}: the script sets {key} to {nest.get(key)}; leave it to the run (dt_ms, "
                    f"simulator.threads, seed)"
                )
        if not isinstance(nodes, ScriptNodes):
            raise BrainError(
                f"{where}: expected the script to return ScriptNodes, got {type(nodes).__name__}"
            )
        return nodes

    # -- description ----------------------------------------------------------------------------------

    def _describe(self) -> ScriptNetwork:
        """Check the nodes that the script names, and describe them."""
        nodes = self._nodes
        if not nodes.populations:
            raise BrainError(f"{self._script.name}: expected at least one population in ScriptNodes")
        populations, ids = [], []
        for name, collection in nodes.populations.items():
            models = self._models_of(f"population {name!r}", collection)
            for model in dict.fromkeys(models):
                if str(nest.GetDefaults(model)["element_type"]) != "neuron":
                    raise BrainError(f"{self._script.name}: population {name!r}: {model} is no neuron")
            # Of a mixed population, the first model; its parameters are in the kernel and nowhere else.
            populations.append(Population(name, len(models), ScriptModel(models[0], self.name)))
            ids.append(np.asarray(collection.tolist()))
        self._ids = np.concatenate(ids)
        if len(np.unique(self._ids)) < len(self._ids):
            raise BrainError(f"{self._script.name}: a neuron belongs to two populations")
        self._cell_of = np.full(nest.network_size + 1, -1, dtype=np.int64)
        self._cell_of[self._ids] = np.arange(len(self._ids))
        for kind, inputs in (("spike input", nodes.spike_inputs), ("current input", nodes.current_inputs)):
            for name, collection in inputs.items():
                self._models_of(f"{kind} {name!r}", collection)
        self._synapses_of: dict[str, list[Any]] = {}
        projections = tuple(self._projection(name, s, populations) for name, s in nodes.weights.items())
        return ScriptNetwork(
            tuple(populations),
            projections,
            {name: len(collection) for name, collection in nodes.spike_inputs.items()},
            {name: len(collection) for name, collection in nodes.current_inputs.items()},
            self.dt_ms,
            self._script.source,
        )

    def _models_of(self, where: str, collection: Any) -> list[str]:
        """Return the model of each node of a collection."""
        where = f"{self._script.name}: {where}"
        if not isinstance(collection, nest.NodeCollection) or not len(collection):
            raise BrainError(f"{where}: expected nodes of nest.Create, got {type(collection).__name__}")
        try:
            models = collection.get("model")
        except (nest.NESTError, KeyError) as error:
            raise BrainError(f"{where}: there are no such nodes in the kernel") from error
        return [str(model) for model in ([models] if isinstance(models, str) else models)]

    def _projection(self, name: str, synapses: Any, populations: list[Population]) -> Projection:
        """Describe synapses as listed pairs, and keep their handles in the order of `Network.wire`."""
        where = f"{self._script.name}: weights {name!r}"
        if not isinstance(synapses, nest.SynapseCollection) or not len(synapses):
            raise BrainError(
                f"{where}: expected synapses of nest.GetConnections, got {type(synapses).__name__}"
            )
        source, target = (self._cell_of[np.atleast_1d(synapses.get(end))] for end in ("source", "target"))
        firsts = np.cumsum([0, *(population.size for population in populations)])
        ends = []
        for cells in (source, target):
            which = np.unique(np.searchsorted(firsts, cells, side="right") - 1)
            if (cells < 0).any() or len(which) > 1:
                raise BrainError(f"{where}: expected synapses from one population to one, all of ScriptNodes")
            ends.append(int(which[0]))
        order = np.lexsort((target, source))
        self._synapses_of[name] = [synapses._datum[i] for i in order]
        pairs = np.stack([source - firsts[ends[0]], target - firsts[ends[1]]], axis=1)[order]
        weight = np.atleast_1d(np.asarray(synapses.get("weight"), dtype=np.float64))[order]
        first, last = (populations[end].name for end in ends)
        return Projection(name, first, last, Explicit(pairs), weight, self.dt_ms)

    def _looks_up_synapses(self) -> bool:
        return True

    # -- the simulator --------------------------------------------------------------------------------

    def _silence(self, level: NDArray[np.int8]) -> None:
        raise SimulatorUnavailable(
            f"{self._script.name}: NEST cannot silence neurons of a script, whose synapses are not described "
            f"here; leave them unconnected in the script"
        )

    def _suppressed_spikes(self) -> NDArray[np.int64]:
        return np.zeros(self._level.shape, dtype=np.int64)

    def _build(self) -> None:
        self._learning = self._schedule = None
        self._interval_steps, self._pending = (), {}
        self._current_pa = np.zeros((1, self.network.n_current_channels))
        self._generators, self._spike_order = self._connected(
            self._nodes.spike_inputs, "spike_generator", RELAYS, "a spike_generator or a parrot_neuron"
        )
        self._drivers, self._current_order = self._connected(
            self._nodes.current_inputs, "dc_generator", (), "a dc_generator or a neuron"
        )
        self._connect_recorder()
        self.backend = (
            f"NEST {nest.__version__}, {self._threads} thread{'s' * (self._threads > 1)}, script "
            f"{self._script.name}, sha256 {self._script.sha256[:16]}"
        )

    def _connected(
        self, inputs: Mapping[str, Any], generator: str, relays: tuple[str, ...], expected: str
    ) -> tuple[Any, NDArray[np.int64]]:
        """Return the generators of all channels, sorted by node, and their places by channel."""
        ids: list[int] = []
        for name, collection in inputs.items():
            models = set(self._models_of(f"input {name!r}", collection))
            if models == {generator}:
                ids += collection.tolist()
                continue
            is_neuron = all(str(nest.GetDefaults(m)["element_type"]) == "neuron" for m in models)
            if not (models <= set(relays) if relays else is_neuron):
                raise BrainError(
                    f"{self._script.name}: input {name!r}: expected {expected} a channel, got "
                    f"{', '.join(sorted(models))}"
                )
            made = nest.Create(generator, len(collection))
            delay = self.dt_ms if generator == "dc_generator" else max(self.dt_ms, nest.min_delay)
            nest.Connect(made, collection, "one_to_one", {"weight": 1.0, "delay": delay})
            ids += made.tolist()
        if not ids:
            return None, np.empty(0, np.int64)
        if len(set(ids)) < len(ids):
            raise BrainError(f"{self._script.name}: a node belongs to two inputs")
        order = np.argsort(np.argsort(ids))  # NEST sorts the nodes of a collection
        return nest.NodeCollection(sorted(ids)), order

    def _recorded(self) -> Any:
        return nest.NodeCollection(np.sort(self._ids))

    def _cells(self, sender: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._cell_of[sender]

    def _node_ids(self, cell: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(self._ids)[cell]

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        channel = stimulus.channel
        if len(channel):
            channel = self._spike_order[channel].astype(np.int32)
        current_pa = stimulus.current_pa
        if current_pa is not None and current_pa.size:
            by_node = np.empty_like(current_pa)
            by_node[:, self._current_order] = current_pa
            current_pa = by_node
        return super()._run(n_steps, dataclasses.replace(stimulus, channel=channel, current_pa=current_pa))

    def _weights(self, projection: str) -> NDArray[np.float64]:
        handles = nest.SynapseCollection(self._synapses_of[projection])
        return np.atleast_1d(np.asarray(handles.get("weight"), dtype=np.float64))[None]

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        nest.SynapseCollection(self._synapses_of[projection]).set(weight=weights[0].tolist())
