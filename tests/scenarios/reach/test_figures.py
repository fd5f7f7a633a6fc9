"""Courses and figures of a reach whose spikes are known, and the tables of its validation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from ethospike.agents.reacher import first_crossing
from ethospike.brains.circuits.clustered_cortex import parameter_set
from ethospike.errors import ScenarioError
from ethospike.recorders.recorder import PopulationLayout
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.analysis.spike_statistics import AlignedSpikes
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reach import figures as reach_figures
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.courses import BASELINE_MS, CUT_MS, PREPARED_MS, CutTrials, sample_of
from ethospike.scenarios.reach.measures import cortex_measures
from ethospike.scenarios.reach.scenario import SCENARIO
from ethospike.scenarios.reach.trials import Trials, read_trials
from ethospike.scenarios.run.runner import run_scenario
from ethospike.scenarios.validation.reach import comparison as reach_validation
from ethospike.scenarios.validation.reach import experiments as reach_experiments


def known_trials(n: int = 120, targets: int = 6) -> Trials:
    """Return trials of condition 1, targets in turn."""
    zeros, nothing = np.zeros(n, int), np.zeros(n)
    target = np.arange(n) % targets
    times = (nothing, nothing + 1000.0, nothing, nothing)
    return Trials(zeros, zeros + 1, target, target, zeros, *times, target, nothing)


def poisson_cut(rate_before: float, rate_cued: float, seed: int = 0, n: int = 120) -> CutTrials:
    """Return Poisson neurons, five a cluster: the target's cluster changes its rate at the signal."""
    rng, trials, spikes = np.random.default_rng(seed), known_trials(n), []
    for trial, target in enumerate(trials.target):
        for neuron in range(30):
            after = rate_cued if neuron // 5 == target else rate_before
            times = [rng.uniform(a, b, rng.poisson(rate * (b - a) / 1000.0))
                     for a, b, rate in ((CUT_MS[0], 0.0, rate_before), (0.0, CUT_MS[1], after))]  # fmt: skip
            spikes += [(time, trial, neuron) for time in np.sort(np.concatenate(times))]
    time, trial, neuron = (np.array(column) for column in zip(*spikes, strict=True))
    return CutTrials(trials, AlignedSpikes(time, trial, neuron), 30, 6)


@pytest.fixture(scope="module")
def cut() -> CutTrials:
    return poisson_cut(10.0, 60.0)


def test_poisson_neurons_have_their_rate_and_a_fano_factor_of_one(cut: CutTrials) -> None:
    assert cut.value_at(cut.rate_hz(1), BASELINE_MS) == pytest.approx(10.0, rel=0.05)
    # One of six clusters has 60 Hz: (60 + 5 · 10)/6.
    assert cut.value_at(cut.rate_hz(1), PREPARED_MS) == pytest.approx(18.33, rel=0.05)
    # The estimate of n = 20 trials without Bessel's correction is (n − 1)/n.
    assert cut.value_at(cut.fano(1), BASELINE_MS) == pytest.approx(0.95, abs=0.06)
    assert cut.value_at(cut.fano(1), PREPARED_MS) == pytest.approx(0.95, abs=0.06)


def test_the_direction_is_read_when_it_is_there(cut: CutTrials) -> None:
    before, after = cut.decoding(1, np.array([BASELINE_MS, PREPARED_MS]))
    assert before < 0.35  # a guess is 1/6
    assert after > 0.95
    found = cortex_measures([cut], 1)
    assert found["decoding_prepared"] == pytest.approx(after)
    assert found["fano_change"] == pytest.approx(0.0, abs=0.1)
    # The condition that did not occur cannot be told about.
    assert cortex_measures([cut], 3)["decoding_prepared"] is None


def test_the_sample_is_even_over_clusters() -> None:
    index, n = sample_of(PopulationLayout("E", 10, 20_000, 20))
    assert n == 1200
    assert (index[:10] == -1).all()
    kept = np.flatnonzero(index >= 0) - 10
    assert np.bincount(kept // 1000).tolist() == [60] * 20
    assert np.array_equal(index[kept + 10], np.arange(1200))


def test_figures_of_known_spikes_show_them(cut: CutTrials) -> None:
    figure = reach_figures.draw_variability([cut, cut], DelayedReachConfig())
    assert [axis.get_ylabel() for axis in figure.axes] == ["mean rate of a neuron (Hz)", "Fano factor", "CV2"]
    rates = figure.axes[0].lines[-1].get_ydata()
    assert np.max(rates) == pytest.approx(18.33, rel=0.05)
    decoding = reach_figures.draw_decoding([cut], DelayedReachConfig()).axes[0].lines[0]
    assert np.nanmax(decoding.get_ydata()) > 0.95
    assert decoding.get_label() == "1 cued (120 trials)"


def test_a_condition_with_too_few_trials_says_so_beside_its_name(cut: CutTrials) -> None:
    few = dataclasses.replace(cut, trials=dataclasses.replace(
        cut.trials, condition=np.where(np.arange(len(cut.trials)) < 3, 2, 1)
    ))  # fmt: skip
    axis = reach_figures.draw_decoding([few], DelayedReachConfig()).axes[0]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["1 cued (117 trials)", "2 cued (3 trials): needs 5 of every direction"]


def test_a_recorded_reach_is_drawn(tmp_path: Path) -> None:
    config = configure(SCENARIO, ["--n-trials", "4", "--simulator.name", "numba"])
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True)
    names = {path.name for path in result.figures}
    assert names == {"clusters.png", "decoding.png", "times.png", "variability.png"}
    assert all(path.stat().st_size > 10_000 for path in result.figures)
    # Each panel says how many trials its curves are the mean of.
    recording = open_recording(result.folder.path)
    trials = read_trials(recording)
    figure = reach_figures.draw_clusters(recording, trials, config)
    assert figure is not None
    whole = trials.preparatory_ms + CUT_MS[1] <= recording.duration_s * 1000.0
    counts = [int((whole & (trials.condition == one)).sum()) for one in (1, 2, 3)]
    assert sum(counts) > 1
    assert [axis.get_title() for axis in figure.axes[3:]] == [
        f"mean of {n} {'trial' if n == 1 else 'trials'}" for n in counts
    ]
    before = {path: path.read_bytes() for path in result.figures}
    again = reach_figures.draw_all(open_recording(result.folder.path), config, result.folder.figures)
    assert {path: path.read_bytes() for path in again} == before


