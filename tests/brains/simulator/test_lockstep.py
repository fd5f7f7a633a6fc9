"""Runs in threads whose simulators are parameter sets of one batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import separate_batch
from spike_blocks import assert_same

from ethospike.brains.conformance.specimens import CURRENT_BASED, FIRE, cell
from ethospike.brains.network import (
    CurrentInput,
    Network,
    PairwiseBernoulli,
    Projection,
    SpikeInput,
)
from ethospike.brains.network.structure import structure
from ethospike.brains.simulator import SIMULATORS, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.simulator.lockstep import Postponed, in_lockstep
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("numba")


@pytest.fixture(autouse=True)
def batches_on_numba(monkeypatch):
    entry = dataclasses.replace(SIMULATORS["numba"], batch="separate_batch:SeparateBatch")
    monkeypatch.setitem(SIMULATORS, "numba", entry)
    monkeypatch.setattr(separate_batch, "room", 100)
    separate_batch.opened.clear()


def network(weight=20.0, size=30, **deviations):
    cells = (cell("source", size, CURRENT_BASED, t_ref=5.0), cell("target", 20, CURRENT_BASED, **deviations))
    return Network(
        cells,
        (Projection("source>target", "source", "target", PairwiseBernoulli(0.3), weight, 0.5),),
        (SpikeInput("fire", "source", FIRE[CURRENT_BASED]),),
        (CurrentInput("cue", "target", 2),),
    )


def run(given, windows=(100,) * 20, *, animals=1, seed=3, offset=0):
    """Run a network with input of its own in windows; return its spikes."""
    with open_simulator(given, seed=seed, animals=animals) as simulator:
        blocks, done = [], 0
        for n_steps in windows:
            step = np.arange(done + 1 + offset % n_steps, done + n_steps + 1, 11)
            animal = (np.arange(len(step)) % animals).astype(np.int32)
            channel = ((step * 7 + offset) % given.n_spike_channels).astype(np.int32)
            current = np.full((animals, 2), 100.0 + 50.0 * offset)
            blocks.append(simulator.run(n_steps, Stimulus(step, animal, channel, current)))
            done += n_steps
        return SpikeBlock.joined(blocks), simulator.backend


def test_sets_of_a_batch_give_what_each_gives_by_itself():
    given = [network(weight=200.0), network(weight=600.0), network(weight=200.0, I_e=150.0)]
    alone = [run(one, offset=k)[0] for k, one in enumerate(given)]
    together = in_lockstep([lambda one=one, k=k: run(one, offset=k) for k, one in enumerate(given)])
    assert separate_batch.opened == [3]
    for expected, (spikes, backend) in zip(alone, together, strict=True):
        assert_same(expected, spikes, at_least=30)
        assert "one of 3 parameter sets" in backend
    assert len({block.step.tobytes() for block in alone}) == 3, "the sets must differ"


def test_windows_and_lengths_may_differ_and_animals_are_counted_within_a_set():
    plans = [(100,) * 20, (250,) * 4, (70, 30) * 30]
    given = [network(I_e=100.0 * k) for k in range(3)]

    def member(k):
        return run(given[k], plans[k], animals=2, offset=k)[0]

    alone = [member(k) for k in range(3)]
    together = in_lockstep([lambda k=k: member(k) for k in range(3)])
    assert separate_batch.opened == [3]
    for expected, spikes in zip(alone, together, strict=True):
        assert_same(expected, spikes, at_least=30)
        assert set(expected.animal) == {0, 1}


def test_other_structures_and_those_that_do_not_fit_are_postponed(monkeypatch):
    monkeypatch.setattr(separate_batch, "room", 2)
    given = [network(), network(I_e=100.0), network(I_e=200.0), network(size=31)]
    outcomes = in_lockstep([lambda one=one: run(one)[0] for one in given])
    assert separate_batch.opened == [2]
    assert_same(run(given[0])[0], outcomes[0], at_least=30)
    assert isinstance(outcomes[1], SpikeBlock)
    assert [outcome.alone for outcome in outcomes[2:] if isinstance(outcome, Postponed)] == [False, True]


def test_members_that_fail_or_open_nothing_do_not_hold_the_others_up():
    def fails():
        with open_simulator(network(I_e=50.0), seed=3) as simulator:
            simulator.run(100)
            raise BrainError("of its own")

    def opens_nothing():
        return "nothing"

    calls = [lambda: run(network())[0], lambda: run(network(I_e=100.0))[0], opens_nothing]
    first, _, third = in_lockstep(calls)
    assert_same(run(network())[0], first, at_least=30)
    assert third == "nothing"
    finished = []

    def noted():
        finished.append(run(network())[0])

    with pytest.raises(BrainError, match="of its own"):
        in_lockstep([noted, fails])
    assert_same(run(network())[0], finished[0], at_least=30)


def test_a_batch_that_fails_postpones_its_members(monkeypatch):
    def broken(self, n_steps, stimulus):
        raise FloatingPointError("broken")

    monkeypatch.setattr(separate_batch.SeparateBatch, "_run", broken)
    outcomes = in_lockstep([lambda: run(network()), lambda: run(network(I_e=100.0))])
    assert [outcome.alone for outcome in outcomes] == [True, True]


def test_a_second_simulator_of_a_run_is_its_own():
    def two(current):
        first, backend = run(network(I_e=current))
        second, other = run(network(I_e=current))
        assert_same(first, second, at_least=30)
        return backend, other

    for backend, other in in_lockstep([lambda: two(0.0), lambda: two(100.0)]):
        assert "parameter sets" in backend
        assert "parameter sets" not in other


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (network(weight=-3.0), True),
        (network(I_e=np.linspace(0.0, 1.0, 20)), True),
        (network(size=31), False),
        (dataclasses.replace(network(), procedural=True), False),
    ],
)
def test_structure_is_all_but_parameters_and_weights(other, equal):
    assert (structure(network()) == structure(other)) is equal


def test_structure_counts_delays_rules_and_inputs():
    base = network()
    (projection,), (spikes,) = base.projections, base.spike_inputs
    for changed in (
        dataclasses.replace(projection, delay_ms=0.6),
        dataclasses.replace(projection, rule=PairwiseBernoulli(0.4)),
    ):
        assert structure(dataclasses.replace(base, projections=(changed,))) != structure(base)
    for changed in (dataclasses.replace(spikes, channels=3), dataclasses.replace(spikes, delay_ms=1.0)):
        assert structure(dataclasses.replace(base, spike_inputs=(changed,))) != structure(base)
    heavier = dataclasses.replace(spikes, weight=2.0)
    assert structure(dataclasses.replace(base, spike_inputs=(heavier,))) == structure(base)
