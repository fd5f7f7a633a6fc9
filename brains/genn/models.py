"""GeNN's side of the neuron models, synapses and inputs: code that GeNN compiles, and the constants it needs.

In: parameters with NEST's names and units. Out: model objects of `pygenn` and their constants. This file
knows no network and opens no simulation. The code follows the order of operations of NEST within a step
(membrane first, then decay, then arriving spikes, then the threshold), so that the conventions of the clock
in docs/design.md hold. Voltages are relative to `E_L`, which leaves single precision its digits.

No constant is written into the code: those that are equal for all neurons of a population are GeNN's dynamic
parameters, the others its variables. So a change of a value compiles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn.library import pygenn
from ethospike.brains.network import Population
from ethospike.brains.simulator.exact_integration import current_to_potential, mean_decay, refractory_steps

Constants = dict[str, NDArray[np.float64]]

TINY = "1e-30"
"""Below this, state is set to 0 (mV, pA, nS): numbers near the smallest float slow a CPU a hundredfold."""

_PSC_EXP = """
if (refractory > 0) {
    refractory -= 1;
}
else {
    V = V * keep_V + i_ex * ex_to_V + i_in * in_to_V + (I_e + Isyn) * current_to_V;
    V = (fabs(V) < {TINY}) ? 0.0 : V;
}
i_ex = i_ex * keep_ex + {ARRIVING};
i_in = i_in * keep_in + in_in;
i_ex = (fabs(i_ex) < {TINY}) ? 0.0 : i_ex;
i_in = (fabs(i_in) < {TINY}) ? 0.0 : i_in;
"""

# One step of dV/dt = -a(t) V + b(t) by the Magnus expansion of fourth order (Blanes et al. 2009, Physics
# Reports 470:151): stable for any conductance, where an explicit Runge-Kutta step is not. `a` and `b` are
# means over the step, exact for exponential conductances, times dt; the term with / 12 is the commutator.
# (1 - exp(-a)) / a is a Padé approximant where its relative error, a^6 / 100800, is below 3e-9, which saves a
# fifth of a step's time on a CPU.
_COND_EXP = """
const scalar mean_ex = g_ex * mean_of_ex, mean_in = g_in * mean_of_in;
const scalar next_ex = g_ex * keep_ex, next_in = g_in * keep_in;
{SFA_BEGIN}
const scalar a = (g_L + mean_ex + mean_in {SFA_MEAN}) * per_C;
const scalar b = (I_e + Isyn + mean_ex * E_ex + mean_in * E_in {SFA_MEAN_E}) * per_C;
const scalar rise_a = (next_ex - g_ex + next_in - g_in {SFA_RISE}) * per_C;
const scalar rise_b = ((next_ex - g_ex) * E_ex + (next_in - g_in) * E_in {SFA_RISE_E}) * per_C;
if (refractory > 0) {
    refractory -= 1;
}
else {
    const scalar mean_decay = (a < 0.25)
        ? (1.0 + a * a / 60.0) / (1.0 + a * (0.5 + a * (0.1 + a / 120.0)))
        : -expm1(-a) / a;
    V += (b - a * V + (a * rise_b - b * rise_a) / 12.0) * mean_decay;
    V = (fabs(V) < {TINY}) ? 0.0 : V;
}
g_ex = next_ex + {ARRIVING};
g_in = next_in - in_in;
g_ex = (g_ex < {TINY}) ? 0.0 : g_ex;
g_in = (g_in < {TINY}) ? 0.0 : g_in;
{SFA_END}
"""

_SFA = {
    "{SFA_BEGIN}": "const scalar mean_sfa = g_sfa * mean_of_sfa, next_sfa = g_sfa * keep_sfa;",
    "{SFA_MEAN}": "+ mean_sfa",
    "{SFA_MEAN_E}": "+ mean_sfa * E_sfa",
    "{SFA_RISE}": "+ next_sfa - g_sfa",
    "{SFA_RISE_E}": "+ (next_sfa - g_sfa) * E_sfa",
    "{SFA_END}": "g_sfa = (next_sfa < {TINY}) ? 0.0 : next_sfa;",
}


@dataclass(frozen=True)
class _Neuron:
    """Code of one neuron model: state besides V, code of a step, code at a spike."""

    state: tuple[str, ...]
    step: str
    reset: str = ""


def _fill(code: str, parts: Mapping[str, str]) -> str:
    for key, value in parts.items():
        code = code.replace(key, value)
    return code


_NEURONS = {
    "iaf_psc_exp": _Neuron(("i_ex", "i_in"), _PSC_EXP),
    "iaf_cond_exp": _Neuron(("g_ex", "g_in"), _fill(_COND_EXP, dict.fromkeys(_SFA, ""))),
    "iaf_cond_exp_sfa_rr": _Neuron(("g_ex", "g_in", "g_sfa"), _fill(_COND_EXP, _SFA), "g_sfa += q_sfa;"),
}


def state_variables(model: str) -> tuple[str, ...]:
    """Return the names of a model's potential, mV above E_L, and of its synaptic currents or conductances."""
    return ("V", *_NEURONS[model].state)


