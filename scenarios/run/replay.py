"""Continuing a run without a checkpoint: it is simulated again, and compared with its recording.

For simulators that cannot save their state, such as NEST. Seed and configuration determine all input, so that
the loop comes to the recorded control steps again; the spikes of each must be the recorded ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.errors import NotRecorded, RunFolderError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.recorders.recording import Recording, open_recording
from ethospike.scenarios.loop import LoopState, run_closed_loop
from ethospike.scenarios.run.folder import RunFolder


class Comparison(Recorder):
    """Compares the spikes of each control step with those of a recording.

    Parameters
    ----------
    recording : Recording

    Attributes
    ----------
    n_steps : int
        Recorded control steps.

    Raises
    ------
    NotRecorded
        When the recording lists no spikes.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording, self.n_steps = recording, recording.n_steps
        self._interval_s = recording.layout.control_interval_ms / 1000.0
        recording.spikes(stop_s=0.0)
        self._animals = np.array(recording.listed_animals)
        listed = [p for p in recording.layout.populations if p.name in recording.listed_populations]
        self._neurons = np.concatenate([np.arange(p.start, p.start + p.size) for p in listed])

    def record(self, record: StepRecord) -> None:
        """Raise `RunFolderError` unless the step's spikes are the recorded ones."""
        start_s = record.control_step * self._interval_s
        expected = _columns(self._recording.spikes(start_s=start_s, stop_s=start_s + self._interval_s))
        got = np.empty((3, 0), np.int64) if record.spikes is None else _columns(record.spikes)
        got = got[:, np.isin(got[1], self._animals) & np.isin(got[2], self._neurons)]
        if not np.array_equal(got, expected):
            first = _first_difference(got, expected)
            raise RunFolderError(
                f"{self._recording.path}: simulated again, control step {record.control_step} has other "
                f"spikes than the recording (the first at step {first}); the run cannot be continued: was it "
                f"made with another version, or another number of threads?"
            )

    def close(self, status: str = "complete") -> None:
        """Do nothing, as nothing was written."""


def _columns(spikes: Any) -> NDArray[np.int64]:
    """Return step, animal and neuron, shape (3, spikes)."""
    return np.stack([spikes.step, spikes.animal, spikes.neuron]).astype(np.int64)


def _first_difference(got: NDArray[np.int64], expected: NDArray[np.int64]) -> int:
    n = min(got.shape[1], expected.shape[1])
    apart = np.flatnonzero((got[:, :n] != expected[:, :n]).any(axis=0))
    place = int(apart[0]) if len(apart) else n
    return int(min(spikes[0, place] for spikes in (got, expected) if spikes.shape[1] > place))


def comparison_of(folder: RunFolder, reason: str) -> Comparison:
    """Return the comparison with the recording of a run that has no checkpoint, for this reason.

    Raises
    ------
    RunFolderError
        When no control step or no spikes were recorded.
    """
    recording = open_recording(folder.path)
    if not recording.n_steps:
        raise RunFolderError(f"{folder.path} has no checkpoint ({reason}) and no recorded control step")
    try:
        return Comparison(recording)
    except NotRecorded as error:
        raise RunFolderError(
            f"{folder.path} has no checkpoint ({reason}), and cannot be simulated again up to where it "
            f"stopped: there is nothing to compare it with, as {error}"
        ) from error


def replay(env: VectorEnv, agent: Agent, loop: LoopState, comparison: Comparison) -> None:
    """Run the loop up to the end of the recording, and compare the spikes.

    Raises
    ------
    RunFolderError
        At the first control step with other spikes.
    """
    n_steps = comparison.n_steps
    run_closed_loop(env, agent, comparison, loop, lambda state: state.control_step < n_steps)
