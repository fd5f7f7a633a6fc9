"""Calibration: a search with Optuna for the point that gives a scenario's measures their target values.

From targets such as `rate_hz.E=3` and ranges such as `cortex.I_th_E=1:3` the search makes a sweep of points
proposed by Optuna, a few at a time, and runs the best point again with new seeds. The search depends only on
its seed, not on the number of workers or on interruptions.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.errors import ScenarioError
from ethospike.scenarios.analysis.group_statistics import interval
from ethospike.scenarios.run.files import write_whole
from ethospike.scenarios.run.progress import TaskProgress
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps import figures as sweep_figures
from ethospike.scenarios.sweeps.folder import DONE, FAILED, Plan, Sweep, is_sweep, require
from ethospike.scenarios.sweeps.points import Point, check_point
from ethospike.scenarios.sweeps.search import BEST, WORST, Search, measure_name, trials
from ethospike.scenarios.sweeps.table import SweepTable

if TYPE_CHECKING:
    import optuna

    from ethospike.scenarios.sweeps.workers import Run

AT_ONCE = 8
"""Points proposed at a time; independent of the number of workers, and so is the result."""
AT_RANDOM = 16
"""Points before the search begins to learn: two rounds, enough to see in which direction two measures go."""


def create(
    path: Path | None, scenario: Scenario, config: ScenarioConfig, search: Search, n_seeds: int
) -> Sweep:
    """Make the folder of a calibration, by default as for a sweep; nothing is run yet.

    Raises
    ------
    SweepNotInstalled
        When Optuna is absent.
    ScenarioError
        When a key is not a field of the configuration.
    RunFolderError
        When the path exists or cannot be written.
    """
    require("optuna")
    check_point(scenario, dict.fromkeys(span.key for span in search.spans))
    return Sweep.create(path, scenario, config, Plan([], n_seeds, calibration=search.to_json()))


def calibrate(
    sweep: Sweep, *, workers: int = 0, scheduler: str = "", batch: int = 0, quiet: bool = False
) -> dict[str, Any]:
    """Run the calibration from its current state to its end; write and return the result.

    Returns
    -------
    dict
        See `conclusion`.

    Raises
    ------
    ScenarioError
        When a target is not a measure of the scenario, all points failed, or the scheduler is lost.
    RunFolderError
        When another process runs the calibration, or the folder cannot be written to.
    """
    require("optuna")
    require("distributed")
    from ethospike.scenarios.sweeps.workers import open_workers

    search = Search.from_json(sweep.calibration or {})
    with sweep.writing(), open_workers(workers, scheduler, batch=batch) as run:
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
    """The Optuna study of a calibration, rebuilt from the finished points when the calibration continues."""

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
        """Return the sampler of a point; each point gets a new sampler, so that a search can be resumed."""
        import optuna

        seed = int(np.random.SeedSequence(self._seed, spawn_key=(number,)).generate_state(1)[0])
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=AT_RANDOM, multivariate=True, constant_liar=True
        )

    def propose(self, count: int) -> list[Point]:
        """Return the next points to run."""
        for number in range(self._known, self._known + count):
            self._study.sampler = self._sampler(number)
            self._asked.append(self._study.ask(self._ranges))
        return [dict(trial.params) for trial in self._asked]

    def learn(self, tried: Sequence[Mapping[str, Any]]) -> bool:
        """Add the results of points to the study; return True if a point is within the tolerance."""
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


def _checked(sweep: Sweep, search: Search, tried: Sequence[Mapping[str, Any]], run: Run) -> dict[str, Any]:
    """Return the best point, with its measures in runs with new seeds."""
    best = min(tried, key=lambda trial: trial["distance"])
    if best["distance"] >= WORST:
        message = next(
            (result["error"] for result in sweep.results() if result["error"]), "no measure could be taken"
        )
        raise ScenarioError(f"calibrate: all {len(tried)} points failed; the first: {message}")
    checked = {"point": best["point"], "measures": best["measures"], "met": best["met"], "trials": len(tried)}
    checked["targets"] = dict(search.targets)
    if search.check_seeds:
        checked["check"] = _check(sweep, search, best["point"], run)
    return checked


def _check(sweep: Sweep, search: Search, point: Point, run: Run) -> dict[str, Any]:
    """Run a point with new seeds, in a separate sweep inside the calibration's folder."""
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
