"""Specimens: small networks of known behavior, for checking and comparing simulators.

All numbers are chosen here, so that an effect is either far above threshold or far below it; none describes
an animal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethospike.brains.network import (
    NEURON_MODELS,
    AllToAll,
    CurrentInput,
    DopamineGated,
    Explicit,
    FixedIndegree,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Parameter,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.brains.simulator import Stimulus

CURRENT_BASED = "iaf_psc_exp"
ADAPTING = "iaf_cond_exp_sfa_rr"
LEAKY = (CURRENT_BASED, "iaf_cond_exp", ADAPTING)
"""Leaky integrate-and-fire models, for which closed solutions say when they fire."""
DETERMINISTIC = (*LEAKY, "iaf_psc_delta", "iaf_psc_alpha", "aeif_cond_exp", "izhikevich")
"""Models that fire the same spikes on all simulators."""
STOCHASTIC = "pp_psc_delta"

FIRE: dict[str, float] = {
    "iaf_psc_exp": 150e3,
    "iaf_cond_exp": 2e3,
    "iaf_cond_exp_sfa_rr": 2e3,
    "iaf_psc_delta": 30.0,
    "iaf_psc_alpha": 300e3,
    "aeif_cond_exp": 2e3,
    "izhikevich": 110.0,
}
"""Weight (pA, nS or mV) at which one spike fires a cell of `cell` in a step of 0.1 ms."""
NEARLY: dict[str, float] = {"iaf_psc_exp": 5400.0, "iaf_cond_exp": 85.0, "iaf_cond_exp_sfa_rr": 85.0}
"""Weight at which one spike lifts a cell of `cell` by about 9 of the 15 mV to threshold, two by 17 mV."""
FIRE_PA = 1e6
"""Current that lifts a cell of `cell` by 400 mV in a step of 0.1 ms."""
SILENT_MS = 20.0
"""Refractory period of cells that answer one spike once, whatever is left of the synaptic current."""


def cell(name: str, size: int, model: str, **deviations: Parameter) -> Population:
    """Return cells with a membrane time constant of 10 ms, 15 mV from rest to threshold, brief synapses."""
    params: dict[str, Parameter] = {"E_L": -70.0, "V_reset": -70.0, "V_th": -55.0, "t_ref": 2.0}
    params |= {"C_m": 250.0, "tau_syn_ex": 0.5, "tau_syn_in": 0.5, "tau_m": 10.0, "g_L": 25.0}
    params |= {"E_ex": 0.0, "E_in": -85.0, "q_sfa": 0.0, "a": 0.0, "b": 0.0, "V_peak": -50.0}
    if model == "izhikevich":  # at its rest; without a time constant
        params = {"V_m": -70.0, "U_m": -14.0}
    known = NEURON_MODELS[model].parameters
    params = {key: value for key, value in params.items() if key in known}
    return Population(name, size, model, params | deviations)


def spikes(step: ArrayLike, channel: ArrayLike, animal: ArrayLike = 0) -> Stimulus:
    """Return input spikes, sorted as a `Stimulus` must be; the arguments are broadcast together."""
    step, animal, channel = np.broadcast_arrays(np.atleast_1d(step), animal, channel)
    order = np.lexsort((channel, animal, step))
    return Stimulus(
        step[order].astype(np.int64), animal[order].astype(np.int32), channel[order].astype(np.int32)
    )


def window(stimulus: Stimulus, first_step: int, n_steps: int) -> Stimulus:
    """Return the part of a stimulus that lies in the window of `n_steps` that begins with `first_step`."""
    low, high = np.searchsorted(stimulus.step, [first_step, first_step + n_steps])
    part = slice(low, high)
    return Stimulus(stimulus.step[part], stimulus.animal[part], stimulus.channel[part], stimulus.current_pa)


def poisson_spikes(
    n_steps: int, channels: Iterable[int], probability: ArrayLike, animals: int = 1, seed: int = 0
) -> Stimulus:
    """Return random input spikes, with one probability a step or one a channel.

    Each animal's spikes do not depend on how many animals there are.
    """
    channels, chance = np.asarray(list(channels)), np.asarray(probability)
    steps, who, where = [], [], []
    for animal in range(animals):
        drawn = np.random.default_rng([seed, animal]).random((n_steps, len(channels))) < chance
        step, index = np.nonzero(drawn)
        steps.append(step + 1)
        who.append(np.full(len(step), animal))
        where.append(channels[index])
    return spikes(np.concatenate(steps), np.concatenate(where), np.concatenate(who))


# ---------------------------------------------------------------------------------------------------


PROBE_SIZE = 3
"""Neurons in each of the two populations of `probe`."""
PROBE_LATE_MS = 0.7
"""Delay of the input "late" of `probe`."""


def probe(model: str) -> Network:
    """Return cells that answer inputs at once.

    `relay` answers each suprathreshold spike once; `counter` has no refractory period and answers in every
    step in which its current flows. Spike channels: "fire" 0–2 and "late" 3–5 make a relay fire, "nearly"
    6–8 does so only twice at a time, "hold" 9–11 keeps it from firing. Current channels: one a counter.
    """
    relay = cell("relay", PROBE_SIZE, model, t_ref=SILENT_MS)
    counter = cell("counter", PROBE_SIZE, model, t_ref=0.0)
    return Network(
        (relay, counter),
        spike_inputs=(
            SpikeInput("fire", "relay", FIRE[model], delay_ms=0.1),
            SpikeInput("late", "relay", FIRE[model], delay_ms=PROBE_LATE_MS),
            SpikeInput("nearly", "relay", NEARLY[model], delay_ms=0.1),
            SpikeInput("hold", "relay", -20 * FIRE[model], delay_ms=0.1),
        ),
        current_inputs=(CurrentInput("current", "counter", channels=None),),
    )


def probe_with(model: str, **deviations: Parameter) -> Network:
    """Return `probe` with other parameters for the relays."""
    network = probe(model)
    relay, counter = network.populations
    changed = Population(relay.name, relay.size, relay.model, {**relay.params, **deviations})
    return Network((changed, counter), (), network.spike_inputs, network.current_inputs)


CLOCK_DELAY_MS = 100.0
"""Long, because some simulators advance by the shortest delay at once: many steps are soon done."""


def clock() -> Network:
    """Return a cell that fires by itself with a constant period, and three that fire on demand."""
    ticking = cell("ticking", 1, CURRENT_BASED, I_e=700.0)
    relay = cell("relay", PROBE_SIZE, CURRENT_BASED, t_ref=SILENT_MS)
    return Network(
        (ticking, relay),
        spike_inputs=(SpikeInput("fire", "relay", FIRE[CURRENT_BASED], delay_ms=CLOCK_DELAY_MS),),
    )


DRIVEN = 30
"""Excitatory cells, and drive channels, of `small_deterministic_network`."""

CHAIN_DELAYS_MS = (0.1, 0.2, 0.7, 2.5)


def chain(model: str) -> Network:
    """Return one cell that fires four others, each after its own delay (`CHAIN_DELAYS_MS`)."""
    targets = [f"after_{delay}" for delay in CHAIN_DELAYS_MS]
    return Network(
        tuple(cell(name, 1, model, t_ref=SILENT_MS) for name in ("first", *targets)),
        tuple(
            Projection(f"first>{name}", "first", name, OneToOne(), FIRE[model], delay)
            for name, delay in zip(targets, CHAIN_DELAYS_MS, strict=True)
        ),
        (SpikeInput("fire", "first", FIRE[model]),),
    )


def bipartite(model: str, size: int = 12) -> Network:
    """Return sources that fire one by one on demand and, wired at random, the targets that they fire."""
    return Network(
        tuple(cell(name, size, model, t_ref=SILENT_MS) for name in ("source", "target")),
        (Projection("source>target", "source", "target", PairwiseBernoulli(0.3), FIRE[model], 0.3),),
        (SpikeInput("fire", "source", FIRE[model]),),
    )


def tonic(model: str, **deviations: float | NDArray[np.float64]) -> Network:
    """Return cells that fire by their own constant current `I_e`; as many as the longest parameter has."""
    size = max(np.size(value) for value in deviations.values())
    return Network((cell("tonic", size, model, **deviations),))


def tonic_spike_steps(population: Population, n_steps: int, dt_ms: float) -> list[NDArray[np.int64]]:
    """Return when each cell of a `tonic` population fires, from the closed solution of its equation.

    V(t) = V∞ + (V_m − V∞) exp(−t/τ), V∞ = E_L + R I_e: the first step is the first grid point at which V
    has reached V_th, and the next ones follow after t_ref and the way from V_reset to V_th.

    Raises
    ------
    ValueError
        When a crossing lies within a fiftieth of a step of the grid: its step would be undecided.
    """

    def value(key: str) -> NDArray[np.float64]:
        given = np.asarray(population.param(key), dtype=float)
        return np.broadcast_to(given, (population.size,))

    if population.model == CURRENT_BASED:
        tau_ms, resistance = value("tau_m"), value("tau_m") / value("C_m")
    else:
        tau_ms, resistance = value("C_m") / value("g_L"), 1 / value("g_L")
    final = value("E_L") + resistance * value("I_e")
    rises = []
    for start in (value("V_m"), value("V_reset")):
        exact = tau_ms / dt_ms * np.log((final - start) / (final - value("V_th")))
        if (np.abs(exact - np.round(exact)) < 0.02).any():
            raise ValueError(f"a crossing after {exact} steps is too near the grid to be decided")
        rises.append(np.ceil(exact).astype(np.int64))
    refractory = np.round(value("t_ref") / dt_ms).astype(np.int64)
    first, period = rises[0], rises[1] + refractory
    return [np.arange(f, n_steps + 1, p) for f, p in zip(first, period, strict=True)]


def listed() -> tuple[Network, NDArray[np.int64], NDArray[np.bool_]]:
    """Return a network of listed pairs, the pairs, and which of them make their target fire.

    Sources descend and targets jump, so that the listed order is no sorted one.
    """
    size = 6
    pairs = np.array([(s, t) for s in reversed(range(size)) for t in (4, 1, 5, 0)])
    strong = np.arange(len(pairs)) % 3 == 0
    fire = FIRE[CURRENT_BASED]
    weights = np.where(strong, fire, 1e-3)
    network = Network(
        tuple(cell(name, size, CURRENT_BASED, t_ref=SILENT_MS) for name in ("source", "target")),
        (Projection("source>target", "source", "target", Explicit(pairs), weights, delay_ms=1.0),),
        (SpikeInput("in", "source", fire),),
    )
    return network, pairs, strong


def _relays(size: int) -> list[Population]:
    return [cell(name, size, CURRENT_BASED, t_ref=SILENT_MS) for name in ("source", "target")]


def _fired_sources() -> SpikeInput:
    return SpikeInput("in", "source", FIRE[CURRENT_BASED], delay_ms=0.1)


def listed_delays() -> tuple[Network, NDArray[np.int64], NDArray[np.int64]]:
    """Return a network of listed pairs that fire their targets, the pairs, and their delays in steps."""
    size = 6
    pairs = np.array([(s, t) for s in reversed(range(size)) for t in (4, 1, 5, 0)])
    steps = 1 + np.arange(len(pairs)) * 7 % 23
    delay_ms = (steps * 0.1).astype(np.float64)
    projection = Projection(
        "source>target", "source", "target", Explicit(pairs), FIRE[CURRENT_BASED], delay_ms
    )
    return Network(tuple(_relays(size)), (projection,), (_fired_sources(),)), pairs, steps


@dataclass(frozen=True)
class Either:
    """A distribution of two values, equally likely."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values."""
        return np.where(rng.random(size) < 0.5, self.low, self.high)


