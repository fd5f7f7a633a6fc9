"""Experiments with the reaching cortex: the task, its decisions and variability, and rest.

The functions take `Settings` and return the measures of an experiment as plain data. The numbers come from
ordinary runs of the scenarios.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.reacher import BIN_MS, ReacherConfig, first_crossing
from ethospike.brains.circuits.clustered_cortex import CortexConfig, parameter_set
from ethospike.brains.simulator import SimulatorSettings
from ethospike.brains.simulator.settings import THREADED
from ethospike.envs.delayed_reach import ReachConfig
from ethospike.errors import ScenarioError
from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis import spike_statistics
from ethospike.scenarios.analysis.group_statistics import mean, median
from ethospike.scenarios.analysis.sampling import mean_over_neurons
from ethospike.scenarios.analysis.spike_statistics import WINDOW_MS, balanced_accuracy
from ethospike.scenarios.reach import published_measures
from ethospike.scenarios.reach import scenario as delayed_reach
from ethospike.scenarios.reach import trials as reach_trials
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.reach.courses import (
    BASELINE_MS,
    CUT_MS,
    PREPARED_MS,
    STEP_MS,
    CutTrials,
    cluster_roles,
    cut_trials,
)
from ethospike.scenarios.reach.measures import cortex_measures
from ethospike.scenarios.reach.trials import Trials, estimate
from ethospike.scenarios.rest import scenario as cortex_rest
from ethospike.scenarios.rest.config import RestConfig
from ethospike.scenarios.validation.parts import recorded

CONDITIONS = (1, 2, 3)
CONTRASTS = (("1", "2"), ("1", "3"), ("2", "3"))
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.87, 0.9, 0.95, 0.99)
AMPLITUDES_PA = (0.05, 0.1, 0.15, 0.2)
STRENGTHS = {
    "cortex": (1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
    "large": (1.0, 2.4, 2.6, 2.8, 3.0, 3.2, 8.0),
}
"""J_E+ of the sweeps, in fine steps where clusters become stable; 1 is the network without clusters."""
COUNTS = (
    "wirings",
    "trials",
    "large_trials",
    "seed_trials",
    "large_seed_trials",
    "sweep_trials",
    "fig5_runs",
    "fig5_trials",
    "fig6_trials",
    "fig6_nest_trials",
    "published_seed_trials",
    "draws",
    "fano_draws",
)
LEAST_SEEDS = 2
"""Smallest number of seeds for a mean with an interval (Welch's t)."""


@dataclass(frozen=True)
class Settings:
    """Settings of the experiments; the defaults are those of the documentation, tests use tiny values."""

    simulator: str = "numba"
    """Simulator: nest, numba or genn; comparisons of simulators use all installed simulators."""
    wirings: int = 5
    """Wirings of `reach` and `reach-published`."""
    trials: int = 150
    """Trials of each condition and wiring."""
    large_trials: int = 50
    """Trials of each condition and wiring with `large`."""
    seeds: int = 10
    """Seeds of each simulator, for the comparison of simulators."""
    seed_trials: int = 20
    """Trials of each condition and seed in the comparison of simulators."""
    large_seeds: int = 5
    """Wirings of `large`, in all and for each compared simulator: NEST takes 8 s for a second of `large`."""
    large_seed_trials: int = 2
    """Trials of each condition and seed in the comparison of simulators on `large`."""
    fig5_runs: int = 6
    """Runs of the published network of Fig 5, each with different initial voltages and trials."""
    fig5_trials: int = 150
    """Trials of each condition in a run of Fig 5, as published."""
    fig6_trials: int = 2000
    """Trials of each condition with the published network of Fig 6, as published."""
    fig6_nest_trials: int = 100
    """Trials of each condition with the network of Fig 6 on NEST."""
    published_seed_trials: int = 20
    """Trials of each condition with ten other draws of the published rule and the two published draws."""
    precision: str = "single"
    """Precision of the neurons on Numba and GeNN; `fig6_nest` uses double precision, like NEST."""
    threads: int = 0
    """Threads of NEST and Numba; 0 leaves the choice to the simulator."""
    rest_minutes: float = 5.0
    """Length of the run at rest (min); the run without clusters takes a fifth of it."""
    sweep_trials: int = 20
    """Trials of each condition at each point of a sweep."""
    sweep_minutes: float = 1.0
    """Length of the run at rest at each point of a sweep (min)."""
    draws: int = 2000
    """Bootstrap draws for intervals."""
    fano_draws: int = 300
    """Bootstrap draws for intervals of the Fano factor; each draw computes 1,200 neurons."""

    def __post_init__(self) -> None:
        """Refuse settings that would fail in a later part, after hours."""
        for key in COUNTS:
            if getattr(self, key) < 1:
                raise ScenarioError(f"{key}: expected at least 1, got {getattr(self, key)}")
        for key in ("seeds", "large_seeds"):
            if getattr(self, key) < LEAST_SEEDS:
                raise ScenarioError(
                    f"{key}: expected at least {LEAST_SEEDS}, because the differences of simulators have "
                    f"intervals; got {getattr(self, key)}"
                )
        for key in ("rest_minutes", "sweep_minutes"):
            if not 0 < getattr(self, key) < math.inf:
                raise ScenarioError(f"{key}: expected above 0 min, and finite, got {getattr(self, key)}")
        SimulatorSettings(self.simulator)  # raises if no simulator has the name
        SimulatorSettings("numba", precision=self.precision)
        if self.threads < 0:
            raise ScenarioError(f"threads: expected at least 0, got {self.threads}")

    def of_simulator(self, name: str = "") -> SimulatorSettings:
        """Return the settings of a simulator, by default of the chosen simulator."""
        name = name or self.simulator
        return SimulatorSettings(
            name,
            threads=self.threads if name in THREADED else 0,
            precision="single" if name == "nest" else self.precision,  # NEST has no such setting
        )


@dataclass(frozen=True)
class Wiring:
    """The data kept from a wiring of a run."""

    trials: Trials
    cut: CutTrials
    roles: NDArray[np.int64]
    rate_hz: dict[str, float]


# -- runs -----------------------------------------------------------------------------------------------


def reach(
    settings: Settings,
    cortex: CortexConfig,
    trials: int,
    look: Callable[[Recording], list[Any]] | None = None,
    *,
    wirings: int = 1,
    simulator: str = "",
    seed: int = 1,
    **reacher: Any,
) -> list[Any]:
    """Run a delayed reach with `trials` trials of each condition; return wirings, or `look(recording)`."""
    look = look or wirings_of
    config = DelayedReachConfig(
        seed=seed,
        animals=wirings,
        n_trials=trials * len(CONDITIONS),
        reacher=ReacherConfig(cortex=cortex, **reacher),
        simulator=settings.of_simulator(simulator),
    )
    # Measures of a single run are not needed: the bootstrap is over all wirings.
    scenario = dataclasses.replace(delayed_reach.SCENARIO, summarize=lambda recording, config: {})
    measured: list[Any] = recorded(scenario, config, lambda recording, summary: look(recording))
    return measured


def wirings_of(recording: Recording) -> list[Wiring]:
    """Return the wirings (animals) of a recorded reach."""
    trials, counts = reach_trials.read_trials(recording), recording.counts
    members = {
        population: [g for g in counts["group"].values if str(g).split("[")[0] == population.name]
        for population in recording.layout.populations
    }
    measured = []
    for cut in cut_trials(recording, trials):
        animal = int(cut.trials.animal[0])
        rate_hz = {
            population.name: float(counts.isel(animal=animal).sel(group=groups).sum())
            / (population.size * recording.duration_s)
            for population, groups in members.items()
        }
        roles = cluster_roles(recording, cut.trials)
        measured.append(Wiring(trials.where(trials.animal == animal), cut, roles, rate_hz))
    return measured


def rest(settings: Settings, cortex: CortexConfig, minutes: float) -> dict[str, Any]:
    """Return the measures of a cortex at rest."""
    config = RestConfig(seed=1, minutes=minutes, cortex=cortex, simulator=settings.of_simulator())
    measured: dict[str, Any] = recorded(cortex_rest.SCENARIO, config, lambda recording, summary: summary)
    return measured


# -- the task -------------------------------------------------------------------------------------------


def reach_task(settings: Settings, name: str) -> dict[str, Any]:
    """Return decisions, times, variability and decoding of a parameter set over several wirings."""
    return measure_task(
        settings, reach(settings, parameter_set(name), settings.trials, wirings=settings.wirings)
    )


def measure_task(settings: Settings, wirings: Sequence[Wiring]) -> dict[str, Any]:
    """Return the measures of wirings that have done the task."""
    measured = of_trials([wiring.trials for wiring in wirings], settings.draws)
    measured["fano_change"] = fano_changes([wiring.cut for wiring in wirings], settings.fano_draws)
    cortices = [{str(c): cortex_measures([wiring.cut], c) for c in CONDITIONS} for wiring in wirings]
    measured["cortex"] = {
        str(c): {
            key: over_wirings([cortex[str(c)][key] for cortex in cortices], settings.draws)
            for key in cortices[0]["1"]
        }
        for c in CONDITIONS
    }
    selected = [published_measures.measure(published_measures.select(wiring.cut)) for wiring in wirings]
    measured["selected"] = {
        str(c): {
            key: over_wirings([of_wiring.get(c, {}).get(key) for of_wiring in selected], settings.draws)
            for key in published_measures.MEASURES
        }
        for c in CONDITIONS
    }
    measured["wirings"] = [
        {
            label: float(wiring.trials.where(wiring.trials.condition == int(label)).decided_right.mean())
            for label in "123"
        }
        for wiring in wirings
    ]
    measured["thresholds"] = thresholds(wirings)
    return measured


def of_trials(groups: Sequence[Trials], draws: int) -> dict[str, Any]:
    """Return the measures of trials by condition, and the contrasts of reaction times between conditions."""
    measures = reach_trials.measures(ReachConfig().cued_targets)
    drawn = reach_trials.draws_of(groups, measures, draws=draws)
    measured: dict[str, Any] = {"conditions": reach_trials.tabulate(groups, measures, drawn)}
    for name in ("decision_ms", "reaction_ms"):
        contrasts = {}
        for a, b in CONTRASTS:
            values = [
                measured["conditions"].get(condition, {}).get(name, {}).get("mean") for condition in (a, b)
            ]
            if None not in values:
                contrasts[f"{a} − {b}"] = estimate(values[0] - values[1], drawn[a][name] - drawn[b][name])
        measured[f"{name}_contrasts"] = contrasts
    return measured


def over_wirings(values: Sequence[float | None], draws: int) -> dict[str, float | None]:
    """Return the mean of a value of each wiring, with its interval over wirings."""
    known = np.array([np.nan if value is None else value for value in values])
    chosen = np.random.default_rng(0).integers(len(known), size=(draws, len(known)))
    return estimate(float(mean(known)), mean(known[chosen]))


def fano_changes(cuts: Sequence[CutTrials], draws: int) -> dict[str, Any]:
    """Return the change of the Fano factor at 500 ms by condition, and its contrasts."""
    width = round(WINDOW_MS / STEP_MS)
    first = [
        round((center_ms - WINDOW_MS / 2 - CUT_MS[0]) / STEP_MS) for center_ms in (BASELINE_MS, PREPARED_MS)
    ]
    data = []
    for cut in cuts:
        # A tenth of the work of whole courses: three parts, the two windows and the remaining time.
        windows = [cut.counts[:, :, begin : begin + width].sum(axis=2) for begin in first]
        parts = np.stack([*windows, cut.counts.sum(axis=2) - sum(windows)], axis=2)
        for condition in CONDITIONS:
            members = cut.trials.condition == condition
            data.append((parts[members], cut.trials.target[members]))
    third_ms = (CUT_MS[1] - CUT_MS[0]) / 3  # keeps the length of the cut, and thus the rates

    def change(wiring: int, place: int, rows: NDArray[np.int64] | slice) -> float:
        counts, target = data[wiring * len(CONDITIONS) + place]
        fano = spike_statistics.fano_over_time(counts[rows], target[rows], third_ms, third_ms)
        before, prepared, _ = mean_over_neurons(fano)
        return float(prepared - before)

    rng = np.random.default_rng(0)
    places = range(len(CONDITIONS))
    drawn = np.full((draws, len(CONDITIONS)), np.nan)
    for draw in range(draws):
        chosen = rng.integers(len(cuts), size=len(cuts))
        for place in places:
            sizes = [len(data[w * len(CONDITIONS) + place][1]) for w in chosen]
            each = [change(w, place, rng.integers(n, size=n)) for w, n in zip(chosen, sizes, strict=True)]
            drawn[draw, place] = float(mean(np.array(each)))
    values = [float(mean(np.array([change(w, p, slice(None)) for w in range(len(cuts))]))) for p in places]
    measured = {str(c): estimate(values[p], drawn[:, p]) for p, c in enumerate(CONDITIONS)}
    for a, b in CONTRASTS:
        i, j = int(a) - 1, int(b) - 1
        measured[f"{a} − {b}"] = estimate(values[i] - values[j], drawn[:, i] - drawn[:, j])
    return measured


def thresholds(wirings: Sequence[Wiring]) -> dict[str, Any]:
    """Return the decisions of other thresholds on the same spikes, and the best thresholds by two criteria.

    The authors choose the threshold with the best mean precision (`published_measures.mean_precision`), where
    undecided trials count once, as one label of several. In the mean recall over
    directions each undecided trial counts.
    """
    races = [race(wiring) for wiring in wirings]
    grid = published_measures.THRESHOLDS
    criteria = {"precision": published_measures.mean_precision, "recall": balanced_accuracy}
    scores = {name: np.zeros(len(grid)) for name in criteria}
    rows: dict[str, dict[str, Any]] = {}
    for place, threshold in enumerate(grid):
        decided = [first_crossing(share, float(threshold)) for share in races]
        for name, criterion in criteria.items():
            scores[name][place] = np.mean(
                [criterion(w.cut.trials.target, d[0]) for w, d in zip(wirings, decided, strict=True)]
            )
        rows[f"{threshold:g}"] = {str(c): _decided(wirings, decided, c) for c in CONDITIONS}
    best = {name: f"{grid[score.argmax()]:g}" for name, score in scores.items()}
    kept = sorted({f"{threshold:g}" for threshold in THRESHOLDS} | set(best.values()), key=float)
    return {
        "rows": {name: rows[name] for name in kept},
        "best": {
            name: {"threshold": float(best[name]), "score": float(scores[name].max())} for name in criteria
        },
    }


def _decided(
    wirings: Sequence[Wiring],
    decided: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    condition: int,
) -> dict[str, float | None]:
    """Return the decisions of the trials of a condition: means over wirings of winners and their times."""
    right, times, never = [], [], []
    for wiring, (winner, when) in zip(wirings, decided, strict=True):
        mine = wiring.cut.trials.condition == condition
        hit = winner[mine] == wiring.cut.trials.target[mine]
        right.append(hit.mean())
        never.append((winner[mine] < 0).mean())
        times.append(float(median(np.where(hit, when[mine] * BIN_MS, np.nan))))
    return {
        "correct": float(np.mean(right)),
        "none": float(np.mean(never)),
        "median_ms": over_wirings(times, 1)["mean"],
    }


def race(wiring: Wiring) -> NDArray[np.float64]:
    """Return the decision variable from the response signal on, shape (trials, directions, ms)."""
    task = ReachConfig()
    start_ms = task.preparatory_ms + task.delay_ms
    return published_measures.decision_variable(wiring.cut, direction_clusters(wiring), start_ms)


def direction_clusters(wiring: Wiring) -> NDArray[np.int64]:
    """Return the clusters of each direction, shape (directions, clusters_per_direction).

    They follow from the signals of the trials. A direction that was never a target gets the remaining
    clusters: any decision for it is wrong.
    """
    cut, n = wiring.cut, ReachConfig().n_targets
    direction = np.full(cut.clusters, -1)
    for target in range(n):
        known = cut.trials.target == target
        direction[(wiring.roles[known] == 2).any(axis=0)] = target
    missing = sorted(set(range(n)) - set(direction))
    per_direction = cut.clusters // n
    left = np.flatnonzero(direction < 0)[: len(missing) * per_direction]
    direction[left] = np.repeat(missing, per_direction)
    return np.stack([np.flatnonzero(direction == target) for target in range(n)])


def amplitudes(settings: Settings) -> dict[str, Any]:
    """Return the measures of the networks in the task at several amplitudes of the signals."""
    measured = {}
    for name, trials, wirings in (
        ("reach", max(1, settings.trials // 3), min(2, settings.wirings)),
        *((name, settings.sweep_trials, 1) for name in STRENGTHS),
    ):
        for amplitude in AMPLITUDES_PA:
            signals: dict[str, Any] = {"preparatory_pa": amplitude, "response_pa": amplitude}
            groups = reach(settings, parameter_set(name), trials, wirings=wirings, **signals)
            measured[f"{name}, {amplitude:g} pA"] = of_trials(
                [wiring.trials for wiring in groups], settings.draws
            )
    return measured


def large_task(settings: Settings) -> dict[str, Any]:
    """Return the measures of `large` in the task, with a run for each wiring."""
    wirings: list[Wiring] = [
        wiring
        for seed in range(1, settings.large_seeds + 1)
        for wiring in reach(settings, parameter_set("large"), settings.large_trials, seed=seed)
    ]
    measured = of_trials([wiring.trials for wiring in wirings], settings.draws)
    measured["wirings"] = len(wirings)
    measured["rate_hz"] = {
        name: float(np.mean([wiring.rate_hz[name] for wiring in wirings])) for name in wirings[0].rate_hz
    }
    return measured


# -- rest, and the strength of clusters --------------------------------------------------------------------


def at_rest(settings: Settings) -> dict[str, Any]:
    """Return the measures of `cortex` at rest, with and without clusters."""
    cortex = parameter_set("cortex")
    return {
        "cortex": rest(settings, cortex, settings.rest_minutes),
        "unclustered": rest(settings, dataclasses.replace(cortex, j_plus=1.0), settings.rest_minutes / 5),
    }


def strengths(settings: Settings) -> dict[str, Any]:
    """Return the measures of `cortex` and `large`, at rest and in the task, by strength of clustering."""
    measured: dict[str, Any] = {}
    for name, values in STRENGTHS.items():
        for j_plus in values:
            cortex = dataclasses.replace(parameter_set(name), j_plus=j_plus)
            (task,) = reach(settings, cortex, settings.sweep_trials)
            measured[f"{name}, {j_plus:g}"] = {
                "rest": rest(settings, cortex, settings.sweep_minutes),
                **of_trials([task.trials], settings.draws),
            }
    return measured
