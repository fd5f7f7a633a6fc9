"""Constants of linear membrane equations, which one multiplication advances by a whole step.

Between spikes the equations are linear, so that one step is a product with constants (Rotter & Diesmann 1999,
Biol Cybern 81:381).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.neuron_model import Floats, Values
from ethospike.clock import whole_number
from ethospike.errors import BrainError


def refractory_steps(t_ref_ms: Floats, dt_ms: float) -> NDArray[np.int64]:
    """Return refractory periods in steps.

    Raises
    ------
    BrainError
        When a period is not a whole number of steps.
    """
    distinct, place = np.unique(t_ref_ms, return_inverse=True)
    steps = [whole_number(t_ref, dt_ms, least=0) for t_ref in distinct.tolist()]
    if wrong := [t_ref for t_ref, n in zip(distinct.tolist(), steps, strict=True) if n is None]:
        raise BrainError(
            f"t_ref: expected whole numbers of steps of {dt_ms} ms, got {', '.join(map(str, wrong[:5]))} ms"
        )
    return np.array(steps, dtype=np.int64)[place]


def check_reset(v_reset: Floats, v_th: Floats, threshold: str = "V_th") -> None:
    """Raise `BrainError` unless each reset is below the threshold."""
    if (wrong := v_reset >= v_th).any():
        raise BrainError(
            f"V_reset: expected values below {threshold}, got {_some(v_reset[wrong])} mV, and {threshold} is "
            f"{_some(v_th[wrong])} mV"
        )


def _some(values: Floats) -> str:
    """Return a few of the values, for messages."""
    return ", ".join(map(str, np.unique(values)[:5].tolist()))


def threshold_constants(p: Values, dt_ms: float) -> dict[str, NDArray[np.generic]]:
    """Return the constants of a fixed threshold, potentials relative to E_L: v_th, v_reset, t_ref, e_l, i_e.

    Raises
    ------
    BrainError
        When a refractory period is not a whole number of steps, or V_reset is not below V_th.
    """
    t_ref = refractory_steps(p["t_ref"], dt_ms)
    check_reset(p["V_reset"], p["V_th"])
    return {
        "v_th": p["V_th"] - p["E_L"],
        "v_reset": p["V_reset"] - p["E_L"],
        "t_ref": t_ref,
        "e_l": p["E_L"],
        "i_e": p["I_e"],
    }


def mean_decay(dt_ms: float, tau: Floats) -> Floats:
    """Return the mean of exp(−t/tau) over a step."""
    return -np.expm1(-dt_ms / tau) * tau / dt_ms


def constant_to_potential(dt_ms: float, tau_m: Floats, c_m: Floats) -> Floats:
    """Return the potential that a constant current of 1 pA adds in a step, mV."""
    return tau_m / c_m * (1.0 - np.exp(-dt_ms / tau_m))


def current_to_potential(dt_ms: float, tau_syn: Floats, tau_m: Floats, c_m: Floats) -> Floats:
    """Return the potential that a synaptic current of 1 pA at the start of a step adds in this step, mV.

    It is the integral of exp(−(h−t)/τ_m) exp(−t/τ_s)/C over the step, written so that it stays accurate
    where the time constants are nearly equal.
    """
    rate = dt_ms / tau_m - dt_ms / tau_syn
    small = np.abs(rate) < 1e-12
    growth = np.where(small, 1.0, np.expm1(rate) / np.where(small, 1.0, rate))
    return dt_ms / c_m * np.exp(-dt_ms / tau_m) * growth


def ramp_to_potential(dt_ms: float, tau_syn: Floats, tau_m: Floats, c_m: Floats) -> Floats:
    """Return the potential that a synaptic current of t · exp(−t/τ_s) pA adds in a step, mV.

    It is the integral of exp(−(h−t)/τ_m) t exp(−t/τ_s)/C over the step: h²/C exp(−h/τ_m) times the integral
    of u exp(r u) from 0 to 1, r = h/τ_m − h/τ_s. Its closed form loses all digits where r is small.
    """
    rate = dt_ms / tau_m - dt_ms / tau_syn
    small = np.abs(rate) < 1.0
    near, far = np.where(small, rate, 0.0), np.where(small, 1.0, rate)
    term, series = np.ones_like(near), np.zeros_like(near)
    for n in range(18):  # 1/(18! · 20) is below the last digit
        series += term / (n + 2)
        term = term * near / (n + 1)
    closed = (far * np.exp(far) - np.expm1(far)) / far**2
    return dt_ms**2 / c_m * np.exp(-dt_ms / tau_m) * np.where(small, series, closed)