NEVER_MS = -1e12
"""The time of a spike that has not happened."""


@dataclass(frozen=True)
class PlasticRoles:
    """What plastic projections need to know of a population."""

    is_source: bool
    """Remember the time of the last spike, as of this step and of the one before."""
    n_onto: int
    """Plastic projections onto the population: each has its modulators counted in every step."""


def constants(pop: Population, params: Mapping[str, NDArray[np.float64]], dt_ms: float) -> Constants:
    """Return what a step of the neuron model multiplies by, each of shape (neurons,).

    Parameters
    ----------
    pop : Population
    params : mapping
        All parameters of the model and `V_m`, each of shape (neurons,), in NEST's units.
    dt_ms : float

    Returns
    -------
    dict
        The constants of the code above, `refractory_steps`, and `V`, the initial value in mV above E_L.

    Raises
    ------
    BrainError
        When a refractory period is not a whole number of steps, or V_reset is not below V_th.
    """
    p = params
    out = {
        "V": p["V_m"] - p["E_L"],
        "I_e": p["I_e"],
        "theta": p["V_th"] - p["E_L"],
        "V_reset": p["V_reset"] - p["E_L"],
        "refractory_steps": refractory_steps(pop.name, p["t_ref"], p["V_reset"], p["V_th"], dt_ms),
        "keep_ex": np.exp(-dt_ms / p["tau_syn_ex"]),
        "keep_in": np.exp(-dt_ms / p["tau_syn_in"]),
    }
    if pop.model == "iaf_psc_exp":
        return out | {
            "keep_V": np.exp(-dt_ms / p["tau_m"]),
            "ex_to_V": current_to_potential(dt_ms, p["tau_syn_ex"], p["tau_m"], p["C_m"]),
            "in_to_V": current_to_potential(dt_ms, p["tau_syn_in"], p["tau_m"], p["C_m"]),
            "current_to_V": p["tau_m"] / p["C_m"] * -np.expm1(-dt_ms / p["tau_m"]),
        }
    out |= {"g_L": p["g_L"], "per_C": dt_ms / p["C_m"]}
    for name in ("ex", "in"):
        out[f"mean_of_{name}"] = mean_decay(dt_ms, p[f"tau_syn_{name}"])
        out[f"E_{name}"] = p[f"E_{name}"] - p["E_L"]
    if pop.model == "iaf_cond_exp_sfa_rr":
        out |= {
            "keep_sfa": np.exp(-dt_ms / p["tau_sfa"]),
            "mean_of_sfa": mean_decay(dt_ms, p["tau_sfa"]),
            "E_sfa": p["E_sfa"] - p["E_L"],
            "q_sfa": p["q_sfa"],
        }
    return out


