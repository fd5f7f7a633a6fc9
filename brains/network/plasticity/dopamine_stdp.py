"""Dopamine-modulated STDP: eligibility from pairs of spikes, turned into weight by dopamine.

Equations, names and defaults are those of NEST's `stdp_dopamine_synapse`, after Izhikevich 2007 (Cereb Cortex
17:2443) and Potjans et al. 2010 (Front Comput Neurosci 4:141).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.plasticity.modulators import FilteredSpikes
from ethospike.brains.network.plasticity.pair_stdp import DelayedTargets
from ethospike.brains.network.plasticity.reference import Events, Moment, PlasticSynapses, SynapseReference
from ethospike.brains.network.plasticity.rule import PlasticityRule, check_number
from ethospike.errors import BrainError
from ethospike.states import State

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DopamineSTDP(PlasticityRule):
    """NEST's `stdp_dopamine_synapse`: dw/dt = c (n − b), dc/dt = −c/tau_c.

    A spike of the target adds A_plus K_plus to c, a spike of the source takes A_minus K_minus away. n − b is
    the modulator. The delay is dendritic, as in `PairSTDP`.

    Parameters
    ----------
    modulator : FilteredSpikes
        The dopaminergic population, with NEST's tau_n and b.
    tau_plus, tau_minus : float
        Time constants of the traces of source and target (ms).
    tau_c : float
        Time constant of the eligibility (ms).
    A_plus, A_minus : float
    Wmin, Wmax : float
        Finite bounds of the weights, of one sign. They are applied at events and where weights are read.

    Raises
    ------
    BrainError
        When a number is outside its range.

    Examples
    --------
    >>> DopamineSTDP(FilteredSpikes("DA", tau_n=50.0), tau_c=200.0).modulator_population
    'DA'
    """

    name = "DopamineSTDP"
    simulators = ("nest", "numba", "genn")
    rates = ("A_plus", "A_minus")
    grid_ms = None
    gate = None

    modulator: FilteredSpikes
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    tau_c: float = 1000.0
    A_plus: float = 1.0
    A_minus: float = 1.5
    Wmin: float = 0.0
    Wmax: float = 200.0

    def __post_init__(self) -> None:
        if not isinstance(self.modulator, FilteredSpikes):
            raise BrainError(f"DopamineSTDP.modulator: expected FilteredSpikes, got {self.modulator!r}")
        for key in ("tau_plus", "tau_minus", "tau_c"):
            check_number(f"DopamineSTDP.{key}", getattr(self, key), 0.0, above=True)
        for key in ("A_plus", "A_minus", "Wmin", "Wmax"):
            check_number(f"DopamineSTDP.{key}", getattr(self, key), -np.inf)
        if not self.Wmin < self.Wmax:
            raise BrainError(f"DopamineSTDP.Wmin: expected less than Wmax, got {self.Wmin} and {self.Wmax}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Wmin and Wmax."""
        return self.Wmin, self.Wmax

    def reference(self, synapses: PlasticSynapses, dt_ms: float) -> SynapseReference:
        """Return the reference implementation for the synapses of one projection in one animal."""
        return DopamineSTDPSynapses(self, synapses, dt_ms)

    def n_at(self, n: float | _Floats, minus_ms: NDArray[np.floating]) -> _Floats:
        """Return the dopamine trace −minus_ms after it was n."""
        return np.asarray(n * np.exp(minus_ms / self.modulator.tau_n))

    def advanced(
        self, w: _Floats, c: _Floats, n: _Floats, minus_ms: NDArray[np.floating]
    ) -> tuple[_Floats, _Floats]:
        """Return weight and eligibility −minus_ms after they were w and c, and the dopamine trace n."""
        tau_c, tau_n, b = self.tau_c, self.modulator.tau_n, self.modulator.b
        rates = (tau_c + tau_n) / (tau_c * tau_n)
        gained = n / rates * np.expm1(rates * minus_ms)
        gained = gained - b * tau_c * np.expm1(minus_ms / tau_c)
        return np.clip(w - c * gained, self.Wmin, self.Wmax), c * np.exp(minus_ms / tau_c)


