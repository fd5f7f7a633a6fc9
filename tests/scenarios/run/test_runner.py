"""Runs: repeatable, independent of the group's size, and honest about how they ended."""

from __future__ import annotations

import datetime
import errno
import json
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from killed_runs import killed_run
from matplotlib.figure import Figure
from places import EXAMPLES

from ethospike.brains.circuits.mushroom_body import mushroom_body
from ethospike.brains.numba.simulator import NumbaSimulator
from ethospike.brains.simulator import Capabilities
from ethospike.envs.delayed_reach.task import PHASES
from ethospike.errors import AgentError, RecordingError, RunFolderError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.lock import is_being_written
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.recorders.recording import open_recording
from ethospike.recorders.zarr_recorder.link import InlineLink
from ethospike.scenarios.analysis.figure_style import save_each
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.odor.conditioning import SCENARIO
from ethospike.scenarios.reach.scenario import SCENARIO as REACH
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.files import write_whole
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import RunResult, resume_scenario, run_scenario
from ethospike.scenarios.scenario import Scenario

INLINE = ["--simulator.name", "numba", "--recorder.writer", "inline"]
"""Without a writer process, which takes a second to start; the run to compare with has one."""


def run(path: Path | None, words: list[str], **options: Any) -> RunResult:
    config = configure(SCENARIO, [*words, *INLINE])
    return run_scenario(SCENARIO, config, path, quiet=True, draw=False, **options)


def arrays(folder: RunFolder) -> dict[str, np.ndarray]:
    root = zarr.open_group(folder.recording, mode="r")
    found = {name: node[:] for name, node in root.members(max_depth=None) if isinstance(node, zarr.Array)}
    assert found["spikes/step"].size > 100
    return found


def test_the_same_seed_gives_the_same_recording(
    short_run: RunResult, short_words: list[str], tmp_path: Path
) -> None:
    again = run(tmp_path / "again", short_words)
    first, second = arrays(short_run.folder), arrays(again.folder)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    other = run(tmp_path / "other", [*short_words, "--seed", "2"])
    assert not np.array_equal(first["spikes/step"], arrays(other.folder)["spikes/step"])


def test_an_animal_is_the_same_in_a_larger_group(
    short_run: RunResult, short_words: list[str], tmp_path: Path
) -> None:
    larger = open_recording(run(tmp_path / "larger", [*short_words[:-1], "4"]).folder.path)
    smaller = open_recording(short_run.folder.path)
    for name in smaller.behavior.data_vars:
        one, other = smaller.behavior[name].values[:, 1], larger.behavior[name].values[:, 1]
        np.testing.assert_array_equal(one, other, err_msg=str(name))
    one, other = smaller.spikes(animal=1), larger.spikes(animal=1)
    np.testing.assert_array_equal(one.step, other.step)
    np.testing.assert_array_equal(one.neuron, other.neuron)
    weights = [r.weights("KC>MBONn").values[:, 1] for r in (smaller, larger)]
    np.testing.assert_array_equal(*weights)


@pytest.mark.simulator("nest")
def test_on_nest_a_run_repeats_and_animal_3_of_5_is_animal_3_of_8(tmp_path: Path) -> None:
    """Whole recordings, learning included, one kernel after the other in one process."""
    words = [
        *("--odor-s", "0.5", "--blank-s", "0.1", "--cycles", "1", "--gap-s", "0.1", "--test-s", "0.2"),
        *("--simulator.name", "nest", "--recorder.writer", "inline"),
    ]
    runs = []
    for name, animals in (("first", "5"), ("again", "5"), ("larger", "8")):
        config = configure(SCENARIO, [*words, "--animals", animals])
        runs.append(run_scenario(SCENARIO, config, tmp_path / name, quiet=True, draw=False).folder)
    first, again, larger = map(arrays, runs)
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)
    few, many = (open_recording(folder.path) for folder in (runs[0], runs[2]))
    assert few.weights("KC>MBONn").values[-1, 3].min() < 80.0
    np.testing.assert_array_equal(few.weights("KC>MBONn").values[:, 3], many.weights("KC>MBONn").values[:, 3])
    np.testing.assert_array_equal(few.spikes(animal=3).step, many.spikes(animal=3).step)
    np.testing.assert_array_equal(few.spikes(animal=3).neuron, many.spikes(animal=3).neuron)
    assert larger["spikes/step"].size > first["spikes/step"].size
    for variable in few.behavior.data_vars:
        one, other = few.behavior[variable].values[:, 3], many.behavior[variable].values[:, 3]
        np.testing.assert_array_equal(one, other, err_msg=str(variable))


