"""The benchmark of learning from reward: its groups, its sweeps, and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios.bench import reward
from ethospike.scenarios.bench.reward import Settings
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reward.scenario import SCENARIO
from ethospike.scenarios.reward.tasks import PRESETS, TASKS


def test_every_task_is_a_preset_that_makes_a_configuration() -> None:
    assert set(TASKS) == set(PRESETS) == set(SCENARIO.presets) - {"short"}
    for name, task in TASKS.items():
        config = configure(SCENARIO, layers=[(name, PRESETS[name])])
        assert config.env == task.settings["env"]
        assert config.seed == 1


def test_arms_belong_to_the_first_agent() -> None:
    points = reward.groups(TASKS["cue-bandit"], Settings())
    agents = ("actor-critic", "reward-stdp", "td", "random")
    assert points[:4] == [{"agent": agent, "arm": "intact"} for agent in agents]
    assert [point["agent"] for point in points[4:]] == ["actor-critic"] * 3
    few = reward.groups(TASKS["cue-bandit"], Settings(agents=("td", "random")))
    assert [point["agent"] for point in few] == ["td", "random"]
    alone = reward.groups(TASKS["cue-bandit"], Settings(agents=("actor-critic",), groups="arms"))
    assert [point["arm"] for point in alone] == ["freeze", "shuffle-modulation", "gate-off"]
    with pytest.raises(ScenarioError, match="groups: td has no arms in this task"):
        reward.groups(TASKS["cue-bandit"], Settings(agents=("td",), groups="arms"))
    with pytest.raises(ScenarioError, match="agents: the task has none of larva"):
        reward.groups(TASKS["cue-bandit"], Settings(agents=("larva",)))


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
