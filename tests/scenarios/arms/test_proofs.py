"""Arms in small on the tasks: the table of proofs, and arms that change nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ethospike.errors import SimulatorUnavailable
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.scenarios.arms.sham import Sham
from ethospike.scenarios.arms.table import _problem
from ethospike.scenarios.run.runner import run_scenario
from ethospike.scenarios.run.signals import RunStopped
from ethospike.scenarios.validation import arm_proofs

TINY = {"cycles": 1, "odor_s": 1.0, "blank_s": 0.2, "gap_s": 0.2, "test_s": 0.4}
"""Settings of odor conditioning for tests of the table itself."""


@pytest.fixture(scope="module")
def proofs() -> dict[str, Any]:
    """All arms on all tasks, on Numba."""
    return arm_proofs.proofs(("numba",))


@pytest.mark.simulator("numba")
def test_every_arm_acts_and_says_so(proofs: dict[str, Any]) -> None:
    assert proofs["arms"].keys() == {"odor", "reach", "reward"}
    for task, arms in proofs["arms"].items():
        for arm, outcomes in arms.items():
            outcome = outcomes["numba"]
            assert outcome["intact_spikes"] > 100, (task, arm)
            assert "refused" not in outcome, (task, arm, outcome)
            assert (outcome["proof"]["touched"] > 0) == (arm != "sham"), (task, arm)
            if arm == "sham":
                assert outcome["spikes"] == outcome["intact_spikes"]
            elif "outputs" not in arm and not arm.startswith("cut-loop"):  # those may change only the body
                assert outcome["spikes"] != outcome["intact_spikes"], (task, arm)


@pytest.mark.simulator("numba")
def test_every_vacuous_arm_is_refused(proofs: dict[str, Any]) -> None:
    errors = {(task, arm): error for task, arms in proofs["vacuous"].items() for arm, error in arms.items()}
    assert len(errors) > 10
    assert not [case for case, error in errors.items() if error is None]
    words = {arm.split()[0] for _, arm in errors}
    assert words >= {
        "silence",
        "shuffle",
        "freeze",
        "set",
        "cut-loop",
        "yoked",
        "gate-off",
        "shuffle-modulation",
    }


def test_a_sham_that_touches_something_is_caught() -> None:
    assert "expected to touch nothing, touched 3" in _problem(Sham(), {"touched": 3})
    assert _problem(Sham(), {"touched": 0}) == ""


@pytest.mark.simulator("numba")
def test_the_table_names_refusals() -> None:
    found = {
        "simulators": ["numba"],
        "arms": {"odor": {"sham": {"numba": {"refused": "a | b", "intact_spikes": 1}}}},
        "vacuous": {"odor": {"freeze": None}},
    }
    text = arm_proofs.to_markdown(found)
    assert "refused: a \\| b" in text
    assert "| odor | `freeze` | NONE |" in text


@pytest.mark.simulator("numba")
def test_runs_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of an hour of runs that was interrupted goes on; a run with other settings is made anew."""
    monkeypatch.setattr(arm_proofs, "SCENARIOS", {"odor": ("odor-conditioning", dict(TINY))})
    monkeypatch.setattr(arm_proofs, "ARMS", {"odor": ("sham", "silence KC")})
    monkeypatch.setattr(arm_proofs, "VACUOUS", {})
    first = arm_proofs.proofs(("numba",), tmp_path)
    assert first["arms"]["odor"]["silence KC"]["numba"]["proof"]["touched"] > 0
    (tmp_path / "odor" / "numba" / "arm 1" / "run.json").write_text('{"status": "running"}')  # killed
    made = []

    def run(scenario: Any, config: Any, path: Path, **options: Any) -> Any:
        made.append(path.name)
        return run_scenario(scenario, config, path, **options)

    monkeypatch.setattr(arm_proofs, "run_scenario", run)
    assert arm_proofs.proofs(("numba",), tmp_path) == first
    assert made == ["arm 1"]
    arm_proofs.SCENARIOS["odor"][1]["test_s"] = 0.8
    assert arm_proofs.proofs(("numba",), tmp_path)["arms"] != first["arms"]
    assert len(made) == 1 + 5


def test_a_simulator_without_a_task_says_why_in_each_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm_proofs, "SCENARIOS", {"reward": arm_proofs.SCENARIOS["reward"]})

    def refused(*_: Any, **__: Any) -> Any:
        raise SimulatorUnavailable("it lacks the rule")

    monkeypatch.setattr(arm_proofs, "run_scenario", refused)
    found = arm_proofs.proofs(("numba",), tmp_path)
    assert found["arms"]["reward"].keys() == set(arm_proofs.ARMS["reward"])
    assert "| reward | `freeze` | refused: it lacks the rule |" in arm_proofs.to_markdown(found)


@pytest.mark.simulator("numba")
def test_a_signal_ends_the_table_and_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a signal has cut short would pass for a run with fewer spikes."""

    def run(scenario: Any, config: Any, path: Path, **options: Any) -> Any:
        signals = [] if not config.arm else [lambda layout: Stop()]
        return run_scenario(scenario, config, path, listeners=signals, **options)

    class Stop(Recorder):
        def record(self, record: StepRecord) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        def close(self, status: str = "complete") -> None:
            pass

    monkeypatch.setattr(arm_proofs, "SCENARIOS", {"odor": ("odor-conditioning", TINY)})
    monkeypatch.setattr(arm_proofs, "run_scenario", run)
    with pytest.raises(RunStopped):
        arm_proofs.proofs(("numba",), tmp_path)
