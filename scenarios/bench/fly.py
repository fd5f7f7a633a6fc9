"""Rows of the benchmark for a whole adult brain: from silence to activity that sustains itself.

The graph is synthetic, because the edges of the adult connectome cannot be shipped: random, with its sizes,
degrees, synapse counts and signs. The model is that of Shiu et al. 2024 (`brains.circuits.connectome.fly`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ethospike.brains.circuits.connectome.fly import DRIVE_HZ, fly_network
from ethospike.brains.circuits.connectome.synthetic import FLY, synthetic_connectome
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import PoissonSource
from ethospike.scenarios.bench.rows import Row, peak_memory_mb

SYNTHETIC, FILES = "synthetic", "files"
WINDOW_MS = 100.0
DRIVEN = (0, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Driven neurons of a row, each at 150 Hz."""
AFTERWARDS = 5
"""Windows without drive."""
SPIKE_TICKS = [0, 1e3, 1e4, 1e5, 1e6]
"""Marks of a logarithmic axis of spikes a second that begins with a linear part for silence."""
SHIU_FILES = "ETHOSPIKE_SHIU"
"""Environment variable with the folder of `Completeness_783.csv` and `Connectivity_783.parquet`."""


def fly_rows(small: bool, simulators: list[str]) -> Iterator[Row]:
    """Return rows of rising drive on one and on all threads; `small`: two rows of 2,000 neurons."""
    if "numba" not in simulators:
        return
    graphs = [SYNTHETIC] + ([FILES] if os.environ.get(SHIU_FILES) else [])
    for graph in graphs:
        size = 2_000 if small and graph == SYNTHETIC else FLY.neurons
        for driven in (0, 20) if small else DRIVEN:
            for threads in (1,) if small else (1, 0):
                title = f"{graph} {size} {driven}"
                yield Row("fly", "numba", title, 1, 0.3 if small else 2.0, threads=threads)


def measure_fly(row: Row) -> dict[str, Any]:
    """Measure wall and processor time, spikes a second and memory of a brain, after 0.5 s of drive.

    Then the drive ends, and the spikes of the fourth and fifth 0.1 s show whether activity sustains itself.
    """
    graph, size, driven = row.network.split()
    if graph == FILES:
        from ethospike.brains.circuits.connectome.readers import read_shiu

        connectome, signs = read_shiu(os.environ[SHIU_FILES])
    else:
        connectome, signs = synthetic_connectome(FLY.scaled(int(size)), seed=1)
    chosen = np.random.default_rng(7).permutation(connectome.n_neurons)[: int(driven)]
    begin = time.perf_counter()
    network = fly_network(connectome, signs, chosen)
    edges = connectome.n_edges
    del connectome
    settings = SimulatorSettings(name=row.simulator, threads=row.threads)
    with open_simulator(network, settings, seed=1) as simulator:
        build_s = time.perf_counter() - begin
        source = PoissonSource(max(1, network.n_spike_channels), seed=1)
        rate_hz = np.full((1, network.n_spike_channels), DRIVE_HZ)
        n_steps = round(WINDOW_MS / simulator.dt_ms)

        def window(*, driven: bool = True) -> int:
            if not network.n_spike_channels or not driven:
                return len(simulator.run(n_steps))
            stimulus = Stimulus(*source.window(simulator.step + 1, n_steps, rate_hz))
            return len(simulator.run(n_steps, stimulus))

        for _ in range(5 if row.seconds > 1 else 1):
            window()
        windows = max(1, round(row.seconds * 1000.0 / WINDOW_MS))
        begin, processor = time.perf_counter(), time.process_time()
        spikes = sum(window() for _ in range(windows))
        wall_s, processor_s = time.perf_counter() - begin, time.process_time() - processor
        afterwards = [window(driven=False) for _ in range(AFTERWARDS)][-2:]
        backend = simulator.backend
    biological_s = windows * WINDOW_MS / 1000.0
    return {
        "backend": backend,
        "graph": graph,
        "neurons": network.n_neurons,
        "edges": edges,
        "driven": int(driven),
        "build_s": build_s,
        "wall_per_s": wall_s / biological_s,
        "processor_per_s": processor_s / biological_s,
        "spikes_per_s": spikes / biological_s,
        "spikes_per_s_afterwards": sum(afterwards) / (len(afterwards) * WINDOW_MS / 1000.0),
        "memory_mb": peak_memory_mb(),
    }


def draw_fly(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the curve from silence to the strongest drive, and save the figure.

    Above: spikes a second while neurons are driven, and 0.3 to 0.5 s after the drive has ended, against the
    number of driven neurons. Below: wall time against spikes a second, for each number of threads. Rows that
    failed are left out.
    """
    # Not in the processes that measure memory.
    from matplotlib.figure import Figure

    from ethospike.scenarios.analysis.figure_style import BLUE, COLORS, DPI, GREY, ORANGE, bare

    measured = [row for row in rows if "error" not in row]
    graphs = list(dict.fromkeys(row["graph"] for row in measured))
    figure = Figure(figsize=(6.4, 3.4 * (1 + len(graphs))), layout="constrained")
    *curves, times = figure.subplots(1 + len(graphs), squeeze=False)[:, 0]
    for axis, graph in zip(curves, graphs, strict=True):
        alone = [row for row in measured if row["graph"] == graph and row["threads"] == 1]
        driven = [row["driven"] for row in alone]
        for key, label, color in (
            ("spikes_per_s", "during the drive", BLUE),
            ("spikes_per_s_afterwards", "0.3 to 0.5 s after its end", ORANGE),
        ):
            axis.plot(driven, [row[key] for row in alone], "o-", color=color, label=label, markersize=4)
        axis.set(
            title=f"{graph} graph of {alone[0]['neurons']:,} neurons and {alone[0]['edges']:,} edges",
            xlabel="neurons driven at 150 Hz",
            ylabel="spikes a second",
        )
        axis.set_xscale("symlog", linthresh=10)
        axis.set_yscale("symlog", linthresh=1_000, linscale=0.5)
        axis.set(yticks=SPIKE_TICKS)
    pairs = list(dict.fromkeys((row["graph"], row["backend"].split(", ")[2]) for row in measured))
    for (graph, threads), color in zip(pairs, COLORS * len(pairs), strict=False):
        chosen = [
            row for row in measured if (row["graph"], row["backend"].split(", ")[2]) == (graph, threads)
        ]
        x, y = [row["spikes_per_s"] for row in chosen], [row["wall_per_s"] for row in chosen]
        times.plot(x, y, "s-", color=color, label=f"{graph}, {threads}", markersize=4)
    times.axhline(1.0, color=GREY, linewidth=0.8)
    times.set(xlabel="spikes a second", ylabel="wall seconds per biological second", yscale="log")
    times.set_xscale("symlog", linthresh=1_000, linscale=0.5)
    times.set(xticks=SPIKE_TICKS, xlim=(-100, None))
    for axis in (*curves, times):
        axis.legend(fontsize="small", frameon=False)
        bare(axis)
    figure.savefig(path, dpi=DPI)
