"""The doctor: one simulator that works, and others that fail, hang, or are not there."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ethospike.brains.simulator import SIMULATORS
from ethospike.scenarios.command import doctor
from ethospike.scenarios.command.app import main
from ethospike.scenarios.command.doctor import TIMEOUT_S, diagnose

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.simulator("numba")
def test_a_simulator_that_works_passes_its_self_test() -> None:
    found = diagnose("numba")
    assert found.works, found.detail
    assert found.version == importlib.metadata.version("numba")
    assert "numba" in found.detail.lower()
    assert "self-test passed in" in found.detail


def ending(code: int, stdout: str, stderr: str) -> Run:
    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert words[:-1] == [sys.executable, "-m", "ethospike.scenarios.command.doctor"]
        return subprocess.CompletedProcess(words, code, stdout, stderr)

    return run


def replace_run(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    """In the doctor alone: `platform` starts processes too."""
    monkeypatch.setattr(
        doctor, "subprocess", SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
    )


def hang(words: list[str], timeout: float, **_: Any) -> subprocess.CompletedProcess[str]:
    assert timeout == TIMEOUT_S
    raise subprocess.TimeoutExpired(words, timeout)


@pytest.mark.parametrize(
    ("run", "detail"),
    [
        (ending(1, "", "Traceback\nConformanceError: too late\n"), "ConformanceError: too late"),
        (ending(-11, "", ""), "ended with exit code -11"),
        (ending(1, "numba 1.0\n", "no memory\n"), "no memory"),
        (hang, "self-test took over 180 s"),
    ],
    ids=["fails", "crashes", "fails late", "hangs"],
)
def test_a_simulator_that_does_not_work_says_why(
    run: Run, detail: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "is_installed", lambda name: name == "numba")
    replace_run(monkeypatch, run)
    found = diagnose("numba")
    assert (found.installed, found.works, found.detail) == (True, False, detail)
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    shown = capsys.readouterr().out
    assert "NO" in shown
    assert shown.count("not installed") == 2


def test_a_simulator_that_is_absent_comes_with_a_remedy_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "is_installed", lambda name: False)
    replace_run(monkeypatch, pytest.fail)
    found = diagnose("genn")
    assert (found.installed, found.works, found.detail) == (False, False, SIMULATORS["genn"].remedy)
    main(["doctor"])
    assert capsys.readouterr().out.count("not installed") == 3


def test_a_module_without_its_distribution_has_no_version_and_is_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "is_installed", lambda name: True)
    entry = replace(SIMULATORS["nest"], distribution="no-such-distribution")
    monkeypatch.setitem(SIMULATORS, "nest", entry)
    replace_run(monkeypatch, ending(0, "NEST 3.9\n", ""))
    found = diagnose("nest")
    assert (found.version, found.works) == ("unknown", True)
    assert found.detail.startswith("NEST 3.9; self-test passed in")
