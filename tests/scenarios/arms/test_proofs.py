"""Arms in small on the tasks: the table of proofs, and arms that change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ethospike.scenarios.arms.sham import Sham
from ethospike.scenarios.arms.table import _problem
from ethospike.scenarios.validation import arm_proofs


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
