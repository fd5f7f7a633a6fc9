"""Larvae without neurons, for comparison with the mushroom body.

All three move by the same `Locomotion`; they differ in the meaning of smells: none, innate, or learned from
rewards.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Required, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.agents.larva.body import odor_arena
from ethospike.agents.larva.locomotion import Locomotion, LocomotionConfig
from ethospike.agents.larva.olfaction import DRIVE_VARIABLE, INNATE_GAIN, OlfactoryDrive
from ethospike.envs.odor_arena import ODOR_COLUMNS, OTHER_FEATURES, PEAK_UM, features
from ethospike.errors import AgentError
from ethospike.states import State, check_state, join_states, state_of

LEARNING_RATE_HZ = 2.0
"""Rate at which the value of a smell at its peak approaches the reward (1/s). Chosen: a larva crosses a
patch of 15 mm radius in some 20 s, which is time enough to learn but not to learn in one step."""


class _Group(TypedDict, total=False):
    """Arguments that subclasses hand on to `NeuronlessLarva`, with its defaults."""

    animals: int
    control_interval_ms: float
    seed: Required[int]
    locomotion: LocomotionConfig | None


class NeuronlessLarva(Agent):
    """Locomotion under an olfactory drive that subclasses compute in `_drive`.

    Parameters
    ----------
    odors : int
        Number of odors in an observation.
    animals : int
    control_interval_ms : float
        A whole number of the body's inner steps of 10 ms.
    seed : int
        Of strides, pauses and turning, keyed by animal.
    locomotion : LocomotionConfig, optional
    """

    variables: Mapping[str, Mapping[str, Any]] = {"olfactory_drive": DRIVE_VARIABLE}

    def __init__(
        self,
        odors: int,
        *,
        animals: int = 1,
        control_interval_ms: float = 100.0,
        seed: int,
        locomotion: LocomotionConfig | None = None,
    ) -> None:
        super().__init__(animals, control_interval_ms)
        self.odors = odors
        self._locomotion = Locomotion(
            locomotion or LocomotionConfig(),
            animals=animals,
            control_interval_ms=control_interval_ms,
            seed=seed,
        )

    @classmethod
    def for_env(cls, env: Any, *, seed: int, locomotion: LocomotionConfig | None = None, **more: Any) -> Self:
        """Make the larvae that fit an odor arena, single or vector; `more` is for subclasses (a gain).

        Raises
        ------
        AgentError
            When it is another environment, or a wrapper changes its observations or its actions.
        """
        arena = odor_arena(env)
        return cls(
            len(arena.config.odors),
            animals=arena.animals,
            control_interval_ms=arena.control_interval_ms,
            seed=seed,
            locomotion=locomotion,
            **more,
        )

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        n_expected = self.odors + len(OTHER_FEATURES)
        if observation.shape[1] != n_expected:
            names = [feature.name for feature in features([f"{self.odors} odors"])]
            raise AgentError(
                f"observation: expected {n_expected} features ({', '.join(names)}), "
                f"got {observation.shape[1]}"
            )
        drive = self._drive(observation[:, ODOR_COLUMNS])
        readout = {"olfactory_drive": drive.astype(np.float32)}
        return Decision(self._locomotion.action(drive), readout=readout)

    @abstractmethod
    def _drive(self, concentration_um: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the olfactory drive, shape (animals,), from concentrations, shape (animals, odors)."""

    def state(self) -> State:
        """Return copies of all that the next decision depends on."""
        return join_states({"locomotion": self._locomotion.state()})

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an agent made alike.

        Raises
        ------
        AgentError
            When an entry is missing, unknown, or of another shape; nothing has changed then.
        """
        check_state(state, self.state())
        self._locomotion.set_state(state_of("locomotion", state))


class RandomLarva(NeuronlessLarva):
    """Larvae that crawl and turn without smelling anything.

    Examples
    --------
    >>> larva = RandomLarva(odors=2, seed=1)
    >>> larva.act(np.zeros(5)).action.shape
    (2,)
    """

    def _drive(self, concentration_um: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.zeros(self.animals)


class ChemotaxisLarva(NeuronlessLarva):
    """Larvae that are born with a gain for each odor: larvaworld's navigator.

    Parameters
    ----------
    odors, animals, control_interval_ms, seed, locomotion
        As in `NeuronlessLarva`.
    gain : float or sequence of float
        Of all odors, or of each; positive for odors to approach.

    Examples
    --------
    >>> larva = ChemotaxisLarva(odors=1, seed=1, gain=-150.0)  # flees the odor
    >>> larva.act(np.array([1.0, 0.0, 0.0, 0.0])).readout["olfactory_drive"]
    array([0.], dtype=float32)
    """

    def __init__(
        self,
        odors: int,
        *,
        gain: float | Sequence[float] = INNATE_GAIN,
        **group: Unpack[_Group],
    ) -> None:
        super().__init__(odors, **group)
        given = np.asarray(gain, dtype=np.float64)
        if given.shape not in ((), (odors,)) or not np.isfinite(given).all():
            raise AgentError(f"gain: expected a finite number, or one for each of {odors} odors, got {gain}")
        self._gain = np.broadcast_to(given, (self.animals, odors)).copy()
        self._olfaction = OlfactoryDrive(self.animals, odors, self.control_interval_ms)

    def _drive(self, concentration_um: NDArray[np.floating]) -> NDArray[np.float64]:
        return self._olfaction.update(concentration_um, self._gain)

    def state(self) -> State:
        """Return copies of all that the next decision depends on."""
        return super().state() | join_states({"olfaction": self._olfaction.state()})

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an agent made alike."""
        super().set_state(state)
        self._olfaction.set_state(state_of("olfaction", state))


