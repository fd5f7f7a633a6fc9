"""The benchmark of learning from reward: tasks × agents × control arms, two sweeps for each task.

    ethospike validate reward-learning --out docs/benchmarks/reward-learning

A task is a preset of the scenario `reward-learning`. Each animal has wiring, episodes and choices of its
own; some of them go side by side in a run, which saves most of the time that Python takes. The sweeps stay in
a folder, and a finished run is never repeated, so that the benchmark may be done in parts. The page
(`reward_page.py`) is made from all that is finished.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import cyclopts

from ethospike.errors import EnvError, ScenarioError, nearest
from ethospike.scenarios import configuration
from ethospike.scenarios.bench.reward_page import written
from ethospike.scenarios.reward.config import AgentName, RewardConfig
from ethospike.scenarios.reward.scenario import SCENARIO
from ethospike.scenarios.reward.tasks import TASKS
from ethospike.scenarios.run.files import require_place
from ethospike.scenarios.scenario import INTACT
from ethospike.scenarios.sweeps.folder import Plan, Sweep, is_sweep
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
