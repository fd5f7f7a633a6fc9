"""Stable-Baselines3's PPO on the native group of 50 larvae: about forty lines beside an ordinary script.

Needs `pip install stable-baselines3`. Run it with the number of steps: `python ppo_larva.py 1400000`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import ethospike.envs  # noqa: F401  (registers the environments)

LARVAE = 50


class GroupVecEnv(VecEnv):
    """A group that resets itself (`autoreset_mode="SameStep"`), as Stable-Baselines3 expects it."""

    def __init__(self, group: Any) -> None:
        self.group = group
        super().__init__(group.num_envs, group.single_observation_space, group.single_action_space)

    def reset(self) -> Any:
        """Begin an episode of all animals."""
        observation, _ = self.group.reset(seed=self._seeds[0])
        self._reset_seeds()
        return observation

    def step_async(self, actions: Any) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step; the last observation of an ended episode is in the info of its animal."""
        observation, reward, terminated, truncated, info = self.group.step(self._actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            is_cut = bool(truncated[i] and not terminated[i])
            infos[i] = {"terminal_observation": info["final_obs"][i], "TimeLimit.truncated": is_cut}
        return observation, reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the group."""
        self.group.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the group, once for each animal."""
        return [getattr(self.group, attr_name, None) for _ in range(self.num_envs)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the group."""
        setattr(self.group, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **keywords: Any) -> list[Any]:
        """Refuse: animals of a group have no methods of their own."""
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each animal."""
        return [False] * self.num_envs


def main(n_steps: int) -> None:
    """Train, and print the mean return of the last 100 episodes now and then."""
    group = gymnasium.make_vec(
        "ethospike/OdorArena-v0",
        num_envs=LARVAE,
        vectorization_mode="vector_entry_point",
        autoreset_mode="SameStep",
    )
    # Short rollouts: an update after 12,800 steps; the default of 2,048 steps of 50 larvae makes 102,400.
    learner = PPO(
        "MlpPolicy", VecMonitor(GroupVecEnv(group)), n_steps=256, batch_size=512, seed=1, device="cpu"
    )
    begin, done = time.process_time(), 0
    while done < n_steps:
        learner.learn(min(100_000, n_steps - done), reset_num_timesteps=False)
        done = learner.num_timesteps
        returns = [episode["r"] for episode in learner.ep_info_buffer or ()]
        seconds = time.process_time() - begin
        print(
            f"{done:,} steps, return {np.mean(returns or [np.nan]):.0f}, {done / seconds:,.0f} steps a CPU s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_400_000)
