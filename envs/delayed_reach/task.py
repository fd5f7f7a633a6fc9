"""The delayed center-out reach: its trials, its rules, and the hand.

The task is that of Rostami et al. 2024 (Nat Commun 15:6304; timing from the authors' simulate_experiment.py):
a preparatory signal shows one, two or three possible targets, a response signal names the right one, and only
then may the hand leave the center.

All state is in arrays with the animal axis first. Everything happens at whole control steps; the hand's
equation is linear and is solved exactly over each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.checks import RESET_FIRST, checked_seed
from ethospike.envs.delayed_reach.config import ReachConfig, target_directions
from ethospike.errors import EnvError
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.states import State, check_state
from ethospike.variables import Component, named

__all__ = ["OUTCOMES", "PHASES", "ReachConfig", "ReachTask", "target_directions"]

PHASES = (
    "inter_trial",
    "trial_start",
    "preparatory",
    "delay",
    "response",
    "movement",
    "feedback",
    "finished",
)
"""Epochs of a trial in their order; `info["phase"]` is an index into them.

`movement` begins when the hand leaves the center, `feedback` lasts from the outcome until the response signal
is off, so that early answers do not shorten the published 400 ms. `finished` follows the last trial.
"""
INTER_TRIAL, TRIAL_START, PREPARATORY, DELAY, RESPONSE, MOVEMENT, FEEDBACK, FINISHED = range(len(PHASES))

OUTCOMES = ("correct", "wrong", "false_start", "time_out")
"""Outcomes of a trial; `info["outcome"]` is an index into them, −1 before."""
CORRECT, WRONG, FALSE_START, TIME_OUT = range(len(OUTCOMES))


_ARRAYS = (
    "position_mm",
    "velocity_mm_s",
    "preparatory_signal",
    "response_signal",
    "phase",
    "steps_left",
    "control_step",
    "response_off_step",
    "trial",
    "cue_set",
    "target",
    "chosen",
    "outcome",
    "reaction_time_ms",
    "movement_time_ms",
    "onsets",
    "block",
    "terminated",
)


def features(n_targets: int) -> tuple[Component, ...]:
    """Return names and units of the observation's entries; positions and velocities are scaled, see
    `DelayedReachEnv`.
    """
    signals = [f"{signal}_{i}" for signal in ("preparatory", "response") for i in range(n_targets)]
    return named((*signals, "hand_x", "hand_y", "hand_velocity_x", "hand_velocity_y"), "1")


class ReachTask:
    """Hand and rules for a group of animals that do not see each other.

    Parameters
    ----------
    config : ReachConfig
    animals : sequence of int
        Key of each animal's random stream, from 0 on; array row i belongs to `animals[i]`.

    Raises
    ------
    EnvError
        When there is no animal, a key is negative, or a duration is no whole number of control steps.
    """

    def __init__(self, config: ReachConfig, animals: Sequence[int]) -> None:
        if not animals or min(animals) < 0:
            raise EnvError(f"animals: expected at least one key, of at least 0; got {list(animals)}")
        config.require_whole_steps()
        self.config = config
        self.control_interval_ms = config.control_interval_ms
        self._keys = tuple(animals)
        self.animals = n = len(self._keys)
        targets = config.n_targets
        self.features = features(targets)
        self.actuators = named(("drive_x", "drive_y"), "1")
        self.phases: tuple[str, ...] = PHASES
        self.position_mm = np.zeros((n, 2))
        self.velocity_mm_s = np.zeros((n, 2))
        self.preparatory_signal = np.zeros((n, targets), dtype=bool)
        self.response_signal = np.zeros((n, targets), dtype=bool)
        self.phase = np.full(n, FINISHED)
        self.steps_left = np.zeros(n, dtype=np.int64)
        self.control_step = np.zeros(n, dtype=np.int64)
        self.response_off_step = np.full(n, -1)
        self.trial = np.zeros(n, dtype=np.int64)
        self.cue_set = np.zeros(n, dtype=np.int64)
        self.target = np.zeros(n, dtype=np.int64)
        self.chosen = np.full(n, -1)
        self.outcome = np.full(n, -1)
        self.reaction_time_ms = np.full(n, -1.0)
        self.movement_time_ms = np.full(n, -1.0)
        # Control step at which each phase of the current trial began, −1 before.
        self.onsets = np.full((n, len(PHASES)), -1)
        self.block = np.zeros((n, len(config.conditions)), dtype=np.int64)
        self.terminated = np.zeros(n, dtype=bool)
        self._rng: list[np.random.Generator] = []
        self._is_ready = False
        self._ended: list[dict[str, float]] = []

        self._directions = target_directions(targets)
        self._targets_mm = self._directions * config.target_distance_mm
        self._cued_targets = config.cued_targets
        self._sizes = np.array([len(cued) for cued in self._cued_targets])
        self._cued = np.array([[t in cued for t in range(targets)] for cued in self._cued_targets])
        durations = {
            TRIAL_START: "trial_start_ms",
            PREPARATORY: "preparatory_ms",
            DELAY: "delay_ms",
            RESPONSE: "response_window_ms",
            MOVEMENT: "movement_window_ms",
        }
        self._duration = {phase: config.n_steps(name) for phase, name in durations.items()}
        self._rest = config.n_steps("inter_trial_ms")
        self._jitter = config.n_steps("inter_trial_jitter_ms")
        self._signal = config.n_steps("response_signal_ms")
        # Exact solution of dv/dt = (speed · drive − v)/tau, dx/dt = v, over one control step.
        step_s, tau_s = config.control_interval_ms / 1000, config.hand_tau_ms / 1000
        self._decay = float(np.exp(-step_s / tau_s))
        self._glide_s = tau_s * (1 - self._decay)
        self._step_s = step_s

    @property
    def is_seeded(self) -> bool:
        """True once the random streams exist."""
        return bool(self._rng)

    def seed(self, seed: int, which: NDArray[np.bool_]) -> None:
        """Begin the random streams of the animals of the mask, shape (animals,), anew (of all, if there are
        none yet).

        Raises
        ------
        EnvError
            When the seed is not a whole number of at least 0.
        """
        seed = checked_seed(seed)
        new = [random_stream(seed, key, Role.TRIALS) for key in self._keys]
        old = self._rng or new
        self._rng = [n if mine else o for n, o, mine in zip(new, old, which, strict=True)]

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Put the animals of the mask to the beginning of their first trial."""
        for animal in np.flatnonzero(which):
            for array in (self.position_mm, self.velocity_mm_s, self.control_step, self.terminated):
                array[animal] = 0
            self._begin_trial(int(animal), 0)
        self._is_ready = self._were_reset()

    def step(self, drive: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move the hands for one control step and apply the rules.

        Parameters
        ----------
        drive : ndarray of float64, shape (animals, 2)
            Finite; a vector longer than 1 counts as one of length 1.

        Returns
        -------
        ndarray of float64, shape (animals,)
            The rewards: 1 where the right target was touched.

        Raises
        ------
        EnvError
            When an animal was never reset.
        """
        if not self._is_ready:
            raise EnvError(RESET_FIRST)
        self._move(drive)
        self.control_step += 1
        self.steps_left -= 1
        self.response_signal[self.control_step == self.response_off_step] = False
        reward = np.zeros(len(self._keys))
        for animal in np.flatnonzero(self._something_happens()):
            reward[animal] = self._apply_rules(int(animal))
        return reward

    def observation(self) -> NDArray[np.float32]:
        """Return signals, position and velocity, shape (animals, 2 · n_targets + 4)."""
        n = self.config.n_targets
        observation = np.empty((len(self._keys), 2 * n + 4), dtype=np.float32)
        observation[:, :n] = self.preparatory_signal
        observation[:, n : 2 * n] = self.response_signal
        observation[:, 2 * n : 2 * n + 2] = self.position_mm / self.config.target_distance_mm
        observation[:, 2 * n + 2 :] = self.velocity_mm_s / self.config.hand_speed_mm_s
        return observation

    def coming_phase(self) -> NDArray[np.int64]:
        """Return the phase in which each animal's next control step begins."""
        return self.phase.copy()

    def info(self) -> dict[str, NDArray[Any]]:
        """Return copies of the visible state of hands and trials; times are −1 before they exist, because
        Gymnasium's checks compare `info` and NaN equals nothing.
        """
        return {
            "position_mm": self.position_mm.copy(),
            "velocity_mm_s": self.velocity_mm_s.copy(),
            "phase": self.phase.copy(),
            "trial": self.trial.copy(),
            "condition": self.condition,
            "target": self.target.copy(),
            "chosen": self.chosen.copy(),
            "outcome": self.outcome.copy(),
            "reaction_time_ms": self.reaction_time_ms.copy(),
            "movement_time_ms": self.movement_time_ms.copy(),
        }

    def pop_intervals(self) -> dict[str, dict[str, NDArray[np.generic]]]:
        """Return the trials that ended since the last call, and forget them; empty if none did.

        Returns
        -------
        dict of str to dict of str to ndarray, shape (trials,)
            Under `trial`: `animal` (row of the arrays), `start_step` and `stop_step` (control steps from the
            reset, from the start of the trial to its outcome), and the columns in `INTERVALS`.
        """
        rows, self._ended = self._ended, []
        return {"trial": {name: np.array([row[name] for row in rows]) for name in rows[0]}} if rows else {}

    @property
    def condition(self) -> NDArray[np.int64]:
        """Number of cued targets of each animal's trial."""
        return self._sizes[self.cue_set]

    def state(self) -> State:
        """Return copies of everything that the next step depends on, random generators included.

        Trials that ended and were not popped are not part of it: pop them before.
        """
        return {name: getattr(self, name).copy() for name in _ARRAYS} | {
            "rng": pack_generators(self._rng, self.animals)
        }

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()` of a task made alike.

        Raises
        ------
        EnvError
            When an array is missing or has the shape of another task.
        """
        check_state(state, self.state())
        for name in _ARRAYS:
            getattr(self, name)[...] = state[name]
        self._rng = unpack_generators(state["rng"])
        self._ended = []
        self._is_ready = self._were_reset()

    def _were_reset(self) -> bool:
        """Return whether all have begun a trial: only animals that were never reset rest unterminated."""
        return bool(np.all((self.phase != FINISHED) | self.terminated))

    # -- the hand -----------------------------------------------------------------------------------

    def _move(self, drive: NDArray[np.float64]) -> None:
        """Let the hands follow their drives for one control step."""
        length = np.sqrt((drive * drive).sum(axis=1, keepdims=True))
        aim = drive * (self.config.hand_speed_mm_s / np.maximum(length, 1.0))
        lag = self.velocity_mm_s - aim
        self.position_mm += aim * self._step_s + lag * self._glide_s
        self.velocity_mm_s[...] = aim + lag * self._decay
        wall = self.config.workspace_mm
        beyond = np.abs(self.position_mm) > wall
        if beyond.any():
            np.clip(self.position_mm, -wall, wall, out=self.position_mm)
            self.velocity_mm_s[beyond] = 0.0

    def _is_away(self) -> NDArray[np.bool_]:
        """Return a mask of the hands away from the center."""
        squared = (self.position_mm * self.position_mm).sum(axis=1)
        return np.asarray(squared > self.config.center_radius_mm**2)

    # -- the rules ----------------------------------------------------------------------------------

    def _something_happens(self) -> NDArray[np.bool_]:
        """Return a mask of the animals to which a rule may apply: time is up, or the hand left too early."""
        counts = (self.phase >= TRIAL_START) & (self.phase <= MOVEMENT)
        time_is_up = (self.steps_left <= 0) & (self.phase != FINISHED)
        return np.asarray(time_is_up | (counts & self._is_away()))

    def _apply_rules(self, animal: int) -> float:
        """Apply the rules to one animal and return its reward."""
        away, phase = bool(self._is_away()[animal]), self.phase[animal]
        if away and TRIAL_START <= phase <= DELAY:
            self._end_trial(animal, FALSE_START)
            return 0.0
        if away and phase == RESPONSE:
            self._enter(animal, MOVEMENT)
            self.reaction_time_ms[animal] = self._since(animal, RESPONSE)
        if self.phase[animal] == MOVEMENT:
            distance = np.linalg.norm(self._targets_mm - self.position_mm[animal], axis=1)
            touched = int(distance.argmin())
            if distance[touched] <= self.config.target_radius_mm:
                self.chosen[animal] = touched
                self.movement_time_ms[animal] = self._since(animal, MOVEMENT)
                self._end_trial(animal, CORRECT if touched == self.target[animal] else WRONG)
                return float(self.outcome[animal] == CORRECT)
        while self.steps_left[animal] <= 0 and self.phase[animal] != FINISHED:
            self._end_phase(animal)
            if self.outcome[animal] >= 0:  # is to be seen for a control step, as every outcome is
                break
        return 0.0

    def _end_phase(self, animal: int) -> None:
        """Go on to the next phase because the time of the present one is up."""
        phase = int(self.phase[animal])
        if phase in (RESPONSE, MOVEMENT):
            self._end_trial(animal, TIME_OUT)
        elif phase == FEEDBACK:
            self._begin_trial(animal, int(self.trial[animal]) + 1)
        else:
            self._enter(animal, phase + 1)

    def _enter(self, animal: int, phase: int) -> None:
        self.phase[animal] = phase
        self.onsets[animal, phase] = self.control_step[animal]
        self.steps_left[animal] = self._duration.get(phase, 0)
        self.preparatory_signal[animal] = self._cued[self.cue_set[animal]] if phase == PREPARATORY else False
        if phase == RESPONSE:
            self.response_signal[animal, self.target[animal]] = True
            self.response_off_step[animal] = self.control_step[animal] + self._signal

    def _begin_trial(self, animal: int, trial: int) -> None:
        """Draw the trial and begin with its rest."""
        config, rng = self.config, self._rng[animal]
        place = trial % len(config.conditions)
        if place == 0:
            self.block[animal] = rng.permutation(config.conditions)
        sets = np.flatnonzero(self._sizes == self.block[animal, place])
        cue_set = int(rng.choice(sets))
        self.trial[animal] = trial
        self.cue_set[animal] = cue_set
        self.target[animal] = rng.choice(self._cued_targets[cue_set])
        self.chosen[animal] = self.outcome[animal] = self.response_off_step[animal] = -1
        self.reaction_time_ms[animal] = self.movement_time_ms[animal] = -1.0
        self.response_signal[animal] = False
        self.onsets[animal] = -1
        self._enter(animal, INTER_TRIAL)
        self.steps_left[animal] = self._rest + rng.integers(0, self._jitter + 1)

    def _end_trial(self, animal: int, outcome: int) -> None:
        """Note the outcome; wait for the end of the response signal, or finish after the last trial."""
        self.outcome[animal] = outcome
        self.terminated[animal] = self.trial[animal] + 1 >= self.config.n_trials
        self._enter(animal, FEEDBACK)
        self.steps_left[animal] = max(0, int(self.response_off_step[animal] - self.control_step[animal]))
        self._ended.append(self._row(animal))
        if self.terminated[animal]:
            self._enter(animal, FINISHED)
            self.response_signal[animal] = False

    def _since(self, animal: int, phase: int) -> float:
        """Return the time since the onset of a phase in ms."""
        return float(self.control_step[animal] - self.onsets[animal, phase]) * self.config.control_interval_ms

    def _row(self, animal: int) -> dict[str, float]:
        onset_ms = np.where(self.onsets[animal] < 0, np.nan, self.onsets[animal] * 1.0)
        onset_ms *= self.config.control_interval_ms
        times_ms = np.array([self.reaction_time_ms[animal], self.movement_time_ms[animal]])
        reaction_ms, movement_ms = np.where(times_ms < 0, np.nan, times_ms)
        return {
            "animal": animal,
            "start_step": int(self.onsets[animal, TRIAL_START]),
            "stop_step": int(self.onsets[animal, FEEDBACK]),
            "trial": int(self.trial[animal]),
            "condition": int(self.condition[animal]),
            "cue_set": int(self.cue_set[animal]),
            "target": int(self.target[animal]),
            "chosen": int(self.chosen[animal]),
            "outcome": int(self.outcome[animal]),
            "preparatory_onset_ms": float(onset_ms[PREPARATORY]),
            "response_onset_ms": float(onset_ms[RESPONSE]),
            "movement_onset_ms": float(onset_ms[MOVEMENT]),
            "reaction_time_ms": float(reaction_ms),
            "movement_time_ms": float(movement_ms),
        }
