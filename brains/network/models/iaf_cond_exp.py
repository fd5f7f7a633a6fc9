"""`iaf_cond_exp` and `iaf_cond_exp_sfa_rr`: leaky integrate-and-fire with exponential conductances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.exact_integration import mean_decay, threshold_constants
from ethospike.brains.network.models.neuron_model import GennCode, NeuronModel, Values

# One step of dv/dt = -a(t) v + b(t) by the Magnus expansion of fourth order (Blanes et al. 2009, Physics
# Reports 470:151): stable for any conductance, where an explicit Runge-Kutta step is not. `a` and `b` are
# means over the step, exact for exponential conductances, times dt; the term with / 12 is the commutator.
# (1 - exp(-a)) / a is a Padé approximant where its relative error, a^6 / 100800, is below 3e-9, which saves a
# fifth of a step's time on a CPU.
_STEP = """
const scalar during_ex = g_ex * mean_ex, during_in = g_in * mean_in;
const scalar next_ex = g_ex * decay_ex, next_in = g_in * decay_in;
{SFA_BEGIN}
const scalar a = leak + (during_ex + during_in {SFA_MEAN}) * per_pa;
const scalar b = (i_e + current_pa + during_ex * from_ex + during_in * from_in {SFA_MEAN_E}) * per_pa;
const scalar rise_a = (next_ex - g_ex + next_in - g_in {SFA_RISE}) * per_pa;
const scalar rise_b = ((next_ex - g_ex) * from_ex + (next_in - g_in) * from_in {SFA_RISE_E}) * per_pa;
if (refractory > 0) {
    refractory -= 1;
}
else {
    const scalar mean = (a < 0.25)
        ? (1.0 + a * a / 60.0) / (1.0 + a * (0.5 + a * (0.1 + a / 120.0)))
        : -expm1(-a) / a;
    v += (b - a * v + (a * rise_b - b * rise_a) / 12.0) * mean;
    v = (fabs(v) < TINY) ? 0.0 : v;
}
g_ex = next_ex + excitation;
g_in = next_in - inhibition;
g_ex = (g_ex < TINY) ? 0.0 : g_ex;
g_in = (g_in < TINY) ? 0.0 : g_in;
{SFA_END}
"""
_SFA = {
    "{SFA_BEGIN}": "const scalar during_sfa = g_sfa * mean_sfa, next_sfa = g_sfa * decay_sfa;",
    "{SFA_MEAN}": "+ during_sfa",
    "{SFA_MEAN_E}": "+ during_sfa * from_sfa",
    "{SFA_RISE}": "+ next_sfa - g_sfa",
    "{SFA_RISE_E}": "+ (next_sfa - g_sfa) * from_sfa",
    "{SFA_END}": "g_sfa = (next_sfa < TINY) ? 0.0 : next_sfa;",
}


def _step(parts: dict[str, str]) -> str:
    code = _STEP
    for place, text in parts.items():
        code = code.replace(place, text)
    return code


class IafCondExp(NeuronModel):
    """C dv/dt = −g_L v − g_ex (v − from_ex) − g_in (v − from_in) + I_e + I, with exponentially decaying g.

    Potentials are relative to E_L; inhibitory weights are negative, conductances are not.
    """

    name = nest_name = "iaf_cond_exp"
    defaults = {
        "C_m": 250.0,
        "g_L": 16.6667,
        "E_L": -70.0,
        "V_th": -55.0,
        "V_reset": -60.0,
        "t_ref": 2.0,
        "tau_syn_ex": 0.2,
        "tau_syn_in": 2.0,
        "E_ex": 0.0,
        "E_in": -85.0,
        "I_e": 0.0,
    }
    positive = frozenset({"C_m", "g_L", "tau_syn_ex", "tau_syn_in"})
    weight_unit = "nS"
    state: tuple[str, ...] = ("v", "g_ex", "g_in")
    kernel = "conductance"
    genn = GennCode(_step(dict.fromkeys(_SFA, "")))

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the constants of a step; see `NeuronModel`."""
        per_pa = dt_ms / p["C_m"]
        return {
            "per_pa": per_pa,  # mV that 1 pA adds to v in a step, leak aside
            "leak": per_pa * p["g_L"],  # fraction of v
            "from_ex": p["E_ex"] - p["E_L"],
            "from_in": p["E_in"] - p["E_L"],
            "mean_ex": mean_decay(dt_ms, p["tau_syn_ex"]),  # over a step
            "mean_in": mean_decay(dt_ms, p["tau_syn_in"]),
            "decay_ex": np.exp(-dt_ms / p["tau_syn_ex"]),
            "decay_in": np.exp(-dt_ms / p["tau_syn_in"]),
            "slope_ex": -dt_ms / p["tau_syn_ex"] / 12.0,  # change during a step, of its mean, over 12
            "slope_in": -dt_ms / p["tau_syn_in"] / 12.0,
            **threshold_constants(p, dt_ms),
        }


class IafCondExpSfaRr(IafCondExp):
    """`iaf_cond_exp` with spike-frequency adaptation: each spike adds q_sfa to a conductance g_sfa.

    NEST's model has a relative refractory mechanism too, which is left out here (q_rr = 0).
    """

    name = nest_name = "iaf_cond_exp_sfa_rr"
    defaults = {
        "C_m": 289.5,
        "g_L": 28.95,
        "E_L": -70.0,
        "V_th": -57.0,
        "V_reset": -70.0,
        "t_ref": 0.5,
        "tau_syn_ex": 1.5,
        "tau_syn_in": 10.0,
        "E_ex": 0.0,
        "E_in": -75.0,
        "tau_sfa": 110.0,
        "E_sfa": -70.0,
        "q_sfa": 14.48,
        "I_e": 0.0,
    }
    positive = IafCondExp.positive | {"tau_sfa"}
    nest_fixed = {"q_rr": 0.0}
    state = ("v", "g_ex", "g_in", "g_sfa")
    genn = GennCode(_step(_SFA), reset=f"{GennCode.reset} g_sfa += q_sfa;")

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the constants of a step; see `NeuronModel`."""
        return super().constants(p, dt_ms) | {
            "from_sfa": p["E_sfa"] - p["E_L"],
            "mean_sfa": mean_decay(dt_ms, p["tau_sfa"]),
            "decay_sfa": np.exp(-dt_ms / p["tau_sfa"]),
            "slope_sfa": -dt_ms / p["tau_sfa"] / 12.0,
            "q_sfa": p["q_sfa"],
        }
