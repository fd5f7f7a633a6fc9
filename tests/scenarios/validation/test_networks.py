"""The comparison of simulators on published networks, in small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethospike.scenarios.command.app import main


@pytest.mark.simulator("numba")
def test_rates_of_a_network_on_two_simulators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numba in place of the other simulator, which takes its place; seeds differ."""
    words = [
        "--parts",
        "brunel",
        "--scale",
        "0.02",
        "--seeds",
        "2",
        "--duration-s",
        "0.1",
        "--settling-s",
        "0",
    ]
    main(["validate", "networks", "--out", str(tmp_path / "out"), *words, "--other", "numba"])
    found = json.loads((tmp_path / "out.json").read_text())["brunel"]["found"]
    assert (found["neurons"], found["populations"]) == (250, ["E", "I"])
    rates = found["simulators"]["numba"]["rates_hz"]
    assert min(map(min, rates)) > 1.0
    assert rates[0] != rates[1]
    assert "| E |" in capsys.readouterr().out


@pytest.mark.simulator("numba")
@pytest.mark.simulator("nest")
def test_numba_and_nest_have_the_same_rates(tmp_path: Path) -> None:
    words = ["--parts", "microcircuit", "--scale", "0.01", "--seeds", "1", "--duration-s", "0.2"]
    main(["validate", "networks", "--out", str(tmp_path / "out"), *words])
    found = json.loads((tmp_path / "out.json").read_text())["microcircuit"]["found"]["simulators"]
    numba, nest = (found[name]["rates_hz"][0] for name in ("numba", "nest"))
    assert max(nest) > 1.0
    assert numba == pytest.approx(nest, abs=0.2)


def test_settings_that_make_no_sense_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["validate", "networks", "--seeds", "0"])
    assert ended.value.code == 1
    assert "expected seeds above 0, got 0" in capsys.readouterr().err


@pytest.mark.simulator("numba")
@pytest.mark.simulator("nest")
def test_a_plastic_network_has_the_same_spikes_and_weights_on_numba_and_nest(tmp_path: Path) -> None:
    words = ["--parts", "stdp", "--scale", "0.04", "--seeds", "2", "--duration-s", "0.2"]
    main(["validate", "networks", "--out", str(tmp_path / "out"), *words])
    rows = json.loads((tmp_path / "out.json").read_text())["stdp"]["found"]["rows"]
    assert [row["first_different_step"] for row in rows] == [None, None]
    for row in rows:
        assert row["numba"]["spikes"] > 100
        assert row["numba"]["weight"][1] > 1e-3  # weights were equal at the start
        assert row["largest_weight_difference"] < 1e-9
    assert rows[0]["numba"]["weight"] != rows[1]["numba"]["weight"]
    assert "| seed |" in (tmp_path / "out.md").read_text()