class RewardLearner(ChemotaxisLarva):
    """Larvae that learn the value of each odor from the environment's reward.

    The reward is predicted as the sum of value × concentration (1 at the peak of an odor cup), and the
    values follow the error of the prediction: the delta rule of Rescorla and Wagner (1972),

        value += learning rate · dt · (reward − prediction) · concentration.

    An odor's gain is its value, limited to [-1, 1], times the innate gain. Values are 0 at birth, so that a
    larva that has met no reward yet is a `RandomLarva`.

    Parameters
    ----------
    odors, animals, control_interval_ms, seed, locomotion
        As in `NeuronlessLarva`.
    learning_rate_hz : float
        Rate of learning at concentration 1 (1/s), at least 0.

    Attributes
    ----------
    value : ndarray, shape (animals, odors)

    Examples
    --------
    >>> larva = RewardLearner(odors=1, seed=1)
    >>> decision = larva.act(np.array([2.0, 1.0, 0.0, 0.0]))
    >>> larva.learn(1.0, False)
    >>> larva.value
    array([[0.2]])
    """

    def __init__(
        self,
        odors: int,
        *,
        learning_rate_hz: float = LEARNING_RATE_HZ,
        **group: Unpack[_Group],
    ) -> None:
        super().__init__(odors, gain=0.0, **group)
        if not (math.isfinite(learning_rate_hz) and learning_rate_hz >= 0):
            raise AgentError(f"learning_rate_hz: expected at least 0, got {learning_rate_hz}")
        # Beyond 1, a single long control step would overshoot the reward.
        self._rate_per_step = min(1.0, learning_rate_hz * self.control_interval_ms / 1000)
        self.value = np.zeros((self.animals, odors))
        self._concentration = np.zeros((self.animals, odors))

    def _drive(self, concentration_um: NDArray[np.floating]) -> NDArray[np.float64]:
        self._concentration = np.asarray(concentration_um, dtype=np.float64) / PEAK_UM
        return super()._drive(concentration_um)

    def learn(
        self,
        reward: NDArray[np.floating] | float,
        terminated: NDArray[np.bool_] | bool,
        truncated: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Learn from the reward that followed the last action.

        Parameters
        ----------
        reward : float or ndarray, shape (animals,)
        terminated, truncated : bool or ndarray
            Not used: values hold beyond an episode.

        Raises
        ------
        AgentError
            When the reward has another shape or is not finite.
        """
        given = np.atleast_1d(np.asarray(reward, dtype=np.float64))
        if given.shape != (self.animals,) or not np.isfinite(given).all():
            raise AgentError(f"reward: expected {self.animals} finite numbers, got {reward!r}")
        error = given - (self.value * self._concentration).sum(axis=1)
        self.value += self._rate_per_step * error[:, None] * self._concentration
        np.clip(INNATE_GAIN * self.value, -INNATE_GAIN, INNATE_GAIN, out=self._gain)

    def state(self) -> State:
        """Return copies of all that the next decision depends on."""
        values = {"value": self.value.copy(), "concentration": self._concentration.copy()}
        return super().state() | values | {"gain": self._gain.copy()}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of an agent made alike."""
        super().set_state(state)
        self.value[:] = state["value"]
        self._concentration = np.array(state["concentration"], dtype=np.float64)
        self._gain[:] = state["gain"]
