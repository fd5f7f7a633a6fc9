"""Calibration: Optuna looks for the point at which a scenario's measures are what one wants.

In: targets such as `rate_hz.E=3`, and ranges such as `cortex.I_th_E=1:3`. Out: a sweep whose points Optuna
proposed, a few at a time, and the best of them, run once more with seeds that the search did not see. The
search depends on its seed alone: not on the number of workers, and not on whether it was interrupted.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios.analysis.group_statistics import interval
from ethospike.scenarios.run.folder import write_whole
from ethospike.scenarios.run.progress import TaskProgress
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps import figures as sweep_figures
from ethospike.scenarios.sweeps.folder import DONE, FAILED, Plan, Sweep, is_sweep, require
from ethospike.scenarios.sweeps.points import Point, Span, check_point
from ethospike.scenarios.sweeps.table import SweepTable

if TYPE_CHECKING:
    import optuna

    from ethospike.scenarios.sweeps.workers import Run

AT_ONCE = 8
"""Points proposed at a time, whatever the number of workers, so that this does not decide what is found."""
AT_RANDOM = 16
"""Points before the search begins to learn: two rounds, enough to see in which direction two measures go."""
WORST = 1e3
"""Distance of a point that failed, or whose measures could not be taken: further than any that did not."""
BEST = "best.json"
BEST_ENTRIES = ("point", "measures", "met", "trials", "targets")


@dataclass(frozen=True)
class Search:
    """What a calibration looks for.

    Parameters
    ----------
    targets : mapping of str to float
        Measures of `summary.json` and their wanted values; of a measure with an interval, its mean.
    spans : sequence of Span
        What is varied, and between which values.
    trials : int
        Points tried at most.
    tolerance : float
        The search ends when every measure is as near its target as this share of it.
    check_seeds : int
        Runs of the best point with new seeds.
    weights : mapping of str to float
        How much the deviation of a measure counts in the distance, above 0; 1 where nothing is said.

    Raises
    ------
    ScenarioError
        When there is no target, nothing to vary, a key that comes twice, or a number that is out of range.
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
        """Return what `to_json` wrote."""
        spans = [Span(key, **span) for key, span in plain["vary"].items()]
        return cls(**{**{key: value for key, value in plain.items() if key != "vary"}, "spans": spans})

    def deviations(self, measures: Mapping[str, float | None]) -> dict[str, float]:
        """Return how far each measure is from its target, as a share of it (of 1, where it is 0)."""
        found = {}
        for key, target in self.targets.items():
            value = measures.get(measure_name(key, measures))
            found[key] = math.inf if value is None else (value - target) / (abs(target) or 1.0)
        return found

    def distance(self, measures: Mapping[str, float | None]) -> float:
        """Return the root of the weighted mean square of the deviations, at most `WORST`."""
        weights = {key: self.weights.get(key, 1.0) for key in self.targets}
        squares = [weights[key] * deviation**2 for key, deviation in self.deviations(measures).items()]
        return min(WORST, math.sqrt(sum(squares) / sum(weights.values())))

    def is_met(self, measures: Mapping[str, float | None]) -> bool:
        """Return whether all measures are within the tolerance."""
        return all(abs(deviation) <= self.tolerance for deviation in self.deviations(measures).values())


