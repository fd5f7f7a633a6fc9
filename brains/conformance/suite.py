"""Conformance: the behavior that all simulators share, as plain functions that anyone can call.

A check takes `open_network`, a function that builds a network in the simulator under test (see
`OpenNetwork`), and raises a `ConformanceError` that names the likely cause. Every check makes sure that its
own specimen was active, so that a silent simulator passes none but the two that need no spikes:
`check_voltages` and `check_delay_off_the_grid_is_refused`. ::

    settings = SimulatorSettings(name="nest")
    for check in CHECKS:
        check(lambda network, **k: open_simulator(network, settings, **k))

Checks open one simulator at a time and close it, as NEST has one kernel a process. A check of something that
the simulator says it cannot do (`Capabilities`) requires that it then refuses.
"""

from __future__ import annotations

from ethospike.brains.conformance import cells, models, plasticity, runs, silence, states, wiring
from ethospike.brains.conformance.expectations import (
    CHECKS,
    OpenNetwork,
    compare_spike_trains,
    expect_active,
    run_once,
)
from ethospike.brains.conformance.specimens import drive, small_deterministic_network

__all__ = ["CHECKS", "cells", "check_parity", "models", "plasticity", "runs", "silence", "states", "wiring"]


def check_parity(
    open_network: OpenNetwork, open_other: OpenNetwork, model: str, tolerance_steps: int = 1
) -> None:
    """Two simulators give the same sequence of neurons over one second, each spike within the tolerance."""
    network, n_steps = small_deterministic_network(model), 10_000
    stimulus = drive(n_steps)
    left, right = (run_once(opened, network, n_steps, stimulus) for opened in (open_network, open_other))
    expect_active(left, 300)
    compare_spike_trains(left, right, tolerance_steps, n_steps)