def neuron_model(
    model: str, names: tuple[str, ...], varying: tuple[str, ...], roles: PlasticRoles
) -> tuple[Any, dict[str, float]]:
    """Return GeNN's neuron model, and its state variables with their values at the start.

    Parameters
    ----------
    model : str
        A key of `NEURON_MODELS`.
    names, varying : tuple of str
        The constants, and those of them that differ between neurons; the others become dynamic parameters.
    roles : PlasticRoles
        What plastic projections need to know of these neurons.
    """
    neuron = _NEURONS[model]
    state = dict.fromkeys(("V", *neuron.state), 0.0)
    inputs, arriving, step, reset = ["in_ex", "in_in"], ["in_ex"], "", neuron.reset
    params = []
    if roles.is_source:
        step += "last_before = last_now;\n"
        reset += "last_now = t;"
    if roles.n_onto:
        step += "spiked_before = spiked_now; spiked_now = 0.0;\n"
        reset += "spiked_now = 1.0;"
        state |= {"spiked_now": 0.0, "spiked_before": 0.0}
    for m in range(roles.n_onto):
        # A spike of the modulator in the step of the source's spike: the weight that was sent was too high.
        arriving.append(f"fmax(in_plastic_{m} - in_dopamine_{m} * in_count_{m} * depression_{m}, 0.0)")
        step += f"dopamine_{m} = in_dopamine_{m};\n"
        state[f"dopamine_{m}"] = 0.0
        inputs += [f"in_plastic_{m}", f"in_dopamine_{m}", f"in_count_{m}"]
        params.append(f"depression_{m}")
    times = dict.fromkeys(("last_now", "last_before"), NEVER_MS) if roles.is_source else {}
    read_only = pygenn.VarAccess.READ_ONLY
    made = pygenn.create_neuron_model(
        model,
        params=[(name, _type_of(name)) for name in names if name not in varying] + params,
        vars=[(name, "scalar") for name in state]
        + [(name, "timepoint") for name in times]
        + [("refractory", "int")]
        + [(name, _type_of(name), read_only) for name in names if name in varying],
        additional_input_vars=[(name, "scalar", 0.0) for name in inputs],
        sim_code=step + _fill(neuron.step, {"{ARRIVING}": " + ".join(arriving), "{TINY}": TINY}),
        threshold_condition_code="V >= theta",
        reset_code=f"V = V_reset; refractory = refractory_steps; {reset}",
    )
    return made, {**state, **times, "refractory": 0.0}


def _type_of(constant: str) -> str:
    return "int" if constant == "refractory_steps" else "scalar"


# ---------------------------------------------------------------------------------------------------
# Inputs. The host writes one table for each, once a window.

SPIKE_INPUT = pygenn.create_current_source_model(
    "spike_input",
    params=["weight", ("n_columns", "int"), ("n_rows", "double")],
    vars=[("column", "int", pygenn.VarAccess.READ_ONLY)],
    extra_global_params=[("count", "uint16_t*")],
    injection_code="""
    const double step = floor(t / dt + 0.5);
    const int row = (int)(step - n_rows * floor(step / n_rows));
    if (column >= 0) {
        injectCurrent(weight * count[row * n_columns + column]);
    }
    """,
)
"""Spikes that arrive in a step, counted in a table (steps, columns), a ring over steps; column -1 receives
nothing."""

CURRENT_INPUT = pygenn.create_current_source_model(
    "current_input",
    params=[("n_columns", "int")],
    vars=[("column", "int", pygenn.VarAccess.READ_ONLY)],
    extra_global_params=[("current", "scalar*"), ("begin_ms", "double*")],
    injection_code="""
    const int row = (int)fmin((t - begin_ms[0]) / dt + 0.5, 2.0);
    if (column >= 0) {
        injectCurrent(current[row * n_columns + column]);
    }
    """,
)
"""Currents (pA) in a table of three rows: the first two steps after `begin_ms`, and the rest."""


