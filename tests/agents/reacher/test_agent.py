"""The reaching agent: currents, race, decision times, hand; and the agent without neurons.

What the agent does with spikes is tested with a simulator that fires on demand; that the cortex solves the
task, on the built-in simulator.
"""

import numpy as np
import pytest

from ethospike.agents.reacher import ClusterRace, ReacherAgent, ReacherConfig, first_crossing
from ethospike.agents.reacher import agent as reacher
from ethospike.agents.reacher.baseline import ReachBaseline
from ethospike.agents.reacher.hand import HandConfig, HandControl, ReachSenses
from ethospike.brains.circuits.clustered_cortex import CortexConfig
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock
from ethospike.envs.delayed_reach import DelayedReachVectorEnv, ReachConfig
from ethospike.envs.delayed_reach.env import OUTCOMES
from ethospike.errors import AgentError, StateError

TINY = CortexConfig(n_e=60, n_i=12, clusters=6, j_plus=2.0)
"""Ten excitatory neurons a cluster."""
FAST = {
    "inter_trial_ms": 400.0,
    "inter_trial_jitter_ms": 0.0,
    "trial_start_ms": 100.0,
    "preparatory_ms": 200.0,
}


class FiringOnDemand:
    """Stands for a simulator: each window's spikes come from `script(begin_step, current_pa)`."""

    backend = "on demand"

    def __init__(self, script):
        self.script, self.step, self.stimuli = script, 0, []

    def run(self, n_steps, stimulus):
        self.stimuli.append(stimulus.current_pa)
        rows = [row for row in self.script(self.step, stimulus.current_pa) if row[0] <= self.step + n_steps]
        assert all(row[0] > self.step for row in rows)
        self.step += n_steps
        columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        return SpikeBlock.sorted(*columns)

    def close(self):
        self.script = None


@pytest.fixture
def made(monkeypatch):
    """Return a maker of agents whose simulator fires by a script."""

    def make(script, config=None, **settings):
        fake = FiringOnDemand(script)
        monkeypatch.setattr(reacher, "open_simulator", lambda *_, **__: fake)
        return ReacherAgent(config or ReacherConfig(cortex=TINY), seed=1, **settings), fake

    return make


def silence(begin_step, current_pa):
    return []


def observe(preparatory=(), response=(), animals=1, n=6):
    """Return an observation with the given targets lit, hand at rest in the center."""
    observation = np.zeros((animals, 2 * n + 4), dtype=np.float32)
    observation[:, list(preparatory)] = 1
    observation[:, [n + target for target in response]] = 1
    return observation


def run_trials(env, agent, seed=1):
    """Run all trials and return the table, with what the agent had decided when each ended."""
    observation, _ = env.reset(seed=seed)
    tables, ended = [], False
    while not ended:
        decision = agent.act(observation)
        observation, _, terminated, _, _ = env.step(decision.action)
        rows = env.pop_intervals().get("trial")
        if rows:
            names = [name for name in ("decided_direction", "decision_ms") if name in decision.readout]
            tables.append(rows | {name: decision.readout[name][rows["animal"]] for name in names})
        ended = bool(terminated.all())
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


# -- without neurons --------------------------------------------------------------------------------


def test_the_baseline_solves_the_task():
    env = DelayedReachVectorEnv(4, ReachConfig(n_trials=12))
    rows = run_trials(env, ReachBaseline(4))
    assert len(rows["outcome"]) == 48
    assert (rows["outcome"] == OUTCOMES.index("correct")).all()
    assert (rows["reaction_time_ms"] < 100).all()
    assert (rows["movement_time_ms"] < 300).all()


def test_the_baseline_takes_unbatched_observations():
    agent = ReachBaseline()
    agent.act(observe(preparatory=[1, 2])[0])
    assert agent.act(observe(response=[2])[0]).action.shape == (2,)


