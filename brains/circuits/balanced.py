"""Balanced random networks of excitatory and inhibitory neurons, on which simulators are compared.

`brunel` is the network of Brunel 2000 (J Comput Neurosci 8:183), with exponential synaptic currents in place
of delta ones; `sparse_balanced` is a choice of our own for large networks with few synapses a neuron.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import (
    FixedIndegree,
    Network,
    PairSTDP,
    Parameter,
    Population,
    Projection,
    SpikeInput,
    Uniform,
)
from ethospike.errors import BrainError

TAU_M_MS, C_M_PF, TAU_SYN_MS = 20.0, 250.0, 0.5
"""The membrane's time constant of Brunel 2000, NEST's default capacity, and short currents for delta ones."""
CELL = {"tau_m": TAU_M_MS, "C_m": C_M_PF, "tau_syn_ex": TAU_SYN_MS, "tau_syn_in": TAU_SYN_MS}


class Driven(NamedTuple):
    """A network, and the rate of each of its spike channels in Hz."""

    network: Network
    rate_hz: NDArray[np.float64]


PSP_MV, G, DELAY_MS = 0.1, 5.0, 1.5
"""Postsynaptic potential, relative strength of inhibition, and delay (Brunel 2000, figure 8)."""
TRAIN_HZ = 1_000.0
"""Rate of one of the shared input trains of `brunel`."""


def weight_of(psp_mv: float, tau_m_ms: float, c_m_pf: float, tau_syn_ms: float) -> float:
    """Return the weight (pA) of an exponential current with a postsynaptic potential that peaks at `psp_mv`.

    Rotter & Diesmann 1999 (Biol Cybern 81:381): V(t) = w τs τm / (C (τm − τs)) (e^(−t/τm) − e^(−t/τs)), which
    peaks at t = ln(τm/τs) τm τs / (τm − τs).
    """
    peak_ms = np.log(tau_m_ms / tau_syn_ms) * tau_m_ms * tau_syn_ms / (tau_m_ms - tau_syn_ms)
    shape = np.exp(-peak_ms / tau_m_ms) - np.exp(-peak_ms / tau_syn_ms)
    return float(psp_mv * c_m_pf * (tau_m_ms - tau_syn_ms) / (tau_syn_ms * tau_m_ms * shape))


def brunel(scale: float = 1.0, *, eta: float = 2.0) -> Driven:
    """Return Brunel's network of 10,000 + 2,500 neurons with 1,000 + 250 synapses each, or a part of it.

    Parameters
    ----------
    scale : float
        Of neurons and synapses a neuron; weights grow by its inverse, so that mean inputs stay.
    eta : float
        Input relative to the input that keeps a neuron at threshold. It comes in shared trains of `TRAIN_HZ`,
        a channel for 50 neurons. A weight replaces the single trains of all external neurons, so the input
        fluctuates more than in the paper.

    Raises
    ------
    BrainError
        When nothing of the network would be left.
    """
    n_excitatory, k = round(10_000 * scale / 50) * 50, round(1_000 * scale / 4) * 4
    if n_excitatory < 200 or k < 4:
        raise BrainError(f"brunel: expected a scale from 0.02 on, got {scale}")
    n_inhibitory = n_excitatory // 4
    weight = weight_of(PSP_MV, TAU_M_MS, C_M_PF, TAU_SYN_MS) * 1_000 / k
    cell: dict[str, Parameter] = {
        **CELL,
        "E_L": 0.0,
        "V_reset": 10.0,
        "V_th": 20.0,
        "t_ref": 2.0,
        "V_m": Uniform(0.0, 20.0),
    }
    inputs = []
    # The mean current at threshold is V_th C / τm, and a train of rate r brings w τs r (ms and Hz: / 1000).
    input_pa = eta * 20.0 * C_M_PF / TAU_M_MS / (TAU_SYN_MS * TRAIN_HZ / 1000.0)
    for name, size in (("E", n_excitatory), ("I", n_inhibitory)):
        inputs.append(SpikeInput(f"to {name}", name, input_pa, channels=max(1, size // 50)))
    populations = (
        Population("E", n_excitatory, "iaf_psc_exp", cell),
        Population("I", n_inhibitory, "iaf_psc_exp", cell),
    )
    projections = tuple(
        Projection(f"{source}>{target}", source, target, FixedIndegree(count), w, DELAY_MS)
        for source, count, w in (("E", k, weight), ("I", k // 4, -G * weight))
        for target in "EI"
    )
    network = Network(populations, projections, tuple(inputs))
    return Driven(network, np.full(network.n_spike_channels, TRAIN_HZ))


def sparse_balanced(scale: float = 1.0) -> Driven:
    """Return 50,000 neurons with 100 synapses each and two delays, or fewer neurons; all numbers are chosen.

    A constant current holds the neurons above threshold, inhibition brings them to some 20 spikes a second.
    """
    size = max(250, round(50_000 * scale / 5) * 5)
    n_inhibitory = size // 5
    cell: dict[str, Parameter] = {
        "tau_syn_ex": 0.5,
        "tau_syn_in": 0.5,
        "I_e": 400.0,
        "V_m": Uniform(-70.0, -55.0),
    }
    populations = (
        Population("E", size - n_inhibitory, "iaf_psc_exp", cell),
        Population("I", n_inhibitory, "iaf_psc_exp", cell),
    )
    projections = tuple(
        Projection(f"{source}>{target}", source, target, FixedIndegree(k), weight, delay_ms)
        for source, k, weight, delay_ms in (("E", 80, 60.0, 1.5), ("I", 20, -300.0, 0.8))
        for target in "EI"
    )
    network = Network(populations, projections)
    return Driven(network, np.empty(0))


def plastic_balanced(scale: float = 1.0) -> Driven:
    """Return 1,000 + 250 `aeif_cond_exp` with three delays and STDP among the excitatory ones.

    All numbers are chosen: rates of about 10 Hz, weights far from both bounds at the start, and a step of
    plasticity so large that a second shows it. With a `scale`, there are fewer neurons and synapses a neuron,
    and weights are larger.
    """
    n_excitatory = max(40, round(1_000 * scale / 4) * 4)
    k_excitatory, k_inhibitory = max(4, n_excitatory // 10), max(1, n_excitatory // 40)
    larger = 100 / k_excitatory
    cell: dict[str, Parameter] = {
        "t_ref": 2.0,
        "V_m": Uniform(-70.0, -55.0),
        "tau_syn_ex": 2.0,
        "tau_syn_in": 5.0,
        "I_e": 450.0,
    }
    rule = PairSTDP(lambda_=0.01, alpha=1.05, Wmax=2.0 * larger)
    network = Network(
        (
            Population("E", n_excitatory, "aeif_cond_exp", cell),
            Population("I", n_excitatory // 4, "aeif_cond_exp", {**cell, "b": 0.0}),
        ),
        (
            Projection("E>E", "E", "E", FixedIndegree(k_excitatory), larger, 1.5, rule),
            Projection("E>I", "E", "I", FixedIndegree(k_excitatory), larger, 0.8),
            Projection("I>E", "I", "E", FixedIndegree(k_inhibitory), -8.0 * larger, 0.8),
            Projection("I>I", "I", "I", FixedIndegree(k_inhibitory), -8.0 * larger, 1.0),
        ),
        (SpikeInput("to E", "E", 2.0), SpikeInput("to I", "I", 2.0)),
    )
    return Driven(network, np.full(network.n_spike_channels, 2_500.0))
