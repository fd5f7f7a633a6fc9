"""
A sweep on Dask
===============

**Question:** how does the amount of learning depend on the learning rate?

A sweep runs a scenario at many points of its configuration and puts the measures into one table. On a
cluster, give the address of a Dask scheduler; here two processes of this machine do it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from ethospike.scenarios.sweeps.table import open_table

folder = Path(tempfile.mkdtemp()) / "sweep"
command = [
    *(sys.executable, "-m", "ethospike", "sweep", "odor-conditioning"),
    *("--grid", "brain.learning_rate=0.5,1,2", "--grid", "cycles=1", "--grid", "odor_s=20"),
    *("--grid", "blank_s=2", "--grid", "gap_s=2", "--grid", "test_s=20", "--seeds", "2"),
    *("--workers", "2", "--out", str(folder), "--quiet"),
]
print(" ".join(["ethospike", *command[3:-3]]))
subprocess.run(command, check=True)

# %%
table = open_table(folder)
print(table)

# %%
measure = next(name for name in table.data_vars if "preference" in name)
figure, axis = plt.subplots(figsize=(5, 3.5), layout="constrained")
axis.plot(table["brain.learning_rate"], table[measure], "o")
axis.set(xscale="log", xlabel="learning rate (of the default)", ylabel=measure.replace("_", " "))
plt.show()
