"""Rows of the benchmark for a whole adult brain: from silence to activity that sustains itself.

The graph is synthetic, because the edges of the adult connectome cannot be shipped: random, with its sizes,
degrees, synapse counts and signs. The model is that of Shiu et al. 2024 (`brains.circuits.connectome.fly`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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
