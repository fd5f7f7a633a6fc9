"""The delayed reach: Gymnasium's contract, the published timetable, the rules, and single against vector."""

import dataclasses

import gymnasium
import numpy as np
import pytest

import ethospike.envs
from ethospike.envs.delayed_reach import (
    DelayedReachEnv,
    DelayedReachVectorEnv,
    ReachConfig,
    target_directions,
)
from ethospike.envs.delayed_reach.env import OUTCOMES, PHASES
from ethospike.errors import EnvError, StateError

STILL = np.zeros(2, dtype=np.float32)
DURATIONS = [
    one.name
    for one in dataclasses.fields(ReachConfig)
    if one.name.endswith("_ms") and one.name not in ("control_interval_ms", "hand_tau_ms")
]
QUICK = ReachConfig(inter_trial_ms=50, inter_trial_jitter_ms=0, trial_start_ms=20, preparatory_ms=100)


def run(env, policy, steps, seed=1):
    """Run a single environment with `policy(observation, info)` and return what each step gave."""
    observation, info = env.reset(seed=seed)
    seen = []
    for _ in range(steps):
        used = observation
        observation, reward, terminated, truncated, info = env.step(policy(observation, info))
        seen.append((used, reward, terminated, info))
        if terminated or truncated:
            break
    return seen


def go_to(target):
    """Return a policy that drives to a target (None: the right one) after the signal, and back."""

    def policy(observation, info):
        phase = PHASES[info["phase"]]
        if phase in ("response", "movement"):
            return target_directions(6)[info["target"] if target is None else target]
        return -observation[12:14] - observation[14:16] if phase == "inter_trial" else STILL

    return policy


# -- Gymnasium --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_trials", [1, 3])
def test_the_checkers_have_nothing_to_say(check_single_environment, n_trials):
    check_single_environment("ethospike/DelayedReach-v0", config=ReachConfig(n_trials=n_trials))


def test_made_by_gymnasium_with_a_random_policy():
    env = gymnasium.make("ethospike/DelayedReach-v0", max_episode_steps=50)
    env.action_space.seed(3)
    observation, _ = env.reset(seed=3)
    steps, truncated, terminated = 0, False, False
    while not (truncated or terminated):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert observation in env.observation_space
        # Stable-Baselines3's checker asks for plain Python types.
        assert type(reward) is float
        assert type(terminated) is bool
        steps += 1
    assert steps > 1


def test_every_episode_of_a_random_policy_terminates():
    env = DelayedReachEnv(ReachConfig(n_trials=3))
    rng = np.random.default_rng(0)
    seen = run(env, lambda observation, info: rng.uniform(-1, 1, 2), 100_000)
    assert seen[-1][2]
    assert len(env.pop_intervals()["trial"]["outcome"]) == 3


def test_make_vec_uses_the_native_class_and_truncates_itself():
    envs = gymnasium.make_vec(
        "ethospike/DelayedReach-v0",
        num_envs=3,
        vectorization_mode=gymnasium.VectorizeMode.VECTOR_ENTRY_POINT,
        max_episode_steps=20,
    )
    assert isinstance(envs.unwrapped, DelayedReachVectorEnv)
    envs.reset(seed=1)
    for step in range(1, 21):
        observation, _, terminated, truncated, _ = envs.step(np.zeros((3, 2), np.float32))
        assert observation in envs.observation_space
        assert (truncated == (step >= 20)).all()
        assert not terminated.any()


def test_registered_on_import():
    assert ethospike.envs
    assert "ethospike/DelayedReach-v0" in gymnasium.registry


# -- the timetable ----------------------------------------------------------------------------------


