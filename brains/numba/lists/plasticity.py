"""Plastic projections of the lists engine in the layout of `plasticity_kernels.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import (
    NEVER,
    DopamineSTDP,
    FilteredSpikes,
    ModulationChannel,
    Network,
    PairSTDP,
    PlasticityRule,
    Projection,
    TDError,
    ThreeFactor,
    steps_of_delay,
)
from ethospike.brains.network.plasticity import GridConstants, Modulator, td_constants
from ethospike.brains.numba.lists import plasticity_kernels as kernels
from ethospike.brains.simulator.synapses import Draw
from ethospike.states import State

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class _Synapses(NamedTuple):
    """The synapses of one projection in one animal, in the order of `wire`."""

    source: _Ints  # slots
    target: _Ints
    delay: _Ints  # steps
    place: _Ints  # in the engine's list of synapses
    weight: _Floats


def is_taught(projection: Projection) -> bool:
    """Return whether a projection has a rule of this file; `DopamineGated` has code of its own."""
    return isinstance(projection.plasticity, (ThreeFactor, PairSTDP, DopamineSTDP))


class Lessons:
    """The plastic projections of a network, but those of `DopamineGated`.

    Parameters
    ----------
    network : Network
    draw : callable
        Gives the synapses of a projection in an animal.
    animals : int
    dt_ms : float
    slot : ndarray of int64, shape (neurons,)
    n_slots : int
    places : mapping of str to list of ndarray
        Places of synapses in the engine's list, by projection and animal, in the order of `wire`.
    scale : ndarray of float64
        Effect of a unit of weight at each place.
    """

    def __init__(
        self,
        network: Network,
        draw: Draw,
        animals: int,
        dt_ms: float,
        slot: _Ints,
        n_slots: int,
        places: Mapping[str, list[_Ints]],
        scale: _Floats,
    ) -> None:
        self._network, self._animals, self._dt_ms = network, animals, dt_ms
        self._slot, self._slots = slot, n_slots
        self._projections = [p for p in network.projections if is_taught(p)]
        self._rules = [p.plasticity for p in self._projections if p.plasticity is not None]
        self._modulators = self._different_modulators()
        self._bounds: dict[tuple[str, int], slice] = {}
        parts: list[list[_Synapses]] = []
        for projection in self._projections:
            of_rule = []
            for animal in range(animals):
                wired = draw(projection.name, animal)
                of_rule.append(
                    _Synapses(
                        slot[network.offset(projection.source) + wired.source],
                        slot[network.offset(projection.target) + wired.target],
                        steps_of_delay(wired.delay_ms, dt_ms),
                        places[projection.name][animal],
                        wired.weight,
                    )
                )
            parts.append(of_rule)
        self.arrays = self._lay_out(parts, scale)
        self._prepare_gates()
        self.value = np.zeros((len(self._modulators), animals, 0))
        self._last = self._n_steps = 0

    # -- layout -------------------------------------------------------------------------------------

    def _different_modulators(self) -> list[tuple[Modulator, int]]:
        """Return the modulators with their grids (steps; 1 where there is none), each once."""
        different = {
            (rule.modulator, self._grid_steps(rule)): None
            for rule in self._rules
            if rule.modulator is not None and not isinstance(rule.modulator, str)
        }
        return list(different)

    def _grid_steps(self, rule: PlasticityRule) -> int:
        return 1 if rule.grid_ms is None else max(1, round(rule.grid_ms / self._dt_ms))

    def _lay_out(self, parts: list[list[_Synapses]], scale: _Floats) -> kernels.Rules:
        rules, animals, slots = len(parts), self._animals, self._slots
        delays = [np.unique(np.concatenate([s.delay for s in of_rule])) for of_rule in parts]
        has_delays = [not isinstance(rule, ThreeFactor) for rule in self._rules]
        late = [d for d, has in zip(delays, has_delays, strict=True) if has]
        most = max([len(d) for d in late], default=1)
        longest = max([int(d.max(initial=0)) for d in late], default=0)
        depth = 1 << longest.bit_length() if longest else 1
        table = np.zeros((rules, most), np.int64)
        first, column = (np.zeros((rules, animals, slots + 1), np.int64) for _ in range(2))
        of_target, index, count = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for r, of_rule in enumerate(parts):
            if has_delays[r]:
                table[r, : len(delays[r])] = delays[r]
            for animal, s in enumerate(of_rule):
                self._bounds[self._projections[r].name, animal] = slice(count, count + len(s.source))
                first[r, animal] = count + np.searchsorted(s.source, np.arange(slots + 1))
                delay_place = np.searchsorted(delays[r], s.delay)
                order = np.lexsort((delay_place, s.target))
                column[r, animal] = count + np.searchsorted(s.target[order], np.arange(slots + 1))
                of_target.append(count + order)
                index.append(delay_place)
                count += len(s.source)
        flat = [s for of_rule in parts for s in of_rule]
        place = _joined(s.place for s in flat)
        side_by_side = [all(_is_side_by_side(s) for s in of_rule) for of_rule in parts]
        constants = [self._constants(p) for p in self._projections]
        numbers = [[*c[2], len(d), side] for c, d, side in zip(constants, delays, side_by_side, strict=True)]
        return kernels.Rules(
            kind=np.array([c[0] for c in constants], np.int64),
            parameter=np.array([c[1] for c in constants], np.float64).reshape(rules, kernels.N_PARAMETERS),
            number=np.array(numbers, np.int64).reshape(rules, 9),
            lift=self._lifts(),
            delays=table,
            first=first,
            column=column,
            of_target=np.concatenate(of_target),
            source=_joined(s.source for s in flat),
            target=_joined(s.target for s in flat),
            delay=np.concatenate(index),
            place=place,
            scale=scale[place],
            gate=np.ones(count),
            w=np.concatenate([np.empty(0), *(s.weight for s in flat)]),
            z=np.zeros(count),
            q=np.zeros(count),
            since=np.zeros(count, np.int64),
            plus=np.zeros((rules, animals, slots)),
            plus_step=np.full((rules, animals, slots), NEVER),
            minus=np.zeros((rules, animals, most, slots)),
            minus_step=np.full((rules, animals, most, slots), NEVER),
            dopamine=np.zeros((rules, animals, 2)),
            dopamine_step=np.zeros((rules, animals), np.int64),
            recent=np.zeros((animals, depth, slots if depth > 1 else 1), np.int64),
            recent_count=np.zeros((animals, depth), np.int64),
            heard=self._heard(),
            dt_ms=self._dt_ms,
            **self._modulator_arrays(),
        )

    def _modulator_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the modulators, by field of `Rules`."""
        grids = [steps for _, steps in self._modulators]
        parameters = [self._modulator_constants(m, g) for m, g in self._modulators]
        return {
            "modulator_kind": np.array([_kind(m) for m, _ in self._modulators], np.int64),
            "modulator_grid": np.array(grids, np.int64),
            "modulator_parameter": np.array(parameters, np.float64).reshape(len(grids), 5),
            "modulator_state": np.zeros((len(grids), self._animals, 4)),
        }

    def _constants(self, projection: Projection) -> tuple[int, list[float], list[int]]:
        """Return kind, parameters and numbers of a rule, the number of its delays left out."""
        rule, grid = projection.plasticity, 1
        source, target = (
            self._slot[self._network.neurons(name)] for name in (projection.source, projection.target)
        )
        ends = [int(source[0]), int(source[-1]) + 1, int(target[0]), int(target[-1]) + 1]
        match rule:
            case ThreeFactor():
                k, grid = GridConstants.of(rule, self._dt_ms), self._grid_steps(rule)
                decays = [k.decay_plus, k.decay_minus, k.decay_z, k.z_now, k.decay_q]
                values = [*rule.bounds, rule.learning_rate, *decays, rule.A_plus, rule.A_minus]
                kind = kernels.THREE_FACTOR
            case PairSTDP():
                values = [*rule.bounds, rule.tau_plus, rule.tau_minus, rule.lambda_, rule.alpha]
                values += [rule.mu_plus, rule.mu_minus, rule.Wmax, 0.0]
                kind = kernels.PAIR_STDP
            case DopamineSTDP():
                values = [*rule.bounds, rule.tau_plus, rule.tau_minus, rule.tau_c, rule.modulator.tau_n]
                values += [rule.modulator.b, 0.0, rule.A_plus, rule.A_minus]
                kind = kernels.DOPAMINE_STDP
            case _:
                raise TypeError(f"{projection.name!r} has no rule of the lists engine")
        modulator = -1
        if rule.modulator is not None:
            modulator = self._modulators.index((rule.modulator, grid))
        has_filter = isinstance(rule, ThreeFactor) and rule.tau_filter_ms is not None
        return kind, values, [grid, int(has_filter), modulator, *ends]

    def _lifts(self) -> _Floats:
        """Return the factors of increments of eligibilities by steps since the last grid point."""
        lifts = [
            GridConstants.of(rule, self._dt_ms).lift if isinstance(rule, ThreeFactor) else np.ones(1)
            for rule in self._rules
        ]
        table = np.ones((len(lifts), max([len(lift) for lift in lifts], default=1)))
        for row, lift in zip(table, lifts, strict=True):
            row[: len(lift)] = lift
        return table

    def _heard(self) -> NDArray[np.bool_]:
        """Return the slots of each modulator's population, shape (modulators, slots)."""
        heard = np.zeros((len(self._modulators), self._slots), dtype=np.bool_)
        for row, (modulator, _) in zip(heard, self._modulators, strict=True):
            match modulator:
                case FilteredSpikes(population=name) | TDError(critic=name):
                    row[self._slot[self._network.neurons(name)]] = True
        return heard

    def _modulator_constants(self, modulator: Modulator, grid: int) -> list[float]:
        match modulator:
            case FilteredSpikes(tau_n=tau, b=b):
                return [float(np.exp(-self._dt_ms / tau)), tau, b, 0.0, 1.0]
            case TDError():
                decay, gamma, per_trace = td_constants(modulator, grid, self._dt_ms)
                size = self._network.population(modulator.critic).size
                return [decay, per_trace, modulator.value_at_rest, gamma, float(size)]
        return [0.0, 0.0, 0.0, 0.0, 1.0]

    # -- a window -----------------------------------------------------------------------------------

    def lesson(
        self, first_step: int, n_steps: int, modulation: Mapping[str, NDArray[np.float64]] | None
    ) -> kernels.Lesson:
        """Return the modulation of a window as the compiled code reads it, and set the gates."""
        given_of = modulation or {}
        last, animals = first_step + n_steps - 1, self._animals
        self._last, self._n_steps = last, n_steps
        each = np.full((len(self._modulators), animals), np.nan)
        terminal_from = np.full(each.shape, last + 1)
        channels = []
        for m, (modulator, grid) in enumerate(self._modulators):
            values = np.zeros((animals, 1))
            match modulator:
                case TDError():
                    reward = np.asarray(given_of.get(modulator.reward, np.full(animals, np.nan)), float)
                    each[m] = modulator.reward_scale * reward / n_steps
                    ended = np.asarray(given_of.get(modulator.terminal, np.zeros(animals))) != 0
                    steps = max(1, round(modulator.terminal_ms / self._dt_ms))
                    terminal_from[m] = np.where(ended, last + 1 - steps, last + 1)
                case ModulationChannel(name):
                    shaped = np.asarray(given_of.get(name, np.zeros(animals)), float).reshape(animals, -1)
                    values = shaped * (grid * self._dt_ms)
            channels.append(values)
        given = np.zeros((len(channels), animals, max([v.shape[1] for v in channels], default=1)))
        for m, values in enumerate(channels):
            given[m] = values
        points = [last // grid - (first_step - 1) // grid for _, grid in self._modulators]
        self.value = np.zeros((len(points), animals, max(points, default=0)))
        for gate, gain, synapses in self._gated:
            by_group = gain * np.asarray(given_of[gate], float) if gate in given_of else None
            for animal, (group, written) in enumerate(synapses):
                if by_group is None:
                    written[:] = 0.0
                else:
                    np.take(by_group[animal], group, out=written, mode="clip")  # "raise" makes a copy
        return kernels.Lesson(first_step, each, terminal_from, given, self.value)

    def _prepare_gates(self) -> None:
        """Set the gates of rules without one, and note the groups of the others' targets."""
        # Gate, gain of the second filter, and for each animal group and gate of each synapse.
        self._gated: list[tuple[str, float, list[tuple[_Ints, _Floats]]]] = []
        for projection, rule in zip(self._projections, self._rules, strict=True):
            if not isinstance(rule, ThreeFactor):
                continue
            name, target = projection.name, self._network.population(projection.target)
            gain = 1.0 if rule.tau_filter_ms is None else GridConstants.of(rule, self._dt_ms).gain_q
            first_slot = self._slot[self._network.offset(projection.target)]
            for animal in range(self._animals):
                self.arrays.gate[self._bounds[name, animal]] = gain
            if rule.gate is not None:
                bounds = [self._bounds[name, animal] for animal in range(self._animals)]
                groups = [(self.arrays.target[part] - first_slot) // target.cluster_size for part in bounds]
                synapses = [(g, self.arrays.gate[part]) for g, part in zip(groups, bounds, strict=True)]
                self._gated.append((rule.gate, gain, synapses))

    def modulator_values(self, name: str) -> _Floats:
        """Return the modulator of a projection at the grid points of the last window, (animals, points)."""
        r = [p.name for p in self._projections].index(name)
        grid, m = self.arrays.number[r, kernels.GRID_STEPS], self.arrays.number[r, kernels.MODULATOR]
        points = self._last // grid - (self._last - self._n_steps) // grid
        return self.value[m, :, :points].copy()

    # -- weights and state --------------------------------------------------------------------------

    def weights(self, name: str, step: int) -> _Floats:
        """Return the weights of a projection as of the end of a step, shape (animals, synapses)."""
        r = [p.name for p in self._projections].index(name)
        return np.stack([self._weights_after(r, animal, step)[0] for animal in range(self._animals)])

    def _weights_after(self, r: int, animal: int, step: int) -> tuple[_Floats, _Floats]:
        """Return weight and eligibility at the end of a step, without advancing them."""
        rule, synapses = self._rules[r], self._bounds[self._projections[r].name, animal]
        w, z = self.arrays.w[synapses].copy(), self.arrays.z[synapses].copy()
        if isinstance(rule, DopamineSTDP):
            state = self.arrays.dopamine[r, animal], int(self.arrays.dopamine_step[r, animal])
            minus_ms = (self.arrays.since[synapses] - step) * self._dt_ms
            n = rule.n_at(float(state[0][0]), (state[1] - self.arrays.since[synapses]) * self._dt_ms)
            return rule.advanced(w, z, n, minus_ms)
        return w, z

    def set_weights(self, name: str, weights: _Floats, step: int) -> None:
        """Replace the weights of a projection at the end of a step."""
        r = [p.name for p in self._projections].index(name)
        for animal, given in enumerate(weights):
            synapses = self._bounds[name, animal]
            self.arrays.z[synapses] = self._weights_after(r, animal, step)[1]
            self.arrays.since[synapses] = step
            self.arrays.w[synapses] = given

    def changing(self) -> State:
        """Return all that the next step depends on, by name; the arrays themselves."""
        names = ["w", "z", "q", "since", "plus", "plus_step", "minus", "minus_step", "dopamine"]
        names += ["dopamine_step", "recent", "recent_count", "modulator_state"]
        return {f"rules_{name}": getattr(self.arrays, name) for name in names}


def _is_side_by_side(synapses: _Synapses) -> bool:
    """Return whether the synapses of each source follow each other in the engine's list."""
    same = np.diff(synapses.source) == 0
    return bool((np.diff(synapses.place)[same] == 1).all())


def _joined(parts: Iterable[_Ints]) -> _Ints:
    """Return arrays of whole numbers as one; there may be none."""
    return np.concatenate([np.empty(0, np.int64), *parts])


def _kind(modulator: Modulator) -> int:
    match modulator:
        case FilteredSpikes():
            return kernels.FILTERED_SPIKES
        case TDError():
            return kernels.TD_ERROR
    return kernels.CHANNEL
