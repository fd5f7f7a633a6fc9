"""One specimen of each stateful class, in use, for the tests that copy them."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import house_rules
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from places import ROOT

from ethospike.agents.coded import CodedAgent
from ethospike.agents.functions import FunctionAgent
from ethospike.agents.larva import LarvaAgent
from ethospike.agents.larva.baselines import ChemotaxisLarva, RandomLarva, RewardLearner
from ethospike.agents.larva.locomotion import Locomotion, LocomotionConfig
from ethospike.agents.larva.olfaction import OlfactoryDrive
from ethospike.agents.random_policy import RandomPolicy
from ethospike.agents.reacher import ReacherAgent
from ethospike.agents.reacher.baseline import ReachBaseline
from ethospike.agents.reacher.hand import HandConfig, HandControl, ReachSenses
from ethospike.agents.resting import RestingCortex
from ethospike.agents.reward.actor_critic import SpikingActorCritic
from ethospike.agents.reward.larva import RewardedLarva
from ethospike.agents.reward.reward_stdp import RewardStdp
from ethospike.agents.reward.td import TDActorCritic
from ethospike.brains.circuits.clustered_cortex import CortexConfig
from ethospike.brains.conformance.specimens import lessons, trained
from ethospike.brains.network import (
    DopamineGated,
    FixedIndegree,
    Network,
    PairwiseBernoulli,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.network.plasticity import (
    DopamineSTDP,
    Events,
    FilteredSpikes,
    ModulationChannel,
    PairSTDP,
    PlasticityRule,
    PlasticSynapses,
    SynapseReference,
    TDError,
    ThreeFactor,
    ThreeFactorSynapses,
)
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.brains.simulator.contract import Simulator
from ethospike.brains.spike_trains.sources import GammaSource, PoissonSource
from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup
from ethospike.envs.delayed_reach import DelayedReachEnv, DelayedReachVectorEnv, ReachConfig
from ethospike.envs.idle import IdleEnv
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaEnv, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.scenarios.odor.crawling import DrivenLarva

STEPS_BEFORE, STEPS_AFTER = 7, 5
"""Steps before a copy is made, and steps of which the results are compared."""
NUMBA = SimulatorSettings("numba")
GENN = SimulatorSettings("genn", genn_backend="cpu")
Results = list[NDArray[Any]]


@dataclass(frozen=True)
class Specimen:
    """A stateful object and a way to use it.

    Parameters
    ----------
    make : callable() -> object
        Makes the object, with one seed.
    step : callable(object, int) -> list of ndarray
        Uses it once; the number of the step decides on the input.
    """

    make: Callable[[], Any]
    step: Callable[[Any, int], Results]


def _noise(step: int, *shape: int) -> NDArray[np.float64]:
    return np.random.default_rng([7, step]).uniform(-1.0, 1.0, shape)


def _env_step(env: Any, step: int) -> Results:
    shape = env.action_space.shape
    if np.issubdtype(env.action_space.dtype, np.integer):
        action: Any = (_noise(step, *shape) > 0).astype(np.int64)
    else:
        action = _noise(step, *shape).astype(np.float32)
    observation, reward, terminated, truncated, info = env.step(action)
    results = [observation, reward, terminated, truncated, *(info[name] for name in sorted(info))]
    return [np.asarray(value) for value in results if not isinstance(value, dict)]


def _started(env: Any) -> Any:
    env.reset(seed=3)
    return env


def _act(features: int, animals: int) -> Callable[[Any, int], Results]:
    def step(agent: Any, number: int) -> Results:
        observation = np.abs(_noise(number, animals, features)).astype(np.float32)
        decision = agent.act(observation)
        agent.learn(np.ones(animals), np.zeros(animals, bool))
        results = [decision.action, *(decision.readout[name] for name in sorted(decision.readout))]
        if decision.spikes is not None:
            results += [decision.spikes.step, decision.spikes.animal, decision.spikes.neuron]
        return [*results, *agent.weights().values()]

    return step


def _encode(observation: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {"in": 900.0 * observation}


def _decode(counts: Any) -> NDArray[np.float64]:
    return np.tanh(counts["E"].sum(axis=1, keepdims=True) / 10.0)


def _function_agent() -> FunctionAgent:
    network = Network(
        [Population("E", 5, "iaf_psc_exp")], spike_inputs=[SpikeInput("in", "E", 300.0, channels=1)]
    )
    return FunctionAgent(IdleEnv(2, 10.0, 99), network, _encode, _decode, simulator=NUMBA, seed=4)


def _learn(features: int, animals: int) -> Callable[[Any, int], Results]:
    """As `_act`, in episodes of four steps."""
    act = _act(features, animals)

    def step(agent: Any, number: int) -> Results:
        if number % 4 == 0:
            agent.begin_episode(np.ones(animals, bool))
        return act(agent, number)

    return step


def _reach(agent: Any, number: int) -> Results:
    """Signals of a trial that changes its target every four steps."""
    observation = np.zeros((2, 16), np.float32)
    observation[:, (number // 4) % 6 + (6 if number % 4 > 1 else 0)] = 1.0
    decision = agent.act(observation)
    spikes = [] if decision.spikes is None else [decision.spikes.step, decision.spikes.neuron]
    return [decision.action, *(decision.readout[name] for name in sorted(decision.readout)), *spikes]


def _window(simulator: Simulator, number: int) -> Results:
    spikes = simulator.run(200)
    return [spikes.step, spikes.animal, spikes.neuron, simulator.voltages()]


def _lesson(simulator: Simulator, number: int) -> Results:
    whole = lessons(200 * (STEPS_BEFORE + STEPS_AFTER), animals=2)
    mine = (whole.step > simulator.step) & (whole.step <= simulator.step + 200)
    part = type(whole)(whole.step[mine], whole.animal[mine], whole.channel[mine])
    spikes = simulator.run(200, part)
    weights = [simulator.weights(p.name) for p in simulator.network.plastic_projections]
    return [spikes.step, spikes.animal, spikes.neuron, simulator.voltages(), *weights]


def _taught(rule: PlasticityRule) -> Network:
    """The network of the lessons under another rule."""
    network = trained()
    projections = [replace(projection, plasticity=rule) for projection in network.projections]
    return replace(network, projections=tuple(projections))


def _simulator(network: Network, animals: int, settings: SimulatorSettings = NUMBA) -> Simulator:
    simulator = open_simulator(network, settings, seed=5, animals=animals)
    simulator.watch(np.arange(3))
    return simulator


def _large(model: str, rule: Any, weight: Any) -> Network:
    """A network that is given to the engines for large ones: over a million synapses."""
    cells = Population("E", 1_100, model, {"I_e": Uniform(350.0, 500.0)})
    return Network([cells], [Projection("E>E", "E", "E", rule, weight)])


def _trains(source: Any, number: int) -> Results:
    return list(source.window(source.step + 1, 500, 2_000.0 * np.abs(_noise(number, 2, 9))))


def _plastic(synapses: SynapseReference, number: int) -> Results:
    first = 100 * number + 1
    steps, neurons = first + np.arange(0, 30, 10), np.arange(3)
    modulation = {}
    if isinstance(synapses, ThreeFactorSynapses):
        modulation = {"m": np.array(1.0), "reward": np.array(1.0)}
    spikes = {
        "source": (steps, neurons),
        "target": (steps + 4, neurons),
        "modulator": (steps + 2, 0 * neurons),
    }
    return [synapses.apply(Events(first, 100, **spikes, modulation=modulation)).copy()]


def _reference(rule: PlasticityRule) -> SynapseReference:
    """Three synapses between six neurons."""
    ends = np.arange(3)
    return rule.reference(PlasticSynapses(ends, ends, np.full(3, 50.0), np.full(3, 2), 3, 3, 1), 0.1)


def _dish() -> ArenaConfig:
    phases = (Phase("first", 1.0, (OdorSource("A"),)), Phase("second", 60.0, (OdorSource("A", (9.0, 3.0)),)))
    return ArenaConfig(phases, start_sd_mm=(1.0, 1.0))


def _two_episodes() -> EpisodeConfig:
    return EpisodeConfig(episodes=3, blank_steps=2)


def _next_step() -> Any:
    """Animals that end after every third step, and are reset in the step after it."""
    mode = AutoresetMode.NEXT_STEP
    return OdorArenaVectorEnv(2, _dish(), max_episode_steps=3, autoreset_mode=mode)


@functools.cache
def specimens() -> dict[str, Specimen]:
    """Return specimens by name."""
    group = {"animals": 2, "seed": 4}
    senses = ReachSenses.of(np.eye(2, 16, dtype=np.float32), 6)

    def hand(control: HandControl, number: int) -> Results:
        control.sense(senses)
        control.send(control.armed, np.full(2, number % 6))
        return [control.drive(senses), control.goal.copy(), control.since_signal.copy()]

    one_weight = 2.0
    return {
        "OdorArenaEnv": Specimen(lambda: _started(OdorArenaEnv(_dish())), _env_step),
        "OdorArenaVectorEnv": Specimen(lambda: _started(OdorArenaVectorEnv(3, _dish())), _env_step),
        "OdorArenaVectorEnv, NEXT_STEP": Specimen(lambda: _started(_next_step()), _env_step),
        "DelayedReachEnv": Specimen(lambda: _started(DelayedReachEnv(ReachConfig(n_trials=9))), _env_step),
        "DelayedReachVectorEnv": Specimen(
            lambda: _started(DelayedReachVectorEnv(3, ReachConfig(n_trials=9))), _env_step
        ),
        "GymnasiumGroup, discrete": Specimen(
            lambda: _started(GymnasiumGroup("CartPole-v1", 3, _two_episodes())), _env_step
        ),
        "GymnasiumGroup, continuous": Specimen(
            lambda: _started(GymnasiumGroup("Pendulum-v1", 2, _two_episodes())), _env_step
        ),
        "IdleEnv": Specimen(lambda: _started(IdleEnv(2, 10.0, 99)), _env_step),
        "LarvaAgent": Specimen(lambda: LarvaAgent(simulator=NUMBA, **group), _act(5, 2)),
        "RandomLarva": Specimen(lambda: RandomLarva(2, **group), _act(5, 2)),
        "DrivenLarva": Specimen(lambda: DrivenLarva(2, **group), _act(5, 2)),
        "ChemotaxisLarva": Specimen(lambda: ChemotaxisLarva(2, **group), _act(5, 2)),
        "RewardLearner": Specimen(lambda: RewardLearner(2, **group), _act(5, 2)),
        "RandomPolicy": Specimen(
            lambda: RandomPolicy(GymnasiumGroup("Pendulum-v1").action_entries, **group), _act(4, 2)
        ),
        "FunctionAgent": Specimen(_function_agent, _act(1, 2)),
        "TDActorCritic": Specimen(
            lambda: TDActorCritic(GymnasiumGroup("CartPole-v1", 2), seed=4), _learn(5, 2)
        ),
        "SpikingActorCritic": Specimen(
            lambda: SpikingActorCritic(GymnasiumGroup("CartPole-v1", 2), simulator=NUMBA, seed=4),
            _learn(5, 2),
        ),
        "RewardStdp": Specimen(
            lambda: RewardStdp(GymnasiumGroup("CartPole-v1", 2), simulator=NUMBA, seed=4), _learn(5, 2)
        ),
        "RewardedLarva": Specimen(
            lambda: RewardedLarva(
                GymnasiumGroup("ethospike/OdorArena-v0", 2, EpisodeConfig(100.0, episodes=1)),
                simulator=NUMBA,
                seed=4,
            ),
            _learn(6, 2),
        ),
        "CodedAgent": Specimen(
            lambda: CodedAgent(GymnasiumGroup("CartPole-v1", 2), simulator=NUMBA, seed=4), _act(5, 2)
        ),
        "RestingCortex": Specimen(
            lambda: RestingCortex(CortexConfig(n_e=240, n_i=60), NUMBA, **group), _act(1, 2)
        ),
        "ReacherAgent": Specimen(lambda: ReacherAgent(simulator=NUMBA, **group), _reach),
        "ReachBaseline": Specimen(lambda: ReachBaseline(2), _reach),
        "HandControl": Specimen(lambda: HandControl(HandConfig(), 2, 6), hand),
        "Locomotion": Specimen(
            lambda: Locomotion(LocomotionConfig(), animals=2, control_interval_ms=100.0, seed=4),
            lambda larva, number: [*larva.move(_noise(number, 2))],
        ),
        "OlfactoryDrive": Specimen(
            lambda: OlfactoryDrive(2, 2, 100.0),
            lambda drive, number: [drive.update(1.0 + _noise(number, 2, 2) / 2.0, 1.0).copy()],
        ),
        "GammaSource": Specimen(lambda: GammaSource(9, 3.0, seed=4, animals=2), _trains),
        "GammaSource, ahead": Specimen(lambda: GammaSource(9, 3.0, seed=4, animals=2, ahead=True), _trains),
        "PoissonSource": Specimen(lambda: PoissonSource(9, seed=4, animals=2), _trains),
        "DopamineGated": Specimen(
            lambda: _reference(DopamineGated("DAN", learning_rate=3.0, homeostasis=0.1)), _plastic
        ),
        "PairSTDP": Specimen(lambda: _reference(PairSTDP()), _plastic),
        "DopamineSTDP": Specimen(lambda: _reference(DopamineSTDP(FilteredSpikes("DAN", 50.0))), _plastic),
        "ThreeFactor": Specimen(
            lambda: _reference(ThreeFactor(ModulationChannel("m"), 0.5, A_plus=3.0)), _plastic
        ),
        "ThreeFactor, filtered spikes": Specimen(
            lambda: _reference(ThreeFactor(FilteredSpikes("DAN", 50.0), 0.5, A_plus=3.0)), _plastic
        ),
        "ThreeFactor, TD error": Specimen(
            lambda: _reference(ThreeFactor(TDError("DAN", value_per_hz=0.02), 0.5, A_plus=3.0)), _plastic
        ),
        "NumbaSimulator, lists": Specimen(lambda: _simulator(trained(), 2), _lesson),
        "NumbaSimulator, PairSTDP": Specimen(lambda: _simulator(_taught(PairSTDP()), 2), _lesson),
        "NumbaSimulator, DopamineSTDP": Specimen(
            lambda: _simulator(_taught(DopamineSTDP(FilteredSpikes("modulator", 50.0))), 2), _lesson
        ),
        "NumbaSimulator, ThreeFactor": Specimen(
            lambda: _simulator(_taught(ThreeFactor(FilteredSpikes("modulator", 50.0), 0.5)), 2), _lesson
        ),
        "GennSimulator": Specimen(lambda: _simulator(trained(), 2, GENN), _lesson),
        "NumbaSimulator, bits": Specimen(
            lambda: _simulator(_large("iaf_psc_exp", PairwiseBernoulli(0.9), one_weight), 1), _window
        ),
        "NumbaSimulator, rows": Specimen(
            lambda: _simulator(_large("iaf_psc_exp", FixedIndegree(950), Uniform(0.0, 4.0)), 1), _window
        ),
    }


PARTS = {
    "BrainAgent": "base class",
    "GroupEnv": "base class",
    "DelayedTargets": "base class",
    "TaskEnv": "base class",
    "Course": "part of the agents that learn from reward",
    "ShuffledErrors": "part of SpikingActorCritic",
    "_Arena": "base class",
    "_Reach": "base class",
    "SingleTaskEnv": "base class",
    "VectorTaskEnv": "base class",
    "ArenaTask": "part of the odor arenas",
    "ReachTask": "part of the delayed reaches",
    "Learning": "part of GennSimulator",
    "PendingPlasticity": "part of GennSimulator",
    "SpikeTables": "part of GennSimulator",
    "CurrentTable": "part of GennSimulator",
    "ListsEngine": "part of NumbaSimulator, lists",
    "BitsEngine": "part of NumbaSimulator, bits",
    "RowsEngine": "part of NumbaSimulator, rows",
    "RowsAnimal": "part of NumbaSimulator, rows",
}
"""Classes with a state that are copied as parts of the specimens."""
UNTESTED = dict.fromkeys(("ArmedAgent", "_Recorded", "_Silencer"), "agents of control arms")
"""Classes whose copies no test looks at yet."""


def stateful_classes() -> Iterator[type]:
    """Yield the classes of the package that have a state: those that can be made, and can save it."""
    seen = set()
    for path in house_rules.files(ROOT):
        if path.stem == "__main__":
            continue
        try:
            module = importlib.import_module(house_rules.module_of(ROOT, path))
        except ImportError:
            continue  # of a simulator that is not installed
        for kind in vars(module).values():
            if not inspect.isclass(kind) or kind in seen or kind.__module__ != module.__name__:
                continue
            seen.add(kind)
            is_protocol = getattr(kind, "_is_protocol", False)
            if not hasattr(kind, "set_state") or inspect.isabstract(kind) or is_protocol:
                continue
            if not issubclass(kind, Simulator) or kind.capabilities.restores_state:
                yield kind
