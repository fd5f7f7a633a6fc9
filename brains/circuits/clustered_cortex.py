"""The E/I-clustered attractor network of cortex: its parameters, its weights, and its description.

A `CortexConfig`, or the name of a row of `PARAMETER_SETS`, becomes a `Network` of two populations, E and I,
in `clusters` equal groups, with four projections and one current input, "cue", with a channel for each
excitatory cluster.

Sources: Rostami et al. 2024 (Nat Commun 15:6304), authors' code ClusteredNetwork_pub at 6e7a107, "CN"
below; Schmitt, Rostami, Nawrot 2023 (Front Neuroinform 17:941696), authors' code SNN_GeNN_Nest at 126cf80,
"GN" below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.nest2_wiring import MAX_NEST2_SEED, nest2_bernoulli
from ethospike.brains.network import (
    ClusteredIndegree,
    ClusteredWeight,
    CurrentInput,
    Explicit,
    Network,
    PairwiseBernoulli,
    Parameter,
    Population,
    Projection,
    Rule,
    Uniform,
)
from ethospike.errors import BrainError, nearest
from ethospike.shown import Shown

WIRINGS = ("fixed_indegree", "bernoulli", "bernoulli_nest2")
STARTS = ("free_phase", "lognormal", "undriven")
LOGNORMAL_START_MV = 20.0
"""Median distance from threshold at a lognormal start (NEST's example EI_clustered_network, network.py)."""

UNDRIVEN_FLOOR_MV = 1e-10
"""Keeps a logarithm finite where no current flows (GN, ClusterHelper.py: `small`)."""

C_M = 1.0
"""Membrane capacitance, pF (CN)."""
E_L = 0.0
"""Resting potential, and reset, mV (CN)."""
GOLDEN_RATIO = (1.0 + math.sqrt(5.0)) / 2.0
SUBTHRESHOLD_SPAN_MS = 10.0
"""Span of the initial phases where the current alone never reaches threshold (CN, ClusterModelNEST.py)."""


@dataclass(frozen=True)
class CortexConfig(Shown):
    """Parameters of the network; the defaults are those of the reaching task (CN, Figs 5 and 6).

    Weights and currents are expressed in units of the threshold, so that `V_th` (15 mV in CN, 20 mV in GN)
    rescales voltages and currents and changes no spike, if stimulus currents are scaled with it.

    Raises
    ------
    BrainError
        When populations do not divide into clusters, `j_plus` is not below `clusters`, or a value is outside
        its range.

    Examples
    --------
    >>> CortexConfig(n_e=400, n_i=100, clusters=4, j_plus=2.0).j_plus_i
    1.75
    """

    n_e: int = 1200
    """Excitatory neurons."""
    n_i: int = 300
    """Inhibitory neurons."""
    clusters: int = 6
    """Q: equal, contiguous groups of both populations."""
    V_th: float = 15.0
    """Threshold in mV above rest; rest and reset are 0 (CN: 15, GN: 20)."""
    j_plus: float = 3.2
    """J_E+: factor on excitatory weights within a cluster; those across shrink so that the mean stays."""
    R_J: float = 0.75
    """Clustering of inhibition: J_I+ = 1 + R_J (J_E+ − 1); 0 clusters excitation alone (CN)."""
    I_th_E: float = 1.25
    """Constant current into E in units of the rheobase (CN)."""
    I_th_I: float = 0.78
    """Constant current into I in units of the rheobase (CN)."""
    wiring: Literal["fixed_indegree", "bernoulli", "bernoulli_nest2"] = "fixed_indegree"
    """`bernoulli` is the published rule; `bernoulli_nest2` is that rule with the draw of NEST 2.20 from
    `nest2_seed`, the same in every animal; `fixed_indegree` gives every neuron p × cluster size sources in
    each cluster (rounded down, as CN's option of that name), so that no cluster is favored by the draw."""
    nest2_seed: int = 0
    """Seed of the wiring `bernoulli_nest2` (CN: `randseed`, 8721 in fig5.py, 7745 in fig6.py)."""
    procedural: bool = False
    """Synapses are made when a neuron fires, not stored; with the wiring `bernoulli`, on Numba."""
    start: Literal["free_phase", "lognormal", "undriven"] = "free_phase"
    """Initial voltages: `free_phase` as published (CN); `undriven` as in the published grid search, whose
    neurons mostly start near rest (GN); `lognormal` as in NEST's example, whose neurons start
    further apart. All synapses have one delay and no noise enters, so that all neurons firing at once is a
    stable state as well: unclustered networks with fixed in-degree fall into it from the published start
    (measured at 1,500 to 25,000 neurons), and at up to 5,000 neurons not from the lognormal one."""
    p_ee: float = 0.2
    """Connection probability E to E (CN)."""
    p_ei: float = 0.5
    """Connection probability I to E (CN)."""
    p_ie: float = 0.5
    """Connection probability E to I (CN)."""
    p_ii: float = 0.5
    """Connection probability I to I (CN)."""
    g_ei: float = 1.2
    """Inhibition of E relative to its excitation (CN: ge)."""
    g_ie: float = 1.0
    """Excitation of I relative to the threshold scale (CN: gie)."""
    g_ii: float = 1.0
    """Inhibition of I relative to its excitation (CN: gi)."""
    weight_scale: float = 1.0
    """Factor on all weights (CN: s)."""
    tau_m_E: float = 20.0
    """Membrane time constant of E, ms (CN)."""
    tau_m_I: float = 10.0
    """Membrane time constant of I, ms (CN)."""
    tau_syn_ex: float = 3.0
    """Time constant of excitatory currents, ms (CN)."""
    tau_syn_in: float = 2.0
    """Time constant of inhibitory currents, ms (CN)."""
    tau_syn_spread: float = 0.0
    """Synaptic time constants are uniform in (1 ± spread) × their mean, drawn for every neuron (0: equal, as
    published). Weights follow from the means."""
    delta_I_E: float = 0.0
    """Constant currents of E are uniform in (1 ± delta/2) × their mean (CN: 0). CN's code draws them; here
    they are spread evenly over each cluster, the same in all, so that no cluster is favored by the draw."""
    delta_I_I: float = 0.0
    """The same for I (CN: 0)."""
    t_ref: float = 5.0
    """Refractory period, ms (CN)."""
    delay_ms: float = 0.1
    """Delay of all synapses, ms (CN: one step)."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, (int, float)) and not math.isfinite(value):
                raise BrainError(f"CortexConfig.{entry.name}: expected a finite number, got {value}")
        if self.clusters < 1:
            raise BrainError(f"CortexConfig.clusters: expected at least 1, got {self.clusters}")
        for key in ("n_e", "n_i"):
            size = getattr(self, key)
            if size < self.clusters or size % self.clusters:
                raise BrainError(
                    f"CortexConfig.{key}: {size} neurons do not form {self.clusters} equal clusters; "
                    f"choose a multiple of {self.clusters}"
                )
        if self.clusters == 1 and self.j_plus != 1.0:
            raise BrainError(f"CortexConfig.j_plus: one cluster alone needs j_plus = 1, got {self.j_plus}")
        if self.clusters > 1 and not 0.0 < self.j_plus < self.clusters:
            raise BrainError(
                f"CortexConfig.j_plus: expected above 0 and below the {self.clusters} clusters, because the "
                f"weights across are (clusters − j_plus)/(clusters − 1); got {self.j_plus}"
            )
        if self.procedural and self.wiring != "bernoulli":
            raise BrainError(f"CortexConfig.procedural: expected wiring='bernoulli', got {self.wiring!r}")
        for key, valid in (("wiring", WIRINGS), ("start", STARTS)):
            value = getattr(self, key)
            if value not in valid:
                raise BrainError(f"CortexConfig.{key}: unknown {value!r}; {nearest(str(value), valid)}")
        for key in ("p_ee", "p_ei", "p_ie", "p_ii"):
            if not 0.0 < getattr(self, key) <= 1.0:
                raise BrainError(
                    f"CortexConfig.{key}: expected a probability in (0, 1] (the weights scale with 1/√p), "
                    f"got {getattr(self, key)}"
                )
        for key in ("V_th", "tau_m_E", "tau_m_I", "tau_syn_ex", "tau_syn_in", "delay_ms"):
            if getattr(self, key) <= 0:
                raise BrainError(f"CortexConfig.{key}: expected above 0, got {getattr(self, key)}")
        for key in ("t_ref", "g_ei", "g_ie", "g_ii", "weight_scale", "delta_I_E", "delta_I_I"):
            if getattr(self, key) < 0:
                raise BrainError(f"CortexConfig.{key}: expected at least 0, got {getattr(self, key)}")
        if not 0 <= self.nest2_seed <= MAX_NEST2_SEED:
            raise BrainError(f"CortexConfig.nest2_seed: expected 0 … {MAX_NEST2_SEED}, got {self.nest2_seed}")
        if not 0.0 <= self.R_J <= 1.0:
            raise BrainError(f"CortexConfig.R_J: expected in [0, 1], got {self.R_J}")
        if not 0.0 <= self.tau_syn_spread < 1.0:
            raise BrainError(f"CortexConfig.tau_syn_spread: expected in [0, 1), got {self.tau_syn_spread}")

    @property
    def j_plus_i(self) -> float:
        """J_I+: the factor within a cluster on the weights I>E, E>I and I>I."""
        return 1.0 + self.R_J * (self.j_plus - 1.0)

    @property
    def rheobase_E(self) -> float:
        """Constant current that just reaches threshold in E, pA."""
        return self.V_th / self.tau_m_E * C_M

    @property
    def rheobase_I(self) -> float:
        """Constant current that just reaches threshold in I, pA."""
        return self.V_th / self.tau_m_I * C_M


PARAMETER_SETS: dict[str, CortexConfig] = {
    # The task model of CN, Figs 5 and 6; with fixed in-degrees every direction can win.
    "reach": CortexConfig(),
    # The published rule with other draws: with Bernoulli wiring each draw has its favorite cluster.
    "reach-published": CortexConfig(wiring="bernoulli"),
    # The two draws of CN, one network each: Fig 5 (decoding, variability, rates) and Fig 6 (reaction times).
    "reach-fig5": CortexConfig(wiring="bernoulli_nest2", nest2_seed=8721),
    "reach-fig6": CortexConfig(wiring="bernoulli_nest2", nest2_seed=7745),
    # NEST's example (EI_clustered_network, network_params.py) as to sizes, clusters, threshold, J_E+ 6 and
    # the start of the voltages. Other than there: R_J (0.75 of CN, not 0.82), the synapses' time constants (3
    # and 2 ms of CN, not 5 and 5) and the wiring (fixed in-degrees, not Bernoulli). In a sweep of J_E+ all
    # clusters are visited up to 6.5, for 50 ms at a time below 5 and 100 ms at 6; from 7 on some are not
    # visited within half a minute (docs/validation_cortex.md).
    "cortex": CortexConfig(n_e=4_000, n_i=1_000, clusters=20, V_th=20.0, j_plus=6.0, start="lognormal"),
    # The size of GN's grid search. Clusters of 1,000 neurons fluctuate less and get √5 times the input of
    # those of 200 at the same J_E+: at 2.6 they take turns at rest and the hand follows the response signal
    # in every wiring; from 2.65 on a cued cluster can hold the network against that signal, from 3.2 on one
    # holds it for seconds at rest. Equal neurons of this number fire in step; with currents that differ by
    # ±10 % most wirings still do, at ±20 % some after a push, at ±25 % none (docs/validation_cortex.md).
    "large": CortexConfig(
        n_e=20_000,
        n_i=5_000,
        clusters=20,
        V_th=20.0,
        j_plus=2.6,
        delta_I_E=0.5,
        delta_I_I=0.5,
        start="lognormal",
    ),
    # GN's grid search; it scans the currents, and reports E 3.2 Hz and I 4.3 Hz at this point.
    "grid": CortexConfig(
        n_e=20_000,
        n_i=5_000,
        clusters=20,
        V_th=20.0,
        j_plus=2.75,
        I_th_E=2.90,
        I_th_I=1.375,
        wiring="bernoulli",
        start="undriven",
    ),
}
"""Named parameter sets, one row each."""


def parameter_set(name: str) -> CortexConfig:
    """Return a row of `PARAMETER_SETS`, or raise `BrainError` with the nearest name."""
    if name not in PARAMETER_SETS:
        raise BrainError(f"no cortex {name!r}; {nearest(name, PARAMETER_SETS)}")
    return PARAMETER_SETS[name]


def clustered_cortex(config: CortexConfig) -> Network:
    """Return the network: populations E and I, projections "E>E", "I>E", "E>I", "I>I", current input "cue".

    Examples
    --------
    >>> clustered_cortex(CortexConfig()).projection("E>E").rule
    ClusteredIndegree(k=40)
    """
    c = config
    current_e, current_i = c.I_th_E * c.rheobase_E, c.I_th_I * c.rheobase_I
    common: dict[str, Parameter] = {
        "C_m": C_M,
        "E_L": E_L,
        "V_reset": E_L,
        "V_th": c.V_th,
        "t_ref": c.t_ref,
        "tau_syn_ex": _spread(c.tau_syn_ex, c.tau_syn_spread),
        "tau_syn_in": _spread(c.tau_syn_in, c.tau_syn_spread),
    }
    populations = tuple(
        Population(
            name,
            size,
            "iaf_psc_exp",
            {
                **common,
                "tau_m": tau_m,
                "I_e": _spread_evenly(current, delta, size // c.clusters, c.clusters),
                "V_m": _start(c, current, tau_m),
            },
            c.clusters,
        )
        for name, size, tau_m, current, delta in (
            ("E", c.n_e, c.tau_m_E, current_e, c.delta_I_E),
            ("I", c.n_i, c.tau_m_I, current_i, c.delta_I_I),
        )
    )
    rules, projections = _rules(c), []
    for name, weight in unclustered_weights(c).items():
        source, target = name.split(">")
        within, across = _clustering(c.j_plus if name == "E>E" else c.j_plus_i, c.clusters)
        clustered = ClusteredWeight(weight * within, weight * across)
        projections.append(Projection(name, source, target, rules[name], clustered, c.delay_ms))
    cue = CurrentInput("cue", "E", c.clusters)
    return Network(populations, tuple(projections), (), (cue,), c.procedural)


def _rules(config: CortexConfig) -> dict[str, Rule]:
    """Return the wiring rule of each projection."""
    c = config
    sizes = {"E": c.n_e, "I": c.n_i}
    probability = {"E>E": c.p_ee, "I>E": c.p_ei, "E>I": c.p_ie, "I>I": c.p_ii}
    if c.wiring == "bernoulli_nest2":
        drawn = nest2_bernoulli(c.nest2_seed, sizes, c.clusters, probability)
        return {name: Explicit(pairs) for name, pairs in drawn.items()}
    if c.wiring == "bernoulli":
        return {name: PairwiseBernoulli(p) for name, p in probability.items()}
    # 1e-9: products such as 0.3 × 10 fall just below the whole number that they stand for.
    return {
        name: ClusteredIndegree(int(p * (sizes[name.split(">")[0]] // c.clusters) + 1e-9))
        for name, p in probability.items()
    }


def unclustered_weights(config: CortexConfig) -> dict[str, float]:
    """Return the weights before clustering in pA, by projection.

    √K excitatory spikes reach threshold, and inhibition exceeds excitation by the factors g
    (CN, ClusterHelper.calc_js; its factor √N divides out when weights are used as J/√N).
    """
    c = config
    k_ee, k_ei = c.p_ee * c.n_e, c.p_ei * c.n_i
    k_ie, k_ii = c.p_ie * c.n_e, c.p_ii * c.n_i
    psp_ee, psp_ei = peak_psp(c.tau_m_E, c.tau_syn_ex), peak_psp(c.tau_m_E, c.tau_syn_in)
    psp_ie, psp_ii = peak_psp(c.tau_m_I, c.tau_syn_ex), peak_psp(c.tau_m_I, c.tau_syn_in)
    ee = c.V_th / (math.sqrt(k_ee) * psp_ee)
    ie = c.g_ie * c.V_th / (math.sqrt(k_ie) * psp_ie)
    ei = -c.g_ei * ee * k_ee * psp_ee / (k_ei * psp_ei)
    ii = -c.g_ii * ie * k_ie * psp_ie / (k_ii * psp_ii)
    s = c.weight_scale
    return {"E>E": s * ee, "I>E": s * ei, "E>I": s * ie, "I>I": s * ii}


def peak_psp(tau_m: float, tau_syn: float) -> float:
    """Return the peak of the potential after one spike of 1 pA onto 1 pF, mV (times in ms).

    The potential is τ_m τ_s/(C (τ_m − τ_s)) · (exp(−t/τ_m) − exp(−t/τ_s)), largest where its slope is 0.
    """
    if math.isclose(tau_m, tau_syn, rel_tol=1e-6):  # the limit of equal time constants: t exp(−t/τ)/C
        return tau_m / (math.e * C_M)
    t_peak = math.log(tau_syn / tau_m) / (1.0 / tau_m - 1.0 / tau_syn)
    scale = tau_m * tau_syn / (C_M * (tau_m - tau_syn))
    return scale * (math.exp(-t_peak / tau_m) - math.exp(-t_peak / tau_syn))


@dataclass(frozen=True)
class FreePhase:
    """Initial voltages of neurons that fire at their own pace: uniform phase in the free interval.

    Where the current alone does not reach threshold there is no such interval. CN's code then goes back
    from threshold over up to `SUBTHRESHOLD_SPAN_MS` all the same, which puts these neurons above threshold:
    almost all of them fire in the first step. So it was published; it is over within a few milliseconds.

    Parameters
    ----------
    V_inf : float
        Potential that the constant current alone leads to, mV.
    V_th, tau_m, t_ref : float
        mV, ms, ms.
    """

    V_inf: float
    V_th: float
    tau_m: float
    t_ref: float

    @property
    def span_ms(self) -> float:
        """Length of the interval in which the next spike lies."""
        if self.V_inf <= self.V_th:
            return SUBTHRESHOLD_SPAN_MS
        return self.t_ref + self.tau_m * math.log((self.V_inf - E_L) / (self.V_inf - self.V_th))

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` potentials in mV."""
        until_spike_ms = self.span_ms * rng.random(size)
        return (self.V_th - self.V_inf) * np.exp(until_spike_ms / self.tau_m) + self.V_inf


@dataclass(frozen=True)
class UndrivenStart:
    """Initial voltages of GN's grid search: rest or little above in most neurons, up to threshold in few.

    The same function as `FreePhase`, but evaluated before the constant currents are there, where no phase
    exists: what it then gives is uniform in the logarithm, from threshold down to `UNDRIVEN_FLOOR_MV` times
    exp(t_ref / tau_m) (GN, ClusterModelNEST.py and ClusterHelper.py: FPT, V_FPT, `small`).

    Parameters
    ----------
    V_th, tau_m, t_ref : float
        mV, ms, ms.
    """

    V_th: float
    tau_m: float
    t_ref: float

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` potentials in mV."""
        span = math.log(self.V_th / UNDRIVEN_FLOOR_MV) - self.t_ref / self.tau_m
        return self.V_th * np.exp(-span * rng.random(size))


@dataclass(frozen=True)
class LognormalStart:
    """Initial voltages below threshold by `LOGNORMAL_START_MV` × exp(standard normal); `V_th` in mV."""

    V_th: float

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` potentials in mV."""
        return self.V_th - LOGNORMAL_START_MV * rng.lognormal(0.0, 1.0, size)


def _start(config: CortexConfig, current: float, tau_m: float) -> Parameter:
    """Return the distribution of a population's initial voltages."""
    if config.start == "lognormal":
        return LognormalStart(config.V_th)
    if config.start == "undriven":
        return UndrivenStart(config.V_th, tau_m, config.t_ref)
    return FreePhase(E_L + current * tau_m / C_M, config.V_th, tau_m, config.t_ref)


def _spread(mean: float, fraction: float) -> Parameter:
    return Uniform(mean * (1.0 - fraction), mean * (1.0 + fraction)) if fraction else mean


def _spread_evenly(mean: float, delta: float, size: int, clusters: int) -> Parameter:
    """Return values that are uniform in (1 ± delta/2) × their mean in each cluster of `size` neurons.

    Multiples of the golden ratio, without their whole part, are evenly spread for any number of neurons, so
    the first few of a cluster, which statistics and views take as its sample, are as different as all.
    """
    if not delta:
        return mean
    place = np.arange(size) * GOLDEN_RATIO % 1.0
    return np.tile(mean * (1.0 + delta * (place - place.mean())), clusters)


def _clustering(j_plus: float, clusters: int) -> tuple[float, float]:
    """Return the factors on weights within and across clusters; their mean over clusters is 1."""
    return (j_plus, (clusters - j_plus) / (clusters - 1)) if clusters > 1 else (1.0, 1.0)
