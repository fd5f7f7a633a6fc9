"""`iaf_shiu_2024`: the point neuron of whole-brain models of the adult fly, with exponential input in mV.

Source of equations and constants: Shiu et al. 2024, Nature 634:210, authors' code
github.com/philshiu/Drosophila_brain_model (model.py at 169c0dc), which runs on Brian2. Membrane: Kakaria & de
Bivort 2017, Front Behav Neurosci 11:8. The order within a step is Brian2's.
"""

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


def _step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    if x.refractory > 0:
        x.refractory -= 1.0
        return False
    x.v = x.v * k.leak + x.g * k.from_ex + (k.i_e + current_pa) * k.per_pa
    x.g = x.g * k.decay_ex
    if x.v > k.v_th:
        x.v = k.v_reset
        x.g = 0.0
        x.refractory = k.t_ref
        return True
    x.g += excitation + inhibition
    return False


class IafShiu2024(NeuronModel):
    """τ_m dv/dt = E_L − v + g + τ_m (I_e + I)/C, τ_syn dg/dt = −g; a spike adds its weight (mV) to g.

    The neuron fires where v is above V_th; v then becomes V_reset, and g 0. During the refractory period v
    and g stand still, and spikes that arrive are lost. As in Brian2, a period of n steps holds them for
    n − 1 steps after that of the spike: the step in which it ends is advanced.
    """

    name = "iaf_shiu_2024"
    defaults = {
        "C_m": 2000.0,
        "tau_m": 20.0,
        "E_L": -52.0,
        "V_th": -45.0,
        "V_reset": -52.0,
        "t_ref": 2.2,
        "tau_syn": 5.0,
        "I_e": 0.0,
    }
    positive = frozenset({"C_m", "tau_m", "tau_syn"})
    weight_unit = "mV"
    state = ("v", "g")
    rows_kernel = "relaxing"
    step = staticmethod(_step)
    genn = GennCode(
        step="""
        if (refractory > 0) {
            refractory -= 1;
        }
        else {
            v = v * leak + g * from_ex + (i_e + current_pa) * per_pa;
            g = g * decay_ex;
            if (v <= v_th) {
                g += excitation + inhibition;
            }
            v = (fabs(v) < TINY) ? 0.0 : v;
            g = (fabs(g) < TINY) ? 0.0 : g;
        }
        """,
        threshold="v > v_th",
        reset="v = v_reset; g = 0.0; refractory = t_ref;",
    )

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the propagators of a step and the threshold's constants; see `NeuronModel`."""
        tau_m, tau_syn = p["tau_m"], p["tau_syn"]
        made = threshold_constants(p, dt_ms)
        made["t_ref"] = np.maximum(made["t_ref"] - 1, 0)
        return {
            "leak": np.exp(-dt_ms / tau_m),
            "from_ex": current_to_potential(dt_ms, tau_syn, tau_m, tau_m),  # g drives v like a current
            "per_pa": constant_to_potential(dt_ms, tau_m, p["C_m"]),
            "decay_ex": np.exp(-dt_ms / tau_syn),
            **made,
        }
