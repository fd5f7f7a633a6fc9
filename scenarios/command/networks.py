"""The engine that a user's network gets on the Numba simulator, with the reasons."""

from __future__ import annotations

from pathlib import Path

from rich.table import Column, Table

from ethospike.brains.network import Network
from ethospike.errors import ScenarioError
from ethospike.scenarios.registry import load_file
from ethospike.scenarios.terminal import console


def load_network(place: str) -> Network:
    """Return the network at `FILE:NAME`: a `Network`, or a function that returns one.

    Raises
    ------
    ScenarioError
        When the file, the name or the network does not exist.
    """
    file, _, name = place.rpartition(":")
    if not file.endswith(".py") or not name:
        raise ScenarioError(f"--network: expected FILE:NAME, such as my_brain.py:network, got {place!r}")
    module = load_file(Path(file), name)
    network = getattr(module, name, None)
    if callable(network):
        network = network()
    if not isinstance(network, Network):
        raise ScenarioError(
            f"{file} defines no {name!r} that is a Network, or a function without arguments that returns one"
        )
    return network


def report_engine(place: str) -> None:
    """Print the engine that runs the network at `FILE:NAME`, with the reasons for and against each."""
    from ethospike.brains.numba.choice import choose

    network = load_network(place)
    chosen = choose(network)
    table = Table("engine of numba", "runs it", Column("reason", overflow="fold"))
    table.add_row(chosen.engine, "yes", chosen.because)
    for name, reason in chosen.instead.items():
        table.add_row(name, "no", reason)
    console().print(table)
