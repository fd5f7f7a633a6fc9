"""
Old recordings with zarr alone
==============================

**Question:** can a recording be read in ten years, without ethospike?

A recording is a Zarr group of plain arrays with units in their attributes. Whatever reads Zarr reads it; the
format is described in docs/format.md.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import zarr

from ethospike.scenarios.odor.conditioning import SCENARIO, ConditioningConfig
from ethospike.scenarios.run.runner import run_scenario

config = ConditioningConfig(cycles=1, odor_s=10.0, blank_s=2.0, gap_s=2.0, test_s=10.0, seed=1)
folder = Path(tempfile.mkdtemp()) / "run"
run_scenario(SCENARIO, config, folder, quiet=True, draw=False)

# %%
# From here on, nothing of ethospike is used. Rows beyond those committed may be half written after a crash,
# so the root says how many count.

root = zarr.open_group(folder / "recording.zarr", mode="r")
print(root.attrs["format"], root.attrs["format_version"])
print(sorted(root.group_keys()))
steps = root.attrs["committed_steps"]
position = root["behavior/position_mm"]
print(position.shape, position.attrs["units"])

# %%
figure, axis = plt.subplots(figsize=(4, 4), layout="constrained")
axis.plot(*np.asarray(position[:steps, 0]).T)
axis.set(xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
plt.show()
