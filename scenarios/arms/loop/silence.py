"""The arm that silences neurons, or cuts their outputs, for the whole run or for a part of it."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.clock import whole_number
from ethospike.envs.contract import GroupEnv, group_env
from ethospike.errors import ArmError, nearest
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.loop.loop_arm import ArmedAgent, LoopArm, arm_variable
from ethospike.scenarios.arms.loop.neurons import chosen_neurons
from ethospike.scenarios.scenario import ScenarioConfig
from ethospike.variables import variable


@dataclass
class Silence(LoopArm):
    """Silence neurons: their spikes do not come about.

    Parameters
    ----------
    neurons : tuple of str
        Populations (`KC`), parts (`KC[0:36]`, `KC[1,5]`, `E.cluster[2]`) or labels (`@side=left`).
    outputs : bool
        Cut the outputs alone: the neurons fire, and are recorded, but reach nothing.
    from_s, until_s : float
        Simulated time at which the silence begins and ends (s).
    phase : str
        Phases in which they are silent, by name; `*` stands for any letters.
    """

    name: ClassVar[str] = "silence"
    neurons: tuple[str, ...] = ()
    outputs: bool = False
    from_s: float = 0.0
    until_s: float = math.inf
    phase: str = ""
    number: int = field(default=0, init=False, repr=False, compare=False)
    """Number among the silences of a run: of the recorded variables."""

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return "silence KC[0:36] phase=test"

    def wrap(self, env: VectorEnv, agent: Agent, config: ScenarioConfig) -> tuple[VectorEnv, Agent]:
        """Return an agent whose simulator silences the neurons.

        Raises
        ------
        ArmError
            When there are no neurons, no such ones, no such phase, or no time of silence.
        """
        if agent.network is None or agent.simulator is None:
            raise ArmError(f"arm {self}: {type(agent).__name__} has no neurons")
        if not self.neurons:
            raise ArmError(f"arm silence: expected neurons, as in {self.example()!r}")
        self._check_times(config)
        body = group_env(env)
        if self.phase and not _named(body, self.phase):
            raise ArmError(f"arm {self}: no phase {self.phase!r}; {nearest(self.phase, set(body.phases))}")
        which = chosen_neurons(f"arm {self}", agent.network, self.neurons)
        wrappers = list(_wrappers(agent))
        silencer = next((wrapper for wrapper in wrappers if isinstance(wrapper, _Silencer)), None)
        if silencer is None:
            silencer = agent = _Silencer(agent, body)
        self.number = silencer.add(self, which)
        for outer in wrappers:  # a wrapper has the variables of the agent inside
            outer.variables = {**silencer.variables, **outer.variables}
        return env, agent

    def _check_times(self, config: ScenarioConfig) -> None:
        for key in ("from_s", "until_s"):
            value = getattr(self, key)
            whole = value == math.inf or whole_number(value * 1000.0, config.control_interval_ms, least=0)
            if whole is None:
                raise ArmError(
                    f"arm silence: {key}: expected a whole number of control intervals of "
                    f"{config.control_interval_ms:g} ms, got {value:g} s"
                )
        if not 0 <= self.from_s < self.until_s:
            raise ArmError(
                f"arm silence: expected 0 ≤ from_s < until_s, got {self.from_s:g} and {self.until_s:g} s"
            )

    def is_on(self, body: GroupEnv, time_s: float) -> NDArray[np.bool_]:
        """Return for which animals the next control step is one of silence, shape (animals,)."""
        in_time = self.from_s - 1e-9 <= time_s < self.until_s - 1e-9
        if not self.phase or not in_time:
            return np.full(body.num_envs, in_time)
        return np.isin(body.coming_phase(), _named(body, self.phase))

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return the silenced neurons, the control steps of silence, and the spikes that were left, 0.

        `suppressed_spikes` did not come about; with `outputs`, `cut_spikes` reached nothing.

        Raises
        ------
        ArmError
            When there was no control step of silence, a spike was left, or none was kept from leaving.
        """
        on, kept, left = (
            np.asarray(run.recording.variable(_variable(key, self.number)).values)
            for key in ("silenced", "suppressed", "spikes")
        )
        animal_steps, neurons = int((on > 0).sum()), int(on.max(initial=0))
        if not animal_steps:
            raise ArmError(
                f"arm {self}: there was no control step of silence; look at its times or its phase"
            )
        kind = "cut" if self.outputs else "suppressed"
        if not kept.sum():
            raise ArmError(f"arm {self}: the neurons would not have fired; no spike was {kind}")
        if left.sum() and not self.outputs:
            raise ArmError(f"arm {self}: {int(left.sum())} spikes of silenced neurons were left")
        return {
            "touched": neurons * run.recording.animals,
            "neurons": neurons,
            "animal_steps": animal_steps,
            f"{kind}_spikes": int(kept.sum()),
            "spikes_in_silence": int(left.sum()),
        }


