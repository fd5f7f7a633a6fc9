"""A general three-factor rule: eligibility from coincidences, a second filter, a gate, a modulator.

The form is that of Frémaux & Gerstner 2016 (Front Neural Circuits 9:85); the order of operations on the grid
is that of Chung & Kozma 2020 (arXiv 2008.13044).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.plasticity.modulators import (
    FilteredSpikes,
    ModulationChannel,
    Modulator,
    ModulatorValues,
    TDError,
)
from ethospike.brains.network.plasticity.reference import Events, Moment, PlasticSynapses, SynapseReference
from ethospike.brains.network.plasticity.rule import PlasticityRule, check_number
from ethospike.errors import BrainError
from ethospike.states import State, check_state


@dataclass(frozen=True)
class ThreeFactor(PlasticityRule):
    """Δw = learning_rate · M · e at every grid point; e is an eligibility, M the modulator.

    A spike of the target adds A_plus times the source's trace to the eligibility z of a synapse; a spike of
    the source takes away A_minus times the target's trace. Spikes of one step are no coincidence: they
    cannot have caused each other. z decays with tau_eligibility_ms. With tau_filter_ms, e = q, where
    tau_filter dq/dt = −q + gate · z; without it, e = gate · z.

    Within a step the order is: at a grid point, weights change with the eligibility as of the step before;
    target spikes; source spikes; at a grid point, the second filter; then the traces of these spikes.

    With a filter, e is that of the grid point before, which a `TDError` is about. Without one, and with a
    grid of several steps, a critic's spikes within an interval raise its value and their own eligibility
    before the same grid point: a chance volley, of size ΔV and Δz, changes weights in proportion to
    ΔV Δz (f − (1 − a) b / (1 − a b)), where f is 1 unless it comes in the last step, and a and b are the
    decays of V and z in an interval. Above 0 it reinforces itself: give a critic the filter, or a grid of
    one step.

    Parameters
    ----------
    modulator : TDError, ModulationChannel or FilteredSpikes
        M is its integral over a grid interval (value × ms), or the TD error itself.
    learning_rate : float
    tau_plus, tau_minus : float
        Decay of the traces of source and target (ms). A spike adds 1.
    A_plus, A_minus : float
        Eligibility of pre-before-post and of post-before-pre coincidences; an A_minus of 0 leaves the latter
        out.
    tau_eligibility_ms : float
    tau_filter_ms : float or None
    gate : str or None
        Channel of `Stimulus.modulation` with one factor for each cluster of the target population, which
        holds for the window; 0 in a window without it. Without a gate the factor is 1.
    Wmin, Wmax : float
        Bounds of the weights; infinite ones are none. Bounds of both signs need a target with one input
        path (`NeuronModel.one_input`).
    grid_ms : float
        A whole number of steps.

    Raises
    ------
    BrainError
        When a number is outside its range.

    Examples
    --------
    >>> error = TDError("critic", value_per_hz=0.002, value_at_rest=-0.2)
    >>> rule = ThreeFactor(error, 0.01, tau_filter_ms=40.0, gate="action", Wmin=-np.inf)
    >>> rule.channels
    ('reward', 'terminal')
    """

    name = "ThreeFactor"
    simulators = ("nest", "numba", "genn")
    rates = ("learning_rate",)

    modulator: Modulator
    learning_rate: float
    tau_plus: float = 20.0
    tau_eligibility_ms: float = 20.0
    tau_filter_ms: float | None = None
    gate: str | None = None
    A_plus: float = 1.0
    A_minus: float = 0.0
    tau_minus: float = 20.0
    Wmin: float = 0.0
    Wmax: float = np.inf
    grid_ms: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.modulator, (FilteredSpikes, ModulationChannel, TDError)):
            raise BrainError(
                f"ThreeFactor.modulator: expected a TDError, a ModulationChannel or FilteredSpikes, got "
                f"{self.modulator!r}"
            )
        taus = {"tau_plus", "tau_minus", "tau_eligibility_ms", "grid_ms"}
        for key in sorted(taus | ({"tau_filter_ms"} if self.tau_filter_ms is not None else set())):
            check_number(f"ThreeFactor.{key}", getattr(self, key), 0.0, above=True)
        for key in ("learning_rate", "A_plus", "A_minus"):
            check_number(f"ThreeFactor.{key}", getattr(self, key), -np.inf)
        if not self.Wmin < self.Wmax:
            raise BrainError(f"ThreeFactor.Wmin: expected less than Wmax, got {self.Wmin} and {self.Wmax}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Wmin and Wmax."""
        return self.Wmin, self.Wmax

    def reference(self, synapses: PlasticSynapses, dt_ms: float) -> SynapseReference:
        """Return the reference implementation for the synapses of one projection in one animal."""
        return ThreeFactorSynapses(self, synapses, dt_ms)


