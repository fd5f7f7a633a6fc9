"""The constants of exact integration, against the matrix exponential of the equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from ethospike.brains.network import Network, Population
from ethospike.brains.network.models.exact_integration import current_to_potential
from ethospike.brains.simulator.propagators import propagators
from ethospike.errors import BrainError


@pytest.mark.parametrize("tau_ex", [0.5, 3.0, 9.9999999, 10.0, 10.1])
@pytest.mark.parametrize("dt_ms", [0.1, 1.0])
def test_propagators_are_the_matrix_exponential(tau_ex, dt_ms):
    tau_m, tau_in, c_m = 10.0, 2.0, 250.0
    params = {"tau_m": tau_m, "tau_syn_ex": tau_ex, "tau_syn_in": tau_in, "C_m": c_m}
    made = propagators(
        Network((Population("E", 2, "iaf_psc_exp", params),)), "E", seed=1, animal=0, dt_ms=dt_ms
    )
    # d/dt (i_ex, i_in, v, constant current)
    equations = np.zeros((4, 4))
    equations[0, 0], equations[1, 1], equations[2, 2] = -1 / tau_ex, -1 / tau_in, -1 / tau_m
    equations[2, [0, 1, 3]] = 1 / c_m
    step = expm(equations * dt_ms)
    assert made["leak"] == pytest.approx(step[2, 2], rel=1e-12)
    assert made["from_ex"] == pytest.approx(step[2, 0], rel=1e-9)
    assert made["from_in"] == pytest.approx(step[2, 1], rel=1e-9)
    assert made["per_pa"] == pytest.approx(step[2, 3], rel=1e-9)
    assert made["decay_ex"] == pytest.approx(step[0, 0], rel=1e-12)
    assert made["decay_in"] == pytest.approx(step[1, 1], rel=1e-12)


def test_equal_time_constants_are_the_limit_of_nearly_equal_ones():
    taus = 10.0 + np.array([-1e-5, -1e-9, -1e-13, 0.0, 1e-13, 1e-9, 1e-5])
    values = current_to_potential(0.1, taus, np.full(7, 10.0), np.full(7, 1.0))
    assert np.isfinite(values).all()
    assert values == pytest.approx(0.1 * np.exp(-0.01), rel=1e-7)


def test_potentials_are_relative_to_rest():
    network = Network((Population("E", 1, "iaf_psc_exp", {"E_L": -65.0, "V_th": -50.0, "V_m": -60.0}),))
    made = propagators(network, "E", seed=1, animal=0, dt_ms=0.1)
    assert (made["v_th"][0], made["v_reset"][0], made["v"][0], made["e_l"][0]) == (15.0, -5.0, 5.0, -65.0)
    assert made["t_ref"][0] == 20


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"t_ref": 2.05}, "t_ref: expected whole numbers of steps of 0.1 ms"),
        ({"t_ref": 2.0 + 1e-7}, "t_ref: expected whole numbers of steps of 0.1 ms"),
        ({"V_reset": -55.0}, r"^Population 'E'\.V_reset: expected values below V_th"),
    ],
)
def test_what_does_not_fit_is_named(params, message):
    network = Network((Population("E", 1, "iaf_psc_exp", params),))
    with pytest.raises(BrainError, match=message):
        propagators(network, "E", seed=1, animal=0, dt_ms=0.1)
