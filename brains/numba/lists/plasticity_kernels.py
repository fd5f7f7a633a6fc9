"""Compiled code of plasticity rules: one step of one animal.

The equations are those of the references in `brains/network/plasticity`, in the same order of operations, so
that weights agree to the last digits. `plasticity.py` lays out the arrays.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from ethospike.brains.compiling import kernel

Array = NDArray[Any]

THREE_FACTOR, PAIR_STDP, DOPAMINE_STDP = 0, 1, 2
"""Kinds of rules."""
FILTERED_SPIKES, CHANNEL, TD_ERROR = 0, 1, 2
"""Kinds of modulators."""

# Columns of `Rules.number`: whole numbers of a rule.
GRID_STEPS, HAS_FILTER, MODULATOR, SOURCE, SOURCE_END, TARGET, TARGET_END, DELAYS, SIDE_BY_SIDE = range(9)
# Columns of `Rules.parameter`.
LOWEST, HIGHEST = 0, 1
RATE, DECAY_PLUS, DECAY_MINUS, DECAY_Z, Z_NOW, DECAY_Q, A_PLUS, A_MINUS = range(2, 10)
TAU_PLUS, TAU_MINUS, LAMBDA, ALPHA, MU_PLUS, MU_MINUS, W_MAX = range(2, 9)
# A_PLUS and A_MINUS of dopamine-modulated STDP stand where those of the three-factor rule do.
TAU_C, TAU_N, BASELINE = 4, 5, 6
N_PARAMETERS = 10
# Columns of `Rules.modulator_parameter`.
DECAY, GAIN, REST, GAMMA, NEURONS = range(5)
# Columns of `Rules.modulator_state`.
TRACE, PENDING, VALUE_BEFORE, REWARD_SUM = range(4)


class Rules(NamedTuple):
    """Plastic projections. Synapses are sorted by (rule, animal, source, target)."""

    kind: Array  # (rules,)
    parameter: Array  # (rules, N_PARAMETERS) float64
    number: Array  # (rules, 9) int64
    lift: Array  # (rules, longest grid): factor of an increment of z by steps since the last grid point
    delays: Array  # (rules, most delays): the different delays in steps
    first: Array  # (rules, animals, slots + 1): first synapse of each source
    column: Array  # (rules, animals, slots + 1): first place in `of_target` of each target
    of_target: Array  # (synapses,) synapses by (rule, animal, target, delay)
    source: Array  # (synapses,) slot
    target: Array  # (synapses,) slot
    delay: Array  # (synapses,) index in `delays`
    place: Array  # (synapses,) place in `Circuit.effect`
    scale: Array  # (synapses,) effect of a unit of weight
    gate: Array  # (synapses,) gate of the window, times the gain of the second filter
    w: Array  # (synapses,) weight
    z: Array  # (synapses,) eligibility
    q: Array  # (synapses,) second filter
    since: Array  # (synapses,) step of w and z of dopamine-modulated STDP
    plus: Array  # (rules, animals, slots) trace of sources
    plus_step: Array  # (rules, animals, slots)
    minus: Array  # (rules, animals, most delays, slots) trace of targets, by delay
    minus_step: Array
    dopamine: Array  # (rules, animals, 2): n, and spikes of the last step
    dopamine_step: Array  # (rules, animals)
    recent: Array  # (animals, depth, slots): slots that fired, a ring over steps
    recent_count: Array  # (animals, depth)
    heard: Array  # (modulators, slots) bool
    modulator_kind: Array  # (modulators,)
    modulator_grid: Array  # (modulators,) steps
    modulator_parameter: Array  # (modulators, 5)
    modulator_state: Array  # (modulators, animals, 4)
    dt_ms: float


class Lesson(NamedTuple):
    """Modulation of a window."""

    first_step: int
    each: Array  # (modulators, animals) reward of a step; NaN makes no TD error
    terminal_from: Array  # (modulators, animals) step from which the value counts as 0
    given: Array  # (modulators, animals, 1 or steps) values of channels, times the grid interval
    value: Array  # (modulators, animals, grid points): values of the window, written here


@kernel
def _point(step: int, grid: int, lesson: Lesson) -> int:
    """Return the number of a grid point within the window."""
    return step // grid - (lesson.first_step - 1) // grid - 1


@kernel
def _modulate(animal: int, step: int, fired: Array, rules: Rules, lesson: Lesson) -> None:
    """Bring the modulators to a step, and note their values at grid points."""
    for m in range(len(rules.modulator_kind)):
        parameter, state = rules.modulator_parameter[m], rules.modulator_state[m, animal]
        kind, grid = rules.modulator_kind[m], rules.modulator_grid[m]
        count = 0
        for slot in fired:
            count += rules.heard[m, slot]
        value = 0.0
        if kind == FILTERED_SPIKES:
            state[TRACE] = state[TRACE] * parameter[DECAY] + state[PENDING] / parameter[GAIN]
            state[PENDING] = float(count)
            value = (state[TRACE] - parameter[REST]) * (grid * rules.dt_ms)
        elif kind == CHANNEL:
            given = lesson.given[m, animal]
            value = given[step - lesson.first_step] if len(given) > 1 else given[0]
        else:
            each = lesson.each[m, animal]
            is_on = not math.isnan(each)
            state[TRACE] = state[TRACE] * parameter[DECAY] + count / parameter[NEURONS]
            state[REWARD_SUM] += each if is_on else 0.0
            if step % grid == 0:
                now = 0.0
                if step < lesson.terminal_from[m, animal]:
                    now = parameter[REST] + parameter[GAIN] * state[TRACE]
                if is_on:
                    value = (state[REWARD_SUM] + parameter[GAMMA] * now) - state[VALUE_BEFORE]
                state[VALUE_BEFORE] = now
                state[REWARD_SUM] = 0.0
        if step % grid == 0:
            lesson.value[m, animal, _point(step, grid, lesson)] = value


@kernel
def _change(w: Array, z: Array, gate: Array, constants: Array, factor: float) -> None:
    """Add factor × gated eligibility to the weights, within bounds; then let eligibilities decay."""
    lowest, highest = constants[LOWEST], constants[HIGHEST]
    decay, now = constants[DECAY_Z], constants[Z_NOW]
    for i in range(len(w)):
        changed = w[i] + factor * ((z[i] * now) * gate[i])
        changed = changed if changed > lowest else lowest
        w[i] = changed if changed < highest else highest
        z[i] *= decay


@kernel
def _change_filtered(w: Array, z: Array, q: Array, gate: Array, constants: Array, factor: float) -> None:
    """Add factor × filtered eligibility to the weights, within bounds; then decay and filter."""
    lowest, highest = constants[LOWEST], constants[HIGHEST]
    decay_z, decay_q = constants[DECAY_Z], constants[DECAY_Q]
    for i in range(len(w)):
        changed = w[i] + factor * q[i]
        changed = changed if changed > lowest else lowest
        w[i] = changed if changed < highest else highest
        decayed = z[i] * decay_z
        z[i] = decayed
        q[i] = q[i] * decay_q + gate[i] * decayed


@kernel
def _decay(trace: Array, factor: float) -> None:
    for i in range(len(trace)):
        trace[i] *= factor


@kernel
def _three_factor(r: int, animal: int, step: int, value: float, fired: Array, rules: Rules) -> None:
    """Apply a step of `ThreeFactor`; `value` is the modulator's at a grid point."""
    parameter, number = rules.parameter[r], rules.number[r]
    offset = step % number[GRID_STEPS]
    source, target, plus = rules.source, rules.target, rules.plus[r, animal]
    minus = rules.minus[r, animal, 0]
    first, column = rules.first[r, animal], rules.column[r, animal]
    begin, end = first[0], first[len(first) - 1]
    w, z, gate = rules.w[begin:end], rules.z[begin:end], rules.gate[begin:end]
    backward, is_filtered = parameter[A_MINUS] != 0.0, number[HAS_FILTER] != 0
    _decay(plus[number[SOURCE] : number[SOURCE_END]], parameter[DECAY_PLUS])
    if backward:
        _decay(minus[number[TARGET] : number[TARGET_END]], parameter[DECAY_MINUS])
    factor, lift = parameter[RATE] * value, rules.lift[r, offset]
    if offset == 0 and not is_filtered:
        _change(w, z, gate, parameter, factor)
    elif offset == 0:  # these spikes will decay with those before them
        lift = rules.lift[r, number[GRID_STEPS]]
    for slot in fired:
        if number[TARGET] <= slot < number[TARGET_END]:
            for c in range(column[slot], column[slot + 1]):
                i = rules.of_target[c]
                rules.z[i] += (parameter[A_PLUS] * lift) * plus[source[i]]
    if backward:
        for slot in fired:
            if number[SOURCE] <= slot < number[SOURCE_END]:
                for i in range(first[slot], first[slot + 1]):
                    rules.z[i] -= (parameter[A_MINUS] * lift) * minus[target[i]]
    if offset == 0 and is_filtered:
        _change_filtered(w, z, rules.q[begin:end], gate, parameter, factor)
    for slot in fired:
        if number[SOURCE] <= slot < number[SOURCE_END]:
            plus[slot] += 1.0
        if backward and number[TARGET] <= slot < number[TARGET_END]:
            minus[slot] += 1.0


