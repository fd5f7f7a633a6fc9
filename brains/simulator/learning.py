"""Plastic weights outside a simulator: reference rules, applied to recorded spikes at intervals.

The rules run in Python; the simulator is told the weights that have changed. Where weights change on a grid,
and the simulator stops at each grid point, this is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Events, Network, Projection, SynapseReference
from ethospike.brains.simulator.synapses import Draw
from ethospike.states import State, join_states, state_of

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

OF_TARGET = 2
"""Part of a target neuron in a plastic projection; 0 is that of a source, 1 that of a modulator."""


class Learning:
    """The plastic synapses of all animals: hears spikes, learns from them on demand, and tells the simulator.

    Parameters
    ----------
    network : Network
    draw : callable
        Gives the synapses of a projection in an animal.
    animals : int
    dt_ms : float
    projections : sequence of Projection
        Those whose rules run here.
    weight : dict of ndarray of float64, shape (animals * synapses,)
        Of each projection, in the order of `Network.wire`, animal by animal: read and written in place.
    transmit : (projection, indices of synapses) -> None
        Tells the simulator these weights.
    intervals : sequence of int
        Steps; the simulator stops at their multiples, where it is told.
    """

    def __init__(
        self,
        network: Network,
        draw: Draw,
        animals: int,
        dt_ms: float,
        projections: list[Projection],
        weight: dict[str, _Floats],
        transmit: Callable[[str, NDArray[np.integer]], None],
        intervals: Sequence[int],
    ) -> None:
        self._weight = weight
        self._transmit, self._intervals = transmit, intervals
        self._sent: dict[str, _Floats] = {}
        self._references: dict[tuple[str, int], SynapseReference] = {}
        self._waiting: list[tuple[str, int]] = []
        # For each neuron of an animal: in which projections it is source (0), modulator (1) or target (2),
        # and its number in that population. Such spikes are few, and lists cost less than masks.
        self._parts: list[list[tuple[str, int, int]]] = [[] for _ in range(network.n_neurons)]
        for projection in projections:
            rule = projection.plasticity
            if rule is None:
                raise TypeError(f"{projection.name!r} is not plastic")
            roles = projection.source, rule.modulator_population, projection.target
            for part, population in enumerate(roles):
                for number, neuron in enumerate(_neurons(network, population)):
                    self._parts[neuron].append((projection.name, part, number))
            values, start = weight[projection.name], 0
            for animal in range(animals):
                reference = network.reference_of(projection.name, draw(projection.name, animal), dt_ms)
                # One array, so that weights that are set reach the rule.
                stop = start + len(reference.weight)
                reference.weight, start = values[start:stop], stop
                self._references[projection.name, animal] = reference
                if reference.waits:
                    self._waiting.append((projection.name, animal))
            self._sent[projection.name] = values.copy()
        self._concerned = np.tile([len(parts) > 0 for parts in self._parts], animals)
        self._heard: list[tuple[_Ints, _Ints, NDArray[np.bool_]]] = []
        self._learned = self._until = 0
        self._window = (1, 0)
        self._values: dict[tuple[str, int], list[_Floats]] = {key: [np.empty(0)] for key in self._references}
        self._modulation: Mapping[str, _Floats] = {}

    def next_stop(self, now: int) -> int:
        """Return the next step at whose end the simulator is to be told."""
        return min((now // steps + 1) * steps for steps in self._intervals)

    def begin_window(self, first_step: int, n_steps: int, modulation: Mapping[str, _Floats] | None) -> None:
        """Take the modulation of the next window."""
        if self._waiting:
            self.learn()
        self._window, self._modulation = (first_step, n_steps), modulation or {}
        self._values = {key: [np.empty(0)] for key in self._references}

    def listen(self, step: _Ints, cell: _Ints, until: int, cut: NDArray[np.bool_] | None = None) -> None:
        """Take notice of the next spikes, up to a step; `cell` counts neurons through all animals.

        Those of `cut` cells count as spikes of a target alone: their outputs are cut. At a stop the simulator
        is told the weights.
        """
        self._until = until
        if len(step):
            is_cut = np.zeros(len(cell), dtype=np.bool_) if cut is None else cut[cell]
            self._heard.append((step, cell, is_cut))
        if any(until % steps == 0 for steps in self._intervals):
            self.transmit()

    def learn(self) -> None:
        """Apply the rules to all that was heard: for many windows at once it costs as much as for one."""
        if self._until == self._learned:
            return
        events = self._events()
        for key in dict.fromkeys((*self._waiting, *events)):
            source, modulator, target = (
                np.array(of_part, dtype=np.int64).reshape(-1, 2).T
                for of_part in events.get(key, ([], [], []))
            )
            happened = Events(
                self._learned + 1,
                self._until - self._learned,
                source=(source[0], source[1]),
                target=(target[0], target[1]),
                modulator=(modulator[0], modulator[1]),
                modulation={name: np.asarray(values)[key[1]] for name, values in self._modulation.items()},
                window=self._window,
            )
            self._references[key].apply(happened)
            self._values[key].append(self._references[key].modulator_values)
        self._learned = self._until

    def _events(self) -> dict[tuple[str, int], tuple[list[tuple[int, int]], ...]]:
        """Return what was heard by projection and animal: (step, number) of sources, modulators, targets."""
        events: dict[tuple[str, int], tuple[list[tuple[int, int]], ...]] = {}
        if not self._heard:
            return events
        step, cell, is_cut = map(np.concatenate, zip(*self._heard, strict=True))
        self._heard = []
        concerned = np.flatnonzero(self._concerned[cell])
        concerned = concerned[np.argsort(step[concerned], kind="stable")]
        heard = (array[concerned].tolist() for array in (step, cell, is_cut))
        for when, which, reaches_none in zip(*heard, strict=True):
            animal, neuron = divmod(which, len(self._parts))
            for projection, part, number in self._parts[neuron]:
                if reaches_none and part != OF_TARGET:
                    continue
                events.setdefault((projection, animal), ([], [], []))[part].append((when, number))
        return events

    def set_weights(self, projection: str, weights: _Floats) -> None:
        """Replace the weights of a projection, shape (animals, synapses); the simulator is told by others."""
        self.learn()
        for animal, given in enumerate(weights):
            self._references[projection, animal].set_weights(given, self._until)
        self._sent[projection][:] = weights.ravel()

    def modulator_values(self, projection: str, animals: int) -> _Floats:
        """Return the modulator of a projection at the grid points of the window, (animals, points)."""
        self.learn()
        return np.stack([np.concatenate(self._values[projection, a]) for a in range(animals)])

    def weights(self, projection: str, animals: int) -> _Floats:
        """Return the weights of a projection as of the last step that was heard, (animals, synapses)."""
        self.learn()
        return np.stack([self._references[projection, a].weights_after(self._until) for a in range(animals)])

    def state(self) -> State:
        """Return the states of all rules, after what was heard, and the weights that were transmitted."""
        self.learn()
        rules = {f"{name}/{animal}": rule.state() for (name, animal), rule in self._references.items()}
        sent = {name: weights.copy() for name, weights in self._sent.items()}
        return join_states({"rules": join_states(rules), "sent": sent})

    def set_state(self, state: State, step: int) -> dict[str, _Floats]:
        """Continue from a `state()` that was saved after `step`; return the weights that were transmitted.

        Raises
        ------
        StateError
            When names, shapes or types of a rule's arrays are not those of `state`.
        """
        rules = state_of("rules", state)
        for (name, animal), rule in self._references.items():
            rule.set_state(state_of(f"{name}/{animal}", rules))
        self._sent = {
            name: np.array(weights, np.float64) for name, weights in state_of("sent", state).items()
        }
        self._heard, self._learned, self._until = [], step, step
        self._values = {key: [np.empty(0)] for key in self._references}
        return self._sent

    def transmit(self) -> None:
        """Learn, and tell the simulator the weights that have changed since it was last told."""
        self.learn()
        for projection, sent in self._sent.items():
            weight = self._weight[projection]
            changed = np.flatnonzero(weight != sent)
            if len(changed):
                self._transmit(projection, changed)
                sent[changed] = weight[changed]


def _neurons(network: Network, population: str | None) -> range:
    """Return the neurons of a population, counted through an animal; none without a population."""
    return range(0) if population is None else range(network.n_neurons)[network.neurons(population)]
