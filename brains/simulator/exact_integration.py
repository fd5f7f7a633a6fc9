"""Exact integration of `iaf_psc_exp`: the constants that advance its neurons by one step.

In: a population of a `Network` and a step. Out: arrays, one number a neuron. Between spikes the equations
are linear, so that one step is a product with constants (Rotter & Diesmann 1999, Biol Cybern 81:381):

    v ← leak · v + from_ex · i_ex + from_in · i_in + per_pa · (I_e + I)
    i ← decay · i + arriving weights

with potentials v relative to E_L. What conductance-based models have in common with them is here as well.
This file knows no simulator and no order of operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network
from ethospike.errors import BrainError

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Propagators:
    """Constants and initial state of the neurons of one population, each of shape (size,)."""

    leak: _Floats
    """What is left of v after a step."""
    from_ex: _Floats
    """mV that 1 pA of excitatory current at the start of a step adds to v."""
    from_in: _Floats
    """The same for inhibitory current."""
    per_pa: _Floats
    """mV that a constant current of 1 pA adds to v."""
    decay_ex: _Floats
    """What is left of the excitatory current after a step."""
    decay_in: _Floats
    """The same for inhibitory current."""
    i_e: _Floats
    """Constant current, pA."""
    v: _Floats
    """Initial potential above E_L, mV."""
    v_th: _Floats
    """Threshold above E_L, mV."""
    v_reset: _Floats
    """Reset above E_L, mV."""
    e_l: _Floats
    """E_L, mV."""
    t_ref: NDArray[np.int64]
    """Refractory period, steps."""


def propagators(network: Network, population: str, *, seed: int, animal: int, dt_ms: float) -> Propagators:
    """Return the constants of a population of `iaf_psc_exp` in one animal.

    Raises
    ------
    BrainError
        When a refractory period is not a whole number of steps, or V_reset is not below V_th.
    """

    def parameter(key: str) -> _Floats:
        return network.parameter(population, key, seed, animal)

    tau_m, c_m, e_l, v_th, v_reset = map(parameter, ("tau_m", "C_m", "E_L", "V_th", "V_reset"))
    tau_ex, tau_in, t_ref = map(parameter, ("tau_syn_ex", "tau_syn_in", "t_ref"))
    return Propagators(
        leak=np.exp(-dt_ms / tau_m),
        from_ex=current_to_potential(dt_ms, tau_ex, tau_m, c_m),
        from_in=current_to_potential(dt_ms, tau_in, tau_m, c_m),
        per_pa=-np.expm1(-dt_ms / tau_m) * tau_m / c_m,
        decay_ex=np.exp(-dt_ms / tau_ex),
        decay_in=np.exp(-dt_ms / tau_in),
        i_e=parameter("I_e"),
        v=parameter("V_m") - e_l,
        v_th=v_th - e_l,
        v_reset=v_reset - e_l,
        e_l=e_l,
        t_ref=refractory_steps(population, t_ref, v_reset, v_th, dt_ms),
    )


def refractory_steps(
    population: str, t_ref_ms: _Floats, v_reset: _Floats, v_th: _Floats, dt_ms: float
) -> NDArray[np.int64]:
    """Return the refractory periods of a population's neurons in steps, after a look at their reset.

    Raises
    ------
    BrainError
        When a period is not a whole number of steps, or V_reset is not below V_th.
    """
    where, steps = f"Population {population!r}", t_ref_ms / dt_ms
    whole = steps.round()
    if (bad := np.abs(steps - whole) > 1e-6).any():
        raise BrainError(
            f"{where}.t_ref: expected whole numbers of steps of {dt_ms} ms, got {_some(t_ref_ms[bad])} ms"
        )
    if (bad := v_reset >= v_th).any():
        raise BrainError(
            f"{where}.V_reset: expected values below V_th, got {_some(v_reset[bad])} mV, and V_th is "
            f"{_some(v_th[bad])} mV"
        )
    return whole.astype(np.int64)


def _some(values: _Floats) -> list[float]:
    """Return a few of the values, for messages."""
    few: list[float] = np.unique(values)[:5].tolist()
    return few


def mean_decay(dt_ms: float, tau: _Floats) -> _Floats:
    """Return the mean of exp(−t/tau) over a step."""
    return -np.expm1(-dt_ms / tau) * tau / dt_ms


def current_to_potential(dt_ms: float, tau_syn: _Floats, tau_m: _Floats, c_m: _Floats) -> _Floats:
    """Return what a synaptic current of 1 pA at the start of a step adds to v in this step, mV.

    It is the integral of exp(−(h−t)/τ_m) exp(−t/τ_s)/C over the step, written so that it stays accurate
    where the time constants are nearly equal.
    """
    rate = dt_ms / tau_m - dt_ms / tau_syn
    small = np.abs(rate) < 1e-12
    growth = np.where(small, 1.0, np.expm1(rate) / np.where(small, 1.0, rate))
    return dt_ms / c_m * np.exp(-dt_ms / tau_m) * growth
