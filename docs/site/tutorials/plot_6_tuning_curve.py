"""
From a recording to a tuning curve
==================================

**Question:** which Kenyon cells answer to which odor?

A recording gives variables as xarray arrays and spikes as columns, and exports to pynapple and neo. The
functions of `ethospike.scenarios.analysis` are thin over these.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.run.runner import run_scenario

config = ConditioningConfig(animals=2, cycles=1, odor_s=20.0, blank_s=5.0, gap_s=2.0, test_s=20.0, seed=1)
folder = Path(tempfile.mkdtemp()) / "run"
run_scenario(SCENARIO, config, folder, quiet=True, draw=False)
recording = open_recording(folder)

# %%
# The phases of the experiment are a table; counts of spikes by neuron and phase are one call each.

phases = recording.phases()
print(phases[["animal", "phase", "start_s", "stop_s"]].head())

# %%
odor = recording.variable("observation")[:, 0, 0].values
print(f"first odor at the head: {odor.min():.2f} to {odor.max():.2f} µM")
spikes = recording.spikes("KC")
first = recording.neurons("KC").start
mine = spikes.animal == 0
step = spikes.step[mine] // recording.layout.steps_per_control
step = np.minimum(step, len(odor) - 1)
edges = np.linspace(0.0, odor.max(), 6)
level = np.clip(np.searchsorted(edges, odor, side="right") - 1, 0, 4)
seconds = np.bincount(level, minlength=5) * recording.interval_s
counts = np.zeros((72, 5))
np.add.at(counts, (spikes.neuron[mine] - first, level[step]), 1)
tuning_hz = counts / np.where(seconds > 0, seconds, np.nan)  # levels that the larva never met stay empty

# %%
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
order = np.argsort(np.nanmean(tuning_hz, axis=1))[::-1]
image = axis.imshow(tuning_hz[order], aspect="auto", cmap="cividis")
axis.set(xlabel="level of the first odor, low to high", ylabel="Kenyon cell, sorted")
figure.colorbar(image, label="rate (Hz)")
plt.show()
