"""The larva's brain with measured wiring: roles of its neurons, weights from synapse counts, plasticity.

The neurons, their constants and the strength of each connection are those of the drawn mushroom body
(`mushroom_body.py`): the synapses that the neurons of a role get from another role have, in the mean over
neurons, the summed weight of the drawn circuit, and an edge has its share by its number of synapses. Edges
between roles that the drawn circuit does not connect are left out of the mushroom body; in the whole brain
each of their synapses has the weight `other_ns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.circuits.connectome.larva_signs import LARVA_SIGNS
from ethospike.brains.circuits.connectome.signs import SignTable
from ethospike.brains.circuits.mushroom_body import (
    N_GLOMERULI,
    N_KENYON_CELLS,
    MushroomBodyConfig,
    populations,
)
from ethospike.brains.network import (
    DopamineGated,
    Explicit,
    Network,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.errors import BrainError
from ethospike.shown import Shown

Scaling = Literal["role", "neuron"]
DELAY_MS = 0.1
"""As in the drawn circuit; transmission delays of the larva have not been measured."""
OTHER_NS = 0.1
"""Weight of a synapse of the whole brain that the drawn circuit does not have (nS). Chosen here: see
docs/connectomes.md."""
ANTENNAL_LOCAL = ("bLN", "cLN", "pLN", "keystone")
MUSHROOM_BODY = ("ORN", "PN", "mPN", *ANTENNAL_LOCAL, "KC", "APL", "MBONp", "MBONn", "MBONo", "DANp", "DANn")
"""Roles of the mushroom body with its antennal lobe, in the order of populations."""

_BY_CLASS = {
    "uPN": "PN",
    **dict.fromkeys(("mPN", "tPN", "vPN"), "mPN"),
    **{name: name for name in (*ANTENNAL_LOCAL, "KC", "APL")},
    "MBIN": "MBIN",
    "sens": "sensory",
    "A00c": "ascending",
    **dict.fromkeys(("LHN", "LHN;CN"), "LHN"),
    "CN": "CN",
    **dict.fromkeys(("FBN", "FB2N", "FAN", "FFN"), "MBfeedback"),
    "RGN": "RGN",
}
_MBON_VALENCE = {"app": "MBONp", "av": "MBONn"}
_REWARD_DAN, _PUNISHMENT_DAN = re.compile(r"MBE1[a-z]"), re.compile(r"MBE4[a-z]")
"""Names of the dopaminergic neurons of the primary protocerebral anterior medial cluster (three a side) and
of the dorsolateral cluster 1 (four a side). The first carry reward (Rohwedder et al. 2016, Curr Biol 26:661),
the second punishment (Eschbach et al. 2020, Nat Neurosci 23:544). That the names MBE1 and MBE4 are these
clusters is inferred from their numbers; `modulators` shows the compartments that they reach."""


def with_roles(connectome: Connectome) -> Connectome:
    """Return the brain of `read_winding` with a further kind of label, `role`.

    Raises
    ------
    BrainError
        When receptor neurons, Kenyon cells, output or dopaminergic neurons are missing.
    """
    labels = {kind: connectome.label(kind).tolist() for kind in ("class", "subclass", "name")}
    roles = [_role(*values) for values in zip(*labels.values(), strict=True)]
    for role in ("ORN", "PN", "KC", "APL", "MBONp", "MBONn", "DANp", "DANn"):
        if role not in roles:
            raise BrainError(f"{connectome.source.name}: expected neurons of the role {role!r}, found none")
    return connectome.with_label("role", np.array(roles))


def _role(kind: str, subclass: str, name: str) -> str:
    if subclass == "ORN":
        return "ORN"
    if kind == "MBON":
        return _MBON_VALENCE.get(subclass, "MBONo")
    if kind == "MBIN" and subclass == "DAN":
        if _REWARD_DAN.match(name):
            return "DANp"
        return "DANn" if _PUNISHMENT_DAN.match(name) else "MBIN"
    if kind.startswith(("dVNC", "dSEZ", "dUnk")):
        return "descending"
    return _BY_CLASS.get(kind, "other")


def modulators(connectome: Connectome) -> dict[int, str]:
    """Return the dopaminergic role that depresses the Kenyon cells' synapses onto each output neuron.

    It is the one with more synapses onto the neuron itself: dopaminergic neurons synapse onto the output
    neuron of their own compartment (Eichler et al. 2017). Output neurons that get none from either keep their
    weights and are left out.

    Returns
    -------
    dict of int to str
        By row of the output neuron.
    """
    roles = connectome.label("role")
    reached: dict[int, str] = {}
    for row in np.flatnonzero(np.char.startswith(roles, "MBON")):
        onto = connectome.post == row
        counts = {
            dan: int(connectome.synapses[onto & (roles[connectome.pre] == dan)].sum())
            for dan in ("DANp", "DANn")
        }
        if counts["DANp"] != counts["DANn"]:
            reached[int(row)] = max(counts, key=lambda dan: counts[dan])
    return reached


LEAST_REACH = 5
"""Synapses with the Kenyon cells of a hemisphere from which a neuron belongs to its mushroom body: many
output and dopaminergic neurons of the other hemisphere do (Eichler et al. 2017 list them as well)."""


def mushroom_body_part(connectome: Connectome, side: str = "both") -> Connectome:
    """Return the mushroom body and antennal lobe of one hemisphere, or of both.

    One hemisphere comes with the output and dopaminergic neurons of the other hemisphere that have
    synapses with its Kenyon cells.

    Raises
    ------
    BrainError
        When the side is not "left", "right" or "both".
    """
    if side not in ("left", "right", "both"):
        raise BrainError(f"side: expected 'left', 'right' or 'both', got {side!r}")
    roles = connectome.label("role")
    chosen = np.isin(roles, MUSHROOM_BODY)
    if side != "both":
        mine = connectome.label("side") == side[0].upper()
        cells = (roles == "KC") & mine
        reach = np.bincount(
            connectome.post, weights=connectome.synapses * cells[connectome.pre], minlength=len(roles)
        )
        reach += np.bincount(
            connectome.pre, weights=connectome.synapses * cells[connectome.post], minlength=len(roles)
        )
        extrinsic = np.isin(roles, ("MBONp", "MBONn", "MBONo", "DANp", "DANn"))
        chosen &= mine | (extrinsic & (reach >= LEAST_REACH))
    return connectome.part(chosen, f"mushroom body, {side}")


@dataclass(frozen=True)
class LarvaBrainConfig(Shown):
    """Choices for measured wiring beside those of `MushroomBodyConfig`.

    Raises
    ------
    BrainError
        When a number is out of range.
    """

    other_ns: float | None = None
    """Weight of a synapse between roles that the drawn circuit does not connect (nS); 0 leaves them out. None
    is 0 for a mushroom body, and `OTHER_NS` for a whole brain."""
    scaling: Scaling = "role"
    """Neurons that get the drawn circuit's summed weight: those of a role in their mean, so that a neuron
    with twice as many synapses has twice the weight; or every neuron, as if excitability made up for its
    number of synapses (Abdelrahman et al. 2021, PNAS 118:e2102158118)."""
    least_synapses: int = 1
    """Fewest synapses of an edge. Winding et al. 2023 report edges from one synapse on."""
    sign_seed: int = 1
    """Seed of the signs that are drawn where the transmitter is unknown."""

    def __post_init__(self) -> None:
        if self.other_ns is not None and not (np.isfinite(self.other_ns) and self.other_ns >= 0):
            raise BrainError(f"LarvaBrainConfig.other_ns: expected at least 0 nS, got {self.other_ns}")
        if self.scaling not in get_args(Scaling):
            raise BrainError(f"LarvaBrainConfig.scaling: expected 'role' or 'neuron', got {self.scaling!r}")
        if self.least_synapses < 1:
            raise BrainError(
                f"LarvaBrainConfig.least_synapses: expected at least 1, got {self.least_synapses}"
            )


def larva_network(
    connectome: Connectome,
    brain: MushroomBodyConfig | None = None,
    config: LarvaBrainConfig | None = None,
    signs: SignTable = LARVA_SIGNS,
) -> Network:
    """Return the network of a larva's measured brain, or of a part of it.

    Populations are roles. Receptor neurons are sorted by receptor, so that a channel of the input "odor"
    drives the receptor's neurons of both sides; the inputs "reward" and "punishment" have a channel for each
    dopaminergic neuron. Plastic are Kenyon cells' synapses onto the output neurons with a dopaminergic role
    (`modulators`).

    Parameters
    ----------
    connectome : Connectome
        With roles (`with_roles`).
    brain : MushroomBodyConfig, optional
        Strengths, plasticity and input rates; the preset "calibrated" unless given.
    config : LarvaBrainConfig, optional
    signs : SignTable

    Raises
    ------
    BrainError
        When a role has no sign, or receptors do not fit the channels.
    """
    brain, config = brain or MushroomBodyConfig(), config or LarvaBrainConfig()
    connectome = connectome.without_autapses()
    if config.least_synapses > 1:
        connectome = connectome.at_least(config.least_synapses)
    connectome = _sorted_by_role(connectome)
    modulated = modulators(connectome)
    share = signs.assumed_share(connectome)
    sign = signs.signs(connectome, config.sign_seed)
    connectome = connectome.without((sign == 0)[connectome.pre], "from neurons without fast synapses")
    is_brain = not set(connectome.label("role").tolist()) <= set(MUSHROOM_BODY)
    other_ns = (OTHER_NS if is_brain else 0.0) if config.other_ns is None else config.other_ns
    weight_ns = synapse_weights(connectome, brain, other_ns, config.scaling)
    if (left_out := weight_ns == 0).any():
        connectome = connectome.without(left_out, "between roles that the drawn circuit does not connect")
        weight_ns = weight_ns[~left_out]
    names = list(dict.fromkeys(connectome.label("role").tolist()))
    steps = (
        f"weights from the drawn mushroom body by {config.scaling}, {other_ns:g} nS a synapse elsewhere",
        f"signs drawn with seed {config.sign_seed}; {share:.1%} of the fast synapses have an assumed sign",
    )
    inputs = (
        SpikeInput("odor", "ORN", brain.input_to_orn_ns, channels=N_GLOMERULI, delay_ms=DELAY_MS),
        SpikeInput("reward", "DANp", brain.input_to_dan_ns, delay_ms=DELAY_MS),
        SpikeInput("punishment", "DANn", brain.input_to_dan_ns, delay_ms=DELAY_MS),
    )
    return Network(
        tuple(_population(name, connectome, brain) for name in names),
        tuple(_projections(connectome, sign, weight_ns, _Rules(brain, modulated))),
        inputs,
        sources=(connectome.source.after(*steps),),
    )


def _sorted_by_role(connectome: Connectome) -> Connectome:
    """Return the neurons by role, receptor neurons by receptor."""
    roles, names, sides = (connectome.label(kind) for kind in ("role", "name", "side"))
    order = {role: place for place, role in enumerate(MUSHROOM_BODY)}
    receptors = np.array([receptor_of(name) for name in names.tolist()])
    key = np.array([order.get(role, len(order)) for role in roles.tolist()])
    is_orn = roles == "ORN"
    rows = np.lexsort(
        (np.arange(len(roles)), np.where(is_orn, sides, ""), np.where(is_orn, receptors, ""), roles, key)
    )
    kinds, counts = np.unique(receptors[is_orn], return_counts=True)
    if len(kinds) != N_GLOMERULI or len(set(counts.tolist())) != 1:
        raise BrainError(
            f"{connectome.source.name}: expected {N_GLOMERULI} receptors with as many neurons each, got "
            f"{len(kinds)} with {min(counts, default=0)} to {max(counts, default=0)}"
        )
    return connectome.part(rows, "sorted by role")


def receptor_of(name: str) -> str:
    """Return the receptor in the name of a receptor neuron, with its number in three digits for sorting.

    Examples
    --------
    >>> receptor_of("94a & 94b ORN left"), receptor_of("1a ORN right")
    ('094a & 94b', '001a')
    """
    first = name.split(" ORN")[0]
    number = re.match(r"\d+", first)
    return first if number is None else f"{int(number.group()):03d}{first[number.end() :]}"


DRAWN_ROLE = {
    "mPN": "PN",
    **dict.fromkeys(ANTENNAL_LOCAL, "LN"),
    **dict.fromkeys(("MBONp", "MBONn", "MBONo"), "MBON"),
    **dict.fromkeys(("DANp", "DANn"), "DAN"),
}
"""Role of the drawn circuit that a measured role has, where the names differ."""


def drawn_strengths(brain: MushroomBodyConfig) -> dict[tuple[str, str], float]:
    """Return the summed weight (nS) that a neuron of the drawn circuit gets from another role's neurons.

    The drawn feedback from output to dopaminergic neurons stands for pathways over interneurons. Of direct
    edges the measured wiring has a dozen, of one to three synapses each, which are handled like all others.
    """
    pn_per_kc = (brain.pn_per_kc_low + brain.pn_per_kc_high) / 2
    return {
        ("ORN", "PN"): brain.orn_to_pn_ns,
        ("ORN", "LN"): brain.orn_to_ln_ns,
        ("LN", "PN"): brain.ln_to_pn_ns * N_GLOMERULI * brain.lateral_inhibition,
        ("PN", "KC"): brain.pn_to_kc_ns * pn_per_kc,
        ("KC", "APL"): brain.kc_to_apl_ns * N_KENYON_CELLS,
        ("APL", "KC"): brain.apl_to_kc_ns * brain.apl,
        ("KC", "MBON"): brain.kc_to_mbon_ns * N_KENYON_CELLS,
    }


def synapse_weights(
    connectome: Connectome, brain: MushroomBodyConfig, other_ns: float, scaling: Scaling = "role"
) -> NDArray[Any]:
    """Return the magnitude of the weight of each edge (nS), 0 for those that are left out.

    The weight of a synapse is the drawn circuit's summed weight over the mean number of synapses that the
    target's neurons get; multiglomerular projection neurons, which the drawn circuit lacks, get the weight of
    uniglomerular ones.
    """
    roles = connectome.label("role")
    drawn = np.array([DRAWN_ROLE.get(role, role) for role in roles.tolist()])
    weight = connectome.synapses * other_ns
    strengths = drawn_strengths(brain)
    for (source, target), total_ns in strengths.items():
        edges = (drawn[connectome.pre] == source) & (drawn[connectome.post] == target)
        if not edges.any():
            continue
        model = roles == target if (roles == target).any() else drawn == target
        counts_all = np.bincount(
            connectome.post[edges], weights=connectome.synapses[edges], minlength=connectome.n_neurons
        )
        counts = counts_all[model]
        mean = counts[counts > 0].mean() if (counts > 0).any() else np.inf
        counted = counts_all[connectome.post[edges]] if scaling == "neuron" else mean
        weight[edges] = connectome.synapses[edges] * total_ns / counted
    return np.asarray(weight, dtype=np.float64)


def _population(name: str, connectome: Connectome, brain: MushroomBodyConfig) -> Population:
    """Return the neurons of a role with the constants of the drawn role, or of an output neuron."""
    drawn = {population.name: population for population in populations(brain)}
    like = drawn.get(name) or drawn.get(DRAWN_ROLE.get(name, "")) or drawn["MBONp"]
    rows = np.flatnonzero(connectome.label("role") == name)
    labels = {kind: values[rows].tolist() for kind, values in connectome.labels.items()}
    return replace(like, name=name, size=len(rows), labels=labels)


@dataclass(frozen=True)
class _Rules:
    """Plasticity of Kenyon cells' synapses."""

    brain: MushroomBodyConfig
    modulated: Mapping[int, str]

    def rule(self, dan: str, weights_ns: NDArray[Any], n_dan: int) -> DopamineGated:
        """Return the rule; a spike of all neurons of a role depresses the mean weight by the drawn share."""
        rule = self.brain.depressed_by(dan)
        share = float(weights_ns.mean()) / self.brain.kc_to_mbon_ns if self.brain.kc_to_mbon_ns else 0.0
        return replace(rule, learning_rate=rule.learning_rate * share / n_dan)


