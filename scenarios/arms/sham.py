"""The sham arm: all the machinery of arms, and no effect."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar

from gymnasium.vector import VectorEnv

from ethospike.agents.agent import Agent
from ethospike.brains.network import Network
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.loop.loop_arm import ArmedAgent, ArmedBody, LoopArm
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


@dataclass
class Sham(NetworkArm, LoopArm):
    """Change nothing, through the same wrappers as the other arms.

    A sham animal equals the intact one bit for bit. Where it does not, the comparison itself leaks.
    """

    name: ClassVar[str] = "sham"
    touches: ClassVar[bool] = False

    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network as it is."""
        return network

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with wrappers that pass everything on."""
        if "change_network" in inspect.signature(scenario.open).parameters:
            scenario = NetworkArm.apply(self, scenario)
        return LoopArm.apply(self, scenario)

    def wrap(self, env: VectorEnv, agent: Agent, config: ScenarioConfig) -> tuple[VectorEnv, Agent]:
        """Return environment and agent in wrappers that pass everything on."""
        body = ArmedBody(env)
        return body, ArmedAgent(agent, body=body)

    def _refuse(self, scenario: Scenario, env: Any, agent: Agent) -> None:
        """Take an agent without a network: a sham needs none."""

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return that nothing was touched: the network is the one that was given."""
        return {"touched": int(self.before is not self.after)}