def test_hands_wait_go_and_return():
    hand = HandControl(HandConfig(), animals=1, n_targets=6)

    def at(x, **lit):
        return ReachSenses.of(observe(**lit) + np.eye(16, dtype=np.float32)[12] * x, 6)

    everyone, right = np.array([True]), np.array([0])
    hand.sense(at(0.0, preparatory=[0, 1]))
    hand.send(everyone, right)
    assert hand.goal == -1, "not before the response signal"
    hand.sense(at(0.0, response=[0]))
    assert hand.armed
    hand.send(everyone, right)
    assert hand.goal == 0
    assert hand.drive(at(0.0, response=[0])) == pytest.approx(np.array([[1.0, 0.0]]))
    hand.send(everyone, np.array([3]))
    assert hand.goal == 0, "sent once"
    hand.sense(at(0.95, response=[0]))
    assert hand.goal == 0, "stays while the signal is on"
    hand.sense(at(0.95))
    assert hand.goal == -1
    assert hand.drive(at(0.95))[0, 0] == -1.0


# -- stimulus ---------------------------------------------------------------------------------------


def test_signals_become_currents_of_their_clusters(made):
    agent, fake = made(silence)
    clusters = agent.direction_clusters[0, :, 0]
    agent.act(observe(preparatory=[4, 5]))
    agent.act(observe(response=[2]))
    agent.act(observe())
    for given, lit in zip(fake.stimuli, ([4, 5], [2], []), strict=True):
        expected = np.zeros(6)
        expected[clusters[lit]] = 0.1
        assert given == pytest.approx(expected[None])


def test_currents_scale_with_the_threshold_and_their_amplitudes(made):
    cortex = CortexConfig(n_e=60, n_i=12, clusters=6, j_plus=2.0, V_th=20.0)
    agent, fake = made(silence, ReacherConfig(cortex=cortex, preparatory_pa=0.05, response_pa=0.3))
    agent.act(observe(preparatory=[0]))
    agent.act(observe(response=[0]))
    assert [one.max() for one in fake.stimuli] == pytest.approx([0.05 * 20 / 15, 0.3 * 20 / 15])


def test_the_response_current_lasts_400_ms(made):
    agent, fake = made(silence)
    run_trials(DelayedReachVectorEnv(1, ReachConfig(n_trials=2)), agent)
    responding = np.array([(one > 0).sum() for one in fake.stimuli])
    first = np.flatnonzero(responding)[0]
    prepared = responding[first]
    assert (responding[first : first + 100] == prepared).all()
    assert (responding[first + 100 : first + 140] == 1).all()
    assert (responding[first + 140 : first + 200] == 0).all()


def test_twenty_clusters_give_three_a_direction_and_leave_two(made):
    cortex = CortexConfig(n_e=200, n_i=40, clusters=20, j_plus=4.0)
    agent, _ = made(silence, ReacherConfig(cortex=cortex), animals=3)
    for animal in range(3):
        used = agent.direction_clusters[animal]
        assert used.shape == (6, 3)
        assert len(set(used.ravel().tolist())) == 18
    assert not np.array_equal(agent.direction_clusters[0], agent.direction_clusters[1])
    more, _ = made(silence, ReacherConfig(cortex=cortex), animals=5)
    assert np.array_equal(more.direction_clusters[:3], agent.direction_clusters)


def test_listed_clusters_stand_for_the_directions_in_every_animal(made):
    listed = (2, 4, 1, 3, 5, 0)
    agent, _ = made(silence, ReacherConfig(cortex=TINY, direction_clusters=listed), animals=2)
    assert np.array_equal(agent.direction_clusters[:, :, 0], [listed, listed])
    drawn, _ = made(silence, ReacherConfig(cortex=TINY), animals=2)
    assert not np.array_equal(drawn.direction_clusters[0], drawn.direction_clusters[1])


@pytest.mark.parametrize("listed", [(0, 1), (0, 1, 2, 3, 4, 4), (1, 2, 3, 4, 5, 6), (-1, 0, 1, 2, 3, 4)])
def test_listed_clusters_that_do_not_fit_are_refused(listed):
    with pytest.raises(AgentError, match=r"direction_clusters: expected 6 different clusters of 0 … 5"):
        ReacherConfig(cortex=TINY, direction_clusters=listed)


