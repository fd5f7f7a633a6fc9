"""Points of a sweep, as the words of axes, ranges and files ask for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from places import HELPERS

from ethospike.errors import ScenarioError
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.scenario import Scenario
from ethospike.scenarios.sweeps.points import Span, combined, from_file, grid, samples

TOY = str(HELPERS / "sweep_scenario.py")


@pytest.fixture(scope="module")
def toy() -> Scenario:
    return find_scenario(TOY)


def test_a_grid_is_every_combination(toy: Scenario) -> None:
    points = grid(toy, ["x=0.95:2.90:40", "details.n=1:3:3", "details.mode=plain,raise"])
    assert len(points) == 40 * 3 * 2
    assert points[0] == {"x": 0.95, "details.n": 1, "details.mode": "plain"}
    assert points[-1] == {"x": 2.9, "details.n": 3, "details.mode": "raise"}
    assert points[6]["x"] == 1.0  # not 0.95 + 0.05 = 1.0 and some digits
    assert isinstance(points[0]["details.n"], int)


def test_a_logarithmic_axis_has_equal_ratios(toy: Scenario) -> None:
    assert [point["x"] for point in grid(toy, ["x=1:100:3:log"])] == [1.0, 10.0, 100.0]


def test_samples_fill_their_ranges_and_follow_the_seed(toy: Scenario) -> None:
    points = samples(toy, ["x=10:1000:log", "details.n=1:3"], 400, seed=5)
    x, n = np.array([[point["x"], point["details.n"]] for point in points]).T
    assert 10 <= x.min() < 11 < 900 < x.max() <= 1000
    assert abs(np.median(np.log10(x)) - 2.0) < 0.15  # 3 standard errors of a median of 400 uniform numbers
    assert set(n) == {1, 2, 3}
    assert points == samples(toy, ["x=10:1000:log", "details.n=1:3"], 400, seed=5)
    assert points != samples(toy, ["x=10:1000:log", "details.n=1:3"], 400, seed=6)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("details.n=1:3", [1 / 3, 1 / 3, 1 / 3]),
        ("details.n=1:3:log", [0.5, np.log(3 / 2) / np.log(4), np.log(4 / 3) / np.log(4)]),
    ],
)
def test_the_ends_of_a_range_of_whole_numbers_are_drawn_as_often_as_others(
    text: str, shares: list[float], toy: Scenario
) -> None:
    drawn = [point["details.n"] for point in samples(toy, [text], 9000, seed=1)]
    assert {type(n) for n in drawn} == {int}
    counts = np.array([drawn.count(n) for n in (1, 2, 3)])
    assert counts.sum() == 9000
    expected = 9000 * np.array(shares)
    assert np.all(np.abs(counts - expected) < 4 * np.sqrt(expected))
    span = Span.parse(toy, text)
    assert (span.value_at(0.0), span.value_at(1.0)) == (1, 3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("points.csv", "x,details.mode\n1.5,plain\n2,raise\n"),
        ("points.json", '[{"x": 1.5, "details.mode": "plain"}, {"x": 2, "details.mode": "raise"}]'),
    ],
)
def test_points_from_a_file(name: str, text: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig"):  # with the mark that spreadsheets put at the beginning
        (tmp_path / name).write_text(text, encoding=encoding)
        assert from_file(tmp_path / name) == [
            {"x": 1.5, "details.mode": "plain"},
            {"x": 2, "details.mode": "raise"},
        ]


def test_kinds_of_points_are_combined(toy: Scenario) -> None:
    points = combined(grid(toy, ["x=1,2"]), [{"details.y": 3}, {"details.y": 4}])
    assert [(point["x"], point["details.y"]) for point in points] == [(1, 3), (1, 4), (2, 3), (2, 4)]
    with pytest.raises(ScenarioError, match="two places"):
        combined(grid(toy, ["x=1,2"]), [{"x": 3}])


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("x", "expected KEY=FIRST"),
        ("y=1:2:3", "no field 'y'"),
        ("details.yy=1:2:3", "did you mean 'y'"),
        ("details=1:2:3", "is a table"),
        ("x.z=1:2:3", "no field 'x.z'"),
        ("seed=1:2:2", "--seeds"),
        ("x=1:2", "expected x=FIRST:LAST:COUNT"),
        ("x=1:2:0", "expected x=FIRST:LAST:COUNT"),
        ("x=a:2:3", "two numbers"),
        ("x=0:2:3:log", "above 0"),
        ("details.n=1:2:4", "whole numbers"),
    ],
)
def test_mistakes_in_axes(axis: str, message: str, toy: Scenario) -> None:
    with pytest.raises(ScenarioError, match=message):
        grid(toy, [axis])


def test_a_flag_for_several_values_is_no_axis() -> None:
    with pytest.raises(ScenarioError, match="several values at once"):
        grid(find_scenario("cortex-rest"), ["network=cortex,large"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=2:1", "LOW below HIGH"),
        ("x=1", "KEY=LOW:HIGH"),
        ("x=1:2:3", "KEY=LOW:HIGH"),
        ("x=0:2:log", "both above 0"),
        ("details.mode=1:2", "a field that is a number"),
        ("details.n=0.4:2", "whole LOW and HIGH"),
        ("details.n=1:2.5", "whole LOW and HIGH"),
        ("animals=0.4:4:log", "whole LOW and HIGH"),
    ],
)
def test_mistakes_in_ranges(text: str, message: str, toy: Scenario) -> None:
    with pytest.raises(ScenarioError, match=message):
        Span.parse(toy, text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.csv", None, "cannot read"),
        ("empty.csv", "x\n", "expected points, as CSV"),
        ("short.csv", "x,details.y\n1\n", "more or fewer values"),
        ("bad.json", "[", "not JSON"),
        ("object.json", "{}", "JSON list"),
        ("latin.csv", "x,details.mode\n1,gr\xfcn\n".encode("latin-1"), "not UTF-8"),
        ("wide.csv", "x\n1\n".encode("utf-16"), "not UTF-8"),
        ("latin.json", b'[{"details.mode": "\xfc"}]', "not UTF-8"),
        ("long.csv", "x\n" + "1" * 200_000, "not CSV"),
    ],
)
def test_mistakes_in_files(name: str, text: str | bytes | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ScenarioError, match=message):
        from_file(tmp_path / name)
