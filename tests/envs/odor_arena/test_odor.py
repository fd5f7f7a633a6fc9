"""Concentrations against larvaworld's formula."""

import math

import numpy as np
import pytest

from ethospike.envs.odor_arena import OdorField, OdorSource
from ethospike.errors import EnvError


def at(*points):
    return np.array(points, float).T


def test_defaults_are_those_of_larvaworld():
    # intensity 2 µM, a variance ("spread") of 2e-4 m²
    source = OdorSource("A")
    assert source.peak_um == 2.0
    assert source.sigma_mm**2 == pytest.approx(2e-4 * 1e6)


@pytest.mark.parametrize(
    ("distance_mm", "share"), [(0.0, 1.0), (1.0, 0.60653066), (2.0, 0.13533528), (3.0, 0.011108997)]
)
def test_concentration_at_whole_widths(distance_mm, share):
    # exp(−n²/2) for n = 0, 1, 2, 3 widths, from a table of the normal distribution
    source = OdorSource("A", (10.0, -5.0), peak_um=4.0, sigma_mm=8.0)
    field = OdorField([source], ["A"], np.ones(2))
    distance_mm *= 8.0
    got = field.concentrations_um(at((10.0 + distance_mm, -5.0), (10.0, -5.0 - distance_mm)))
    np.testing.assert_allclose(got, [[4.0 * share] * 2], rtol=1e-7)
    assert source.concentration_um(distance_mm) == pytest.approx(4.0 * share, rel=1e-7)


def test_sources_of_one_odor_add_up_and_odors_stay_apart():
    sources = [
        OdorSource("B", (0.0, 0.0), peak_um=1.0),
        OdorSource("A", (20.0, 0.0), peak_um=3.0, sigma_mm=10.0),
        OdorSource("B", (0.0, 20.0), peak_um=2.0, sigma_mm=20.0),
    ]
    field = OdorField(sources, ["A", "none", "B"], np.ones(1))
    got = field.concentrations_um(at((0.0, 0.0)))
    expected = [[3.0 * math.exp(-2.0)], [0.0], [1.0 + 2.0 * math.exp(-0.5)]]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_without_sources_there_is_no_odor():
    got = OdorField([], ["A", "B"], np.ones(3)).concentrations_um(np.ones((2, 3)))
    np.testing.assert_array_equal(got, np.zeros((2, 3)))


def test_left_and_right_are_exchanged_for_some():
    field = OdorField([OdorSource("A", (-40.0, 7.0))], ["A"], np.array([1.0, -1.0]))
    got = field.concentrations_um(at((-40.0, 7.0), (40.0, 7.0)))
    np.testing.assert_array_equal(got, [[2.0, 2.0]])
    got = field.concentrations_um(at((40.0, 7.0), (-40.0, 7.0)))
    np.testing.assert_allclose(got, 2.0 * math.exp(-(80.0**2) / 400.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"odor": ""}, "OdorSource.odor: expected the name"),
        ({"odor": "A", "position_mm": (0.0, math.nan)}, "position_mm: expected finite"),
        ({"odor": "A", "position_mm": (0.0,)}, "position_mm: expected finite"),
        ({"odor": "A", "peak_um": 0.0}, "peak_um: expected above 0, got 0.0"),
        ({"odor": "A", "sigma_mm": -1.0}, "sigma_mm: expected above 0, got -1.0"),
        ({"odor": "A", "sigma_mm": math.inf}, "sigma_mm: expected above 0, got inf"),
    ],
)
def test_impossible_sources_are_refused(arguments, message):
    with pytest.raises(EnvError, match=message):
        OdorSource(**arguments)
