"""Arms between brain and body: wrappers of the agent and of the environment."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.recorders.format import ARM_PREFIX
from ethospike.scenarios.arms.arm import Arm
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.states import State, without

STEP = "arm/control_step"
"""Entry of an agent's state: the control step of the arms' environments, the same for all of them."""


class LoopArm(Arm):
    """An arm that wraps the environment, the agent, or both."""

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with wrapped environment and agent."""
        inner = scenario.open

        @functools.wraps(inner)
        def opened(config: Any, **given: Any) -> tuple[VectorEnv, Agent]:
            env, agent = inner(config, **given)
            try:
                return self.wrap(env, agent, config)
            except BaseException:
                agent.close()
                env.close()
                raise

        return dataclasses.replace(scenario, open=opened)

    def wrap(self, env: VectorEnv, agent: Agent, config: ScenarioConfig) -> tuple[VectorEnv, Agent]:
        """Return the wrapped environment and agent; by default both as they are.

        Raises
        ------
        ArmError
            When the arm does not fit them.
        """
        return env, agent


class ArmedBody(VectorWrapper):
    """An environment inside an arm, which counts its control steps.

    Attributes
    ----------
    control_step : int
        The next control step, from 0; a run that continues sets it (`ArmedAgent.set_state`).
    """

    control_step = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Begin an episode."""
        self.control_step = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        """Move for one control interval."""
        self.control_step += 1
        return self.env.step(actions)


class ArmedAgent(Agent):
    """An agent inside an arm: it does as the agent inside unless a subclass says otherwise.

    Parameters
    ----------
    inner : Agent
    variables : mapping
        Descriptions of further readouts; their names begin with `arm_`, so that they are always recorded.
    body : ArmedBody, optional
        The environment of the same arm; its control step is part of the agent's state.
    """

    def __init__(
        self,
        inner: Agent,
        variables: Mapping[str, Mapping[str, Any]] | None = None,
        body: ArmedBody | None = None,
    ) -> None:
        super().__init__(inner.animals, inner.control_interval_ms)
        self.inner, self.body = inner, body
        self.network, self.simulator, self.backend = inner.network, inner.simulator, inner.backend
        self.variables = {**inner.variables, **(variables or {})}

    def __getattr__(self, name: str) -> Any:
        # What a scenario asks of its own agent, such as the memory of larvae. Only names that are not here.
        return getattr(self.__dict__["inner"], name)

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        return self.inner.act(observation)

    def learn(self, reward: Any, terminated: Any, truncated: Any = False) -> None:
        """Let the agent inside learn."""
        self.inner.learn(reward, terminated, truncated)

    def begin_episode(self, which: NDArray[np.bool_]) -> None:
        """Let the agent inside prepare for an episode."""
        self.inner.begin_episode(which)

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return the weights of the agent inside."""
        return self.inner.weights()

    def watch(self, neurons: Sequence[int], recordable: str = "V_m") -> None:
        """Let the agent inside watch neurons."""
        self.inner.watch(neurons, recordable)

    def voltages(self) -> NDArray[np.float64] | None:
        """Return the voltages of the agent inside."""
        return self.inner.voltages()

    def state(self) -> State:
        """Return the state of the agent inside, and the control step."""
        state = self.inner.state()
        return state if self.body is None else {**state, STEP: np.array(self.body.control_step)}

    def set_state(self, state: State) -> None:
        """Continue from a state."""
        if self.body is not None:
            self.body.control_step = int(state[STEP])
        inside = isinstance(self.inner, ArmedAgent)  # which may have a body of its own, at the same step
        self.inner.set_state(state if inside else without("arm", state))

    def close(self) -> None:
        """Close the agent inside."""
        self.inner.close()


def arm_variable(name: str) -> str:
    """Return the name of a variable of an arm."""
    return f"{ARM_PREFIX}{name}"
