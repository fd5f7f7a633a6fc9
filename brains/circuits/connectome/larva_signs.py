"""Signs of the neurons of the larval brain by role, each with its source or the word "assumed"."""

from __future__ import annotations

from ethospike.brains.circuits.connectome.signs import SignRow, SignTable

INHIBITORY_SHARE = 0.4
"""Share of inhibitory neurons in roles of unknown transmitter. In the adult brain some 60 % of the neurons
are predicted to be cholinergic, the others to release glutamate or GABA (Eckstein et al. 2024, Cell 187:2574,
Fig 5B), and both inhibit in the model of Shiu et al. 2024."""

_UNKNOWN = "assumed: the adult brain's share of inhibitory neurons, drawn for each pair of neurons"

LARVA_SIGNS = SignTable(
    "role",
    (
        SignRow("ORN", 0.0, "cholinergic: Python & Stocker 2002, J Comp Neurol 453:157"),
        SignRow("PN", 0.0, "cholinergic: Python & Stocker 2002, J Comp Neurol 453:157"),
        SignRow("mPN", 0.0, "assumed: cholinergic as uniglomerular projection neurons"),
        SignRow("bLN", 1.0, "GABA: Berck et al. 2016, eLife 5:e14859"),
        SignRow("cLN", 1.0, "GABA: Berck et al. 2016, eLife 5:e14859"),
        SignRow("keystone", 1.0, "GABA, as in most local neurons: Python & Stocker 2002, J Comp "
                "Neurol 453:157"),
        SignRow("pLN", 1.0, "glutamate: Berck et al. 2016, eLife 5:e14859; inhibitory as in the adult: Liu "
                "& Wilson 2013, PNAS 110:10294"),
        SignRow("KC", 0.0, "cholinergic in the adult: Barnstedt et al. 2016, Neuron 89:1237"),
        SignRow("APL", 1.0, "GABA: Masuda-Nakagawa et al. 2014, Front Neural Circuits 8:35"),
        SignRow("MBONp", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("MBONn", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("MBONo", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("DANp", None, "dopamine acts on plasticity: Eichler et al. 2017, Nature 548:175; fast "
                "effects are left out"),
        SignRow("DANn", None, "dopamine acts on plasticity: Eichler et al. 2017, Nature 548:175; fast "
                "effects are left out"),
        SignRow("MBIN", None, "assumed: modulatory, as octopaminergic ones"),
        SignRow("sensory", 0.0, "assumed: cholinergic, as many olfactory and gustatory afferents are (Python "
                "& Stocker 2002, J Comp Neurol 453:157)"),
        SignRow("ascending", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("LHN", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("CN", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("MBfeedback", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("descending", INHIBITORY_SHARE, _UNKNOWN),
        SignRow("RGN", None, "assumed: neurosecretory, without fast synapses in the brain"),
        SignRow("other", INHIBITORY_SHARE, _UNKNOWN),
    ),
)  # fmt: skip
"""Signs by role (`larva.with_roles`). A share of inhibitory neurons means that their signs are drawn."""
