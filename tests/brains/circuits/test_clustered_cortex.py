import dataclasses

import numpy as np
import pytest

from ethospike.brains.circuits.clustered_cortex import (
    PARAMETER_SETS,
    CortexConfig,
    FreePhase,
    clustered_cortex,
    parameter_set,
    peak_psp,
    unclustered_weights,
)
from ethospike.brains.network import ClusteredWeight, PairwiseBernoulli
from ethospike.brains.simulator import Stimulus
from ethospike.errors import BrainError

REACH = parameter_set("reach")


# Peak potentials and weights tabulated from the authors' formula (Rostami et al. 2024, ClusterHelper.py).
@pytest.mark.parametrize(
    ("tau_m", "tau_syn", "peak"),
    [(20, 3, 2.14647), (20, 2, 1.54853), (10, 3, 1.79073), (10, 2, 1.33748)],
)
def test_peak_psp_is_the_tabulated_one(tau_m, tau_syn, peak):
    assert peak_psp(tau_m, tau_syn) == pytest.approx(peak, abs=5e-6)


def test_peak_psp_is_the_maximum_of_the_integrated_membrane_equation():
    for tau_syn in (3.0, 9.99, 10.0):
        voltage, current, peak, dt = 0.0, 1.0, 0.0, 1e-3
        for _ in range(40_000):
            voltage += dt * (current - voltage / 10.0)
            current -= dt * current / tau_syn
            peak = max(peak, voltage)
        assert peak_psp(10.0, tau_syn) == pytest.approx(peak, rel=1e-3)


@pytest.mark.parametrize(
    ("n_e", "n_i", "v_th", "expected"),
    [
        (1200, 300, 15.0, [0.4511, -1.2005, 0.3420, -1.8314]),
        (1200, 300, 20.0, [0.6014, -1.6007, 0.4560, -2.4419]),
        (4000, 1000, 15.0, [0.2471, -0.6576, 0.1873, -1.0031]),
        (20000, 5000, 20.0, [0.1473, -0.3921, 0.1117, -0.5981]),
    ],
)
def test_weights_are_the_tabulated_ones(n_e, n_i, v_th, expected):
    config = CortexConfig(n_e=n_e, n_i=n_i, V_th=v_th, clusters=1, j_plus=1.0)
    weights = unclustered_weights(config)
    assert [weights[name] for name in ("E>E", "I>E", "E>I", "I>I")] == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("clusters", "j_plus", "r_j", "j_plus_i", "minus_e", "minus_i"),
    [
        (6, 3.2, 0.75, 2.65, 0.56, 0.67),
        (20, 2.75, 0.75, 2.3125, 0.908, 0.931),
        (20, 10.0, 0.75, 7.75, 0.526, 0.645),
        (6, 3.2, 0.0, 1.0, 0.56, 1.0),
        (6, 1.0, 0.75, 1.0, 1.0, 1.0),
    ],
)
def test_clustering_has_the_published_factors(clusters, j_plus, r_j, j_plus_i, minus_e, minus_i):
    config = CortexConfig(clusters=clusters, n_i=300, j_plus=j_plus, R_J=r_j)
    network, base = clustered_cortex(config), unclustered_weights(config)
    assert config.j_plus_i == pytest.approx(j_plus_i)
    for name in base:
        weight = network.projection(name).weight
        assert isinstance(weight, ClusteredWeight)
        plus, minus = (j_plus, minus_e) if name == "E>E" else (j_plus_i, minus_i)
        assert weight.within / base[name] == pytest.approx(plus)
        assert weight.across / base[name] == pytest.approx(minus, abs=5e-4)


def test_clustering_leaves_the_mean_weight():
    config = CortexConfig(clusters=20, j_plus=7.0)
    weight = clustered_cortex(config).projection("I>E").weight
    assert isinstance(weight, ClusteredWeight)
    mean = (weight.within + 19 * weight.across) / 20
    assert mean == pytest.approx(unclustered_weights(config)["I>E"])


