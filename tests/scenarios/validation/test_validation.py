"""The validation runs in miniature, and its arithmetic is checked against textbook values."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from places import DOCS

from ethospike.errors import RunFolderError, ScenarioError, SimulatorNotInstalled
from ethospike.scenarios.command.app import main
from ethospike.scenarios.command.checks import validate_larvae
from ethospike.scenarios.validation.larva import report as validation
from ethospike.scenarios.validation.larva.experiments import Settings
from ethospike.scenarios.validation.larva.report import PARTS, TABLES, validate
from ethospike.scenarios.validation.parts import Validation, run_parts
from ethospike.scenarios.validation.reach import comparison as reach_validation
from ethospike.scenarios.validation.reach import report as reach_report

TINY = Settings(animals=2, dish_animals=2, wirings=2, minute_s=0.6)
OF_TWO = ("simulators", "parity", "parity_cortex", *(p for p in PARTS if "nest" in p))
SAME = tuple(p for p in PARTS if p.endswith(("_fast", "_published")))  # as others, with other parameters
ON_NUMBA = [part for part in PARTS if part not in (*OF_TWO, *SAME)]


@pytest.mark.simulator("numba")
def test_a_tiny_validation_fills_every_table(tmp_path: Path) -> None:
    table = validate(tmp_path / "tiny", TINY, ON_NUMBA)
    data = json.loads((tmp_path / "tiny.json").read_text())
    assert data["naive"]["results"]["rates"]["ORN"]["mean"] == pytest.approx(64.3, rel=0.25)
    for part in ON_NUMBA:
        assert data[part]["results"], part
    text = table.read_text()
    assert text.count("###") == len(ON_NUMBA) - 1  # paired and unpaired groups share a table
    assert "| paired minus unpaired, odor first, calibrated |" in text


@pytest.mark.simulator("nest")
@pytest.mark.simulator("numba")
def test_simulators_are_compared_and_other_parts_kept(tmp_path: Path) -> None:
    validate(tmp_path / "tiny", TINY, ["naive"])
    text = validate(tmp_path / "tiny", TINY, ["simulators"]).read_text()
    assert "Naive rates" in text
    results = json.loads((tmp_path / "tiny.json").read_text())["simulators"]["results"]
    assert {"nest", "numba"} <= set(results)
    rates = [results[name]["ORN_hz"]["mean"] for name in ("nest", "numba")]
    assert rates[0] == pytest.approx(rates[1], rel=0.02)
    assert rates[0] > 10


@pytest.mark.simulator("nest")
@pytest.mark.simulator("numba")
def test_learning_on_nest_is_compared_larva_by_larva(tmp_path: Path) -> None:
    parts = ("naive_nest", "nest_paired", "nest_odor_only")
    text = validate(tmp_path / "tiny", TINY, parts).read_text()
    results = json.loads((tmp_path / "tiny.json").read_text())
    dan = results["nest_paired"]["results"]["dan_hz_in_training"]
    assert dan["nest"]["mean"] > 1.0
    own = np.array(dan["numba"]["animals"]) - dan["nest"]["animals"]
    assert dan["difference"]["animals"] == pytest.approx(own.tolist())
    assert "dan_hz_in_training" not in results["nest_odor_only"]["results"]
    assert "| preference first 20 s, odor only |" in text
    assert "| ORN | nest |" in text


def test_every_part_is_in_a_table() -> None:
    assert sorted(PARTS) == sorted(
        ["naive", "naive_nest", *(part for table in TABLES for part in table.parts)]
    )


def test_the_command_offers_what_there_is_with_the_same_defaults() -> None:
    """The command's own defaults and help are second copies, so that `ethospike list` need not load SciPy."""
    defaults = {name: one.default for name, one in inspect.signature(validate_larvae).parameters.items()}
    settings = Settings()
    shared = {field.name for field in dataclasses.fields(settings)} & set(defaults)
    assert shared == {"simulator", "animals", "dish_animals", "threads"}
    assert {name: defaults[name] for name in shared} == {name: getattr(settings, name) for name in shared}


@pytest.mark.parametrize(
    ("command", "parts"),
    [(validate_larvae, PARTS), (reach_validation.main, reach_validation.PARTS)],
    ids=["larvae", "reach"],
)
def test_the_help_names_all_parts(command: Callable[..., None], parts: Mapping[str, object]) -> None:
    (listed,) = re.findall(r"Only these: ([\w, \n]+)", command.__doc__ or "")
    assert sorted(re.findall(r"\w+", listed.removesuffix(", by default all"))) == sorted(parts)


