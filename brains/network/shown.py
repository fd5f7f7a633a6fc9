"""A network in a terminal and in a notebook: its populations, projections and inputs, with units."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ethospike.shown import changed_fields, html_table, short

Network = Any
"""A `Network`, whose file imports this one."""
MOST_ROWS = 40
"""Rows of a table at most, so that a network of many small populations stays readable."""
POPULATIONS = ("population", "neurons", "model", "more")
PROJECTIONS = ("projection", "from → to", "rule", "weight", "delay (ms)", "plasticity")
INPUTS = ("input", "to", "channels", "weight")


def brief(value: Any) -> str:
    """Return a rule, a weight or a distribution in a few words; arrays by their number and range.

    Examples
    --------
    >>> brief(1.5), brief(np.array([1.0, 2.0, 4.0]))
    ('1.5', '3 values, 1 … 4')
    """
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and value.size and value.dtype.kind in "iuf":
            return f"{value.size:,} values, {value.min():g} … {value.max():g}"
        return f"{len(value):,} rows"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = ", ".join(f"{name} {brief(field)}" for name, field in changed_fields(value).items())
        return f"{type(value).__name__}({inside})" if inside else type(value).__name__
    if isinstance(value, (float, np.floating)):
        return f"{value:g}"
    return short(value)


def as_line(network: Network) -> str:
    """Return a network in one line."""
    sizes = ", ".join(f"{p.name} {p.size:,}" for p in network.populations[:8])
    more = ", …" if len(network.populations) > 8 else ""
    plastic = len(network.plastic_projections)
    parts = [
        f"{network.n_neurons:,} neurons an animal ({sizes}{more})",
        f"{_count(len(network.projections), 'projection')} ({plastic} plastic)",
        _count(len(network.spike_inputs), "spike input"),
        _count(len(network.current_inputs), "current input"),
    ]
    return f"<Network of {', '.join(parts)}{', procedural' if network.procedural else ''}>"


def as_text(network: Network) -> str:
    """Return a network as tables of plain text."""
    tables = []
    for head, rows in _tables(network):
        cells = [head, *rows]
        widths = [max(len(str(row[column])) for row in cells) for column in range(len(head))]
        lines = ("  ".join(f"{cell!s:{w}}" for cell, w in zip(row, widths, strict=True)) for row in cells)
        tables.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join([as_line(network), *tables])


def as_html(network: Network) -> str:
    """Return a network as tables for a notebook."""
    return "".join(html_table([head, *rows]) for head, rows in _tables(network))


def _count(n: int, name: str) -> str:
    return f"{n} {name}{'' if n == 1 else 's'}"


Row = tuple[object, ...]


def _tables(network: Network) -> list[tuple[Row, list[Row]]]:
    """Return head and rows of each table that is not empty."""
    tables: list[tuple[Row, list[Row]]] = [
        (POPULATIONS, [_population(p) for p in network.populations]),
        (PROJECTIONS, [_projection(network, p) for p in network.projections]),
        (INPUTS, [_input(network, i) for i in network.spike_inputs + network.current_inputs]),
    ]
    return [(head, _shortened(rows)) for head, rows in tables if rows]


def _shortened(rows: list[Row]) -> list[Row]:
    if len(rows) <= MOST_ROWS:
        return rows
    return [*rows[:MOST_ROWS], (f"… and {len(rows) - MOST_ROWS} more", *[""] * (len(rows[0]) - 1))]


def _population(population: Any) -> Row:
    model = population.model if isinstance(population.model, str) else type(population.model).__name__
    more = [f"{population.clusters} clusters"] if population.clusters > 1 else []
    more += [f"labels: {', '.join(population.labels)}"] if population.labels else []
    return population.name, f"{population.size:,}", model, "; ".join(more)


def _projection(network: Network, projection: Any) -> Row:
    unit = network.population(projection.target).neuron_model.weight_unit
    plasticity = type(projection.plasticity).__name__ if projection.plasticity is not None else ""
    return (
        projection.name,
        f"{projection.source} → {projection.target}",
        brief(projection.rule),
        f"{brief(projection.weight)} {unit}",
        brief(projection.delay_ms),
        plasticity,
    )


def _input(network: Network, given: Any) -> Row:
    target = network.population(given.target)
    weight = getattr(given, "weight", None)
    shown = "pA" if weight is None else f"spikes, {brief(weight)} {target.neuron_model.weight_unit}"
    return given.name, given.target, f"{network.n_channels(given):,}", shown
