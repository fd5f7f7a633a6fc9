"""Scenarios by name, or from a user's own file."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import sys
import traceback
import zlib
from pathlib import Path
from types import ModuleType

from ethospike.errors import ScenarioError, nearest
from ethospike.paths import user_path
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
        return _from_file(user_path(name))
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

    Modules beside the file can be imported by it, but do not hide installed ones of the same name: a folder
    may hold a signal.py or a nest.py.

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
    path = user_path(path)  # as tracebacks name it
    if not path.is_file():
        raise ScenarioError(f"no file {path}; expected a Python file that defines {defines}")
    key = zlib.crc32(os.fsencode(path))  # files of one name in two folders are two modules
    spec = importlib.util.spec_from_file_location(f"_ethospike_scenario_{path.stem}_{key:08x}", path)
    if spec is None or spec.loader is None:
        raise ScenarioError(f"{path} cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their annotations up in sys.modules.
    sys.modules[spec.name] = module
    _make_importable(path.parent)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises: it is told, with its place
        raise ScenarioError(f"{path} cannot be run: {_where(error, path)}") from error
    return module


def _make_importable(folder: Path) -> None:
    """Put the folder of a user's file at the end of Python's path, in place of the one before it.

    Modules that came from the one before are forgotten, so that a `helper.py` of another folder is not taken
    for this folder's.
    """
    global _folder
    if _folder == folder:
        return
    if _folder is not None:
        sys.path[:] = [entry for entry in sys.path if entry != str(_folder)]
        beside = {name for name, module in sys.modules.items() if _lies_in(_folder, name, module)}
        for name in [name for name in sys.modules if name.partition(".")[0] in beside]:
            del sys.modules[name]
    _folder = None if str(folder) in sys.path else folder
    if _folder is not None:
        sys.path.append(str(folder))


def _lies_in(folder: Path, name: str, module: ModuleType) -> bool:
    """Return True for a module `name.py` or a package `name` of a folder."""
    file, places = getattr(module, "__file__", None), [*getattr(module, "__path__", ())]
    return file == str(folder / f"{name}.py") or str(folder / name) in places


_folder: Path | None = None
"""The folder that was put on Python's path last; None while there is none, or it was there before."""


def _from_file(path: Path) -> Scenario:
    scenario = getattr(load_file(path, "SCENARIO"), "SCENARIO", None)
    if not isinstance(scenario, Scenario):
        raise ScenarioError(f"{path} defines no SCENARIO of type ethospike.scenarios.scenario.Scenario")
    return dataclasses.replace(scenario, file=path.resolve())