def drawn_synapses() -> Network:
    """Return sources with drawn synapses: half of the weights fire the target, and delays are up to 3 ms."""
    weight = Either(1e-3, FIRE[CURRENT_BASED])
    projection = Projection("source>target", "source", "target", FixedIndegree(4), weight, Uniform(0.06, 3.0))
    return Network(tuple(_relays(12)), (projection,), (_fired_sources(),))


def several_projections() -> tuple[Network, set[tuple[int, int, int]]]:
    """Return four projections between two populations, and the (source, target, delay in steps) that act.

    One spike of a weak synapse does not fire a target; two at once do, some steps later than a strong one.
    """
    weak, fire = NEARLY[CURRENT_BASED], FIRE[CURRENT_BASED]

    def projection(name: str, pairs: list[tuple[int, int]], weight: float, delay_ms: float) -> Projection:
        return Projection(name, "source", "target", Explicit(np.array(pairs)), weight, delay_ms)

    network = Network(
        tuple(_relays(6)),
        (
            projection("weak", [(0, 0), (1, 1), (3, 3), (3, 3)], weak, 0.5),
            projection("weak too", [(1, 1), (2, 2)], weak, 0.5),
            projection("strong", [(4, 4), (5, 0)], fire, 0.5),
            projection("strong and late", [(4, 5), (5, 1)], fire, 2.0),
        ),
        (_fired_sources(),),
    )
    # V − E_L after t ms, the closed solution for C_m 250 pF, tau_m 10 ms and tau_syn 0.5 ms.
    time_ms = np.arange(1, 20) * 0.1
    rise = 2 * weak / 250.0 * 0.5 * 10.0 / 9.5 * (np.exp(-time_ms / 10.0) - np.exp(-time_ms / 0.5))
    together = 5 + int(np.argmax(rise >= 15.0))
    acting = {(1, 1, together), (3, 3, together), (4, 4, 5), (5, 0, 5), (4, 5, 20), (5, 1, 20)}
    return network, acting