def test_the_parameter_sets_are_the_table():
    table = {
        name: (c.n_e, c.n_i, c.clusters, c.V_th, c.I_th_E, c.I_th_I, c.wiring)
        for name, c in PARAMETER_SETS.items()
    }
    assert table == {
        "reach": (1200, 300, 6, 15.0, 1.25, 0.78, "fixed_indegree"),
        "reach-published": (1200, 300, 6, 15.0, 1.25, 0.78, "bernoulli"),
        "reach-fig5": (1200, 300, 6, 15.0, 1.25, 0.78, "bernoulli_nest2"),
        "reach-fig6": (1200, 300, 6, 15.0, 1.25, 0.78, "bernoulli_nest2"),
        "cortex": (4000, 1000, 20, 20.0, 1.25, 0.78, "fixed_indegree"),
        "large": (20000, 5000, 20, 20.0, 1.25, 0.78, "fixed_indegree"),
        "grid": (20000, 5000, 20, 20.0, 2.90, 1.375, "bernoulli"),
    }
    assert REACH.j_plus == 3.2
    assert parameter_set("grid").j_plus == 2.75
    # Chosen by the sweep of docs/validation_cortex.md.
    assert (parameter_set("cortex").j_plus, parameter_set("large").j_plus) == (6.0, 2.6)


