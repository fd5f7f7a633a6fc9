"""The larval body against closed-form solutions of its equations, and against the wall."""

import math

import numpy as np
import pytest
from scipy.linalg import expm

from ethospike.envs.odor_arena import LarvaBodies

RADIUS_MM = 50.0
LENGTH_MM = 4.0  # larvaworld
DT_S = 0.01


def bodies(animals=1, middle_mm=(0.0, 0.0), heading_rad=0.0):
    group = LarvaBodies(animals, RADIUS_MM)
    middle = np.broadcast_to(np.reshape(middle_mm, (2, -1)), (2, animals))
    group.place(np.ones(animals, bool), middle, np.broadcast_to(heading_rad, (animals,)))
    return group


def drive(*values):
    return np.array(values, float)


def move(group, crawl, turn, n_steps):
    return group.advance(np.stack((crawl, turn), axis=1), n_steps)


def snapshot(group):
    return {
        name: getattr(group, name).copy()
        for name in ("middle_mm", "head_mm", "heading_rad", "bend_rad", "turn_rad", "stride_mm")
    }


def assert_same(one, other):
    for name, values in snapshot(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), err_msg=name)


@pytest.mark.parametrize("crawl", [1.0, 0.3, -0.5])
def test_a_straight_larva_crawls_at_four_millimeters_a_second_at_full_drive(crawl):
    group = bodies(heading_rad=math.radians(30.0))
    touched = move(group, drive(crawl), drive(0.0), 500)
    expected = 5.0 * 4.0 * crawl * np.array([math.cos(math.pi / 6), 0.5])
    np.testing.assert_allclose(group.middle_mm[:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(group.speed_mm_s, 4.0 * crawl)
    assert not touched.any()


@pytest.mark.parametrize("speed_mm_s", [0.0, 1.0, 3.0, -1.0])
@pytest.mark.parametrize("turner", [0.0, 2.0, -1.5])
def test_bend_and_turn_follow_the_linear_equation(speed_mm_s, turner):
    # d(ω, bend, heading)/dt = A (ω, bend, heading) + (0.5 · turner, 0, 0); straightening only forwards.
    pull = 2.0 * max(speed_mm_s, 0.0) / LENGTH_MM
    matrix = np.array([[-1.0, -1.0, 0.0], [1.0, -pull, 0.0], [1.0, 0.0, 0.0]])
    augmented = np.zeros((4, 4))
    augmented[:3, :3], augmented[0, 3] = matrix, 0.5 * turner
    group = bodies()
    group.bend_rad[:] = 0.8
    group.refresh()
    start = np.array([0.0, 0.8, 0.0, 1.0])
    for n in range(1, 41):
        move(group, drive(speed_mm_s / 4.0), drive(turner / 100.0), 5)
        expected = expm(augmented * n * 0.05) @ start
        got = (group.angular_velocity_rad_s[0], group.bend_rad[0], group.heading_rad[0])
        # first-order integration: the error is of the order of one inner step times the rates, which are ~1
        np.testing.assert_allclose(got, expected[:3], atol=2.0 * DT_S)
    assert abs(got[2]) > 0.05


def test_a_standing_larva_swings_like_a_damped_pendulum():
    # bend'' = −bend' − bend + τ from rest: ω(t) = τ/Ω · exp(−t/2) · sin(Ω t), Ω = √3/2
    group, omega, tau = bodies(), math.sqrt(0.75), 1.0
    times = np.arange(1, 1001) * DT_S
    got = []
    for _ in times:
        move(group, drive(0.0), drive(tau / 0.5 / 100.0), 1)
        got.append(group.angular_velocity_rad_s[0])
    expected = tau / omega * np.exp(-times / 2) * np.sin(omega * times)
    np.testing.assert_allclose(got, expected, atol=DT_S)
    assert group.bend_rad[0] == pytest.approx(tau, abs=0.02)


def test_a_steady_turner_makes_a_circle():
    # Equilibrium: ω = 2 v/L · bend and τ = ω + bend, so ω = τ · k/(1 + k), k = 2 v/L; radius v/ω.
    speed, tau = 2.0, 0.6
    k = 2.0 * speed / LENGTH_MM
    omega = tau * k / (1.0 + k)
    group = bodies()
    crawl, turn = drive(speed / 4.0), drive(tau / 0.5 / 100.0)
    move(group, crawl, turn, 5000)
    assert group.angular_velocity_rad_s[0] == pytest.approx(omega, rel=1e-6)
    path = []
    for _ in range(round(2 * math.pi / omega / DT_S)):
        move(group, crawl, turn, 1)
        path.append(group.middle_mm[:, 0].copy())
    path = np.array(path)
    radius = np.hypot(*(path - path.mean(axis=0)).T)
    np.testing.assert_allclose(radius, speed / omega, rtol=0.01)


def test_the_head_turns_about_the_middle_of_the_body():
    group = bodies(middle_mm=(3.0, -2.0))
    move(group, drive(0.0), drive(0.05), 100)
    assert abs(group.heading_rad[0]) > 0.1
    np.testing.assert_array_equal(group.middle_mm[:, 0], (3.0, -2.0))
    angle = group.heading_rad[0]
    np.testing.assert_allclose(
        group.head_mm[:, 0], (3.0 + 2.0 * math.cos(angle), -2.0 + 2.0 * math.sin(angle))
    )


def test_the_body_never_bends_through_itself():
    group = bodies(animals=2)
    for _ in range(200):
        move(group, drive(0.0, 0.0), drive(1.0, -1.0), 10)
        assert (np.abs(group.bend_rad) <= math.pi).all()
    np.testing.assert_allclose(group.bend_rad, (math.pi, -math.pi))


def test_the_wall_stops_the_head_and_speeds_up_its_turn():
    group = bodies(middle_mm=(RADIUS_MM - 2.0 - 0.01, 0.0))
    touched = move(group, drive(1.0), drive(0.0), 1)
    assert touched[0]
    assert group.speed_mm_s[0] == 0.0
    assert group.middle_mm[0, 0] == RADIUS_MM - 2.0 - 0.01
    # larvaworld: π/10 rad/s in a step of 100 ms
    assert group.angular_velocity_rad_s[0] == pytest.approx(math.pi / 10 * DT_S / 0.1)


def test_a_stopped_larva_is_not_straightened():
    group = bodies(middle_mm=(RADIUS_MM - 2.0 - 0.001, 0.0))
    group.bend_rad[:] = 0.8
    group.refresh()
    assert move(group, drive(1.0), drive(0.0), 1)[0]
    # only the spring acts: ω = −bend · dt, and the turn of this step is ω · dt
    assert group.bend_rad[0] == pytest.approx(0.8 - 0.8 * DT_S**2, rel=1e-12)


def test_a_turn_into_the_wall_is_bounced_back():
    # Heading 60° off the outward normal, head at the wall: turning towards the normal pushes it out.
    heading = math.radians(60.0)
    head = np.array([RADIUS_MM - 1e-6, 0.0])
    group = bodies(
        middle_mm=head - 2.0 * np.array([math.cos(heading), math.sin(heading)]), heading_rad=heading
    )
    group.turn_rad[:] = -0.02
    touched = move(group, drive(0.0), drive(0.0), 1)
    assert touched[0]
    assert group.turn_rad[0] > 0.019
    assert group.heading_rad[0] == pytest.approx(heading)
    assert np.hypot(*group.head_mm[:, 0]) <= RADIUS_MM


def test_no_head_leaves_the_dish_and_nobody_stays_at_the_wall():
    rng = np.random.default_rng(5)
    n = 60
    group = bodies(n, heading_rad=rng.uniform(-math.pi, math.pi, n))
    touches = np.zeros(n, int)
    for _ in range(600):
        touched = move(group, np.full(n, 0.5), rng.uniform(-0.04, 0.04, n), 10)
        touches += touched
        assert np.hypot(*group.head_mm).max() <= RADIUS_MM * (1.0 + 1e-12)
    assert (touches > 0).all()
    assert (touches < 500).all()


def test_a_larva_that_backs_into_the_wall_is_stopped():
    group = bodies()
    for _ in range(300):
        touched = move(group, drive(-1.0), drive(0.0), 10)
        rear = group.heading_rad - group.bend_rad
        tail = group.middle_mm - 2.0 * np.stack((np.cos(rear), np.sin(rear)))
        assert np.hypot(*tail)[0] <= RADIUS_MM * (1.0 + 1e-12)
        if touched[0]:
            break
    assert touched[0]
    assert group.middle_mm[0, 0] == pytest.approx(-RADIUS_MM + 2.0, abs=0.1)


def test_a_larva_whose_tail_is_behind_the_wall_may_back_away_from_it():
    # The wall stops no tail that follows; this one lies at (50.5, 0), and backing takes it inwards.
    heading = math.radians(70.0)
    group = bodies(middle_mm=(48.5, 0.0), heading_rad=heading)
    group.bend_rad[:] = heading - math.pi
    group.refresh()
    assert not move(group, drive(-1.0), drive(0.0), 1)[0]
    assert group.middle_mm[0, 0] == pytest.approx(48.5 - 0.04 * math.cos(heading), abs=1e-4)


@pytest.fixture(scope="module")
def drives():
    rng = np.random.default_rng(9)
    smooth = np.cumsum(rng.normal(0.0, 0.12, (120, 2, 17)), axis=0)
    return np.clip(smooth * [[1.0], [0.03]] + [[0.6], [0.0]], -1.0, 1.0)


def travel(group, drives, n_steps, repeats=1, animals=slice(None)):
    touches = 0
    for crawl, turn in drives[:, :, animals]:
        for _ in range(repeats):
            touches += move(group, crawl, turn, n_steps).sum()
    return touches


def start(animals):
    angle = np.linspace(0.0, 6.0, animals)
    return 30.0 * np.stack((np.cos(angle), np.sin(angle))), 2.0 * angle


def test_windows_of_one_and_of_ten_inner_steps_give_the_same_bits(drives):
    middle, heading = start(17)
    coarse, fine = bodies(17, middle, heading), bodies(17, middle, heading)
    assert travel(coarse, drives, 10) > 0
    travel(fine, drives, 1, repeats=10)
    assert_same(coarse, fine)


@pytest.mark.parametrize("animal", [0, 7, 16])
def test_an_animal_of_a_group_moves_as_it_does_alone(drives, animal):
    middle, heading = start(17)
    group = bodies(17, middle, heading)
    alone = bodies(1, middle[:, animal], heading[animal])
    travel(group, drives, 10)
    travel(alone, drives, 10, animals=slice(animal, animal + 1))
    for name, values in snapshot(alone).items():
        np.testing.assert_array_equal(values[..., 0], getattr(group, name)[..., animal], err_msg=name)
