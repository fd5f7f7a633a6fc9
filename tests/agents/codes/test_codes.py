"""Codes: values of the formulas, choice by name, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ethospike.agents.codes import (
    ENCODERS,
    READOUTS,
    Fourier,
    Gaussian,
    Joined,
    Line,
    OneHot,
    OpponentPairs,
    Places,
    PopulationVector,
    Softmax,
    WinnerTakeAll,
    default_encoder,
    default_readout,
)
from ethospike.envs.any_env import Entry
from ethospike.errors import AgentError

X, Y = Entry("x", -1.0, 1.0), Entry("y", 0.0, 10.0)
CARD = Entry("card", 0.0, 3.0, 4)


def generators(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(i) for i in range(n)]


def test_line_and_one_hot() -> None:
    np.testing.assert_allclose(Line([X, Y]).encode(np.array([[0.5, 2.0]])), [[0.75, 0.25, 0.2, 0.8]])
    np.testing.assert_allclose(Line([X]).encode(np.array([[7.0]])), [[1.0, 0.0]])  # clipped
    np.testing.assert_array_equal(
        OneHot([CARD]).encode(np.array([[2.0], [0.0]])), [[0, 0, 1, 0], [1, 0, 0, 0]]
    )


def test_gaussian_tuning_has_its_peak_at_the_center_and_e_to_the_minus_half_a_width_away() -> None:
    code = Gaussian([X], n_cells=5, width=1.0)
    # Centers −1, −0.5, 0, 0.5, 1; the width is one distance, 0.5.
    activity = code.encode(np.array([[0.5]]))[0]
    np.testing.assert_allclose(activity, np.exp(-0.5 * np.array([3.0, 2.0, 1.0, 0.0, 1.0]) ** 2))
    assert code.n_channels == 5


def test_place_cells_on_a_grid_and_tiles() -> None:
    code = Places([X, Y], n_cells=3)
    assert code.n_channels == 9
    # x = 0 is the middle of three, y = 10 the last: cell (1, 2), index 5; its neighbor is (1, 1).
    activity = code.encode(np.array([[0.0, 10.0]]))[0]
    assert activity[5] == 1.0
    assert activity[4] == pytest.approx(math.exp(-1.0))
    assert activity[0] == pytest.approx(math.exp(-5.0))
    tiles = Places([X, Y], n_cells=3, tiles=True).encode(np.array([[0.1, 9.0]]))[0]
    assert np.flatnonzero(tiles).tolist() == [5]
    with pytest.raises(AgentError, match="20 cells along each of 6 entries are more than 100,000 channels"):
        Places([X] * 6, n_cells=20)


def test_the_fourier_basis_has_all_pairs_of_low_frequencies() -> None:
    code = Fourier([X, Y], order=2)
    # (1,0) (2,0) (0,1) (0,2) and the four pairs.
    assert code.n_channels == 8
    vectors = {tuple(vector) for vector in code._vectors.astype(int).tolist()}
    assert vectors == {(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)}
    activity = code.encode(np.array([[0.0, 5.0]]))[0]  # both shares are one half
    expected = [(1 + math.cos(math.pi * 0.5 * (a + b))) / 2 for a, b in code._vectors]
    np.testing.assert_allclose(activity, expected, atol=1e-12)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_code_is_between_0_and_1_and_moves(name: str) -> None:
    entries = [CARD, CARD] if name == "one-hot" else [X, Y]
    code = ENCODERS[name](entries)
    values = np.array(
        [[entry.low + share * (entry.high - entry.low) for entry in entries] for share in (0, 1)]
    )
    activity = code.encode(values)
    assert activity.shape == (2, code.n_channels)
    assert activity.min() >= 0.0
    assert activity.max() <= 1.0
    assert np.abs(activity[0] - activity[1]).max() > 0.5


def test_the_default_code_is_one_hot_for_categories() -> None:
    code = default_encoder([X, CARD, Y], "line")
    assert isinstance(code, Joined)
    activity = code.encode(np.array([[1.0, 3.0, 0.0]]))
    np.testing.assert_allclose(activity, [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]])
    with pytest.raises(AgentError, match="no code 'gausian'; did you mean 'gaussian'"):
        default_encoder([X], "gausian")
    with pytest.raises(AgentError, match="expected a finite range of 'v'"):
        default_encoder([Entry("v", -np.inf, np.inf)])
    with pytest.raises(AgentError, match="'x' is a continuous number"):
        OneHot([X])


def test_the_winner_takes_all_and_equals_are_drawn() -> None:
    readout = WinnerTakeAll(CARD)
    rates = np.array([[0.0, 2.0, 1.0, 0.0]] * 3)
    assert readout.decode(rates, generators(3)).tolist() == [1.0, 1.0, 1.0]
    silent = [int(readout.decode(np.zeros((1, 4)), [np.random.default_rng(i)])[0]) for i in range(400)]
    # 100 of each on average, standard deviation 8.7.
    assert all(60 < count < 140 for count in np.bincount(silent, minlength=4))


def test_softmax_draws_with_its_probabilities() -> None:
    readout = Softmax(Entry("button", 0.0, 1.0, 2), temperature=0.5)
    rates = np.array([[1.0, 0.5]])
    expected = 1.0 / (1.0 + math.exp(-1.0))  # logistic of (1 − 0.5) / 0.5
    assert readout.probabilities(rates)[0, 0] == pytest.approx(expected)
    rng = np.random.default_rng(1)
    drawn = np.array([readout.decode(rates, [rng])[0] for _ in range(4000)])
    # Standard error sqrt(p (1 − p) / 4000) = 0.007.
    assert (drawn == 0.0).mean() == pytest.approx(expected, abs=0.03)
    with pytest.raises(AgentError, match="temperature: expected above 0"):
        Softmax(CARD, temperature=0.0)


def test_population_vector_and_opponent_pairs() -> None:
    vector = PopulationVector(Y, n_groups=3)  # preferred 0, 5, 10
    rates = np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    assert vector.decode(rates, generators(2)).tolist() == [7.5, 5.0]
    pair = OpponentPairs(X, full_rate=2.0)
    rates = np.array([[1.0, 0.0], [0.0, 4.0], [1.0, 1.0]])
    assert pair.decode(rates, generators(3)).tolist() == [0.5, -1.0, 0.0]
    with pytest.raises(AgentError, match="expected a continuous action with a finite range"):
        OpponentPairs(CARD)
    with pytest.raises(AgentError, match="'x' is continuous; choose opponent-pairs"):
        WinnerTakeAll(X)


def test_an_action_has_the_groups_of_its_entries_side_by_side() -> None:
    readout = default_readout([CARD, X], discrete="winner-take-all")
    assert readout.n_groups == 6
    action = readout.decode(np.array([[0.0, 0.0, 9.0, 0.0, 2.0, 0.0]]), generators(1))
    assert action.tolist() == [[2.0, 1.0]]
    whole = default_readout([CARD, CARD], discrete="winner-take-all")
    assert whole.decode(np.eye(8)[[1]], generators(1)).dtype == np.int64
    with pytest.raises(AgentError, match="no read-out 'soft'; did you mean 'softmax'"):
        default_readout([CARD], discrete="soft")
    assert set(READOUTS) == {"winner-take-all", "softmax", "population-vector", "opponent-pairs"}
