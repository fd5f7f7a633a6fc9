"""A PyNEST script in an odor arena: a balanced network of 500 neurons moves a larva.

The upper part is a script as it is written for NEST alone, but without `nest.Simulate`. The lower part puts
it into the loop: the odor at the head becomes the rate of a spike input, which excites two groups of neurons.
Their difference turns the larva, and their sum slows it down, so that it stays longer where the odor is
strong (orthokinesis). Run it with `ethospike run nest_script.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nest
import numpy as np

from ethospike.agents.functions import FunctionAgent
from ethospike.brains.nest import NestScript, ScriptNodes
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


# -- the script -------------------------------------------------------------------------------------------
def build(j_mv: float = 0.5, g: float = 6.0, eta: float = 0.9) -> ScriptNodes:
    """Create two pools of excitatory and one of inhibitory neurons, after Brunel (2000)."""
    order, epsilon, delay_ms = 100, 0.1, 1.5
    n_e, n_i = 4 * order, order
    c_e, c_i = int(epsilon * n_e), int(epsilon * n_i)
    neuron = {"C_m": 250.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 0.0, "V_th": 20.0}
    pa = j_mv * neuron["C_m"] / 2.0  # the charge of a synapse with tau_syn = 2 ms lifts V_m by j_mv

    excitatory = nest.Create("iaf_psc_exp", n_e, params=neuron)
    inhibitory = nest.Create("iaf_psc_exp", n_i, params=neuron)
    cells = excitatory + inhibitory
    cells.V_m = nest.random.uniform(0.0, 15.0)

    threshold_hz = 1000.0 * neuron["V_th"] / (j_mv * c_e * neuron["tau_m"])
    noise = nest.Create("poisson_generator", params={"rate": eta * threshold_hz * c_e})
    nest.CopyModel("static_synapse", "excitatory", {"weight": pa, "delay": delay_ms})
    nest.CopyModel("static_synapse", "inhibitory", {"weight": -g * pa, "delay": delay_ms})
    nest.Connect(noise, cells, syn_spec="excitatory")
    nest.Connect(excitatory, cells, {"rule": "fixed_indegree", "indegree": c_e}, "excitatory")
    nest.Connect(inhibitory, cells, {"rule": "fixed_indegree", "indegree": c_i}, "inhibitory")

    left, right = excitatory[:50], excitatory[50:100]
    senses = nest.Create("parrot_neuron", 20)
    nest.Connect(senses, left + right, {"rule": "fixed_indegree", "indegree": 10}, "excitatory")
    return ScriptNodes(
        populations={"left": left, "right": right, "E": excitatory[100:], "I": inhibitory},
        spike_inputs={"odor": senses},
    )


# -- the loop ---------------------------------------------------------------------------------------------
NEST = SimulatorSettings("nest")


@dataclass(frozen=True, kw_only=True)
class Config(ScenarioConfig):
    """The experiment; every field is a flag."""

    duration_s: float = 60.0
    g: float = 6.0
    simulator: SimulatorSettings = NEST


def open_experiment(config: Config) -> tuple[OdorArenaVectorEnv, FunctionAgent]:
    """Make body and brain."""
    dish = ArenaConfig((Phase("test", config.duration_s, (OdorSource("A", (-20.0, 0.0)),)),))
    env = OdorArenaVectorEnv(config.animals, dish, control_interval_ms=config.control_interval_ms)

    def encode(observation: Any) -> Any:
        return {"odor": 100.0 * np.minimum(observation[:, :1] / 5.0, 1.0)}  # Hz

    def decode(spikes: Any) -> Any:
        left, right = (spikes[side].mean(axis=1) for side in ("left", "right"))
        return np.stack([np.exp(-(left + right) / 4.0), np.clip(2.0 * (left - right), -1.0, 1.0)], axis=1)

    brain = NestScript(build, g=config.g)
    return env, FunctionAgent(env, brain, encode, decode, simulator=config.simulator, seed=config.seed)


SCENARIO = Scenario(
    "nest-script", "A NEST script moves a larva.", Config, open_experiment, lambda c: c.duration_s
)
