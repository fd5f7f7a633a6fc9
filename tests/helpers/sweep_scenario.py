"""A scenario without neurons for tests of sweeps: it measures what is asked for, and fails as it is told.

`log` names a file to which every run that ends adds a line with its seed and x; `wait_s` makes runs last.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ethospike.agents.agent import Agent, Decision
from ethospike.envs.idle import IdleEnv
from ethospike.errors import ScenarioError
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


@dataclass(frozen=True)
class Details:
    y: float = 1.0
    n: int = 1
    mode: str = "plain"


@dataclass(frozen=True, kw_only=True)
class ToyConfig(ScenarioConfig):
    x: float = 1.0
    details: Details = field(default_factory=Details)
    log: str = ""
    wait_s: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.x < 0:
            raise ScenarioError(f"x: expected at least 0, got {self.x}")


class Idle(Agent):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config.animals, config.control_interval_ms)
        self._config = config

    def _act(self, observation: Any) -> Decision:
        time.sleep(self._config.wait_s)
        if self._config.details.mode == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._config.details.mode == "raise":
            raise ZeroDivisionError("as it was told")
        return Decision(np.zeros((self.animals, 1), dtype=np.float32))

    def state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        pass


def summarize(recording: Any, config: ToyConfig) -> dict[str, Any]:
    if config.log:
        with open(config.log, "a") as file:
            file.write(f"{config.seed} {config.x}\n")
    return {
        "product": {"mean": config.x * config.details.y, "animals": [1.0, 2.0]},
        "noisy": config.x + 1e-3 * config.seed,
        "seconds": recording.duration_s,
        "unknown": None,
        "name": "text",
    }


SCENARIO = Scenario(
    name="toy",
    about="A scenario for tests.",
    config=ToyConfig,
    open=lambda config: (IdleEnv(config.animals, config.control_interval_ms, 2), Idle(config)),
    duration_s=lambda config: 0.2,
    summarize=summarize,
)
