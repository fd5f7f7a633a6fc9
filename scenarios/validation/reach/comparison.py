"""Comparison of the reaching cortex with the publication, and of the simulators with each other.

The measured runs are ordinary runs of the scenarios. The results are a JSON file and tables in Markdown for
the documentation; agreement and disagreement are both reported.

    ethospike validate reach --out docs/validation_reach

A wiring is an animal of a run, with separate synapses, initial voltages, clusters of the directions, and
trials. `reach` holds all wirings side by side; each wiring of `large` (25,000 neurons) is a separate run.
Intervals are bootstrapped over wirings and then over trials within them; the intervals of decoding, rates and
CV2 are over wirings alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import numpy as np

from ethospike.brains.circuits.clustered_cortex import parameter_set
from ethospike.brains.simulator import SIMULATORS, is_installed
from ethospike.recorders.recording import Recording
from ethospike.scenarios.analysis.group_statistics import difference
from ethospike.scenarios.analysis.spike_statistics import mean_cv2, mean_fano
from ethospike.scenarios.reach.courses import BASELINE_MS, POPULATION
from ethospike.scenarios.validation.parts import Validation, run_parts
from ethospike.scenarios.validation.reach.experiments import (
    Settings,
    Wiring,
    amplitudes,
    at_rest,
    large_task,
    reach,
    reach_task,
    strengths,
    wirings_of,
)
from ethospike.scenarios.validation.reach.published import fig5, fig6, fig6_nest, published_seeds
from ethospike.scenarios.validation.reach.report import to_markdown

COUNT_MS = 200.0
"""Window of the Fano factor of a whole run, as in the comparison of simulators at rest (agreement.py)."""
THOROUGH = Settings()

Measures = dict[str, float]


def main(
    out: Path = Path("runs/validation_reach"),
    *,
    parts: tuple[str, ...] = (),
    settings: Annotated[Settings, cyclopts.Parameter(name="*")] = THOROUGH,
) -> None:
    """Compare the reaching cortex with the publication, and with the same cortex on other simulators.

    Parameters
    ----------
    out
        Path of the results, without suffix: OUT.md and OUT.json. Parts that are not selected are taken from
        an existing OUT.json.
    parts
        Only these: reach, published, fig5, fig6, published_seeds, amplitudes, rest, fig6_nest, simulators,
        strengths, large, simulators_large; by default all.
    settings
        Settings of the experiments.
    """
    print(validate(out, settings, parts).read_text("utf-8"))


def validate(out: Path, settings: Settings, parts: Sequence[str] = ()) -> Path:
    """Run parts (all by default); write `out`.json, `out`.md and figures after each; return `out`.md.

    Raises
    ------
    ScenarioError
    SimulatorNotInstalled
    RunFolderError
        As `run_parts`.
    """
    return run_parts(out, settings, parts, Validation(PARTS, _needed, "found", to_markdown, _draw))


def _draw(out: Path, part: str, measured: Mapping[str, Any]) -> None:
    """Draw the figure of a part, if any; Matplotlib is loaded only here, because loading it is slow."""
    from ethospike.scenarios.validation.reach import published_figures

    published_figures.draw(out, part, measured)


def _needed(part: str, chosen: str) -> tuple[str, ...]:
    """Return the simulators that a part needs; comparisons use all installed simulators."""
    if part == "fig6_nest":
        return ("nest", chosen)
    return () if part.startswith("simulators") else (chosen,)


def simulators(settings: Settings) -> dict[str, Any]:
    """Compare simulators by `reach`, with all wirings side by side in one run.

    The Fano factor and CV2 are measured before the preparatory signal, over all trials.
    """

    def seeds(name: str) -> list[Measures]:
        wirings = reach(
            settings, parameter_set("reach"), settings.seed_trials, wirings=settings.seeds, simulator=name
        )
        return [
            _measures(wiring, cv2=_before(wiring, "cv2"), fano=_before(wiring, "fano")) for wiring in wirings
        ]

    return compare_simulators(seeds)


def simulators_large(settings: Settings) -> dict[str, Any]:
    """Compare simulators by `large`, with a run for each wiring: NEST keeps 7 GB of synapses for a wiring.

    The neurons fire once a second, too little for windows of a trial. CV2 and the Fano factor (of counts in
    200 ms) are therefore measured over the whole run, for excitatory neurons.
    """

    def look(recording: Recording) -> list[Measures]:
        (wiring,) = wirings_of(recording)
        spikes, neurons = recording.spikes(POPULATION), recording.neurons(POPULATION)
        neuron, width = spikes.neuron - neurons.start, round(COUNT_MS / spikes.dt_ms)
        cv2 = mean_cv2(spikes.step, neuron, len(neurons))
        fano = mean_fano(spikes.step, neuron, len(neurons), width)
        return [_measures(wiring, cv2=float(np.nanmean(cv2)), fano=float(np.nanmean(fano)))]

    def seeds(name: str) -> list[Measures]:
        return [
            measures
            for seed in range(1, settings.large_seeds + 1)
            for measures in reach(
                settings, parameter_set("large"), settings.large_seed_trials, look, simulator=name, seed=seed
            )
        ]

    return compare_simulators(seeds)


def compare_simulators(seeds: Callable[[str], Sequence[Measures]]) -> dict[str, Any]:
    """Return the measures of each seed on every installed simulator, and the differences from NEST."""
    names = [name for name in SIMULATORS if is_installed(name)]
    measured: dict[str, Any] = {}
    for name in names:
        of_seeds = seeds(name)
        measured[name] = {key: {"animals": [of_seed[key] for of_seed in of_seeds]} for key in of_seeds[0]}
        for measure in measured[name].values():
            measure["mean"] = float(np.mean(measure["animals"]))
    reference = "nest" if "nest" in measured else names[0]
    differences = {}
    for name in names:
        if name == reference:
            continue
        for key, measure in measured[name].items():
            gap = difference(measure, measured[reference][key])
            relative = (measure["mean"] - measured[reference][key]["mean"]) / measured[reference][key]["mean"]
            zero_inside = (
                gap["low"] is not None and gap["high"] is not None and gap["low"] <= 0 <= gap["high"]
            )
            agree = abs(relative) <= 0.05 or zero_inside
            differences[f"{name} − {reference}: {key}"] = {**gap, "relative": relative, "agree": agree}
    return {"simulators": measured, "differences": differences}


def _measures(wiring: Wiring, *, cv2: float, fano: float) -> Measures:
    rates = {f"rate_{name}_hz": rate for name, rate in wiring.rate_hz.items()}
    return {**rates, "cv2": cv2, "fano": fano, "correct": float(wiring.trials.decided_right.mean())}


def _before(wiring: Wiring, name: str) -> float:
    """Return CV2 or the Fano factor before the preparatory signal, with all trials as one group."""
    cut = wiring.cut
    pooled = dataclasses.replace(
        cut,
        trials=dataclasses.replace(
            cut.trials, condition=np.ones_like(cut.trials.condition), target=np.zeros_like(cut.trials.target)
        ),
    )
    return pooled.value_at(getattr(pooled, name)(1), BASELINE_MS)


PARTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "reach": lambda settings: reach_task(settings, "reach"),
    "published": lambda settings: reach_task(settings, "reach-published"),
    "fig5": fig5,
    "fig6": fig6,
    "published_seeds": published_seeds,
    "amplitudes": amplitudes,
    "rest": at_rest,
    "fig6_nest": fig6_nest,
    "simulators": simulators,
    "strengths": strengths,
    "large": large_task,
    "simulators_large": simulators_large,
}
"""Name and function of each part, quick parts first."""
