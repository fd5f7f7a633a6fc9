"""Spaces as rows of numbers: names, values by hand, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ethospike.envs.any_env import flat_space
from ethospike.errors import EnvError

NESTED = spaces.Dict(
    arm=spaces.Box(-1.0, 1.0, (2, 2), np.float64),
    card=spaces.Discrete(5, start=-2),
    keys=spaces.Tuple((spaces.MultiBinary(3), spaces.MultiDiscrete([2, 4]))),
)


def test_names_keep_the_path_and_values_their_order() -> None:
    flat = flat_space(NESTED, "observation")
    assert [entry.name for entry in flat.entries] == [
        *("arm[0,0]", "arm[0,1]", "arm[1,0]", "arm[1,1]", "card"),
        *("keys/item0[0]", "keys/item0[1]", "keys/item0[2]", "keys/item1[0]", "keys/item1[1]"),
    ]
    assert [entry.categories for entry in flat.entries] == [0, 0, 0, 0, 5, 2, 2, 2, 2, 4]
    sample = {
        "arm": np.array([[0.1, 0.2], [0.3, 0.4]]),
        "card": np.int64(1),
        "keys": (np.array([1, 0, 1], np.int8), np.array([1, 3])),
    }
    assert flat.flat(sample).tolist() == [0.1, 0.2, 0.3, 0.4, 3.0, 1.0, 0.0, 1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    "space",
    [
        NESTED,
        spaces.Discrete(7, start=3),
        spaces.Box(-2.0, 2.0, (3,), np.float32),
        spaces.Box(0, 9, (2, 2), np.int32),
        spaces.MultiDiscrete([[2, 3], [4, 5]]),
        spaces.MultiBinary((2, 2)),
        spaces.Tuple((spaces.Discrete(2), spaces.Box(0.0, 1.0, ()))),
    ],
    ids=str,
)
def test_an_element_comes_back_from_its_numbers(space: spaces.Space[Any]) -> None:
    flat = flat_space(space, "action")
    space.seed(1)
    rows = []
    for _ in range(20):
        sample = space.sample()
        element = flat.element(flat.flat(sample))
        assert space.contains(element), element
        assert flat.flat(element).tolist() == flat.flat(sample).tolist()
        rows.append(flat.flat(sample))
    assert np.ptp(rows, axis=0).max() > 0


def test_continuous_actions_are_clipped_and_categories_refused() -> None:
    box = flat_space(spaces.Box(np.array([-1.0, 0.0]), np.array([1.0, np.inf]), dtype=np.float64), "action")
    assert box.element(np.array([-3.0, 1e9])).tolist() == [-1.0, 1e9]
    choice = flat_space(spaces.Discrete(3), "action")
    for value in (3.0, -1.0, 0.5):
        with pytest.raises(EnvError, match="expected a whole number 0 … 2 for action"):
            choice.element(np.array([value]))


def test_an_image_is_the_mean_of_blocks_of_pixels() -> None:
    space = spaces.Box(0, 255, (40, 60, 3), np.uint8)
    flat = flat_space(space, "observation", (2, 3))
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[20:, :20] = 255  # the block in row 1, column 0
    picture[:20, 40:, 0] = 255  # a third of the gray value, in row 0, column 2
    expected = [0.0, 0.0, 1 / 3, 1.0, 0.0, 0.0]
    np.testing.assert_allclose(flat.flat(picture), expected)
    assert flat.entries[3].name == "observation[1,0]"
    board = flat_space(spaces.Box(0, 255, (3, 3), np.uint8), "observation")
    assert len(board.entries) == 9  # too small for a picture
    with pytest.raises(EnvError, match="at most 40 × 60 pixels, got 50 × 3"):
        flat_space(space, "observation", (50, 3))


def test_the_largest_float_is_no_bound() -> None:
    largest = float(np.finfo(np.float32).max)
    flat = flat_space(spaces.Box(-largest, largest, (1,)), "observation")
    assert not flat.entries[0].is_bounded


@pytest.mark.parametrize("space", [spaces.Text(5), spaces.Sequence(spaces.Discrete(2))], ids=str)
def test_spaces_without_a_fixed_number_of_entries_are_refused(space: spaces.Space[Any]) -> None:
    with pytest.raises(EnvError, match="has no fixed number of entries; expected Box"):
        flat_space(space, "observation")