def _wrappers(agent: Agent) -> Iterator[ArmedAgent]:
    """Yield the wrappers of an agent, from the outside to the inside."""
    while isinstance(agent, ArmedAgent):
        yield agent
        agent = agent.inner


def _variable(key: str, number: int) -> str:
    return arm_variable(f"{key}_{number}" if number else key)


def _named(body: GroupEnv, pattern: str) -> list[int]:
    """Return the phases whose names a pattern fits."""
    return [i for i, name in enumerate(body.phases) if fnmatch.fnmatchcase(name, pattern)]


class _Silencer(ArmedAgent):
    """An agent whose simulator silences neurons for one arm or several, before each control step."""

    def __init__(self, inner: Agent, body: GroupEnv) -> None:
        super().__init__(inner)
        self._env, self._rules = body, list[tuple[Silence, NDArray[np.int64]]]()

    @property
    def _n_neurons(self) -> int:
        return 0 if self.network is None else self.network.n_neurons

    def add(self, arm: Silence, neurons: NDArray[np.int64]) -> int:
        """Add the neurons of an arm, and return its number."""
        number = len(self._rules)
        self._rules.append((arm, neurons))
        described: Mapping[str, str] = {
            "silenced": "neurons that are silenced in the control step",
            "suppressed": "spikes of silenced neurons that did not come about, or reached nothing",
            "spikes": "spikes of the neurons in control steps of silence",
        }
        self.variables = {
            **self.variables,
            **{_variable(key, number): variable(text, "1", "int64") for key, text in described.items()},
        }
        return number

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        simulator = self.simulator
        if simulator is None:
            raise ArmError("arm silence: the agent has no simulator")
        time_s = simulator.step * simulator.dt_ms / 1000.0
        masks = {outputs: np.zeros((self.animals, self._n_neurons), dtype=bool) for outputs in (True, False)}
        on = [arm.is_on(self._env, time_s) for arm, _ in self._rules]
        for (arm, neurons), now in zip(self._rules, on, strict=True):
            masks[arm.outputs][np.ix_(now, neurons)] = True
        simulator.silence(masks[False], masks[True])
        before = simulator.suppressed_spikes()
        decision = self.inner.act(observation)
        suppressed = simulator.suppressed_spikes() - before
        fired = np.zeros_like(suppressed)
        if decision.spikes is not None:
            np.add.at(fired, (decision.spikes.animal, decision.spikes.neuron), 1)
        readout = dict(decision.readout)
        for number, ((arm, neurons), now) in enumerate(zip(self._rules, on, strict=True)):
            left = np.where(now, fired[:, neurons].sum(axis=1), 0)
            kept = left if arm.outputs else np.where(now, suppressed[:, neurons].sum(axis=1), 0)
            readout[_variable("silenced", number)] = np.where(now, len(neurons), 0)
            readout[_variable("suppressed", number)] = kept
            readout[_variable("spikes", number)] = left
        return Decision(decision.action, decision.stimulus, decision.spikes, readout)
