"""A neuron model of one's own, on three simulators: the multi-timescale adaptive threshold.

Run it with `python own_neuron.py`. The model is that of Kobayashi, Tsubo & Shinomoto 2009 (Front Comput
Neurosci 3:9): a leaky membrane that is not reset, and a threshold that jumps at each spike and decays with
two time constants. NEST has it as `mat2_psc_exp`; Numba gets a function, GeNN a snippet of its language.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ethospike.brains.network import (
    FixedIndegree,
    GennCode,
    Network,
    NeuronModel,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.network.models.exact_integration import (
    constant_to_potential,
    current_to_potential,
    refractory_steps,
)
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import PoissonSource


def step(x: Any, k: Any, excitation: float, inhibition: float, current_pa: float, uniform: float) -> bool:
    """Advance one neuron by one step and return whether it fires. Numba compiles this function."""
    x.v = k.leak * x.v + k.from_ex * x.i_ex + k.from_in * x.i_in + k.per_pa * (k.i_e + current_pa)
    x.th_1 *= k.decay_1
    x.th_2 *= k.decay_2
    x.i_ex = k.decay_ex * x.i_ex + excitation
    x.i_in = k.decay_in * x.i_in + inhibition
    if x.refractory > 0:
        x.refractory -= 1.0
        return False
    if x.v < k.omega + x.th_1 + x.th_2:
        return False
    x.th_1 += k.alpha_1
    x.th_2 += k.alpha_2
    x.refractory = k.t_ref
    return True


class Mat2PscExp(NeuronModel):
    """Leaky integration without reset; the threshold jumps by alpha_1 + alpha_2 at each spike."""

    name = nest_name = "mat2_psc_exp"
    defaults = {
        "C_m": 100.0,
        "tau_m": 5.0,
        "E_L": -70.0,
        "omega": -51.0,
        "alpha_1": 37.0,
        "alpha_2": 2.0,
        "tau_1": 10.0,
        "tau_2": 200.0,
        "t_ref": 2.0,
        "tau_syn_ex": 1.0,
        "tau_syn_in": 3.0,
        "I_e": 0.0,
    }
    positive = frozenset({"C_m", "tau_m", "tau_1", "tau_2", "tau_syn_ex", "tau_syn_in"})
    weight_unit = "pA"
    state = ("v", "i_ex", "i_in", "th_1", "th_2", "fires")
    step = staticmethod(step)
    genn = GennCode(
        """
        v = leak * v + from_ex * i_ex + from_in * i_in + per_pa * (i_e + current_pa);
        th_1 *= decay_1;
        th_2 *= decay_2;
        i_ex = decay_ex * i_ex + excitation;
        i_in = decay_in * i_in + inhibition;
        if (refractory > 0) {
            refractory -= 1;
            fires = 0.0;
        }
        else {
            fires = (v >= omega + th_1 + th_2) ? 1.0 : 0.0;
        }
        """,
        threshold="fires > 0.0",
        reset="th_1 += alpha_1; th_2 += alpha_2; refractory = t_ref;",
    )

    def constants(self, p: Any, dt_ms: float) -> dict[str, Any]:
        """Return the constants of a step, from arrays of the parameters."""
        return {
            "leak": np.exp(-dt_ms / p["tau_m"]),
            "from_ex": current_to_potential(dt_ms, p["tau_syn_ex"], p["tau_m"], p["C_m"]),
            "from_in": current_to_potential(dt_ms, p["tau_syn_in"], p["tau_m"], p["C_m"]),
            "per_pa": constant_to_potential(dt_ms, p["tau_m"], p["C_m"]),
            "decay_ex": np.exp(-dt_ms / p["tau_syn_ex"]),
            "decay_in": np.exp(-dt_ms / p["tau_syn_in"]),
            "decay_1": np.exp(-dt_ms / p["tau_1"]),
            "decay_2": np.exp(-dt_ms / p["tau_2"]),
            "alpha_1": p["alpha_1"],
            "alpha_2": p["alpha_2"],
            "omega": p["omega"] - p["E_L"],
            "t_ref": refractory_steps(p["t_ref"], dt_ms),
            "i_e": p["I_e"],
            "e_l": p["E_L"],
        }


def network() -> Network:
    """Return 50 coupled neurons, each with its own threshold and input train."""
    cells = Population("E", 50, Mat2PscExp(), {"omega": Uniform(-53.0, -49.0), "I_e": 150.0})
    return Network(
        (cells,),
        (Projection("E>E", "E", "E", FixedIndegree(5), 60.0, delay_ms=1.5),),
        (SpikeInput("input", "E", 150.0),),
    )


def run(simulator: str, n_steps: int = 10_000, seed: int = 1, **settings: Any) -> SpikeBlock:
    """Simulate `n_steps` steps of 0.1 ms on the named simulator and return the spikes."""
    described = network()
    source = PoissonSource(described.n_spike_channels, seed=seed)
    rates_hz = np.full((1, described.n_spike_channels), 2000.0)
    stimulus = Stimulus(*source.window(1, n_steps, rates_hz))
    with open_simulator(described, SimulatorSettings(name=simulator, **settings), seed=seed) as opened:
        return opened.run(n_steps, stimulus)


if __name__ == "__main__":
    for name in ("numba", "nest"):
        spikes = run(name)
        print(f"{name}: {len(spikes)} spikes, the first three neurons {spikes.neuron[:3].tolist()}")
