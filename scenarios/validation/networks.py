"""Comparison of simulators on published networks: rates of the populations, over several seeds.

Each seed has a different wiring, initial potentials and input spikes. They are the same on all simulators if
NumPy wires the network. Rates are compared seed by seed. The processor time is reported too: that of all
threads, without building the network.

    ethospike validate networks --parts microcircuit --scale 0.1 --seeds 10
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cyclopts
import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.balanced import Driven, brunel, plastic_balanced, sparse_balanced
from ethospike.brains.circuits.microcircuit import microcircuit
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import PoissonSource
from ethospike.errors import ScenarioError
from ethospike.scenarios.validation.parts import Validation, run_parts

WINDOW_MS = 10.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the comparison; with the defaults it takes seconds."""

    scale: float = 0.02
    """Scale of the published network; 1 is the whole network."""
    seeds: int = 3
    """Number of wirings, each with different input."""
    duration_s: float = 0.5
    """Duration of the spike count."""
    settling_s: float = 0.2
    """Time before the spike count, left out."""
    simulator: str = "numba"
    """Simulator to compare with `other`."""
    other: str = "nest"
    """Simulator of the comparison; `none` runs only the first simulator."""
    threads: int = 0
    """Threads of both simulators; 0 leaves the choice to each simulator."""

    def __post_init__(self) -> None:
        for name in ("scale", "seeds", "duration_s"):
            if not getattr(self, name) > 0:
                raise ScenarioError(f"networks: expected {name} above 0, got {getattr(self, name)}")
        if self.settling_s < 0:
            raise ScenarioError(f"networks: expected settling_s of at least 0, got {self.settling_s}")


DEFAULTS = Settings()


def main(
    out: Path = Path("runs/validation_networks"),
    *,
    parts: tuple[str, ...] = (),
    settings: Annotated[Settings, cyclopts.Parameter(name="*")] = DEFAULTS,
) -> None:
    """Compare simulators on Brunel's network, a sparse one, and the microcircuit of Potjans and Diesmann.

    Parameters
    ----------
    out
        Path of the results, without suffix: OUT.md and OUT.json.
    parts
        Only these: brunel, sparse, stdp (a balanced network that learns), microcircuit, microcircuit_dc (its
        external input as a constant current; for the whole network, where 77,000 input trains of up to 23 kHz
        would take longer than the network).
    settings
        Settings of the comparison.
    """
    print(run_parts(out, settings, parts, VALIDATION).read_text("utf-8"))


class Run(NamedTuple):
    """Result of a seed on a simulator."""

    rates_hz: NDArray[np.float64]
    """Mean rate of each population."""
    cpu_s_per_s: float
    """Processor time of a simulated second."""
    wall_s_per_s: float


def rates(driven: Driven, name: str, settings: Settings, seed: int) -> Run:
    """Run a network on a simulator."""
    network = driven.network
    window = round(WINDOW_MS / 0.1)
    source = PoissonSource(len(driven.rate_hz), seed=seed) if len(driven.rate_hz) else None
    counts = np.zeros(network.n_neurons, dtype=np.int64)
    cpu_s, wall_s = 0.0, 0.0
    with open_simulator(network, SimulatorSettings(name, threads=settings.threads), seed=seed) as simulator:
        windows = [round(s * 1000.0 / WINDOW_MS) for s in (settings.settling_s, settings.duration_s)]
        for k in range(sum(windows)):
            stimulus = None
            if source is not None:
                trains = source.window(simulator.step + 1, window, driven.rate_hz[None])
                stimulus = Stimulus(*trains)
            begin, used = time.perf_counter(), time.process_time()
            block = simulator.run(window, stimulus)
            if k >= windows[0]:
                cpu_s += time.process_time() - used
                wall_s += time.perf_counter() - begin
                counts += np.bincount(block.neuron, minlength=network.n_neurons)
    simulated_s = windows[1] * WINDOW_MS / 1000.0
    hz = np.array([counts[network.neurons(p.name)].mean() / simulated_s for p in network.populations])
    return Run(hz, cpu_s / simulated_s, wall_s / simulated_s)


def compare(make: Callable[[float], Driven], settings: Settings) -> dict[str, Any]:
    """Return the rates on both simulators, with a row for each seed, and the times of a simulated second."""
    driven = make(settings.scale)
    names = [settings.simulator, *([settings.other] if settings.other != "none" else [])]
    measured: dict[str, Any] = {
        "neurons": driven.network.n_neurons,
        "synapses": driven.network.n_synapses,
        "populations": [p.name for p in driven.network.populations],
        "simulators": {},
    }
    for name in names:
        runs = [rates(driven, name, settings, seed) for seed in range(1, settings.seeds + 1)]
        measured["simulators"][name] = {
            "rates_hz": [run.rates_hz.tolist() for run in runs],
            "cpu_s_per_s": [run.cpu_s_per_s for run in runs],
            "wall_s_per_s": [run.wall_s_per_s for run in runs],
        }
    return measured


class PlasticRun(NamedTuple):
    """Result of a plastic network on a simulator."""

    spikes: SpikeBlock
    weight: NDArray[np.float64]
    """Final weights of the plastic projection."""


def learn(driven: Driven, name: str, settings: Settings, seed: int) -> PlasticRun:
    """Run a plastic network on a simulator, in double precision."""
    (projection,) = driven.network.plastic_projections
    precision = "single" if name == "nest" else "double"  # the setting is not of NEST, which has double
    chosen = SimulatorSettings(name, threads=settings.threads, precision=precision)
    source, blocks = PoissonSource(len(driven.rate_hz), seed=seed), []
    n_steps = round(WINDOW_MS / 0.1)
    with open_simulator(driven.network, chosen, seed=seed) as simulator:
        for _ in range(round((settings.settling_s + settings.duration_s) * 1000.0 / WINDOW_MS)):
            trains = source.window(simulator.step + 1, n_steps, driven.rate_hz[None])
            blocks.append(simulator.run(n_steps, Stimulus(*trains)))
        return PlasticRun(SpikeBlock.joined(blocks), simulator.weights(projection.name)[0])


