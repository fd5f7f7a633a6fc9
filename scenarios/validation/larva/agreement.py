"""Agreement of simulators on the mushroom body, its larvae, and the cortex at rest.

The functions take `Settings` and return measures on NEST, on another simulator, and their difference, as
plain data.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS, clustered_cortex
from ethospike.brains.circuits.mushroom_body import PRESETS, mushroom_body
from ethospike.brains.network import Network
from ethospike.brains.simulator import SIMULATORS, SimulatorSettings, is_installed, open_simulator
from ethospike.scenarios.analysis.group_statistics import difference, interval, scaled
from ethospike.scenarios.analysis.spike_statistics import fano_factor, mean_cv2
from ethospike.scenarios.odor import conditioning as odor_conditioning
from ethospike.scenarios.odor.stimuli import odor_stimuli
from ethospike.scenarios.validation.larva.experiments import (
    BRAINS,
    Settings,
    groups,
    naive_rates,
    protocol,
)
from ethospike.scenarios.validation.parts import summary_of


def across_simulators(settings: Settings) -> dict[str, Any]:
    """Measure naive rates and a short training (published learning rate) on all installed simulators."""
    minute = settings.minute_s
    measured = {}
    for name in SIMULATORS:
        if not is_installed(name):
            continue
        on_simulator = dataclasses.replace(settings, simulator=name, threads=0)
        config = protocol(
            on_simulator,
            animals=min(settings.animals, 5),
            odor_s=minute,
            gap_s=minute / 6,
            test_s=minute / 3,
            brain=BRAINS["0.3 nS"],
        )
        measures = summary_of(odor_conditioning.SCENARIO, config)
        for population, rate in naive_rates(on_simulator)["rates"].items():
            measures[f"{population}_hz"] = rate
        measured[name] = measures
    return measured


def naive_rates_on_nest(settings: Settings) -> dict[str, Any]:
    """Measure the naive rates on NEST."""
    return naive_rates(dataclasses.replace(settings, simulator="nest"))


def learning_on_nest(settings: Settings, group: str) -> dict[str, Any]:
    """Train one group of `groups` on NEST and on the chosen simulator: same larvae, same input spikes.

    The difference is taken for each larva between the simulators. The test lasts as long as the measured
    window.
    """
    summaries: dict[str, Any] = {}
    for name in ("nest", settings.simulator):
        on_simulator = dataclasses.replace(settings, simulator=name)
        config = protocol(on_simulator, test_s=settings.minute_s / 3, **groups(settings)[group])
        summaries[name] = summary_of(odor_conditioning.SCENARIO, config)
    measures = [key for key in ("preference_first_20_s", "dan_hz_in_training") if key in summaries["nest"]]
    values = {
        key: {name: np.array(summary[key]["animals"]) for name, summary in summaries.items()}
        for key in measures
    }
    return {
        key: {
            **{name: summaries[name][key] for name in summaries},
            "difference": interval(of[settings.simulator] - of["nest"]),
        }
        for key, of in values.items()
    }


def parity_of_mushroom_body(settings: Settings) -> dict[str, Any]:
    """Compare `_statistics` of the mushroom body in n-amylacetate (calibrated)."""
    network = mushroom_body(PRESETS["calibrated"])
    return _parity(settings, network, settings.minute_s / 6, alone=False)


def parity_of_cortex(settings: Settings) -> dict[str, Any]:
    """Compare `_statistics` of the clustered cortex of 5,000 neurons at rest."""
    network = clustered_cortex(PARAMETER_SETS["cortex"])
    return _parity(settings, network, settings.minute_s / 20, alone=True)


def _parity(settings: Settings, network: Network, seconds: float, *, alone: bool) -> dict[str, Any]:
    """Return `_statistics` on NEST and on the chosen simulator, and their difference (Welch)."""
    measures = {
        name: _statistics(
            network,
            dataclasses.replace(settings.of_simulator, name=name),
            settings.wirings,
            max(0.4, seconds),
            alone=alone,
        )
        for name in ("nest", settings.simulator)
    }
    compared: dict[str, Any] = {}
    for key in measures["nest"]:
        pair = {name: interval(of_seeds[key]) for name, of_seeds in measures.items()}
        gap = difference(pair[settings.simulator], pair["nest"])
        compared[key] = {**pair, "difference": gap, "relative": scaled(gap, 1.0 / pair["nest"]["mean"])}
    return compared


def _statistics(
    network: Network, simulator: SimulatorSettings, seeds: int, seconds: float, *, alone: bool
) -> dict[str, NDArray[np.float64]]:
    """Return rate (Hz), CV2 and Fano factor of 200 ms counts of each seed, means over active neurons.

    The first two windows, in which adaptation builds up, are left out.

    Seeds are animals of one network if the simulator can hold them, otherwise separate networks (`alone`).
    """
    window, warm_up = 2000, 2
    n_windows = warm_up + max(2, round(seconds * 10_000 / window))
    statistics = []
    for seed in range(1, 1 + (seeds if alone else 1)):
        animals = 1 if alone else seeds
        stimuli = odor_stimuli(network, animals, window, n_windows)
        steps, neurons, counts = [], [], np.zeros((n_windows, animals * network.n_neurons))
        with open_simulator(network, simulator, seed=seed, animals=animals) as opened:
            for k, stimulus in enumerate(stimuli):
                spikes = opened.run(window, stimulus)
                rows = spikes.animal * network.n_neurons + spikes.neuron
                np.add.at(counts[k], rows, 1.0)
                if k >= warm_up:
                    steps.append(spikes.step)
                    neurons.append(rows)
        per_neuron = counts[warm_up:].reshape(-1, animals, network.n_neurons)
        cv2 = mean_cv2(np.concatenate(steps), np.concatenate(neurons), animals * network.n_neurons)
        for animal in range(animals):
            of_animal = per_neuron[:, animal]
            active = of_animal.sum(axis=0) >= 5
            fano = fano_factor(of_animal[:, active])
            own_cv2 = cv2.reshape(animals, -1)[animal]
            statistics.append((of_animal.mean() * 10_000 / window, np.nanmean(own_cv2), fano.mean()))
    return dict(zip(("rate (Hz)", "CV2", "Fano factor"), np.array(statistics).T, strict=True))
