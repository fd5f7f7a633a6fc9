"""The olfactory drive: larvaworld's olfactor, at any control interval, with a detection floor."""

import itertools

import numpy as np
import pytest

from ethospike.agents.larva.olfaction import DETECTION_FLOOR_UM, INNATE_GAIN, OlfactoryDrive
from ethospike.errors import AgentError, StateError


def drive_of(concentrations: list[float], gain: float = 1.0, interval_ms: float = 100.0) -> list[float]:
    olfaction = OlfactoryDrive(1, 1, interval_ms)
    return [float(olfaction.update(np.array([[c]]), gain)[0]) for c in concentrations]


def test_small_changes_give_the_published_sum() -> None:
    # larvaworld: A ← A exp(−0.1 dt) + dt Σ gain (c_t / c_{t−1} − 1), dt = 0.1 s.
    rng = np.random.default_rng(1)
    concentrations = np.exp(np.cumsum(rng.normal(0, 0.002, 300)))
    expected = [0.0]
    for before, now in itertools.pairwise(concentrations):
        expected.append(expected[-1] * np.exp(-0.01) + 0.1 * 30.0 * (now / before - 1))
    assert max(np.abs(expected)) > 0.05
    np.testing.assert_allclose(drive_of(concentrations.tolist(), gain=30.0), expected, atol=0.005)


@pytest.mark.parametrize("interval_ms", [10.0, 100.0])
def test_the_drive_does_not_depend_on_the_control_interval(interval_ms: float) -> None:
    # d ln c / dt = 0.05 / s for 10 s: A = gain · 0.1 · 0.05 / 0.1 · (1 − exp(−1)).
    steps = round(10_000 / interval_ms)
    concentrations = np.exp(0.05 * np.arange(steps + 1) * interval_ms / 1000)
    expected = 10.0 * 0.1 * 0.05 / 0.1 * (1 - np.exp(-1))
    assert drive_of(concentrations.tolist(), 10.0, interval_ms)[-1] == pytest.approx(expected, rel=0.01)


def test_the_sign_of_gain_and_change_decides() -> None:
    assert drive_of([1.0, 1.01], gain=INNATE_GAIN)[-1] > 0.1
    assert drive_of([1.0, 0.99], gain=INNATE_GAIN)[-1] < -0.1
    assert drive_of([1.0, 1.01], gain=-INNATE_GAIN)[-1] < -0.1
    assert drive_of([1.0, 1.5], gain=INNATE_GAIN)[-1] == 1.0
    assert drive_of([1.5, 1.0], gain=INNATE_GAIN)[-1] == -1.0


def test_a_smell_that_appears_or_vanishes_is_no_change() -> None:
    below = DETECTION_FLOOR_UM / 2
    assert drive_of([0.0, 1.0, 1.0, 0.0, 0.0], gain=INNATE_GAIN) == [0.0] * 5
    assert drive_of([below, 1.0], gain=INNATE_GAIN)[-1] == 0.0
    # Crawling through the floor counts from the floor on.
    slow = np.linspace(below, 4 * below, 200).tolist()
    assert 0 < drive_of(slow, gain=1.0)[-1] < 0.1 * np.log(2.0)


def test_a_smell_that_is_gone_is_forgotten_within_ten_seconds() -> None:
    drives = drive_of([1.0, 1.2] + [0.0] * 100, gain=10.0)
    assert drives[1] == pytest.approx(0.1 * 10 * np.log(1.2))
    assert drives[-1] == pytest.approx(drives[1] * np.exp(-1.0), rel=1e-6)


def test_smells_have_their_own_gains() -> None:
    olfaction = OlfactoryDrive(2, 2, 100.0)
    gain = np.array([[10.0, 0.0], [0.0, -20.0]])
    olfaction.update(np.array([[1.0, 1.0], [1.0, 1.0]]), gain)
    drive = olfaction.update(np.array([[1.1, 1.2], [1.1, 1.2]]), gain)
    np.testing.assert_allclose(drive, [np.log(1.1), -2 * np.log(1.2)])


def test_a_run_continues_from_its_state() -> None:
    olfaction = OlfactoryDrive(1, 1, 100.0)
    olfaction.update(np.array([[1.0]]), 10.0)
    olfaction.update(np.array([[1.1]]), 10.0)
    saved = olfaction.state()
    expected = float(olfaction.update(np.array([[1.2]]), 10.0)[0])
    other = OlfactoryDrive(1, 1, 100.0)
    other.set_state(saved)
    assert float(other.update(np.array([[1.2]]), 10.0)[0]) == expected != 0
    for wrong in ({}, saved | {"drive": np.zeros(2)}):
        with pytest.raises(StateError, match=r"state.*: expected"):
            other.set_state(wrong)


@pytest.mark.parametrize("floor", [0.0, -1.0, np.nan])
def test_a_floor_must_be_above_zero(floor: float) -> None:
    with pytest.raises(AgentError, match="detection floor"):
        OlfactoryDrive(1, 1, 100.0, floor)
