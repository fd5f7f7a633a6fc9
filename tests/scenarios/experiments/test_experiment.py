"""Experiments: their files, their folders, killed ones, references between groups, and runs compared."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from group_scenario import own
from places import HELPERS, PATIENCE_S

from ethospike.errors import ScenarioError
from ethospike.scenarios.command.app import main
from ethospike.scenarios.experiments import Experiment, find_experiment
from ethospike.scenarios.experiments.results import finish, results_of
from ethospike.scenarios.odor.conditioning import SCENARIO as CONDITIONING
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.sweeps.folder import Sweep
from ethospike.scenarios.sweeps.task import run_task

FILE = f"""
scenario = "{HELPERS / "group_scenario.py"}"
animals = 6
seeds = 2
measures = ["moved"]
correction = "holm"

[config]
x = 1.0

[groups.plain]
[groups.moved]
x = 3.0
[groups.nested]
"details.y" = 2.0
"""
TABLES = ("animals.csv", "comparisons.csv", "comparison.md")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def prepared(file: Path, out: Path) -> Sweep:
    main(["experiment", str(file), "--out", str(out), "--prepare"])
    return Sweep.open(out)


def run_all(sweep: Sweep) -> Sweep:
    for tasks in sweep.in_order(sweep.waiting()):
        for task in tasks:
            run_task(sweep.path, task.number)
    return sweep


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of three groups and two seeds, run in this process."""
    folder = tmp_path_factory.mktemp("experiments")
    (folder / "experiment.toml").write_text(FILE, encoding="utf-8")
    finish(run_all(prepared(folder / "experiment.toml", folder / "out")))
    return folder / "out"


def test_an_experiment_is_a_sweep_with_a_point_for_each_group(undisturbed: Path) -> None:
    sweep = Sweep.open(undisturbed)
    assert sweep.groups == ["plain", "moved", "nested"]
    assert sweep.points == [
        {"arm": "intact", "x": 1.0, "details.y": 1.0},
        {"arm": "intact", "x": 3.0, "details.y": 1.0},
        {"arm": "intact", "x": 1.0, "details.y": 2.0},
    ]
    assert len(sweep.tasks()) == 6
    assert sweep.experiment is not None
    assert sweep.experiment["comparisons"] == [["moved", "plain"], ["nested", "plain"]]


def test_the_tables_hold_animals_and_differences(undisturbed: Path) -> None:
    """x moves an animal by 2 · (1 + own / 10); if all 12 rise, two of 2¹² signs are as extreme."""
    animals = pd.read_csv(undisturbed / "animals.csv")
    assert len(animals) == 3 * 2 * 6
    natural = np.array([own(seed, animal) for seed in (1, 2) for animal in range(6)])
    np.testing.assert_allclose(animals.moved[animals.group == "plain"], natural * 1.1 + 1.0)
    comparisons = pd.read_csv(undisturbed / "comparisons.csv")
    assert comparisons.group.tolist() == ["moved", "nested"]
    moved, nested = comparisons.itertuples()
    assert moved.difference == pytest.approx(np.mean(2.0 * (1.0 + natural / 10.0)))
    assert moved.low < moved.difference < moved.high
    assert moved.p == pytest.approx(2 / 2**12)
    assert moved.p_corrected == pytest.approx(2 * moved.p)
    assert (nested.difference, nested.p) == (0.0, 1.0)
    assert "| moved |" in (undisturbed / "comparison.md").read_text(encoding="utf-8")
    assert (undisturbed / "figures" / "groups.png").stat().st_size > 10_000


def test_show_and_plot_give_the_comparison(undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(undisturbed), "--json"])
    assert '"hedges_g"' in capsys.readouterr().out
    main(["plot", str(undisturbed)])
    assert "groups.png" in capsys.readouterr().out


