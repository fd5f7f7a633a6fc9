"""Neurons that relax: their state, the constants of many steps at once, and the step of their next spike.

Between two arrivals the membrane equation is linear, so n steps at once multiply the state by constants of n
steps (Rotter & Diesmann 1999, Biol Cybern 81:381), which differ from n single steps by rounding alone. A
neuron keeps the state of its `last` step, in which something arrived or its refractory period ended, until
the next arrival (`arrivals.py`), wherever intervals and windows end. At each arrival the step is looked for
in which it will fire if nothing else arrives (`due`). Most neurons cannot: v + peak · g, which no later
potential exceeds, is below the threshold.

Blocks of neurons that differ in their constants, or have a current, are advanced in every step
(`stepped.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.network import Network
from ethospike.brains.numba.blocks import INBOX, LANES, ROWS
from ethospike.brains.numba.placement import aligned

Array = NDArray[Any]

LEFT = 1e-8
"""Share of a potential that is left after the steps in a table; constants of more steps are computed."""
MOST_STEPS = 2**17
"""Most steps in a table; neurons that are slower are advanced in every step."""
MARGIN = 1.001
"""Factor of the highest potential to come, far above the error of rounding."""
CHUNK = 32
"""Steps that are compared with the threshold at once while a neuron's next spike is looked for."""
NEVER_DUE = 2**62
"""Step of a neuron that does not fire before something arrives."""
OTHER, STEPPED = -1, -2
"""Kinds of blocks: of other models; of neurons that are advanced in every step."""
NUMBERS = 8
"""Numbers of a neuron's state, the first three of which are these; `last` and `due` end it as int64."""
POTENTIAL, SYNAPTIC, THRESHOLD = (np.uintp(number) for number in range(3))


class Relaxing(NamedTuple):
    """Neurons that relax."""

    kind: Array  # (blocks,) row of the tables, or OTHER, or STEPPED
    table: Array  # (kinds, 3, steps) leak, decay and effect of g on v of n steps
    step: Array  # (kinds, 3) float64: the same of one step
    peak: Array  # (kinds,) largest effect of g on v in all steps to come
    peak_step: Array  # (kinds,) after how many steps
    state: Array  # (slots, NUMBERS) v and g after the step `last`, threshold; one cache line holds a neuron
    when: Array  # (slots, …) int64: the same memory; `last` and `due` are its last two columns
    has_others: Array  # (parts,) bool: a part has other blocks as well, or STEPPED ones
    place: Array  # (blocks · INBOX,) 0, 1, …: targets of a row of the ring as of a row of synapses
    first_due: Array  # (blocks,) no later than the earliest `due` of a block
    recent_slot: (
        Array  # (slots · longest interval,) neurons that fired, as long as their spikes are under way
    )
    recent_step: Array  # the same: in which step
    recent: Array  # (1,) how many


# `last` is the step of a neuron's state. While it is −1 − u, the neuron is refractory up to the step u.


def relaxing_blocks(
    network: Network,
    rows: NDArray[np.float64],
    slot: NDArray[np.int64],
    real: np.dtype[Any],
    longest: int,
) -> Relaxing:
    """Return the neurons that relax, with their tables, but without their state.

    Parameters
    ----------
    network : Network
    rows : ndarray of float64, shape (blocks, rows, LANES)
        State and constants.
    slot : ndarray of int64, shape (neurons,)
        Place of each neuron among the padded blocks.
    real : dtype
        Of the engine's state.
    longest : int
        Most steps of an interval.
    """
    is_mine, is_driven = np.zeros((2, len(rows) * LANES), dtype=bool)
    driven = {given.target for given in network.current_inputs}
    for population in network.populations:
        if population.neuron_model.rows_kernel:
            slots = slot[network.neurons(population.name)]
            is_mine[slots], is_driven[slots] = True, population.name in driven
    is_mine, is_driven = is_mine.reshape(-1, LANES), is_driven.reshape(-1, LANES)
    kind = np.where(is_mine.any(axis=1), STEPPED, OTHER)
    constants = rows[:, [ROWS.index(name) for name in ("leak", "decay_ex", "from_ex", "drive")]]
    low = np.where(is_mine[:, None], constants, np.inf).min(axis=2)
    high = np.where(is_mine[:, None], constants, -np.inf).max(axis=2)
    alike = (low == high).all(axis=1) & (low[:, 3] == 0.0) & ~is_driven.any(axis=1)
    alike &= (rows[:, ROWS.index("v_th")] > 0).all(axis=1)  # at rest, a neuron does not fire
    alike &= _steps_of_table(low[:, :2].max(axis=1)) < MOST_STEPS
    steps, numbers = np.unique(low[alike, :3], axis=0, return_inverse=True)
    kind[alike] = numbers.reshape(-1)
    return _tables(kind, steps, real, longest)