def measure_name(key: str, measures: Mapping[str, Any]) -> str:
    """Return the name of a measure: itself, or its mean if it has an interval.

    Raises
    ------
    ScenarioError
        When there is none; the message names the nearest.
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
    value, at, weighted = rest.partition("@")
    try:
        target, weight = float(value), float(weighted) if at else 1.0
    except ValueError:
        target = weight = math.nan
    if not (key and math.isfinite(target) and 0 < weight < math.inf):
        raise ScenarioError(
            f"target: expected MEASURE=VALUE such as rate_hz.E=3, or MEASURE=VALUE@WEIGHT with a weight "
            f"above 0, got {text!r}"
        )
    return key.strip(), target, weight


def create(
    path: Path | None, scenario: Scenario, config: ScenarioConfig, search: Search, n_seeds: int
) -> Sweep:
    """Make the folder of a calibration, by default as a sweep's; nothing is run yet.

    Raises
    ------
    SweepNotInstalled
        When Optuna is absent.
    ScenarioError
        When a key is none of the configuration's fields.
    RunFolderError
        When the path exists or cannot be written.
    """
    require("optuna")
    check_point(scenario, dict.fromkeys(span.key for span in search.spans))
    return Sweep.create(path, scenario, config, Plan([], n_seeds, calibration=search.to_json()))


def calibrate(sweep: Sweep, *, workers: int = 0, scheduler: str = "", quiet: bool = False) -> dict[str, Any]:
    """Search from wherever the calibration stands to its end; return and write what was found.

    Returns
    -------
    dict
        See `conclusion`.

    Raises
    ------
    ScenarioError
        When a target is no measure of the scenario, all points failed, or the scheduler is lost.
    RunFolderError
        When another process runs the calibration, or the folder cannot be written to.
    """
    require("optuna")
    require("distributed")
    from ethospike.scenarios.sweeps.workers import open_workers

    search = Search.from_json(sweep.calibration or {})
    with sweep.writing(), open_workers(workers, scheduler) as run:
        table = SweepTable(sweep)
        study = _Study(search, sweep.seeds[0])
        total = search.trials * len(sweep.seeds)
        with TaskProgress(f"calibration of {sweep.name}", total, quiet=quiet) as progress:
            while True:
                for result in run(sweep, sweep.waiting()):
                    table.add([result])
                    progress.finished(failed=result["status"] == FAILED)
                tried = trials(sweep)
                if study.learn(tried) or len(tried) >= search.trials:
                    break
                sweep.add_points(study.propose(min(AT_ONCE, search.trials - len(tried))))
                table.grow()
        best = _checked(sweep, search, tried, run)
        write_whole(sweep.path / BEST, (json.dumps(best, indent=1) + "\n").encode())
        sweep_figures.draw(sweep)
    return best


class _Study:
    """Optuna's view of the calibration, which is made again from the finished points when it goes on."""

    def __init__(self, search: Search, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._search, self._seed = search, seed
        self._study: optuna.Study = optuna.create_study(sampler=self._sampler(0))
        self._ranges: dict[str, optuna.distributions.BaseDistribution] = {}
        for span in search.spans:
            if span.whole:
                whole = optuna.distributions.IntDistribution(round(span.low), round(span.high), log=span.log)
                self._ranges[span.key] = whole
            else:
                self._ranges[span.key] = optuna.distributions.FloatDistribution(
                    span.low, span.high, log=span.log
                )
        self._asked: list[optuna.trial.Trial] = []
        self._known = 0

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Return the sampler of a point: one of its own, so that going on is the same as never stopping."""
        import optuna

        seed = int(np.random.SeedSequence(self._seed, spawn_key=(number,)).generate_state(1)[0])
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=AT_RANDOM, multivariate=True, constant_liar=True
        )

    def propose(self, count: int) -> list[Point]:
        """Return points to try next."""
        for number in range(self._known, self._known + count):
            self._study.sampler = self._sampler(number)
            self._asked.append(self._study.ask(self._ranges))
        return [dict(trial.params) for trial in self._asked]

    def learn(self, tried: Sequence[Mapping[str, Any]]) -> bool:
        """Take notice of what came out of the points; return whether one of them is good enough."""
        import optuna

        for trial in tried[self._known :]:
            if self._asked:
                self._study.tell(self._asked.pop(0), trial["distance"])
                continue
            self._study.add_trial(
                optuna.trial.create_trial(
                    params=trial["point"], distributions=self._ranges, value=trial["distance"]
                )
            )
        self._known = len(tried)
        return any(trial["met"] for trial in tried)


def trials(sweep: Sweep) -> list[dict[str, Any]]:
    """Return what came out of each point, seeds averaged: `point`, `measures`, `distance`, `met`."""
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
    """Return the mean of each measure; nothing if a run failed, None if one could not take the measure."""
    if not results or any(result["status"] != DONE for result in results):
        return {}
    means: dict[str, float | None] = {}
    for name in results[0]["measures"]:
        values = [result["measures"].get(name) for result in results]
        known = [value for value in values if value is not None]
        means[name] = sum(known) / len(known) if len(known) == len(values) else None
    return means


def _checked(sweep: Sweep, search: Search, tried: Sequence[Mapping[str, Any]], run: Run) -> dict[str, Any]:
    """Return the best point, with its measures in runs that the search has not seen."""
    best = min(tried, key=lambda trial: trial["distance"])
    if best["distance"] >= WORST:
        message = next((one["error"] for one in sweep.results() if one["error"]), "no measure could be taken")
        raise ScenarioError(f"calibrate: all {len(tried)} points failed; the first: {message}")
    found = {"point": best["point"], "measures": best["measures"], "met": best["met"], "trials": len(tried)}
    found["targets"] = dict(search.targets)
    if search.check_seeds:
        found["check"] = _check(sweep, search, best["point"], run)
    return found


def _check(sweep: Sweep, search: Search, point: Point, run: Run) -> dict[str, Any]:
    """Run a point with new seeds, in a sweep of its own inside the calibration's folder."""
    path = sweep.path / "check"
    if not is_sweep(path):
        shutil.rmtree(path, ignore_errors=True)  # killed while it was made
        first = dataclasses.replace(sweep.base_config, seed=sweep.seeds[-1] + 1)
        Sweep.create(path, sweep.scenario, first, Plan([point], search.check_seeds))
    check = Sweep.open(path)
    for _ in run(check, check.waiting()):
        pass
    results = [result for result in check.results() if result["status"] == DONE]
    measured: dict[str, Any] = {}
    for key in search.targets:
        values = [result["measures"][measure_name(key, result["measures"])] for result in results]
        measured[key] = interval(np.array(values, dtype=float)) if results else None
    return {"seeds": check.seeds, "measures": measured}
