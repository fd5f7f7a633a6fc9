"""Model objects of `pygenn` for neurons, synapses and inputs.

The code of neurons (`NeuronModel.genn`) follows the order of operations of NEST within a step (membrane
first, then decay, then arriving spikes, then the threshold), so that the conventions of the clock in
docs/design.md hold. Voltages are relative to `E_L`, which leaves single precision its digits.

Arguments of a function have one type: GPU compilers have no `fmin` of a double and a float.

No constant is written into the code: those that are equal for all neurons of a population are GeNN's dynamic
parameters, the others its variables. So a change of a value compiles nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn.library import pygenn
from ethospike.brains.network import GennCode, NeuronModel
from ethospike.brains.network.models.neuron_model import Values
from ethospike.errors import BrainError

TINY = "1e-30"
"""Below this, state is set to 0 (mV, pA, nS): numbers near the smallest float slow a CPU a hundredfold."""


NEVER_MS = -1e12
"""The time of a spike that has not happened."""


@dataclass(frozen=True)
class PlasticRoles:
    """Needs that plastic projections have of a population."""

    is_source: bool
    """Remember the time of the last spike, as of this step and of the one before."""
    n_onto: int
    """Plastic projections onto the population: each has its modulators counted in every step."""


def literal(number: int) -> str:
    """Return an integer of 64 bits as an expression of `half` = 2^32; GeNN has no such literals."""
    return f"((uint64_t){number >> 32}U * half + {number & 0xFFFFFFFF}U)"


# As on Numba (`lists/stepped_kernels.py`): the upper half of a linear congruential generator, one a neuron.
_UNIFORM = f"""
const uint64_t half = (uint64_t)65536 * (uint64_t)65536;
random = random * {literal(0xD1342543DE82EF95)} + {literal(0x14057B7EF767814F)};
const double uniform = (double)(random / half) / 4294967296.0;
"""


def check_precision(where: str, weight: NDArray[np.float64], dtype: type[np.floating[Any]]) -> None:
    """Raise `BrainError` if a weight is too large: infinity times no spike would be no number."""
    largest, limit = np.abs(weight).max(initial=0.0), np.finfo(dtype).max
    if largest > limit:
        precision = "single" if dtype is np.float32 else "double"
        raise BrainError(
            f"{where}.weight: expected magnitudes up to {limit:.3g}, the largest number of {precision} "
            f"precision, got {largest:.3g}"
        )


def neuron_model(
    model: NeuronModel, constants: Values, varying: tuple[str, ...], roles: PlasticRoles
) -> tuple[Any, dict[str, float]]:
    """Return GeNN's neuron model, and its state variables with their values at the start.

    Parameters
    ----------
    model : NeuronModel
    constants : mapping
        The constants that the model's code uses.
    varying : tuple of str
        Names of those that differ between neurons; the others become dynamic parameters.
    roles : PlasticRoles
        Needs of the plastic projections.
    """
    code = code_of(model)
    state = dict.fromkeys(model.state, 0.0)
    inputs, arriving, step, reset = ["in_ex", "in_in"], ["in_ex"], "", code.reset
    params = []
    if roles.is_source:
        step += "last_before = last_now;\n"
        reset += " last_now = t;"
    if roles.n_onto:
        step += "spiked_before = spiked_now; spiked_now = 0.0;\n"
        reset += " spiked_now = 1.0;"
        state |= {"spiked_now": 0.0, "spiked_before": 0.0}
    for m in range(roles.n_onto):
        # A spike of the modulator in the step of the source's spike: the weight that was sent was too high.
        arriving.append(f"fmax(in_plastic_{m} - in_dopamine_{m} * in_count_{m} * depression_{m}, 0.0)")
        step += f"dopamine_{m} = in_dopamine_{m};\n"
        state[f"dopamine_{m}"] = 0.0
        inputs += [f"in_plastic_{m}", f"in_dopamine_{m}", f"in_count_{m}"]
        params.append(f"depression_{m}")
    times = dict.fromkeys(("last_now", "last_before"), NEVER_MS) if roles.is_source else {}
    read_only = pygenn.VarAccess.READ_ONLY_DUPLICATE  # each parameter set of a batch has values of its own
    step += f"const scalar excitation = {' + '.join(arriving)}, inhibition = in_in, current_pa = Isyn;\n"
    made = pygenn.create_neuron_model(
        model.name,
        params=[(name, _type_of(constants[name])) for name in constants if name not in varying] + params,
        vars=[(name, "scalar") for name in state]
        + [(name, "timepoint") for name in times]
        + [("refractory", "int"), ("suppressed", "int"), ("is_silent", "int", read_only)]
        + [("random", "uint64_t")] * model.is_stochastic
        + [(name, _type_of(constants[name]), read_only) for name in varying],
        additional_input_vars=[(name, "scalar", 0.0) for name in inputs],
        sim_code=step + _UNIFORM * model.is_stochastic + code.step.replace("TINY", TINY) + _silent(code),
        threshold_condition_code=f"is_silent == 0 && ({code.threshold})",
        reset_code=reset,
    )
    return made, {**state, **times, **dict.fromkeys(("refractory", "suppressed", "is_silent"), 0.0)}


def _silent(code: GennCode) -> str:
    """Return code for a silent neuron at its threshold: it is reset, and fires no spike."""
    return f"\nif (is_silent != 0 && ({code.threshold})) {{ {code.reset} suppressed += 1; }}\n"


def _type_of(values: NDArray[Any]) -> str:
    return "int" if values.dtype.kind == "i" else "scalar"


def code_of(model: NeuronModel) -> GennCode:
    """Return a model's code in GeNN's language."""
    if model.genn is None:
        raise BrainError(f"genn lacks the model {model.name}")
    return model.genn


def used_constants(model: NeuronModel, constants: Values) -> dict[str, NDArray[Any]]:
    """Return those of a model's constants that its code for GeNN mentions."""
    code = code_of(model)
    words = set(re.findall(r"\w+", f"{code.step} {code.threshold} {code.reset}"))
    return {name: values for name, values in constants.items() if name in words and name not in model.state}


