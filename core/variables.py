"""Descriptions of the arrays that environments and agents hand to a recorder."""

from __future__ import annotations

from typing import Any


def variable(long_name: str, units: str, dtype: str, **dims: int) -> dict[str, Any]:
    """Return the description of a recorded array.

    Parameters
    ----------
    long_name : str
    units : str
        SI units, "1" for a quantity without unit.
    dtype : str
    **dims : int
        Name and length of each dimension after (time, animal).
    """
    shape = tuple(dims.values())
    return {"dims": tuple(dims), "shape": shape, "units": units, "long_name": long_name, "dtype": dtype}
