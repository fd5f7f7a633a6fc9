"""The benchmark of learning from reward: tasks × agents × control arms, a sweep for each task.

    ethospike validate reward-learning --out docs/benchmarks/reward-learning

A task is a preset of the scenario `reward-learning`; a seed is an animal with wiring, episodes and choices of
its own. The sweeps stay in a folder, and a finished run is never repeated, so that the benchmark may be done
in parts. The page is made from all that is finished.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import cyclopts

from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios import configuration
from ethospike.scenarios.reward.config import AgentName
from ethospike.scenarios.reward.scenario import SCENARIO
from ethospike.scenarios.reward.tasks import TASKS, TaskPreset
from ethospike.scenarios.run.files import beside, require_place, write_whole
from ethospike.scenarios.run.provenance import command_of, provenance
from ethospike.scenarios.scenario import INTACT, ScenarioConfig
from ethospike.scenarios.sweeps.folder import DONE, FAILED, Plan, Sweep, is_sweep
from ethospike.scenarios.sweeps.runner import run_sweep

FIRST_SEED = 1
"""Seeds of evaluation count from here; parameters were chosen with seeds from 1,000 on."""


@dataclass(frozen=True)
class Settings:
    """The part of the benchmark that is run."""

    tasks: tuple[str, ...] = ()
    """Presets of reward-learning; by default all."""
    seeds: int = 10
    """Animals of each group."""
    workers: int = 0
    """Processes; 0 starts one for each core."""
    agents: tuple[str, ...] = ()
    """Only these agents; by default all that fit the task."""
    groups: Literal["all", "intact", "arms"] = "all"
    """Intact animals, control arms (of the first agent), or both."""
    episodes: int = 0
    """Another length of training than the task's; 0 keeps it."""
    folder: Path = Path("runs/reward-learning")
    """Folder of the sweeps. Those that are there go on."""


ALL = Settings()


def main(
    out: Path = Path("runs/reward_learning"),
    *,
    settings: Annotated[Settings, cyclopts.Parameter(name="*")] = ALL,
) -> None:
    """Run tasks × agents × control arms of reward-learning, and write their page.

    Parameters
    ----------
    out
        Path of the page, without suffix: OUT.md and OUT.json.
    settings
        The part that is run.
    """
    print(run(out, settings).read_text("utf-8"))


def run(out: Path, settings: Settings) -> Path:
    """Run the unfinished part of some tasks; write and return the page.

    Raises
    ------
    ScenarioError
        When a task or an agent is unknown.
    RunFolderError
        When a folder or a file cannot be written.
    """
    for task in settings.tasks:
        if task not in TASKS:
            raise ScenarioError(f"tasks: no {task!r}; {nearest(task, TASKS)}")
    for agent in settings.agents:
        if agent not in get_args(AgentName):
            raise ScenarioError(f"agents: no {agent!r}; {nearest(agent, get_args(AgentName))}")
    require_place(out)
    for task in settings.tasks or TASKS:
        run_sweep(sweep_of(task, settings), workers=settings.workers)
        written(out, settings.folder)
    return beside(out, ".md")


def sweep_of(task: str, settings: Settings) -> Sweep:
    """Return the sweep of a task: as it is in the folder, or a new one."""
    path = settings.folder / "-".join((task, *settings.agents, *({settings.groups} - {"all"})))
    if is_sweep(path):
        return Sweep.open(path)
    points = groups(TASKS[task], settings)
    return Sweep.create(path, SCENARIO, configured(task, settings.episodes), Plan(points, settings.seeds))


def configured(task: str, episodes: int = 0) -> ScenarioConfig:
    """Return the configuration of a task's runs, which keep little more than the table of episodes."""
    given: dict[str, Any] = {
        "seed": FIRST_SEED,
        "recorder": {
            "behavior": ["in_episode"],
            "spike_populations": [],
            "stimulus": False,
            "weights_every_s": 0.0,
        },
    }
    if episodes:
        given["episodes"] = episodes
    layers = [("benchmark", given), (f"preset {task}", configuration.preset(SCENARIO, task))]
    return configuration.configure(SCENARIO, layers=layers)


def groups(task: TaskPreset, settings: Settings) -> list[dict[str, Any]]:
    """Return the points of a task's sweep: its agents, and the arms of the first of them."""
    agents = [agent for agent in task.agents if not settings.agents or agent in settings.agents]
    if not agents:
        raise ScenarioError(f"agents: the task has none of {', '.join(settings.agents)}")
    intact = [{"agent": agent, "arm": INTACT} for agent in agents]
    arms = [{"agent": agents[0], "arm": arm} for arm in task.arms if agents[0] == task.agents[0]]
    if settings.groups == "arms" and not arms:
        raise ScenarioError(f"groups: {agents[0]} has no arms in this task; expected intact or all")
    return {"all": intact + arms, "intact": intact, "arms": arms}[settings.groups]


