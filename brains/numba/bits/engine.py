"""The engine of bits of the Numba simulator: `iaf_psc_exp` networks with random wiring and few weights.

It lays out a network as the arrays of `kernels.py`, which explains how they are advanced, and runs
windows on them; `wiring.py` and `generated_rows.py` have the synapses. A network with other sizes,
parameters or seed compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import (
    ClusteredWeight,
    CurrentInput,
    Distribution,
    Network,
    Projection,
    SpikeInput,
)
from ethospike.brains.numba.bits import kernels
from ethospike.brains.numba.bits import wiring as bit_wiring
from ethospike.brains.numba.bits.pools import nothing_generated
from ethospike.brains.numba.bits.row_counts import COUNTER_LIMIT, SEGMENT, WORD
from ethospike.brains.numba.bits.wiring import BitLayout, Wiring, draw_wiring, wiring_key
from ethospike.brains.numba.placement import STAGGER, placed
from ethospike.brains.numba.team import Team
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.brains.simulator.propagators import propagators
from ethospike.brains.simulator.synapses import Draw
from ethospike.brains.threads import run_all
from ethospike.errors import BrainError, NotFiniteError, SimulatorUnavailable
from ethospike.states import State, check_state

LONGEST_T_REF_STEPS = int(np.iinfo(np.int16).max)
LANES_A_THREAD = 6_000
"""Neurons for which a thread of an animal pays: they take 4 µs a step, the meeting of threads almost 1 µs."""
SPIKES_HELD = 2**18
"""Spikes an animal that are made room for; longer windows are run in pieces."""

_Floats = NDArray[np.float64]
_STATE = ("v", "i_ex", "i_in", "refractory", "spiked", "spiked_first", "arriving", "pipeline", "suppressed")
"""Fields of `Brain` that make up its state, with the weights; the others follow from the network."""


def refusal(network: Network) -> str | None:
    """Return why this engine cannot run a network, or None."""
    for population in network.populations:
        if population.model != "iaf_psc_exp":
            return f"{population.name!r} is {population.model}; it runs iaf_psc_exp alone"
    for projection in network.projections:
        if projection.plasticity is not None:
            return f"{projection.name!r} is plastic; its weights are constant"
        if projection.shuffle is not None:
            return f"{projection.name!r} is shuffled; its synapses are those of the rules"
        if isinstance(projection.weight, Distribution) or (
            not isinstance(projection.weight, ClusteredWeight) and np.ndim(projection.weight)
        ):
            held = "it holds one within and one across clusters"
            return f"{projection.name!r} has a weight for each synapse; {held}"
        if isinstance(projection.delay_ms, Distribution) or np.ndim(projection.delay_ms):
            return f"{projection.name!r} has a delay for each synapse; it has one delay for all"
    delays = sorted({float(np.asarray(projection.delay_ms)) for projection in network.projections})
    if len(delays) > 1:
        return f"the projections have the delays {delays} ms; it has one delay for all"
    return bit_wiring.refusal(network)


class BitsEngine:
    """A network as bit rows and arrays of neurons; see `Engine` for the interface.

    Parameters
    ----------
    wiring : Wiring, optional
        Synapses of another engine (its `wiring`), which are shared rather than drawn again: for networks
        that differ in weights and neuron parameters alone.

    Raises
    ------
    BrainError
        When `refusal` gives a reason, when a refractory period is not a whole number of steps, when V_reset
        is not below V_th, when there is more than one animal of a network that NumPy does not wire, or when
        `wiring` belongs to another network.
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
        wiring: Wiring | None = None,
    ) -> None:
        if reason := refusal(network):
            raise BrainError(f"Numba's engine of bits cannot run this network: {reason}")
        if wiring is not None and wiring.key != wiring_key(network, seed, animals):
            raise BrainError("wiring: it was drawn for other populations, rules, seed or number of animals")
        self._network, self._animals, self._dt_ms = network, animals, dt_ms
        self._parallel = min(threads, animals)
        self._real = np.dtype(np.float32 if precision == "single" else np.float64)
        self.wiring = wiring or draw_wiring(network, draw, seed=seed, animals=animals, threads=threads)
        each = max(1, min(threads // self._parallel, self.wiring.layout.lanes // LANES_A_THREAD))
        self._teams = [Team(each) for _ in range(animals)]
        used = f"{each * self._parallel} thread{'s' * (each * self._parallel > 1)}"
        self.backend = f"numba {numba.__version__}, bits, {used}, {precision} precision"
        delays = [self._steps(float(np.asarray(p.delay_ms))) for p in network.projections]
        self._delay = delays[0] if delays else 1
        self._layout = _kernel_layout(self.wiring.layout)
        self._inputs = self._kernel_inputs()
        self._weights = np.stack([[_block_weights(p) for p in network.projections]] * animals)
        self._weights = self._weights.reshape(animals, len(network.projections), 2)  # pA: within, across
        self._brains: list[kernels.Brain] = []
        self._shared: list[kernels.Shared] = []
        self._scratches: list[kernels.Scratch] = []
        self._constants: list[kernels.Constants] = []
        self._e_l: list[_Floats] = []
        for animal in range(animals):
            self._add_animal(seed, animal)
        self._refresh_weights()
        self._watched = np.empty(0, dtype=np.int64)
        self._voltages = np.empty((0, animals, 0))
        capacity = network.n_neurons + SPIKES_HELD
        self._room = [(np.empty(capacity, np.int64), np.empty(capacity, np.int32)) for _ in range(animals)]

    # -- the interface ------------------------------------------------------------------------------

    def run(self, first_step: int, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        """Simulate a window; see `Engine.run`."""
        windows = self._windows(stimulus)
        voltage = np.empty((self._animals, n_steps, len(self._watched)), dtype=self._real)

        calls = [
            partial(self._run_animal, animal, first_step, n_steps, windows[animal], voltage[animal])
            for animal in range(self._animals)
        ]
        spikes = run_all(calls, self._parallel)
        e_l = np.stack([values[self._watched] for values in self._e_l])
        self._voltages = voltage.transpose(1, 0, 2) + e_l
        if self._animals == 1:
            step, neuron = spikes[0]
            return SpikeBlock(step, np.zeros(len(step), dtype=np.int32), neuron)
        animal = np.repeat(np.arange(self._animals), [len(step) for step, _ in spikes])
        return SpikeBlock.sorted(
            np.concatenate([step for step, _ in spikes]),
            animal,
            np.concatenate([neuron for _, neuron in spikes]),
        )

    def weights(self, name: str) -> _Floats:
        """Return a copy of the weights, shape (animals, synapses)."""
        projection = self._network.projection(name)
        index = self._network.projections.index(projection)
        values = np.empty((self._animals, len(self._is_within(projection, 0))))
        for animal, (within, across) in enumerate(self._weights[:, index]):
            values[animal] = np.where(self._is_within(projection, animal), within, across)
        return values

    def set_weights(self, name: str, weights: _Floats) -> None:
        """Replace a projection's weights.

        Raises
        ------
        SimulatorUnavailable
            When they differ within a cluster, or across clusters: there is one number for all of these.
        """
        projection = self._network.projection(name)
        index = self._network.projections.index(projection)
        changed = self._weights[:, index].copy()
        for animal, given in enumerate(weights):
            inside = self._is_within(projection, animal)
            within, across = changed[animal]
            across = _only_value(given[~inside], across, name)
            clustered = isinstance(projection.weight, ClusteredWeight)
            changed[animal] = _only_value(given[inside], within, name) if clustered else across, across
        self._weights[:, index] = changed
        self._refresh_weights()

    def silence(self, level: NDArray[np.int8]) -> None:
        """Apply levels of the neurons, shape (animals, neurons)."""
        for brain, of_animal in zip(self._brains, level, strict=True):
            brain.level[:] = of_animal

    def suppressed_spikes(self) -> NDArray[np.int64]:
        """Return the spikes of silent neurons that did not come about, shape (animals, neurons)."""
        return np.stack([brain.suppressed for brain in self._brains])

    def state(self) -> State:
        """Return copies of all that the next step depends on, except the step's number."""
        state = {name: np.stack([getattr(brain, name) for brain in self._brains]) for name in _STATE}
        return {**state, "weights": self._weights.copy()}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()`."""
        check_state(state, self.state())
        for animal, brain in enumerate(self._brains):
            for name in _STATE:
                getattr(brain, name)[...] = np.asarray(state[name])[animal]
            brain.driven[:] = np.nan  # `drive` follows from `pipeline`
        self._weights[...] = state["weights"]
        self._refresh_weights()

    def watch(self, neurons: NDArray[np.integer]) -> None:
        """Record V_m of these neurons of every animal from the next window on."""
        self._watched = np.array(neurons, dtype=np.int64)
        self._voltages = np.empty((0, self._animals, len(self._watched)))

    def voltages(self) -> _Floats:
        """Return V_m (mV) at the end of each step of the last window, shape (steps, animals, watched)."""
        return self._voltages.copy()

    def close(self) -> None:
        """Give back memory."""
        del self._brains, self._shared, self._constants, self._room, self._voltages, self.wiring

    # -- a window -----------------------------------------------------------------------------------

    def _windows(self, stimulus: Stimulus) -> list[kernels.Window]:
        current_pa = stimulus.current_pa
        if current_pa is None:
            current_pa = np.zeros((self._animals, self._network.n_current_channels))
        windows = []
        for animal in range(self._animals):
            mine = slice(None) if self._animals == 1 else np.flatnonzero(stimulus.animal == animal)
            windows.append(
                kernels.Window(
                    np.ascontiguousarray(stimulus.step[mine], dtype=np.int64),
                    np.ascontiguousarray(stimulus.channel[mine], dtype=np.int32),
                    np.ascontiguousarray(current_pa[animal], dtype=self._real),
                )
            )
        return windows

    def _run_animal(
        self, animal: int, first_step: int, n_steps: int, window: kernels.Window, voltage: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        brain, (step, neuron) = self._brains[animal], self._room[animal]
        lanes = self.wiring.layout.lane_of_neuron[self._watched]
        out = kernels.Output(step, neuron, lanes, voltage)
        team, shared = self._teams[animal], self._shared[animal]
        done, steps, neurons = 0, [], []
        while done < n_steps:
            phases = team.run(
                partial(self._advance, animal, (first_step, done, n_steps), window, out),
                1 + team.piece(n_steps - done),  # the first prepares the steps
                len(self._layout.segment_word),
            )
            done += phases - 1
            count = shared.n_spikes[0]
            steps.append(step[:count].copy())
            neurons.append(neuron[:count].copy())
        if not kernels.is_finite(self._layout, brain.v, brain.i_ex, brain.i_in):
            raise NotFiniteError(
                f"a membrane potential or current of animal {animal} is no longer finite after the steps "
                f"{first_step} … {first_step + n_steps - 1}; look for weights or currents that are too large"
            )
        return (steps[0], neurons[0]) if len(steps) == 1 else (np.concatenate(steps), np.concatenate(neurons))

    def _advance(
        self,
        animal: int,
        span: tuple[int, int, int],
        window: kernels.Window,
        out: kernels.Output,
        board: NDArray[np.int64],
        seat: int,
    ) -> None:
        """Call the compiled code in one thread, with a scratch that no other thread has."""
        try:
            scratch = self._scratches.pop()
        except IndexError:
            scratch = _new_scratch(self._real)
        kernels.advance(
            board,
            seat,
            span,
            self._delay,
            self._layout,
            self._constants[animal],
            self._inputs,
            self._brains[animal],
            window,
            self._shared[animal],
            scratch,
            out,
        )
        self._scratches.append(scratch)

    # -- construction -------------------------------------------------------------------------------

    def _steps(self, delay_ms: float) -> int:
        return round(delay_ms / self._dt_ms)

    def _add_animal(self, seed: int, animal: int) -> None:
        network, layout = self._network, self.wiring.layout
        parts = [
            propagators(network, population.name, seed=seed, animal=animal, dt_ms=self._dt_ms)
            for population in network.populations
        ]
        if max(part["t_ref"].max() for part in parts) > LONGEST_T_REF_STEPS:
            raise BrainError(f"t_ref: Numba's engine of bits counts at most {LONGEST_T_REF_STEPS} steps")
        values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self._e_l.append(values["e_l"])
        self._constants.append(self._kernel_constants(parts))
        deepest_input = max([self._steps(i.delay_ms) for i in network.spike_inputs], default=1)
        channels = network.n_current_channels
        made = self.wiring.generated[animal] if self.wiring.generated else nothing_generated(len(parts))
        self._shared.append(
            kernels.Shared(
                fired=np.empty(layout.lanes, dtype=np.int32),
                n_fired=np.zeros(len(self._layout.segment_word), dtype=np.int64),
                n_spikes=np.zeros(1, dtype=np.int64),
                event=np.zeros(1, dtype=np.int64),
            )
        )
        self._brains.append(
            kernels.Brain(
                bits=self.wiring.bits[animal],
                pool=made.pool,
                pool_first=made.first,
                pool_inverted=made.inverted,
                row_key=made.key,
                weight=np.zeros((len(parts), len(parts), 2, 2), dtype=self._real),
                i_e=self._lanes(values["i_e"]),
                per_pa=self._lanes(values["per_pa"]),
                v=self._lanes(values["v"], padding=-np.inf, turn=1),  # never reaches a threshold
                i_ex=self._lanes(turn=2),
                i_in=self._lanes(turn=3),
                refractory=placed(layout.lanes, np.int16, turn=4),
                spiked=np.zeros((self._delay + 1, network.n_neurons), dtype=np.int32),
                spiked_first=np.zeros((self._delay + 1, len(layout.blocks) + 1), dtype=np.int64),
                arriving=np.zeros((deepest_input + 1, network.n_spike_channels), dtype=np.int32),
                pipeline=np.zeros((2, channels), dtype=self._real),
                driven=np.full(channels, np.nan, dtype=self._real),
                drive=self._lanes(values["i_e"] * values["per_pa"], turn=5),
                level=np.zeros(network.n_neurons, dtype=np.int8),
                suppressed=np.zeros(network.n_neurons, dtype=np.int64),
            )
        )

    def _lanes(self, values: NDArray[Any] | float = 0.0, padding: float = 0.0, turn: int = 0) -> NDArray[Any]:
        """Return an array with the values at the lanes of the neurons; `turn` as in `placed`."""
        lanes = placed(self.wiring.layout.lanes, self._real, turn)
        lanes[:] = padding
        lanes[self.wiring.layout.lane_of_neuron] = values
        return lanes

    def _kernel_constants(self, parts: Sequence[Mapping[str, NDArray[Any]]]) -> kernels.Constants:
        """Return one number a population where all its neurons are equal, else one a lane."""
        names = kernels.Constants._fields
        equal = all((part[name] == part[name][0]).all() for part in parts for name in names)
        arrays = {}
        for name in names:
            if equal:
                values = np.array([part[name][0] for part in parts], dtype=self._real)
            else:
                values = self._lanes(np.concatenate([part[name] for part in parts]))
            arrays[name] = values.astype(np.int16) if name == "t_ref" else values
        return kernels.Constants(**arrays)

    def _kernel_inputs(self) -> kernels.Inputs:
        network = self._network
        spike_first, spike_lane = self._links(network.spike_inputs)
        current_first, current_lane = self._links(network.current_inputs)
        channels = [network.n_channels(spike_input) for spike_input in network.spike_inputs]
        return kernels.Inputs(
            spike_first,
            spike_lane,
            np.repeat([float(i.weight) for i in network.spike_inputs], channels),
            np.repeat([self._steps(i.delay_ms) for i in network.spike_inputs], channels).astype(np.int64),
            current_first,
            current_lane,
        )

    def _links(
        self, inputs: Sequence[SpikeInput] | Sequence[CurrentInput]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return for each channel where its lanes begin, and the lanes."""
        neurons = [list(self._network.channel_neurons(given)) for given in inputs]
        channels = [channel for of_input in neurons for channel in of_input]
        first = np.cumsum([0, *(len(channel) for channel in channels)])
        return first, self.wiring.layout.lane_of_neuron[np.concatenate([np.empty(0, int), *channels])]

    # -- weights ------------------------------------------------------------------------------------

    def _refresh_weights(self) -> None:
        """Tell the kernels the weight of every spike, and the extra weight within a cluster."""
        places = [
            (
                self._network.populations.index(self._network.population(p.source)),
                self._network.populations.index(self._network.population(p.target)),
            )
            for p in self._network.projections
        ]
        for brain, weights in zip(self._brains, self._weights, strict=True):
            for place, (within, across) in zip(places, weights, strict=True):
                for receptor, sign in enumerate((1.0, -1.0)):
                    anywhere, inside = sign * max(sign * across, 0.0), sign * max(sign * within, 0.0)
                    brain.weight[place][receptor] = anywhere, inside - anywhere

    def _is_within(self, projection: Projection, animal: int) -> NDArray[np.bool_]:
        """Return for each synapse whether it lies within a cluster."""
        source, target = self.wiring.synapses(self._network, projection, animal)
        size_s = self._network.population(projection.source).cluster_size
        size_t = self._network.population(projection.target).cluster_size
        if not isinstance(projection.weight, ClusteredWeight):
            return np.zeros(len(source), dtype=np.bool_)
        return np.asarray(source // size_s == target // size_t)


def _block_weights(projection: Projection) -> tuple[float, float]:
    """Return the weights within and across clusters."""
    if isinstance(projection.weight, ClusteredWeight):
        return projection.weight.within, projection.weight.across
    weight = float(np.asarray(projection.weight))
    return weight, weight


def _only_value(weights: _Floats, default: float, name: str) -> float:
    """Return the number that all weights are, or `default` where there are none."""
    if len(weights) and (weights != weights[0]).any():
        raise SimulatorUnavailable(
            f"weights of {name!r}: Numba's engine of bits holds one weight within and one across clusters; "
            "describe the projection with an array of weights, or use NEST, to have one a synapse"
        )
    return float(weights[0]) if len(weights) else default


def _new_scratch(real: np.dtype[Any]) -> kernels.Scratch:
    lanes = SEGMENT * WORD
    arrived = placed((2, lanes + STAGGER // real.itemsize), real, turn=6)
    arrived[:] = kernels.TINY
    place = np.empty(COUNTER_LIMIT, dtype=np.int64)
    return kernels.Scratch(arrived, arrived[0], arrived[1], placed(lanes, np.uint8), place)


def _kernel_layout(layout: BitLayout) -> kernels.Layout:
    first_word = np.array([*(block.first_lane // WORD for block in layout.blocks), layout.lanes // WORD])
    first_neuron = [block.first_neuron for block in layout.blocks]
    n_neurons = layout.blocks[-1].first_neuron + layout.blocks[-1].size
    population, begin, end, neuron, end_neuron = layout.segments()
    return kernels.Layout(
        first_block=layout.first_block,
        first_word=first_word,
        first_neuron=np.array([*first_neuron, n_neurons]),
        neuron_of_lane=layout.neuron_of_lane,
        segment_population=population,
        segment_word=begin,
        segment_end=end,
        segment_block=np.searchsorted(first_word, begin, side="right") - 1,
        segment_end_block=np.searchsorted(first_word, end, side="left"),
        segment_neuron=neuron,
        segment_end_neuron=end_neuron,
    )
