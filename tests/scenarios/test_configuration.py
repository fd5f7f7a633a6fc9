"""Flags, files and presets, and what is said about wrong ones."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios.configuration import configure, from_command, preset, read_toml
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.files import to_plain
from ethospike.scenarios.run.folder import RunFolder


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text("cycles = 2\nseed = 7\n[brain]\nlearning_rate = 0.05\nbaseline_hz = 150.0\n")
    layers = [("file", read_toml(file)), ("preset", preset(SCENARIO, "published"))]
    config = configure(SCENARIO, ["--seed", "9"], layers)
    assert isinstance(config, ConditioningConfig)
    assert (config.seed, config.cycles) == (9, 2)
    assert (config.brain.learning_rate, config.brain.baseline_hz) == (0.05, 150.0)
    assert configure(SCENARIO, [], layers[1:]).brain.baseline_hz == 185.0  # type: ignore[attr-defined]


def test_a_written_configuration_loads_again_equal(tmp_path: Path) -> None:
    config = configure(
        SCENARIO,
        ["--group", "unpaired", "--onset-s", "1.5", "--larva.gain", "80", "--recorder.writer", "inline"],
    )
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(config)
    assert configure(SCENARIO, layers=[("config.toml", folder.config)]) == config


@pytest.mark.parametrize(
    ("words", "layer", "message"),
    [
        (["--cycels", "3"], {}, "--cycles"),
        ([], {"cycels": 3}, "did you mean 'cycles'"),
        ([], {"brain": {"lerning_rate": 3}}, "did you mean 'learning_rate'"),
        (["--cycles", "many"], {}, "many"),
        (["--cycles", "-1"], {}, "at least 0"),
        (["--odor-s", "-3"], {}, "at least 0 s, and finite, got -3"),
        (["--odor-s", "nan"], {}, "at least 0 s, and finite, got nan"),
        (["--seed", "-1"], {}, "at least 0"),
        (["--seed", "1.5"], {}, "--seed: expected a whole number, got 1.5"),
        ([], {"animals": 2.5}, "file: animals: expected a whole number, got 2.5"),
        (["--animals", "0"], {}, "at least 1"),
        (["--action-delay", "-1"], {}, "at least 0"),
        (["--control-interval-ms", "0.25"], {}, "0.25 is not a whole number of steps"),
        (["--control-interval-ms", "0"], {}, "positive"),
        (["--group", "paired-c"], {}, "paired-c"),
        (["--simulator.name", "nset"], {}, "did you mean 'nest'"),
        (
            ["--simulator.name", "numba", "--simulator.genn-backend", "cpu"],
            {},
            "setting of genn, not of numba",
        ),
        (["--odor-b", "n-amylacetate"], {}, "expected another odor"),
        (["--onset-s", "400"], {}, "not within a cycle"),
        (["--odor-width-mm", "0"], {}, "above 0"),
        (["--brain.learning-rate", "-0.1"], {}, "learning_rate"),
        (["--larva.gain", "inf"], {}, "finite"),
    ],
)
def test_a_mistake_is_named(words: list[str], layer: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        configure(SCENARIO, words, [("file", layer)])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        read_toml(tmp_path / "absent.toml")
    for wrong in (b"cycles = = 3", b"\xff\xfe\x00"):
        (tmp_path / "bad.toml").write_bytes(wrong)
        with pytest.raises(ScenarioError, match="is not TOML"):
            read_toml(tmp_path / "bad.toml")


def test_files_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    """Under Latin-1, an odor would silently be another one; some editors begin a file with a mark."""
    for name, mark in (("my.toml", b""), ("config.toml", b"\xef\xbb\xbf")):
        (tmp_path / name).write_bytes(mark + 'odor_a = "Äpfel"\n'.encode())
    code = """if True:
        import locale, sys
        from pathlib import Path
        from ethospike.scenarios.configuration import read_toml
        from ethospike.scenarios.run.folder import RunFolder
        folder = Path(sys.argv[1])
        configs = read_toml(folder / "my.toml"), read_toml(folder / "config.toml"), RunFolder(folder).config
        print(locale.getpreferredencoding(), *(ascii(config["odor_a"]) for config in configs))
    """
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    encoding, *odors = done.stdout.split()
    assert encoding != "UTF-8"
    assert odors == [ascii("Äpfel")] * 3


def test_unknown_scenarios_and_presets_name_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="did you mean 'odor-conditioning'"):
        find_scenario("odor-conditionning")
    with pytest.raises(ScenarioError, match="did you mean 'published'"):
        preset(SCENARIO, "publishd")
    with pytest.raises(ScenarioError, match="no file"):
        find_scenario("absent.py")
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(ScenarioError, match="defines no SCENARIO"):
        find_scenario(str(tmp_path / "empty.py"))


def test_every_field_has_a_sentence_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert from_command(SCENARIO, ["--help"]) is None
    shown = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(ConditioningConfig):
        if not dataclasses.is_dataclass(field.default_factory):
            assert f"--{field.name.replace('_', '-')}" in shown
    assert "Training cycles." in shown
    assert "Depression of an eligible" in shown


def test_plain_values_have_no_nones() -> None:
    assert "onset_s" not in to_plain(ConditioningConfig())


def test_paths_are_stored_such_that_they_lead_there_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = to_plain(configure(find_scenario("odor-preference"), ["--memory", "runs/x"]))
    assert stored["memory"] == str(tmp_path / "runs" / "x")
