"""`aeif_cond_exp`: adaptive exponential integrate-and-fire with exponential conductances.

Brette & Gerstner 2005, J Neurophysiol 94:3637.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.exact_integration import check_reset, refractory_steps
from ethospike.brains.network.models.neuron_model import Floats, GennCode, NeuronModel, Values
from ethospike.errors import BrainError

LARGEST_CHANGE = 0.1
"""Change during one substep, as a fraction: of the potential's distance to its goal, and of a synaptic
conductance. Four such substeps of Runge-Kutta's fourth order are off by less than 1e-6."""
LARGEST_EXPONENT = 700.0
"""Of the exponential current at V_peak; exp overflows beyond 709."""


def _step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    fired = False
    left = k.h
    ex, inh, current = x.g_ex, x.g_in, k.i_e + current_pa

    def slope(v: float, w: float, ex: float, inh: float) -> float:
        spike = k.gain * math.exp((v - k.v_t) * k.per_delta)
        pull = k.g_l * v + ex * (v - k.from_ex) + inh * (v - k.from_in)
        return float((spike - pull - w + current) * k.per_c)

    while left > 0.0:
        if x.refractory > 0:
            goal = k.a * k.v_reset
            x.w = goal + (x.w - goal) * math.exp(-left * k.per_tau_w)
            left = 0.0
            continue
        v, w = min(x.v, k.v_peak), x.w
        pace = (k.g_l + k.gain * k.per_delta * math.exp((v - k.v_t) * k.per_delta) + ex + inh) * k.per_c
        pace = max(pace, k.per_tau_syn if ex + inh > 1e-9 else 0.0)
        d = min(left, LARGEST_CHANGE / pace)
        half_ex, half_in = ex * math.exp(-0.5 * d * k.per_tau_ex), inh * math.exp(-0.5 * d * k.per_tau_in)
        next_ex, next_in = ex * math.exp(-d * k.per_tau_ex), inh * math.exp(-d * k.per_tau_in)
        v1, w1 = slope(v, w, ex, inh), (k.a * v - w) * k.per_tau_w
        v_2, w_2 = min(v + 0.5 * d * v1, k.v_peak), w + 0.5 * d * w1
        v2, w2 = slope(v_2, w_2, half_ex, half_in), (k.a * v_2 - w_2) * k.per_tau_w
        v_3, w_3 = min(v + 0.5 * d * v2, k.v_peak), w + 0.5 * d * w2
        v3, w3 = slope(v_3, w_3, half_ex, half_in), (k.a * v_3 - w_3) * k.per_tau_w
        v_4, w_4 = min(v + d * v3, k.v_peak), w + d * w3
        v4, w4 = slope(v_4, w_4, next_ex, next_in), (k.a * v_4 - w_4) * k.per_tau_w
        x.v = v + d / 6.0 * (v1 + 2.0 * v2 + 2.0 * v3 + v4)
        x.w = w + d / 6.0 * (w1 + 2.0 * w2 + 2.0 * w3 + w4)
        ex, inh = next_ex, next_in
        left = left - d if left - d > 1e-9 * k.h else 0.0
        if x.v >= k.v_peak:
            x.v = k.v_reset
            x.w += k.b
            fired = True
            x.refractory = k.t_ref + 1.0 if k.t_ref > 0 else 0.0  # the end of this step counts one off
    if x.refractory > 0:
        x.refractory -= 1.0
    x.g_ex = x.g_ex * k.decay_ex + excitation
    x.g_in = x.g_in * k.decay_in - inhibition
    return fired


_GENN = """
scalar left = h, ex = g_ex, inh = g_in;
fires = 0.0;
while (left > 0.0) {
    if (refractory > 0) {
        w = a * v_reset + (w - a * v_reset) * exp(-left * per_tau_w);
        left = 0.0;
    }
    else {
        const scalar v0 = fmin(v, v_peak), w0 = w;
        const scalar growth = gain * exp((v0 - v_t) * per_delta);
        scalar pace = (g_l + growth * per_delta + ex + inh) * per_c;
        pace = fmax(pace, (ex + inh > 1e-9) ? per_tau_syn : 0.0);
        const scalar d = fmin(left, LARGEST_CHANGE / pace);
        const scalar half_ex = ex * exp(-0.5 * d * per_tau_ex), half_in = inh * exp(-0.5 * d * per_tau_in);
        const scalar next_ex = ex * exp(-d * per_tau_ex), next_in = inh * exp(-d * per_tau_in);
        STAGE(1, v0, w0, ex, inh)
        STAGE(2, fmin(v0 + 0.5 * d * dv1, v_peak), w0 + 0.5 * d * dw1, half_ex, half_in)
        STAGE(3, fmin(v0 + 0.5 * d * dv2, v_peak), w0 + 0.5 * d * dw2, half_ex, half_in)
        STAGE(4, fmin(v0 + d * dv3, v_peak), w0 + d * dw3, next_ex, next_in)
        v = v0 + d / 6.0 * (dv1 + 2.0 * dv2 + 2.0 * dv3 + dv4);
        w = w0 + d / 6.0 * (dw1 + 2.0 * dw2 + 2.0 * dw3 + dw4);
        ex = next_ex;
        inh = next_in;
        left = (left - d > 1e-6 * h) ? left - d : 0.0;
        if (v >= v_peak) {
            v = v_reset;
            w += b;
            fires = 1.0;
            refractory = (t_ref > 0) ? t_ref + 1 : 0;
        }
    }
}
if (refractory > 0) {
    refractory -= 1;
}
g_ex = g_ex * decay_ex + excitation;
g_in = g_in * decay_in - inhibition;
g_ex = (g_ex < TINY) ? 0.0 : g_ex;
g_in = (g_in < TINY) ? 0.0 : g_in;
"""


