"""The closed loop of a vector environment, an agent and a recorder.

Each control step gives the recorder a record. The loop is the same for every experiment and does not depend
on the kind of environment, agent or recorder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.envs.contract import group_env
from ethospike.recorders.recorder import Recorder, StepRecord


@dataclass
class LoopState:
    """The state of the loop between two control steps.

    A run continues from this state and the states of its environment and agent.

    Parameters
    ----------
    control_step : int
        The next control step, from 0.
    observation : ndarray, shape (animals, features)
        The input of the agent in this control step.
    waiting_actions : deque of ndarray, shape (animals, actions)
        Chosen actions that are not yet carried out; their number is the action delay in control steps.
    """

    control_step: int
    observation: NDArray[Any]
    waiting_actions: deque[NDArray[Any]]


def start_loop(env: VectorEnv, agent: Agent, *, seed: int, action_delay: int = 0) -> LoopState:
    """Reset the environment and return the state before control step 0.

    `action_delay` is in whole control steps; until the first action arrives, the body gets zeros.

    Raises
    ------
    ValueError
        When the delay is negative.
    AgentError
        When the agent was built for another number of animals or another control interval.
    EnvError
        When the environment is not a `GroupEnv`.
    """
    if action_delay < 0:
        raise ValueError(f"action_delay: expected at least 0 control steps, got {action_delay}")
    body = group_env(env)
    agent.check_fits(env.num_envs, body.control_interval_ms)
    observation, _ = env.reset(seed=seed)
    agent.begin_episode(np.ones(env.num_envs, bool))
    body.pop_begun()
    nothing = np.zeros(env.action_space.shape or (), env.action_space.dtype)
    return LoopState(0, observation, deque([nothing] * action_delay))


def run_closed_loop(
    env: VectorEnv,
    agent: Agent,
    recorder: Recorder,
    loop: LoopState,
    keep_going: Callable[[LoopState], bool] = lambda loop: True,
) -> bool:
    """Run control steps until the experiment ends or `keep_going` returns False.

    Return True if the experiment ended.

    Row k of the recording is control step k: the observation, the stimulus made from it, the spikes in its
    window, the action decoded from them, and the resulting reward and state of the body. `keep_going` is
    called with the loop's state between control steps.
    """
    body, ended = group_env(env), False
    while not ended and keep_going(loop):
        decision = agent.act(loop.observation)
        loop.waiting_actions.append(decision.action)
        observation, reward, terminated, truncated, info = env.step(loop.waiting_actions.popleft())
        agent.learn(reward, terminated, truncated)
        outcome = {"reward": reward, "terminated": terminated, "truncated": truncated}
        used = {"observation": loop.observation, "action": decision.action}
        recorder.record(
            StepRecord(
                control_step=loop.control_step,
                values={**used, **outcome, **info, **decision.readout},
                stimulus=decision.stimulus,
                spikes=decision.spikes,
                weights=agent.weights,
                intervals=body.pop_intervals(),
                voltages=agent.voltages(),
                frame=body.frame,
            )
        )
        loop.control_step, loop.observation = loop.control_step + 1, observation
        ended = body.is_over(terminated, truncated)
        if np.count_nonzero(begun := body.pop_begun()) and not ended:
            agent.begin_episode(begun)
    return ended
