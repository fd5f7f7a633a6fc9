"""The engine of rows of the Numba simulator: large networks of any neuron model, synapses as compressed rows.

It runs one animal after the other, each with all threads. How it computes is explained in `kernels.py`;
a network with other sizes, parameters or seed compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ethospike.brains.memory import check_memory
from ethospike.brains.network import Network
from ethospike.brains.numba.blocks import LANES
from ethospike.brains.numba.cells import not_finite_error
from ethospike.brains.numba.rows import kernels
from ethospike.brains.numba.rows.layout import Spikes, Watch
from ethospike.brains.numba.rows.wiring import RowsAnimal
from ethospike.brains.numba.team import Team
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.brains.simulator.synapses import Draw, DrawnSynapses
from ethospike.errors import StateError
from ethospike.states import State, join_states, state_of

THREADS_FROM = 4_096
"""Neurons from which several threads are tried; the team then judges whether they pay (`team.py`)."""
BYTES_A_SYNAPSE, BYTES_A_NEURON, BYTES_WHILE_WIRED = 8.0, 1_000.0, 40.0
"""Memory in single precision; a neuron's is state, constants and spikes on their way at delays of some
milliseconds. While a projection is wired, its pairs, keys, weights and delays exist beside the rest."""
SPIKES_HELD = 2**20
"""Spikes of a window that are made room for, beside those of one interval; longer windows run in pieces."""

_Floats = NDArray[np.float64]


class RowsEngine:
    """A large network as padded blocks of neurons and compressed rows of synapses; see `Engine`.

    Raises
    ------
    BrainError
        When a refractory period is not a whole number of steps, V_reset is not below V_th, or the animals
        would take more memory than there is.
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
        self._network, self._animals = network, animals
        largest = max([network.expected_synapses(p) for p in network.projections], default=0.0)
        needed = animals * (BYTES_A_SYNAPSE * network.n_synapses + BYTES_A_NEURON * network.n_neurons)
        check_memory("numba", animals, network.n_synapses, needed + BYTES_WHILE_WIRED * largest)
        self._team = Team(threads if network.n_neurons >= THREADS_FROM else 1)
        self._real = np.dtype(np.float32 if precision == "single" else np.float64)
        self.backend = (
            f"numba {numba.__version__}, rows, {self._team.threads} thread{'s' * (self._team.threads > 1)}, "
            f"{precision} precision"
        )
        draw = draw or DrawnSynapses(network, seed).draw
        parts = 1 if self._team.threads == 1 else 2 * self._team.threads
        self._brains = [
            RowsAnimal(network, draw, seed=seed, animal=animal, dt_ms=dt_ms, real=self._real, parts=parts)
            for animal in range(animals)
        ]
        longest = self._brains[0].longest
        slots = len(self._brains[0].neurons.asleep) * LANES
        self._slots = slots
        self._spikes = [_spike_lists(slots, longest, brain.parts) for brain in self._brains]
        self._watched = np.empty(0, dtype=np.int64)
        self._voltages = np.empty((0, animals, 0))

    # -- the interface ------------------------------------------------------------------------------

    def run(self, first_step: int, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        """Simulate a window; see `Engine.run`."""
        self._voltages = np.empty((n_steps, self._animals, len(self._watched)))
        blocks = []
        for animal in range(self._animals):
            step, slot = self._run_animal(animal, first_step, n_steps, stimulus)
            neuron = self._brains[animal].neuron_of_slot[slot]
            blocks.append((step, np.full(len(step), animal, dtype=np.int32), neuron))
        if not all(brain.all_finite() for brain in self._brains):
            raise not_finite_error(
                self._network, np.stack([brain.finite() for brain in self._brains]), first_step, n_steps
            )
        if self._animals == 1:
            return SpikeBlock(*blocks[0])
        return SpikeBlock.sorted(*map(np.concatenate, zip(*blocks, strict=True)))

    def weights(self, name: str) -> _Floats:
        """Return a copy of the weights, shape (animals, synapses)."""
        return np.stack([brain.weights(name) for brain in self._brains])

    def set_weights(self, name: str, weights: _Floats) -> None:
        """Replace a projection's weights."""
        for brain, given in zip(self._brains, weights, strict=True):
            brain.set_weights(name, given)

    def silence(self, level: NDArray[np.int8]) -> None:
        """Apply levels of the neurons, shape (animals, neurons)."""
        for brain, of_animal in zip(self._brains, level, strict=True):
            brain.neurons.level[brain.slot] = of_animal

    def suppressed_spikes(self) -> NDArray[np.int64]:
        """Return the spikes of silent neurons that did not come about, shape (animals, neurons)."""
        return np.stack([brain.neurons.suppressed[brain.slot] for brain in self._brains])

    def state(self) -> State:
        """Return copies of all that the next step depends on, except the step's number.

        Effects of synapses are part of it for plastic projections and those with weights that were set.
        """
        return join_states({str(animal): brain.state() for animal, brain in enumerate(self._brains)})

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()`."""
        parts = [state_of(str(animal), state) for animal in range(self._animals)]
        if len(state) != sum(map(len, parts)):
            raise StateError(f"state: expected {self._animals} animals; was it saved from as many?")
        for brain, part in zip(self._brains, parts, strict=True):
            brain.check_state(part)
        for brain, part in zip(self._brains, parts, strict=True):
            brain.set_state(part)

    def watch(self, neurons: NDArray[np.integer]) -> None:
        """Record V_m of these neurons of every animal from the next window on."""
        self._watched = np.asarray(neurons, dtype=np.int64)
        self._voltages = np.empty((0, self._animals, len(self._watched)))

    def voltages(self) -> _Floats:
        """Return V_m (mV) at the end of each step of the last window, shape (steps, animals, watched)."""
        return self._voltages.copy()

    def close(self) -> None:
        """Give back memory."""
        del self._brains, self._spikes, self._voltages

    # -- a window -----------------------------------------------------------------------------------

    def _run_animal(
        self, animal: int, first_step: int, n_steps: int, stimulus: Stimulus
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        brain, spikes = self._brains[animal], self._spikes[animal]
        mine = slice(None) if self._animals == 1 else np.flatnonzero(stimulus.animal == animal)
        step = np.ascontiguousarray(stimulus.step[mine], dtype=np.int64)
        channel = np.ascontiguousarray(stimulus.channel[mine], dtype=np.int32)
        inputs = brain.inputs._replace(step=step, channel=channel)
        current = np.zeros(brain.n_currents)
        if stimulus.current_pa is not None:
            current = stimulus.current_pa[animal].astype(np.float64)
        watch = self._watch(brain)
        pieces: list[tuple[NDArray[np.int64], NDArray[np.int32]]] = []
        for first, last, amplitude in brain.currents_of_window(first_step, n_steps, current):
            brain.set_drive(amplitude)
            intervals = _intervals(first, last, brain.longest, step)
            done = 0
            while done < len(intervals):
                ahead = np.ascontiguousarray(intervals[done : done + self._team.piece(len(intervals) - done)])

                def work(board: NDArray[np.int64], seat: int, ahead: NDArray[np.int64] = ahead) -> None:
                    kernels.run_intervals(
                        board,
                        seat,
                        ahead,
                        first_step - 1,
                        brain.rows,
                        brain.plastic,
                        inputs,
                        brain.neurons,
                        brain.relaxing,
                        spikes,
                        watch,
                        self._scratch(),
                    )

                done += self._team.run(work, len(ahead), brain.parts)
                if spikes.out[0] + self._slots * brain.longest > len(spikes.out_step):
                    pieces.append(_emptied(spikes))
        pieces.append(_emptied(spikes))
        self._voltages[:, animal] = watch.voltage
        steps, slots = zip(*pieces, strict=True)
        return np.concatenate(steps), np.concatenate(slots)

    def _scratch(self) -> kernels.Scratch:
        """Return room for the intermediate results of a thread."""
        return kernels.Scratch(
            before=np.empty(kernels.STATE_NUMBERS, dtype=self._real),
            work=np.zeros(self._slots // LANES, dtype=np.uint8),
        )

    def _watch(self, brain: RowsAnimal) -> Watch:
        slot = brain.slot[self._watched]
        order = np.argsort(slot, kind="stable")
        blocks = len(brain.neurons.asleep)
        return Watch(
            first=np.searchsorted(slot[order] // LANES, np.arange(blocks + 1)),
            slot=slot[order],
            lane=slot[order] % LANES,
            column=order,
            voltage=np.zeros((len(self._voltages), len(order))),
        )


def _spike_lists(slots: int, longest: int, parts: int) -> Spikes:
    """Return room for the spikes of an interval and of a window; untouched memory costs nothing."""
    most = slots * longest
    return Spikes(
        slot=np.empty(most, dtype=np.int32),
        first=np.zeros(longest + 1, dtype=np.int64),
        begun=np.zeros(1, dtype=np.int64),
        part_slot=np.empty(most, dtype=np.int32),
        part_step=np.empty(most, dtype=np.int32),
        part_count=np.zeros(parts, dtype=np.int64),
        out_step=np.empty(2 * most + SPIKES_HELD, dtype=np.int64),
        out_slot=np.empty(2 * most + SPIKES_HELD, dtype=np.int32),
        out=np.zeros(1, dtype=np.int64),
    )


def _emptied(spikes: Spikes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the steps and slots that were collected, and begin anew."""
    count = int(spikes.out[0])
    spikes.out[0] = 0
    return spikes.out_step[:count].copy(), spikes.out_slot[:count].copy()


def _intervals(first: int, last: int, longest: int, event_step: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the intervals from step `first` to `last`, and one of no steps that delivers the last spikes.

    Rows are first step, number of steps, and begin and end of the input spikes.
    """
    ends = np.append(np.arange(((first - 1) // longest + 1) * longest, last, longest), last)
    firsts = np.concatenate([[first], ends[:-1] + 1])
    begin, end = np.searchsorted(event_step, firsts), np.searchsorted(event_step, ends, side="right")
    intervals = np.column_stack([firsts, ends - firsts + 1, begin, end])
    return np.vstack([intervals, [last + 1, 0, 0, 0]]).astype(np.int64)
