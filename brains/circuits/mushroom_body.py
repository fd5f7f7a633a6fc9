"""The mushroom body of the *Drosophila* larva, 142 neurons: its constants, its odors, its network.

A `MushroomBodyConfig` becomes a `Network` with the spike inputs "odor", "reward" and "punishment". Rates of
the inputs are data here; agents draw the trains.

Source of numbers without another one: Jürgensen et al. 2024, "Prediction error drives associative
learning and conditioned behavior in a spiking model of Drosophila larva", iScience 27:108640, authors' code
github.com/nawrotlab/PEcodingDosophilaMB (files parameters.py, model_larva.py, stimulus.py). MBONp and DANp
are the approach and the reward neuron, MBONn and DANn those of avoidance and punishment (DAN: there MBIN).

Two slips of that code are not repeated: its index range leaves the last KC without plasticity, and weights
may fall below 0 (the rule floors them at 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import (
    AllToAll,
    DopamineGated,
    Ends,
    FixedIndegree,
    Network,
    OneToOne,
    Population,
    Projection,
    RandomIndegree,
    Rule,
    SpikeInput,
)
from ethospike.errors import BrainError
from ethospike.shown import Shown

N_GLOMERULI = 21
"""Olfactory receptor neurons, projection neurons and local neurons: one of each a glomerulus."""
N_KENYON_CELLS = 72

_DELAY_MS = 0.1
"""The authors' delays are 0; this is the shortest that a simulator of 0.1 ms steps can have."""


def _pattern(scale_hz: float, *relative: float) -> tuple[float, ...]:
    padded = [*relative, *[0.0] * (N_GLOMERULI - len(relative))]
    return tuple(scale_hz * value for value in padded)


# Calcium responses of Si et al. 2019 (Neuron 101:950), scaled by the authors to spike rates (factor 500).
_AMYLACETATE = (2.73, 2.67, 0, 4.39, 0.19, 0, 3.38, 0, 0, 3.24, 3.92, 2.91, 5.76, 0.78, 1.47, 1.51, 0.26)
_OCTANOL = (5.53, 3.18, 0, 3.67, 0, 0, 1.33, 0, 0, 0.50, 1.43, 3.08, 4.09)
_BUMP = (0.5, 1, 2, 3, 4, 4, 3, 2, 1, 0.5)
_LONG_BUMP = (0.5, 1, 2, 3, 4, 4, 3, 2, 2, 1, 0.5)
# Jürgensen et al. 2021 (`_SPARSE_CODING`): five receptors, the authors' rates times four.
_NARROW = (74.0, 129.0, 150.0, 129.0, 74.0)

ODOR_PATTERNS: MappingProxyType[str, tuple[float, ...]] = MappingProxyType(
    {
        "n-amylacetate": _pattern(500.0, *_AMYLACETATE),
        "3-octanol": _pattern(500.0, *_OCTANOL),
        # Artificial odors of graded overlap: odor1 shares less and less with odor2, odor3 and odor4.
        "odor1": _pattern(700.0, *_BUMP),
        "odor2": _pattern(700.0, *[0.0] * 2, *_BUMP),
        "odor3": _pattern(700.0, *[0.0] * 5, *_LONG_BUMP),
        "odor4": _pattern(700.0, *[0.0] * 11, *_BUMP),
        "narrow1": _pattern(4.0, *[0.0] * 2, *_NARROW),
        "narrow2": _pattern(4.0, *[0.0] * 5, *_NARROW),
        "narrow3": _pattern(4.0, *[0.0] * 8, *_NARROW),
    }
)
"""Rate that an odor of concentration 1 adds to the baseline of each of the 21 receptor channels, in Hz."""


