"""Conformance of cells and synapses: equations, delays, inputs, wiring, weights, plasticity.

`suite.py` says how to use the checks.
"""

from __future__ import annotations

from functools import partial

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
    run_once,
)
from ethospike.brains.conformance.specimens import (
    ADAPTING,
    CHAIN_DELAYS_MS,
    CURRENT_BASED,
    FIRE_PA,
    LEAKY,
    PROBE_LATE_MS,
    PROBE_SIZE,
    TEACH_CHANNEL,
    bipartite,
    chain,
    lessons,
    listed,
    probe,
    probe_with,
    spikes,
    tonic,
    tonic_spike_steps,
    trained,
    window,
)
from ethospike.brains.simulator import SpikeBlock, Stimulus, plastic_events
from ethospike.errors import SimulatorUnavailable


@check
def check_first_spike_latency(open_network: OpenNetwork) -> None:
    """Cells under constant current fire when the closed solution says so, each with its own parameters."""
    for model in LEAKY:
        deviations: dict[str, float | NDArray[np.float64]] = {
            # One column a cell; the last two begin above rest.
            "I_e": np.array([500.0, 700.0, 600.0, 600.0, 600.0, 600.0, 600.0, 600.0]),
            "C_m": np.array([250.0, 250.0, 200.0, 250.0, 250.0, 250.0, 250.0, 250.0]),
            "V_th": np.array([-55.0, -55.0, -55.0, -56.5, -55.0, -55.0, -55.0, -55.0]),
            "E_L": np.array([-70.0, -70.0, -70.0, -70.0, -67.5, -70.0, -70.0, -70.0]),
            "V_reset": np.array([-70.0, -70.0, -70.0, -70.0, -70.0, -76.0, -70.0, -70.0]),
            "t_ref": np.array([2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 7.0, 2.0]),
            "V_m": np.array([-70.0, -70.0, -70.0, -70.0, -70.0, -70.0, -60.0, -65.0]),
        }
        network = tonic(model, **deviations)
        for dt_ms in (0.1, 0.05):
            n_steps = round(150.0 / dt_ms)
            expected = tonic_spike_steps(network.populations[0], n_steps, dt_ms)
            block = run_once(open_network, network, n_steps, dt_ms=dt_ms)
            expect_active(block, 5 * len(expected))
            for neuron, steps in enumerate(expected):
                got = block.step[block.neuron == neuron]
                params = {key: float(np.asarray(v)[neuron]) for key, v in deviations.items()}
                expect_equal(
                    got,
                    steps,
                    f"{model}, dt {dt_ms} ms, cell {neuron} with {params}: is the equation solved exactly, "
                    f"does I_e act from step 1 on, is V clamped for t_ref after a spike and tested against "
                    f"V_th at the end of each step, and does every cell have its own parameters and initial "
                    f"V_m?",
                )


@check
def check_synaptic_time_constants(open_network: OpenNetwork) -> None:
    """Cells of one population may differ in their synaptic time constants."""
    for model in MODELS:
        network = probe_with(model, tau_syn_ex=np.array([0.5, 0.2, 2.0]))
        first = network.spike_channels("nearly").start
        block = run_once(open_network, network, 300, spikes(10, first + np.arange(PROBE_SIZE)))
        expect(
            block.neuron.tolist() == [2],
            f"{model}: the same weight must make only the cell with the slow synapse fire (neuron 2), got "
            f"{block.neuron.tolist()}: is tau_syn_ex taken from the first cell for all?",
        )


@check
def check_adaptation(open_network: OpenNetwork) -> None:
    """Spike-frequency adaptation lengthens intervals after the first spike and leaves the first one alone."""
    network = tonic(ADAPTING, I_e=np.array([600.0, 600.0]), q_sfa=np.array([0.0, 2.0]), tau_sfa=200.0)
    block = run_once(open_network, network, 5000)
    plain, adapted = (block.step[block.neuron == n] for n in (0, 1))
    expect_active(block, 20)
    expect(
        plain[0] == adapted[0],
        f"the first spike comes at step {adapted[0]} with adaptation and {plain[0]} without it: q_sfa must "
        f"act from the first spike on",
    )
    intervals = np.diff(adapted)
    expect(
        len(intervals) > 5 and bool((np.diff(intervals[:5]) > 0).all()),
        f"intervals {intervals[:6].tolist()} must grow: does each spike add q_sfa, and does it decay?",
    )
    expect(bool((np.diff(plain) == np.diff(plain)[0]).all()), "without q_sfa, intervals must not change")


