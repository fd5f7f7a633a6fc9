"""One animal of the engine of rows: its neurons, and its synapses as compressed rows.

Synapses stay in the order of `Network.wire`, projection by projection, which is sorted by source and target:
so building is linear in them, and a projection with one weight and one delay takes four bytes a synapse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import NEVER, DopamineGated, Network, Projection, Synapses, steps_of_delay
from ethospike.brains.numba.blocks import INBOX, LANES, ROWS, STATE_ROWS, all_finite
from ethospike.brains.numba.cells import neuron_blocks, slots_of
from ethospike.brains.numba.placement import aligned
from ethospike.brains.numba.roles import MODULATOR, SOURCE, TARGET
from ethospike.brains.numba.rows.dopamine_gated import Plastic
from ethospike.brains.numba.rows.kernels import deliver, part_bounds
from ethospike.brains.numba.rows.layout import Inputs, Neurons, Rows, Spikes
from ethospike.brains.numba.rows.relaxing import load_state, relaxing_blocks, store_state
from ethospike.brains.numba.team import split
from ethospike.brains.simulator.synapses import Draw
from ethospike.errors import BrainError, StateError
from ethospike.states import State, check_state

LONGEST_INTERVAL = 32
"""Most steps between two exchanges of spikes: longer ones save no time, and their lists take room."""
FAR = 2**40
"""End of a span of blocks that no row fills."""
AT_ONCE = 2**20
"""Synapses that are counted at once: NumPy makes eight bytes of each."""
LONGEST_DELAY_STEPS = 2**16 - 1
"""Longest delay of a projection with unequal delays: it takes two bytes a synapse."""
SYNAPSES_A_NEURON = 500
"""Synapses that cost as much as a neuron: an update in each step of 0.1 ms takes as long as 500 synapses at
10 to 20 spikes a second. It only balances the parts."""
SYNAPSES_A_RELAXING_NEURON = 10
"""The same of neurons that are advanced when something arrives."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class _Stored(NamedTuple):
    """Where the synapses of a projection are."""

    first: _Ints  # (sources + 1,) first synapse of each source, from 0
    begin: int  # place of synapse 0 in `dest`
    size: int