def many_synapses() -> Network:
    """Return two projections of over a million synapses each that fire their targets after 1 and 2 ms."""
    return Network(
        tuple(_relays(1_500)),
        tuple(
            Projection(name, "source", "target", FixedIndegree(700), FIRE[CURRENT_BASED], delay_ms)
            for name, delay_ms in (("near", 1.0), ("far", 2.0))
        ),
        (_fired_sources(),),
    )


PSP: dict[str, tuple[float, float]] = {
    "iaf_psc_exp": (200.0, -300.0),
    "iaf_cond_exp": (3.5, -10.0),
    "iaf_cond_exp_sfa_rr": (3.5, -10.0),
    "iaf_psc_delta": (1.0, -1.5),
    "iaf_psc_alpha": (100.0, -150.0),
    "aeif_cond_exp": (3.5, -10.0),
    "izhikevich": (2.0, -3.0),
}
"""Excitatory and inhibitory weights in `small_deterministic_network`."""


def _unlike(model: str, size: int) -> dict[str, Parameter]:
    """Return parameters in which the cells of `small_deterministic_network` differ."""
    deviations: dict[str, Parameter] = {
        "C_m": Uniform(230.0, 270.0),
        "E_L": Uniform(-71.0, -69.0),
        "V_th": Uniform(-55.5, -54.5),
        "V_m": Uniform(-70.0, -58.0),
        "t_ref": np.resize([2.0, 2.5, 3.0, 5.0], size),
        "tau_syn_ex": Uniform(1.5, 2.5),
        "tau_syn_in": Uniform(2.5, 4.0),
        "I_e": Uniform(240.0, 320.0),
        "tau_m": Uniform(9.0, 11.0),
        "g_L": Uniform(23.5, 26.5),
        "tau_sfa": 100.0,
        "E_sfa": -80.0,
    }
    if model == ADAPTING:
        deviations["q_sfa"] = Uniform(0.5, 1.5)
    if model == "aeif_cond_exp":
        deviations |= {"a": 2.0, "b": Uniform(5.0, 15.0), "tau_w": 100.0, "V_peak": Uniform(-40.0, 0.0)}
    if model == "izhikevich":
        return {"I_e": Uniform(2.0, 3.5), "b": Uniform(0.19, 0.21), "d": Uniform(6.0, 8.0)}
    known = NEURON_MODELS[model].parameters
    return {key: value for key, value in deviations.items() if key in known}


