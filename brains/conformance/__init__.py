"""Checks that every simulator must pass, as plain functions."""

from ethospike.brains.conformance.expectations import (
    Check,
    ConformanceError,
    OpenNetwork,
    compare_spike_trains,
)
from ethospike.brains.conformance.specimens import small_deterministic_network
from ethospike.brains.conformance.suite import CHECKS, check_parity

__all__ = [
    "CHECKS",
    "Check",
    "ConformanceError",
    "OpenNetwork",
    "check_parity",
    "compare_spike_trains",
    "small_deterministic_network",
]
