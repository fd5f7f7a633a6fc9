"""Networks of NEST's own documentation as scripts in the loop, with the behavior that is published for them.

The example `brunel_alpha_nest` (Brunel 2000, J Comput Neurosci 8:183) is the file that comes with NEST, with
fewer neurons; docs/nest_scripts.md has its rates at full size. The synapses are those of the documentation of
`stdp_synapse` (Morrison et al. 2007, Neural Comput 19:1437) and `stdp_dopamine_synapse` (Potjans et al. 2010,
Front Comput Neurosci 4:141).
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import nest
import numpy as np
import pytest

from ethospike.brains.nest import NestScript, ScriptNodes
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator

pytestmark = pytest.mark.simulator("nest")


def stimulus_of(times_ms):
    """Return the spikes of channels, given as times (ms) by channel."""
    spikes = sorted((round(t * 10), channel) for channel, own in enumerate(times_ms) for t in own)
    step, channel = (np.array(column) for column in zip(*spikes, strict=True))
    return Stimulus(step.astype(np.int64), np.zeros(len(step), np.int32), channel.astype(np.int32))


# -- NEST's example -----------------------------------------------------------------------------------


def installed_example(order):
    """Return the installed `brunel_alpha_nest` as a function: the file up to its call of Simulate."""
    file = Path(nest.__file__).parent / "doc" / "examples" / "pynest" / "brunel_alpha_nest.py"
    if not file.is_file():
        pytest.skip("this NEST has no examples")
    text = file.read_text()
    for line in ("nest.ResetKernel()", "nest.overwrite_files = True", "nest.print_time = True"):
        assert line in text
        text = text.replace(line, "")
    text = re.sub(r", record_to=\"ascii\"", "", text.split("nest.Simulate(")[0])
    text = text.replace("order = 2500", f"order = {order}").replace("import matplotlib.pyplot as plt", "")
    assert f"order = {order}" in text

    def build():
        names = {}
        exec(compile(text, str(file), "exec"), names)
        return ScriptNodes(populations={"E": names["nodes_ex"], "I": names["nodes_in"]})

    return build


def test_the_installed_example_gives_the_spikes_that_it_gives_without_the_loop(capsys):
    build = installed_example(order=100)
    with open_simulator(NestScript(build), SimulatorSettings("nest"), seed=5) as simulator:
        blocks = [simulator.run(500) for _ in range(6)]
    ours = [(s, n) for b in blocks for s, n in zip(b.step.tolist(), b.neuron.tolist(), strict=True)]
    nest.ResetKernel()
    nest.set(resolution=0.1, rng_seed=6)
    nodes = build()
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(nodes.populations["E"] + nodes.populations["I"], recorder, syn_spec={"delay": 1.5})
    nest.Simulate(300.0)
    events = recorder.events
    alone = sorted(zip(events["times"].tolist(), (events["senders"] - 1).tolist(), strict=True))
    nest.ResetKernel()
    assert len(ours) > 1_000
    assert ours == alone


# -- synapses that learn ------------------------------------------------------------------------------

LAMBDA, TAU_PLUS, W_MAX, W_0 = 0.01, 20.0, 100.0, 50.0


def stdp_pair(alpha=1.0):
    """Create two parrots that repeat two inputs, and a plastic synapse between them."""
    inputs = nest.Create("parrot_neuron", 2)
    pre, post = nest.Create("parrot_neuron", 1), nest.Create("parrot_neuron", 1)
    for i, cell in enumerate((pre, post)):
        nest.Connect(inputs[i], cell, syn_spec={"delay": 1.0})
    spec = {"synapse_model": "stdp_synapse", "weight": W_0, "Wmax": W_MAX, "lambda": LAMBDA, "alpha": alpha}
    # Port 1 of a parrot takes spikes without repeating them.
    spec |= {"tau_plus": TAU_PLUS, "mu_plus": 0.0, "mu_minus": 0.0, "receptor_type": 1, "delay": 1.0}
    nest.Connect(pre, post, syn_spec=spec)
    return ScriptNodes(
        populations={"pre": pre, "post": post},
        spike_inputs={"times": inputs},
        weights={"pre>post": nest.GetConnections(pre, post)},
    )


@pytest.mark.parametrize("lag_ms", [5.0, 12.0, -8.0])
def test_a_pair_of_spikes_changes_the_weight_by_the_published_window(lag_ms):
    """Additive rule: λ W_max exp(−Δt / τ), down for the other order; the delay is dendritic."""
    pre_ms, post_ms = (50.0, 50.0 + lag_ms)
    with open_simulator(NestScript(stdp_pair), SimulatorSettings("nest"), seed=1) as simulator:
        # Weights are brought up to date by spikes of the source: a late one, far from any other.
        block = simulator.run(10_000, stimulus_of([[pre_ms, 900.0], [post_ms]]))
        weight = simulator.weights("pre>post")[0, 0]
    assert len(block) == 3
    distance = lag_ms + 1.0  # the spike of the target reaches the synapse a dendritic delay later
    change = math.exp(-abs(distance) / TAU_PLUS) * LAMBDA * W_MAX
    late = (900.0 - (post_ms + 1.0)) / TAU_PLUS  # the pair of the late spike; below 1e-18
    assert late > 40
    assert weight == pytest.approx(W_0 + math.copysign(change, distance), abs=1e-6)


def dopamine_pair():
    """Create the pair with a synapse that a dopaminergic neuron modulates."""
    inputs = nest.Create("parrot_neuron", 3)
    pre, post, dopamine = (nest.Create("parrot_neuron", 1) for _ in range(3))
    for i, cell in enumerate((pre, post, dopamine)):
        nest.Connect(inputs[i], cell, syn_spec={"delay": 1.0})
    transmitter = nest.Create("volume_transmitter")
    nest.Connect(dopamine, transmitter, syn_spec={"delay": 1.0})
    defaults = {"volume_transmitter": transmitter, "A_plus": 1.0, "A_minus": 1.5, "b": 0.0, "n": 0.0}
    nest.SetDefaults("stdp_dopamine_synapse", {**defaults, "tau_c": 1000.0, "tau_n": 200.0})
    nest.CopyModel("stdp_dopamine_synapse", "gated", {"Wmin": 0.0, "Wmax": 200.0})
    nest.Connect(
        pre, post, syn_spec={"synapse_model": "gated", "weight": W_0, "receptor_type": 1, "delay": 1.0}
    )
    return ScriptNodes(
        populations={"pre": pre, "post": post, "dopamine": dopamine},
        spike_inputs={"times": inputs},
        weights={"pre>post": nest.GetConnections(synapse_model="gated")},
    )


@pytest.mark.parametrize(
    ("lag_ms", "dopamine_ms", "sign"),
    [(5.0, [300.0], 1), (-5.0, [300.0], -1), (5.0, [], 0)],
)
def test_dopamine_turns_eligibility_into_weight(lag_ms, dopamine_ms, sign):
    """A coincidence changes nothing until dopamine comes, up to a second later; its order gives the sign."""
    with open_simulator(NestScript(dopamine_pair), SimulatorSettings("nest"), seed=1) as simulator:
        stimulus = stimulus_of([[100.0, 900.0], [100.0 + lag_ms], dopamine_ms])
        assert len(simulator.run(10_000, stimulus)) == 3 + len(dopamine_ms)
        change = simulator.weights("pre>post")[0, 0] - W_0
    assert np.sign(round(change, 9)) == sign
    if sign:
        assert abs(change) > 0.1
