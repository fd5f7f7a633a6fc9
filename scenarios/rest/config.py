"""The configuration of the cortex at rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS, CortexConfig
from ethospike.clock import whole_number
from ethospike.errors import ScenarioError
from ethospike.scenarios.scenario import ScenarioConfig, steps_of_run

DEFAULT_NETWORK = "cortex"
BIN_MS = 50.0
"""Time in which a cluster can dominate: a few intervals between the spikes of an active neuron."""


@dataclass(frozen=True, kw_only=True)
class RestConfig(ScenarioConfig):
    """The network and the length of the run."""

    control_interval_ms: float = 10.0
    """Length of a window of the simulator (ms), a whole part of the 50 ms in which dominance is measured."""
    minutes: float = 5.0
    """Length of the run (min), to the nearest control step."""
    cortex: CortexConfig = field(default_factory=lambda: PARAMETER_SETS[DEFAULT_NETWORK])
    """The network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps_of_run("minutes", self.minutes, 60.0, self.control_interval_ms)
        if whole_number(BIN_MS, self.control_interval_ms) is None:
            raise ScenarioError(
                f"control_interval_ms: expected a whole part of the {BIN_MS:g} ms in which "
                f"dominance is measured, got {self.control_interval_ms:g}"
            )
