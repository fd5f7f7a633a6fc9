"""The reaching hands and their targets as a view draws them, from the environment or from a recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.envs.delayed_reach.config import ReachConfig
from ethospike.envs.delayed_reach.task import OUTCOMES, PHASES
from ethospike.envs.scene import plain_form


class ReachScene:
    """The targets and the hands of a group of reaching animals."""

    kind = "delayed_reach"

    def __init__(self, config: ReachConfig) -> None:
        self.config = config

    def plain(self) -> dict[str, Any]:
        """Return the scene in the plain types of JSON."""
        return plain_form(self.kind, self.config)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Make the scene of a `plain()`."""
        return cls(ReachConfig(**plain["config"]))

    def view(self, values: Mapping[str, NDArray[Any]], animal: int, *, time_s: float = 0.0) -> dict[str, Any]:
        """Return what `view_state` of the environment says, out of the variables of a control step.

        The signals are those of the observation: the ones that were on during the control step, whereas
        hand and epoch are those at its end.
        """
        n = self.config.n_targets
        signals = np.asarray(values["observation"])[animal, : 2 * n] > 0.5
        names = ("phase", "outcome", "trial", "target", "chosen")
        return reach_view(
            position_mm=values["position_mm"][animal],
            preparatory_signal=signals[:n],
            response_signal=signals[n:],
            time_s=time_s,
            **{name: int(values[name][animal]) for name in names},
        )


def reach_view(
    *,
    position_mm: ArrayLike,
    preparatory_signal: NDArray[np.bool_],
    response_signal: NDArray[np.bool_],
    phase: int,
    outcome: int,
    trial: int,
    target: int,
    chosen: int,
    time_s: float,
) -> dict[str, Any]:
    """Return what is needed to draw a reaching animal, running or recorded.

    Returns
    -------
    dict
        Copies of `position_mm` (2,) and of `preparatory_signal` and `response_signal`, bool (n_targets,); the
        names `phase` and `outcome` ("" before it); the integers `phase_index`, `trial`, `target` and `chosen`
        (−1: none); `time_s` since the reset.
    """
    return {
        "position_mm": np.array(position_mm, float),
        "preparatory_signal": preparatory_signal.copy(),
        "response_signal": response_signal.copy(),
        "phase": PHASES[phase],
        "phase_index": phase,
        "outcome": OUTCOMES[outcome] if outcome >= 0 else "",
        "trial": trial,
        "target": target,
        "chosen": chosen,
        "time_s": time_s,
    }
