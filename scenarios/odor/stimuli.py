"""The constant odor that benchmarks and comparisons of simulators give a mushroom body."""

from __future__ import annotations

import numpy as np

from ethospike.brains.circuits.mushroom_body import ODOR_PATTERNS, MushroomBodyConfig
from ethospike.brains.network import Network
from ethospike.brains.simulator import Stimulus
from ethospike.brains.spike_trains.sources import GammaSource


def odor_stimuli(network: Network, animals: int, n_steps: int, windows: int) -> list[Stimulus]:
    """Return the input of each window: an odor for the mushroom body, no input for the cortex."""
    if not network.n_spike_channels:
        return [Stimulus.none()] * windows
    config = MushroomBodyConfig()
    source = GammaSource(network.n_spike_channels, config.input_shape, seed=1, animals=animals)
    rates = np.zeros((animals, network.n_spike_channels))
    rates[:, network.spike_channels("odor")] = config.baseline_hz + np.array(ODOR_PATTERNS["n-amylacetate"])
    return [Stimulus(*source.window(1 + k * n_steps, n_steps, rates)) for k in range(windows)]
