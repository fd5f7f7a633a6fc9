"""The benchmark runs, so that it cannot rot. What it measures here means nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from matplotlib.figure import Figure

from ethospike.brains.simulator import SIMULATORS
from ethospike.errors import BrainError, ScenarioError
from ethospike.scenarios.bench import benchmark
from ethospike.scenarios.bench import rows as bench_rows
from ethospike.scenarios.bench.benchmark import rows, run_benchmark, to_markdown
from ethospike.scenarios.bench.fly import draw_fly
from ethospike.scenarios.bench.measures import measure
from ethospike.scenarios.bench.process import measure_in_process
from ethospike.scenarios.bench.rows import Row, resident_mb
from ethospike.scenarios.bench.scale import PUBLISHED, scale_rows
from ethospike.scenarios.command.checks import bench

FLY = Path(__file__).parents[3] / "docs" / "benchmarks"


@pytest.mark.simulator("numba")
def test_the_small_benchmark_measures_every_kind_of_row(tmp_path: Path) -> None:
    table = run_benchmark(tmp_path / "bench", small=True, simulators=["numba"])
    data = json.loads((tmp_path / "bench.json").read_text())
    assert {row["kind"] for row in data["rows"]} == {"network", "reach", "loop", "scenario"}
    for row in data["rows"]:
        assert "error" not in row, row
        assert row["wall_per_s"] > 0
        assert row["memory_mb"] > 10
    assert all(row["rate_hz"] > 0.1 for row in data["rows"] if row["kind"] == "network")
    assert all(row["loop_over_bare"] > 0 for row in data["rows"] if row["kind"] == "loop")
    # Which of the two is longer is chance: each is a run of its own, of a few tenths of a second.
    assert all(min(row["whole_s"], row["start_s"]) > 0 for row in data["rows"] if row["kind"] == "scenario")
    assert "shows that it runs, not how fast" in table.read_text()
    assert data["machine"]["versions"]["numba"] in table.read_text()


@pytest.mark.simulator("numba")
def test_the_loop_of_larvae_is_measured_by_parts(tmp_path: Path) -> None:
    table = run_benchmark(tmp_path / "larvae", small=True, plan="larvae", simulators=["numba"])
    data = json.loads((tmp_path / "larvae.json").read_text())
    assert [row["kind"] for row in data["rows"]] == ["loop", "loop", "steps", "scenario"]
    assert not [row for row in data["rows"] if "error" in row]
    (steps,) = (row for row in data["rows"] if row["kind"] == "steps")
    assert steps["steps_per_s"] * steps["wall_per_s"] == pytest.approx(100.0)  # control steps of 10 ms
    assert "Ten lines of Python" in table.read_text()


@pytest.mark.simulator("nest")
def test_a_row_on_nest() -> None:
    result = measure_in_process(Row("network", "nest", "mushroom body", 1, 0.3))
    assert result.get("error") is None
    assert result["rate_hz"] > 0.1


def test_growth_is_measured_without_packages_that_only_developers_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    result = measure(Row("growth", "numba", "odor-conditioning", 1, 12.0, 100.0))
    assert result["outside_early_us"] > 10
    assert 0.1 < result["late_over_early"] < 10
    assert abs(result["memory_growth_mb"]) < result["memory_mb"]


def test_resident_memory_is_what_psutil_says_on_linux_and_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = psutil.Process().memory_info().rss / 1e6
    assert expected > 50
    assert resident_mb() == pytest.approx(expected, rel=0.05)
    if shutil.which("ps") is None:
        pytest.skip("this machine has no ps, which tells it where there is no /proc")
    monkeypatch.setattr(bench_rows, "STATM", Path("/nowhere"))
    assert resident_mb() == pytest.approx(expected, rel=0.05)


def test_what_compiling_takes_is_measured_with_an_empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    class Process:
        returncode = 0

        def __init__(self, words: list[str], env: dict[str, str] | None = None, **_: object) -> None:
            given.append(env)

        def communicate(self, timeout: float | None = None) -> tuple[str, str]:
            return '{"compile_s": 1.0}\n', ""

    monkeypatch.setattr(subprocess, "Popen", Process)
    row = Row("scenario", "numba", "odor-conditioning")
    for compiling in (False, True):
        assert measure_in_process(row, compiling=compiling)["compile_s"] == 1.0
    assert given[0] is None
    assert given[1] is not None
    assert given[1]["NUMBA_CACHE_DIR"] != os.environ.get("NUMBA_CACHE_DIR")


def test_a_row_that_fails_is_reported_with_its_error() -> None:
    result = measure_in_process(Row("network", "numba", "no such network"))
    assert "no such network" in result["error"]
    machine = {"started": "2000-01-01", "machine": "m", "python": "3", "versions": {}}
    shown = to_markdown({"machine": machine, "small": True, "rows": [result]})
    assert "no such network" in shown


def test_the_full_benchmark_has_the_published_sizes() -> None:
    chosen = list(rows(False, list(SIMULATORS)))
    networks = {(row.network, row.animals) for row in chosen if row.kind == "network"}
    bodies = {("mushroom body", n) for n in (1, 25, 200)}
    assert networks == bodies | {(name, 1) for name in ("reach", "cortex", "large")}
    assert {row.interval_ms for row in chosen if row.kind == "loop"} == {10.0, 100.0}
    assert max(row.seconds for row in chosen) == 1800.0
    with pytest.raises(KeyError):
        measure(Row("network", "numba", "nothing"))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"simulators": ["brian"]}, BrainError, "unknown 'brian'; valid: genn, nest, numba"),
        ({"simulators": ["numba"], "kinds": ("netwerk",)}, ScenarioError, "did you mean 'network'"),
        ({"plan": "scales"}, ScenarioError, "did you mean 'scale'"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict, error: type, message: str
) -> None:
    monkeypatch.setattr(benchmark, "measure_in_process", lambda row, **_: pytest.fail("measured something"))
    with pytest.raises(error, match=message):
        run_benchmark(tmp_path / "bench", small=True, **wrong)


@pytest.mark.parametrize(
    "several",
    [{"scale": True, "long": True}, {"scale": True, "kinds": ("fly",)}, {"kinds": ("larvae", "loop")}],
)
def test_two_benchmarks_are_not_run_at_once(tmp_path: Path, several: dict) -> None:
    with pytest.raises(ScenarioError, match="benchmarks of their own"):
        bench(out=tmp_path / "bench", small=True, **several)
    assert not list(tmp_path.iterdir())


def test_a_benchmark_that_is_interrupted_keeps_its_rows_in_files_of_the_whole_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([{"wall_per_s": 0.5}])

    def measured(row: Row, **_: object) -> dict:
        try:
            return {**vars(row), **next(found)}
        except StopIteration as end:
            raise KeyboardInterrupt from end

    monkeypatch.setattr(benchmark, "measure_in_process", measured)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(tmp_path / "nest-3.10", small=True, simulators=["numba"])
    assert {path.name for path in tmp_path.iterdir()} == {"nest-3.10.json", "nest-3.10.md"}
    (row,) = json.loads((tmp_path / "nest-3.10.json").read_text())["rows"]
    assert row["wall_per_s"] == 0.5
    assert "| 0.5 |" in (tmp_path / "nest-3.10.md").read_text()


@pytest.mark.simulator("numba")
def test_published_sizes_are_measured_small_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "measure_in_process", lambda row, **_: {**vars(row), **measure(row)})
    table = run_benchmark(tmp_path / "scale", small=True, plan="scale")
    stored, procedural = json.loads((tmp_path / "scale.json").read_text())["rows"]
    assert (stored["wiring"], procedural["wiring"]) == ("stored", "procedural")
    for row in (stored, procedural):
        assert row["neurons"] == 500
        assert row["rate_hz"] > 0.1
        assert row["processor_per_s"] > 0
    assert stored["rows_gb_per_s"] > 0
    assert "| 500 | procedural | 1 |" in table.read_text()
    assert (tmp_path / "scale.png").stat().st_size > 10_000


def test_an_adult_brain_is_measured_small_and_called_synthetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "measure_in_process", lambda row, **_: {**vars(row), **measure(row)})
    table = run_benchmark(tmp_path / "fly", small=True, plan="fly")
    silent, driven = json.loads((tmp_path / "fly.json").read_text())["rows"]
    assert (silent["spikes_per_s"], silent["neurons"], silent["driven"]) == (0.0, 2_000, 0)
    assert driven["spikes_per_s"] > 1_000
    assert "| synthetic | 2000 |" in table.read_text()
    assert (tmp_path / "fly.png").stat().st_size > 10_000


def test_the_curve_of_the_adult_brain_shows_each_measured_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: drawn.update(figure=figure))
    rows = json.loads((FLY / "fly.json").read_text())["rows"]
    draw_fly([*rows, {"graph": "synthetic", "error": "MemoryError"}], tmp_path / "fly.png")
    curve, times = drawn["figure"].axes
    during, afterwards = (line.get_xydata() for line in curve.lines)
    alone = [row for row in rows if row["threads"] == 1]
    assert during.tolist() == [[row["driven"], row["spikes_per_s"]] for row in alone]
    assert afterwards[:, 1].tolist() == [row["spikes_per_s_afterwards"] for row in alone]
    assert "synthetic" in curve.get_title()
    assert sum(len(line.get_xdata()) for line in times.lines[:-1]) == len(rows)  # the last is real time


def test_sizes_that_do_not_fit_memory_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ethospike.scenarios.bench.scale.free_bytes", lambda: 8e9)
    chosen = {(row.network, row.threads) for row in scale_rows(False, ["numba"])}
    assert {("98500 stored", 1), ("98500 stored", 0), ("3604000 procedural", 0)} <= chosen
    assert not any(name == "255000 stored" for name, _ in chosen)  # 8.1 GB of bits
    monkeypatch.setattr("ethospike.scenarios.bench.scale.free_bytes", lambda: 20e9)
    chosen = {row.network for row in scale_rows(False, ["numba"])}
    assert chosen == {f"{n} stored" for n in PUBLISHED if n <= 255_000} | {
        f"{n} procedural" for n in PUBLISHED
    }
