"""Compiled code of neurons in padded blocks: the vectorized steps of the engines of lists and of rows.

Neurons are padded to blocks of `LANES`; a block holds one row of `LANES` numbers for each quantity, state
first, so that a whole update is done in vector registers from one stretch of memory. With a constant distance
between rows the compiler can prove that they do not overlap; unsigned indices spare it Python's wrap-around
of negative ones. Without either, the loop is not vectorized and 20 times slower.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.compiling import compiled, inlined, kernel

Array = NDArray[Any]

LANES = 16
"""Neurons in a block: one 512-bit register of single-precision numbers."""

# Rows of a block. Potentials are relative to E_L; conductances are stored as the mean rate h·g/C that they
# cause in the next step, so that no neuron needs a division by C or a table of propagators.
ROWS = (
    # changes from step to step
    "v",  # membrane potential (mV)
    "ex",  # excitatory conductance (rate) or current (pA)
    "inh",  # inhibitory conductance (rate) or current (pA)
    "sfa",  # adaptation conductance (rate)
    "refractory",  # steps left
    "inbox_ex",  # what arrives at the end of this step
    "inbox_in",
    "drive",  # constant currents, as their effect on v in one step (mV)
    # constants of the update
    "leak",  # h·g_L/C, or the propagator exp(−h/tau_m)
    "from_ex",  # E_ex − E_L (mV), or the propagator from current to potential (mV/pA)
    "from_in",
    "from_sfa",  # E_sfa − E_L (mV)
    "decay_ex",
    "decay_in",
    "decay_sfa",
    "slope_ex",  # change during a step, as a fraction of the mean, over 12
    "slope_in",
    "slope_sfa",
    "v_th",
    "v_reset",
    # constants of a spike, of currents, and of what is shown outside
    "t_ref",  # steps
    "q_sfa",  # jump of `sfa` (rate)
    "i_e",  # constant current (pA)
    "per_pa",  # effect of 1 pA on v in one step (mV)
    "e_l",  # mV
)
STATE_ROWS = 8
STRIDE = len(ROWS) * LANES
INBOX = 2 * LANES
"""Numbers that can arrive in a block in one step: `LANES` excitatory, then `LANES` inhibitory ones."""
INBOX_START = ROWS.index("inbox_ex") * LANES

(V, EX, IN, SFA, REFRACTORY, INBOX_EX, INBOX_IN, DRIVE, LEAK, FROM_EX, FROM_IN, FROM_SFA) = (
    np.uintp(row * LANES) for row in range(12)
)
(DECAY_EX, DECAY_IN, DECAY_SFA, SLOPE_EX, SLOPE_IN, SLOPE_SFA) = (
    np.uintp(row * LANES) for row in range(12, 18)
)
(V_TH, V_RESET, T_REF, Q_SFA, I_E, PER_PA, E_L) = (np.uintp(row * LANES) for row in range(18, 25))

TINY_ROOTS = 1e3
"""Magnitudes below so many roots of the smallest normal number (1e-16 in single precision) become 0. Denormal
numbers are computed up to 100 times slower than others, and an update multiplies conductances by each other:
already their products must be normal. Beside the last digit of a potential, the loss is nothing."""
FLUSH_EVERY = 16
"""Steps between two searches for tiny numbers, in which a number falls by a factor of 1e7 at tau = 1 step."""

# Fused multiply-add changes last digits only. Not for iaf_psc_exp, which follows NEST digit by digit.
_fused = compiled(fastmath={"contract"}, _nrt=False)


@_fused
def step_conductance(cells: Array, base: int) -> bool:
    """Advance a block of conductance-based neurons by one step; return whether any reached V_th.

    Conductances decay exactly. v obeys dv/dt = b(t) − a(t)·v, solved by the Magnus expansion to fourth order
    (Blanes et al. 2009, Phys Rep 470:151): a is replaced by its mean over the step, and b by its mean plus
    h/12·(a·Δb − b·Δa), where Δ is the change during the step. The solution for constant a and b needs
    (1 − e^−x)/x with x = h·a; the rational function used here is off by 1e-7 at x = 0.5, 6e-6 at 1 and at
    most 3e-3 anywhere, and never lets v overshoot its goal. Usually x is below 0.1.
    """
    real = cells.dtype.type
    zero, half, unit, five, sixty = real(0), real(0.5), real(1), real(5), real(60)
    reached = False
    for lane in range(LANES):
        cell = np.uintp(base) + np.uintp(lane)
        v, ex, inh, sfa = cells[cell + V], cells[cell + EX], cells[cell + IN], cells[cell + SFA]
        left = cells[cell + REFRACTORY]
        x = cells[cell + LEAK] + ex + inh + sfa
        from_ex, from_in, from_sfa = cells[cell + FROM_EX], cells[cell + FROM_IN], cells[cell + FROM_SFA]
        b = ex * from_ex + inh * from_in + sfa * from_sfa + cells[cell + DRIVE]
        change_ex = ex * cells[cell + SLOPE_EX]
        change_in = inh * cells[cell + SLOPE_IN]
        change_sfa = sfa * cells[cell + SLOPE_SFA]
        change_b = change_ex * from_ex + change_in * from_in + change_sfa * from_sfa
        b += change_b * x - (change_ex + change_in + change_sfa) * b
        above = sixty + x * x
        below = above * (unit + half * x) + five * x * x
        limit = above * x
        below = below if below > limit else limit
        v += (b - x * v) * above / below
        v = cells[cell + V_RESET] if left > zero else v
        left -= unit
        cells[cell + REFRACTORY] = left if left > zero else zero
        cells[cell + V] = v
        cells[cell + EX] = ex * cells[cell + DECAY_EX] + cells[cell + INBOX_EX]
        cells[cell + IN] = inh * cells[cell + DECAY_IN] + cells[cell + INBOX_IN]
        cells[cell + SFA] = sfa * cells[cell + DECAY_SFA]
        cells[cell + INBOX_EX] = zero
        cells[cell + INBOX_IN] = zero
        reached |= v >= cells[cell + V_TH]
    return reached


@kernel
def step_current(cells: Array, base: int) -> bool:
    """Advance a block of iaf_psc_exp by one step, in the order of NEST; return whether any reached V_th."""
    real = cells.dtype.type
    zero, unit = real(0), real(1)
    reached = False
    for lane in range(LANES):
        cell = np.uintp(base) + np.uintp(lane)
        v, ex, inh = cells[cell + V], cells[cell + EX], cells[cell + IN]
        left = cells[cell + REFRACTORY]
        v = (
            v * cells[cell + LEAK]
            + ex * cells[cell + FROM_EX]
            + inh * cells[cell + FROM_IN]
            + cells[cell + DRIVE]
        )
        v = cells[cell + V_RESET] if left > zero else v
        left -= unit
        cells[cell + REFRACTORY] = left if left > zero else zero
        cells[cell + V] = v
        cells[cell + EX] = ex * cells[cell + DECAY_EX] + cells[cell + INBOX_EX]
        cells[cell + IN] = inh * cells[cell + DECAY_IN] + cells[cell + INBOX_IN]
        cells[cell + INBOX_EX] = zero
        cells[cell + INBOX_IN] = zero
        reached |= v >= cells[cell + V_TH]
    return reached


@inlined
def reset(cells: Array, cell: Any) -> None:
    """Begin the refractory period of a neuron that fired, and add to its adaptation."""
    cells[cell + V] = cells[cell + V_RESET]
    cells[cell + REFRACTORY] = cells[cell + T_REF]
    cells[cell + SFA] += cells[cell + Q_SFA]


@kernel
def flush_tiny(cells: Array, base: int) -> None:
    """Set tiny numbers of a block's v, ex, inh and sfa (the first four rows) to 0; NaN stays NaN."""
    real = cells.dtype.type
    tiny, zero = real(TINY_ROOTS * math.sqrt(np.finfo(cells.dtype).tiny)), real(0)
    for place in range(4 * LANES):
        cell = np.uintp(base) + np.uintp(place)
        cells[cell] = zero if abs(cells[cell]) <= tiny else cells[cell]


@kernel
def all_finite(cells: Array) -> bool:
    """Return whether v, ex, inh and sfa (the first four rows of each block) are finite."""
    for base in range(0, len(cells), STRIDE):
        for place in range(4 * LANES):
            if not math.isfinite(cells[np.uintp(base) + np.uintp(place)]):
                return False
    return True
