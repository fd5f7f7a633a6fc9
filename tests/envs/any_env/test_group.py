"""Any environment as a body: episodes, blanks, seeds, ranges, states."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ethospike.envs.any_env import PURPOSES, EnvSource, EpisodeConfig, GymnasiumGroup, episode_seed
from ethospike.errors import EnvError, StateError

SMOKE = [
    *("Acrobot-v1", "Blackjack-v1", "CartPole-v1", "CliffWalking-v1", "FrozenLake-v1", "MountainCar-v0"),
    *("MountainCarContinuous-v0", "Pendulum-v1", "Taxi-v4", "LunarLander-v3", "Reacher-v5"),
]


class Countdown(gymnasium.Env[Any, Any]):
    """Observes the steps that are left, ends at 0 or is cut off; reward is the action."""

    observation_space = spaces.Box(0.0, 10.0, (1,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, cut_off: bool = False, noise: float = 0.0) -> None:
        self.cut_off, self.noise = cut_off, noise
        self.resets: list[int | None] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.resets.append(seed)
        self.left = 2 + int(self.np_random.integers(3))
        return self._sees(), {}

    def step(self, action: Any) -> Any:
        self.left -= 1
        over = self.left == 0
        return self._sees(), float(action[0]), over and not self.cut_off, over and self.cut_off, {}

    def _sees(self) -> Any:
        noise = np.random.default_rng().uniform(0.0, self.noise)
        return np.array([self.left + noise], np.float32)


def steps_of(env: GymnasiumGroup, n: int, action: float = 1.0) -> list[tuple[Any, ...]]:
    rows = []
    for _ in range(n):
        rows.append((*env.step(np.full((env.num_envs, 1), action)), env.pop_begun(), env.pop_intervals()))
    return rows


@pytest.mark.parametrize("cut_off", [False, True])
def test_an_episode_ends_with_its_final_observation_a_blank_and_a_reset(cut_off: bool) -> None:
    config = EpisodeConfig(episodes=2, blank_steps=3)
    env = GymnasiumGroup(lambda: Countdown(cut_off), 1, config)
    observation, _ = env.reset(seed=3)
    assert env.pop_begun().tolist() == [True]
    length = int(observation[0, 0])
    assert observation[0].tolist() == [length, 1.0]
    rows = steps_of(env, length + 4)
    shown = [observation[0].tolist(), *(row[0][0].tolist() for row in rows)]
    left = [[float(length - k), 1.0] for k in range(length + 1)]
    assert shown[: length + 1] == left  # the last of them is the final observation
    assert shown[length + 1 : length + 4] == [[0.0, 0.0]] * 3
    next_length = shown[length + 4]
    assert next_length[0] >= 2
    assert next_length[1] == 1.0
    rewards = [float(row[1][0]) for row in rows]
    assert rewards == [1.0] * length + [0.0] * 4
    flags = [(bool(row[2][0]), bool(row[3][0])) for row in rows]
    assert flags == [(False, False)] * (length - 1) + [(not cut_off, cut_off)] + [(False, False)] * 4
    in_episode = [bool(row[4]["in_episode"][0]) for row in rows]
    assert in_episode == [True] * length + [False] * 4
    assert [bool(row[5][0]) for row in rows] == [False] * (length + 3) + [True]
    (table,) = [row[6]["episode"] for row in rows if row[6]]
    assert {name: column.tolist() for name, column in table.items()} == {
        "animal": [0],
        "start_step": [0],
        "stop_step": [length],
        "episode": [0],
        "return": [float(length)],
        "length": [length],
        "ending": [int(cut_off)],
        "purpose": [0],
    }
    more = steps_of(env, int(next_length[0]))
    assert more[-1][6]["episode"]["start_step"].tolist() == [length + 4]
    # The final observation of the last episode is presented too.
    assert not env.is_over(more[-1][2], more[-1][3])
    last = steps_of(env, 1)[-1]
    assert env.is_over(last[2], last[3])
    assert [row[4]["executed_action"].tolist() for row in rows][length] == [[0.0]]


def test_animals_have_episodes_of_their_own_and_a_run_can_be_limited_in_steps() -> None:
    env = GymnasiumGroup(Countdown, 6, EpisodeConfig(n_control_steps=9, blank_steps=0))
    first, _ = env.reset(seed=1)
    assert len(set(first[:, 0])) > 1
    few = GymnasiumGroup(Countdown, 2, EpisodeConfig(n_control_steps=9, blank_steps=0))
    np.testing.assert_array_equal(few.reset(seed=1)[0], first[:2])
    for k in range(9):
        observation, _, terminated, truncated, info = env.step(np.zeros((6, 1)))
        other, *_ = few.step(np.zeros((2, 1)))
        np.testing.assert_array_equal(other, observation[:2])
        assert env.is_over(terminated, truncated) == (k == 8)
    assert len(set(info["episode"].tolist())) > 1


def test_episodes_are_seeded_by_animal_and_number() -> None:
    env = GymnasiumGroup(Countdown, 2, EpisodeConfig(episodes=5, blank_steps=0))
    env.reset(seed=7)
    steps_of(env, 40)
    for animal, copy in enumerate(env._copies):
        inner: Any = copy.unwrapped
        assert inner.resets == [episode_seed(7, animal, e) for e in range(5)]
    seeds = {episode_seed(s, a, e) for s in (7, 8) for a in range(3) for e in range(5)}
    assert len(seeds) == 30


def test_evaluation_follows_training_in_copies_and_seeds_of_its_own() -> None:
    config = EpisodeConfig(episodes=3, evaluation_episodes=2, blank_steps=0)
    env = GymnasiumGroup(Countdown, 2, config)
    env.reset(seed=7)
    rows, over = [], False
    while not over:
        rows += steps_of(env, 1)
        over = env.is_over(rows[-1][2], rows[-1][3])
        assert len(rows) < 200
    ended = [row[6]["episode"] for row in rows if row[6]]
    pairs = [
        (a, e, p) for t in ended for a, e, p in zip(t["animal"], t["episode"], t["purpose"], strict=True)
    ]
    purposes = [PURPOSES.index(name) for name in ("training",) * 3 + ("sampled",) * 2 + ("greedy",) * 2]
    assert sorted(pairs) == [(a, e, purposes[e]) for a in range(2) for e in range(7)]
    for animal in range(2):
        trained: Any = env._copies[animal].unwrapped
        evaluated: Any = env._evaluated[animal].unwrapped
        assert trained.resets == [episode_seed(7, animal, e) for e in range(3)]
        assert evaluated.resets == [episode_seed(7, animal, e, 3) for e in range(3, 7)]
        # The same episodes of evaluation after any length of training, and none of those of training.
        assert evaluated.resets == [episode_seed(7, animal, e, 100) for e in range(100, 104)]
        assert not set(evaluated.resets) & {episode_seed(7, animal, e) for e in range(200)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"episodes": 1, "evaluation_episodes": -1}, "evaluation_episodes: expected at least 0, got -1"),
        ({"n_control_steps": 9, "evaluation_episodes": 2}, "expected 0 unless episodes says when"),
    ],
)
def test_evaluation_needs_an_end_of_training(settings: dict[str, int], message: str) -> None:
    with pytest.raises(EnvError, match=message):
        EpisodeConfig(**settings)


def test_wrappers_and_keywords_are_kept() -> None:
    slippery = GymnasiumGroup(EnvSource("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}))
    assert slippery.entries[0].categories == 64
    slippery.reset(seed=1)
    for _ in range(3):  # without slip, to the right is to the right
        observation, *_ = slippery.step(np.array([[2]]))
    assert observation[0].tolist() == [3.0, 1.0]

    def doubled() -> gymnasium.Env[Any, Any]:
        return gymnasium.wrappers.TransformReward(gymnasium.make("CartPole-v1"), lambda reward: 2 * reward)

    wrapped = GymnasiumGroup(doubled)
    wrapped.reset(seed=1)
    assert wrapped.step(np.array([[0]]))[1].tolist() == [2.0]
    assert wrapped.scene()["env_id"] is None
    with pytest.raises(EnvError, match="keywords: expected none with a factory"):
        EnvSource(doubled, {"x": 1})


def test_ranges_are_of_the_space_given_or_seen() -> None:
    config = EpisodeConfig(episodes=1, ranges={"observation[1]": (-2.5, 2.5)})
    env = GymnasiumGroup("CartPole-v1", 1, config)
    assert (env.entries[0].low, env.entries[0].high) == (pytest.approx(-4.8), pytest.approx(4.8))
    assert (env.entries[1].low, env.entries[1].high) == (-2.5, 2.5)
    # A random policy tips the pole over at some 12°, with an angular velocity around 2 rad/s.
    assert 1.0 < env.entries[3].high < 4.0
    again = GymnasiumGroup("CartPole-v1", 3, config)
    assert again.entries == env.entries
    with pytest.raises(EnvError, match=r"ranges: no entry 'x'; valid: observation\[0\]"):
        GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1, ranges={"x": (0.0, 1.0)}))
    with pytest.raises(EnvError, match="expected low below high"):
        GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1, ranges={"observation[1]": (1.0, 1.0)}))


def test_a_saved_group_goes_on_bit_identically() -> None:
    config = EpisodeConfig(episodes=4, blank_steps=2)
    rng = np.random.default_rng(1)
    actions = rng.integers(0, 2, (150, 3, 1))
    whole, begun = GymnasiumGroup("CartPole-v1", 3, config), GymnasiumGroup("CartPole-v1", 3, config)
    whole.reset(seed=5)
    begun.reset(seed=5)
    for k in range(60):
        whole.step(actions[k])
        begun.step(actions[k])
    assert begun._episode.max() >= 1
    state = begun.state()
    fresh = GymnasiumGroup("CartPole-v1", 3, config)
    fresh.reset(seed=99)
    fresh.set_state(state)
    whole.pop_intervals()
    for k in range(60, 150):
        one, other = whole.step(actions[k]), fresh.step(actions[k])
        for mine, theirs in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for name in one[4]:
            np.testing.assert_array_equal(one[4][name], other[4][name])
        ours, its = (env.pop_intervals().get("episode", {}) for env in (whole, fresh))
        assert {n: v.tolist() for n, v in ours.items()} == {n: v.tolist() for n, v in its.items()}
    with pytest.raises(StateError):
        fresh.set_state({**state, "episode": np.zeros(2, np.int32)})


def test_an_environment_that_does_not_repeat_itself_cannot_be_continued() -> None:
    config = EpisodeConfig(episodes=2)
    env = GymnasiumGroup(lambda: Countdown(noise=0.1), 1, config)
    env.reset(seed=1)
    env.step(np.ones((1, 1)))
    with pytest.raises(EnvError, match="episode 0 of animal 0 gives other observations"):
        GymnasiumGroup(lambda: Countdown(noise=0.1), 1, config).set_state(env.state())


# The bindings of Box2D warn while they are loaded, and crash the interpreter where warnings are errors.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", SMOKE)
def test_standard_environments_run_200_steps(name: str) -> None:
    try:
        env = GymnasiumGroup(name, 2, EpisodeConfig(n_control_steps=200, blank_steps=1))
    except EnvError as error:
        pytest.skip(str(error).splitlines()[0])
    observation, _ = env.reset(seed=1)
    env.action_space.seed(1)
    seen = []
    for _ in range(200):
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
        seen.append(observation.copy())
    assert env.is_over(terminated, truncated)
    assert np.isfinite(seen).all()
    assert np.ptp(seen, axis=0).max() > 0
    assert info["in_episode"].dtype == bool
    env.close()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GymnasiumGroup("CartPol-v1"), "no environment 'CartPol-v1'; did you mean 'CartPole-v1'"),
        (lambda: GymnasiumGroup(lambda: 3), "expected a gymnasium.Env of the factory, got int"),
        (lambda: GymnasiumGroup("CartPole-v1", 0), "num_envs: expected at least 1, got 0"),
        (lambda: GymnasiumGroup(EnvSource("CartPole-v1", {"x": 1})), "CartPole-v1 cannot be made"),
        (lambda: EpisodeConfig(), "expected one of them above 0"),
        (lambda: EpisodeConfig(episodes=1, blank_steps=-1), "blank_steps: expected at least 0, got -1"),
        (lambda: EpisodeConfig(episodes=1, control_interval_ms=0.0), "control_interval_ms: expected above 0"),
        (lambda: GymnasiumGroup("CartPole-v1").step(np.zeros((2, 1))), r"expected shape \(1, 1\)"),
        (lambda: GymnasiumGroup("CartPole-v1").step(np.array([[np.nan]])), "expected finite numbers"),
        (lambda: GymnasiumGroup("CartPole-v1").reset(seed=1.5), "seed: expected one whole number"),
    ],
)
def test_mistakes_are_told(call: Any, message: str) -> None:
    with pytest.raises(EnvError, match=message):
        call()
