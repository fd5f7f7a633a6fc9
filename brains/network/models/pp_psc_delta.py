"""`pp_psc_delta`: stochastic spikes, drawn at a rate that grows with the potential."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.exact_integration import constant_to_potential, refractory_steps
from ethospike.brains.network.models.neuron_model import Floats, GennCode, NeuronModel, Values
from ethospike.errors import BrainError


def _step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    x.v = k.per_pa * (k.i_e + current_pa) + k.leak * x.v + (excitation + inhibition)
    x.q *= k.decay_sfa
    if x.refractory > 0:
        x.refractory -= 1.0
        return False
    effective = x.v - x.q
    rate = k.c_1 * effective + k.c_2 * math.exp(k.c_3 * effective)
    if not uniform < -math.expm1(-rate * k.h_s):
        return False
    x.v = 0.0
    x.q += k.q_sfa
    x.refractory = k.dead_steps
    return True


class PpPscDelta(NeuronModel):
    """C dv/dt = −C v/τ_m + I_e + I; fires at the rate c_1 (v − q) + c_2 exp(c_3 (v − q)) Hz.

    The rest is at 0 mV. A spike sets v to 0, adds q_sfa to q, which decays with tau_sfa, and is followed by a
    dead time without spikes. A spike that arrives adds its weight (mV) to v at once. Compared with NEST's
    model, there is one pair of tau_sfa and q_sfa, the dead time is not random, and it must be above 0.
    """

    name = nest_name = "pp_psc_delta"
    defaults = {
        "C_m": 250.0,
        "tau_m": 10.0,
        "dead_time": 1.0,
        "tau_sfa": 34.0,
        "q_sfa": 0.0,
        "c_1": 0.0,
        "c_2": 1.238,
        "c_3": 0.25,
        "I_e": 0.0,
    }
    initial = {"V_m": 0.0}
    positive = frozenset({"C_m", "tau_m", "dead_time", "tau_sfa"})
    not_negative = frozenset({"c_3"})
    weight_unit = "mV"
    state = ("v", "q", "fires")
    arrival_steps = 0
    one_input = True
    is_stochastic = True
    step = staticmethod(_step)
    genn = GennCode(
        """
        v = per_pa * (i_e + current_pa) + leak * v + (excitation + inhibition);
        v = (fabs(v) < TINY) ? 0.0 : v;
        q *= decay_sfa;
        q = (fabs(q) < TINY) ? 0.0 : q;
        fires = 0.0;
        if (refractory > 0) {
            refractory -= 1;
        }
        else {
            const scalar effective = v - q;
            const scalar rate = c_1 * effective + c_2 * exp(c_3 * effective);
            fires = (uniform < -expm1(-rate * h_s)) ? 1.0 : 0.0;
        }
        """,
        threshold="fires > 0.0",
        reset="v = 0.0; q += q_sfa; refractory = dead_steps;",
    )

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the propagators of a step and the parameters of the rate; see `NeuronModel`."""
        try:
            dead_steps = refractory_steps(p["dead_time"], dt_ms)
        except BrainError as error:
            raise BrainError(str(error).replace("t_ref", "dead_time", 1)) from None
        return {
            "leak": np.exp(-dt_ms / p["tau_m"]),
            "per_pa": constant_to_potential(dt_ms, p["tau_m"], p["C_m"]),
            "decay_sfa": np.exp(-dt_ms / p["tau_sfa"]),
            **{key: p[key] for key in ("q_sfa", "c_1", "c_2", "c_3")},
            "h_s": np.full_like(p["C_m"], dt_ms * 1e-3),
            "dead_steps": dead_steps,
            "i_e": p["I_e"],
            "e_l": np.zeros_like(p["C_m"]),
        }

    def start(self, p: Values) -> dict[str, Floats]:
        """Return the state at time 0; see `NeuronModel`."""
        return {"v": p["V_m"]}
