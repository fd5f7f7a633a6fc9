"""Saved states of GeNN: every array counts, queues are turned, and what does not fit is refused.

The conformance suite continues a run with every neuron model and every rule (`brains/conformance/states.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from spike_blocks import assert_same

from ethospike.brains.conformance.specimens import (
    ADAPTING,
    CURRENT_BASED,
    FIRE,
    cell,
    drive,
    poisson_spikes,
    small_deterministic_network,
    window,
)
from ethospike.brains.network import (
    AllToAll,
    CurrentInput,
    DopamineGated,
    FilteredSpikes,
    FixedIndegree,
    Network,
    PairSTDP,
    Population,
    Projection,
    SpikeInput,
    ThreeFactor,
    Uniform,
)
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.errors import SimulatorUnavailable, StateError

pytestmark = pytest.mark.simulator("genn")
GENN = SimulatorSettings("genn", genn_backend="cpu")
BEFORE, AFTER, ANIMALS = (300, 7, 1, 1, 1, 1, 1, 1), (1, 2, 40), 2
CHANNELS = 8 + 2 + 3
CHANGED = ("at once", "later", "far", "many delays", "hold", "hold each other")


def everything() -> Network:
    """A network with all that GeNN keeps from step to step: queues of spikes and variables, dendritic delays,
    learned weights, events that wait, late input, generators."""
    gated = DopamineGated("teacher", tau_eligibility_ms=100.0, learning_rate=2.0, homeostasis=0.02)
    filtered = ThreeFactor(FilteredSpikes("teacher", tau_n=50.0), 0.5, A_minus=0.3, tau_filter_ms=30.0)
    rate = {"c_2": 900.0, "dead_time": 2.0, "q_sfa": 0.2, "I_e": 100.0}
    return Network(
        (
            cell("source", 8, ADAPTING, t_ref=3.0, q_sfa=2.0),
            cell("teacher", 2, ADAPTING, t_ref=1.0, q_sfa=2.0),
            cell("target", 3, ADAPTING, tau_syn_ex=3.0, q_sfa=2.0),
            Population("noisy", 4, "pp_psc_delta", rate),
        ),
        (
            Projection("at once", "source", "target", FixedIndegree(5), 60.0, 0.1, gated),
            Projection("later", "source", "target", AllToAll(), 60.0, 0.6, gated),
            Projection("far", "source", "teacher", AllToAll(), 5.0, 1.7),
            Projection("many delays", "source", "target", FixedIndegree(4), -5.0, Uniform(0.3, 2.0)),
            Projection("hold", "teacher", "source", AllToAll(), -5.0, 0.3),
            Projection("hold each other", "teacher", "teacher", AllToAll(), -5.0, 0.3),
            Projection("stdp", "source", "target", FixedIndegree(6), 30.0, 0.4, PairSTDP(lambda_=0.1)),
            Projection("filtered", "source", "target", FixedIndegree(3), 40.0, 1.2, filtered),
        ),
        (
            SpikeInput("to source", "source", FIRE[ADAPTING], delay_ms=1.5),
            SpikeInput("to teacher", "teacher", FIRE[ADAPTING], delay_ms=0.1),
            SpikeInput("to target", "target", FIRE[ADAPTING], delay_ms=0.2),
        ),
        (CurrentInput("current", "noisy"),),
    )


def given(first: int, n_steps: int) -> Stimulus:
    """Return dense input, with a current that changes from window to window."""
    stimulus = poisson_spikes(sum(BEFORE + AFTER), range(CHANNELS), 0.03, ANIMALS)
    return replace(window(stimulus, first, n_steps), current_pa=np.full((ANIMALS, 1), 100.0 + n_steps))


def run(simulator: Any, lengths: tuple[int, ...]) -> tuple[SpikeBlock, dict[str, np.ndarray]]:
    """Run windows; return spikes and the state at the end."""
    blocks = [simulator.run(n, given(simulator.step + 1, n)) for n in lengths]
    return SpikeBlock.joined(blocks), simulator.state()


def is_same(one: Any, other: Any) -> bool:
    (spikes, end), (spikes_too, end_too) = one, other
    columns = ("step", "animal", "neuron")
    return all(np.array_equal(getattr(spikes, c), getattr(spikes_too, c)) for c in columns) and all(
        np.array_equal(values, end_too[name]) for name, values in end.items()
    )


@pytest.fixture(scope="module")
def opened():
    """A simulator, its first state, a later one, and the run from there."""
    with open_simulator(everything(), GENN, seed=5, animals=ANIMALS) as simulator:
        fresh = simulator.state()
        run(simulator, BEFORE[:1])
        for name in CHANGED:
            simulator.set_weights(name, 0.9 * simulator.weights(name))
        simulator.silence([1, 9, 12, 16])
        _, saved = run(simulator, BEFORE[1:])
        yield simulator, fresh, saved, run(simulator, AFTER)


def test_a_new_simulator_goes_on(opened) -> None:
    _, _, saved, whole = opened
    assert len(whole[0]) >= 20
    with open_simulator(everything(), GENN, seed=5, animals=ANIMALS) as other:
        other.set_state(saved)
        assert is_same(run(other, AFTER), whole)


def test_a_state_may_be_restored_again_and_again_wherever_the_queues_stand(opened) -> None:
    simulator, _, saved, whole = opened
    for n_steps in (1, 5, 18):
        simulator.run(n_steps, None)
        simulator.set_state(saved)
        assert all(np.array_equal(saved[name], values) for name, values in simulator.state().items())
        assert is_same(run(simulator, AFTER), whole)


def states(simulator: Any, saved: Any, moments: int) -> Iterator[Any]:
    """Yield states of consecutive steps, with the run from there."""
    for _ in range(moments):
        simulator.set_state(saved)
        yield saved, run(simulator, AFTER)
        simulator.set_state(saved)
        _, saved = run(simulator, (1,))


LISTS = {"animal": "step", "neuron": "step", "late_column": "late_step"}
"""Columns of lists, each by its first column."""


def test_every_array_of_a_state_counts(opened) -> None:
    """Each is left as in a new simulator, one at a time: then the run becomes another."""
    simulator, fresh, first, _ = opened
    columns: dict[str, list[str]] = {}
    for name in first.keys() - {"step", *(name for name in first if name.endswith("/fires"))}:
        begin, last = name.rpartition("/")[0], name.rpartition("/")[2]
        columns.setdefault(f"{begin}/{LISTS.get(last, last)}", []).append(name)
    assert len(columns) > 60
    for saved, whole in states(simulator, first, 30):
        for part, names in sorted(columns.items()):
            if not all(np.array_equal(saved[name], fresh[name]) for name in names):
                simulator.set_state({**saved, **{name: fresh[name] for name in names}})
                if not is_same(run(simulator, AFTER), whole):
                    del columns[part]
        if not columns:
            break
    assert not columns


def test_queues_that_are_not_turned_are_found(opened, monkeypatch) -> None:
    from ethospike.brains.genn.states import Queue

    simulator, _, first, expected = opened
    left = {name for name, values in first.items() if name.startswith("genn/") and len(values) > 1}
    assert {"srcSpkCnt", "srcSpk", "denDelay", "last_now"} <= {name.rsplit("/")[-1] for name in left}
    for saved, whole in states(simulator, first, 30):
        for name in sorted(left):
            simulator.set_state({**saved, name: np.roll(saved[name], -1, axis=0)})
            if not is_same(run(simulator, AFTER), whole):
                left.remove(name)
        if not left:
            break
    assert not left
    write = Queue.write
    monkeypatch.setattr(Queue, "write", lambda queue, values, turned: write(queue, values, 0))
    simulator.set_state(first)
    assert not is_same(run(simulator, AFTER), expected)


def test_input_of_a_step_is_consumed_in_it(opened) -> None:
    """So it is no part of a state."""
    simulator, _, saved, _ = opened
    simulator.set_state(saved)
    seen = 0
    for _ in range(20):
        simulator.run(1, given(simulator.step + 1, 1))
        for group in simulator._model.synapse_populations.values():
            if not group._ps_model_fused:
                array = group._get_array("outPost", simulator._model.precision)
                assert not array.view.any()
                seen += 1
    assert seen >= 20


def test_a_state_that_does_not_fit_changes_nothing(opened) -> None:
    simulator, _, saved, whole = opened
    simulator.set_state(saved)
    for name, values in (
        ("genn/n0/v", saved["genn/n0/v"][:, 1:]),
        ("weights/far", saved["weights/far"][1:]),
        ("weights/later", np.empty(0)),
        ("learning/rules/filtered/0/modulator", np.zeros(3)),
        ("pending/later/last_spike_step", np.zeros((1, 8), np.int64)),
    ):
        with pytest.raises(StateError, match=name.rsplit("/")[0]):
            simulator.set_state({**saved, name: values})
    with pytest.raises(StateError, match="expected the entries"):
        simulator.set_state({name: values for name, values in saved.items() if name != "spikes/late_step"})
    assert is_same(run(simulator, AFTER), whole)


def test_after_an_interruption_a_state_makes_a_simulator_usable(opened, monkeypatch) -> None:
    simulator, _, saved, whole = opened
    simulator.set_state(saved)
    monkeypatch.setattr(simulator._record, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulator.run(13, None)
    monkeypatch.undo()
    with pytest.raises(SimulatorUnavailable, match="set a state or open a new one"):
        simulator.run(1)
    simulator.set_state(saved)
    assert is_same(run(simulator, AFTER), whole)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_weights_that_were_set_later_are_those_described_again(opened) -> None:
    simulator, fresh, saved, _ = opened
    described = simulator.network.wire("far", 5, 0).weight
    simulator.set_state(fresh)
    np.testing.assert_array_equal(simulator.weights("far")[0], described)
    assert not simulator.suppressed_spikes().any()
    simulator.run(1, given(1, 1))
    assert simulator.state()["weights/far"].size == 0
    simulator.set_state(saved)
    np.testing.assert_array_equal(simulator.weights("far")[0], 0.9 * described)


def test_animals_with_different_numbers_of_synapses_are_silenced_and_saved() -> None:
    """Their weights have no axis of animals."""
    network, stimulus = small_deterministic_network(CURRENT_BASED), drive(1200, 2, current_pa=20.0)
    with open_simulator(network, GENN, seed=3, animals=2) as simulator:
        assert simulator.n_synapses("E>I", 0) != simulator.n_synapses("E>I", 1)
        simulator.run(500, window(stimulus, 1, 500))
        simulator.silence(silent=[1], cut=np.arange(15))
        cut = simulator.run(200, window(stimulus, 501, 200))
        saved = simulator.state()
        onward = simulator.run(500, window(stimulus, 701, 500))
        simulator.silence()
        simulator.set_state(saved)
        assert_same(onward, simulator.run(500, window(stimulus, 701, 500)), at_least=20)
        assert len(cut) > 5
        assert simulator.suppressed_spikes()[:, 1].min() > 0
    with open_simulator(network, GENN, seed=3, animals=2) as simulator:
        simulator.set_state(saved)
        assert_same(onward, simulator.run(500, window(stimulus, 701, 500)), at_least=20)


def test_batches_have_no_states() -> None:
    from ethospike.brains.genn.batch import GennBatch

    with GennBatch([small_deterministic_network(CURRENT_BASED)], GENN, seed=3, animals=2) as batch:
        with pytest.raises(SimulatorUnavailable, match="cannot save its state"):
            batch.state()
        with pytest.raises(SimulatorUnavailable, match="neither copied nor pickled"):
            copy.copy(batch)
