"""Run a fly's point neurons on Brian2, for `fly_against_brian2.py`; needs an environment with Brian2 alone.

    python tests/stress/brian2_fly.py INPUT.npz OUTPUT.npz

The equations are those of Shiu et al. 2024 (github.com/philshiu/Drosophila_brain_model, model.py), with input
spikes that are given instead of drawn.
"""

import sys

import numpy as np
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    Synapses,
    defaultclock,
    ms,
    mV,
    prefs,
)

prefs.codegen.target = sys.argv[3] if len(sys.argv) > 3 else "numpy"
given = np.load(sys.argv[1])
defaultclock.dt = 0.1 * ms
constants = {"v_0": -52 * mV, "v_rst": -52 * mV, "v_th": -45 * mV, "t_mbr": 20 * ms, "tau": 5 * ms}
neurons = NeuronGroup(
    int(given["neurons"]),
    """
    dv/dt = (v_0 - v + g) / t_mbr : volt (unless refractory)
    dg/dt = -g / tau : volt (unless refractory)
    rfc : second
    """,
    method="linear",
    threshold="v > v_th",
    reset="v = v_rst; g = 0 * mV",
    refractory="rfc",
    namespace=constants,
)
neurons.v = -52 * mV
neurons.g = 0 * mV
neurons.rfc = 2.2 * ms
driven = given["driven"]
neurons.rfc[driven] = 0 * ms
edges = Synapses(neurons, neurons, "w : volt", on_pre="g += w", delay=1.8 * ms)
edges.connect(i=given["pre"], j=given["post"])
edges.w = given["synapses"] * 0.275 * mV
generator = SpikeGeneratorGroup(len(driven), given["channel"], given["step"] * 0.1 * ms)
drive = Synapses(generator, neurons, on_pre="v += 68.75 * mV")
drive.connect(i=np.arange(len(driven)), j=driven)
monitor = SpikeMonitor(neurons)
net = Network(neurons, edges, generator, drive, monitor)
net.run(float(given["seconds"]) * 1000 * ms)
step = np.rint(np.asarray(monitor.t / ms) / 0.1).astype(np.int64)
np.savez(sys.argv[2], step=step, neuron=np.asarray(monitor.i, dtype=np.int64))
