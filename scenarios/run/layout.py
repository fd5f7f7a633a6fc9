"""The layout of a recording, from the descriptions of environment, agent and network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import VectorEnv

from ethospike.agents.agent import Agent
from ethospike.brains.network import Network
from ethospike.brains.simulator import Simulator
from ethospike.envs.contract import component_names, group_env
from ethospike.errors import EnvError
from ethospike.recorders.recorder import Layout, PopulationLayout, Variable
from ethospike.scenarios.scenario import whole_steps
from ethospike.variables import Component, common_units


def describe(env: VectorEnv, agent: Agent, *, dt_ms: float) -> Layout:
    """Return the layout of a recording of this agent in this environment, without watched neurons."""
    body = group_env(env)
    seen, done = body.single_observation_space, body.single_action_space
    variables = {
        "observation": _vector("observation that the agent used", seen, body.features, "feature"),
        "action": _vector("action that the agent chose", done, body.actuators, "actuator"),
        "reward": Variable("1", "reward after the step"),
        "terminated": Variable("1", "experiment finished", dtype="bool"),
        "truncated": Variable("1", "experiment cut off by a time limit", dtype="bool"),
        **variables_layout(body.variables),
        **variables_layout(agent.variables),
    }
    network = agent.network
    return Layout(
        animals=agent.animals,
        dt_ms=dt_ms,
        control_interval_ms=agent.control_interval_ms,
        steps_per_control=whole_steps(agent.control_interval_ms, dt_ms),
        variables=variables,
        phases=tuple(body.phases),
        phase_at_end=body.phase_at_end,
        intervals={kind: variables_layout(columns) for kind, columns in body.intervals.items()},
        scene=body.scene(),
        **({} if network is None else network_layout(network, agent.simulator, _changed(agent))),
    )


def _changed(agent: Agent) -> Iterable[str]:
    """Return the projections with weights that the agent reports, plastic or changed by itself."""
    return () if agent.simulator is None else agent.weights()


def network_layout(
    network: Network, simulator: Simulator | None, changed: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the entries of a `Layout` that describe a network: populations, channels, changing weights.

    Parameters
    ----------
    network : Network
    simulator : Simulator or None
        Of a random rule, its seed decides how many synapses there are.
    changed : iterable of str
        Projections with weights that change, besides those that are plastic.

    Raises
    ------
    BrainError
        When there is no such projection.
    """
    named = {p.name for p in network.plastic_projections} | {network.projection(n).name for n in changed}

    def n_synapses(name: str) -> int:
        return len(network.wire(name, 0, 0).source) if simulator is None else simulator.n_synapses(name)

    def channels(inputs: Any) -> tuple[str, ...]:
        return tuple(f"{given.name}[{i}]" for given in inputs for i in range(network.n_channels(given)))

    return {
        "populations": tuple(
            PopulationLayout(p.name, network.offset(p.name), p.size, p.clusters) for p in network.populations
        ),
        "labels": network.labels(),
        "rate_channels": channels(network.spike_inputs),
        "current_channels": channels(network.current_inputs),
        "weights": {
            p.name: (
                n_synapses(p.name),
                network.population(p.target).neuron_model.weight_unit,
            )
            for p in network.projections
            if p.name in named
        },
    }


def data_sources(agent: Agent) -> list[dict[str, Any]]:
    """Return the sources of the data of which the brain is made, for `run.json`."""
    return [] if agent.network is None else [source.described() for source in agent.network.sources]


def _vector(long_name: str, space: Space[Any], components: tuple[Component, ...], kind: str) -> Variable:
    """Describe an observation or an action, with the names and units of its entries."""
    if space.shape is None or len(space.shape) != 1:
        raise EnvError(f"{kind}s: expected a space of one dimension, got {space}")
    named = component_names(components, space.shape[0], kind)
    dtype = str(np.dtype(space.dtype))
    return Variable(common_units(named), long_name, (kind,), space.shape, dtype, named)


def variables_layout(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Variable]:
    """Return the variables described by an environment or an agent."""
    return {
        name: Variable(
            units=description["units"],
            long_name=description["long_name"],
            dims=tuple(description.get("dims", ())),
            shape=tuple(description.get("shape", ())),
            dtype=str(np.dtype(description.get("dtype", "float32"))),
            components=tuple(description.get("components", ())),
            panel=description.get("panel"),
            categories=tuple(description.get("categories", ())),
        )
        for name, description in described.items()
    }
