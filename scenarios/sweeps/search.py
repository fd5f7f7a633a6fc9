"""The target of a calibration, and the distance of each finished point from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios.sweeps.folder import DONE, Sweep
from ethospike.scenarios.sweeps.points import Span

WORST = 1e3
"""Distance of a failed point or a point with missing measures: the largest distance."""
BEST = "best.json"
BEST_ENTRIES = ("point", "measures", "met", "trials", "targets")


@dataclass(frozen=True)
class Search:
    """The targets, ranges and limits of a calibration.

    Parameters
    ----------
    targets : mapping of str to float
        Measures of `summary.json` and their wanted values; of a measure with an interval, its mean.
    spans : sequence of Span
        The varied fields with their ranges.
    trials : int
        Maximal number of points.
    tolerance : float
        The search ends when every measure is as near its target as this share of it.
    check_seeds : int
        Runs of the best point with new seeds.
    weights : mapping of str to float
        Weight of the deviation of a measure in the distance, above 0; by default 1.

    Raises
    ------
    ScenarioError
        When targets or ranges are missing, a key comes twice, or a number is out of range.
    """

    targets: Mapping[str, float]
    spans: Sequence[Span]
    trials: int = 100
    tolerance: float = 0.05
    check_seeds: int = 5
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.targets:
            raise ScenarioError("calibrate: expected at least one --target MEASURE=VALUE")
        if not self.spans:
            raise ScenarioError("calibrate: expected at least one --vary KEY=LOW:HIGH")
        for key in (span.key for span in self.spans):
            if [span.key for span in self.spans].count(key) > 1:
                raise ScenarioError(f"vary: {key} comes twice")
        if self.trials < 1:
            raise ScenarioError(f"trials: expected at least 1, got {self.trials}")
        if not 0 < self.tolerance < math.inf:
            raise ScenarioError(f"tolerance: expected above 0, got {self.tolerance}")
        for key, weight in self.weights.items():
            if key not in self.targets or not 0 < weight < math.inf:
                raise ScenarioError(f"weight of {key}: expected above 0, of a target, got {weight}")
        if self.check_seeds < 0:
            raise ScenarioError(f"check_seeds: expected at least 0, got {self.check_seeds}")

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the sweep's manifest."""
        plain = dataclasses.asdict(self)
        plain["vary"] = {span.pop("key"): span for span in plain.pop("spans")}
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Search:
        """Return the search from the values of `to_json`."""
        spans = [Span(key, **span) for key, span in plain["vary"].items()]
        return cls(**{**{key: value for key, value in plain.items() if key != "vary"}, "spans": spans})

    def deviations(self, measures: Mapping[str, float | None]) -> dict[str, float]:
        """Return the deviation of each measure as a share of its target (absolute if the target is 0)."""
        deviations = {}
        for key, target in self.targets.items():
            value = measures.get(measure_name(key, measures))
            deviations[key] = math.inf if value is None else (value - target) / (abs(target) or 1.0)
        return deviations

    def distance(self, measures: Mapping[str, float | None]) -> float:
        """Return the root of the weighted mean square of the deviations, at most `WORST`."""
        weights = {key: self.weights.get(key, 1.0) for key in self.targets}
        squares = [weights[key] * deviation**2 for key, deviation in self.deviations(measures).items()]
        return min(WORST, math.sqrt(sum(squares) / sum(weights.values())))

    def is_met(self, measures: Mapping[str, float | None]) -> bool:
        """Return True if all measures are within the tolerance."""
        return all(abs(deviation) <= self.tolerance for deviation in self.deviations(measures).values())


def measure_name(key: str, measures: Mapping[str, Any]) -> str:
    """Return the name of a measure: itself, or its mean if it has an interval.

    Raises
    ------
    ScenarioError
        When the measure does not exist; the message names the nearest.
    """
    for name in (key, f"{key}.mean", f"{key}.value"):
        if name in measures:
            return name
    if not measures:
        return key
    raise ScenarioError(f"target: the scenario measures no {key!r}; {nearest(key, measures)}")


def parse_target(text: str) -> tuple[str, float, float]:
    """Read `MEASURE=VALUE` or `MEASURE=VALUE@WEIGHT`; return measure, value and weight.

    Raises
    ------
    ScenarioError
    """
    key, _, rest = text.partition("=")
    value, separator, weighted = rest.partition("@")
    try:
        target, weight = float(value), float(weighted) if separator else 1.0
    except ValueError:
        target = weight = math.nan
    if not (key and math.isfinite(target) and 0 < weight < math.inf):
        raise ScenarioError(
            f"target: expected MEASURE=VALUE such as rate_hz.E=3, or MEASURE=VALUE@WEIGHT with a weight "
            f"above 0, got {text!r}"
        )
    return key.strip(), target, weight


def trials(sweep: Sweep) -> list[dict[str, Any]]:
    """Return the result of each point, averaged over seeds: `point`, `measures`, `distance`, `met`."""
    search = Search.from_json(sweep.calibration or {})
    tried = []
    for index, point in enumerate(sweep.points):
        results = [sweep.result(sweep.number(index, seed)) for seed in range(len(sweep.seeds))]
        measures = mean_measures([result for result in results if result is not None])
        tried.append(
            {
                "point": point,
                "measures": measures,
                "distance": search.distance(measures),
                "met": search.is_met(measures),
            }
        )
    return tried


def mean_measures(results: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the mean of each measure.

    The mapping is empty if a run failed; a measure is None if a run did not give it.
    """
    if not results or any(result["status"] != DONE for result in results):
        return {}
    means: dict[str, float | None] = {}
    for name in results[0]["measures"]:
        values = [result["measures"].get(name) for result in results]
        known = [value for value in values if value is not None]
        means[name] = sum(known) / len(known) if len(known) == len(values) else None
    return means
