"""Rows of the benchmark for large networks: the published sizes, on one core and on all cores.

The network is that of the published timings (Schmitt et al. 2023, Front Neuroinform 17:941696): 20 clusters,
J_E+ 10, Bernoulli wiring, steps of 0.1 ms. The published wall times are from their code and data.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex
from ethospike.brains.memory import free_bytes
from ethospike.brains.network import Network
from ethospike.brains.simulator import open_simulator
from ethospike.scenarios.analysis.figure_style import BLUE, DPI, GREEN, GREY, ORANGE, SKY, bare
from ethospike.scenarios.bench.rows import LOOP_MS, Row, peak_memory_mb

STORED, PROCEDURAL = "stored", "procedural"
CLUSTERS = 20
DISCARDED_MS = 300.0
"""Simulated time before the clock starts, at all sizes, from the initial voltages of the published grid
search. The largest networks may have no active cluster before (1,274,000 neurons: 220 ms), because the
fluctuations that activate a cluster shrink with the number of neurons. Such a network is fast to simulate,
and its time is meaningless."""
BYTES_A_NEURON = 1_000.0
"""Memory for a neuron, its parameters while they are drawn, and its spikes (measured: less than half)."""


class Published(NamedTuple):
    """Published wall seconds per biological second, simulation and download of spikes; NaN: not run.

    NEST on 26 cores, GeNN with stored and with procedural synapses on a GPU of 48 GB.
    """

    nest: float = np.nan
    genn: float = np.nan
    genn_procedural: float = np.nan


PUBLISHED = {
    5_000: Published(0.454, 0.141, 0.289),
    25_500: Published(2.12, 0.308, 1.27),
    56_500: Published(10.0, 0.587, 2.69),
    98_500: Published(37.5, 1.05, 4.76),
    255_000: Published(np.nan, 3.48, 14.9),
    1_274_000: Published(np.nan, np.nan, 160.0),
    3_604_000: Published(np.nan, np.nan, 1169.0),
}
"""Published times by number of neurons."""

SECONDS = {5_000: 20.0, 25_500: 5.0, 56_500: 2.0, 98_500: 1.0, 255_000: 0.3, 1_274_000: 0.2, 3_604_000: 0.1}
"""Timed biological seconds by number of neurons: minutes of wall time at most."""
STORED_UP_TO = 255_000


def scale_rows(small: bool, simulators: list[str]) -> Iterator[Row]:
    """Return rows of the sizes that fit the free memory, on one and all threads; `small`: two tiny rows."""
    if "numba" not in simulators:
        return
    if small:
        for wiring in (STORED, PROCEDURAL):
            yield Row("scale", "numba", f"500 {wiring}", 1, 0.05, threads=1)
        return
    free = free_bytes()
    for neurons, seconds in SECONDS.items():
        for wiring in (STORED, PROCEDURAL):
            needed = neurons * BYTES_A_NEURON + (neurons**2 / 8 if wiring == STORED else 0.0)
            if needed > 0.9 * free or (wiring == STORED and neurons > STORED_UP_TO):
                continue
            for threads in (1, 0):
                yield Row("scale", "numba", f"{neurons} {wiring}", 1, seconds, threads=threads)


def network_of_size(neurons: int, *, procedural: bool) -> Network:
    """Return the published network: 80 + 20 neurons times a factor, in 20 clusters."""
    n_i = neurons // 5 // CLUSTERS * CLUSTERS
    n_e = (neurons - n_i) // CLUSTERS * CLUSTERS
    return clustered_cortex(
        CortexConfig(
            n_e=n_e,
            n_i=n_i,
            clusters=CLUSTERS,
            V_th=20.0,
            j_plus=10.0,
            I_th_E=2.13,
            I_th_I=1.24,
            wiring="bernoulli",
            start="undriven",
            procedural=procedural,
        )
    )


def measure_scale(row: Row) -> dict[str, Any]:
    """Measure wall and processor time, rates and memory of a network, in windows of 10 ms after 300 ms."""
    size, wiring = row.network.split()
    network = network_of_size(int(size), procedural=wiring == PROCEDURAL)
    begin = time.perf_counter()
    with open_simulator(network, row.settings, seed=1) as simulator:
        build_s = time.perf_counter() - begin
        n_steps = round(LOOP_MS / simulator.dt_ms)
        for _ in range(round(DISCARDED_MS / LOOP_MS)):
            simulator.run(n_steps)
        windows = max(1, round(row.seconds * 1000.0 / LOOP_MS))
        begin, processor = time.perf_counter(), time.process_time()
        spikes = sum(len(simulator.run(n_steps)) for _ in range(windows))
        wall_s, processor_s = time.perf_counter() - begin, time.process_time() - processor
        backend = simulator.backend
    biological_s = windows * LOOP_MS / 1000.0
    published = PUBLISHED.get(int(size), Published())
    row_bytes = network.n_neurons / 8
    return {
        "backend": backend,
        "neurons": network.n_neurons,
        "wiring": wiring,
        "build_s": build_s,
        "wall_per_s": wall_s / biological_s,
        "processor_per_s": processor_s / biological_s,
        "rate_hz": spikes / (network.n_neurons * biological_s),
        "us_per_spike": 1e6 * wall_s / max(1, spikes),
        "rows_gb_per_s": spikes * row_bytes / wall_s / 1e9 if wiring == STORED else float("nan"),
        "memory_mb": peak_memory_mb(),
        **published._asdict(),
    }


def draw_scale(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw measured and published wall times against the number of neurons, and save the figure."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    sizes = np.array(list(PUBLISHED))
    for name, label, color in (
        ("nest", "NEST, 26 cores (published)", GREY),
        ("genn", "GeNN, 48-GB GPU (published)", SKY),
        ("genn_procedural", "GeNN procedural, 48-GB GPU (published)", GREEN),
    ):
        values = [getattr(published, name) for published in PUBLISHED.values()]
        axis.plot(sizes, values, "o--", color=color, label=label, markersize=4)
    for wiring, color in ((STORED, BLUE), (PROCEDURAL, ORANGE)):
        for threads, style in ((1, ":"), (0, "-")):
            ours = [row for row in rows if row.get("wiring") == wiring and row["threads"] == threads]
            label = f"here, {wiring}, {'one core' if threads else 'all cores'}"
            wall = [row["wall_per_s"] for row in ours]
            axis.plot([row["neurons"] for row in ours], wall, f"s{style}", color=color, label=label)
    axis.axhline(1.0, color=GREY, linewidth=0.8)
    axis.set(xscale="log", yscale="log", xlabel="neurons", ylabel="wall seconds per biological second")
    axis.legend(fontsize="small", frameon=False)
    bare(axis)
    figure.savefig(path, dpi=DPI)
