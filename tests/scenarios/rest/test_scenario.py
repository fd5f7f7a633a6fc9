"""The cortex at rest: its flags, who dominates rates that are known, and a short run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS
from ethospike.envs.idle import IdleEnv
from ethospike.errors import ScenarioError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.rest.config import RestConfig
from ethospike.scenarios.rest.measures import cluster_rates, dominance
from ethospike.scenarios.rest.scenario import SCENARIO, duration_s
from ethospike.scenarios.run.runner import RunResult, run_scenario
from ethospike.scenarios.scenario import steps_of_run

SHORT = ["--network", "reach", "--minutes", "0.15", "--simulator.name", "numba"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    config = configure(SCENARIO, SHORT)
    return run_scenario(SCENARIO, config, tmp_path_factory.mktemp("rest") / "run", quiet=True)


def test_the_default_is_five_minutes_of_cortex() -> None:
    assert configure(SCENARIO) == RestConfig()
    assert RestConfig().cortex == PARAMETER_SETS["cortex"]
    assert duration_s(RestConfig()) == 300.0


def test_a_single_value_changes_the_default_network_and_no_other() -> None:
    config = configure(SCENARIO, [], [("preset", SCENARIO.presets["unclustered"])])
    assert (config.cortex.n_e, config.cortex.clusters, config.cortex.j_plus) == (4000, 20, 1.0)


@pytest.mark.parametrize(
    ("minutes", "interval_ms", "expected"),
    [(0.5167, 10.0, 3100), (0.1666667, 50.0, 200), (0.0333, 10.0, 200), (0.00015, 10.0, 1)],
)
def test_minutes_are_rounded_to_control_steps(minutes: float, interval_ms: float, expected: int) -> None:
    """The first three are those of the documentation."""
    assert steps_of_run("minutes", minutes, 60.0, interval_ms) == expected
    config = DelayedReachConfig(minutes=minutes, control_interval_ms=interval_ms)
    assert config.limit_steps == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "-1"], "minutes: expected above 0"),
        (["--control-interval-ms", "20"], "whole part of the 50 ms"),
        (["--control-interval-ms", "100"], "whole part of the 50 ms"),
        (["--cortex.n-e", "4001"], "do not form 20 equal clusters"),
        (["--network", "cortx"], "did you mean 'cortex'"),
    ],
)
def test_bad_parameters_give_clear_errors(words: list[str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        configure(SCENARIO, words)


def test_the_body_feels_nothing_and_ends_in_time() -> None:
    env = IdleEnv(2, 10.0, 3)
    observation, _ = env.reset(seed=1)
    assert observation.tolist() == [[0.0], [0.0]]
    ends = [env.step(env.action_space.sample())[2].tolist() for _ in range(3)]
    assert ends == [[False, False], [False, False], [True, True]]


def test_who_dominates_rates_that_are_known() -> None:
    """Mean 10 Hz: cluster 0 has three bins at once, cluster 1 one, the last nobody."""
    rate_hz = np.zeros((5, 4))
    rate_hz[:3, 0], rate_hz[3, 1], rate_hz[4] = 45.0, 45.0, 5.0
    found = dominance(rate_hz)
    assert found["dominance"] == [0.6, 0.2, 0.0, 0.0]
    assert found["dominated"] == pytest.approx(0.8)
    assert (found["least_dominance"], found["most_dominance"], found["clusters_seen"]) == (0.0, 0.6, 2)
    assert (found["dwell_ms_median"], found["dwell_ms_longest"]) == (100.0, 150.0)
    assert found["highest_over_mean"] == pytest.approx(4.5)
    assert dominance(np.zeros((3, 4)))["dwell_ms_median"] is None


def test_a_short_run_is_recorded_measured_and_drawn(run: RunResult) -> None:
    recording = open_recording(run.folder.path)
    assert (run.status, recording.duration_s) == ("complete", 9.0)
    assert not recording.stimulus["current_pa"].values.any()
    summary = run.folder.summary
    spikes = recording.spikes("E", start_s=1.0)  # the first second is left out
    assert summary["rate_hz"]["E"] == pytest.approx(len(spikes) / 1200 / 8.0)
    assert 2.0 < summary["rate_hz"]["E"] < 8.0
    # Bernoulli trains would have 1; clusters that switch have more (Rostami et al. 2024: 1.5 to 2).
    assert summary["fano"] > 1.2
    assert 0.4 < summary["cv2"] < 1.1
    assert len(summary["dominance"][0]) == 6
    assert {path.name for path in run.figures} == {"raster.png", "dominance.png"}
    assert all(path.stat().st_size > 10_000 for path in run.figures)
    assert "dominated" in SCENARIO.conclude(summary)


def test_cluster_rates_are_those_of_the_spikes(run: RunResult) -> None:
    recording = open_recording(run.folder.path)
    spikes = recording.spikes("E", 0, 2.0, 2.05)
    counts = np.bincount(spikes.neuron // 200, minlength=6)
    assert counts.sum() > 0
    # The first second is left out, so bin 20 is 2.00 … 2.05 s.
    assert cluster_rates(recording, 0)[20] == pytest.approx(counts / 200 / 0.05)


def test_same_seed_same_spikes_whatever_the_window(tmp_path: Path, run: RunResult) -> None:
    words = [*SHORT[:2], "--minutes", "0.02", "--control-interval-ms", "50", *SHORT[4:]]
    other = run_scenario(SCENARIO, configure(SCENARIO, words), tmp_path / "run", quiet=True, draw=False)
    one, two = (open_recording(result.folder.path).spikes(None, 0, 0.0, 1.2) for result in (run, other))
    assert len(one) > 1000
    assert np.array_equal(one.step, two.step)
    assert np.array_equal(one.neuron, two.neuron)
