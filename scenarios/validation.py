"""Compares the mushroom body and its larvae with what is published about them.

In: a simulator's name. Out: one JSON file and tables in Markdown, for docs/validation.md. The numbers come
from runs of the scenarios, as anybody can run them; the comparison is reported, whatever it says.

    ethospike validate --out docs/validation_larva
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ethospike.brains.clustered_cortex import PARAMETER_SETS, clustered_cortex
from ethospike.brains.mushroom_body import ODOR_PATTERNS, PRESETS, MushroomBodyConfig, mushroom_body
from ethospike.brains.network import Network, nearest
from ethospike.brains.simulator import (
    SIMULATORS,
    SimulatorSettings,
    Stimulus,
    is_installed,
    open_simulator,
)
from ethospike.brains.spike_sources import GammaSource
from ethospike.scenarios import odor_conditioning, odor_preference
from ethospike.scenarios.benchmark_measures import odor_stimuli
from ethospike.scenarios.dish_measures import interval
from ethospike.scenarios.run_folder import command_of, provenance
from ethospike.scenarios.runner import run_scenario
from ethospike.scenarios.scenario import Scenario, ScenarioConfig, ScenarioError

REFERENCE_HZ = {"ORN": 64.3, "PN": 41.2, "LN": 15.0, "KC": 1.16, "APL": 30.0, "MBONp": 102.0}
"""An independent implementation of the published equations (explicit Euler, 0.1 ms, gamma inputs of shape 3,
185 Hz baseline): means over 20 s and 10 wirings in n-amylacetate. The authors' own code, with Poisson input:
ORN 71, PN 40.5, LN 17.6, KC 1.19, APL 31, MBON 107 Hz."""
TOLERANCE = {"ORN": 0.10, "PN": 0.10, "LN": 0.10, "KC": 0.20, "APL": 0.20, "MBONp": 0.10}
"""What we accept: few spikes (KC) and the cell that sums them (APL) vary most between wirings."""
LABORATORY = {
    "1 trial": (0.44, 0.14, 0.15),
    "2 trials": (0.36, -0.09, 0.22),
    "3 trials": (0.33, 0.00, 0.17),
}
"""Preference of larvae for amylacetate, paired and reciprocal group, and learning index: medians, digitized
from larvaworld's figures of odor preference (September 2021; their origin is not stated there)."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How thorough: the defaults are those of docs/validation.md; tests use tiny ones."""

    simulator: str = "numba"
    animals: int = 20
    dish_animals: int = 60
    fine_animals: int = 10
    """Larvae a group in the dish at 10 ms control, which takes several times as long."""
    wirings: int = 10
    threads: int = 0
    """Threads of the simulator; 0 leaves the choice to it."""
    minute_s: float = 60.0
    """Length of a minute in all protocols; smaller to see that the validation runs."""

    @property
    def of_simulator(self) -> SimulatorSettings:
        """The simulator's settings."""
        return SimulatorSettings(name=self.simulator, threads=self.threads)


def validate(out: Path, settings: Settings, parts: Sequence[str] = ()) -> Path:
    """Run parts of the validation (all by default), write `out`.json and `out`.md, and return the latter.

    Parts that are not run keep the results that `out`.json has of them.

    Raises
    ------
    ScenarioError
        When there is no such part.
    """
    for name in parts:
        if name not in PARTS:
            raise ScenarioError(f"validation: no part {name!r}; {nearest(name, PARTS)}")
    file = out.with_suffix(".json")
    results = json.loads(file.read_text()) if file.exists() and parts else {}
    for name in parts or PARTS:
        origin = {"machine": provenance(), "settings": dataclasses.asdict(settings)}
        results[name] = {**origin, "results": PARTS[name](settings)}
        out.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results, indent=1) + "\n")
        print(f"validation: {name} done", file=sys.stderr, flush=True)
    table = out.with_suffix(".md")
    table.write_text(to_markdown(results))
    return table