class DopamineSTDPSynapses(DelayedTargets):
    """The reference. Order within a step: dopamine, arriving target spikes, source spikes, then their traces.

    Between events dw/dt = c(t) (n(t) − b) has a closed solution, which is applied at each event of a synapse.
    """

    _lists = ("late", "dopamine")

    def __init__(self, rule: DopamineSTDP, synapses: PlasticSynapses, dt_ms: float) -> None:
        self.tau_plus, self.tau_minus = rule.tau_plus, rule.tau_minus
        super().__init__(synapses, dt_ms)
        self.rule = rule
        self.c = np.zeros(len(self.weight))
        self.c_step = np.zeros(len(self.weight), np.int64)  # weight and c are those of this step
        self.n, self.n_step = np.zeros(1), np.zeros(1, np.int64)
        self._dopamine: dict[int, int] = {}

    def state(self) -> State:
        """Return copies of all that changes, by name; `dopamine` lists step and number of spikes to come."""
        to_come = sorted(self._dopamine.items())
        return {**super().state(), "dopamine": np.array(to_come, np.int64).reshape(-1, 2)}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()` of the same synapses.

        Raises
        ------
        StateError
            When names, shapes or types of the arrays are not those of `state`; then nothing is changed.
        """
        super().set_state(state)
        self._dopamine = {step: count for step, count in np.asarray(state["dopamine"]).tolist()}

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays = {name: getattr(self, name) for name in ("c", "c_step", "n", "n_step")}
        return {**super()._arrays(), **arrays}

    def _begin(self, events: Events) -> None:
        super()._begin(events)
        steps, counts = np.unique(events.modulator[0], return_counts=True)
        self._dopamine |= dict(zip((steps + 1).tolist(), counts.tolist(), strict=True))

    def _needs(self, events: Events) -> NDArray[np.int64]:
        last = events.first_step + events.n_steps - 1
        due = [step for step in self._dopamine if step <= last]
        return np.union1d(super()._needs(events), np.array(due, dtype=np.int64)).astype(np.int64)

    def _step(self, moment: Moment) -> None:
        rule, step = self.rule, moment.step
        if (count := self._dopamine.pop(step, 0)) > 0:
            self._advance(np.arange(len(self.weight)), step)
            n = rule.n_at(self.n, (self.n_step - step) * self.dt_ms)
            self.n = n + count / rule.modulator.tau_n
            self.n_step[:] = step
        arriving, sending = self._arriving(step), self._sending(moment)
        self._advance(arriving, step)
        self.c[arriving] += rule.A_plus * self._k("plus", arriving, step)
        self._advance(sending, step)
        self.c[sending] -= rule.A_minus * self._k("minus", sending, step)
        self._increase("minus", arriving, step)
        self._increase("plus", sending, step)

    def _advance(self, synapses: NDArray[np.int64], step: int) -> None:
        """Bring weight and c of some synapses to a step."""
        self.weight[synapses], self.c[synapses] = self._advanced(synapses, step)
        self.c_step[synapses] = step

    def _advanced(self, synapses: NDArray[np.int64], step: int) -> tuple[_Floats, _Floats]:
        n = self.rule.n_at(self.n, (self.n_step - self.c_step[synapses]) * self.dt_ms)
        return self.rule.advanced(
            self.weight[synapses], self.c[synapses], n, (self.c_step[synapses] - step) * self.dt_ms
        )

    def weights_after(self, step: int) -> _Floats:
        """Return the weights as of the end of a step, at or after the last one applied."""
        return self._advanced(np.arange(len(self.weight)), step)[0]

    def set_weights(self, weights: _Floats, step: int) -> None:
        """Replace the weights at the end of a step, the last one applied; eligibility stays."""
        self._advance(np.arange(len(self.weight)), step)
        self.weight[:] = weights


__all__ = ["DopamineSTDP", "DopamineSTDPSynapses"]
