"""Checks of what a user of an environment hands over."""

import numpy as np
import pytest

from ethospike.envs.checks import animals_to_reset, check_options, checked_action, checked_seed, inner_steps
from ethospike.errors import EnvError


def test_inner_steps_of_a_control_interval():
    assert [inner_steps(interval, 10.0) for interval in (10.0, 20, 100.0, 1000.0)] == [1, 2, 10, 100]
    with pytest.raises(EnvError, match="of 10 ms, got 104 ms"):
        inner_steps(104.0, 10.0)


def test_a_checked_action_is_a_copy():
    action = np.array([0.5, 2.0])
    checked = checked_action(action, (2,))
    np.testing.assert_array_equal(checked, [0.5, 1.0])
    checked[:] = 0.0
    np.testing.assert_array_equal(action, [0.5, 2.0])


def test_everybody_is_reset_without_a_mask():
    assert animals_to_reset(None, 2).all()
    assert animals_to_reset({}, 2).all()
    np.testing.assert_array_equal(animals_to_reset({"reset_mask": [True, False]}, 2), [True, False])


def test_options_that_nobody_knows_are_refused():
    with pytest.raises(EnvError, match="expected only 'reset_mask', got 'reset_masks'"):
        animals_to_reset({"reset_masks": [True, False]}, 2)
    with pytest.raises(EnvError, match="expected none, got 'reset_mask'"):
        check_options({"reset_mask": [True]})
    check_options({})
    check_options(None)


def test_seeds_are_whole_numbers_from_0_on():
    assert type(checked_seed(np.int64(3))) is int
    with pytest.raises(EnvError, match="at least 0, got -1"):
        checked_seed(-1)
    with pytest.raises(EnvError, match="one whole number"):
        checked_seed(1.5)
