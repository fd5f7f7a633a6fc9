"""The configuration of the delayed reach: trials, times, targets and the hand.

Source of the published values: Rostami et al. 2024 (Nat Commun 15:6304), authors' simulate_experiment.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import whole_number
from ethospike.errors import EnvError
from ethospike.shown import Shown

CUE_SETS = ("0", "1", "2", "3", "4", "5", "0+1", "2+3", "4+5", "5+0+1", "2+3+4")
"""Sets of targets that are cued together (authors' simulate_experiment.py, there counted from 1)."""


@dataclass(frozen=True)
class ReachConfig(Shown):
    """Trials, times and the hand of the delayed reach.

    Raises
    ------
    EnvError
        When a value is out of range, or a condition has no set of targets. `require_whole_steps` checks that
        times are whole numbers of control steps.

    Examples
    --------
    >>> ReachConfig(conditions=(1, 3), n_trials=60).n_steps("preparatory_ms")
    100
    """

    n_trials: int = 1
    """Trials in an episode; one, so that plain `gymnasium.make` gives an ordinary short episode."""
    conditions: tuple[int, ...] = (1, 2, 3)
    """Numbers of cued targets; every len(conditions) trials hold each of them once, in random order."""
    cue_sets: tuple[str, ...] = CUE_SETS
    """Targets (from 0) that can be cued together, joined by +; a trial of condition c draws one of the sets
    of c targets. Text, because flags and configuration files have no lists of lists of different lengths."""
    n_targets: int = 6
    """Targets, at equal angles, the first to the right of the center, counted counterclockwise."""
    control_interval_ms: float = 10.0
    """Length of a control step (ms)."""
    inter_trial_ms: float = 1000.0
    """Rest before a trial (ms); with the 500 ms of the trial start the published 1500 ms without signals."""
    inter_trial_jitter_ms: float = 200.0
    """Upper end of the uniform random time added to the rest (ms), as published."""
    trial_start_ms: float = 500.0
    """From the trial start, when the hand has to be at the center, to the preparatory signal (ms)."""
    preparatory_ms: float = 1000.0
    """Duration of the preparatory signal (ms), as published."""
    delay_ms: float = 0.0
    """From the end of the preparatory to the response signal (ms). The authors' code has 1 ms, which is no
    whole control step."""
    response_signal_ms: float = 400.0
    """Duration of the response signal (ms), as published for Figs 5 and 6."""
    response_window_ms: float = 1000.0
    """Time for leaving the center (ms): the authors look at 1000 ms after the response signal."""
    movement_window_ms: float = 1000.0
    """Time from leaving the center to a target (ms): seven times the time of a reach at full drive."""
    target_distance_mm: float = 80.0
    """From the center to each target (mm): chosen, a hand-sized reach."""
    target_radius_mm: float = 15.0
    """Of the disc that the hand must touch (mm): chosen, small enough for a gap of 50 mm between targets."""
    center_radius_mm: float = 10.0
    """The hand is at the center within this radius (mm): chosen, full drive leaves it within 60 ms."""
    workspace_mm: float = 120.0
    """Half the side of the square that the hand cannot leave (mm): chosen, beyond all targets."""
    hand_speed_mm_s: float = 500.0
    """Speed at full drive (mm/s): chosen, reaches of about 0.2 s like those of trained monkeys."""
    hand_tau_ms: float = 50.0
    """Time constant with which the velocity approaches the drive's (ms): chosen, muscles take 30–70 ms."""

    def __post_init__(self) -> None:
        # A configuration file has lists where a frozen dataclass needs tuples.
        object.__setattr__(self, "conditions", tuple(self.conditions))
        object.__setattr__(self, "cue_sets", tuple(self.cue_sets))
        for field in fields(self):
            if field.type == "float":
                value = getattr(self, field.name)
                if not (np.isfinite(value) and value >= 0):
                    raise EnvError(f"ReachConfig.{field.name}: expected a number of at least 0, got {value}")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise EnvError(f"ReachConfig.{name}: expected a value above 0, got {getattr(self, name)}")
        self._check_geometry()
        self._check_conditions()

    def _check_geometry(self) -> None:
        if self.n_targets < 2:
            raise EnvError(f"ReachConfig.n_targets: expected at least 2, got {self.n_targets}")
        gap = 2 * self.target_distance_mm * np.sin(np.pi / self.n_targets)
        if 2 * self.target_radius_mm >= gap:
            raise EnvError(
                f"ReachConfig.target_radius_mm: {self.target_radius_mm} mm makes targets overlap that are "
                f"{gap:.1f} mm apart; expected below {gap / 2:.1f}"
            )
        if self.center_radius_mm + self.target_radius_mm >= self.target_distance_mm:
            raise EnvError(
                f"ReachConfig.center_radius_mm: a center of {self.center_radius_mm} mm touches the targets"
            )
        if self.workspace_mm < self.target_distance_mm:
            raise EnvError(
                f"ReachConfig.workspace_mm: expected at least the target distance of "
                f"{self.target_distance_mm} mm, got {self.workspace_mm}"
            )

    def _check_conditions(self) -> None:
        valid = {str(target) for target in range(self.n_targets)}
        for cue_set in self.cue_sets:
            targets = str(cue_set).split("+")
            if len(set(targets)) < len(targets) or not valid.issuperset(targets):
                raise EnvError(
                    f"ReachConfig.cue_sets: expected distinct targets 0 … {self.n_targets - 1}, joined by + "
                    f"as in {CUE_SETS[-1]!r}, got {cue_set!r}"
                )
        if not self.conditions:
            raise EnvError("ReachConfig.conditions: expected at least one number of cued targets")
        for condition in self.conditions:
            sizes = sorted({len(targets) for targets in self.cued_targets})
            if condition not in sizes:
                raise EnvError(
                    f"ReachConfig.conditions: condition {condition} has no targets, since no cue set has "
                    f"{condition} of them; the sizes of the cue sets are {sizes}"
                )

    @property
    def cued_targets(self) -> tuple[tuple[int, ...], ...]:
        """The targets of each of `cue_sets`."""
        return tuple(tuple(int(target) for target in cue_set.split("+")) for cue_set in self.cue_sets)

    def require_whole_steps(self) -> None:
        """Refuse durations that are no whole number of control steps.

        Not in `__post_init__`, since a scenario has the control interval in a field of its own.

        Raises
        ------
        EnvError
        """
        for name in _DURATIONS:
            self.n_steps(name)

    def n_steps(self, name: str) -> int:
        """Return a duration as whole control steps, or raise with both numbers.

        Raises
        ------
        EnvError
        """
        duration_ms: float = getattr(self, name)
        steps = whole_number(duration_ms, self.control_interval_ms, least=0)
        if steps is None:
            raise EnvError(
                f"ReachConfig.{name}: {duration_ms} ms is not a whole number of control steps of "
                f"{self.control_interval_ms} ms"
            )
        return steps


_POSITIVE = (
    "n_trials",
    "control_interval_ms",
    "preparatory_ms",
    "response_signal_ms",
    "response_window_ms",
    "movement_window_ms",
    "target_radius_mm",
    "center_radius_mm",
    "hand_speed_mm_s",
    "hand_tau_ms",
)
_NO_DURATIONS = ("control_interval_ms", "hand_tau_ms")
_DURATIONS = tuple(
    field.name
    for field in fields(ReachConfig)
    if field.name.endswith("_ms") and field.name not in _NO_DURATIONS
)


def target_directions(n_targets: int) -> NDArray[np.float64]:
    """Return the unit vectors from the center to the targets, shape (n_targets, 2)."""
    angle = 2 * np.pi * np.arange(n_targets) / n_targets
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
