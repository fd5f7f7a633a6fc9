"""The arms of agents that learn from a reward: gates, errors, and those that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ethospike.agents.reward.actor_critic import actor_critic_network
from ethospike.agents.reward.shuffled import GIVEN, TRUE
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.errors import ArmError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.network.gate_off import groups_alike
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
    assert proof["control_steps"] > 20  # an episode has one step that counts
    if arm == "gate-off":
        assert proof["control_steps"] == 2 * 12
        # The gate of the chosen group of four is 1 − p, those of the others −p: they add up to 0.
        assert proof["gate_of_chosen"] == pytest.approx(-3.0 * proof["gate_of_others"], rel=1e-5)
        intact = ArmedRun(open_recording(tmp_path / "run0"), config, tmp_path / "run0")
        network = actor_critic_network(GymnasiumGroup(config.source()), config.actor_critic)
        assert groups_alike(intact, network, "code>actor") < 0.0 < 0.5 < proof["groups_alike"]
    else:
        assert proof["sd_ratio"] > 0.0
        assert abs(proof["correlation"]) < 0.9


def test_shuffled_errors_are_those_of_other_windows_and_proven_so(tmp_path: Path) -> None:
    """Given errors are true errors of earlier windows, each window with those of its own animal."""
    words = [*WORDS, "actor-critic", "--arm", "shuffle-modulation"]
    result = run_scenario(SCENARIO, configure(SCENARIO, words), tmp_path / "run", quiet=True, draw=False)
    recording = open_recording(result.folder.path)
    true, given = (np.asarray(recording.variable(name).values) for name in (TRUE, GIVEN))
    for animal in range(2):
        taught = np.flatnonzero(given[:, animal])
        assert len(taught) > 8
        for step in taught:
            assert np.isin(given[step, animal], true[:step, animal])


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
