"""Descriptions of the arrays that environments and agents hand to a recorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

UNKNOWN = "unknown"
"""Unit of a component that nobody has described."""
MIXED = "mixed"
"""Unit of an array with components of different units."""


class Component(NamedTuple):
    """The name and the SI unit of one entry of an array's last dimension; "1" is no unit."""

    name: str
    units: str = "1"


@dataclass(frozen=True)
class Panel:
    """The panel of a view in which a variable is drawn as lines over time.

    Parameters
    ----------
    title : str
        Variables with equal panels share one panel.
    key : str
        Key that hides the panel; empty for a panel that stays.
    low, high : float or None
        Ends of the axis; None follows the data.
    smoothed_s : float
        Width of a running mean (s).
    """

    title: str
    key: str = ""
    low: float | None = None
    high: float | None = None
    smoothed_s: float = 0.0


def variable(
    long_name: str,
    units: str,
    dtype: str,
    *,
    components: Sequence[Component] = (),
    panel: Panel | None = None,
    categories: Sequence[str] = (),
    **dims: int,
) -> dict[str, Any]:
    """Return the description of a recorded array.

    Parameters
    ----------
    long_name : str
    units : str
        SI units, "1" for a quantity without unit.
    dtype : str
    components : sequence of Component
        Names and units of the entries of the last dimension.
    panel : Panel, optional
        The panel of a view that draws the variable.
    categories : sequence of str
        Names of the values 0, 1, … of an integer variable; −1 stands for none of them.
    **dims : int
        Name and length of each dimension after (time, animal).
    """
    return {
        "dims": tuple(dims),
        "shape": tuple(dims.values()),
        "units": units,
        "long_name": long_name,
        "dtype": dtype,
        "components": tuple(components),
        "panel": panel,
        "categories": tuple(categories),
    }


def named(names: Sequence[str], units: str) -> tuple[Component, ...]:
    """Return components that share a unit.

    Examples
    --------
    >>> named(("left", "right"), "Hz")[1]
    Component(name='right', units='Hz')
    """
    return tuple(Component(name, units) for name in names)


def common_units(components: Sequence[Component]) -> str:
    """Return the unit that all components share, "mixed" if they have several, "1" if there are none."""
    units = {component.units for component in components} or {"1"}
    return units.pop() if len(units) == 1 else MIXED
