"""The engine of lists of the Numba simulator: any network that NumPy wires, lists of synapses, all models.

The equations, and why the layout is as it is, are in `blocks.py`. Everything that differs between
networks is data, so that a network of other sizes, parameters or seed compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ethospike.brains.held import Held
from ethospike.brains.network import (
    NEVER,
    CurrentInput,
    DopamineGated,
    Network,
    Projection,
    SpikeInput,
    steps_of_delay,
)
from ethospike.brains.numba.blocks import INBOX, INBOX_START, LANES, ROWS, STATE_ROWS, STRIDE
from ethospike.brains.numba.cells import neuron_blocks, not_finite_error, slots_of
from ethospike.brains.numba.lists import spike_order
from ethospike.brains.numba.lists.dopamine_gated import Plastic
from ethospike.brains.numba.lists.entry import run_animals
from ethospike.brains.numba.lists.layout import Circuit, Output, Window
from ethospike.brains.numba.lists.plasticity import Lessons, is_taught
from ethospike.brains.numba.lists.plasticity_kernels import Lesson
from ethospike.brains.numba.lists.stepped_models import stepped_neurons
from ethospike.brains.numba.placement import aligned, plain
from ethospike.brains.numba.roles import MODULATOR, TARGET
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.brains.simulator.synapses import Draw, DrawnSynapses
from ethospike.brains.threads import share
from ethospike.errors import BrainError
from ethospike.states import State, check_state

SPIKES_HELD = 2**23
"""Longest list of spikes that is made room for: longer windows run in pieces in which each neuron of each
animal could fire as often as its refractory period allows. Memory that is not written to costs nothing."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class ListsEngine:
    """A network as padded blocks of neurons and lists of synapses; see `Engine` for the interface.

    Raises
    ------
    BrainError
        When a refractory period is not a whole number of steps, or V_reset is not below V_th.
    """

    def __init__(
        self,
        network: Network,
        *,
        seed: int,
        animals: int,
        dt_ms: float,
        precision: str,
        threads: int,
        draw: Draw | None = None,
    ) -> None:
        self._network, self._animals, self._dt_ms = network, animals, dt_ms
        self._draw = draw or DrawnSynapses(network, seed).draw
        self._threads = min(threads, animals)
        # Neighbors in memory are not for two threads at a time: a core that reads ahead takes the lines that
        # the other one is writing, and both run at two thirds of their speed.
        self._order = np.argsort(np.arange(animals) % -(-animals // self._threads), kind="stable")
        self._real = np.dtype(np.float32 if precision == "single" else np.float64)
        self.backend = (
            f"numba {numba.__version__}, lists, {self._threads} thread{'s' * (self._threads > 1)}, "
            f"{precision} precision"
        )
        self._slot, conductance = slots_of(network)
        self._slots = len(conductance) * LANES
        self._neuron_of_slot = np.full(self._slots, -1, dtype=np.int32)
        self._neuron_of_slot[self._slot] = np.arange(network.n_neurons)

        cells = aligned((animals, len(conductance), len(ROWS), LANES), self._real)
        self._scale = np.ones((animals, len(conductance) * STRIDE))
        for animal in range(animals):
            cells[animal], scale = neuron_blocks(
                network, seed, animal, dt_ms, self._slot, self._slots, runs_steps=True
            )
            self._scale[animal] = scale.ravel()
        t_ref = cells[:, :, ROWS.index("t_ref")].reshape(animals, -1)[:, self._slot]
        self._stepped = stepped_neurons(network, seed, animals, dt_ms, self._slot, self._slots)
        # Steps in which no neuron fires twice; models with a step of their own may fire in every one.
        self._rest = 1 if self._stepped.code else max(1, int(t_ref.min(initial=np.inf)))
        e_l = cells[:, :, ROWS.index("e_l")].reshape(animals, -1)
        cells[:, :, ROWS.index("e_l")] = (e_l + self._stepped.e_l).reshape(animals, -1, LANES)
        self._places: dict[str, list[_Ints]] = {}
        self._circuit = self._connect(cells, conductance)
        self._refresh_effects()
        self._plastic = self._plasticity()
        stepped = self._stepped.arrays if self._stepped.code else None
        self._held = Held((self._circuit, self._plastic, stepped))
        self._lessons = None
        if any(is_taught(projection) for projection in network.projections):
            self._lessons = Lessons(
                network, self._draw, animals, dt_ms, self._slot, self._slots, self._places, self._scales()
            )
        self._step = 0
        self._watched = np.empty(0, dtype=np.int64)
        self._voltages = np.empty((0, animals, 0))
        self._room = np.empty((animals, 0), dtype=np.int64), np.empty((animals, 0), dtype=np.int32)
        self._counts = np.empty(animals, dtype=np.int64), np.empty(animals, dtype=np.bool_)
        self._no_current = np.zeros((animals, network.n_current_channels))

    # -- the interface ------------------------------------------------------------------------------

    def run(self, first_step: int, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        """Simulate a window; see `Engine.run`."""
        lesson = None
        if self._lessons is not None:
            lesson = self._lessons.lesson(first_step, n_steps, stimulus.modulation)
        self._step = first_step + n_steps - 1
        longest = max(1, SPIKES_HELD // (self._animals * self._slots) * self._rest)
        if n_steps <= longest:
            spikes, self._voltages = self._piece(first_step, n_steps, stimulus, lesson)
            return spikes
        pieces = []
        for first in range(first_step, first_step + n_steps, longest):
            last = min(first + longest, first_step + n_steps) - 1
            begin, end = np.searchsorted(stimulus.step, [first, last + 1])
            part = Stimulus(
                stimulus.step[begin:end],
                stimulus.animal[begin:end],
                stimulus.channel[begin:end],
                stimulus.current_pa,
            )
            pieces.append(self._piece(first, last - first + 1, part, lesson))
        self._voltages = np.concatenate([voltages for _, voltages in pieces])
        return SpikeBlock.joined(spikes for spikes, _ in pieces)

    def weights(self, name: str) -> _Floats:
        """Return a copy of the weights, shape (animals, synapses)."""
        if self._lessons is not None and is_taught(self._network.projection(name)):
            return self._lessons.weights(name, self._step)
        return np.stack([self._circuit.weight[places] for places in self._places[name]])

    def set_weights(self, name: str, weights: _Floats) -> None:
        """Replace a projection's weights."""
        for places, given in zip(self._places[name], weights, strict=True):
            self._circuit.weight[places] = given
        self._refresh_effects()
        if self._lessons is not None and is_taught(self._network.projection(name)):
            self._lessons.set_weights(name, weights, self._step)

    def modulator_values(self, name: str) -> _Floats:
        """Return the modulator of a projection at the grid points of the last window, (animals, points)."""
        if self._lessons is None:
            raise BrainError(f"{name!r} has no modulator with values on a grid")
        return self._lessons.modulator_values(name)

    def silence(self, level: NDArray[np.int8]) -> None:
        """Apply levels of the neurons, shape (animals, neurons)."""
        self._circuit.level[:, self._slot] = level

    def suppressed_spikes(self) -> _Ints:
        """Return the spikes of silent neurons that did not come about, shape (animals, neurons)."""
        return self._circuit.suppressed[:, self._slot]

    def state(self) -> State:
        """Return copies of all that the next step depends on, except the step's number."""
        return {name: array.copy() for name, array in self._changing().items()}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()`."""
        changing = self._changing()
        check_state(state, changing)
        for name, array in changing.items():
            array[...] = state[name]
        self._refresh_effects()

    def watch(self, neurons: NDArray[np.integer]) -> None:
        """Record V_m of these neurons of every animal from the next window on."""
        self._watched = self._slot[np.asarray(neurons, dtype=np.int64)]
        self._voltages = np.empty((0, self._animals, len(self._watched)))

    def voltages(self) -> _Floats:
        """Return V_m (mV) at the end of each step of the last window, shape (steps, animals, watched)."""
        return self._voltages.copy()

    def close(self) -> None:
        """Give back memory."""
        del (
            self._held,
            self._circuit,
            self._plastic,
            self._stepped,
            self._room,
            self._counts,
            self._voltages,
            self._places,
            self._lessons,
        )

    # -- a window -----------------------------------------------------------------------------------

    def _piece(
        self, first_step: int, n_steps: int, stimulus: Stimulus, lesson: Lesson | None
    ) -> tuple[SpikeBlock, _Floats]:
        window = self._window(stimulus)
        most = -(-n_steps // self._rest) * self._slots
        if self._room[0].shape[1] < most:
            shape = (self._animals, most)
            self._room = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int32)
        voltage = np.empty((n_steps, self._animals, len(self._watched)))
        out = Output(*self._room, *self._counts, self._watched, voltage)
        rules = None if self._lessons is None else self._lessons.arrays
        self._run_on_threads(first_step, n_steps, self._held, rules, lesson, window, out)
        finite, spikes = spike_order.by_step(first_step, n_steps, out, self._neuron_of_slot)
        if not finite:
            self._report_not_finite(first_step, n_steps)
        return SpikeBlock(*spikes), voltage

    def _run_on_threads(self, *arguments: Any) -> None:
        """Call the compiled code on all threads, of which this one is the first."""
        work = (np.zeros(1, dtype=np.int64), self._order, *arguments)
        if self._threads == 1:
            run_animals(*work)
        else:
            share(lambda: run_animals(*work), self._threads)

    def _window(self, stimulus: Stimulus) -> Window:
        current_pa = (
            self._no_current if stimulus.current_pa is None else plain(stimulus.current_pa, np.float64)
        )
        if stimulus.trains is not None:
            step, channel, first, last = stimulus.trains
            return Window(step, channel, first, last, current_pa)
        step, channel = plain(stimulus.step, np.int64), plain(stimulus.channel, np.int32)
        if self._animals == 1:
            first = np.array([0, len(step)])
        else:
            animal = plain(stimulus.animal, np.int32)
            step, channel, first = spike_order.by_animal(step, animal, channel, self._animals)
        return Window(step, channel, first, first[1:], current_pa)

    def _report_not_finite(self, first_step: int, n_steps: int) -> None:
        cells = self._circuit.cells.reshape(self._animals, -1, len(ROWS), LANES)[:, :, :4]
        finite = np.isfinite(cells).all(axis=2).reshape(self._animals, -1)[:, self._slot]
        raise not_finite_error(self._network, finite, first_step, n_steps)

    # -- construction -------------------------------------------------------------------------------

    def _connect(self, cells: NDArray[Any], conductance: NDArray[np.bool_]) -> Circuit:
        """Return neurons, synapses and inputs as the compiled code reads them."""
        network, animals, blocks = self._network, self._animals, len(conductance)
        wired = [self._synapses(animal) for animal in range(animals)]
        starts = np.cumsum([0, *(len(links.weight) for links in wired)])
        for index, projection in enumerate(network.projections):
            self._places[projection.name] = [
                start + links.places[index] for start, links in zip(starts, wired, strict=False)
            ]
        channels = self._inputs(network.spike_inputs)
        currents = self._inputs(network.current_inputs)
        longest = max(int(links.delay.max(initial=1)) for links in (*wired, channels))
        depth = 1 << longest.bit_length()  # a power of two above the longest delay
        return Circuit(
            cells=cells.reshape(animals, -1),
            conductance=conductance,
            ring=np.zeros((animals, depth, blocks * INBOX), dtype=self._real),
            waiting=np.zeros((animals, depth), dtype=np.bool_),
            first=np.stack([start + links.first for start, links in zip(starts, wired, strict=False)]),
            late=np.stack([start + links.late for start, links in zip(starts, wired, strict=False)]),
            dest=np.concatenate([links.dest for links in wired]),
            delay=np.concatenate([links.delay for links in wired]),
            effect=np.empty(starts[-1], dtype=self._real),
            weight=np.concatenate([links.weight for links in wired]),
            channel_first=channels.first,
            channel_late=channels.late,
            channel_dest=channels.dest,
            channel_delay=channels.delay,
            channel_effect=self._effects(channels.weight * self._scale[:, channels.dest]),
            current_first=currents.first,
            current_slot=currents.slot,
            pipeline=np.zeros((animals, 2, network.n_current_channels)),
            level=np.zeros((animals, self._slots), dtype=np.int8),
            suppressed=np.zeros((animals, self._slots), dtype=np.int64),
        )

    def _ends(self, projection: Projection, animal: int) -> _Group:
        """Return the synapses of a projection, with the slots of their sources and targets."""
        synapses = self._draw(projection.name, animal)
        source = self._slot[self._network.offset(projection.source) + synapses.source]
        target = self._slot[self._network.offset(projection.target) + synapses.target]
        return source, target, synapses.weight, steps_of_delay(synapses.delay_ms, self._dt_ms)

    def _synapses(self, animal: int) -> _Links:
        """Return the synapses of one animal by source."""
        return _links(
            [self._ends(projection, animal) for projection in self._network.projections], self._slots
        )

    def _inputs(self, inputs: tuple[SpikeInput, ...] | tuple[CurrentInput, ...]) -> _Links:
        """Return the connections of input channels by channel."""
        groups, n_channels = [], 0
        for given in inputs:
            neurons = self._network.channel_neurons(given)
            channel = np.repeat(n_channels + np.arange(len(neurons)), neurons.shape[1])
            weight, steps = (
                (given.weight, self._steps(given.delay_ms)) if isinstance(given, SpikeInput) else (1.0, 0)
            )
            size = channel.shape
            groups.append((channel, self._slot[neurons.ravel()], np.full(size, weight), np.full(size, steps)))
            n_channels += len(neurons)
        return _links(groups, n_channels)

    def _plasticity(self) -> Plastic:
        """Return the plastic synapses as the compiled code reads them."""
        network = self._network
        projections = [p for p in network.projections if isinstance(p.plasticity, DopamineGated)]
        role = np.zeros((len(projections), self._slots), dtype=np.uint8)
        first = np.zeros((len(projections), self._animals, self._slots + 1), dtype=np.int64)
        rules, synapse, source, initial, count = [], [np.empty(0, int)], [np.empty(0, int)], [np.empty(0)], 0
        for p, projection in enumerate(projections):
            rule = projection.plasticity
            if not isinstance(rule, DopamineGated):
                continue
            rules.append((rule.learning_rate, rule.homeostasis, rule.tau_eligibility_ms / self._dt_ms))
            role[p, self._slot[network.neurons(rule.modulator)]] |= MODULATOR
            role[p, self._slot[network.neurons(projection.target)]] |= TARGET
            for animal in range(self._animals):
                pre, post, weight, _ = self._ends(projection, animal)
                order = np.argsort(post, kind="stable")
                first[p, animal] = count + np.searchsorted(post[order], np.arange(self._slots + 1))
                synapse.append(self._places[projection.name][animal][order])
                source.append(pre[order])
                initial.append(weight[order])
                count += len(order)
        place = np.concatenate(synapse)
        return Plastic(
            rule=np.array(rules, dtype=np.float64).reshape(-1, 3),
            role=role,
            acts=np.asarray(role.any(axis=0)),
            last_spike=np.full((self._animals, self._slots), NEVER, dtype=np.int64),
            first=first,
            synapse=place,
            source=np.concatenate(source),
            initial=np.concatenate(initial),
            scale=self._scales()[place],
        )

    def _steps(self, delay_ms: float) -> int:
        return round(delay_ms / self._dt_ms)

    # -- weights and state --------------------------------------------------------------------------

    def _scales(self) -> _Floats:
        """Return the effect of a unit of weight at each synapse."""
        dest, ends = self._circuit.dest, self._circuit.first[:, -1]
        return np.concatenate(
            [self._scale[animal, part] for animal, part in enumerate(np.split(dest, ends[:-1]))]
        )

    def _refresh_effects(self) -> None:
        self._circuit.effect[:] = self._effects(self._circuit.weight * self._scales())

    def _effects(self, effects: _Floats) -> NDArray[Any]:
        """Return effects in the engine's precision; beyond it they are inf, and an error when they arrive."""
        with np.errstate(over="ignore"):
            return effects.astype(self._real, order="C")

    def _changing(self) -> State:
        """Return all that the next step depends on, by name; the arrays themselves."""
        cells = self._circuit.cells.reshape(self._animals, -1, len(ROWS), LANES)
        return {
            "cells": cells[:, :, :STATE_ROWS],
            "ring": self._circuit.ring,
            "waiting": self._circuit.waiting,
            "pipeline": self._circuit.pipeline,
            "weight": self._circuit.weight,
            "last_spike": self._plastic.last_spike,
            "suppressed": self._circuit.suppressed,
            "own": self._stepped.arrays.x,
            "random": self._stepped.arrays.random,
            **({} if self._lessons is None else self._lessons.changing()),
        }


class _Links(NamedTuple):
    """Connections sorted by origin: a source slot or an input channel."""

    first: _Ints  # (origins + 1,) first connection of each origin
    late: _Ints  # (origins,) its first connection with a delay above one step
    slot: _Ints
    dest: NDArray[np.int32]  # place in the inboxes, as an index of an animal's cells
    weight: _Floats
    delay: NDArray[np.int32]  # steps
    places: list[_Ints]  # for each group that was given: where its connections have gone


_Group = tuple[_Ints, _Ints, _Floats, _Ints]
"""Origin, slot of the target, weight and delay (steps) of each connection."""


def _links(groups: Sequence[_Group], origins: int) -> _Links:
    """Sort groups of connections by origin and delay."""
    origin = np.concatenate([np.empty(0, int), *(group[0] for group in groups)])
    slot = np.concatenate([np.empty(0, int), *(group[1] for group in groups)])
    weight = np.concatenate([np.empty(0), *(group[2] for group in groups)])
    delay = np.concatenate([np.empty(0, int), *(group[3] for group in groups)])
    order = np.lexsort((delay, origin))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    ends = np.cumsum([len(group[0]) for group in groups])
    first = np.searchsorted(origin[order], np.arange(origins + 1))
    return _Links(
        first=first,
        late=first[:-1] + np.bincount(origin[delay <= 1], minlength=origins),
        slot=slot[order],
        dest=_dest(slot, weight)[order],
        weight=weight[order],
        delay=delay[order].astype(np.int32),
        places=np.split(place, ends[:-1]) if groups else [],
    )


def _dest(slot: _Ints, weight: _Floats) -> NDArray[np.int32]:
    """Return the place in the inboxes: the sign of a weight chooses the receptor."""
    return (slot // LANES * STRIDE + INBOX_START + (weight < 0) * LANES + slot % LANES).astype(np.int32)
