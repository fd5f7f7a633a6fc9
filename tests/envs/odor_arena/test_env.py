"""The odor arena: Gymnasium's rules, the timetable, and one animal's independence of the others."""

import math

import gymnasium
import numpy as np
import pytest

import ethospike.envs  # noqa: F401  (registers the arena)
from ethospike.envs.odor_arena import (
    ODOR_COLUMNS,
    REINFORCEMENT_COLUMNS,
    WALL_COLUMN,
    ArenaConfig,
    OdorArenaEnv,
    OdorArenaVectorEnv,
    OdorSource,
    Phase,
)
from ethospike.envs.odor_arena.env import Reinforcement
from ethospike.envs.odor_arena.larva_body import middle_of_body_mm
from ethospike.errors import EnvError, StateError

ARENA = "ethospike/OdorArena-v0"
TIMETABLE = ArenaConfig(
    phases=(
        Phase("training", 2.0, (OdorSource("A", (-10.0, 0.0)),), (Reinforcement("reward", 0.8),)),
        Phase("blank", 1.0, reinforcements=(Reinforcement("punishment", 0.3),), replace_animals=True),
        Phase("test", 3.0, (OdorSource("B", (40.0, 0.0), sigma_mm=30.0), OdorSource("A", (-40.0, 0.0)))),
    ),
    odors=("A", "B"),
    mirror_odd_animals=True,
)
STEPS = 60


def actions(n_steps, animals, seed=3):
    rng = np.random.default_rng(seed)
    drives = rng.uniform(-1.0, 1.0, (n_steps, animals, 2)) * [0.4, 0.1] + [0.5, 0.0]
    return drives.astype(np.float32)


def concentration(source, x, y):
    squared = (x - source.position_mm[0]) ** 2 + (y - source.position_mm[1]) ** 2
    return source.peak_um * np.exp(-squared / (2.0 * source.sigma_mm**2))


def states_equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


# -- Gymnasium's rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("control_interval_ms", [10.0, 100.0])
@pytest.mark.parametrize("config", [None, TIMETABLE], ids=["default", "timetable"])
def test_the_checkers_have_nothing_to_say(check_single_environment, control_interval_ms, config):
    check_single_environment(ARENA, config=config, control_interval_ms=control_interval_ms)


@pytest.mark.parametrize(
    "breakage",
    [
        lambda o, r, te, tr, i: (o.astype(float), r, te, tr, i),
        lambda o, r, te, tr, i: (o - 1.0, r, te, tr, i),
        lambda o, r, te, tr, i: (o, np.float64(r), te, tr, i),
        lambda o, r, te, tr, i: (o, r, np.bool_(te), tr, i),
    ],
    ids=["dtype", "bounds", "reward", "terminated"],
)
def test_the_check_of_the_further_rules_can_fail(stable_baselines_rules, monkeypatch, breakage):
    env = OdorArenaEnv()
    step = env.step
    monkeypatch.setattr(env, "step", lambda action: breakage(*step(action)))
    with pytest.raises(AssertionError):
        stable_baselines_rules(env)


def test_the_observation_space_is_as_wide_as_the_odors_can_be():
    two = Phase("p", 1.0, (OdorSource("A", peak_um=2.0), OdorSource("A", peak_um=3.0)))
    env = OdorArenaEnv(ArenaConfig((two,), start_sd_mm=(0.0, 0.0)))
    np.testing.assert_array_equal(env.observation_space.high, [5.0, 1.0, 1.0, 1.0])
    high = np.float32([2.0, 2.0, 0.8, 0.3, 1.0])
    np.testing.assert_array_equal(OdorArenaEnv(TIMETABLE).observation_space.high, high)


def test_info_is_what_variables_says():
    env = OdorArenaVectorEnv(3, TIMETABLE)
    _, info = env.reset(seed=1)
    assert info.keys() == env.variables.keys()
    for name, variable in env.variables.items():
        assert info[name].shape == (3, *variable["shape"])
        assert info[name].dtype == np.dtype(variable["dtype"])
        assert len(variable["dims"]) == len(variable["shape"])
        assert variable["units"]
        assert variable["long_name"]
    assert (env.animals, env.phases) == (3, ("training", "blank", "test"))


