"""A synthetic run whose control step k can be made again from k alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, PopulationLayout, StepRecord, Variable
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.variables import named


class SyntheticRun:
    """Records of a run in which every value of step k is drawn from the stream of k."""

    def __init__(
        self, animals: int = 2, spikes: int = 12, steps_per_control: int = 100, watched: tuple[int, ...] = ()
    ) -> None:
        self.spikes = spikes
        self.layout = Layout(
            animals=animals,
            dt_ms=0.1,
            control_interval_ms=steps_per_control * 0.1,
            steps_per_control=steps_per_control,
            variables={
                "reward": Variable("1", "reward after the step"),
                "position_mm": Variable(
                    "mm", "position of the head", ("xy",), (2,), components=named("xy", "mm")
                ),
                "terminated": Variable("1", "experiment finished", dtype="bool"),
                "phase": Variable("1", "phase of the timetable", dtype="int32"),
            },
            populations=(
                PopulationLayout("KC", 0, 6),
                PopulationLayout("E", 6, 4, clusters=2),
            ),
            rate_channels=("odor[0]", "odor[1]", "odor[2]"),
            current_channels=("cue[0]",),
            weights={"KC>MBONp": (6, "nS"), "KC>MBONn": (6, "nS")},
            phases=("training", "test"),
            watched=watched,
            intervals={
                "trial": {
                    "outcome": Variable("1", "outcome", dtype="int64", categories=("hit", "miss", "none")),
                    "rt_ms": Variable("ms", "reaction time", dtype="float64"),
                },
                "episode": {"return": Variable("1", "sum of the rewards", dtype="float64")},
            },
        )

    def record(self, k: int) -> StepRecord:
        rng = np.random.default_rng([7, k])
        layout, animals = self.layout, self.layout.animals
        n = int(rng.poisson(self.spikes))
        first = k * layout.steps_per_control + 1
        step = np.sort(rng.integers(first, first + layout.steps_per_control, n))
        spikes = SimpleNamespace(
            step=step,
            animal=rng.integers(0, animals, n).astype(np.int32),
            neuron=rng.integers(0, 10, n).astype(np.int32),
        )
        weights = {name: rng.random((animals, size)) for name, (size, _) in layout.weights.items()}
        intervals: dict[str, Any] = {}
        if k % 5 == 3:
            intervals["trial"] = {
                "animal": np.arange(animals),
                "start_step": np.full(animals, k - 3),
                "stop_step": np.full(animals, k + 1),
                "outcome": rng.integers(0, 3, animals),
                "rt_ms": rng.random(animals),
            }
        if k % 10 == 9:
            intervals["episode"] = {
                "animal": np.array([0]),
                "start_step": np.array([k - 9]),
                "stop_step": np.array([k + 1]),
                "return": np.array([float(k)]),
            }
        return StepRecord(
            control_step=k,
            values={
                "reward": rng.random(animals),
                "position_mm": rng.random((animals, 2)).astype(np.float32),
                "terminated": rng.random(animals) < 0.5,
                "phase": np.full(animals, k // 7 % 2, np.int32),
            },
            stimulus=SimpleNamespace(rate_hz=rng.random((animals, 3)), current_pa=rng.random((animals, 1))),
            spikes=spikes,
            weights=lambda: weights,
            intervals=intervals,
            voltages=rng.normal(-60.0, 5.0, (layout.steps_per_control, animals, len(layout.watched)))
            if layout.watched
            else None,
        )

    def write(
        self, path: Path, steps: Iterable[int], config: RecorderConfig | None = None, **more: Any
    ) -> None:
        with ZarrRecorder(path, self.layout, config or RecorderConfig(writer="inline"), **more) as recorder:
            for k in steps:
                recorder.record(self.record(k))
