"""The order of a control step, and that what is recorded is what happened."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from ethospike.agents.agent import Agent, Decision
from ethospike.envs.contract import GroupEnv
from ethospike.errors import AgentError, EnvError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.scenarios.loop import run_closed_loop, start_loop

N_CONTROL_STEPS = 5


class Body(GroupEnv):
    """Observes the number of steps so far, and writes down what it is asked to do."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.num_envs, self.control_interval_ms = 1, 100.0
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1, 1), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.steps = 0
        return np.array([[0.0]]), {}

    def step(self, actions: Any) -> Any:
        self.steps += 1
        self.log.append(("step", float(actions[0, 0])))
        ended = np.array([self.steps >= N_CONTROL_STEPS])
        observation = np.array([[float(self.steps)]])
        return observation, np.array([10.0 * self.steps]), ended, ~ended & False, {"place": observation}


class Brain(Agent):
    """Answers observation k with action k / 10."""

    def __init__(self, log: list[Any], animals: int = 1) -> None:
        super().__init__(animals, 100.0)
        self.log = log

    def _act(self, observation: Any) -> Decision:
        self.log.append(("act", float(observation[0, 0])))
        return Decision((observation / 10).astype(np.float32), readout={"thought": observation + 0.5})

    def learn(self, reward: Any, terminated: Any, truncated: Any = False) -> None:
        self.log.append(("learn", float(reward[0])))

    def state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: Any) -> None:
        pass


class Log(Recorder):
    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.records: list[StepRecord] = []

    def record(self, record: StepRecord) -> None:
        self.log.append(("record", record.control_step))
        self.records.append(record)

    def close(self, status: str = "complete") -> None:
        pass


def run(action_delay: int = 0) -> tuple[list[Any], list[StepRecord]]:
    log: list[Any] = []
    env, agent, recorder = Body(log), Brain(log), Log(log)
    loop = start_loop(env, agent, seed=1, action_delay=action_delay)
    assert run_closed_loop(env, agent, recorder, loop)
    return log, recorder.records


def test_a_control_step_is_act_step_learn_record() -> None:
    log, records = run()
    assert len(records) == N_CONTROL_STEPS
    for k in range(N_CONTROL_STEPS):
        assert log[4 * k : 4 * k + 4] == [
            ("act", k),
            ("step", pytest.approx(k / 10)),
            ("learn", 10.0 * (k + 1)),
            ("record", k),
        ]


def test_a_row_has_the_observation_that_was_used_and_what_followed() -> None:
    _, records = run()
    for k, record in enumerate(records):
        values = record.values
        assert values["observation"] == [[k]]
        assert values["thought"] == [[k + 0.5]]
        assert values["action"] == pytest.approx(k / 10)
        assert values["reward"] == [10.0 * (k + 1)]
        assert values["place"] == [[k + 1]]
        assert values["terminated"][0] == (k == N_CONTROL_STEPS - 1)


def test_action_delay_moves_the_body_later_and_begins_with_zeros() -> None:
    log, records = run(action_delay=2)
    moved = [value for what, value in log if what == "step"]
    assert moved == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])
    assert [float(r.values["action"][0, 0]) for r in records] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_actions_that_wait_are_like_those_of_the_agent() -> None:
    waiting = start_loop(Body([]), Brain([]), seed=1, action_delay=2).waiting_actions
    assert [(one.shape, one.dtype) for one in waiting] == [((1, 1), np.float32)] * 2


def test_keep_going_stops_between_control_steps() -> None:
    log: list[Any] = []
    env, agent, recorder = Body(log), Brain(log), Log(log)
    loop = start_loop(env, agent, seed=1)
    assert not run_closed_loop(env, agent, recorder, loop, lambda loop: loop.control_step < 3)
    assert len(recorder.records) == 3
    assert loop.control_step == 3
    assert run_closed_loop(env, agent, recorder, loop)
    assert len(recorder.records) == N_CONTROL_STEPS


def test_an_agent_for_another_group_is_refused() -> None:
    with pytest.raises(AgentError, match="1 animals, the agent was built for 2"):
        start_loop(Body([]), Brain([], animals=2), seed=1)


def test_a_plain_vector_environment_is_refused_with_the_remedy() -> None:
    env = gymnasium.make_vec("CartPole-v1", 1, vectorization_mode="sync")
    with pytest.raises(EnvError, match="GroupEnv, got SyncVectorEnv; derive it from GroupEnv"):
        start_loop(env, Brain([]), seed=1)
    env.close()


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        start_loop(Body([]), Brain([]), seed=1, action_delay=-1)
