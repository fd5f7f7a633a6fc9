"""The benchmark of learning from reward: its groups, its sweeps, and its page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios.bench import reward
from ethospike.scenarios.bench.reward import Settings
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reward.scenario import SCENARIO
from ethospike.scenarios.reward.tasks import PRESETS, TASKS, TaskPreset


def test_every_task_is_a_preset_that_makes_a_configuration() -> None:
    assert set(TASKS) == set(PRESETS) == set(SCENARIO.presets) - {"short"}
    for name, task in TASKS.items():
        config = configure(SCENARIO, layers=[(name, PRESETS[name])])
        assert config.env == task.settings["env"]
        assert config.seed == 1


def test_arms_belong_to_the_first_agent() -> None:
    task, all_of_it = "cue-bandit", Settings()
    assert reward.parts_of(task, all_of_it) == ["intact", "arms"]
    agents = ("actor-critic", "reward-stdp", "td", "random")
    intact = [{"agent": agent, "arm": "intact"} for agent in agents]
    assert reward.points(task, "intact", all_of_it) == intact
    arms = [{"agent": "actor-critic", "arm": arm} for arm in ("freeze", "shuffle-modulation", "gate-off")]
    assert reward.points(task, "arms", all_of_it) == arms
    few = Settings(agents=("td", "random"))
    assert reward.parts_of(task, few) == ["intact"]
    assert [point["agent"] for point in reward.points(task, "intact", few)] == ["td", "random"]
    assert reward.parts_of(task, Settings(agents=("actor-critic",), groups="arms")) == ["arms"]
    with pytest.raises(ScenarioError, match="groups: td has no arms in cue-bandit"):
        reward.parts_of(task, Settings(agents=("td",), groups="arms"))
    with pytest.raises(ScenarioError, match="agents: cue-bandit has none of larva"):
        reward.parts_of(task, Settings(agents=("larva",)))


def test_arms_may_have_fewer_animals_and_animals_go_side_by_side(tmp_path: Path) -> None:
    settings = Settings(("cue-bandit",), 6, folder=tmp_path, arm_seeds=4, side_by_side=3)
    for part, runs, animals in (("intact", 2, 3), ("arms", 2, 2)):
        sweep = reward.sweep_of("cue-bandit", part, settings)
        assert (sweep.seeds, sweep.base_config.animals) == ([*range(1, 1 + runs)], animals)
    with pytest.raises(ScenarioError, match="side_by_side: expected at least 1, got 0"):
        Settings(side_by_side=0)


def test_a_variant_stands_in_the_table_of_its_task() -> None:
    variants = {name: task for name, task in TASKS.items() if task.of}
    assert variants
    for task in variants.values():
        assert task.of in TASKS
        assert task.variant
        assert task.settings["env"] == TASKS[task.of].settings["env"]


def test_the_page_has_all_animals_of_all_runs_and_the_numbers_of_proofs(tmp_path: Path) -> None:
    settings = Settings(("cue-bandit",), 4, groups="arms", folder=tmp_path / "sweeps", side_by_side=2)
    sweep = reward.sweep_of("cue-bandit", "arms", settings)
    for task in sweep.tasks()[:4]:  # the first run of each arm, and the second of the first arm
        animals = {
            "score": [0.25, 0.5 + task.number],
            "rate_hz.code": [20.0, 22.0],
            "rate_hz.actor[0]": [5.0, 7.0],
        }
        result = {
            **dataclasses.asdict(task),
            "status": "done",
            "measures": {"score": 9.0, "arms.freeze.touched": 1280.0 + task.number},
            "animals": {f"by_animal.{name}": values for name, values in animals.items()},
            "error": None,
            "wall_s": 30.0,
        }
        sweep.folder(task.number).mkdir()
        (sweep.folder(task.number) / "result.json").write_text(json.dumps(result))
    page = reward.written(tmp_path / "page", settings.folder).read_text("utf-8")
    rows = [
        line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| actor-critic |")
    ]
    assert [row[1] for row in rows] == ["freeze", "shuffle-modulation", "gate-off"]
    assert rows[0][3:5] == ["4", "0.375 [0.25, 1.5]"]
    assert rows[1][3:5] == ["2", "1.38 [0.25, 2.5]"]
    assert rows[0][10:13] == ["21 / – / 6", "", "15"]
    assert rows[0][13] == sweep.manifest["started"][:10]
    assert "* Proof of freeze (mean of its runs): touched 1.28e+03." in page


def finish(settings: Settings, task: str, score: float) -> None:
    """Write the results of the tasks of a sweep without running them."""
    sweep = reward.sweep_of(task, "intact", settings)
    for run in sweep.tasks():
        measured = {"measures": {}, "animals": {"by_animal.score": [score]}}
        result = {**dataclasses.asdict(run), "status": "done", **measured, "error": None, "wall_s": 1.0}
        sweep.folder(run.number).mkdir()
        (sweep.folder(run.number) / "result.json").write_text(json.dumps(result))


def rows_on(page: Path) -> list[tuple[str, str]]:
    """Return agent and last 100 of the rows of a page."""
    cells = [line.strip("| ").split(" | ") for line in page.read_text("utf-8").splitlines()]
    return [(row[0], row[4]) for row in cells if row[1:2] == ["intact"]]


def test_rows_of_earlier_parts_and_paragraphs_by_hand_stay_on_the_page(tmp_path: Path) -> None:
    finish(Settings(agents=("td", "random"), seeds=1, folder=tmp_path / "a"), "cue-bandit", 0.25)
    page = reward.written(tmp_path / "page", tmp_path / "a")
    assert rows_on(page) == [("random", "0.25"), ("td", "0.25")]
    data = json.loads((tmp_path / "page.json").read_text())
    for row in data["rows"]:
        row.pop("made")  # as in pages of 0.1
    data["machine"]["started"] = "2020-02-03T00:00:00+00:00"
    (tmp_path / "page.json").write_text(json.dumps(data))
    text = page.read_text("utf-8").replace("## cue-bandit", "<!-- by hand -->\n\nHead.\n\n## cue-bandit")
    page.write_text(f"{text}\n<!-- by hand -->\n\nFirst.\n\nSecond.\n", "utf-8")

    finish(Settings(agents=("td",), seeds=1, folder=tmp_path / "b"), "cue-bandit", 0.75)
    finish(Settings(agents=("random",), seeds=1, folder=tmp_path / "b"), "cartpole", 22.0)
    for _ in range(2):  # what was written is read again
        assert reward.written(tmp_path / "page", tmp_path / "b") == page
        assert rows_on(page) == [("random", "0.25"), ("td", "0.75"), ("random", "22")]
        text = page.read_text("utf-8")
        assert [part.count("Head.") for part in text.split("\n## ")] == [1, 0, 0]
        _, bandit, _ = text.split("\n## ")
        assert bandit.endswith("<!-- by hand -->\n\nFirst.\n\nSecond.\n")
        assert [line[-12:-2] for line in bandit.splitlines() if line.startswith("| random")] == ["2020-02-03"]


def test_a_section_may_have_paragraphs_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## acrobot\n\n<!-- by hand -->\n\nNot run.\n", "utf-8")
    text = reward.written(tmp_path / "page", tmp_path).read_text("utf-8")
    assert text.endswith(f"## acrobot\n\n{TASKS['acrobot'].about}\n\n<!-- by hand -->\n\nNot run.\n")


def test_a_benchmark_goes_on_where_it_is_and_makes_its_page(tmp_path: Path) -> None:
    settings = Settings(("cue-bandit",), 2, 1, ("td", "random"), folder=tmp_path / "sweeps", episodes=120)
    page = reward.run(tmp_path / "page", settings).read_text("utf-8")
    assert "## cue-bandit" in page
    td, random = (line for line in page.splitlines() if line.startswith(("| td |", "| random |")))
    cells = {line.split(" | ")[0][2:]: line.split(" | ") for line in (td, random)}
    assert cells["td"][1:4] == ["intact", "120", "2"]
    least = [float(cells[agent][4].split("[")[1].split(",")[0]) for agent in ("td", "random")]
    assert least[0] > 0.6 > 0.4 > least[1]  # chance is 0.25
    result = tmp_path / "sweeps" / "cue-bandit-td-random" / "tasks" / "000000" / "result.json"
    before = result.stat().st_mtime_ns
    assert (
        reward.run(tmp_path / "page", settings).read_text("utf-8").splitlines()[5:] == page.splitlines()[5:]
    )
    assert result.stat().st_mtime_ns == before


def test_a_task_that_cannot_be_made_here_is_left_out_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"env": "NoSuchTask-v0", "episodes": 1}
    monkeypatch.setitem(TASKS, "acrobot", TaskPreset("A task.", settings, ("random",)))  # type: ignore[misc]
    monkeypatch.setattr(reward.configuration, "preset", lambda scenario, name: settings)
    page = reward.run(tmp_path / "page", Settings(("acrobot",), folder=tmp_path / "sweeps"))
    assert "acrobot: left out: no environment 'NoSuchTask-v0'" in capsys.readouterr().err
    assert "## " not in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(tasks=("cue-bandits",)), "tasks: no 'cue-bandits'; did you mean 'cue-bandit'"),
        (Settings(agents=("tds",)), "agents: no 'tds'; did you mean 'td'"),
    ],
)
def test_names_are_checked(settings: Settings, message: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=message):
        reward.run(tmp_path / "page", settings)