def test_signals_last_as_long_as_published():
    # Rostami et al. 2024, simulate_experiment.py: preparatory signal 1000 ms, then (1 ms later in the code)
    # 400 ms of response signal, 1500 + U(0, 200) ms without signals.
    env = DelayedReachEnv(ReachConfig(n_trials=4))
    seen = run(env, go_to(None), 3000)
    prepared = np.array([used[:6].any() for used, *_ in seen])
    responding = np.array([used[6:12].any() for used, *_ in seen])
    assert not (prepared & responding).any()
    begin_p, begin_r = (
        np.flatnonzero(np.diff(x.astype(int), prepend=0) == 1) for x in (prepared, responding)
    )
    assert len(begin_p) == len(begin_r) == 4
    assert (begin_r - begin_p == 100).all()
    assert prepared.sum() == 4 * 100
    # In the last trial the outcome ends the episode before the signal is off.
    assert [int(responding[b : b + 60].sum()) for b in begin_r[:-1]] == [40, 40, 40]
    rest = begin_p - np.array([0, *(begin_r[:-1] + 40)])
    assert (rest >= 150).all()
    assert (rest <= 170).all()
    assert len(set(rest)) > 1


def test_intervals_are_uniform_over_whole_control_steps():
    # Of 12 000 draws of 0 … 4 control steps, each value is expected 2400 ± 44 times.
    config = ReachConfig(
        n_trials=600,
        inter_trial_ms=10,
        inter_trial_jitter_ms=40,
        trial_start_ms=0,
        preparatory_ms=10,
        response_signal_ms=10,
        response_window_ms=10,
    )
    envs = DelayedReachVectorEnv(20, config)
    envs.reset(seed=5)
    onsets = []
    for _ in range(600 * 9):
        envs.step(np.zeros((20, 2), np.float32))
        rows = envs.pop_intervals().get("trial")
        if rows:
            onsets.append(np.stack([rows["animal"], rows["preparatory_onset_ms"]]))
    animal, onset = np.concatenate(onsets, axis=1)
    gaps = np.concatenate([np.diff(np.sort(onset[animal == a])) for a in range(20)])
    counts = np.bincount(((gaps - gaps.min()) / 10).round().astype(int), minlength=5)
    assert len(counts) == 5
    assert np.abs(counts - counts.sum() / 5).max() < 5 * np.sqrt(counts.sum() * 0.16)


def test_conditions_cue_the_sets_of_the_publication():
    envs = DelayedReachVectorEnv(6, ReachConfig(n_trials=30))
    observation, info = envs.reset(seed=2)
    pairs, cued = set(), {}
    for _ in range(30 * 400):
        for animal in range(6):
            lit = tuple(np.flatnonzero(observation[animal, :6]))
            if lit:
                cued[animal, int(info["trial"][animal])] = (lit, int(info["condition"][animal]))
                pairs.add(lit)
        observation, _, _, _, info = envs.step(np.zeros((6, 2), np.float32))
    # simulate_experiment.py, there counted from 1: singles, {1,2} {3,4} {5,6}, and {6,1,2} {3,4,5}.
    assert pairs == {(0,), (1,), (2,), (3,), (4,), (5,), (0, 1), (2, 3), (4, 5), (0, 1, 5), (2, 3, 4)}
    assert all(len(lit) == condition for lit, condition in cued.values())
    rows = envs.pop_intervals()["trial"]
    for animal in range(6):
        mine = rows["animal"] == animal
        assert np.bincount(rows["condition"][mine]).tolist() == [0, 10, 10, 10]
        assert all(
            t in cued[animal, i][0] for i, t in zip(rows["trial"][mine], rows["target"][mine], strict=True)
        )


# -- the rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shift", "outcome", "reward"), [(0, "correct", 1.0), (1, "wrong", 0.0)])
def test_the_touched_target_decides(shift, outcome, reward):
    env = DelayedReachEnv()
    env.reset(seed=4)
    target = int(env.view_state()["target"])
    seen = run(env, go_to((target + shift) % 6), 1000, seed=4)
    _, last_reward, terminated, info = seen[-1]
    assert terminated
    assert OUTCOMES[info["outcome"]] == outcome
    assert last_reward == reward
    assert sum(r for _, r, *_ in seen) == reward
    row = env.pop_intervals()["trial"]
    assert row["target"].tolist() == [target]
    assert row["chosen"].tolist() == [(target + shift) % 6]
    assert row["reaction_time_ms"][0] == info["reaction_time_ms"] > 0
    assert row["movement_onset_ms"][0] - row["response_onset_ms"][0] == info["reaction_time_ms"]
    assert row["stop_step"][0] * 10.0 - row["movement_onset_ms"][0] == info["movement_time_ms"]
    assert row["stop_step"].tolist() == [len(seen)]
    assert row["start_step"][0] * 10.0 == row["preparatory_onset_ms"][0] - env.config.trial_start_ms
    assert row.keys() == {"animal", "start_step", "stop_step", *env.intervals["trial"]}
    assert env.pop_intervals() == {}


