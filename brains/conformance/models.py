"""Conformance of neuron models beyond the leaky ones: timing, adaptation, distribution, refusal.

`suite.py` says how to use the checks. A simulator may lack a model; then it must refuse it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ethospike.brains.conformance.expectations import (
    SEED,
    OpenNetwork,
    check,
    expect,
    expect_active,
    expect_equal,
    expect_raises,
    expect_same,
    is_same,
    run_once,
)
from ethospike.brains.conformance.specimens import (
    DETERMINISTIC,
    FIRE,
    LEAKY,
    SILENT_MS,
    STOCHASTIC,
    cell,
    spikes,
)
from ethospike.brains.network import (
    NEURON_MODELS,
    CurrentInput,
    Network,
    NeuronModel,
    OneToOne,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.brains.simulator import Stimulus
from ethospike.errors import BrainError

OTHERS = tuple(model for model in DETERMINISTIC if model not in LEAKY)
DELAY_MS = 0.7
RATE_HZ, DEAD_MS = 40.0, 5.0
CELLS, RATE_STEPS = 400, 20_000


class Nowhere(NeuronModel):
    """A model without code for any simulator."""

    name = "nowhere"
    defaults = {"E_L": 0.0}


def has_model(open_network: OpenNetwork, model: str) -> bool:
    """Return whether a simulator runs a built-in model; its refusal must name the model."""
    try:
        open_network(Network((Population("cell", 1, model),)), seed=SEED).close()
    except BrainError as error:
        expect(model in str(error), f"the refusal of {model} must name it, but says {str(error)!r}")
        return False
    return True


@check
def check_model_timing(open_network: OpenNetwork) -> None:
    """A spike acts on each model in the step of its arrival or in the next, a current three steps later."""
    late = round(DELAY_MS / 0.1)
    for model in filter(partial(has_model, open_network), OTHERS):
        refractory = {"t_ref": SILENT_MS} if "t_ref" in NEURON_MODELS[model].parameters else {}
        names = ("first", "second")
        network = Network(
            tuple(cell(name, 2, model, **refractory) for name in names),
            (Projection("first>second", "first", "second", OneToOne(), FIRE[model], DELAY_MS),),
            (SpikeInput("fire", "first", FIRE[model], delay_ms=0.1),),
            (CurrentInput("current", "second", channels=None),),
        )
        with open_network(network, seed=SEED) as simulator:
            block = simulator.run(1000, spikes([10, 600], [0, 1]))
            pulse = simulator.run(10, Stimulus.currents(np.array([[0.0, 1e5]])))
            rest = simulator.run(10)
        acts = NEURON_MODELS[model].arrival_steps
        for neuron, sent in ((0, 10), (1, 600)):
            first = sent + 1 + acts
            expect_equal(
                block.step[block.neuron == neuron],
                np.array([first]),
                f"{model}: a spike of step s with a delay of d steps must fire the cell at s + d + {acts}",
            )
            expect_equal(
                block.step[block.neuron == 2 + neuron],
                np.array([first + late + acts]),
                f"{model}: a delay of {late} steps must be kept",
            )
        fired = np.concatenate([pulse.step[pulse.neuron == 3], rest.step[rest.neuron == 3]])
        expect(
            len(fired) > 0 and fired[0] == 1003 and fired[-1] <= 1012 and set(pulse.neuron) == {3},
            f"{model}: the current of the window after step 1000 must act from step 1003 to 1012, on its own "
            f"neuron; spikes of the neuron came at {fired.tolist()}",
        )


@check
def check_own_parameters(open_network: OpenNetwork) -> None:
    """Each cell of a model has its own parameters and initial state."""
    constants = {
        "iaf_psc_delta": ("I_e", 500.0, 700.0),
        "iaf_psc_alpha": ("I_e", 500.0, 700.0),
        "aeif_cond_exp": ("I_e", 700.0, 900.0),
        "izhikevich": ("I_e", 8.0, 12.0),
    }
    for model in filter(partial(has_model, open_network), OTHERS):
        key, low, high = constants[model]
        mixed = Network((cell("cell", 3, model, **{key: np.array([low, high, low])}),))
        block = run_once(open_network, mixed, 5000)
        alone = [
            run_once(open_network, Network((cell("cell", 1, model, **{key: value}),)), 5000)
            for value in (low, high, low)
        ]
        expect_active(alone[0], 3)
        expect(len(alone[1]) > len(alone[0]), f"{model}: the larger {key} must give more spikes")
        for neuron, expected in enumerate(alone):
            expect_equal(
                block.step[block.neuron == neuron],
                expected.step,
                f"{model}: cell {neuron} of three must fire as it does alone: has every cell its own {key}?",
            )


@check
def check_stochastic_spikes(open_network: OpenNetwork) -> None:
    """Escape noise has the distribution of its equation: a dead time, then spikes at a constant rate.

    With c_3 = 0 the rate is c_2 and each interval is the dead time plus a geometrically distributed number of
    steps. Mean and standard deviation of intervals must lie within five standard errors: the check fails for
    a right simulator once in a million seeds.
    """
    if not has_model(open_network, STOCHASTIC):
        return
    params = {"c_1": 0.0, "c_2": RATE_HZ, "c_3": 0.0, "dead_time": DEAD_MS}
    network = Network((Population("cell", CELLS, STOCHASTIC, params),))
    block = run_once(open_network, network, RATE_STEPS)
    expect_active(block, 1000)
    # Intervals that begin in the first half, so that hardly any is cut off by the end.
    intervals = np.concatenate(
        [
            np.diff(steps)[steps[:-1] < RATE_STEPS // 2]
            for steps in (block.step[block.neuron == neuron] for neuron in range(CELLS))
        ]
    )
    chance = -np.expm1(-RATE_HZ * 1e-4)  # of a spike in a step of 0.1 ms
    mean, sd = DEAD_MS / 0.1 + 1 / chance, np.sqrt(1 - chance) / chance
    error = sd / np.sqrt(len(intervals))
    expect(
        abs(float(intervals.mean()) - mean) < 5 * error,
        f"{STOCHASTIC}: intervals last {intervals.mean():.2f} steps on average instead of {mean:.2f} ± "
        f"{error:.2f}: is the rate in Hz, and is the dead time kept?",
    )
    # The fourth moment of an exponential distribution is 9 sd⁴: the variance has an error of sqrt(8/n) sd².
    expect(
        abs(float(intervals.std()) / sd - 1) < 5 * np.sqrt(2 / len(intervals)),
        f"{STOCHASTIC}: intervals vary by {intervals.std():.2f} steps instead of {sd:.2f}: has every cell "
        f"random numbers of its own?",
    )
    counts = np.bincount(block.neuron, minlength=CELLS)
    expect(len(np.unique(counts)) > 5, f"{STOCHASTIC}: cells fire equally often: do they share numbers?")
    expect_same(block, run_once(open_network, network, RATE_STEPS), "the same seed must give the same spikes")
    other = run_once(open_network, network, RATE_STEPS, seed=SEED + 1)
    expect(not is_same(block, other), "two seeds give the same random spikes")


@check
def check_unknown_model_is_refused(open_network: OpenNetwork) -> None:
    """A model without code for the simulator raises a `BrainError` instead of being replaced by another."""
    network = Network((Population("cell", 1, Nowhere()),))
    expect_raises(
        lambda: open_network(network, seed=SEED).close(), BrainError, "a model that the simulator lacks"
    )
    expect_active(run_once(open_network, Network((cell("cell", 1, LEAKY[0], I_e=700.0),)), 1000), 1)
