"""Tasks of a sweep as one model: the same results as one by one, and none is lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import separate_batch

from ethospike.brains.numba.simulator import NumbaSimulator
from ethospike.brains.simulator import SIMULATORS, SimulatorSettings
from ethospike.errors import ScenarioError
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.rest.scenario import SCENARIO
from ethospike.scenarios.sweeps.batches import BATCH, batches
from ethospike.scenarios.sweeps.folder import Plan, Sweep
from ethospike.scenarios.sweeps.points import grid
from ethospike.scenarios.sweeps.task import run_tasks

pytestmark = pytest.mark.simulator("numba")
SMALL = ["--cortex.n-e", "120", "--cortex.n-i", "30", "--cortex.clusters", "3", "--cortex.j-plus", "2"]


@pytest.fixture(autouse=True)
def batches_on_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = dataclasses.replace(SIMULATORS["numba"], batch="separate_batch:SeparateBatch")
    monkeypatch.setitem(SIMULATORS, "numba", entry)
    monkeypatch.setattr(NumbaSimulator, "runs_batches", classmethod(lambda cls, settings: True))
    separate_batch.opened.clear()


def make(path: Path, *axes: str, seeds: int = 1, words: tuple[str, ...] = ()) -> Sweep:
    config = configure(SCENARIO, [*SMALL, "--minutes", "0.01", "--control-interval-ms", "50", *words])
    return Sweep.create(path, SCENARIO, config, Plan(grid(SCENARIO, axes), seeds))


def run(sweep: Sweep, size: int = 0) -> list[dict[str, Any]]:
    groups = batches(sweep, sweep.tasks(), size)
    results = [r for group in groups for r in run_tasks(sweep.path, [task.number for task in group])]
    return sorted(results, key=lambda result: result["number"])


def test_tasks_of_a_batch_have_the_results_of_tasks_by_themselves(tmp_path: Path) -> None:
    axes = ("cortex.I_th_E=1.3,2.0", "cortex.j_plus=1.5,2.0")
    alone = run(make(tmp_path / "alone", *axes, seeds=2), size=1)
    assert separate_batch.opened == []
    together = run(make(tmp_path / "together", *axes, seeds=2))
    assert separate_batch.opened == [4, 4], "one model for each seed"
    assert [r["measures"] for r in together] == [r["measures"] for r in alone]
    assert [r["status"] for r in alone] == ["done"] * 8
    rates = [r["measures"]["rate_hz.E"] for r in alone]
    assert min(rates) > 0.5
    assert len(set(rates)) == 8


def test_a_finished_task_is_not_run_again_and_others_go_on(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "cortex.I_th_E=1.3,1.6,2.0")
    list(run_tasks(sweep.path, [1]))
    before = (sweep.folder(1) / "result.json").stat().st_mtime_ns
    assert [result["status"] for result in run(sweep)] == ["done"] * 3
    assert separate_batch.opened == [2]
    assert (sweep.folder(1) / "result.json").stat().st_mtime_ns == before


def test_points_that_share_no_wiring_or_are_wrong_are_run_by_themselves(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "cortex.p_ee=0.2,0.3,7", "cortex.I_th_E=1.3,1.6")
    results = run(sweep)
    assert separate_batch.opened == [2, 2], "two models, one after the other"
    assert [result["status"] for result in results] == ["done"] * 4 + ["failed"] * 2
    assert all("p_ee" in result["error"] for result in results[4:])


def test_a_model_that_fails_does_not_fail_its_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, n_steps: int, stimulus: Any) -> None:
        raise FloatingPointError("broken")

    monkeypatch.setattr(separate_batch.SeparateBatch, "_run", broken)
    results = run(make(tmp_path / "sweep", "cortex.I_th_E=1.3,1.6"))
    assert [result["status"] for result in results] == ["done"] * 2


def test_groups_have_one_seed_and_at_most_the_size(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "cortex.I_th_E=1:2:50", seeds=2)
    groups = batches(sweep, sweep.tasks())
    assert [len(group) for group in groups] == [BATCH, BATCH, 10, 10]
    assert all(len({task.seed for task in group}) == 1 for group in groups)
    assert sorted(task.number for group in groups for task in group) == list(range(100))
    assert {len(group) for group in batches(sweep, sweep.tasks(), 7)} == {7, 1}
    with pytest.raises(ScenarioError, match="batch: expected at least 1"):
        batches(sweep, sweep.tasks(), -1)
    assert batches(sweep, []) == []


@pytest.mark.simulator("genn")
def test_the_simulators_here_run_no_batches_on_a_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    for words in (
        ("--simulator.name", "genn", "--simulator.genn-backend", "cpu"),
        ("--simulator.name", "nest"),
    ):
        sweep = make(tmp_path / words[1], "cortex.I_th_E=1:2:3", words=words)
        assert [len(group) for group in batches(sweep, sweep.tasks())] == [1, 1, 1]
    assert SimulatorSettings().name == find_scenario("cortex-rest").config().simulator.name
