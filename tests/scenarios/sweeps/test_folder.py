"""The folder that keeps a sweep: its points, its tasks, and who may run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from places import HELPERS

from ethospike.errors import RunFolderError, ScenarioError
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.scenario import Scenario
from ethospike.scenarios.sweeps.folder import Plan, Sweep
from ethospike.scenarios.sweeps.points import grid

TOY = str(HELPERS / "sweep_scenario.py")


@pytest.fixture(scope="module")
def toy() -> Scenario:
    return find_scenario(TOY)


def test_a_sweep_is_found_again_as_it_was_made(toy: Scenario, tmp_path: Path) -> None:
    config = configure(toy, ["--seed", "7", "--details.y", "3"])
    made = Sweep.create(tmp_path / "sweep", toy, config, Plan(grid(toy, ["x=1,2,3"]), n_seeds=2))
    opened = Sweep.open(tmp_path / "sweep")
    assert opened.points == made.points == [{"x": 1}, {"x": 2}, {"x": 3}]
    tasks = opened.tasks()
    assert [(task.point, task.seed) for task in tasks] == [(0, 7), (1, 7), (2, 7), (0, 8), (1, 8), (2, 8)]
    assert len({task.number for task in tasks}) == 6
    of_last = opened.config(tasks[-1])
    assert (of_last.seed, of_last.x, of_last.details.y) == (8, 3.0, 3.0)  # type: ignore[attr-defined]
    assert of_last.recorder.writer == "inline"
    manifest = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert manifest["scenario_file"] == TOY
    assert manifest["versions"]["ethospike"]


def test_a_folder_is_not_used_twice_nor_run_by_two(toy: Scenario, tmp_path: Path) -> None:
    made = Sweep.create(tmp_path / "sweep", toy, configure(toy), Plan([{"x": 1}]))
    with pytest.raises(RunFolderError, match="exists already"):
        Sweep.create(tmp_path / "sweep", toy, configure(toy), Plan([{"x": 1}]))
    with (
        made.writing(),
        pytest.raises(RunFolderError, match="being written by another"),
        Sweep.open(made.path).writing(),
    ):
        pass
    with pytest.raises(RunFolderError, match="not a sweep"):
        Sweep.open(tmp_path)


def test_plans_that_cannot_be_run() -> None:
    with pytest.raises(ScenarioError, match="seeds"):
        Plan([{"x": 1}], n_seeds=0)
    with pytest.raises(ScenarioError, match="expected the keys x"):
        Plan([{"x": 1}, {"y": 1}])


def test_paths_lead_there_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a cluster begin in folders of their own."""
    preference = find_scenario("odor-preference")
    monkeypatch.chdir(tmp_path)
    points = grid(preference, ["memory=runs/x,runs/y", "test_s=60"])
    base = configure(preference, ["--memory", "runs/z"])
    swept = Sweep.create(tmp_path / "sweep", preference, base, Plan(points))
    monkeypatch.chdir("/")
    memories = [swept.config(task).memory for task in swept.tasks()]  # type: ignore[attr-defined]
    assert memories == [tmp_path / "runs" / name for name in "xy"]
    assert swept.base_config.memory == tmp_path / "runs" / "z"  # type: ignore[attr-defined]