# -- race and decision ------------------------------------------------------------------------------


def test_the_race_integrates_as_published_however_time_is_cut():
    # reaction_times_functions.py: I[t] = I[t−1] + (−I[t−1]/τ + c[t−1]), normalized over clusters.
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.4, (2, 6, 60)).astype(float)
    integral = np.zeros((2, 6, 61))
    for t in range(1, 61):
        integral[:, :, t] = integral[:, :, t - 1] - integral[:, :, t - 1] / 50.0 + counts[:, :, t - 1]
    integral[integral == 0] = 1e-10
    expected = integral / integral.sum(axis=1, keepdims=True)
    for bins in (10, 20, 60):
        race = ClusterRace(2, 6, bins, 50.0)
        for begin in range(0, 60, bins):
            share = race.advance(counts[:, :, begin : begin + bins])
            assert share == pytest.approx(expected[:, :, begin : begin + bins + 1])


def spikes_of(agent, direction, step, animal=0, count=5):
    """Return spikes of neurons of the direction's cluster in one step."""
    cluster = agent.direction_clusters[animal, direction, 0]
    return [(step, animal, cluster * 10 + i) for i in range(count)]


@pytest.mark.parametrize(
    ("step", "expected_ms"), [(1, 1), (10, 1), (11, 2), (100, 10), (101, 11), (250, 25), (9990, 999)]
)
def test_decision_ms_counts_from_the_response_signal(made, step, expected_ms):
    # Silence before: the first millisecond with spikes makes their direction's share 1. Step s is the
    # interval (s − 1, s] of 0.1 ms, so steps 1 … 10 are the first millisecond, known at its end.
    plan = []
    agent, _ = made(lambda begin, current: [row for row in plan if row[0] > begin])
    agent.act(observe(preparatory=[0, 1]))
    plan += spikes_of(agent, 4, 100 + step)
    for window in range(100):
        decision = agent.act(observe(response=[1]))
        done = 10 * (window + 1) >= expected_ms
        assert decision.readout["decision_ms"] == (expected_ms if done else -1)
        assert decision.readout["decided_direction"] == (4 if done else -1)
        moved = bool(decision.action.any())
        assert moved == done
        if done:
            break


def test_a_race_that_is_won_before_the_signal_decides_at_zero(made):
    plan = []
    agent, _ = made(lambda begin, current: [row for row in plan if row[0] > begin])
    plan += spikes_of(agent, 3, 20)
    waiting = [agent.act(observe(preparatory=[3])) for _ in range(3)]
    assert all(one.readout["decision_variable"][0, 3] > 0.99 for one in waiting)
    assert not any(one.action.any() for one in waiting), "the hand is released by the response signal only"
    assert waiting[-1].readout["decision_ms"] == -1
    decision = agent.act(observe(response=[3]))
    assert decision.readout["decision_ms"] == 0
    assert decision.action.any()


def test_the_threshold_decides_how_much_is_enough(made):
    # Four spikes against one are a share of 0.8.
    for threshold, decided in ((0.79, True), (0.81, False)):
        plan = []
        config = ReacherConfig(cortex=TINY, threshold=threshold)
        agent, _ = made(lambda begin, current, plan=plan: [row for row in plan if row[0] > begin], config)
        plan += spikes_of(agent, 0, 55, count=4) + spikes_of(agent, 1, 55, count=1)
        decision = agent.act(observe(response=[0]))
        assert decision.readout["decision_variable"][0, 0] == pytest.approx(0.8)
        assert (decision.readout["decision_ms"][0] >= 0) == decided


def test_the_time_constant_fades_old_spikes(made):
    # After k ms without spikes an integral is (1 − 1/τ)^k of what it was; 5 spikes fade against one new one.
    for tau_ms in (10.0, 50.0):
        plan = []
        config = ReacherConfig(cortex=TINY, tau_ms=tau_ms)
        agent, _ = made(lambda begin, current, plan=plan: [row for row in plan if row[0] > begin], config)
        plan += spikes_of(agent, 0, 1, count=5) + spikes_of(agent, 1, 100, count=1)
        share = agent.act(observe()).readout["decision_variable"][0, 0]
        faded = 5 * (1 - 1 / tau_ms) ** 9
        assert share == pytest.approx(faded / (faded + 1))


