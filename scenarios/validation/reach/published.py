"""Experiments with the two networks behind Figs 5 and 6 of Rostami et al. 2024 (Nat Commun 15:6304).

The networks are `reach-fig5` and `reach-fig6`, with the published wirings. The measures are those of the
authors (`scenarios.reach.published_measures`). Initial voltages, order of conditions, and trials are drawn by
ethospike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ethospike.agents.reacher import PUBLISHED_DIRECTIONS, ReacherConfig
from ethospike.brains.circuits.clustered_cortex import parameter_set
from ethospike.recorders.recording import Recording
from ethospike.scenarios.reach import published_measures as published
from ethospike.scenarios.reach import scenario as delayed_reach
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.courses import CutTrials
from ethospike.scenarios.reach.published_measures import Decisions, Outcomes, SelectedTrials
from ethospike.scenarios.reach.trials import estimate
from ethospike.scenarios.validation.parts import recorded
from ethospike.scenarios.validation.reach.experiments import CONDITIONS, Settings, Wiring, reach

THRESHOLD = ReacherConfig().threshold
"""Published threshold, 0.87."""
DECODING_MS = (-50.0, 50.0, 200.0, 500.0, 950.0, 1200.0)
"""Centers of the windows of the comparison of decoding, from the preparatory signal."""
COURSE_STEP_MS = 50.0
"""Step of the time courses in the figures; decoding, the slowest measure, uses every second step."""
RUNS_AT_ONCE = 3
"""Runs of Fig 5 side by side: their spikes fit into 2 GB."""
TRIALS_EACH = 20
"""Trials of each condition for an animal, if animals share the trials of a network."""
ANIMALS_EACH = 10
"""Animals of a run: their spikes fit into 2 GB."""
OTHER_SEEDS = tuple(range(1, 11))
"""Seeds of other draws of the published rule: the first numbers, to exclude a selection."""
TIME_BINS_MS = np.linspace(0.0, published.IN_TIME_MS, 15)
"""Bins of the histograms of reaction times (fig6.py)."""
IDENTITY_S = 12.0
"""Duration of the comparison of two simulators spike for spike: three trials, one for each condition."""


# -- Fig 5 ----------------------------------------------------------------------------------------------


def fig5(settings: Settings) -> dict[str, Any]:
    """Return rates, variability and decoding of the network of Fig 5 in runs of the published length."""
    runs: list[dict[str, dict[str, float | None]]] = []
    courses: list[dict[str, Any]] = []
    decided: list[Decisions] = []
    for cut in _cuts(settings, "reach-fig5", settings.fig5_runs, settings.fig5_trials, animals=RUNS_AT_ONCE):
        selected = published.select(cut)
        runs.append(_run_of_fig5(selected))
        if len(courses) < 2:
            courses.append(_courses(selected))
        decided.append(published.decisions(cut, _clusters("reach-fig5")))
    table = {
        str(c): {key: _of_one_run([run[str(c)][key] for run in runs]) for key in runs[0][str(c)]}
        for c in CONDITIONS
    }
    return {
        "trials": settings.fig5_trials,
        "runs": runs,
        "table": table,
        "courses": courses,
        "decisions": _decided(Decisions.joined(decided), THRESHOLD, settings.draws),
    }


def _run_of_fig5(selected: dict[int, SelectedTrials]) -> dict[str, dict[str, float | None]]:
    """Return the measures of a run by condition."""
    measures = published.measure(selected)
    measured = {}
    for condition, trials in selected.items():
        decoding = trials.decoding(DECODING_MS)
        of_time = {f"decoding_{time:g}": float(v) for time, v in zip(DECODING_MS, decoding, strict=True)}
        measured[str(condition)] = {key: _known(v) for key, v in {**measures[condition], **of_time}.items()}
    return measured


def _courses(selected: dict[int, SelectedTrials]) -> dict[str, Any]:
    """Return the time courses of a run for the figure, by condition, rounded to visible digits."""
    time_ms = selected[CONDITIONS[0]].time_ms
    shown = np.flatnonzero((time_ms - time_ms[0]) % COURSE_STEP_MS == 0.0)
    fano = published.courses_of_common_units({c: trials.fano for c, trials in selected.items()}, time_ms)
    cv2 = published.courses_of_common_units({c: trials.cv2 for c, trials in selected.items()}, time_ms)
    n_ms = round(published.ANALYSIS_MS[1] - published.ANALYSIS_MS[0])
    of_rate = np.arange(0, n_ms, round(COURSE_STEP_MS / 2))
    times = {
        "decoding": time_ms[shown[::2]],
        "fano_change": time_ms[shown],
        "cv2": time_ms[shown],
        "rate_hz": published.ANALYSIS_MS[0] + 0.5 + of_rate,
    }
    conditions = {
        str(c): {
            "decoding": _rounded(trials.decoding(times["decoding"].tolist())),
            "fano_change": _rounded(published.from_baseline(fano[c], time_ms)[shown]),
            "cv2": _rounded(cv2[c][shown]),
            "rate_hz": _rounded(trials.rate_hz()[of_rate]),
        }
        for c, trials in selected.items()
    }
    return {
        "time_ms": {key: ms.tolist() for key, ms in times.items()},
        "conditions": conditions,
    }


def _of_one_run(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return the mean over runs, and the range in which 95 % of single runs are expected (t-distribution)."""
    known = np.array([np.nan if value is None else value for value in values])
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return {"mean": _known(known.mean() if len(known) else np.nan), "low": None, "high": None}
    reach_of_one = stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) * np.sqrt(1.0 + 1.0 / len(known))
    mean = float(known.mean())
    return {"mean": mean, "low": mean - float(reach_of_one), "high": mean + float(reach_of_one)}