def summary_of(scenario: Scenario, config: ScenarioConfig) -> dict[str, Any]:
    """Run a scenario in a folder that is thrown away, and return its measures."""
    with tempfile.TemporaryDirectory() as folder:
        result = run_scenario(scenario, config, Path(folder) / "run", quiet=True, draw=False)
        if result.status != "complete":
            raise KeyboardInterrupt
        return result.folder.summary


def naive_rates(settings: Settings) -> dict[str, Any]:
    """Rates of naive mushroom bodies in n-amylacetate, published preset, 20 s after 1 s."""
    config = PRESETS["published"]
    network = mushroom_body(config)
    animals, second = settings.wirings, 10_000
    source = GammaSource(network.n_spike_channels, config.input_shape, seed=1, animals=animals)
    rates = np.zeros((animals, network.n_spike_channels))
    rates[:, network.spike_channels("odor")] = config.baseline_hz + np.array(ODOR_PATTERNS["n-amylacetate"])
    n_seconds = max(1, round(settings.minute_s / 3))
    counts = np.zeros((animals, network.n_neurons))
    with open_simulator(network, settings.of_simulator, seed=1, animals=animals) as simulator:
        for k in range(1 + n_seconds):
            spikes = simulator.run(second, Stimulus(*source.window(1 + k * second, second, rates)))
            if k:
                np.add.at(counts, (spikes.animal, spikes.neuron), 1.0 / n_seconds)
    found = {name: counts[:, network.neurons(name)].mean(axis=1) for name in REFERENCE_HZ}
    return {
        "wirings": animals,
        "seconds": n_seconds,
        "rates": {
            name: {
                "mean": float(rate.mean()),
                "sd": float(rate.std(ddof=1)),
                "reference": REFERENCE_HZ[name],
                "deviation": float(rate.mean() / REFERENCE_HZ[name] - 1.0),
                "within": bool(abs(rate.mean() / REFERENCE_HZ[name] - 1.0) <= TOLERANCE[name]),
            }
            for name, rate in found.items()
        },
    }


def protocol(settings: Settings, **changes: Any) -> odor_conditioning.ConditioningConfig:
    """Return the published protocol: training once, 1 min without odor, 3 min of odor alone, everywhere."""
    minute = settings.minute_s
    given: dict[str, Any] = {
        "animals": settings.animals,
        "cycles": 1,
        "odor_s": 2 * minute,
        "blank_s": 0.0,
        "gap_s": minute,
        "test_s": 3 * minute,
        "test_field": "uniform",
        "simulator": settings.of_simulator,
        **changes,
    }
    return odor_conditioning.ConditioningConfig(**given)


def learning_by_group(settings: Settings) -> dict[str, Any]:
    """2 min of training: paired, unpaired, odor only, punishment; for each set of parameters."""
    two = 2 * settings.minute_s
    groups: dict[str, dict[str, Any]] = {
        "paired": {},
        "unpaired": {"group": "unpaired", "blank_s": two},
        "odor only": {"group": "odor-only"},
        "paired with punishment": {"reinforcement": "punishment"},
    }
    found: dict[str, Any] = {}
    brains = {
        "calibrated": PRESETS["calibrated"],
        "0.3 nS": dataclasses.replace(PRESETS["calibrated"], learning_rate=0.3),
        "published": PRESETS["published"],
    }
    for preset, brain in brains.items():
        for name, changes in groups.items():
            config = protocol(settings, brain=brain, **changes)
            found[f"{name}, {preset}"] = summary_of(odor_conditioning.SCENARIO, config)
        found[f"paired minus unpaired, {preset}"] = {
            "preference_first_20_s": difference(
                found[f"paired, {preset}"]["preference_first_20_s"],
                found[f"unpaired, {preset}"]["preference_first_20_s"],
            )
        }
    return found


def acquisition(settings: Settings) -> dict[str, Any]:
    """Preference after 1, 2, 4 and 8 minutes of paired training."""
    return {
        f"{minutes} min": summary_of(
            odor_conditioning.SCENARIO, protocol(settings, odor_s=minutes * settings.minute_s)
        )
        for minutes in (1, 2, 4, 8)
    }


