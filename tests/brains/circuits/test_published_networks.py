"""Networks on which simulators are compared: their numbers, and that they fire."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.circuits import microcircuit as pd
from ethospike.brains.circuits.balanced import brunel, sparse_balanced, weight_of
from ethospike.brains.circuits.microcircuit import LAYERS, SIZES, microcircuit, n_synapses
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.errors import BrainError


def test_weight_of_a_postsynaptic_potential() -> None:
    """87.8 pA for 0.15 mV: table 5 of Potjans & Diesmann 2014. The peak is looked up on a fine grid, too."""
    weight = weight_of(0.15, 10.0, 250.0, 0.5)
    assert weight == pytest.approx(87.8, abs=0.05)
    time_ms = np.arange(0.0, 20.0, 0.001)
    potential = weight / 250.0 * 0.5 * 10.0 / 9.5 * (np.exp(-time_ms / 10.0) - np.exp(-time_ms / 0.5))
    assert potential.max() == pytest.approx(0.15, rel=1e-6)


def test_brunels_network_has_its_sizes_and_a_constant_mean_input() -> None:
    whole, part = brunel().network, brunel(0.1).network
    assert [p.size for p in whole.populations] == [10_000, 2_500]
    assert whole.n_synapses == 12_500 * 1_250
    assert {p.delay_ms for p in whole.projections} == {1.5}
    for network in (whole, part):
        k = network.n_synapses / network.n_neurons
        weights = [float(p.weight) for p in network.projections]
        assert weights[2] == -5 * weights[0]
        assert k * weights[0] == pytest.approx(1_250 * weight_of(0.1, 20.0, 250.0, 0.5))


def test_the_sparse_network_has_two_delays() -> None:
    network = sparse_balanced().network
    assert (network.n_neurons, network.n_synapses) == (50_000, 5_000_000)
    assert {p.delay_ms for p in network.projections} == {1.5, 0.8}


def test_the_microcircuit_has_the_published_numbers() -> None:
    network = microcircuit().network
    assert network.n_neurons == sum(SIZES) == 77_169
    # "approximately 0.3 billion synapses" (Potjans & Diesmann 2014, abstract)
    assert network.n_synapses == pytest.approx(3e8, rel=0.01)
    by_name = {p.name: p for p in network.projections}
    assert by_name["L4E>L23E"].weight.mean == 2 * by_name["L23E>L23E"].weight.mean
    assert by_name["L4I>L4E"].weight.mean == -4 * by_name["L4E>L4E"].weight.mean
    assert "L5I>L23E" not in by_name  # probability 0
    # At least one synapse of a pair: 1 - (1 - 1/pairs)^n = p.
    pairs = SIZES[0] * SIZES[0]
    assert 1 - (1 - 1 / pairs) ** n_synapses(0, 0) == pytest.approx(0.1009, rel=1e-6)


def test_a_smaller_microcircuit_has_the_mean_input_of_the_whole() -> None:
    """Recurrent input at the published rates, external input and constant current add up to the same."""

    def mean_pa(scale: float, noise: bool) -> np.ndarray:
        network, rate_hz = microcircuit(scale, noise=noise)
        total = np.array([float(p.param("I_e")) for p in network.populations])
        for projection in network.projections:
            target, source = LAYERS.index(projection.target), LAYERS.index(projection.source)
            k = projection.rule.n / network.populations[target].size
            total[target] += k * projection.weight.mean * pd.FULL_MEAN_HZ[source] * 0.5e-3
        for given in network.spike_inputs:
            rate = rate_hz[network.spike_channels(given.name)].mean()
            total[LAYERS.index(given.target)] += given.weight * rate * 0.5e-3
        return total

    expected = mean_pa(1.0, noise=True)
    for scale, noise in ((1.0, False), (0.1, True), (0.1, False)):
        np.testing.assert_allclose(mean_pa(scale, noise), expected, rtol=0.01, atol=2.0)


@pytest.mark.simulator("numba")
def test_the_networks_fire() -> None:
    for driven in (brunel(0.02), sparse_balanced(0.01)):
        with open_simulator(driven.network, SimulatorSettings("numba"), seed=1) as simulator:
            assert len(simulator.run(1000)) > 0 or len(driven.rate_hz)


@pytest.mark.parametrize("make", [brunel, microcircuit])
def test_scales_that_leave_nothing_are_refused(make) -> None:
    with pytest.raises(BrainError, match="expected a scale from"):
        make(0.001)
