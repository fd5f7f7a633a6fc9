"""Neurons of one model: sizes and parameters with NEST's names and units, given or drawn.

In: numbers, arrays or distributions. Out: a frozen, validated dataclass. This file knows no connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.distributions import Distribution
from ethospike.errors import BrainError, nearest

NEURON_MODELS: dict[str, dict[str, float]] = {
    # NEST 3.10's defaults (`nest.GetDefaults`); q_rr of iaf_cond_exp_sfa_rr is always 0 here.
    "iaf_psc_exp": {
        "C_m": 250.0,
        "tau_m": 10.0,
        "E_L": -70.0,
        "V_th": -55.0,
        "V_reset": -70.0,
        "t_ref": 2.0,
        "tau_syn_ex": 2.0,
        "tau_syn_in": 2.0,
        "I_e": 0.0,
    },
    "iaf_cond_exp": {
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
    },
    "iaf_cond_exp_sfa_rr": {
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
    },
}
"""Parameters of each neuron model with NEST's names, units (pF, nS, mV, ms, pA) and default values.

Every model also has `V_m`, the membrane potential at time 0 in mV, which defaults to each neuron's `E_L`.
"""

_MUST_BE_POSITIVE = {"C_m", "tau_m", "g_L", "tau_syn_ex", "tau_syn_in", "tau_sfa"}


Parameter = float | NDArray[np.float64] | Distribution


@dataclass(frozen=True)
class Population:
    """Neurons of one model.

    Parameters
    ----------
    name : str
        Unique in the network.
    size : int
        Number of neurons in one animal.
    model : str
        A key of `NEURON_MODELS`.
    params : mapping
        Deviations from the model's defaults: a number, an array of shape (size,), or a `Distribution`
        that is drawn for each animal.
    clusters : int
        Number of equal, contiguous groups that the neurons form; rules, weights and counts refer to them.

    Examples
    --------
    >>> Population("KC", 72, "iaf_cond_exp_sfa_rr", {"C_m": 30.0, "g_L": 0.5}).param("C_m")
    30.0
    """

    name: str
    size: int
    model: str
    params: Mapping[str, Parameter] = field(default_factory=dict)
    clusters: int = 1

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        if self.model not in NEURON_MODELS:
            raise BrainError(f"{where}.model: unknown {self.model!r}; {nearest(self.model, NEURON_MODELS)}")
        if self.size < 1:
            raise BrainError(f"{where}.size: expected at least 1 neuron, got {self.size}")
        if self.clusters < 1 or self.size % self.clusters:
            raise BrainError(
                f"{where}.clusters: {self.size} neurons do not form {self.clusters} equal clusters"
            )
        valid = {*NEURON_MODELS[self.model], "V_m"}
        for key, value in self.params.items():
            if key not in valid:
                raise BrainError(f"{where}.params: {self.model} has no {key!r}; {nearest(key, valid)}")
            if isinstance(value, Distribution):
                continue
            numbers = np.asarray(value, dtype=float)
            if numbers.shape not in ((), (self.size,)):
                raise BrainError(f"{where}.{key}: expected shape () or ({self.size},), got {numbers.shape}")
            if not np.isfinite(numbers).all():
                raise BrainError(f"{where}.{key}: expected finite numbers, got {value!r}")
            if key in _MUST_BE_POSITIVE and (numbers <= 0).any():
                raise BrainError(f"{where}.{key}: expected values above 0, got {value!r}")
            if key == "t_ref" and (numbers < 0).any():
                raise BrainError(f"{where}.t_ref: expected values of at least 0 ms, got {value!r}")

    def param(self, key: str) -> Parameter:
        """Return the value of a parameter as given, or the model's default."""
        if key in self.params:
            return self.params[key]
        return self.param("E_L") if key == "V_m" else NEURON_MODELS[self.model][key]

    @property
    def cluster_size(self) -> int:
        """Neurons in one cluster."""
        return self.size // self.clusters
