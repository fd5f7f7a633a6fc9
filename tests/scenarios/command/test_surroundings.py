"""The command on other people's machines: encodings, closed streams, narrow terminals, names of files."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import PATIENCE_S

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.command.app import main
from ethospike.scenarios.command.doctor import diagnose
from ethospike.scenarios.command.start import HANDLER, plain
from ethospike.scenarios.run.runner import RunResult
from ethospike.scenarios.terminal import NARROWEST, UNKNOWN, console

pytestmark = pytest.mark.simulator("numba")
RUN = ["run", "crawling", "--animals", "2", "--minutes", "0.1", "--resamples", "0", "--quiet"]
NAMES = ("signal", "types", "nest", "numba", "numpy", "random", "queue", "logging", "helper")
"""Modules of Python, of packages and of a user, as files beside a script."""
OTHER = {
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "LC_ALL": "C",
    "MPLBACKEND": "module://nowhere.backend_inline",
    "COLUMNS": "2",
    "NUMBA_DISABLE_JIT": "1",
}
"""Variables of notebooks, containers, job systems and debugging sessions."""


DOCTOR = """if True:
    import sys
    from ethospike.brains.simulator import SIMULATORS
    from ethospike.scenarios.command.start import main
    for name in ("genn", "nest"):  # these would take time
        del SIMULATORS[name]
    sys.argv = ["ethospike", "doctor"]
    main()
"""


def ethospike(
    words: list[str], folder: Path, *, module: bool = False, shell: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    start = ["-m", "ethospike"] if module else ["-P", "-m", "ethospike"]
    command: list[str] = [sys.executable, *start, *words]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_run_in_another_environment_ends_with_figures_and_plain_words(tmp_path: Path) -> None:
    """Complete runs ended with UnicodeEncodeError, or without figures."""
    done = ethospike([*RUN, "--out", "out"], tmp_path, **OTHER)
    assert done.returncode == 0, done.stderr
    assert "x real time" in done.stdout
    assert done.stdout.isascii()
    assert len(list((tmp_path / "out" / "figures").glob("*.png"))) >= 2
    # One line for each thing that is not as usual.
    assert [line for line in done.stderr.splitlines() if "NUMBA_DISABLE_JIT" in line]
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = ethospike(["list"], tmp_path, shell="> /dev/full")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("width", ["0", "1", "2", "39"])
def test_narrow_terminals_get_whole_words(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help never ended at 1 and 2, and `list` printed nothing at 0."""
    monkeypatch.setenv("COLUMNS", width)
    assert console().width == (UNKNOWN if width == "0" else NARROWEST)
    assert console(stderr=True).width >= NARROWEST
    main(["list"])
    assert "odor" in capsys.readouterr().out
    main(["run", "cortex-rest", "--help"])
    shown = capsys.readouterr().out
    assert "--minutes" in shown
    main(["bench", "--help"])
    assert "--scale" in capsys.readouterr().out


def test_long_paths_and_values_are_folded_not_cut(
    short_run: RunResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    main(["show", str(short_run.folder.path)])
    shown = capsys.readouterr().out
    assert "…" not in shown
    joined = "".join(line.split(":", 1)[-1].strip() for line in shown.splitlines())
    assert "angular_velocity_rad_s" in joined.replace("\n", "")


def test_characters_that_an_encoding_lacks_become_words() -> None:
    codecs.register_error(HANDLER, plain)
    assert "12× 3 µM … τ ü".encode("ascii", HANDLER) == rb"12x 3 uM ... \u03c4 \xfc"
    assert "12× ü".encode("latin-1", HANDLER) == "12× ü".encode("latin-1")
    assert "a\udcc3".encode("utf-8", HANDLER) == rb"a\udcc3"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", HANDLER)


@pytest.fixture
def folder_of_names(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name}.py of the folder was taken')\n")
    return tmp_path


def test_closed_streams_do_not_touch_the_files_of_a_run(folder_of_names: Path) -> None:
    """The first file that was opened got the number of the closed stream, and what was printed."""
    done = ethospike([*RUN, "--out", "out"], folder_of_names, shell="<&- >&- 2>&-")
    assert done.returncode == 0
    assert open_recording(folder_of_names / "out").n_steps == 60
    info = json.loads((folder_of_names / "out" / "run.json").read_text("utf-8"))
    assert info["status"] == "complete"


def test_names_in_the_working_directory_hide_nothing_from_python_m(folder_of_names: Path) -> None:
    # Before our first line, Python itself imports from there what `-m` needs.
    (folder_of_names / "types.py").unlink()
    (folder_of_names / "signal.py").write_text("print('taken')\n")
    done = ethospike([*RUN, "--out", "out"], folder_of_names, module=True, shell="2>&-")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("complete: 0:06 simulated")
    assert "taken" not in done.stdout


def test_sweeps_run_among_such_names(folder_of_names: Path) -> None:
    """Workers failed with a hundred lines."""
    words = ["sweep", "crawling", "--minutes", "0.02", "--resamples", "0"]
    words += ["--grid", "locomotion.stride_hz=1,1.5"]
    done = ethospike([*words, "--workers", "1", "--quiet", "--out", "out"], folder_of_names)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 tasks finished" in done.stdout
    assert ", 0 of them failed" in done.stdout


@pytest.mark.simulator("nest")
def test_the_doctor_examines_the_installed_simulators(
    folder_of_names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took a nest.py of the working directory for NEST, and said that NEST does not work."""
    monkeypatch.chdir(folder_of_names)
    examined = diagnose("nest")
    assert examined.works, examined.detail


@pytest.mark.parametrize(
    ("environment", "shell"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, ""),
        ({"HOME": "/dev/null"}, ">&-"),
    ],
    ids=["C locale", "no home and stdout closed"],
)
def test_the_self_test_passes_anywhere(
    environment: dict[str, str], shell: str, folder_of_names: Path
) -> None:
    """Of Numba, beside files with the names of modules."""
    command = [sys.executable, "-P", "-c", DOCTOR]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {shell}', "sh", *command],
        cwd=folder_of_names,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert shell or b"self-test passed in" in done.stdout
    assert b"Traceback" not in done.stderr
