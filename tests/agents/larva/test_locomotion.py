"""Locomotion: the published equations, the stated distributions, and independence of the control interval."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad

from ethospike.agents.larva.locomotion import PRESETS, Locomotion, LocomotionConfig
from ethospike.envs.odor_arena import BODY_LENGTH_MM, MAX_SPEED_MM_S, MAX_TURNER
from ethospike.errors import AgentError, StateError

Floats = NDArray[np.float64]

PUBLISHED = PRESETS["larvaworld"]
ONLY_TURNER = dataclasses.replace(
    PUBLISHED, turner_noise=0.0, suppression_floor=1.0, stride_mean=0.0, stride_sd=0.0
)
"""Everything that the turner puts out reaches the body."""


def moved(larvae: Locomotion, steps: int, drive: float = 0.0) -> tuple[Floats, Floats]:
    """Return speed and turner output, each of shape (steps, animals)."""
    given = np.full(larvae.animals, drive)
    rows = [larvae.move(given) for _ in range(steps)]
    return np.array([speed for speed, _ in rows]), np.array([turner for _, turner in rows])


def bouts(marked: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of the runs of True that begin and end within a row of observations."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(int), [0]])))
    return [int(stop - start) for start, stop in edges.reshape(-1, 2) if start > 0 and stop < len(marked)]


def published_turner(state: dict[str, Floats], drive: float, steps: int, dt_s: float) -> Floats:
    """Integrate the published equations, one variable at a time; 8 variables, H_C as well as H_E."""
    (e_l, e_r), (c_l, c_r) = state["rate"][:, :, 0]
    h_e_l, h_e_r = state["adaptation"][:, 0]
    h_c_l, h_c_r = h_e_l, h_e_r
    gain, tau_h = 6 + (0.09 * drive) ** 2, 3 / (1 + (0.04 * drive) ** 2)

    def rate(x: float, h: float) -> float:
        return 100 * x**2 / (x**2 + (64 + gain * h) ** 2) if x > 0 else 0.0

    output = []
    for _ in range(steps):
        slopes = [
            (rate(drive + 3 * e_l - 4 * c_r, h_e_l) - e_l) / 0.1,
            (rate(drive + 3 * e_r - 4 * c_l, h_e_r) - e_r) / 0.1,
            (rate(drive + 0.1 * e_l - 4 * c_r, h_c_l) - c_l) / 0.1,
            (rate(drive + 0.1 * e_r - 4 * c_l, h_c_r) - c_r) / 0.1,
            (e_l - h_e_l) / tau_h,
            (e_r - h_e_r) / tau_h,
            (e_l - h_c_l) / tau_h,
            (e_r - h_c_r) / tau_h,
        ]
        values = np.array([e_l, e_r, c_l, c_r, h_e_l, h_e_r, h_c_l, h_c_r]) + dt_s * np.array(slopes)
        e_l, e_r, c_l, c_r, h_e_l, h_e_r, h_c_l, h_c_r = values
        output.append(e_r - e_l)
    return np.array(output)


def frequency_hz(output: Floats, dt_s: float) -> float:
    upward = np.flatnonzero((output[:-1] <= 0) & (output[1:] > 0))
    return float((len(upward) - 1) / ((upward[-1] - upward[0]) * dt_s))


@pytest.mark.parametrize(("drive", "activation"), [(0.0, 20.0), (-0.5, 15.0), (0.25, 25.0)])
def test_the_turner_follows_the_published_equations(drive: float, activation: float) -> None:
    larva = Locomotion(ONLY_TURNER, animals=1, control_interval_ms=10.0, seed=1)
    start = larva.state()
    _, turner = moved(larva, 500, drive)
    assert np.abs(turner).max() > 5
    np.testing.assert_allclose(turner[:, 0], published_turner(start, activation, 500, 0.01), atol=1e-9)


def test_ten_milliseconds_are_fine_enough_for_the_turner() -> None:
    larva = Locomotion(ONLY_TURNER, animals=1, control_interval_ms=10.0, seed=1)
    start = larva.state()
    _, turner = moved(larva, 4000)
    fine = published_turner(start, 20.0, 40_000, 0.001)
    assert turner.std() == pytest.approx(fine.std(), rel=0.02)
    assert frequency_hz(turner[:, 0], 0.01) == pytest.approx(frequency_hz(fine, 0.001), rel=0.02)


def test_olfactory_drive_suppresses_or_enhances_turning() -> None:
    amplitude = []
    for drive in (-1.0, -0.5, 0.0, 0.5, 1.0):
        larvae = Locomotion(PUBLISHED, animals=10, control_interval_ms=100.0, seed=2)
        amplitude.append(float(moved(larvae, 400, drive)[1][100:].std()))
    assert amplitude == sorted(amplitude, reverse=True)
    assert amplitude[-1] < 0.05 * amplitude[2]


def test_turning_comes_back_after_suppression() -> None:
    larvae = Locomotion(PUBLISHED, animals=10, control_interval_ms=100.0, seed=3)
    usual = moved(larvae, 100)[1].std()
    assert moved(larvae, 400, drive=1.0)[1][-50:].std() < 0.05 * usual
    assert moved(larvae, 150)[1][-100:].std() > 0.7 * usual
    # What the noise is there for: without it both sides stay alike for a long time.
    silent = Locomotion(
        dataclasses.replace(PUBLISHED, turner_noise=0.0), animals=10, control_interval_ms=100.0, seed=3
    )
    moved(silent, 400, drive=1.0)
    assert moved(silent, 150)[1].std() < 0.05 * usual


def test_runs_have_the_published_speed() -> None:
    larvae = Locomotion(PUBLISHED, animals=20, control_interval_ms=10.0, seed=4)
    speed, _ = moved(larvae, 4000)
    running = speed[speed > 0]
    # f · d · L, to which the modulation within a stride adds nothing on average.
    expected = 1.42 * 0.23 * BODY_LENGTH_MM
    strides = len(running) * 0.01 * 1.42
    assert strides > 500
    assert running.mean() == pytest.approx(expected, abs=4 * expected * (0.04 / 0.23) / np.sqrt(strides))
    # Within a stride: sd = mean · 0.51 / √2, between strides 0.04 / 0.23; independent.
    spread = expected * np.sqrt((0.51**2 / 2) * (1 + (0.04 / 0.23) ** 2) + (0.04 / 0.23) ** 2)
    assert running.std() == pytest.approx(spread, rel=0.03)


def test_runs_and_pauses_have_the_published_lengths() -> None:
    larvae = Locomotion(PUBLISHED, animals=40, control_interval_ms=10.0, seed=5)
    speed, _ = moved(larvae, 12_000)
    pauses = 0.01 * np.array([n for train in speed.T for n in bouts(train == 0)])
    rate, low, high = 1.01503, 0.12, 15.94
    weight = quad(lambda t: np.exp(-rate * t), low, high)[0]
    mean = quad(lambda t: t * np.exp(-rate * t), low, high)[0] / weight
    assert len(pauses) > 500
    assert pauses.min() >= low - 0.006
    assert pauses.max() <= high
    assert pauses.mean() == pytest.approx(mean, abs=4 * pauses.std() / np.sqrt(len(pauses)))

    # Long runs do not fit into the 2 minutes, so compare the median and the share of single strides.
    strides = np.array([n for train in speed.T for n in bouts(train > 0)]) * 0.01 * 1.42
    number = np.arange(1, 143)
    density = np.exp(-((np.log(number) - 1.39115) ** 2) / (2 * 1.14667**2)) / number
    density /= density.sum()
    share = np.mean(np.abs(strides - 1) < 0.1)
    assert share == pytest.approx(density[0], abs=4 * np.sqrt(density[0] / len(strides)) + 0.02)
    assert np.median(strides.round()) == pytest.approx(number[density.cumsum() > 0.5][0], abs=1)


def test_crawling_suppresses_turning() -> None:
    larvae = Locomotion(PUBLISHED, animals=20, control_interval_ms=10.0, seed=6)
    free = Locomotion(
        dataclasses.replace(PUBLISHED, suppression_floor=1.0), animals=20, control_interval_ms=10.0, seed=6
    )
    (speed, turner), (_, unsuppressed) = moved(larvae, 2000), moved(free, 2000)
    ratio = turner / unsuppressed
    crawls = speed > 0
    np.testing.assert_allclose(ratio[~crawls], 1.0)
    # Between 0.1, far from the phase of relief, and 0.1 + 0.6 at it. The last step of a run may already
    # have the phase of the next stride.
    assert ratio[crawls].min() == pytest.approx(0.1, abs=0.01)
    assert ratio[crawls].max() == pytest.approx(0.7, abs=0.001)


def test_slow_noise_has_its_spread_and_its_correlation_time() -> None:
    config = LocomotionConfig(turner_noise=5.0, turner_noise_s=0.5)
    larvae = Locomotion(config, animals=50, control_interval_ms=100.0, seed=13)
    noise = []
    for _ in range(8):
        moved(larvae, 25)  # as much as is drawn ahead: 2.5 s
        noise.append(larvae.state()["noise"])
    left, right = np.concatenate(noise).transpose(1, 0, 2)
    np.testing.assert_array_equal(left, -right)
    # 20 s of 50 animals are 2,000 correlation times: the standard error of the spread is 2 %.
    assert left.std() == pytest.approx(5.0, rel=0.07)
    for lag, expected in ((1, np.exp(-0.01 / 0.5)), (50, np.exp(-1.0))):
        assert np.corrcoef(left[:-lag].ravel(), left[lag:].ravel())[0, 1] == pytest.approx(expected, abs=0.06)


def test_the_output_is_scaled() -> None:
    half, whole = (
        Locomotion(LocomotionConfig(turner_scale=scale), animals=2, control_interval_ms=10.0, seed=14)
        for scale in (0.5, 1.0)
    )
    scaled, full = moved(half, 100)[1], moved(whole, 100)[1]
    assert full.std() > 0
    np.testing.assert_allclose(scaled, 0.5 * full, rtol=1e-12)


def test_an_interval_is_the_mean_of_those_of_10_ms_in_it() -> None:
    fine = Locomotion(LocomotionConfig(), animals=3, control_interval_ms=10.0, seed=7)
    coarse = Locomotion(LocomotionConfig(), animals=3, control_interval_ms=100.0, seed=7)
    odd = Locomotion(LocomotionConfig(), animals=3, control_interval_ms=70.0, seed=7)
    for by_10, by_100, by_70 in zip(
        moved(fine, 7000, 0.1), moved(coarse, 700, 0.1), moved(odd, 1000, 0.1), strict=True
    ):
        assert by_100.std() > 0
        np.testing.assert_allclose(by_10.reshape(700, 10, 3).mean(axis=1), by_100, atol=1e-9)
        np.testing.assert_allclose(by_10.reshape(1000, 7, 3).mean(axis=1), by_70, atol=1e-9)


@pytest.mark.parametrize(("animal", "few"), [(3, 5), (0, 1)])
def test_an_animal_is_the_same_in_a_larger_group(animal: int, few: int) -> None:
    small = Locomotion(LocomotionConfig(), animals=few, control_interval_ms=100.0, seed=8)
    large = Locomotion(LocomotionConfig(), animals=8, control_interval_ms=100.0, seed=8)
    for mine, theirs in zip(moved(small, 300, 0.2), moved(large, 300, 0.2), strict=True):
        assert mine[:, animal].std() > 0
        np.testing.assert_array_equal(mine[:, animal], theirs[:, animal])


def test_animals_are_in_no_common_phase() -> None:
    larvae = Locomotion(LocomotionConfig(), animals=200, control_interval_ms=100.0, seed=9)
    _, turner = moved(larvae, 1)
    share_left = float((turner > 0).mean())
    assert share_left == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(200))
    assert 0.7 < float((moved(larvae, 1)[0] > 0).mean()) < 0.95


def test_a_run_continues_from_its_state_bit_identically() -> None:
    larvae = Locomotion(LocomotionConfig(), animals=3, control_interval_ms=100.0, seed=10)
    moved(larvae, 33, 0.1)
    saved = larvae.state()
    expected = moved(larvae, 200, -0.2)
    other = Locomotion(LocomotionConfig(), animals=3, control_interval_ms=100.0, seed=99)
    other.set_state(saved)
    for mine, theirs in zip(moved(other, 200, -0.2), expected, strict=True):
        assert theirs.std() > 0
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(StateError, match="of shape"):
        other.set_state(Locomotion(LocomotionConfig(), animals=2, control_interval_ms=100.0, seed=1).state())


def test_actions_are_in_the_units_of_the_body() -> None:
    larvae = Locomotion(LocomotionConfig(), animals=4, control_interval_ms=100.0, seed=11)
    saved = larvae.state()
    speed, turner = larvae.move(np.zeros(4))
    larvae.set_state(saved)
    action = larvae.action(np.zeros(4))
    assert action.dtype == np.float32
    assert (np.abs(action) > 0).any()
    np.testing.assert_allclose(action[:, 0], speed / MAX_SPEED_MM_S, rtol=1e-6)
    np.testing.assert_allclose(action[:, 1], turner / MAX_TURNER, rtol=1e-6)


@pytest.mark.parametrize("field", [one.name for one in dataclasses.fields(LocomotionConfig)])
def test_every_field_has_an_effect(field: str) -> None:
    default = LocomotionConfig()
    changed = dataclasses.replace(default, **{field: getattr(default, field) * 0.9 + 0.001})
    drive = 0.3 if field == "high_drive" else -0.3 if field == "low_drive" else 0.0
    before, after = (
        moved(Locomotion(config, animals=2, control_interval_ms=100.0, seed=12), 300, drive)
        for config in (default, changed)
    )
    assert any(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride_hz": 0.0}, "stride_hz: expected above 0"),
        ({"stride_sd": -0.1}, "stride_sd: expected at least 0"),
        ({"turner_noise": np.nan}, "turner_noise: expected a finite"),
        ({"base_drive": 50.0}, "low_drive ≤ base_drive ≤ high_drive"),
    ],
)
def test_bad_numbers_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(AgentError, match=message):
        LocomotionConfig(**changes)


@pytest.mark.parametrize("interval_ms", [5.0, 15.0, 0.0])
def test_an_interval_must_be_whole_inner_steps(interval_ms: float) -> None:
    with pytest.raises(AgentError, match="not a whole number of the body's inner steps"):
        Locomotion(LocomotionConfig(), animals=1, control_interval_ms=interval_ms, seed=1)