def odor_reward_interval(settings: Settings) -> dict[str, Any]:
    """Three trials of 30 s odor and 30 s reward, the reward beginning 0 to 120 s after the odor."""
    half = settings.minute_s / 2
    found = {}
    for onset in (0, 10, 30, 60, 120):
        scaled = onset * settings.minute_s / 60.0
        config = protocol(
            settings,
            cycles=3,
            odor_s=half,
            blank_s=scaled + half + settings.minute_s / 2,
            onset_s=scaled,
            reinforcement_s=half,
        )
        found[f"{onset} s"] = summary_of(odor_conditioning.SCENARIO, config)
    return found


def learning_rates(settings: Settings) -> dict[str, Any]:
    """Preference at the beginning of each of the five default cycles, at several learning rates."""
    part = 2.5 * settings.minute_s
    return {
        f"{rate} nS": summary_of(
            odor_conditioning.SCENARIO,
            protocol(
                settings,
                cycles=5,
                odor_s=part,
                blank_s=part,
                brain=MushroomBodyConfig(learning_rate=rate),
            ),
        )
        for rate in (0.05, 0.1, 0.2, 0.3)
    }


def choice_in_the_dish(settings: Settings) -> dict[str, Any]:
    """The default scenario with its gradient, paired and reciprocal, and the naive test."""
    return _choice(settings, settings.dish_animals, 100.0, ("paired-a", "paired-b"))


def choice_at_fine_control(settings: Settings) -> dict[str, Any]:
    """The paired group and the naive test again, brain and body exchanging every 10 ms; fewer larvae."""
    return _choice(settings, settings.fine_animals, 10.0, ("paired-a",))


def _choice(
    settings: Settings, animals: int, control_interval_ms: float, groups: Sequence[str]
) -> dict[str, Any]:
    minute = settings.minute_s
    shared: dict[str, Any] = {
        "animals": animals,
        "control_interval_ms": control_interval_ms,
        "test_s": 4 * minute,
        "simulator": settings.of_simulator,
    }
    times: dict[str, Any] = {"odor_s": 2.5 * minute, "blank_s": 2.5 * minute, "gap_s": minute}
    found: dict[str, Any] = {}
    for group in groups:
        config = odor_conditioning.ConditioningConfig(group=group, **times, **shared)  # type: ignore[arg-type]
        found[group] = summary_of(odor_conditioning.SCENARIO, config)
    naive = odor_preference.PreferenceConfig(**shared)
    found["naive"] = summary_of(odor_preference.SCENARIO, naive)
    index = {group: found[group]["preference_index"] for group in found}
    found["paired-a minus naive"] = {"preference_index": difference(index["paired-a"], index["naive"])}
    if "paired-b" in groups:
        whole = difference(index["paired-a"], index["paired-b"])
        half = {key: whole[key] / 2 for key in ("mean", "low", "high")}
        found["learning index, (paired-a minus paired-b) / 2"] = {"preference_index": half}
    return found


def difference(a: dict[str, Any], b: dict[str, Any]) -> dict[str, float]:
    """Return the difference of two means with its 95 % interval (Welch's t)."""
    x, y = np.asarray(a["animals"]), np.asarray(b["animals"])
    test = stats.ttest_ind(x, y, equal_var=False)
    bounds = test.confidence_interval(0.95)
    return {"mean": float(x.mean() - y.mean()), "low": float(bounds.low), "high": float(bounds.high)}


def across_simulators(settings: Settings) -> dict[str, Any]:
    """Naive rates, and a short training at the published learning rate, on every installed simulator."""
    minute = settings.minute_s
    found = {}
    for name in SIMULATORS:
        if not is_installed(name):
            continue
        own = dataclasses.replace(settings, simulator=name, threads=0)
        config = protocol(
            own,
            animals=min(settings.animals, 5),
            odor_s=minute,
            gap_s=minute / 6,
            test_s=minute / 3,
            brain=dataclasses.replace(PRESETS["calibrated"], learning_rate=0.3),
        )
        measures = summary_of(odor_conditioning.SCENARIO, config)
        for population, rate in naive_rates(own)["rates"].items():
            measures[f"{population}_hz"] = rate
        found[name] = measures
    return found


