"""Checkpoints: the saved state of environment, agent and loop, from which a run continues bit-identically.

A checkpoint is one file in the run folder, replaced whole. It belongs to a committed recording; later control
steps are recorded again.
"""

from __future__ import annotations

import io
import sys
import time
import zipfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.envs.contract import GroupEnv, group_env
from ethospike.errors import RunFolderError, SimulatorUnavailable
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.loop import LoopState
from ethospike.scenarios.run.files import write_whole
from ethospike.scenarios.run.folder import RunFolder
from ethospike.states import join_states, state_of

CHECKPOINT = "checkpoint.npz"
"""The checkpoint's file in the run folder."""
OF_SIMULATOR = "the simulator"
"""Beginning of the reason for a run without checkpoints where the simulator has none."""
NO_CHECKPOINTS = "no_checkpoints"
"""Entry of run.json: the reason for a run without checkpoints; null for a run with checkpoints."""


def save(path: Path, env: VectorEnv, agent: Agent, loop: LoopState) -> None:
    """Write a checkpoint; the previous checkpoint stays until the new file is complete on disk.

    Raises
    ------
    SimulatorUnavailable
        When the simulator cannot save its state.
    RunFolderError
        When the checkpoint cannot be written.
    """
    parts: dict[str, Mapping[str, NDArray[Any]]] = {
        "env": group_env(env).state(),
        "agent": agent.state(),
        "loop": {
            "control_step": np.array(loop.control_step),
            "observation": loop.observation,
            "waiting_actions": np.array(loop.waiting_actions),
        },
    }
    whole = io.BytesIO()  # because an archive that is cut short by a full disk complains twice
    entries: dict[str, Any] = join_states(parts)
    for name, value in entries.items():
        if np.asarray(value).dtype.hasobject:  # NumPy would pickle it, and `read` loads no pickles
            raise RunFolderError(f"{name!r} is no array of numbers")
    np.savez(whole, **entries)
    write_whole(path, whole.getbuffer())


def read(folder: RunFolder) -> dict[str, NDArray[Any]]:
    """Return the arrays of a run's checkpoint, for `restore`.

    Raises
    ------
    RunFolderError
        When the checkpoint is absent or damaged.
    """
    path, info = folder.path / CHECKPOINT, folder.info
    again = (
        f"the same seed repeats the run exactly: "
        f"ethospike run {info['scenario_file'] or info['scenario']} --config {folder.path / 'config.toml'}"
    )
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError as error:
        raise RunFolderError(
            f"{folder.path} has no checkpoint: "
            f"{info.get(NO_CHECKPOINTS) or 'the run ended before its first one'}; {again}"
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path} cannot be read ({error}); {again}") from error


def reason_of_simulator(folder: RunFolder) -> str | None:
    """Return the reason for a run without checkpoints if it is that of its simulator, else None."""
    reason = folder.info.get(NO_CHECKPOINTS)
    return str(reason) if reason and str(reason).startswith(OF_SIMULATOR) else None


def restore(arrays: Mapping[str, NDArray[Any]], env: VectorEnv, agent: Agent, *, seed: int) -> LoopState:
    """Restore environment and agent from a checkpoint and return the state of the loop.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The result of `read`.
    env, agent
        Created with the configuration of the saved run.
    seed : int
        The seed of the run.

    Raises
    ------
    EnvError, BrainError
        When the checkpoint is of another environment, or of another simulator or network.
    SimulatorUnavailable
        When the simulator cannot restore a state.
    """
    env.reset(seed=seed)
    group_env(env).set_state(state_of("env", arrays))
    agent.set_state(state_of("agent", arrays))
    loop = state_of("loop", arrays)
    return LoopState(int(loop["control_step"]), loop["observation"], deque(loop["waiting_actions"]))


def reason_for_none(every_s: float, env: VectorEnv, agent: Agent) -> str | None:
    """Return the reason for a run without checkpoints, for `run.json`; None if it makes checkpoints.

    `every_s` is the wall time between two checkpoints (s); 0 turns checkpoints off.
    """
    if every_s == 0:
        return "it was run with checkpoint_every_s 0"
    parts: dict[str, GroupEnv | Agent] = {"environment": group_env(env), "agent": agent}
    for role, part in parts.items():
        name = f"the {role} {type(part).__name__}"
        if isinstance(part, GroupEnv) and type(part).set_state is GroupEnv.set_state:
            return f"{name} cannot restore a state"
        try:
            state = part.state()
        except SimulatorUnavailable:
            return f"{OF_SIMULATOR} ({agent.backend}) cannot save its state"
        except NotImplementedError:
            return f"{name} cannot save its state"
        except Exception as error:  # of any kind: the code may be a user's own
            return f"{name} cannot save its state ({type(error).__name__}: {error})"
        if not isinstance(state, Mapping):
            return f"{name} has a state of type {type(state).__name__}, which is no dictionary of arrays"
        for key, value in state.items():
            if np.asarray(value).dtype.hasobject:
                return f"{name} has {key!r} in its state, which is no array of numbers"
    return None


class Checkpoints:
    """Saves a run in its file at intervals of wall time.

    Nothing is saved before the first control step, because the recording has no rows to commit.

    Parameters
    ----------
    file : Path
    env, agent
    writer : ZarrRecorder
        Commits its recording before each checkpoint.
    begin_step : int
        The control step at which the session began.
    every_s : float or None
        Wall time between two checkpoints (s); None turns checkpoints off.
    """

    def __init__(
        self,
        file: Path,
        env: VectorEnv,
        agent: Agent,
        writer: ZarrRecorder,
        *,
        begin_step: int,
        every_s: float | None,
    ) -> None:
        self._file, self._env, self._agent, self._writer = file, env, agent, writer
        self._begin_step, self._every_s = begin_step, every_s
        self._due = time.monotonic() + (every_s or 0.0)

    def save_if_due(self, loop: LoopState) -> None:
        """Save between two control steps if the interval of wall time has passed."""
        if time.monotonic() >= self._due and loop.control_step > self._begin_step:
            self.save(loop)

    def save(self, loop: LoopState) -> None:
        """Save now: first the recording, because a checkpoint belongs to committed rows.

        A state that cannot be saved ends the checkpoints, not the run.
        """
        if self._every_s is None:
            return
        self._writer.commit()
        try:
            save(self._file, self._env, self._agent, loop)
        except Exception as error:  # of any kind: the code may be a user's own
            self._every_s = None
            print(
                f"warning: no more checkpoints, because the state could not be saved "
                f"({type(error).__name__}: {error}); the run goes on, and an earlier checkpoint stays",
                file=sys.stderr,
                flush=True,
            )
            return
        self._due = time.monotonic() + self._every_s
