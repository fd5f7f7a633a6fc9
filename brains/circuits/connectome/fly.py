"""The whole brain of the adult fly as point neurons, after Shiu et al. 2024.

Source of equations and numbers: Shiu et al. 2024, Nature 634:210, authors' code
github.com/philshiu/Drosophila_brain_model (model.py at 169c0dc).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.circuits.connectome.network import Cells, NetworkOptions, connectome_network
from ethospike.brains.circuits.connectome.signs import SignTable
from ethospike.brains.network import Network, SpikeInput
from ethospike.errors import BrainError

SYNAPSE_MV = 0.275
"""Weight of a synapse; the authors chose it by the responses to sugar."""
DELAY_MS = 1.8
"""Paul et al. 2015, Front Cell Neurosci 9:29, as the authors cite it."""
DRIVE_HZ = 150.0
"""The authors' rate of the Poisson trains that drive chosen neurons."""
DRIVE_MV = 1e5
"""Weight of an input spike. The authors' inputs raise the potential by 68.75 mV at once, and each of them
makes its neuron fire in the next step, because driven neurons have no refractory period. A jump of g by this
weight does the same: it lifts the potential by 500 mV in that step, and the spike sets g to 0."""

TRANSMITTER_SIGNS = SignTable.of(
    "transmitter",
    {"ACH": 1, "DA": 1, "OCT": 1, "SER": 1, "GABA": -1, "GLUT": -1}
    | {"acetylcholine": 1, "dopamine": 1, "octopamine": 1, "serotonin": 1, "gaba": -1, "glutamate": -1},
    "Shiu et al. 2024: GABA and glutamate inhibit, the other transmitters excite",
)
"""Signs of transmitters in the words of FlyWire's and of MaleCNS's tables. Neurons of unknown transmitter
have no row: leave them out, or add a row."""


def fly_network(
    connectome: Connectome, signs: NDArray[np.int8], driven: Sequence[int] | NDArray[np.integer] = ()
) -> Network:
    """Return the brain as one population, `neurons`, of `iaf_shiu_2024`.

    Driven neurons come first, in the given order, the others keep the order of the connectome; labels go
    along. Each driven neuron has a channel of the spike input `drive`.

    Parameters
    ----------
    connectome : Connectome
    signs : ndarray of int8, shape (neurons,)
    driven : sequence of int
        Rows of the neurons that input spikes make fire; they have no refractory period.

    Raises
    ------
    BrainError
        When a driven neuron does not exist or is named twice.
    """
    rows = np.asarray(driven, dtype=np.int64)
    if len(np.unique(rows)) != len(rows) or ((rows < 0) | (rows >= connectome.n_neurons)).any():
        raise BrainError(
            f"driven: expected different rows in 0 … {connectome.n_neurons - 1}, got {rows.tolist()[:5]} …"
        )
    if len(rows):
        is_driven = np.zeros(connectome.n_neurons, dtype=bool)
        is_driven[rows] = True
        order = np.concatenate([rows, np.flatnonzero(~is_driven)])
        connectome, signs = connectome.part(order, f"{len(rows):,} driven neurons first"), signs[order]
    t_ref = np.full(connectome.n_neurons, 2.2)
    t_ref[: len(rows)] = 0.0
    inputs = (SpikeInput("drive", "neurons", DRIVE_MV, stop=len(rows)),) if len(rows) else ()
    return connectome_network(
        connectome,
        signs,
        NetworkOptions(
            SYNAPSE_MV,
            DELAY_MS,
            population=None,
            autapses="keep",
            cells={"": Cells("iaf_shiu_2024", {"t_ref": t_ref})},
        ),
        spike_inputs=inputs,
    )
