"""Arms: their texts, their effect on both tasks, their proofs, and arms without effect, which are errors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ethospike.errors import ArmError, ScenarioError
from ethospike.recorders.recording import Recording, open_recording
from ethospike.scenarios.arms import ARMS, find_arm, parse_arm
from ethospike.scenarios.arms.network.set_values import SetValues
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.odor import conditioning
from ethospike.scenarios.odor.crawling import SCENARIO as CRAWLING
from ethospike.scenarios.reach.scenario import SCENARIO as REACH
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import run_scenario
from ethospike.scenarios.scenario import Scenario

ODOR_WORDS = [
    *("--cycles", "1", "--odor-s", "3", "--blank-s", "1", "--gap-s", "1", "--test-s", "2"),
    *("--animals", "2", "--checkpoint-every-s", "0", "--recorder.writer", "inline"),
]
REACH_WORDS = [
    *("--minutes", "0.08", "--animals", "2", "--checkpoint-every-s", "0", "--recorder.writer", "inline"),
    *("--reacher.cortex.n-e", "240", "--reacher.cortex.n-i", "60", "--reacher.threshold", "0.25"),
]
"""So small a cortex hardly prefers a direction: a quarter of the activity decides."""
TASKS = {"odor": (conditioning.SCENARIO, ODOR_WORDS), "reach": (REACH, REACH_WORDS)}


def run(
    scenario: Scenario, words: list[str], folder: Path, *arms: str, **changes: Any
) -> tuple[RunFolder, Recording]:
    config = configure(scenario, [*words, *(word for arm in arms for word in ("--arm", arm))])
    config = dataclasses.replace(config, **changes)
    result = run_scenario(scenario, config, folder, quiet=True, draw=False)
    return result.folder, open_recording(folder)


def proof_of(folder: RunFolder, arm: str) -> dict[str, Any]:
    info, summary = folder.info, folder.summary
    assert info["arms"] == summary["arms"]
    return dict(info["arms"][arm])


def arrays(recording: Recording) -> dict[str, np.ndarray[Any, Any]]:
    """Everything of a run but the variables of the arm."""
    found = {
        str(name): np.asarray(values)
        for name, values in recording.behavior.items()
        if not str(name).startswith("arm_")
    }
    spikes = recording.spikes()
    found |= {"step": spikes.step, "animal": spikes.animal, "neuron": spikes.neuron}
    for name in recording.layout.weights:
        found[f"weights {name}"] = np.asarray(recording.weights(name))
    return found


def expect_same(one: Recording, other: Recording) -> None:
    mine, theirs = arrays(one), arrays(other)
    assert mine.keys() == theirs.keys()
    assert len(mine["step"]) > 100
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RunFolder, Recording]]:
    folder = tmp_path_factory.mktemp("intact")
    return {name: run(*task, folder / name) for name, task in TASKS.items()}


@pytest.mark.parametrize("task", TASKS)
def test_sham_animals_equal_intact_ones_bit_for_bit(task: str, intact: Any, tmp_path: Path) -> None:
    folder, recording = run(*TASKS[task], tmp_path / "run", "sham")
    assert proof_of(folder, "sham") == {"touched": 0}
    expect_same(recording, intact[task][1])


def test_frozen_weights_stay_and_the_trains_into_the_brain_are_those_of_the_intact_larva(
    intact: Any, tmp_path: Path
) -> None:
    folder, recording = run(*TASKS["odor"], tmp_path / "run", "freeze")
    proof = proof_of(folder, "freeze")
    assert proof["synapses"] == proof["touched"] == 2 * 2 * 72  # larvae, projections, Kenyon cells
    assert proof["largest_change"] == 0.0
    weights = np.asarray(intact["odor"][1].weights("KC>MBONn"))
    assert np.abs(weights - weights[:1]).max() > 0.1  # the intact larva learns
    # Receptors get their input from outside, so that they fire the same as long as the body is the same.
    first = [one.spikes("ORN", start_s=0.0, stop_s=0.1) for one in (recording, intact["odor"][1])]
    assert len(first[0].step) > 50
    np.testing.assert_array_equal(first[0].step, first[1].step)


def test_one_projection_is_frozen_and_the_other_learns(tmp_path: Path) -> None:
    _, recording = run(*TASKS["odor"], tmp_path / "run", "freeze KC>MBONp")
    moved = {
        name: np.ptp(np.asarray(recording.weights(name)), axis=0).max() for name in ("KC>MBONp", "KC>MBONn")
    }
    assert moved["KC>MBONp"] == 0.0
    assert moved["KC>MBONn"] > 0.1


def test_freezing_weights_that_do_not_learn_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArmError, match="no plastic projection"):
        run(*TASKS["reach"], tmp_path / "reach", "freeze")
    words = [*ODOR_WORDS, "--brain.learning-rate", "0", "--brain.homeostasis", "0"]
    with pytest.raises(ArmError, match="rates of 0 already"):
        run(conditioning.SCENARIO, words, tmp_path / "odor", "freeze")
    assert not (tmp_path / "odor").exists()
    with pytest.raises(ArmError, match="did you mean 'KC>MBONp'"):
        run(*TASKS["odor"], tmp_path / "odor", "freeze KC>MBOnp")


@pytest.mark.parametrize("task", TASKS)
def test_the_body_gets_zeros_where_the_loop_is_cut(task: str, intact: Any, tmp_path: Path) -> None:
    scenario, words = TASKS[task]
    folder, recording = run(scenario, words, tmp_path / "run", "cut-loop")
    proof = proof_of(folder, "cut-loop")
    assert proof["touched"] > 0
    assert proof["largest_applied"] == 0.0
    assert proof["largest_chosen"] > 0.1
    position = np.asarray(recording.variable("position_mm"))
    moved = np.ptp(position[1:20], axis=0).max()
    assert moved == 0.0
    assert np.ptp(np.asarray(intact[task][1].variable("position_mm")), axis=0).max() > 0.5


def test_the_actions_of_another_recording_move_the_body_along_its_path(intact: Any, tmp_path: Path) -> None:
    path = tmp_path / "other"
    _, other = run(conditioning.SCENARIO, [*ODOR_WORDS, "--seed", "5"], path)
    arm = f"cut-loop actions_of={path} shift=1"
    folder, recording = run(*TASKS["odor"], tmp_path / "run", arm)
    assert proof_of(folder, arm)["touched"] > 0
    applied = np.asarray(recording.variable("arm_action"))
    np.testing.assert_array_equal(applied, np.asarray(other.variable("action"))[:, [1, 0]])


def test_actions_that_the_brain_chose_anyway_are_no_cut(tmp_path: Path) -> None:
    run(*TASKS["odor"], tmp_path / "same")
    with pytest.raises(ArmError, match="nothing was cut"):
        run(*TASKS["odor"], tmp_path / "run", f"cut-loop actions_of={tmp_path / 'same'}")
    folder = RunFolder.open(tmp_path / "run")
    assert folder.status == "failed"
    assert folder.summary["preference_index"]  # what was recorded is kept, with its measures
    assert "nothing was cut" in folder.info["error"]


@pytest.mark.parametrize(
    ("task", "arm", "values"),
    [
        ("odor", "set KC q_sfa=0", {"KC.q_sfa": (0.02, 0.0, 72)}),
        ("odor", "set APL>KC weight*=0.5", {"weight": (-50.0, -25.0, 72)}),
        ("odor", "set KC>MBONn learning_rate=0.2", {"learning_rate": (0.1, 0.2, 1)}),
        ("reach", "set E t_ref=4", {"E.t_ref": (5.0, 4.0, 240)}),
    ],
)
def test_values_are_set(
    task: str, arm: str, values: dict[str, tuple[float, float, int]], intact: Any, tmp_path: Path
) -> None:
    folder, recording = run(*TASKS[task], tmp_path / "run", arm)
    proof = proof_of(folder, arm)
    assert proof["values"].keys() == values.keys()
    for key, (before, after, n) in values.items():
        assert proof["values"][key] == pytest.approx({"before": before, "after": after, "n": n})
    assert proof["touched"] == 2 * next(iter(values.values()))[2]  # animals
    with pytest.raises(AssertionError):
        expect_same(recording, intact[task][1])


def test_values_that_are_there_already_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArmError, match="these are the values already"):
        run(*TASKS["odor"], tmp_path / "run", "set KC q_sfa=0.02")
    for arm, words in (
        ("set KCC q_sfa=0", "did you mean 'KC'"),
        ("set KC q_sfaa=0", "did you mean 'q_sfa'"),
        ("set KC q_sfa=x", "PARAMETER=NUMBER"),
        ("set KC", "expected a target and its values"),
        ("set APL>KC learning_rate=0", "has no 'learning_rate'"),
        ("set PN>KC weight=nan", "finite"),
    ):
        with pytest.raises(ArmError, match=words):
            run(*TASKS["odor"], tmp_path / "bad", arm)
        assert not (tmp_path / "bad").exists()


def test_arms_are_combined_in_their_order(tmp_path: Path) -> None:
    arms = ("set KC q_sfa=0.1", "set KC q_sfa*=2", "freeze")
    folder, _ = run(*TASKS["odor"], tmp_path / "run", " + ".join(arms))
    assert list(folder.info["arms"]) == list(arms)
    assert folder.info["arms"][arms[1]]["values"]["KC.q_sfa"]["after"] == pytest.approx(0.2)
    assert folder.config["arm"] == list(arms)


def test_arms_without_a_network_to_change_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArmError, match="no network that an arm could change"):
        run(CRAWLING, ["--minutes", "0.05"], tmp_path / "run", "set KC q_sfa=0")
    with pytest.raises(ArmError, match="choose an agent with neurons"):
        run(REACH, [*REACH_WORDS, "--agent", "baseline"], tmp_path / "run", "set E t_ref=4")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text", ["sham", "freeze KC>MBONp KC>MBONn", "set KC q_sfa=0 tau_m*=2", "cut-loop shift=2"]
)
def test_texts_are_read_back(text: str) -> None:
    arm = parse_arm(text)
    assert str(parse_arm(str(arm))) == str(arm) == text


def test_every_arm_has_an_example_that_can_be_read() -> None:
    for name in ARMS:
        arm = parse_arm(find_arm(name).example())
        assert arm.name == name
        assert str(parse_arm(str(arm))) == str(arm)


def test_unknown_arms_are_named_with_the_nearest() -> None:
    with pytest.raises(ArmError, match="did you mean 'freeze'"):
        parse_arm("freze")
    with pytest.raises(ArmError, match="expected no words"):
        parse_arm("sham KC")
    with pytest.raises(ArmError, match="did you mean 'shift'"):
        parse_arm("cut-loop shft=2")
    with pytest.raises(ArmError, match="whole number"):
        parse_arm("cut-loop shift=1.5")
    with pytest.raises(ArmError, match="No closing quotation"):
        parse_arm("silence 'KC")


OWN = '''
from dataclasses import dataclass
from ethospike.scenarios.arms import Arm, ArmedRun, NetworkArm
import dataclasses

@dataclass
class Tired(NetworkArm):
    """Kenyon cells need more to fire."""
    by_mv: float

    def change(self, network, config):
        populations = [
            p if p.name != "KC" else dataclasses.replace(p, params={**p.params, "V_th": -35.0 + self.by_mv})
            for p in network.populations
        ]
        return dataclasses.replace(network, populations=tuple(populations))

    def proof(self, run: ArmedRun):
        before, after = self.networks()
        moved = after.parameter("KC", "V_th", 1, 0) - before.parameter("KC", "V_th", 1, 0)
        return {"touched": int((moved != 0).sum()), "by_mv": float(moved.mean())}
'''


def test_an_arm_of_ones_own_is_a_class_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own_arms.py"
    file.write_text(OWN)
    folder, _ = run(*TASKS["odor"], tmp_path / "run", f"{file}:Tired 5")
    (proof,) = folder.info["arms"].values()
    assert proof == {"touched": 72, "by_mv": 5.0}
    with pytest.raises(ArmError, match="touched nothing"):
        run(*TASKS["odor"], tmp_path / "vacuous", f"{file}:Tired 0")
    with pytest.raises(ArmError, match="defines no class Tyred"):
        parse_arm(f"{file}:Tyred 5")
    with pytest.raises(ScenarioError, match="no file"):
        parse_arm(f"{tmp_path / 'absent.py'}:Tired 5")
    file.write_text(OWN.replace("def proof", "def prove"))
    with pytest.raises(ArmError, match="the arm Tired lacks the methods proof"):
        parse_arm(f"{file}:Tired 5")
    file.write_text(OWN)
    with pytest.raises(ArmError, match="expected its by_mv"):
        parse_arm(f"{file}:Tired")


def test_an_arm_can_be_applied_in_python(tmp_path: Path) -> None:
    scenario = SetValues("KC", (("q_sfa", 0.0, False),)).on(conditioning.SCENARIO)
    run(scenario, ODOR_WORDS, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["arms"]["set KC q_sfa=0"]["touched"] == 144
    config = configure(conditioning.SCENARIO, ODOR_WORDS)
    config = dataclasses.replace(config, arm=(parse_arm("freeze"), "intact"))  # type: ignore[arg-type]
    assert config.arm == ("freeze",)


def test_every_scenario_takes_arms() -> None:
    for name in ("odor-preference", "cortex-rest", "reward-learning", "crawling"):
        scenario = find_scenario(name)
        assert configure(scenario, ["--arm", "sham"]).arm == ("sham",)


def test_silenced_neurons_fire_in_no_control_step_of_the_phase(tmp_path: Path) -> None:
    folder, recording = run(*TASKS["odor"], tmp_path / "run", "silence KC phase=test")
    proof = proof_of(folder, "silence KC phase=test")
    assert proof["touched"] == 2 * 72
    assert proof["suppressed_spikes"] > 100
    assert proof["spikes_in_silence"] == 0
    test = recording.phases().query("phase == 'test'")
    begin_s, end_s = float(test["start_s"].iloc[0]), float(test["stop_s"].iloc[0])
    assert len(recording.spikes("KC", start_s=begin_s, stop_s=end_s).step) == 0
    assert len(recording.spikes("KC", start_s=0.0, stop_s=begin_s).step) > 100
    with pytest.raises(ArmError, match="no phase 'tst'"):
        run(*TASKS["odor"], tmp_path / "absent", "silence KC phase=tst")
    with pytest.raises(ArmError, match="no control step of silence"):
        run(*TASKS["odor"], tmp_path / "late", "silence KC from_s=600")


@pytest.mark.parametrize(("task", "arm"), [("odor", "shuffle PN>KC"), ("reach", "shuffle")])
def test_shuffled_synapses_move_and_keep_degrees(task: str, arm: str, tmp_path: Path) -> None:
    folder, _ = run(*TASKS[task], tmp_path / "run", arm)
    proof = proof_of(folder, arm)
    for projection in proof["projections"].values():
        assert projection["degrees_equal"]
        assert projection["share_moved"] > 0.3
        assert projection["autapses"] == 0


def test_all_to_all_projections_cannot_be_shuffled(tmp_path: Path) -> None:
    with pytest.raises(ArmError, match="cannot change"):
        run(*TASKS["odor"], tmp_path / "run", "shuffle KC>APL")


def test_yoked_larvae_sense_as_their_partners_did(intact: Any, tmp_path: Path) -> None:
    partner, other = intact["odor"]
    arm = f"yoked senses {partner.path} shift=1"
    folder, recording = run(*TASKS["odor"], tmp_path / "run", arm)
    assert proof_of(folder, arm)["touched"] > 0
    theirs = np.asarray(other.variable("observation"))[:, [1, 0]]
    np.testing.assert_array_equal(np.asarray(recording.variable("observation")), theirs)
    with pytest.raises(ArmError, match="the animals' own"):  # the same reward in the whole dish
        run(*TASKS["odor"], tmp_path / "vacuous", f"yoked reward {partner.path} shift=1")
