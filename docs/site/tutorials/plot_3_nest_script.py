"""
A NEST script in a body
=======================

**Question:** how does a network that exists as a PyNEST script behave when its output moves an animal?

The script becomes a function that names its inputs and populations. It runs on NEST, which must be installed.
"""

import matplotlib.pyplot as plt
import numpy as np

from ethospike.agents.functions import FunctionAgent
from ethospike.brains.nest import NestScript, ScriptNodes
from ethospike.brains.simulator import SimulatorSettings, is_installed
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaVectorEnv, OdorSource, Phase


def build(n=200):
    """Create neurons that fire at some 10 Hz, half of which turn the larva left, half right."""
    import nest

    cells = nest.Create("iaf_psc_exp", n, {"I_e": 20.0})
    cells.V_m = nest.random.uniform(-70.0, -55.0)
    noise = nest.Create("poisson_generator", params={"rate": 4000.0})
    nest.Connect(noise, cells, syn_spec={"weight": 40.0})
    odor = nest.Create("parrot_neuron", 20)
    nest.Connect(odor, cells, {"rule": "fixed_indegree", "indegree": 10}, {"weight": 60.0, "delay": 1.0})
    return ScriptNodes({"left": cells[: n // 2], "right": cells[n // 2 :]}, {"odor": odor})


# %%
# Two functions connect brain and body: concentrations become rates of the input, and spikes become crawling
# and turning. The larva slows down where the odor is strong.


def encode(observation):
    """Return 0 … 100 Hz for 0 … 5 µM of the first odor."""
    return {"odor": 100.0 * np.minimum(observation[:, :1] / 5.0, 1.0)}


def decode(spikes):
    """Return crawling and turning drive."""
    left, right = (spikes[side].mean(axis=1) for side in ("left", "right"))
    return np.stack([np.exp(-(left + right) / 4.0), np.clip(left - right, -1.0, 1.0)], axis=1)


# %%
dish = ArenaConfig((Phase("test", 30.0, (OdorSource("A", (-20.0, 0.0)),)),))
env = OdorArenaVectorEnv(1, dish, control_interval_ms=100.0)
if is_installed("nest"):
    path, speed = [], []
    settings = SimulatorSettings("nest")
    with FunctionAgent(env, NestScript(build), encode, decode, simulator=settings, seed=1) as agent:
        observation, info = env.reset(seed=1)
        for _ in range(300):
            decision = agent.act(observation)
            observation, _, terminated, _, info = env.step(decision.action)
            path.append(info["position_mm"][0])
            speed.append(decision.action[0, 0])
    path = np.array(path)
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    dots = axis.scatter(*path.T, c=speed, s=6, cmap="cividis")
    axis.plot(-20.0, 0.0, "x", color="tab:red")
    axis.set(xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
    figure.colorbar(dots, label="crawling drive")
    plt.show()
else:
    print("NEST is not installed here: nothing was run")
