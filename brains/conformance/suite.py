"""Conformance: what every simulator must do alike, as plain functions that anyone can call.

In: `open_network`, a function that builds a network in the simulator under test (see `OpenNetwork`). Out:
nothing, or a `ConformanceError` whose message names the likely cause. This file knows no particular
simulator. Every check makes sure that its own specimen was active, so that a silent simulator passes none
but the two that need no spikes: `check_voltages` and `check_delay_off_the_grid_is_refused`.

    settings = SimulatorSettings(name="nest")
    for check in CHECKS:
        check(lambda network, **k: open_simulator(network, settings, **k))

Checks open one simulator at a time and close it, as NEST has one kernel a process. A check of something that
the simulator says it cannot do (`Capabilities`) requires that it then refuses.
"""

from __future__ import annotations

from collections.abc import Callable

from ethospike.brains.conformance.cells import (
    check_adaptation,
    check_current_timing,
    check_delays,
    check_first_spike_latency,
    check_listed_weights,
    check_live_input,
    check_plasticity,
    check_plasticity_acts,
    check_recovery,
    check_signs,
    check_stimulus_adds_up,
    check_stimulus_timing,
    check_synaptic_time_constants,
    check_voltages,
    check_weights,
    check_wiring,
)
from ethospike.brains.conformance.expectations import (
    ConformanceError,
    OpenNetwork,
    compare_spike_trains,
    expect_active,
    run_once,
)
from ethospike.brains.conformance.runs import (
    check_animals_are_independent,
    check_bad_input_is_refused,
    check_close,
    check_delay_off_the_grid_is_refused,
    check_long_clock,
    check_memory,
    check_same_seed_same_spikes,
    check_spike_block,
    check_split_run,
    check_state,
)
from ethospike.brains.conformance.specimens import drive, small_deterministic_network

Check = Callable[[OpenNetwork], None]


CHECKS: tuple[Check, ...] = (
    check_spike_block,
    check_same_seed_same_spikes,
    check_split_run,
    check_animals_are_independent,
    check_state,
    check_long_clock,
    check_memory,
    check_bad_input_is_refused,
    check_delay_off_the_grid_is_refused,
    check_close,
    check_first_spike_latency,
    check_synaptic_time_constants,
    check_adaptation,
    check_voltages,
    check_stimulus_timing,
    check_stimulus_adds_up,
    check_current_timing,
    check_live_input,
    check_delays,
    check_wiring,
    check_listed_weights,
    check_signs,
    check_weights,
    check_plasticity,
    check_plasticity_acts,
    check_recovery,
)
"""All checks of a single simulator. `check_parity` compares two."""


def check_parity(
    open_network: OpenNetwork, open_other: OpenNetwork, model: str, tolerance_steps: int = 1
) -> None:
    """Two simulators give the same sequence of neurons over one second, each spike within the tolerance."""
    network, n_steps = small_deterministic_network(model), 10_000
    stimulus = drive(n_steps)
    one, other = (run_once(opened, network, n_steps, stimulus) for opened in (open_network, open_other))
    expect_active(one, 300)
    compare_spike_trains(one, other, tolerance_steps, n_steps)


__all__ = [
    "CHECKS",
    "Check",
    "ConformanceError",
    "OpenNetwork",
    "check_adaptation",
    "check_animals_are_independent",
    "check_bad_input_is_refused",
    "check_close",
    "check_current_timing",
    "check_delay_off_the_grid_is_refused",
    "check_delays",
    "check_first_spike_latency",
    "check_listed_weights",
    "check_live_input",
    "check_long_clock",
    "check_memory",
    "check_parity",
    "check_plasticity",
    "check_plasticity_acts",
    "check_recovery",
    "check_same_seed_same_spikes",
    "check_signs",
    "check_spike_block",
    "check_split_run",
    "check_state",
    "check_stimulus_adds_up",
    "check_stimulus_timing",
    "check_synaptic_time_constants",
    "check_voltages",
    "check_weights",
    "check_wiring",
    "compare_spike_trains",
    "small_deterministic_network",
]
