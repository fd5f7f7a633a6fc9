"""Larvae that learn from the scalar reward of an environment, and from nothing else.

The mushroom body has two dopaminergic neurons of opposite valence: DANp fires for reward and depresses the
synapses onto the avoidance neuron, DANn fires for punishment and depresses those onto the approach neuron.
Both get the prediction of the output neurons with opposite sign, so that they report an error of prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Agent, Decision
from ethospike.agents.larva import LarvaAgent, LarvaConfig
from ethospike.agents.reward.episodes import Course, checked_rewards, per_animal
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.brains.network import Network
from ethospike.brains.simulator import SimulatorSettings
from ethospike.configuration import configured
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.envs.odor_arena import OTHER_FEATURES, REINFORCEMENT_COLUMNS
from ethospike.envs.odor_arena.reinforcement import KINDS
from ethospike.errors import AgentError
from ethospike.states import State, check_state, join_states, state_of, without


class RewardedLarva(Agent):
    """Larvae in an odor arena of Gymnasium, taught by its reward.

    The reward and the punishment in the observation are hidden from them. The reward of a control step drives
    the DANs in the next one: DANp by its positive part, DANn by its negative part.

    Parameters
    ----------
    env : GymnasiumGroup
        Of `ethospike/OdorArena-v0`, or of an environment with the same entries.
    config : LarvaConfig or mapping of its fields, optional
        Its `patterns` belong to the odors of the observation, in their order.
    brain : MushroomBodyConfig or mapping of its fields, optional
    simulator : SimulatorSettings, optional
    seed : int
        Of wiring, input trains and locomotion, keyed by animal.
    dt_ms : float
    network : Network, optional
        A network of your own, as in `LarvaAgent`.

    Raises
    ------
    AgentError
        When the observation has other entries than an odor arena's.
    """

    def __init__(
        self,
        env: GymnasiumGroup,
        config: LarvaConfig | Mapping[str, Any] | None = None,
        brain: MushroomBodyConfig | Mapping[str, Any] | None = None,
        simulator: SimulatorSettings | None = None,
        *,
        seed: int,
        dt_ms: float = 0.1,
        network: Network | None = None,
    ) -> None:
        super().__init__(env.num_envs, env.control_interval_ms)
        config = configured(LarvaConfig, config, AgentError)
        n_odors = len(env.entries) - len(OTHER_FEATURES)
        if not (1 <= n_odors <= len(config.patterns) and len(env.action_entries) == 2):
            raise AgentError(
                f"larva: expected the entries of ethospike/OdorArena-v0, 1 … {len(config.patterns)} odors (a "
                f"pattern each), reward, punishment and wall contact, and two actions; got "
                f"{len(env.entries)} and {len(env.action_entries)} entries"
            )
        self._larva = LarvaAgent(
            config,
            brain,
            tuple(config.patterns)[:n_odors],
            animals=env.num_envs,
            control_interval_ms=env.control_interval_ms,
            seed=seed,
            simulator=simulator,
            dt_ms=dt_ms,
            network=network,
        )
        self._course = Course(env, seed)
        self._reinforcement = np.zeros((env.num_envs, len(KINDS)), np.float32)
        self.network, self.simulator = self._larva.network, self._larva.simulator
        self.backend, self.variables = self._larva.backend, self._larva.variables

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        senses = np.array(observation[:, :-1], np.float32)
        senses[:, REINFORCEMENT_COLUMNS] = self._reinforcement
        fixed = ~self._course.learns
        before = self.weights() if fixed.any() else {}
        decision = self._larva.act(senses)
        for name, weights in before.items():
            self._larva.simulator.set_weights(
                name, np.where(fixed[:, None], weights, self._larva.simulator.weights(name))
            )
        return decision

    def learn(
        self,
        reward: NDArray[np.floating] | float,
        terminated: NDArray[np.bool_] | bool,
        truncated: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Drive the DANs of the next window by the reward.

        Raises
        ------
        AgentError
            When the reward has another shape or is not finite.
        """
        rewards = checked_rewards(reward, self.animals) * self._course.learns
        for kind, part in {"reward": rewards, "punishment": -rewards}.items():
            self._reinforcement[:, KINDS.index(kind)] = np.maximum(part, 0.0)
        is_over = per_animal(terminated, self.animals) | per_animal(truncated, self.animals)
        self._course.end(is_over)

    def begin_episode(self, which: NDArray[np.bool_]) -> None:
        """Count the episodes; the brain's clock runs on."""
        self._course.begin(which)

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return the KC>MBON weights (nS) by projection, each of shape (animals, synapses)."""
        return self._larva.weights()

    def state(self) -> State:
        """Return the states of larvae and course, and the reward that has not acted yet."""
        return {"reinforcement": self._reinforcement.copy()} | join_states(
            {"course": self._course.state(), "larva": self._larva.state()}
        )

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state.

        Raises
        ------
        StateError
            When it is the state of another agent.
        """
        reinforcement = {"reinforcement": self._reinforcement}
        check_state(without("course", without("larva", state)), reinforcement)
        self._course.set_state(state_of("course", state))
        self._larva.set_state(state_of("larva", state))
        self._reinforcement = np.array(state["reinforcement"])

    def close(self) -> None:
        """Close the simulator."""
        self._larva.close()