def compare_learning(settings: Settings) -> dict[str, Any]:
    """Return rates and final weights of a plastic network, a row for each seed, and how far both agree."""
    driven = plastic_balanced(settings.scale)
    network, duration_s = driven.network, settings.settling_s + settings.duration_s
    names = [settings.simulator, *([settings.other] if settings.other != "none" else [])]
    rows: list[dict[str, Any]] = []
    for seed in range(1, settings.seeds + 1):
        runs = {name: learn(driven, name, settings, seed) for name in names}
        row: dict[str, Any] = {"seed": seed}
        for name, run in runs.items():
            counts = np.bincount(run.spikes.neuron, minlength=network.n_neurons)
            row[name] = {
                "rates_hz": [
                    float(counts[network.neurons(p.name)].mean() / duration_s) for p in network.populations
                ],
                "weight": [float(run.weight.mean()), float(run.weight.std())],
                "spikes": len(run.spikes),
            }
        if len(names) == 2:
            first, second = runs.values()
            row |= {
                "first_different_step": _first_difference(first.spikes, second.spikes),
                "largest_weight_difference": float(np.abs(first.weight - second.weight).max()),
            }
        rows.append(row)
    return {"neurons": network.n_neurons, "synapses": network.n_synapses, "names": names, "rows": rows}


def _first_difference(first: SpikeBlock, second: SpikeBlock) -> int | None:
    """Return the step from which two simulations have other spikes; None if they have the same ones."""
    n = min(len(first), len(second))
    apart = np.flatnonzero((first.step[:n] != second.step[:n]) | (first.neuron[:n] != second.neuron[:n]))
    if len(apart):
        return int(min(first.step[apart[0]], second.step[apart[0]]))
    longer = first if len(first) > n else second
    return int(longer.step[n]) if len(longer) > n else None


def _learning_lines(result: dict[str, Any]) -> list[str]:
    """Return the rows of `compare_learning` as a table."""
    names = result["names"]
    lines = [
        f"{result['neurons']:,} neurons, {result['synapses']:,.0f} synapses. Rates of E and I in Hz, final "
        f"weights of E>E in nS (mean ± standard deviation), with the same wiring and input on both.",
        "",
        f"| seed | {' | '.join(f'{n}: E, I | weights' for n in names)} | same spikes | largest difference |",
        "|---|" + "---|" * (2 * len(names) + 2),
    ]
    for row in result["rows"]:
        cells = [str(row["seed"])]
        for name in names:
            (e_hz, i_hz), (mean, sd) = row[name]["rates_hz"], row[name]["weight"]
            cells += [f"{e_hz:.2f}, {i_hz:.2f}", f"{mean:.5f} ± {sd:.5f}"]
        if len(names) == 2:
            step = row["first_different_step"]
            same = f"all {row[names[0]]['spikes']:,}" if step is None else f"until {step * 0.1:.1f} ms"
            cells += [same, f"{row['largest_weight_difference']:.2g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _microcircuit_dc(scale: float) -> Driven:
    return microcircuit(scale, noise=False)


def to_markdown(results: dict[str, Any]) -> str:
    """Return the results as tables."""
    lines = ["# Networks on several simulators", ""]
    for part, entry in results.items():
        result, used = entry["found"], entry["settings"]
        lines += [f"## {part}", ""]
        if "rows" in result:
            lines += _learning_lines(result)
            continue
        lines += [
            f"{result['neurons']:,} neurons, {result['synapses']:,.0f} synapses, {used['seeds']} seeds of "
            f"{used['duration_s']} s. Rates in Hz: mean over seeds ± standard deviation; difference: the "
            f"first simulator minus the other, seed by seed.",
            "",
        ]
        names = list(result["simulators"])
        rows = {name: np.array(result["simulators"][name]["rates_hz"]) for name in names}
        lines += [f"| population | {' | '.join(names)} | difference |", f"|---|{'---|' * (len(names) + 1)}"]
        for column, population in enumerate(result["populations"]):
            cells = [f"{rows[n][:, column].mean():.2f} ± {rows[n][:, column].std():.2f}" for n in names]
            apart = "–"
            if len(names) == 2:
                difference = rows[names[0]][:, column] - rows[names[1]][:, column]
                apart = f"{difference.mean():+.3f} ± {difference.std():.3f}"
            lines.append(f"| {population} | {' | '.join(cells)} | {apart} |")
        for label, key in (("Processor", "cpu_s_per_s"), ("Wall", "wall_s_per_s")):
            times = [f"{name} {np.median(result['simulators'][name][key]):.2f} s" for name in names]
            lines += ["", f"{label} time of a second, median: {', '.join(times)}."]
        lines.append("")
    return "\n".join(lines)


def _simulators(part: str, chosen: str) -> Sequence[str]:
    return [chosen]


VALIDATION = Validation(
    parts={
        "brunel": lambda settings: compare(brunel, settings),
        "sparse": lambda settings: compare(sparse_balanced, settings),
        "stdp": compare_learning,
        "microcircuit": lambda settings: compare(microcircuit, settings),
        "microcircuit_dc": lambda settings: compare(_microcircuit_dc, settings),
    },
    simulators=_simulators,
    key="found",
    to_markdown=to_markdown,
)
