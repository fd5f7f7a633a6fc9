"""What a run says that it can record."""

from __future__ import annotations

import numpy as np
from vehicle import SCENARIO, Vehicle, VehicleConfig

from ethospike.brains.network import DopamineGated, Network, PairwiseBernoulli, Population, Projection
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.scenarios.run.layout import describe


def test_randomly_many_plastic_weights_are_those_of_the_run_and_its_seed() -> None:
    """They were counted under seed 0, and a run under another one was refused at its first step."""
    cells = Population("E", 20, "iaf_psc_exp")
    rule = DopamineGated("E")
    network = Network((cells,), (Projection("E>E", "E", "E", PairwiseBernoulli(0.3), 1.0, plasticity=rule),))
    counts = set()
    for seed in (0, 1, 2):
        env, agent = SCENARIO.open(VehicleConfig(seed=seed, simulator=SimulatorSettings("numba")))
        assert isinstance(agent, Vehicle)
        agent.close()
        agent.network = network
        with open_simulator(network, agent.simulator.settings, seed=seed) as agent.simulator:
            layout = describe(env, agent, dt_ms=0.1)
            n_synapses = np.shape(agent.simulator.weights("E>E"))[1]
        assert layout.weights == {"E>E": (n_synapses, "pA")}
        counts.add(n_synapses)
    assert len(counts) == 3
