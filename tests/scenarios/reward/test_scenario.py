"""Runs on standard environments: the command, the table of episodes, resume, and frames in views."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pygame
import pytest

from ethospike.envs.any_env import episode_seed
from ethospike.envs.any_env.scene import GymnasiumScene
from ethospike.envs.any_env.source import registered
from ethospike.errors import EnvError, ScenarioError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.recorders.recording import open_recording
from ethospike.recorders.view.screen import Screen, ScreenState
from ethospike.recorders.view.source import Batch, LiveSource, RecordingSource, viewed_variables
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.reward.config import RewardConfig
from ethospike.scenarios.reward.measures import episodes_to
from ethospike.scenarios.reward.scenario import SCENARIO, duration_s
from ethospike.scenarios.run.runner import RunResult, resume_scenario, run_scenario

INLINE = ["--simulator.name", "numba", "--recorder.writer", "inline", "--animals", "2"]
SIZE = (640, 360)


class StopAt(Recorder):
    """Sends Ctrl-C after a control step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def record(self, record: StepRecord) -> None:
        if record.control_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)

    def close(self, status: str = "complete") -> None:
        pass


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    config = configure(SCENARIO, ["--episodes", "4", "--agent", "random", *INLINE])
    return run_scenario(SCENARIO, config, tmp_path_factory.mktemp("reward") / "run", quiet=True)


def again(animal: int, episode: int, actions: Any) -> tuple[list[Any], Any]:
    """Return observations and last frame of an episode, by Gymnasium alone."""
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    observation, _ = env.reset(seed=episode_seed(1, animal, episode))
    seen = [observation]
    for action in actions:
        seen.append(env.step(int(action))[0])
    frame = env.render()
    env.close()
    return seen, frame


def test_a_run_is_what_gymnasium_alone_does_with_its_actions(run: RunResult) -> None:
    recording = open_recording(run.folder.path)
    behavior, table = recording.behavior, recording.episodes()
    assert run.status == "complete"
    assert sorted(zip(table["animal"].tolist(), table["episode"].tolist(), strict=True)) == [
        (animal, episode) for animal in range(2) for episode in range(4)
    ]
    for row in range(8):
        animal, episode = int(table["animal"][row]), int(table["episode"][row])
        first, length = int(table["start_step"][row]), int(table["length"][row])
        assert table["stop_step"][row] == first + length
        assert table["ending"][row] == "terminated"
        steps = slice(first, first + length)
        assert behavior["in_episode"].values[steps, animal].all()
        actions = behavior["executed_action"].values[steps, animal, 0]
        seen, _ = again(animal, episode, actions)
        np.testing.assert_array_equal(behavior["observation"].values[steps, animal, :4], seen[:-1])
        # The final observation is presented for one window, then the blank of 100 ms begins.
        after = behavior["observation"].values[first + length : first + length + 6, animal]
        np.testing.assert_array_equal(after[0], [*seen[-1], 1.0])
        assert not after[1:].any()
        assert float(table["return"][row]) == length
    assert run.folder.summary["episodes"] == [4, 4]
    assert [path.name for path in run.figures] == ["returns.png"]


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(run: RunResult, tmp_path: Path) -> None:
    words = ["--episodes", "3", "--agent", "coded", *INLINE]
    config = configure(SCENARIO, words)
    whole = run_scenario(SCENARIO, config, tmp_path / "whole", quiet=True, draw=False)
    stopped = run_scenario(
        SCENARIO, config, tmp_path / "stopped", quiet=True, draw=False, listeners=[lambda layout: StopAt(41)]
    )
    assert stopped.status == "stopped"
    assert resume_scenario(SCENARIO, config, stopped.folder, quiet=True, draw=False).status == "complete"
    one, other = open_recording(whole.folder.path), open_recording(stopped.folder.path)
    assert one.n_steps > 50
    assert len(one.spikes().step) > 100
    assert one.behavior.identical(other.behavior)
    assert one.episodes().equals(other.episodes())
    assert len(one.episodes()) == 6
    np.testing.assert_array_equal(one.spikes().step, other.spikes().step)


