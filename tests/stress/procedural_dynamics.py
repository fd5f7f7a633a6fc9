"""Compares the dynamics of the clustered cortex with procedural and with stored synapses, over many seeds.

    python tests/stress/procedural_dynamics.py --seeds 10

Both are draws of the same rule, so that no seed gives the same network twice; rates, CV2 and the dominance of
clusters of the two samples are compared by Mann and Whitney's test. Results: docs/simulators.md.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
from scipy.stats import mannwhitneyu

from ethospike.brains.circuits.clustered_cortex import clustered_cortex, parameter_set
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.scenarios.analysis.spike_statistics import dominant_cluster, dwell_times, mean_cv2

DISCARDED_STEPS = 5_000
BIN_STEPS = 250
"""Bins of 25 ms for the rates of clusters."""


def dynamics(seed: int, n_steps: int, *, procedural: bool) -> dict[str, float]:
    """Return measures of one network, simulated for `n_steps` steps after the first half second."""
    config = dataclasses.replace(parameter_set("cortex"), wiring="bernoulli", procedural=procedural)
    network = clustered_cortex(config)
    with open_simulator(network, SimulatorSettings("numba"), seed=seed) as simulator:
        simulator.run(DISCARDED_STEPS)
        spikes = simulator.run(n_steps)
    step, excitatory = spikes.step - DISCARDED_STEPS - 1, spikes.neuron < config.n_e
    size = config.n_e // config.clusters
    counts = np.zeros((n_steps // BIN_STEPS, config.clusters))
    np.add.at(counts, (step[excitatory] // BIN_STEPS, spikes.neuron[excitatory] // size), 1)
    dominant = dominant_cluster(counts / (size * BIN_STEPS * 1e-4))
    seconds = n_steps * 1e-4
    share = np.bincount(dominant[dominant >= 0], minlength=config.clusters) / len(dominant)
    _, dwell = dwell_times(dominant)
    return {
        "rate of E, Hz": excitatory.sum() / config.n_e / seconds,
        "rate of I, Hz": (~excitatory).sum() / config.n_i / seconds,
        "CV2 of E": float(np.nanmean(mean_cv2(step[excitatory], spikes.neuron[excitatory], config.n_e))),
        "time with a dominant cluster": share.sum(),
        "time of the most dominant one": share.max(),
        "clusters that dominate": float((share > 0).sum()),
        "median dwell time, ms": float(np.median(dwell)) * BIN_STEPS * 0.1 if len(dwell) else 0.0,
    }


def main() -> None:
    """Print mean, standard deviation and the test's p of each measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    n_steps = round(options.seconds * 1e4)
    samples = {
        procedural: [dynamics(seed, n_steps, procedural=procedural) for seed in range(options.seeds)]
        for procedural in (False, True)
    }
    print(f"{options.seeds} seeds, {options.seconds} s each\n\n| measure | stored | procedural | p |")
    print("|---|---|---|---|")
    for name in samples[True][0]:
        stored, made = ([one[name] for one in samples[kind]] for kind in (False, True))
        p = mannwhitneyu(stored, made).pvalue
        values = (f"{np.mean(v):.4g} ± {np.std(v, ddof=1):.2g}" for v in (stored, made))
        print(f"| {name} | {' | '.join(values)} | {p:.2f} |")


if __name__ == "__main__":
    main()
