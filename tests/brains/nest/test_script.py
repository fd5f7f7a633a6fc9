"""NEST scripts as brains: the same spikes as NEST alone, and a clear line for each misuse."""

from __future__ import annotations

import functools

import nest
import numpy as np
import pytest

from ethospike.brains.nest import NestScript, ScriptNodes
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError, SimulatorUnavailable

pytestmark = pytest.mark.simulator("nest")

CURRENT_PA = 420.0


def build(n=20, weight=80.0):
    """Create driven cells that excite each other, followers of inputs, and plastic synapses."""
    followers = nest.Create("iaf_psc_exp", 4)
    cells = nest.Create("iaf_psc_alpha", n, {"I_e": CURRENT_PA})
    cells.V_m = nest.random.uniform(-70.0, -60.0)
    nest.CopyModel("stdp_synapse", "plastic", {"Wmax": 1000.0})
    nest.Connect(cells, cells, {"rule": "fixed_indegree", "indegree": 5}, {"weight": weight, "delay": 1.5})
    nest.Connect(cells, followers, "all_to_all", {"synapse_model": "plastic", "weight": 20.0, "delay": 2.0})
    late = nest.Create("spike_generator", 2)
    early = nest.Create("parrot_neuron", 2)
    direct = nest.Create("dc_generator", 1)
    nest.Connect(late, followers[:2], "one_to_one", {"weight": 3000.0, "delay": 1.0})
    nest.Connect(early, followers[2:], "one_to_one", {"weight": 3000.0, "delay": 1.0})
    nest.Connect(direct, followers[:1])
    return ScriptNodes(
        populations={"cells": cells, "followers": followers},
        # In this order nodes do not grow with the channels: NEST sorts the nodes of a collection.
        spike_inputs={"early": early, "late": late},
        current_inputs={"direct": direct, "cells": cells[:2]},
        weights={"cells>followers": nest.GetConnections(synapse_model="plastic")},
    )


def open_script(script=None, **options):
    return open_simulator(script or NestScript(build), SimulatorSettings("nest", **options), seed=3)


def spikes_of(block, first, stop):
    chosen = (block.neuron >= first) & (block.neuron < stop)
    return list(zip(block.step[chosen].tolist(), block.neuron[chosen].tolist(), strict=True))


def test_spikes_are_those_of_the_script_alone():
    with open_script() as simulator:
        blocks = [simulator.run(n) for n in (1, 499, 1_500)]
        network = simulator.network
    ours = [spike for block in blocks for spike in spikes_of(block, 0, 20)]
    assert [(p.name, p.size) for p in network.populations] == [("cells", 20), ("followers", 4)]
    nest.ResetKernel()
    nest.set(resolution=0.1, rng_seed=4)  # 1 + the seed of the run
    nodes = build()
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(nodes.populations["cells"], recorder)
    nest.Simulate(200.0)
    events = recorder.events
    first = nodes.populations["cells"].tolist()[0]
    alone = sorted(zip(events["times"].tolist(), (events["senders"] - first).tolist(), strict=True))
    nest.ResetKernel()
    assert len(ours) > 40
    assert ours == alone


def test_each_channel_reaches_its_node():
    """Channels: early 0, 1; late 2, 3. A spike of 3,000 pA makes a follower fire within 5 ms."""
    for channel, follower in ((0, 2), (1, 3), (2, 0), (3, 1)):
        with open_script(NestScript(build, n=6, weight=0.0)) as simulator:
            assert simulator.network.spike_channels("late") == slice(2, 4)
            stimulus = Stimulus(np.array([10]), np.zeros(1, np.int32), np.array([channel], np.int32))
            fired = simulator.run(100, stimulus).neuron - 6
        assert set(fired[fired >= 0].tolist()) == {follower}


def test_each_current_reaches_its_node():
    for channel, neuron in ((0, 20), (1, 0), (2, 1)):
        counts = []
        for current_pa in (0.0, 600.0):
            with open_script(NestScript(build, weight=0.0)) as simulator:
                amplitude = np.zeros((1, 3))
                amplitude[0, channel] = current_pa
                block = simulator.run(2_000, Stimulus.currents(amplitude))
                counts.append(np.bincount(block.neuron, minlength=24))
        rose = np.flatnonzero(counts[1] > counts[0] + 3)
        assert rose.tolist() == [neuron]


def test_weights_on_request():
    with open_script() as simulator:
        assert [p.name for p in simulator.network.plastic_projections] == ["cells>followers"]
        before = simulator.weights("cells>followers")
        assert before.shape == (1, 80)
        assert (before == 20.0).all()
        simulator.set_weights("cells>followers", np.arange(80.0)[None])
        wired = simulator.network.wire("cells>followers", 3, 0)
        connections = nest.GetConnections(synapse_model="plastic")
        cells, followers = (nodes.tolist() for nodes in simulator._nodes.populations.values())
        kept = {
            (cells.index(s), followers.index(t)): w
            for s, t, w in zip(*connections.get(["source", "target", "weight"]).values(), strict=True)
        }
        assert [kept[pair] for pair in zip(wired.source, wired.target, strict=True)] == list(np.arange(80.0))
        drive = Stimulus(np.arange(50, 2_000, 100), np.zeros(20, np.int32), np.zeros(20, np.int32))
        simulator.run(2_000, drive)
        assert (simulator.weights("cells>followers") != np.arange(80.0)).any()