def test_the_vector_class_is_made_by_gymnasium():
    envs = gymnasium.make_vec(
        ARENA, num_envs=3, vectorization_mode="vector_entry_point", config=TIMETABLE, max_episode_steps=7
    )
    assert envs.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.DISABLED
    observations, _ = envs.reset(seed=2)
    assert observations in envs.observation_space
    for k in range(7):
        _, rewards, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert rewards.shape == terminated.shape == truncated.shape == (3,)
        assert not terminated.any()
        assert truncated.all() == (k == 6)


def test_a_finished_experiment_is_not_truncated_as_well():
    envs = OdorArenaVectorEnv(2, TIMETABLE, max_episode_steps=STEPS)
    envs.reset(seed=2)
    for _ in range(STEPS):
        _, _, terminated, truncated, _ = envs.step(np.zeros((2, 2)))
    assert terminated.all()
    assert not truncated.any()


def test_the_centroid_is_half_a_body_behind_the_head():
    env = OdorArenaVectorEnv(4)
    _, info = env.reset(seed=1)
    for action in actions(30, 4):
        *_, info = env.step(action)
    heading = info["heading_rad"]
    assert np.ptp(heading) > 0.1
    behind = info["position_mm"] - 2.0 * np.stack((np.cos(heading), np.sin(heading)), axis=1)
    np.testing.assert_allclose(info["centroid_mm"], behind, atol=1e-5)
    np.testing.assert_allclose(middle_of_body_mm(info["position_mm"], heading), behind, atol=1e-5)


# -- senses and rewards -----------------------------------------------------------------------------------