class At(Recorder):
    """Does something at a control step."""

    def __init__(self, control_step: int, act: Any) -> None:
        self.control_step, self.act = control_step, act

    def record(self, record: StepRecord) -> None:
        if record.control_step == self.control_step:
            self.act()

    def close(self, status: str = "complete") -> None:
        self.status = status


def test_ctrl_c_ends_the_run_cleanly_at_the_end_of_the_control_step(
    short_words: list[str], tmp_path: Path
) -> None:
    listener = At(20, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = run(tmp_path / "run", short_words, listeners=[lambda layout: listener])
    assert result.status == listener.status == "stopped"
    recording = open_recording(tmp_path / "run")
    assert (recording.status, recording.n_steps) == ("stopped", 21)
    assert result.stopped_by == signal.SIGINT
    assert result.folder.info["status"] == "stopped"
    assert result.folder.info["simulated_s"] == pytest.approx(2.1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_exception_keeps_what_was_recorded_and_marks_the_run(
    short_words: list[str], tmp_path: Path
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "run", short_words, listeners=[lambda layout: At(20, fail)])
    recording = open_recording(tmp_path / "run")
    assert recording.status == "failed"
    assert recording.n_steps >= 20
    assert RunFolder.open(tmp_path / "run").info["status"] == "failed"


def test_a_folder_is_never_used_twice_and_must_be_writable(short_words: list[str], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(RunFolderError, match="exists already"):
        run(tmp_path / "there", short_words)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot make"):
        run(tmp_path / "file" / "run", short_words)


def test_of_runs_that_begin_in_the_same_second_each_gets_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedClock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> StoppedClock:
            return cls(2024, 2, 29, 12, 30, 1)

    monkeypatch.setattr("ethospike.scenarios.run.folder.datetime.datetime", StoppedClock)
    n = 8
    together = threading.Barrier(n)

    def begin(_: int) -> str:
        together.wait()
        return RunFolder.create_named("nap", tmp_path / "runs").path.name

    with ThreadPoolExecutor(n) as threads:
        names = list(threads.map(begin, range(n)))
    first = "nap_2024-02-29_123001"
    assert sorted(names) == [first, *(f"{first}_{number}" for number in range(2, n + 1))]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(names)


def test_a_run_without_a_name_has_its_folder_in_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(None, ["--cycles", "0", "--gap-s", "0", "--test-s", "1"])
    assert result.folder.path.parent == Path("runs")
    assert result.folder.path.name.startswith("odor-conditioning_")


def test_the_example_scenario_turns_towards_the_light(tmp_path: Path) -> None:
    mine = tmp_path / "my_scenario.py"
    mine.write_text(EXAMPLE.read_text())
    scenario: Scenario = find_scenario(str(mine))
    config = configure(scenario, ["--animals", "3", "--duration-s", "5", *INLINE])
    result = run_scenario(scenario, config, tmp_path / "run", quiet=True)
    assert result.status == "complete"
    assert min(result.folder.summary["first_angle_rad"]) > 0.3
    assert max(result.folder.summary["last_angle_rad"]) < 0.1
    assert result.folder.info["scenario_file"] == str(mine)


EXAMPLE = EXAMPLES / "vehicle.py"


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param(["numba"], id="numba"),
        pytest.param(
            ["genn", "--simulator.genn-backend", "cpu"], marks=pytest.mark.simulator("genn"), id="genn"
        ),
    ],
)
def test_the_example_scenario_goes_on_from_a_checkpoint(simulator: list[str], tmp_path: Path) -> None:
    scenario = find_scenario(str(EXAMPLE))
    config = configure(scenario, ["--duration-s", "3", *INLINE[2:], "--simulator.name", *simulator])
    listener = At(12, lambda: os.kill(os.getpid(), signal.SIGINT))
    stopped = run_scenario(
        scenario, config, tmp_path / "stopped", quiet=True, listeners=[lambda layout: listener]
    )
    assert (stopped.status, open_recording(stopped.folder.path).n_steps) == ("stopped", 13)
    assert (stopped.folder.path / "checkpoint.npz").exists()
    assert resume_scenario(scenario, config, stopped.folder, quiet=True).status == "complete"
    whole = run_scenario(scenario, config, tmp_path / "whole", quiet=True)
    found = arrays(stopped.folder)
    for name, values in arrays(whole.folder).items():
        np.testing.assert_array_equal(values, found[name], err_msg=name)


@pytest.mark.parametrize(
    ("was", "is_", "why"),
    [
        ("def state(self)", "def no_state(self)", "the environment LightEnv cannot save its state"),
        ("def set_state(self", "def no_set_state(self", "the environment LightEnv cannot restore a state"),
        (
            '"heading_rad": self.heading_rad.copy()',
            '"rng": np.random.default_rng()',
            "the environment LightEnv has 'rng' in its state, which is no array of numbers",
        ),
        (
            "return self.simulator.state()",
            "raise NotImplementedError",
            "the agent Vehicle cannot save its state",
        ),
    ],
)
def test_a_scenario_that_cannot_be_saved_runs_to_its_end(
    was: str, is_: str, why: str, tmp_path: Path
) -> None:
    """Without checkpoints, at whatever interval they are due; `resume` says why there is none."""
    mine = tmp_path / "my_scenario.py"
    assert was in EXAMPLE.read_text()
    mine.write_text(EXAMPLE.read_text().replace(was, is_, 1))
    scenario = find_scenario(str(mine))
    config = configure(scenario, ["--duration-s", "3", "--checkpoint-every-s", "1e-6", *INLINE])
    result = run_scenario(scenario, config, tmp_path / "run", quiet=True)
    assert (result.status, open_recording(result.folder.path).n_steps) == ("complete", 30)
    listener = At(12, lambda: os.kill(os.getpid(), signal.SIGINT))
    stopped = run_scenario(
        scenario, config, tmp_path / "stopped", quiet=True, listeners=[lambda layout: listener]
    )
    assert stopped.status == stopped.folder.info["status"] == "stopped"
    with pytest.raises(RunFolderError, match=f"{why}; the same seed repeats the run"):
        resume_scenario(scenario, config, stopped.folder)


def test_a_listener_that_cannot_be_made_leaves_no_recording_open(
    short_words: list[str], tmp_path: Path
) -> None:
    """Neither the writer, with its lock, nor the listeners before it."""
    before = At(0, lambda: None)

    def fail(layout: Any) -> Recorder:
        raise ZeroDivisionError

    config = configure(SCENARIO, short_words)  # with a writer process
    with pytest.raises(ZeroDivisionError):
        run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, listeners=[lambda layout: before, fail])
    assert before.status == "failed"
    assert not (tmp_path / "run").exists()
    assert multiprocessing.active_children() == []


