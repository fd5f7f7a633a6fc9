"""Statistics of groups: intervals of differences, permutation tests, effect sizes, correction.

The unit is the animal, which has its own wiring. Groups with the same seeds have the same animals, intact and
in an arm, so that differences are taken within animals unless the design says otherwise. SciPy computes
intervals and tests, pingouin effect sizes and corrections.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import AnalysisNotInstalled, ScenarioError, nearest
from ethospike.scenarios.experiments.animals import KEYS

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 9999
"""Draws of a bootstrap and of a permutation test: the smallest p is 1/10,000."""
LEVEL = 0.95
"""Confidence level of the intervals."""
FEWEST_ANIMALS = 3
"""Animals of a group below which nothing is compared: of two, no interval has a meaning."""
METHODS = ("holm", "bonf", "sidak", "fdr_bh", "fdr_by", "none")
"""Corrections for the number of comparisons, by pingouin's names."""
COLUMNS = (
    *("measure", "group", "control", "n", "mean", "control_mean"),
    *("difference", "low", "high", "p", "p_corrected", "hedges_g"),
)
"""Columns of the table of comparisons."""


@dataclass(frozen=True)
class Design:
    """The comparisons, stated in advance.

    Parameters
    ----------
    comparisons : tuple of (str, str)
        Pairs of groups: the difference is the first minus the second.
    measures : tuple of str
        Compared measures; empty for all that have a value for each animal. `*` stands for any letters.
    paired : bool
        Take differences within animals (same seed, same number); otherwise groups are independent.
    correction : str
        Of p for the number of comparisons, all measures and pairs together: one of `METHODS`.
    seed : int
        Of the bootstrap and of the permutations.

    Raises
    ------
    ScenarioError
        When the correction is unknown.
    """

    comparisons: tuple[tuple[str, str], ...] = ()
    measures: tuple[str, ...] = ()
    paired: bool = True
    correction: str = "holm"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.correction not in METHODS:
            raise ScenarioError(
                f"correction: unknown {self.correction!r}; {nearest(self.correction, METHODS)}"
            )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Design:
        """Return the design in the manifest of an experiment."""
        return cls(
            comparisons=tuple((group, control) for group, control in content["comparisons"]),
            measures=tuple(content["measures"]),
            paired=content["paired"],
            correction=content["correction"],
            seed=content["seed"],
        )


def require_statistics() -> None:
    """Raise AnalysisNotInstalled if pingouin is absent: before hours are spent on runs."""
    if importlib.util.find_spec("pingouin") is None:
        raise AnalysisNotInstalled(
            "comparisons need pingouin; install it by: pip install 'ethospike[analysis]'"
        )


