"""The contract of plasticity: parameters, bounds, modulator, and the simulators that run a rule."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.plasticity.modulators import FilteredSpikes, Modulator, TDError
from ethospike.brains.network.plasticity.reference import PlasticSynapses, SynapseReference
from ethospike.brains.network.population import Population
from ethospike.errors import BrainError

_Floats = NDArray[np.float64]


class PlasticityRule(ABC):
    """A rule that changes the weights of a projection; a subclass is a frozen dataclass of its parameters.

    The rule's `reference` says in plain Python what happens at each event; simulators compute the same.

    Attributes
    ----------
    name : str
        Name in messages.
    simulators : tuple of str
        Names of the simulators that run the rule.
    modulator : str, Modulator or None
        The third factor: a population, a filtered population, a channel, a TD error, or nothing.
    grid_ms : float or None
        Weights change at multiples of it only; None where they change at events.
    gate : str or None
        Channel of `Stimulus.modulation` with one factor for each cluster of the target population.
    rates : tuple of str
        Parameters of which all must be 0 for weights to stay as they are.
    """

    name: ClassVar[str]
    simulators: ClassVar[tuple[str, ...]]
    rates: ClassVar[tuple[str, ...]] = ()
    modulator: str | Modulator | None
    grid_ms: float | None
    gate: str | None

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest weight."""
        return 0.0, np.inf

    @property
    def modulator_population(self) -> str | None:
        """Name of the population that is heard as modulator, if there is one."""
        match self.modulator:
            case str(name) | FilteredSpikes(population=name) | TDError(critic=name):
                return name
        return None

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the rule's channels in `Stimulus.modulation` that have one value an animal."""
        return () if self.modulator is None or isinstance(self.modulator, str) else self.modulator.channels

    def check(self, where: str, target: Population, weights: _Floats) -> None:
        """Raise `BrainError` unless the rule can change such weights onto such neurons.

        Parameters
        ----------
        where : str
            Begins the message.
        target : Population
        weights : ndarray
            Weights that are given or were drawn.
        """
        low, high = self.bounds
        if low < 0 < high and not target.neuron_model.one_input:
            raise BrainError(
                f"{where}: {self.name} with weights of {low:g} … {high:g} needs a target with one input path "
                f"(iaf_psc_delta, pp_psc_delta); the sign of a weight chooses the receptor of "
                f"{target.neuron_model.name}: set Wmin=0, or Wmax=0 for inhibition"
            )
        if (outside := weights[(weights < low) | (weights > high)]).size:
            wanted = f"weights of at least {low:g}" if high == np.inf else f"weights of {low:g} … {high:g}"
            raise BrainError(f"{where}: a plastic projection needs {wanted}, got {outside[:3].tolist()}")

    def frozen(self) -> Self:
        """Return the rule with rates of 0: weights stay as they are.

        Raises
        ------
        BrainError
            When the rule does not name its rates.
        """
        if not self.rates:
            raise BrainError(f"{self.name}: the rule names no `rates`, which a frozen rule has at 0")
        rule: Any = self  # a dataclass, as all rules are
        frozen: Self = dataclasses.replace(rule, **dict.fromkeys(self.rates, 0.0))
        return frozen

    @abstractmethod
    def reference(self, synapses: PlasticSynapses, dt_ms: float) -> SynapseReference:
        """Return the reference implementation for the synapses of one projection in one animal."""


def check_number(where: str, value: float, low: float, high: float = np.inf, *, above: bool = False) -> None:
    """Raise `BrainError` unless a parameter is a finite number of low … high (above `low` if so asked)."""
    inside = np.isfinite(value) and low <= value <= high and not (above and value == low)
    if not inside:
        bounds = f"> {low:g}" if above else f"≥ {low:g}"
        bounds += "" if high == np.inf else f" and ≤ {high:g}"
        raise BrainError(f"{where}: expected a finite number {bounds}, got {value}")
