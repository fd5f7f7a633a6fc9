"""Statistics of groups against closed formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios.experiments.animals import table_of
from ethospike.scenarios.experiments.comparison import Design, compare, corrected

PAIR = (("arm", "intact"),)


def table(arm: list[float | None], intact: list[float | None], name: str = "m") -> pd.DataFrame:
    return table_of([("intact", 1, {name: intact}), ("arm", 1, {name: arm})])


def test_a_paired_difference_has_its_exact_p_and_effect() -> None:
    """Five animals that all rise: of the 2⁵ signs, two are as extreme; d has the mean of both variances."""
    intact = [1.0, 2.0, 4.0, 8.0, 16.0]
    found = compare(table([x + 2.0 + 0.1 * i for i, x in enumerate(intact)], intact), Design(PAIR))
    (row,) = found.itertuples()
    assert (row.measure, row.group, row.control, row.n) == ("m", "arm", "intact", 5)
    assert row.difference == pytest.approx(2.2)
    assert row.p == pytest.approx(2 / 2**5)
    assert row.p_corrected == row.p
    treated = np.array(intact) + 2.0 + 0.1 * np.arange(5)
    pooled = np.sqrt((treated.var(ddof=1) + np.var(intact, ddof=1)) / 2)
    assert row.hedges_g == pytest.approx(2.2 / pooled * (1 - 3 / (4 * 10 - 9)))
    assert 2.0 < row.low < 2.2 < row.high < 2.4


def test_independent_groups_have_their_exact_p() -> None:
    """Three and three, wholly apart: two of the 20 divisions are as extreme."""
    found = compare(table([11.0, 12.0, 13.5], [1.0, 2.0, 3.0]), Design(PAIR, paired=False))
    assert found.p.item() == pytest.approx(2 / 20)
    assert found.difference.item() == pytest.approx(36.5 / 3 - 2.0)


def test_the_bootstrap_interval_is_that_of_the_normal_distribution_for_many_animals() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(1.0, 2.0, 400), rng.normal(0.0, 1.0, 400)
    for paired, half in (
        (True, 1.96 * np.std(x - y, ddof=1) / 20),
        (False, 1.96 * np.sqrt(x.var(ddof=1) / 400 + y.var(ddof=1) / 400)),
    ):
        found = compare(table(x.tolist(), y.tolist()), Design(PAIR, paired=paired))
        difference = x.mean() - y.mean()
        assert found.low.item() == pytest.approx(difference - half, abs=0.1 * half)
        assert found.high.item() == pytest.approx(difference + half, abs=0.1 * half)
        assert found.p.item() == pytest.approx(2e-4)  # 1/10,000 on each side


def test_equal_groups_have_no_difference_and_no_width() -> None:
    found = compare(table([1.0, 2.0, 5.0], [1.0, 2.0, 5.0]), Design(PAIR))
    row = found.iloc[0]
    assert (row.difference, row.low, row.high, row.p, row.hedges_g) == (0.0, 0.0, 0.0, 1.0, 0.0)


def test_animals_without_a_value_are_left_out_and_two_are_too_few() -> None:
    found = compare(table([3.0, None, 5.0, 9.0], [1.0, 2.0, 3.5, 4.0]), Design(PAIR))
    assert found.n.item() == 3
    assert found.difference.item() == pytest.approx((2.0 + 1.5 + 5.0) / 3)
    few = compare(table([3.0, None, 5.0], [1.0, 2.0, 4.0]), Design(PAIR))
    assert few.n.item() == 2
    assert few.difference.item() == pytest.approx(1.5)
    assert few[["low", "high", "p", "p_corrected", "hedges_g"]].isna().all().all()


def test_pairs_are_animals_of_one_seed_and_number() -> None:
    """Unsorted runs of two seeds; the third seed of the arm has no partner."""
    animals = table_of(
        [
            ("arm", 2, {"m": [12.0, 13.0]}),
            ("arm", 1, {"m": [1.5, 2.5]}),
            ("intact", 1, {"m": [1.0, 2.0]}),
            ("intact", 2, {"m": [10.0, 11.0]}),
            ("arm", 3, {"m": [99.0, 99.0]}),
        ]
    )
    assert compare(animals, Design(PAIR)).difference.item() == pytest.approx((0.5 + 0.5 + 2.0 + 2.0) / 4)


def test_p_is_corrected_for_all_rows() -> None:
    """Holm's step-down: the smallest p times 3, the next times 2, the last as it is, never falling."""
    p = np.array([0.03, np.nan, 0.01, 0.02])
    np.testing.assert_allclose(corrected(p, "holm"), [0.04, np.nan, 0.03, 0.04])
    np.testing.assert_allclose(corrected(p, "bonf"), [0.09, np.nan, 0.03, 0.06])
    np.testing.assert_allclose(corrected(p, "none"), p)
    np.testing.assert_allclose(corrected(p, "fdr_bh"), [0.03, np.nan, 0.03, 0.03])


def test_measures_are_chosen_by_pattern_and_unknown_ones_named() -> None:
    animals = table_of(
        [(group, 1, {"hz.a": [1.0, 2.0, 3.0], "hz.b": [1.0, 2.0, 4.0]}) for group in ("arm", "intact")]
    )
    assert set(compare(animals, Design(PAIR, ("hz.*",))).measure) == {"hz.a", "hz.b"}
    assert set(compare(animals, Design(PAIR, ("hz.b",))).measure) == {"hz.b"}
    with pytest.raises(ScenarioError, match=r"no measure 'hz\.c' of single animals; did you mean 'hz\.[ab]'"):
        compare(animals, Design(PAIR, ("hz.c",)))
    with pytest.raises(ScenarioError, match="correction: unknown 'holms'; did you mean 'holm'"):
        Design(correction="holms")
