"""The simulator of a PyGeNN script: tables of input and a record of spikes around somebody else's model."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn import models as genn_models
from ethospike.brains.genn.exchange import CurrentTable, SpikeRecord, SpikeTables
from ethospike.brains.genn.library import BACKENDS, VERSION, choose_backend, load, pygenn
from ethospike.brains.genn.script import GennGroups, GennScript
from ethospike.brains.network import Population
from ethospike.brains.simulator import Capabilities, Simulator, SimulatorSettings, SpikeBlock, Stimulus
from ethospike.brains.simulator.scripts import ScriptModel, ScriptNetwork
from ethospike.errors import BrainError

TABLE_STEPS = 1000
"""Steps between two exchanges; a window of 100 ms fits."""
RELAY = pygenn.create_neuron_model(
    "ethospike_relay", threshold_condition_code="Isyn > 0.5", sim_code="", reset_code=""
)
"""A neuron that fires in each step in which its channel has a spike."""


def add_relays(model: Any, name: str, size: int) -> Any:
    """Add a population whose neurons repeat input spikes, a channel each, and return it.

    Several spikes of a channel in one step are repeated as one.

    Parameters
    ----------
    model : GeNNModel
    name : str
        Of the population in the model: letters, digits and underscores.
    size : int
    """
    return model.add_neuron_population(name, size, RELAY)


class GennScriptSimulator(Simulator):
    """A script on GeNN; see `GennScript`.

    Parameters
    ----------
    script : GennScript
    settings : SimulatorSettings
    seed : int
        Of the model's random generators.
    dt_ms : float

    Raises
    ------
    BrainError
        When the script changes step or seed, loads the model, or names populations that do not fit.
    """

    name: ClassVar[str] = "genn"
    capabilities: ClassVar[Capabilities] = Capabilities()

    def __init__(self, script: GennScript, settings: SimulatorSettings, *, seed: int, dt_ms: float) -> None:
        self._script = script
        self._dtype = np.float32 if settings.precision == "single" else np.float64
        chosen = choose_backend(settings.genn_backend)
        self._model = pygenn.GeNNModel(
            "float" if settings.precision == "single" else "double",
            "script",
            backend=BACKENDS[chosen],
            time_precision="double",
            optimize_code=chosen == "cpu",
        )
        self._model.dt, self._model.seed = dt_ms, 1 + seed % (2**32 - 1)  # 0 draws a seed
        self._groups = self._call()
        network = self._describe(dt_ms)
        super().__init__(network, settings, seed=seed, dt_ms=dt_ms)
        self.backend = (
            f"genn {VERSION}, {chosen} backend, {settings.precision} precision, script {script.name}, "
            f"sha256 {script.sha256[:16]}"
        )

    def _call(self) -> GennGroups:
        where, kept = self._script.name, (self._model.dt, self._model.seed)
        try:
            groups = self._script(self._model)
        except RuntimeError as error:
            raise BrainError(f"{where}: GeNN refuses a call of the script: {error}") from error
        if (self._model.dt, self._model.seed) != kept:
            raise BrainError(f"{where}: the script sets dt or seed; leave them to the run (dt_ms, seed)")
        if getattr(self._model, "_loaded", False) or getattr(self._model, "_built", False):
            raise BrainError(f"{where}: the script builds or loads the model; leave both to the run")
        if not isinstance(groups, GennGroups):
            raise BrainError(
                f"{where}: expected the script to return GennGroups, got {type(groups).__name__}"
            )
        return groups

    def _describe(self, dt_ms: float) -> ScriptNetwork:
        """Check the groups that the script names, and describe them."""
        where, groups = self._script.name, self._groups
        if not groups.populations:
            raise BrainError(f"{where}: expected at least one population in GennGroups")
        there = list(self._model.neuron_populations.values())
        for kind in ("populations", "spike_inputs", "current_inputs"):
            for name, group in getattr(groups, kind).items():
                if not any(group is population for population in there):
                    raise BrainError(
                        f"{where}: {kind} {name!r}: expected a population of the model, got {group!r}"
                    )
        for name, group in groups.spike_inputs.items():
            if group.model is not RELAY and type(group.model) is not type(RELAY):
                raise BrainError(f"{where}: spike_inputs {name!r}: expected a population of add_relays")
        return ScriptNetwork(
            tuple(
                Population(name, group.num_neurons, ScriptModel(type(group.model).__name__, self.name))
                for name, group in groups.populations.items()
            ),
            (),
            {name: group.num_neurons for name, group in groups.spike_inputs.items()},
            {name: group.num_neurons for name, group in groups.current_inputs.items()},
            dt_ms,
            self._script.source,
        )

    def _build(self) -> None:
        groups = self._groups
        for group in groups.populations.values():
            group.spike_recording_enabled = True
        sources = [
            self._source(genn_models.SPIKE_INPUT[False], group, {"weight": 1.0, "n_rows": float(TABLE_STEPS)})
            for group in groups.spike_inputs.values()
        ]
        sizes = [group.num_neurons for group in groups.spike_inputs.values()]
        # A spike of step s reaches the relay in step s, and its synapses take it on as any other spike.
        self._spike_tables = SpikeTables(sources, [0] * len(sizes), sizes, 1, TABLE_STEPS)
        self._current_tables = [
            CurrentTable(self._source(genn_models.CURRENT_INPUT, group, {}), group.num_neurons, self._dtype)
            for group in groups.current_inputs.values()
        ]
        load(self._model, TABLE_STEPS)
        self._record = SpikeRecord(
            list(groups.populations.values()),
            [group.num_neurons for group in groups.populations.values()],
            TABLE_STEPS,
        )

    def _source(self, model: Any, group: Any, params: dict[str, float]) -> Any:
        n = group.num_neurons
        source = self._model.add_current_source(
            f"ethospike_{len(self._model.current_sources)}",
            model,
            group,
            {**params, "n_columns": n},
            {"column": np.arange(n)},
        )
        for name in (*params, "n_columns"):
            source.set_param_dynamic(name)
        return source

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        current = stimulus.current_pa
        if current is None:
            current = np.zeros((1, self.network.n_current_channels))
        parts, done, end = [], self.step, self.step + n_steps
        while done < end:
            n = min(TABLE_STEPS, end - done)
            sent = slice(*np.searchsorted(stimulus.step, [done, done + n], side="right"))
            self._spike_tables.write(
                done, n, Stimulus(stimulus.step[sent], stimulus.animal[sent], stimulus.channel[sent])
            )
            for given, table in zip(self.network.current_inputs, self._current_tables, strict=True):
                table.write(
                    done, n, self.dt_ms, current[:, self.network.current_channels(given.name)].ravel()
                )
            for _ in range(n):
                self._model.step_time()
            self._model.pull_recording_buffers_from_device()
            parts.append(self._record.read(done, n))
            done += n
        step, animal, neuron = (np.concatenate(values) for values in zip(*parts, strict=True))
        return SpikeBlock.sorted(step, animal, neuron)

    def _weights(self, projection: str) -> NDArray[np.float64]:
        raise AssertionError("a PyGeNN script names no weights")

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        raise AssertionError("a PyGeNN script names no weights")

    def _close(self) -> None:
        del self._record
        self._model.unload()
        del self._model
