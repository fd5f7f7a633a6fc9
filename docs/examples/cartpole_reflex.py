"""A spiking reflex balances CartPole: any Gymnasium environment, codes, and a network wired by hand.

Run it with `python cartpole_reflex.py`. Neurons tuned to the angle and the angular velocity of the pole
excite the motor neurons of the side to which it falls, the more the farther it has fallen; the group that
fires more decides. Nothing learns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.coded import CodedAgent, CodedConfig, Codes
from ethospike.brains.network import CurrentInput, Explicit, Network, Population, Projection
from ethospike.brains.simulator import SimulatorSettings
from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup

ANGLE, VELOCITY = 2, 3
"""Entries of CartPole's observation: angle of the pole (rad) and its velocity (rad/s)."""
VELOCITY_SHARE = 0.5
"""Angle (rad) that counts as much as a velocity of 1 rad/s."""
PA_PER_RAD = 10000.0
"""Weight of a neuron that prefers an angle (pA/rad); with 4,000 the reflex is too weak."""


def reflex_network(codes: Codes, config: CodedConfig) -> Network:
    """Return the tuned neurons, and the motor neurons of the left (0) and the right (1) that they excite."""
    entries, n = codes.encoder.entries, codes.encoder.n_channels // len(codes.encoder.entries)
    lean: NDArray[np.float64] = np.zeros(codes.encoder.n_channels)
    for entry, scale in ((ANGLE, 1.0), (VELOCITY, VELOCITY_SHARE)):
        preferred = np.linspace(entries[entry].low, entries[entry].high, n)
        lean[entry * n : (entry + 1) * n] = scale * preferred
    pairs, weights = [], []
    for source in np.flatnonzero(lean):
        side = int(lean[source] > 0)
        for neuron in range(config.motor_neurons):
            pairs.append((int(source), side * config.motor_neurons + neuron))
            weights.append(PA_PER_RAD * abs(float(lean[source])))
    return Network(
        populations=(
            Population("code", codes.encoder.n_channels, "iaf_psc_exp"),
            Population("motor", 2 * config.motor_neurons, "iaf_psc_exp", clusters=2),
        ),
        projections=(Projection("code>motor", "code", "motor", Explicit(tuple(pairs)), np.array(weights)),),
        current_inputs=(CurrentInput("code", "code", channels=codes.encoder.n_channels),),
    )


def run(episodes: int = 5, seed: int = 1) -> list[float]:
    """Return the returns of some episodes; 500 is the most."""
    ranges = {"observation[1]": (-2.0, 2.0), "observation[2]": (-0.25, 0.25), "observation[3]": (-2.0, 2.0)}
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=episodes, blank_steps=1, ranges=ranges))
    config = CodedConfig(discrete="winner-take-all")
    network = reflex_network(Codes.of(env, config), config)
    returns = []
    with CodedAgent(env, config, SimulatorSettings("numba"), network=network, seed=seed) as agent:
        observation, _ = env.reset(seed=seed)
        is_over = False
        while not is_over:
            observation, _, terminated, truncated, _ = env.step(agent.act(observation).action)
            returns += env.pop_intervals().get("episode", {}).get("return", np.empty(0)).tolist()
            is_over = env.is_over(terminated, truncated)
    env.close()
    return returns


if __name__ == "__main__":
    print(f"Returns: {run()}")