def compare(table: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Return the comparisons of groups, a row for each pair of groups and measure.

    Parameters
    ----------
    table : DataFrame
        A row for each animal: columns `group`, `seed`, `animal`, and the measures.
    design : Design

    Returns
    -------
    DataFrame
        `measure`, `group`, `control`, `n` (animals, or pairs of them), `mean`, `control_mean`,
        `difference` with its bootstrap interval `low` … `high` (95 %, bias-corrected and accelerated), `p` of
        the permutation test, `p_corrected`, and `hedges_g`. NaN where animals are too few or none differ.

    Raises
    ------
    ScenarioError
        When a measure of the design does not exist.
    AnalysisNotInstalled
        When pingouin is absent.
    """
    import pandas as pd

    require_statistics()
    rows = []
    for measure in chosen_measures(table, design.measures):
        for group, control in design.comparisons:
            treated, intact = _values(table, group, measure), _values(table, control, measure)
            if design.paired:
                both = treated.index.intersection(intact.index)
                treated, intact = treated.loc[both], intact.loc[both]
            numbers = _compared(treated.to_numpy(float), intact.to_numpy(float), design)
            rows.append({"measure": measure, "group": group, "control": control, **numbers})
    result = pd.DataFrame(rows, columns=list(COLUMNS))
    result["p_corrected"] = corrected(result["p"].to_numpy(float), design.correction)
    return result


def chosen_measures(table: pd.DataFrame, patterns: Sequence[str]) -> list[str]:
    """Return the measures of a table that patterns choose, all without patterns.

    Raises
    ------
    ScenarioError
        When a pattern fits none; the message names the nearest.
    """
    known = [str(name) for name in table.columns if name not in KEYS]
    chosen: dict[str, None] = {}
    for pattern in patterns or ("*",):
        fitting = [name for name in known if name == pattern or fnmatch.fnmatchcase(name, pattern)]
        if patterns and not fitting:
            hint = nearest(pattern, known) if known else "no run has values of single animals"
            raise ScenarioError(f"measures: no measure {pattern!r} of single animals; {hint}")
        chosen |= dict.fromkeys(fitting)
    return [*chosen]


def _values(table: pd.DataFrame, group: str, measure: str) -> pd.Series[float]:
    """Return the known values of a group's animals, by (seed, animal)."""
    of_group = table[table["group"] == group].set_index(["seed", "animal"])[measure]
    return of_group[np.isfinite(of_group)]


def _compared(x: NDArray[np.float64], y: NDArray[np.float64], design: Design) -> dict[str, float]:
    """Return the numbers of a comparison."""
    numbers: dict[str, float] = dict.fromkeys(COLUMNS[4:], np.nan)
    numbers["n"] = min(len(x), len(y))
    if len(x) and len(y):
        numbers |= {"mean": x.mean(), "control_mean": y.mean(), "difference": x.mean() - y.mean()}
    if numbers["n"] >= FEWEST_ANIMALS:
        numbers["low"], numbers["high"] = _interval(x, y, design)
        numbers["p"] = _permuted_p(x, y, design)
        numbers["hedges_g"] = _effect_size(x, y, paired=design.paired)
    return numbers


def _difference_of_means(x: NDArray[Any], y: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))


def _interval(x: NDArray[np.float64], y: NDArray[np.float64], design: Design) -> tuple[float, float]:
    """Return the bootstrap interval of the difference of means; a point where animals do not vary."""
    from scipy import stats

    samples = (x - y,) if design.paired else (x, y)
    statistic = np.mean if design.paired else _difference_of_means
    difference = float(x.mean() - y.mean())
    if not any(np.ptp(sample) for sample in samples):
        return difference, difference
    for method in ("BCa", "percentile"):  # BCa has no acceleration where single animals make the difference
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            interval = stats.bootstrap(
                samples,
                statistic,
                n_resamples=RESAMPLES,
                confidence_level=LEVEL,
                vectorized=True,
                method=method,
                rng=np.random.default_rng(design.seed),
            ).confidence_interval
        if np.isfinite([interval.low, interval.high]).all():
            break
    return float(interval.low), float(interval.high)


def _permuted_p(x: NDArray[np.float64], y: NDArray[np.float64], design: Design) -> float:
    """Return p of the permutation test of the difference of means, two-sided."""
    from scipy import stats

    result = stats.permutation_test(
        (x, y),
        _difference_of_means,
        permutation_type="samples" if design.paired else "independent",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(design.seed),
    )
    return float(result.pvalue)


def _effect_size(x: NDArray[np.float64], y: NDArray[np.float64], *, paired: bool) -> float:
    """Return Hedges' g: the difference in pooled standard deviations, corrected for few animals."""
    import pingouin

    if not (np.ptp(x) or np.ptp(y)):
        return 0.0 if x.mean() == y.mean() else np.nan
    return float(pingouin.compute_effsize(x, y, paired=paired, eftype="hedges"))


def corrected(p: NDArray[np.float64], method: str) -> NDArray[np.float64]:
    """Return p corrected for the number of comparisons; NaN stays."""
    import pingouin

    known = np.isfinite(p)
    result = np.full(p.shape, np.nan)
    if known.any():
        result[known] = p[known] if method == "none" else pingouin.multicomp(p[known], method=method)[1]
    return result
