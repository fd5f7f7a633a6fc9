"""The control of a reaching hand: observations of the delayed reach and a direction become a drive.

All agents of the task share it and differ in the way they choose the direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.delayed_reach import target_directions
from ethospike.errors import AgentError
from ethospike.shown import Shown
from ethospike.states import State, check_state

CENTER = -1
"""The goal of a hand that waits or goes back."""


class ReachSenses(NamedTuple):
    """The parts of an observation: signals (animals, n_targets), position and velocity (animals, 2)."""

    preparatory: NDArray[np.floating]
    response: NDArray[np.floating]
    position: NDArray[np.floating]
    velocity: NDArray[np.floating]

    @classmethod
    def of(cls, observation: NDArray[np.floating], n_targets: int) -> ReachSenses:
        """Take an observation of shape (animals, 2 · n_targets + 4) apart.

        Raises
        ------
        AgentError
            When the observation has another number of features.
        """
        expected, n = 2 * n_targets + 4, n_targets
        if observation.shape[1] != expected:
            raise AgentError(
                f"observation: expected {expected} features (signals of {n} targets, position, velocity), "
                f"got {observation.shape[1]}"
            )
        parts = (slice(0, n), slice(n, 2 * n), slice(2 * n, 2 * n + 2), slice(2 * n + 2, expected))
        return cls(*(observation[:, part] for part in parts))


@dataclass(frozen=True)
class HandConfig(Shown):
    """Gains of the control: drive = gain · (goal − position) − damping · velocity, of length at most 1.

    Positions are in target distances and velocities in the speed at full drive, as the environment gives
    them. The defaults damp the environment's default hand (1/τ = 20/s, 6.25 distances/s at full drive)
    critically: (1 + damping)² = 4 · gain · τ · 6.25/s.

    Raises
    ------
    AgentError
        When a number is not finite or not above 0.
    """

    gain: float = 3.2
    """Drive per target distance between goal and hand."""
    damping: float = 1.0
    """Drive against the velocity."""
    arrival: float = 0.1
    """A hand that is nearer than this to its target has arrived (target distances)."""

    def __post_init__(self) -> None:
        for name in ("gain", "damping", "arrival"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise AgentError(f"HandConfig.{name}: expected a number above 0, got {value}")


class HandControl:
    """Waits at the center, goes where it is sent once the response signal has come, and returns.

    The hand can be sent while it is `armed`: from the onset of the response signal until it has been sent, or
    until the next preparatory signal. It goes back when it has arrived and the response signal is off.

    Attributes
    ----------
    armed : ndarray of bool, shape (animals,)
    goal : ndarray of int, shape (animals,)
        Target, or `CENTER`.
    since_signal : ndarray of int, shape (animals,)
        Control steps since the onset of the last response signal.
    """

    def __init__(self, config: HandConfig, animals: int, n_targets: int) -> None:
        self.config = config
        self._goals = np.vstack([target_directions(n_targets), np.zeros((1, 2))])  # CENTER is the last row
        self.armed = np.zeros(animals, dtype=bool)
        self.goal = np.full(animals, CENTER)
        self.since_signal = np.zeros(animals, dtype=np.int64)
        self._signal = np.zeros(animals, dtype=bool)

    def sense(self, senses: ReachSenses) -> None:
        """Update goals from signals and position, once per control step."""
        signal, prepared = _is_on(senses.response), _is_on(senses.preparatory)
        onset = signal & ~self._signal
        self._signal = signal
        self.since_signal = np.where(onset, 0, self.since_signal + 1)
        self.armed = (self.armed | onset) & ~prepared
        away = self._goals[self.goal] - senses.position
        arrived = (away * away).sum(axis=1) < self.config.arrival**2
        self.goal[onset | prepared | (arrived & ~signal)] = CENTER

    def send(self, chosen: NDArray[np.bool_], direction: NDArray[np.integer]) -> None:
        """Send the armed ones among the chosen hands to their targets, `direction` of shape (animals,)."""
        chosen = chosen & self.armed
        self.goal[chosen] = direction[chosen]
        self.armed &= ~chosen

    def drive(self, senses: ReachSenses) -> NDArray[np.float32]:
        """Return the drive towards the goals, shape (animals, 2)."""
        away = self._goals[self.goal] - senses.position
        drive = self.config.gain * away - self.config.damping * senses.velocity
        length = np.sqrt((drive * drive).sum(axis=1, keepdims=True))
        return np.asarray(drive / np.maximum(length, 1.0), dtype=np.float32)

    def state(self) -> State:
        """Return copies of all that the next drive depends on."""
        return {name: getattr(self, name).copy() for name in ("armed", "goal", "since_signal", "_signal")}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()`.

        Raises
        ------
        AgentError
            When an entry is missing, unknown, or of another shape; nothing has changed then.
        """
        check_state(state, self.state())
        for name, array in state.items():
            getattr(self, name)[...] = array


def _is_on(signals: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return a mask of the animals with a lit target, shape (animals,)."""
    return np.asarray(signals.any(axis=1))
