"""Runs on NEST, which cannot save its state, go on by simulating again what was recorded."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from places import EXAMPLES

from ethospike.errors import RunFolderError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import RunResult, resume_scenario, run_scenario
from ethospike.scenarios.scenario import ScenarioConfig

pytestmark = pytest.mark.simulator("nest")


class Stop(Recorder):
    """Stops the run in a control step, as Ctrl-C does."""

    def record(self, record: StepRecord) -> None:
        if record.control_step == 12:
            os.kill(os.getpid(), signal.SIGINT)

    def close(self, status: str = "complete") -> None:
        pass


def arrays(folder: RunFolder) -> dict[str, np.ndarray]:
    root = zarr.open_group(folder.recording, mode="r")
    return {name: node[:] for name, node in root.members(max_depth=None) if isinstance(node, zarr.Array)}


SCENARIO = find_scenario(str(EXAMPLES / "vehicle.py"))


def stopped_run(path: Path, **recorder: Any) -> tuple[RunResult, ScenarioConfig]:
    """Run the vehicle on NEST until it is stopped in control step 12."""
    words = ["--duration-s", "2", "--simulator.name", "nest", "--recorder.writer", "inline"]
    config = configure(SCENARIO, words)
    config = replace(config, recorder=replace(config.recorder, **recorder))
    result = run_scenario(SCENARIO, config, path, quiet=True, listeners=[lambda layout: Stop()])
    assert (result.status, open_recording(path).n_steps) == ("stopped", 13)
    return result, config


def test_a_run_on_nest_goes_on_and_equals_one_that_was_never_stopped(tmp_path: Path) -> None:
    stopped, config = stopped_run(tmp_path / "stopped")
    assert "cannot save its state" in stopped.folder.info["no_checkpoints"]
    assert resume_scenario(SCENARIO, config, stopped.folder, quiet=True).status == "complete"
    whole = run_scenario(SCENARIO, config, tmp_path / "whole", quiet=True)
    got = arrays(stopped.folder)
    assert got["spikes/step"].size > 100
    for name, values in arrays(whole.folder).items():
        np.testing.assert_array_equal(values, got[name], err_msg=name)


def test_other_spikes_than_the_recorded_ones_end_it(tmp_path: Path) -> None:
    stopped, config = stopped_run(tmp_path / "run")
    neuron = zarr.open_group(stopped.folder.recording, mode="r+")["spikes/neuron"]
    changed = neuron[:]
    changed[len(changed) // 2] ^= 1
    neuron[:] = changed
    with pytest.raises(RunFolderError, match=r"control step \d+ has other spikes .* cannot be continued"):
        resume_scenario(SCENARIO, config, stopped.folder, quiet=True)
    assert open_recording(stopped.folder.path).n_steps == 13  # nothing recorded is lost


def test_without_recorded_spikes_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    stopped, config = stopped_run(tmp_path / "run", spike_populations=())
    with pytest.raises(RunFolderError, match=r"nothing to compare it with, as no spikes were listed"):
        resume_scenario(SCENARIO, config, stopped.folder, quiet=True)
