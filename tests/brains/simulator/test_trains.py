"""Input spikes by animal: the same spikes as by step, for every simulator and any number of threads."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from ethospike.brains.network import Network, Population, SpikeInput
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.brains.simulator.window import Trains
from ethospike.brains.spike_trains import sources
from ethospike.brains.spike_trains.sources import GammaSource
from ethospike.errors import BrainError

# Animal 1 has no spikes, and there is room behind those of animal 0.
TRAINS = Trains(
    np.array([3, 5, 99, 4, 5]),
    np.array([1, 0, 99, 1, 0], np.int32),
    np.array([0, 3, 3, 5]),
    np.array([2, 3, 5]),
)
NETWORK = Network(
    [Population("E", 2, "iaf_psc_exp")], spike_inputs=[SpikeInput("in", "E", 600.0, channels=2)]
)


def test_spikes_by_animal_are_sorted_by_step_when_they_are_asked_for() -> None:
    stimulus = Stimulus.by_animal(TRAINS)
    np.testing.assert_array_equal(stimulus.step, [3, 4, 5, 5])
    np.testing.assert_array_equal(stimulus.animal, [0, 2, 0, 2])
    np.testing.assert_array_equal(stimulus.channel, [1, 1, 0, 0])
    assert stimulus.current_pa is None
    with pytest.raises(AttributeError, match="no attribute 'steps'"):
        _ = stimulus.steps  # type: ignore[attr-defined]


def test_a_changed_stimulus_forgets_the_spikes_that_it_was_given_by_animal() -> None:
    later = replace(Stimulus.by_animal(TRAINS), step=np.array([13, 14, 15, 15]))
    assert later.trains is None
    np.testing.assert_array_equal(later.animal, [0, 2, 0, 2])
    copied = pickle.loads(pickle.dumps(Stimulus.by_animal(TRAINS)))
    np.testing.assert_array_equal(copied.step, [3, 4, 5, 5])


@pytest.mark.parametrize("high_hz", [900.0, 9000.0])  # the second window is cut into pieces and joined
def test_sources_give_the_same_spikes_on_any_number_of_threads(
    high_hz: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_TOGETHER_FROM", 2)
    rates = np.random.default_rng(3).uniform(0.0, high_hz, (7, 4))
    made = [GammaSource(4, 3.0, seed=5, animals=7, threads=threads) for threads in (1, 3)]
    for first in (1, 1001, 2001):
        one, other = (source.window(first, 1000, rates) for source in made)
        assert len(one[0]) > 100
        for column, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(column, same)


def test_a_simulator_takes_spikes_by_animal_and_by_step_alike() -> None:
    blocks = []
    for by_animal in (True, False):
        source = GammaSource(2, 3.0, seed=1, animals=3)
        with open_simulator(NETWORK, SimulatorSettings("numba"), seed=1, animals=3) as simulator:
            trains = source.trains(1, 2000, np.full((3, 2), 400.0))
            stimulus = Stimulus.by_animal(trains) if by_animal else Stimulus(*trains.by_step())
            blocks.append(simulator.run(2000, stimulus))
    assert len(blocks[0]) > 20
    np.testing.assert_array_equal(blocks[0].step, blocks[1].step)
    np.testing.assert_array_equal(blocks[0].neuron, blocks[1].neuron)
    np.testing.assert_array_equal(blocks[0].animal, blocks[1].animal)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (TRAINS._replace(step=np.array([5, 3, 99, 4, 5])), "sorted steps in each animal"),
        (TRAINS._replace(step=np.array([3, 11, 99, 4, 5])), "in the window 1 … 10"),
        (TRAINS._replace(channel=np.array([1, 2, 0, 1, 0], np.int32)), "channel 0 … 2 is not in 0 … 1"),
        (TRAINS._replace(last=np.array([2, 4, 5])), "places of spikes in order"),
        (Trains(*TRAINS[:2], TRAINS.first[:3], TRAINS.last[:2]), "of 3 animals, got 2"),
        (Trains(*TRAINS[:2], np.array([0, 3, 3, 5, 5]), np.array([2, 3, 5, 5])), "of 3 animals, got 4"),
    ],
)
@pytest.mark.parametrize("name", ["numba", pytest.param("nest", marks=pytest.mark.simulator("nest"))])
def test_spikes_by_animal_are_checked(name: str, wrong: Trains, message: str) -> None:
    with open_simulator(NETWORK, SimulatorSettings(name), seed=1, animals=3) as simulator:
        with pytest.raises(BrainError, match=message):
            simulator.run(10, Stimulus.by_animal(wrong))
        assert simulator.step == 0