@dataclass(frozen=True)
class MushroomBodyConfig(Shown):
    """The circuit's connections, plasticity and input rates.

    Weights are magnitudes in nS; the network makes the inhibitory ones (`ln_to_pn_ns`, `apl_to_kc_ns`,
    `mbon_ln_to_dan_ns`) negative, as NEST wants them.

    Examples
    --------
    >>> mushroom_body(MushroomBodyConfig(apl=False)).n_neurons
    142
    """

    pn_per_kc_low: int = 2
    """Fewest projection neurons that a Kenyon cell listens to."""
    pn_per_kc_high: int = 6
    """Most projection neurons that a Kenyon cell listens to (drawn uniformly, both ends included)."""
    single_claw_cells: int = 0
    """Kenyon cells, drawn at random, that listen to one projection neuron alone. 2021: 12."""
    cells_apart_from_apl: int = 0
    """Kenyon cells, drawn at random, without a synapse onto the APL neuron. 2021: 9."""

    ln_c_m_pf: float = 50.0
    """Membrane capacitance of local neurons (pF). 2021: 30."""
    kc_q_sfa_ns: float = 0.02
    """Jump of a Kenyon cell's adaptation at each spike (nS). 2021: 0.05."""

    input_to_orn_ns: float = 3.0
    """Odor channel to receptor neuron (nS), one to one."""
    orn_to_pn_ns: float = 10.0
    """Receptor neuron to projection neuron (nS), one to one."""
    orn_to_ln_ns: float = 4.0
    """Receptor neuron to local neuron (nS), one to one."""
    ln_to_pn_ns: float = 1.0
    """Local neuron to every projection neuron, its own glomerulus included (nS, inhibitory)."""
    pn_to_kc_ns: float = 1.0
    """Projection neuron to Kenyon cell (nS)."""
    kc_to_apl_ns: float = 20.0
    """Every Kenyon cell to the APL neuron (nS)."""
    apl_to_kc_ns: float = 50.0
    """APL neuron to every Kenyon cell (nS, inhibitory)."""
    kc_to_mbon_ns: float = 80.0
    """Every Kenyon cell to both output neurons (nS): the initial weight of the plastic synapses."""
    input_to_dan_ns: float = 2.5
    """Reward or punishment channel to its dopaminergic neuron (nS)."""
    mbon_to_dan_ns: float = 4.0
    """Output neuron to the dopaminergic neuron of the opposite valence (nS)."""
    mbon_to_mbon_ln_ns: float = 35.0
    """Output neuron to its interneuron (nS)."""
    mbon_ln_to_dan_ns: float = 70.0
    """Interneuron of an output neuron to the dopaminergic neuron of the same valence (nS, inhibitory)."""

    lateral_inhibition: bool = True
    """Local neurons inhibit projection neurons (the authors' switch of the same name)."""
    apl: bool = True
    """The APL neuron inhibits Kenyon cells (the authors' switch APL_inhibition)."""

    learning_rate: float = 0.1
    """Depression of an eligible KC>MBON weight per dopaminergic spike (nS). Published: 0.3, with which two
    minutes of training bring the preference to its ceiling; at 0.1 it grows over five training cycles, as
    larvae's does, and at 0.05 it stays below 0.15 (docs/validation.md). Chosen here."""
    tau_eligibility_ms: float = 5000.0
    """Decay of the eligibility that a Kenyon cell's spike leaves behind (ms)."""
    homeostasis: float = 1e-4
    """Fraction of the way back to its initial weight that an MBON spike moves each of its synapses."""

    baseline_hz: float = 140.0
    """Rate of every odor channel without odor (Hz). Published: 185. With 185 Hz, spontaneous Kenyon cell
    spikes keep all synapses eligible, so that unpaired rewards train as much as paired ones; at 140 Hz
    Kenyon cells are silent without odor. Chosen here for that contrast."""
    reward_hz: float = 600.0
    """Rate of the reward channel while there is reward (Hz). The authors' figures used a value that their
    code does not hold (its 10 Hz cannot fire a DAN); 600 Hz fires DANp at about 28 Hz without odor, and at
    5 Hz in an odor even before anything is learned: the odor drives MBONp, whose interneuron inhibits DANp.
    Chosen here."""
    punishment_hz: float = 600.0
    """Rate of the punishment channel while there is punishment (Hz). Chosen here, the mirror of reward."""
    input_shape: float = 3.0
    """Shape of the gamma-distributed intervals of every input train; 1 is Poisson."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(value, bool) and not (math.isfinite(value) and value >= 0):
                raise BrainError(
                    f"MushroomBodyConfig.{entry.name}: expected a finite number of at least 0, got {value!r}"
                )
        if not 1 <= self.pn_per_kc_low <= self.pn_per_kc_high <= N_GLOMERULI:
            raise BrainError(
                f"MushroomBodyConfig.pn_per_kc_low, pn_per_kc_high: expected 1 ≤ low ≤ high ≤ "
                f"{N_GLOMERULI}, got {self.pn_per_kc_low} and {self.pn_per_kc_high}"
            )
        for name in ("single_claw_cells", "cells_apart_from_apl"):
            if getattr(self, name) > N_KENYON_CELLS:
                raise BrainError(
                    f"MushroomBodyConfig.{name}: expected 0 … {N_KENYON_CELLS}, got {getattr(self, name)}"
                )
        if self.ln_c_m_pf == 0:
            raise BrainError("MushroomBodyConfig.ln_c_m_pf: expected above 0, got 0")
        if self.input_shape <= 0:
            raise BrainError(f"MushroomBodyConfig.input_shape: expected above 0, got {self.input_shape}")
        self.depressed_by("DANp")  # the rule checks its own parameters

    def depressed_by(self, dan: str) -> DopamineGated:
        """Return the rule of KC>MBON synapses with the dopaminergic neuron `dan`."""
        return DopamineGated(dan, self.tau_eligibility_ms, self.learning_rate, self.homeostasis)


PRESETS: MappingProxyType[str, MushroomBodyConfig] = MappingProxyType(
    {
        "calibrated": MushroomBodyConfig(),
        "published": MushroomBodyConfig(baseline_hz=185.0, learning_rate=0.3),
        "sparse-coding-2021": MushroomBodyConfig(
            pn_per_kc_high=5,
            single_claw_cells=12,
            cells_apart_from_apl=9,
            ln_c_m_pf=30.0,
            kc_q_sfa_ns=0.05,
            orn_to_pn_ns=30.0,
            orn_to_ln_ns=9.0,
            ln_to_pn_ns=2.0,
            kc_to_apl_ns=50.0,
            apl_to_kc_ns=100.0,
            baseline_hz=250.0,
            input_shape=10.0,
        ),
    }
)
"""`published` has the authors' baseline rate and learning rate; `calibrated` those at which pairing matters
and learning takes more than one trial. `sparse-coding-2021` is the circuit of Jürgensen et al. 2021
(Neuromorph. Comput. Eng. 1:024008; authors' code github.com/nawrotlab/DrosophilaOlfactorySparseCoding) up to
the Kenyon cells and APL: output and dopaminergic neurons, which that model lacks, are those of 2024. There,
each cell draws its projection neurons with replacement, once for all; here they are distinct, and each animal
has its own."""

# Shared by all neurons. The authors start the membrane at its reset value with all conductances at 0.
_SHARED = {
    "t_ref": 2.0,
    "tau_syn_ex": 5.0,
    "tau_syn_in": 10.0,
    "E_ex": 0.0,
    "E_in": -75.0,
    "E_sfa": -90.0,
    "tau_sfa": 1000.0,
}
_MODEL = "iaf_cond_exp_sfa_rr"
"""For all, so that simulators run one equation; q_sfa = 0 where the authors have no adaptation."""


def _cells(name: str, size: int, C_m: float, g_L: float, E_L: float, V_th: float, q_sfa: float) -> Population:
    """Return a population that starts at rest and is reset to rest (V_reset = E_L)."""
    params = {"C_m": C_m, "g_L": g_L, "E_L": E_L, "V_th": V_th, "V_reset": E_L, "V_m": E_L, "q_sfa": q_sfa}
    return Population(name, size, _MODEL, {**_SHARED, **params})


# fmt: off
_POPULATIONS = (
    #      name       size            C_m    g_L  E_L    V_th   q_sfa
    #                                 pF     nS   mV     mV     nS
    _cells("ORN",     N_GLOMERULI,    100.0, 5.0, -60.0, -35.0, 0.1),
    _cells("PN",      N_GLOMERULI,    30.0,  2.5, -59.0, -30.0, 0.0),
    _cells("LN",      N_GLOMERULI,    50.0,  2.5, -59.0, -30.0, 0.0),
    _cells("KC",      N_KENYON_CELLS, 30.0,  0.5, -55.0, -35.0, 0.02),
    _cells("APL",     1,              200.0, 5.0, -60.0, -30.0, 0.0),
    _cells("MBONp",   1,              100.0, 5.0, -60.0, -35.0, 0.1),
    _cells("MBONn",   1,              100.0, 5.0, -60.0, -35.0, 0.1),
    _cells("DANp",    1,              100.0, 5.0, -60.0, -35.0, 0.1),
    _cells("DANn",    1,              100.0, 5.0, -60.0, -35.0, 0.1),
    _cells("MBONpLN", 1,              100.0, 5.0, -60.0, -35.0, 0.1),
    _cells("MBONnLN", 1,              100.0, 5.0, -60.0, -35.0, 0.1),
)
# fmt: on
"""Sizes and membrane constants; neurons are counted in this order."""


def populations(config: MushroomBodyConfig) -> tuple[Population, ...]:
    """Return the populations with the membrane constants of a configuration."""
    changed = {"LN": {"C_m": config.ln_c_m_pf}, "KC": {"q_sfa": config.kc_q_sfa_ns}}
    return tuple(
        replace(population, params={**population.params, **changed.get(population.name, {})})
        for population in _POPULATIONS
    )


@dataclass(frozen=True)
class Claws(Rule):
    """In-degrees of `low` … `high`, but for `single` targets, drawn at random, with one source."""

    low: int
    high: int
    single: int

    def check(self, where: str, ends: Ends) -> None:
        """Raise unless there are enough sources and targets."""
        RandomIndegree(self.low, self.high).check(where, ends)
        if not 0 <= self.single <= ends.n_target:
            raise BrainError(f"{where}: expected 0 … {ends.n_target} single targets, got {self.single}")

    def expected(self, ends: Ends) -> float:
        """Return the expected number of pairs."""
        return self.single + (self.low + self.high) / 2 * (ends.n_target - self.single)

    def draw(self, ends: Ends, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs, after the number of each target."""
        counts = rng.integers(self.low, self.high + 1, ends.n_target)
        counts[rng.choice(ends.n_target, self.single, replace=False)] = 1
        return RandomIndegree.pairs(counts, ends, rng)


def _claws(config: MushroomBodyConfig) -> Rule:
    low, high, single = config.pn_per_kc_low, config.pn_per_kc_high, config.single_claw_cells
    return Claws(low, high, single) if single else RandomIndegree(low, high)


def _onto_apl(config: MushroomBodyConfig) -> Rule:
    apart = config.cells_apart_from_apl
    return FixedIndegree(N_KENYON_CELLS - apart) if apart else AllToAll()


def mushroom_body(config: MushroomBodyConfig | None = None) -> Network:
    """Return the circuit as a network.

    Spike inputs, in this order: "odor" (21 channels, one a receptor neuron), "reward" and "punishment"
    (one channel each). Plastic projections: "KC>MBONp", depressed by DANn, and "KC>MBONn", by DANp.

    Parameters
    ----------
    config : MushroomBodyConfig, optional
        The preset "calibrated" unless given.

    Raises
    ------
    BrainError
        From the configuration, when a number does not fit.

    Examples
    --------
    >>> [p.name for p in mushroom_body().plastic_projections]
    ['KC>MBONp', 'KC>MBONn']
    """
    c = config or PRESETS["calibrated"]

    def connect(
        source: str,
        target: str,
        rule: Rule,
        weight: float,
        plasticity: DopamineGated | None = None,
    ) -> Projection:
        return Projection(f"{source}>{target}", source, target, rule, weight, _DELAY_MS, plasticity)

    # PN>KC is drawn at random, from a stream that is keyed by its place in this list: it stays ahead of
    # the projections that can be switched off, so that switching keeps each animal's wiring.
    projections = [
        connect("ORN", "PN", OneToOne(), c.orn_to_pn_ns),
        connect("ORN", "LN", OneToOne(), c.orn_to_ln_ns),
        connect("PN", "KC", _claws(c), c.pn_to_kc_ns),
        connect("KC", "APL", _onto_apl(c), c.kc_to_apl_ns),
        connect("KC", "MBONp", AllToAll(), c.kc_to_mbon_ns, c.depressed_by("DANn")),
        connect("KC", "MBONn", AllToAll(), c.kc_to_mbon_ns, c.depressed_by("DANp")),
        connect("MBONn", "DANp", OneToOne(), c.mbon_to_dan_ns),
        connect("MBONp", "DANn", OneToOne(), c.mbon_to_dan_ns),
        connect("MBONp", "MBONpLN", OneToOne(), c.mbon_to_mbon_ln_ns),
        connect("MBONn", "MBONnLN", OneToOne(), c.mbon_to_mbon_ln_ns),
        connect("MBONpLN", "DANp", OneToOne(), -c.mbon_ln_to_dan_ns),
        connect("MBONnLN", "DANn", OneToOne(), -c.mbon_ln_to_dan_ns),
    ]
    if c.lateral_inhibition:
        projections.append(connect("LN", "PN", AllToAll(), -c.ln_to_pn_ns))
    if c.apl:
        projections.append(connect("APL", "KC", AllToAll(), -c.apl_to_kc_ns))
    inputs = (
        SpikeInput("odor", "ORN", c.input_to_orn_ns, delay_ms=_DELAY_MS),
        SpikeInput("reward", "DANp", c.input_to_dan_ns, delay_ms=_DELAY_MS),
        SpikeInput("punishment", "DANn", c.input_to_dan_ns, delay_ms=_DELAY_MS),
    )
    return Network(populations(c), tuple(projections), inputs)
