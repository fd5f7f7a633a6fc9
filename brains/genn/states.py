"""The state on the device: potentials, a look at whether all numbers are finite, and saved states.

Between two steps GeNN holds the variables of neurons, the weights, the spikes of as many steps as the longest
delay has (`srcSpk`), and input that is to arrive later (`denDelay`). Input of the step itself (`outPost`) has
been consumed. GeNN's own generators draw nothing: those of stochastic neurons are among their variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn.exchange import CurrentTable, PendingPlasticity, SpikeTables
from ethospike.brains.genn.library import pygenn
from ethospike.brains.genn.silencing import Silencing
from ethospike.brains.network import Network
from ethospike.brains.simulator.learning import Learning
from ethospike.errors import NotFiniteError, StateError
from ethospike.states import State, check_state, join_states, state_of


def potentials(
    network: Network,
    populations: Mapping[str, Any],
    rest: Mapping[str, NDArray[np.float64]],
    watched: NDArray[np.int64],
    animals: int,
) -> NDArray[np.float64]:
    """Return V_m of the watched neurons now, shape (animals, watched).

    Parameters
    ----------
    network : Network
    populations : mapping of str to pygenn.NeuronGroup
    rest : mapping of str to ndarray
        E_L of the neurons of all animals, to which GeNN's `v` is relative.
    watched : ndarray
        Neurons, counted through an animal.
    animals : int
    """
    values = np.empty((animals, len(watched)))
    for population in network.populations:
        inside = network.neurons(population.name)
        columns = np.flatnonzero((watched >= inside.start) & (watched < inside.stop))
        if len(columns):
            members = watched[columns] - inside.start
            v = populations[population.name].vars["v"]
            v.pull_from_device()
            above = np.asarray(v.view, dtype=np.float64).reshape(animals, -1)[:, members]
            values[:, columns] = above + rest[population.name].reshape(animals, -1)[:, members]
    return values


def check_finite(network: Network, populations: Mapping[str, Any], step: int) -> None:
    """Raise `NotFiniteError` if a potential or a synaptic input is not finite after `step`."""
    for population in network.populations:
        state = populations[population.name].vars
        for name in population.neuron_model.state:
            state[name].pull_from_device()
            finite = np.isfinite(state[name].view)
            if not finite.all():
                animal, neuron = divmod(int(np.argmin(finite)), population.size)
                raise NotFiniteError(
                    f"{name} of neuron {neuron} of {population.name!r} in animal {animal} is no longer "
                    f"finite after step {step}; look for weights or currents that are too large"
                )


class Queue(NamedTuple):
    """An array of GeNN with a slot for each step of a delay: a ring, of which each step moves the pointer.

    GeNN offers no way to set the pointers, but all of them advance by a slot in every step. So a state has
    the slots in the order in which a model that was just loaded would have them.
    """

    array: Any
    slots: int

    def read(self, turned: int) -> NDArray[Any]:
        """Return the slots, shape (slots, values), after the pointer has moved by so many."""
        self.array.pull_from_device()
        return np.roll(np.array(self.array.view).reshape(self.slots, -1), -turned, axis=0)

    def write(self, values: NDArray[Any], turned: int) -> None:
        """Replace the slots by those that `read` has returned."""
        view = self.array.view
        view[...] = np.roll(values, turned, axis=0).reshape(view.shape)
        self.array.push_to_device()


def queues(model: Any) -> Iterator[tuple[str, Queue]]:
    """Yield the arrays that the steps of a loaded model change, weights aside, by name.

    Weights have no order of GeNN's own; a batch of several parameter sets has another layout.
    """
    for name, group in model.neuron_populations.items():
        for variable in group.model.get_vars():
            if variable.access == pygenn.VarAccess.READ_WRITE:
                is_queue = group._is_var_queue_required(variable.name)
                slots = group._num_delay_slots if is_queue else 1
                yield f"{name}/{variable.name}", Queue(group.vars[variable.name], slots)
    for name, group in model.synapse_populations.items():
        # Groups with the same source, or the same target, share arrays, which the first of them has.
        for array, kind, width in (
            ("srcSpkCnt", pygenn.types.Uint32, 1),
            ("srcSpk", pygenn.types.Uint32, group.src.num_neurons),
            ("denDelay", model.precision, group.trg.num_neurons),
        ):
            try:
                shared = group._get_array(array, kind)
            except IndexError:
                continue
            yield f"{name}/{array}", Queue(shared, shared.view.size // width)


def _grows(name: str) -> bool:
    """Return True for entries of a state that hold spikes under way, or weights where they have changed."""
    part, last = name.split("/", 1)[0], name.rsplit("/", 1)[-1]
    spikes = ("step", "animal", "neuron", "late", "dopamine", "late_step", "late_column")
    return part == "weights" or (part in ("pending", "spikes", "learning") and last in spikes)


class Storing(Silencing):
    """The part of the GeNN simulator that saves and restores its state."""

    _model: Any
    _origin: int
    """GeNN's step at which all pointers of queues were as in a model that was just loaded."""
    _spike_tables: SpikeTables
    _current_tables: list[CurrentTable]
    _pending: dict[str, PendingPlasticity]
    _learning: Learning | None

    def _state(self) -> State:
        turned = self._model.timestep - self._origin
        genn = {name: queue.read(turned) for name, queue in queues(self._model)}
        parts: dict[str, Mapping[str, NDArray[Any]]] = {
            "genn": genn,
            "weights": {name: self._changed_weights(name) for name in self._kept_by_genn},
            "pending": join_states({name: pending.state() for name, pending in self._pending.items()}),
            "spikes": self._spike_tables.state(),
            "currents": {str(index): table.state() for index, table in enumerate(self._current_tables)},
            "learning": {} if self._learning is None else self._learning.state(),
        }
        return join_states(parts)

    @property
    def _kept_by_genn(self) -> list[str]:
        """Names of the projections with weights that no rule computes outside GeNN."""
        return [name for name in self._groups if self._learning is None or name not in self._learned]

    def _changed_weights(self, projection: str) -> NDArray[np.float64]:
        """Return the weights of a projection if they may differ from those described, else none."""
        is_described = projection not in self._replaced and projection not in self._pending
        return np.empty(0) if is_described else self._stored(projection)

    def _set_state(self, state: State, step: int, level: NDArray[np.int8]) -> None:
        like = self._state()
        check_state(state, like, any_shape=[name for name in like if _grows(name)])
        self._check_sizes(state_of("weights", state))
        turned = self._model.timestep - self._origin
        for name, queue in queues(self._model):
            queue.write(state[f"genn/{name}"], turned)
        self._model.timestep, self._origin = step, step - turned
        self._spike_tables.set_state(state_of("spikes", state))
        for name, before in state_of("currents", state).items():
            self._current_tables[int(name)].set_state(before)
        if self._learning is not None:
            for projection, sent in self._learning.set_state(state_of("learning", state), step).items():
                self._push(projection, sent)
        for projection in self._kept_by_genn:
            self._restore_weights(projection, np.asarray(state[f"weights/{projection}"], np.float64))
        for projection, pending in self._pending.items():
            pending.set_state(state_of(projection, state_of("pending", state)), step)
            self._forget_before(projection, pending.since_ms)
        if not np.array_equal(level, self._level):
            self._silence(level)
        self._drawn.release()

    def _check_sizes(self, weights: State) -> None:
        """Raise `StateError` unless each projection has all of its weights, or none of those described."""
        for projection, given in weights.items():
            n = sum(self.n_synapses(projection, animal) for animal in range(self.animals))
            if given.shape != (n,) and (given.shape != (0,) or projection in self._pending):
                raise StateError(
                    f"state[{'weights/' + projection!r}]: expected {n} weights, got the shape {given.shape}"
                )

    def _restore_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        """Replace the weights of a projection by changed ones, or by those described if there are none."""
        if not weights.size:
            if projection not in self._replaced:
                return
            drawn = [self._drawn.draw(projection, animal).weight for animal in range(self.animals)]
            weights = np.concatenate(drawn)
            self._replaced.discard(projection)
        elif projection not in self._pending:
            self._replaced.add(projection)
        self._replace(projection, weights)