def test_times_of_a_reach_follow_from_the_hand():
    # From rest at full drive: x(t) = v (t − τ (1 − exp(−t/τ))).
    env = DelayedReachEnv()
    info = run(env, go_to(None), 1000)[-1][3]
    t = np.arange(0, 1000, 10.0)
    way_mm = 0.5 * (t - 50 * (1 - np.exp(-t / 50)))
    leaves, touches = t[np.argmax(way_mm > 10)], t[np.argmax(way_mm >= 80 - 15)]
    assert info["reaction_time_ms"] == leaves
    assert info["movement_time_ms"] == touches - leaves


@pytest.mark.parametrize("when", ["trial_start", "preparatory", "delay"])
def test_leaving_early_is_a_false_start(when):
    config = ReachConfig(delay_ms=200)
    env = DelayedReachEnv(config)

    def policy(observation, info):
        return np.ones(2) if PHASES[info["phase"]] == when else STILL

    info = run(env, policy, 1000)[-1][3]
    assert OUTCOMES[info["outcome"]] == "false_start"
    assert info["reaction_time_ms"] == -1
    assert np.isnan(env.pop_intervals()["trial"]["response_onset_ms"][0])


def test_a_hand_that_stays_or_gets_lost_is_timed_out():
    stays = run(DelayedReachEnv(), lambda observation, info: STILL, 1000)[-1][3]
    # Between two targets, to the wall.
    between = np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    lost = run(
        DelayedReachEnv(), lambda o, i: between if i["phase"] >= PHASES.index("response") else STILL, 1000
    )[-1][3]
    assert OUTCOMES[stays["outcome"]] == OUTCOMES[lost["outcome"]] == "time_out"
    assert stays["reaction_time_ms"] == -1
    assert lost["reaction_time_ms"] > 0
    assert lost["movement_time_ms"] == -1


def test_a_time_out_is_seen_before_the_next_trial_begins():
    config = ReachConfig(n_trials=2)
    time_out = OUTCOMES.index("time_out")
    seen = run(DelayedReachEnv(config), lambda observation, info: STILL, 1000)
    single = [info["outcome"] for *_, info in seen if info["trial"] == 0]
    assert single.count(time_out) == 1
    assert single[-1] == time_out
    assert PHASES[seen[len(single) - 1][3]["phase"]] == "feedback"
    envs = DelayedReachVectorEnv(2, config)
    envs.reset(seed=1)
    infos = [envs.step(np.zeros((2, 2), np.float32))[4] for _ in range(len(seen))]
    outcomes = np.array([np.where(info["trial"] == 0, info["outcome"], -1) for info in infos])
    assert (outcomes == time_out).sum(axis=0).tolist() == [1, 1]
    assert outcomes[: len(single), 0].tolist() == single


def test_outcomes_do_not_end_an_episode_before_its_last_trial():
    env = DelayedReachEnv(ReachConfig(n_trials=3))
    seen = run(env, lambda observation, info: STILL, 2000)
    assert [terminated for *_, terminated, _ in seen].count(True) == 1
    assert env.pop_intervals()["trial"]["trial"].tolist() == [0, 1, 2]


def test_hand_does_not_leave_the_workspace():
    env = DelayedReachEnv()
    env.reset(seed=1)
    for _ in range(80):
        observation, *_, info = env.step(np.array([1.0, 0.3]))
    assert info["position_mm"][0] == 120
    assert info["velocity_mm_s"][0] == 0
    assert observation in env.observation_space


