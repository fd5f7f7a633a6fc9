"""The doctor: one simulator that works, and others that fail, hang, or are not there."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ethospike.brains.simulator import SIMULATORS
from ethospike.scenarios.command import doctor
from ethospike.scenarios.command.app import main
from ethospike.scenarios.command.doctor import LOADING_S, TIMEOUT_S, diagnose, unfinished

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
        assert words[:-1] == [sys.executable, "-P", "-m", "ethospike.scenarios.command.doctor"]
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
        (hang, unfinished(0.0)),
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


def test_a_self_test_that_reached_its_limit_hung_or_compiled_on_busy_cores() -> None:
    """The first self-test compiles, and was called a failure where other processes had the cores."""
    assert "it hangs" in unfinished(0.9 * LOADING_S)
    told = unfinished(TIMEOUT_S / 4)
    assert f"took over {TIMEOUT_S:.0f} s, with {TIMEOUT_S / 4:.0f} s of processor time" in told
    assert "try again" in told


def test_the_processor_time_of_a_self_test_is_that_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(words: list[str], timeout: float, **_: Any) -> subprocess.CompletedProcess[str]:
        code = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([words[0], "-c", code], check=True)
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(doctor, "is_installed", lambda name: True)
    monkeypatch.setattr(doctor, "unfinished", str)
    for run, least, most in ((slow, 0.3, TIMEOUT_S), (hang, 0.0, 0.1)):
        replace_run(monkeypatch, run)
        assert least <= float(diagnose("numba").detail) <= most


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


NETWORKS = """
from ethospike.brains.network import FixedIndegree, Network, Population, Projection

cells = Population("E", 30_000, "iaf_cond_exp")
large = Network([cells], [Projection("E>E", "E", "E", FixedIndegree(100), 1.0)])

def small():
    return Network([Population("E", 10, "iaf_psc_exp")])

number = 3
"""


@pytest.mark.simulator("numba")
@pytest.mark.parametrize(("name", "engine"), [("large", "rows"), ("small", "lists")])
def test_the_engine_of_a_users_network_is_given_with_the_reasons(
    name: str,
    engine: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "brain.py").write_text(NETWORKS)
    main(["doctor", "--network", f"{tmp_path / 'brain.py'}:{name}"])
    rows = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if len(line.split()) > 4}
    assert {key for key, line in rows.items() if " yes " in line} == {engine}
    assert {key for key, line in rows.items() if " no " in line} == {"lists", "bits", "rows"} - {engine}
    if name == "large":
        assert "30,000 neurons with 3,000,000 synapses" in rows["rows"]
        assert "iaf_cond_exp; it runs iaf_psc_exp" in rows["bits"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("brain.py", "expected FILE:NAME"),
        ("{folder}/absent.py:net", "no file"),
        ("{folder}/brain.py:number", "defines no 'number' that is a Network"),
    ],
)
def test_a_network_that_is_not_there_is_told_in_one_line(
    place: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "brain.py").write_text(NETWORKS)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--network", place.format(folder=tmp_path)])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
