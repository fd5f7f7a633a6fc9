"""The learning larva: its encoding and decoding around a fake brain, and one closed loop with a real one."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

import ethospike.agents.larva.agent as larva_module
import ethospike.envs  # noqa: F401  (registers the arena)
from ethospike.agents.larva import LarvaAgent, LarvaConfig
from ethospike.agents.larva.locomotion import LocomotionConfig
from ethospike.brains.circuits.mushroom_body import ODOR_PATTERNS, MushroomBodyConfig
from ethospike.brains.simulator import (
    Capabilities,
    Simulator,
    SimulatorSettings,
    SpikeBlock,
    Stimulus,
    open_simulator,
)
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.errors import AgentError, BrainError, SimulatorUnavailable, StateError


class WeightedSimulator(Simulator):
    """Not a network: with an odor MBONs fire at 100 Hz per nS of mean weight, with reinforcement DANs fire at
    100 Hz. Plastic weights are only what was set."""

    name = "fake"
    capabilities = Capabilities(restores_state=True)

    def _build(self) -> None:
        self._w = {
            p.name: np.stack([self._synapses(p.name, a).weight for a in range(self.animals)])
            for p in self.network.plastic_projections
        }

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        assert stimulus.rate_hz is not None
        # No odor drives all receptors alike.
        odor = np.ptp(stimulus.rate_hz[:, self.network.spike_channels("odor")], axis=1) > 0
        parts = []
        for animal in range(self.animals):
            for mbon in ("MBONp", "MBONn"):
                rate = 100 * float(self._w[f"KC>{mbon}"][animal].mean()) * odor[animal]
                parts.append(self._regular(animal, mbon, rate, n_steps))
            for dan, channel in (("DANp", "reward"), ("DANn", "punishment")):
                driven = stimulus.rate_hz[animal, self.network.spike_channels(channel)].any()
                parts.append(self._regular(animal, dan, 100.0 * driven, n_steps))
        step, who, neuron = (np.concatenate(column) for column in zip(*parts, strict=True))
        return SpikeBlock.sorted(step, who, neuron)

    def _regular(
        self, animal: int, population: str, rate_hz: float, n_steps: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        step = np.arange(self.step + 1, self.step + n_steps + 1)
        # A spike whenever the number of intervals since time 0 becomes larger.
        per_step = rate_hz * self.dt_ms / 1000
        step = step[np.floor(step * per_step) > np.floor((step - 1) * per_step)]
        return step, np.full(len(step), animal), np.full(len(step), self.network.offset(population))

    def _weights(self, projection: str) -> NDArray[np.float64]:
        return self._w[projection].copy()

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        self._w[projection] = weights.copy()

    def state(self) -> dict[str, NDArray[Any]]:
        return {"step": np.array(self.step), **self._w}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.step = int(state["step"])
        self._w = {name: state[name].copy() for name in self._w}

    def _close(self) -> None: ...


MakeLarva = Callable[..., LarvaAgent]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeLarva]:
    """Make larvae with a fake brain."""

    def open_fake(network: Any, settings: Any, **how: Any) -> Simulator:
        return WeightedSimulator(network, SimulatorSettings(), **how)

    monkeypatch.setattr(larva_module, "open_simulator", open_fake)
    made: list[LarvaAgent] = []

    def make(*arguments: Any, **keywords: Any) -> LarvaAgent:
        made.append(LarvaAgent(*arguments, **{"seed": 1} | keywords))
        return made[-1]

    yield make
    for one in made:
        one.close()


def sense(
    a: float = 0.0, b: float = 0.0, reward: float = 0.0, punishment: float = 0.0, wall: float = 0.0
) -> NDArray[np.float32]:
    return np.array([a, b, reward, punishment, wall], dtype=np.float32)


def train(larva: LarvaAgent, approach_ns: float, avoid_ns: float) -> None:
    for projection, weight in (("KC>MBONp", approach_ns), ("KC>MBONn", avoid_ns)):
        larva.simulator.set_weights(projection, np.full((larva.animals, 72), weight))


# -- encoding ---------------------------------------------------------------------------------------


def test_concentrations_become_rates_of_the_receptor_channels(make: MakeLarva) -> None:
    larva = make()
    amylacetate, octanol = (np.array(ODOR_PATTERNS[name]) for name in ("n-amylacetate", "3-octanol"))
    stimulus = larva.act(sense(a=1.0, b=0.5)).stimulus
    assert stimulus is not None
    assert stimulus.rate_hz is not None
    assert stimulus.rate_hz.shape == (1, 23)
    # 2 µM is the peak of an odor cup and drives the whole pattern.
    np.testing.assert_allclose(stimulus.rate_hz[0, :21], 140 + 0.5 * amylacetate + 0.25 * octanol)
    np.testing.assert_array_equal(stimulus.rate_hz[0, 21:], 0.0)


def test_the_drive_of_an_odor_saturates(make: MakeLarva) -> None:
    stimulus = make().act(sense(a=100.0)).stimulus
    assert stimulus is not None
    assert stimulus.rate_hz is not None
    # The authors' stronger n-amylacetate has the scale 700 instead of 500.
    assert stimulus.rate_hz[0, :21].max() == pytest.approx(140 + 700 * 5.76)


def test_reinforcement_becomes_rates_of_the_dan_channels(make: MakeLarva) -> None:
    larva = make(brain=MushroomBodyConfig(reward_hz=600.0, punishment_hz=900.0))
    stimulus = larva.act(sense(reward=1.0, punishment=0.5)).stimulus
    assert stimulus is not None
    assert stimulus.rate_hz is not None
    np.testing.assert_allclose(stimulus.rate_hz[0], [140.0] * 21 + [600.0, 450.0])


def test_the_spikes_have_the_rates_and_the_window(make: MakeLarva) -> None:
    larva = make(control_interval_ms=1000.0)
    larva.act(sense())
    stimulus = larva.act(sense(reward=1.0)).stimulus
    assert stimulus is not None
    assert stimulus.step.min() > 10_000
    assert stimulus.step.max() <= 20_000
    counts = np.bincount(stimulus.channel, minlength=23)
    assert counts[:21].sum() == pytest.approx(21 * 140, abs=4 * np.sqrt(21 * 140 / 3))
    assert counts[21] == pytest.approx(600, abs=4 * np.sqrt(600 / 3))
    assert counts[22] == 0


def test_an_odor_of_its_own_name_needs_no_entry(make: MakeLarva) -> None:
    larva = make(odors=("odor4",))
    stimulus = larva.act(np.array([2.0, 0, 0, 0])).stimulus
    assert stimulus is not None
    assert stimulus.rate_hz is not None
    np.testing.assert_allclose(stimulus.rate_hz[0, :21], 140 + np.array(ODOR_PATTERNS["odor4"]))


# -- decoding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval_ms", [10.0, 100.0, 1000.0])
def test_rates_and_preference_are_read_from_the_spikes(make: MakeLarva, interval_ms: float) -> None:
    larva = make(control_interval_ms=interval_ms)
    train(larva, approach_ns=0.9, avoid_ns=0.3)  # 90 and 30 Hz
    for _ in range(round(20_000 / interval_ms)):
        readout = larva.act(sense(a=1.0, reward=1.0)).readout
    assert {name: array.shape for name, array in readout.items()} == {
        name: (1, *variable["shape"]) for name, variable in larva.variables.items()
    }
    np.testing.assert_allclose(readout["mbon_rate_hz"][0], [90.0, 30.0], rtol=0.03)
    np.testing.assert_allclose(readout["dan_rate_hz"][0], [100.0, 0.0], rtol=0.03)
    assert readout["preference"][0] == pytest.approx(0.5, abs=0.02)


def test_the_filter_has_its_time_constant(make: MakeLarva) -> None:
    larva = make(LarvaConfig(readout_tau_ms=500.0), control_interval_ms=10.0)
    train(larva, approach_ns=1.0, avoid_ns=1.0)
    for _ in range(50):
        readout = larva.act(sense(a=1.0)).readout
    assert readout["mbon_rate_hz"][0, 0] == pytest.approx(100 * (1 - math.exp(-1)), rel=0.03)


def test_too_few_spikes_are_no_preference(make: MakeLarva) -> None:
    larva = make()
    train(larva, approach_ns=0.03, avoid_ns=0.0)  # 3 Hz
    seen = [larva.act(sense(a=1.0)).readout for _ in range(100)]
    assert max(one["mbon_rate_hz"][0, 0] for one in seen) > 2
    assert all(one["preference"][0] == 0 for one in seen)
    train(larva, approach_ns=0.1, avoid_ns=0.0)  # 10 Hz
    for _ in range(100):
        readout = larva.act(sense(a=1.0)).readout
    assert readout["preference"][0] == 1.0


def test_without_odor_there_is_no_preference_and_no_drive(make: MakeLarva) -> None:
    larva = make()
    train(larva, approach_ns=1.0, avoid_ns=0.0)
    for _ in range(30):
        readout = larva.act(sense()).readout
    assert readout["preference"][0] == readout["olfactory_drive"][0] == 0.0


@pytest.mark.parametrize(("approach", "avoid", "sign"), [(0.8, 0.4, 1), (0.4, 0.8, -1), (0.8, 0.8, 0)])
def test_the_preference_decides_what_a_rising_smell_does(
    make: MakeLarva, approach: float, avoid: float, sign: int
) -> None:
    def drive(slope: float) -> float:
        larva = make()
        train(larva, approach, avoid)
        for _ in range(30):
            larva.act(sense(a=1.0))
        for k in range(10):
            readout = larva.act(sense(a=math.exp(slope * k))).readout
        return float(readout["olfactory_drive"][0])

    # Gain 150 × preference ±1/3; nine changes of 0.1 % each, weighted with 0.1 s.
    assert drive(0.001) == pytest.approx(sign * 150 / 3 * 0.009 * 0.1, rel=0.1)
    assert drive(-0.001) == pytest.approx(-sign * 150 / 3 * 0.009 * 0.1, rel=0.1)


def test_larvae_with_depressed_avoidance_approach_the_odor(make: MakeLarva) -> None:
    """The whole body, with a fake brain: where the weights say approach, larvae approach."""
    animals = 10
    arena = ArenaConfig((Phase("test", 60.0, (OdorSource("A", (-25.0, 0.0), sigma_mm=20.0),)),))
    x = {}
    for name, approach, avoid in (("rewarded", 0.8, 0.1), ("punished", 0.1, 0.8)):
        env = OdorArenaVectorEnv(animals, arena)
        # Nobody but the fake brain listens, so few input spikes will do.
        config, brain = LarvaConfig(reference_um=1e4), MushroomBodyConfig(baseline_hz=1.0)
        larva = make(config, brain, odors=("A",), animals=animals)
        train(larva, approach, avoid)
        observation, _ = env.reset(seed=1)
        path = []
        for _ in range(600):
            observation, _, _, _, info = env.step(larva.act(observation).action)
            path.append(info["position_mm"][:, 0])
        x[name] = np.array(path)[300:].mean(axis=0)
    difference = x["rewarded"] - x["punished"]
    assert difference.mean() + 2 * difference.std() / np.sqrt(animals) < 0
    assert x["rewarded"].mean() < -10 < 0 < x["punished"].mean()


# -- the contract -----------------------------------------------------------------------------------


def test_one_animal_may_come_without_the_animal_axis(make: MakeLarva) -> None:
    alone, batch = make().act(sense(a=1.0)), make().act(sense(a=1.0)[None])
    assert alone.action.shape == (2,)
    np.testing.assert_array_equal(alone.action, batch.action[0])
    assert alone.action.dtype == np.float32


@pytest.mark.parametrize(("animal", "few"), [(3, 5), (0, 1)])
def test_an_animal_is_the_same_in_a_larger_group(make: MakeLarva, animal: int, few: int) -> None:
    small, large = make(animals=few), make(animals=8)
    for larva in (small, large):
        train(larva, approach_ns=0.9, avoid_ns=0.5)
    rng = np.random.default_rng(1)
    for observation in rng.uniform(0.5, 1.5, (30, 8, 5)).astype(np.float32):
        one, other = small.act(observation[:few]), large.act(observation)
        np.testing.assert_array_equal(one.action[animal], other.action[animal])
        for name, values in one.readout.items():
            np.testing.assert_array_equal(values[animal], other.readout[name][animal])
        assert one.stimulus is not None
        assert other.stimulus is not None
        for part in ("step", "channel"):
            mine = getattr(one.stimulus, part)[one.stimulus.animal == animal]
            theirs = getattr(other.stimulus, part)[other.stimulus.animal == animal]
            assert len(mine) > 0
            np.testing.assert_array_equal(mine, theirs)


def test_the_same_seed_gives_the_same_larva_and_another_one_another(make: MakeLarva) -> None:
    def actions(seed: int) -> NDArray[np.float32]:
        larva = make(seed=seed)
        return np.array([larva.act(sense(a=1.0)).action for _ in range(20)])

    np.testing.assert_array_equal(actions(1), actions(1))
    assert not np.array_equal(actions(1), actions(2))


def test_larvae_fit_the_environment_that_they_are_made_for(make: MakeLarva) -> None:
    env = gymnasium.make("ethospike/OdorArena-v0", control_interval_ms=50.0)
    make()  # the fake brain is in place
    with LarvaAgent.for_env(env, seed=1) as larva:
        larva.check_fits(1, 50.0)
        assert larva.odors == ("A", "B")
        observation, _ = env.reset(seed=1)
        for _ in range(3):
            observation, *_ = env.step(larva.act(observation).action)
    group = OdorArenaVectorEnv(3)
    with LarvaAgent.for_env(group, seed=1) as larva:
        assert larva.act(group.reset(seed=1)[0]).action.shape == (3, 2)


@pytest.mark.parametrize(
    "field", [one.name for one in dataclasses.fields(LarvaConfig) if one.name != "locomotion"]
)
def test_every_field_has_an_effect(make: MakeLarva, field: str) -> None:
    changed: dict[str, Any] = {
        "patterns": {"A": "odor1", "B": "odor4"},
        "min_spikes": 50.0,
        "detection_floor_um": 1.3,
    }
    default = LarvaConfig()
    value = changed.get(field) or getattr(default, field) * 0.8
    decisions = []
    for config in (default, dataclasses.replace(default, **{field: value})):
        larva = make(config)
        train(larva, approach_ns=0.2, avoid_ns=0.15)
        trace = [larva.act(sense(a=3.0 if k < 5 else 1.0 + 0.01 * k)) for k in range(40)]
        decisions.append(
            [(d.action.tolist(), d.stimulus.rate_hz.tolist()) for d in trace if d.stimulus is not None]
        )
    assert decisions[0] != decisions[1]


def test_locomotion_is_configured(make: MakeLarva) -> None:
    still = make(LarvaConfig(locomotion=LocomotionConfig(stride_mean=0.0, stride_sd=0.0)))
    assert all(still.act(sense()).action[0] == 0 for _ in range(20))
    usual = make()
    assert any(usual.act(sense()).action[0] > 0 for _ in range(20))


# -- memory and state -------------------------------------------------------------------------------


def test_a_memory_is_saved_and_loaded(make: MakeLarva, tmp_path: Path) -> None:
    trained = make(animals=3)
    rng = np.random.default_rng(2)
    for name in ("KC>MBONp", "KC>MBONn"):
        trained.simulator.set_weights(name, rng.uniform(0, 80, (3, 72)))
    path = trained.save_memory(tmp_path / "memory")
    assert path == tmp_path / "memory.npz"
    for animals in (3, 2):
        fresh = make(animals=animals)
        fresh.load_memory(path)
        for name, weights in trained.weights().items():
            np.testing.assert_array_equal(fresh.weights()[name], weights[:animals])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"seed": 2}, "seed = 1, these larvae have 2"),
        ({"brain": MushroomBodyConfig(kc_to_mbon_ns=70.0)}, "kc_to_mbon_ns = 80.0, these larvae have 70.0"),
        ({"brain": MushroomBodyConfig(apl=False)}, "apl = True, these larvae have False"),
        ({"animals": 4}, "at least 4 animals, got 2"),
    ],
)
def test_a_memory_of_other_larvae_is_refused(
    make: MakeLarva, tmp_path: Path, keywords: dict[str, Any], message: str
) -> None:
    path = make(animals=2).save_memory(tmp_path / "memory.npz")
    other = make(**{"animals": 2} | keywords)
    before = other.weights()
    with pytest.raises(AgentError, match=message):
        other.load_memory(path)
    for name, weights in before.items():
        np.testing.assert_array_equal(other.weights()[name], weights)


@pytest.mark.parametrize("field", [one.name for one in dataclasses.fields(MushroomBodyConfig)])
def test_a_memory_fits_the_circuit_however_it_is_driven_and_learns(
    make: MakeLarva, tmp_path: Path, field: str
) -> None:
    """Retention is tested without plasticity, and possibly at another baseline, with the same synapses."""
    trained = make()
    train(trained, approach_ns=30.0, avoid_ns=60.0)
    path = trained.save_memory(tmp_path / "memory.npz")
    default = getattr(MushroomBodyConfig(), field)
    changed = not default if isinstance(default, bool) else type(default)(default * 0.5) or 9
    other = make(brain=MushroomBodyConfig(**{field: changed}))
    rates_and_learning = ("_hz", "input_shape", "learning_rate", "tau_eligibility_ms", "homeostasis")
    if field.endswith(rates_and_learning):
        other.load_memory(path)
        assert (other.weights()["KC>MBONp"] == 30.0).all()
    else:
        with pytest.raises(AgentError, match=f"made with {field} = {default}"):
            other.load_memory(path)
        assert (other.weights()["KC>MBONp"] != 30.0).all()


def test_what_is_no_memory_is_refused(make: MakeLarva, tmp_path: Path) -> None:
    larva = make()
    with pytest.raises(AgentError, match="no such file"):
        larva.load_memory(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(AgentError, match="expected a file of save_memory"):
        larva.load_memory(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    whole = larva.save_memory(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npz").touch()
    for name in ("other", "half", "empty"):
        with pytest.raises(AgentError, match="expected a file of save_memory"):
            larva.load_memory(tmp_path / f"{name}.npz")


def test_a_run_continues_from_its_state_bit_identically(make: MakeLarva) -> None:
    rng = np.random.default_rng(3)
    senses = rng.uniform(0.5, 1.5, (60, 2, 5)).astype(np.float32)
    larva = make(animals=2)
    train(larva, approach_ns=0.9, avoid_ns=0.5)
    for observation in senses[:30]:
        larva.act(observation)
    saved = larva.state()
    expected = [larva.act(observation) for observation in senses[30:]]
    other = make(animals=2, seed=1)
    other.set_state(saved)
    for observation, decision in zip(senses[30:], expected, strict=True):
        again = other.act(observation)
        np.testing.assert_array_equal(again.action, decision.action)
        for name, values in decision.readout.items():
            np.testing.assert_array_equal(again.readout[name], values)
        assert again.stimulus is not None
        assert decision.stimulus is not None
        np.testing.assert_array_equal(again.stimulus.step, decision.stimulus.step)


def test_a_state_that_does_not_fit_changes_nothing(make: MakeLarva) -> None:
    larva, other = make(animals=2), make(animals=2)
    for _ in range(5):
        larva.act(np.ones((2, 5), dtype=np.float32))
    saved, before = larva.state(), other.state()
    assert saved["source/events"].shape[0] == before["source/events"].shape[0]
    missing = {name: array for name, array in saved.items() if name != "readout/rate_hz"}
    for wrong in ({}, missing, saved | {"readout/rate_hz": np.zeros((1, 4))}, saved | {"nose": np.zeros(2)}):
        with pytest.raises(StateError, match=r"state.*: expected"):
            other.set_state(wrong)
    assert other.simulator.step == 0 < larva.simulator.step
    assert all(np.array_equal(array, before[name]) for name, array in other.state().items())


def test_a_simulator_without_state_says_so(make: MakeLarva, monkeypatch: pytest.MonkeyPatch) -> None:
    larva = make()
    monkeypatch.setattr(WeightedSimulator, "state", Simulator.state)
    monkeypatch.setattr(WeightedSimulator, "capabilities", Capabilities())
    with pytest.raises(SimulatorUnavailable, match="cannot save its state"):
        larva.state()


def test_closing_twice_is_harmless_and_acting_afterwards_is_not(make: MakeLarva) -> None:
    larva = make()
    larva.close()
    larva.close()
    with pytest.raises(SimulatorUnavailable, match="closed"):
        larva.act(sense())


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (sense(a=np.nan), "finite numbers"),
        (sense(reward=np.inf), "finite numbers"),
        (np.zeros(4, np.float32), r"expected 5 features \(A, B, reward"),
        (np.zeros((2, 5), np.float32), r"expected shape \(1, features\)"),
    ],
)
def test_bad_observations_are_refused(
    make: MakeLarva, observation: NDArray[np.float32], message: str
) -> None:
    larva = make()
    with pytest.raises(AgentError, match=message):
        larva.act(observation)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"odors": ("n-amylacetat",)}, "did you mean 'n-amylacetate'"),
        ({"control_interval_ms": 15.0}, "whole number of the body's inner steps"),
        ({"control_interval_ms": 10.0, "dt_ms": 0.3}, "whole number of steps of 0.3 ms"),
    ],
)
def test_what_does_not_fit_is_refused(make: MakeLarva, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(AgentError, match=message):
        make(**keywords)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patterns": {"A": "amylacetate"}}, "did you mean 'n-amylacetate'"),
        ({"reference_um": 0.0}, "reference_um: expected above 0"),
        ({"readout_tau_ms": -1.0}, "readout_tau_ms: expected above 0"),
        ({"min_spikes": -1.0}, "min_spikes: expected at least 0"),
        ({"gain": np.nan}, "gain: expected a finite number"),
    ],
)
def test_bad_numbers_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AgentError, match=message):
        LarvaConfig(**changes)


# -- a real brain -----------------------------------------------------------------------------------


@pytest.mark.simulator("numba")
@pytest.mark.parametrize("kind", ["reward", "punishment", None])
def test_a_larva_learns_in_closed_loop(kind: str | None) -> None:
    """40 s of odor with or without reinforcement, 10 s without anything, 5 s of odor alone."""
    # 40 s are short for the default learning rate, which is for five cycles of training.
    brain = MushroomBodyConfig(learning_rate=0.3)
    odor = OdorSource("n-amylacetate", sigma_mm=1e6)
    reinforcement = (Reinforcement(kind),) if kind else ()
    phases = (
        Phase("training", 40.0, (odor,), reinforcement),
        Phase("gap", 10.0),
        Phase("test", 5.0, (odor,)),
    )
    env = OdorArenaVectorEnv(2, ArenaConfig(phases))
    with LarvaAgent.for_env(env, brain=brain, seed=1, simulator=SimulatorSettings("numba")) as larva:
        observation, _ = env.reset(seed=1)
        over = np.zeros(2, bool)
        dans = []
        while not over.all():
            decision = larva.act(observation)
            dans.append(decision.readout["dan_rate_hz"])
            observation, _, over, _, _ = env.step(decision.action)
        weights = {name: w.mean() for name, w in larva.weights().items()}
    preference = decision.readout["preference"]
    assert (decision.readout["mbon_rate_hz"].sum(axis=1) > 10).all()
    # Reward makes DANp fire, which depresses the way to avoidance; punishment is the mirror image.
    expected = {"reward": (1, "KC>MBONn", 0), "punishment": (-1, "KC>MBONp", 1)}
    if kind is None:
        assert np.array(dans).max() == 0
        np.testing.assert_array_equal(preference, 0.0)
        assert set(weights.values()) == {80.0}
    else:
        sign, depressed, dan = expected[kind]
        assert np.array(dans)[:, :, dan].max() > 1
        assert (sign * preference > 0.1).all()
        assert weights[depressed] < 75 < min(w for name, w in weights.items() if name != depressed)


@pytest.mark.simulator("numba")
def test_configurations_may_be_mappings() -> None:
    """As they come from JSON."""
    config = dataclasses.replace(LarvaConfig(), gain=40.0)
    data = json.loads(json.dumps(dataclasses.asdict(config)))
    settings = {"name": "numba", "precision": "double"}
    with LarvaAgent(data, {"pn_to_kc_ns": 2.0}, seed=1) as larva:
        assert larva.config == config
        assert larva.brain == MushroomBodyConfig(pn_to_kc_ns=2.0)
        with open_simulator(larva.network, settings, seed=1) as simulator:
            assert "double" in simulator.backend
        with pytest.raises(BrainError, match="SimulatorSettings: unknown key 'nmae'; did you mean 'name'"):
            open_simulator(larva.network, {"nmae": "numba"}, seed=1)
    with pytest.raises(AgentError, match="LarvaConfig: unknown key 'gian'; did you mean 'gain'"):
        LarvaAgent({"gian": 1.0}, seed=1)
    with pytest.raises(AgentError, match="expected LarvaConfig or a mapping of its fields, got float"):
        LarvaAgent(1.0, seed=1)  # type: ignore[arg-type]
