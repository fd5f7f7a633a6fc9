"""`Network.to_nest`: a script that gives the spikes of our simulator without ethospike."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig, mushroom_body
from ethospike.brains.network import (
    AllToAll,
    CurrentInput,
    FixedIndegree,
    Network,
    Normal,
    OneToOne,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.errors import BrainError

pytestmark = pytest.mark.simulator("nest")

RUN = """
import runpy, sys
import numpy as np
made = runpy.run_path(sys.argv[1])
given = np.load(sys.argv[2])
import nest
assert not any(name.startswith("ethospike") for name in sys.modules)
for name, generators in made["inputs"].items():
    for channel, generator in enumerate(generators):
        if name + ".amplitude" in given:
            generator.amplitude = float(given[name + ".amplitude"][channel])
        else:
            mine = given[name + ".channel"] == channel
            generator.spike_times = (given[name + ".step"][mine] * nest.resolution).tolist()
nest.Simulate(float(given["ms"]))
events = made["recorder"].events
np.savez(sys.argv[3], step=events["times"], neuron=events["senders"] - 1)
"""


def conductance_based():
    populations = (
        Population("E cells", 40, "iaf_cond_exp_sfa_rr", {"V_m": Uniform(-70.0, -60.0), "I_e": 380.0}),
        Population("I", 10, "iaf_psc_exp", {"E_L": Normal(-65.0, 1.0), "I_e": 300.0}),
        Population("none", 3, "izhikevich"),
    )
    projections = (
        Projection("E>I", "E cells", "I", FixedIndegree(10), Normal(60.0, 5.0), Uniform(1.0, 3.0)),
        Projection("I>E", "I", "E cells", AllToAll(), -2.0, 1.5),
        Projection("I>I", "I", "I", AllToAll(), -30.0, 1.0),
        Projection("I>I again", "I", "I", OneToOne(), -10.0, 2.0),
    )
    return Network(
        populations,
        projections,
        (SpikeInput("odor", "E cells", 1.0, channels=8), SpikeInput("all", "I", 10.0, start=2, stop=6)),
        (CurrentInput("drive", "I", channels=2),),
    )


def larva():
    network = mushroom_body(MushroomBodyConfig())
    fixed = tuple(
        Projection(p.name, p.source, p.target, p.rule, p.weight, p.delay_ms) for p in network.projections
    )
    return Network(network.populations, fixed, network.spike_inputs, network.current_inputs)


@pytest.mark.parametrize("make", [conductance_based, larva])
def test_the_script_gives_the_spikes_of_our_simulator(make, tmp_path):
    network, n_steps, rng = make(), 3_000, np.random.default_rng(1)
    size = 6_000
    step = np.sort(rng.integers(1, n_steps, size))
    channel = rng.integers(0, network.n_spike_channels, size).astype(np.int32)
    order = np.lexsort((channel, step))
    step, channel = step[order], channel[order]
    current_pa = np.linspace(20.0, 60.0, network.n_current_channels)[None]
    stimulus = Stimulus(step, np.zeros(size, np.int32), channel, current_pa)
    with open_simulator(network, SimulatorSettings("nest"), seed=7) as simulator:
        ours = simulator.run(n_steps, stimulus)
    given = {"ms": np.array(n_steps * 0.1)}
    for entry in network.spike_inputs:
        own = network.spike_channels(entry.name)
        mine = (channel >= own.start) & (channel < own.stop)
        given |= {f"{entry.name}.step": step[mine], f"{entry.name}.channel": channel[mine] - own.start}
    for entry in network.current_inputs:
        given[f"{entry.name}.amplitude"] = current_pa[0, network.current_channels(entry.name)]
    np.savez(tmp_path / "input.npz", **given)
    script = network.to_nest(tmp_path / "brain.py", seed=7)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(script), str(tmp_path / "input.npz"), str(tmp_path / "out.npz")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    theirs = np.load(tmp_path / "out.npz")
    order = np.lexsort((theirs["neuron"], theirs["step"]))
    assert len(ours) > 100
    np.testing.assert_array_equal(ours.step, theirs["step"][order])
    np.testing.assert_array_equal(ours.neuron, theirs["neuron"][order])


def test_a_script_without_drawn_numbers_has_no_second_file(tmp_path):
    cells = Population("E", 3, "iaf_psc_exp", {"I_e": 500.0})
    script = Network([cells]).to_nest(tmp_path / "single.py", seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["single.py"]
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert "spikes in one second" in done.stdout, done.stderr


def test_refusals_are_one_line(tmp_path):
    cells = Population("E", 3, "iaf_psc_exp")
    with pytest.raises(BrainError, match=r"ends in \.py, got 'brain.txt'"):
        Network([cells]).to_nest(tmp_path / "brain.txt", seed=1)
    with pytest.raises(BrainError, match="plasticity of 'KC>MBONp'"):
        mushroom_body(MushroomBodyConfig()).to_nest(tmp_path / "brain.py", seed=1)
    assert not list(tmp_path.iterdir())
