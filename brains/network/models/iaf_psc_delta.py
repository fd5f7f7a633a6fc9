"""`iaf_psc_delta`: leaky integrate-and-fire; the potential jumps when a spike arrives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.exact_integration import constant_to_potential, threshold_constants
from ethospike.brains.network.models.neuron_model import GennCode, NeuronModel, Values


def _step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    if x.refractory > 0:
        x.refractory -= 1.0
        return False
    x.v = k.per_pa * (k.i_e + current_pa) + k.leak * x.v + (excitation + inhibition)
    if x.v < k.v_th:
        return False
    x.v = k.v_reset
    x.refractory = k.t_ref
    return True


class IafPscDelta(NeuronModel):
    """C dv/dt = −C v/τ_m + I_e + I; a spike adds its weight (mV) to v in the step of its arrival.

    Spikes that arrive during the refractory period are lost (NEST's `refractory_input` is False).
    """

    name = nest_name = "iaf_psc_delta"
    defaults = {
        "C_m": 250.0,
        "tau_m": 10.0,
        "E_L": -70.0,
        "V_th": -55.0,
        "V_reset": -70.0,
        "t_ref": 2.0,
        "I_e": 0.0,
    }
    positive = frozenset({"C_m", "tau_m"})
    weight_unit = "mV"
    arrival_steps = 0
    one_input = True
    step = staticmethod(_step)
    genn = GennCode(
        """
        if (refractory > 0) {
            refractory -= 1;
        }
        else {
            v = per_pa * (i_e + current_pa) + leak * v + (excitation + inhibition);
            v = (fabs(v) < TINY) ? 0.0 : v;
        }
        """
    )

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the propagators of a step and the threshold's constants; see `NeuronModel`."""
        return {
            "leak": np.exp(-dt_ms / p["tau_m"]),
            "per_pa": constant_to_potential(dt_ms, p["tau_m"], p["C_m"]),
            **threshold_constants(p, dt_ms),
        }
