"""Spiking agents that learn from a reward: code, rates, modulation, and the first task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ethospike.agents.reward.actor_critic import ActorCriticConfig, SpikingActorCritic, actor_critic_network
from ethospike.agents.reward.network import CODE, CRITIC, NeuronsConfig, learning_network, middle, rate_share
from ethospike.agents.reward.reward_stdp import RewardStdp, RewardStdpConfig
from ethospike.agents.reward.shuffled import SHUFFLED
from ethospike.agents.reward.spiking import FilteredRate
from ethospike.brains.network import ModulationChannel, ThreeFactor
from ethospike.brains.network.plasticity import Events, PlasticSynapses
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.scenarios.loop import run_closed_loop, start_loop

NUMBA = SimulatorSettings("numba", threads=1)
BANDIT = "ethospike/CueBandit-v0"
NEURONS = NeuronsConfig(cells=4, code_hz=200.0)
CRITIC_CONFIG = ActorCriticConfig(
    neurons=NEURONS,
    reward_scale=3.0,
    value_at_rest=-0.58,
    tau_feedback_ms=100.0,
    tau_critic_ms=100.0,
    critic_rate=0.0046,
    actor_rate=0.0115,
    grid_ms=100.0,
)
STDP_CONFIG = RewardStdpConfig(neurons=NEURONS, learning_rate=0.2)


class Log(Recorder):
    """Keeps rewards and weights."""

    def __init__(self) -> None:
        self.rewards: list[NDArray[Any]] = []

    def record(self, record: StepRecord) -> None:
        self.rewards.append(record.values["reward"])

    def close(self, status: str = "complete") -> None:
        pass


def bandit(animals: int, episodes: int, evaluation: int = 0) -> GymnasiumGroup:
    config = EpisodeConfig(
        control_interval_ms=100.0, episodes=episodes, evaluation_episodes=evaluation, blank_steps=1
    )
    return GymnasiumGroup(BANDIT, animals, config)


def test_the_code_fires_at_its_rate() -> None:
    config = NeuronsConfig(code_hz=60.0, tau_code_ms=20.0)
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    rule = ThreeFactor(ModulationChannel("none"), 0.0, Wmin=-np.inf)
    network = learning_network(config.encoder(env), 2, config, rule)
    assert network.population(CODE).size == 80  # 3^4 − 1 functions
    activity = np.linspace(0.0, 1.0, 80)
    with open_simulator(network, NUMBA, seed=1, dt_ms=0.1) as simulator:
        spikes = simulator.run(100_000, Stimulus.currents(config.current_pa(activity[None])))
    rate_hz = np.bincount(spikes.neuron[spikes.neuron < 80], minlength=80) / 10.0
    # A spike more or less in 10 s, and intervals that are rounded up to whole steps of 0.1 ms. Below 3 Hz the
    # current is so near to the rheobase that single precision cannot tell them apart.
    np.testing.assert_allclose(rate_hz[5:], 60.0 * activity[5:], atol=0.4)
    assert (rate_hz[:5] <= 60.0 * activity[:5] + 0.4).all()
    assert rate_hz[0] == 0.0


def test_rates_are_those_of_an_exponential_filter() -> None:
    rng = np.random.default_rng(1)
    filtered = FilteredRate(4, 3, 5, animals=2, tau_ms=30.0, dt_ms=0.5)
    step = np.sort(rng.integers(1, 401, 600))
    spikes = SpikeBlock.sorted(step, rng.integers(0, 2, 600), rng.integers(0, 25, 600))
    for begin, end in ((0, 130), (130, 400)):
        inside = (spikes.step > begin) & (spikes.step <= end)
        part = SpikeBlock(spikes.step[inside], spikes.animal[inside], spikes.neuron[inside])
        got = filtered.update(part, end, end - begin)
    expected = np.zeros((2, 3))
    for s, a, n in zip(spikes.step, spikes.animal, spikes.neuron, strict=True):
        if 4 <= n < 19:
            expected[a, (n - 4) // 5] += np.exp(-(400 - s) * 0.5 / 30.0) * 1000.0 / (30.0 * 5)
    assert (expected > 1.0).all()
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_a_learning_rate_means_the_same_for_every_code() -> None:
    """Four neurons with a trace each move the input four times as far as one."""
    env = bandit(1, 1)
    one, four = NeuronsConfig(cells=1), NeuronsConfig(cells=4)
    encoder = one.encoder(env)
    assert middle(encoder).sum() == 1.0
    assert rate_share(encoder, one, 20.0) == pytest.approx(4.0 * rate_share(encoder, four, 20.0))
    # One channel at 60 Hz: a trace of 0.06 × 20; see REFERENCE.
    assert rate_share(encoder, one, 20.0) == pytest.approx(31.0 * 400.0 / (0.06 * 20.0) ** 2)


def modulation(agent: Any, observation: NDArray[Any], reward: float = 0.0, end: str = "") -> dict[str, Any]:
    """Act and learn; return the modulation of the window, and of its last part as `last_…`."""
    given = []
    run = agent.simulator.run

    def noted(n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        given.append((n_steps, stimulus.modulation))
        return run(n_steps, stimulus)

    agent.simulator.run = noted
    agent.act(observation)
    agent.simulator.run = run
    agent.learn(np.array([reward]), end == "terminated", end == "truncated")
    assert sum(n for n, _ in given) == 100
    return {**given[0][1], **{f"last_{name}": values for name, values in given[-1][1].items()}}


CUE, BLANK = np.array([[3.0, 1.0]], np.float32), np.array([[0.0, 0.0]], np.float32)


@pytest.mark.parametrize("end", ["terminated", "truncated"])
def test_a_reward_acts_in_the_window_after_its_step(end: str) -> None:
    config = ActorCriticConfig(neurons=NEURONS, settle_ms=200.0)
    with SpikingActorCritic(bandit(1, 5, 1), config, NUMBA, seed=1) as agent:
        agent.begin_episode(np.array([True]))
        windows = [modulation(agent, CUE, 1.0 + k, end if k == 3 else "") for k in range(4)]
        windows += [modulation(agent, CUE), modulation(agent, BLANK), modulation(agent, BLANK)]
        agent.begin_episode(np.array([True]))
        windows += [modulation(agent, CUE, 9.0)]
    # Two windows to settle; the rewards of steps 2 to 4 act one window later; then blank and a new episode.
    # Of 100 ms, the last 20 are those in which the action is known.
    rewards = np.array([float(window["reward"][0]) for window in windows])
    np.testing.assert_allclose(
        rewards, 0.8 * np.array([np.nan, np.nan, 2.0, 3.0, 4.0, np.nan, np.nan, np.nan])
    )
    last = np.array([float(window["last_reward"][0]) for window in windows])
    np.testing.assert_allclose(last, rewards / 4.0)
    assert not any(window["terminal"].any() for window in windows)
    terminal = [float(window["last_terminal"][0]) for window in windows]
    assert terminal == [0.0] * 4 + [float(end == "terminated")] + [0.0] * 3
    assert not any(window["action"].any() for window in windows)
    feedback = np.concatenate([window["last_action"] for window in windows])
    assert not feedback[[4, 5, 6]].any()  # no action is carried out
    for row in feedback[[0, 1, 2, 3, 7]]:
        assert row.sum() == pytest.approx(0.0)
        assert (row > 0).sum() == 1


def test_in_short_windows_the_feedback_comes_in_the_next() -> None:
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=2))
    seen = np.array([[0.1, 0.0, 0.02, 0.0, 1.0]], np.float32)
    with SpikingActorCritic(env, None, NUMBA, seed=1) as agent:
        agent.begin_episode(np.array([True]))
        given = []
        run = agent.simulator.run
        agent.simulator.run = lambda n, stimulus: (given.append(stimulus.modulation), run(n, stimulus))[1]
        actions = []
        for _ in range(4):
            actions.append(int(agent.act(seen).action[0, 0]))
            agent.learn(np.array([1.0]), False)
    assert not given[0]["action"].any()
    for action, modulation in zip(actions, given[1:], strict=False):
        assert modulation["action"][0, action] > 0 > modulation["action"][0, 1 - action]


def test_the_end_of_a_short_episode_teaches_even_before_rates_have_settled() -> None:
    config = ActorCriticConfig(neurons=NEURONS, settle_ms=1000.0)
    with SpikingActorCritic(bandit(1, 5), config, NUMBA, seed=1) as agent:
        agent.begin_episode(np.array([True]))
        first, final = modulation(agent, CUE, 1.0, "terminated"), modulation(agent, CUE)
    assert np.isnan(first["reward"]).all()
    np.testing.assert_allclose(final["reward"] + final["last_reward"], [1.0])


def test_nothing_acts_in_evaluation() -> None:
    with SpikingActorCritic(bandit(1, 1, 1), CRITIC_CONFIG, NUMBA, seed=1) as agent:
        for _ in range(2):
            agent.begin_episode(np.array([True]))
        before = agent.weights()
        windows = [modulation(agent, CUE, 1.0, "terminated"), modulation(agent, CUE)]
        after = agent.weights()
    assert all(np.isnan(window["reward"]).all() for window in windows)
    assert set(before) == {"code>actor", "code>critic"}
    for name, weights in before.items():
        np.testing.assert_array_equal(weights, after[name])


def change_by_a_volley(tau_critic_ms: float, dt_ms: float, at_ms: float) -> float:
    """Return the change of weights by a spike of all critic neurons together, in constant circumstances."""
    config = ActorCriticConfig(value_at_rest=0.0, tau_critic_ms=tau_critic_ms)
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    rule = actor_critic_network(env, config).projection("code>critic").plasticity
    assert isinstance(rule, ThreeFactor)
    n, steps = config.neurons.critic, round(400.0 / dt_ms)
    ends = PlasticSynapses(np.zeros(n, int), np.arange(n), np.zeros(n), np.ones(n, int), 1, n, n)
    volley = np.full(n, round(at_ms / dt_ms)), np.arange(n)
    source = np.array([round(99.0 / dt_ms)]), np.array([0])
    reference = rule.reference(ends, dt_ms)
    reference.apply(Events(1, steps, source, volley, volley, {"reward": np.array(0.0)}))
    return float(reference.weight.mean())


@pytest.mark.parametrize("dt_ms", [0.1, 0.5, 1.0])
def test_a_chance_volley_of_the_critic_does_not_reinforce_itself(dt_ms: float) -> None:
    """In steps of 0.1 ms such volleys grew until the critic fired in each, and the actor chose one action."""
    moments = 100.0 + dt_ms * np.arange(1, round(5.0 / dt_ms) + 1)
    filtered = [change_by_a_volley(ActorCriticConfig.tau_critic_ms, dt_ms, at) for at in moments]
    assert max(filtered) < 0.0
    # Without the filter the sign is that of the formula in `ThreeFactor`: f = 1 but in the last step.
    plain = [change_by_a_volley(0.0, dt_ms, at) for at in moments]
    assert plain[0] > 0.0 > plain[-1]


def test_the_value_is_that_of_the_critics_filtered_rate() -> None:
    with SpikingActorCritic(bandit(2, 5), CRITIC_CONFIG, NUMBA, seed=1) as agent:
        agent.begin_episode(np.ones(2, bool))
        cue = np.repeat(CUE, 2, axis=0)
        decisions = [agent.act(cue) for _ in range(6)]
        network, last = agent.network, agent.simulator.step
    first, size = network.offset(CRITIC), network.population(CRITIC).size
    rate = np.zeros(2)
    for decision in decisions:
        block = decision.spikes
        assert block is not None
        for s, a, n in zip(block.step, block.animal, block.neuron, strict=True):
            if first <= n < first + size:
                rate[a] += np.exp(-(last - s) / 40.0) * 1000.0 / (40.0 * size)
    assert (rate > 5.0).all()
    np.testing.assert_allclose(decisions[-1].readout["value"], -0.58 + 0.045 * rate, rtol=1e-4)


def test_the_surprise_is_the_return_minus_its_running_mean() -> None:
    config = RewardStdpConfig(neurons=NEURONS, baseline_episodes=1.0, reward_scale=2.0)
    with RewardStdp(bandit(1, 9, 1), config, NUMBA, seed=1) as agent:
        surprises = []
        for total in (3.0, 5.0, 1.0):
            agent.begin_episode(np.array([True]))
            first = modulation(agent, CUE, total - 1.0)
            second = modulation(agent, CUE, 1.0, "terminated")
            final, blank = modulation(agent, CUE), modulation(agent, BLANK)
            assert not first["surprise"].any()
            assert not second["surprise"].any()
            assert not blank["surprise"].any()
            surprises.append(float(final["surprise"][0]) * 100.0)  # the integral over 100 ms
    keep = np.exp(-1.0)
    mean = keep * 6.0 + (1.0 - keep) * 10.0
    np.testing.assert_allclose(surprises, [0.0, 4.0, 2.0 - mean])


AGENTS = [(SpikingActorCritic, CRITIC_CONFIG), (RewardStdp, STDP_CONFIG)]


@pytest.mark.parametrize(("kind", "config"), AGENTS, ids=lambda x: getattr(x, "__name__", ""))
def test_the_cue_bandit_is_learned(kind: Any, config: Any) -> None:
    env = bandit(3, 200)
    log = Log()
    with kind(env, config, NUMBA, seed=1001) as agent:
        before = agent.weights()
        assert run_closed_loop(env, agent, log, start_loop(env, agent, seed=1001))
        change = np.abs(agent.weights()["code>actor"] - before["code>actor"])
    assert (change.mean(axis=1) > 0.001).all()
    rewards = np.stack(log.rewards)[::3]  # cue, final observation, blank
    assert rewards.shape == (200, 3)
    # Chance is 0.25, with a standard error of 0.025 over 300 choices.
    assert rewards[100:].mean() > 0.55


@pytest.mark.parametrize(("kind", "config"), AGENTS, ids=lambda x: getattr(x, "__name__", ""))
def test_it_goes_on_from_a_state_and_animals_do_not_depend_on_the_group(kind: Any, config: Any) -> None:
    env, few = bandit(3, 30), bandit(2, 30)
    with (
        kind(env, config, NUMBA, seed=1) as agent,
        kind(env, config, NUMBA, seed=1) as other,
        kind(few, config, NUMBA, seed=1) as pair,
    ):
        loop = start_loop(env, agent, seed=1)
        run_closed_loop(env, agent, Log(), loop, lambda loop: loop.control_step < 40)
        run_closed_loop(few, pair, Log(), start_loop(few, pair, seed=1), lambda loop: loop.control_step < 40)
        for name, weights in agent.weights().items():
            np.testing.assert_array_equal(weights[:2], pair.weights()[name])
        other.set_state(agent.state())
        cue = np.array([[3.0, 1.0], [5.0, 1.0], [7.0, 1.0]], np.float32)
        for _ in range(6):
            one, two = agent.act(cue), other.act(cue)
            np.testing.assert_array_equal(one.action, two.action)
            for each in (agent, other):
                each.learn(np.array([1.0, 0.0, 0.5]), np.array([False, True, False]))
        for name, weights in agent.weights().items():
            np.testing.assert_array_equal(weights, other.weights()[name])


def test_a_network_of_ones_own_must_fit() -> None:
    env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=1))
    network = actor_critic_network(bandit(1, 1), CRITIC_CONFIG)
    with pytest.raises(
        AgentError, match=r"network: expected 80 current channels and a population 'actor' of 2"
    ):
        SpikingActorCritic(env, CRITIC_CONFIG, NUMBA, network=network, seed=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NeuronsConfig(cells=0), "NeuronsConfig.cells: expected at least 1, got 0"),
        (lambda: NeuronsConfig(code_hz=-1.0), "NeuronsConfig.code_hz: expected above 0"),
        (lambda: ActorCriticConfig(tau_rate_ms=0.0), "ActorCriticConfig.tau_rate_ms: expected above 0"),
        (lambda: ActorCriticConfig(actor_rate=-1.0), "ActorCriticConfig.actor_rate: expected at least 0"),
        (lambda: RewardStdpConfig(learning_rate=-1.0), "RewardStdpConfig.learning_rate: expected at least 0"),
    ],
)
def test_numbers_are_checked(make: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        make()


def test_shuffled_errors_are_those_of_earlier_windows_and_teach_nothing() -> None:
    env = bandit(2, 120)
    network = actor_critic_network(env, CRITIC_CONFIG)
    rules = {p.name: p.plasticity for p in network.projections}
    channel = ModulationChannel(SHUFFLED)
    projections = [
        replace(p, plasticity=replace(rules[p.name], modulator=channel)) for p in network.projections
    ]
    changed = replace(network, projections=tuple(projections))
    log = Log()
    with SpikingActorCritic(env, CRITIC_CONFIG, NUMBA, network=changed, seed=1) as agent:
        given = []
        run = agent.simulator.run
        agent.simulator.run = lambda n, stimulus: (given.append(stimulus.modulation), run(n, stimulus))[1]
        before = agent.weights()
        assert run_closed_loop(env, agent, log, start_loop(env, agent, seed=1))
        shuffled = agent._shuffled
        change = np.abs(agent.weights()["code>actor"] - before["code>actor"])
    assert shuffled is not None
    assert change.max() > 0.01
    assert set(given[0]) == {SHUFFLED, "action"}
    # The grid is the window: one error a window, in its last step.
    errors = np.array([modulation[SHUFFLED][0, -1] for modulation in given[1::2]]) * 100.0
    kept = shuffled._kept[0, : shuffled._n_kept[0], 0]
    assert len(kept) == 120
    assert set(np.round(errors[errors != 0], 9)) <= set(np.round(kept, 9))
    assert (errors != 0).sum() > 100
    assert np.stack(log.rewards)[::3][60:].mean() < 0.45  # chance is 0.25, standard error 0.04


@pytest.mark.simulator("nest")
@pytest.mark.parametrize("agent", ["actor-critic", "reward-stdp"])
def test_nest_learns_the_very_same(agent: str) -> None:
    """Spikes, actions and weights of the first episodes are those of Numba in double precision."""
    make: Any = {"actor-critic": SpikingActorCritic, "reward-stdp": RewardStdp}[agent]
    found = []
    for settings in (SimulatorSettings("numba", threads=1, precision="double"), SimulatorSettings("nest")):
        env = GymnasiumGroup("CartPole-v1", 1, EpisodeConfig(episodes=2))
        with make(env, None, settings, seed=1) as learner:
            before = learner.weights()["code>actor"]
            loop, spikes, actions = start_loop(env, learner, seed=1), [], []

            class Note(Log):
                def record(self, record: StepRecord, spikes: Any = spikes, actions: Any = actions) -> None:
                    assert record.spikes is not None
                    spikes.append((record.spikes.step, record.spikes.neuron))
                    actions.append(record.values["action"].copy())

            assert run_closed_loop(env, learner, Note(), loop)
            found.append((spikes, actions, learner.weights()))
        assert np.abs(found[-1][2]["code>actor"] - before).max() > 1e-4
    (mine, my_actions, my_weights), (theirs, their_actions, their_weights) = found
    assert len(mine) == len(theirs) > 20
    assert sum(len(steps) for steps, _ in mine) > 500
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(my_actions, their_actions)
    for name, weights in my_weights.items():
        np.testing.assert_allclose(weights, their_weights[name], rtol=1e-9, atol=1e-12)