def small_deterministic_network(model: str) -> Network:
    """Return 40 coupled cells, no two alike, that answer the input "drive" with hundreds of spikes a second.

    Constant currents hold the cells 1 to 5 mV below threshold; drive and couplings (PSPs of 1 to 6 mV) make
    them fire or, as inhibition arrives, not. Without its own rhythm a cell forgets when it fired last, so
    that rounding errors do not grow: simulators must agree on every spike. Inputs: "drive", one channel an
    excitatory cell; "current", one channel to all excitatory cells. `drive` makes the spikes.
    """
    excite, inhibit = PSP[model]

    def cells(name: str, size: int) -> Population:
        return cell(name, size, model, **_unlike(model, size))

    return Network(
        (cells("E", DRIVEN), cells("I", 10)),
        (
            Projection("E>E", "E", "E", PairwiseBernoulli(0.1), excite, 1.5),
            Projection("E>I", "E", "I", PairwiseBernoulli(0.2), 3 * excite, 0.8),
            Projection("I>E", "I", "E", FixedIndegree(3), inhibit, 0.5),
            Projection("I>I", "I", "I", FixedIndegree(2), inhibit, 1.0),
        ),
        (SpikeInput("drive", "E", 6 * excite, delay_ms=0.3),),
        (CurrentInput("current", "E"),),
    )


