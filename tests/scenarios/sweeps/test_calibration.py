"""Calibrations: what is found is where it should be, and does not depend on workers and interruptions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from places import HELPERS

from ethospike.errors import ScenarioError
from ethospike.scenarios.command.app import main
from ethospike.scenarios.sweeps import workers as sweep_workers
from ethospike.scenarios.sweeps.folder import Sweep
from ethospike.scenarios.sweeps.points import Span
from ethospike.scenarios.sweeps.search import WORST, Search, mean_measures, measure_name, parse_target
from ethospike.scenarios.sweeps.task import run_task
from ethospike.scenarios.sweeps.workers import Run

TOY = str(HELPERS / "sweep_scenario.py")


def words(out: Path, *more: str) -> list[str]:
    """Return a search for x y = 6 and x = 2: y is 3. Two measures, both found by their names."""
    targets = ["--target", "product=6", "--target", "noisy=2"]
    varied = ["--vary", "x=0.5:8:log", "--vary", "details.y=0:10"]
    return ["calibrate", TOY, *targets, *varied, "--out", str(out), "--quiet", *more]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("calibrations") / "one"
    main(words(out, "--tolerance", "0.1", "--trials", "150", "--workers", "1"))
    return out


def test_a_calibration_finds_the_point(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = json.loads((found / "best.json").read_text())
    assert best["met"]
    x, y = best["point"]["x"], best["point"]["details.y"]
    assert abs(x * y - 6) <= 0.6
    assert abs(x + 0.001 - 2) <= 0.2
    assert 8 < best["trials"] < 150
    assert best["check"]["seeds"] == [2, 3, 4, 5, 6]
    assert best["check"]["measures"]["noisy"]["mean"] == pytest.approx(x + 0.004)  # mean of seeds 2 … 6
    assert (found / "figures" / "history.png").stat().st_size > 10_000
    main(["show", str(found)])
    assert f"best of {best['trials']} points (within the tolerance): x=" in capsys.readouterr().out


def test_it_is_the_same_with_two_workers_and_after_an_interruption(found: Path, tmp_path: Path) -> None:
    out = tmp_path / "two"
    main(words(out, "--tolerance", "0.1", "--trials", "16", "--workers", "2", "--check-seeds", "0"))
    first = Sweep.open(out)
    assert first.points == Sweep.open(found).points[:16]
    # As if it had been interrupted after two rounds, with three points of the second one unfinished, and
    # once more while the folder of the last check was made.
    manifest = json.loads((out / "sweep.json").read_text())
    manifest["calibration"] |= {"trials": 150, "check_seeds": 5}
    (out / "sweep.json").write_text(json.dumps(manifest))
    for number in (9, 12, 15):
        (first.folder(number) / "result.json").unlink()
    (out / "check" / "tasks").mkdir(parents=True)
    main(["resume", str(out), "--quiet"])
    assert Sweep.open(out).points == Sweep.open(found).points
    assert json.loads((out / "best.json").read_text()) == json.loads((found / "best.json").read_text())


def test_failures_of_a_search_are_not_tried_again(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["resume", str(found), "--retry-failed"])
    assert "is a calibration, whose search has learned from failures" in capsys.readouterr().err


@pytest.fixture
def without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run tasks here: starting workers takes seconds, and other tests have them."""

    @contextmanager
    def here(workers: int, scheduler: str, **_: object) -> Iterator[Run]:
        yield lambda sweep, tasks: (run_task(sweep.path, task.number) for task in tasks)

    monkeypatch.setattr(sweep_workers, "open_workers", here)


@pytest.mark.usefixtures("without_processes")
def test_an_unknown_measure_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(
            [
                "calibrate",
                TOY,
                "--target",
                "noysi=1",
                "--vary",
                "x=1:2",
                "--out",
                str(tmp_path / "c"),
                "--quiet",
            ]
        )
    assert "did you mean 'noisy'" in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("without_processes")
def test_points_that_all_fail_end_with_the_first_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["calibrate", TOY, "--target", "noisy=1", "--vary", "x=-2:-1", "--trials", "4",
              "--out", str(tmp_path / "c"), "--quiet"])  # fmt: skip
    assert "all 4 points failed; the first: ScenarioError: x: expected" in " ".join(
        capsys.readouterr().err.split()
    )


def test_distances() -> None:
    search = Search({"a": 2.0, "b": 0.0}, [Span("x", 0, 1, False, False)], tolerance=0.1)
    assert search.distance({"a": 2.2, "b": 0.0}) == pytest.approx(0.1 / math.sqrt(2))
    assert search.is_met({"a": 2.199, "b": -0.1})
    assert not search.is_met({"a": 2.2001, "b": 0.2})
    assert search.distance({"a": 2.0, "b": None}) == search.distance({}) == WORST
    assert Search.from_json(json.loads(json.dumps(search.to_json()))) == search


def test_measures_by_name() -> None:
    assert measure_name("a", {"a": 1}) == "a"
    assert measure_name("a", {"a.mean": 1, "a.low": 0}) == "a.mean"
    with pytest.raises(ScenarioError, match=r"did you mean 'rate_hz\.E'"):
        measure_name("rate.E", {"rate_hz.E": 1, "rate_hz.I": 2})


def test_seeds_are_averaged() -> None:
    runs = [
        {"status": "done", "measures": {"a": 1.0, "b": 1.0}},
        {"status": "done", "measures": {"a": 3.0, "b": None}},
    ]
    assert mean_measures(runs) == {"a": 2.0, "b": None}
    assert mean_measures([*runs, {"status": "failed", "measures": {}}]) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"trials": 0}, {"tolerance": 0.0}, {"check_seeds": -1}, {"targets": {}}, {"spans": []}),
        *({"weights": {"a": 0.0}}, {"weights": {"b": 1.0}}),
    ],
)
def test_searches_that_cannot_be_run(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"targets": {"a": 1.0}, "spans": [Span("x", 0, 1, False, False)]}
    with pytest.raises(ScenarioError, match=r"expected"):
        Search(**{**right, **wrong})  # type: ignore[arg-type]


def test_deviations_count_by_their_weights() -> None:
    spans = [Span("x", 0, 1, False, False)]
    measures = {"a.value": 3.0, "b": 1.0}  # 50 % above, 50 % below
    assert Search({"a": 2.0, "b": 2.0}, spans).distance(measures) == pytest.approx(0.5)
    # sqrt((3 · 0.5² + 1 · 0²) / 4)
    weighted = Search({"a": 2.0, "b": 1.0}, spans, weights={"a": 3.0})
    assert weighted.distance(measures) == pytest.approx(math.sqrt(3 * 0.25 / 4))
    assert Search.from_json(json.loads(json.dumps(weighted.to_json()))) == weighted


def test_a_target_is_read_with_its_weight() -> None:
    assert parse_target("rate_hz.E=3") == ("rate_hz.E", 3.0, 1.0)
    assert parse_target("bend_deg=12.2@0.5") == ("bend_deg", 12.2, 0.5)
    for wrong in ("rate", "rate=x", "rate=3@", "rate=3@0", "=3"):
        with pytest.raises(ScenarioError, match="MEASURE=VALUE"):
            parse_target(wrong)
