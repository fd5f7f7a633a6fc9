"""Modulators and the three-factor rule against their formulas, written out for a few spikes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ethospike.brains.network import (
    AllToAll,
    DopamineGated,
    Events,
    FilteredSpikes,
    ModulationChannel,
    Network,
    PlasticSynapses,
    Population,
    Projection,
    TDError,
    ThreeFactor,
)
from ethospike.errors import BrainError

DT_MS = 0.1


def at(*events):
    """(step, neuron) pairs as the arrays that `Events` wants."""
    steps, neurons = zip(*events, strict=True) if events else ((), ())
    return np.array(steps, np.int64), np.array(neurons, np.int64)


def synapses(rule, n_modulator=1, weight=5.0, dt_ms=DT_MS):
    """Two sources onto two targets in a cluster each."""
    source, target = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    return rule.reference(
        PlasticSynapses(
            source,
            target,
            np.full(4, weight),
            np.ones(4, np.int64),
            n_source=2,
            n_target=2,
            n_modulator=n_modulator,
            target_clusters=2,
        ),
        dt_ms,
    )


def test_eligibility_of_a_coincidence_is_turned_into_weight_at_grid_points():
    rule = ThreeFactor(ModulationChannel("m"), 0.5, tau_plus=7.0, tau_eligibility_ms=11.0, A_plus=3.0)
    weight = synapses(rule).apply(
        Events(1, 50, source=at((10, 0)), target=at((25, 1)), modulation={"m": np.array(2.0)})
    )
    z = 3.0 * math.exp(-1.5 / 7.0)  # of step 25
    # At steps 30, 40 and 50 the eligibility is that of the step before; M is 2.0 × 1 ms.
    gained = sum(0.5 * 2.0 * z * math.exp(-ms / 11.0) for ms in (0.4, 1.4, 2.4))
    np.testing.assert_allclose(weight, [5.0, 5.0 + gained, 5.0, 5.0], rtol=1e-13)


def test_spikes_of_one_step_are_no_coincidence_and_post_before_pre_takes_away():
    rule = ThreeFactor(ModulationChannel("m"), 1.0, A_minus=0.5, tau_minus=9.0, grid_ms=0.1)
    together = synapses(rule).apply(
        Events(1, 30, source=at((10, 0)), target=at((10, 0)), modulation={"m": np.array(1.0)})
    )
    np.testing.assert_array_equal(together, 5.0)
    modulation = np.zeros(30)
    modulation[25] = 1.0  # of step 26
    weight = synapses(rule).apply(
        Events(1, 30, source=at((20, 0)), target=at((10, 1)), modulation={"m": modulation})
    )
    lost = 0.5 * math.exp(-1.0 / 9.0) * math.exp(-0.5 / 20.0) * 0.1
    np.testing.assert_allclose(weight, [5.0, 5.0 - lost, 5.0, 5.0], rtol=1e-13)


def test_second_filter_is_gated_by_the_cluster_of_the_target():
    rule = ThreeFactor(ModulationChannel("m"), 1.0, tau_filter_ms=40.0, gate="action", Wmin=-np.inf)
    gate, value = np.array([0.75, -0.25]), np.zeros(30)
    value[19] = 1.0  # the grid point at step 20
    weight = synapses(rule).apply(
        Events(
            1,
            30,
            source=at((2, 1)),
            target=at((10, 0), (10, 1)),
            modulation={"m": value, "action": gate},
        )
    )
    q = gate / 40.0 * math.exp(-0.8 / 20.0)  # z of step 10 enters the filter at once, and weights at step 20
    np.testing.assert_allclose(weight, [5.0, 5.0, 5.0 + q[0], 5.0 + q[1]], rtol=1e-13)


def test_a_gate_that_is_left_out_is_closed():
    rule = ThreeFactor(ModulationChannel("m"), 1.0, gate="action")
    events = Events(1, 30, source=at((2, 1)), target=at((10, 0)), modulation={"m": np.array(1.0)})
    np.testing.assert_array_equal(synapses(rule).apply(events), 5.0)
    opened = Events(
        1, 30, events.source, events.target, modulation=events.modulation | {"action": np.ones(2)}
    )
    assert synapses(rule).apply(opened)[2] > 5.0


def test_weights_stop_at_their_bounds():
    for sign, bound in ((1.0, 5.1), (-1.0, 4.9)):
        rule = ThreeFactor(ModulationChannel("m"), sign, Wmin=4.9, Wmax=5.1)
        events = Events(1, 50, source=at((2, 1)), target=at((5, 0)), modulation={"m": np.array(1.0)})
        assert synapses(rule).apply(events)[2] == bound


def test_filtered_spikes_begin_one_step_later_and_have_a_baseline():
    rule = ThreeFactor(FilteredSpikes("DA", tau_n=50.0, b=0.01), 1.0, grid_ms=1.0)
    reference = synapses(rule, n_modulator=3)
    reference.apply(Events(1, 30, modulator=at((10, 0), (10, 2), (12, 1))))
    values = [
        0.0,
        2 / 50.0 * math.exp(-0.9 / 50.0) + 1 / 50.0 * math.exp(-0.7 / 50.0),
        2 / 50.0 * math.exp(-1.9 / 50.0) + 1 / 50.0 * math.exp(-1.7 / 50.0),
    ]
    np.testing.assert_allclose(reference.modulator_values, np.array(values) - 0.01, rtol=1e-13)


TD = TDError("critic", value_per_hz=0.004, value_at_rest=-0.2, tau_ms=20.0, tau_discount_ms=500.0)


def value_of(spikes, step, n_critic=4):
    """V at a step of 1 ms, from the spikes of a critic of four neurons."""
    rate_hz = sum(math.exp(-(step - s) / 20.0) for s in spikes if s <= step) / n_critic * 1000.0 / 20.0
    return -0.2 + 0.004 * rate_hz


def test_td_error_of_a_window_spreads_the_reward_and_discounts_the_value():
    reference = synapses(ThreeFactor(TD, 1.0), n_modulator=4, dt_ms=1.0)
    spikes, gamma = [3, 3, 8, 12], math.exp(-1.0 / 500.0)
    reference.apply(Events(1, 10, modulator=at((3, 0), (3, 1), (8, 2))))
    np.testing.assert_array_equal(reference.modulator_values, 0.0)  # no reward: no error
    modulation = {"reward": np.array(1.0)}
    reference.apply(Events(11, 10, modulator=at((12, 3)), modulation=modulation))
    expected = [0.1 + gamma * value_of(spikes, t) - value_of(spikes, t - 1) for t in range(11, 21)]
    np.testing.assert_allclose(reference.modulator_values, expected, rtol=1e-12)


def test_value_is_0_at_the_end_of_a_terminal_window_and_not_after_truncation():
    ends = {}
    for terminal in (0.0, 1.0):
        reference = synapses(ThreeFactor(TD, 1.0), n_modulator=4, dt_ms=1.0)
        modulation = {"reward": np.array(0.0), "terminal": np.array(terminal)}
        reference.apply(Events(1, 10, modulator=at((3, 0)), modulation=modulation))
        ends[terminal] = reference.modulator_values
    gamma = math.exp(-1.0 / 500.0)
    np.testing.assert_array_equal(ends[0.0][:8], ends[1.0][:8])
    np.testing.assert_allclose(ends[1.0][8:], [-value_of([3], 8), 0.0], rtol=1e-12)
    last = [gamma * value_of([3], t) - value_of([3], t - 1) for t in (9, 10)]
    np.testing.assert_allclose(ends[0.0][8:], last, rtol=1e-12)


def test_an_animal_without_a_reward_learns_nothing_and_its_value_goes_on():
    reference = synapses(ThreeFactor(TD, 1.0), n_modulator=4, dt_ms=1.0)
    reference.apply(Events(1, 5, modulator=at((2, 0)), modulation={"reward": np.array(np.nan)}))
    np.testing.assert_array_equal(reference.modulator_values, 0.0)
    reference.apply(Events(6, 1, modulation={"reward": np.array(0.0)}))
    expected = math.exp(-1.0 / 500.0) * value_of([2], 6) - value_of([2], 5)
    np.testing.assert_allclose(reference.modulator_values, [expected], rtol=1e-12)


def test_parts_of_a_window_give_the_same_as_the_whole():
    """Simulators that stop at each grid point tell the rule a part of the window at a time."""
    rng = np.random.default_rng(1)
    steps = {name: np.sort(rng.integers(1, 401, n)) for name, n in (("s", 60), ("t", 50), ("m", 40))}
    neurons = {name: rng.integers(0, 2, len(own)) for name, own in steps.items()}
    modulation = {
        "reward": np.array(0.7),
        "terminal": np.array(1.0),
        "action": np.array([0.6, -0.6]),
    }
    rule = ThreeFactor(TD, 0.1, tau_filter_ms=15.0, gate="action", A_minus=0.3, Wmin=-np.inf)
    whole, cut = synapses(rule, n_modulator=4), synapses(rule, n_modulator=4)
    parts = [(steps[name], neurons[name]) for name in "stm"]
    whole.apply(Events(1, 400, *parts, modulation=modulation))
    for low, high in ((1, 10), (11, 13), (14, 200), (201, 400)):
        chosen = [(s >= low) & (s <= high) for s, _ in parts]
        own = [(s[c], n[c]) for (s, n), c in zip(parts, chosen, strict=True)]
        cut.apply(Events(low, high - low + 1, *own, modulation=modulation, window=(1, 400)))
    assert np.ptp(whole.weight) > 1e-4
    np.testing.assert_array_equal(whole.weight, cut.weight)


def cells(model="iaf_psc_delta", clusters=1):
    return Population("pre", 4, "iaf_psc_exp"), Population("post", 4, model, clusters=clusters)


def network(rule, model="iaf_psc_delta", weight=1.0, **kwargs):
    populations = cells(model, **kwargs)
    return Network(populations, (Projection("pre>post", "pre", "post", AllToAll(), weight, 1.0, rule),))


def test_weights_of_free_sign_need_a_model_with_one_input_path():
    rule = ThreeFactor(ModulationChannel("m"), 1.0, Wmin=-np.inf)
    for model in ("iaf_psc_delta", "pp_psc_delta"):
        network(rule, model, weight=-1.0)
    with pytest.raises(BrainError, match=r"one input path.*iaf_psc_exp: set Wmin=0"):
        network(rule, "iaf_psc_exp")
    network(ThreeFactor(ModulationChannel("m"), 1.0), "iaf_psc_exp")
    network(ThreeFactor(ModulationChannel("m"), 1.0, Wmin=-np.inf, Wmax=0.0), "iaf_psc_exp", weight=-1.0)


def test_weights_outside_of_the_bounds_are_refused():
    with pytest.raises(BrainError, match=r"weights of 0 … 2, got \[3\.0\]"):
        network(ThreeFactor(ModulationChannel("m"), 1.0, Wmax=2.0), weight=3.0)


def test_channels_of_a_network_are_listed_and_may_not_mean_two_things():
    rule = ThreeFactor(TDError("post"), 1.0, gate="action")
    assert network(rule, clusters=2).modulation_channels == {"reward": 1, "terminal": 1, "action": 2}
    with pytest.raises(BrainError, match="'reward' is a gate"):
        network(ThreeFactor(TDError("post"), 1.0, gate="reward"))
    with pytest.raises(BrainError, match="no population 'critic'"):
        network(ThreeFactor(TDError("critic"), 1.0))


def test_a_network_without_plasticity_keeps_all_else():
    plastic = network(ThreeFactor(TDError("post"), 1.0))
    frozen = plastic.without_plasticity()
    assert frozen.plastic_projections == ()
    assert frozen.modulation_channels == {}
    np.testing.assert_array_equal(frozen.wire("pre>post", 1, 0).source, plastic.wire("pre>post", 1, 0).source)
    assert plastic.without_plasticity("pre>post").plastic_projections == ()
    with pytest.raises(BrainError, match="no projection"):
        plastic.without_plasticity("pre>poost")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ThreeFactor("DAN", 1.0), "expected a TDError"),
        (lambda: ThreeFactor(ModulationChannel("m"), np.nan), "learning_rate"),
        (lambda: ThreeFactor(ModulationChannel("m"), 1.0, tau_plus=0.0), "tau_plus"),
        (lambda: ThreeFactor(ModulationChannel("m"), 1.0, tau_filter_ms=-1.0), "tau_filter_ms"),
        (lambda: ThreeFactor(ModulationChannel("m"), 1.0, grid_ms=0.0), "grid_ms"),
        (lambda: ThreeFactor(ModulationChannel("m"), 1.0, Wmin=2.0, Wmax=1.0), "Wmin"),
        (lambda: TDError("c", tau_ms=0.0), "tau_ms"),
        (lambda: TDError("c", reward="r", terminal="r"), "two channels"),
        (lambda: FilteredSpikes("c", tau_n=np.inf), "tau_n"),
    ],
)
def test_impossible_numbers_are_refused(make, match):
    with pytest.raises(BrainError, match=match):
        make()


def test_the_old_rule_is_an_instance_of_the_contract():
    rule = DopamineGated("DAN")
    assert (rule.bounds, rule.grid_ms, rule.gate, rule.channels) == ((0.0, np.inf), None, None, ())
    assert rule.modulator_population == "DAN"
