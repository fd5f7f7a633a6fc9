"""Execution of the parts of a validation, and storage of their results.

The parts are given by name with common settings. The results are written as a JSON file and as tables in
Markdown; both files are rewritten after every part, so that an interruption loses only the current part.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ethospike.brains.simulator import simulator_class
from ethospike.errors import RunFolderError, ScenarioError, nearest
from ethospike.paths import expanded
from ethospike.recorders.recording import Recording, open_recording
from ethospike.scenarios.run.files import beside, read_json, require_place, write_whole
from ethospike.scenarios.run.provenance import provenance
from ethospike.scenarios.run.runner import run_scenario
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


@dataclasses.dataclass(frozen=True)
class Validation:
    """A validation: its parts, the simulators they need, its tables and figures.

    Parameters
    ----------
    parts : mapping of str to callable(settings) -> dict
        Name and function of each part.
    simulators : callable(part, chosen) -> sequence of str
        The simulators that a part requires; `chosen` is the simulator of the settings.
    key : str
        Entry of a part that holds its results.
    to_markdown : callable(results) -> str
        Returns the results as tables.
    draw : callable(out, part, results of the part), optional
        Draws figures of a part, in files that begin with `out`.
    """

    parts: Mapping[str, Callable[[Any], dict[str, Any]]]
    simulators: Callable[[str, str], Sequence[str]]
    key: str
    to_markdown: Callable[[dict[str, Any]], str]
    draw: Callable[[Path, str, Mapping[str, Any]], None] | None = None


def run_parts(out: Path, settings: Any, chosen: Sequence[str], validation: Validation) -> Path:
    """Run parts (all by default), write `out`.json and `out`.md after each, and return the path of `out`.md.

    The other parts keep their results in `out`.json.

    Raises
    ------
    ScenarioError
        When a part is unknown or would compare a simulator with itself, or `out`.json is damaged.
    SimulatorNotInstalled
        When a simulator that a part needs is absent.
    RunFolderError
        When the results cannot be written.
    """
    for name in chosen:
        if name not in validation.parts:
            raise ScenarioError(f"validation: no part {name!r}; {nearest(name, validation.parts)}")
    check_simulators(
        {name: validation.simulators(name, settings.simulator) for name in chosen or validation.parts}
    )
    out = expanded(out)
    file, table = beside(out, ".json"), beside(out, ".md")
    results = read_results(file, validation) if chosen and file.exists() else {}
    require_place(out)
    for name in chosen or validation.parts:
        origin = {"machine": provenance(), "settings": dataclasses.asdict(settings)}
        results[name] = {**origin, validation.key: validation.parts[name](settings)}
        write_whole(file, (json.dumps(results, indent=1) + "\n").encode())
        write_whole(table, validation.to_markdown(results).encode())
        if validation.draw is not None:
            validation.draw(out, name, results[name][validation.key])
        print(f"validation: {name} done", file=sys.stderr, flush=True)
    return table


def recorded(
    scenario: Scenario, config: ScenarioConfig, look: Callable[[Recording, dict[str, Any]], Any]
) -> Any:
    """Run a scenario in a temporary folder and return `look(recording, summary)`.

    The recording is written in the same process: a second process would occupy another processor.

    Raises
    ------
    RunStopped
        When a signal stopped the run: its measures would be those of a shorter experiment.
    """
    config = dataclasses.replace(config, recorder=dataclasses.replace(config.recorder, writer="inline"))
    with tempfile.TemporaryDirectory() as folder:
        result = run_scenario(scenario, config, Path(folder) / "run", quiet=True, draw=False)
        summary = result.complete_summary()
        return look(open_recording(result.folder.path), summary)


def summary_of(scenario: Scenario, config: ScenarioConfig) -> dict[str, Any]:
    """Run a scenario in a temporary folder and return its measures."""
    summary: dict[str, Any] = recorded(scenario, config, lambda recording, summary: summary)
    return summary


def check_simulators(needed: Mapping[str, Sequence[str]]) -> None:
    """Refuse parts with absent or identical simulators, before hours are spent on other parts.

    Raises
    ------
    ScenarioError
        When a part would compare a simulator with itself.
    SimulatorNotInstalled
        When a simulator is absent.
    """
    same = [part for part, names in needed.items() if len(set(names)) < len(names)]
    if same:
        raise ScenarioError(
            f"{', '.join(same)}: compare {needed[same[0]][0]} with another simulator; choose that one by "
            f"--simulator, or other parts by --parts"
        )
    for name in dict.fromkeys(name for names in needed.values() for name in names):
        simulator_class(name)


def read_results(file: Path, validation: Validation) -> dict[str, Any]:
    """Return the results of an earlier validation, by part.

    Raises
    ------
    ScenarioError
        When the file is damaged, or is not the file of a validation.
    """
    remedy = "move it away, or choose another name by --out"
    try:
        results = read_json(file)
    except RunFolderError as error:
        raise ScenarioError(f"{error}; {remedy}") from error
    for name, entry in results.items():
        if not isinstance(entry, Mapping) or not {"machine", "settings", validation.key} <= entry.keys():
            raise ScenarioError(f"{file} holds no results of this validation under {name!r}; {remedy}")
    return results
