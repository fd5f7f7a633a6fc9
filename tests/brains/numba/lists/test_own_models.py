"""Models that run by a step of their own: their state, voltages and random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from spike_blocks import assert_same

from ethospike.brains.conformance.models import OTHERS
from ethospike.brains.conformance.specimens import drive, small_deterministic_network, window
from ethospike.brains.network import (
    FixedIndegree,
    Network,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import PoissonSource

pytestmark = pytest.mark.simulator("numba")
DOUBLE = SimulatorSettings("numba", precision="double")


def noisy(size: int = 30) -> Network:
    cells = Population("cells", size, "pp_psc_delta", {"c_2": 20.0, "q_sfa": 2.0, "I_e": 20.0})
    return Network((cells,), (), (SpikeInput("in", "cells", 2.0),))


CASES = [(small_deterministic_network(model), drive(3000, animals=2)) for model in OTHERS]
CASES.append((noisy(), drive(3000, animals=2)))
CASES[-1] = (noisy(), Stimulus(*(getattr(CASES[-1][1], name) for name in ("step", "animal", "channel"))))


@pytest.mark.parametrize(("network", "stimulus"), CASES, ids=[*OTHERS, "pp_psc_delta"])
def test_a_run_continues_from_a_state_and_is_cut_anywhere(network: Network, stimulus: Stimulus) -> None:
    with open_simulator(network, DOUBLE, seed=1, animals=2) as simulator:
        whole = simulator.run(3000, stimulus)
    with open_simulator(network, DOUBLE, seed=1, animals=2) as simulator:
        first = simulator.run(1003, window(stimulus, 1, 1003))
        saved = simulator.state()
    with open_simulator(network, DOUBLE, seed=1, animals=2) as simulator:
        simulator.set_state(saved)
        rest = simulator.run(1997, window(stimulus, 1004, 1997))
    assert_same(SpikeBlock.joined([first, rest]), whole, at_least=30)


def test_random_spikes_belong_to_an_animal_whatever_the_group() -> None:
    def of_animal_1(animals: int) -> list[tuple[int, int]]:
        with open_simulator(noisy(), DOUBLE, seed=1, animals=animals) as simulator:
            block = simulator.run(3000)
        own = block.animal == 1
        return list(zip(block.step[own].tolist(), block.neuron[own].tolist(), strict=True))

    assert len(of_animal_1(2)) > 50
    assert of_animal_1(2) == of_animal_1(3)


@pytest.mark.simulator("genn")
def test_random_spikes_are_the_same_on_genn() -> None:
    blocks = []
    for name in ("numba", "genn"):
        settings = SimulatorSettings(name, precision="double")
        with open_simulator(noisy(), settings, seed=1, animals=2) as simulator:
            blocks.append(simulator.run(3000, CASES[-1][1]))
    assert_same(blocks[0], blocks[1], at_least=100)


def test_voltages_are_those_of_the_equation() -> None:
    """Forward Euler by hand, spikes included; in mV, not relative to anything."""
    network = Network((Population("cell", 1, "izhikevich", {"I_e": 10.0}),))
    with open_simulator(network, DOUBLE, seed=1) as simulator:
        simulator.watch(np.array([0]))
        block = simulator.run(2000)
        got = simulator.voltages()[:, 0, 0]
    v, u, expected, fired = -65.0, -13.0, [], []
    for step in range(1, 2001):
        v, u = (
            v + 0.1 * (0.04 * v * v + 5 * v + 140 - u + 10.0),
            u + 0.1 * 0.02 * (0.2 * v - u),
        )
        if v >= 30.0:
            v, u = -65.0, u + 8.0
            fired.append(step)
        expected.append(v)
    assert len(fired) > 3
    assert block.step.tolist() == fired
    assert got == pytest.approx(np.array(expected), abs=1e-9)


def test_models_of_all_kinds_live_in_one_network() -> None:
    """Populations of 20 neurons, so that blocks of 16 are shared by none."""
    kinds = ("iaf_psc_delta", "iaf_psc_exp", "iaf_cond_exp", "iaf_psc_alpha", "iaf_psc_exp")
    current = {"I_e": 700.0}
    together = Network(tuple(Population(f"{i}", 20, kind, current) for i, kind in enumerate(kinds)))
    with open_simulator(together, DOUBLE, seed=1) as simulator:
        block = simulator.run(1000)
    for index, kind in enumerate(kinds):
        with open_simulator(Network((Population("0", 20, kind, current),)), DOUBLE, seed=1) as simulator:
            alone = simulator.run(1000)
        own = (block.neuron >= 20 * index) & (block.neuron < 20 * index + 20)
        assert len(alone) > 40
        assert block.step[own].tolist() == alone.step.tolist()
        assert (block.neuron[own] - 20 * index).tolist() == alone.neuron.tolist()


@pytest.mark.simulator("nest")
def test_a_balanced_network_of_aeif_spikes_as_on_nest() -> None:
    """Every spike of 400 + 100 cells with three delays, although NEST chooses other substeps."""
    common = {"t_ref": 2.0, "V_m": Uniform(-70.0, -55.0), "tau_syn_ex": 2.0, "tau_syn_in": 5.0, "I_e": 450.0}
    network = Network(
        (
            Population("E", 400, "aeif_cond_exp", common),
            Population("I", 100, "aeif_cond_exp", {**common, "b": 0.0}),
        ),
        (
            Projection("E>E", "E", "E", FixedIndegree(40), 2.5, 1.5),
            Projection("E>I", "E", "I", FixedIndegree(40), 2.5, 0.8),
            Projection("I>E", "I", "E", FixedIndegree(10), -20.0, 0.8),
            Projection("I>I", "I", "I", FixedIndegree(10), -20.0, 1.0),
        ),
        (SpikeInput("x", "E", 2.0), SpikeInput("y", "I", 2.0)),
    )
    source = PoissonSource(network.n_spike_channels, seed=1)
    stimulus = Stimulus(*source.window(1, 4000, np.full((1, network.n_spike_channels), 2500.0)))
    blocks = []
    for settings in (DOUBLE, SimulatorSettings("nest", threads=1)):
        with open_simulator(network, settings, seed=3) as simulator:
            blocks.append(simulator.run(4000, stimulus))
    assert_same(blocks[0], blocks[1], at_least=1000)
