"""`izhikevich`: the two-variable model of Izhikevich (2003, IEEE Trans Neural Netw 14:1569)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.models.neuron_model import Floats, GennCode, NeuronModel, Values


def _step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    v, u = x.v, x.u
    rise = 0.04 * v * v + 5.0 * v + 140.0 - u + current_pa + k.i_e
    x.v = v + (k.h * rise + (excitation + inhibition))
    x.u = u + k.h * k.a * (k.b * v - u)
    if x.v < k.v_th:
        return False
    x.v = k.c
    x.u += k.d
    return True


class Izhikevich(NeuronModel):
    """dv/dt = 0.04 v² + 5 v + 140 − u + I_e + I, du/dt = a (b v − u); at V_th, v = c and u = u + d.

    Forward Euler at the network's step, as NEST does it (`consistent_integration`); a spike adds its weight
    (mV) to v in the step of its arrival. There is no refractory period.
    """

    name = nest_name = "izhikevich"
    defaults = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "V_th": 30.0, "I_e": 0.0}
    initial = {"V_m": -65.0, "U_m": -13.0}
    not_negative = frozenset()
    weight_unit = "mV"
    state = ("v", "u")
    arrival_steps = 0
    one_input = True
    step = staticmethod(_step)
    genn = GennCode(
        """
        const scalar before = v;
        v += h * (0.04 * v * v + 5.0 * v + 140.0 - u + current_pa + i_e) + (excitation + inhibition);
        u += h * a * (b * before - u);
        """,
        reset="v = c; u += d;",
    )

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the parameters and the step; potentials are absolute. See `NeuronModel`."""
        return {
            "h": np.full_like(p["a"], dt_ms),
            **{key: p[key] for key in ("a", "b", "c", "d")},
            "v_th": p["V_th"],
            "i_e": p["I_e"],
            "e_l": np.zeros_like(p["a"]),
        }

    def start(self, p: Values) -> dict[str, Floats]:
        """Return the state at time 0; see `NeuronModel`."""
        return {"v": p["V_m"], "u": p["U_m"]}
