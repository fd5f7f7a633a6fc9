"""
A larva learns an odor
======================

**Question:** does a larva that met an odor together with sugar prefer it afterwards?

The scenario `odor-conditioning` has a mushroom body of 142 spiking neurons in the body of a larva. In the
test, the odor is at one side of its dish. Everything is recorded. Here the training is short: two cycles of
half a minute.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.run.runner import run_scenario

config = ConditioningConfig(animals=8, cycles=2, odor_s=30.0, blank_s=10.0, gap_s=5.0, test_s=60.0, seed=3)
folder = Path(tempfile.mkdtemp()) / "run"
result = run_scenario(SCENARIO, config, folder, quiet=True, draw=False)

# %%
# The recording opens without reading anything; variables are xarray arrays with units and names.

recording = open_recording(folder)
preference = recording.variable("preference")
print(recording)
print(preference.dims, preference.attrs["units"])

# %%
# The preference is the difference of the two output neurons of the mushroom body, filtered and normalised.
# Training lowers the weights from the odor's Kenyon cells to one of them.

figure, axes = plt.subplots(2, 1, sharex=True, figsize=(7, 5), layout="constrained")
time_s = preference["time"].values
axes[0].plot(time_s, preference.values, color="0.75", linewidth=0.5)
axes[0].plot(time_s, preference.mean("animal").values, color="tab:blue")
axes[0].set_ylabel("preference")
for name in ("KC>MBONp", "KC>MBONn"):
    weights = recording.weights(name)
    seconds = weights["control_step"].values * config.control_interval_ms / 1000.0
    axes[1].plot(seconds, weights.mean(("animal", "synapse")).values, label=name)
axes[1].set(xlabel="time (s)", ylabel="mean weight (nS)")
axes[1].legend(frameon=False)
phases = recording.phases().query("animal == 0")
for start_s in phases["start_s"]:
    axes[0].axvline(start_s, color="0.6", linewidth=0.5)
plt.show()

# %%
# The answer is a number for each larva, because larvae are the unit of statistics, and not moments.

test = phases.set_index("phase").loc["test"]
first = int(test["start_step"])
first_20_s = preference[first : first + round(20.0 / recording.interval_s)].mean("time")
print("preference at the beginning of the test:", first_20_s.values.round(2))
