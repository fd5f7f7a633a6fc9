"""The contract itself: settings, spike blocks, opening by name."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from reference_simulator import ReferenceSimulator, open_reference
from spike_blocks import assert_same

from ethospike.brains.conformance import small_deterministic_network
from ethospike.brains.conformance.specimens import drive, probe, trained, window
from ethospike.brains.network import AllToAll, Network, Population, Projection, Synapses
from ethospike.brains.simulator import (
    SIMULATORS,
    SimulatorSettings,
    SpikeBlock,
    Stimulus,
    is_installed,
    simulator_class,
)
from ethospike.errors import BrainError, SimulatorUnavailable

NETWORK = Network((Population("E", 2, "iaf_psc_exp"),))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "nets"}, "did you mean 'nest'"),
        ({"threads": -1}, "threads"),
        ({"plasticity_interval_ms": 0.0}, "plasticity_interval_ms"),
        ({"name": "numba", "precision": "half"}, "single, double"),
        ({"name": "nest", "precision": "double"}, "a setting of numba and genn, not of nest"),
        ({"name": "genn", "threads": 2}, "a setting of nest and numba, not of genn"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, message):
    with pytest.raises(BrainError, match=message):
        SimulatorSettings(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"animals": 0}, "animals"),
        ({"seed": -1}, "seed"),
        ({"dt_ms": 0.0}, "dt_ms"),
        ({"dt_ms": np.nan}, "dt_ms"),
    ],
)
def test_impossible_runs_are_refused(given, message):
    with pytest.raises(BrainError, match=message):
        open_reference(NETWORK, **{"seed": 1, **given})


def test_spike_blocks_sort_by_step_animal_neuron():
    block = SpikeBlock.sorted(np.array([5, 3, 5, 5]), np.array([1, 0, 0, 0]), np.array([0, 7, 9, 2]))
    assert list(zip(block.step, block.animal, block.neuron, strict=True)) == [
        (3, 0, 7),
        (5, 0, 2),
        (5, 0, 9),
        (5, 1, 0),
    ]
    assert [a.dtype for a in (block.step, block.animal, block.neuron)] == [np.int64, np.int32, np.int32]
    assert len(SpikeBlock.empty()) == 0


def test_an_empty_stimulus_needs_no_currents():
    with open_reference(probe("iaf_psc_exp"), seed=1) as simulator:
        assert len(simulator.run(10, Stimulus.none())) == 0


class StopsOnce(ReferenceSimulator):
    """Somebody presses Ctrl-C in step 150."""

    def _advance(self, step, given):
        if step == 150 and not hasattr(self, "stopped"):
            self.stopped = True
            raise KeyboardInterrupt
        return super()._advance(step, given)


def test_after_a_run_that_did_not_end_only_a_state_or_a_new_simulator_goes_on():
    """Steps 101 to 149 once were simulated twice, and nobody noticed."""
    network, stimulus = small_deterministic_network("iaf_psc_exp"), drive(1000)
    with open_reference(network, seed=1) as simulator:
        expected = simulator.run(1000, stimulus)
    with open_reference(network, seed=1, cls=StopsOnce) as simulator:
        first = simulator.run(100, window(stimulus, 1, 100))
        saved = simulator.state()
        rest = window(stimulus, 101, 900)
        with pytest.raises(KeyboardInterrupt):
            simulator.run(900, rest)
        for use in (lambda: simulator.run(900, rest), lambda: simulator.weights("E>E")):
            with pytest.raises(SimulatorUnavailable, match=r"did not end.*set a state or open a new one"):
                use()
        simulator.set_state(saved)
        assert_same(SpikeBlock.joined([first, simulator.run(900, rest)]), expected, at_least=20)
    with pytest.raises(SimulatorUnavailable, match="closed"):
        simulator.run(1)


def test_a_refused_stimulus_leaves_the_simulator_usable():
    with open_reference(probe("iaf_psc_exp"), seed=1) as simulator:
        with pytest.raises(BrainError, match="currents of shape"):
            simulator.run(10, Stimulus.currents(np.zeros((3, 1))))
        assert len(simulator.run(10)) == 0


def test_weights_of_animals_that_differ_in_number_are_refused():
    with (
        open_reference(small_deterministic_network("iaf_psc_exp"), seed=1, animals=2) as simulator,
        pytest.raises(BrainError, match="animals differ"),
    ):
        simulator.weights("E>E")


def test_plastic_weights_below_zero_are_refused():
    with open_reference(trained(), seed=1) as simulator:
        simulator.set_weights("source>target", np.zeros((1, 24)))
        with pytest.raises(BrainError, match=r"at least 0, got \[-1\.0"):
            simulator.set_weights("source>target", np.full((1, 24), -1.0))


@pytest.mark.parametrize(
    ("described", "fitting", "wrong"), [(-3.0, -5.0, 0.5), (0.0, 5.0, -0.5), (3.0, 5.0, -0.5)]
)
def test_a_synapse_keeps_the_sign_that_the_network_gives_it(described, fitting, wrong):
    """Also by way of 0: on GeNN such a weight once kept the receptor of the other sign."""
    cells = Population("E", 2, "iaf_psc_exp")
    network = Network((cells,), (Projection("p", "E", "E", AllToAll(), described),))
    with open_reference(network, seed=1) as simulator:
        for accepted in (fitting, 0.0, fitting):
            simulator.set_weights("p", np.full((1, 2), accepted))
            assert (simulator.weights("p") == accepted).all()
            sign = "below" if described < 0 else "not below"
            with pytest.raises(
                BrainError, match=rf"got {wrong} for a synapse described with a weight {sign} 0"
            ):
                simulator.set_weights("p", np.full((1, 2), wrong))


def test_a_folder_with_the_name_of_a_package_is_no_simulator(tmp_path, monkeypatch):
    """Python finds such a folder as a package without an origin."""
    (tmp_path / "no_such_simulator").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.util.find_spec("no_such_simulator") is not None
    monkeypatch.setitem(SIMULATORS, "nest", replace(SIMULATORS["nest"], package="no_such_simulator"))
    assert not is_installed("nest")


def test_every_simulator_of_the_table_has_its_class():
    for name, entry in SIMULATORS.items():
        if is_installed(name):
            assert simulator_class(name).name == name
            assert importlib.metadata.version(entry.distribution)


@pytest.mark.simulator("nest")
def test_simulators_open_by_name():
    from ethospike.brains.simulator import open_simulator

    with open_simulator(NETWORK, SimulatorSettings(name="nest"), seed=1) as simulator:
        assert simulator.name == "nest"
        assert simulator.backend.startswith("NEST 3")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.simulator(name)) for name in SIMULATORS],
)
def test_synapses_are_drawn_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and setting weights drew them again, and so did plasticity."""
    drawn: list[tuple[str, int]] = []
    plain = Network.draw

    def draw(network: Network, projection: str, seed: int, animal: int) -> Synapses:
        drawn.append((projection, animal))
        return plain(network, projection, seed, animal)

    monkeypatch.setattr(Network, "draw", draw)
    inhibition = Projection("target>source", "target", "source", AllToAll(), -50.0, 0.1)
    network = replace(trained(), projections=(*trained().projections, inhibition))
    expected = {(p.name, animal) for p in network.projections for animal in range(2)}
    described = {(n, a): plain(network, n, 3, a).weight for n, a in expected}
    with simulator_class(name)(network, SimulatorSettings(name), seed=3, animals=2) as simulator:
        for projection in network.projections:
            weights = simulator.weights(projection.name)
            assert simulator.n_synapses(projection.name, 1) == weights.shape[1] > 0
            for animal in range(2):
                np.testing.assert_allclose(weights[animal], described[projection.name, animal], rtol=1e-6)
            simulator.set_weights(projection.name, weights)
            wrong = -weights - 1.0 if (weights >= 0).all() else 1.0 - weights
            with pytest.raises(BrainError, match=r"the sign in the network|at least 0"):
                simulator.set_weights(projection.name, wrong)
        simulator.run(10)
    assert set(drawn) == expected
    assert len(drawn) == len(expected)
