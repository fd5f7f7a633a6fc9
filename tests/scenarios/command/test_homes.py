"""`~` in every place where a command takes a path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import HELPERS
from small_larva import small_larva, write_winding

from ethospike.brains.circuits.connectome import connectome_from_tables, read_winding
from ethospike.brains.circuits.connectome.measured import measured_connectome
from ethospike.errors import ScenarioError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.arms import parse_arm
from ethospike.scenarios.command.app import main
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.experiments import find_experiment
from ethospike.scenarios.odor.preference import SCENARIO as PREFERENCE
from ethospike.scenarios.run.files import beside, require_place, to_plain

QUIET = ["--recorder.writer", "inline", "--quiet"]
ARM = """
from dataclasses import dataclass
from ethospike.scenarios.arms import Arm

@dataclass
class Nothing(Arm):
    '''An arm without words.'''

    def apply(self, *_): ...
    def proof(self, run): ...
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder with a scenario, and another working directory, which must stay empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(HELPERS / "sweep_scenario.py", folder / "toy.py")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield folder
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "point.toml").write_text("x = 3.0\n", "utf-8")
    main(["run", "~/toy.py", "--config", "~/point.toml", "--out", "~/runs/one", *QUIET])
    assert json.loads((home / "runs/one/summary.json").read_text("utf-8"))["product"]["mean"] == 3.0
    for words in (["show"], ["plot"], ["recover"]):
        main([*words, "~/runs/one"])
    assert "complete" in capsys.readouterr().out
    assert open_recording("~/runs/one").n_steps == 2


def test_sweeps(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "points.csv").write_text("x\n2\n3\n", "utf-8")
    main(["sweep", "~/toy.py", "--points", "~/points.csv", "--out", "~/sweep", "--prepare"])
    main(["task", "~/sweep", "0", "1"])
    main(["collect", "~/sweep"])
    main(["show", "~/sweep"])
    assert "2 of 2 tasks finished" in capsys.readouterr().out
    assert (home / "sweep" / "table.zarr").is_dir()


@pytest.mark.parametrize(
    "words",
    [
        ["show", "~/absent"],
        ["plot", "~/absent"],
        ["resume", "~/absent"],
        ["recover", "~/absent"],
        ["collect", "~/absent"],
        ["task", "~/absent", "0"],
        ["export", "~/absent", "~/out.nwb"],
        ["replay", "~/absent", "--video", "~/film.mp4"],
        ["import", "~/absent.csv"],
        ["run", "~/absent.py"],
        ["run", "crawling", "--config", "~/absent.toml"],
        ["sweep", "crawling", "--points", "~/absent.csv"],
        ["doctor", "--network", "~/absent.py:net"],
        ["run", "odor-preference", "--memory", "~/absent.npz", "--out", "~/out"],
    ],
)
def test_an_absent_file_is_named_in_the_home_folder(
    words: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    told = capsys.readouterr()
    assert "absent" in told.err
    assert len(told.err.strip().splitlines()) == 1


def test_results_without_suffix(home: Path) -> None:
    """Of benchmarks and validations."""
    require_place(Path("~/results/bench"))
    assert beside(Path("~/results/bench"), ".md") == home / "results" / "bench.md"


def test_paths_in_configurations(home: Path) -> None:
    (home / "memory.npz").touch()
    for config in (
        configure(PREFERENCE, ["--memory", "~/memory.npz"]),
        configure(PREFERENCE, layers=[("a file", {"memory": "~/memory.npz"})]),
    ):
        assert config.memory == home / "memory.npz"
        assert to_plain(config)["memory"] == str(home / "memory.npz")
    with pytest.raises(ScenarioError, match="memory: no file"):
        PREFERENCE.open(configure(PREFERENCE, ["--memory", "~/other.npz"]))


def test_files_that_an_experiment_or_an_arm_names(home: Path) -> None:
    """They were sought in a folder called `~` beside the file, or in the working directory."""
    for scenario in ("~/toy.py", "toy.py"):
        text = f'scenario = "{scenario}"\n[groups]\na = {{}}\nb = {{}}\n'
        (home / "one.toml").write_text(text, "utf-8")
        assert find_experiment("~/one.toml").scenario == str(home / "toy.py")
    (home / "arms.py").write_text(ARM, "utf-8")
    assert str(parse_arm("~/arms.py:Nothing")) == f"{home / 'arms.py'}:Nothing"


def test_files_of_a_connectome(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_winding(small_larva(), home / "files" / "winding")
    monkeypatch.setenv("ETHOSPIKE_CONNECTOMES", "~/files")
    expected = measured_connectome("winding-left")
    config = configure(PREFERENCE, ["--circuit", "winding-left", "--connectome", "~/files"])
    assert config.connectome == str(home / "files")  # tasks and resumed runs work in other folders
    monkeypatch.chdir(home)
    assert configure(PREFERENCE, ["--connectome", "files"]).connectome == str(home / "files")
    monkeypatch.chdir(home.parent / "elsewhere")
    table = ("~/files/winding/neurons.csv", "~/files/winding/edges.csv")
    for made in (
        measured_connectome("winding-left", "~/files"),
        read_winding("~/files/winding"),
        connectome_from_tables(*table, expected.source),
    ):
        assert made.n_neurons >= expected.n_neurons > 10


def test_an_unknown_user_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "~/toy.py", "--out", "~no-such-user/x", *QUIET])
    assert "there is no such home folder" in capsys.readouterr().err
