"""The published networks' parts of the validation in miniature, and their arithmetic."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios.validation.reach import comparison, published, published_report, published_values
from ethospike.scenarios.validation.reach.experiments import Settings

TINY = Settings(
    fig5_runs=2,
    fig5_trials=2,
    fig6_trials=3,
    fig6_nest_trials=1,
    published_seed_trials=1,
    draws=20,
    threads=1,
)


def test_tiny_parts_fill_tables_and_figures(tmp_path: Path) -> None:
    text = comparison.validate(tmp_path / "v", TINY, ["fig5", "fig6"]).read_text()
    found = json.loads((tmp_path / "v.json").read_text())
    decided = found["fig6"]["found"]["decisions"]
    for outcomes in decided.values():
        counts = [outcomes[name]["count"] for name in ("correct", "late", "wrong", "undecided")]
        assert sum(counts) == outcomes["trials"] == 3
        assert outcomes["correct"]["low"] <= outcomes["correct"]["mean"] <= outcomes["correct"]["high"]
    assert len(found["fig5"]["found"]["runs"]) == 2
    assert "351 of 2000: 17.55 %" in text
    assert "| rate at +500 ms (Hz), 1 cued |" in text
    for part in ("fig5", "fig6"):
        assert (tmp_path / f"v_{part}.png").stat().st_size > 10_000


@pytest.mark.simulator("nest")
def test_nest_fires_the_same_spikes() -> None:
    found = published.same_spikes(dataclasses.replace(TINY, precision="double"), 0.6)
    nest, numba = found["spikes"].values()
    assert nest > 2000  # 6 spikes a second of 1,500 neurons, and the start above threshold
    assert found["common"] == nest == numba
    assert found["first_difference_step"] is None


def test_the_table_of_nest_tests_its_decisions_against_those_of_numba() -> None:
    share = {"mean": 0.5, "low": 0.1, "high": 0.9}
    outcomes = {"trials": 4, **{name: {"count": 1, **share} for name in ("late", "wrong", "undecided")}}
    outcomes |= dict.fromkeys(("median_ms", "mean_ms", "sd_ms"), share)
    nest, numba = (
        {"decisions": {key: {**outcomes, "correct": {"count": count, **share}} for key in "123"}}
        for count in (3, 1)
    )
    nest["identity"] = {"seconds": 12.0, "spikes": {"nest": 9, "numba": 8}, "common": 7}
    nest["same_decisions"] = {"trials": 12, "same": 11}
    lines = published_report.fig6_nest(nest, numba)
    assert any(line.startswith("| p of equal shares correct") and "| 0.49 |" in line for line in lines)
    assert "7 spikes" in "".join(lines)
    assert not any("Fisher" in line for line in published_report.fig6_nest(nest, None))


def test_nest_is_not_compared_with_itself(tmp_path: Path) -> None:
    settings = dataclasses.replace(TINY, simulator="nest")
    with pytest.raises(ScenarioError, match="fig6_nest: compare nest with another simulator"):
        comparison.validate(tmp_path / "v", settings, ["fig6_nest"])


def test_other_draws_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "OTHER_SEEDS", (4,))
    found = published.published_seeds(TINY)
    assert [draw["network"] for draw in found.values()] == ["", "reach-fig5", "reach-fig6"]
    assert list(found) == ["4", "8721", "7745"]
    for draw in found.values():
        assert sum(draw["leading"]) == pytest.approx(1.0, abs=1e-3)
    # In the fourth draw one cluster leads nearly always (.98 in another implementation); not in Fig 5's.
    assert max(found["4"]["leading"]) > 0.7 > max(found["8721"]["leading"])


def test_the_range_of_single_runs_is_that_of_the_t_distribution() -> None:
    # Mean 2, standard deviation 1, t(.975, 2) = 4.3027: 2 ± 4.3027 · √(1 + 1/3).
    found = published._of_one_run([1.0, 2.0, 3.0, None])
    assert found["mean"] == 2.0
    assert found["high"] == pytest.approx(2.0 + 4.3027 * np.sqrt(4 / 3), abs=1e-3)
    assert published._of_one_run([1.0]) == {"mean": 1.0, "low": None, "high": None}
    assert published._of_one_run([None]) == {"mean": None, "low": None, "high": None}


def test_equal_shares_are_tested_exactly() -> None:
    # Fisher's tea tasting, 3 of 4 against 1 of 4: two-sided p = 34/70.
    three, one = ({"correct": {"count": count}, "trials": 4} for count in (3, 1))
    assert published_report.compatible(three, one) == pytest.approx(34 / 70)


def test_the_published_values_are_consistent() -> None:
    for condition in published_values.CONDITIONS:
        assert len(published_values.DECODING_COURSE[condition]) == len(published_values.FIG5_MS)
        assert len(published_values.FANO_COURSE[condition]) == len(published_values.FIG5_MS)
        at_500 = published_values.FANO_COURSE[condition][published_values.FIG5_MS.index(500)]
        assert published_values.FANO_CHANGE[condition] == at_500
