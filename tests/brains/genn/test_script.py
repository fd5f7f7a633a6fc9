"""PyGeNN scripts as brains: inputs reach their neurons, and misuse is one clear line."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.genn import GennGroups, GennScript
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("genn")

LIF = {
    "C": 0.25,
    "TauM": 10.0,
    "Vrest": -70.0,
    "Vreset": -70.0,
    "Vthresh": -55.0,
    "Ioffset": 0.0,
    "TauRefrac": 2.0,
}
START = {"V": -70.0, "RefracTime": 0.0}
SETTINGS = SimulatorSettings("genn", genn_backend="cpu")


def build(model, weight=20.0):
    """Add four relays, each of which makes a neuron fire, and two neurons that get a current."""
    import pygenn

    from ethospike.brains.genn.script_simulator import add_relays

    odor = add_relays(model, "odor", 4)
    followers = model.add_neuron_population("followers", 4, "LIF", LIF, START)
    driven = model.add_neuron_population("driven", 2, "LIF", LIF, START)
    model.add_synapse_population(
        "odor_followers",
        "SPARSE",
        odor,
        followers,
        pygenn.init_weight_update("StaticPulseConstantWeight", {"g": weight}),
        pygenn.init_postsynaptic("DeltaCurr"),
        pygenn.init_sparse_connectivity("OneToOne"),
    )
    return GennGroups({"followers": followers, "driven": driven}, {"odor": odor}, {"drive": driven})


def test_spikes_and_currents_reach_their_neurons():
    with open_simulator(GennScript(build, weight=60.0), SETTINGS, seed=1) as simulator:
        assert [(p.name, p.size) for p in simulator.network.populations] == [("followers", 4), ("driven", 2)]
        assert "script test_script.py:build, sha256 " in simulator.backend
        (source,) = simulator.network.sources
        assert source.steps == ("weight = 60.0",)
        step = np.array([30, 700, 1_200])
        stimulus = Stimulus(
            step, np.zeros(3, np.int32), np.array([2, 0, 3], np.int32), np.array([[0.0, 0.6]])
        )
        block = simulator.run(1_500, stimulus)
        after = simulator.run(1_500)
    first = [(s, n) for s, n in zip(block.step, block.neuron, strict=True) if n < 4]
    assert [n for _, n in first] == [2, 0, 3]
    np.testing.assert_allclose([s for s, _ in first], step, atol=3)
    # The closed form of the membrane's equation: t_ref + tau ln(I R / (I R − 15 mV)), R = tau / C = 40 MOhm.
    interval_ms = 2.0 + 10.0 * np.log(24.0 / (24.0 - 15.0))
    intervals = np.diff(block.step[block.neuron == 5]) * 0.1
    assert len(intervals) > 8
    np.testing.assert_allclose(intervals, interval_ms, atol=0.2)
    assert not (block.neuron == 4).any()
    assert len(after) <= 1


def test_windows_do_not_change_the_spikes():
    rng = np.random.default_rng(2)
    step = np.sort(rng.integers(1, 2_000, 100))
    stimulus = Stimulus(step, np.zeros(100, np.int32), np.zeros(100, np.int32))
    results = []
    for lengths in ((2_000,), (100,) * 20):
        with open_simulator(GennScript(build, weight=60.0), SETTINGS, seed=1) as simulator:
            blocks = []
            for n in lengths:
                mine = (step > simulator.step) & (step <= simulator.step + n)
                window = Stimulus(step[mine], stimulus.animal[mine], stimulus.channel[mine])
                blocks.append(simulator.run(n, window))
        results.append(np.concatenate([block.step for block in blocks]))
    assert len(results[0]) > 20
    np.testing.assert_array_equal(*results)


def lone(model, **more):
    return GennGroups({"cells": model.add_neuron_population("cells", 2, "LIF", LIF, START)}, **more)


def sets_dt(model):
    model.dt = 0.5
    return lone(model)


def names_a_foreign_group(model):
    return GennGroups({"cells": "cells"})


def feeds_spikes_to_neurons(model):
    groups = lone(model)
    return GennGroups(groups.populations, spike_inputs=groups.populations)


def has_a_typing_error(model):
    model.add_neuron_population("a b", 2, "LIF", LIF, START)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (sets_dt, "sets dt or seed"),
        (names_a_foreign_group, "expected a population of the model, got 'cells'"),
        (feeds_spikes_to_neurons, "expected a population of add_relays"),
        (has_a_typing_error, "GeNN refuses a call of the script"),
        (lambda model: None, "expected the script to return GennGroups, got NoneType"),
        (lambda model: GennGroups({}), "at least one population"),
    ],
)
def test_a_misuse_is_one_clear_line(script, message):
    with pytest.raises(BrainError, match=message) as caught:
        open_simulator(GennScript(script), SETTINGS, seed=1)
    assert "\n" not in str(caught.value)


def test_other_simulators_and_groups_are_refused():
    with pytest.raises(BrainError, match="PyGeNN script runs on genn, not on numba"):
        open_simulator(GennScript(build), seed=1)
    with pytest.raises(BrainError, match="one animal a process"):
        open_simulator(GennScript(build), SETTINGS, seed=1, animals=2)
