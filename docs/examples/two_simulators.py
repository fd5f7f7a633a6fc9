"""One network on two simulators: the same description, the same input spikes, the same spikes out.

Run it with `python two_simulators.py`. 80 excitatory and 20 inhibitory neurons receive Poisson trains, whose
spikes are drawn outside the simulators, so that both get the very same ones.
"""

from __future__ import annotations

import numpy as np

from ethospike.brains.network import FixedIndegree, Network, Population, Projection, SpikeInput
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import PoissonSource

RATE_HZ = 12000.0
"""Rate of each input train: 1,500 neurons that fire at 8 Hz bring as many spikes."""


def balanced_network() -> Network:
    """Return a small balanced network with an input train for each neuron."""
    excitatory, inhibitory = 20.0, -100.0
    return Network(
        populations=(Population("E", 80, "iaf_psc_exp"), Population("I", 20, "iaf_psc_exp")),
        projections=(
            Projection("E>E", "E", "E", FixedIndegree(8), excitatory, delay_ms=1.5),
            Projection("E>I", "E", "I", FixedIndegree(8), excitatory, delay_ms=1.5),
            Projection("I>E", "I", "E", FixedIndegree(2), inhibitory, delay_ms=1.5),
            Projection("I>I", "I", "I", FixedIndegree(2), inhibitory, delay_ms=1.5),
        ),
        spike_inputs=(SpikeInput("to E", "E", excitatory), SpikeInput("to I", "I", excitatory)),
    )


def run(simulator: str, n_steps: int = 10_000, seed: int = 1) -> SpikeBlock:
    """Simulate `n_steps` steps of 0.1 ms on the named simulator and return the spikes."""
    network = balanced_network()
    source = PoissonSource(network.n_spike_channels, seed=seed)
    rates_hz = np.full((1, network.n_spike_channels), RATE_HZ)
    stimulus = Stimulus(*source.window(1, n_steps, rates_hz))
    with open_simulator(network, SimulatorSettings(name=simulator), seed=seed) as opened:
        return opened.run(n_steps, stimulus)


if __name__ == "__main__":
    for name in ("numba", "nest"):
        spikes = run(name)
        print(f"{name}: {len(spikes)} spikes, the first three neurons {spikes.neuron[:3].tolist()}")