# ---------------------------------------------------------------------------------------------------
# Synapses.

STATIC = pygenn.create_weight_update_model(
    "static",
    vars=[("w", "scalar", pygenn.VarAccess.READ_ONLY)],
    pre_spike_syn_code="addToPost(w);",
)

STATIC_DELAYED = pygenn.create_weight_update_model(
    "static_delayed",
    vars=[("w", "scalar", pygenn.VarAccess.READ_ONLY), ("late", "uint16_t", pygenn.VarAccess.READ_ONLY)],
    pre_spike_syn_code="addToPostDelay(w, late);",
)
"""With a delay for each synapse: `late` steps beyond one step."""

CLUSTERED = pygenn.create_weight_update_model(
    "clustered",
    params=["within", "across", ("source_size", "unsigned int"), ("target_size", "unsigned int")],
    pre_spike_syn_code="""
    const unsigned int own = (id_pre / source_size) * target_size;
    addToPost((id_post - own < target_size) ? within : across);
    """,
)
"""Two weights that follow from the clusters of source and target: no memory for weights."""

COUNT = pygenn.create_weight_update_model("count", pre_spike_syn_code="addToPost(1.0);")
"""Tells each target how many spikes arrive."""

# The events of a step are processed two steps later, because the modulator's spike needs one step to reach
# the target's `dopamine`, and the synapse looks at it in the next. Events keep their order and their times:
# source (eligibility), modulator, target. `since_ms` forgets events that came before `set_weights`.
_APPLY_EVENTS = """
const timepoint event_ms = t - 2.0 * dt;
if (event_ms > since_ms) {
    if (dopamine > 0.0) {
        w = fmax(w - dopamine * learning_rate * exp((last_ms - event_ms) / tau_ms), 0.0);
    }
    if (spiked_before > 0.0) {
        w += (w_init - w) * homeostasis;
    }
}
"""

# A spike is transmitted with the weight after the events of its own step. With a delay of one step they are
# not in `w` yet: the target's own spike is added here, the modulator's in the target (see `neuron_model`).
_TRANSMIT_AT_ONCE = "addToPost((scalar)(spiked_now > 0.0 ? w + (w_init - w) * homeostasis : w));"
_TRANSMIT_LATER = "addToPostDelay((scalar)w, dendritic_steps);"


def _dopamine_gated(name: str, transmit: str, params: tuple[tuple[str, str], ...] = ()) -> Any:
    return pygenn.create_weight_update_model(
        name,
        params=[*((p, "double") for p in DOPAMINE_GATED_DYNAMIC), *params],
        vars=[("w", "double"), ("w_init", "double", pygenn.VarAccess.READ_ONLY)],
        pre_neuron_var_refs=[("last_ms", "timepoint", pygenn.VarAccessMode.READ_ONLY)],
        post_neuron_var_refs=[
            (name, "scalar", pygenn.VarAccessMode.READ_ONLY)
            for name in ("dopamine", "spiked_now", "spiked_before")
        ],
        pre_spike_syn_code=transmit,
        synapse_dynamics_code=_APPLY_EVENTS,
    )


DOPAMINE_GATED_DYNAMIC = ("tau_ms", "learning_rate", "homeostasis", "since_ms")
DOPAMINE_GATED = _dopamine_gated("dopamine_gated", _TRANSMIT_AT_ONCE)
"""For a delay of one step; `last_ms` is the source's `last_before`."""
DOPAMINE_GATED_LATER = _dopamine_gated(
    "dopamine_gated_later", _TRANSMIT_LATER, (("dendritic_steps", "unsigned int"),)
)
"""For longer delays, with an axonal delay of one step in GeNN's count, which also delays what the synapse
sees of its source; so `last_ms` is the source's `last_now`."""