def test_drive_has_at_most_unit_length():
    env = DelayedReachEnv()
    env.reset(seed=1)
    for _ in range(10):
        *_, info = env.step(np.array([1.0, 1.0]))
    # After n steps from rest: v = v_max (1 − exp(−t/τ)), the same in every direction.
    assert np.hypot(*info["velocity_mm_s"]) == pytest.approx(500 * (1 - np.exp(-100 / 50)))


@pytest.mark.parametrize("interval_ms", [5.0, 20.0, 50.0])
def test_the_hand_does_not_depend_on_the_control_interval(interval_ms):
    where = []
    for interval in (10.0, interval_ms):
        env = DelayedReachEnv(ReachConfig(control_interval_ms=interval))
        env.reset(seed=1)
        for _ in range(round(100 / interval)):
            *_, info = env.step(np.array([0.6, -0.2]))
        where.append(info["position_mm"])
    assert where[1] == pytest.approx(where[0], abs=1e-12)


EFFECTS = {
    "n_trials": 2,
    "conditions": (3,),
    "cue_sets": ("0", "0+1", "2+3+4"),
    "n_targets": 8,
    "control_interval_ms": 20.0,
    "inter_trial_ms": 900.0,
    "inter_trial_jitter_ms": 0.0,
    "trial_start_ms": 300.0,
    "preparatory_ms": 500.0,
    "delay_ms": 100.0,
    "response_signal_ms": 300.0,
    "response_window_ms": 800.0,
    "movement_window_ms": 700.0,
    "target_distance_mm": 60.0,
    "target_radius_mm": 25.0,
    "center_radius_mm": 20.0,
    "workspace_mm": 100.0,
    "hand_speed_mm_s": 300.0,
    "hand_tau_ms": 100.0,
}


@pytest.fixture(scope="module")
def trace():
    """Return a function that runs an episode in which the hand stays, gets lost, and reaches."""

    def of(config):
        between = 0.5 * np.array([np.cos(0.5), np.sin(0.5)])
        reach = go_to(0)

        def policy(observation, info):
            if info["trial"] == 0:
                return STILL
            lost = PHASES[info["phase"]] in ("response", "movement")
            return between if info["trial"] == 1 and lost else reach(observation[-16:], info)

        seen = run(DelayedReachEnv(config), policy, 1500)
        return [(used.tolist(), reward, info["position_mm"].tolist()) for used, reward, _, info in seen]

    return of


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ReachConfig)])
def test_every_field_of_the_configuration_has_an_effect(name, trace):
    default = trace(ReachConfig(n_trials=3))
    assert len(default) > 500
    assert trace(ReachConfig(**({"n_trials": 3} | {name: EFFECTS[name]}))) != default


# -- animals ----------------------------------------------------------------------------------------


def test_animal_i_of_the_vector_is_the_single_environment():
    config = ReachConfig(n_trials=2)
    envs, rng = DelayedReachVectorEnv(3, config), np.random.default_rng(0)
    single = DelayedReachEnv(config, animal=2)
    quiet = 0.05  # a hand that mostly stays at the center, so that trials last
    observations, infos = envs.reset(seed=9)
    observation, info = single.reset(seed=9)
    phases = set()
    for _ in range(800):
        assert np.array_equal(observations[2], observation)
        assert all(np.array_equal(infos[name][2], info[name]) for name in info)
        phases.add(tuple(infos["phase"]))
        actions = rng.uniform(-quiet, quiet, (3, 2))
        observations, rewards, terminated, _, infos = envs.step(actions)
        observation, reward, ended, _, info = single.step(actions[2])
        assert (rewards[2], terminated[2]) == (reward, ended)
    assert any(len(set(one)) > 1 for one in phases), "animals are at different times of their trials"
    rows, row = envs.pop_intervals()["trial"], single.pop_intervals()["trial"]
    assert rows["trial"][rows["animal"] == 2].tolist() == row["trial"].tolist() == [0, 1]


def test_animal_of_a_small_group_is_that_of_a_large_one():
    few, many = DelayedReachVectorEnv(2, QUICK), DelayedReachVectorEnv(5, QUICK)
    few.reset(seed=1)
    many.reset(seed=1)
    assert np.array_equal(few.state()["target"], many.state()["target"][:2])
    few.reset(seed=2)
    assert not all(
        np.array_equal(few.state()[name], many.state()[name][:2]) for name in ("cue_set", "rng", "target")
    )


