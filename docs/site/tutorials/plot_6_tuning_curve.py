"""
From a recording to a tuning curve
==================================

**Question:** at which concentration of the odor does each Kenyon cell fire?

A recording gives variables as xarray arrays and spikes as columns. The functions of
`ethospike.scenarios.analysis` stand on these, and so do exports to pynapple, Neo and NWB.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ethospike.recorders.recording import open_recording, to_pynapple
from ethospike.scenarios.analysis.tuning import tuning_curves
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.run.runner import run_scenario

config = ConditioningConfig(animals=2, cycles=1, odor_s=20.0, blank_s=5.0, gap_s=2.0, test_s=20.0, seed=1)
folder = Path(tempfile.mkdtemp()) / "run"
run_scenario(SCENARIO, config, folder, quiet=True, draw=False)
recording = open_recording(folder)

# %%
# The phases of the experiment are a table, with a row for each animal and phase.

print(recording.phases()[["animal", "phase", "start_s", "stop_s"]].head())

# %%
# The observation has a named entry for each odor and for reward, punishment and contact with the wall.

observation = recording.variable("observation")
print(list(observation["feature"].values))
odor_um = observation.sel(feature="n-amylacetate")
print(f"{float(odor_um.min()):.2f} to {float(odor_um.max()):.2f} µM")

# %%
# One call sorts the control steps of an animal by concentration and counts each cell's spikes in them. Levels
# that the larva never met stay empty.

edges_um = np.linspace(0.0, float(odor_um.sel(animal=0).max()), 6)
curves = tuning_curves(recording, odor_um, edges_um, "KC", animal=0)
print(curves["occupancy_s"].values, "s at each level")

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
order = np.argsort(curves.mean("bin").values)[::-1]
image = axis.pcolormesh(edges_um, np.arange(len(order) + 1), curves.values[:, order].T, cmap="cividis")
axis.set(xlabel="concentration of n-amylacetate (µM)", ylabel="Kenyon cell, sorted by its mean rate")
figure.colorbar(image, label="rate (Hz)")
plt.show()

# %%
# pynapple, where it is installed, gets the same spikes and variables of an animal.

try:
    exported = to_pynapple(recording, animal=0, population="KC")
    print(exported["spikes"].rates.sort_values().tail())
except ImportError as error:
    print(error)
