"""The contract of a simulator: stimulus in, spikes out, once per control window.

`Simulator` checks everything that every simulator must check. The conventions of the clock are those of
docs/design.md: step s is the interval (s − 1, s], a window of n steps that begins at t holds the steps
t + 1 … t + n, and animals are blocks that do not interact.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network, Synapses, steps_of_delay
from ethospike.brains.simulator.events import ModulationForms, check_modulation, modulation_forms
from ethospike.brains.simulator.settings import SIMULATORS, Capabilities, SimulatorSettings
from ethospike.brains.simulator.synapses import DrawnSynapses
from ethospike.brains.simulator.window import SpikeBlock, Stimulus, are_below
from ethospike.clock import off_the_grid, whole_number
from ethospike.errors import BrainError, SimulatorUnavailable
from ethospike.states import State, check_state

FREE, CUT, SILENT = 0, 1, 2
"""Levels of a neuron: its spikes leave, are recorded but reach nothing, or do not come about."""


class Simulator(ABC):
    """A network under simulation; a context manager.

    Subclasses implement `_build`, `_run`, `_weights`, `_set_weights` and `_close`, and set `capabilities`
    and `backend`; this class checks all input.

    Parameters
    ----------
    network : Network
    settings : SimulatorSettings
    seed : int
        Of wiring and drawn parameters, keyed by animal (`random_stream`).
    animals : int
        Independent copies: each has its own wiring, parameters, inputs and weights.
    dt_ms : float
        Length of a step.

    Attributes
    ----------
    step : int
        The last step that was simulated; 0 after construction.
    backend : str
        Version, threads and device of the simulator in use; for `run.json`.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def __init__(
        self,
        network: Network,
        settings: SimulatorSettings,
        *,
        seed: int,
        animals: int = 1,
        dt_ms: float = 0.1,
    ) -> None:
        if animals < 1:
            raise BrainError(f"animals: expected at least 1, got {animals}")
        if seed < 0:
            raise BrainError(f"seed: expected at least 0, got {seed}")
        if not (np.isfinite(dt_ms) and dt_ms > 0):
            raise BrainError(f"dt_ms: expected above 0, got {dt_ms}")
        self.network = network
        self.settings = settings
        self.seed = seed
        self.animals = animals
        self.dt_ms = dt_ms
        self.step = 0
        self.backend = self.name
        if network.procedural and not self.capabilities.generates_synapses:
            raise BrainError(
                f"procedural: {self.name} stores every synapse here; use Numba (simulator name 'numba') or "
                f"procedural=False"
            )
        for name, delays_ms in network.delays():
            for delay_ms in off_the_grid(delays_ms, dt_ms)[:1]:
                self.delay_steps(name, float(delay_ms))
        self._check_models()
        self._check_rules()
        self._drawn = DrawnSynapses(network, seed)
        self._level = np.full((animals, network.n_neurons), FREE, dtype=np.int8)
        self._watch_order: tuple[NDArray[np.integer], str] | None = None
        self._copied_voltages: NDArray[np.float64] | None = None  # of the simulator of which this is a copy
        self._closed = False
        self._broken = False
        self._build()
        self._drawn.release()
        _open.add(self)

    # -- the contract -------------------------------------------------------------------------------

    @classmethod
    def runs_batches(cls, settings: SimulatorSettings) -> bool:
        """Return True where parameter sets that share a wiring run faster as one model (`open_batch`)."""
        return False

    def run(self, n_steps: int, stimulus: Stimulus | None = None) -> SpikeBlock:
        """Simulate the next `n_steps` steps, plasticity included, and return the spikes.

        Raises
        ------
        BrainError
            When `n_steps` is below 1, or the stimulus does not fit the window or the network.
        NotFiniteError
            When a potential is no finite number any more; not on NEST, which does not look.
        SimulatorUnavailable
            After `close`, and after a run that an error or an interruption ended (until a state is set).
        """
        self._check_open()
        if not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
            raise BrainError(f"n_steps: expected a whole number of at least 1, got {n_steps!r}")
        stimulus = Stimulus.none() if stimulus is None else stimulus
        self._check_stimulus(int(n_steps), stimulus)
        self._broken = True  # until the window has ended: before, neurons may be ahead of `step`
        self._copied_voltages = None
        spikes = self._run(int(n_steps), stimulus)
        self.step += int(n_steps)
        self._broken = False
        return spikes

    def weights(self, projection: str) -> NDArray[np.float64]:
        """Return a copy of the weights of a projection, shape (animals, synapses).

        The order is that of `Network.wire`: sorted by (source, target), also where pairs were listed in
        another order.

        Raises
        ------
        BrainError
            When the projection is not wired by NumPy, or animals differ in their number of synapses.
        SimulatorUnavailable
            Where `run` raises it.
        """
        self._check_open()
        self._check_has_weights(projection)
        return self._weights(projection)

    def set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        """Replace the weights of a projection, shape (animals, synapses); they act from the next step on.

        The weights to which plastic synapses recover stay those of the network's description, and so does
        the receptor that each synapse reaches: a weight that was described as negative may become anything
        up to 0, any other anything from 0. So a synapse that is to be inhibitory later is described with a
        negative weight and set to 0. On a model with one input path (`NeuronModel.one_input`) signs are
        free. Weights of a plastic projection stay within the bounds of its rule.

        Raises
        ------
        BrainError
            When the shape is wrong, a number is not finite, or a sign is not that of the description; also
            where `weights` raises.
        SimulatorUnavailable
            Where `run` raises it, or when the simulator holds fewer weights than synapses (Numba's engine
            of bits).
        """
        self._check_open()
        expected = self._check_has_weights(projection)
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != expected:
            raise BrainError(f"weights of {projection!r}: expected shape {expected}, got {weights.shape}")
        if not np.isfinite(weights).all():
            raise BrainError(f"weights of {projection!r}: expected finite numbers")
        self._check_bounds(projection, weights)
        if self.network.population(self.network.projection(projection).target).neuron_model.one_input:
            self._set_weights(projection, weights)
            return
        described = [self._drawn.described(projection, animal) for animal in range(self.animals)]
        is_negative = np.stack([synapses.is_negative for synapses in described])
        if (wrong := np.where(is_negative, weights > 0, weights < 0)).any():
            sign = "below" if is_negative[wrong][0] else "not below"
            raise BrainError(
                f"weights of {projection!r}: the sign in the network's description chooses the receptor and "
                f"cannot change; got {weights[wrong][0]} for a synapse described with a weight {sign} 0"
            )
        self._set_weights(projection, weights)

    def n_synapses(self, projection: str, animal: int = 0) -> int:
        """Return the number of synapses of a projection in an animal.

        Raises
        ------
        BrainError
            When the projection is not wired by NumPy.
        """
        self.network.require_known_synapses(projection)
        return self._drawn.described(projection, animal).number

    def silence(
        self, silent: NDArray[Any] | Sequence[int] = (), cut: NDArray[Any] | Sequence[int] = ()
    ) -> None:
        """Keep spikes of some neurons from leaving, from the next step on; replaces an earlier choice.

        A silent neuron fires no spike: at its threshold it is reset, and that is all. A neuron whose outputs
        are cut fires, and its spikes are returned, but they reach no synapse, and no plasticity as spikes of
        a source or a modulator. Spikes that are under way arrive; but on NEST, those of the last shortest
        delay are lost, on GeNN those of cut neurons. Without arguments, all neurons are free again.

        Parameters
        ----------
        silent, cut : mask of bool, shape (animals, neurons), or sequence of int
            A sequence holds neurons counted through an animal, for all animals. A neuron in both is silent.

        Raises
        ------
        BrainError
            When a neuron does not exist, or a mask has another shape.
        SimulatorUnavailable
            When the simulator cannot silence these neurons, or where `run` raises it.
        """
        self._check_open()
        level = np.where(self._mask("cut", cut), CUT, FREE).astype(np.int8)
        level[self._mask("silent", silent)] = SILENT
        if not np.array_equal(level, self._level):
            self._silence(level)
            self._level = level

    def suppressed_spikes(self) -> NDArray[np.int64]:
        """Return the spikes of silent neurons that did not come about so far, shape (animals, neurons)."""
        self._check_open()
        return self._suppressed_spikes()

    def watch(self, neurons: NDArray[np.integer], recordable: str = "V_m") -> None:
        """Record V_m of these neurons (counted through an animal) from now on, in every animal.

        Parameters
        ----------
        neurons : ndarray of int
            An empty one stops recording.
        recordable : str
            The quantity: V_m, or on NEST any that the status of all these neurons has, such as g_ex or w.

        Raises
        ------
        BrainError
            When a neuron or the quantity does not exist.
        SimulatorUnavailable
            When `capabilities.records_voltage` is False, or where `run` raises it.
        """
        if not self.capabilities.records_voltage:
            raise SimulatorUnavailable(f"{self.name} cannot record voltages")
        self._check_open()
        neurons = np.asarray(neurons, dtype=None if len(neurons) else np.int64)
        last = self.network.n_neurons - 1
        if neurons.ndim != 1 or not np.isin(neurons, np.arange(last + 1)).all():
            raise BrainError(f"watch: expected a list of neurons in 0 … {last}, got {neurons}")
        self._watch(neurons, recordable)
        self._watch_order, self._copied_voltages = (neurons, recordable), None

    def voltages(self) -> NDArray[np.float64]:
        """Return V_m at the end of each step of the last window in mV, shape (steps, animals, watched).

        Another quantity, if `watch` named one, in NEST's unit.

        Raises
        ------
        SimulatorUnavailable
            When `capabilities.records_voltage` is False, or where `run` raises it.
        """
        if not self.capabilities.records_voltage:
            raise SimulatorUnavailable(f"{self.name} cannot record voltages")
        self._check_open()
        return self._voltages() if self._copied_voltages is None else self._copied_voltages.copy()

    def modulator_values(self, projection: str) -> NDArray[np.float64]:
        """Return the modulator of a plastic projection at the grid points of the last window.

        Returns
        -------
        ndarray of float64, shape (animals, grid points)
            The TD error, or the integral of the modulator over each grid interval (`ThreeFactor`).

        Raises
        ------
        BrainError
            When the projection has no rule with a grid.
        SimulatorUnavailable
            Where `run` raises it.
        """
        self._check_open()
        rule = self.network.projection(projection).plasticity
        if rule is None or rule.grid_ms is None:
            raise BrainError(
                f"{projection!r}: expected a rule with a grid, such as ThreeFactor, got {rule!r}"
            )
        return self._modulator_values(projection)

    def state(self) -> State:
        """Return copies of all that the next step depends on.

        Raises
        ------
        SimulatorUnavailable
            When `capabilities.restores_state` is False, or where `run` raises it.
        """
        if not self.capabilities.restores_state:
            raise SimulatorUnavailable(
                f"{self.name} cannot save its state; the same seed repeats the run exactly"
            )
        self._check_open()
        return {"step": np.array(self.step), "level": self._level.copy(), **self._state()}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of a simulator built alike.

        After a run that did not end, this makes the simulator usable again.

        Raises
        ------
        StateError
            When names, shapes or types of the arrays are not those of `state`.
        SimulatorUnavailable
            When `capabilities.restores_state` is False, or after `close`.
        """
        if not self.capabilities.restores_state:
            raise SimulatorUnavailable(
                f"{self.name} cannot restore a state; the same seed repeats the run exactly"
            )
        self._check_not_closed()
        kept_here = {"step": np.array(self.step), "level": self._level}
        check_state({name: array for name, array in state.items() if name in kept_here}, kept_here)
        step, level = int(np.asarray(state["step"])), np.array(state["level"], dtype=np.int8)
        others = {name: array for name, array in state.items() if name not in kept_here}
        self._set_state(others, step, level)
        self.step, self._level, self._broken = step, level, False

    def close(self) -> None:
        """Release memory and threads; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            _open.discard(self)
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a simulator that is built alike, in the same state.

        Raises
        ------
        SimulatorUnavailable
            When `capabilities.restores_state` is False, or where `run` raises it.
        """
        if not self.capabilities.restores_state:
            raise SimulatorUnavailable(
                f"a {self.name} simulator can be neither copied nor pickled, because it cannot save its "
                f"state; open another one with the same seed, which repeats the run exactly"
            )
        voltages = None if self._watch_order is None else self.voltages()
        saved = {"state": self.state(), "watched": self._watch_order, "voltages": voltages}
        made = type(self), self.network, self.settings, self.seed, self.animals, self.dt_ms
        return _built, made, saved

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.set_state(saved["state"])
        if saved["watched"] is not None:
            self.watch(*saved["watched"])
        self._copied_voltages = saved["voltages"]

    # -- for subclasses -----------------------------------------------------------------------------

    @abstractmethod
    def _build(self) -> None:
        """Make the network; called once, at the end of construction."""

    @abstractmethod
    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        """Simulate the window self.step + 1 … self.step + n_steps; the stimulus has been checked."""

    @abstractmethod
    def _weights(self, projection: str) -> NDArray[np.float64]: ...

    @abstractmethod
    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...

    def _state(self) -> State:
        """Return copies of all else that the next step depends on; for `capabilities.restores_state`."""
        raise NotImplementedError

    def _set_state(self, state: State, step: int, level: NDArray[np.int8]) -> None:
        """Continue from a `_state` that was saved after `step`, with these levels of neurons."""
        raise NotImplementedError

    def _modulator_values(self, projection: str) -> NDArray[np.float64]:
        """Return the modulator at the grid points of the last window; for simulators with such rules."""
        return np.empty((self.animals, 0))

    def _watch(self, neurons: NDArray[np.integer], recordable: str) -> None:
        """Begin to record; for simulators with `capabilities.records_voltage`."""

    def _voltages(self) -> NDArray[np.float64]:
        """Return what was recorded in the last window."""
        return np.empty((0, self.animals, 0))

    def _check_is_voltage(self, recordable: str) -> None:
        if recordable != "V_m":
            raise BrainError(f"watch: {self.name} records V_m, got {recordable!r}; NEST records others")

    def _silence(self, level: NDArray[np.int8]) -> None:
        """Apply levels `FREE`, `CUT` and `SILENT`, of shape (animals, neurons); `_level` is the old one."""
        raise SimulatorUnavailable(f"{self.name} cannot silence neurons")

    def _suppressed_spikes(self) -> NDArray[np.int64]:
        return np.zeros(self._level.shape, dtype=np.int64)

    def delay_steps(self, name: str, delay_ms: float) -> int:
        """Return a delay as whole steps of at least 1, or raise with both numbers."""
        steps = whole_number(delay_ms, self.dt_ms)
        if steps is None:
            raise BrainError(
                f"{name!r}: a delay of {delay_ms} ms is not a whole number of steps of {self.dt_ms} ms"
            )
        return steps

    def synapse_delay_steps(self, projection: str, animal: int) -> NDArray[np.int64]:
        """Return the delay of each synapse of a projection in an animal, in steps."""
        return steps_of_delay(self._synapses(projection, animal).delay_ms, self.dt_ms)

    # -- checks -------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        """Raise unless the simulator can be used."""
        self._check_not_closed()
        if self._broken:
            remedy = "set a state or " if self.capabilities.restores_state else ""
            raise SimulatorUnavailable(
                f"the last run of this {self.name} simulator did not end, and it is no longer in step; "
                f"{remedy}open a new one"
            )

    def _check_not_closed(self) -> None:
        if self._closed:
            raise SimulatorUnavailable(f"this {self.name} simulator was closed; open a new one")

    def _check_models(self) -> None:
        """Raise `BrainError` where a model has no code for this simulator, if it is one of `SIMULATORS`."""
        for population in self.network.populations:
            model = population.neuron_model
            if self.name in SIMULATORS and self.name not in model.simulators:
                raise BrainError(
                    f"Population {population.name!r}: {self.name} lacks the model {model.name}; simulators "
                    f"that have it: {', '.join(model.simulators) or 'none'}"
                )

    def _check_rules(self) -> None:
        """Raise `BrainError` where this simulator lacks a rule, or a rule's grid does not fit the step."""
        for projection in self.network.plastic_projections:
            rule, where = projection.plasticity, f"Projection {projection.name!r}"
            if rule is None:
                continue
            if self.name in SIMULATORS and self.name not in rule.simulators:
                raise BrainError(
                    f"{where}: {self.name} lacks the rule {rule.name}; simulators that have it: "
                    f"{', '.join(rule.simulators) or 'none'}"
                )
            if rule.grid_ms is not None and whole_number(rule.grid_ms, self.dt_ms) is None:
                raise BrainError(
                    f"{where}: the rule's grid_ms of {rule.grid_ms} ms is not a whole number of steps of "
                    f"{self.dt_ms} ms"
                )

    def _check_bounds(self, projection: str, weights: NDArray[np.float64]) -> None:
        """Raise `BrainError` unless weights are within the bounds of the projection's rule, if it has one."""
        described = self.network.projection(projection)
        if described.plasticity is not None:
            target = self.network.population(described.target)
            described.plasticity.check(f"weights of {projection!r}", target, weights)

    def _mask(self, what: str, neurons: NDArray[Any] | Sequence[int]) -> NDArray[np.bool_]:
        """Return neurons as a mask of shape (animals, neurons)."""
        given, shape = np.asarray(neurons), self._level.shape
        if given.dtype == np.bool_:
            if given.shape != shape:
                raise BrainError(f"silence: expected a mask {what!r} of shape {shape}, got {given.shape}")
            return given
        mask = np.zeros(shape, dtype=np.bool_)
        if given.size:
            if given.ndim != 1 or given.dtype.kind not in "iu" or not np.isin(given, range(shape[1])).all():
                raise BrainError(
                    f"silence: expected a list {what!r} of neurons in 0 … {shape[1] - 1}, got {given}"
                )
            mask[:, given] = True
        return mask

    def _check_has_weights(self, projection: str) -> tuple[int, int]:
        """Return the shape of a projection's weights."""
        counts = {self.n_synapses(projection, animal) for animal in range(self.animals)}
        if len(counts) > 1:
            raise BrainError(f"weights of {projection!r}: the animals differ in their number of synapses")
        return self.animals, counts.pop()

    def _synapses(self, projection: str, animal: int) -> Synapses:
        """Return the synapses of a projection in an animal, kept while the network is made."""
        return self._drawn.keep(projection, animal)

    def _check_stimulus(self, n_steps: int, stimulus: Stimulus) -> None:
        if not self._spikes_fit(n_steps, stimulus):
            if stimulus.trains is not None:
                stimulus.trains.check(self.animals)
            self._check_spikes(n_steps, stimulus)
        if stimulus.current_pa is not None:
            expected = (self.animals, self.network.n_current_channels)
            if stimulus.current_pa.shape != expected:
                raise BrainError(
                    f"stimulus: expected currents of shape {expected}, got {stimulus.current_pa.shape}"
                )
            if not np.isfinite(stimulus.current_pa).all():
                raise BrainError("stimulus: expected finite currents (pA)")
        for name, modulation in (stimulus.modulation or {}).items():
            self._check_modulation(name, np.asarray(modulation), n_steps)

    def _spikes_fit(self, n_steps: int, stimulus: Stimulus) -> bool:
        """Return True if spikes are known to fit the window and the network, without `_check_spikes`."""
        return False

    def _check_spikes(self, n_steps: int, stimulus: Stimulus) -> None:
        """Raise `BrainError` unless spikes fit the window and the network."""
        first, last = self.step + 1, self.step + n_steps
        step, animal, channel = stimulus.step, stimulus.animal, stimulus.channel
        if not (step.ndim == 1 and step.shape == animal.shape == channel.shape):
            raise BrainError(
                f"stimulus: expected step, animal and channel of one length, got "
                f"{step.shape}, {animal.shape}, {channel.shape}"
            )
        if len(step):
            for what, values in (("step", step), ("animal", animal), ("channel", channel)):
                if values.dtype.kind not in "iu":  # else simulators would round, and NaN would pass below
                    raise BrainError(f"stimulus: expected whole numbers as {what}, got {values.dtype}")
            if step[0] < first or step[-1] > last or (step[1:] < step[:-1]).any():
                raise BrainError(
                    f"stimulus: expected sorted steps in the window {first} … {last}, "
                    f"got {step.min()} … {step.max()}"
                )
            for what, values, count in (
                ("animal", animal, self.animals),
                ("channel", channel, self.network.n_spike_channels),
            ):
                if not are_below(count, values):
                    raise BrainError(
                        f"stimulus: {what} {values.min()} … {values.max()} is not in 0 … {count - 1}"
                    )

    def _check_modulation(self, name: str, values: NDArray[np.float64], n_steps: int) -> None:
        """Raise `BrainError` unless a channel exists, and its values fit it and the window."""
        check_modulation(self._modulation_forms, name, values, (self.animals, n_steps))

    @cached_property
    def _modulation_forms(self) -> ModulationForms:
        return modulation_forms(self.network, self.animals)


_open: weakref.WeakSet[Simulator] = weakref.WeakSet()
"""The simulators of this process that were not closed."""


def close_all() -> None:
    """Close all simulators of this process that are open.

    For notebooks: a cell that made a simulator and raised keeps it alive, in the traceback that is shown.
    """
    for simulator in list(_open):
        simulator.close()


def _built(
    kind: type[Simulator],
    network: Network,
    settings: SimulatorSettings,
    seed: int,
    animals: int,
    dt_ms: float,
) -> Simulator:
    """Return a new simulator for a copy."""
    return kind(network, settings, seed=seed, animals=animals, dt_ms=dt_ms)
