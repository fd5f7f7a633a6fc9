"""The adult fly's network and graphs with its statistics."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.circuits.connectome.fly import TRANSMITTER_SIGNS, fly_network
from ethospike.brains.circuits.connectome.synthetic import FLY, synthetic_connectome
from ethospike.errors import BrainError


def test_graphs_have_the_sizes_degrees_and_signs_asked_for():
    statistics = FLY.scaled(4_000)
    connectome, signs = synthetic_connectome(statistics, seed=3)
    assert connectome.n_edges == statistics.edges
    assert not connectome.autapses.any()
    key = connectome.pre * 4_000 + connectome.post
    assert (np.diff(key) > 0).all()
    assert (signs == -1).sum() == 1_600
    # 54.5 million synapses of 15.1 million edges.
    assert connectome.synapses.mean() == pytest.approx(54.5 / 15.09, rel=0.1)
    degree = np.bincount(connectome.pre, minlength=4_000)
    assert np.log(degree[degree > 0]).std() == pytest.approx(FLY.out_spread, abs=0.2)
    again, _ = synthetic_connectome(statistics, seed=3)
    assert (again.pre == connectome.pre).all()
    assert "synthetic" in connectome.source.name


def test_impossible_graphs_are_refused():
    with pytest.raises(BrainError, match="up to a quarter of their pairs"):
        FLY.scaled(100)


def test_driven_neurons_come_first_and_fire_at_every_input():
    connectome, signs = synthetic_connectome(FLY.scaled(600), seed=1)
    network = fly_network(connectome, signs, [7, 3])
    names = network.population("neurons").labels["id"]
    assert names[:4] == ["7", "3", "0", "1"]
    assert network.population("neurons").params["t_ref"][:3].tolist() == [0.0, 0.0, 2.2]
    wired = network.wire("neurons>neurons", 1, 0)
    assert len(wired.source) == connectome.n_edges
    sign = signs[[7, 3]]
    assert np.sign(wired.weight[wired.source == 0]).min() == sign[0]
    assert np.abs(wired.weight).min() == pytest.approx(0.275)
    assert set(wired.delay_ms) == {1.8}
    with pytest.raises(BrainError, match="different rows in 0 … 599"):
        fly_network(connectome, signs, [3, 3])


def test_signs_are_those_of_the_published_model():
    rows = {row.value: row.inhibitory for row in TRANSMITTER_SIGNS.rows}
    assert {name for name, share in rows.items() if share} == {"GABA", "GLUT", "gaba", "glutamate"}
