"""Larvae without neurons: the chemotaxis larva finds the odor, and the learner learns from rewards alone."""

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from ethospike.agents.agent import Agent
from ethospike.agents.larva.baselines import ChemotaxisLarva, NeuronlessLarva, RandomLarva, RewardLearner
from ethospike.agents.larva.locomotion import PRESETS
from ethospike.agents.larva.olfaction import INNATE_GAIN
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.errors import AgentError, StateError

LEFT, RIGHT = (-25.0, 0.0), (25.0, 0.0)
DISH = ArenaConfig((Phase("test", 90.0, (OdorSource("A", LEFT, sigma_mm=20.0),)),))
"""An odor at the left."""
PATCHES = ArenaConfig(
    (
        Phase(
            "foraging",
            120.0,
            (OdorSource("A", LEFT), OdorSource("B", RIGHT)),
            (
                Reinforcement("reward", radius_mm=20.0, center_mm=LEFT),
                Reinforcement("punishment", radius_mm=20.0, center_mm=RIGHT),
            ),
        ),
    )
)
"""Odor A means reward, odor B punishment."""

Episode = dict[str, NDArray[np.float64]]


def live(agent: Agent, env: OdorArenaVectorEnv, seed: int | None) -> Episode:
    """Live through an episode; return what happened, each array of shape (steps, animals)."""
    observation, _ = env.reset(seed=seed)
    over = np.zeros(env.num_envs, bool)
    rows = []
    while not over.all():
        observation, reward, over, _, info = env.step(agent.act(observation).action)
        agent.learn(reward, over)
        speed, turning = info["speed_mm_s"], info["angular_velocity_rad_s"]
        rows.append((info["position_mm"][:, 0], speed, np.abs(turning), reward))
    names = ("x_mm", "speed_mm_s", "turning_rad_s", "reward")
    return dict(zip(names, np.array(rows).swapaxes(0, 1).astype(float), strict=True))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return a 95 % confidence interval of the mean."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def test_an_innate_gain_leads_to_the_odor_or_away_from_it() -> None:
    """The navigator of larvaworld, with its own locomotion."""
    animals = 20
    x = {}
    gains = {"random": 0.0, "attracted": INNATE_GAIN, "repelled": -INNATE_GAIN}
    for name, gain in gains.items():
        env = OdorArenaVectorEnv(animals, DISH)
        larvae = ChemotaxisLarva(1, animals=animals, seed=1, gain=gain, locomotion=PRESETS["larvaworld"])
        x[name] = live(larvae, env, seed=1)["x_mm"][450:].mean(axis=0)
    assert interval(x["attracted"] - x["random"])[1] < -5
    assert interval(x["repelled"] - x["random"])[0] > 5
    assert interval(x["random"])[0] < 0 < interval(x["random"])[1]
    assert x["attracted"].mean() == pytest.approx(LEFT[0], abs=6)


def test_larvae_that_move_like_real_ones_find_the_odor_too() -> None:
    """They turn less, so that it takes a wider odor and more time."""
    phase = Phase("test", 240.0, (OdorSource("A", (-40.0, 0.0), sigma_mm=40.0),))
    x = {}
    for name, gain in {"random": 0.0, "attracted": INNATE_GAIN}.items():
        env = OdorArenaVectorEnv(24, ArenaConfig((phase,)))
        larvae = ChemotaxisLarva.for_env(env, seed=1, gain=gain)
        x[name] = live(larvae, env, seed=1)["x_mm"][1200:].mean(axis=0)
    assert interval(x["attracted"] - x["random"])[1] < -5


def test_fine_and_coarse_control_make_the_same_animals() -> None:
    """Speed and turning rate at 10 and 100 ms control, compared within the spread between animals."""
    animals = 16
    seen = {}
    for interval_ms in (10.0, 100.0):
        env = OdorArenaVectorEnv(animals, DISH, control_interval_ms=interval_ms)
        episode = live(ChemotaxisLarva.for_env(env, seed=2), env, seed=2)
        every = round(100 / interval_ms)
        seen[interval_ms] = {name: values[every - 1 :: every] for name, values in episode.items()}
    for name in ("speed_mm_s", "turning_rad_s"):
        fine, coarse = seen[10.0][name], seen[100.0][name]
        assert fine.shape == coarse.shape == (900, animals)
        for statistic in (np.mean, np.std):
            per_animal = statistic(fine, axis=0), statistic(coarse, axis=0)
            error = np.sqrt(sum(values.var(ddof=1) / animals for values in per_animal))
            difference = per_animal[0].mean() - per_animal[1].mean()
            # Not beyond what chance allows between two such groups, nor beyond 10 %.
            assert abs(difference) < min(
                2.5 * error + 0.02 * per_animal[1].mean(), 0.1 * per_animal[1].mean()
            )