def test_seed_and_parameters_decide_and_are_named():
    def first_spikes(script, seed):
        with open_simulator(script, SimulatorSettings("nest"), seed=seed) as simulator:
            return simulator.run(1_000).step.tolist(), simulator.backend

    steps, backend = first_spikes(NestScript(build), 1)
    assert "script test_script.py:build, sha256 " in backend
    assert NestScript(build).sha256[:16] in backend
    assert first_spikes(NestScript(build), 1) == (steps, backend)
    assert first_spikes(NestScript(build), 2)[0] != steps
    bound = functools.partial(build, n=10)
    assert NestScript(bound).sha256 != NestScript(build).sha256
    assert NestScript(build, n=10).sha256 == NestScript(bound).sha256


# -- misuse ---------------------------------------------------------------------------------------------


def cells(n=2, model="iaf_psc_exp", **more):
    return ScriptNodes(populations={"cells": nest.Create(model, n)}, **more)


def resets():
    nest.ResetKernel()
    return cells()


def simulates():
    nodes = cells()
    nest.Simulate(1.0)
    return nodes


def sets_resolution():
    nest.resolution = 0.5
    return cells()


def sets_seed():
    nest.rng_seed = 77
    return cells()


def forgets_to_return():
    cells()


def names_unknown_nodes():
    nodes = nest.Create("iaf_psc_exp", 3)
    nest.ResetKernel()
    nest.set(rng_seed=4, spike_buffer_shrink_limit=0.0)
    return ScriptNodes(populations={"cells": nodes})


def names_a_device():
    return cells(model="poisson_generator")


def names_numbers():
    nest.Create("iaf_psc_exp", 2)
    return ScriptNodes(populations={"cells": [1, 2]})


def shares_a_neuron():
    nodes = nest.Create("iaf_psc_exp", 3)
    return ScriptNodes(populations={"a": nodes[:2], "b": nodes[1:]})


def drives_a_neuron_by_spikes():
    nodes = nest.Create("iaf_psc_exp", 3)
    return ScriptNodes(populations={"a": nodes}, spike_inputs={"odor": nodes[:1]})


def drives_a_recorder():
    return cells(current_inputs={"drive": nest.Create("spike_recorder")})


def names_foreign_synapses():
    nodes, others = nest.Create("iaf_psc_exp", 3), nest.Create("iaf_psc_exp", 3)
    nest.Connect(others, nodes)
    return ScriptNodes(populations={"a": nodes}, weights={"x": nest.GetConnections(others, nodes)})


def has_a_typing_error():
    return cells(model="iaf_psc_expo")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (resets, "resets the kernel"),
        (simulates, "simulates 1 ms"),
        (sets_resolution, "sets resolution to 0.5"),
        (sets_seed, "sets rng_seed to 77"),
        (forgets_to_return, "expected the script to return ScriptNodes, got NoneType"),
        (names_unknown_nodes, "no such nodes"),
        (names_a_device, "poisson_generator is no neuron"),
        (names_numbers, r"expected nodes of nest.Create, got list"),
        (shares_a_neuron, "belongs to two populations"),
        (drives_a_neuron_by_spikes, "expected a spike_generator or a parrot_neuron a channel"),
        (drives_a_recorder, "expected a dc_generator or a neuron a channel, got spike_recorder"),
        (names_foreign_synapses, "expected synapses from one population to one"),
        (has_a_typing_error, "NEST refuses a call of the script: .*iaf_psc_expo"),
        (lambda: ScriptNodes(populations={}), "at least one population"),
    ],
)
def test_a_misuse_is_one_clear_line_and_frees_the_kernel(script, message):
    with pytest.raises(BrainError, match=message) as caught:
        open_script(NestScript(script))
    assert "\n" not in str(caught.value)
    with open_script() as simulator:  # the kernel can be used again
        simulator.run(10)


def test_a_script_that_ran_before_is_refused():
    nest.ResetKernel()
    nest.Create("iaf_psc_exp", 3)
    with pytest.raises(SimulatorUnavailable, match=r"used in this process before \(3 nodes"):
        open_script()
    nest.ResetKernel()


def test_two_scripts_at_once_are_refused():
    with open_script(), pytest.raises(SimulatorUnavailable, match="another NEST simulator is open"):
        open_script()


def test_other_simulators_and_groups_are_refused():
    with pytest.raises(BrainError, match="runs on nest, not on numba"):
        open_simulator(NestScript(build), seed=1)
    with pytest.raises(BrainError, match="one animal a process, got animals=2"):
        open_simulator(NestScript(build), SimulatorSettings("nest"), seed=1, animals=2)
    with pytest.raises(BrainError, match="expected a function"):
        NestScript("brunel.py")


def test_threads_are_those_of_the_run():
    with open_script(threads=2) as simulator:
        assert "2 threads" in simulator.backend
        assert nest.local_num_threads == 2
        assert len(simulator.run(1_000)) > 20