def test_an_animal_smells_with_its_head():
    config = ArenaConfig(start_sd_mm=(35.0, 10.0))
    env = OdorArenaVectorEnv(40, config)
    env.reset(seed=4)
    for action in actions(5, 40):
        observation, reward, *_, info = env.step(action)
    x, y = info["position_mm"].T.astype(float)
    left, right = config.phases[0].sources
    np.testing.assert_allclose(observation[:, 0], concentration(left, x, y), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(observation[:, 1], concentration(right, x, y), rtol=1e-4, atol=1e-7)
    on_reward = np.hypot(x + 40.0, y) <= 15.0
    on_punishment = np.hypot(x - 40.0, y) <= 15.0
    assert on_reward.any()
    assert on_punishment.any()
    np.testing.assert_array_equal(observation[:, 2], on_reward)
    np.testing.assert_array_equal(observation[:, 3], on_punishment)
    np.testing.assert_array_equal(reward, on_reward.astype(float) - on_punishment)


def test_the_features_are_named_in_their_order_and_columns():
    sources = (
        OdorSource("A", (0.0, 0.0), sigma_mm=1e6, peak_um=3.0),
        OdorSource("B", (0.0, 0.0), sigma_mm=1e6),
    )
    lies = (Reinforcement("punishment", strength=0.25), Reinforcement("reward", strength=0.5))
    env = OdorArenaEnv(ArenaConfig((Phase("training", 60.0, sources, lies),), odors=("B", "A")))
    observation, _ = env.reset(seed=1)
    while not observation[WALL_COLUMN]:
        observation, *_ = env.step(np.array([1.0, 0.0], np.float32))
    names = [feature.name for feature in env.features]
    sensed = dict(zip(names, observation.tolist(), strict=True))
    assert sensed == pytest.approx(
        {"B": OdorSource("B").peak_um, "A": 3.0, "reward": 0.5, "punishment": 0.25, "wall_contact": 1.0}
    )
    assert env.features[ODOR_COLUMNS] == (("B", "µM"), ("A", "µM"))
    assert env.features[REINFORCEMENT_COLUMNS] == (("reward", "1"), ("punishment", "1"))
    assert env.features[WALL_COLUMN].name == "wall_contact"


def test_wall_contact_is_felt_once_the_wall_is_reached():
    # Straight ahead from the center: the head starts 2 mm ahead of it and needs 48 mm at 4 mm/s: 12 s.
    env = OdorArenaEnv(ArenaConfig(start_sd_mm=(0.0, 0.0)))
    env.reset(seed=8)
    contact = [env.step(np.array([1.0, 0.0]))[0][-1] for _ in range(121)]
    assert contact[:119] == [0.0] * 119
    assert contact[120] == 1.0
    assert env.reset()[0][-1] == 0.0


def test_the_start_is_spread_as_in_larvaworld():
    env = OdorArenaVectorEnv(2000)
    env.reset(seed=3)
    state = env.state()
    # 5 × 20 mm are two standard deviations; tolerance: four standard errors of a deviation, 1/√(2n)
    np.testing.assert_allclose(state["middle_mm"].std(axis=0), (2.5, 10.0), rtol=4.0 / math.sqrt(4000))
    np.testing.assert_allclose(state["middle_mm"].mean(axis=0), (0.0, 0.0), atol=4.0 * 10.0 / math.sqrt(2000))
    quadrants = np.histogram(state["heading_rad"], bins=4, range=(-math.pi, math.pi))[0]
    assert quadrants.sum() == 2000
    assert (np.abs(quadrants - 500) < 80).all()


def test_nobody_starts_outside_the_dish():
    env = OdorArenaVectorEnv(500, ArenaConfig(start_sd_mm=(40.0, 40.0)))
    _, info = env.reset(seed=3)
    distance = np.hypot(*info["position_mm"].T)
    assert distance.max() <= 50.0
    assert distance.max() > 40.0


# -- the timetable ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("control_interval_ms", [10.0, 100.0])
def test_phases_switch_at_their_exact_step(control_interval_ms):
    per_second = round(1000.0 / control_interval_ms)
    env = OdorArenaEnv(TIMETABLE, control_interval_ms=control_interval_ms)
    observation, info = env.reset(seed=5)
    phases, reinforcement, odor_b, rewards = [], [], [], []
    terminated = False
    while not terminated:
        reinforcement.append(observation[2:4])
        odor_b.append(observation[1])
        observation, reward, terminated, truncated, info = env.step(np.array([0.2, 0.0]))
        assert not truncated
        phases.append(info["phase"])
        rewards.append(reward)
    lasting = np.array([2, 1, 3]) * per_second
    np.testing.assert_array_equal(phases, np.repeat([0, 1, 2], lasting))
    np.testing.assert_array_equal(np.array(reinforcement)[:, 0], np.repeat(np.float32([0.8, 0, 0]), lasting))
    np.testing.assert_array_equal(np.array(reinforcement)[:, 1], np.repeat(np.float32([0, 0.3, 0]), lasting))
    np.testing.assert_array_equal(np.array(odor_b) > 0, np.repeat([False, False, True], lasting))
    np.testing.assert_array_equal(rewards, np.repeat([0.8, -0.3, 0.0], lasting))


def test_animals_are_put_back_where_a_phase_says_so():
    env = OdorArenaEnv(TIMETABLE)
    _, info = env.reset(seed=5)
    path = [info["position_mm"]]
    for _ in range(STEPS):
        path.append(env.step(np.array([1.0, 0.0]))[-1]["position_mm"])
    jumps = np.hypot(*np.diff(path, axis=0).T)
    # 0.4 mm a step; the step after the replacement starts from elsewhere
    assert np.flatnonzero(jumps > 0.41).tolist() == [20]


def test_the_reported_state_of_a_phases_last_step_is_from_before_the_replacement():
    env = OdorArenaEnv(TIMETABLE)
    env.reset(seed=5)
    for _ in range(20):
        observation, *_, info = env.step(np.array([1.0, 0.0]))
    assert info["phase"] == 0
    assert env.view_state()["phase"] == "blank"
    assert np.hypot(*(env.view_state()["position_mm"][0] - info["position_mm"])) > 0.41
    assert observation[-1] == 0.0


def test_an_experiment_that_is_over_cannot_go_on():
    env = OdorArenaEnv(TIMETABLE)
    env.reset(seed=1)
    for k in range(STEPS):
        terminated = env.step(np.zeros(2))[2]
        assert terminated == (k == STEPS - 1)
    with pytest.raises(EnvError, match=r"over for animals \[0\]; call reset"):
        env.step(np.zeros(2))
    env.reset()
    env.step(np.zeros(2))


def test_odd_animals_have_left_and_right_exchanged():
    env = OdorArenaVectorEnv(2, TIMETABLE)
    env.reset(seed=1)
    state = env.state()
    state["middle_mm"][:] = [[-10.0, 0.0], [10.0, 0.0]]
    state["heading_rad"][:] = [math.pi, 0.0]
    env.set_state(state)
    observation, *_ = env.step(np.zeros((2, 2)))
    np.testing.assert_array_equal(observation[0], observation[1])
    assert observation[0, 0] == pytest.approx(2.0 * math.exp(-4.0 / 400.0))


# -- animals, seeds, snapshots ----------------------------------------------------------------------------


def test_animal_i_of_a_group_is_the_single_animal_i():
    group = OdorArenaVectorEnv(5, TIMETABLE)
    observations, infos = group.reset(seed=11)
    singles = [OdorArenaEnv(TIMETABLE, animal=i) for i in range(5)]
    for i, single in enumerate(singles):
        observation, info = single.reset(seed=11)
        np.testing.assert_array_equal(observation, observations[i])
        np.testing.assert_array_equal(info["position_mm"], infos["position_mm"][i])
    for action in actions(STEPS, 5):
        observations, rewards, terminated, _, infos = group.step(action)
        for i, single in enumerate(singles):
            observation, reward, over, _, info = single.step(action[i])
            np.testing.assert_array_equal(observation, observations[i])
            assert (reward, over) == (rewards[i], terminated[i])
            for name, value in info.items():
                np.testing.assert_array_equal(value, infos[name][i])
    assert over


def test_animal_3_of_5_is_animal_3_of_8():
    traces = []
    for n in (5, 8):
        env = OdorArenaVectorEnv(n, TIMETABLE)
        env.reset(seed=2)
        traces.append([env.step(action[:n])[0][3] for action in actions(STEPS, 8)])
    np.testing.assert_array_equal(*traces)


def test_seeds_repeat_and_differ():
    env = OdorArenaVectorEnv(4)
    first, _ = env.reset(seed=1)
    second, _ = env.reset()
    np.testing.assert_array_equal(env.reset(seed=1)[0], first)
    np.testing.assert_array_equal(env.reset()[0], second)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, env.reset(seed=2)[0])
    assert not np.array_equal(OdorArenaVectorEnv(4).reset()[0], OdorArenaVectorEnv(4).reset()[0])


