"""The validation runs in miniature, and its arithmetic is checked against textbook values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethospike.scenarios.validation import Settings, difference, validate

PARTS = ("groups", "acquisition", "interval", "learning_rate", "dish")


@pytest.mark.simulator("numba")
def test_a_tiny_validation_fills_every_table(tmp_path: Path) -> None:
    table = validate(tmp_path / "tiny", Settings(animals=2, dish_animals=2, wirings=2, minute_s=0.6))
    data = json.loads((tmp_path / "tiny.json").read_text())
    assert data["naive"]["rates"]["ORN"]["mean"] == pytest.approx(64.3, rel=0.25)
    for part in PARTS:
        assert data[part], part
    text = table.read_text()
    assert text.count("###") == 1 + len(PARTS)
    assert "paired minus unpaired, calibrated" in text


def test_difference_is_welchs() -> None:
    # Student's example of two groups of four: means 2.5 and 4.5, equal variances 5/3, standard error
    # sqrt(2 · 5/3 / 4) = 0.9129, six degrees of freedom, t = 2.4469 (tables).
    one, other = {"animals": [1.0, 2.0, 3.0, 4.0]}, {"animals": [3.0, 4.0, 5.0, 6.0]}
    found = difference(one, other)
    assert found["mean"] == pytest.approx(-2.0)
    assert found["high"] - found["low"] == pytest.approx(2 * 2.4469 * 0.9129, rel=1e-3)