def drive(n_steps: int, animals: int = 1, current_pa: float = 0.0) -> Stimulus:
    """Return input for `small_deterministic_network`: 20 spikes a second and channel, and a current."""
    stimulus = poisson_spikes(n_steps, range(DRIVEN), 0.002, animals)
    return replace(stimulus, current_pa=np.full((animals, 1), current_pa))


TRAINED_SOURCES = 12
TEACH_CHANNEL = TRAINED_SOURCES
"""The channel of `trained` that fires the modulator; the channels before it fire the sources."""


def trained(learning_rate: float = 20.0, homeostasis: float = 0.01) -> Network:
    """Return sources, two targets that they fire together, and a modulator that depresses the synapses."""
    rule = DopamineGated(
        "modulator", tau_eligibility_ms=300.0, learning_rate=learning_rate, homeostasis=homeostasis
    )
    return Network(
        (
            cell("source", TRAINED_SOURCES, ADAPTING, t_ref=SILENT_MS),
            cell("modulator", 1, ADAPTING, t_ref=SILENT_MS),
            cell("target", 2, ADAPTING, tau_syn_ex=5.0),
        ),
        (Projection("source>target", "source", "target", AllToAll(), 100.0, 0.1, rule),),
        (
            SpikeInput("fire", "source", FIRE[ADAPTING]),
            SpikeInput("teach", "modulator", FIRE[ADAPTING]),
        ),
    )


def lessons(n_steps: int, animals: int = 1) -> Stimulus:
    """Return input for `trained`: sources that fire from 4 to 40 times a second, the modulator 20 times.

    After 600 ms the synapses of the busiest sources have been at the floor, those of the others have not.
    """
    probability = [*np.linspace(0.0004, 0.004, TRAINED_SOURCES), 0.002]
    return poisson_spikes(n_steps, range(TEACH_CHANNEL + 1), probability, animals)


def busy(n_steps: int, animals: int = 1) -> list[tuple[Network, Stimulus]]:
    """Return networks with input that keeps them busy: current-based, conductance-based, plastic."""
    cases = [
        (small_deterministic_network(model), drive(n_steps, animals, current_pa=20.0))
        for model in (CURRENT_BASED, ADAPTING)
    ]
    return [*cases, (trained(), lessons(n_steps, animals))]