def parity(settings: Settings) -> dict[str, Any]:
    """Rates, CV2 and Fano factor on NEST and on the simulator in question, and their difference.

    The mushroom body in n-amylacetate (calibrated), and the clustered cortex of 5,000 neurons at rest.
    """
    seeds = settings.wirings
    found: dict[str, Any] = {}
    body, cortex = mushroom_body(PRESETS["calibrated"]), clustered_cortex(PARAMETER_SETS["cortex"])
    for title, network, seconds, alone in (
        ("mushroom body", body, settings.minute_s / 6, False),
        ("cortex, 5,000 neurons", cortex, settings.minute_s / 20, True),
    ):
        measures = {
            name: _statistics(network, name, seeds, max(0.4, seconds), alone=alone)
            for name in ("nest", settings.simulator)
        }
        for key in measures["nest"]:
            pair = {name: interval(one[key]) for name, one in measures.items()}
            gap = difference(pair[settings.simulator], pair["nest"])
            found[f"{title}: {key}"] = {
                **pair,
                "difference": gap,
                "relative": {**gap, **{k: gap[k] / pair["nest"]["mean"] for k in ("mean", "low", "high")}},
            }
    return found


def _statistics(
    network: Network, simulator: str, seeds: int, seconds: float, *, alone: bool
) -> dict[str, NDArray[np.float64]]:
    """Return rate (Hz), CV2 and Fano factor of 200 ms counts of each seed, means over active neurons.

    Seeds are animals of one network where the simulator can hold them, else networks of their own (`alone`).
    """
    window, warm_up = 2000, 2
    n_windows = warm_up + max(2, round(seconds * 10_000 / window))
    found = []
    for seed in range(1, 1 + (seeds if alone else 1)):
        animals = 1 if alone else seeds
        stimuli = odor_stimuli(network, animals, window, n_windows)
        steps, neurons, counts = [], [], np.zeros((n_windows, animals * network.n_neurons))
        settings = SimulatorSettings(name=simulator)
        with open_simulator(network, settings, seed=seed, animals=animals) as opened:
            for k, stimulus in enumerate(stimuli):
                spikes = opened.run(window, stimulus)
                rows = spikes.animal * network.n_neurons + spikes.neuron
                np.add.at(counts[k], rows, 1.0)
                steps.append(spikes.step)
                neurons.append(rows)
        per_neuron = counts[warm_up:].reshape(-1, animals, network.n_neurons)
        cv2 = mean_cv2(np.concatenate(steps), np.concatenate(neurons), animals * network.n_neurons)
        for animal in range(animals):
            own = per_neuron[:, animal]
            active = own.sum(axis=0) >= 5
            fano = own[:, active].var(axis=0) / own[:, active].mean(axis=0)
            own_cv2 = cv2.reshape(animals, -1)[animal]
            found.append((own.mean() * 10_000 / window, np.nanmean(own_cv2), fano.mean()))
    return dict(zip(("rate (Hz)", "CV2", "Fano factor"), np.array(found).T, strict=True))


def mean_cv2(step: NDArray[np.integer], neuron: NDArray[np.integer], n_neurons: int) -> NDArray[np.float64]:
    """Return the mean of 2 |I₁ − I₂| / (I₁ + I₂) over neighboring intervals of each neuron; NaN below three.

    Source: Holt et al. 1996, J Neurophysiol 75:1806.
    """
    order = np.lexsort((step, neuron))
    step, neuron = step[order], neuron[order]
    first, second = np.diff(step)[:-1], np.diff(step)[1:]
    same = neuron[2:] == neuron[:-2]
    first, second, owner = first[same], second[same], neuron[2:][same]
    total = np.bincount(owner, 2.0 * np.abs(first - second) / (first + second), n_neurons)
    number = np.bincount(owner, minlength=n_neurons)
    mean: NDArray[np.float64] = np.divide(total, number, out=np.full(n_neurons, np.nan), where=number >= 3)
    return mean


PARTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "naive": naive_rates,
    "groups": learning_by_group,
    "acquisition": acquisition,
    "interval": odor_reward_interval,
    "learning_rate": learning_rates,
    "dish": choice_in_the_dish,
    "dish_fine": choice_at_fine_control,
    "simulators": across_simulators,
    "parity": parity,
}
"""Name and function of each part."""

COMMON = ("preference_first_20_s", "preference_last_20_s", "dan_hz_in_training")
TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "groups": ("Learning by group (2 min training, 1 min gap, 3 min of odor alone)", COMMON),
    "acquisition": ("Acquisition: paired training of 1 to 8 minutes", COMMON),
    "interval": ("Interval from odor to reward (3 trials of 30 s odor and 30 s reward)", COMMON),
    "learning_rate": (
        "Learning rate: first 20 s of each training cycle of 2.5 + 2.5 min, and of the test",
        (*(f"preference_cycle_{n}" for n in range(1, 6)), "preference_first_20_s"),
    ),
    "dish": (
        "Choice in the dish at 100 ms control (default scenario; indices over the last 2 minutes)",
        ("preference_index", "choice_index", "preference_first_20_s"),
    ),
    "dish_fine": (
        "The same at 10 ms control",
        ("preference_index", "choice_index", "preference_first_20_s"),
    ),
    "simulators": (
        "Simulators: 1 min training at 0.3 nS, and naive rates in n-amylacetate (published preset, ± sd)",
        ("preference_first_20_s", "dan_hz_in_training", *(f"{name}_hz" for name in REFERENCE_HZ)),
    ),
    "parity": (
        "NEST and Numba: means over ten seeds, and their difference",
        ("nest", "numba", "difference", "relative"),
    ),
}
"""Title and columns of the table of each part; that of naive rates has a form of its own."""


def to_markdown(results: dict[str, Any]) -> str:
    """Return the results as tables, each with what produced it."""
    lines = ["Mean and 95 % interval over animals, unless the title says otherwise."]
    if "naive" in results:
        naive = results["naive"]["results"]
        lines += [
            "",
            f"### Naive rates in n-amylacetate (published preset, {naive['wirings']} wirings, "
            f"{naive['seconds']} s)",
            *_origin(results["naive"]),
            "| population | Hz ± sd | reference | deviation | within |",
            "|---|---|---|---|---|",
        ]
        for name, one in naive["rates"].items():
            lines.append(
                f"| {name} | {one['mean']:.3g} ± {one['sd']:.2g} | {one['reference']:g} "
                f"| {100 * one['deviation']:+.1f} % | {'yes' if one['within'] else 'NO'} |"
            )
    for part, (title, columns) in TABLES.items():
        if part not in results:
            continue
        heads = ["", *(column.replace("_", " ") for column in columns)]
        lines += ["", f"### {title}", *_origin(results[part])]
        lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        for name, summary in results[part]["results"].items():
            lines.append(f"| {name} | {' | '.join(show(summary.get(column)) for column in columns)} |")
    return "\n".join(lines) + "\n"


def _origin(part: dict[str, Any]) -> list[str]:
    machine, settings = part["machine"], part["settings"]
    return ["", f"`{command_of(machine)}`, {machine['started'][:10]}, simulator {settings['simulator']}.", ""]


def show(one: dict[str, Any] | None) -> str:
    """Return a measure as text: mean [low, high]."""
    if one is None:
        return ""
    if "sd" in one:
        return f"{one['mean']:.3g} ± {one['sd']:.2g}"
    spread = "" if one["low"] is None else f" [{one['low']:.2f}, {one['high']:.2f}]"
    return f"{one['mean']:.2f}{spread}"