def test_the_hand_of_the_configuration_is_used(made):
    drives = []
    for hand in (HandConfig(), HandConfig(gain=1.0), HandConfig(damping=0.2), HandConfig(arrival=0.6)):
        agent, _ = made(silence, ReacherConfig(cortex=TINY, hand=hand))
        # Slightly off the center, moving; and a hand that reached for target 0 is half way there.
        moving = observe()
        moving[0, 12:16] = 0.1, 0.0, 0.0, 0.3
        first = agent.act(moving).action
        agent._hand.goal[:] = 0
        half = observe()
        half[0, 12] = 0.5
        drives.append(np.concatenate([first, agent.act(half).action], axis=1).ravel().tolist())
    assert len({tuple(drive) for drive in drives}) == 4


def test_the_first_crossing_names_winner_and_time():
    share = np.array([[[0.5, 0.2, 0.9], [0.5, 0.8, 0.1]], [[0.5, 0.6, 0.7], [0.5, 0.4, 0.3]]])
    winner, time = first_crossing(share, 0.75)
    assert winner.tolist() == [1, -1]
    assert time.tolist() == [1, -1]


def test_undecided_trials_time_out_and_the_next_one_is_open(made):
    plan = []
    agent, fake = made(lambda begin, current: [row for row in plan if row[0] > begin])
    env = DelayedReachVectorEnv(1, ReachConfig(n_trials=2, **FAST))
    observation, _ = env.reset(seed=3)
    rows, ended = [], False
    while not ended:
        decision = agent.act(observation)
        if rows and not plan and observation[0, 6:12].any():
            plan += spikes_of(agent, int(env.view_state()["target"]), fake.step + 5)
        observation, _, terminated, _, _ = env.step(decision.action)
        ended = bool(terminated.all())
        table = env.pop_intervals().get("trial")
        if table:
            rows.append((OUTCOMES[table["outcome"][0]], decision.readout["decision_ms"][0]))
    assert rows[0] == ("time_out", -1.0)
    assert rows[1][0] == "correct"
    # The spikes came in the second window after the signal: after 11 ms the race is won.
    assert rows[1][1] == 11.0


def test_a_late_winner_is_undecided(made):
    plan = []
    config = ReacherConfig(cortex=TINY, decision_window_ms=50.0)
    agent, _ = made(lambda begin, current: [row for row in plan if row[0] > begin], config)
    plan += spikes_of(agent, 2, 605)
    for _ in range(8):
        decision = agent.act(observe(response=[2]))
    assert decision.readout["decision_variable"][0, 2] > 0.99
    assert decision.readout["decision_ms"] == -1
    assert not decision.action.any()


def test_animals_do_not_share_spikes(made):
    plan = []
    agent, _ = made(lambda begin, current: [row for row in plan if row[0] > begin], animals=3)
    plan += spikes_of(agent, 5, 33, animal=1) + [(40, 2, 60 + i) for i in range(12)]  # animal 2: E is silent
    decision = agent.act(observe(response=[0], animals=3))
    assert decision.readout["decision_ms"].tolist() == [-1, 4, -1]
    rate = decision.readout["cluster_rate_hz"]
    assert rate[1].max() == pytest.approx(5 / 10 / 0.01)
    assert rate[[0, 2]].max() == 0
    for name, about in agent.variables.items():
        assert decision.readout[name].shape == (3, *about["shape"])
    assert agent.variables.keys() == decision.readout.keys()


# -- with neurons -----------------------------------------------------------------------------------

NUMBA = SimulatorSettings(name="numba", threads=1)