class RowsAnimal:
    """Arrays of one animal in the layout of `kernels.py`.

    Parameters
    ----------
    network : Network
    draw : callable
        Gives the synapses of a projection in an animal.
    seed, animal : int
        Keys of drawn parameters.
    dt_ms : float
    real : dtype
        Of the neurons' state.
    parts : int
        Parts of the targets; fewer where there are fewer blocks of neurons.

    Attributes
    ----------
    parts : int
    longest : int
        Steps that neurons advance before they hear of each other: the shortest delay.
    slot : ndarray of int64, shape (neurons,)
    neuron_of_slot : ndarray of int32, shape (slots,)
    n_currents : int
        Current channels.
    """

    def __init__(
        self,
        network: Network,
        draw: Draw,
        *,
        seed: int,
        animal: int,
        dt_ms: float,
        real: np.dtype[Any],
        parts: int,
    ) -> None:
        self._network, self._draw, self._animal = network, draw, animal
        self._dt_ms, self._real = dt_ms, real
        self.slot, conductance = slots_of(network)
        self._blocks = len(conductance)
        n_slots = self._blocks * LANES
        self.neuron_of_slot = np.full(n_slots, -1, dtype=np.int32)
        self.neuron_of_slot[self.slot] = np.arange(network.n_neurons)
        rows, scale = neuron_blocks(network, seed, animal, dt_ms, self.slot, n_slots)
        cells = aligned(rows.shape, real)
        cells[...] = rows
        self._cells = cells
        inbox = ROWS.index("inbox_ex")
        self._scale = np.ascontiguousarray(scale[:, inbox : inbox + 2]).reshape(
            -1
        )  # by place in a ring's row
        self._place = (self.slot // LANES * INBOX + self.slot % LANES).astype(np.int32)

        self._stored: dict[str, _Stored] = {}
        self._store_synapses()
        self.relaxing = relaxing_blocks(network, rows, self.slot, real, self.longest)
        part = self._split(parts)
        others = [bool((kind < 0).any()) for kind in np.split(self.relaxing.kind, part[1:-1])]
        self.relaxing = self.relaxing._replace(has_others=np.array(others))
        self.parts = len(part) - 1
        self.rows = self._rows(part)
        self.inputs = self._inputs(part)
        self.neurons = self._neurons(conductance, part)
        self._relaxes = bool((self.relaxing.kind >= 0).any())
        if self._relaxes:
            load_state(self.relaxing, cells, np.zeros(n_slots, dtype=np.int64))
        self.plastic = self._plasticity()
        self._changed = np.array([p.plasticity is not None for p in network.projections], dtype=np.bool_)
        self._described: dict[str, NDArray[Any]] = {}
        self._set_up_currents()

    # -- synapses -----------------------------------------------------------------------------------

    def _capacity(self) -> int:
        """Return room for all synapses; untouched memory costs nothing."""
        room = 0.0
        for projection in self._network.projections:
            expected = self._network.expected_synapses(projection)
            room += expected + 10 * np.sqrt(expected) + 100
        return int(room)

    def _store_synapses(self) -> None:
        """Draw all projections, one after the other, and keep the arrays that the compiled code reads."""
        network, n_projections = self._network, len(self._network.projections)
        capacity = self._capacity()
        self._dest = np.empty(capacity, dtype=np.int32)
        self._effect = np.empty(capacity, dtype=self._real)
        late: list[NDArray[np.uint16]] = []
        self._uniform = np.full(n_projections, np.nan, dtype=self._real)
        self._delay = np.zeros(n_projections, dtype=np.int64)
        self._late_base = np.zeros(n_projections, dtype=np.int64)
        self._effect_base = np.zeros(n_projections, dtype=np.int64)
        self._indegree = np.zeros(self._blocks)
        shortest, longest = LONGEST_INTERVAL, 1
        n_synapses = n_effects = n_late = 0
        for p, projection in enumerate(network.projections):
            wired = self._draw(projection.name, self._animal)
            size = len(wired.source)
            dest = self._dest[n_synapses : n_synapses + size]
            self._fill_dest(dest, projection, wired)
            numbers = np.arange(network.population(projection.source).size + 1, dtype=np.int32)
            self._stored[projection.name] = _Stored(np.searchsorted(wired.source, numbers), n_synapses, size)
            steps = steps_of_delay(wired.delay_ms, self._dt_ms)
            if size:
                least, most = int(steps.min()), int(steps.max())
                shortest, longest = min(shortest, least), max(longest, most)
                if least == most:
                    self._delay[p] = least
                else:
                    self._late_base[p] = n_late - n_synapses
                    late.append(self._late(projection, steps))
                    n_late += size
            self._uniform[p] = self._one_effect(projection, wired, dest)
            self._effect_base[p] = n_effects - n_synapses
            if np.isnan(self._uniform[p]):
                self._effect[n_effects : n_effects + size] = self._effects(wired.weight, dest)
                n_effects += size
            n_synapses += size
        self._dest, self._effect = self._dest[:n_synapses], self._effect[:n_effects]
        self._late_steps = np.concatenate([np.empty(0, np.uint16), *late])
        self.longest, self._longest_delay = shortest, longest

    def _fill_dest(self, dest: NDArray[np.int32], projection: Projection, wired: Synapses) -> None:
        place = self._place[self._network.neurons(projection.target)]
        np.take(place, wired.target, out=dest)
        if wired.weight.strides == (0,):
            if len(dest) and wired.weight[0] < 0:
                dest += self._inhibits(projection.target)
        elif (distance := self._inhibits(projection.target)) and (inhibits := wired.weight < 0).any():
            dest += inhibits * np.int32(distance)
        for begin in range(0, len(dest), AT_ONCE):
            self._indegree += np.bincount(dest[begin : begin + AT_ONCE] // INBOX, minlength=self._blocks)

    def _inhibits(self, target: str) -> int:
        """Return the distance of a neuron's inbox for negative weights from that for positive ones."""
        return 0 if self._network.population(target).neuron_model.rows_kernel else LANES

    def _late(self, projection: Projection, steps: _Ints) -> NDArray[np.uint16]:
        if steps.max() > LONGEST_DELAY_STEPS:
            raise BrainError(
                f"Projection {projection.name!r}.delay_ms: expected at most {LONGEST_DELAY_STEPS} steps "
                f"where synapses differ in it, got {steps.max()}"
            )
        return steps.astype(np.uint16)

    def _one_effect(self, projection: Projection, wired: Synapses, dest: NDArray[np.int32]) -> float:
        """Return the effect of every synapse of a projection, or NaN if they differ or may change."""
        is_one = wired.weight.strides == (0,) and len(dest) and projection.plasticity is None
        if not is_one:
            return np.nan
        scale = self._scale[dest[:1]]
        population = self._place[self._network.neurons(projection.target)] + dest[0] % INBOX // LANES * LANES
        if (self._scale[population] != scale).any():
            return np.nan
        return float(self._effects(wired.weight[:1], dest[:1])[0])

    def _effects(self, weight: _Floats, dest: NDArray[np.int32]) -> NDArray[Any]:
        """Return effects in the engine's precision; beyond it they are inf, and an error when they arrive."""
        with np.errstate(over="ignore"):
            if (self._scale == 1.0).all():
                return weight.astype(self._real)
            return (weight * self._scale[dest]).astype(self._real)

    def _split(self, parts: int) -> _Ints:
        """Return the first block of each part, of about equal cost."""
        of_neuron = np.where(self.relaxing.kind >= 0, SYNAPSES_A_RELAXING_NEURON, SYNAPSES_A_NEURON)
        return split(of_neuron * LANES + self._indegree, parts)

    def _part_of_block(self, part: _Ints) -> NDArray[np.int32]:
        return np.repeat(np.arange(len(part) - 1), np.diff(part)).astype(np.int32)

    def _rows(self, part: _Ints) -> Rows:
        network = self._network
        names = [population.name for population in network.populations]
        sources = np.array([names.index(p.source) for p in network.projections], dtype=np.int64)
        # The compiled code goes through the projections of a population: they must follow each other.
        order = np.argsort(sources, kind="stable")
        self._order = order
        base, bounds, size = [], [np.empty(0, np.int64)], 0
        span = np.zeros((len(order), len(part) - 1, 2), dtype=np.int64)
        for place, index in enumerate(order):
            projection = network.projections[index]
            stored = self._stored[projection.name]
            bound = np.empty((len(stored.first) - 1, len(part)), dtype=np.int64)
            dest = self._dest[stored.begin : stored.begin + stored.size]
            part_bounds(stored.first, dest, self._part_of_block(part), bound, stored.begin)
            base.append(size)
            bounds.append(bound.ravel())
            size += bound.size
            reach = self.slot[network.neurons(projection.target)] // LANES
            span[place, :, 0] = np.maximum(part[:-1], reach[0])
            span[place, :, 1] = np.maximum(np.minimum(part[1:], reach[-1] + 1), span[place, :, 0])
            if network.population(projection.target).neuron_model.rows_kernel:
                span[place, :, 1] = FAR  # marked one by one: each mark costs a look at a block
        of_slot = np.zeros(self._blocks * LANES, dtype=np.int32)
        number = np.zeros(self._blocks * LANES, dtype=np.int32)
        for index, population in enumerate(network.populations):
            slots = self.slot[network.neurons(population.name)]
            of_slot[slots], number[slots] = index, np.arange(population.size)
        return Rows(
            of_slot=of_slot,
            number=number,
            first=np.searchsorted(sources[order], np.arange(len(names) + 1)),
            base=np.array(base, dtype=np.int64),
            bound=np.concatenate(bounds),
            delay=self._delay[order],
            late_base=self._late_base[order],
            late=self._late_steps,
            uniform=self._uniform[order],
            effect_base=self._effect_base[order],
            effect=self._effect,
            dest=self._dest,
            span=span,
            straight=np.array([self._is_straight(network.projections[index]) for index in order], dtype=bool),
        )

    def _is_straight(self, projection: Projection) -> bool:
        """Return whether spikes are added to their targets without the ring; see `relaxing.py`."""
        index = self._network.projections.index(projection)
        kinds = self.relaxing.kind[self.slot[self._network.neurons(projection.target)] // LANES]
        has_rule = projection.plasticity is not None
        return bool((kinds >= 0).all() and self._delay[index] == self.longest and not has_rule)

    def _inputs(self, part: _Ints) -> Inputs:
        network = self._network
        dest: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
        effect: list[NDArray[Any]] = [np.empty(0, self._real)]
        sizes, delays = list[int](), list[int]()
        for given in network.spike_inputs:
            neurons = network.channel_neurons(given)
            place = self._place[neurons.ravel()] + np.int32(self._inhibits(given.target) * (given.weight < 0))
            dest.append(place.astype(np.int32))
            effect.append(self._effects(np.full(len(place), float(given.weight)), place))
            sizes += [neurons.shape[1]] * len(neurons)
            delays += [round(given.delay_ms / self._dt_ms)] * len(neurons)
        self._longest_input_delay = max(delays, default=1)
        all_dest = np.concatenate(dest)
        first = np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))])
        bound = np.empty((len(sizes), len(part)), dtype=np.int64)
        part_bounds(first, all_dest, self._part_of_block(part), bound, 0)
        return Inputs(
            first=bound,
            dest=all_dest,
            effect=np.concatenate(effect),
            delay=np.array(delays, dtype=np.int64),
            step=np.empty(0, dtype=np.int64),
            channel=np.empty(0, dtype=np.int32),
        )

    def _neurons(self, conductance: NDArray[np.bool_], part: _Ints) -> Neurons:
        width = self._blocks * INBOX
        # Powers of two above the longest delay and the longest interval.
        depth = 1 << max(self._longest_delay, self.longest).bit_length()
        input_depth = 1 << (self._longest_input_delay + self.longest).bit_length()
        if not self._network.n_spike_channels:
            input_depth = 1
        return Neurons(
            cells=self._cells.reshape(-1),
            conductance=conductance,
            ring=np.zeros(depth * width, dtype=self._real),
            hit=np.zeros(depth * self._blocks, dtype=np.uint8),
            input_ring=np.zeros(input_depth * width, dtype=self._real),
            input_hit=np.zeros(input_depth * self._blocks, dtype=np.uint8),
            mask=np.array([depth - 1, input_depth - 1]),
            asleep=np.zeros(self._blocks, dtype=np.bool_),
            part=part,
            level=np.zeros(self._blocks * LANES, dtype=np.int8),
            suppressed=np.zeros(self._blocks * LANES, dtype=np.int64),
        )

    def _plasticity(self) -> Plastic:
        network, plastic = self._network, self._network.plastic_projections
        n_slots = self._blocks * LANES
        role = np.zeros((len(plastic), n_slots), dtype=np.uint8)
        first = np.zeros((len(plastic), n_slots + 1), dtype=np.int64)
        rules, count = [], 0
        columns: list[tuple[_Ints, _Ints, _Floats, _Floats]] = []
        for p, projection in enumerate(plastic):
            rule = projection.plasticity
            if not isinstance(rule, DopamineGated):  # `choice.py` gives others to the engine of lists
                raise TypeError(f"{projection.name!r}: rows run DopamineGated alone")
            rules.append((rule.learning_rate, rule.homeostasis, rule.tau_eligibility_ms / self._dt_ms))
            role[p, self.slot[network.neurons(rule.modulator)]] |= MODULATOR
            role[p, self.slot[network.neurons(projection.target)]] |= TARGET
            role[p, self.slot[network.neurons(projection.source)]] |= SOURCE
            wired = self._draw(projection.name, self._animal)
            pre = self.slot[network.offset(projection.source) + wired.source]
            post = self.slot[network.offset(projection.target) + wired.target]
            order = np.argsort(post, kind="stable")
            first[p] = count + np.searchsorted(post[order], np.arange(n_slots + 1))
            stored, index = self._stored[projection.name], network.projections.index(projection)
            begin = stored.begin + self._effect_base[index]
            dest = self._dest[stored.begin : stored.begin + stored.size]
            columns.append((begin + order, pre[order], wired.weight[order], self._scale[dest][order]))
            count += stored.size
        place, source, initial, scale = (
            [np.concatenate(column) for column in zip(*columns, strict=True)]
            if columns
            else (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
        )
        return Plastic(
            rule=np.array(rules, dtype=np.float64).reshape(-1, 3),
            role=role,
            acts=np.asarray(role.any(axis=0)),
            first=first,
            place=place,
            source=source,
            initial=initial,
            scale=scale,
            weight=initial.copy(),
            last_spike=np.full((self.parts if plastic else 0, n_slots), NEVER, dtype=np.int64),
        )

    # -- currents -----------------------------------------------------------------------------------

    def _set_up_currents(self) -> None:
        network = self._network
        neurons = [row for given in network.current_inputs for row in network.channel_neurons(given)]
        self.n_currents = len(neurons)
        self._current_slot = self.slot[np.concatenate([np.empty(0, np.int64), *neurons])]
        self._current_channel = np.repeat(np.arange(len(neurons)), [len(row) for row in neurons])
        self._pipeline = np.zeros((2, self.n_currents))  # amplitudes of the last two steps (pA)
        self._driven = np.zeros(self.n_currents)

    def currents_of_window(
        self, first_step: int, n_steps: int, current_pa: _Floats
    ) -> Iterator[tuple[int, int, _Floats]]:
        """Yield (first step, last step, amplitudes): a window's currents act from its third step on.

        That is the path of NEST's dc_generator.
        """
        last = first_step + n_steps - 1
        before = self._pipeline.copy()
        self._pipeline[0] = before[1] if n_steps == 1 else current_pa
        self._pipeline[1] = current_pa
        if (before == current_pa).all():
            yield first_step, last, current_pa
            return
        for k, amplitude in enumerate((before[0], before[1], current_pa)):
            if first_step + k <= last:
                yield first_step + k, last if k == 2 else first_step + k, amplitude

    def set_drive(self, amplitude: _Floats) -> None:
        """Let the currents be I_e plus one amplitude (pA) for each channel."""
        if np.array_equal(amplitude, self._driven):
            return
        self._driven = amplitude.copy()
        row = {name: self._cells[:, ROWS.index(name)] for name in ("drive", "i_e", "per_pa")}
        added = np.bincount(
            self._current_slot, weights=amplitude[self._current_channel], minlength=self._blocks * LANES
        ).reshape(-1, LANES)
        row["drive"][...] = (row["i_e"].astype(np.float64) + added) * row["per_pa"]
        self.neurons.asleep[:] = False

    # -- weights and state --------------------------------------------------------------------------

    def weights(self, name: str) -> _Floats:
        """Return the weights of a projection in the order of `Network.wire`."""
        index, stored = self._index(name), self._stored[name]
        if self._network.projections[index].plasticity is not None:
            return self._plastic_weights(name)[1]
        dest = self._dest[stored.begin : stored.begin + stored.size]
        if not np.isnan(self._uniform[index]):
            return np.asarray(np.float64(self._uniform[index]) / self._scale[dest])
        return np.asarray(self._effects_of(name).astype(np.float64) / self._scale[dest])

    def set_weights(self, name: str, weights: _Floats) -> None:
        """Replace the weights of a projection."""
        index, stored = self._index(name), self._stored[name]
        self._send_recent_spikes()
        self._may_change(name)
        dest = self._dest[stored.begin : stored.begin + stored.size]
        self._effects_of(name)[:] = self._effects(weights, dest)
        if self._network.projections[index].plasticity is not None:
            places, _ = self._plastic_weights(name)
            self.plastic.weight[places] = weights

    def _index(self, name: str) -> int:
        return self._network.projections.index(self._network.projection(name))

    def _effects_of(self, name: str) -> NDArray[Any]:
        """Return a view of the effects of a projection that has one a synapse."""
        stored = self._stored[name]
        begin = stored.begin + self._effect_base[self._index(name)]
        return self._effect[begin : begin + stored.size]

    def _plastic_weights(self, name: str) -> tuple[_Ints, _Floats]:
        """Return places in `plastic.weight` and weights of a projection, in the order of `wire`."""
        effects = self._effects_of(name)
        begin = self._stored[name].begin + self._effect_base[self._index(name)]
        inside = np.flatnonzero((self.plastic.place >= begin) & (self.plastic.place < begin + len(effects)))
        places = inside[np.argsort(self.plastic.place[inside], kind="stable")]
        return places, self.plastic.weight[places]

    def _may_change(self, name: str) -> None:
        """Keep the described effects of a projection, and give each of its synapses an effect of its own."""
        index, stored = self._index(name), self._stored[name]
        if name in self._described:
            return
        if not np.isnan(self._uniform[index]):
            more = np.full(stored.size, self._uniform[index], dtype=self._real)
            self._effect_base[index] = len(self._effect) - stored.begin
            self._effect = np.concatenate([self._effect, more])
            self._uniform[index] = np.nan
            self.rows = self.rows._replace(
                uniform=self._uniform[self._order],
                effect_base=self._effect_base[self._order],
                effect=self._effect,
            )
        self._described[name] = self._effects_of(name).copy()
        self._changed[index] = True

    def _send_recent_spikes(self) -> None:
        """Put the spikes that are under way to neurons that relax into the ring, with the present weights."""
        recent, relaxing = int(self.relaxing.recent[0]), self.relaxing
        if not recent:
            return
        step = relaxing.recent_step[:recent]
        spikes = Spikes(*[np.empty(0, dtype=np.int64)] * len(Spikes._fields))._replace(
            slot=relaxing.recent_slot,
            first=np.searchsorted(step, np.arange(step[0], step[-1] + 2)),
            begun=step[:1],
        )
        neurons = self.neurons._replace(level=np.zeros_like(self.neurons.level))
        rows = self.rows._replace(straight=~self.rows.straight)
        plastic = self.plastic._replace(rule=self.plastic.rule[:0])
        for part in range(self.parts):
            deliver(part, rows, plastic, neurons, spikes)
        relaxing.recent[0] = 0

    def all_finite(self) -> bool:
        """Return whether the state of all neurons is finite."""
        return bool(all_finite(self.neurons.cells) and np.isfinite(self.relaxing.state[:, :2]).all())

    def finite(self) -> NDArray[np.bool_]:
        """Return for each neuron whether its state is finite."""
        self._store_state()
        return np.asarray(np.isfinite(self._cells[:, :4]).all(axis=1).reshape(-1)[self.slot])

    def state(self) -> State:
        """Return copies of all that the next step depends on."""
        self._store_state()
        recent = int(self.relaxing.recent[0])
        names = [
            p.name for p, changed in zip(self._network.projections, self._changed, strict=True) if changed
        ]
        effects = [np.empty(0, self._real), *(self._effects_of(name) for name in names)]
        return {
            "cells": self._cells[:, :STATE_ROWS].copy(),
            "ring": self.neurons.ring.copy(),
            "input_ring": self.neurons.input_ring.copy(),
            "pipeline": self._pipeline.copy(),
            "driven": self._driven.copy(),
            "last_spike": self.plastic.last_spike[:1].copy(),
            "plastic_weight": self.plastic.weight.copy(),
            "changed": self._changed.copy(),
            "suppressed": self.neurons.suppressed.copy(),
            "effect": np.concatenate(effects),
            "last": self.relaxing.when[:, -2].copy(),
            "recent_slot": self.relaxing.recent_slot[:recent].copy(),
            "recent_step": self.relaxing.recent_step[:recent].copy(),
        }

    def _store_state(self) -> None:
        if self._relaxes:
            store_state(self.relaxing, self._cells)

    def check_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Raise `StateError` unless a state is that of an animal built alike."""
        check_state(state, self.state(), any_shape=["effect", "recent_slot", "recent_step"])
        changed = np.asarray(state["changed"], dtype=bool)
        size = sum(
            self._stored[p.name].size
            for p, is_changed in zip(self._network.projections, changed, strict=True)
            if is_changed
        )
        if np.shape(state["effect"]) != (size,):
            raise StateError(f"state['effect']: expected {size} effects, got {np.shape(state['effect'])}")

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state that `check_state` has passed."""
        self._cells[:, :STATE_ROWS] = state["cells"]
        neurons = self.neurons
        for ring, hit, name in (
            (neurons.ring, neurons.hit, "ring"),
            (neurons.input_ring, neurons.input_hit, "input_ring"),
        ):
            ring[...] = state[name]
            hit[:] = (ring.reshape(-1, INBOX) != 0).any(axis=1)
        neurons.asleep[:] = False
        if self._relaxes:
            load_state(self.relaxing, self._cells, state["last"])
            recent = len(state["recent_slot"])
            self.relaxing.recent[0] = recent
            for name in ("recent_slot", "recent_step"):
                getattr(self.relaxing, name)[:recent] = state[name]
        self._pipeline[...] = state["pipeline"]
        self._driven = np.array(state["driven"])
        neurons.suppressed[:] = state["suppressed"]
        self.plastic.last_spike[...] = state["last_spike"]
        self.plastic.weight[:] = state["plastic_weight"]
        begin = 0
        for index, projection in enumerate(self._network.projections):
            if state["changed"][index]:
                self._may_change(projection.name)
                effects = self._effects_of(projection.name)
                effects[:] = state["effect"][begin : begin + len(effects)]
                begin += len(effects)
            elif projection.name in self._described:
                self._effects_of(projection.name)[:] = self._described[projection.name]