def test_a_listener_that_cannot_be_closed_leaves_no_recording_open(
    short_words: list[str], tmp_path: Path
) -> None:
    class Stuck(At):
        def close(self, status: str = "complete") -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "run", short_words, listeners=[lambda layout: Stuck(0, lambda: None)])
    assert open_recording(tmp_path / "run").n_steps == 100
    assert not is_being_written(tmp_path / "run" / "recording.zarr")


def test_the_example_scenario_with_less_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be measured, and nothing concluded; that is told, and is no error."""
    words = ["--duration-s", "1", "--quiet", "--simulator", "numba", "--recorder.behavior", "reward"]
    main(["run", str(EXAMPLE), *words, "--out", str(tmp_path / "run")])
    told = capsys.readouterr()
    assert told.err == "left out: all measures: 'heading_rad' was not recorded (recorder.behavior)\n"
    assert told.out.startswith("complete")
    assert "Angle" not in told.out


def test_a_figure_that_fails_leaves_those_before_it(tmp_path: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save_each(tmp_path, {"one": Figure, "two": lambda: None, "three": fail, "four": Figure})
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


@pytest.mark.parametrize(
    ("scenario", "words", "steps"),
    [
        (SCENARIO, [], (33, 40, 57)),
        # In the second of four trials, while the hand moves and two actions are on their way to it.
        (REACH, ["--n-trials", "4", "--action-delay", "2"], (590, 589, 597)),
    ],
    ids=["odor-conditioning", "delayed-reach"],
)
def test_a_resumed_run_is_bit_identical(
    scenario: Scenario,
    words: list[str],
    steps: tuple[int, int, int],
    short_words: list[str],
    tmp_path: Path,
) -> None:
    """Stopped by Ctrl-C, and broken by an exception after a checkpoint: both go on as if nothing had been."""
    words = words or short_words
    config = configure(scenario, [*words, *INLINE, "--checkpoint-every-s", "0.2"])
    stop, save, broke = steps

    def fail() -> None:
        raise ZeroDivisionError

    whole = run_scenario(
        scenario, configure(scenario, [*words, *INLINE[:2]]), tmp_path / "whole", quiet=True, draw=False
    )
    stopped = run_scenario(
        scenario,
        config,
        tmp_path / "stopped",
        quiet=True,
        draw=False,
        listeners=[lambda layout: At(stop, lambda: os.kill(os.getpid(), signal.SIGINT))],
    )
    assert stopped.status == "stopped"
    with pytest.raises(ZeroDivisionError):
        run_scenario(
            scenario,
            config,
            tmp_path / "broken",
            quiet=True,
            # Longer than the interval between checkpoints, so that there is one after this step.
            listeners=[lambda layout: At(save, lambda: time.sleep(0.3)), lambda layout: At(broke, fail)],
        )
    expected = arrays(whole.folder)
    if scenario is REACH:
        phase, action = expected["behavior/phase"], expected["behavior/action"]
        assert PHASES[phase[stop, 0]] == PHASES[phase[broke, 0]] == "movement"
        assert np.abs(action[stop - 1 : stop + 1]).min(axis=(1, 2)).all()  # those on their way
        assert expected["intervals/trial"].tolist() == [0, 1, 2, 3]
    for name in ("stopped", "broken"):
        folder = RunFolder.open(tmp_path / name)
        assert (folder.path / "checkpoint.npz").exists()
        assert resume_scenario(scenario, config, folder, quiet=True, draw=False).status == "complete"
        found = arrays(folder)
        assert found.keys() == expected.keys()
        for key, values in expected.items():
            np.testing.assert_array_equal(values, found[key], err_msg=f"{name}: {key}")
        with pytest.raises(RunFolderError, match="nothing to resume"):
            resume_scenario(scenario, config, folder)


def test_an_action_delay_changes_the_recording(tmp_path: Path) -> None:
    """By as much as it says: the hand of the baseline, which reacts at once, leaves two steps later."""
    words = ["--n-trials", "1", "--agent", "baseline", *INLINE]
    found = {}
    for delay in (0, 2):
        config = configure(REACH, [*words, "--action-delay", str(delay)])
        path = tmp_path / str(delay)
        recording = open_recording(run_scenario(REACH, config, path, quiet=True, draw=False).folder.path)
        moved = np.abs(recording.behavior["position_mm"].values[:, 0]).sum(axis=1) > 0.0
        found[delay] = int(np.argmax(moved)), float(recording.trials()["reaction_time_ms"][0])
    assert found[2] == (found[0][0] + 2, found[0][1] + 20.0)


def test_voltages_of_chosen_neurons(short_run: RunResult, short_words: list[str], tmp_path: Path) -> None:
    """A spike leaves the membrane at V_reset; watching changes nothing else."""
    names = ["ORN[0]", "MBONp[0]"]
    words = [*short_words, *(word for name in names for word in ("--recorder.voltages", name))]
    recording = open_recording(run(tmp_path / "run", words).folder.path)
    found, expected = arrays(RunFolder.open(tmp_path / "run")), arrays(short_run.folder)
    for name, values in expected.items():
        np.testing.assert_array_equal(values, found[name], err_msg=name)
    v_mv = recording.voltages.transpose("animal", "watched", "time", "offset").values
    network = mushroom_body(configure(SCENARIO, words).brain)
    assert np.isfinite(v_mv).all()
    for i, name in enumerate(("ORN", "MBONp")):
        cell = network.population(name)
        for animal in (0, 1):
            trace, table = v_mv[animal, i].ravel(), recording.spikes(name, animal=animal)
            fired = table.step[table.neuron == network.offset(name)]
            assert len(fired) > 10
            np.testing.assert_allclose(trace[fired - 1], cell.param("V_reset"), rtol=1e-6)
            assert trace.max() < cell.param("V_th")
            assert trace.max() > cell.param("V_th") - 3.0


def test_another_quantity_of_chosen_neurons_on_nest(tmp_path: Path) -> None:
    """A conductance decays by its time constant between two arrivals, and in no other way."""
    pytest.importorskip("nest")
    words = ["--cycles", "1", "--odor-s", "0.1", "--blank-s", "0", "--gap-s", "0", "--test-s", "0"]
    words += ["--simulator.name", "nest", "--recorder.voltages", "PN[3]", "--recorder.recordable", "g_ex"]
    config = configure(SCENARIO, words)
    result = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, draw=False)
    recording = open_recording(result.folder.path)
    assert recording.voltages.name == "g_ex"
    assert recording.voltages.attrs["units"] == "nS"
    g_ns = recording.voltages.values.ravel()
    tau_ms = mushroom_body(config.brain).population("PN").param("tau_syn_ex")
    before, after = g_ns[:-1], g_ns[1:]
    decay = after[before > 0.01] / before[before > 0.01]
    assert len(decay) > 100
    assert decay.min() == pytest.approx(np.exp(-0.1 / float(tau_ms)), rel=1e-5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"recordable": "g_ex"}, "g_ex of no neuron is recorded; name some in recorder.voltages"),
        ({"recordable": "../g", "voltages": ("KC[0]",)}, "expected the name of a quantity, got '../g'"),
    ],
)
def test_a_quantity_that_cannot_be_recorded(more: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        RecorderConfig(**more)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("KC", "expected a neuron, 'KC.3.', or labels"),
        ("KCs[1]", "did you mean 'KC'"),
        ("KC[72]", r"valid: KC\[0\] … KC\[71\]"),
    ],
)
def test_a_neuron_that_is_not_there(name: str, message: str, short_words: list[str], tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=message):
        run(tmp_path / "run", [*short_words, "--recorder.voltages", name])
    assert not (tmp_path / "run").exists()


def test_a_simulator_without_voltages_says_so(
    short_words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NumbaSimulator, "capabilities", Capabilities())
    with pytest.raises(AgentError, match="cannot record voltages; use another simulator"):
        run(tmp_path / "run", [*short_words, "--recorder.voltages", "KC[0]"])
    assert not (tmp_path / "run").exists()  # the run never began


def test_a_run_without_checkpoint_says_how_to_repeat_it(short_words: list[str], tmp_path: Path) -> None:
    listener = At(5, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = run(
        tmp_path / "run", [*short_words, "--checkpoint-every-s", "0"], listeners=[lambda layout: listener]
    )
    config = configure(SCENARIO, short_words)
    with pytest.raises(RunFolderError, match="checkpoint_every_s 0; the same seed repeats the run"):
        resume_scenario(SCENARIO, config, result.folder)


def test_a_killed_run_is_shown_repaired_and_continued(
    short_run: RunResult, short_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `kill -9`, a run of which run.json says that it is running; in the end, as if nothing had been."""
    out = tmp_path / "run"
    killed_run(out, [*short_words, *INLINE])
    folder = RunFolder.open(out)
    assert (folder.info["status"], folder.status) == ("running", "interrupted")
    main(["show", str(out), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["status"], shown["recording"]["status"]) == ("interrupted", "interrupted")
    kept = shown["recording"]["control_steps"]
    assert 41 <= kept <= 57
    assert shown["size_mb"] > shown["recording"]["size_mb"] > 0
    main(["recover", str(out)])
    assert f"interrupted; kept {kept} control steps" in capsys.readouterr().out
    assert folder.info["status"] == open_recording(out).stored_status == "interrupted"
    assert folder.info["simulated_s"] == pytest.approx(kept / 10)
    config = configure(SCENARIO, [], [("config.toml", folder.config)])
    assert resume_scenario(SCENARIO, config, folder, quiet=True, draw=False).status == "complete"
    assert folder.status == "complete"
    found = arrays(folder)
    for name, values in arrays(short_run.folder).items():
        np.testing.assert_array_equal(values, found[name], err_msg=name)


def test_a_run_that_goes_on_is_running_and_cannot_be_continued_by_another(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with folder.writing():
        folder.update_info(status="running")
        assert folder.status == "running"
        with pytest.raises(RunFolderError, match="being written by another process"), folder.writing():
            pass
    assert folder.status == "interrupted"


def test_a_run_that_ends_between_two_looks_was_not_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.update_info(status="running")

    def ends_before_it_is_asked(lock: Path) -> bool:
        folder.update_info(status="complete")
        return is_being_written(lock)

    monkeypatch.setattr("ethospike.scenarios.run.folder.is_being_written", ends_before_it_is_asked)
    assert folder.status == "complete"


def test_a_full_disk_does_not_keep_a_run_from_saying_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    really_fsync = os.fsync

    def fsync(file: int) -> None:
        if (folder.path / ".reserve").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really_fsync(file)

    with folder.writing():
        folder.update_info(status="running")
        monkeypatch.setattr(os, "fsync", fsync)
        folder.update_info(status="failed")
        assert folder.status == "failed"
        (folder.path / ".reserve").write_text("")
        with pytest.raises(RunFolderError, match=r"the disk is full: cannot write to .*checkpoint"):
            write_whole(folder.path / "checkpoint.npz", b"1")
    assert sorted(file.name for file in folder.path.iterdir()) == ["run.json"]


def test_a_disk_that_fills_up_is_one_message(
    short_run: RunResult,
    short_words: list[str],
    small_disk: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real disk that is full from the fifth commit on; every control step is committed."""
    committed: list[int] = []
    really_commit = InlineLink.commit

    def commit(link: InlineLink) -> int:
        committed.append(really_commit(link))
        if len(committed) == 5:
            small_disk.fill()
        return committed[-1]

    monkeypatch.setattr(InlineLink, "commit", commit)
    out = small_disk.path / "run"
    words = [*short_words, *INLINE, "--recorder.commit-every-s", "0", "--out", str(out), "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "odor-conditioning", *words])
    assert ended.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("ethospike: the disk is full: cannot write to")
    assert len(message.splitlines()) == 1
    assert RunFolder.open(out).info["status"] == "failed"
    recording = open_recording(out)
    assert recording.status == "interrupted"  # there was no room to say how it ended
    assert committed == [1, 2, 3, 4, 5]
    assert recording.n_steps == 5
    assert len(recording.spikes()) == recording.n_spikes > 0
    np.testing.assert_array_equal(recording.behavior["time"], np.arange(1, 6) / 10)
    whole = open_recording(short_run.folder.path)
    np.testing.assert_array_equal(recording.behavior["position_mm"], whole.behavior["position_mm"][:5])
    np.testing.assert_array_equal(recording.spikes().step, whole.spikes(stop_s=0.5).step)
    (small_disk.path / "filler").unlink()
    main(["recover", str(out)])
    assert open_recording(out).status == RunFolder.open(out).info["status"] == "failed"
