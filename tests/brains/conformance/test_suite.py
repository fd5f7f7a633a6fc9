"""The conformance suite on every installed simulator, and on broken ones, where each check must fail."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from broken_simulators import DEFECTS, Silent
from reference_simulator import open_reference

from ethospike.brains.conformance import CHECKS, ConformanceError, check_parity, compare_spike_trains
from ethospike.brains.conformance.cells import check_listed_weights, check_voltages
from ethospike.brains.conformance.models import OTHERS
from ethospike.brains.conformance.runs import check_delay_off_the_grid_is_refused, check_long_clock
from ethospike.brains.conformance.specimens import LEAKY
from ethospike.brains.simulator import SIMULATORS, SimulatorSettings, SpikeBlock, open_simulator
from ethospike.errors import BrainError

SHORT_CLOCK = partial(check_long_clock, steps=4_200)
"""For the reference, which would need an hour for 2^24 steps."""


def opener(name, **settings):
    def open_network(network, **given):
        return open_simulator(network, SimulatorSettings(name=name, **settings), **given)

    return open_network


def marked(*values, name):
    return pytest.param(*values, marks=pytest.mark.simulator(name), id="-".join(map(_id, values)))


def _id(value):
    return getattr(value, "__name__", str(value)).removeprefix("check_")


@pytest.mark.parametrize(
    ("name", "check"), [marked(name, check, name=name) for name in SIMULATORS for check in CHECKS]
)
def test_simulator_conforms(name, check):
    check(opener(name))


@pytest.mark.parametrize("name", [marked(name, name=name) for name in SIMULATORS])
def test_listed_weights_of_large_networks_stay_with_their_pairs_or_are_refused(name, monkeypatch):
    monkeypatch.setattr("ethospike.brains.network.network.NUMPY_WIRING_LIMIT", 1)
    try:
        check_listed_weights(opener(name))
    except BrainError:
        assert name != "nest"


@pytest.mark.parametrize("check", CHECKS, ids=_id)
def test_reference_conforms(check):
    (SHORT_CLOCK if check is check_long_clock else check)(open_reference)


@pytest.mark.parametrize(("check", "broken"), DEFECTS, ids=_id)
def test_check_finds_defect(check, broken):
    check = SHORT_CLOCK if check is check_long_clock else check
    with pytest.raises(ConformanceError):
        check(partial(open_reference, cls=broken))


def test_every_check_has_a_defect():
    assert {check for check, _ in DEFECTS} == set(CHECKS)


NEEDS_NO_SPIKES = {check_voltages, check_delay_off_the_grid_is_refused}


@pytest.mark.parametrize("check", [check for check in CHECKS if check not in NEEDS_NO_SPIKES], ids=_id)
def test_silence_passes_no_check(check):
    check = SHORT_CLOCK if check is check_long_clock else check
    with pytest.raises(ConformanceError):
        check(partial(open_reference, cls=Silent))


# -- parity -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", LEAKY)
@pytest.mark.parametrize("name", [marked(name, name=name) for name in SIMULATORS])
def test_simulator_agrees_with_independent_reference(name, model):
    settings = {} if name == "nest" else {"precision": "double"}
    check_parity(opener(name, **settings), open_reference, model, tolerance_steps=0)


@pytest.mark.parametrize("model", LEAKY)
@pytest.mark.parametrize("name", [marked(name, name=name) for name in SIMULATORS if name != "nest"])
def test_single_precision_stays_within_a_step(name, model):
    check_parity(opener(name, precision="single"), open_reference, model, tolerance_steps=1)


@pytest.mark.simulator("nest")
@pytest.mark.parametrize("model", OTHERS)
@pytest.mark.parametrize("name", [marked(name, name=name) for name in SIMULATORS if name != "nest"])
def test_further_models_spike_as_on_nest(name, model):
    """NEST is the reference here: our third opinion knows the leaky models."""
    check_parity(opener(name, precision="double"), opener("nest"), model, tolerance_steps=0)


@pytest.mark.parametrize("model", OTHERS)
@pytest.mark.parametrize("name", [marked(name, name=name) for name in SIMULATORS if name != "nest"])
def test_further_models_in_single_precision_stay_within_a_step(name, model):
    exact = opener("numba", precision="double")
    check_parity(opener(name, precision="single"), exact, model, tolerance_steps=1)


def train(steps, neurons):
    return SpikeBlock(np.array(steps), np.zeros(len(steps), np.int32), np.array(neurons, np.int32))


def test_trains_may_differ_by_the_tolerance_and_swap_within_it():
    compare_spike_trains(train([5, 6, 9], [0, 1, 0]), train([5, 6, 10], [1, 0, 0]), 1, 100)


def test_a_spike_at_the_end_may_have_its_partner_beyond_it():
    compare_spike_trains(train([5, 100], [0, 0]), train([5], [0]), 1, 100)


@pytest.mark.parametrize(
    ("steps", "neurons"),
    [([5, 8], [0, 1]), ([5], [0]), ([5, 6, 50], [0, 1, 1]), ([5, 6], [0, 0])],
    ids=["late", "missing", "extra", "other neuron"],
)
def test_trains_that_differ_are_found(steps, neurons):
    one = train([5, 6], [0, 1])
    for a, b in ((one, train(steps, neurons)), (train(steps, neurons), one)):
        with pytest.raises(ConformanceError, match="fire"):
            compare_spike_trains(a, b, 1, 100)


def test_parity_finds_a_wrong_equation():
    from broken_simulators import Euler

    with pytest.raises(ConformanceError):
        check_parity(open_reference, partial(open_reference, cls=Euler), "iaf_psc_exp")


@pytest.mark.parametrize(("one", "other"), list(combinations(LEAKY, 2)))
def test_parity_specimens_differ(one, other):
    """Otherwise agreement on one would say nothing about the other."""
    from ethospike.brains.conformance import small_deterministic_network
    from ethospike.brains.conformance.expectations import is_same, run_once
    from ethospike.brains.conformance.specimens import drive

    blocks = [
        run_once(open_reference, small_deterministic_network(model), 2000, drive(2000))
        for model in (one, other)
    ]
    assert not is_same(*blocks)
