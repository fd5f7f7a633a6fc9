"""Spike-timing dependent plasticity of pairs of spikes, additive, multiplicative or in between.

Equations, names and defaults are those of NEST's `stdp_synapse`, after Gütig et al. 2003 (J Neurosci
23:3697). The delay of a synapse is dendritic: a spike of the source is at the synapse at once, a spike of the
target after the delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.plasticity.reference import (
    NEVER,
    Events,
    Moment,
    PlasticSynapses,
    SynapseReference,
)
from ethospike.brains.network.plasticity.rule import PlasticityRule, check_number
from ethospike.errors import BrainError
from ethospike.states import State, check_state

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairSTDP(PlasticityRule):
    """NEST's `stdp_synapse`: all pairs of spikes, with traces of source and target.

    A spike of the target facilitates by lambda (1 − w/Wmax)^mu_plus K_plus, a spike of the source depresses
    by alpha lambda (w/Wmax)^mu_minus K_minus, both in units of Wmax. mu = 0 is additive, mu = 1
    multiplicative. Spikes that are at the synapse in one step do not pair.

    Parameters
    ----------
    tau_plus, tau_minus : float
        Time constants of the traces (ms). On NEST, tau_minus is a parameter of the target's neurons.
    lambda_ : float
        Step size (NEST's `lambda`).
    alpha : float
        Depression relative to facilitation.
    mu_plus, mu_minus : float
    Wmax : float
        Weights lie between 0 and Wmax; a negative one is for inhibitory synapses.

    Raises
    ------
    BrainError
        When a number is outside its range.

    Examples
    --------
    >>> PairSTDP(lambda_=0.005, mu_plus=0.0, mu_minus=0.0, Wmax=60.0).bounds
    (0.0, 60.0)
    """

    name = "PairSTDP"
    simulators = ("nest", "numba", "genn")
    rates = ("lambda_",)
    modulator = None
    grid_ms = None
    gate = None

    tau_plus: float = 20.0
    tau_minus: float = 20.0
    lambda_: float = 0.01
    alpha: float = 1.0
    mu_plus: float = 1.0
    mu_minus: float = 1.0
    Wmax: float = 100.0

    def __post_init__(self) -> None:
        for key in ("tau_plus", "tau_minus"):
            check_number(f"PairSTDP.{key}", getattr(self, key), 0.0, above=True)
        for key in ("mu_plus", "mu_minus"):
            check_number(f"PairSTDP.{key}", getattr(self, key), 0.0)
        for key in ("lambda_", "alpha"):
            check_number(f"PairSTDP.{key}", getattr(self, key), -np.inf)
        if not (np.isfinite(self.Wmax) and self.Wmax != 0):
            raise BrainError(f"PairSTDP.Wmax: expected a finite number other than 0, got {self.Wmax}")

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and Wmax, in order."""
        return min(0.0, self.Wmax), max(0.0, self.Wmax)

    def facilitated(self, weight: _Floats, k_plus: _Floats) -> _Floats:
        """Return weights after a spike of the target, at which the source's trace was `k_plus`."""
        share = weight / self.Wmax
        share = share + self.lambda_ * (1.0 - share) ** self.mu_plus * k_plus
        return np.where(share < 1.0, share * self.Wmax, self.Wmax)

    def depressed(self, weight: _Floats, k_minus: _Floats) -> _Floats:
        """Return weights after a spike of the source, at which the target's trace was `k_minus`."""
        share = weight / self.Wmax
        share = share - self.alpha * self.lambda_ * share**self.mu_minus * k_minus
        return np.where(share > 0.0, share * self.Wmax, 0.0)

    def reference(self, synapses: PlasticSynapses, dt_ms: float) -> SynapseReference:
        """Return the reference implementation for the synapses of one projection in one animal."""
        return PairSTDPSynapses(self, synapses, dt_ms)


class DelayedTargets(SynapseReference):
    """Synapses at which the target's spikes arrive after the synapse's delay: the base of STDP rules.

    `plus` and `minus` are the traces of source and target at each synapse, as of `plus_step`, `minus_step`.
    """

    waits = True
    tau_plus: float
    tau_minus: float
    _lists: tuple[str, ...] = ("late",)
    """Entries of a state that grow and shrink."""

    def __init__(self, synapses: PlasticSynapses, dt_ms: float) -> None:
        super().__init__(synapses, dt_ms)
        n = len(self.weight)
        self.plus, self.minus = np.zeros(n), np.zeros(n)
        self.plus_step, self.minus_step = np.full(n, NEVER, np.int64), np.full(n, NEVER, np.int64)
        self._delays = np.unique(np.asarray(synapses.delay_steps, dtype=np.int64))
        self._late: dict[int, list[NDArray[np.int64]]] = {}

    def state(self) -> State:
        """Return copies of all that changes; `late` lists step and synapse of spikes on their way."""
        late = [
            (step, synapse) for step, parts in sorted(self._late.items()) for synapse in np.concatenate(parts)
        ]
        return {**super().state(), "late": np.array(late, np.int64).reshape(-1, 2)}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()` of the same synapses.

        Raises
        ------
        StateError
            When names, shapes or types of the arrays are not those of `state`; then nothing is changed.
        """
        check_state(state, self.state(), any_shape=self._lists)
        super().set_state({name: state[name] for name in self._arrays()})
        self._late = {}
        for step, synapse in np.asarray(state["late"], np.int64).tolist():
            self._late.setdefault(step, []).append(np.array([synapse]))

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        names = ("plus", "minus", "plus_step", "minus_step")
        return {**super()._arrays(), **{name: getattr(self, name) for name in names}}

    def _begin(self, events: Events) -> None:
        """Note the synapses that the target spikes of a window reach, by step."""
        for step, neuron in zip(*(part.tolist() for part in events.target), strict=True):
            synapses = self.of_target.get(neuron, np.empty(0, np.int64))
            delays = self.synapses.delay_steps[synapses]
            for delay in np.unique(delays).tolist():
                self._late.setdefault(step + delay, []).append(synapses[delays == delay])

    def _needs(self, events: Events) -> NDArray[np.int64]:
        last = events.first_step + events.n_steps - 1
        due = [step for step in self._late if step <= last]
        return np.union1d(super()._needs(events), np.array(due, dtype=np.int64)).astype(np.int64)

    def _arriving(self, step: int) -> NDArray[np.int64]:
        """Return the synapses that a target's spike reaches in a step."""
        return np.concatenate([np.empty(0, np.int64), *self._late.pop(step, [])])

    def _sending(self, moment: Moment) -> NDArray[np.int64]:
        """Return the synapses of the sources that fire in a step."""
        none = np.empty(0, np.int64)
        return np.concatenate([none, *(self.of_source.get(n, none) for n in moment.source.tolist())])

    def _k(self, name: str, synapses: NDArray[np.int64], step: int) -> NDArray[np.float64]:
        """Return a trace ("plus" or "minus") of some synapses in a step, before its spikes."""
        value, since = getattr(self, name)[synapses], getattr(self, f"{name}_step")[synapses]
        decayed: NDArray[np.float64] = value * np.exp(
            (since - step) * self.dt_ms / getattr(self, f"tau_{name}")
        )
        return decayed

    def _increase(self, name: str, synapses: NDArray[np.int64], step: int) -> None:
        getattr(self, name)[synapses] = self._k(name, synapses, step) + 1.0
        getattr(self, f"{name}_step")[synapses] = step


class PairSTDPSynapses(DelayedTargets):
    """The reference. Order within a step: arriving target spikes, source spikes, then their traces."""

    def __init__(self, rule: PairSTDP, synapses: PlasticSynapses, dt_ms: float) -> None:
        self.tau_plus, self.tau_minus = rule.tau_plus, rule.tau_minus
        super().__init__(synapses, dt_ms)
        self.rule = rule

    def _step(self, moment: Moment) -> None:
        rule, step = self.rule, moment.step
        arriving, sending = self._arriving(step), self._sending(moment)
        k_plus, k_minus = self._k("plus", arriving, step), self._k("minus", sending, step)
        self.weight[arriving] = rule.facilitated(self.weight[arriving], k_plus)
        self.weight[sending] = rule.depressed(self.weight[sending], k_minus)
        self._increase("minus", arriving, step)
        self._increase("plus", sending, step)
