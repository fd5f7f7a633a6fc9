"""A connectome as a `Network`: populations from a label, weights from synapse counts and signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.network import (
    CurrentInput,
    Explicit,
    Network,
    NeuronModel,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.errors import BrainError

MOST_PROJECTIONS = 5_000
"""Pairs of populations that are connected. Each costs time when a network is built and at each spike; a brain
of thousands of cell types is one population with labels instead."""

Autapses = Literal["refuse", "drop", "keep"]


@dataclass(frozen=True)
class Cells:
    """Neuron model and parameters of a population.

    Parameters
    ----------
    model : str or NeuronModel
    params : mapping
        Deviations from the model's defaults.
    """

    model: str | NeuronModel = "iaf_psc_exp"
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkOptions:
    """The choices between a connectome and a network.

    Parameters
    ----------
    weight : float
        Magnitude of the weight of one synapse, in the unit of the model's weights; an edge has the sum of
        its synapses.
    delay_ms : float
    population : str or None
        Kind of label whose values are the populations; None is one population, `neurons`.
    autapses : {"refuse", "drop", "keep"}
        Synapses of a neuron onto itself. Reconstructions hold them, true ones and errors.
    cells : mapping of str to Cells
        Of each population; the key "" is for all others.
    """

    weight: float
    delay_ms: float
    population: str | None = "class"
    autapses: Autapses = "refuse"
    cells: Mapping[str, Cells] = field(default_factory=lambda: {"": Cells()})


def connectome_network(
    connectome: Connectome,
    signs: NDArray[np.int8],
    options: NetworkOptions,
    *,
    spike_inputs: tuple[SpikeInput, ...] = (),
    current_inputs: tuple[CurrentInput, ...] = (),
) -> Network:
    """Return the network of a connectome.

    Neurons are sorted by population, in the order in which populations appear, and keep the connectome's
    order within them; their labels go along. Two populations with edges between them have one projection.

    Parameters
    ----------
    connectome : Connectome
    signs : ndarray of int8, shape (neurons,)
        Of `SignTable.signs`: +1, −1, or 0 for neurons whose edges are left out.
    options : NetworkOptions
    spike_inputs, current_inputs : tuple

    Raises
    ------
    BrainError
        On autapses that are refused, an empty label, a population without cells, or too many projections.
    """
    signs = np.asarray(signs)
    if signs.shape != (connectome.n_neurons,) or not np.isin(signs, (-1, 0, 1)).all():
        raise BrainError(
            f"signs: expected {connectome.n_neurons} numbers of −1, 0 and +1, got shape {signs.shape}"
        )
    if not (np.isfinite(options.weight) and options.weight > 0):
        raise BrainError(f"NetworkOptions.weight: expected a magnitude above 0, got {options.weight}")
    connectome = _treated_autapses(connectome, options.autapses)
    if len(silent := np.flatnonzero((signs == 0)[connectome.pre])):
        connectome = connectome.without(
            (signs == 0)[connectome.pre], f"{len(silent):,} from neurons without fast synapses"
        )
    names, members = _populations(connectome, options.population)
    populations = tuple(
        _population(name, rows, connectome, options) for name, rows in zip(names, members, strict=True)
    )
    steps = (
        f"{options.weight:g} {populations[0].neuron_model.weight_unit} a synapse, delay "
        f"{options.delay_ms:g} ms, {int((signs < 0).sum()):,} inhibitory and {int((signs == 0).sum()):,} "
        f"neurons without fast synapses"
    )
    return Network(
        populations,
        _projections(connectome, signs, options, names, members),
        spike_inputs,
        current_inputs,
        sources=(connectome.source.after(steps),),
    )


def _treated_autapses(connectome: Connectome, policy: str) -> Connectome:
    count = int(connectome.autapses.sum())
    if policy not in ("refuse", "drop", "keep"):
        raise BrainError(f"NetworkOptions.autapses: expected 'refuse', 'drop' or 'keep', got {policy!r}")
    if policy == "refuse" and count:
        raise BrainError(
            f"{connectome.source.name}: {count:,} edges lead from a neuron to itself; pass autapses='drop' "
            f"or autapses='keep'"
        )
    return connectome.without_autapses() if policy == "drop" and count else connectome


def _populations(connectome: Connectome, kind: str | None) -> tuple[list[str], list[NDArray[np.int64]]]:
    """Return the names of populations and the rows of their neurons."""
    if kind is None:
        return ["neurons"], [np.arange(connectome.n_neurons)]
    values = connectome.label(kind)
    if (values == "").any():
        row = int(np.flatnonzero(values == "")[0])
        raise BrainError(
            f"{connectome.source.name}: the neuron {connectome.labels['id'][row]} has an empty {kind}; "
            f"{int((values == '').sum()):,} neurons belong to no population"
        )
    names = list(dict.fromkeys(values.tolist()))
    return names, [np.flatnonzero(values == name) for name in names]


def _population(
    name: str, rows: NDArray[np.int64], connectome: Connectome, options: NetworkOptions
) -> Population:
    cells = options.cells.get(name, options.cells.get(""))
    if cells is None:
        raise BrainError(
            f"NetworkOptions.cells: no neuron model for the population {name!r}; add it, or one for '' (all "
            f"others)"
        )
    labels = {kind: values[rows].tolist() for kind, values in connectome.labels.items()}
    return Population(name, len(rows), cells.model, cells.params, labels=labels)


def _projections(
    connectome: Connectome,
    signs: NDArray[np.int8],
    options: NetworkOptions,
    names: list[str],
    members: list[NDArray[np.int64]],
) -> tuple[Projection, ...]:
    """Return a projection for each two populations with edges between them."""
    group = np.empty(connectome.n_neurons, dtype=np.int64)
    place = np.empty(connectome.n_neurons, dtype=np.int32)
    for number, rows in enumerate(members):
        group[rows], place[rows] = number, np.arange(len(rows))
    signed = connectome.synapses * signs[connectome.pre]
    weights: NDArray[np.float64] = signed * np.float64(options.weight)
    if len(names) == 1:
        pairs: NDArray[Any] = np.column_stack([connectome.pre, connectome.post]).astype(np.int32, copy=False)
        name = f"{names[0]}>{names[0]}"
        return (Projection(name, names[0], names[0], Explicit(pairs), weights, options.delay_ms),)
    ends = group[connectome.pre] * len(names) + group[connectome.post]
    order = np.argsort(ends, kind="stable")
    bounds = np.flatnonzero(np.diff(ends[order], prepend=-1))
    if len(bounds) > MOST_PROJECTIONS:
        raise BrainError(
            f"{connectome.source.name}: {len(names):,} populations have {len(bounds):,} projections, "
            f"expected at most {MOST_PROJECTIONS:,}; choose a coarser label, or population=None for one "
            f"population"
        )
    projections = []
    for edges in np.split(order, bounds[1:]):
        source, target = divmod(int(ends[edges[0]]), len(names))
        pairs = np.column_stack([place[connectome.pre[edges]], place[connectome.post[edges]]])
        projections.append(
            Projection(
                f"{names[source]}>{names[target]}",
                names[source],
                names[target],
                Explicit(pairs),
                weights[edges],
                options.delay_ms,
            )
        )
    return tuple(projections)