@check
def check_voltages(open_network: OpenNetwork) -> None:
    """Recorded voltages are those of the closed solution; where there are none, asking is an error."""
    network = tonic(CURRENT_BASED, I_e=np.array([300.0, 200.0]))
    with open_network(network, seed=SEED, animals=2) as simulator:
        if not simulator.capabilities.records_voltage:
            expect_raises(partial(simulator.watch, np.array([0])), SimulatorUnavailable, "watch")
            expect_raises(simulator.voltages, SimulatorUnavailable, "voltages")
            return
        simulator.watch(np.array([1, 0]))
        for _ in range(2):
            time_ms = (simulator.step + np.arange(1, 201)) * 0.1
            simulator.run(200)
            got = simulator.voltages()
            expect(
                got.shape == (200, 2, 2), f"expected V_m of shape (steps, animals, watched), got {got.shape}"
            )
            for column, current_pa in enumerate((200.0, 300.0)):
                exact = -70.0 + current_pa * 0.04 * (1 - np.exp(-time_ms / 10.0))
                error = np.abs(got[:, :, column] - exact[:, None]).max()
                expect(
                    error < 1e-3,
                    f"V_m deviates by {error:.3g} mV: is it taken at the end of each step, in the order in "
                    f"which the neurons were asked for?",
                )


@check
def check_stimulus_timing(open_network: OpenNetwork) -> None:
    """A stimulus spike at step s with a delay of d steps first moves V_m at s + d + 1."""
    late = round(PROBE_LATE_MS / 0.1)
    for model in LEAKY:
        with open_network(probe(model), seed=SEED) as simulator:
            blocks = [
                simulator.run(500, spikes([1, 250, 490], [0, 1, 5])),
                simulator.run(500, spikes([501, 993, 1000], [0, 4, 2])),
                simulator.run(10),
            ]
        got = SpikeBlock.joined(blocks)
        expected = {0: [3, 503], 1: [252, 1001], 2: [490 + late + 1, 1002]}
        for neuron, steps in expected.items():
            expect_equal(
                got.step[got.neuron == neuron],
                np.array(steps),
                f"{model}: spikes at step s and delay d must act at s + d + 1, in the first and the last "
                f"step of a window and across its edge; delays are 1 and {late} steps",
            )


@check
def check_stimulus_adds_up(open_network: OpenNetwork) -> None:
    """Two equal stimulus spikes act twice."""
    for model in MODELS:
        network = probe(model)
        first = network.spike_channels("nearly").start
        with open_network(network, seed=SEED) as simulator:
            block = simulator.run(200, spikes([20, 20, 20], [first, first + 1, first + 1]))
        expect(
            block.neuron.tolist() == [1],
            f"{model}: one spike of this weight is too weak and two in one step are enough, but neurons "
            f"{block.neuron.tolist()} fired: are equal spikes merged?",
        )


@check
def check_current_timing(open_network: OpenNetwork) -> None:
    """The current of a window that begins after step t moves V_m at t + 3 … t + n + 2, and no longer."""
    for model in LEAKY:
        amplitudes = np.array([[FIRE_PA, 0.0, 0.0]])
        with open_network(probe(model), seed=SEED) as simulator:
            blocks = [
                simulator.run(20),
                simulator.run(30, Stimulus.currents(amplitudes)),
                simulator.run(30, Stimulus.currents(amplitudes[:, ::-1].copy())),
                simulator.run(30),
            ]
        got = SpikeBlock.joined(blocks)
        for neuron, steps in ((0, np.arange(23, 53)), (1, np.array([])), (2, np.arange(53, 83))):
            expect_equal(
                got.step[got.neuron == PROBE_SIZE + neuron],
                steps,
                f"{model}, current channel {neuron}: a window's current must flow for as many steps as the "
                f"window has, two steps later than the window (the path of NEST's dc_generator), into its "
                f"own channel's neurons only, and end when the next window gives none",
            )


@check
def check_live_input(open_network: OpenNetwork) -> None:
    """Input of a window acts in that window, is not repeated in the next, and may change any time."""
    for model in MODELS:
        with open_network(probe(model), seed=SEED) as simulator:
            for index in range(12):
                begin = simulator.step
                channel = index % PROBE_SIZE
                block = simulator.run(300, spikes(begin + 5 + index, channel) if index % 4 else None)
                expected = [(begin + 7 + index, channel)] if index % 4 else []
                got = list(zip(block.step.tolist(), block.neuron.tolist(), strict=True))
                expect(
                    got == expected,
                    f"{model}, window {index}: expected (step, neuron) {expected}, got {got}: is the "
                    f"stimulus of another window used?",
                )


