"""The benchmark for a GPU: every part runs small on the CPU backend, within its time, and loses nothing."""

from __future__ import annotations

import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from ethospike.errors import BrainError, ScenarioError
from ethospike.scenarios.bench import gpu
from ethospike.scenarios.bench.gpu import BUILD_S, Part, compile_all, gpu_parts, run_gpu_benchmark
from ethospike.scenarios.bench.gpu_measures import (
    FIRST,
    FIRST_CHECKS,
    OTHER,
    checks_of,
    compile_model,
    models_of,
)
from ethospike.scenarios.bench.gpu_report import GOALS, goal_lines, gpu_markdown
from ethospike.scenarios.bench.measures import measure
from ethospike.scenarios.bench.process import measure_in_process
from ethospike.scenarios.bench.rows import Row
from ethospike.scenarios.command.app import main


class HerePool:
    """A pool of processes that does the work here, at once."""

    def __enter__(self) -> HerePool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def apply_async(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        try:
            value = function(*arguments)
        except BrainError as error:
            return type("Job", (), {"get": lambda self, timeout, error=error: (_ for _ in ()).throw(error)})()
        return type("Job", (), {"get": lambda self, timeout: value})()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile and measure in this process: new ones would import everything each time."""
    context = type("Context", (), {"Pool": lambda self, n: HerePool()})
    monkeypatch.setattr(gpu.multiprocessing, "get_context", lambda method: context())

    def measured(row: Row, limit_s: float) -> dict[str, Any]:
        try:
            return {**vars(row), **measure(row)}
        except BrainError as error:
            return {**vars(row), "error": str(error)}

    monkeypatch.setattr(gpu, "measure_in_process", measured)


@pytest.mark.simulator("genn")
@pytest.mark.simulator("numba")
@pytest.mark.usefixtures("here")
def test_every_part_runs_small_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One check instead of twelve, and two neuron models: each compiles for seconds.
    few = {"FIRST_CHECKS": ("check_delays",), "LEAKY": ("iaf_psc_exp",), "OTHERS": ("izhikevich",)}
    for name, chosen in few.items():
        monkeypatch.setattr(f"ethospike.scenarios.bench.gpu_measures.{name}", chosen)
    table = run_gpu_benchmark(tmp_path / "card", small=True, seconds=3000.0)
    data = json.loads((tmp_path / "card.json").read_text())
    rows = {(row["part"], row["kind"]): row for row in data["rows"]}
    assert len(rows) == len(data["rows"]) == 9
    assert {part for part, _ in rows} == {part.name for part in gpu_parts(small=True)}
    for (part, kind), row in rows.items():
        if row["network"] == "500 procedural":
            assert "GeNN's CPU backend stores every synapse" in row["error"]
            continue
        assert "error" not in row, row
        if kind in ("conformance", "parity"):
            assert row["failed"] == {}
            assert row["passed"] == row["checks"] == (1 if kind == "conformance" else 2)
        else:
            assert row.get("rate_hz", 1.0) > 0.1, (part, kind)
        assert "genn" in row.get("backend", "genn")
    assert rows["grid", "grid"]["sets"] == 2
    assert rows["grid", "grid"]["sets_a_model"] == 1, "the CPU backend has no batches"
    assert rows["cortex", "reach"]["loop_ms"] > 0
    assert data["build"]["compiled"] == data["build"]["models"] - 1 >= 9, "all but the procedural one"
    assert any("procedural" in error for error in data["build"]["errors"])
    text = table.read_text()
    assert "shows that it runs, not how fast" in text
    assert text.count("| open |") == len(GOALS)
    assert (tmp_path / "card.png").stat().st_size > 10_000


def test_the_parts_have_the_sizes_of_the_issue_and_ten_minutes() -> None:
    parts = {part.name: part for part in gpu_parts(small=False)}
    assert list(parts) == ["works", "cortex", "larvae", "grid", "rest"]
    assert BUILD_S + sum(part.budget_s for part in parts.values()) == 600.0
    sizes = [row.network for row in parts["cortex"].rows]
    assert sizes == ["large", "25500 stored", "98500 stored", "255000 procedural"]
    assert {row.animals for row in parts["larvae"].rows if row.kind == "network"} == {1, 25, 1000}
    assert [row.animals for row in parts["larvae"].rows if row.kind == "scenario"] == [1000]
    assert [(row.animals, row.network) for row in parts["grid"].rows] == [(40, "grid")]
    rest = {(row.network, row.animals) for row in parts["rest"].rows}
    assert {("1274000 procedural", 1), ("3604000 procedural", 1), ("mushroom body", 10_000)} <= rest
    assert {row.precision for row in parts["rest"].rows} == {"single", "double"}


def test_the_checks_are_twelve_and_the_others() -> None:
    first, others = (checks_of(Row("conformance", "genn", name)) for name in (FIRST, OTHER))
    assert [check.__name__ for check in first].sort() == list(FIRST_CHECKS).sort()
    assert len(first) == len(FIRST_CHECKS) == 12
    assert others[-1].__name__ == "check_long_clock"
    assert not {*first} & {*others}


@pytest.mark.simulator("numba")
def test_models_are_found_without_building_them() -> None:
    (model,) = models_of(Row("scale", "genn", "25500 stored"), measure)
    assert sum(p.size for p in model.networks[0].populations) == 25_500
    assert (model.settings.name, model.options["seed"]) == ("genn", 1)
    (loop,) = models_of(Row("reach", "genn", "large", 1, 1.0, 10.0), measure)
    assert loop.networks[0].n_neurons == 25_000
    (larvae,) = models_of(Row("scenario", "genn", "odor-conditioning", 1000, 20.0, 100.0), measure)
    assert larvae.options["animals"] == 1000
    grid = list(models_of(Row("grid", "numba", "reach", 3, 1.0, 50.0), measure))
    assert [len(model.networks) for model in grid] == [1, 1, 1]


@pytest.mark.simulator("genn")
def test_a_compiled_model_is_found_by_its_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHOSPIKE_CACHE", str(tmp_path))
    row = Row("scale", "genn", "500 stored", 1, 0.05)
    for model in models_of(row, measure):
        compile_model(model)
    assert len(list(tmp_path.glob("genn/*/librunner.so"))) == 1
    assert measure(row)["rate_hz"] > 0.1
    assert len(list(tmp_path.glob("genn/*/librunner.so"))) == 1


def test_a_cut_off_run_keeps_its_rows_and_late_rows_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "compile_all", lambda rows, deadline: {"models": 3, "compiled": 3, "errors": []})
    limits = []

    def measured(row: Row, limit_s: float) -> dict[str, Any]:
        limits.append(limit_s)
        if len(limits) == 3:
            raise KeyboardInterrupt
        return {**vars(row), "error": "of no interest"}

    monkeypatch.setattr(gpu, "measure_in_process", measured)
    with pytest.raises(KeyboardInterrupt):
        run_gpu_benchmark(tmp_path / "card")
    assert len(json.loads((tmp_path / "card.json").read_text())["rows"]) == 2
    assert (tmp_path / "card.png").exists(), "the first part, two rows, was drawn"
    assert "of no interest" in (tmp_path / "card.md").read_text()
    assert limits[0] == pytest.approx(BUILD_S + 100.0, abs=5.0), "the time that compiling left is not lost"
    run_gpu_benchmark(tmp_path / "short", parts=["larvae"], seconds=1.0)
    rows = json.loads((tmp_path / "short.json").read_text())["rows"]
    assert len(rows) == 4
    assert all("the time of this part is over" in row["error"] for row in rows)
    assert (tmp_path / "short.png").exists()


def test_the_script_for_a_bare_machine_carries_every_dependency() -> None:
    """NEST and pygame are loaded by what uses them, and Pillow comes with Matplotlib."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    script = (ROOT / "docs/benchmarks/gpu_carry.sh").read_text("utf-8")
    (have,), (needed,) = (
        re.findall(pattern, script) for pattern in (r"have=\$\{HAVE:-([^}]+)\}", r'needed="([^"]+)"')
    )
    assert "zarr" in needed
    assert names - {"nest-simulator", "pygame-ce", "pillow"} <= {*have.split(), *needed.split()}


def test_a_row_that_takes_too_long_is_stopped() -> None:
    begin = time.monotonic()
    result = measure_in_process(Row("growth", "numba", "odor-conditioning", 1, 1800.0, 100.0), limit_s=1.0)
    assert "stopped after 1 s" in result["error"]
    assert time.monotonic() - begin < 30


def test_compiling_stops_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    context = type("Context", (), {"Pool": lambda self, n: HerePool()})
    monkeypatch.setattr(gpu.multiprocessing, "get_context", lambda method: context())
    monkeypatch.setattr(gpu, "models_of", lambda row, measure: iter([1, 2, 3]))
    monkeypatch.setattr(gpu, "compile_model", lambda model: 0.0)
    assert compile_all([Row("scale", "genn", "500 stored")], time.monotonic() - 1)["models"] == 1


def test_goals_are_open_reached_or_not() -> None:
    base = {**vars(Row("reach", "genn", "large")), "part": "cortex", "part_title": "Cortex"}
    assert all("| open |" in line for line in goal_lines([])[2:])
    for loop_ms, word in ((2.0, "| reached |"), (3.0, "| not reached |")):
        assert word in goal_lines([{**base, "loop_ms": loop_ms}])[2]
    machine = {"started": "2000-01-01", "machine": "m", "python": "3", "versions": {}}
    rows = [{**base, "loop_ms": 2.0, "backend": "genn 5, cuda backend, single precision", "wall_per_s": 0.2}]
    shown = gpu_markdown({"machine": machine, "small": False, "build": {}, "rows": rows})
    assert "genn 5, cuda backend" in shown
    assert "| closed loop of the reach task, large | 0.2 | 2 |" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gpu", "--scale"], "--gpu is a benchmark of its own"),
        (["--seconds", "60"], "--seconds belongs to --gpu"),
        (["--gpu", "--kinds", "cortx"], "did you mean 'cortex'"),
        (["--gpu", "--seconds", "0"], "seconds: expected above 0"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_measured(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *words, "--out", str(tmp_path / "card")])
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_command_are_those_of_scenarios() -> None:
    with pytest.raises(ScenarioError, match="unknown part 'x'"):
        run_gpu_benchmark(Path("nowhere"), parts=["x"])
    assert isinstance(gpu_parts(small=True)[0], Part)