@pytest.mark.parametrize("when", [1, 20, 37])
def test_a_continued_run_is_the_same_run(when):
    script = actions(STEPS, 3)
    whole = OdorArenaVectorEnv(3, TIMETABLE)
    whole.reset(seed=6)
    for action in script[:when]:
        whole.step(action)
    snapshot = whole.state()
    kept = {name: array.copy() for name, array in snapshot.items()}
    continued = OdorArenaVectorEnv(3, TIMETABLE)
    continued.set_state(snapshot)
    for action in script[when:]:
        one, other = whole.step(action), continued.step(action)
        for mine, theirs in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for name, values in one[4].items():
            np.testing.assert_array_equal(values, other[4][name])
    assert one[2].all()
    np.testing.assert_array_equal(whole.reset()[0], continued.reset()[0])
    assert states_equal(snapshot, kept)


def test_a_single_environment_continues_as_well():
    env, other = OdorArenaEnv(TIMETABLE), OdorArenaEnv(TIMETABLE)
    env.reset(seed=1)
    env.step(np.array([1.0, 0.3]))
    other.set_state(env.state())
    one, two = env.step(np.array([1.0, 0.3])), other.step(np.array([1.0, 0.3]))
    np.testing.assert_array_equal(one[0], two[0])
    assert states_equal(env.state(), other.state())


