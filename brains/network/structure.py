"""The structure of a network: all that parameter sets have in common that run as one model."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Hashable

import numpy as np

from ethospike.brains.network.network import Network
from ethospike.brains.network.projection import CurrentInput, SpikeInput


def structure(network: Network) -> Hashable:
    """Return a key that is equal for networks that differ in neurons' parameters and weights alone.

    Such networks have the same populations, synapses (for the same seed), delays, inputs and plasticity.

    Examples
    --------
    >>> from ethospike.brains.network import Population
    >>> weak, strong = (Network([Population("E", 9, "iaf_psc_exp", {"I_e": i})]) for i in (1.0, 2.0))
    >>> structure(weak) == structure(strong)
    True
    """
    inputs: tuple[SpikeInput | CurrentInput, ...] = (*network.spike_inputs, *network.current_inputs)
    return (
        network.procedural,
        tuple((p.name, p.size, p.clusters, p.neuron_model) for p in network.populations),
        tuple(
            (p.name, p.source, p.target, _key(p.rule), _key(p.delay_ms), _key(p.plasticity), p.receptor)
            for p in network.projections
        ),
        tuple(
            tuple(
                _key(getattr(given, field.name))
                for field in dataclasses.fields(given)
                if field.name != "weight"
            )
            for given in inputs
        ),
    )


def _key(value: object) -> Hashable:
    """Return a hashable key of a rule, a delay or a distribution; arrays count by their content."""
    if isinstance(value, np.ndarray):
        return value.shape, hashlib.sha256(np.ascontiguousarray(value, dtype=np.float64).tobytes()).digest()
    if dataclasses.is_dataclass(value):
        fields = tuple(_key(getattr(value, field.name)) for field in dataclasses.fields(value))
        return type(value).__qualname__, fields
    if isinstance(value, (list, tuple)):
        return tuple(_key(item) for item in value)
    return value if isinstance(value, Hashable) else id(value)
