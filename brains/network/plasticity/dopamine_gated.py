"""Dopamine-gated depression with homeostasis: the rule of the mushroom body.

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

from ethospike.brains.network.plasticity.reference import NEVER, Moment, PlasticSynapses, SynapseReference
from ethospike.brains.network.plasticity.rule import PlasticityRule
from ethospike.errors import BrainError


@dataclass(frozen=True)
class DopamineGated(PlasticityRule):
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

    name = "DopamineGated"
    simulators = ("nest", "numba", "genn")
    rates = ("learning_rate", "homeostasis")
    grid_ms = None
    gate = None

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

    def reference(self, synapses: PlasticSynapses, dt_ms: float) -> SynapseReference:
        """Return the reference implementation for the synapses of one projection in one animal."""
        return DopamineGatedSynapses(self, synapses, dt_ms)


class DopamineGatedSynapses(SynapseReference):
    """The reference. Order within a step: source (eligibility), modulator (depression), target (recovery).

    Examples
    --------
    >>> from ethospike.brains.network.plasticity import Events
    >>> first, weight = np.array([0]), np.array([80.0])
    >>> synapses = PlasticSynapses(first, first, weight, first + 1, n_source=1, n_target=1)
    >>> step_5 = np.array([5]), np.array([0])
    >>> reference = DopamineGated("DAN", learning_rate=0.3).reference(synapses, dt_ms=0.1)
    >>> reference.apply(Events(1, 10, source=step_5, modulator=step_5))
    array([79.7])
    """

    def __init__(self, rule: DopamineGated, synapses: PlasticSynapses, dt_ms: float) -> None:
        super().__init__(synapses, dt_ms)
        self.rule = rule
        self._initial = self.weight.copy()
        self._tau_steps = rule.tau_eligibility_ms / dt_ms
        self.last_spike_step = np.full(len(self.weight), NEVER, dtype=np.int64)

    def _step(self, moment: Moment) -> None:
        none = np.empty(0, dtype=np.int64)
        for neuron in moment.source.tolist():
            self.last_spike_step[self.of_source.get(neuron, none)] = moment.step
        for _ in range(len(moment.modulator)):
            eligibility = np.exp((self.last_spike_step - moment.step) / self._tau_steps)
            np.maximum(self.weight - self.rule.learning_rate * eligibility, 0.0, out=self.weight)
        for neuron in moment.target.tolist():
            synapses = self.of_target.get(neuron, none)
            self.weight[synapses] += (self._initial[synapses] - self.weight[synapses]) * self.rule.homeostasis

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"weight": self.weight, "last_spike_step": self.last_spike_step}