def test_the_learner_ends_above_a_random_larva() -> None:
    animals = 30
    returns = {}
    for name, make in (("random", RandomLarva.for_env), ("learner", RewardLearner.for_env)):
        env = OdorArenaVectorEnv(animals, PATCHES)
        agent = make(env, seed=3, locomotion=PRESETS["larvaworld"])
        live(agent, env, seed=3)
        returns[name] = live(agent, env, seed=None)["reward"].mean(axis=0)
    # The same starts and the same random streams, so compare animal by animal. A larva in the patch of
    # reward all the time has 1, and a random one 0 on average.
    assert interval(returns["learner"] - returns["random"])[0] > 0.1
    assert interval(returns["random"])[0] < 0 < interval(returns["random"])[1]


def test_values_follow_the_delta_rule() -> None:
    larva = RewardLearner(2, seed=1, control_interval_ms=100.0, learning_rate_hz=1.0)
    value = np.zeros(2)
    for concentration, reward in (((2.0, 0.0), 1.0), ((1.0, 2.0), 1.0), ((0.0, 2.0), -0.5)):
        larva.act(np.array([*concentration, 0.0, 0.0, 0.0]))
        larva.learn(reward, False)
        strength = np.array(concentration) / 2.0
        value += 0.1 * (reward - value @ strength) * strength
        np.testing.assert_allclose(larva.value[0], value)
    assert (value != 0).all()


def test_without_reward_the_learner_is_a_random_larva() -> None:
    env, other = OdorArenaVectorEnv(3, DISH), OdorArenaVectorEnv(3, DISH)
    learner = live(RewardLearner.for_env(env, seed=4), env, seed=4)
    random = live(RandomLarva.for_env(other, seed=4), other, seed=4)
    assert random["x_mm"].std() > 0
    np.testing.assert_array_equal(learner["x_mm"], random["x_mm"])


@pytest.mark.parametrize("make", [RandomLarva, ChemotaxisLarva, RewardLearner])
def test_a_run_continues_from_its_state_bit_identically(make: Callable[..., NeuronlessLarva]) -> None:
    rng = np.random.default_rng(5)
    senses, rewards = rng.uniform(0.5, 1.5, (60, 2, 5)), rng.uniform(-1, 1, (60, 2))

    def actions(agent: Agent, part: slice) -> list[list[float]]:
        chosen = []
        for observation, reward in zip(senses[part], rewards[part], strict=True):
            chosen.append(agent.act(observation).action.ravel().tolist())
            agent.learn(reward, False)
        return chosen

    agent, other = make(2, animals=2, seed=6), make(2, animals=2, seed=7)
    actions(agent, slice(30))
    saved = agent.state()
    expected = actions(agent, slice(30, 60))
    assert actions(other, slice(30, 60)) != expected
    other.set_state(saved)
    assert actions(other, slice(30, 60)) == expected
    before = other.state()
    for wrong in ({}, make(2, animals=1, seed=6).state(), saved | {"nose": np.zeros(2)}):
        with pytest.raises(StateError, match=r"state.*: expected"):
            other.set_state(wrong)
    assert all(np.array_equal(array, before[name]) for name, array in other.state().items())


def test_single_environment_and_agent_fit() -> None:
    env = gymnasium.make("ethospike.envs:ethospike/OdorArena-v0")
    agent = RewardLearner.for_env(env, seed=1)
    observation, _ = env.reset(seed=1)
    for _ in range(5):
        observation, reward, terminated, _, _ = env.step(agent.act(observation).action)
        agent.learn(float(reward), terminated)


def test_bad_input_is_refused() -> None:
    larva = RewardLearner(2, seed=1)
    with pytest.raises(AgentError, match="expected 5 features"):
        larva.act(np.zeros(4))
    with pytest.raises(AgentError, match="finite numbers"):
        larva.act(np.array([np.nan, 0, 0, 0, 0]))
    for reward in (np.nan, [1.0, 2.0]):
        with pytest.raises(AgentError, match="reward: expected 1 finite"):
            larva.learn(np.array(reward), False)
    with pytest.raises(AgentError, match="learning_rate_hz: expected at least 0"):
        RewardLearner(1, seed=1, learning_rate_hz=-1.0)
    with pytest.raises(AgentError, match="one for each of 2 odors"):
        ChemotaxisLarva(2, seed=1, gain=[1.0, 2.0, 3.0])
