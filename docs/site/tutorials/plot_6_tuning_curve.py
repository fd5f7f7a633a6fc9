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

config = ConditioningConfig(animals=2, cycles=1, odor_s=20.0, blank_s=5.0, gap_s=2.0, test_s=60.0, seed=1)
folder = Path(tempfile.mkdtemp()) / "run"
run_scenario(SCENARIO, config, folder, quiet=True, draw=False)
recording = open_recording(folder)

# %%
# The phases of the experiment are a table, with a row for each animal and phase.

print(recording.phases()[["animal", "phase", "start_s", "stop_s"]].head())

# %%
# The observation has a named entry for each odor and for reward, punishment and contact with the wall.

observation = recording.variable("observation")
print(observation["feature"].values.tolist())
odor_um = observation.sel(feature="n-amylacetate")
print(f"{float(odor_um.min()):.2f} to {float(odor_um.max()):.2f} µM")

# %%
# One call sorts the control steps of an animal by concentration and counts each cell's spikes in them. The
# levels are those that the larva met: none, and fifths of the time in which it smelled something.

met_um = odor_um.sel(animal=0).values
edges_um = np.unique([0.0, *np.quantile(met_um[met_um > 0.0], np.linspace(0.0, 1.0, 6))])
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
    trains = to_pynapple(recording, animal=0, population="KC")["spikes"]
    print(f"{len(trains)} cells; {trains.rates.mean():.1f} Hz in the mean, {trains.rates.max():.1f} at most")
except ImportError as error:
    print(error)
