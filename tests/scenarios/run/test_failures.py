"""Runs that fail: what they leave, and states that cannot be saved."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import HELPERS

from ethospike.agents.agent import Agent, Decision
from ethospike.envs.idle import IdleEnv
from ethospike.errors import RecordingError, RunFolderError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import resume_scenario, run_scenario
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps.folder import Plan, Sweep

N_STEPS = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ScenarioConfig):
    """When the agent fails, and what its state is like."""

    fails_at: int = -1
    """Control step in which acting raises an error; −1 for none."""
    state: str = "plain"
    """plain, or how it cannot be saved."""


class Faulty(Agent):
    def __init__(self, config: Config) -> None:
        super().__init__(config.animals, config.control_interval_ms)
        self.config, self.n_steps = config, 0

    def _act(self, observation: Any) -> Decision:
        self.n_steps += 1
        if self.n_steps - 1 == self.config.fails_at:
            raise ZeroDivisionError("as it was told")
        return Decision(np.zeros((self.animals, 1), np.float32))

    def state(self) -> Any:
        kind = self.config.state
        if kind == "raises" or (kind == "raises later" and self.n_steps > 3):
            raise RuntimeError("no state today")
        if kind == "objects later" and self.n_steps > 3:
            return {"n_steps": np.array([object()])}
        return {"none": None, "list": [1]}.get(kind, {"n_steps": np.array(self.n_steps)})

    def set_state(self, state: Any) -> None:
        self.n_steps = int(state["n_steps"])


SCENARIO = Scenario(
    name="faulty",
    about="",
    config=Config,
    open=lambda config: (IdleEnv(config.animals, config.control_interval_ms, N_STEPS), Faulty(config)),
    duration_s=lambda config: 0.6,
)


def config(**values: Any) -> Config:
    made = Config(checkpoint_every_s=1e-9, **values)
    return dataclasses.replace(made, recorder=dataclasses.replace(made.recorder, writer="inline"))


def run(path: Path, replace_failed: bool = False, **values: Any) -> Any:
    return run_scenario(SCENARIO, config(**values), path, replace_failed=replace_failed)


def test_a_run_that_fails_in_its_first_step_leaves_nothing(tmp_path: Path) -> None:
    """Each try left a folder."""
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "run", fails_at=0)
        assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_later_is_kept_and_can_be_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    with pytest.raises(ZeroDivisionError):
        run(path, fails_at=4)
    assert f"the failed run is kept in {path} (4 control steps); `--out {path} --replace-failed`" in (
        capsys.readouterr().err
    )
    assert open_recording(path).n_steps == 4
    with pytest.raises(RunFolderError, match=r"never reuses a folder.* or add --replace-failed"):
        run(path)
    assert run(path, replace_failed=True).status == "complete"
    assert open_recording(path).n_steps == N_STEPS
    # Only what failed is replaced.
    with pytest.raises(RunFolderError, match=r"another by --out$"):
        run(path, replace_failed=True)


def test_the_flag_replaces_a_failed_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "exp.py"
    file.write_text(Path(__file__).read_text("utf-8"), "utf-8")
    words = ["run", str(file), "--out", str(tmp_path / "run"), "--recorder.writer", "inline", "--quiet"]
    with pytest.raises(ZeroDivisionError):
        main([*words, "--fails-at", "3"])
    main([*words, "--replace-failed"])
    assert "complete: 0:01 simulated" in capsys.readouterr().out


@pytest.mark.parametrize("state", ["raises", "none", "list"])
def test_a_state_that_cannot_be_saved_means_no_checkpoints(state: str, tmp_path: Path) -> None:
    result = run(tmp_path / "run", state=state)
    assert result.status == "complete"
    info = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert "the agent Faulty" in info["no_checkpoints"]
    assert ("no state today" in info["no_checkpoints"]) == (state == "raises")


@pytest.mark.parametrize("state", ["raises later", "objects later"])
def test_a_state_that_cannot_be_saved_any_more_ends_the_checkpoints_and_not_the_run(
    state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(tmp_path / "run", state=state)
    assert result.status == "complete"
    assert open_recording(tmp_path / "run").n_steps == N_STEPS
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: no more")]
    assert len(warnings) == 1


def test_the_checkpoint_before_is_still_good(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "run", state="raises later", fails_at=5)
    folder = RunFolder.open(tmp_path / "run")
    result = resume_scenario(SCENARIO, config(), folder, quiet=True)
    assert result.status == "complete"
    assert open_recording(tmp_path / "run").n_steps == N_STEPS


@pytest.mark.parametrize("seed", [2**63, 2**127 + 1])
def test_a_run_whose_seed_is_beyond_64_bits_is_resumed(seed: int, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "run", seed=seed, fails_at=4)
    folder = RunFolder.open(tmp_path / "run")
    assert resume_scenario(SCENARIO, config(seed=seed), folder, quiet=True).status == "complete"
    assert folder.info["seed"] == seed
    assert open_recording(tmp_path / "run").n_steps == N_STEPS


def test_assertions_are_looked_for_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RecordingError("no assertions")

    for module in (
        "recorders.recording.recording",
        "recorders.zarr_recorder.recorder",
        "scenarios.sweeps.folder",
    ):
        monkeypatch.setattr(f"ethospike.{module}.check_assertions", refuse)
    toy = find_scenario(str(HELPERS / "sweep_scenario.py"))
    config = configure(toy)
    for work in (
        lambda: open_recording(tmp_path),
        lambda: run_scenario(toy, config, tmp_path / "run", quiet=True),
        lambda: Sweep.create(tmp_path / "sweep", toy, config, Plan([{"x": 1.0}])),
    ):
        with pytest.raises(RecordingError, match="no assertions"):
            work()
    assert list(tmp_path.iterdir()) == []
