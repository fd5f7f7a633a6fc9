"""Pages of sweeps and experiments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pages import EVIL, TAGS, Page
from sweep_scenario import SCENARIO, ToyConfig

from ethospike.scenarios.report.sweep import sweep_page
from ethospike.scenarios.sweeps.folder import MANIFEST, Plan, Sweep

POINTS = [{"x": float(x), "details.mode": mode} for x in (1, 2) for mode in ("plain", EVIL)]


def sweep_folder(path: Path, points: list[dict[str, Any]] = POINTS, **more: Any) -> Sweep:
    """A sweep with made results: task t has the value t, and the last task failed."""
    sweep = Sweep.create(path, SCENARIO, ToyConfig(x=3.0), Plan(points, n_seeds=2))
    manifest = json.loads((path / MANIFEST).read_text()) | more
    (path / MANIFEST).write_text(json.dumps(manifest))
    for task in sweep.tasks():
        failed = task.number == len(points) * 2 - 1
        measures = {} if failed else {"value.mean": task.number, "value.low": 0.0, EVIL: None}
        result = {
            "number": task.number,
            "point": task.point,
            "seed": task.seed,
            "status": "failed" if failed else "done",
            "measures": measures,
            "error": EVIL if failed else None,
            "animals": {"value": [task.number, task.number + 1.0]},
        }
        sweep.folder(task.number).mkdir()
        (sweep.folder(task.number) / "result.json").write_text(json.dumps(result))
    return Sweep.open(path)


def test_a_sweep_has_a_sortable_table_of_its_tasks_and_its_failures(tmp_path: Path) -> None:
    text = sweep_page(sweep_folder(tmp_path / "sweep"))
    page = Page(text)
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == 2
    assert "8 of 8 tasks finished: 4 points × 2 seeds; 1 failed." in page.says
    assert ("table", "class", "sortable") in page.attributes
    tasks = text[text.index("Tasks</h2>") :]
    heads = tasks[tasks.index("<thead>") : tasks.index("</thead>")]
    assert ">x</button>" in heads
    assert ">value</button>" in heads
    assert "value.low" not in heads
    # Task, x, seed and value of the finished ones, and the number of the failed one.
    assert tasks.count("data-value") == 7 * 4 + 1
    assert page.says.count("<script>alert(1)</script>") > 3
    assert "x" in page.says
    assert "default: 1.0" in page.says


def test_points_are_compared_with_an_interval_over_seeds(tmp_path: Path) -> None:
    """Tasks 0 and 1 are the seeds of the first point: 0 and 1, mean 0.5, and t.ppf(.975, 1) · .5 = 6.353."""
    page = Page(sweep_page(sweep_folder(tmp_path / "sweep")))
    assert "value x = 1.0, details.mode = plain 0.5 [-5.853, 6.853] 2 2 values from 0 to 1" in page.says
    alone = Sweep.create(tmp_path / "alone", SCENARIO, ToyConfig(), Plan([{"x": 1.0}, {"x": 2.0}]))
    assert "Points compared" not in Page(sweep_page(alone)).says


def test_an_experiment_shows_its_groups_compared(tmp_path: Path) -> None:
    """Two groups of two seeds and two animals; the last task of the second group failed."""
    design = {"measures": ["value"], "paired": False, "correction": "holm", "seed": 1}
    experiment = {"groups": ["intact", EVIL], "comparisons": [[EVIL, "intact"]], **design}
    sweep = sweep_folder(tmp_path / "sweep", POINTS[:2], experiment=experiment)
    text = sweep_page(sweep)
    page = Page(text)
    assert set(page.tags) <= TAGS
    assert "Experiment of toy" in page.says
    assert "Groups compared" in page.says
    assert "between independent groups" in page.says
    # Tasks 0 and 1 gave 0, 1, 1, 2 to the intact animals, task 2 gave 2 and 3 to the others: too few.
    assert "Animals by group" in page.says
    assert "value intact 1 [" in page.says
    assert "1.5" in page.says
    assert page.tags.count("script") == 2
    plain = sweep_page(sweep_folder(tmp_path / "plain"))
    assert "Groups compared" not in Page(plain).says


def results_with(sweep: Sweep, values: dict[int, dict[str, list[float]]], **measures: float) -> None:
    """Replace the results of all tasks: the values of single animals by point, and further measures."""
    for task in sweep.tasks():
        file = sweep.folder(task.number) / "result.json"
        result = json.loads(file.read_text()) | {"status": "done", "error": None}
        result |= {"animals": values[task.point], "measures": measures}
        file.write_text(json.dumps(result))


def test_nothing_from_an_experiment_can_inject_markup(tmp_path: Path) -> None:
    """Names of groups, measures, arms, the scenario and its machine, and the message of a failed task."""
    pytest.importorskip("pingouin", reason="the extra `analysis` is not installed")
    design = {"measures": [], "paired": False, "correction": "holm", "seed": 1}
    groups = [EVIL, EVIL + "2"]
    experiment = {"groups": groups, "comparisons": [groups], **design}
    more = {"scenario": EVIL, "machine": EVIL, "command": ["x", EVIL], "versions": {EVIL: EVIL}}
    sweep = sweep_folder(tmp_path / "sweep", POINTS[:2], experiment=experiment, **more)
    results_with(
        sweep, {0: {EVIL: [1.0, 2.0, 4.0]}, 1: {EVIL: [2.0, 3.0, 5.0]}}, **{f"arms.{EVIL}.touched": 4}
    )
    (sweep.path / "figures").mkdir()
    (sweep.path / "figures" / "draw.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL}</svg>")
    page = Page(sweep_page(sweep))
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == 2
    assert not {name for _, name, _ in page.attributes if name.startswith("on") or name == "style"}
    assert all(v.startswith("data:") for _, n, v in page.attributes if n in ("src", "href"))
    assert "Groups compared" in page.says
    assert page.says.count("<script>alert(1)</script>") > 15  # the words are there, as words


def test_the_dots_of_groups_have_one_scale(tmp_path: Path) -> None:
    """0 and 10 are the ends of the line, so a group at 5 stands in its middle, at 90 of 180 pixels."""
    pytest.importorskip("pingouin", reason="the extra `analysis` is not installed")
    design = {"measures": ["value"], "paired": False, "correction": "holm", "seed": 1}
    experiment = {"groups": ["low", "middle", "high"], "comparisons": [["middle", "low"]], **design}
    sweep = sweep_folder(tmp_path / "sweep", [{"x": float(x)} for x in range(3)], experiment=experiment)
    results_with(sweep, {point: {"value": [5.0 * point] * 3} for point in range(3)})
    text = sweep_page(sweep)
    places = [re.findall(r'cx="([\d.]+)"', part) for part in text.split("<svg")[1:]]
    assert [set(dots) for dots in places] == [{"6.0"}, {"90.0"}, {"174.0"}]


def test_a_long_sweep_shows_its_first_tasks_and_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ethospike.scenarios.report.sweep.MOST_ROWS", 3)
    page = Page(sweep_page(sweep_folder(tmp_path / "sweep")))
    assert "The first 3 of 7 tasks; table.zarr holds all." in page.says
