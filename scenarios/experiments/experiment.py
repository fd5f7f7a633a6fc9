"""The description of an experiment, from a TOML or a Python file, and its sweep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ethospike.configuration import field_types, from_mapping, merged, table_of
from ethospike.errors import ScenarioError, nearest
from ethospike.paths import expanded, user_path
from ethospike.scenarios import configuration
from ethospike.scenarios.arms.table import full_texts, groups_in
from ethospike.scenarios.experiments.comparison import Design
from ethospike.scenarios.registry import find_scenario, load_file
from ethospike.scenarios.run.files import to_plain
from ethospike.scenarios.scenario import INTACT, Scenario, ScenarioConfig, separate_arms
from ethospike.scenarios.sweeps.folder import Plan
from ethospike.scenarios.sweeps.points import ARM, Point, check_point

PRESET = "preset"
"""Key of an experiment or a group that stands for the values of one of the scenario's presets."""


@dataclass(frozen=True)
class Experiment:
    """Groups of animals of one scenario, and their comparison.

    Parameters
    ----------
    scenario : str
        A name of `ethospike list`, or the path of a Python file with a SCENARIO.
    groups : mapping of str to nested mapping
        The groups by name: each a mapping of fields of the scenario's configuration, such as `arm`, to the
        group's values, and `preset`; empty for a group with the shared ones.
    config : nested mapping
        Fields that all groups share.
    preset : str
        A preset of the scenario, below `config`.
    animals : int or None
        Animals of each run; None leaves the scenario's.
    seeds : int
        Runs of each group, with the seeds `seed`, `seed` + 1, …: together animals × seeds animals.
    control : str
        The group with which the others are compared, unless `comparisons` lists pairs; the first by default.
    comparisons : tuple of (str, str)
        Pairs of groups to compare, the first minus the second.
    measures : tuple of str
        Compared measures; all by default. `*` stands for any letters.
    paired : bool
        Compare within animals of the same seed and number, which are the same animals in all groups.
    correction : str
        Of p for the number of comparisons: holm, bonf, sidak, fdr_bh, fdr_by or none.
    keep_recordings : bool
        Keep the runs; those to which other groups refer are always kept.

    Raises
    ------
    ScenarioError
        When there are fewer than two groups, or a name is unknown.

    Examples
    --------
    >>> groups = {"intact": {}, "frozen": {"arm": "freeze"}}
    >>> Experiment("odor-conditioning", groups).design.comparisons
    (('frozen', 'intact'),)
    """

    scenario: str
    groups: dict[str, dict[str, Any]]
    config: dict[str, Any] = field(default_factory=dict)
    preset: str = ""
    animals: int | None = None
    seeds: int = 1
    control: str = ""
    comparisons: tuple[tuple[str, str], ...] = ()
    measures: tuple[str, ...] = ()
    paired: bool = True
    correction: str = "holm"
    keep_recordings: bool = False

    def __post_init__(self) -> None:
        if len(self.groups) < 2:
            raise ScenarioError(f"groups: expected at least two, got {', '.join(self.groups) or 'none'}")
        for name in self.groups:
            if not name.isprintable() or not name.strip() or set(name) & set("/="):
                raise ScenarioError(f"groups: expected a name without / and =, got {name!r}")
        if self.seeds < 1:
            raise ScenarioError(f"seeds: expected at least 1, got {self.seeds}")
        if self.control and self.comparisons:
            raise ScenarioError("control and comparisons: expected one of the two, got both")
        named = [*filter(None, [self.control]), *(name for pair in self.comparisons for name in pair)]
        for name in named:
            if name not in self.groups:
                raise ScenarioError(f"no group {name!r}; {nearest(name, self.groups)}")
        if repeated := [pair for pair in self.comparisons if pair[0] == pair[1]]:
            raise ScenarioError(f"comparisons: expected two different groups, got {repeated[0][0]!r} twice")
        _ = self.design

    @property
    def design(self) -> Design:
        """The comparisons, stated in advance."""
        control = self.control or next(iter(self.groups))
        pairs = self.comparisons or tuple((name, control) for name in self.groups if name != control)
        return Design(tuple(pairs), tuple(self.measures), self.paired, self.correction)

    def shared_config(self, scenario: Scenario, words: Sequence[str] = ()) -> ScenarioConfig:
        """Return the configuration that the groups share; `words` are flags, which win over the file.

        Raises
        ------
        ScenarioError
            When a key or a value does not fit.
        """
        shared = dict(self.config)
        if self.animals is not None:
            shared["animals"] = self.animals
        layers: list[tuple[str, Mapping[str, Any]]] = [("config", shared)]
        if self.preset:
            layers.append((f"preset {self.preset}", configuration.preset(scenario, self.preset)))
        return configuration.configure(scenario, words, layers)

    def plan(self, scenario: Scenario, shared: ScenarioConfig) -> Plan:
        """Return the sweep of the experiment: a point for each group.

        Raises
        ------
        ScenarioError
            When a key of a group is no field of the configuration, a value does not fit, or arms refer to a
            group that does not exist, or to each other in a circle.
        """
        base = _flat(scenario.config, to_plain(shared))
        settings = {name: self._settings(scenario, name) for name in self.groups}
        flat = {name: _flat(scenario.config, of_group) for name, of_group in settings.items()}
        keys = list(dict.fromkeys([ARM, *(key for of_group in flat.values() for key in of_group)]))
        points: list[Point] = []
        for name, of_group in flat.items():
            point: Point = {key: of_group.get(key, base.get(key)) for key in keys}
            try:
                check_point(scenario, of_group)
                layers = [("group", merged(to_plain(shared), settings[name]))]
                arms = full_texts(configuration.configure(scenario, layers=layers).arm)
            except ScenarioError as error:
                raise ScenarioError(f"group {name!r}: {error}") from error
            points.append(point | {ARM: " + ".join(arms) or INTACT})
        self._check_references(
            {name: groups_in(separate_arms(p[ARM])) for name, p in zip(flat, points, strict=True)}
        )
        content = {"groups": list(self.groups), **to_plain(self.design)}
        return Plan(points, self.seeds, self.keep_recordings, experiment=content)

    def _settings(self, scenario: Scenario, name: str) -> dict[str, Any]:
        """Return the fields of a group, with those of its preset; the arms as a list."""
        settings = dict(self.groups[name])
        chosen = settings.pop(PRESET, "")
        if chosen:
            try:
                settings = merged(configuration.preset(scenario, chosen), settings)
            except ScenarioError as error:
                raise ScenarioError(f"group {name!r}: {error}") from error
        if isinstance(settings.get(ARM), str):
            settings[ARM] = [settings[ARM]]
        return settings

    def _check_references(self, references: Mapping[str, Sequence[str]]) -> None:
        for name, groups in references.items():
            for group in groups:
                if group not in self.groups:
                    raise ScenarioError(
                        f"group {name!r}: its arm refers to group {group!r}; {nearest(group, self.groups)}"
                    )
        waiting = dict(references)
        while free := [name for name, groups in waiting.items() if not set(groups) & set(waiting)]:
            for name in free:
                del waiting[name]
        if waiting:
            raise ScenarioError(f"groups: the arms of {', '.join(map(repr, waiting))} refer to each other")


