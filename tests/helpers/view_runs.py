"""Short runs of both tasks without simulators, to be looked at: real bodies, spikes drawn at random."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ethospike.agents.larva import LarvaAgent
from ethospike.envs.delayed_reach import DelayedReachVectorEnv, ReachConfig
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.envs.odor_arena.env import Reinforcement
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, PopulationLayout, StepRecord, Variable
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.variables import Panel

TIMETABLE = ArenaConfig(
    (
        Phase("training", 10.0, (OdorSource("A", (-20.0, 0.0)),), (Reinforcement("reward"),)),
        Phase("rest", 4.0),
        Phase("test", 16.0, (OdorSource("A", (-30.0, 0.0)),), replace_animals=True),
    ),
    mirror_odd_animals=True,
)
READOUTS = {
    name: Variable(
        about["units"],
        about["long_name"],
        about["dims"],
        about["shape"],
        components=about["components"],
        panel=about["panel"],
    )
    for name, about in LarvaAgent.variables.items()
    if name in ("preference", "mbon_rate_hz", "dan_rate_hz")
}
CLUSTERS = 6


def _layout(env: Any, readouts: dict[str, Variable], **more: Any) -> Layout:
    described = {
        name: Variable(one["units"], one["long_name"], tuple(one["dims"]), tuple(one["shape"]), one["dtype"])
        for name, one in env.variables.items()
    }
    features = env.single_observation_space.shape
    return Layout(
        animals=env.num_envs,
        dt_ms=0.1,
        control_interval_ms=env.control_interval_ms,
        steps_per_control=round(env.control_interval_ms / 0.1),
        variables={
            "observation": Variable("1", "observation", ("feature",), features),
            "reward": Variable("1", "reward"),
            **described,
            **readouts,
        },
        phases=tuple(env.phases),
        scene=env.scene(),
        **more,
    )


class ArenaRun:
    """Larvae that crawl at random; step k of two of these is the same."""

    def __init__(self, animals: int = 3, seed: int = 1, config: ArenaConfig = TIMETABLE) -> None:
        self.env = OdorArenaVectorEnv(animals, config)
        self.observation, _ = self.env.reset(seed=seed)
        self.rng = np.random.default_rng(seed)
        self.layout = _layout(
            self.env,
            READOUTS,
            populations=(PopulationLayout("KC", 0, 40), PopulationLayout("MBONp", 40, 1)),
            weights={"KC>MBONp": (40, "nS")},
        )
        self.steps = round(sum(phase.duration_s for phase in config.phases) * 10)

    def record(self, k: int) -> StepRecord:
        animals, rng = self.layout.animals, self.rng
        action = np.stack((np.full(animals, 0.35), rng.normal(0.0, 0.12, animals)), axis=1)
        observation, reward, _, _, info = self.env.step(action)
        used, self.observation = self.observation, observation
        weights = np.full((animals, 40), 80.0) - k * np.arange(40) / 40
        return StepRecord(
            control_step=k,
            values={
                **{"observation": used, "reward": reward, **info},
                "preference": rng.uniform(-1, 1, animals).astype(np.float32),
                "mbon_rate_hz": rng.uniform(0, 80, (animals, 2)).astype(np.float32),
                "dan_rate_hz": rng.uniform(0, 30, (animals, 2)).astype(np.float32),
            },
            spikes=random_spikes(rng, self.layout, k, 60),
            weights=lambda: {"KC>MBONp": weights},
        )


class ReachRun:
    """A hand that waits for the response signal and then goes straight to the target."""

    def __init__(self, seed: int = 1, neurons: int = 3000, clusters: int = CLUSTERS) -> None:
        self.clusters = clusters
        config = ReachConfig(n_trials=2, inter_trial_ms=300.0, preparatory_ms=400.0)
        self.env = DelayedReachVectorEnv(1, config)
        self.observation, _ = self.env.reset(seed=seed)
        self.rng = np.random.default_rng(seed)
        readouts = {
            "cluster_rate_hz": Variable(
                "Hz",
                "rates of the clusters",
                ("cluster",),
                (clusters,),
                panel=Panel("cluster rates (Hz), mean of 50 ms", key="f", smoothed_s=0.05),
            ),
            "decision_variable": Variable(
                "1", "shares", ("direction",), (6,), panel=Panel("decision variable", low=0.0, high=1.0)
            ),
        }
        population = PopulationLayout("E", 0, neurons, clusters=clusters)
        self.layout = _layout(self.env, readouts, populations=(population,))
        self.steps = 300

    def record(self, k: int) -> StepRecord:
        signal = self.observation[0, 6:12]
        angle = np.pi / 3 * int(signal.argmax())
        drive = np.array([[np.cos(angle), np.sin(angle)]]) * (signal.max() > 0)
        home = -self.env._task.position_mm / 80.0
        phase = self.env._task.phase[0]
        observation, reward, _, _, info = self.env.step(drive if phase < 6 and signal.max() else home)
        used, self.observation = self.observation, observation
        return StepRecord(
            control_step=k,
            values={
                **{"observation": used, "reward": reward, **info},
                "cluster_rate_hz": self.rng.uniform(0, 50, (1, self.clusters)).astype(np.float32),
                "decision_variable": self.rng.dirichlet(np.ones(6), 1).astype(np.float32),
            },
            spikes=random_spikes(self.rng, self.layout, k, 200),
        )


def random_spikes(rng: np.random.Generator, layout: Layout, k: int, n: int) -> Any:
    neurons = sum(population.size for population in layout.populations)
    first = k * layout.steps_per_control + 1
    columns = np.stack(
        (
            rng.integers(first, first + layout.steps_per_control, n),
            rng.integers(0, layout.animals, n),
            rng.integers(0, neurons, n),
        )
    )
    step, animal, neuron = columns[:, np.lexsort(columns[::-1])]
    return SimpleNamespace(step=step, animal=animal.astype(np.int32), neuron=neuron.astype(np.int32))


def write(
    run: ArenaRun | ReachRun, folder: Path, listeners: tuple[Any, ...] = (), **choice: Any
) -> list[StepRecord]:
    """Record a run into a folder; return its records."""
    folder.mkdir()
    config = RecorderConfig(writer="inline", **choice)
    records = []
    with ZarrRecorder(folder / "recording.zarr", run.layout, config) as recorder:
        for k in range(run.steps):
            records.append(run.record(k))
            recorder.record(records[-1])
            for listener in listeners:
                listener.record(records[-1])
    return records
