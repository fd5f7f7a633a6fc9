"""
A connectome as a brain
=======================

**Question:** how does activity spread through measured wiring?

A connectome is a table of neurons and a table of edges. The tables here are made up, with 300 neurons in
three classes; files of your own, and readers for published ones, take the same way.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ethospike.brains.circuits.connectome import (
    Cells,
    EdgeColumns,
    NetworkOptions,
    NeuronColumns,
    SignTable,
    connectome_from_tables,
    connectome_network,
)
from ethospike.brains.network import DataSource, Uniform
from ethospike.brains.simulator import SimulatorSettings, open_simulator

rng = np.random.default_rng(1)
folder = Path(tempfile.mkdtemp())
classes = np.repeat(["sensory", "inter", "motor"], 100)
transmitter = np.where(rng.random(300) < 0.2, "gaba", "ach")
pd.DataFrame({"id": np.arange(300), "cell_type": classes, "nt": transmitter}).to_csv(
    folder / "neurons.csv", index=False
)
pre = rng.integers(0, 200, 6_000)
post = pre // 100 * 100 + 100 + rng.integers(0, 100, 6_000)  # onto the next class
edges = pd.DataFrame({"pre": pre, "post": post}).drop_duplicates()
edges["synapses"] = rng.geometric(0.1, len(edges))
edges.to_csv(folder / "edges.csv", index=False)

# %%
# Source, signs and weights are stated, never guessed: a transmitter without a sign would be an error.

connectome = connectome_from_tables(
    folder / "neurons.csv",
    folder / "edges.csv",
    DataSource("made-up animal", "1", "CC0", "this tutorial"),
    neuron_columns=NeuronColumns("id", {"class": "cell_type", "transmitter": "nt"}),
    edge_columns=EdgeColumns("pre", "post", "synapses"),
).at_least(3)
signs = SignTable.of("transmitter", {"ach": +1, "gaba": -1}, "assumed: as in most insects").signs(connectome)
options = NetworkOptions(
    weight=30.0,
    delay_ms=1.8,
    population="class",
    autapses="drop",
    cells={"": Cells("iaf_psc_exp"), "sensory": Cells("iaf_psc_exp", {"I_e": Uniform(370.0, 430.0)})},
)
network = connectome_network(connectome, signs, options)
for population in network.populations:
    print(population.name, population.size)

# %%
with open_simulator(network, SimulatorSettings(), seed=1) as simulator:
    spikes = simulator.run(5_000)

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for name in ("sensory", "inter", "motor"):
    chosen = network.labelled(**{"class": name})
    mine = np.isin(spikes.neuron, chosen)
    axis.plot(0.1 * spikes.step[mine], spikes.neuron[mine], ".", markersize=2, label=name)
axis.set(xlabel="time (ms)", ylabel="neuron")
axis.legend(loc="upper right")
plt.show()
