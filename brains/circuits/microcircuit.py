"""The cortical microcircuit of Potjans & Diesmann 2014 (Cereb Cortex 24:785): four layers, eight populations.

Numbers are those of the paper's tables 4 and 5; means of rates are those of NEST's example of the model
(`network_params.py`). There are no autapses.
"""

from __future__ import annotations

import numpy as np

from ethospike.brains.circuits.balanced import Driven, weight_of
from ethospike.brains.network import (
    FixedTotalNumber,
    Network,
    Normal,
    Parameter,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.errors import BrainError

LAYERS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
SIZES = (20_683, 5_834, 21_915, 5_479, 4_850, 1_065, 14_395, 2_948)
CONNECTION_PROBABILITIES = (
    # Of a pair to have a synapse; a row a target, a column a source.
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443),
)
EXTERNAL_SYNAPSES = (1_600, 1_500, 2_100, 1_900, 2_000, 1_900, 2_900, 2_100)
EXTERNAL_HZ = 8.0
FULL_MEAN_HZ = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)
"""Mean rates of the full network, from which the input that is missing in a smaller one is computed."""
PSP_MV, WEIGHT_SD, G = 0.15, 0.1, 4.0
DELAY_MS, DELAY_SD = {"E": 1.5, "I": 0.75}, 0.5
CELL = {
    "C_m": 250.0, "tau_m": 10.0, "E_L": -65.0, "V_th": -50.0, "V_reset": -65.0, "t_ref": 2.0,
    "tau_syn_ex": 0.5, "tau_syn_in": 0.5,
}  # fmt: skip


def n_synapses(source: int, target: int) -> int:
    """Return the synapses between two populations of the full network, by the paper's equation 1.

    The probabilities are those of at least one synapse, where synapses are drawn with replacement.
    """
    p, pairs = CONNECTION_PROBABILITIES[target][source], SIZES[source] * SIZES[target]
    return round(float(np.log(1.0 - p) / np.log(1.0 - 1.0 / pairs)))


def _mean_weight(weight: float, source: int, target: int) -> float:
    """Return the mean weight (pA) of the synapses between two layers, for excitatory ones of `weight`."""
    mean = weight * (1.0 if LAYERS[source].endswith("E") else -G)
    return 2.0 * mean if (LAYERS[source], LAYERS[target]) == ("L4E", "L23E") else mean


def _projection(source: int, target: int, number: int, weight: float) -> Projection:
    """Return `number` synapses between two layers, with weights and delays drawn around their means."""
    excites = LAYERS[source].endswith("E")
    delay = DELAY_MS["E" if excites else "I"]
    return Projection(
        f"{LAYERS[source]}>{LAYERS[target]}",
        LAYERS[source],
        LAYERS[target],
        FixedTotalNumber(number, multapses=True),
        Normal(weight, abs(weight) * WEIGHT_SD, *((0.0, np.inf) if excites else (-np.inf, 0.0))),
        Normal(delay, delay * DELAY_SD, low=0.1),
    )


def microcircuit(scale: float = 1.0, *, noise: bool = True) -> Driven:
    """Return the microcircuit, or a smaller one with the same mean rates.

    Parameters
    ----------
    scale : float
        Of neurons and of synapses a neuron, so that synapses go with its square. Weights grow by 1/√scale,
        and a constant current replaces the mean of the missing input (van Albada et al. 2015, PLoS Comput
        Biol 11:e1004490).
    noise : bool
        External input as Poisson trains, a channel for each neuron; otherwise as a constant current of the
        same mean, as in the paper's figure 7. Without noise, small networks are silent.

    Raises
    ------
    BrainError
        When nothing of the network would be left, or more than all.
    """
    if not 0.01 <= scale <= 1.0:
        raise BrainError(f"microcircuit: expected a scale from 0.01 to 1, got {scale}")
    weight = weight_of(PSP_MV, CELL["tau_m"], CELL["C_m"], CELL["tau_syn_ex"])
    to_current = CELL["tau_syn_ex"] / 1000.0  # pA of a train's mean current for its weight (pA) and rate (Hz)
    populations, projections = list[Population](), list[Projection]()
    inputs, rates = list[SpikeInput](), list[float]()
    for target, name in enumerate(LAYERS):
        missing_pa = 0.0
        for source in range(len(LAYERS)):
            number = n_synapses(source, target)
            if number:
                mean = _mean_weight(weight, source, target)
                k = number / SIZES[target]
                missing_pa += (1.0 - np.sqrt(scale)) * mean * k * FULL_MEAN_HZ[source] * to_current
                projections.append(
                    _projection(source, target, round(number * scale**2), mean / np.sqrt(scale))
                )
        external_pa = EXTERNAL_SYNAPSES[target] * EXTERNAL_HZ * weight * to_current
        size = round(SIZES[target] * scale)
        if noise:
            missing_pa += (1.0 - np.sqrt(scale)) * external_pa
            inputs.append(SpikeInput(f"to {name}", name, weight / np.sqrt(scale), delay_ms=0.1))
            rates += [EXTERNAL_SYNAPSES[target] * scale * EXTERNAL_HZ] * size
        params: dict[str, Parameter] = {
            **CELL,
            "I_e": missing_pa + (0.0 if noise else external_pa),
            "V_m": Normal(-58.0, 10.0, high=-50.01),
        }
        populations.append(Population(name, size, "iaf_psc_exp", params))
    return Driven(
        Network(tuple(populations), tuple(projections), tuple(inputs)), np.array(rates, dtype=np.float64)
    )
