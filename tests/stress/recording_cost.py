"""Measures what recorder and live view add to the loop: runs without them, with one and with both, in turn.

    xvfb-run -a python tests/stress/recording_cost.py --interval-ms 100 --seconds 8 --repetitions 5
    xvfb-run -a python tests/stress/recording_cost.py --interval-ms 10 --seconds 5 --repetitions 4

Every run is the same training of the same larvae, in one process and in an order that turns round each time.
Measured is the loop alone, not its construction: the processor time of its process, and the time on the wall,
which other programs on the machine change much more. A run that is not counted comes first.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ethospike.brains.simulator import SimulatorSettings
from ethospike.recorders.recorder import Recorder
from ethospike.recorders.view.live import LiveView
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.loop import run_closed_loop, start_loop
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.run.layout import describe
from ethospike.scenarios.run.session import Recorders

KINDS = ("loop", "recorder", "view")
"""The loop alone, with the recorder, with recorder and view."""


@dataclass(frozen=True)
class Cost:
    """What the loop of one run took (s), and how many control steps its view left out."""

    processor_s: float
    wall_s: float
    skipped: int


def measure(kind: str, config: ConditioningConfig) -> Cost:
    """Run the experiment once."""
    env, agent = SCENARIO.open(config)
    with tempfile.TemporaryDirectory() as folder, agent:
        layout = describe(env, agent, dt_ms=config.dt_ms)
        recorders: list[Recorder] = []
        if kind != "loop":
            recorders.append(ZarrRecorder(Path(folder) / "recording.zarr", layout, config.recorder))
        view = LiveView(layout, "cost") if kind == "view" else None
        with Recorders([*recorders, *([view] if view else [])]) as recorder:
            loop = start_loop(env, agent, seed=config.seed)
            processor_s, wall_s = time.process_time(), time.perf_counter()
            run_closed_loop(env, agent, recorder, loop)
            processor_s, wall_s = time.process_time() - processor_s, time.perf_counter() - wall_s
            if view and not view.is_open:
                raise RuntimeError("the view ended before the run: what it costs was not measured")
            return Cost(processor_s, wall_s, view.skipped if view else 0)


def report(kind: str, costs: list[Cost], before: list[Cost] | None) -> str:
    """Say what a kind of run took: median, every repetition, and what it adds to the kind before it."""
    processor, wall = [one.processor_s for one in costs], [one.wall_s for one in costs]
    median = statistics.median(processor)
    added = ""
    if before:
        added = f"{median / statistics.median([one.processor_s for one in before]) - 1.0:+.1%} to the last; "
    each = ", ".join(f"{one:.2f}" for one in processor)
    return (
        f"{kind:8s} processor time {median:.2f} s ({added}each {each}: they differ by up to "
        f"{max(processor) / min(processor) - 1.0:.0%}), on the wall {statistics.median(wall):.1f} s, "
        f"{max(one.skipped for one in costs)} control steps left out"
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulator", default="nest")
    parser.add_argument("--interval-ms", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=8.0, help="simulated time of a run")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--animals", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    config = ConditioningConfig(
        animals=options.animals,
        control_interval_ms=options.interval_ms,
        cycles=1,
        odor_s=options.seconds,
        blank_s=0.0,
        gap_s=0.0,
        test_s=0.0,
        simulator=SimulatorSettings(name=options.simulator, threads=1),
    )
    measure(options.kinds[-1], config)
    costs: dict[str, list[Cost]] = {kind: [] for kind in options.kinds}
    for repetition in range(options.repetitions):
        for kind in options.kinds[:: 1 if repetition % 2 else -1]:
            costs[kind].append(measure(kind, config))
    before = None
    for kind in options.kinds:
        print(report(kind, costs[kind], before), flush=True)
        before = costs[kind]


if __name__ == "__main__":
    main()
