"""The reaching hands and their targets as a view draws them, from the environment or from a recording."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.envs.delayed_reach.config import ReachConfig, target_directions
from ethospike.envs.delayed_reach.task import OUTCOMES, PHASES
from ethospike.envs.scene import Map, Mark, Moment, Scene, plain_form


class ReachScene(Scene):
    """The targets and the hands of a group of reaching animals."""

    kind = "delayed_reach"
    needed = ("position_mm", "phase", "trial", "target", "chosen", "outcome", "observation")
    window_s = 4.0  # a reaching trial fits
    trail_s = 1.5  # a hand reaches once

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
        """Return the `view_state` of the environment from the variables of a control step.

        The signals are those of the observation: the ones that were on during the control step, whereas
        hand and epoch are those at its end.
        """
        n = self.config.n_targets
        signals = np.asarray(values["observation"])[animal, : 2 * n] > 0.5
        names = ("phase", "outcome", "trial", "target", "chosen")
        return reach_view(
            position_mm=values["position_mm"][animal],
            signals=signals.reshape(2, n),
            time_s=time_s,
            **{name: int(values[name][animal]) for name in names},
        )

    def _view(self, moment: Moment) -> dict[str, Any]:
        values = {name: moment.values(name) for name in self.needed}
        return self.view(values, moment.animal, time_s=moment.time_s)

    def picture(self, moment: Moment, size_px: tuple[int, int], *, head_trail: bool = False) -> Any:
        """Return the selected animal's targets and hand as a pygame surface."""
        draw: Any = importlib.import_module("ethospike.envs.delayed_reach.draw")
        rows = moment.source.rows("position_mm", moment.step, self.trail_steps(moment))
        trail_mm = self.trail(moment, *rows)[:, moment.animal]
        return draw.reach_surface(self.config, self._view(moment), size_px, trail_mm=trail_mm, caption=False)

    def labels(self, moment: Moment) -> dict[str, str]:
        """Return number and outcome of the trial."""
        view = self._view(moment)
        return {
            "trial": f"trial {view['trial'] + 1} of {self.config.n_trials}",
            "outcome": view["outcome"].replace("_", " "),
        }

    def map(self) -> Map:
        """Return the targets and the center, with the trial's target highlighted."""
        config = self.config
        places = target_directions(config.n_targets) * config.target_distance_mm
        targets = [
            Mark("target", float(x), float(y), config.target_radius_mm, str(number))
            for number, (x, y) in enumerate(places)
        ]
        marks = (*targets, Mark("start", 0.0, 0.0, config.center_radius_mm))
        return Map(("position_mm",), config.workspace_mm, marks=marks, highlighted="target")

    def places_px(self, moment: Moment, size_px: tuple[int, int]) -> NDArray[np.float64]:
        """Return the place of the selected animal's hand in the picture, shape (1, 2)."""
        draw: Any = importlib.import_module("ethospike.envs.delayed_reach.draw")
        hand = moment.values("position_mm")[moment.animal : moment.animal + 1]
        return np.asarray(draw.reach_frame(size_px, self.config).to_px(hand))


def reach_view(
    *,
    position_mm: ArrayLike,
    signals: NDArray[np.bool_],
    phase: int,
    outcome: int,
    trial: int,
    target: int,
    chosen: int,
    time_s: float,
) -> dict[str, Any]:
    """Return the contents of a picture of a reaching animal, running or recorded.

    Parameters
    ----------
    signals : ndarray of bool, shape (2, n_targets)
        Preparatory and response signal of each target; the other parameters are those of an animal in `info`.

    Returns
    -------
    dict
        Copies of `position_mm` (2,) and of `preparatory_signal` and `response_signal`, bool (n_targets,); the
        names `phase` and `outcome` ("" before it); the integers `phase_index`, `trial`, `target` and `chosen`
        (−1: none); `time_s` since the reset.
    """
    return {
        "position_mm": np.array(position_mm, float),
        "preparatory_signal": signals[0].copy(),
        "response_signal": signals[1].copy(),
        "phase": PHASES[phase],
        "phase_index": phase,
        "outcome": OUTCOMES[outcome] if outcome >= 0 else "",
        "trial": trial,
        "target": target,
        "chosen": chosen,
        "time_s": time_s,
    }