# -- Fig 6 ----------------------------------------------------------------------------------------------


def fig6(settings: Settings) -> dict[str, Any]:
    """Return decisions and reaction times of the network of Fig 6, and of thresholds by two criteria."""
    decided = _decisions_of(settings, "reach-fig6", settings.fig6_trials)
    best = {"precision": decided.precision(), "recall": decided.recall()}
    measured: dict[str, Any] = {
        "decisions": _decided(decided, THRESHOLD, settings.draws),
        "criteria": {
            name: {
                "threshold": float(published.THRESHOLDS[score.argmax()]),
                "score": float(score.max()),
                "scores": _rounded(score),
            }
            for name, score in best.items()
        },
    }
    for name, criterion in measured["criteria"].items():
        criterion["decisions"] = _decided(decided, criterion["threshold"], settings.draws)
        measured["criteria"][name] = criterion
    return measured


def _decisions_of(
    settings: Settings, name: str, trials: int, *, simulator: str = "", seed: int = 1
) -> Decisions:
    """Return the decisions of `trials` trials of each condition, divided among animals and runs."""
    each = min(TRIALS_EACH, trials)
    cuts = _cuts(
        settings, name, -(-trials // each), each, animals=ANIMALS_EACH, simulator=simulator, seed=seed
    )
    joined = Decisions.joined([published.decisions(cut, _clusters(name)) for cut in cuts])
    kept = np.sort(
        np.concatenate([np.flatnonzero(joined.condition == condition)[:trials] for condition in CONDITIONS])
    )
    return Decisions(
        joined.winner[:, kept], joined.time_ms[:, kept], joined.condition[kept], joined.target[kept]
    )


def _decided(decided: Decisions, threshold: float, draws: int) -> dict[str, Any]:
    """Return outcomes and reaction times by condition at a threshold, with 95 % intervals."""
    return {str(c): _outcomes(decided.outcomes(c, threshold), draws) for c in CONDITIONS}


def _outcomes(outcomes: Outcomes, draws: int) -> dict[str, Any]:
    """Return outcomes as plain data: counts, shares with exact binomial intervals, and reaction times."""
    measured: dict[str, Any] = {}
    for name in ("correct", "late", "wrong", "undecided"):
        count = getattr(outcomes, name)
        interval = stats.binomtest(count, outcomes.trials).proportion_ci(method="exact")
        measured[name] = {
            "count": count,
            "mean": count / outcomes.trials,
            "low": float(interval.low),
            "high": float(interval.high),
        }
    times = outcomes.time_ms
    rng = np.random.default_rng(0)
    drawn = times[rng.integers(len(times), size=(draws, len(times)))] if len(times) else np.empty((draws, 0))
    measured["trials"] = outcomes.trials
    measured["median_ms"] = _of_times(times, drawn, np.median)
    measured["mean_ms"] = _of_times(times, drawn, np.mean)
    measured["sd_ms"] = _of_times(times, drawn, np.std)
    measured["histogram"] = np.histogram(times, TIME_BINS_MS)[0].tolist()
    return measured


def _of_times(times: NDArray[np.float64], drawn: NDArray[np.float64], reduce: Any) -> dict[str, float | None]:
    if not len(times):
        return estimate(np.nan, np.full(len(drawn), np.nan))
    return estimate(float(reduce(times)), reduce(drawn, axis=1))


# -- the same on NEST -----------------------------------------------------------------------------------


def fig6_nest(settings: Settings) -> dict[str, Any]:
    """Compare NEST with another simulator on the network of Fig 6, spike for spike and in its decisions.

    Both compute in double precision. In single precision the first spike differs after 0.3 s of 12 s.
    """
    settings = dataclasses.replace(settings, precision="double")
    trials = settings.fig6_nest_trials
    nest, other = (
        _decisions_of(settings, "reach-fig6", trials, simulator=name) for name in ("nest", settings.simulator)
    )
    row = published.index_of(published.THRESHOLDS, THRESHOLD)
    same = nest.winner[row] == other.winner[row]
    return {
        "identity": same_spikes(settings, IDENTITY_S),
        "same_decisions": {"trials": len(same), "same": int(same.sum())},
        "decisions": _decided(nest, THRESHOLD, settings.draws),
    }


def same_spikes(settings: Settings, seconds: float) -> dict[str, Any]:
    """Count the common spikes of NEST and another simulator in the first seconds of the task."""
    names = ("nest", settings.simulator)
    rows = [{tuple(row) for row in _all_spikes(settings, name, seconds).tolist()} for name in names]
    return {
        "seconds": seconds,
        "spikes": {name: len(spikes) for name, spikes in zip(names, rows, strict=True)},
        "common": len(rows[0] & rows[1]),
        "first_difference_step": min((step for step, _ in rows[0] ^ rows[1]), default=None),
    }


def _all_spikes(settings: Settings, simulator: str, seconds: float) -> NDArray[np.int64]:
    """Return (step, neuron) of all spikes of the first seconds of the task, shape (spikes, 2)."""
    config = DelayedReachConfig(
        minutes=seconds / 60.0,
        reacher=_reacher("reach-fig6"),
        simulator=settings.of_simulator(simulator),
    )
    scenario = dataclasses.replace(delayed_reach.SCENARIO, summarize=lambda recording, config: {})

    def look(recording: Recording, summary: Any) -> NDArray[np.int64]:
        table = recording.spikes(None)
        return np.stack([table.step, table.neuron], axis=1).astype(np.int64)

    measured: NDArray[np.int64] = recorded(scenario, config, look)
    return measured


# -- other draws ----------------------------------------------------------------------------------------


def published_seeds(settings: Settings) -> dict[str, Any]:
    """Return the lead of a cluster, and the decisions, for other draws of the published rule.

    In the other draws each direction has the cluster with the same number.
    """
    measured = {}
    for seed in (*OTHER_SEEDS, *(parameter_set(name).nest2_seed for name in PUBLISHED_DIRECTIONS)):
        name = next((n for n in PUBLISHED_DIRECTIONS if parameter_set(n).nest2_seed == seed), "")
        directions = PUBLISHED_DIRECTIONS.get(name, tuple(range(6)))
        cortex = dataclasses.replace(parameter_set("reach-fig5"), nest2_seed=seed)
        trials = settings.published_seed_trials
        (wiring,) = reach(settings, cortex, trials + 1, direction_clusters=directions)
        cut = published.first_trials(wiring.cut, trials)
        decided = published.decisions(cut, np.array(directions)[:, None])
        measured[str(seed)] = {
            "network": name,
            "leading": _rounded(published.leading_shares(cut)),
            "decisions": _decided(decided, THRESHOLD, settings.draws),
        }
    return measured


# -- parts ----------------------------------------------------------------------------------------------


def _cuts(
    settings: Settings,
    name: str,
    n_animals: int,
    trials: int,
    *,
    animals: int,
    simulator: str = "",
    seed: int = 1,
) -> Iterator[CutTrials]:
    """Yield the first `trials` trials of each condition of animals that share a published network.

    An additional trial of each condition is run, because the last trial may end before its cut.
    """
    for first in range(0, n_animals, animals):
        here = min(animals, n_animals - first)
        wirings: list[Wiring] = reach(
            settings,
            parameter_set(name),
            trials + 1,
            wirings=here,
            simulator=simulator,
            seed=seed + first // animals,
            direction_clusters=PUBLISHED_DIRECTIONS[name],
        )
        for wiring in wirings:
            yield published.first_trials(wiring.cut, trials)


def _reacher(name: str) -> ReacherConfig:
    """Return the reacher with a published network."""
    return ReacherConfig(cortex=parameter_set(name), direction_clusters=PUBLISHED_DIRECTIONS[name])


def _clusters(name: str) -> NDArray[np.int64]:
    """Return the clusters of the directions of a published network, shape (directions, 1)."""
    return np.array(PUBLISHED_DIRECTIONS[name])[:, None]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [None if not np.isfinite(value) else round(float(value), 4) for value in values]
