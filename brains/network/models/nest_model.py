"""Any neuron model of NEST, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ethospike.brains.network.models.neuron_model import NeuronModel


class NestModel(NeuronModel):
    """A neuron model of the installed NEST; no other simulator runs it.

    NEST's own defaults hold for every parameter that is not given. Names and values are checked when the
    simulator is opened, against the installed NEST. A model without spikes is refused. Models that place
    spikes between steps (`*_ps`) run; their spikes are reported at the end of the step in which they fall.

    Parameters
    ----------
    name : str
        NEST's name, such as "hh_psc_alpha".
    params : mapping
        Parameters and initial state with NEST's names and units. `Population.params` may give further ones,
        and one number a neuron.
    weight_unit : str
        Unit of the weights of synapses onto the model: "pA", "nS" or "mV", as NEST documents it.
    module : str or None
        A module to install first, such as one that NESTML has built.

    Examples
    --------
    >>> NestModel("hh_psc_alpha", {"I_e": 650.0}).simulators
    ('nest',)
    """

    takes_receptor = True

    def __init__(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        weight_unit: str = "pA",
        module: str | None = None,
    ) -> None:
        given = dict(params or {})
        numbers = {key: value for key, value in given.items() if isinstance(value, (float, np.floating))}
        self.name, self.nest_name, self.weight_unit, self.module = name, name, weight_unit, module
        self.defaults = {key: float(value) for key, value in numbers.items()}
        self.initial = {}
        # Whole numbers, switches and lists go to NEST as they are.
        self.nest_fixed = {key: value for key, value in given.items() if key not in numbers}

    def __repr__(self) -> str:
        return f"NestModel({self.name!r}, {dict(self.defaults) | dict(self.nest_fixed)})"

    def has_parameter(self, key: str) -> bool:
        """Return True: NEST knows its parameters, and checks them when the simulator is opened."""
        return True