def test_a_state_replaces_all_that_was_there():
    env, other = OdorArenaVectorEnv(3), OdorArenaVectorEnv(3)
    env.reset(seed=1)
    other.reset(seed=2)
    for _ in range(150):
        env.step(np.broadcast_to([0.9, 0.0], (3, 2)))
        other.step(np.broadcast_to([0.0, 0.0], (3, 2)))
    other.set_state(env.state())
    np.testing.assert_array_equal(env.view_state()["position_mm"], other.view_state()["position_mm"])
    for _ in range(10):
        one, two = (e.step(np.broadcast_to([1.0, 0.0], (3, 2))) for e in (env, other))
        np.testing.assert_array_equal(one[0], two[0])
    assert one[0][:, -1].any()


def test_the_control_interval_changes_no_trajectory():
    held = actions(40, 6)
    coarse = OdorArenaVectorEnv(6, control_interval_ms=100.0)
    fine = OdorArenaVectorEnv(6, control_interval_ms=10.0)
    coarse.reset(seed=1)
    fine.reset(seed=1)
    for action in held:
        observation = coarse.step(action)[0]
        for _ in range(10):
            fine_observation = fine.step(action)[0]
        np.testing.assert_array_equal(observation[:, :-1], fine_observation[:, :-1])
    for name in ("middle_mm", "heading_rad", "bend_rad", "turn_rad"):
        np.testing.assert_array_equal(coarse.state()[name], fine.state()[name])


def test_some_animals_can_begin_anew():
    env = OdorArenaVectorEnv(3, TIMETABLE)
    env.reset(seed=9)
    for _ in range(25):
        env.step(np.zeros((3, 2)))
    before = env.state()
    observation, _ = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert env.state()["control_step"].tolist() == [25, 0, 25]
    np.testing.assert_array_equal(env.state()["middle_mm"][[0, 2]], before["middle_mm"][[0, 2]])
    np.testing.assert_array_equal(observation[:, 2:4], np.float32([[0.0, 0.3], [0.8, 0.0], [0.0, 0.3]]))
    for _ in range(34):
        assert not env.step(np.zeros((3, 2)))[2].any()
    *_, terminated, _, info = env.step(np.zeros((3, 2)))
    assert terminated.tolist() == [True, False, True]
    assert info["phase"].tolist() == [2, 2, 2]
    with pytest.raises(EnvError, match=r"over for animals \[0, 2\]"):
        env.step(np.zeros((3, 2)))


# -- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0.1], r"action: expected shape \(2,\), got \(1,\)"),
        ([[0.1, 0.2]], r"action: expected shape \(2,\), got \(1, 2\)"),
        ([0.1, math.nan], r"action: expected finite numbers in \[-1, 1\], got \[0.1, nan\]"),
        ([math.inf, 0.0], "action: expected finite numbers"),
        (["fast", "left"], r"action: expected numbers of shape \(2,\), got"),
    ],
)
def test_actions_that_cannot_be_are_refused_and_change_nothing(action, message):
    env = OdorArenaEnv()
    env.reset(seed=1)
    before = env.state()
    with pytest.raises(EnvError, match=message):
        env.step(action)
    assert states_equal(env.state(), before)


def test_actions_outside_the_range_are_clipped():
    env, other = OdorArenaEnv(), OdorArenaEnv()
    env.reset(seed=1)
    other.reset(seed=1)
    np.testing.assert_array_equal(env.step([7.0, -3.0])[0], other.step([1.0, -1.0])[0])