def kill_all(process: subprocess.Popen[bytes]) -> None:
    for member in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def test_a_killed_experiment_ends_with_the_same_tables(undisturbed: Path, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-m", "ethospike.scenarios", "experiment", str(file), "--out", str(out)]
    process = subprocess.Popen(
        [*words, "--quiet", "--wait-s", "0.6", "--workers", "1"], start_new_session=True
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not list(out.glob("tasks/*/result.json")):
            assert process.poll() is None, "the experiment ended before it could be killed"
            assert time.monotonic() < deadline, "the experiment does not get on"
            time.sleep(0.02)
    finally:
        kill_all(process)
    assert Sweep.open(out).waiting()
    assert not (out / "animals.csv").exists()
    main(["resume", str(out), "--quiet", "--workers", "1"])
    for name in TABLES:
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()


def test_tables_tell_of_tasks_that_wait(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = prepared(file, tmp_path / "out")
    assert "tasks 0 … 5" in capsys.readouterr().out
    with pytest.raises(ScenarioError, match="no task is finished"):
        results_of(sweep)
    run_task(sweep.path, 0)
    run_task(sweep.path, 2)
    main(["show", str(sweep.path)])
    assert "4 of 6 tasks are not finished" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[groups.moved]", "[groups.moved]\nz = 1", "group 'moved': groups has no field 'z'"),
        ("x = 3.0", "x = -3.0", "group 'moved': x: expected at least 0"),
        ("x = 3.0", 'arm = "freez"', "group 'moved': no arm 'freez'; did you mean 'freeze'"),
        ("x = 3.0", "seed = 2", "seed: use"),
        ("x = 1.0", "y = 1.0", "config: unknown key 'y'"),
        ("seeds = 2", "seeds = 0", "seeds: expected at least 1, got 0"),
        ("seeds = 2", "sedes = 2", "unknown key 'sedes'; did you mean 'seeds'"),
        ("seeds = 2", 'control = "plane"', "no group 'plane'; did you mean 'plain'"),
        ("seeds = 2", 'comparisons = [["moved"]]', "comparisons: expected 2 values, got 1"),
        ("seeds = 2", 'comparisons = [["moved", "moved"]]', "two different groups"),
        ('correction = "holm"', 'correction = "hollow"', "correction: unknown 'hollow'"),
        ("scenario =", "scene =", "unknown key 'scene'"),
        ("[groups.nested]", "[groups.'a/b']", "expected a name without / and =, got 'a/b'"),
        ("animals = 6", "animals = 0", "animals: expected at least 1"),
        ("[config]", "[config", "is not TOML"),
        ("x = 3.0", 'arm = "yoked reward group:plane"', "refers to group 'plane'; did you mean 'plain'"),
        ("x = 3.0", 'arm = "yoked reward group:moved"', "the arms of 'moved' refer to each other"),
    ],
)
def test_mistakes_in_a_file_are_one_line(
    old: str, new: str, message: str, file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert old in FILE
    file.write_text(FILE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["experiment", str(file), "--out", str(tmp_path / "out"), "--quiet"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ethospike: ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_unknown_measures_are_named_when_the_runs_are_safe(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE.replace('"moved"', '"mvoed"'), encoding="utf-8")
    sweep = run_all(prepared(file, tmp_path / "out"))
    main(["collect", str(sweep.path)])
    error = capsys.readouterr().err
    assert "no measure 'mvoed' of single animals; did you mean 'moved'" in error
    main(["compare", str(sweep.path), "--measures", "mo*", "--control", "nested", "--correction", "none"])
    shown = capsys.readouterr().out
    assert "nested" in shown
    assert "mirrored" not in shown


def test_an_experiment_of_a_python_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from ethospike.scenarios.experiments import Experiment\n"
        "EXPERIMENT = Experiment('cortex-rest', {'a': {}, 'b': {'cortex': {'j_plus': 3.0}}}, animals=2)\n",
        encoding="utf-8",
    )
    described = find_experiment(file)
    scenario = find_scenario(described.scenario)
    plan = described.plan(scenario, described.shared_config(scenario))
    assert [point["cortex.j_plus"] for point in plan.points][1] == 3.0
    file.write_text("EXPERIMENT = 1\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="defines no EXPERIMENT"):
        find_experiment(file)


SHORT: dict[str, Any] = {"cycles": 1, "odor_s": 3.0, "blank_s": 3.0, "gap_s": 1.0, "test_s": 2.0}


def test_a_group_is_yoked_to_another_of_the_experiment(tmp_path: Path) -> None:
    """Groups in an order in which the partner comes last; its runs are kept, those of others are not."""
    experiment = Experiment(
        "odor-conditioning",
        {
            "intact": {},
            "yoked reward": {"arm": "yoked reward 'group:not paired'"},
            "not paired": {"group": "unpaired"},
            "small brain": {"preset": "published"},
        },
        config=SHORT,
        animals=3,
    )
    shared = experiment.shared_config(CONDITIONING)
    sweep = Sweep.create(tmp_path / "out", CONDITIONING, shared, experiment.plan(CONDITIONING, shared))
    assert [[task.number for task in stage] for stage in sweep.in_order(sweep.tasks())] == [[0, 2, 3], [1]]
    run_all(sweep)
    results = [sweep.result(number) for number in range(4)]
    assert all(result is not None and result["status"] == "done" for result in results), results
    assert [(sweep.folder(number) / "run").exists() for number in range(4)] == [False, False, True, False]
    measures = (results[1] or {})["measures"]
    assert measures["arms.yoked reward 'group:not paired'.equal_to_partner"] == 1.0
    assert str(tmp_path) not in str(measures)
    assert sweep.points[3]["brain.baseline_hz"] == 185.0
    finish(sweep)
    assert len(pd.read_csv(sweep.path / "animals.csv")) == 12


def test_runs_that_exist_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = str(HELPERS / "group_scenario.py")
    for name, seed, x in (("plain", 1, 1), ("moved", 1, 3), ("other", 2, 3)):
        words = ["--animals", "4", "--seed", str(seed), "--x", str(x), "--quiet", "--no-report"]
        main(["run", scenario, *words, "--out", str(tmp_path / name)])
    plain, moved, other = (str(tmp_path / name) for name in ("plain", "moved", "other"))
    capsys.readouterr()
    main(["compare", plain, f"up={moved}", "--measures", "moved", "--out", str(tmp_path / "compared")])
    assert "up" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "compared" / "comparisons.csv")
    natural = np.array([own(1, animal) for animal in range(4)])
    assert table.difference.item() == pytest.approx(np.mean(2.0 * (1.0 + natural / 10.0)))
    assert table.group.item() == "up"
    assert (tmp_path / "compared" / "groups.png").exists()
    main(["compare", f"a={plain}", f"b={other}", "--unpaired", "--measures", "moved"])
    for words, message in (
        ([f"a={plain}", f"b={other}"], "have no seed in common"),
        ([plain], "at least two groups, got plain"),
        ([plain, plain], "two runs are called 'plain'"),
        ([f"a={plain}", f"a={plain}", moved], "two runs of seed 1"),
        ([plain, str(tmp_path / "absent")], "is not a run"),
        ([plain, moved, "--control", "movd"], "did you mean 'moved'"),
        ([plain, moved, "--measures", "mved"], "did you mean 'moved'"),
        ([plain, moved, "--correction", "holms"], "did you mean 'holm'"),
        ([plain, moved, "--out", plain], "exists already"),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(["compare", *words])
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