def test_the_summary_has_the_values_of_single_animals(tmp_path: Path) -> None:
    config = configure(
        SCENARIO, ["--episodes", "3", "--agent", "coded", "--evaluation-episodes", "1", *INLINE]
    )
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, draw=False)
    summary = result.folder.summary
    single = {name: entry.get("animals") for name, entry in summary["by_animal"].items()}
    assert single["score"] == summary["return_last_100"]
    assert single["greedy_return"] == summary["greedy_returns"]
    steps = np.array(summary["control_steps_in_episodes"])
    assert single["spikes_per_decision"][0] != single["spikes_per_decision"][1]
    mean = np.average(single["spikes_per_decision"], weights=steps)
    assert mean == pytest.approx(summary["spikes_per_decision"])
    rates = summary["by_animal"]["rate_hz"]
    assert rates.keys() == summary["rate_hz"].keys()
    for name, entry in rates.items():
        assert np.average(entry["animals"], weights=steps) == pytest.approx(summary["rate_hz"][name])
    recorded = open_recording(result.folder.path)
    counts, inside = recorded.counts.values, recorded.behavior["in_episode"].values
    expected = counts[:, 1].sum(axis=1)[inside[:, 1]].mean()
    assert single["spikes_per_decision"][1] == pytest.approx(expected)


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.97])
def test_a_replay_makes_the_frames_again(run: RunResult, fraction: float) -> None:
    recording = open_recording(run.folder.path)
    source = RecordingSource(recording)
    source.select(1)
    screen, surface = Screen(source), pygame.Surface(SIZE)
    step = int(fraction * recording.n_steps)
    screen.draw(surface, ScreenState(step=step))
    behavior = recording.behavior
    episode = int(behavior["episode"].values[step, 1])
    mine = behavior["in_episode"].values[: step + 1, 1] & (
        behavior["episode"].values[: step + 1, 1] == episode
    )
    _, frame = again(1, episode, behavior["executed_action"].values[: step + 1, 1, 0][mine])
    scene = screen.scene
    assert isinstance(scene, GymnasiumScene)
    np.testing.assert_array_equal(scene._frame(screen.moment(step)), frame)
    drawn = pygame.surfarray.array3d(surface.subsurface(screen.task))
    assert (drawn > 250).all(axis=2).mean() > 0.3  # CartPole is drawn on white
    assert screen.labels(ScreenState(step=step))["trial"] == f"episode {episode + 1}"


def test_frames_of_another_run_are_not_shown(run: RunResult) -> None:
    """Another seed stands for another version of the environment: the observations differ."""
    recording = open_recording(run.folder.path)
    screen = Screen(RecordingSource(recording))
    scene = GymnasiumScene({**recording.layout.scene, "seed": 2})
    assert scene._frame(screen.moment(5)) is None
    assert "observation of control step 0 is not the recorded one" in scene._obstacle
    nameless = GymnasiumScene({**recording.layout.scene, "env_id": None})
    assert nameless.picture(screen.moment(5), (200, 200)) is not None
    assert "a function without a name" in nameless._obstacle


def test_a_recording_of_a_stranger_loads_no_module(tmp_path: Path) -> None:
    described = {"env_id": "os_of_stranger:Evil-v0", "keywords": {}}
    with pytest.raises(EnvError, match="is not registered here"):
        registered(described)
    with pytest.raises(EnvError, match="keywords are not plain values"):
        registered({"env_id": "CartPole-v1", "keywords": {"x": [1, {"y": object()}]}})
    lake = {"env_id": "FrozenLake-v1", "keywords": {"desc": ["SF", "FG"], "is_slippery": False}}
    assert registered(lake).described() == lake


def test_the_live_view_gets_the_frame_of_the_running_copy() -> None:
    from ethospike.scenarios.loop import run_closed_loop, start_loop

    config = configure(SCENARIO, ["--episodes", "1", "--agent", "random", *INLINE])
    env, agent = SCENARIO.open(config)
    frames = []

    class Look(Recorder):
        def record(self, record: StepRecord) -> None:
            frames.append(record.frame(1))

        def close(self, status: str = "complete") -> None:
            pass

    run_closed_loop(env, agent, Look(), start_loop(env, agent, seed=1), lambda loop: loop.control_step < 5)
    env.close()
    assert len(frames) == 5
    assert frames[0].shape[2] == 3
    assert (frames[0] != frames[4]).any()


