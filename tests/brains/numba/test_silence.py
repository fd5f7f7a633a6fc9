"""Silence on the engines that the conformance suite's small networks do not get: bits and rows."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.conformance import silence
from ethospike.brains.conformance.specimens import CURRENT_BASED
from ethospike.brains.network import AllToAll, Network, PairwiseBernoulli, Population, Projection
from ethospike.brains.numba import simulator as numba_simulator
from ethospike.brains.numba.choice import engine_class
from ethospike.brains.simulator import Simulator, open_simulator


def opened_by(engine: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(numba_simulator, "choose_engine", lambda network: engine_class(engine))
    return open_simulator


def test_rows_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    open_network = opened_by("rows", monkeypatch)
    silence.check_silence(open_network)
    silence.check_silence_and_plasticity(open_network)


def cells() -> Network:
    rates = np.linspace(380.0, 500.0, 60)
    params = {"I_e": rates}
    return Network(
        [Population(name, 60, CURRENT_BASED, params, clusters=3) for name in ("E", "I")],
        [
            Projection("E>I", "E", "I", PairwiseBernoulli(0.3), 20.0, 1.5),
            Projection("I>E", "I", "E", PairwiseBernoulli(0.3), -20.0, 1.5),
            Projection("E>E", "E", "E", AllToAll(), 2.0, 1.5),
        ],
    )


def spikes_of(simulator: Simulator, *, silent, cut):
    with simulator:
        before = simulator.run(1000)
        simulator.silence(silent, cut)
        during = simulator.run(1000)
        state = simulator.state()
        during_too = simulator.run(1000)
        suppressed = simulator.suppressed_spikes()
        simulator.set_state(state)
        repeated = simulator.run(1000)
        simulator.silence()
        after = simulator.run(1000)
    np.testing.assert_array_equal(during_too.step, repeated.step)
    return before, during, during_too, after, suppressed


@pytest.mark.parametrize("engine", ["bits", "rows"])
def test_engines_silence_the_same_neurons(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    silent, cut = np.arange(5, 20), np.arange(60, 75)

    def measured(engine: str):
        opened = opened_by(engine, monkeypatch)
        return spikes_of(opened(cells(), seed=3, animals=2), silent=silent, cut=cut)

    lists, others = measured("lists"), measured(engine)
    before, during, during_too, after, suppressed = others
    for block, expected in zip(others[:4], lists[:4], strict=True):
        assert len(block) > 200
        # Sums of single precision in another order move a spike by a step now and then.
        assert len(block) == pytest.approx(len(expected), rel=0.02)
    for block in (during, during_too):
        assert not np.isin(block.neuron, silent).any()
        assert np.isin(block.neuron, cut).any()
    assert np.isin(before.neuron, silent).any()
    assert np.isin(after.neuron, silent).any()
    assert suppressed[:, silent].sum() > 50
    assert suppressed.sum() == suppressed[:, silent].sum()
    np.testing.assert_allclose(suppressed.sum(), lists[4].sum(), rtol=0.02)


@pytest.mark.parametrize("engine", ["lists", "bits", "rows"])
def test_cut_outputs_reach_no_target(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = cells()
    alone = Network(network.populations, [])

    def run(network: Network, cut):
        with opened_by(engine, monkeypatch)(network, seed=3) as simulator:
            simulator.silence(cut=cut)
            return simulator.run(2000)

    if engine == "bits":  # it needs a projection
        alone = Network(network.populations, [Projection("E>I", "E", "I", PairwiseBernoulli(0.3), 0.0, 1.5)])
    without, everything = run(alone, []), run(network, np.arange(120))
    connected = run(network, [])
    np.testing.assert_array_equal(everything.step, without.step)
    np.testing.assert_array_equal(everything.neuron, without.neuron)
    assert len(connected) != len(without)