# ---------------------------------------------------------------------------------------------------
# Inputs. The host writes one table for each, once a window.

_BY_SET = pygenn.VarAccess.READ_ONLY_DUPLICATE
"""Read-only values, different in each parameter set of a batch."""


def _spike_input(by_set: bool) -> Any:
    return pygenn.create_current_source_model(
        "spike_input",
        params=[*([] if by_set else ["weight"]), ("n_columns", "int"), ("n_rows", "double")],
        vars=[("column", "int", _BY_SET), *([("weight", "scalar", _BY_SET)] if by_set else [])],
        extra_global_params=[("count", "uint16_t*")],
        injection_code="""
        const double step = floor(t / dt + 0.5);
        const int row = (int)(step - n_rows * floor(step / n_rows));
        if (column >= 0) {
            injectCurrent(weight * count[row * n_columns + column]);
        }
        """,
    )


SPIKE_INPUT = {by_set: _spike_input(by_set) for by_set in (False, True)}
"""Spikes that arrive in a step, counted in a table (steps, columns), a ring over steps; column -1 receives
nothing. By whether the weight differs between the parameter sets of a batch."""

CURRENT_INPUT = pygenn.create_current_source_model(
    "current_input",
    params=[("n_columns", "int")],
    vars=[("column", "int", _BY_SET)],
    extra_global_params=[("current", "scalar*"), ("begin_ms", "double*")],
    injection_code="""
    const int row = (int)fmin((t - begin_ms[0]) / dt + 0.5, (double)2.0);
    if (column >= 0) {
        injectCurrent(current[row * n_columns + column]);
    }
    """,
)
"""Currents (pA) in a table of three rows: the first two steps after `begin_ms`, and the rest."""


# ---------------------------------------------------------------------------------------------------
# Synapses.

_ACCESS = {False: pygenn.VarAccess.READ_ONLY, True: _BY_SET}

STATIC = {
    by_set: pygenn.create_weight_update_model(
        "static", vars=[("w", "scalar", access)], pre_spike_syn_code="addToPost(w);"
    )
    for by_set, access in _ACCESS.items()
}
"""By whether weights differ between the parameter sets of a batch, as all of these."""

STATIC_DELAYED = {
    by_set: pygenn.create_weight_update_model(
        "static_delayed",
        vars=[("w", "scalar", access), ("late", "uint16_t", pygenn.VarAccess.READ_ONLY)],
        pre_spike_syn_code="addToPostDelay(w, late);",
    )
    for by_set, access in _ACCESS.items()
}
"""With a delay for each synapse: `late` steps beyond one step."""

_SIZES = [("source_size", "unsigned int"), ("target_size", "unsigned int")]
_OWN_OR_OTHER = """
const unsigned int own = (id_pre / source_size) * target_size;
addToPost((id_post - own < target_size) ? within : across);
"""
CLUSTERED = {
    False: pygenn.create_weight_update_model(
        "clustered", params=["within", "across", *_SIZES], pre_spike_syn_code=_OWN_OR_OTHER
    ),
    # One number a target instead of one a batch: GeNN has no parameters that differ between batches.
    True: pygenn.create_weight_update_model(
        "clustered_by_set",
        params=_SIZES,
        post_vars=[("within", "scalar", _BY_SET), ("across", "scalar", _BY_SET)],
        pre_spike_syn_code=_OWN_OR_OTHER,
    ),
}
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
        w = fmax(w - dopamine * learning_rate * exp((last_ms - event_ms) / tau_ms), (double)0.0);
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
"""For longer delays, with an axonal delay of one step in GeNN's count, which also delays the synapse's view
of its source; so `last_ms` is the source's `last_now`."""
