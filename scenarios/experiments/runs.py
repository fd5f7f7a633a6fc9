"""The comparison of runs that exist already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ethospike.errors import ScenarioError, nearest
from ethospike.paths import expanded
from ethospike.scenarios.experiments.animals import table_of
from ethospike.scenarios.experiments.comparison import Design, require_statistics
from ethospike.scenarios.experiments.results import Results
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.sweeps.folder import is_sweep
from ethospike.scenarios.sweeps.task import animal_values

COMPLETE = "complete"


def compared_runs(
    runs: Sequence[str],
    *,
    control: str = "",
    measures: Sequence[str] = (),
    paired: bool = True,
    correction: str = "holm",
) -> Results:
    """Compare complete runs of one scenario, each a group or several a group.

    Parameters
    ----------
    runs : sequence of str
        Folders of runs, by themselves or as NAME=FOLDER; runs with the same NAME are one group.
    control : str
        The group with which the others are compared; the first by default.
    measures, paired, correction
        As in `Design`.

    Raises
    ------
    RunFolderError
        When a folder holds no run.
    ScenarioError
        When there are fewer than two groups, a run is not complete or of another scenario, animals that are
        to be paired have no partners, or a name is unknown.
    AnalysisNotInstalled
        When pingouin is absent.
    """
    require_statistics()
    named = [_named(word) for word in runs]
    _check_names(runs, named)
    folders = [(name, _complete(path)) for name, path in named]
    scenarios = {folder.scenario: folder.path for _, folder in folders}
    if len(scenarios) > 1:
        (first, path), (second, other), *_ = scenarios.items()
        raise ScenarioError(f"expected runs of one scenario, got {first} in {path} and {second} in {other}")
    groups = list(dict.fromkeys(name for name, _ in folders))
    if len(groups) < 2:
        raise ScenarioError(f"expected runs of at least two groups, got {', '.join(groups) or 'none'}")
    control = control or groups[0]
    if control not in groups:
        raise ScenarioError(f"control: no group {control!r}; {nearest(control, groups)}")
    seeds = [(name, int(folder.info["seed"])) for name, folder in folders]
    if repeated := [pair for pair in seeds if seeds.count(pair) > 1]:
        name, seed = repeated[0]
        raise ScenarioError(f"group {name!r} has two runs of seed {seed}: those are the same animals")
    animals = table_of(
        (name, seed, animal_values(folder.summary))
        for (name, seed), (_, folder) in zip(seeds, folders, strict=True)
    )
    pairs = tuple((name, control) for name in groups if name != control)
    if paired:
        for name, _ in pairs:
            _check_partners(name, control, seeds)
    about = {name: _about(folder) for name, folder in folders}
    return Results.of(groups, animals, Design(pairs, tuple(measures), paired, correction), about)


def _named(word: str) -> tuple[str, Path]:
    """Return the group and the folder of NAME=FOLDER, or of a folder alone."""
    name, equals, path = word.partition("=")
    if not equals or expanded(word).exists():
        folder = expanded(word)
        return folder.resolve().name, folder
    return name, expanded(path)


def _check_names(runs: Sequence[str], named: Sequence[tuple[str, Path]]) -> None:
    """Refuse two folders whose name alone makes them one group."""
    alone = [name for word, (name, path) in zip(runs, named, strict=True) if expanded(word) == path]
    if repeated := [name for name in alone if alone.count(name) > 1]:
        raise ScenarioError(
            f"two runs are called {repeated[0]!r}; name their groups, as in intact={named[0][1]}"
        )


def _complete(path: Path) -> RunFolder:
    if is_sweep(path):
        raise ScenarioError(f"{path} is a sweep or an experiment; compare it alone, or its runs")
    folder = RunFolder.open(path)
    if folder.status != COMPLETE:
        raise ScenarioError(f"{path} is {folder.status}; expected complete runs (`ethospike resume {path}`)")
    return folder


def _check_partners(name: str, control: str, seeds: Sequence[tuple[str, int]]) -> None:
    ours, theirs = ({seed for group, seed in seeds if group == which} for which in (name, control))
    if not ours & theirs:
        raise ScenarioError(
            f"{name!r} and {control!r} have no seed in common, hence no animal; compare independent groups "
            f"by --unpaired"
        )


def _about(folder: RunFolder) -> str:
    arms = " + ".join(folder.config.get("arm", ()))
    return f"{arms or 'intact'} ({folder.path})"