def _stage(number: str, v: str, w: str, ex: str, inh: str) -> str:
    """Return the code of one stage of Runge-Kutta, which GeNN's language has no function for."""
    n = number
    return f"""
        const scalar v_{n} = {v}, w_{n} = {w};
        const scalar dv{n} = (gain * exp((v_{n} - v_t) * per_delta) - g_l * v_{n} - {ex} * (v_{n} - from_ex)
            - {inh} * (v_{n} - from_in) - w_{n} + i_e + current_pa) * per_c;
        const scalar dw{n} = (a * v_{n} - w_{n}) * per_tau_w;"""


def _genn_code() -> str:
    lines = []
    for line in _GENN.splitlines():
        text = line.strip()
        if text.startswith("STAGE("):
            number, *rest = text[len("STAGE(") : -1].split(", ")
            v, (w, ex, inh) = ", ".join(rest[:-3]), rest[-3:]
            line = _stage(number, v, w, ex, inh)
        lines.append(line)
    return "\n".join(lines).replace("LARGEST_CHANGE", str(LARGEST_CHANGE))


class AeifCondExp(NeuronModel):
    """C dv/dt = −g_L v + g_L Δ_T exp((v − V_th)/Δ_T) − g_ex (v − E_ex) − g_in (v − E_in) − w + I_e + I.

    τ_w dw/dt = a v − w; at V_peak, v = V_reset and w = w + b. Potentials are relative to E_L. Where NEST
    controls the error of each step (`gsl_error_tol`, 1e-6), substeps here follow from the fastest rate of
    change; after a spike without refractory period, both go on within the step. With Δ_T = 0, V_th takes the
    place of V_peak and the exponential current is 0, as on NEST.
    """

    name = nest_name = "aeif_cond_exp"
    defaults = {
        "C_m": 281.0,
        "g_L": 30.0,
        "E_L": -70.6,
        "V_th": -50.4,
        "V_peak": 0.0,
        "V_reset": -60.0,
        "t_ref": 0.0,
        "Delta_T": 2.0,
        "a": 4.0,
        "b": 80.5,
        "tau_w": 144.0,
        "tau_syn_ex": 0.2,
        "tau_syn_in": 2.0,
        "E_ex": 0.0,
        "E_in": -85.0,
        "I_e": 0.0,
    }
    initial = {"V_m": "E_L", "w": 0.0}
    positive = frozenset({"C_m", "g_L", "tau_w", "tau_syn_ex", "tau_syn_in"})
    not_negative = frozenset({"t_ref", "Delta_T"})
    weight_unit = "nS"
    state = ("v", "w", "g_ex", "g_in", "fires")
    step = staticmethod(_step)
    genn = GennCode(_genn_code(), threshold="fires > 0.0", reset="")

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the constants of a step, potentials relative to E_L; see `NeuronModel`."""
        exponential = p["Delta_T"] > 0
        delta = np.where(exponential, p["Delta_T"], 1.0)
        peak = np.where(exponential, p["V_peak"], p["V_th"])
        if (wrong := p["V_peak"] < p["V_th"]).any():
            raise BrainError(
                f"V_peak: expected at least V_th, got {p['V_peak'][wrong][0]} mV, and V_th is "
                f"{p['V_th'][wrong][0]} mV"
            )
        check_reset(p["V_reset"], peak, "V_peak")
        if (wrong := exponential & ((peak - p["V_th"]) / delta > LARGEST_EXPONENT)).any():
            raise BrainError(
                f"Delta_T: expected at least {LARGEST_EXPONENT:.0f}th of V_peak − V_th, or the current at a "
                f"spike overflows; got {p['Delta_T'][wrong][0]} mV"
            )
        e_l = p["E_L"]
        return {
            "h": np.full_like(e_l, dt_ms),
            "per_c": 1.0 / p["C_m"],
            "g_l": p["g_L"],
            "gain": np.where(exponential, p["g_L"] * p["Delta_T"], 0.0),
            "per_delta": np.where(exponential, 1.0 / delta, 0.0),
            "v_t": p["V_th"] - e_l,
            "v_peak": peak - e_l,
            "v_reset": p["V_reset"] - e_l,
            "t_ref": refractory_steps(p["t_ref"], dt_ms),
            "a": p["a"],
            "b": p["b"],
            "per_tau_w": 1.0 / p["tau_w"],
            "per_tau_ex": 1.0 / p["tau_syn_ex"],
            "per_tau_in": 1.0 / p["tau_syn_in"],
            "per_tau_syn": 1.0 / np.minimum(p["tau_syn_ex"], p["tau_syn_in"]),
            "decay_ex": np.exp(-dt_ms / p["tau_syn_ex"]),
            "decay_in": np.exp(-dt_ms / p["tau_syn_in"]),
            "from_ex": p["E_ex"] - e_l,
            "from_in": p["E_in"] - e_l,
            "i_e": p["I_e"],
            "e_l": e_l,
        }

    def start(self, p: Values) -> dict[str, Floats]:
        """Return the state at time 0; see `NeuronModel`."""
        return {"v": p["V_m"] - p["E_L"], "w": p["w"]}
