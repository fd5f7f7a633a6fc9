"""Networks as data: rules draw what they promise, and a description that cannot be run is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.brains.network import (
    NEURON_MODELS,
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    CurrentInput,
    DopamineGated,
    Explicit,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    RandomIndegree,
    SpikeInput,
    Uniform,
)
from ethospike.errors import BrainError
from ethospike.randomness import random_stream

MODEL = "iaf_psc_exp"


def cells(name="E", size=40, clusters=1, **params):
    return Population(name, size, MODEL, params, clusters)


def wire(rule, weight=1.0, recurrent=True, seed=1, animal=0, clusters=4):
    populations = (
        (cells("E", 40, clusters),) if recurrent else (cells("E", 40, clusters), cells("I", 20, clusters))
    )
    target = "E" if recurrent else "I"
    return Network(populations, (Projection("p", "E", target, rule, weight),)).wire("p", seed, animal)


RANDOM = [
    PairwiseBernoulli(0.3),
    PairwiseBernoulli(0.9),
    FixedIndegree(7),
    FixedIndegree(30),  # more than half: drawn by what is left out
    FixedOutdegree(7),
    FixedTotalNumber(90),
    FixedTotalNumber(700),
    RandomIndegree(2, 6),
    RandomIndegree(10, 35),
    ClusteredIndegree(3),
    ClusteredIndegree(8),
]
RULES = [AllToAll(), *RANDOM]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("recurrent", [True, False], ids=["recurrent", "feedforward"])
def test_no_autapses_and_no_multapses_in_sorted_order(rule, recurrent):
    wired = wire(rule, recurrent=recurrent)
    pairs = list(zip(wired.source.tolist(), wired.target.tolist(), strict=True))
    assert len(pairs) > 50
    assert pairs == sorted(set(pairs))
    assert not recurrent or all(a != b for a, b in pairs)
    assert (wired.source.dtype, wired.target.dtype, wired.weight.dtype) == (np.int32, np.int32, np.float64)


@pytest.mark.parametrize("recurrent", [True, False], ids=["recurrent", "feedforward"])
def test_in_degrees(recurrent):
    n_target = 40 if recurrent else 20
    assert (np.bincount(wire(FixedIndegree(7), recurrent=recurrent).target) == 7).all()
    drawn = np.bincount(wire(RandomIndegree(2, 6), recurrent=recurrent).target, minlength=n_target)
    assert set(drawn) <= {2, 3, 4, 5, 6}
    assert len(set(drawn)) > 2
    wired = wire(ClusteredIndegree(3), recurrent=recurrent)
    of_pair = np.zeros((4, n_target), int)
    np.add.at(of_pair, (wired.source // 10, wired.target), 1)
    assert (of_pair == 3).all()


def test_one_to_one_all_to_all_and_explicit():
    wired = wire(OneToOne())
    np.testing.assert_array_equal(wired.source, wired.target)
    assert len(wire(AllToAll()).source) == 40 * 39
    assert len(wire(AllToAll(), recurrent=False).source) == 40 * 20
    wired = wire(Explicit(np.array([[3, 2], [1, 5], [1, 5]])))
    assert list(zip(wired.source, wired.target, strict=True)) == [(1, 5), (1, 5), (3, 2)]


def test_bernoulli_share():
    counts = [len(wire(PairwiseBernoulli(0.3), seed=s).source) for s in range(30)]
    pairs = 40 * 39
    sd_of_mean = np.sqrt(pairs * 0.3 * 0.7 / 30)
    assert abs(np.mean(counts) - 0.3 * pairs) < 4 * sd_of_mean


def test_every_source_is_equally_likely():
    hits = sum(np.bincount(wire(FixedIndegree(7), seed=s).source, minlength=40) for s in range(50))
    expected = 50 * 7  # each of 40 sources, 40 targets, 50 wirings
    assert np.abs(hits - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("rule", RANDOM, ids=lambda r: type(r).__name__)
def test_same_seed_and_animal_same_synapses(rule):
    first = wire(rule, seed=5, animal=2)
    np.testing.assert_array_equal(first.source, wire(rule, seed=5, animal=2).source)
    for other in (wire(rule, seed=6, animal=2), wire(rule, seed=5, animal=3)):
        assert not np.array_equal(np.column_stack(first[:2]).ravel(), np.column_stack(other[:2]).ravel())


def test_a_population_more_changes_no_other_projections_synapses():
    projection = Projection("p", "E", "E", FixedIndegree(5), 1.0)
    small = Network((cells("E"),), (projection,))
    large = Network((cells("E"), cells("X")), (projection, Projection("q", "X", "E", AllToAll(), 1.0)))
    np.testing.assert_array_equal(small.wire("p", 1, 0).source, large.wire("p", 1, 0).source)


def test_clustered_weights():
    wired = wire(AllToAll(), ClusteredWeight(within=3.0, across=-1.0))
    np.testing.assert_array_equal(wired.weight, np.where(wired.source // 10 == wired.target // 10, 3.0, -1.0))


def test_weights_of_listed_pairs_stay_with_their_pair():
    wired = wire(Explicit(np.array([[2, 0], [0, 1], [1, 2]])), np.array([-7.0, 1.0, 2.0]))
    assert list(zip(*wired[:3], strict=True)) == [(0, 1, 1.0), (1, 2, 2.0), (2, 0, -7.0)]
    twice = wire(Explicit(np.array([[3, 1], [0, 1], [3, 1]])), np.array([5.0, 1.0, 4.0]))
    assert list(zip(*twice[:3], strict=True)) == [(0, 1, 1.0), (3, 1, 5.0), (3, 1, 4.0)]


def test_clustered_weights_of_listed_pairs_follow_their_clusters():
    wired = wire(Explicit(np.array([[39, 0], [0, 1], [1, 39]])), ClusteredWeight(within=3.0, across=-1.0))
    assert list(zip(*wired[:3], strict=True)) == [(0, 1, 3.0), (1, 39, -1.0), (39, 0, -1.0)]


def test_listed_pairs_need_as_many_weights():
    pairs = np.array([[0, 1], [0, 2], [4, 3]])
    for weights in (np.array([1.0, 2.0]), np.ones((3, 1))):
        with pytest.raises(BrainError, match="expected one number or 3, one for each pair"):
            wire(Explicit(pairs), weights)


def test_large_networks_are_not_wired_here():
    listed = Projection("q", "E", "E", Explicit(np.array([[3, 2], [1, 5]])), 1.0)
    drawn = Projection("p", "E", "E", PairwiseBernoulli(0.6), 1.0)
    network = Network((cells("E", 10_000),), (drawn, listed))
    assert network.expected_synapses(drawn) == pytest.approx(0.6 * 10_000 * 9_999)
    assert network.n_synapses == network.expected_synapses(drawn) + 2
    assert not network.is_wired_by_numpy
    with pytest.raises(BrainError, match="simulator draws"):
        network.wire("p", 1, 0)
    assert network.wire("q", 1, 0).source.tolist() == [1, 3]


def test_listed_pairs_are_never_drawn_anew(monkeypatch):
    monkeypatch.setattr("ethospike.brains.network.network.NUMPY_WIRING_LIMIT", 1)
    pairs = np.array([[3, 2], [1, 5], [0, 0]])
    network = Network((cells("E", 40),), (Projection("q", "E", "E", Explicit(pairs), 1.0),))
    assert network.is_wired_by_numpy


def test_drawn_parameters_are_keyed_by_animal_and_name():
    network = Network((cells(V_m=Uniform(-70.0, -60.0), E_L=Uniform(-70.0, -60.0)),))
    first = network.parameter("E", "V_m", seed=1, animal=0)
    assert first.shape == (40,)
    assert ((first >= -70) & (first < -60)).all()
    np.testing.assert_array_equal(first, network.parameter("E", "V_m", seed=1, animal=0))
    for other in (
        network.parameter("E", "V_m", seed=1, animal=1),
        network.parameter("E", "V_m", seed=2, animal=0),
        network.parameter("E", "E_L", seed=1, animal=0),
    ):
        assert not np.array_equal(first, other)


def test_random_streams_are_independent():
    keys = [(1, 0, 1, 0), (2, 0, 1, 0), (1, 1, 1, 0), (1, 0, 2, 0), (1, 0, 1, 1)]
    assert len({random_stream(*key).random() for key in keys}) == len(keys)


def test_initial_voltage_is_rest_unless_given():
    network = Network((cells(E_L=-65.0),))
    assert (network.parameter("E", "V_m", 1, 0) == -65.0).all()
    drawn = Network((cells(E_L=Uniform(-70.0, -60.0)),))
    rest = drawn.parameter("E", "E_L", 1, 0)
    assert len(set(rest)) == 40
    np.testing.assert_array_equal(drawn.parameter("E", "V_m", 1, 0), rest)


@pytest.mark.parametrize("numbers", [[-70.0, -65.0, -60.0], np.float32(-65.0), np.int64(-65), -65])
def test_a_parameter_may_be_any_numbers_that_make_an_array(numbers):
    got = Network((cells(size=3, E_L=numbers),)).parameter("E", "E_L", 1, 0)
    np.testing.assert_array_equal(got, np.broadcast_to(np.asarray(numbers, dtype=float), 3))


def test_places_of_neurons_and_channels():
    network = Network(
        (cells("E", 40, clusters=4), cells("I", 10)),
        spike_inputs=(SpikeInput("a", "E", 1.0, channels=4), SpikeInput("b", "I", 1.0)),
        current_inputs=(CurrentInput("c", "E", channels=2, start=10, stop=20),),
    )
    assert network.neurons("I") == slice(40, 50)
    assert (network.n_neurons, network.n_spike_channels, network.n_current_channels) == (50, 14, 2)
    assert network.spike_channels("b") == slice(4, 14)
    np.testing.assert_array_equal(network.channel_neurons(network.spike_inputs[0])[1], np.arange(10, 20))
    np.testing.assert_array_equal(network.channel_neurons(network.spike_inputs[1])[3], [43])
    np.testing.assert_array_equal(
        network.channel_neurons(network.current_inputs[0]), [np.arange(10, 15), np.arange(15, 20)]
    )


def net(*projections, inputs=(), size=40):
    return Network((cells("E", size, clusters=4), cells("I", 20)), projections, inputs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Population("E", 0, MODEL), "at least 1 neuron"),
        (lambda: Population("E", 3, "iaf_psc_epx"), "did you mean 'iaf_psc_exp'"),
        (lambda: Population("E", 3, MODEL, {"C_n": 1.0}), "did you mean 'C_m'"),
        (lambda: Population("E", 3, MODEL, {"C_m": np.ones(2)}), r"expected shape \(\) or \(3,\)"),
        (lambda: Population("E", 3, MODEL, {"C_m": 0.0}), "above 0"),
        (lambda: Population("E", 3, MODEL, {"E_L": np.nan}), "finite"),
        (lambda: Population("E", 3, MODEL, {"t_ref": -1.0}), "at least 0, got"),
        (lambda: Population("E", 10, MODEL, clusters=4), "do not form 4 equal clusters"),
        (lambda: Network(()), "at least one population"),
        (lambda: Network((cells(), cells())), "used 2 times"),
        (lambda: net(Projection("p", "E", "X", AllToAll(), 1.0)), "no population 'X'"),
        (lambda: net(Projection("p", "E", "I", OneToOne(), 1.0)), "equal sizes, got 40 and 20"),
        (lambda: net(Projection("p", "E", "E", FixedIndegree(40), 1.0)), r"not in 0 … 39"),
        (lambda: net(Projection("p", "E", "E", RandomIndegree(5, 2), 1.0)), "not within"),
        (lambda: net(Projection("p", "E", "E", ClusteredIndegree(10), 1.0)), r"not in 0 … 9"),
        (lambda: net(Projection("p", "E", "I", AllToAll(), ClusteredWeight(1.0, 2.0))), "equal numbers of"),
        (lambda: net(Projection("p", "E", "I", Explicit(np.array([[0, 20]])), 1.0)), "pairs must lie"),
        (lambda: net(Projection("p", "E", "I", AllToAll(), np.nan)), "finite"),
        (lambda: net(Projection("p", "E", "I", AllToAll(), 1.0, delay_ms=0.0)), "at least one step"),
        (lambda: net(Projection("p", "E", "I", AllToAll(), -1.0, 0.1, DopamineGated("I"))), "at least 0"),
        (lambda: net(Projection("p", "E", "I", AllToAll(), 1.0, 0.1, DopamineGated("X"))), "no population"),
        (lambda: net(inputs=(SpikeInput("i", "E", 1.0, channels=3),)), "do not form 3 equal parts"),
        (lambda: net(inputs=(SpikeInput("i", "E", 1.0, start=30, stop=41),)), "not within"),
        (lambda: net(Projection("p", "E", "E", FixedOutdegree(40), 1.0)), r"out-degree 40 is not in 0 … 39"),
        (lambda: net(Projection("p", "E", "I", FixedTotalNumber(801), 1.0)), r"801 synapses.* 0 … 800"),
        (lambda: net(Projection("p", "E", "I", "all", 1.0)), r"rule: expected a rule such as.*got 'all'"),
        (
            lambda: net(Projection("p", "E", "I", AllToAll(), "x")),
            "weight: expected a number, an array or a d",
        ),
        (lambda: net(Projection("p", "E", "I", AllToAll(), np.ones(3))), r"one number or 800.*shape \(3,\)"),
        (lambda: net(Projection("p", "E", "I", AllToAll(), 1.0, np.ones(3))), r"delay_ms.*800.*\(3,\)"),
        (
            lambda: net(Projection("p", "E", "I", AllToAll(), 1.0, None)),
            "delay_ms: expected at least one step",
        ),
        (
            lambda: net(Projection("p", "E", "I", AllToAll(), 1.0, "x")),
            "delay_ms: expected a number, an array",
        ),
        (
            lambda: net(Projection("p", "E", "I", AllToAll(), ClusteredWeight(1.0, np.ones(2)))),
            "equal numbers",
        ),
        (
            lambda: net(Projection("p", "E", "E", AllToAll(), ClusteredWeight(1.0, Uniform(1, 2)))),
            "a number, got",
        ),
        (lambda: net(Projection("p", "E", "I", AllToAll(), 1.0, 0.1, "stdp_synapse")), "got 'stdp_synapse'"),
        (
            lambda: net(inputs=(SpikeInput("i", "E", Uniform(1, 2)),)),
            r"'i'.weight: expected a number, got Un",
        ),
        (
            lambda: net(inputs=(SpikeInput("i", "E", 1.0, delay_ms=Uniform(1, 2)),)),
            r"'i'.delay_ms: expected a n",
        ),
        (lambda: Normal(1.0, -1.0), "sd of at least 0"),
        (lambda: Normal(1.0, 0.0, low=2.0), "no value lies within"),
        (lambda: LogNormal(0.0, 1.0), "mean other than 0"),
        (lambda: PairwiseBernoulli(1.5), "probability"),
        (lambda: FixedIndegree(2.5), r"FixedIndegree\.k: expected a whole number, got 2\.5"),
        (lambda: RandomIndegree(1.5, 3), r"RandomIndegree\.low"),
        (lambda: RandomIndegree(1, 3.5), r"RandomIndegree\.high"),
        (lambda: ClusteredIndegree(2.5), r"ClusteredIndegree\.k"),
        (lambda: Explicit(np.array([[0.0, 1.5]])), r"Explicit\.pairs: expected whole numbers, got float64"),
    ],
)
def test_what_cannot_be_run_is_refused(make, message):
    with pytest.raises(BrainError, match=message):
        make()


@pytest.mark.simulator("nest")
@pytest.mark.parametrize("model", [name for name, model in NEURON_MODELS.items() if model.nest_name])
def test_defaults_are_those_of_nest(model):
    from ethospike.brains.nest.kernel import nest

    native = nest.GetDefaults(model)
    described = NEURON_MODELS[model]
    lists = {"tau_sfa", "q_sfa"} if model == "pp_psc_delta" else set()  # empty on NEST, one pair here
    defaults = {key: value for key, value in described.defaults.items() if key not in lists}
    assert {key: native[key] for key in defaults} == defaults
    for key, default in described.initial.items():
        assert native[key] == (native[default] if isinstance(default, str) else default)


def test_inputs_without_a_delay_get_the_shortest_of_the_network():
    def delay(*delays, **given):
        projections = [
            Projection(f"p{i}", "E", "E", Explicit(np.array([[0, 1], [1, 2]])), 1.0, d)
            for i, d in enumerate(delays)
        ]
        return (
            Network((cells(),), projections, (SpikeInput("i", "E", 1.0, **given),)).spike_inputs[0].delay_ms
        )

    assert delay() == 0.1
    assert delay(1.5, np.array([2.0, 0.8])) == 0.8
    assert delay(1.5, Uniform(0.5, 2.0)) == 0.1
    assert delay(1.5, delay_ms=0.3) == 0.3


def test_neurons_are_found_by_their_labels():
    left = Population("L", 3, MODEL, labels={"id": [720575, 720576, 720577], "class": ["KC", "KC", "PN"]})
    right = Population("R", 2, MODEL, labels={"class": ["KC", "MBON"], "side": ["right", "right"]})
    network = Network((left, Population("X", 2, MODEL), right))
    assert network.labels()["class"] == ("KC", "KC", "PN", "", "", "KC", "MBON")
    assert network.labels()["side"] == ("", "", "", "", "", "right", "right")
    assert network.labelled(**{"class": "KC"}).tolist() == [0, 1, 5]
    assert network.labelled(**{"class": "KC", "side": "right"}).tolist() == [5]
    assert network.labelled(id="720577").tolist() == [2]
    for wanted, message in (
        ({"clas": "KC"}, "did you mean 'class'"),
        ({"class": "PM"}, "valid: KC, MBON, PN"),
    ):
        with pytest.raises(BrainError, match=message):
            network.labelled(**wanted)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"class": ["KC"]}, r"'E'.labels\['class'\]: expected 3 values, one for each neuron, got 1"),
        ({"class": "KC!"}, "expected 3 values, one for each neuron, got 'KC!'"),
        ({"cell class": ["a", "b", "c"]}, "expected a name of letters and digits"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(BrainError, match=message):
        Population("E", 3, MODEL, labels=labels)