@kernel
def _begin_of_delay(delays: Array, of_target: Array, low: int, high: int, delay: int) -> int:
    """Return the first place in low … high of `of_target` with a delay (an index) of at least `delay`."""
    while low < high:
        middle = (low + high) // 2
        if delays[of_target[middle]] < delay:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _trace(value: float, since: int, step: int, dt_ms: float, tau_ms: float) -> float:
    """Return a trace at a step."""
    return value * math.exp((since - step) * dt_ms / tau_ms) if value != 0.0 else 0.0


@kernel
def _facilitated(weight: float, k_plus: float, parameter: Array) -> float:
    share, highest = weight / parameter[W_MAX], float(parameter[W_MAX])
    share = share + parameter[LAMBDA] * (1.0 - share) ** parameter[MU_PLUS] * k_plus
    return float(share * highest) if share < 1.0 else highest


@kernel
def _depressed(weight: float, k_minus: float, parameter: Array) -> float:
    share = weight / parameter[W_MAX]
    share = share - parameter[ALPHA] * parameter[LAMBDA] * share ** parameter[MU_MINUS] * k_minus
    return float(share * parameter[W_MAX]) if share > 0.0 else 0.0


@kernel
def _advance_dopamine(
    i: int,
    step: int,
    n: float,
    n_step: int,
    dt_ms: float,
    parameter: Array,
    w: Array,
    c: Array,
    since: Array,
) -> None:
    """Bring weight and eligibility of a synapse of dopamine-modulated STDP to a step."""
    if since[i] == step:
        return
    tau_c, tau_n = parameter[TAU_C], parameter[TAU_N]
    minus_ms = (since[i] - step) * dt_ms
    n = n * math.exp((n_step - since[i]) * dt_ms / tau_n)
    rates = (tau_c + tau_n) / (tau_c * tau_n)
    gained = n / rates * math.expm1(rates * minus_ms)
    gained = gained - parameter[BASELINE] * tau_c * math.expm1(minus_ms / tau_c)
    w[i] = min(max(w[i] - c[i] * gained, parameter[LOWEST]), parameter[HIGHEST])
    c[i] *= math.exp(minus_ms / tau_c)
    since[i] = step