# -- the validation -------------------------------------------------------------------------------------

TINY = reach_experiments.Settings(wirings=2, trials=2, rest_minutes=0.25, draws=50, fano_draws=2)


def test_the_validation_writes_tables_with_what_was_published(tmp_path: Path) -> None:
    table = reach_validation.validate(tmp_path / "v", TINY, ["reach"])
    text = table.read_text()
    assert "159 (monkey 144)" in text
    assert "| 0.87 |" in text
    found = json.loads((tmp_path / "v.json").read_text())["reach"]["found"]
    assert found["conditions"]["all"]["trials"] == 12
    # Decisions repeated from the spikes are those that the agent made, where both look at the same trials.
    assert found["thresholds"]["rows"]["0.87"]["1"]["correct"] >= 0.5
    assert set(found["thresholds"]["best"]) == {"precision", "recall"}
    assert found["selected"]["1"]["pairs"]["mean"] == 0.0  # two trials of a condition are too few to select
    with pytest.raises(ScenarioError, match="no part 'nonsense'"):
        reach_validation.validate(tmp_path / "v", TINY, ["reach", "nonsense"])


def test_simulators_agree_within_five_percent_or_where_zero_is_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach_validation, "is_installed", lambda name: name in ("nest", "numba"))

    seeds = {
        "nest": [{"near": 100.0, "far": 10.0, "wide": 1.0}, {"near": 101.0, "far": 10.1, "wide": 9.0}],
        "numba": [{"near": 104.0, "far": 20.0, "wide": 2.0}, {"near": 105.0, "far": 20.1, "wide": 10.0}],
    }
    found = reach_validation.compare_simulators(seeds.__getitem__)
    assert found["simulators"]["nest"]["near"] == {"animals": [100.0, 101.0], "mean": 100.5}
    near, far, wide = (found["differences"][f"numba − nest: {name}"] for name in ("near", "far", "wide"))
    assert near["low"] > 0.0  # the interval excludes zero, but 4 % are near enough
    assert far["relative"] == pytest.approx(1.0, rel=0.01)
    assert wide["relative"] > 0.05
    assert (near["agree"], far["agree"], wide["agree"]) == (True, False, True)


@pytest.mark.simulator("nest")
def test_simulators_are_compared_by_runs_of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `reach` in place of `large`, whose synapses take NEST half a minute and 7 GB."""
    monkeypatch.setattr(reach_validation, "is_installed", lambda name: name in ("nest", "numba"))
    monkeypatch.setattr(reach_validation, "parameter_set", lambda name: parameter_set("reach"))
    tiny = dataclasses.replace(TINY, large_seeds=2, large_seed_trials=1)
    found = reach_validation.simulators_large(tiny)
    for measures in found["simulators"].values():
        assert {len(one["animals"]) for one in measures.values()} == {2}
        assert 3.0 < measures["rate_E_hz"]["mean"] < 7.0  # 4.5 Hz in docs/validation_cortex.md
        assert 0.5 < measures["cv2"]["mean"] < 1.2
        assert measures["fano"]["mean"] > 1.0
    json.dumps(found, allow_nan=False)


def test_the_bootstrapped_change_of_the_fano_factor_is_that_of_the_course() -> None:
    one = poisson_cut(10.0, 60.0, n=360)
    one = dataclasses.replace(
        one, trials=dataclasses.replace(one.trials, condition=1 + np.arange(360) // 6 % 3)
    )
    found = reach_experiments.fano_changes([one, one], draws=20)
    for condition in (1, 2, 3):
        course = one.fano(condition)
        expected = one.value_at(course, PREPARED_MS) - one.value_at(course, BASELINE_MS)
        assert expected != 0.0
        assert found[str(condition)]["mean"] == pytest.approx(expected, rel=1e-9)
    assert found["1 − 2"]["low"] < found["1 − 2"]["mean"] < found["1 − 2"]["high"]


def test_decisions_repeated_from_spikes_are_the_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    first, one = reach_experiments.reach(TINY, parameter_set("reach"), 3, wirings=2)
    assert set(first.trials.animal) == {0}
    assert set(one.trials.animal) == {1}
    assert first.rate_hz != one.rate_hz
    winner, when = first_crossing(reach_experiments.race(one), 0.87)
    trials = one.cut.trials
    assert len(trials) >= 7
    assert (winner == trials.target).tolist() == trials.decided_right.tolist()
    decided = winner >= 0
    assert decided.tolist() == (trials.decision >= 0).tolist()
    assert when[decided].tolist() == trials.decision_ms[decided].tolist()
    # Where nobody ever leads, nothing is decided: the median of nothing is no number in the file either.
    monkeypatch.setattr(reach_experiments, "race", lambda one: np.full((len(one.cut.trials), 6, 9), 1 / 6))
    rows = reach_experiments.thresholds([first, one])
    assert rows["rows"]["0.87"]["2"] == {"correct": 0.0, "none": 1.0, "median_ms": None}
    json.dumps(rows, allow_nan=False)
