"""Runs on GeNN's CUDA backend: `python cuda_runs.py NAME`, in a process that has a device (`cuda_device.py`).

Each function returns plain values, which are printed as JSON in the last line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from ethospike.brains.conformance import CHECKS
from ethospike.brains.conformance.specimens import FIRE, cell, drive, small_deterministic_network, window
from ethospike.brains.genn.batch import CompiledModel, GennBatch
from ethospike.brains.genn.library import backends
from ethospike.brains.network import (
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    CurrentInput,
    DopamineGated,
    FixedIndegree,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    RandomIndegree,
    SpikeInput,
    Uniform,
)
from ethospike.brains.network import network as network_module
from ethospike.brains.network.models import NEURON_MODELS
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.errors import BrainError

CUDA = SimulatorSettings("genn", genn_backend="cuda")
DOUBLE = SimulatorSettings("genn", genn_backend="cuda", precision="double")
MODEL = "iaf_psc_exp"


def plain(spikes: SpikeBlock) -> list[list[int]]:
    """Return step, animal and neuron of spikes."""
    return [column.tolist() for column in (spikes.step, spikes.animal, spikes.neuron)]


@contextmanager
def drawn_on_device() -> Iterator[None]:
    """Have GeNN draw the synapses of small networks as it does those of large ones."""
    limit, network_module.NUMPY_WIRING_LIMIT = network_module.NUMPY_WIRING_LIMIT, 1
    try:
        yield
    finally:
        network_module.NUMPY_WIRING_LIMIT = limit


# -- batches --------------------------------------------------------------------------------------------


def cells(name: str, size: int, clusters: int, **deviations: Any) -> Population:
    """Return cells in clusters, with the parameters of the conformance suite's."""
    return Population(name, size, MODEL, cell(name, size, MODEL, **deviations).params, clusters)


def relay(weight: Any = 60.0, fire: float = FIRE[MODEL], **deviations: Any) -> Network:
    """Return 40 cells in two clusters and their targets, with delays that differ."""
    return Network(
        (
            Population("source", 40, MODEL, {"E_L": -65.0, "V_m": -65.0, "t_ref": 3.0}, 2),
            Population("target", 24, MODEL, {"t_ref": 2.0, **deviations}, 2),
        ),
        (
            Projection("source>target", "source", "target", PairwiseBernoulli(0.3), weight, 0.4),
            Projection("target>source", "target", "source", RandomIndegree(1, 4), -30.0, Uniform(0.3, 1.2)),
        ),
        (SpikeInput("fire", "source", fire, channels=20),),
        (CurrentInput("cue", "target", 2),),
    )


def clustered(within: float, across: float, **deviations: Any) -> Network:
    """Return a network whose synapses the device draws, once `NUMPY_WIRING_LIMIT` is low."""
    return Network(
        (cells("E", 60, 3), cells("I", 30, 3, **deviations)),
        (
            Projection("E>I", "E", "I", PairwiseBernoulli(0.4), ClusteredWeight(within, across), 0.3),
            Projection("I>E", "I", "E", ClusteredIndegree(3), ClusteredWeight(-20.0, -10.0), 0.1),
            Projection("E>E", "E", "E", PairwiseBernoulli(0.2), 4.0, 0.1),
        ),
        (SpikeInput("fire", "E", FIRE[MODEL]),),
    )


