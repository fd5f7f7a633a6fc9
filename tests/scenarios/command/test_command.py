"""The command line as a user meets it: what works, and one clear message for every mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import EXAMPLES, PATIENCE_S

from ethospike.brains.compiling import WORDS
from ethospike.scenarios.command.app import main
from ethospike.scenarios.command.runs import _report
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import RunResult
from ethospike.scenarios.sweeps.folder import Plan, Sweep

EXAMPLE = str(EXAMPLES / "vehicle.py")


def mistake(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail; return what it says on stderr, on one line."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code not in (0, None)
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return " ".join(error.split())


def test_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    shown = capsys.readouterr().out
    assert "odor-conditioning" in shown
    assert "odor-preference" in shown


COMMANDS = (
    *("bench", "calibrate", "collect", "compare", "doctor", "experiment", "export", "import", "list"),
    *("plot", "recover", "replay", "report", "resume", "run"),
    *("serve-brain", "show", "sweep", "task", "validate", "view"),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_says_how_it_is_used(
    command: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main([command, flag])
    assert f"Usage: ethospike {command}" in capsys.readouterr().out


def test_no_command_is_left_out_above(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    shown = capsys.readouterr().out.splitlines()
    named = [line.split()[1] for line in shown if line.startswith("│ ") and line[2].isalpha()]
    assert sorted(named) == sorted(COMMANDS)


@pytest.mark.parametrize(
    ("command", "own"), [("run", "--preset"), ("sweep", "--grid"), ("calibrate", "--target")]
)
def test_help_on_a_scenario_shows_the_flags_of_both(
    command: str, own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main([command, "cortex-rest", "--help"])
    shown = capsys.readouterr().out
    assert own in shown
    assert "--cortex.j-plus" in shown


HEAVY = "av dask distributed matplotlib nest numba optuna pandas pygame pygenn pynapple pynwb scipy xarray"
"""Packages that take longer to import than a short command takes to run."""


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        # A list needs neither recordings, nor windows, nor the files of other commands.
        ("list", f"{HEAVY} asyncio numcodecs zarr ethospike.recorders.recording "
         "ethospike.recorders.zarr_recorder ethospike.recorders.view ethospike.scenarios.command.runs"),
        ("show", HEAVY),
    ],
)  # fmt: skip
def test_a_command_loads_what_it_needs(command: str, heavy: str, short_run: RunResult) -> None:
    code = f"""if True:
        import sys
        from ethospike.scenarios.command.app import main
        main(sys.argv[1:])
        print("loaded:", *sorted(set({heavy!r}.split()) & sys.modules.keys()))
    """
    words = [command] if command == "list" else [command, str(short_run.folder.path)]
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    assert "odor-conditioning" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def test_run_show_and_plot(
    short_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    main(["run", "odor-conditioning", *short_words, "--simulator", "numba", "--out", str(out), "--quiet"])
    shown = capsys.readouterr().out
    assert "complete: 0:10 simulated" in shown
    assert str(out / "recording.zarr") in shown
    assert "Preference of the mushroom body" in shown
    main(["show", str(out), "--json"])
    info = json.loads(capsys.readouterr().out)
    assert (info["status"], info["recording"]["control_steps"]) == ("complete", 100)
    main(["show", str(out)])
    assert "odor-conditioning" in capsys.readouterr().out
    figure = out / "figures" / "paths.png"
    figure.unlink()
    main(["plot", str(out)])
    assert figure.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "odor-conditionning"], "did you mean 'odor-conditioning'"),
        (["run", "odor-conditioning", "--cycels", "3"], "--cycles"),
        (["run", "odor-conditioning", "--simulator", "brian"], "valid: genn, nest, numba"),
        (["run", "odor-conditioning", "--control-interval-ms", "0.25"], "not a whole number of steps"),
        (["run", "odor-conditioning", "--control-interval-ms", "inf"], "control_interval_ms inf"),
        (["run", "odor-conditioning", "--test-s", "-1"], "test_s: expected at least 0 s"),
        (["run", "odor-conditioning", "--test-s", "inf"], "test_s: expected at least 0 s, and finite"),
        (
            ["run", "odor-conditioning", "--odor-s", "0.05"],
            "odor_s: expected a whole number of control intervals of 100 ms, got 0.05 s",
        ),
        (["run", "odor-conditioning", "--odor-s", "inf"], "odor_s: expected at least 0 s, and finite"),
        (["run", "odor-conditioning", "--odor-s", "nan"], "odor_s: expected at least 0 s, and finite"),
        (["run", "odor-conditioning", "--blank-s", "inf"], "blank_s: expected at least 0 s, and finite"),
        (["run", "odor-conditioning", "--gap-s", "inf"], "gap_s: expected at least 0 s, and finite"),
        (["run", "odor-conditioning", "--odor-width-mm", "inf"], "odor_width_mm: expected above 0, and"),
        (
            ["run", "odor-preference", "--odor-b", "odor4", "--test-field", "uniform"],
            "odor_b: a test with test_field 'uniform' has odor A alone, got odor_b 'odor4'",
        ),
        *(
            (["run", scenario, field, value], f"{field[2:].replace('-', '_')}: expected {why}")
            for scenario, field in [
                ("delayed-reach", "--minutes"),
                ("cortex-rest", "--minutes"),
                (EXAMPLE, "--duration-s"),
            ]
            for value, why in [
                ("nan", "above 0, and finite"),
                ("inf", "above 0, and finite"),
                ("0", "above 0, and finite"),
                ("0.00001", "at least one control step of 1"),
            ]
        ),
        (["validate", "reach", "--wirings", "0"], "wirings: expected at least 1, got 0"),
        (["validate", "reach", "--trials", "-1"], "trials: expected at least 1, got -1"),
        (["validate", "reach", "--fano-draws", "0"], "fano_draws: expected at least 1, got 0"),
        (["validate", "reach", "--seeds", "1"], "seeds: expected at least 2"),
        (["validate", "reach", "--rest-minutes", "nan"], "rest_minutes: expected above 0 min, and finite"),
        (["validate", "reach", "--threads", "-1"], "threads: expected at least 0, got -1"),
        (["validate", "reach", "--simulator", "brian"], "valid: genn, nest, numba"),
        (["run", "odor-conditioning", "--brain.homeostasis", "2"], "a fraction in [0, 1], got 2"),
        (["run", "odor-conditioning", "--brain.tau-eligibility-ms", "0"], "a finite number > 0, got 0"),
        (["run", "odor-conditioning", "--config", "absent.toml"], "cannot read"),
        (["run", "odor-conditioning", "--preset", "none"], "valid: calibrated"),
        (["run", "odor-conditioning", "--simulator", "numba", "--genn-backend", "cpu"], "setting of genn"),
        (["run", "odor-conditioning", "--simulator", "numba", "--odor-a", "banana"], "banana"),
        (["run", "odor-conditioning", "--simulator", "numba", "--out", "/dev/null/run"], "/dev/null/run"),
        (["show", "/nowhere"], "not a run"),
        (["plot", "/nowhere"], "not a run"),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in mistake(words, capsys)
    assert not [*tmp_path.glob("runs/*")]  # nothing is left of what never began


def test_a_brain_whose_numbers_overflow_is_one_message(
    short_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "odor-conditioning", *short_words, "--brain.kc-to-mbon-ns", "1e39", "--quiet"]
    error = mistake([*words, "--simulator", "numba", "--out", str(tmp_path / "run")], capsys)
    assert "'MBONp' in animal 0 is no longer finite" in error
    assert not (tmp_path / "run").exists()  # in the first control step: nothing was recorded


def test_an_existing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "exists already" in mistake(["run", "odor-conditioning", "--out", str(tmp_path)], capsys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def x(:\n", "line 1: SyntaxError"),
        ("x = 1\nraise RuntimeError('boom')\n", "line 2: RuntimeError: boom"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_scenario_file_with_a_mistake_is_told_with_its_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(text)
    assert f"mine.py cannot be run: {message}" in mistake(["run", str(tmp_path / "mine.py")], capsys)


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("run.json", b"{", "show"),
        ("run.json", b"[]", "show"),
        ("run.json", b"\xff\xfe", "plot"),
        ("run.json", b'{"scenario": "odor-conditioning", "scenario_file": null}', "show"),
        ("run.json", b'{"scenario": "odor-conditioning", "status": "stopped"}', "plot"),
        ("run.json", b'{"scenario": "odor-conditioning", "scenario_file": null}', "resume"),
        ("summary.json", b'{"preference', "show"),
        ("config.toml", b"x = = 3", "plot"),
        ("config.toml", b"\xff\xfe", "plot"),
        ("config.toml", None, "plot"),
    ],
)
def test_a_run_whose_files_are_damaged_is_one_message(
    name: str, content: bytes | None, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {"scenario": "odor-conditioning", "scenario_file": None, "status": "stopped"}
    (tmp_path / "run.json").write_text(json.dumps(whole))
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert f"cannot read {tmp_path / name}" in mistake([command, str(tmp_path)], capsys)


@pytest.mark.parametrize("command", ["show", "collect"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"{}"])
@pytest.mark.parametrize("name", ["sweep.json", "tasks/000000/result.json", "best.json"])
def test_a_sweep_whose_files_are_damaged_is_one_message(
    name: str, content: bytes, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = find_scenario("cortex-rest")
    made = Sweep.create(tmp_path / "sweep", rest, configure(rest), Plan([{"minutes": 1.0}]))
    made.folder(0).mkdir()
    (made.path / name).write_bytes(content)
    assert f"cannot read {made.path / name}" in mistake([command, str(made.path)], capsys)


def test_a_place_that_cannot_be_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert "file" in mistake(["bench", "--small", "--out", str(tmp_path / "file" / "x")], capsys)


def test_a_simulator_that_is_absent_is_one_message(tmp_path: Path) -> None:
    """In a process of its own, where its package cannot be imported; the same path can be given again."""
    code = (
        "import sys; sys.modules['nest'] = None\n"
        "from ethospike.scenarios.command.app import main\n"
        f"main(['run', 'odor-preference', '--simulator', 'nest', '--out', {str(tmp_path / 'run')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nest-simulator" in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_a_signal_stops_says_so_to_the_shell(number: int, code: int, tmp_path: Path) -> None:
    """A run of hours, so that it cannot be over before; it ends cleanly all the same."""
    words = ["--cycles", "100", "--simulator", "numba", "--out", str(tmp_path / "run"), "--quiet"]
    command = [sys.executable, "-m", "ethospike.scenarios", "run", "odor-conditioning", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not (tmp_path / "run" / "recording.zarr").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        shown, error = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, error.replace(f"{WORDS}\n", "")) == (code, "")
    assert shown.startswith("stopped: ")
    assert RunFolder.open(tmp_path / "run").status == "stopped"


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    code = """
import ethospike.scenarios.command.app
from ethospike.scenarios.command.start import main