def _flat(kind: type, settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one of paths: `{"brain": {"apl": False}}` becomes `{"brain.apl": False}`."""
    hints, flat = field_types(kind), dict[str, Any]()
    for key, value in settings.items():
        table = table_of(hints[key]) if key in hints else None
        if table is not None and isinstance(value, Mapping):
            flat |= _flat(table, value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings of keys that may be paths, as `"brain.apl" = false`."""
    result: dict[str, Any] = {}
    for key, value in settings.items():
        *tables, name = key.split(".")
        inner: dict[str, Any] = {name: _nested(value) if isinstance(value, Mapping) else value}
        for table in reversed(tables):
            inner = {table: inner}
        result = merged(result, inner)
    return result


def find_experiment(path: str | Path) -> Experiment:
    """Return the experiment of a TOML file, or of a Python file that defines EXPERIMENT.

    The path of a scenario is relative to the file.

    Raises
    ------
    ScenarioError
        When the file cannot be read, or describes no experiment; the message names the nearest key.
    """
    path = Path(path)
    if path.suffix == ".py":
        experiment = getattr(load_file(path, "EXPERIMENT"), "EXPERIMENT", None)
        if not isinstance(experiment, Experiment):
            raise ScenarioError(
                f"{path} defines no EXPERIMENT of type ethospike.scenarios.experiments.Experiment"
            )
    else:
        experiment = _from_toml(path)
    if experiment.scenario.endswith(".py"):
        file = user_path(path).parent / expanded(experiment.scenario)
        return dataclasses.replace(experiment, scenario=str(file))
    return experiment


def _from_toml(path: Path) -> Experiment:
    content = configuration.read_toml(path)
    groups = content.get("groups")
    if not isinstance(groups, Mapping) or not all(isinstance(group, Mapping) for group in groups.values()):
        raise ScenarioError(f"{path}: expected a table [groups.NAME] for each group")
    if not isinstance(content.get("config", {}), Mapping):
        raise ScenarioError(f"{path}: config: expected a table, got {content['config']!r}")
    content["groups"] = {name: _nested(settings) for name, settings in groups.items()}
    content["config"] = _nested(content.get("config", {}))
    try:
        return from_mapping(Experiment, content)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error


def scenario_of(experiment: Experiment) -> Scenario:
    """Return the scenario of an experiment.

    Raises
    ------
    ScenarioError
        When it does not exist.
    """
    return find_scenario(experiment.scenario)