@dataclass(frozen=True)
class GridConstants:
    """Constants of a rule on a grid; simulators use these very numbers."""

    grid_steps: int
    decay_plus: float
    """Of the source's trace in a step."""
    decay_minus: float
    decay_z: float
    """Of the eligibility in a grid interval."""
    z_now: float
    """Factor from the eligibility as stored, of the last grid point, to the step before the next one."""
    lift: NDArray[np.float64]
    """Factor from an increment to the eligibility as stored, by steps since the last grid point, of which the
    last is the next one."""
    decay_q: float
    gain_q: float

    @classmethod
    def of(cls, rule: ThreeFactor, dt_ms: float) -> GridConstants:
        """Return the constants of a rule at a length of the step."""
        steps = max(1, round(rule.grid_ms / dt_ms))
        tau, filter_ms = rule.tau_eligibility_ms, rule.tau_filter_ms
        return cls(
            grid_steps=steps,
            decay_plus=math.exp(-dt_ms / rule.tau_plus),
            decay_minus=math.exp(-dt_ms / rule.tau_minus),
            decay_z=math.exp(-steps * dt_ms / tau),
            z_now=math.exp(-(steps - 1) * dt_ms / tau),
            lift=np.exp(np.arange(steps + 1) * dt_ms / tau),
            decay_q=math.exp(-steps * dt_ms / filter_ms) if filter_ms else 0.0,
            gain_q=steps * dt_ms / filter_ms if filter_ms else 0.0,
        )


class ThreeFactorSynapses(SynapseReference):
    """The reference of the three-factor rule."""

    waits = True

    def __init__(self, rule: ThreeFactor, synapses: PlasticSynapses, dt_ms: float) -> None:
        super().__init__(synapses, dt_ms)
        self.rule, self.k = rule, GridConstants.of(rule, dt_ms)
        self.plus, self.minus = np.zeros(synapses.n_source), np.zeros(synapses.n_target)
        self.z, self.q = np.zeros(len(self.weight)), np.zeros(len(self.weight))
        self._values = ModulatorValues(rule.modulator, max(1, synapses.n_modulator), self.k.grid_steps, dt_ms)
        self._gate = np.ones(len(self.weight))

    def state(self) -> State:
        """Return copies of all that changes, by name; `modulator` is the memory of the modulator."""
        return {**super().state(), "modulator": np.array(self._values.memory)}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()` of the same synapses.

        Raises
        ------
        StateError
            When names, shapes or types of the arrays are not those of `state`; then nothing is changed.
        """
        check_state(state, self.state())
        super().set_state({name: state[name] for name in self._arrays()})
        self._values.memory = np.asarray(state["modulator"], np.float64).tolist()

    def _begin(self, events: Events) -> None:
        self.modulator_values = self._values.values(events)
        self._points = iter(self.modulator_values.tolist())
        if self.rule.gate is not None:
            closed = np.zeros(self.synapses.target_clusters)
            self._gate = events.modulation.get(self.rule.gate, closed)[self.synapses.group]

    def _needs(self, events: Events) -> NDArray[np.int64]:
        return np.arange(events.first_step, events.first_step + events.n_steps)

    def _step(self, moment: Moment) -> None:
        rule, k, offset = self.rule, self.k, moment.step % self.k.grid_steps
        source, target, none = self.synapses.source, self.synapses.target, np.empty(0, np.int64)
        self.plus *= k.decay_plus
        if rule.A_minus:
            self.minus *= k.decay_minus
        is_filtered, lift = rule.tau_filter_ms is not None, k.lift[offset]
        if offset == 0:
            factor = rule.learning_rate * next(self._points)
            self._change(factor * (self.q if is_filtered else (self.z * k.z_now) * self._gate))
            if is_filtered:
                lift = k.lift[k.grid_steps]  # these spikes decay with those before them
            else:
                self.z *= k.decay_z
        for neuron in moment.target.tolist():
            synapses = self.of_target.get(neuron, none)
            self.z[synapses] += (rule.A_plus * lift) * self.plus[source[synapses]]
        if rule.A_minus:
            for neuron in moment.source.tolist():
                synapses = self.of_source.get(neuron, none)
                self.z[synapses] -= (rule.A_minus * lift) * self.minus[target[synapses]]
        if offset == 0 and is_filtered:
            self.z *= k.decay_z
            self.q = self.q * k.decay_q + (k.gain_q * self._gate) * self.z
        self.plus[moment.source] += 1.0
        if rule.A_minus:
            self.minus[moment.target] += 1.0

    def _change(self, change: NDArray[np.float64]) -> None:
        np.clip(self.weight + change, self.rule.Wmin, self.rule.Wmax, out=self.weight)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {name: getattr(self, name) for name in ("weight", "z", "q", "plus", "minus")}
