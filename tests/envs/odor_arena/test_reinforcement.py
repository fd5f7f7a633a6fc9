"""What lies on the agar."""

import math

import numpy as np
import pytest

from ethospike.envs.odor_arena.reinforcement import Reinforcement, ReinforcementField
from ethospike.errors import EnvError


def test_patches_have_an_edge_and_add_up():
    field = ReinforcementField(
        [
            Reinforcement("reward", 2.0, radius_mm=5.0, center_mm=(10.0, 0.0)),
            Reinforcement("reward", 1.0, radius_mm=20.0),
            Reinforcement("punishment", 0.5, radius_mm=1.0, center_mm=(0.0, 30.0)),
        ],
        np.ones(5),
    )
    points = np.array([(10.0, 0.0), (10.0, 5.0), (10.0, 5.0001), (0.0, 29.5), (0.0, -25.0)]).T
    expected = [[3.0, 3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5, 0.0]]
    np.testing.assert_array_equal(field.strengths(points), expected)


def test_reinforcement_without_a_radius_is_everywhere():
    field = ReinforcementField([Reinforcement("punishment", 0.7), Reinforcement("reward")], np.ones(2))
    for _ in range(2):  # asking changes nothing
        got = field.strengths(np.array([[0.0, 49.0], [0.0, 0.0]]))
        np.testing.assert_array_equal(got, [[1.0, 1.0], [0.7, 0.7]])


def test_left_and_right_are_exchanged_for_some():
    patch = Reinforcement("reward", radius_mm=5.0, center_mm=(-20.0, 3.0))
    field = ReinforcementField([patch], np.array([1.0, -1.0]))
    np.testing.assert_array_equal(field.strengths(np.array([[-20.0, 20.0], [3.0, 3.0]]))[0], [1.0, 1.0])
    np.testing.assert_array_equal(field.strengths(np.array([[20.0, -20.0], [3.0, 3.0]]))[0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "sugar"}, "kind: expected one of reward, punishment, got 'sugar'"),
        ({"kind": "reward", "strength": 0.0}, "strength: expected above 0, got 0.0"),
        ({"kind": "reward", "strength": math.nan}, "strength: expected above 0, got nan"),
        ({"kind": "reward", "radius_mm": -2.0}, "radius_mm: expected above 0 or None, got -2.0"),
        ({"kind": "reward", "center_mm": (1.0, math.inf)}, "center_mm: expected finite"),
    ],
)
def test_impossible_reinforcement_is_refused(arguments, message):
    with pytest.raises(EnvError, match=message):
        Reinforcement(**arguments)