ethospike.scenarios.command.app.main = lambda: print("a line")
main()
"""
    words = [sys.executable, "-c", code]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("scenario", ["odor-conditioning", "delayed-reach", "cortex-rest", EXAMPLE])
def test_a_run_that_is_stopped_before_its_first_step_concludes_nothing(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There are no measures then, and that is no error."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    # What is called last before the loop, with the run's own handlers of signals in place.
    monkeypatch.setattr("ethospike.scenarios.run.checkpoint.reason_for_none", interrupt)
    with pytest.raises(SystemExit) as ended:
        main(["run", scenario, "--simulator", "numba", "--out", str(tmp_path / "run"), "--quiet"])
    assert ended.value.code == 130
    told = capsys.readouterr()
    assert told.err.replace(f"{WORDS}\n", "") == ""  # where this test is the first to need a kernel
    assert [line.split(": ")[0] for line in told.out.splitlines()] == ["stopped", "recording", "report"]
    folder = RunFolder.open(tmp_path / "run")
    assert (folder.status, folder.info["simulated_s"], folder.summary) == ("stopped", 0.0, {})


def test_a_run_that_was_resumed_is_not_said_to_have_taken_its_last_part_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    times = {"simulated_s": 1800.0, "loop_wall_s": 20.0, "real_time_factor": 90.0}
    chosen = find_scenario("odor-conditioning")
    folder.update_info(status="complete", backend="numba", **times)
    _report(chosen, RunResult(folder, "complete", []))
    assert "complete: 30:00 simulated in 0:20 (90.0× real time)" in capsys.readouterr().out
    folder.update_info(resumed=["2000-01-01"])
    _report(chosen, RunResult(folder, "complete", []))
    assert (
        "30:00 simulated, the part since it was resumed in 0:20 (90.0× real time)" in capsys.readouterr().out
    )


@pytest.mark.parametrize("flags", [["--workers", "2"], ["--retry-failed"], ["--scheduler", "tcp://a:1"]])
def test_flags_of_sweeps_are_not_for_runs(
    flags: list[str], short_run: RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "are for sweeps" in mistake(["resume", str(short_run.folder.path), *flags], capsys)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--stop", "0"], "--stop: only for a film; add --video"),
        (["--hide", "rw"], "--hide: only for a film"),
        (["--hide", "f", "--stop", "3", "--start", "1"], "--stop and --hide: only for a film"),
    ],
)
def test_flags_of_films_are_not_for_the_window(
    flags: list[str], message: str, short_run: RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in mistake(["replay", str(short_run.folder.path), *flags], capsys)
