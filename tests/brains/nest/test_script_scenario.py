"""The example docs/examples/nest_script.py: run, recorded and swept like every scenario."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from places import EXAMPLES

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.sweeps.table import open_table

pytestmark = pytest.mark.simulator("nest")
SCRIPT = EXAMPLES / "nest_script.py"


def ethospike(*arguments, cwd):
    command = [sys.executable, "-m", "ethospike", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the same seed."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("first", "second"):
        done = ethospike("run", SCRIPT, "--duration-s", 3, "--out", name, "--quiet", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_run_is_recorded_and_says_that_it_is_a_script(runs):
    info = json.loads((runs / "first" / "run.json").read_text())
    assert "script nest_script.py:build, sha256 " in info["backend"]
    (source,) = info["data"]
    assert source["name"] == "NEST script nest_script.py:build"
    assert source["steps"] == ["g = 6.0"]
    assert info["backend"].split()[-1] in source["version"]
    recording = open_recording(runs / "first")
    assert [p.name for p in recording.layout.populations] == ["left", "right", "E", "I"]
    assert len(recording.spikes("I").step) > 200
    rate_hz = recording.variable("population_rate_hz")
    assert rate_hz.shape == (30, 1, 4)
    counts = np.bincount(recording.spikes("E").neuron).sum()
    assert rate_hz[:, 0, 2].mean() == pytest.approx(counts / 300 / 3.0, rel=1e-5)
    assert (recording.variable("action")[:, 0, 0] < 0.99).any()
    assert recording.layout.rate_channels[:2] == ("odor[0]", "odor[1]")


def test_the_same_seed_gives_the_same_run(runs):
    first, second = (open_recording(runs / name) for name in ("first", "second"))
    np.testing.assert_array_equal(first.spikes().step, second.spikes().step)
    np.testing.assert_array_equal(first.variable("action"), second.variable("action"))


def test_a_sweep_gives_each_run_a_process(tmp_path):
    grid = ("--grid", "g=4,8", "--grid", "duration_s=1", "--workers", 1)
    done = ethospike("sweep", SCRIPT, *grid, "--out", "swept", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = open_table(tmp_path / "swept")
    assert table["status"].values.tolist() == ["done", "done"]
    assert table["g"].values.tolist() == [4.0, 8.0]


def test_another_simulator_is_refused_in_one_line(tmp_path):
    done = ethospike("run", SCRIPT, "--simulator", "numba", "--duration-s", 1, cwd=tmp_path)
    assert done.returncode != 0
    assert "a NEST script runs on nest, not on numba" in done.stderr
    assert "Traceback" not in done.stderr