def share_of_i_within_1_ms(network, seed, wiring=None, push_pa=0.0):
    """Return the largest share of inhibitory neurons that fire within 1 ms after 400 ms, and the wiring.

    All excitatory neurons are pushed for 10 ms after 100 ms, so that they fire in step then.
    """
    from ethospike.brains.numba.bits.engine import BitsEngine

    n_e, n_i = (network.population(name).size for name in "EI")
    engine = BitsEngine(
        network, seed=seed, animals=1, dt_ms=0.1, precision="single", threads=1, wiring=wiring
    )
    begin, drawn = 1, engine.wiring
    for n_steps, current_pa in ((1000, 0.0), (100, push_pa), (4900, 0.0)):
        spikes = engine.run(begin, n_steps, Stimulus.currents(np.full((1, 20), current_pa)))
        begin += n_steps
    engine.close()
    late = (spikes.step > 4000) & (spikes.neuron >= n_e)
    per_ms = np.bincount((spikes.step[late] - 4001) // 10, minlength=200) / n_i
    assert per_ms.mean() > 0.0005  # 0.5 Hz
    return per_ms.max(), drawn


# Of networks whose neurons fire in step, a tenth and more of all inhibitory ones fire within 1 ms.
IN_STEP = 0.1


@pytest.mark.simulator("numba")
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_push_leaves_no_wiring_of_25_000_neurons_in_step(seed):
    wiring = None
    for delta, in_step in ((0.0, True), (0.2, True), (None, False)):
        config = parameter_set("large")
        if delta is not None:
            config = dataclasses.replace(config, delta_I_E=delta, delta_I_I=delta)
        share, wiring = share_of_i_within_1_ms(clustered_cortex(config), seed, wiring, push_pa=5.0)
        assert (share > IN_STEP) == in_step, (delta, share)


@pytest.mark.simulator("numba")
def test_unclustered_neurons_fire_in_step_or_not_by_their_start():
    unclustered = dataclasses.replace(parameter_set("cortex"), j_plus=1.0)
    for start, in_step in (("lognormal", False), ("free_phase", True)):
        config = dataclasses.replace(unclustered, start=start)
        share, _ = share_of_i_within_1_ms(clustered_cortex(config), seed=1)
        assert (share > IN_STEP) == in_step, (start, share)


def test_the_published_grid_search_starts_near_rest():
    """GN draws V_FPT(T_0 u) with I_e = 0, where T_0 = t_ref − tau ln((V_th − 0)/(0 + 1e-10))."""
    config = parameter_set("grid")
    assert config.start == "undriven"
    population = clustered_cortex(config).population("E")
    v = population.params["V_m"].draw(np.random.default_rng(1), 100_000)
    t_0 = 5.0 - 20.0 * np.log(20.0 / 1e-10)
    exponent = np.log(v / 20.0) * 20.0 / t_0
    assert 0.0 <= exponent.min() < 1e-3
    assert 0.999 < exponent.max() <= 1.0
    assert np.quantile(exponent, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    assert 0.03 < np.mean(v > 5.0) < 0.08  # 5 mV is a share of ln(4) / 25.8 = 5.4 % of the range


def test_numbers_of_synapses_are_the_published_ones():
    for name, expected in (("reach", 0.69e6), ("reach-published", 0.69e6), ("grid", 192e6)):
        network = clustered_cortex(parameter_set(name))
        total = sum(network.expected_synapses(p) for p in network.projections)
        assert total == pytest.approx(expected, rel=0.01)


def test_every_neuron_has_the_same_in_degree_from_every_cluster():
    network = clustered_cortex(CortexConfig(n_e=240, n_i=60, clusters=6))
    for name, k in (("E>E", 8), ("I>E", 5), ("E>I", 20), ("I>I", 5)):
        synapses = network.wire(name, seed=3, animal=0)
        source = network.population(network.projection(name).source)
        target = network.population(network.projection(name).target)
        counts = np.zeros((target.size, 6), int)
        np.add.at(counts, (synapses.target, synapses.source // source.cluster_size), 1)
        assert (counts == k).all()
        if source is target:
            assert (synapses.source != synapses.target).all()


def test_bernoulli_wiring_draws_the_published_probabilities():
    network = clustered_cortex(CortexConfig(n_e=240, n_i=60, wiring="bernoulli"))
    rules = {p.name: p.rule for p in network.projections}
    assert rules == {
        "E>E": PairwiseBernoulli(0.2),
        "I>E": PairwiseBernoulli(0.5),
        "E>I": PairwiseBernoulli(0.5),
        "I>I": PairwiseBernoulli(0.5),
    }


def test_constant_currents_are_multiples_of_the_rheobase():
    network = clustered_cortex(REACH)
    # Rostami et al. 2024: I_e = I_th V_th/τ C = 0.9375 and 1.17 pA.
    assert network.population("E").param("I_e") == pytest.approx(0.9375)
    assert network.population("I").param("I_e") == pytest.approx(1.17)


def test_the_next_free_spike_is_uniform_in_the_free_interval():
    network = clustered_cortex(REACH)
    voltage = network.parameter("E", "V_m", seed=1, animal=0)
    v_inf, tau_m = 0.9375 * 20.0, 20.0
    until_spike = tau_m * np.log((v_inf - voltage) / (v_inf - 15.0))
    free_interval = 5.0 + tau_m * np.log(v_inf / (v_inf - 15.0))
    phase = np.sort(until_spike / free_interval)
    # Kolmogorov-Smirnov distance of 1200 uniform numbers: below 1.63/√n with probability 0.99.
    assert np.abs(phase - (np.arange(1200) + 0.5) / 1200).max() < 1.63 / np.sqrt(1200)


def test_neurons_below_rheobase_start_as_published_above_threshold():
    voltage = FreePhase(V_inf=11.7, V_th=15.0, tau_m=10.0, t_ref=5.0).draw(np.random.default_rng(1), 1000)
    assert voltage.min() >= 15.0
    assert voltage.max() == pytest.approx(11.7 + 3.3 * np.e, abs=0.05)


def test_a_lognormal_start_lies_below_threshold():
    network = clustered_cortex(dataclasses.replace(REACH, start="lognormal"))
    below = 15.0 - network.parameter("I", "V_m", seed=1, animal=0)
    assert below.min() > 0
    # The logarithm is normal around log 20 with standard deviation 1; 300 values.
    assert np.log(below).mean() == pytest.approx(np.log(20.0), abs=4 / np.sqrt(300))
    assert np.log(below).std() == pytest.approx(1.0, abs=4 / np.sqrt(600))


def test_animals_and_seeds_differ_in_their_draws():
    network = clustered_cortex(REACH)
    first = network.parameter("E", "V_m", seed=1, animal=0)
    assert (first == network.parameter("E", "V_m", seed=1, animal=0)).all()
    assert (first != network.parameter("E", "V_m", seed=1, animal=1)).any()
    assert (first != network.parameter("E", "V_m", seed=2, animal=0)).any()


def test_the_cue_addresses_the_excitatory_clusters():
    network = clustered_cortex(REACH)
    assert network.n_current_channels == 6
    channels = network.channel_neurons(network.current_inputs[0])
    assert channels.shape == (6, 200)
    assert channels[2, 0] == 400


def test_time_constants_and_currents_can_be_distributed():
    network = clustered_cortex(CortexConfig(tau_syn_spread=0.2, delta_I_E=0.1))
    tau = network.parameter("E", "tau_syn_ex", seed=1, animal=0)
    current = network.parameter("E", "I_e", seed=1, animal=0)
    assert 2.4 <= tau.min() < 2.5
    assert 3.5 < tau.max() < 3.6
    assert tau.mean() == pytest.approx(3.0, abs=0.05)
    assert 0.94 * 0.9375 < current.min() < 0.96 * 0.9375
    assert 1.04 * 0.9375 < current.max() < 1.06 * 0.9375
    by_cluster = current.reshape(6, 200)
    assert (by_cluster == by_cluster[0]).all()  # no cluster is favored
    assert by_cluster[0].mean() == pytest.approx(0.9375, rel=1e-12)
    first = np.sort(by_cluster[0, :20])  # so many are enough to stand for all
    assert first == pytest.approx(0.9375 * np.linspace(0.9525, 1.0475, 20), rel=0.01)
    assert network.parameter("I", "I_e", seed=1, animal=0).std() == 0


def test_every_field_changes_the_network():
    other = {
        "n_e": 600,
        "n_i": 150,
        "clusters": 4,
        "j_plus": 2.0,
        "wiring": "bernoulli",
        "R_J": 0.5,
        "start": "lognormal",
        "nest2_seed": 1,
        "procedural": True,
    }
    base = {"nest2_seed": parameter_set("reach-fig5"), "procedural": parameter_set("reach-published")}
    for one in dataclasses.fields(CortexConfig):
        config = base.get(one.name, REACH)
        value = other.get(one.name) or getattr(REACH, one.name) / 2 or 0.1
        assert _numbers(dataclasses.replace(config, **{one.name: value})) != _numbers(config), one.name


def _numbers(config):
    network = clustered_cortex(config)
    return repr((network.populations, network.projections, network.current_inputs, network.procedural))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_e": 1201}, "n_e: 1201 neurons do not form 6 equal clusters"),
        ({"n_i": 2}, "n_i: 2 neurons"),
        ({"clusters": 0}, "clusters: expected at least 1"),
        ({"j_plus": 6.0}, "j_plus: expected above 0 and below the 6 clusters"),
        ({"j_plus": 0.0}, "j_plus"),
        ({"clusters": 1}, "one cluster alone needs j_plus = 1"),
        ({"p_ee": 1.2}, r"p_ee: expected a probability in \(0, 1\]"),
        ({"p_ii": 0.0}, "p_ii"),
        ({"wiring": "bernouli"}, "did you mean 'bernoulli'"),
        ({"start": "lognorm"}, "did you mean 'lognormal'"),
        ({"V_th": -1.0}, "V_th: expected above 0"),
        ({"V_th": float("nan")}, "V_th: expected a finite number"),
        ({"R_J": 1.5}, "R_J"),
        ({"tau_syn_spread": 1.0}, "tau_syn_spread"),
        ({"t_ref": -1.0}, "t_ref"),
    ],
)
def test_bad_parameters_are_named(changes, message):
    with pytest.raises(BrainError, match=message):
        dataclasses.replace(REACH, **changes)


def test_an_unknown_parameter_set_names_the_nearest():
    with pytest.raises(BrainError, match="did you mean 'large'"):
        parameter_set("lagre")