@kernel
def _dopamine(r: int, animal: int, step: int, fired: Array, rules: Rules) -> None:
    """Let the dopamine spikes of the step before arrive, and count those of this one."""
    state, parameter = rules.dopamine[r, animal], rules.parameter[r]
    if state[1] > 0.0:
        first, n_step = rules.first[r, animal], rules.dopamine_step[r, animal]
        for i in range(first[0], first[len(first) - 1]):
            _advance_dopamine(
                i, step, state[0], n_step, rules.dt_ms, parameter, rules.w, rules.z, rules.since
            )
        elapsed = (rules.dopamine_step[r, animal] - step) * rules.dt_ms
        state[0] = state[0] * math.exp(elapsed / parameter[TAU_N]) + state[1] / parameter[TAU_N]
        rules.dopamine_step[r, animal] = step
    count = 0
    for slot in fired:
        count += rules.heard[rules.number[r, MODULATOR], slot]
    state[1] = float(count)


@kernel
def _stdp(r: int, animal: int, step: int, fired: Array, rules: Rules) -> None:
    """Apply a step of `PairSTDP` or `DopamineSTDP`: arriving target spikes, source spikes, their traces."""
    parameter, number, dt_ms = rules.parameter[r], rules.number[r], rules.dt_ms
    first, column, w = rules.first[r, animal], rules.column[r, animal], rules.w
    is_dopamine = rules.kind[r] == DOPAMINE_STDP
    n, n_step = rules.dopamine[r, animal, 0], rules.dopamine_step[r, animal]
    plus, plus_step = rules.plus[r, animal], rules.plus_step[r, animal]
    minus, minus_step = rules.minus[r, animal], rules.minus_step[r, animal]
    depth = rules.recent_count.shape[1]
    for d in range(number[DELAYS]):
        row = (step - rules.delays[r, d]) & (depth - 1)
        for slot in rules.recent[animal, row, : rules.recent_count[animal, row]]:
            if not number[TARGET] <= slot < number[TARGET_END]:
                continue
            last = column[slot + 1]
            c = _begin_of_delay(rules.delay, rules.of_target, column[slot], last, d)
            while c < last and rules.delay[rules.of_target[c]] == d:
                i = rules.of_target[c]
                source = rules.source[i]
                k_plus = _trace(plus[source], plus_step[source], step, dt_ms, parameter[TAU_PLUS])
                if is_dopamine:
                    _advance_dopamine(i, step, n, n_step, dt_ms, parameter, w, rules.z, rules.since)
                    rules.z[i] += parameter[A_PLUS] * k_plus
                else:
                    w[i] = _facilitated(w[i], k_plus, parameter)
                c += 1
    for slot in fired:
        if number[SOURCE] <= slot < number[SOURCE_END]:
            for i in range(first[slot], first[slot + 1]):
                d, target = rules.delay[i], rules.target[i]
                k_minus = _trace(minus[d, target], minus_step[d, target], step, dt_ms, parameter[TAU_MINUS])
                if is_dopamine:
                    _advance_dopamine(i, step, n, n_step, dt_ms, parameter, w, rules.z, rules.since)
                    rules.z[i] -= parameter[A_MINUS] * k_minus
                else:
                    w[i] = _depressed(w[i], k_minus, parameter)
    for d in range(number[DELAYS]):
        row = (step - rules.delays[r, d]) & (depth - 1)
        for slot in rules.recent[animal, row, : rules.recent_count[animal, row]]:
            if number[TARGET] <= slot < number[TARGET_END]:
                k_minus = _trace(minus[d, slot], minus_step[d, slot], step, dt_ms, parameter[TAU_MINUS])
                minus[d, slot], minus_step[d, slot] = k_minus + 1.0, step
    for slot in fired:
        if number[SOURCE] <= slot < number[SOURCE_END]:
            k_plus = _trace(plus[slot], plus_step[slot], step, dt_ms, parameter[TAU_PLUS])
            plus[slot], plus_step[slot] = k_plus + 1.0, step


