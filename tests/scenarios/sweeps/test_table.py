"""The table of a sweep: a row a task, readable at any time by xarray and pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray
from places import HELPERS

from ethospike.errors import RunFolderError
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.sweeps.folder import Plan, Sweep
from ethospike.scenarios.sweeps.points import grid
from ethospike.scenarios.sweeps.table import SweepTable, open_table
from ethospike.scenarios.sweeps.task import run_task

TOY = str(HELPERS / "sweep_scenario.py")


def make(path: Path, *axes: str, n_seeds: int = 1) -> Sweep:
    toy = find_scenario(TOY)
    return Sweep.create(path, toy, configure(toy), Plan(grid(toy, axes), n_seeds))


def test_rows_are_written_as_results_come_in(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2,3", "details.mode=plain,raise", n_seeds=2)
    table = SweepTable(sweep)
    for number in (5, 2):
        table.add([run_task(sweep.path, number)])
    seen = xarray.open_zarr(sweep.path / "table.zarr", consolidated=False)
    assert seen["status"].values.tolist() == [0, 0, 2, 0, 0, 1, 0, 0]
    assert seen["status"].attrs["flag_meanings"] == ["waiting", "done", "failed"]
    assert seen["x"].values.tolist() == [2, 2, 2, 2, 3, 3, 3, 3]
    assert seen["seed"].values.tolist() == [1, 2] * 4
    assert seen["noisy"].values[5] == 3.002
    assert np.isnan(np.delete(seen["noisy"].values, 5)).all()
    frame = open_table(sweep.path).to_dataframe()
    assert frame["details.mode"].tolist() == ["plain", "plain", "raise", "raise"] * 2
    assert frame["status"].tolist()[2] == "failed"


def test_a_table_made_again_is_the_same(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2,3")
    table = SweepTable(sweep)
    for task in reversed(sweep.tasks()):
        table.add([run_task(sweep.path, task.number)])
    written = open_table(sweep.path)
    SweepTable(sweep)
    assert written.identical(open_table(sweep.path))
    assert written["product.mean"].values.tolist() == [2.0, 3.0]


def test_a_table_grows_with_its_sweep(tmp_path: Path) -> None:
    sweep = make(tmp_path / "sweep", "x=2,3")
    table = SweepTable(sweep)
    table.add([run_task(sweep.path, 1)])
    sweep.add_points([{"x": 4.0}])
    table.grow()
    table.add([run_task(sweep.path, 2)])
    seen = open_table(sweep.path)
    assert seen["x"].values.tolist() == [2, 3, 4]
    assert np.array_equal(seen["product.mean"].values, [np.nan, 3, 4], equal_nan=True)


@pytest.mark.parametrize("seed", [2**63 - 2, 2**64, 2**127 + 1])
def test_seeds_of_any_size(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 2**63 on, the sweep ended in an OverflowError and left a folder."""
    toy = find_scenario(TOY)
    config = configure(toy, ["--seed", str(seed), "--log", str(tmp_path / "log")])
    plan = Plan(grid(toy, ["x=2,3"]), n_seeds=3)
    sweep = Sweep.create(tmp_path / "sweep", toy, config, plan)
    table = SweepTable(sweep)
    table.add([run_task(sweep.path, number) for number in range(6)])
    again = Sweep.open(sweep.path)
    SweepTable(again)  # as `collect` and `resume` do
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (str(sweep.path), "~/sweep", sweep.path):
        opened = open_table(path)
        assert [int(value) for value in opened["seed"].values] == [seed, seed + 1, seed + 2] * 2
    lines = [line.split() for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert [float(x) for _, x in lines] == [2, 2, 2, 3, 3, 3]
    assert [int(one) for one, _ in lines] == [seed, seed + 1, seed + 2] * 2
    assert (opened["status"].values == "done").all()


def test_commands_take_seeds_of_any_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed, out = 2**63, str(tmp_path / "sweep")
    main(["sweep", TOY, "--seed", str(seed), "--seeds", "2", "--grid", "x=2,3", "--out", out, "--prepare"])
    main(["task", out, "0"])
    main(["collect", out])
    assert open_table(out)["status"].values.tolist().count("done") == 1
    main(["resume", out, "--workers", "1", "--quiet"])
    main(["show", out])
    assert "4 of 4 tasks finished" in capsys.readouterr().out
    opened = open_table(out)
    assert opened["seed"].values.tolist() == [seed, seed + 1] * 2
    assert (opened["status"].values == "done").all()


def test_a_folder_without_a_table_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"has no table\.zarr: expected the folder of a sweep"):
        open_table(str(tmp_path))


def test_a_sweep_that_cannot_be_made_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = find_scenario(TOY)
    monkeypatch.setattr("ethospike.scenarios.sweeps.folder.provenance", lambda: {"not JSON": object()})
    with pytest.raises(TypeError):
        Sweep.create(tmp_path / "sweep", toy, configure(toy), Plan(grid(toy, ["x=2,3"])))
    assert not (tmp_path / "sweep").exists()