@check
def check_delays(open_network: OpenNetwork) -> None:
    """A spike of step s with a delay of d steps makes its target fire at s + d + 1 at the earliest."""
    for model in LEAKY:
        block = run_once(open_network, chain(model), 100, spikes([10], [0]))
        expect_equal(block.step[block.neuron == 0], np.array([12]), f"{model}: the first cell must fire")
        for neuron, delay_ms in enumerate(CHAIN_DELAYS_MS, start=1):
            steps = round(delay_ms / 0.1)
            expect_equal(
                block.step[block.neuron == neuron],
                np.array([12 + steps + 1]),
                f"{model}: a delay of {delay_ms} ms must last {steps} steps, and act in the step after",
            )


@check
def check_wiring(open_network: OpenNetwork) -> None:
    """Each spike reaches exactly the targets that `Network.wire` lists, in every animal."""
    network = bipartite(CURRENT_BASED)
    size, gap = network.population("source").size, 250
    everyone = np.repeat(np.arange(2), size)
    fire = spikes(np.tile(np.arange(size) * gap + 10, 2), np.tile(np.arange(size), 2), everyone)
    with open_network(network, seed=SEED, animals=2) as simulator:
        block = simulator.run(size * gap, fire)
    expect_active(block, 3 * size)
    for animal in range(2):
        wired = network.wire("source>target", SEED, animal)
        expected = set(zip(wired.source.tolist(), wired.target.tolist(), strict=True))
        of_target = (block.animal == animal) & (block.neuron >= size)
        got = set(
            zip(
                (block.step[of_target] // gap).tolist(),
                (block.neuron[of_target] - size).tolist(),
                strict=True,
            )
        )
        expect(
            got == expected,
            f"animal {animal}: synapses {sorted(got - expected)[:5]} should not be there and "
            f"{sorted(expected - got)[:5]} are missing (source, target): does `Network.wire` draw them?",
        )


@check
def check_listed_weights(open_network: OpenNetwork) -> None:
    """Each listed pair has the weight listed with it, in whatever order the pairs are listed."""
    network, pairs, strong = listed()
    size, gap = network.population("source").size, 250
    stimulus = spikes(np.arange(size) * gap + 10, np.arange(size))
    with open_network(network, seed=SEED, animals=1) as simulator:
        block = simulator.run(size * gap, stimulus)
        if network.is_wired_by_numpy:
            order = np.lexsort((pairs[:, 1], pairs[:, 0]))
            expect(
                ((simulator.weights("source>target")[0] > 1.0) == strong[order]).all(),
                "weights() of listed pairs is not sorted by (source, target)",
            )
    expect_active(block, size)
    of_target = block.neuron >= size
    got = set(
        zip((block.step[of_target] // gap).tolist(), (block.neuron[of_target] - size).tolist(), strict=True)
    )
    expected = set(map(tuple, pairs[strong].tolist()))
    expect(
        got == expected,
        f"strong synapses {sorted(got - expected)} should be weak and {sorted(expected - got)} act as weak "
        f"(source, target): does each weight stay with the pair it was listed with?",
    )


@check
def check_signs(open_network: OpenNetwork) -> None:
    """Excitation raises and inhibition lowers the firing of a cell, the more the stronger."""
    for model in LEAKY:
        network = probe_with(model, I_e=520.0, t_ref=2.0)
        nearly, hold = (network.spike_channels(name).start for name in ("nearly", "hold"))
        step = np.arange(10, 1500, 40)
        excite, inhibit = spikes(step, nearly), spikes(step, hold + 1)
        both = spikes(
            np.concatenate([excite.step, inhibit.step]), np.concatenate([excite.channel, inhibit.channel])
        )
        block = run_once(open_network, network, 1500, both)
        more, less, plain = np.bincount(block.neuron, minlength=2 * PROBE_SIZE)[:PROBE_SIZE]
        expect(plain > 5, f"{model}: the undisturbed cell fired only {plain} times")
        expect(
            more > plain > less,
            f"{model}: {more} spikes with excitation, {plain} without, {less} with inhibition: a negative "
            f"weight must choose the inhibitory receptor and hold the cell down",
        )


@check
def check_weights(open_network: OpenNetwork) -> None:
    """Weights are those of the description, can be replaced, are copies, and act on their own synapse."""
    for model in MODELS:
        network = bipartite(model)
        wired = [network.wire("source>target", SEED, animal) for animal in range(1)]
        with open_network(network, seed=SEED) as simulator:
            weights = simulator.weights("source>target")
            expect_close(
                weights,
                np.array([synapses.weight for synapses in wired]),
                "`weights` must be those of the network, shape (animals, synapses), in the order of `wire`",
            )
            chosen = len(wired[0].source) // 2
            source, target = int(wired[0].source[chosen]), int(wired[0].target[chosen])
            changed = np.zeros_like(weights)
            changed[0, chosen] = weights[0, chosen]
            weights[:] = np.nan  # a copy: this must not reach the simulator
            before = simulator.run(300, spikes(5, source))
            expect_active(before, 2)
            simulator.set_weights("source>target", changed)
            expect_close(simulator.weights("source>target"), changed, "`weights` must return what was set")
            after = simulator.run(300, spikes(305, np.arange(network.population("source").size)))
            fired = after.neuron[after.neuron >= network.offset("target")] - network.offset("target")
            expect(
                fired.tolist() == [target],
                f"{model}: with only the synapse {source}>{target} left, targets {fired.tolist()} fired: are "
                f"weights set in the order of `wire`, and do they act from the next step on?",
            )


@check
def check_plasticity(open_network: OpenNetwork) -> None:
    """Final weights are those of the reference rule for the simulator's own spikes."""
    network, animals, n_steps = trained(), 2, 6000
    projection = network.projection("source>target")
    stimulus = lessons(n_steps, animals)
    with open_network(network, seed=SEED, animals=animals) as simulator:
        block = SpikeBlock.joined(
            [simulator.run(n, window(stimulus, simulator.step + 1, n)) for n in (777, 223, 5000)]
        )
        final = simulator.weights(projection.name)
    expect_active(block, 200)
    for animal in range(animals):
        reference = network.reference(projection.name, SEED, animal, dt_ms=0.1)
        events = plastic_events(network, projection.name, block, animal, first_step=1, n_steps=n_steps)
        expected = reference.apply(events)
        # The lowest have been at the floor, and since then recovered by 1 % with each of a few spikes.
        expect(
            bool(expected.min() < 5.0 and 10.0 < expected.max() < 90.0),
            f"the specimen's weights must spread from the floor upwards, but are {np.sort(expected)} nS",
        )
        error = float(np.abs(final[animal] - expected).max())
        expect(
            error < 1e-3,  # nS of 100; single precision over some hundred events costs 1e-4
            f"animal {animal}: weights deviate from the reference rule by {error:.3g} nS. Within a step the "
            f"order is source (eligibility), modulator (depression), target (recovery); weights are "
            f"floored at 0; all spikes up to the end of the window count",
        )


@check
def check_plasticity_acts(open_network: OpenNetwork) -> None:
    """Depressed weights are the ones that transmit; with exact plasticity from the same step on."""
    network = trained(learning_rate=1000.0, homeostasis=0.0)
    targets = network.neurons("target")
    with open_network(network, seed=SEED) as simulator:
        exact = simulator.capabilities.exact_plasticity
        before = simulator.run(1000, spikes(10, 0))
        both = simulator.run(1000, spikes([1010, 1010], [1, TEACH_CHANNEL]))
        after = simulator.run(1000, spikes([2010, 2010, 2310], [0, 1, 2]))
    expect(
        bool((before.neuron >= targets.start).any()), "the source must make the targets fire before training"
    )
    expect_equal(
        both.step[both.neuron < targets.start],
        np.array([1012, 1012]),
        "source and modulator must fire together",
    )
    if exact:
        expect(
            not (both.neuron >= targets.start).any(),
            "a source spike of the modulator's own step must be transmitted with the weight after the "
            "depression: process the events of a step before sending its spikes",
        )
    fired = after.step[after.neuron >= targets.start]
    expect(
        len(fired) > 0 and int(fired[0]) >= 2314,
        f"targets must answer source 2 alone (from step 2314 on), whose synapses were not eligible, but "
        f"fired at {fired[:3].tolist()}: do changed weights reach the synapses, and the right ones?",
    )


@check
def check_recovery(open_network: OpenNetwork) -> None:
    """Plastic weights that were set recover to those of the network's description."""
    network = trained(learning_rate=0.0, homeostasis=0.5)
    with open_network(network, seed=SEED) as simulator:
        initial = simulator.weights("source>target")
        simulator.set_weights("source>target", 0.5 * initial)
        block = simulator.run(3000, spikes(np.arange(10, 3000, 300), 0))
        final = simulator.weights("source>target")
    expect((block.neuron >= network.offset("target")).sum() >= 10, "the targets of the specimen must fire")
    expect(
        float(np.abs(final - initial).max()) < 0.01,
        f"weights recovered from half of {initial.max():.3g} to {final.max():.3g} nS only: the goal "
        f"stays that of the description, whatever was set",
    )
