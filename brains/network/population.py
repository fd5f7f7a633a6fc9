"""Neurons of one model: sizes and parameters with NEST's names and units, given or drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.distributions import Distribution
from ethospike.brains.network.models import NEURON_MODELS, NeuronModel
from ethospike.errors import BrainError, nearest

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
    model : str or NeuronModel
        Name of a built-in model (`NEURON_MODELS`), or a model of one's own.
    params : mapping
        Deviations from the model's defaults: a number, an array of shape (size,), or a `Distribution`
        that is drawn for each animal.
    clusters : int
        Number of equal, contiguous groups that the neurons form; rules, weights and counts refer to them.
    labels : mapping of str to sequence
        One value a neuron for each kind of label, such as `id`, `name`, `class` and `side`: neurons can be
        chosen by them (`Network.labelled`), and a recording keeps them.

    Examples
    --------
    >>> Population("KC", 72, "iaf_cond_exp_sfa_rr", {"C_m": 30.0, "g_L": 0.5}).param("C_m")
    30.0
    """

    name: str
    size: int
    model: str | NeuronModel
    params: Mapping[str, Parameter] = field(default_factory=dict)
    clusters: int = 1
    labels: Mapping[str, Sequence[str | int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        if isinstance(self.model, str) and self.model not in NEURON_MODELS:
            raise BrainError(f"{where}.model: unknown {self.model!r}; {nearest(self.model, NEURON_MODELS)}")
        if self.size < 1:
            raise BrainError(f"{where}.size: expected at least 1 neuron, got {self.size}")
        if self.clusters < 1 or self.size % self.clusters:
            raise BrainError(
                f"{where}.clusters: {self.size} neurons do not form {self.clusters} equal clusters"
            )
        model = self.neuron_model
        for key, value in self.params.items():
            if not model.has_parameter(key):
                raise BrainError(
                    f"{where}.params: {model.name} has no {key!r}; {nearest(key, model.parameters)}"
                )
            if isinstance(value, Distribution):
                continue
            numbers = np.asarray(value, dtype=float)
            if numbers.shape not in ((), (self.size,)):
                raise BrainError(f"{where}.{key}: expected shape () or ({self.size},), got {numbers.shape}")
            model.check(where, key, numbers)
        self._check_labels()

    def _check_labels(self) -> None:
        for kind, values in self.labels.items():
            where = f"Population {self.name!r}.labels[{kind!r}]"
            if not kind.isidentifier():
                raise BrainError(f"{where}: expected a name of letters and digits, such as 'side'")
            if isinstance(values, str) or len(values) != self.size:
                got = repr(values) if isinstance(values, str) else len(values)
                raise BrainError(f"{where}: expected {self.size} values, one for each neuron, got {got}")

    @property
    def neuron_model(self) -> NeuronModel:
        """The description of the neurons' model."""
        return NEURON_MODELS[self.model] if isinstance(self.model, str) else self.model

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of all parameters, those of the model first."""
        return tuple(dict.fromkeys((*self.neuron_model.parameters, *self.params)))

    def param(self, key: str) -> Parameter:
        """Return the value of a parameter as given, or the model's default."""
        if key in self.params:
            return self.params[key]
        model = self.neuron_model
        default = model.defaults[key] if key in model.defaults else model.initial[key]
        return self.param(default) if isinstance(default, str) else default

    @property
    def cluster_size(self) -> int:
        """Neurons in one cluster."""
        return self.size // self.clusters
