"""
An experiment with control arms
===============================

**Question:** does a larva need plastic synapses to prefer a rewarded odor?

An arm changes an experiment in one respect and keeps everything else bit for bit. Its proof is in the
summary of the run: an arm without effect is an error. A whole experiment, with statistics over animals and a
page that compares its groups, is one file for `ethospike experiment` (docs/experiments.md).
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.run.runner import run_scenario

folder = Path(tempfile.mkdtemp())
common = {"animals": 6, "cycles": 2, "odor_s": 30.0, "blank_s": 5.0, "gap_s": 5.0, "test_s": 30.0, "seed": 2}
arms = {"intact": (), "frozen": ("freeze",), "sham": ("sham",)}
for name, arm in arms.items():
    run_scenario(SCENARIO, ConditioningConfig(**common, arm=arm), folder / name, quiet=True, draw=False)

# %%
# The preference at the end of the test, larva by larva. A sham animal is the intact one.

figure, axis = plt.subplots(figsize=(5, 3.5), layout="constrained")
for place, name in enumerate(arms):
    preference = open_recording(folder / name).variable("preference")
    last = preference[-100:].mean("time").values
    axis.plot([place] * len(last), last, "o", color="tab:blue", alpha=0.6)
    axis.plot([place - 0.2, place + 0.2], [last.mean()] * 2, color="black")
    print(f"{name:8s} {last.mean():+.2f}")
axis.set_xticks(range(len(arms)), list(arms))
axis.set_ylabel("preference in the last 10 s")
plt.show()