def _projections(
    connectome: Connectome, sign: NDArray[np.int8], weight_ns: NDArray[np.float64], rules: _Rules
) -> Iterator[Projection]:
    """Yield a projection for each two roles, and from Kenyon cells for each role, output and modulator."""
    roles = connectome.label("role")
    names, group = np.unique(roles, return_inverse=True)
    place = np.empty(len(roles), dtype=np.int64)
    for name in names:
        place[roles == name] = np.arange(np.count_nonzero(roles == name))
    modulator = np.array([rules.modulated.get(row, "") for row in range(len(roles))], dtype="U8")
    modulator[~np.char.startswith(roles, "MBON")] = ""
    of_edge = np.where(roles[connectome.pre] == "KC", modulator[connectome.post], "")
    key = np.char.add(np.char.add(group[connectome.pre].astype(str), ">"), group[connectome.post].astype(str))
    key = np.char.add(np.char.add(key, " "), of_edge)
    for name in dict.fromkeys(key.tolist()):
        edges = np.flatnonzero(key == name)
        pre, post = connectome.pre[edges], connectome.post[edges]
        source, target, dan = str(roles[pre[0]]), str(roles[post[0]]), str(of_edge[edges[0]])
        weights: NDArray[np.float64] = weight_ns[edges] * sign[pre]
        rule = rules.rule(dan, weights, int((roles == dan).sum())) if dan else None
        yield Projection(
            _name(source, target, dan, is_output=source == "KC" and target.startswith("MBON")),
            source,
            target,
            Explicit(np.column_stack([place[pre], place[post]])),
            weights,
            DELAY_MS,
            rule,
        )


def _name(source: str, target: str, dan: str, *, is_output: bool) -> str:
    """Return the drawn circuit's name of a projection, with the modulator where it is another one."""
    usual = {"MBONp": "DANn", "MBONn": "DANp"}.get(target, "")
    if not is_output or dan == usual:
        return f"{source}>{target}"
    return f"{source}>{target} by {dan}" if dan else f"{source}>{target} fixed"
