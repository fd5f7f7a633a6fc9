"""The benchmark of learning from reward: tasks × agents × control arms, two sweeps for each task.

    ethospike validate reward-learning --out docs/benchmarks/reward-learning

A task is a preset of the scenario `reward-learning`. Each animal has wiring, episodes and choices of its
own; some of them go side by side in a run, which saves most of the time that Python takes. The sweeps stay in
a folder, and a finished run is never repeated, so that the benchmark may be done in parts. The page is made
from all that is finished.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import cyclopts

from ethospike.errors import EnvError, ScenarioError, nearest
from ethospike.scenarios import configuration
from ethospike.scenarios.reward.config import AgentName, RewardConfig
from ethospike.scenarios.reward.measures import BY_ANIMAL
from ethospike.scenarios.reward.scenario import SCENARIO
from ethospike.scenarios.reward.tasks import TASKS
from ethospike.scenarios.run.files import beside, require_place, write_whole
from ethospike.scenarios.run.provenance import command_of, provenance
from ethospike.scenarios.scenario import INTACT
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
    """Animals of each intact group."""
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
    arm_seeds: int = 0
    """Animals of each control arm; 0: as many as of an intact group."""
    side_by_side: int = 5
    """Animals of a run at most; what is finished when the benchmark is stopped are whole runs."""

    def __post_init__(self) -> None:
        for name, least in {"seeds": 1, "arm_seeds": 0, "side_by_side": 1, "episodes": 0}.items():
            if getattr(self, name) < least:
                raise ScenarioError(f"{name}: expected at least {least}, got {getattr(self, name)}")


ALL = Settings()
ARMS = "arms"
"""The part of a task with its control arms; the other is that of the intact groups."""


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
        parts = parts_of(task, settings)
        if obstacle := missing(task):
            print(f"{task}: left out: {obstacle}", file=sys.stderr)
            parts = []
        for part in parts:
            run_sweep(sweep_of(task, part, settings), workers=settings.workers)
            written(out, settings.folder)
    return written(out, settings.folder)


def missing(task: str) -> str:
    """Return the reason why the environment of a task cannot be made here, such as Box2D; empty if it can."""
    try:
        configured(task).source().make().close()
    except EnvError as error:
        return str(error)
    return ""


def parts_of(task: str, settings: Settings) -> list[str]:
    """Return the sweeps of a task: of its intact groups, and of the control arms of its first agent.

    Raises
    ------
    ScenarioError
        When the settings leave nothing of it.
    """
    agents = chosen_agents(task, settings)
    has_arms = bool(TASKS[task].arms) and agents[0] == TASKS[task].agents[0]
    if settings.groups == ARMS and not has_arms:
        raise ScenarioError(f"groups: {agents[0]} has no arms in {task}; expected intact or all")
    parts = (INTACT, ARMS) if has_arms else (INTACT,)
    return [part for part in parts if settings.groups in ("all", part)]


def chosen_agents(task: str, settings: Settings) -> list[str]:
    """Return the agents of a task that are run.

    Raises
    ------
    ScenarioError
        When there are none.
    """
    agents = [agent for agent in TASKS[task].agents if not settings.agents or agent in settings.agents]
    if not agents:
        raise ScenarioError(f"agents: {task} has none of {', '.join(settings.agents)}")
    return agents


def sweep_of(task: str, part: str, settings: Settings) -> Sweep:
    """Return a sweep of a task: as it is in the folder, or a new one."""
    path = settings.folder / "-".join((task, *settings.agents, *({part} - {INTACT})))
    if is_sweep(path):
        return Sweep.open(path)
    animals = (settings.arm_seeds or settings.seeds) if part == ARMS else settings.seeds
    runs = runs_of(animals, settings.side_by_side)
    config = configured(task, settings.episodes, animals // runs)
    return Sweep.create(path, SCENARIO, config, Plan(points(task, part, settings), runs))


def runs_of(animals: int, side_by_side: int) -> int:
    """Return the least number of equal runs with at most `side_by_side` animals each.

    Examples
    --------
    >>> runs_of(20, 5), runs_of(7, 5), runs_of(3, 5)
    (4, 7, 1)
    """
    equal = (runs for runs in range(1, animals + 1) if animals % runs == 0)
    return next(runs for runs in equal if animals // runs <= side_by_side)


def configured(task: str, episodes: int = 0, animals: int = 1) -> RewardConfig:
    """Return the configuration of a task's runs, which keep little more than the table of episodes."""
    given: dict[str, Any] = {
        "seed": FIRST_SEED,
        "animals": animals,
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
    config = configuration.configure(SCENARIO, layers=layers)
    assert isinstance(config, RewardConfig)
    return config


def points(task: str, part: str, settings: Settings) -> list[dict[str, Any]]:
    """Return the points of a sweep: the agents of a task, or the arms of the first of them."""
    agents = chosen_agents(task, settings)
    if part == ARMS:
        return [{"agent": agents[0], "arm": arm} for arm in TASKS[task].arms]
    return [{"agent": agent, "arm": INTACT} for agent in agents]


# -- the page ---------------------------------------------------------------------------------------


def written(out: Path, folder: Path) -> Path:
    """Write the page and its data from all sweeps in a folder; return the page."""
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    rows = [row for path in folders if is_sweep(path) for row in rows_of(Sweep.open(path))]
    rows = sorted((row for row in rows if row["task"] in TASKS), key=_place)
    data = {"machine": provenance(), "rows": rows}
    write_whole(beside(out, ".json"), (json.dumps(data, indent=1) + "\n").encode())
    write_whole(beside(out, ".md"), to_markdown(data).encode())
    return beside(out, ".md")


def _place(row: Mapping[str, Any]) -> tuple[int, bool, bool, int]:
    """Return the place of a row on the page: task, intact before arms, variants last, agents in order."""
    task, agents = TASKS[row["task"]], get_args(AgentName)
    table = list(TASKS).index(task.of or row["task"])
    return table, row["arm"] != INTACT, bool(task.of), agents.index(row["agent"])


def rows_of(sweep: Sweep) -> list[dict[str, Any]]:
    """Return a row for each group of a sweep, from its finished runs."""
    known = [name for name in TASKS if sweep.path.name.startswith(name)]
    task = max(known, key=len, default=sweep.path.name)
    results: dict[int, list[dict[str, Any]]] = {}
    for result in sweep.results():
        results.setdefault(result["point"], []).append(result)
    base: Any = sweep.base_config
    rows = []
    for number, ended in sorted(results.items()):
        done = [result for result in ended if result["status"] == DONE]
        names = sorted({name for result in done for name in result["animals"]})
        rows.append(
            {
                "task": task,
                **sweep.points[number],
                "episodes": base.episodes,
                "animals": base.animals * len(done),
                "seeds": [result["seed"] for result in done],
                "failed": sum(result["status"] == FAILED for result in ended),
                "wall_s": [result["wall_s"] / base.animals for result in done],
                "proof": _proof(done),
                "measures": {
                    name.removeprefix(f"{BY_ANIMAL}."): [
                        value for result in done for value in result["animals"].get(name, ())
                    ]
                    for name in names
                },
            }
        )
    return rows


def _proof(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the numbers with which an arm proves its effect, as means over runs."""
    numbers: dict[str, list[float]] = {}
    for result in results:
        for name, value in result["measures"].items():
            if name.startswith("arms.") and value is not None:
                numbers.setdefault(name.rpartition(".")[2], []).append(value)
    return {name: statistics.fmean(values) for name, values in numbers.items()}


COLUMNS: Mapping[str, str] = {
    "last 100": "score",
    "greedy": "greedy_return",
    "sampled": "sampled_return",
    "episodes to the threshold": "episodes_to_threshold",
    "spikes a decision": "spikes_per_decision",
    "mean rate (Hz)": "mean_rate_hz",
}
"""Heads of the table, and the measures under them."""
POPULATIONS = ("code", "critic", "actor")
"""Populations of spiking agents, whose mean rates have a column."""
_RATES = f"{' / '.join(POPULATIONS)} (Hz)"
HEADS = ("agent", "arm", "episodes", "animals", *COLUMNS, _RATES, "reached by", "wall s an animal")


ABOUT = (
    "Median [least, most] over animals, each with wiring, episodes and choices of its own; parameters "
    "were chosen with other seeds. *Last 100*: mean return of the last 100 episodes of training. "
    "*Greedy*, *sampled*: returns after training, without learning, in copies of the environment of "
    "their own. *Episodes to the threshold*: until the mean of 100 episodes reaches Gymnasium's own "
    "threshold, over the animals that got there. *Mean rate*: of all neurons in episodes; beside it those of "
    "code, critic and actor. Several animals go side by side in a run; wall times are "
    "those of runs divided by their animals, of one process among others."
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
    for task in dict.fromkeys(TASKS[row["task"]].of or row["task"] for row in data["rows"]):
        rows = [row for row in data["rows"] if task in (row["task"], TASKS[row["task"]].of)]
        notes = [TASKS[name].about for name in dict.fromkeys((task, *(row["task"] for row in rows)))]
        lines += ["", f"## {task}", "", " ".join(notes), ""]
        lines += [_line(HEADS), _line(["---"] * len(HEADS))]
        lines += [_line(_cells(row)) for row in rows]
        lines += _proofs(rows)
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    measures, n = row["measures"], row["animals"]
    variant = TASKS[row["task"]].variant
    cells = [
        row["agent"] + (f", {variant}" if variant else ""),
        row.get("arm", INTACT),
        str(row["episodes"]),
        f"{n}" + (f" ({row['failed']} runs failed)" if row["failed"] else ""),
    ]
    cells += [spread(measures.get(name, [])) for name in COLUMNS.values()]
    rates = [_rate_of(measures, name) for name in POPULATIONS]
    cells.append(" / ".join(rate or "–" for rate in rates) if any(rates) else "")
    to = measures.get("episodes_to_threshold")
    reached = "" if to is None else f"{sum(value is not None for value in to)} of {n}"
    return [*cells, reached, spread(row["wall_s"])]


def _rate_of(measures: Mapping[str, Any], population: str) -> str:
    """Return the mean rate of a population, over animals and its equal clusters; empty without it."""
    names = [name for name in measures if name.partition("[")[0] == f"rate_hz.{population}"]
    rates = [value for name in names for value in measures[name] if value is not None]
    return f"{statistics.fmean(rates):.3g}" if rates else ""


def _proofs(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line with the numbers of each arm's proof."""
    lines = []
    for row in rows:
        if row["proof"]:
            numbers = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in row["proof"].items()]
            lines.append(f"* Proof of {row['arm']} (mean of its runs): {', '.join(numbers)}.")
    return ["", *lines] if lines else []


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
