"""Conformance of runs: clocks, windows, seeds, animals, states, and manners.

`suite.py` says how to use the checks.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.conformance.expectations import (
    MODELS,
    SEED,
    OpenNetwork,
    check,
    expect,
    expect_active,
    expect_close,
    expect_equal,
    expect_raises,
    expect_same,
    is_same,
    of_animal,
    resident_bytes,
    run_once,
)
from ethospike.brains.conformance.specimens import (
    CLOCK_DELAY_MS,
    CURRENT_BASED,
    PROBE_SIZE,
    bipartite,
    busy,
    chain,
    clock,
    drive,
    listed_delays,
    probe,
    small_deterministic_network,
    spikes,
    tonic_spike_steps,
    window,
)
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.errors import BrainError, SimulatorUnavailable

LEAK_LIMIT_BYTES = 8_000_000
"""Growth of resident memory over 1,000 windows: NEST itself takes 2 MB; a list that keeps one array of 10 kB
a window takes more than this."""


@check
def check_spike_block(open_network: OpenNetwork) -> None:
    """Spikes are sorted by (step, animal, neuron), lie in their window, and have the agreed types."""
    for model in MODELS:
        network = small_deterministic_network(model)
        with open_network(network, seed=SEED, animals=2) as simulator:
            stimulus = drive(1500, animals=2)
            for n_steps in (700, 800):
                first, last = simulator.step + 1, simulator.step + n_steps
                block = simulator.run(n_steps, window(stimulus, first, n_steps))
                expect_active(block, 20)
                expect(simulator.step == last, f"after {n_steps} steps, `step` is {simulator.step}")
                dtypes = [block.step.dtype, block.animal.dtype, block.neuron.dtype]
                expect(
                    dtypes == [np.int64, np.int32, np.int32], f"expected int64, int32, int32, got {dtypes}"
                )
                order = np.lexsort((block.neuron, block.animal, block.step))
                expect(
                    bool((order == np.arange(len(block))).all()),
                    "spikes are not sorted by (step, animal, neuron); `SpikeBlock.sorted` does it",
                )
                expect(
                    first <= block.step[0] and block.step[-1] <= last,
                    f"steps {block.step[0]} … {block.step[-1]} are not in the window {first} … {last}: is "
                    f"the clock counted from 1, and was the recorder emptied after the last window?",
                )
                expect(
                    set(np.unique(block.animal)) == {0, 1}
                    and block.neuron.min() >= 0
                    and block.neuron.max() < network.n_neurons,
                    "animals are counted from 0, and neurons from 0 through the populations of an animal",
                )


@check
def check_same_seed_same_spikes(open_network: OpenNetwork) -> None:
    """The same seed gives the same spikes, another seed another network."""
    for model in MODELS:
        network, stimulus = small_deterministic_network(model), drive(1000)
        once = run_once(open_network, network, 1000, stimulus)
        expect_active(once, 20)
        expect_same(
            once,
            run_once(open_network, network, 1000, stimulus),
            "two runs with the same seed differ: something draws from an unseeded generator, or an earlier "
            "run left traces in the simulator",
        )
        other = run_once(open_network, network, 1000, stimulus, seed=SEED + 1)
        expect(
            not is_same(once, other),
            "two seeds give the same spikes: wiring and drawn parameters must come from `seed`",
        )


@check
def check_split_run(open_network: OpenNetwork) -> None:
    """Windows of any lengths give the spikes of one long run, plasticity included."""
    lengths = (1, 7, 92, 200, 33, 667, 500)
    total = sum(lengths)
    for network, stimulus in busy(total):
        whole = run_once(open_network, network, total, stimulus)
        expect_active(whole, 30)
        with open_network(network, seed=SEED) as simulator:
            parts = [simulator.run(n, window(stimulus, simulator.step + 1, n)) for n in lengths]
        expect_same(
            whole,
            SpikeBlock.joined(parts),
            "a run that is cut into windows differs from the whole run: is something reset, rounded or "
            "lost between windows (spikes under way, currents, refractory periods, eligibility)?",
        )


@check
def check_animals_are_independent(open_network: OpenNetwork) -> None:
    """Animal 1 of 2 is animal 1 of 3; animals differ; and events in one do not move another."""
    for (network, of_two), (_, of_three) in zip(busy(1200, 2), busy(1200, 3), strict=True):
        two = run_once(open_network, network, 1200, of_two, animals=2)
        expect_active(of_animal(two, 1), 20)
        expect_same(
            of_animal(two, 1),
            of_animal(run_once(open_network, network, 1200, of_three, animals=3), 1),
            "animal 1 of 2 differs from animal 1 of 3: draw everything from streams keyed by the animal, "
            "and wire within animals only",
        )
        of_second = of_two.animal == 1
        alone = Stimulus(
            of_two.step[of_second], of_two.animal[of_second], of_two.channel[of_second], of_two.current_pa
        )
        expect_same(
            of_animal(two, 1),
            of_animal(run_once(open_network, network, 1200, alone, animals=2), 1),
            "animal 1 fires otherwise when animal 0 gets no input: inputs or synapses cross between animals",
        )
    network, stimulus = small_deterministic_network(CURRENT_BASED), drive(1200)
    twice = spikes(
        np.tile(stimulus.step, 2),
        np.tile(stimulus.channel, 2),
        np.repeat([0, 1], len(stimulus.step)),
    )
    both = run_once(open_network, network, 1200, twice, animals=2)
    trains = [
        list(zip(block.step, block.neuron, strict=True)) for block in (of_animal(both, 0), of_animal(both, 1))
    ]
    expect_active(both, 40)
    expect(
        trains[0] != trains[1],
        "animals 0 and 1 answer the same input alike: each has its own wiring and its own drawn parameters",
    )


@check
def check_long_clock(open_network: OpenNetwork, steps: int = 2**24) -> None:
    """Spike steps are exact beyond step 2^24, where single-precision time cannot count any more."""
    network = clock()
    (expected,) = tonic_spike_steps(network.populations[0], steps + 2_500, 0.1)
    seen: list[NDArray[np.int64]] = []
    with open_network(network, seed=SEED) as simulator:
        while simulator.step < steps:
            block = simulator.run(min(2**20, steps - simulator.step))
            seen.append(block.step[block.neuron == 0])
        asked = steps + np.array([1, 1004, 1239])
        block = simulator.run(2_500, spikes(asked, [0, 1, 2]))
    seen.append(block.step[block.neuron == 0])
    answered = block.step[block.neuron > 0]
    expect_active(block, 4)
    expect_equal(
        answered,
        asked + round(CLOCK_DELAY_MS / 0.1) + 1,
        f"answers to spikes after step {steps} come at the wrong steps: does time, in a recorder or in a "
        f"kernel, have single precision?",
    )
    expect_equal(
        np.concatenate(seen),
        expected,
        f"a cell that must fire with a constant period did not, over {steps} steps: does time have single "
        f"precision, or are spikes lost or doubled at the edges of windows?",
    )


@check
def check_memory(open_network: OpenNetwork) -> None:
    """Memory does not grow over 1,000 windows."""
    network = small_deterministic_network(CURRENT_BASED)
    stimulus = drive(6_000, animals=5)
    n_spikes, at_start = 0, 0
    with open_network(network, seed=SEED, animals=5) as simulator:
        for index in range(1_200):
            if index == 200:  # whatever is loaded or grown on demand has been by now
                at_start = resident_bytes()
            n_spikes += len(simulator.run(5, window(stimulus, 5 * index + 1, 5)))
        grown = resident_bytes() - at_start
    expect(n_spikes > 1_000, f"the specimen was nearly silent: {n_spikes} spikes")
    expect(
        grown < LEAK_LIMIT_BYTES,
        f"memory grew by {grown / 1e6:.1f} MB over 1,000 windows: are spikes kept after they were returned?",
    )


@check
def check_bad_input_is_refused(open_network: OpenNetwork) -> None:
    """Input that does not fit raises a `BrainError` and changes nothing."""
    network = probe(CURRENT_BASED)
    nan, zero = np.full((1, PROBE_SIZE), np.nan), np.zeros(1, np.int32)
    half: Any = zero + 0.5  # what a type checker would refuse before
    no_lengths: tuple[Any, ...] = (0, -5, 1.5)
    with open_network(network, seed=SEED) as simulator:
        simulator.run(100)
        for what, stimulus in (
            ("a stimulus spike before the window", spikes(100, 0)),
            ("a stimulus spike after the window", spikes(201, 0)),
            ("a channel that does not exist", spikes(150, network.n_spike_channels)),
            ("a negative channel", spikes(150, -1)),
            ("an animal that does not exist", spikes(150, 0, 1)),
            (
                "unsorted stimulus spikes",
                Stimulus(np.array([160, 150]), np.zeros(2, np.int32), np.zeros(2, np.int32)),
            ),
            (
                "arrays of different lengths",
                Stimulus(np.array([150]), np.zeros(2, np.int32), np.zeros(1, np.int32)),
            ),
            ("a step that is not a whole number", Stimulus(np.array([150.5]), zero, zero)),
            ("a step that is not a number", Stimulus(np.array([np.nan]), zero, zero)),
            ("an animal that is not a whole number", Stimulus(np.array([150]), half, zero)),
            ("a channel that is not a whole number", Stimulus(np.array([150]), zero, half)),
            ("currents of the wrong shape", Stimulus.currents(np.zeros((2, PROBE_SIZE)))),
            ("a current that is not a number", Stimulus.currents(nan)),
        ):
            expect_raises(partial(simulator.run, 100, stimulus), BrainError, what)
        for n_steps in no_lengths:
            expect_raises(partial(simulator.run, n_steps), BrainError, f"a window of {n_steps} steps")
        block = simulator.run(100, spikes(150, 0))
    expect_equal(
        block.step[block.neuron == 0], np.array([152]), "after refused input, the next window must work"
    )
    expect(len(block) == 1, "refused input must leave no trace")
    with open_network(bipartite(CURRENT_BASED), seed=SEED) as simulator:
        weights = simulator.weights("source>target")
        for what, given in (
            ("weights of the wrong shape", weights[:, 1:]),
            ("a weight that is not a number", np.full_like(weights, np.nan)),
            ("a weight that changes its sign", -weights),
        ):
            expect_raises(partial(simulator.set_weights, "source>target", given), BrainError, what)
        simulator.set_weights("source>target", 0.0 * weights)
        expect_raises(
            partial(simulator.set_weights, "source>target", -weights),
            BrainError,
            "a weight that changes its sign by way of 0",
        )
        simulator.set_weights("source>target", weights)
        expect_raises(partial(simulator.weights, "target>source"), BrainError, "an unknown projection")
        expect_close(simulator.weights("source>target"), weights, "refused weights must leave no trace")


@check
def check_delay_off_the_grid_is_refused(open_network: OpenNetwork) -> None:
    """A delay that is not a whole number of steps raises a `BrainError` instead of being rounded."""
    expect_raises(
        lambda: open_network(chain(CURRENT_BASED), seed=SEED, dt_ms=0.15).close(),
        BrainError,
        "a delay of 0.2 ms with steps of 0.15 ms",
    )
    expect_raises(
        lambda: open_network(listed_delays()[0], seed=SEED, dt_ms=0.15).close(),
        BrainError,
        "an array of delays, such as 0.2 ms, with steps of 0.15 ms",
    )


@check
def check_close(open_network: OpenNetwork) -> None:
    """Closing twice is harmless, using a closed simulator is an error, and another one can be opened."""
    network = probe(CURRENT_BASED)
    simulator = open_network(network, seed=SEED)
    first = simulator.run(100, spikes(10, 0))
    expect_active(first, 1)
    simulator.close()
    simulator.close()
    expect_raises(partial(simulator.run, 100), SimulatorUnavailable, "running a closed simulator")
    with open_network(network, seed=SEED) as again:
        expect(again.step == 0, f"a new simulator begins at step 0, not {again.step}")
        expect_same(first, again.run(100, spikes(10, 0)), "a simulator remembers the one before it")
    expect_raises(partial(again.run, 100), SimulatorUnavailable, "running after the `with` block")
