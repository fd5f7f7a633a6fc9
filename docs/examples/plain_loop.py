"""The closed loop in plain Python: a spiking larva in the odor arena, without a scenario.

Run it with `python plain_loop.py`. Ten seconds of simulated time take a fraction of a second, after the
simulator has been compiled once.
"""

from __future__ import annotations

import gymnasium

import ethospike.envs  # noqa: F401  (registers the environments)
from ethospike.agents.larva import LarvaAgent


def run(n_steps: int = 100, seed: int = 1) -> float:
    """Let a naive larva explore the arena and return the sum of its rewards."""
    env = gymnasium.make("ethospike/OdorArena-v0")
    total = 0.0
    with LarvaAgent.for_env(env, seed=seed) as agent:
        observation, _ = env.reset(seed=seed)
        for _ in range(n_steps):
            decision = agent.act(observation)
            observation, reward, terminated, truncated, _ = env.step(decision.action)
            agent.learn(reward, terminated, truncated)
            total += float(reward)
            if terminated or truncated:
                break
    env.close()
    return total


if __name__ == "__main__":
    print(f"Sum of rewards: {run():.2f}")