def test_a_live_view_draws_the_frame_that_it_was_sent(run: RunResult) -> None:
    """Steps are left out of a live view, so that it could not make the frame again."""
    layout = open_recording(run.folder.path).layout
    live = LiveSource(layout, "live", kept=100)
    values = {
        name: np.zeros((1, 2, *layout.variables[name].shape), layout.variables[name].dtype)
        for name in viewed_variables(layout)
    }
    frame = np.full((60, 90, 3), (10, 200, 30), np.uint8)
    nothing = np.empty(0, np.int64)
    live.add(Batch(np.array([400]), values, nothing, nothing.astype(np.int32), 0, 0.0, frame=frame))
    screen, surface = Screen(live), pygame.Surface(SIZE)
    screen.draw(surface, ScreenState(step=400))
    assert tuple(surface.get_at(screen.task.center))[:3] == (10, 200, 30)
    live.select(1)  # the frame was that of animal 0
    screen.draw(surface, ScreenState(step=400))
    assert tuple(surface.get_at(screen.task.center))[:3] != (10, 200, 30)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--episodes", "0"], "episodes: expected at least 1, or minutes"),
        (["--blank-ms", "30"], "blank_ms: expected a whole number of control steps of 20 ms, got 30"),
        (["--make", "slippery"], "make: expected name=value, got 'slippery'"),
        (["--ranges", "a=1"], "ranges: expected name=low:high, got 'a=1'"),
        (["--agent", "coder"], "coder"),
    ],
)
def test_mistakes_in_flags_are_told(words: list[str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        configure(SCENARIO, words)


def test_the_configuration_is_read_from_flags() -> None:
    config = configure(
        SCENARIO, ["--env", "FrozenLake-v1", "--make", "is_slippery=false", "--minutes", "0.1"]
    )
    assert isinstance(config, RewardConfig)
    assert config.source().keywords == {"is_slippery": False}
    assert config.episode_config().n_control_steps == 300
    assert duration_s(config) == 6.0
    assert duration_s(dataclasses.replace(config, minutes=None, episodes=2)) == 2 * (100 * 0.02 + 0.1)


def test_evaluation_is_measured_apart_from_training(tmp_path: Path) -> None:
    words = ["--env", "ethospike/CueBandit-v0", "--agent", "td", "--animals", "3", "--episodes", "150"]
    words += ["--evaluation-episodes", "20", "--td.reward-scale", "1", "--td.actor-rate", "2"]
    words += ["--recorder.writer", "inline", "--blank-ms", "0"]
    result = run_scenario(SCENARIO, configure(SCENARIO, words), tmp_path / "run", quiet=True)
    table, summary = open_recording(result.folder.path).episodes(), result.folder.summary
    assert summary["episodes"] == [150] * 3
    for animal in range(3):
        mine = table[table["animal"] == animal]
        assert mine["purpose"].tolist() == ["training"] * 150 + ["sampled"] * 20 + ["greedy"] * 20
        for purpose in ("sampled", "greedy"):
            expected = np.mean(mine["return"][mine["purpose"] == purpose])
            assert summary[f"{purpose}_returns"][animal] == pytest.approx(expected)
    assert summary["greedy_return"] > 0.8  # chance is 0.25
    parts = list(summary["return_of_tenth"].values())
    assert len(parts) == 10
    assert parts[0] < 0.6 < parts[-1]
    expected = [table[table["animal"] == a]["return"][50:150].mean() for a in range(3)]
    np.testing.assert_allclose(summary["return_last_100"], expected)
    assert {path.name for path in result.figures} == {"returns.png", "learning_curve.png"}
    assert "Evaluated without learning: sampled" in SCENARIO.conclude(summary)


def test_a_replay_shows_episodes_of_evaluation(tmp_path: Path) -> None:
    """They have other seeds than those of training; a wrong one is noticed by its observations."""
    words = ["--episodes", "2", "--evaluation-episodes", "1", "--agent", "td", *INLINE]
    result = run_scenario(SCENARIO, configure(SCENARIO, words), tmp_path / "run", quiet=True, draw=False)
    recording = open_recording(result.folder.path)
    screen = Screen(RecordingSource(recording))
    scene = screen.scene
    assert isinstance(scene, GymnasiumScene)
    table = recording.episodes()
    mine = table[(table["animal"] == 0) & (table["purpose"] != "training")]
    assert len(mine) == 2
    for step in mine["start_step"].tolist():
        assert scene._frame(screen.moment(int(step) + 3)) is not None


def test_a_resumed_run_evaluates_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    words = ["--episodes", "2", "--evaluation-episodes", "2", "--agent", "td", *INLINE]
    config = configure(SCENARIO, words)
    whole = run_scenario(SCENARIO, config, tmp_path / "whole", quiet=True, draw=False)
    table = open_recording(whole.folder.path).episodes()
    later = int(table[table["purpose"] == "sampled"]["start_step"].min()) + 4
    stopped = run_scenario(
        SCENARIO, config, tmp_path / "stopped", quiet=True, draw=False, listeners=[lambda _: StopAt(later)]
    )
    assert stopped.status == "stopped"
    resume_scenario(SCENARIO, config, stopped.folder, quiet=True, draw=False)
    assert open_recording(stopped.folder.path).episodes().equals(table)


@pytest.mark.parametrize(
    ("values", "threshold", "expected"),
    [
        ([1.0] * 99, 1.0, None),
        ([1.0] * 100, 1.0, 100),
        ([0.0] * 7 + [1.0] * 120, 1.0, 107),
        ([0.0] * 300, 1.0, None),
    ],
)
def test_the_threshold_is_reached_by_the_mean_of_100_episodes(
    values: list[float], threshold: float, expected: int | None
) -> None:
    assert episodes_to(np.array(values), threshold) == expected