@pytest.mark.parametrize("interval", [15.0, 5.0, 0.0, -10.0, math.nan, math.inf])
def test_control_intervals_that_do_not_fit_the_body_are_refused(interval):
    with pytest.raises(EnvError, match=f"whole multiple of the inner step of 10 ms, got {interval:g} ms"):
        OdorArenaEnv(control_interval_ms=interval)


def test_phases_that_do_not_fit_the_control_interval_are_refused():
    config = ArenaConfig((Phase("short", 0.25),))
    with pytest.raises(EnvError, match=r"of 'short': expected a whole number .* of 100 ms, got 0\.25 s"):
        OdorArenaEnv(config)
    OdorArenaEnv(config, control_interval_ms=50.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: OdorArenaEnv().step([0.0, 0.0]), "expected a reset before the first step"),
        (lambda: OdorArenaEnv(animal=-1), "expected at least 0 and 1, got -1 and 1"),
        (lambda: OdorArenaEnv(render_mode="ascii"), "render_mode: expected one of human, rgb_array or None"),
        (lambda: OdorArenaVectorEnv(0), "num_envs: expected at least 1, got 0"),
        (lambda: OdorArenaVectorEnv(1, max_episode_steps=0), "max_episode_steps: expected at least 1"),
        (lambda: OdorArenaVectorEnv(2).reset(seed=[1, 2]), "seed: expected one whole number"),
        (lambda: OdorArenaVectorEnv(2).reset(options={"reset_mask": [True]}), "expected booleans of shape"),
        (
            lambda: OdorArenaVectorEnv(2).reset(options={"reset_mask": [False, False]}),
            "at least one True",
        ),
        (lambda: OdorArenaEnv().set_state({}), "state: expected the entries"),
        (lambda: OdorArenaEnv().set_state(OdorArenaVectorEnv(2).state()), "of shape"),
    ],
)
def test_calls_that_cannot_be_are_refused(call, message):
    with pytest.raises((EnvError, StateError), match=message):
        call()


# -- the view ---------------------------------------------------------------------------------------------


def test_the_view_shows_what_lies_in_the_dish():
    env = OdorArenaVectorEnv(2, TIMETABLE)
    env.reset(seed=1)
    for _ in range(30):
        env.step(np.zeros((2, 2)))
    view = env.view_state()
    assert (view["phase"], view["phase_index"], view["time_s"]) == ("test", 2, 3.0)
    assert view["mirrored"].tolist() == [False, True]
    axis = np.linspace(-50.0, 50.0, view["odor_field"].shape[1])
    column, row = 30, 70
    for name, source in zip(("B", "A"), TIMETABLE.phases[2].sources, strict=True):
        expected = concentration(source, axis[column], axis[row])
        got = view["odor_field"][env.odors.index(name), row, column]
        assert got == pytest.approx(expected, rel=1e-5)


def test_the_view_shows_patches_as_they_lie_for_the_animal():
    patch = Reinforcement("punishment", 0.5, radius_mm=4.0, center_mm=(-12.0, 3.0))
    config = ArenaConfig(
        (Phase("p", 1.0, (OdorSource("A"),), (patch, Reinforcement("reward"))),), mirror_odd_animals=True
    )
    for animal, x in ((0, -12.0), (1, 12.0)):
        env = OdorArenaEnv(config, animal=animal)
        env.reset(seed=1)
        view = env.view_state()
        np.testing.assert_array_equal(view["patch_mm"], [(x, 3.0, 4.0), (0.0, 0.0, 50.0)])
        np.testing.assert_array_equal(view["patch_strength"], [-0.5, 1.0])
        assert view["mirrored"].tolist() == [False]


def test_looking_changes_nothing():
    seen, unseen = OdorArenaVectorEnv(2, TIMETABLE), OdorArenaVectorEnv(2, TIMETABLE)
    seen.reset(seed=1)
    unseen.reset(seed=1)
    for action in actions(STEPS, 2):
        seen.view_state()["position_mm"][:] = 0.0
        seen.state()["middle_mm"][:] = 0.0
        np.testing.assert_array_equal(seen.step(action)[0], unseen.step(action)[0])