@kernel
def _refresh(w: Array, scale: Array, effect: Array) -> None:
    for i in range(len(w)):
        effect[i] = w[i] * scale[i]


@kernel
def learn_step(animal: int, step: int, fired: Array, rules: Rules, lesson: Lesson, effect: Array) -> None:
    """Apply the rules to one step, before its spikes are sent.

    `fired` are the slots that fired; the effects of their synapses are brought up to date.
    """
    _modulate(animal, step, fired, rules, lesson)
    for r in range(len(rules.kind)):
        kind, number = rules.kind[r], rules.number[r]
        if kind == THREE_FACTOR:
            value, m, grid = 0.0, number[MODULATOR], number[GRID_STEPS]
            if step % grid == 0:
                value = lesson.value[m, animal, _point(step, grid, lesson)]
            _three_factor(r, animal, step, value, fired, rules)
        else:
            if kind == DOPAMINE_STDP:
                _dopamine(r, animal, step, fired, rules)
            _stdp(r, animal, step, fired, rules)
        first = rules.first[r, animal]
        for slot in fired:
            if number[SOURCE] <= slot < number[SOURCE_END]:
                begin, end = first[slot], first[slot + 1]
                if number[SIDE_BY_SIDE] and begin < end:
                    place = rules.place[begin]
                    _refresh(rules.w[begin:end], rules.scale[begin:end], effect[place : place + end - begin])
                    continue
                for i in range(begin, end):
                    effect[rules.place[i]] = rules.w[i] * rules.scale[i]
    depth = rules.recent_count.shape[1]
    if depth > 1:
        row = step & (depth - 1)
        rules.recent_count[animal, row] = len(fired)
        for index in range(len(fired)):
            rules.recent[animal, row, index] = fired[index]


def teach(
    rules: Rules | None,
    lesson: Lesson | None,
    animal: int,
    step: int,
    fired: Array,
    effect: Array,
) -> None:
    """Call `learn_step`, if there are rules: chosen by type, so that other networks pay nothing."""


@overload(teach, strict=False)
def _overload_teach(rules: Any, lesson: Any, animal: Any, step: Any, fired: Any, effect: Any) -> Any:
    if isinstance(rules, types.NoneType):
        return lambda rules, lesson, animal, step, fired, effect: None
    return lambda rules, lesson, animal, step, fired, effect: learn_step(
        animal, step, fired, rules, lesson, effect
    )
