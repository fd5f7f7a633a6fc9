"""`iaf_psc_exp`: leaky integrate-and-fire with exponential synaptic currents, integrated exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.exact_integration import (
    constant_to_potential,
    current_to_potential,
    threshold_constants,
)
from ethospike.brains.network.models.neuron_model import GennCode, NeuronModel, Values


class IafPscExp(NeuronModel):
    """C dv/dt = −C v/τ_m + i_ex + i_in + I_e + I, with exponentially decaying i.

    One step is v ← leak · v + from_ex · i_ex + from_in · i_in + per_pa · (i_e + I), then i ← decay · i plus
    the weights that arrive.
    """

    name = nest_name = "iaf_psc_exp"
    defaults = {
        "C_m": 250.0,
        "tau_m": 10.0,
        "E_L": -70.0,
        "V_th": -55.0,
        "V_reset": -70.0,
        "t_ref": 2.0,
        "tau_syn_ex": 2.0,
        "tau_syn_in": 2.0,
        "I_e": 0.0,
    }
    positive = frozenset({"C_m", "tau_m", "tau_syn_ex", "tau_syn_in"})
    weight_unit = "pA"
    state = ("v", "i_ex", "i_in")
    kernel = "current"
    genn = GennCode(
        """
        if (refractory > 0) {
            refractory -= 1;
        }
        else {
            v = v * leak + i_ex * from_ex + i_in * from_in + (i_e + current_pa) * per_pa;
            v = (fabs(v) < TINY) ? 0.0 : v;
        }
        i_ex = i_ex * decay_ex + excitation;
        i_in = i_in * decay_in + inhibition;
        i_ex = (fabs(i_ex) < TINY) ? 0.0 : i_ex;
        i_in = (fabs(i_in) < TINY) ? 0.0 : i_in;
        """
    )

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the propagators of a step and the threshold's constants; see `NeuronModel`."""
        tau_m, c_m, tau_ex, tau_in = (p[key] for key in ("tau_m", "C_m", "tau_syn_ex", "tau_syn_in"))
        return {
            "leak": np.exp(-dt_ms / tau_m),
            "from_ex": current_to_potential(dt_ms, tau_ex, tau_m, c_m),  # mV that 1 pA adds to v
            "from_in": current_to_potential(dt_ms, tau_in, tau_m, c_m),
            "per_pa": constant_to_potential(dt_ms, tau_m, c_m),
            "decay_ex": np.exp(-dt_ms / tau_ex),
            "decay_in": np.exp(-dt_ms / tau_in),
            **threshold_constants(p, dt_ms),
        }