@pytest.mark.simulator("numba")
def test_the_cortex_reaches_for_the_cued_target_and_only_with_its_cue():
    correct = {}
    for name, amplitude in (("cued", 0.1), ("blind", 0.0)):
        env = DelayedReachVectorEnv(2, ReachConfig(n_trials=5, conditions=(1,), inter_trial_ms=500))
        config = ReacherConfig(preparatory_pa=amplitude, response_pa=amplitude)
        with ReacherAgent(config, NUMBA, seed=5, animals=2) as agent:
            rows = run_trials(env, agent, seed=5)
        assert len(rows["outcome"]) == 10
        correct[name] = int((rows["outcome"] == OUTCOMES.index("correct")).sum())
        decided = rows["decision_ms"] >= 0
        assert decided.any()
        assert (rows["reaction_time_ms"][decided] >= rows["decision_ms"][decided]).all()
        assert np.array_equal(rows["decided_direction"][decided], rows["chosen"][decided])
    # 95 % are right with one cue (60 trials in each of three wirings), one in six without any.
    assert correct["cued"] >= 8
    assert correct["blind"] <= 5


def test_a_state_of_the_baseline_that_does_not_fit_is_refused():
    agent = ReachBaseline(animals=2)
    for wrong in ({}, ReachBaseline().state(), agent.state() | {"foot": np.zeros(2)}):
        with pytest.raises(StateError, match=r"state.*: expected"):
            agent.set_state(wrong)


@pytest.mark.simulator("numba")
def test_a_state_that_does_not_fit_changes_nothing():
    agent, other = (ReacherAgent(ReacherConfig(cortex=TINY), NUMBA, seed=2) for _ in range(2))
    agent.act(observe(preparatory=(1,)))
    saved, before = agent.state(), other.state()
    missing = {name: array for name, array in saved.items() if name != "integral"}
    for wrong in ({}, missing, saved | {"integral": np.zeros((6, 1))}, saved | {"foot": np.zeros(1)}):
        with pytest.raises(StateError, match=r"state.*: expected"):
            other.set_state(wrong)
    assert other.simulator.step == 0 < agent.simulator.step
    assert all(np.array_equal(array, before[name]) for name, array in other.state().items())


@pytest.mark.simulator("numba")
def test_a_snapshot_continues_bit_identically():
    env = DelayedReachVectorEnv(1, ReachConfig(n_trials=2, **FAST))
    agents = [ReacherAgent(ReacherConfig(cortex=TINY), NUMBA, seed=2) for _ in range(2)]
    observation, _ = env.reset(seed=2)
    for _ in range(60):
        observation, *_ = env.step(agents[0].act(observation).action)
    agents[1].set_state(agents[0].state())
    spikes = 0
    for _ in range(60):
        one, two = (agent.act(observation) for agent in agents)
        spikes += len(one.spikes)
        assert np.array_equal(one.spikes.neuron, two.spikes.neuron)
        assert np.array_equal(one.action, two.action)
        assert all(np.array_equal(one.readout[name], two.readout[name]) for name in one.readout)
        observation, *_ = env.step(one.action)
    assert spikes > 0
    for agent in agents:
        agent.close()


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": 7}, "expected 2 … 6"),
        ({"threshold": 1.0}, "threshold"),
        ({"tau_ms": 0.0}, "tau_ms"),
        ({"decision_window_ms": float("nan")}, "decision_window_ms"),
        ({"preparatory_pa": float("inf")}, "preparatory_pa"),
    ],
)
def test_bad_configurations_say_what_is_wrong(change, message):
    with pytest.raises(AgentError, match=message):
        ReacherConfig(**change)


def test_bad_hands_intervals_and_observations_are_refused(made):
    with pytest.raises(AgentError, match="gain"):
        HandConfig(gain=0.0)
    with pytest.raises(AgentError, match=r"10.5 ms is not a whole number of milliseconds"):
        made(silence, control_interval_ms=10.5)
    with pytest.raises(AgentError, match="dt_ms"):
        made(silence, dt_ms=0.3)
    agent, _ = made(silence)
    with pytest.raises(AgentError, match="expected 16 features"):
        agent.act(np.zeros((1, 12)))
