"""Reference implementations of plasticity rules: the synapses of one projection in one animal, step by step.

Within a step the order of events is that of the rule; a spike of step s is transmitted with the weight after
the events of step s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.states import State, check_state

NEVER = np.iinfo(np.int64).min // 2
"""The step of a spike that has not happened: so early that its trace is 0."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.integer]
Spikes = tuple[_Ints, _Ints]
"""Steps, sorted, and neurons, counted within their population."""

NO_SPIKES: Spikes = (np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True)
class PlasticSynapses:
    """The synapses of a projection in one animal, as a rule needs them.

    Parameters
    ----------
    source, target : ndarray of int, shape (synapses,)
        Counted within their populations.
    weight : ndarray of float64, shape (synapses,)
    delay_steps : ndarray of int, shape (synapses,)
    n_source, n_target, n_modulator : int
        Sizes of the populations.
    target_clusters : int
        Clusters of the target population, for gates.
    """

    source: _Ints
    target: _Ints
    weight: _Floats
    delay_steps: _Ints
    n_source: int
    n_target: int
    n_modulator: int = 0
    target_clusters: int = 1

    @property
    def group(self) -> NDArray[np.int64]:
        """The cluster of each synapse's target."""
        return np.asarray(self.target, np.int64) // (self.n_target // self.target_clusters)


@dataclass(frozen=True)
class Events:
    """Spikes and modulation of one window in one animal.

    Parameters
    ----------
    first_step, n_steps : int
    source, target, modulator : (steps, neurons)
    modulation : mapping of str to ndarray
        The animal's entries of `Stimulus.modulation`, without the axis of the animals.
    window : (int, int) or None
        First step and number of steps of the window that the modulation was given for, where these events
        are only a part of it.
    """

    first_step: int
    n_steps: int
    source: Spikes = NO_SPIKES
    target: Spikes = NO_SPIKES
    modulator: Spikes = NO_SPIKES
    modulation: Mapping[str, _Floats] = field(default_factory=dict)
    window: tuple[int, int] | None = None

    def counts(self) -> NDArray[np.int64]:
        """Return the modulator's spikes in each step."""
        return np.bincount(self.modulator[0] - self.first_step, minlength=self.n_steps)


class Moment(NamedTuple):
    """The spikes of one step; neurons are counted within their populations."""

    step: int
    source: _Ints
    target: _Ints
    modulator: _Ints


class SynapseReference(ABC):
    """The synapses of one projection in one animal under a rule.

    Subclasses say in `_step` what the events of a step do, and name their state in `_arrays`.

    Parameters
    ----------
    synapses : PlasticSynapses
    dt_ms : float

    Attributes
    ----------
    weight : ndarray of float64, shape (synapses,)
        Read and written in place.
    modulator_values : ndarray of float64, shape (grid points,)
        The modulator at the grid points of the last `apply`; empty for rules without a grid.
    waits : bool
        Something may happen in steps without a spike.
    """

    waits: ClassVar[bool] = False

    def __init__(self, synapses: PlasticSynapses, dt_ms: float) -> None:
        self.synapses, self.dt_ms = synapses, dt_ms
        self.weight = np.array(synapses.weight, dtype=np.float64)
        self.modulator_values = np.empty(0)
        self.of_source = positions(synapses.source)
        self.of_target = positions(synapses.target)

    def apply(self, events: Events) -> _Floats:
        """Process a window and return the weights at its end: the array `weight`."""
        self._begin(events)
        for moment in self._moments(events):
            self._step(moment)
        return self.weight

    def weights_after(self, step: int) -> _Floats:
        """Return a copy of the weights as of the end of a step, at or after the last one applied."""
        return self.weight.copy()

    def set_weights(self, weights: _Floats, step: int) -> None:
        """Replace the weights at the end of a step, the last one applied."""
        self.weight[:] = weights

    def state(self) -> State:
        """Return copies of all that changes, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()` of the same synapses.

        Raises
        ------
        StateError
            When names, shapes or types of the arrays are not those of `state`; then nothing is changed.
        """
        check_state(state, arrays := self._arrays())
        for name, array in arrays.items():
            array[...] = state[name]

    def _begin(self, events: Events) -> None:
        """Prepare for the steps of a window."""

    @abstractmethod
    def _step(self, moment: Moment) -> None:
        """Process the events of one step."""

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that change, themselves."""
        return {"weight": self.weight}

    def _needs(self, events: Events) -> NDArray[np.int64]:
        """Return the steps of a window in which something happens, sorted."""
        steps = [events.source[0], events.target[0], events.modulator[0]]
        return np.unique(np.concatenate(steps)).astype(np.int64)

    def _moments(self, events: Events) -> Iterator[Moment]:
        needed = self._needs(events)
        parts = []
        for steps, neurons in (events.source, events.target, events.modulator):
            edges = np.searchsorted(steps, needed), np.searchsorted(steps, needed, side="right")
            parts.append((neurons, *edges))
        for index, step in enumerate(needed.tolist()):
            yield Moment(step, *(neurons[low[index] : high[index]] for neurons, low, high in parts))


def positions(neurons: _Ints) -> dict[int, NDArray[np.int64]]:
    """Return for each neuron the positions of its synapses."""
    order = np.argsort(neurons, kind="stable")
    different, first = np.unique(np.asarray(neurons)[order], return_index=True)
    if not len(order):
        return {}
    return {int(n): places for n, places in zip(different, np.split(order, first[1:]), strict=True)}