def test_finished_animals_wait_until_they_are_reset():
    envs = DelayedReachVectorEnv(2, QUICK)
    envs.reset(seed=1)
    still = np.zeros((2, 2), np.float32)
    envs.step(still)
    for _ in range(400):
        _, reward, terminated, *_ = envs.step(still)
        assert not reward.any()
    assert terminated.all()
    assert len(envs.pop_intervals()["trial"]["animal"]) == 2
    with pytest.raises(EnvError, match="reset_mask"):
        envs.reset(options={"reset_mask": np.array([True])})
    envs.reset(options={"reset_mask": np.array([False, True])})
    _, _, terminated, *_ = envs.step(still)
    assert terminated.tolist() == [True, False]


def test_a_snapshot_continues_bit_identically():
    config = ReachConfig(n_trials=50)
    envs, other = DelayedReachVectorEnv(2, config), DelayedReachVectorEnv(2, config)
    rng = np.random.default_rng(1)
    envs.reset(seed=7)
    other.reset(seed=8)
    for _ in range(333):
        envs.step(rng.uniform(-1, 1, (2, 2)))
    envs.pop_intervals()
    other.set_state(envs.state())
    for _ in range(700):
        actions = rng.uniform(-1, 1, (2, 2))
        one, two = envs.step(actions), other.step(actions)
        assert all(np.array_equal(a, b) for a, b in zip(one[:4], two[:4], strict=True))
    rows, others = envs.pop_intervals()["trial"], other.pop_intervals()["trial"]
    assert len(rows["trial"]) > 2
    assert all(np.array_equal(rows[name], others[name], equal_nan=True) for name in rows)
    with pytest.raises(StateError, match="position_mm"):
        other.set_state(DelayedReachVectorEnv(3, config).state() | {"rng": envs.state()["rng"]})


def test_an_environment_that_was_never_reset_takes_a_state_and_gives_one():
    running, fresh = DelayedReachVectorEnv(2), DelayedReachVectorEnv(2)
    running.reset(seed=7)
    untouched = fresh.state()
    fresh.set_state(running.state())
    push = np.full((2, 2), 0.5)
    one, two = running.step(push), fresh.step(push)
    assert one[0].any()
    assert np.array_equal(one[0], two[0])
    fresh.set_state(untouched)
    with pytest.raises(EnvError, match="expected a reset before the first step"):
        fresh.step(push)
    assert np.array_equal(fresh.reset(seed=7)[0], DelayedReachVectorEnv(2).reset(seed=7)[0])


def test_a_step_before_the_reset_is_refused():
    with pytest.raises(EnvError, match="expected a reset before the first step"):
        DelayedReachEnv().step(STILL)
    envs = DelayedReachVectorEnv(2)
    envs.reset(seed=1, options={"reset_mask": np.array([True, False])})
    with pytest.raises(EnvError, match="expected a reset before the first step"):
        envs.step(np.zeros((2, 2)))
    envs.reset(options={"reset_mask": np.array([False, True])})
    envs.step(np.zeros((2, 2)))


def test_an_unseeded_reset_goes_on_with_the_stream():
    env = DelayedReachEnv()
    env.reset(seed=1)
    first = env.state()["rng"]
    env.reset()
    second = env.state()["rng"]
    assert not np.array_equal(first, second)
    env.reset(seed=1)
    assert np.array_equal(env.state()["rng"], first)


def test_info_is_what_variables_describe():
    envs = DelayedReachVectorEnv(4)
    _, info = envs.reset(seed=1)
    assert info.keys() == envs.variables.keys()
    for name, about in envs.variables.items():
        assert info[name].shape == (4, *about["shape"])
        assert info[name].dtype == about["dtype"]
        assert len(about["dims"]) == len(about["shape"])


