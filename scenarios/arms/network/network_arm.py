"""Arms that give the agent another network."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ethospike.agents.agent import Agent
from ethospike.brains.network import Network
from ethospike.errors import ArmError
from ethospike.scenarios.arms.arm import Arm
from ethospike.scenarios.scenario import Scenario, ScenarioConfig, unchanged


@dataclass
class NetworkArm(Arm):
    """An arm that changes the network before it is built.

    Attributes
    ----------
    before, after : Network or None
        The networks of the run that was opened last, for the proof.
    """

    before: Network | None = field(default=None, init=False, repr=False, compare=False)
    after: Network | None = field(default=None, init=False, repr=False, compare=False)

    @abstractmethod
    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network with this arm.

        Raises
        ------
        ArmError
            When the network has not what the arm changes.
        """

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario, whose agent gets the changed network."""
        inner = scenario.open
        if "change_network" not in inspect.signature(inner).parameters:
            raise ArmError(
                f"arm {self.name}: {scenario.name} has no network that an arm could change (its `open` takes "
                f"no `change_network`, see docs/own_experiments.md)"
            )

        @functools.wraps(inner)
        def opened(config: Any, change_network: Callable[[Network], Network] = unchanged) -> Any:
            self.before = self.after = None
            env, agent = inner(
                config, change_network=lambda network: change_network(self._noted(network, config))
            )
            if self.before is None:
                self._refuse(scenario, env, agent)
            return env, agent

        return dataclasses.replace(scenario, open=opened)

    def _noted(self, network: Network, config: ScenarioConfig) -> Network:
        self.before = network
        self.after = self.change(network, config)
        return self.after

    def _refuse(self, scenario: Scenario, env: Any, agent: Agent) -> None:
        agent.close()
        env.close()
        raise ArmError(
            f"arm {self.name}: {type(agent).__name__} of {scenario.name} has no network that an arm could "
            f"change; choose an agent with neurons"
        )

    def networks(self) -> tuple[Network, Network]:
        """Return the network before and after the change.

        Raises
        ------
        ArmError
            When no run was opened with this arm.
        """
        if self.before is None or self.after is None:
            raise ArmError(f"arm {self.name}: it was not applied to a run that was opened")
        return self.before, self.after
