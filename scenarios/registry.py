"""Scenarios by name, or from a user's own file."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios.scenario import Scenario

SCENARIOS: dict[str, str] = {
    "cortex-rest": "ethospike.scenarios.rest.scenario",
    "crawling": "ethospike.scenarios.odor.crawling",
    "delayed-reach": "ethospike.scenarios.reach.scenario",
    "odor-conditioning": "ethospike.scenarios.odor.conditioning",
    "odor-preference": "ethospike.scenarios.odor.preference",
    "reward-learning": "ethospike.scenarios.reward.scenario",
}
"""Name and module of the scenarios that come with the package; each module has a `SCENARIO`."""


def find_scenario(name: str) -> Scenario:
    """Return a scenario by its name, or from a user's Python file that defines `SCENARIO`.

    Raises
    ------
    ScenarioError
        When the scenario does not exist; the message names the nearest.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name not in SCENARIOS:
        raise ScenarioError(f"no scenario {name!r}; {nearest(name, SCENARIOS)} (or the path of a .py file)")
    scenario: Scenario = importlib.import_module(SCENARIOS[name]).SCENARIO
    return scenario


def _where(error: Exception, path: Path) -> str:
    """Return an error's type and message, and the last line of a file in its traceback."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    passed = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    line = f"line {passed[-1]}: " if passed else ""
    return f"{line}{type(error).__name__}: {error}"


def load_file(path: Path, defines: str) -> ModuleType:
    """Run a user's Python file and return its module.

    Parameters
    ----------
    path : Path
    defines : str
        Completes the message "expected a Python file that defines …".

    Raises
    ------
    ScenarioError
        When the file does not exist, or its code raises an error; the message names the line.
    """
    if not path.is_file():
        raise ScenarioError(f"no file {path}; expected a Python file that defines {defines}")
    spec = importlib.util.spec_from_file_location(f"_ethospike_scenario_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ScenarioError(f"{path} cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their annotations up in sys.modules.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises: it is told, with its place
        raise ScenarioError(f"{path} cannot be run: {_where(error, path)}") from error
    return module


def _from_file(path: Path) -> Scenario:
    scenario = getattr(load_file(path, "SCENARIO"), "SCENARIO", None)
    if not isinstance(scenario, Scenario):
        raise ScenarioError(f"{path} defines no SCENARIO of type ethospike.scenarios.scenario.Scenario")
    return dataclasses.replace(scenario, file=path.resolve())
