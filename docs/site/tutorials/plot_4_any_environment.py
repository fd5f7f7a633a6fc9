"""
Any Gymnasium environment
=========================

**Question:** what does a spiking brain see of CartPole, and how well does it do without having learned?

One call makes a body of any Gymnasium environment. Codes between its spaces and the neurons are derived from
the spaces, and can be chosen by name.
"""

import matplotlib.pyplot as plt
import numpy as np

from ethospike.agents.coded import CodedAgent, CodedConfig
from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup

env = GymnasiumGroup("CartPole-v1", num_envs=4, config=EpisodeConfig(episodes=5, control_interval_ms=20.0))
for entry in env.entries:
    print(f"{entry.name:16s} {entry.low:8.2f} … {entry.high:.2f}")

# %%
# Gaussian populations code the four numbers; the more active of two groups of motor neurons pushes.

returns, rates = [], []
with CodedAgent(env, CodedConfig(code="gaussian"), seed=1) as agent:
    observation, _ = env.reset(seed=1)
    agent.begin_episode(np.ones(4, bool))
    for _ in range(2_000):
        decision = agent.act(observation)
        observation, reward, terminated, truncated, info = env.step(decision.action)
        rates.append(decision.readout["motor_rate_hz"][0])
        returns.append(info["episode_return"])
        if env.is_over(terminated, truncated):
            break

# %%
# The sum of rewards grows by 1 in each step, and begins anew with each episode. Without learning, an episode
# lasts about as long as with random actions, some 20 steps; the brain's clock runs on between episodes.

figure, axes = plt.subplots(2, 1, sharex=True, figsize=(7, 4), layout="constrained")
axes[0].plot(0.02 * np.arange(len(rates)), rates)
axes[0].set_ylabel("motor rate (Hz)")
axes[1].plot(0.02 * np.arange(len(returns)), returns)
axes[1].set(xlabel="time (s)", ylabel="sum of rewards")
plt.show()
