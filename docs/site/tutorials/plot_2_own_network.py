"""
Your own network on three simulators
====================================

**Question:** do two populations that inhibit each other fire in turn, and does every simulator say so?

A network is data. `open_simulator` runs it on any simulator that is installed, in windows, as the closed loop
does.
"""

import matplotlib.pyplot as plt
import numpy as np

from ethospike.brains.network import CurrentInput, FixedIndegree, Network, Population, Projection, Uniform
from ethospike.brains.simulator import SimulatorSettings, Stimulus, is_installed, open_simulator

start = {"V_m": Uniform(-70.0, -55.0)}
network = Network(
    populations=(
        Population("left", 100, "iaf_psc_exp", start),
        Population("right", 100, "iaf_psc_exp", start),
    ),
    projections=tuple(
        Projection(f"{a}>{b}", a, b, FixedIndegree(20), weight=w, delay_ms=1.0)
        for a, b, w in (
            ("left", "left", 15.0),
            ("right", "right", 15.0),
            ("left", "right", -40.0),
            ("right", "left", -40.0),
        )
    ),
    current_inputs=(CurrentInput("drive left", "left"), CurrentInput("drive right", "right")),
)
print(network)

# %%
# The drive changes sides every 200 ms. Window by window, the simulator gets a current and returns spikes.

drive_pa = [(480.0, 400.0), (400.0, 480.0)] * 2


def rates(name):
    """Return the rate of both populations in windows of 10 ms, in Hz."""
    with open_simulator(network, SimulatorSettings(name), seed=1) as simulator:
        windows = []
        for pair in drive_pa:
            for _ in range(20):
                spikes = simulator.run(100, Stimulus.currents(np.array([pair])))
                right = np.count_nonzero(spikes.neuron >= 100)
                windows.append((len(spikes) - right, right))
    return np.array(windows) / 100 / 0.010


names = [name for name in ("numba", "nest", "genn") if is_installed(name)]
for name in {"numba", "nest", "genn"} - set(names):
    print(f"{name} is not installed here, and is left out")

# %%
figure, axes = plt.subplots(len(names), 1, sharex=True, figsize=(7, 1.8 * len(names)), layout="constrained")
for axis, name in zip(np.atleast_1d(axes), names, strict=True):
    axis.plot(10.0 * np.arange(80), rates(name))
    axis.set(title=name, ylabel="rate (Hz)")
axis.set_xlabel("time (ms)")
axis.legend(["left", "right"], frameon=False)
plt.show()
