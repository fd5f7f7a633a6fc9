"""Dopamine-gated plasticity with homeostasis: the rule as data, and its reference implementation.

Source: Jürgensen et al. 2024 (iScience 27:108640), authors' code github.com/nawrotlab/PEcodingDosophilaMB,
model_larva.py (synapses KCMBONp and KCMBONn, reward_modulation, punish_modulation) and parameters.py:

* a KC spike sets the eligibility of its synapses, e = 1, which decays with tau_eligibility;
* a DAN spike depresses, w ← w − learning_rate · e;
* a spike of the target (MBON) lets all its synapses recover, w ← w + (w_init − w) · homeostasis.

Two differences from the authors' code: weights are floored at 0 (there they may become negative), and all
synapses are plastic (there an index slip excludes the last KC).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import BrainError
from ethospike.states import check_state

NEVER = np.iinfo(np.int64).min // 2
"""The step of a spike that has not happened: so early that its eligibility is 0."""


@dataclass(frozen=True)
class DopamineGated:
    """Parameters of the rule; they belong to a `Projection`.

    Parameters
    ----------
    modulator : str
        The population of dopaminergic neurons; each of its spikes depresses all synapses.
    tau_eligibility_ms : float
        Decay of eligibility. The authors' tau_eligibility: 5000 ms.
    learning_rate : float
        Depression per DAN spike at full eligibility, in the unit of the weights. The authors' learning_rate:
        0.3 nS.
    homeostasis : float
        Fraction of the way back to the initial weight per spike of the target. The authors'
        normalization_factor: 1e-4.

    Raises
    ------
    BrainError
        When a number is outside its range.
    """

    modulator: str
    tau_eligibility_ms: float = 5000.0
    learning_rate: float = 0.3
    homeostasis: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 < self.tau_eligibility_ms < np.inf:
            raise BrainError(
                f"DopamineGated.tau_eligibility_ms: expected a finite number > 0, "
                f"got {self.tau_eligibility_ms}"
            )
        if not 0 <= self.learning_rate < np.inf:
            raise BrainError(
                f"DopamineGated.learning_rate: expected a finite number ≥ 0, got {self.learning_rate}"
            )
        if not 0 <= self.homeostasis <= 1:
            raise BrainError(
                f"DopamineGated.homeostasis: expected a fraction in [0, 1], got {self.homeostasis}"
            )


class DopaminePlasticity:
    """The reference: applies the rule to the synapses of one projection in one animal, in time order.

    Within one step the order is: source spikes (eligibility), modulator spikes (depression), target
    spikes (recovery). A spike of step s is transmitted with the weight after the events of step s.

    Parameters
    ----------
    rule : DopamineGated
    source, target : ndarray of int, shape (synapses,)
        Neurons of each synapse, counted within their populations.
    weight : ndarray of float64, shape (synapses,)
        Initial weights, to which the synapses recover.
    dt_ms : float

    Examples
    --------
    >>> rule = DopamineGated("DAN", learning_rate=0.3)
    >>> synapses = DopaminePlasticity(rule, np.array([0]), np.array([0]), np.array([80.0]), dt_ms=0.1)
    >>> none, one = (np.array([], int), np.array([], int)), (np.array([5]), np.array([0]))
    >>> synapses.apply(source_spikes=one, modulator_steps=np.array([5]), target_spikes=none)
    array([79.7])
    """

    def __init__(
        self,
        rule: DopamineGated,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        weight: NDArray[np.float64],
        dt_ms: float,
    ) -> None:
        self.rule = rule
        self._initial = np.array(weight, dtype=np.float64)
        self._tau_steps = rule.tau_eligibility_ms / dt_ms
        self.weight = self._initial.copy()
        self.last_spike_step = np.full(len(self.weight), NEVER, dtype=np.int64)
        self._of_source = _positions(source)
        self._of_target = _positions(target)

    def apply(
        self,
        source_spikes: tuple[NDArray[np.integer], NDArray[np.integer]],
        modulator_steps: NDArray[np.integer],
        target_spikes: tuple[NDArray[np.integer], NDArray[np.integer]],
    ) -> NDArray[np.float64]:
        """Process the spikes of a window and return the new weights.

        Parameters
        ----------
        source_spikes, target_spikes : (steps, neurons)
            Integer arrays of equal length, sorted by step.
        modulator_steps : ndarray of int
            Step of every spike of the modulator population, sorted.

        Returns
        -------
        ndarray of float64, shape (synapses,)
            The weights after the last spike; the same array as `self.weight`.
        """
        events = [(int(s), 0, int(n)) for s, n in zip(*source_spikes, strict=True)]
        events += [(int(s), 1, 0) for s in modulator_steps]
        events += [(int(s), 2, int(n)) for s, n in zip(*target_spikes, strict=True)]
        none = np.empty(0, dtype=np.int64)
        for step, kind, neuron in sorted(events):
            if kind == 0:
                self.last_spike_step[self._of_source.get(neuron, none)] = step
            elif kind == 1:
                eligibility = np.exp((self.last_spike_step - step) / self._tau_steps)
                np.maximum(self.weight - self.rule.learning_rate * eligibility, 0.0, out=self.weight)
            else:
                own = self._of_target.get(neuron, none)
                self.weight[own] += (self._initial[own] - self.weight[own]) * self.rule.homeostasis
        return self.weight

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of all that changes, by name.

        Returns
        -------
        weight : ndarray of float64, shape (synapses,)
        last_spike_step : ndarray of int64, shape (synapses,)
            Step of the last source spike of each synapse; `NEVER` if there was none.
        """
        return {"weight": self.weight.copy(), "last_spike_step": self.last_spike_step.copy()}

    def set_state(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()` of the same synapses.

        Raises
        ------
        BrainError
            When names, shapes or types of the arrays are not those of `state`; then nothing is changed.
        """
        check_state(state, {"weight": self.weight, "last_spike_step": self.last_spike_step})
        self.weight[:] = state["weight"]
        self.last_spike_step[:] = state["last_spike_step"]


def _positions(neurons: NDArray[np.integer]) -> dict[int, NDArray[np.int64]]:
    """Return for each neuron the positions of its synapses."""
    return {int(n): np.flatnonzero(neurons == n) for n in np.unique(neurons)}
