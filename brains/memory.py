"""Memory that is free, and the refusal of networks that would need more."""

from __future__ import annotations

import os
from pathlib import Path

from ethospike.errors import BrainError

_GB = 1e9


class TooLarge(BrainError):
    """A network that needs more memory than is free.

    Attributes
    ----------
    fit : int
        Animals, or parameter sets of a batch, that would fit.
    """

    def __init__(self, message: str, fit: int) -> None:
        super().__init__(message)
        self.fit = fit


def free_bytes() -> float:
    """Return the memory that processes could still take without swapping; infinite where it is not known."""
    status = Path("/proc/meminfo")
    if status.exists():
        for line in status.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    if "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return float("inf")


def check_memory(simulator: str, animals: int, synapses: float, needed_bytes: float) -> None:
    """Raise `TooLarge` if a network would take more memory than is free.

    Parameters
    ----------
    simulator : str
        Begins the message.
    animals : int
    synapses : float
        Mean number in an animal.
    needed_bytes : float
        Estimate for all animals.
    """
    free = free_bytes()
    if needed_bytes <= free:
        return
    fit = int(animals * free / needed_bytes)
    fewer = "" if animals == 1 else f"; {fit} animals fit: run them in turn"
    raise TooLarge(
        f"{simulator}: {animals} animal{'s' * (animals > 1)} with {synapses:,.0f} synapses each would take "
        f"about {needed_bytes / _GB:.1f} GB of memory, and {free / _GB:.1f} GB are free{fewer}",
        fit,
    )
