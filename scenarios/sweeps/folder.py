"""A sweep on disk: a scenario, many points of its configuration, a task for every point and seed.

The folder holds `sweep.json` (points, seeds, provenance), `config.toml` (the configuration shared by all
points) and `tasks/NUMBER/result.json` for each finished task.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli_w

from ethospike.errors import RecordingError, RunFolderError, ScenarioError, SweepNotInstalled
from ethospike.paths import expanded
from ethospike.recorders.disk import check_assertions
from ethospike.recorders.lock import WriterLock
from ethospike.scenarios import configuration
from ethospike.scenarios.arms.table import full_texts, groups_in, with_runs
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.defaults import CHANGED, defaults_of_changed
from ethospike.scenarios.run.files import read_json, to_plain, write_whole
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.provenance import provenance
from ethospike.scenarios.scenario import Scenario, ScenarioConfig, separate_arms
from ethospike.scenarios.sweeps.points import ARM, Point, check_point, listed, nested, with_absolute_paths

SWEEPS = Path("sweeps")
"""Default parent folder of sweeps."""
MANIFEST = "sweep.json"
CONFIG = "config.toml"
RESULT = "result.json"
RUN = "run"
"""The run folder of a task, kept if the sweep keeps recordings, or another group refers to it."""
DONE, FAILED = "done", "failed"
MANIFEST_ENTRIES = ("scenario", "scenario_file", "seeds", "keep_recordings", "calibration", "points")
RESULT_ENTRIES = ("number", "point", "seed", "status", "measures", "error")

TASK_SETTINGS: Mapping[str, Any] = {"recorder.writer": "inline", "checkpoint_every_s": 0.0}
"""Settings of the runs of a sweep: many short runs share the cores, so that a writing process beside each run
would not help, and an interrupted task begins anew."""


def require(package: str) -> None:
    """Raise SweepNotInstalled if a package that sweeps need is absent."""
    if importlib.util.find_spec(package) is None:
        raise SweepNotInstalled(f"this needs {package}; install it by: pip install 'ethospike[sweep]'")


@dataclass(frozen=True)
class Task:
    """A run of a sweep: a point and a seed."""

    number: int
    point: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """The points, seeds and options of a sweep.

    Parameters
    ----------
    points : sequence of Point
        Points with the same keys.
    n_seeds : int
        Runs of each point, with the seeds `seed`, `seed` + 1, … of the configuration.
    keep_recordings : bool
        Keep the run folder of every task; otherwise only its measures are kept.
    calibration : mapping or None
        The search of a calibration (`calibration.py`); None for other sweeps.
    experiment : mapping or None
        Groups and comparisons of an experiment (`scenarios/experiments`), which is a sweep with a point for
        each group; None for other sweeps.

    Raises
    ------
    ScenarioError
        When `n_seeds` is below 1, or the points differ in their keys.
    """

    points: Sequence[Point]
    n_seeds: int = 1
    keep_recordings: bool = False
    calibration: Mapping[str, Any] | None = None
    experiment: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.n_seeds < 1:
            raise ScenarioError(f"seeds: expected at least 1, got {self.n_seeds}")
        for point in self.points:
            if point.keys() != self.points[0].keys():
                raise ScenarioError(
                    f"points: expected the keys {', '.join(self.points[0])} in each, got {', '.join(point)}"
                )


class Sweep:
    """The folder of a sweep.

    Attributes
    ----------
    path : Path
    points : list of Point
    seeds : list of int
    calibration, experiment : mapping or None

    Raises
    ------
    RunFolderError
        When its manifest is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        manifest = read_json(path / MANIFEST, MANIFEST_ENTRIES)
        self.points: list[Point] = manifest["points"]
        self.seeds: list[int] = manifest["seeds"]
        self.keep_recordings: bool = manifest["keep_recordings"]
        self.calibration: Mapping[str, Any] | None = manifest["calibration"]
        self.experiment: Mapping[str, Any] | None = manifest.get("experiment")  # none in sweeps of 0.1
        self._manifest = manifest

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The content of `sweep.json`, with the provenance of the sweep."""
        return self._manifest

    @classmethod
    def create(cls, path: Path | None, scenario: Scenario, config: ScenarioConfig, plan: Plan) -> Sweep:
        """Make a new folder, by default in `sweeps/`, named by scenario and time; nothing is run yet.

        Raises
        ------
        ScenarioError
            When a key is not a field of the configuration.
        RunFolderError
            When the path exists or cannot be written.
        """
        check_assertions()
        for point in plan.points[:1]:
            check_point(scenario, point)
        path = (RunFolder.create(path) if path else RunFolder.create_named(scenario.name, SWEEPS)).path
        try:
            cls._fill(path, scenario, config, plan)
        except BaseException:
            RunFolder(path).discard()  # half a folder is no sweep, and would be in the way of another try
            raise
        return cls(path)

    @staticmethod
    def _fill(path: Path, scenario: Scenario, config: ScenarioConfig, plan: Plan) -> None:
        config = dataclasses.replace(config, arm=full_texts(config.arm))
        (path / "tasks").mkdir()
        write_whole(path / CONFIG, tomli_w.dumps(to_plain(config)).encode())
        manifest = {
            "scenario": scenario.name,
            "scenario_file": None if scenario.file is None else str(scenario.file),
            "seeds": list(range(config.seed, config.seed + plan.n_seeds)),
            "keep_recordings": plan.keep_recordings,
            "calibration": plan.calibration,
            CHANGED: defaults_of_changed(scenario, config),
            "experiment": plan.experiment,
            **provenance(),
            "points": [with_absolute_paths(scenario, point) for point in plan.points],
        }
        write_whole(path / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())

    @classmethod
    def open(cls, path: Path) -> Sweep:
        """Open an existing sweep.

        Raises
        ------
        RunFolderError
            When the folder holds no sweep, or its manifest is damaged.
        """
        if not is_sweep(path):
            raise RunFolderError(f"{path} is not a sweep: expected a folder with {MANIFEST} in it")
        return cls(expanded(path))

    def add_points(self, points: Sequence[Point]) -> None:
        """Append points, for a search that proposes them step by step."""
        self.points += points
        self._manifest["points"] = self.points
        write_whole(self.path / MANIFEST, (json.dumps(self._manifest, indent=1) + "\n").encode())

    @cached_property
    def base_settings(self) -> dict[str, Any]:
        """The configuration that all points share, as nested dictionaries."""
        return configuration.read_toml(self.path / CONFIG)

    @property
    def base_config(self) -> ScenarioConfig:
        """The shared settings as a configuration, without the values of a point."""
        return configuration.configure(self.scenario, layers=[(str(self.path / CONFIG), self.base_settings)])

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario of all tasks."""
        return find_scenario(self._manifest["scenario_file"] or self._manifest["scenario"])

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self._manifest["scenario"])

    @property
    def keys(self) -> list[str]:
        """The keys that differ between points."""
        if self.calibration is not None:
            return list(self.calibration["vary"])
        return list(self.points[0]) if self.points else []

    def tasks(self) -> list[Task]:
        """Return all tasks, grouped by seed: points with the same seed may share their wiring."""
        return [self.task(self.number(p, s)) for s in range(len(self.seeds)) for p in range(len(self.points))]

    def number(self, point: int, seed_index: int) -> int:
        """Return the number of a task."""
        return point * len(self.seeds) + seed_index

    def task(self, number: int) -> Task:
        """Return a task by its number.

        Raises
        ------
        ScenarioError
            When the task does not exist.
        """
        last = len(self.points) * len(self.seeds) - 1
        if not 0 <= number <= last:
            raise ScenarioError(f"task: expected 0 … {last}, got {number}")
        point, seed = divmod(number, len(self.seeds))
        return Task(number, point, self.seeds[seed])

    def folder(self, number: int) -> Path:
        """Return the folder of a task, which need not exist."""
        return self.path / "tasks" / f"{number:06}"

    def result(self, number: int) -> dict[str, Any] | None:
        """Return the result of a task; None for an unfinished task.

        Raises
        ------
        RunFolderError
            When the result is damaged.
        """
        path = self.folder(number) / RESULT
        if not path.exists():
            return None
        try:
            return read_json(path, RESULT_ENTRIES)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; remove it, and the task is run again") from error

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield the results of the finished tasks, in the order of their numbers."""
        for number in range(len(self.points) * len(self.seeds)):
            result = self.result(number)
            if result is not None:
                yield result

    def waiting(self, *, retry_failed: bool = False) -> list[Task]:
        """Return the unfinished tasks, and the failed tasks if they are to be run again."""
        waiting = []
        for task in self.tasks():
            result = self.result(task.number)
            if result is None or (retry_failed and result["status"] == FAILED):
                waiting.append(task)
        return waiting

    @cached_property
    def groups(self) -> list[str]:
        """The groups of an experiment, one for each point; empty for other sweeps."""
        return list((self.experiment or {}).get("groups", ()))

    def partners(self, point: int) -> list[int]:
        """Return the points to whose runs the arms of a point refer, as in `yoked reward group:unpaired`."""
        if not self.groups:
            return []
        named = groups_in(separate_arms(self.points[point].get(ARM, "")))
        return [self.groups.index(group) for group in named]

    def references(self, task: Task) -> dict[str, Path]:
        """Return the runs of the same seed to which the arms of a task refer, by group."""
        seed = self.seeds.index(task.seed)
        return {
            self.groups[point]: self.folder(self.number(point, seed)).resolve() / RUN
            for point in self.partners(task.point)
        }

    def keeps(self, task: Task) -> bool:
        """Return True if the run folder of a task is kept."""
        return self.keep_recordings or any(task.point in self.partners(p) for p in range(len(self.groups)))

    def in_order(self, tasks: Sequence[Task]) -> list[list[Task]]:
        """Return tasks in stages: those of a stage refer to runs of earlier ones at most."""
        stages = [0] * len(self.points)
        partners = [self.partners(point) for point in range(len(self.groups))]
        for _ in self.groups:
            stages = [max((stages[point] + 1 for point in points), default=0) for points in partners]
        return [
            [task for task in tasks if stages[task.point] == stage]
            for stage in sorted({stages[task.point] for task in tasks})
        ]

    def config(self, task: Task, settings: Mapping[str, Any] | None = None) -> ScenarioConfig:
        """Return the configuration of a task.

        Parameters
        ----------
        task : Task
        settings : nested mapping, optional
            Values that depend on the machine, such as `simulator.threads`.

        Raises
        ------
        ScenarioError
            When a key or a value is refused by scenario, brain, body or agent.
        RecordingError
            When the recorder's settings do not fit.
        """
        point = {**listed(self.points[task.point]), "seed": task.seed}
        if references := self.references(task):
            point[ARM] = with_runs(separate_arms(point[ARM]), lambda group: references[group])
        layers = [
            ("point", nested(point)),
            ("sweep", nested(TASK_SETTINGS)),
            ("settings", settings or {}),
            (str(self.path / CONFIG), self.base_settings),
        ]
        return configuration.configure(self.scenario, layers=layers)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock of the sweep.

        Raises
        ------
        RunFolderError
            When another process holds the lock, or the folder cannot be written to.
        """
        try:
            lock = WriterLock(self.path / MANIFEST)
        except RecordingError as error:
            raise RunFolderError(str(error)) from error
        try:
            yield
        finally:
            lock.release()


def is_sweep(path: Path) -> bool:
    """Return True if a folder is that of a sweep or a calibration."""
    return (expanded(path) / MANIFEST).is_file()
