"""The validation runs in miniature, and its arithmetic is checked against textbook values."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ethospike.scenarios import reach_report, reach_validation, validation
from ethospike.scenarios.__main__ import main, validate_larvae
from ethospike.scenarios.larva_validation import Settings
from ethospike.scenarios.scenario import ScenarioError
from ethospike.scenarios.validation import PARTS, TABLES, validate

DOCS = Path(__file__).parents[2] / "docs"
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
    monkeypatch.setattr("ethospike.scenarios.validation.PARTS", {"naive": pytest.fail})
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--out", str(tmp_path / "x"), *words])
    assert ended.value.code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
