"""Checkpoints: all that a run needs to go on as if it had never stopped.

In: environment, agent and loop between two control steps. Out: one file in the run folder, replaced whole.
A checkpoint belongs to a committed recording: what comes after it is recorded again, bit-identically.
"""

from __future__ import annotations

import os
import zipfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.brains.simulator import SimulatorUnavailable
from ethospike.scenarios.loop import LoopState
from ethospike.scenarios.run_folder import RunFolderError

CHECKPOINT = "checkpoint.npz"
"""File in the run folder."""


def save(path: Path, env: VectorEnv, agent: Agent, loop: LoopState) -> None:
    """Write a checkpoint; the one before it stays until the new one is complete on disk.

    Raises
    ------
    SimulatorUnavailable
        When the simulator cannot save its state.
    """
    body: Any = env.unwrapped
    parts: dict[str, Mapping[str, NDArray[Any]]] = {
        "env": body.state(),
        "agent": agent.state(),
        "loop": {
            "control_step": np.array(loop.control_step),
            "observation": loop.observation,
            "waiting_actions": np.array(loop.waiting_actions),
        },
    }
    arrays = {f"{part}/{name}": value for part, own in parts.items() for name, value in own.items()}
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path, env: VectorEnv, agent: Agent, *, seed: int) -> LoopState:
    """Put environment and agent into the state of a checkpoint and return the loop's.

    Raises
    ------
    RunFolderError
        When there is no checkpoint, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
    except FileNotFoundError as error:
        raise RunFolderError(
            f"{path.parent} has no checkpoint; the same seed repeats the run exactly: "
            f"ethospike run … --config {path.parent / 'config.toml'}"
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path} cannot be read ({error}); run the experiment again") from error

    def part(name: str) -> dict[str, NDArray[Any]]:
        return {key.removeprefix(name): value for key, value in arrays.items() if key.startswith(name)}

    body: Any = env.unwrapped
    env.reset(seed=seed)
    body.set_state(part("env/"))
    agent.set_state(part("agent/"))
    loop = part("loop/")
    return LoopState(int(loop["control_step"]), loop["observation"], deque(loop["waiting_actions"]))


def is_possible(agent: Agent) -> bool:
    """Return whether the agent's simulator can save and restore its state."""
    try:
        agent.state()
    except SimulatorUnavailable:
        return False
    return True
