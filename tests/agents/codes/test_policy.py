"""The softmax policy: probabilities, draws, and the values of continuous actions."""

from __future__ import annotations

import numpy as np
import pytest

from ethospike.agents.codes.policy import Policy
from ethospike.envs.any_env import Entry
from ethospike.errors import AgentError

ENTRIES = (Entry("gear", 0.0, 2.0, 3), Entry("force", -2.0, 2.0))


def test_probabilities_are_a_softmax_in_each_entry() -> None:
    policy = Policy(ENTRIES, levels=4)
    assert policy.n_groups == 7
    preferences = np.random.default_rng(1).normal(size=(5, 7))
    preferences[0, :3] = 1e4  # no overflow
    got = policy.probabilities(preferences)
    for columns in (slice(0, 3), slice(3, 7)):
        part = np.exp(preferences[1:, columns])
        np.testing.assert_allclose(got[1:, columns], part / part.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(got[0, :3], 1 / 3, rtol=1e-12)


def test_a_least_probability_keeps_every_value_possible() -> None:
    policy = Policy(ENTRIES[:1], least_probability=0.06)
    got = policy.probabilities(np.array([[1000.0, 0.0, 0.0]]))
    np.testing.assert_allclose(got, [[0.96, 0.02, 0.02]], rtol=1e-12)


def test_draws_have_the_probabilities_and_belong_to_the_animal() -> None:
    policy = Policy(ENTRIES, levels=3)
    preferences = np.tile([0.0, 1.0, 2.0, 0.0, 0.0, 1.0], (2, 1))
    probability = policy.probabilities(preferences)
    generators = [np.random.default_rng(seed) for seed in (1, 2)]
    drawn = np.stack([policy.drawn(probability, generators) for _ in range(4000)])
    # Standard deviation of a share of 4,000 draws: at most 0.008.
    np.testing.assert_allclose(drawn.mean(axis=0), probability, atol=0.03)
    assert (drawn[:, :, :3].sum(axis=2) == 1).all()
    assert (drawn[:, :, 3:].sum(axis=2) == 1).all()
    alone = policy.drawn(probability[1:], [np.random.default_rng(2)])
    np.testing.assert_array_equal(alone[0], drawn[0, 1])


def test_actions_are_categories_and_levels_of_the_range() -> None:
    policy = Policy(ENTRIES, levels=5)
    chosen = np.zeros((2, 8))
    chosen[[0, 1], [2, 0]] = 1.0
    chosen[[0, 1], [3, 6]] = 1.0
    action = policy.action(chosen)
    np.testing.assert_array_equal(action, [[2.0, -2.0], [0.0, 1.0]])
    assert action.dtype == np.float64
    assert Policy(ENTRIES[:1]).action(np.eye(3)[:1]).dtype == np.int64
    most = policy.chosen(policy.probabilities(chosen * 5.0))
    np.testing.assert_array_equal(most, chosen)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(AgentError, match="levels: expected at least 2, got 1"):
        Policy(ENTRIES, levels=1)
    with pytest.raises(AgentError, match="least_probability"):
        Policy(ENTRIES, least_probability=1.0)
    with pytest.raises(AgentError, match="expected a finite range of 'force'"):
        Policy([Entry("force", -np.inf, np.inf)])