@pytest.mark.parametrize(
    ("name", "write"),
    [("validation_larva", validation.to_markdown), ("validation_reach", reach_report.to_markdown)],
)
def test_the_tables_of_the_documentation_are_made_of_its_data(
    name: str, write: Callable[[dict[str, Any]], str]
) -> None:
    data = json.loads((DOCS / f"{name}.json").read_text())
    assert len(data) > 3
    assert write(data) == (DOCS / f"{name}.md").read_text()


@pytest.fixture
def two_parts() -> Validation:
    """Parts that take no time: the second is interrupted."""

    def stop(settings: Settings) -> dict[str, Any]:
        raise KeyboardInterrupt

    parts = {"first": lambda settings: {"value": settings.animals}, "second": stop}
    return Validation(parts, lambda part, chosen: (), "results", lambda results: ", ".join(results))


def test_what_is_interrupted_keeps_the_parts_before_in_files_of_the_whole_name(
    two_parts: Validation, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_parts(tmp_path / "nest-3.10", TINY, [], two_parts)
    assert {path.name for path in tmp_path.iterdir()} == {"nest-3.10.json", "nest-3.10.md"}
    assert (tmp_path / "nest-3.10.md").read_text() == "first"
    assert json.loads((tmp_path / "nest-3.10.json").read_text())["first"]["results"] == {"value": 2}


def test_a_disk_that_is_full_leaves_the_results_before(
    two_parts: Validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_parts(tmp_path / "x", TINY, ["first"], two_parts)
    before = (tmp_path / "x.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ethospike.recorders.disk.os.fsync", full)
    with pytest.raises(RunFolderError):
        run_parts(tmp_path / "x", dataclasses.replace(TINY, animals=3), ["first"], two_parts)
    assert (tmp_path / "x.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"first": {"mach', "cannot read"),
        (b"", "cannot read"),
        (b"\xff\xfe\xff", "cannot read"),
        (b"[]", "expected a JSON object"),
        (b'{"machine": {}, "rows": []}', "holds no results of this validation under 'machine'"),
    ],
)
def test_results_that_are_damaged_are_not_written_over(
    content: bytes, message: str, two_parts: Validation, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ScenarioError, match=message) as error:
        run_parts(tmp_path / "x", TINY, ["first"], two_parts)
    assert "move it away" in str(error.value)
    assert (tmp_path / "x.json").read_bytes() == content


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_path_that_names_no_file(name: str, two_parts: Validation) -> None:
    with pytest.raises(RunFolderError, match="names no file"):
        run_parts(Path(name), TINY, ["first"], two_parts)


@pytest.mark.parametrize("part", ["parity", "parity_cortex", "nest_paired"])
def test_nest_is_not_compared_with_itself(part: str, tmp_path: Path) -> None:
    settings = dataclasses.replace(TINY, simulator="nest")
    with pytest.raises(ScenarioError, match=f"{part}: compare nest with another simulator"):
        validate(tmp_path / "x", settings, ["naive", part])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("of", "absent", "parts"),
    [
        (validation, "numba", []),
        (validation, "nest", ["naive", "naive_nest"]),
        (reach_validation, "numba", []),
    ],
)
def test_an_absent_simulator_is_refused_before_anything_is_computed(
    of: ModuleType, absent: str, parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str) -> None:
        if name == absent:
            raise SimulatorNotInstalled(f"{absent} is not installed")

    monkeypatch.setattr("ethospike.scenarios.validation.parts.simulator_class", without)
    monkeypatch.setattr(of, "PARTS", dict.fromkeys(of.PARTS, pytest.fail))
    with pytest.raises(SimulatorNotInstalled):
        of.validate(tmp_path / "x", of.Settings(), parts)
    assert not list(tmp_path.iterdir())
    # Parts that compare simulators take those that are installed.
    monkeypatch.setattr(of, "PARTS", {"simulators": lambda settings: {}})
    monkeypatch.setattr(of, "to_markdown", lambda results: "")
    assert of.validate(tmp_path / "x", of.Settings(), ["simulators"]).exists()


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="did you mean 'naive'"):
        validate(tmp_path / "x", TINY, ["naiv"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--animals", "0"], "animals: expected at least 2"),
        (["--dish-animals", "1"], "dish_animals: expected at least 2"),
        (["--simulator", "numbas"], "did you mean 'numba'"),
        (["--threads", "-1"], "threads: expected at least 0"),
    ],
)
def test_settings_are_refused_before_anything_is_computed(
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ethospike.scenarios.validation.larva.report.PARTS", {"naive": pytest.fail})
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--out", str(tmp_path / "x"), *words])
    assert ended.value.code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
