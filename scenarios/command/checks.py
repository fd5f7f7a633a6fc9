"""The commands about the package itself: list, validate, doctor, bench."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.table import Column, Table

from ethospike.errors import ScenarioError
from ethospike.scenarios.terminal import console


def list_scenarios() -> None:
    """List the scenarios that come with ethospike."""
    from ethospike.scenarios.registry import SCENARIOS, find_scenario

    table = Table(*(Column(title, overflow="fold") for title in ("scenario", "what it is", "presets")))
    for name in SCENARIOS:
        scenario = find_scenario(name)
        table.add_row(name, scenario.about, ", ".join(scenario.presets))
    console().print(table)


def validate_larvae(
    *,
    out: Path = Path("runs/validation"),
    simulator: str = "numba",
    animals: int = 20,
    dish_animals: int = 50,
    threads: int = 0,
    parts: tuple[str, ...] = (),
) -> None:
    """Compare the larvae with published results, or with `reach` the cortex.

    The larvae take an hour on Numba; the parts that also run on NEST take hours more.

    Parameters
    ----------
    out
        Path of the results, without suffix: OUT.md and OUT.json.
    simulator
        nest, numba or genn.
    animals
        Larvae per group in the published protocols.
    dish_animals
        Larvae per group in the dish.
    threads
        Threads of the simulator; 0 leaves the number to the simulator.
    parts
        Only these: naive, naive_nest, groups, groups_fast, groups_published, unpaired, unpaired_fast,
        unpaired_published, acquisition, interval, learning_rate, dish, dish_fine, simulators, nest_paired,
        nest_unpaired, nest_odor_only, nest_punishment, parity, parity_cortex.
    """
    from ethospike.scenarios.validation.larva.experiments import Settings
    from ethospike.scenarios.validation.larva.report import validate

    settings = Settings(simulator, animals, dish_animals, threads=threads)
    print(validate(out, settings, parts).read_text("utf-8"))


def run_doctor(*, network: str = "") -> None:
    """Test the installed simulators, and print advice for those that do not work.

    Parameters
    ----------
    network
        FILE:NAME of a network in a Python file: print instead its engine on the Numba simulator, with the
        reasons.
    """
    if network:
        from ethospike.scenarios.command.doctor import report_engine

        report_engine(network)
        return
    from ethospike.scenarios.command import doctor

    if not doctor.report():
        sys.exit(1)


def bench(
    *,
    out: Path = Path("runs/benchmark"),
    small: bool = False,
    long: bool = False,
    gpu: bool = False,
    scale: bool = False,
    simulators: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    seconds: float = 600.0,
) -> None:
    """Time every installed simulator on this machine, which should be idle.

    Parameters
    ----------
    out
        Path of the results, without suffix: OUT.md and OUT.json.
    small
        Tiny sizes: tests the benchmark, but gives no useful timings.
    long
        Instead: test a run of 30 minutes (ten minutes on NEST) for growing memory or step times.
    gpu
        Instead: GeNN on a GPU, in ten minutes. Does it work; 25,000 neurons in closed loop, and up to
        255,000 free running; 1,000 larvae; a batch of 40 parameter sets. Also OUT.png.
    scale
        Instead: Numba at the published sizes, from 5,000 neurons to 3.6 million as far as memory goes, on one
        core and on all; minutes. Also OUT.png.
    simulators
        Only these; by default all that are installed. Not with --gpu.
    kinds
        Only these tables: network, loop, scenario; with --gpu these parts: works, cortex, larvae, grid, rest.
        By default all. `fly` alone: an adult fly's brain of 138,639 point neurons on a synthetic graph, from
        silence to the strongest drive. `larvae` alone: their closed loop on Numba, against the bare brain,
        from Python, for 30 minutes, and of up to 5,000 at once.
    seconds
        With --gpu, the wall time for all of it (s).
    """
    if gpu:
        from ethospike.scenarios.bench.gpu import run_gpu_benchmark

        if long or scale or simulators:
            raise ScenarioError("--gpu is a benchmark of its own; leave out --long, --scale and --simulators")
        table = run_gpu_benchmark(out, small=small, parts=kinds, seconds=seconds)
        print(table.read_text("utf-8"))
        print(f"written: {table}")
        return
    if seconds != 600.0:
        raise ScenarioError("--seconds belongs to --gpu")
    from ethospike.scenarios.bench import benchmark

    alone = [name for name in ("fly", "larvae") if name in kinds]
    plans = [*(["long"] * long), *(["scale"] * scale), *alone]
    if len(plans) > 1 or (alone and len(kinds) > 1):
        raise ScenarioError(
            "--long, --scale, fly and larvae are benchmarks of their own; run one after the other"
        )
    plan, wanted = (plans[0] if plans else "usual"), () if alone else kinds
    table = benchmark.run_benchmark(out, small=small, plan=plan, simulators=list(simulators), kinds=wanted)
    print(table.read_text("utf-8"))
    print(f"written: {table}")