def _steps_of_table(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return after how many steps a factor a step leaves `LEFT`."""
    with np.errstate(divide="ignore"):
        return np.where(factor < 1, np.ceil(np.log(LEFT) / np.log(factor)), np.inf)


def _tables(
    kind: NDArray[np.int64], step: NDArray[np.float64], real: np.dtype[Any], longest: int
) -> Relaxing:
    """Return the constants of n steps for each kind, from leak, decay and effect of one step."""
    slots = len(kind) * LANES if (kind >= 0).any() else 0
    state = aligned((slots, NUMBERS), real)
    state[...] = 0
    steps = 2 + int(_steps_of_table(step[:, :2]).max(initial=1.0))
    table = np.zeros((len(step), 3, steps))
    n = np.arange(steps)
    for row, (leak, decay, gain) in enumerate(step):
        table[row, 0], table[row, 1] = leak**n, decay**n
        if leak == decay:
            table[row, 2] = gain * n * leak ** np.maximum(n - 1, 0)
        else:
            table[row, 2] = gain * (leak**n - decay**n) / (leak - decay)
    return Relaxing(
        kind=kind,
        table=table.astype(real),
        step=step,
        peak=table[:, 2].max(axis=1, initial=0.0),
        peak_step=table[:, 2].argmax(axis=1),
        state=state,
        when=state.view(np.int64),
        has_others=np.ones(1, dtype=bool),
        place=np.arange(slots // LANES * INBOX, dtype=np.int32),
        first_due=np.full(len(kind), NEVER_DUE, dtype=np.int64),
        recent_slot=np.empty(slots * longest, dtype=np.int32),
        recent_step=np.empty(slots * longest, dtype=np.int64),
        recent=np.zeros(1, dtype=np.int64),
    )


def load_state(relaxing: Relaxing, cells: NDArray[Any], last: NDArray[np.int64]) -> None:
    """Take over the state in blocks, shape (blocks, rows, LANES), and the step of each neuron's state."""
    for number, name in ((POTENTIAL, "v"), (SYNAPTIC, "ex"), (THRESHOLD, "v_th")):
        relaxing.state[:, number] = cells[:, ROWS.index(name)].reshape(-1)
    relaxing.when[:, -2] = last
    look_ahead(relaxing)


def store_state(relaxing: Relaxing, cells: NDArray[Any]) -> None:
    """Write the state of neurons that relax into their blocks."""
    mine = relaxing.kind >= 0
    for number, name in ((POTENTIAL, "v"), (SYNAPTIC, "ex")):
        cells[mine, ROWS.index(name)] = relaxing.state[:, number].reshape(-1, LANES)[mine]


@kernel
def constants_of_steps(relaxing: Relaxing, kind: int, n: int) -> tuple[float, float, float]:
    """Return leak, decay and effect of g on v of n steps."""
    leak, decay, gain = relaxing.step[kind, 0], relaxing.step[kind, 1], relaxing.step[kind, 2]
    if leak == decay:
        return leak**n, decay**n, gain * n * leak ** (n - 1)
    after_leak, after_decay = leak**n, decay**n
    return after_leak, after_decay, gain * (after_leak - after_decay) / (leak - decay)


@kernel
def long_after(v: float, g: float, n: int, relaxing: Relaxing, kind: int) -> tuple[float, float]:
    """Return v and g after more steps without input than a table has."""
    leak, decay, gain = constants_of_steps(relaxing, kind, n)
    return v * leak + g * gain, g * decay


# -- the next spike -------------------------------------------------------------------------------------


@kernel
def _steps_to_spike(v: float, g: float, v_th: float, relaxing: Relaxing, kind: int) -> int:
    """Return after how many steps without input a potential is above its threshold; NEVER_DUE if it is not.

    Beyond the peak of the effect of g, potentials fall below v · leak + g · gain, if both are positive.
    """
    leak, gain = relaxing.table[kind, 0], relaxing.table[kind, 2]
    up_v, up_g = max(v, 0.0), max(g, 0.0)
    for first in range(1, len(leak), CHUNK):
        end = min(first + CHUNK, len(leak))
        reached = False
        for n in range(first, end):
            reached |= v * leak[np.uintp(n)] + g * gain[np.uintp(n)] > v_th
        if reached:
            for n in range(first, end):
                if v * leak[n] + g * gain[n] > v_th:
                    return n
        highest = up_v * leak[end - 1] + up_g * gain[end - 1]
        if end > relaxing.peak_step[kind] and not highest * MARGIN >= v_th:
            break
    return NEVER_DUE


@kernel
def set_due(slot: int, relaxing: Relaxing, kind: int) -> None:
    """Find the next spike of a neuron that may fire, from its state."""
    state = relaxing.state
    v, g, v_th = state[slot, POTENTIAL], state[slot, SYNAPTIC], state[slot, THRESHOLD]
    wait, last = _steps_to_spike(v, g, v_th, relaxing, kind), relaxing.when[slot, -2]
    due = NEVER_DUE
    if wait < NEVER_DUE:
        due = wait + (last if last >= 0 else -1 - last)
        relaxing.first_due[slot // LANES] = min(relaxing.first_due[slot // LANES], due)
    relaxing.when[slot, -1] = due


@kernel
def look_ahead(relaxing: Relaxing) -> None:
    """Find the next spikes of all neurons, from their state."""
    for block in range(len(relaxing.kind)):
        if relaxing.kind[block] >= 0:
            relaxing.first_due[block] = NEVER_DUE
            for slot in range(block * LANES, (block + 1) * LANES):
                set_due(slot, relaxing, relaxing.kind[block])
