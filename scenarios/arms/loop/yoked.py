"""The yoked arm: an animal gets the senses or the reward of an animal of another recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.envs.contract import group_env
from ethospike.errors import ArmError
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.loop.loop_arm import ArmedAgent, ArmedBody, LoopArm, arm_variable
from ethospike.scenarios.arms.loop.partner import Partner
from ethospike.scenarios.scenario import ScenarioConfig
from ethospike.states import State
from ethospike.variables import variable

OWN_STATE = "arm/own_observation"
"""Entry of the agent's state; bodies that are yoked twice have the same one inside."""
OWN_SENSES, OWN_REWARD = arm_variable("own_observation"), arm_variable("own_reward")
REINFORCEMENTS = ("reward", "punishment")
"""Features of an observation that are reinforcement, by name."""


@dataclass
class Yoked(LoopArm):
    """Give each animal the senses, or the reward, of an animal of another recording, step for step.

    `senses` replaces the whole observation. `reward` replaces the environment's reward, and the features of
    the observation that are called reward or punishment; all else is the animal's own.

    Parameters
    ----------
    stream : str
        senses or reward.
    run : Path
        The other run.
    shift : int
        Animal i is yoked to animal i + shift of that run, counted in a circle.
    """

    name: ClassVar[str] = "yoked"
    stream: Literal["senses", "reward"]
    run: Path
    shift: int = 0

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return "yoked reward runs/intact shift=1"

    def wrap(self, env: VectorEnv, agent: Agent, config: ScenarioConfig) -> tuple[VectorEnv, Agent]:
        """Return a body with the partners' stream, and an agent that records the animal's own."""
        body = _Yoke(env, self._partner(agent.animals, agent.control_interval_ms), self.stream)
        return body, _Recorded(agent, body)

    def _partner(self, animals: int, control_interval_ms: float) -> Partner:
        return Partner(self.name, self.run, animals, control_interval_ms, self.shift)

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return that the recorded stream is the partners', and how often the animal's own would differ.

        Raises
        ------
        ArmError
            When the recorded stream is not the partners', or the animals' own is the same.
        """
        recording = run.recording
        partner = self._partner(recording.animals, recording.layout.control_interval_ms)
        names = [component.name for component in recording.layout.variables["observation"].components]
        features = _reinforcements(names) if self.stream == "reward" else list(range(len(names)))
        pairs = []  # recorded, partners', own
        if features or self.stream == "senses":
            pairs.append(
                [
                    array[..., features] if features else array
                    for array in self._streams(run, partner, "observation", OWN_SENSES)
                ]
            )
        if self.stream == "reward":
            # Row k is the reward after control step k, in both.
            pairs.append(list(self._streams(run, partner, "reward", OWN_REWARD)))
        same = all(np.array_equal(recorded, theirs, equal_nan=True) for recorded, theirs, _ in pairs)
        if not same:
            raise ArmError(f"arm yoked: the recorded {self.stream} is not that of the partners in {self.run}")
        differs = np.zeros(pairs[0][0].shape[:2], bool)
        for recorded, _, mine in pairs:
            differs |= (recorded != mine).reshape(*differs.shape, -1).any(axis=2)
        if not differs.any():
            raise ArmError(
                f"arm yoked: the {self.stream} of the partners is the animals' own; choose other partners "
                f"(shift=1) or another run"
            )
        return {
            "touched": int(differs.sum()),
            "control_steps": int(differs.size),
            "share_of_steps": float(differs.mean()),
            "equal_to_partner": same,
            "partners": partner.members,
        }

    @staticmethod
    def _streams(run: ArmedRun, partner: Partner, name: str, own_name: str) -> tuple[NDArray[Any], ...]:
        recorded, mine = (np.asarray(run.recording.variable(stream).values) for stream in (name, own_name))
        theirs = partner.stream(name, recorded.shape[2:])[: len(recorded)]
        return recorded, theirs, mine.reshape(recorded.shape)


def _reinforcements(names: list[str]) -> list[int]:
    return [place for place, name in enumerate(names) if name in REINFORCEMENTS]


class _Yoke(ArmedBody):
    """A body that senses, or is rewarded, as the partners were.

    Attributes
    ----------
    own_observation : ndarray, shape (animals, …)
        The next observation of the animals themselves.
    """

    def __init__(self, env: VectorEnv, partner: Partner, stream: str) -> None:
        super().__init__(env)
        self._partner, self._stream = partner, stream
        space = env.single_observation_space
        self._senses = partner.stream("observation", space.shape or ())
        self._reward = partner.stream("reward", ()) if stream == "reward" else None
        self._features = _reinforcements([feature.name for feature in group_env(env).features])
        self.own_observation = np.zeros(self._senses.shape[1:], space.dtype)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Begin an episode with the partners' first observation."""
        observation, info = super().reset(seed=seed, options=options)
        return self._yoked(observation), info

    def step(self, actions: Any) -> Any:
        """Move, and return the partners' stream."""
        observation, reward, terminated, truncated, info = super().step(actions)
        info = {**info, OWN_REWARD: np.array(reward, dtype=np.float32)}
        if self._reward is not None:
            row = self._partner.row(self._reward, self.control_step - 1)
            reward = row.astype(np.asarray(reward).dtype, copy=False)
        return self._yoked(observation), reward, terminated, truncated, info

    def _yoked(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Return the observation that the agent gets; after the partners' last step, it is not used."""
        self.own_observation = np.array(observation)
        theirs = np.asarray(self._senses[min(self.control_step, len(self._senses) - 1)], observation.dtype)
        if self._stream == "senses":
            return theirs
        mixed = np.array(observation)
        mixed[:, self._features] = theirs[:, self._features]
        return mixed

    def require_row(self) -> None:
        """Raise `ArmError` if the partners have no observation for the next control step."""
        self._partner.row(self._senses, self.control_step)


class _Recorded(ArmedAgent):
    """An agent that records the stream that the animals would have had; rewards are in the body's `info`."""

    body: _Yoke

    def __init__(self, inner: Agent, body: _Yoke) -> None:
        size = body.own_observation[0].size
        described = {
            OWN_SENSES: variable(
                "observation that the animal itself would have had",
                "1",
                str(body.own_observation.dtype),
                feature=size,
            ),
            OWN_REWARD: variable("reward that the animal itself would have had", "1", "float32"),
        }
        super().__init__(inner, described, body)

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        self.body.require_row()
        decision = self.inner.act(observation)
        senses = self.body.own_observation.reshape(self.animals, -1)
        return Decision(
            decision.action, decision.stimulus, decision.spikes, {**decision.readout, OWN_SENSES: senses}
        )

    def state(self) -> State:
        """Return the state, with the animals' own observation."""
        return {**super().state(), OWN_STATE: self.body.own_observation}

    def set_state(self, state: State) -> None:
        """Continue from a state."""
        self.body.own_observation = np.array(state[OWN_STATE])
        super().set_state(state)
