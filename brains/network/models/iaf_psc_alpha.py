"""`iaf_psc_alpha`: leaky integrate-and-fire with alpha-shaped synaptic currents, integrated exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.exact_integration import (
    constant_to_potential,
    current_to_potential,
    ramp_to_potential,
    threshold_constants,
)
from ethospike.brains.network.models.iaf_psc_exp import IafPscExp
from ethospike.brains.network.models.neuron_model import GennCode, NeuronModel, Values


def _step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    if x.refractory > 0:
        x.refractory -= 1.0
    else:
        x.v = (
            k.per_pa * (k.i_e + current_pa)
            + k.from_rise_ex * x.rise_ex
            + k.from_ex * x.i_ex
            + k.from_rise_in * x.rise_in
            + k.from_in * x.i_in
            + k.leak * x.v
        )
    x.i_ex = k.decay_ex * (k.h * x.rise_ex + x.i_ex)
    x.i_in = k.decay_in * (k.h * x.rise_in + x.i_in)
    x.rise_ex = k.decay_ex * x.rise_ex + k.kick_ex * excitation
    x.rise_in = k.decay_in * x.rise_in + k.kick_in * inhibition
    if x.v < k.v_th:
        return False
    x.v = k.v_reset
    x.refractory = k.t_ref
    return True


class IafPscAlpha(NeuronModel):
    """C dv/dt = −C v/τ_m + i_ex + i_in + I_e + I, with i = weight · (t/τ_s) · exp(1 − t/τ_s) after a spike.

    The current follows from two linear equations: `rise` decays exponentially and drives `i`, which decays
    alike; a spike adds weight · e/τ_s to `rise`.
    """

    name = nest_name = "iaf_psc_alpha"
    defaults, positive = IafPscExp.defaults, IafPscExp.positive  # NEST has the same
    weight_unit = "pA"
    state = ("v", "i_ex", "i_in", "rise_ex", "rise_in")
    step = staticmethod(_step)
    genn = GennCode(
        """
        if (refractory > 0) {
            refractory -= 1;
        }
        else {
            v = per_pa * (i_e + current_pa) + from_rise_ex * rise_ex + from_ex * i_ex
                + from_rise_in * rise_in + from_in * i_in + leak * v;
            v = (fabs(v) < TINY) ? 0.0 : v;
        }
        i_ex = decay_ex * (h * rise_ex + i_ex);
        i_in = decay_in * (h * rise_in + i_in);
        rise_ex = decay_ex * rise_ex + kick_ex * excitation;
        rise_in = decay_in * rise_in + kick_in * inhibition;
        i_ex = (fabs(i_ex) < TINY) ? 0.0 : i_ex;
        i_in = (fabs(i_in) < TINY) ? 0.0 : i_in;
        rise_ex = (fabs(rise_ex) < TINY) ? 0.0 : rise_ex;
        rise_in = (fabs(rise_in) < TINY) ? 0.0 : rise_in;
        """
    )

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the propagators of a step and the threshold's constants; see `NeuronModel`."""
        tau_m, c_m, tau_ex, tau_in = (p[key] for key in ("tau_m", "C_m", "tau_syn_ex", "tau_syn_in"))
        return {
            "h": np.full_like(tau_m, dt_ms),
            "leak": np.exp(-dt_ms / tau_m),
            "per_pa": constant_to_potential(dt_ms, tau_m, c_m),
            "from_ex": current_to_potential(dt_ms, tau_ex, tau_m, c_m),
            "from_in": current_to_potential(dt_ms, tau_in, tau_m, c_m),
            "from_rise_ex": ramp_to_potential(dt_ms, tau_ex, tau_m, c_m),
            "from_rise_in": ramp_to_potential(dt_ms, tau_in, tau_m, c_m),
            "decay_ex": np.exp(-dt_ms / tau_ex),
            "decay_in": np.exp(-dt_ms / tau_in),
            "kick_ex": math.e / tau_ex,
            "kick_in": math.e / tau_in,
            **threshold_constants(p, dt_ms),
        }