# -- the page ---------------------------------------------------------------------------------------


def written(out: Path, folder: Path) -> Path:
    """Write the page and its data from all sweeps in a folder; return the page."""
    rows = [row for path in sorted(folder.iterdir()) if is_sweep(path) for row in rows_of(Sweep.open(path))]
    order = list(TASKS)
    rows.sort(key=lambda row: order.index(row["task"]) if row["task"] in order else len(order))
    data = {"machine": provenance(), "rows": rows}
    write_whole(beside(out, ".json"), (json.dumps(data, indent=1) + "\n").encode())
    write_whole(beside(out, ".md"), to_markdown(data).encode())
    return beside(out, ".md")


def rows_of(sweep: Sweep) -> list[dict[str, Any]]:
    """Return a row for each group of a sweep, from its finished runs."""
    known = [name for name in TASKS if sweep.path.name.startswith(name)]
    task = max(known, key=len, default=sweep.path.name)
    results: dict[int, list[dict[str, Any]]] = {}
    for result in sweep.results():
        results.setdefault(result["point"], []).append(result)
    base: Any = sweep.base_config
    rows = []
    for number, found in sorted(results.items()):
        done = [result for result in found if result["status"] == DONE]
        measures = sorted({name for result in done for name in result["measures"]})
        rows.append(
            {
                "task": task,
                **sweep.points[number],
                "episodes": base.episodes,
                "seeds": [result["seed"] for result in done],
                "failed": sum(result["status"] == FAILED for result in found),
                "wall_s": [result["wall_s"] for result in done],
                "measures": {name: [r["measures"].get(name) for r in done] for name in measures},
            }
        )
    return rows


COLUMNS: Mapping[str, str] = {
    "last 100": "score",
    "greedy": "greedy_return",
    "sampled": "sampled_return",
    "episodes to the threshold": "episodes_to_threshold_mean",
    "spikes a decision": "spikes_per_decision",
    "mean rate (Hz)": "mean_rate_hz",
}
"""Heads of the table, and the measures under them."""


ABOUT = (
    "Median [least, most] over animals, each with wiring, episodes and choices of its own; parameters "
    "were chosen with other seeds. *Last 100*: mean return of the last 100 episodes of training. "
    "*Greedy*, *sampled*: returns after training, without learning, in copies of the environment of "
    "their own. *Episodes to the threshold*: until the mean of 100 episodes reaches Gymnasium's own "
    "threshold, over the animals that got there. Wall times are of one process among others."
)
"""The meaning of the columns."""


def to_markdown(data: Mapping[str, Any]) -> str:
    """Return the page: a table for each task, with median and range over animals."""
    machine = data["machine"]
    lines = [
        "# Learning from reward",
        "",
        f"{machine['started'][:10]} · {machine['machine']} · Python {machine['python']} · ethospike "
        f"{machine['versions']['ethospike']}, Gymnasium {machine['versions']['gymnasium']}",
        "",
        f"Command: `{command_of(machine)}`. {ABOUT}",
    ]
    for task in dict.fromkeys(row["task"] for row in data["rows"]):
        rows = [row for row in data["rows"] if row["task"] == task]
        about = TASKS[task].about if task in TASKS else ""
        lines += ["", f"## {task}", "", about, ""]
        heads = ["agent", "arm", "episodes", "animals", *COLUMNS, "reached by", "wall s a run"]
        lines += [_line(heads), _line(["---"] * len(heads))]
        lines += [_line(_cells(row)) for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    measures, n = row["measures"], len(row["seeds"])
    cells = [
        row["agent"],
        row.get("arm", INTACT),
        str(row["episodes"]),
        f"{n}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
    ]
    cells += [spread(measures.get(name, [])) for name in COLUMNS.values()]
    solved = [value for value in measures.get("solved", []) if value is not None]
    return [*cells, f"{sum(map(bool, solved))} of {n}" if solved else "", spread(row["wall_s"])]


def spread(values: Sequence[float | None]) -> str:
    """Return median and range of the known values, as in a cell of the table.

    Examples
    --------
    >>> spread([1.0, 3.0, None, 2.25])
    '2.25 [1, 3]'
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    middle = f"{statistics.median(known):.3g}"
    return middle if least == most else f"{middle} [{least:.3g}, {most:.3g}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
