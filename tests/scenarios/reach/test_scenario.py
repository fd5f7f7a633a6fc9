"""The reach from its flags to its trial table, and how trials are counted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ethospike.agents.reacher import PUBLISHED_DIRECTIONS
from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS
from ethospike.envs.delayed_reach.env import OUTCOMES
from ethospike.errors import ScenarioError
from ethospike.recorders.recording import Recording, open_recording
from ethospike.scenarios.analysis.group_statistics import mean, median
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reach import trials as reach_trials
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.courses import cluster_roles, cut_trials
from ethospike.scenarios.reach.measures import by_target, cortex_measures
from ethospike.scenarios.reach.scenario import SCENARIO, duration_s
from ethospike.scenarios.reach.trials import Trials, draws_of, estimate, measures, read_trials
from ethospike.scenarios.run.runner import RunResult, run_scenario

TINY = ["--n-trials", "6", "--seed", "3", "--animals", "2", "--simulator.name", "numba"]
CUED = ((0,), (1,), (0, 1), (0, 1, 2))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    config = configure(SCENARIO, TINY)
    return run_scenario(SCENARIO, config, tmp_path_factory.mktemp("reach") / "run", quiet=True)


@pytest.fixture(scope="module")
def recording(run: RunResult) -> Recording:
    return open_recording(run.folder.path)


def trials_of(condition: list[int], target: list[int], decision: list[int], **more: list[float]) -> Trials:
    n = len(condition)
    columns = {name: np.zeros(n) for name in ("preparatory_ms", "response_ms", "reaction_ms", "movement_ms")}
    given = {name: np.array(value, dtype=float) for name, value in more.items()}
    return Trials(
        animal=np.zeros(n, int),
        condition=np.array(condition),
        cue_set=np.array([{1: 0, 2: 2, 3: 3}[one] for one in condition]),
        target=np.array(target),
        outcome=np.array([0 if t == d else 1 for t, d in zip(target, decision, strict=True)]),
        decision=np.array(decision),
        **{**columns, "decision_ms": np.zeros(n), **given},
    )


# -- configuration --------------------------------------------------------------------------------------


def test_the_default_is_thirty_minutes_on_reach() -> None:
    config = configure(SCENARIO)
    assert isinstance(config, DelayedReachConfig)
    assert config == DelayedReachConfig()
    assert duration_s(config) == 30 * 60
    assert config.reacher.cortex == PARAMETER_SETS["reach"]
    assert config.control_interval_ms == 10.0
    # The shortest trial is a false start as soon as the hand counts: more of them than fit.
    task = config.resolved_task()
    assert task.n_trials * (task.inter_trial_ms + 10.0) > 30 * 60e3


@pytest.mark.parametrize("name", sorted(PARAMETER_SETS))
def test_a_network_by_its_name_and_every_value_of_it_by_its_flag(name: str, tmp_path: Path) -> None:
    config = configure(SCENARIO, ["--network", name])
    assert config.reacher.cortex == PARAMETER_SETS[name]
    assert config.reacher.direction_clusters == PUBLISHED_DIRECTIONS.get(name, ())
    changed = configure(SCENARIO, ["--network", name, "--reacher.cortex.j-plus", "2.25"])
    assert changed.reacher.cortex.j_plus == 2.25
    assert changed.reacher.cortex.n_e == PARAMETER_SETS[name].n_e
    from_file = configure(
        SCENARIO, [], [("a file", {"network": name, "reacher": {"cortex": {"V_th": 17.0}}})]
    )
    assert (from_file.reacher.cortex.V_th, from_file.reacher.cortex.n_e) == (17.0, PARAMETER_SETS[name].n_e)


def test_presets_and_the_number_of_trials() -> None:
    assert duration_s(configure(SCENARIO, [], [("short", SCENARIO.presets["short"])])) == 120.0
    weak = configure(SCENARIO, ["--network", "cortex"], [("weak", SCENARIO.presets["weak-cue"])])
    assert weak.reacher.preparatory_pa == 0.05
    assert weak.reacher.cortex == PARAMETER_SETS["cortex"]
    ten = DelayedReachConfig(n_trials=10)
    assert ten.limit_s is None
    # 1000 + 100 (mean of 0 … 200) + 500 + 1000 + 400 ms.
    assert duration_s(ten) == pytest.approx(30.0)
    assert duration_s(DelayedReachConfig(n_trials=10, minutes=0.1)) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reacher.cortex.clusters", "7"], "do not form 7 equal clusters"),
        (["--reacher.cortex.j-plus", "6"], "below the 6 clusters"),
        (["--reacher.cortex.p-ee", "1.5"], "probability"),
        (["--reacher.cortex.p-ie", "-0.1"], "probability"),
        (["--task.conditions", "4"], "condition 4 has no targets"),
        (["--network", "larg"], "did you mean 'large'"),
        (["--minutes", "0"], "minutes: expected above 0"),
        (["--n-trials", "0"], "n_trials: expected at least 1"),
        (["--task.n-trials", "5"], "set n_trials itself"),
        (["--task.n-targets", "5", "--task.cue-sets", "0", "--task.conditions", "1"], "reacher.directions"),
        (["--control-interval-ms", "15"], "whole number of control steps"),
        (
            ["--task.delay-ms", "5"],
            "delay_ms: 5.0 ms is not a whole number of control steps of 10.0 ms",
        ),
        (["--agent", "monkey"], "baseline"),
    ],
)
def test_bad_parameters_give_clear_errors(words: list[str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        configure(SCENARIO, words)


def test_the_command_ends_with_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "delayed-reach", "--network", "larg", "--out", str(tmp_path / "run")])
    assert ended.value.code == 1
    assert "did you mean 'large'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# -- a run ----------------------------------------------------------------------------------------------


def test_every_trial_is_a_row_of_the_recording(run: RunResult, recording: Recording) -> None:
    assert run.status == "complete"
    table = recording.trials()
    assert {"condition", "target", "outcome", "response_onset_ms", "reaction_time_ms"} <= set(table)
    assert set(table["outcome"]) <= set(OUTCOMES)
    phases = recording.phases().query("animal == 0 and phase == 'preparatory'")
    mine = table.query("animal == 0")
    # The preparatory signal comes on when the phase of this name begins.
    np.testing.assert_allclose(phases["start_s"], mine["preparatory_onset_ms"] / 1000.0)
    trials = read_trials(recording)
    assert np.bincount(trials.animal).tolist() == [6, 6]
    for animal in range(2):
        # Every three trials hold each condition once.
        assert np.bincount(trials.condition[trials.animal == animal]).tolist() == [0, 2, 2, 2]
    assert trials.response_ms - trials.preparatory_ms == pytest.approx(1000.0)
    assert trials.decided_right.any()


def test_decisions_are_those_that_sent_the_hand(recording: Recording) -> None:
    trials = read_trials(recording)
    arrived = np.isfinite(trials.movement_ms)
    assert arrived.sum() > 6
    chosen = recording.trials().sort_values(["stop_step", "animal"])["chosen"].to_numpy()
    assert trials.decision[arrived].tolist() == chosen[arrived].tolist()
    assert (trials.decision_ms[arrived] <= trials.reaction_ms[arrived]).all()


def test_roles_of_clusters_are_in_the_currents(recording: Recording) -> None:
    trials = read_trials(recording)
    roles = cluster_roles(recording, trials)
    assert (roles == 2).sum(axis=1).tolist() == [1] * len(trials)
    assert (roles == 1).sum(axis=1).tolist() == (trials.condition - 1).tolist()
    # The cue raises the rate of the clusters that stand for what is cued.
    for cut in cut_trials(recording, trials):
        mine = cut.trials
        of_animal = cluster_roles(recording, mine)
        counts = cut.counts[:, :, 12:30].reshape(len(mine), cut.clusters, -1).mean(axis=2)
        assert counts[of_animal > 0].mean() > 3 * counts[of_animal == 0].mean()


def test_the_summary_counts_what_the_table_holds(run: RunResult, recording: Recording) -> None:
    trials = read_trials(recording)
    found = run.folder.summary["conditions"]
    assert found["all"]["trials"] == 12
    assert found["all"]["decision_correct"]["mean"] == pytest.approx(trials.decided_right.mean())
    three = trials.where(trials.condition == 3)
    assert found["3"]["hand_correct"]["mean"] == pytest.approx(three.reached_right.mean())
    assert (
        sum(found["3"][f"hand_{name}"]["mean"] for name in ("correct", "wrong", "false_start", "time_out"))
        == 1
    )
    assert "right of" in SCENARIO.conclude(run.folder.summary)


@pytest.mark.parametrize(
    ("choice", "figures", "left_out", "lost"),
    [
        (
            ["--recorder.spike-animals", "1"],
            {"clusters", "decoding", "times", "variability"},
            {"cortex of animal 0"},
            [],
        ),
        (
            ["--recorder.spike-populations", "I"],
            {"times"},
            {"cortex"},
            ["variability", "decoding", "clusters"],
        ),
        (["--recorder.stimulus=False"], {"decoding", "times", "variability"}, set(), ["clusters"]),
        (
            ["--recorder.behavior", "reward"],
            {"clusters", "decoding", "times", "variability"},
            {"decision_correct, decision_none, decision_correct_among_cued, decision_ms"},
            ["decisions in figure times"],
        ),
    ],
)
def test_who_records_less_gets_what_is_left_and_is_told_what_is_not(
    choice: list[str],
    figures: set[str],
    left_out: set[str],
    lost: list[str],
    run: RunResult,
    recording: Recording,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = run_scenario(SCENARIO, configure(SCENARIO, [*TINY, *choice]), tmp_path / "run", quiet=True)
    assert result.status == "complete"
    assert {path.stem for path in result.figures} == figures
    told = [line.split(": ")[1].removeprefix("figure ") for line in capsys.readouterr().err.splitlines()]
    assert told == lost
    summary, whole = result.folder.summary, run.folder.summary
    assert set(summary.get("left_out", {})) == left_out
    for label, found in summary["conditions"].items():
        expected = whole["conditions"][label]
        assert found == {name: one for name, one in expected.items() if name in found}
        assert ("decision_correct" in found) == ("reward" not in choice)
    if "cortex of animal 0" in left_out:
        # The cortex of the other one alone, not its mean with an animal without spikes.
        (cut,) = (cut for cut in cut_trials(recording, read_trials(recording)) if cut.trials.animal[0] == 1)
        expected = {str(one): cortex_measures([cut], one) for one in (1, 2, 3)}
        assert expected["1"]["rate_hz_before"] > 1.0
        assert summary["cortex"] == expected
    else:
        assert summary["cortex"] == ({} if "cortex" in left_out else whole["cortex"])


def test_an_agent_without_neurons_solves_the_task(tmp_path: Path) -> None:
    config = configure(SCENARIO, ["--agent", "baseline", "--n-trials", "3"])
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True)
    measured = result.folder.summary["conditions"]["all"]
    assert measured["hand_correct"]["mean"] == 1.0
    assert not [name for name in measured if name.startswith("decision")]  # it makes none
    assert "left_out" not in result.folder.summary
    assert {path.name for path in result.figures} == {"times.png"}


def test_times_of_the_task_are_whole_numbers_of_the_run_s_own_control_interval(tmp_path: Path) -> None:
    words = ["--control-interval-ms", "5", "--task.delay-ms", "5", "--agent", "baseline", "--n-trials", "3"]
    config = configure(SCENARIO, words)
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, draw=False)
    trials = read_trials(open_recording(result.folder.path))
    assert (trials.response_ms - trials.preparatory_ms).tolist() == [1005.0] * 3


def test_the_time_limit_cuts_the_last_trial(tmp_path: Path) -> None:
    config = configure(SCENARIO, ["--minutes", "0.1", "--agent", "baseline"])
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, draw=False)
    recording = open_recording(result.folder.path)
    assert recording.duration_s == 6.0
    assert result.status == "complete"
    assert 1 <= len(read_trials(recording)) <= 2


def test_a_run_without_a_finished_trial_says_so(tmp_path: Path) -> None:
    config = configure(SCENARIO, ["--minutes", "0.01", "--simulator.name", "numba"])
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True)
    assert result.folder.summary["conditions"] == {}
    assert SCENARIO.conclude(result.folder.summary) == "No trial ended."


def test_a_decision_counts_as_long_as_the_agent_says_and_for_its_own_trial() -> None:
    """Four trials of 3 s: decided after 1.5 s, never, after 20 ms, and one more that has not ended."""
    direction, when = np.full((1200, 1), -1), np.full((1200, 1), -1.0)
    for onset_ms, after_ms, target in ((500, 1503.0, 4), (6500, 20.0, 2), (9500, 7.0, 5)):
        first, last = int(onset_ms + after_ms) // 10, onset_ms // 10 + 200
        direction[first:last], when[first:last] = target, after_ms
    columns = {name: np.zeros(3) for name in ("reaction_time_ms", "movement_time_ms")}
    columns |= {name: np.zeros(3, int) for name in ("animal", "condition", "cue_set", "target", "outcome")}
    onsets_ms = np.array([500.0, 3500.0, 6500.0])
    columns["stop_step"] = np.arange(3)
    columns |= {"preparatory_onset_ms": onsets_ms - 400.0, "response_onset_ms": onsets_ms}
    made: Any = SimpleNamespace(
        trials=lambda: pd.DataFrame(columns),
        behavior=xr.Dataset(
            {"decided_direction": (("time", "animal"), direction), "decision_ms": (("time", "animal"), when)}
        ),
        layout=SimpleNamespace(control_interval_ms=10.0),
    )
    trials = read_trials(made)
    assert trials.decision.tolist() == [4, -1, 2]
    assert trials.decision_ms == pytest.approx([1503.0, np.nan, 20.0], nan_ok=True)
    # Without the second trial's neighbor there is no signal in the table that would end the second one.
    made.trials = lambda: pd.DataFrame(columns).iloc[:2]
    assert read_trials(made).decision.tolist() == [4, -1]


# -- counting -------------------------------------------------------------------------------------------


def test_shares_and_medians_of_trials_that_are_known() -> None:
    times_ms = [10.0, np.nan, 30.0, 9.0, 9.0, 50.0]
    trials = trials_of([1, 1, 3, 3, 3, 3], [0, 0, 1, 1, 2, 2], [0, -1, 1, 2, 5, 2], decision_ms=times_ms)
    found = reach_trials.measure_trials([trials], CUED, draws=50)
    assert found["1"]["decision_correct"]["mean"] == 0.5
    assert found["1"]["decision_none"]["mean"] == 0.5
    assert found["3"]["decision_correct"]["mean"] == 0.5
    # One of the four decided for a target that was not cued.
    assert found["3"]["decision_correct_among_cued"]["mean"] == pytest.approx(2 / 3)
    assert found["3"]["decision_ms"]["mean"] == 40.0
    assert found["all"]["decision_ms"]["mean"] == 30.0
    assert found["1"]["decision_correct"]["animals"] == [0.5]
    other = trials_of([1, 1], [0, 3], [0, 0], decision_ms=[10.0, 10.0])
    both = [trials, other]
    assert reach_trials.measure_trials(both, CUED, draws=50)["3"]["decision_correct"]["animals"] == [
        0.5,
        None,
    ]
    shares = by_target(both, {"decision_correct": reach_trials.measures(CUED)["decision_correct"]})
    values = {target: share["decision_correct"]["animals"] for target, share in shares.items()}
    assert values == {"0": [0.5, 1.0], "1": [0.5, None], "2": [0.5, None], "3": [None, 0.0]}


def test_median_and_mean_leave_nan_out() -> None:
    values = np.array([[1.0, np.nan, 5.0], [np.nan, np.nan, np.nan], [3.0, 1.0, 2.0]])
    assert np.array_equal(median(values), [3.0, np.nan, 2.0], equal_nan=True)
    assert np.array_equal(mean(values), [3.0, np.nan, 2.0], equal_nan=True)
    assert np.isnan(median(np.empty(0)))


def test_the_bootstrap_has_the_spread_of_a_share() -> None:
    """One group: the standard deviation of a share is √(p (1 − p)/n)."""
    trials = trials_of([1] * 100, [0] * 100, [0] * 80 + [1] * 20)
    drawn = draws_of([trials], measures(CUED), draws=4000)["1"]["decision_correct"]
    assert drawn.mean() == pytest.approx(0.8, abs=0.005)
    assert drawn.std() == pytest.approx(0.04, rel=0.06)


def test_the_bootstrap_draws_wirings_too() -> None:
    """Wirings that are all right or all wrong: the share has the spread of wirings, trials add none."""
    groups = [trials_of([1] * 50, [0] * 50, [decision] * 50) for decision in (0, 0, 1, 1)]
    drawn = draws_of(groups, measures(CUED), draws=4000)["1"]["decision_correct"]
    assert drawn.std() == pytest.approx(np.sqrt(0.25 / 4), rel=0.06)
    assert set(np.unique(drawn)) == {0.0, 0.25, 0.5, 0.75, 1.0}
    interval = estimate(0.5, drawn)
    assert (interval["low"], interval["high"]) == (0.0, 1.0)
