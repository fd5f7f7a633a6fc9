"""Scenarios of users: files, helpers beside them, and mistakes with their lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios import registry
from ethospike.scenarios.registry import find_scenario, load_file

SCENARIO = """
from helper import ABOUT
from ethospike.scenarios.odor.crawling import SCENARIO as LIKE
import dataclasses
import signal
assert signal.SIGINT
SCENARIO = dataclasses.replace(LIKE, name="mine", about=ABOUT)
"""


@pytest.fixture(autouse=True)
def path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(registry, "_folder", None)


def write(folder: Path, about: str) -> Path:
    folder.mkdir()
    (folder / "exp.py").write_text(SCENARIO)
    (folder / "helper.py").write_text(f"ABOUT = {about!r}\n")
    (folder / "signal.py").write_text("raise ImportError\n")
    return folder / "exp.py"


def test_a_helper_beside_a_scenario_is_found_and_is_that_of_its_folder(tmp_path: Path) -> None:
    first, second = write(tmp_path / "one", "first"), write(tmp_path / "two", "second")
    made = [find_scenario(str(file)) for file in (first, second, first)]
    assert [scenario.about for scenario in made] == ["first", "second", "first"]
    assert [scenario.file for scenario in made] == [first, second, first]
    assert sys.path.count(str(tmp_path / "one")) == 1
    assert str(tmp_path / "two") not in sys.path


def test_a_package_beside_a_scenario_is_found_too(tmp_path: Path) -> None:
    for name in ("one", "two"):
        package = tmp_path / name / "tools_of_mine"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "numbers.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "exp.py").write_text("from tools_of_mine.numbers import NAME\n")
    for name in ("one", "two", "one"):
        assert name == load_file(tmp_path / name / "exp.py", "NAME").NAME


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ny = 1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("x = 1\n\nif x\n", "line 3: SyntaxError"),
        ("import absent_module\n", "line 1: ModuleNotFoundError"),
    ],
)
@pytest.mark.parametrize("typed", ["exp.py", "./exp.py", "sub/../exp.py", "absolute"])
def test_a_mistake_is_told_with_its_line_however_the_path_was_typed(
    text: str, words: str, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "exp.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError, match=words):
        find_scenario(str(tmp_path / "exp.py") if typed == "absolute" else typed)


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "one", "first")
    assert find_scenario("~/one/exp.py").about == "first"


@pytest.mark.simulator("numba")
def test_workers_of_a_sweep_find_the_helper(tmp_path: Path) -> None:
    write(tmp_path / "one", "first")
    words = [
        "sweep",
        "../one/exp.py",
        "--minutes",
        "0.02",
        "--resamples",
        "0",
        "--grid",
        "locomotion.stride_hz=1,1.5",
        "--out",
        "out",
    ]
    (tmp_path / "elsewhere").mkdir()
    command = [sys.executable, "-P", "-m", "ethospike", *words, "--workers", "1", "--quiet"]
    done = subprocess.run(
        command, cwd=tmp_path / "elsewhere", capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 tasks finished" in done.stdout
    assert ", 0 of them failed" in done.stdout


def test_a_scenario_is_shown_by_its_name_and_its_presets() -> None:
    scenario = find_scenario("odor-conditioning")
    assert repr(scenario) == f"<Scenario odor-conditioning: {scenario.about}>"
    assert "calibrated" in scenario._repr_html_()
