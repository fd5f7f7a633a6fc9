"""The arm that cuts the loop: the brain's action does not reach the body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.errors import ArmError
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.loop.loop_arm import ArmedAgent, ArmedBody, LoopArm, arm_variable
from ethospike.scenarios.arms.loop.partner import Partner
from ethospike.scenarios.scenario import ScenarioConfig
from ethospike.variables import variable

APPLIED = arm_variable("action")


@dataclass
class CutLoop(LoopArm):
    """Give the body zeros, or the actions of another recording, instead of the brain's actions.

    The brain goes on to sense the body; the recorded `action` is the one that the brain chose.

    Parameters
    ----------
    actions_of : Path or None
        A run; its actions reach the body step for step. None gives zeros.
    shift : int
        Animal i gets the actions of animal i + shift of that run, counted in a circle.
    """

    name: ClassVar[str] = "cut-loop"
    actions_of: Path | None = None
    shift: int = 0

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return "cut-loop actions_of=runs/intact"

    def wrap(self, env: VectorEnv, agent: Agent, config: ScenarioConfig) -> tuple[VectorEnv, Agent]:
        """Return a body that gets other actions, and an agent that records them."""
        shape, dtype = env.action_space.shape or (), env.action_space.dtype
        partner, stream = None, None
        if self.actions_of is not None:
            partner = Partner(
                self.name, self.actions_of, agent.animals, agent.control_interval_ms, self.shift
            )
            stream = partner.stream("action", shape[1:])
        body = _OtherActions(env, np.zeros(shape, dtype), partner, stream)
        return body, _Recorded(agent, body)

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return in how many control steps of an animal the body got another action than the brain chose.

        Raises
        ------
        ArmError
            When the body got others than the arm says, or the brain chose the same ones all along.
        """
        recording = run.recording
        chosen, applied = (np.asarray(recording.variable(name).values) for name in ("action", APPLIED))
        expected = np.zeros_like(applied)
        if self.actions_of is not None:
            partner = Partner(
                self.name,
                self.actions_of,
                recording.animals,
                recording.layout.control_interval_ms,
                self.shift,
            )
            expected = partner.stream("action", applied.shape[2:])[: len(applied)]
        if not np.array_equal(applied, expected):
            raise ArmError("arm cut-loop: the body got other actions than the arm says")
        differs = (chosen != applied).reshape(*chosen.shape[:2], -1).any(axis=2)
        if not differs.any():
            raise ArmError(
                "arm cut-loop: the brain chose the very actions that the body got; nothing was cut"
            )
        return {
            "touched": int(differs.sum()),
            "control_steps": int(differs.size),
            "share_of_steps": float(differs.mean()),
            "largest_applied": float(np.abs(applied).max(initial=0.0)),
            "largest_chosen": float(np.abs(chosen).max(initial=0.0)),
        }


class _OtherActions(ArmedBody):
    """A body that gets other actions than those of `step`."""

    def __init__(
        self, env: VectorEnv, zeros: NDArray[Any], partner: Partner | None, stream: NDArray[Any] | None
    ) -> None:
        super().__init__(env)
        self._zeros, self._partner, self._stream = zeros, partner, stream

    def action_now(self) -> NDArray[Any]:
        """Return the action of the next control step."""
        if self._partner is None or self._stream is None:
            return self._zeros
        return self._partner.row(self._stream, self.control_step)

    def step(self, actions: Any) -> Any:
        """Move with the other action."""
        return super().step(self.action_now().astype(self._zeros.dtype, copy=False))


class _Recorded(ArmedAgent):
    """An agent that records the action that the body gets."""

    body: _OtherActions

    def __init__(self, inner: Agent, body: _OtherActions) -> None:
        applied = body.action_now()
        described = variable(
            "action that reached the body", "1", str(applied.dtype), actuator=max(1, applied[0].size)
        )
        super().__init__(inner, {APPLIED: described}, body)

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        decision = self.inner.act(observation)
        applied = self.body.action_now().reshape(self.animals, -1)
        return Decision(
            decision.action, decision.stimulus, decision.spikes, {**decision.readout, APPLIED: applied}
        )
