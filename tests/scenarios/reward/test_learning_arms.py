"""The arms of agents that learn from a reward: gates, errors, and those that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ethospike.errors import ArmError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reward.scenario import SCENARIO
from ethospike.scenarios.run.runner import run_scenario

WORDS = ["--simulator.name", "numba", "--recorder.writer", "inline", "--env", "ethospike/CueBandit-v0"]
WORDS += ["--control-interval-ms", "100", "--animals", "2", "--episodes", "12", "--agent"]


@pytest.mark.parametrize(
    ("arm", "projections"),
    [("gate-off", ["code>actor"]), ("shuffle-modulation", ["code>actor", "code>critic"])],
)
def test_an_arm_of_learning_proves_its_effect(arm: str, projections: list[str], tmp_path: Path) -> None:
    weights = []
    for words in ([], ["--arm", arm]):
        config = configure(SCENARIO, [*WORDS, "actor-critic", *words])
        result = run_scenario(SCENARIO, config, tmp_path / f"run{len(words)}", quiet=True, draw=False)
        weights.append(np.asarray(open_recording(result.folder.path).weights("code>actor").values))
    proof = result.folder.summary["arms"][arm]
    assert proof["projections"] == projections
    # 8 channels of one neuron, 4 × 20 neurons of the actor and 40 of the critic, 2 animals.
    assert proof["touched"] == proof["synapses"] == 2 * 8 * (80 if arm == "gate-off" else 120)
    np.testing.assert_array_equal(weights[0][0], weights[1][0])  # the same start
    assert (weights[0][-1] != weights[1][-1]).any()


@pytest.mark.parametrize(
    ("agent", "arm", "message"),
    [
        ("coded", "gate-off", "the network has no projection with a gate"),
        ("reward-stdp", "shuffle-modulation", "no projection learns from a TD error"),
        ("td", "gate-off", "has no network that an arm could change"),
    ],
)
def test_agents_without_gate_or_error_have_no_such_arm(
    agent: str, arm: str, message: str, tmp_path: Path
) -> None:
    config = configure(SCENARIO, [*WORDS, agent, "--arm", arm])
    with pytest.raises(ArmError, match=message):
        run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, draw=False)