def test_view_state_shows_the_signals_that_are_on():
    env = DelayedReachEnv(QUICK)
    seen = run(env, lambda observation, info: STILL, 8)
    assert PHASES[seen[-1][3]["phase"]] == "preparatory"
    state = env.view_state()
    assert (state["phase"], state["outcome"], state["time_s"]) == ("preparatory", "", pytest.approx(0.08))
    assert state["preparatory_signal"].sum() == seen[-1][3]["condition"]
    assert not state["response_signal"].any()
    state["position_mm"][:] = 99  # a picture's copy, not the hand
    assert not env.state()["position_mm"].any()


def test_rendering_changes_nothing_and_shows_the_hand():
    pytest.importorskip("pygame")
    plain, drawn = DelayedReachEnv(), DelayedReachEnv(render_mode="rgb_array")
    traces, pictures = [], []
    for env in (plain, drawn):
        env.reset(seed=6)
        trace = []
        for step in range(40):
            observation, *_ = env.step(np.array([0.4, 0.1]))
            trace.append(observation)
            if step % 10 == 0:
                pictures.append(env.render())
        traces.append(np.array(trace))
        env.close()
    assert np.array_equal(*traces)
    assert pictures[:4] == [None] * 4
    assert pictures[4].shape == (480, 480, 3)
    assert pictures[4].dtype == np.uint8
    assert not np.array_equal(pictures[4], pictures[7])
    envs = DelayedReachVectorEnv(2, render_mode="rgb_array")
    envs.reset(seed=1)
    assert len(envs.render()) == 2


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditions": (1, 4)}, "condition 4 has no targets"),
        ({"conditions": ()}, "at least one"),
        ({"cue_sets": ("0+6",)}, "distinct targets 0 … 5"),
        ({"cue_sets": ("1+1",)}, "distinct targets"),
        ({"cue_sets": ("",)}, "distinct targets"),
        ({"cue_sets": ("left",)}, "distinct targets"),
        ({"n_trials": 0}, "n_trials"),
        ({"inter_trial_ms": float("nan")}, "inter_trial_ms"),
        ({"delay_ms": -10.0}, "delay_ms"),
        ({"control_interval_ms": 0.0}, "control_interval_ms"),
        ({"target_radius_mm": 45.0}, "overlap"),
        ({"center_radius_mm": 70.0}, "touches the targets"),
        ({"workspace_mm": 50.0}, "workspace_mm"),
        ({"n_targets": 1, "cue_sets": ("0",), "conditions": (1,)}, "n_targets"),
    ],
)
def test_bad_configurations_say_what_is_wrong(change, message):
    with pytest.raises(EnvError, match=message):
        ReachConfig(**change)


@pytest.mark.parametrize(
    ("action", "message"), [([0.0], "shape"), ([np.nan, 0.0], "finite"), ([[0.0, 0.0]], "shape")]
)
def test_bad_actions_are_refused(action, message):
    env = DelayedReachEnv()
    env.reset(seed=1)
    with pytest.raises(EnvError, match=message):
        env.step(np.array(action))


@pytest.mark.parametrize("name", DURATIONS)
def test_durations_that_are_no_whole_control_steps_are_refused_where_they_are_used(name):
    config = ReachConfig(**{name: 1005.0})
    message = f"ReachConfig.{name}: 1005.0 ms is not a whole number of control steps of 10.0 ms"
    for make in (lambda: DelayedReachEnv(config), lambda: DelayedReachVectorEnv(2, config)):
        with pytest.raises(EnvError, match=message):
            make()
    envs = DelayedReachVectorEnv(2, dataclasses.replace(config, control_interval_ms=5.0))
    assert envs.reset(seed=1)[0].shape == (2, 16)


def test_bad_calls_of_the_vector_class_are_refused():
    with pytest.raises(EnvError, match="num_envs"):
        DelayedReachVectorEnv(0)
    with pytest.raises(EnvError, match="max_episode_steps"):
        DelayedReachVectorEnv(1, max_episode_steps=0)
    with pytest.raises(EnvError, match="render_mode"):
        DelayedReachEnv(render_mode="movie")
    envs = DelayedReachVectorEnv(2)
    with pytest.raises(EnvError, match="one whole number"):
        envs.reset(seed=[1, 2])