def stimulus(network: Network, animals: int, n_steps: int, offset: int) -> Stimulus:
    """Return spikes and currents that differ between sets and animals."""
    step = np.repeat(np.arange(1 + offset, n_steps, 9), 2)
    index = np.arange(len(step))
    animal = (index // 3 % animals).astype(np.int32)
    channel = ((index * 7 + 5 * offset) % network.n_spike_channels).astype(np.int32)
    current = np.outer(np.arange(animals) + offset, np.ones(network.n_current_channels)) * 40.0
    return Stimulus(step, animal, channel, current)


def sets(networks: list[Network], animals: int = 1, n_steps: int = 600) -> dict[str, Any]:
    """Return the spikes of sets in a batch, in windows of two lengths, and of each set by itself."""
    given = [stimulus(network, animals, n_steps, offset) for offset, network in enumerate(networks)]
    alone = []
    for network, sent in zip(networks, given, strict=True):
        with open_simulator(network, CUDA, seed=7, animals=animals) as simulator:
            alone.append(plain(windows(simulator, sent, n_steps)))
    columns = [
        np.concatenate(
            [getattr(sent, name) + k * (animals if name == "animal" else 0) for k, sent in enumerate(given)]
        )
        for name in ("step", "animal", "channel")
    ]
    order = np.argsort(columns[0], kind="stable")
    current = np.concatenate([sent.current_pa for sent in given])
    with GennBatch(networks, CUDA, seed=7, animals=animals) as batch:
        spikes = windows(batch, Stimulus(*(column[order] for column in columns), current), n_steps)
        weights = {p.name: batch.weights(p.name).shape for p in networks[0].projections if p.rule.is_list}
    together = []
    for k in range(len(networks)):
        own = spikes.animal // animals == k
        together.append(
            plain(SpikeBlock(spikes.step[own], spikes.animal[own] - k * animals, spikes.neuron[own]))
        )
    return {"alone": alone, "together": together, "weights": weights}


def windows(simulator: Any, sent: Stimulus, n_steps: int) -> SpikeBlock:
    """Run windows of 70 and 130 steps."""
    blocks, done = [], 0
    for n in (70, 130) * (n_steps // 200):
        own = (sent.step > done) & (sent.step <= done + n)
        blocks.append(
            simulator.run(n, Stimulus(sent.step[own], sent.animal[own], sent.channel[own], sent.current_pa))
        )
        done += n
    return SpikeBlock.joined(blocks)


def batch_wired() -> dict[str, Any]:
    """Compare sets that differ in weights, weights of inputs and parameters, with two animals each."""
    networks = [
        relay(),
        relay(weight=120.0),
        relay(fire=0.8 * FIRE[MODEL]),
        relay(I_e=np.linspace(0, 300, 24)),
    ]
    return sets(networks, animals=2)


def batch_drawn() -> dict[str, Any]:
    """Compare sets whose synapses the device draws."""
    strong = FIRE[MODEL]
    few, many = (0.3 * strong, 0.1 * strong), (0.9 * strong, 0.2 * strong)
    with drawn_on_device():
        return sets([clustered(*few), clustered(*many), clustered(*few, I_e=200.0)], n_steps=400)


def batch_weights() -> dict[str, Any]:
    """Return the weights of a batch of two animals each, and their refusal to change."""
    both = []
    for weight in (1.0, 2.0):
        projections = (
            Projection("own", "a", "b", FixedIndegree(2), weight),
            Projection("same", "a", "b", FixedIndegree(1), 3.0),
        )
        both.append(Network((cells("a", 6, 1), cells("b", 5, 1)), projections))
    with GennBatch(both, CUDA, seed=7, animals=2) as batch:
        weights = {name: batch.weights(name) for name in ("own", "same")}
        try:
            batch.set_weights("own", weights["own"])
        except BrainError as error:
            refused = str(error)
    return {name: values.tolist() for name, values in weights.items()} | {"refused": refused}


# -- procedural synapses --------------------------------------------------------------------------------


def procedural() -> list[dict[str, list[int]]]:
    """Return the targets that fire after each source of a procedural network, by round and seed."""
    n_source, n_target, apart = 12, 200, 100
    network = Network(
        (cell("source", n_source, MODEL, t_ref=1.0), cell("target", n_target, MODEL, t_ref=9.0)),
        (Projection("s>t", "source", "target", PairwiseBernoulli(0.25), FIRE[MODEL], 0.2),),
        (SpikeInput("fire", "source", FIRE[MODEL]),),
        procedural=True,
    )
    step = 1 + apart * np.arange(2 * n_source)
    sent = Stimulus(step, np.zeros(len(step), np.int32), (np.arange(len(step)) % n_source).astype(np.int32))
    found = []
    for seed, rounds in ((1, 2), (2, 1)):
        with open_simulator(network, CUDA, seed=seed) as simulator:
            first = sent.step <= rounds * apart * n_source
            given = Stimulus(step[first], sent.animal[first], sent.channel[first])
            spikes = simulator.run(rounds * apart * n_source, given)
        fired = spikes.neuron >= n_source
        volley = (spikes.step[fired] - 1) // apart
        for round_ in range(rounds):
            targets = {
                str(source): sorted(
                    {int(n) - n_source for n in spikes.neuron[fired][volley == source + round_ * n_source]}
                )
                for source in range(n_source)
            }
            found.append(targets)
    return found


def procedural_recurrent() -> list[list[int]]:
    """Return the targets of each cell of a recurrent procedural network with all pairs."""
    network = Network(
        (cell("E", 30, MODEL, t_ref=50.0),),
        (Projection("E>E", "E", "E", PairwiseBernoulli(1.0), 1.0, 0.2),),
        (SpikeInput("fire", "E", FIRE[MODEL]),),
        procedural=True,
    )
    found = []
    for source in (0, 17):
        with open_simulator(network, CUDA, seed=1) as simulator:
            sent = Stimulus(np.array([1]), np.zeros(1, np.int32), np.array([source], np.int32))
            simulator.run(30, sent)
            potential = simulator._populations["E"].vars["v"]
            potential.pull_from_device()
            found.append(np.flatnonzero(potential.view > 1e-6).tolist())
    return found


# -- compiled, not run ----------------------------------------------------------------------------------


def every_kind() -> Network:
    """Return a network with every neuron model that GeNN has, delays of both kinds, inputs and plasticity."""
    models = [name for name, model in NEURON_MODELS.items() if model.genn is not None]
    populations = []
    for name in models:
        varied = {"t_ref": np.linspace(1.0, 2.4, 8)} if "t_ref" in NEURON_MODELS[name].defaults else {}
        populations.append(Population(name, 8, name, varied))
    rule = DopamineGated(models[0])
    projections = [Projection(f"{a}>{b}", a, b, FixedIndegree(2), 0.1, 0.3) for a, b in pairwise(models)]
    projections += [
        Projection("drawn delays", models[0], models[1], OneToOne(), Uniform(0.1, 0.2), Uniform(0.1, 2.0)),
        Projection("negative", models[1], models[0], AllToAll(), -0.1),
        Projection("plastic", models[0], models[1], AllToAll(), 0.1, 0.1, rule),
        Projection("plastic, later", models[1], models[1], FixedIndegree(2), 0.1, 0.5, rule),
    ]
    inputs = (SpikeInput("spikes", models[0], 0.1),)
    return Network(tuple(populations), tuple(projections), inputs, (CurrentInput("current", models[-1]),))


def compile_wired() -> list[str]:
    """Compile every neuron model and every kind of synapse that NumPy draws."""
    network = every_kind()
    CompiledModel([network], CUDA, seed=1, animals=2).close()
    return [population.name for population in network.populations]


def compile_drawn_batch() -> list[str]:
    """Compile a batch in double precision whose synapses the device draws, by every rule that it knows."""
    both = []
    for weight in (1.0, 2.0):
        both_cells = (cells("E", 40, 2), cells("I", 40, 2, I_e=weight))
        rules = (OneToOne(), AllToAll(), PairwiseBernoulli(0.1), FixedIndegree(3), RandomIndegree(1, 3))
        projections = [Projection(str(rule), "E", "I", rule, weight) for rule in rules]
        projections.append(
            Projection("clustered", "I", "E", ClusteredIndegree(2), ClusteredWeight(-weight, -0.5))
        )
        both.append(Network(both_cells, tuple(projections), (SpikeInput("in", "E", weight),)))
    with drawn_on_device():
        CompiledModel(both, DOUBLE, seed=1).close()
    return [projection.name for projection in both[0].projections]


def compile_procedural() -> list[str]:
    """Compile procedural synapses."""
    pair = (cells("E", 40, 2), cells("I", 4000, 2))
    projections = (
        Projection("E>E", "E", "E", PairwiseBernoulli(0.1), ClusteredWeight(2.0, 1.0)),
        Projection("E>I", "E", "I", PairwiseBernoulli(0.9), 1.0, 0.5),
    )
    CompiledModel([Network(pair, projections, procedural=True)], CUDA, seed=1).close()
    return [projection.name for projection in projections]


# -- memory ---------------------------------------------------------------------------------------------


def memory() -> str:
    """Return the message for a network that the device has no room for."""
    try:
        open_simulator(relay(), CUDA, seed=1)
    except BrainError as error:
        return str(error)
    return "opened"


def batch_memory() -> str:
    """Return the message for a batch that the device has no room for."""
    try:
        GennBatch([relay(I_e=float(k)) for k in range(40)], CUDA, seed=1)
    except BrainError as error:
        return str(error)
    return "opened"


# -- all of it, by hand ---------------------------------------------------------------------------------


def conformance() -> dict[str, str]:
    """Run the conformance suite; minutes."""
    failed = {}
    for check in CHECKS:
        if check.__name__ in ("check_long_clock", "check_memory"):
            continue
        try:
            check(lambda network, **options: open_simulator(network, CUDA, **options))
        except Exception as error:
            failed[check.__name__] = f"{type(error).__name__}: {error}"
        print(check.__name__, failed.get(check.__name__, "passed"), flush=True)
    return failed


def same_as_cpu() -> dict[str, Any]:
    """Return the spikes of a small network on both backends."""
    network, n_steps = small_deterministic_network(MODEL), 2000
    found = {}
    for backend in backends():
        with open_simulator(network, SimulatorSettings("genn", genn_backend=backend), seed=1) as simulator:
            found[backend] = plain(simulator.run(n_steps, drive(n_steps)))
    return found


def continued() -> list[list[list[int]]]:
    """Return the spikes after a state, of the simulator that saved it and of one that restored it."""
    network, n_steps = small_deterministic_network(MODEL), 1000
    sent, found = drive(2 * n_steps), []
    first, rest = window(sent, 1, n_steps), window(sent, n_steps + 1, n_steps)
    with open_simulator(network, CUDA, seed=1) as simulator:
        simulator.run(n_steps, first)
        saved = simulator.state()
        found.append(plain(simulator.run(n_steps, rest)))
    with open_simulator(network, CUDA, seed=1) as simulator:
        simulator.run(3)  # so that the queues stand elsewhere
        simulator.set_state(saved)
        found.append(plain(simulator.run(n_steps, rest)))
    return found


RUNS: dict[str, Callable[[], Any]] = {
    run.__name__: run
    for run in (
        *(batch_wired, batch_drawn, batch_weights, procedural, procedural_recurrent),
        *(compile_wired, compile_drawn_batch, compile_procedural),
        *(memory, batch_memory, conformance, same_as_cpu, continued),
    )
}

if __name__ == "__main__":
    print(json.dumps({name: RUNS[name]() for name in sys.argv[1:]}))
